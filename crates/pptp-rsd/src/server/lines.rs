//! What the decisions of this server act on: the ways of calls through this machine, and a pppd for each.

use core::fmt::Display;
use core::hash::Hash;
use std::net::Ipv4Addr;
use std::path::Path;

use pptp_core::wire::{CallId, PeerCallId};

use pptp_datapath::report::Report;

use super::refusal::Refusal;
use crate::pool::Pair;

/// The two ends of a call, outside the tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) local: Ipv4Addr,
    pub(super) client: Ipv4Addr,
    /// Our id, which no other call of this server has.
    pub(super) call: CallId,
    /// The client's id.
    pub(super) peer_call: PeerCallId,
}

/// What a pppd is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) ends: Ends,
    /// Addresses inside the tunnel; `None`: pppd chooses.
    pub(super) inside: Option<Pair>,
    /// Packets that the client buffers.
    pub(super) peer_window: u16,
}

/// The machine, as the decisions see it.
pub(super) trait Lines {
    /// The way of one call. Dropping it closes it.
    type Line;
    /// A pppd that has been started, and whose end was not reported yet.
    type Process: Copy + Ord + Hash + Display;

    /// Over how many carriers of calls the ids of calls are to be spread.
    fn carriers(&self) -> usize;

    /// Opens the way: the call's packets are not lost from here on.
    fn open(&mut self, ends: &Ends) -> Result<Self::Line, Refusal>;

    /// The data path of a way that was just opened, as far as it is decided here.
    fn datapath(&self, line: &Self::Line) -> &'static str;

    /// Starts pppd on it, with this option file in place of the one for all calls.
    fn start(
        &mut self,
        line: &mut Self::Line,
        assignment: &Assignment,
        option_file: Option<&Path>,
    ) -> Result<Self::Process, Refusal>;

    /// Whether nothing carries the call any more.
    fn is_cut(&self, line: &Self::Line) -> bool;

    /// Closes the way: its pppd notices, and ends.
    fn hang_up(&mut self, line: &mut Self::Line, process: Self::Process);

    /// Asks pppd what it knows of its call; whether an answer may come ([`Lines::hear`]).
    fn ask(&mut self, process: Self::Process) -> bool;

    /// The last of what pppd has told since it was heard last.
    fn hear(&mut self, process: Self::Process) -> Option<Report>;

    /// pppd has ended, and its end was reported.
    fn forget(&mut self, process: Self::Process);

    /// Asks pppd to end.
    fn terminate(&mut self, process: Self::Process);

    /// Ends pppd.
    fn kill(&mut self, process: Self::Process);
}
