//! The servers that are compared.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::processes::{self, Process};
use pptp_testkit::waiting::eventually;

/// How long a server may take to start, and to end with all of its calls.
const SOON: Duration = Duration::from_secs(30);

/// What carries the packets of pptp-rsd's calls, as ps(1) names it.
const ENGINE: &str = "pptp-engine";

const CONFIGURATION: &str = "/run/server.conf";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    Poptop,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "pptp-rsd",
            Self::Poptop => "pptpd",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Self::Ours => env!("CARGO_BIN_EXE_pptp-rsd"),
            Self::Poptop => "/usr/sbin/pptpd",
        }
    }
}

/// A server that runs.
pub(crate) struct Server {
    kind: Kind,
    child: Child,
    /// The name of the processes that it starts for calls.
    pppd: String,
}

impl Server {
    /// Starts it at an address, with `settings` for both kinds, and this in place of pppd.
    pub(crate) fn start(kind: Kind, address: &str, settings: &str, pppd: &Path) -> Self {
        let always = format!("{settings}\nlisten {address}\nppp {}\npidfile /run/server.pid\n", pppd.display());
        let own = match kind {
            Kind::Ours => "datapath tun\ncontrol-socket /run/server.socket\n",
            Kind::Poptop => "",
        };
        fs::write(CONFIGURATION, always + own).unwrap();
        let child = Command::new(kind.program())
            .args(["-f", "-c", CONFIGURATION])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create("/run/server.log").unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", kind.program()));
        let port = format!("{address}:1723");
        eventually("the server listens", SOON, || TcpStream::connect(&port).ok());
        Self { kind, child, pppd: pppd.file_name().unwrap().to_str().unwrap().to_owned() }
    }

    /// Its sessions, by what it runs in place of pppd.
    pub(crate) fn sessions(&self) -> usize {
        running(&[&self.pppd]).len()
    }

    /// Private memory, KiB: of the server with its processes for each connection, and of its engines. What it runs in place of
    /// pppd is no part of it.
    pub(crate) fn memory(&self) -> [f64; 2] {
        [self.own(), vec![ENGINE]].map(|names| processes::private_memory(&running(&names)))
    }

    /// Nanoseconds that it has been on a processor, with all that it has started and that has not ended.
    pub(crate) fn time(&self) -> f64 {
        processes::time(&running(&[&self.own()[..], &[ENGINE, &self.pppd]].concat()))
    }

    /// The server's programs.
    fn own(&self) -> Vec<&'static str> {
        match self.kind {
            Kind::Ours => vec!["pptp-rsd"],
            Kind::Poptop => vec!["pptpd", "pptpctrl"],
        }
    }
}

/// Those on this machine with these names.
fn running(names: &[&str]) -> Vec<Process> {
    let network = processes::own_network();
    names.iter().flat_map(|name| processes::named(name, &network)).collect()
}

impl Drop for Server {
    fn drop(&mut self) {
        let number = i32::try_from(self.child.id()).unwrap();
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(number), nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
        if !std::thread::panicking() {
            let names = [self.pppd.as_str(), "pptpctrl", ENGINE];
            eventually("the server's processes have ended", SOON, || running(&names).is_empty().then_some(()));
        }
    }
}
