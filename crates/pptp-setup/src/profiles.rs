//! The commands that are about files: create, list, show, delete.

use std::path::Path;

use crate::Failure;
use crate::arguments::{Create, Existing};
use crate::files::Store;
use crate::name::Name;
use crate::password::{self, Source};
use crate::profile::{Encryption, Summary, printable};
use crate::running::{self, Running};
use crate::{say, secrets};

/// Makes a profile, or changes nothing.
pub(crate) fn create(wish: &Create) -> Result<(), Failure> {
    let Create { root, profile, password_file, existing, .. } = wish;
    let (name, store) = (&profile.name, Store::new(root));
    needs_root(root)?;
    // Before somebody is asked for a password in vain.
    refuse_to_replace(&store, name, *existing)?;
    let source = password_file.as_deref().map_or(Source::Input, Source::File);
    let secret = password::read(&source)?;
    let lock = store.lock()?;
    refuse_to_replace(&store, name, *existing)?;
    let before = store.read_secrets()?;
    let whole = secrets::add(&before, name, profile.user.as_bytes(), &secret)
        .map_err(|why| format!("{} stays as it is: {why}", store.secrets().display()))?;
    store.write(&lock, name, &profile.text(), &whole)?;
    drop(lock);
    let letters = if password::has_doubtful_letters(&secret) { IN_LATIN_1 } else { "" };
    let clear = if profile.encryption == Encryption::NotDemanded { IN_CLEAR } else { "" };
    say(&format!(
        "{name} is made: \"pptp-rs-setup start {name}\" connects, \"pptp-rs-setup test {name}\" tries\n{letters}{clear}"
    ))
}

const IN_CLEAR: &str =
    "As with pptpsetup, the tunnel is not encrypted: add --encrypt for MPPE with 128 bits, or no tunnel\n";

const IN_LATIN_1: &str = "The password has letters that are not ASCII. pppd takes each of its bytes for a letter: for a server that is not \
     pppd, give it in Latin-1, with --password-file\n";

/// Files of the machine that runs are root's.
pub(crate) fn needs_root(root: &Path) -> Result<(), Failure> {
    if root == Path::new("/") && !nix::unistd::geteuid().is_root() {
        return Err(Failure::Failed("only root may do that".into()));
    }
    Ok(())
}

fn refuse_to_replace(store: &Store, name: &Name, existing: Existing) -> Result<(), Failure> {
    if existing == Existing::Kept && store.read_peer(name)?.is_some() {
        return Err(Failure::Failed(format!(
            "there is a profile {name} ({}); --force replaces it",
            store.peer(name).display()
        )));
    }
    Ok(())
}

/// What a profile's file says.
pub(crate) fn find(store: &Store, name: &Name) -> Result<Summary, Failure> {
    let text = store.read_peer(name)?;
    let text = text.ok_or_else(|| format!("there is no profile {name} ({})", store.peer(name).display()))?;
    Ok(Summary::read(&text))
}

/// Removes what [`create`] has made.
pub(crate) fn delete(root: &Path, name: &Name) -> Result<(), Failure> {
    needs_root(root)?;
    let store = Store::new(root);
    let lock = store.lock()?;
    let summary = find(&store, name)?;
    if up(root, &summary).is_some() {
        return Err(Failure::Failed(format!("{name} is up: \"pptp-rs-setup stop {name}\" first")));
    }
    if !summary.made_here {
        let path = store.peer(name);
        return Err(Failure::Failed(format!("{} was not made by this program: it stays", path.display())));
    }
    let secrets = store.read_secrets()?;
    let left = secrets::remove(&secrets, name);
    store.remove(&lock, name, left.as_ref().map(|left| left.as_slice()))?;
    say(&format!("{name} is removed\n"))
}

/// All profiles, as a table.
pub(crate) fn list(root: &Path) -> Result<String, Failure> {
    needs_root(root)?;
    let mut rows = vec![["NAME", "SERVER", "USER", "STATE"].map(String::from)];
    for (name, summary) in Store::new(root).profiles()? {
        let server = printable(summary.server.as_deref().unwrap_or_default().as_bytes());
        rows.push([name.to_string(), server, summary.user_text(), state(root, &summary)]);
    }
    Ok(table(&rows))
}

/// Columns as wide as they have to be.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    });
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}  "));
        text.push_str(cells.collect::<String>().trim_end());
        text.push('\n');
    }
    text
}

/// What a profile says, line by line; never its password.
pub(crate) fn show(root: &Path, name: &Name) -> Result<String, Failure> {
    needs_root(root)?;
    let store = Store::new(root);
    let summary = find(&store, name)?;
    let password = match summary.secret(&store.read_secrets()?) {
        _ if summary.has_password => "in the file",
        Some(_) => "in chap-secrets",
        None => "not in chap-secrets",
    };
    let value = |text: &Option<String>| printable(text.as_deref().unwrap_or("-").as_bytes());
    let file = store.peer(name).display().to_string();
    let rows = [
        ["file", &if summary.made_here { file } else { format!("{file} (not made by pptp-rs-setup)") }],
        ["server", &value(&summary.server)],
        ["user", &summary.user_text()],
        ["password", password],
        ["encryption", if summary.requires_encryption { "required" } else { "not required" }],
        ["data path", &printable(summary.datapath.as_deref().unwrap_or("auto").as_bytes())],
        ["default route", if summary.default_route { "the tunnel, if there is no other" } else { "untouched" }],
        ["plugin", &value(&summary.plugin)],
        ["state", &state(root, &summary)],
    ];
    Ok(table(&rows.map(|row| row.map(String::from))))
}

/// What there is to say of the tunnel of a profile; below another root nothing runs.
fn state(root: &Path, summary: &Summary) -> String {
    match up(root, summary) {
        Some(running) => format!("up, {running}"),
        None if summary.link_name.is_none() && root == Path::new("/") => "not known: no linkname".into(),
        None => "down".into(),
    }
}

fn up(root: &Path, summary: &Summary) -> Option<Running> {
    if root == Path::new("/") { summary.link_name.as_deref().and_then(running::find) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_columns_as_wide_as_they_have_to_be() {
        let rows = [["NAME", "USER"], ["a-long-one", "\u{e9}"], ["b", ""]].map(|row| row.map(String::from));
        assert_eq!(table(&rows), "NAME        USER\na-long-one  \u{e9}\nb\n");
    }

    #[test]
    fn without_a_linkname_nobody_knows_whether_a_tunnel_is_up() {
        let state = |root: &str, text: &str| state(Path::new(root), &Summary::read(text.as_bytes()));
        assert_eq!(state("/", "pptp_server h\n"), "not known: no linkname");
        assert_eq!(state("/", "pptp_server h\nlinkname pptp-rs-there-is-no-such-link\n"), "down");
        assert_eq!(state("/nowhere", "pptp_server h\n"), "down");
    }
}
