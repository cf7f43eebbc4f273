//! Builds the plugin and a pppd of straw that loads it (`host.c`), and runs them.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]
#![allow(dead_code, reason = "every test file uses another part of it")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

/// The plugin as `cargo build --lib` makes it.
pub(crate) fn plugin() -> &'static Path {
    static PLUGIN: OnceLock<PathBuf> = OnceLock::new();
    PLUGIN.get_or_init(|| {
        // CARGO_TARGET_TMPDIR is TARGET/tmp, wherever CARGO_TARGET_DIR has put TARGET.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        // With a test, and of the packages that are tested: else features differ from those of the tests, and cargo
        // compiles anew what they use.
        let tested = std::env::var("PPTP_RS_TESTED").unwrap_or_else(|_| String::from("--package=pptp-rs"));
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", &tested, "--lib", "--test", "plugin_options", "--target-dir"]).arg(target);
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(build.status().unwrap().success(), "the plugin cannot be built");
        target.join("debug/libpptp_rs.so")
    })
}

/// The compiled `host.c`.
fn host() -> &'static Path {
    static HOST: OnceLock<PathBuf> = OnceLock::new();
    HOST.get_or_init(|| {
        // Test binaries run at the same time, and each builds its own.
        let built = |name: &str| Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let (host, kernel) = (built("host"), built("kernel"));
        compile("kernel.c", &kernel, &["-shared".as_ref(), "-fPIC".as_ref()]);
        compile("host.c", &host, &["-rdynamic".as_ref(), kernel.as_ref(), "-ldl".as_ref()]);
        host
    })
}

/// Builds what the others run: not something to be timed.
pub(crate) fn build() {
    let _ = (host(), plugin());
}

fn compile(source: &str, result: &Path, arguments: &[&OsStr]) {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake_host");
    let mut compiler = Command::new("cc");
    compiler.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-I", env!("PPPD_HEADERS"), "-o"]).arg(result);
    compiler.arg(sources.join(source)).args(arguments);
    assert!(compiler.status().unwrap().success(), "{source} cannot be compiled");
}

/// What a run of the host gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    pub(crate) lines: Vec<String>,
}

impl Ran {
    /// Whether one of the lines is `wanted`.
    pub(crate) fn says(&self, wanted: &str) -> bool {
        self.lines.iter().any(|line| line == wanted)
    }

    /// The lines that begin with `start`, without it.
    pub(crate) fn after(&self, start: &str) -> Vec<&str> {
        self.lines.iter().filter_map(|line| line.strip_prefix(start)).collect()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        Self { status: output.status.code(), lines: said.lines().map(String::from).collect() }
    }
}

fn command(words: &[&str]) -> Command {
    let (before, words) = if words.first() == Some(&"@hook") { words.split_at(1) } else { words.split_at(0) };
    let mut command = Command::new(host());
    command.args(before).arg(plugin()).args(words).stdin(Stdio::null());
    command
}

/// Runs the host to its end.
pub(crate) fn run(words: &[&str]) -> Ran {
    command(words).output().unwrap().into()
}

/// Runs the host in a network namespace of its own, which ends with it. Needs root.
pub(crate) fn run_alone(words: &[&str]) -> Ran {
    let mut alone = Command::new("unshare");
    alone.arg("--net").arg(host()).arg(plugin()).args(words).stdin(Stdio::null());
    alone.output().unwrap().into()
}

/// Runs the host on a kernel that seems to have PPTP sockets.
pub(crate) fn run_with_pppox(words: &[&str]) -> Ran {
    run_with_variables(words, &[])
}

/// The same with more environment variables.
pub(crate) fn run_with_variables(words: &[&str], variables: &[(&str, &str)]) -> Ran {
    command(words).env("FAKE_PPPOX", "1").envs(variables.iter().copied()).output().unwrap().into()
}

/// The same in the background.
pub(crate) fn start_with_pppox(words: &[&str]) -> Child {
    command(words).env("FAKE_PPPOX", "1").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What a program printed; it has to succeed.
pub(crate) fn output_of(program: &str, arguments: &[&OsStr]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
