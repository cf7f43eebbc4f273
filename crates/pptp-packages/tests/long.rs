//! The tests of packages that `make test-long` runs.

use pptp_packages::{Failure, run};
use pptp_vm::{Guest, Release};

#[test]
fn a_tarball_built_elsewhere_makes_the_same_packages() -> Result<(), Failure> {
    run("reproducible", &[])
}

#[test]
fn under_systemd_257_packages_keep_calls_and_clean_up() -> Result<(), pptp_vm::Failure> {
    Guest::new("systemd_packages").systemd(Release::Debian13).run()
}

#[test]
fn under_systemd_rpm_packages_keep_calls_and_clean_up() -> Result<(), pptp_vm::Failure> {
    Guest::new("systemd_rpms").systemd(Release::OfThisMachine).run()
}
