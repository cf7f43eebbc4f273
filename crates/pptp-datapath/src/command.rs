//! What a host can ask of the engine, and the answers. A host is who has the other end of a command socket: a pppd's plugin, or a
//! server.
//!
//! The words are those of the kernel's /dev/ppp (`linux/ppp-ioctl.h`), because that is what the plugin speaks to pppd.

use std::net::Ipv4Addr;
use std::time::Duration;

use zeroize::Zeroize;

/// The number N of the interface pppN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit(pub u32);

/// A channel's number, chosen by its host, for which it is unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(pub u32);

/// A raw GRE socket that several channels share, numbered by whoever opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(pub u32);

/// [`CallConfig::reorder_time`], unless the user says otherwise: longer than a link with several queues mixes packets up, shorter
/// than what TCP takes for a loss.
pub const REORDER_TIME: Duration = Duration::from_millis(10);

/// [`CallConfig::reorder_packets`], likewise.
pub const REORDER_PACKETS: u16 = 64;

/// One PPTP call, as the control connection agreed on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallConfig {
    /// This end's address.
    pub local: Ipv4Addr,
    /// The peer's address.
    pub peer: Ipv4Addr,
    /// This end's id for the call: what the peer's packets carry.
    pub call_id: u16,
    /// The peer's id for the call: what ours carry.
    pub peer_call_id: u16,
    /// Packets that the peer buffers (RFC 2637 §2.7).
    pub peer_window: u16,
    /// Packets that we promised to buffer.
    pub receive_window: u16,
    /// Whether the sender keeps to the peer's window (RFC 2637 §4.4).
    pub transmit_window: TransmitWindow,
    /// How long a packet that came early waits for those before it; zero: not at all.
    pub reorder_time: Duration,
    /// How many packets may wait.
    pub reorder_packets: u16,
}

impl CallConfig {
    /// What tells it from others.
    pub const fn ends(&self) -> CallEnds {
        let Self { local, peer, call_id, peer_call_id, .. } = *self;
        CallEnds { local, peer, call_id, peer_call_id }
    }
}

/// The two ends of a call, outside the tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallEnds {
    /// This end's address.
    pub local: Ipv4Addr,
    /// The peer's address.
    pub peer: Ipv4Addr,
    /// This end's id.
    pub call_id: u16,
    /// The peer's id.
    pub peer_call_id: u16,
}

/// Whether the sender keeps to the peer's window (RFC 2637 §4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransmitWindow {
    /// Send at once: many peers never acknowledge by themselves.
    Off,
    /// At most the peer's window unacknowledged, with the adaptive time-out.
    On,
}

/// How a channel's frames pass between the engine and pppd's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One datagram each, protocol and information: a `SOCK_SEQPACKET` socket whose other end pppd reads and writes.
    /// Packets of the network go to the channel's unit.
    Datagrams,
    /// A stream of HDLC-like frames (RFC 1662): the non-blocking master of a terminal (`pptp_io::pty::open`), whose
    /// slave is a PPP channel of the kernel's. Every frame of the call passes through it, and it has no unit here: encryption
    /// is the channel's.
    Hdlc,
    /// The same to and from a PPP that was not set up for it, on what somebody else has made: a terminal's master, two pipes,
    /// a socket. Whoever receives there drops control characters that are not escaped until LCP has agreed on a map. One more
    /// descriptor, the last, says where frames go; both are non-blocking.
    AsyncLine,
}

/// What happens to the packets of a network protocol (`enum NPmode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NpMode {
    /// They pass.
    Pass,
    /// They are dropped.
    Drop,
    /// They are dropped: a TUN device cannot tell who sent them, and nor does the kernel.
    Error,
    /// They are dropped, as the kernel does too, for the network above to send again.
    Queue,
}

/// A network protocol of PPP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Protocol 0x0021.
    Ipv4,
    /// Protocol 0x0057.
    Ipv6,
}

impl Network {
    /// The protocol with the PPP number `protocol`.
    pub const fn from_ppp(protocol: u16) -> Option<Self> {
        match protocol {
            0x0021 => Some(Self::Ipv4),
            0x0057 => Some(Self::Ipv6),
            _ => None,
        }
    }

    /// The PPP number.
    pub const fn ppp(self) -> u16 {
        match self {
            Self::Ipv4 => 0x0021,
            Self::Ipv6 => 0x0057,
        }
    }
}

/// Which of a unit's filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterKind {
    /// Decides what passes at all (`PPPIOCSPASS`).
    Pass,
    /// Decides what ends idleness (`PPPIOCSACTIVE`).
    Active,
}

/// One instruction of the classic Berkeley packet filter (`struct sock_filter`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// How many instructions to skip when a comparison is true.
    pub jump_true: u8,
    /// How many to skip when it is false.
    pub jump_false: u8,
    /// Operand.
    pub k: u32,
}

/// The direction of compression, as in `struct ppp_option_data`'s `transmit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What the peer sends.
    Receive,
    /// What we send.
    Transmit,
}

/// Something that has a maximum receive unit, flags and encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// A unit.
    Unit(Unit),
    /// A channel.
    Channel(Channel),
}

/// A request. Each is answered, in order. The descriptors that go with it are named at each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `[tun, frames]`: a unit, detached, every network protocol at [`NpMode::Pass`] as in the kernel. The
    /// TUN device must be non-blocking and made by `pptp_io::tun`. When the other end of `frames` is closed everywhere,
    /// the unit is no more. When its device is deleted, the engine says so by an empty frame, which pppd takes for the
    /// end, and drops the unit's channel; the statistics remain.
    NewUnit {
        /// Its number.
        unit: Unit,
    },
    /// `[gre socket, frames, life line]`, or `[frames, life line]` on a shared port: a channel. The life line is a
    /// descriptor that becomes readable, at its end, when the call is over; then the engine closes `frames`, which
    /// pppd takes as hang-up. When the other end of `frames` is closed everywhere, the channel is no more. A terminal's
    /// slave must be open when this is asked: one that nobody has open looks like one that everybody has closed.
    NewChannel {
        /// Its number.
        channel: Channel,
        /// The call.
        call: CallConfig,
        /// What `frames` is.
        framing: Framing,
        /// Whose socket it uses; `None`: its own, connected to the peer.
        port: Option<Port>,
    },
    /// `[gre socket]`: a socket for channels of any peer. For the first host alone.
    NewPort {
        /// Its number.
        port: Port,
    },
    /// `[command socket]`: another host, with numbers of its own, which may have one channel on this port, for this call. The
    /// first packets of the call are kept for that channel. At the end of the socket all that it has is no more. For the first
    /// host alone, with which the engine ends.
    AddHost {
        /// A port that is there.
        port: Port,
        /// The call; nobody else's.
        call: CallEnds,
    },
    /// The unit's packets go through the channel (`PPPIOCCONNECT`).
    Connect {
        /// A channel of [`Framing::Datagrams`] that has no unit.
        channel: Channel,
        /// A unit that has no channel.
        unit: Unit,
    },
    /// The opposite (`PPPIOCDISCONN`).
    Disconnect {
        /// A channel that has a unit.
        channel: Channel,
    },
    /// The call is over: the engine closes the channel's frames.
    DropChannel {
        /// The channel.
        channel: Channel,
    },
    /// `PPPIOCSFLAGS`. Of a channel of [`Framing::Datagrams`]: the framing that LCP agreed on for what we send (`SC_COMP_PROT`,
    /// `SC_COMP_AC`). A channel of [`Framing::Hdlc`] is given those of the kernel's unit, for its encryption.
    SetFlags {
        /// Of what.
        link: Link,
        /// `SC_…` of `linux/ppp-ioctl.h`.
        flags: u32,
    },
    /// `PPPIOCSNPMODE`.
    SetNpMode {
        /// The unit.
        unit: Unit,
        /// Which protocol.
        network: Network,
        /// What happens to it.
        mode: NpMode,
    },
    /// `PPPIOCSMRU`.
    SetMru {
        /// Of what.
        link: Link,
        /// Bytes.
        mru: u16,
    },
    /// `PPPIOCSPASS`, `PPPIOCSACTIVE`. No instructions: no filter. A program that the kernel would refuse is refused.
    SetFilter {
        /// The unit.
        unit: Unit,
        /// Which filter.
        kind: FilterKind,
        /// At most 4096 instructions.
        program: Vec<Instruction>,
    },
    /// `PPPIOCSCOMPRESS`: MPPE's option and key for one direction, which count from the Configure-Ack on that agrees to them.
    /// Any other option is refused, and a channel of [`Framing::Datagrams`], whose unit encrypts.
    SetCompression {
        /// A unit, or a channel that has none.
        link: Link,
        /// Whose data.
        direction: Direction,
        /// The CCP option, from its type on.
        option: Vec<u8>,
        /// The session key that follows it.
        key: Key,
    },
    /// What the engine adds to the flags of a unit (`PPPIOCGFLAGS`); answered by [`Answer::Flags`].
    GetFlags {
        /// A unit, or a channel that has none.
        link: Link,
    },
    /// `PPPIOCGIDLE`; answered by [`Answer::Idle`], and refused (`ENXIO`) when the unit's device was deleted.
    GetIdle {
        /// The unit.
        unit: Unit,
    },
    /// `SIOCGPPPSTATS`; answered by [`Answer::Statistics`].
    GetStatistics {
        /// The unit.
        unit: Unit,
    },
    /// Every counter of a channel; answered by [`Answer::Counters`].
    GetCounters {
        /// The channel.
        channel: Channel,
    },
    /// Every counter of the channel that ended last, as it was then; answered by [`Answer::Counters`].
    GetLastCounters {
        /// The channel.
        channel: Channel,
    },
}

/// A session key; it does not show itself, and leaves nothing behind.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(pub [u8; 16]);

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// What the engine answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Done,
    /// Not done.
    Refused {
        /// What ioctl(2) should give pppd, an `E…` number.
        errno: i32,
        /// For the log.
        text: String,
    },
    /// Of [`Command::GetFlags`]: `SC_…` of `linux/ppp-ioctl.h`.
    Flags(u32),
    /// Of [`Command::GetIdle`].
    Idle(Idle),
    /// Of [`Command::GetStatistics`].
    Statistics(Statistics),
    /// Of [`Command::GetCounters`] and [`Command::GetLastCounters`]: name and value.
    Counters(Vec<(String, u64)>),
}

/// How long no packet that the active filter accepts has passed. Since the unit's birth, if never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Idle {
    /// Sent.
    pub transmit: Duration,
    /// Received.
    pub receive: Duration,
}

/// What has passed through a unit since its birth.
///
/// A TUN device's own counters are not this: they count a train of segments that crosses in one piece as one packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// IP packets from the peer.
    pub received: Traffic,
    /// IP packets to the peer, those that pppd took for later (demand dialling) too, as in the kernel.
    pub sent: Traffic,
    /// Control frames (IPCP, CCP …) from the peer.
    pub control_received: Traffic,
    /// Control frames to the peer.
    pub control_sent: Traffic,
    /// Packets from the peer that were no good.
    pub receive_errors: u64,
    /// Packets to the peer that had to be dropped.
    pub send_errors: u64,
}

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets.
    pub packets: u64,
    /// Bytes from the IP header on (of a control frame: after the protocol field).
    pub bytes: u64,
}

/// A line for the host's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How important it is.
    pub level: log::Level,
    /// The line, without a newline.
    pub text: String,
}
