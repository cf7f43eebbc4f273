//! `pptp-rsd`; see [`pptp_rsd::program`].

use std::process::ExitCode;

fn main() -> ExitCode {
    pptp_rsd::program::main()
}
