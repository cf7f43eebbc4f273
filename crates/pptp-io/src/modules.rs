//! Loading modules of the kernel.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const PROGRAM: &str = "/sbin/modprobe";

/// How often to look whether it has ended.
const STEP: Duration = Duration::from_millis(10);

/// Loads a module by its name with modprobe(8); false: it is certainly not loaded by this, within `limit`. Needs
/// `CAP_SYS_MODULE`.
pub fn load(module: &str, limit: Duration) -> bool {
    let mut command = Command::new(PROGRAM);
    command.arg("-q").arg(module).env_clear();
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return false };
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < deadline => sleep(STEP),
            Ok(None) => {
                // A child that cannot be killed ends by itself some day; nobody waits for it.
                let _ = child.kill();
                return false;
            }
            // Where SIGCHLD is ignored nobody is told how it ended; whoever asked looks again.
            Err(_) => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_does_not_exist_is_not_loaded() {
        assert!(!load("pptp-rs-no-such-module", Duration::from_secs(10)));
    }
}
