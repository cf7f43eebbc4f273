//! `pptp-rsctl`; see [`pptp_rsd::rsctl`].

use std::process::ExitCode;

fn main() -> ExitCode {
    pptp_rsd::rsctl::main()
}
