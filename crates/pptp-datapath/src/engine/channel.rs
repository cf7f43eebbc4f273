//! A channel: one PPTP call, pppd's descriptor for it, and what waits for the peer's window.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use pptp_core::gre::{Config, Reordering, Session};
use pptp_core::time::Instant;
use pptp_core::wire::{CallId, PeerCallId};

use super::encryption::Encryption;
use super::line::Line;
use crate::command::{CallConfig, Channel as ChannelNumber, Framing, TransmitWindow};

/// A packet's memory.
pub(super) type Buffer = Box<[u8]>;

/// How long a peer may be silent at first before the log says so.
const SILENCE: Duration = Duration::from_secs(10);

/// Frames that wait for the window, at most: a train, and what pppd says meanwhile.
const MOST_PARKED: usize = 2048;

/// A frame that waits.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) bytes: Vec<u8>,
    /// How many of the last bytes are to be encrypted.
    pub(super) encrypted: Option<usize>,
}

/// A channel's descriptors, but for its GRE socket.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) frames: OwnedFd,
    pub(super) life_line: OwnedFd,
    pub(super) outlet: Option<OwnedFd>,
}

/// One channel.
#[derive(Debug)]
pub(super) struct Channel {
    /// The index of its host.
    pub(super) host: usize,
    /// Its number there.
    pub(super) number: ChannelNumber,
    /// The index of its port.
    pub(super) port: usize,
    /// The index of its unit.
    pub(super) unit: Option<usize>,
    pub(super) call_id: u16,
    pub(super) peer: Ipv4Addr,
    pub(super) session: Session<Buffer>,
    /// How many packets may wait for others.
    pub(super) reorder_packets: u16,
    /// pppd's frames: a socket, or the master of a terminal.
    pub(super) frames: OwnedFd,
    /// Where frames to pppd go, if that is something else.
    pub(super) outlet: Option<OwnedFd>,
    /// Of a terminal.
    pub(super) line: Option<Box<Line>>,
    /// Of a terminal's frames. Others are encrypted by the unit.
    pub(super) encryption: Encryption,
    /// Readable when the call is over.
    pub(super) life_line: OwnedFd,
    pub(super) flags: u32,
    /// PPP frames that the peer's window has no room for.
    pub(super) parked: VecDeque<Parked>,
    pub(super) trouble: Trouble,
    /// When its timer is set to.
    pub(super) timer: Option<Instant>,
    /// Whether it is in the list of channels to be looked after.
    pub(super) is_touched: bool,
    silence: Option<Instant>,
}

/// What went wrong, besides what the session counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trouble {
    /// Frames from the peer without a whole PPP header.
    pub(super) malformed_frames: u64,
    /// Frames to pppd that did not fit or that it was too slow for.
    pub(super) lost_to_pppd: u64,
    /// Packets that came from another address than the peer's.
    pub(super) strangers: u64,
    /// Packets that the network did not take.
    pub(super) unsendable: u64,
    /// Errors that the network told of: ICMP, no route.
    pub(super) network_errors: u64,
    /// Frames dropped because too many waited for the window.
    pub(super) overflow: u64,
}

impl Channel {
    pub(super) fn new(
        (host, number): (usize, ChannelNumber),
        (call, framing): (&CallConfig, Framing),
        port: usize,
        ends: Ends,
        now: Instant,
    ) -> Self {
        Self {
            host,
            number,
            port,
            unit: None,
            call_id: call.call_id,
            peer: call.peer,
            session: Session::new(&session_config(call)),
            reorder_packets: call.reorder_packets,
            frames: ends.frames,
            outlet: ends.outlet,
            line: Line::of(framing).map(Box::new),
            encryption: Encryption::default(),
            life_line: ends.life_line,
            flags: 0,
            parked: VecDeque::new(),
            trouble: Trouble::default(),
            timer: None,
            is_touched: false,
            silence: Some(now + SILENCE),
        }
    }

    /// What it waits for, besides its GRE socket.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = &OwnedFd> {
        [&self.frames, &self.life_line].into_iter().chain(&self.outlet)
    }

    pub(super) fn set_flags(&mut self, flags: u32) {
        self.flags = flags;
        self.encryption.set_flags(flags);
    }

    /// The peer was heard.
    pub(super) fn end_silence(&mut self) {
        self.silence = None;
    }

    /// Whether nothing has come from the peer yet.
    pub(super) fn is_silent(&self) -> bool {
        self.silence.is_some()
    }

    /// Whether the peer has been silent for too long, for the first time that this is asked.
    pub(super) fn takes_note_of_silence(&mut self, now: Instant) -> bool {
        self.silence.take_if(|deadline| *deadline <= now).is_some()
    }

    /// When to look after it at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let retry = self.line.as_ref().and_then(|line| line.retry);
        [self.session.poll_timeout(), self.silence, retry].into_iter().flatten().min()
    }

    /// Keeps a frame until the window has room.
    pub(super) fn park(&mut self, frame: Parked) {
        if self.parked.len() < MOST_PARKED {
            self.parked.push_back(frame);
        } else {
            self.trouble.overflow += 1;
        }
    }

    /// Every counter by name.
    pub(super) fn counters(&self) -> Vec<(String, u64)> {
        let session = self.session.counters();
        let Trouble { malformed_frames, lost_to_pppd, strangers, unsendable, network_errors, overflow } = self.trouble;
        let round_trip = self.session.round_trip().map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(0));
        let others = [
            ("received", session.received),
            ("delivered", session.delivered),
            ("ack-only", session.ack_only),
            ("waiting", u64::try_from(self.session.waiting()).unwrap_or(0)),
            ("missing", session.missing),
            ("reordered", session.reordered),
            ("sent", session.sent),
            ("acks-sent", session.acks_sent),
            ("bogus-acks", session.bogus_acks),
            ("timeouts", session.timeouts),
            ("window-suspended", session.window_suspended),
            ("round-trip-us", round_trip),
            ("malformed-frames", malformed_frames),
            ("lost-to-pppd", lost_to_pppd),
            ("strangers", strangers),
            ("unsendable", unsendable),
            ("network-errors", network_errors),
            ("overflow", overflow),
        ];
        let line = self.line.iter().flat_map(|line| line.drops());
        let all = others.into_iter().chain(session.drops()).chain(line);
        all.map(|(name, value)| (String::from(name), value)).collect()
    }
}

/// Every counter that is not zero, for the log.
pub(super) fn account(counters: &[(String, u64)]) -> String {
    let counted = counters.iter().filter(|(_, value)| *value != 0);
    let words: Vec<String> = counted.map(|(name, value)| format!("{name}={value}")).collect();
    format!("counters: {}", words.join(" "))
}

fn session_config(call: &CallConfig) -> Config {
    let mut config = Config::new(CallId(call.call_id), PeerCallId(call.peer_call_id));
    config.receive_window = call.receive_window;
    config.reordering = Reordering { time: call.reorder_time, packets: call.reorder_packets };
    config.transmit_window = match call.transmit_window {
        TransmitWindow::Off => None,
        TransmitWindow::On => Some(call.peer_window),
    };
    config
}
