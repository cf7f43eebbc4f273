//! Boots a guest script (`tests/vm/guest/*.sh`) through `tests/vm/run.sh` and fails with the guest's whole output.
//!
//! A few guests run at a time, whatever the number of test threads: two for each processor, as a guest waits for most of
//! its time, or `PPTP_RS_GUESTS`.  Each keeps to one processor of the host, where it is several times as fast (see
//! run.sh).  What a guest needs and does not find (User-Mode Linux, the built plugin) is a failure, never a skipped
//! test.

mod processors;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a failed guest said.  `Debug` prints it as it is, because that is what a failed test shows.
pub struct Failure(String);

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A guest to boot: which script, with which arguments.
#[derive(Debug, Clone)]
pub struct Guest {
    script: String,
    arguments: Vec<String>,
    withheld: String,
    systemd: Option<Release>,
    limit: Duration,
}

/// A release of Debian, for its systemd: this machine's, or the one in the tree that scripts/setup.sh keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// With systemd 252 and pppd 2.4.9.
    Debian12,
    /// With systemd 257 and pppd 2.5.2.
    Debian13,
    /// Whichever this machine has, and all that is installed on it.
    OfThisMachine,
}

impl Release {
    fn root(self) -> PathBuf {
        let name = match self {
            Self::Debian12 => "debian12",
            Self::Debian13 => "debian13",
            Self::OfThisMachine => return PathBuf::from("/"),
        };
        let cache =
            std::env::var_os("PPTP_RS_CACHE").map_or_else(|| PathBuf::from("/var/cache/pptp-rs"), PathBuf::from);
        // The tree is of the release that this machine does not have.
        Some(cache.join(name)).filter(|tree| tree.exists()).unwrap_or_else(|| PathBuf::from("/"))
    }
}

impl Guest {
    /// The script `tests/vm/guest/{name}.sh`, at most fifteen minutes: several times what it takes, for other guests and a
    /// slow machine hold it up.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            script: format!("tests/vm/guest/{name}.sh"),
            arguments: Vec::new(),
            withheld: String::new(),
            systemd: None,
            limit: Duration::from_secs(900),
        }
    }

    /// One more argument of the script.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_string());
        self
    }

    /// Kernel modules that the guest must not find, separated by blanks; `ppp` stands for all of PPP.
    #[must_use]
    pub fn without_modules(mut self, modules: &str) -> Self {
        self.withheld = modules.to_string();
        self
    }

    /// Process 1 of the guest is this release's systemd, and its root is of this release.
    #[must_use]
    pub fn systemd(mut self, release: Release) -> Self {
        self.systemd = Some(release);
        self
    }

    /// The guest is stopped, and the test fails, after this time.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Boots the guest when its turn has come, and waits for its end.
    ///
    /// # Errors
    /// The guest's output and what went wrong, when it did not end with status 0.
    pub fn run(&self) -> Result<(), Failure> {
        let turn = Turn::take();
        let started = Instant::now();
        let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let mut command = Command::new(root.join("tests/vm/run.sh"));
        command.arg("-t").arg(self.limit.as_secs().to_string());
        if let Some(processor) = processors::processor_of(turn.place) {
            command.arg("-c").arg(processor.to_string());
        }
        if let Some(release) = self.systemd {
            command.arg("-s").arg(release.root());
        }
        command.args(["-w", &self.withheld]).arg(root.join(&self.script)).args(&self.arguments);
        let output = command.output().map_err(|error| Failure(format!("cannot start tests/vm/run.sh: {error}")))?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        let seconds = started.elapsed().as_secs();
        let head = format!("{} {}: {} after {seconds} s", self.script, self.arguments.join(" "), output.status);
        Err(Failure(format!("{head}\n{}", said.concat())))
    }
}

/// The places of the guests that run.
static TAKEN: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());
static ONE_ENDED: Condvar = Condvar::new();

/// The right to run a guest; given back when dropped.
struct Turn {
    place: usize,
}

impl Turn {
    fn take() -> Self {
        let wanted = std::env::var("PPTP_RS_GUESTS").ok().and_then(|text| text.parse().ok());
        let most = wanted.unwrap_or_else(|| 2 * processors::count());
        // A failed test poisons nothing here: the places are right whatever happened to their owners.
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(place) = (0..most).find(|place| !taken.contains(place)) {
                taken.insert(place);
                return Self { place };
            }
            taken = ONE_ENDED.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TAKEN.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.place);
        ONE_ENDED.notify_one();
    }
}
