//! What the options say.

use std::fmt;
use std::net::Ipv4Addr;
use std::os::fd::RawFd;
use std::time::Duration;

use pptp_callmgr::client::{CONNECT_TIMEOUT, ECHO_INTERVAL, ECHO_TIMEOUT, WINDOW};
use pptp_core::ccp::{KeyLengths, Policy, Presence};
use pptp_core::control::Quirk;
use pptp_core::wire::PORT;
use pptp_datapath::command::{REORDER_PACKETS, REORDER_TIME};

/// The values of all options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Name or address of the server to call.
    pub(crate) server: Option<String>,
    /// Address of the client that called.
    pub(crate) client: Option<String>,
    /// The client's connected PPTP socket.
    pub(crate) socket: Option<RawFd>,
    /// The socket on which a server asks about the call (`pptp_datapath::report`).
    pub(crate) report: Option<RawFd>,
    /// The number to dial (RFC 2637 §2.7).
    pub(crate) phone: String,
    /// Packets this end buffers (RFC 2637 §2.7).
    pub(crate) window: u16,
    pub(crate) datapath: Datapath,
    pub(crate) port: u16,
    /// Local address of the control connection.
    pub(crate) bind: Option<Ipv4Addr>,
    /// Firewall mark of all packets.
    pub(crate) mark: Option<u32>,
    pub(crate) host_route: HostRoute,
    /// From the first packet to the call, at most.
    pub(crate) connect_timeout: Duration,
    /// Silence before an Echo-Request (RFC 2637 §2.5); zero: none is sent.
    pub(crate) echo_interval: Duration,
    /// How long an Echo-Reply may take.
    pub(crate) echo_timeout: Duration,
    /// Whether calls to one server use one control connection.
    pub(crate) share: bool,
    pub(crate) mtu: Mtu,
    pub(crate) quirk: Option<Quirk>,
    /// Whether logins are recorded.
    pub(crate) wtmp: bool,
    pub(crate) mschap: MsChap,
    /// What the plugin's own CCP negotiates; `None`: pppd's CCP is in charge.
    pub(crate) mppe: Option<Policy>,
    /// How long a packet that came early waits for those before it; zero: not at all.
    pub(crate) reorder_time: Duration,
    /// How many packets may wait.
    pub(crate) reorder_packets: u16,
    /// Whether the sender keeps to the peer's window (RFC 2637 §4.4).
    pub(crate) transmit_window: bool,
}

/// What carries the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Datapath {
    /// The best that is possible.
    Auto,
    /// This one.
    Only(Path),
}

/// Whether the server gets a route of its own outside the tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostRoute {
    /// If pppd is to take the default route.
    Auto,
    On,
    Off,
}

/// Whose MS-CHAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MsChap {
    /// pppd's if it is right, else the plugin's.
    Auto,
    /// pppd's.
    Pppd,
    /// The plugin's.
    Internal,
}

/// A way for packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// pptp.ko and /dev/ppp.
    Kernel,
    /// The engine, and a TUN device for an interface.
    Tun,
    /// The engine, and a terminal with the kernel's ppp line discipline.
    Pty,
}

/// The largest packet through the tunnel, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mtu {
    /// What the path to the server leaves.
    Auto,
    /// So much.
    Bytes(u16),
}

/// Which end of the tunnel this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// It calls a server.
    Client {
        /// Name or address.
        server: String,
    },
    /// It was called.
    Server {
        /// Address of who called.
        client: String,
        /// The connected PPTP socket.
        socket: RawFd,
    },
}

/// The options do not tell which end this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModeError {
    /// Neither or both of `pptp_server` and `pptp_client`.
    Unknown,
    /// `pptp_client` without `pptp_sock`.
    SocketMissing,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server: None,
            client: None,
            socket: None,
            report: None,
            phone: String::new(),
            window: WINDOW,
            datapath: Datapath::Auto,
            port: PORT,
            bind: None,
            mark: None,
            host_route: HostRoute::Auto,
            connect_timeout: CONNECT_TIMEOUT,
            echo_interval: ECHO_INTERVAL,
            echo_timeout: ECHO_TIMEOUT,
            share: true,
            mtu: Mtu::Auto,
            quirk: None,
            wtmp: false,
            mschap: MsChap::Auto,
            mppe: None,
            reorder_time: REORDER_TIME,
            reorder_packets: REORDER_PACKETS,
            transmit_window: false,
        }
    }
}

impl Settings {
    /// Whether there is no link without MPPE of the plugin's CCP.
    pub(crate) fn requires_mppe(&self) -> bool {
        self.mppe.is_some_and(|policy| policy.presence == Presence::Required)
    }

    /// Whether the plugin's CCP may agree on MPPE, and on none but these key lengths.
    pub(crate) fn wants_mppe_of(&self, lengths: KeyLengths) -> bool {
        let policy = self.mppe.filter(|policy| policy.presence != Presence::Denied);
        policy.is_some_and(|policy| policy.key_lengths.common(lengths) == Some(policy.key_lengths))
    }

    /// Which end of the tunnel the options describe.
    pub(crate) fn side(&self) -> Result<Side, ModeError> {
        match (&self.server, &self.client, self.socket) {
            (Some(server), None, _) => Ok(Side::Client { server: server.clone() }),
            (None, Some(client), Some(socket)) => Ok(Side::Server { client: client.clone(), socket }),
            (None, Some(_), None) => Err(ModeError::SocketMissing),
            (None, None, _) | (Some(_), Some(_), _) => Err(ModeError::Unknown),
        }
    }
}

impl Path {
    /// All of them, the best first.
    pub(crate) const ALL: [Self; 3] = [Self::Kernel, Self::Tun, Self::Pty];

    /// As the user writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Tun => "tun",
            Self::Pty => "pty",
        }
    }
}

impl fmt::Display for ModeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            // To the letter what accel-pptp's plugin says: scripts look for it.
            Self::Unknown => "PPTP: unknown mode (you must specify pptp_server or pptp_client option)",
            Self::SocketMissing => {
                "option pptp_client needs option pptp_sock: the number of the client's connected PPTP socket"
            }
        })
    }
}
