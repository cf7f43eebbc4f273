//! The tests of packages that `make test-long` runs.

use pptp_packages::{Failure, run};

#[test]
fn a_tarball_built_elsewhere_makes_the_same_packages() -> Result<(), Failure> {
    run("reproducible", &[])
}
