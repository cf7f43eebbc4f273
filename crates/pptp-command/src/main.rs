//! `pptp`; see [`pptp_command::program`].

use std::process::ExitCode;

fn main() -> ExitCode {
    pptp_command::program::main()
}
