//! What this machine has: pppd, the plugin for it, and the data paths that the plugin could take.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pptp_io::{lacks, words};

use crate::layers::{Fault, Layer};
use crate::pppd;
use crate::profile::{PLUGIN, Summary};

/// Folders in which pppd has one for the plugins of each version.
const PLUGIN_FOLDERS: [&str; 4] = ["/usr/lib/pppd", "/usr/lib64/pppd", "/usr/local/lib/pppd", "/lib/pppd"];

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Survey {
    /// pppd's version, or why there is none.
    pub(crate) version: Result<String, String>,
    pub(crate) plugin: Plugin,
    /// What is missing for each data path.
    pub(crate) paths: [(&'static str, Result<(), String>); 3],
}

/// Where the plugin is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plugin {
    /// Where pppd looks for it.
    Here(PathBuf),
    /// Only where other versions of pppd do.
    Others(Vec<String>),
    /// Nowhere.
    Missing(String),
}

impl Survey {
    /// Looks what there is for a profile; modules of the kernel are loaded, as the plugin would.
    pub(crate) fn make(summary: &Summary) -> Self {
        let version = version();
        let plugin = find_plugin(summary.plugin.as_deref().unwrap_or(PLUGIN), version.as_deref().unwrap_or_default());
        let paths = paths(summary.requires_encryption);
        Self { version, plugin, paths }
    }

    /// Whether a profile that wants this data path, or any, can be run; what there is to say of that.
    pub(crate) fn judge(&self, wanted: &str) -> Result<String, Fault> {
        let fault = |what: String, remedy: &str| Err(Fault::new(Layer::Machine, what, remedy));
        let version = match &self.version {
            Ok(version) => version,
            Err(why) => return fault(why.clone(), "install pppd (package ppp)"),
        };
        match &self.plugin {
            Plugin::Here(_) => {}
            Plugin::Others(versions) => {
                let what = format!("pppd is {version}, and the plugin is there for {} only", versions.join(", "));
                return fault(what, "install the plugin's package for this version of pppd: they have to be the same");
            }
            Plugin::Missing(path) => return fault(format!("there is no plugin {path}"), "install the package pptp-rs"),
        }
        let suits = |(name, _): &&(&str, Result<(), String>)| wanted == "auto" || *name == wanted;
        let candidates: Vec<_> = self.paths.iter().filter(suits).collect();
        let reasons: Vec<_> = candidates
            .iter()
            .filter_map(|(name, missing)| Some(format!("{name}: {}", missing.as_ref().err()?)))
            .collect();
        match candidates.iter().find(|(_, missing)| missing.is_ok()) {
            Some((name, _)) if reasons.is_empty() => Ok(format!("pppd {version}, plugin, data path {name}")),
            Some((name, _)) => Ok(format!("pppd {version}, plugin, data path {name} (not {})", reasons.join("; not "))),
            None => fault(format!("no data path is possible: {}", reasons.join("; ")), CHECK_PATHS),
        }
    }
}

const CHECK_PATHS: &str = "one is enough: tun needs /dev/net/tun and raw sockets, which a container has to allow (NET_ADMIN, NET_RAW); \
     kernel needs the kernel's modules pptp, ppp_generic and for encryption ppp_mppe";

fn version() -> Result<String, String> {
    let program = pppd::program().ok_or("there is no pppd")?;
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot run {}: {}", program.display(), words(&error)))?;
    let text = [output.stdout, output.stderr].concat();
    read_version(&String::from_utf8_lossy(&text))
        .ok_or_else(|| format!("{} does not tell its version", program.display()))
}

/// What is behind "version".
fn read_version(text: &str) -> Option<String> {
    let mut words = text.split_whitespace().skip_while(|word| *word != "version");
    words.nth(1).filter(|version| version.starts_with(|first: char| first.is_ascii_digit())).map(str::to_owned)
}

fn find_plugin(name: &str, version: &str) -> Plugin {
    if name.contains('/') {
        let path = PathBuf::from(name);
        return if path.exists() { Plugin::Here(path) } else { Plugin::Missing(name.to_owned()) };
    }
    let in_version = |version: &str| {
        let mut paths = PLUGIN_FOLDERS.iter().map(|folder| Path::new(folder).join(version).join(name));
        paths.find(|path| path.exists())
    };
    if let Some(path) = in_version(version) {
        return Plugin::Here(path);
    }
    let folders = PLUGIN_FOLDERS.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let versions = folders.filter_map(|entry| entry.file_name().into_string().ok());
    let mut others: Vec<String> = versions.filter(|version| in_version(version).is_some()).collect();
    others.sort();
    others.dedup();
    if others.is_empty() { Plugin::Missing(name.to_owned()) } else { Plugin::Others(others) }
}

/// What is missing for each data path, as the plugin would say it.
fn paths(with_encryption: bool) -> [(&'static str, Result<(), String>); 3] {
    [("kernel", kernel(with_encryption)), ("tun", tun()), ("pty", pty())]
}

fn kernel(with_encryption: bool) -> Result<(), String> {
    lacks::pptp()?;
    lacks::ppp_device()?;
    if with_encryption { lacks::mppe() } else { Ok(()) }
}

fn tun() -> Result<(), String> {
    lacks::tun_device()?;
    lacks::raw_gre()
}

fn pty() -> Result<(), String> {
    lacks::ppp_device()?;
    lacks::line_discipline()?;
    lacks::raw_gre()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey() -> Survey {
        Survey {
            version: Ok("2.5.2".into()),
            plugin: Plugin::Here("/usr/lib/pppd/2.5.2/pptp-rs.so".into()),
            paths: [("kernel", Err("no pptp.ko".into())), ("tun", Ok(())), ("pty", Err("no /dev/ppp".into()))],
        }
    }

    fn what(survey: &Survey, wanted: &str) -> String {
        let fault = survey.judge(wanted).unwrap_err();
        assert_eq!(fault.layer, Layer::Machine);
        fault.what
    }

    #[test]
    fn one_data_path_is_enough_and_the_others_are_explained() {
        let said = survey().judge("auto").unwrap();
        assert_eq!(said, "pppd 2.5.2, plugin, data path tun (not kernel: no pptp.ko; not pty: no /dev/ppp)");
        assert_eq!(survey().judge("tun").unwrap(), "pppd 2.5.2, plugin, data path tun");
        assert_eq!(what(&survey(), "kernel"), "no data path is possible: kernel: no pptp.ko");
        let nothing = Survey { paths: survey().paths.map(|(name, _)| (name, Err("no".into()))), ..survey() };
        assert_eq!(what(&nothing, "auto"), "no data path is possible: kernel: no; tun: no; pty: no");
    }

    #[test]
    fn pppd_and_plugin_have_to_fit() {
        let missing = Survey { version: Err("there is no pppd".into()), ..survey() };
        assert_eq!(what(&missing, "auto"), "there is no pppd");
        let other = Survey { plugin: Plugin::Others(vec!["2.4.9".into()]), ..survey() };
        assert_eq!(what(&other, "auto"), "pppd is 2.5.2, and the plugin is there for 2.4.9 only");
        let nowhere = Survey { plugin: Plugin::Missing("pptp-rs.so".into()), ..survey() };
        assert_eq!(what(&nowhere, "auto"), "there is no plugin pptp-rs.so");
    }

    #[test]
    fn pppd_tells_its_version() {
        assert_eq!(read_version("pppd version 2.4.9\n").as_deref(), Some("2.4.9"));
        assert_eq!(read_version("pppd: cannot do that\n"), None);
        assert_eq!(read_version("some version unknown"), None);
    }

    #[test]
    fn a_plugin_by_its_path_is_there_or_not() {
        assert_eq!(find_plugin("/no/such/plugin.so", "2.4.9"), Plugin::Missing("/no/such/plugin.so".into()));
        assert!(matches!(find_plugin("/bin/sh", "2.4.9"), Plugin::Here(_)));
    }
}
