//! Runs a script of `tests/packages`, which says itself what it needs, and fails with what it has printed.

use std::fmt;
use std::path::Path;
use std::process::Command;

/// What a failed script said.  `Debug` prints it as it is, because that is what a failed test shows.
pub struct Failure(String);

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Runs `tests/packages/{script}.sh` with `arguments`.
///
/// # Errors
/// It cannot be run, or its exit status is not 0.
pub fn run(script: &str, arguments: &[&str]) -> Result<(), Failure> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = repository.join(format!("tests/packages/{script}.sh"));
    let output = Command::new("bash").arg(&path).args(arguments).output();
    let output = output.map_err(|error| Failure(format!("{}: {error}", path.display())))?;
    if output.status.success() {
        return Ok(());
    }
    let printed = [output.stdout, output.stderr].concat();
    Err(Failure(format!("{script} {}: {}\n{}", arguments.join(" "), output.status, String::from_utf8_lossy(&printed))))
}
