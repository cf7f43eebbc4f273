//! A unit: a TUN device, pppd's descriptor for it, its filters and counters.

use std::os::fd::OwnedFd;

use pptp_core::time::Instant;
use pptp_io::tun::Offload;

use super::encryption::Encryption;
use super::ppp::SC_LOOP_TRAFFIC;
use crate::command::{FilterKind, Idle, Network, NpMode, Statistics, Traffic, Unit as UnitNumber};
use crate::filter::{self, Filter, Way};

/// One unit.
#[derive(Debug)]
pub(super) struct Unit {
    /// The index of its host.
    pub(super) host: usize,
    /// Its number there.
    pub(super) number: UnitNumber,
    pub(super) tun: OwnedFd,
    /// pppd's frames: control protocols other than the channel's, and in loop mode packets.
    pub(super) frames: OwnedFd,
    /// The index of its channel.
    pub(super) channel: Option<usize>,
    pub(super) flags: u32,
    pub(super) offload: Offload,
    pub(super) statistics: Statistics,
    /// Whether the TUN device may have a packet to read.
    pub(super) is_readable: bool,
    /// Whether the TUN device was deleted: then only the statistics are of use.
    pub(super) is_lost: bool,
    pub(super) encryption: Encryption,
    modes: Modes,
    pass: Option<Filter>,
    active: Option<Filter>,
    last_transmit: Instant,
    last_receive: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Modes {
    ipv4: NpMode,
    ipv6: NpMode,
}

/// What becomes of a packet from the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes to the peer.
    Send,
    /// It goes to pppd, which may dial.
    Loop,
    /// It is dropped.
    Drop,
}

impl Unit {
    pub(super) fn new(
        (host, number): (usize, UnitNumber),
        (tun, frames): (OwnedFd, OwnedFd),
        offload: Offload,
        now: Instant,
    ) -> Self {
        Self {
            host,
            number,
            tun,
            frames,
            channel: None,
            flags: 0,
            offload,
            statistics: Statistics::default(),
            is_readable: false,
            is_lost: false,
            encryption: Encryption::default(),
            modes: Modes { ipv4: NpMode::Pass, ipv6: NpMode::Pass },
            pass: None,
            active: None,
            last_transmit: now,
            last_receive: now,
        }
    }

    pub(super) fn set_flags(&mut self, flags: u32) {
        self.flags = flags;
        self.encryption.set_flags(flags);
    }

    pub(super) fn set_mode(&mut self, network: Network, mode: NpMode) {
        match network {
            Network::Ipv4 => self.modes.ipv4 = mode,
            Network::Ipv6 => self.modes.ipv6 = mode,
        }
    }

    /// pppd sends the packets that it kept: the network is up, and is let pass a moment later. An answer that is faster
    /// must not be lost.
    pub(super) fn end_queue(&mut self, network: Network) {
        if self.mode(network) == NpMode::Queue {
            self.set_mode(network, NpMode::Pass);
        }
    }

    pub(super) fn set_filter(&mut self, kind: FilterKind, filter: Option<Filter>) {
        match kind {
            FilterKind::Pass => self.pass = filter,
            FilterKind::Active => self.active = filter,
        }
    }

    pub(super) fn idle(&self, now: Instant) -> Idle {
        Idle { transmit: now.since(self.last_transmit), receive: now.since(self.last_receive) }
    }

    /// Whether packets of this network may come out of the device.
    pub(super) fn passes(&self, network: Network) -> bool {
        self.mode(network) == NpMode::Pass
    }

    const fn mode(&self, network: Network) -> NpMode {
        match network {
            Network::Ipv4 => self.modes.ipv4,
            Network::Ipv6 => self.modes.ipv6,
        }
    }

    /// Decides about a packet to the peer, and counts it: filters first, as in the kernel.
    pub(super) fn transmit(&mut self, network: Network, packet: &[u8], now: Instant) -> Fate {
        if !self.filter(Way::Sent, network.ppp(), packet, now) {
            return Fate::Drop;
        }
        count(&mut self.statistics.sent, packet.len());
        if self.flags & SC_LOOP_TRAFFIC != 0 {
            return Fate::Loop;
        }
        Fate::Send
    }

    /// Whether a packet from the peer goes to the device; counts it first, as the kernel does.
    pub(super) fn receive(&mut self, network: Network, packet: &[u8], now: Instant) -> bool {
        count(&mut self.statistics.received, packet.len());
        self.filter(Way::Received, network.ppp(), packet, now) && self.passes(network)
    }

    pub(super) fn count_control(&mut self, way: Way, length: usize) {
        match way {
            Way::Sent => count(&mut self.statistics.control_sent, length),
            Way::Received => count(&mut self.statistics.control_received, length),
        }
    }

    /// Whether the pass filter accepts a packet; if the active filter does too, the unit was not idle.
    fn filter(&mut self, way: Way, protocol: u16, packet: &[u8], now: Instant) -> bool {
        let accepts = |filter: &Option<Filter>| {
            filter.as_ref().is_none_or(|filter| filter.accepts(filter::prefix(way, protocol), packet))
        };
        if !accepts(&self.pass) {
            return false;
        }
        if accepts(&self.active) {
            match way {
                Way::Sent => self.last_transmit = now,
                Way::Received => self.last_receive = now,
            }
        }
        true
    }
}

fn count(traffic: &mut Traffic, length: usize) {
    traffic.packets += 1;
    traffic.bytes += u64::try_from(length).unwrap_or(0);
}
