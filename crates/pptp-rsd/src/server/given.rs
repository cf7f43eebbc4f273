//! Listening sockets that the service manager gives, by their names: `metrics`, `control`, and all others for clients.

use std::net::TcpListener;
use std::os::fd::OwnedFd;

use pptp_io::{listener, seqpacket, words};

#[derive(Debug, Default)]
pub(super) struct Given {
    /// For control connections, in place of the configuration's `listen`.
    pub(super) clients: Vec<TcpListener>,
    pub(super) metrics: Option<TcpListener>,
    /// For operators.
    pub(super) control: Option<OwnedFd>,
}

impl Given {
    /// Errors are lines for the operator.
    pub(super) fn of(sockets: Vec<(String, OwnedFd)>) -> Result<Self, String> {
        let mut given = Self::default();
        for (name, socket) in sockets {
            let wrong = |error| format!("the service manager's socket '{name}': {}", words(&error));
            match name.as_str() {
                "control" => given.control = Some(seqpacket::adopt(socket).map_err(wrong)?),
                "metrics" => given.metrics = Some(listener::adopt(socket).map_err(wrong)?),
                _ => given.clients.push(listener::adopt(socket).map_err(wrong)?),
            }
        }
        Ok(given)
    }
}
