//! `pptp-rsctl`, built with the tests that use it.

use std::process::ExitCode;

fn main() -> ExitCode {
    pptp_rsd::rsctl::main()
}
