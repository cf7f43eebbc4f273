//! Lines for the user: each names the server and what is wrong with it.

use std::fmt::Display;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::client::{Failure, FailureKind};

/// The server as the user typed it, with its address if that says more.
pub(crate) fn server_name(server: &str, address: Ipv4Addr) -> String {
    let address = address.to_string();
    if server == address { address } else { format!("{server} ({address})") }
}

/// A duration as the user gave it.
pub(crate) fn seconds(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{} s", time.as_secs()) } else { format!("{:.1} s", time.as_secs_f64()) }
}

/// What the core says of "the server" or "the peer", said of `name`.
pub(crate) fn about(name: &str, reason: &dyn Display) -> String {
    let text = reason.to_string();
    match text.strip_prefix("the server ").or_else(|| text.strip_prefix("the peer ")) {
        Some(predicate) => format!("{name} {predicate}"),
        None => format!("{name}: {text}"),
    }
}

/// Several addresses, or one.
pub(crate) fn list(addresses: &[Ipv4Addr]) -> String {
    addresses.iter().map(Ipv4Addr::to_string).collect::<Vec<_>>().join(", ")
}

/// Why a TCP connection could not be opened, with a hint where one helps.
pub(crate) fn tcp_error(error: &io::Error) -> String {
    let text = pptp_io::words(error);
    match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("{text} (is a PPTP server running there?)"),
        io::ErrorKind::TimedOut => String::from("no answer (firewall?)"),
        io::ErrorKind::PermissionDenied => format!("{text} (local firewall?)"),
        _ => text,
    }
}

/// Something on this machine went wrong.
pub(crate) fn local(text: String) -> Failure {
    Failure { kind: FailureKind::Local, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

    #[test]
    fn a_server_is_named_as_typed_with_its_address() {
        assert_eq!(server_name("192.0.2.1", ADDRESS), "192.0.2.1");
        assert_eq!(server_name("vpn.example", ADDRESS), "vpn.example (192.0.2.1)");
    }

    #[test]
    fn reasons_name_the_server() {
        assert_eq!(about("h", &"the server refused the call: busy (4)"), "h refused the call: busy (4)");
        assert_eq!(about("h", &"the peer closed the control connection"), "h closed the control connection");
        assert_eq!(about("h", &"something else"), "h: something else");
    }

    #[test]
    fn times_are_written_as_they_are_typed() {
        assert_eq!(seconds(Duration::from_secs(10)), "10 s");
        assert_eq!(seconds(Duration::from_millis(1500)), "1.5 s");
    }

    #[test]
    fn a_refused_connection_comes_with_a_hint() {
        let refused = io::Error::from_raw_os_error(111);
        assert_eq!(tcp_error(&refused), "connection refused (is a PPTP server running there?)");
        assert_eq!(tcp_error(&io::Error::from_raw_os_error(113)), "no route to host");
    }
}
