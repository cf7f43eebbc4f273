//! `pptp-rsd`: reads what it is told, and serves.

use std::process::ExitCode;

fn main() -> ExitCode {
    let _config = pptp_rsd::config::Config::default();
    ExitCode::SUCCESS
}
