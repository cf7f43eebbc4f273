//! The tests of packages that `make test` runs.

use pptp_packages::{Failure, run};
use pptp_vm::{Guest, Release};

#[test]
fn lintian_and_rpmlint_have_nothing_to_say() -> Result<(), Failure> {
    run("linted", &[])
}

#[test]
fn debian_12_gets_a_tunnel_with_apt() -> Result<(), Failure> {
    run("debs", &["bookworm"])
}

#[test]
fn debian_13_gets_a_tunnel_with_apt() -> Result<(), Failure> {
    run("debs", &["trixie"])
}

#[test]
fn debian_12_is_as_before_when_packages_are_purged() -> Result<(), Failure> {
    run("purge", &["bookworm"])
}

#[test]
fn debian_13_is_as_before_when_packages_are_purged() -> Result<(), Failure> {
    run("purge", &["trixie"])
}

#[test]
fn rpm_packages_come_and_go() -> Result<(), Failure> {
    run("rpms", &["bookworm"])
}

#[test]
fn debian_12_takes_our_pptp_for_pptp_linux() -> Result<(), Failure> {
    run("compat", &["bookworm"])
}

#[test]
fn debian_13_takes_our_pptp_for_pptp_linux() -> Result<(), Failure> {
    run("compat", &["trixie"])
}

#[test]
fn under_systemd_252_packages_keep_calls_and_clean_up() -> Result<(), pptp_vm::Failure> {
    Guest::new("systemd_packages").systemd(Release::Debian12).run()
}
