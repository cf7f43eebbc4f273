//! What a session counts.

/// The counters of one session.
///
/// Every packet that was received ends in exactly one place: `received` is `delivered` + `ack_only` + [`Counters::dropped`]
/// \+ the frames that still wait in the reorder queue ([`Session::waiting`](super::Session::waiting)). An arrival that the
/// caller took from [`Session::accept`](super::Session::accept) is in none of them until it is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that were handed to the session.
    pub received: u64,
    /// Frames that came out of the session.
    pub delivered: u64,
    /// Packets that only acknowledged.
    pub ack_only: u64,

    /// Dropped: no enhanced GRE header that carries PPP, or cut short.
    pub malformed: u64,
    /// Dropped: the call id is not ours.
    pub wrong_call: u64,
    /// Dropped: no sequence number, and either a payload or no acknowledgement.
    pub unnumbered: u64,
    /// Dropped: the number is too far ahead, and no other packet confirms it.
    pub implausible: u64,
    /// Dropped: later numbers were delivered before.
    pub stale: u64,
    /// Dropped: the same number waits in the reorder queue.
    pub duplicate: u64,
    /// Dropped: a frame without content.
    pub empty: u64,
    /// Dropped: waited in the reorder queue when the session ended.
    pub abandoned: u64,

    /// Numbers that were given up and never came in time, by what was delivered after them.
    pub missing: u64,
    /// Frames delivered that came after a later one and still found their place.
    pub reordered: u64,

    /// Data packets sent.
    pub sent: u64,
    /// Packets sent that only acknowledged.
    pub acks_sent: u64,
    /// Acknowledgements of something that was never sent; ignored.
    pub bogus_acks: u64,
    /// Acknowledgement time-outs (RFC 2637 §4.4): each halved the window.
    pub timeouts: u64,
    /// How often the transmit window was put aside, because the peer does not acknowledge.
    pub window_suspended: u64,
}

impl Counters {
    /// Every way a packet can die, by name.
    pub const fn drops(&self) -> [(&'static str, u64); 8] {
        [
            ("malformed", self.malformed),
            ("wrong-call", self.wrong_call),
            ("unnumbered", self.unnumbered),
            ("implausible", self.implausible),
            ("stale", self.stale),
            ("duplicate", self.duplicate),
            ("empty", self.empty),
            ("abandoned", self.abandoned),
        ]
    }

    /// Packets that were received and did not come out as frames, acknowledgements apart.
    pub fn dropped(&self) -> u64 {
        self.drops().into_iter().map(|(_, count)| count).sum()
    }
}
