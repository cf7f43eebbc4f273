//! Loading modules of the kernel.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const PROGRAM: &str = "/sbin/modprobe";

/// How often to look whether it has ended.
const STEP: Duration = Duration::from_millis(10);

/// How long a child that was killed may take to end. One that the kernel does not let go of ends some day, and is then the business of
/// whoever reaps this process's children.
const DYING: Duration = Duration::from_secs(1);

/// Loads a module by its name with modprobe(8); false: it is certainly not loaded by this, within `limit`. Needs
/// `CAP_SYS_MODULE`.
pub fn load(module: &str, limit: Duration) -> bool {
    run(Command::new(PROGRAM).arg("-q").arg(module).env_clear(), limit)
}

fn run(command: &mut Command, limit: Duration) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return false };
    match wait(&mut child, limit) {
        Ended::With(status) => status.success(),
        // Where SIGCHLD is ignored nobody is told how it ended; whoever asked looks again.
        Ended::Somehow => true,
        Ended::Not => {
            let _ = child.kill();
            wait(&mut child, DYING);
            false
        }
    }
}

enum Ended {
    With(ExitStatus),
    Somehow,
    Not,
}

fn wait(child: &mut Child, limit: Duration) -> Ended {
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ended::With(status),
            Ok(None) if Instant::now() < deadline => sleep(STEP),
            Ok(None) => return Ended::Not,
            Err(_) => return Ended::Somehow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_module_that_does_not_exist_is_not_loaded() {
        assert!(!load("pptp-rs-no-such-module", Duration::from_secs(10)));
    }

    #[test]
    fn a_program_that_hangs_is_ended_and_nothing_is_left_of_it() {
        let file = std::env::temp_dir().join(format!("pptp-rs-hanging-{}", std::process::id()));
        let script = format!("echo $$ > {0}.new && mv {0}.new {0}; exec sleep 600", file.display());
        // On a busy machine it may not have begun.
        let number = loop {
            assert!(!run(Command::new("/bin/sh").args(["-c", &script]), Duration::from_millis(300)));
            if let Ok(number) = std::fs::read_to_string(&file) {
                break number;
            }
        };
        std::fs::remove_file(&file).unwrap();
        assert!(!Path::new("/proc").join(number.trim()).exists(), "{number}");
    }
}
