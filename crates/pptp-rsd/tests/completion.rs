//! packaging/pptp-rsctl.bash, as bash runs it when somebody presses Tab. That it knows all commands and options is tested with
//! the manual.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/pptp-rsctl.bash");

/// What a server with two calls says.
const STUB: &str = r#"#!/bin/sh
echo "$*" >> "$0.asked"
case "$*" in
  *sessions) echo '[{"id":7,"state":"running","user":"alice","client":"192.0.2.1","remote":"10.0.0.7"},{"id":12,"state":"starting","client":"192.0.2.2"}]' ;;
  *tunnels) echo '[{"interface":"ppp0","server":"vpn.example"}]' ;;
esac
"#;

/// A folder with a `pptp-rsctl` of our own, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn with(test: &str, program: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("pptp-rsctl-{test}-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let path = folder.join("pptp-rsctl");
        fs::write(&path, program).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.0.join("pptp-rsctl.asked")).unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What bash offers for the last of these words.
fn offered(folder: &Path, words: &[&str]) -> BTreeSet<String> {
    const LINES: &str = r#"
        set -u
        PATH=$1:$PATH
        . "$2"
        shift 2
        COMP_WORDS=(pptp-rsctl "$@") COMP_CWORD=$#
        $(complete -p pptp-rsctl | sed 's/.*-F \([^ ]*\).*/\1/')
        for choice in ${COMPREPLY[@]+"${COMPREPLY[@]}"}; do echo "$choice"; done"#;
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", LINES, "bash"]).arg(folder).arg(SCRIPT).args(words).env_remove("BASH_ENV");
    let output = bash.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.is_empty(), "{words:?}: {said}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn set(words: &str) -> BTreeSet<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn a_word_that_has_begun_is_completed() {
    let folder = Folder::with("begun", STUB);
    assert_eq!(offered(&folder.0, &["s"]), set("sessions show stats"));
    assert_eq!(offered(&folder.0, &["--json", "disc"]), set("disconnect"));
    assert_eq!(offered(&folder.0, &["sessions", "--j"]), set("--json"));
    assert_eq!(offered(&folder.0, &["call", "192.0.2.1", "--f"]), set("--from"));
    for words in [&["sessions", ""][..], &["sessions", "--f"], &["call", "--from", ""]] {
        assert_eq!(offered(&folder.0, words), set(""), "{words:?}");
    }
}

#[test]
fn calls_are_those_of_the_server_that_is_asked() {
    let folder = Folder::with("calls", STUB);
    assert_eq!(offered(&folder.0, &["show", ""]), set("7 12"));
    assert_eq!(offered(&folder.0, &["--socket", "/run/x", "disconnect", "session", "1"]), set("12"));
    assert_eq!(folder.asked(), "--json sessions\n--json --socket /run/x sessions\n");
    assert_eq!(offered(&folder.0, &["disconnect", ""]), set("session address user 7 12"));
    assert_eq!(offered(&folder.0, &["disconnect", "user", ""]), set("alice"));
    assert_eq!(offered(&folder.0, &["disconnect", "address", ""]), set("192.0.2.1 192.0.2.2 10.0.0.7"));
    assert_eq!(offered(&folder.0, &["tunnels", ""]), set("ppp0"));
}

#[test]
fn what_a_user_calls_himself_is_not_run() {
    let folder = Folder::with("name", STUB);
    let stub = STUB.replace("alice", "$(touch ${0%/*}/run.`id -u`; touch $HOME/run) *");
    fs::write(folder.0.join("pptp-rsctl"), stub).unwrap();
    let said = offered(&folder.0, &["disconnect", "user", ""]);
    assert_eq!(said.len(), 1, "{said:?}");
    // Nor is it when the offer is taken: each sign of the shell's has a backslash before it.
    assert!(said.iter().all(|name| name.starts_with("\\$\\(touch\\ ") && name.ends_with("\\ \\*")), "{said:?}");
}

#[test]
fn without_a_server_nothing_is_offered_and_nothing_said() {
    let folder = Folder::with("none", "#!/bin/sh\necho 'no server answers' >&2\nexit 3\n");
    assert_eq!(offered(&folder.0, &["show", ""]), set(""));
    assert_eq!(offered(&folder.0, &["disconnect", ""]), set("session address user"));
}

#[test]
fn a_file_is_completed_where_one_is_wanted() {
    let folder = Folder::with("file", STUB);
    let name = folder.0.join("pptp-rsctl").display().to_string();
    for words in [&["-s", &name[..name.len() - 3]][..], &["call", "x", "--option-file", &name[..name.len() - 3]]] {
        assert_eq!(offered(&folder.0, words), BTreeSet::from([name.clone()]));
    }
}
