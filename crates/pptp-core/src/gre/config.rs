//! How a session behaves.

use core::time::Duration;

use crate::wire::{CallId, PeerCallId};

use super::seq::SeqNum;

/// The longest that an acknowledgement may wait.
pub const MAX_ACK_DELAY: Duration = Duration::from_millis(100);

/// The most packets that [`Reordering::packets`] can ask for.
pub const MAX_REORDER_PACKETS: u16 = 4096;

/// How one session behaves. The call ids are those of the call; everything else has a default ([`Config::new`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Our id for the call: what arrives has it.
    pub call_id: CallId,
    /// The peer's id for the call: what is sent has it.
    pub peer_call_id: PeerCallId,
    /// The window that we told the peer (RFC 2637 §2.7 "Packet Recv. Window Size"), packets; 0 counts as 1.
    pub receive_window: u16,
    /// How long an acknowledgement may wait for a data packet to travel with; at most [`MAX_ACK_DELAY`].
    pub ack_delay: Duration,
    /// What to do with packets that are ahead of others.
    pub reordering: Reordering,
    /// Flow control towards the peer; `None` sends without regard to its window.
    pub transmit_window: Option<u16>,
    /// Bounds of the adaptive time-out.
    pub timeouts: Timeouts,
    /// The number of the first packet in both directions: 0 by §4.1, which is also right for peers that begin with 1.
    pub first_sequence: SeqNum,
}

impl Config {
    /// A session with every default: a receive window of 50 packets, a short reorder queue, no transmit window.
    pub fn new(call_id: CallId, peer_call_id: PeerCallId) -> Self {
        Self {
            call_id,
            peer_call_id,
            receive_window: 50,
            ack_delay: Duration::from_millis(50),
            reordering: Reordering::default(),
            transmit_window: None,
            timeouts: Timeouts::default(),
            first_sequence: SeqNum::ZERO,
        }
    }
}

/// The bounds of the reorder queue (§4.3). Either of them at zero turns it off: what is late is dropped then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reordering {
    /// The longest that a packet waits for those before it.
    pub time: Duration,
    /// How far ahead of the first missing packet another can be and still wait; also the most that wait. At most
    /// [`MAX_REORDER_PACKETS`].
    pub packets: u16,
}

impl Reordering {
    /// No queue: frames are delivered as they come, and what is late is dropped.
    pub const OFF: Self = Self { time: Duration::ZERO, packets: 0 };
}

impl Default for Reordering {
    /// Long enough for packets that overtook each other on parallel links; short, because after a loss everything waits
    /// this long.
    fn default() -> Self {
        Self { time: Duration::from_millis(10), packets: 64 }
    }
}

/// The bounds and the seed of the adaptive time-out (§4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// `MinTimeOut`. Longer than peers usually hold an acknowledgement back.
    pub minimum: Duration,
    /// `MaxTimeOut`. No sender waits longer than this for a window to open.
    pub maximum: Duration,
    /// The peer's Packet Processing Delay (§2.7, §2.8: tenths of a second there), the first estimate of the round trip.
    pub processing_delay: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { minimum: Duration::from_millis(100), maximum: Duration::from_secs(1), processing_delay: Duration::ZERO }
    }
}
