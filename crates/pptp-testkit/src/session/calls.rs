//! The calls of a control connection, and what carries PPP for them.

use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::atomic::Ordering;
use std::thread;

use super::Session;
use crate::kernel_call::{Ends, KernelCall};
use crate::layout::by_short;
use crate::message::Message;
use crate::script::Value;

/// A call by its two ids.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) ours: u16,
    pub(super) theirs: u16,
    /// The client's window.
    window: u16,
    carrier: Option<KernelCall>,
}

impl Session {
    pub(super) fn begin_call(&mut self, message: &Message) {
        let number = self.server.calls.fetch_add(1, Ordering::Relaxed);
        let field = |name| u16::try_from(message.value(name).unwrap_or(0)).unwrap_or(0);
        let (theirs, window) = (field("id"), field("window"));
        // Recognisable in a capture, and never a number that the client might have chosen for itself by counting.
        let ours = 0x5000_u16.wrapping_add(u16::try_from(number % 0x1000).unwrap_or(0));
        self.latest = Call { ours, theirs, window, carrier: None };
        self.clearable.push(u32::from(theirs));
    }

    /// A Call-Clear-Request: the call becomes the latest, for the reply, and carries nothing any more.
    pub(super) fn take_call(&mut self, message: &Message) {
        let id = message.value("id").unwrap_or(0);
        self.clearable.retain(|known| *known != id);
        if let Some(place) = self.calls.iter().position(|call| u32::from(call.theirs) == id) {
            let call = self.calls.remove(place);
            self.latest = Call { ours: call.ours, theirs: call.theirs, ..Call::default() };
            // Ending pppd takes a while, and the reply must not wait for it.
            thread::spawn(move || drop(call));
        }
    }

    /// Opens the latest call, unless it is open.
    pub(super) fn connect_call(&mut self) -> bool {
        let Call { ours, theirs, window, .. } = self.latest;
        if self.calls.iter().any(|call| call.ours == ours) {
            return true;
        }
        let carrier = match self.start_carrier((ours, theirs), window) {
            Ok(carrier) => carrier,
            Err(error) => {
                self.log(&format!("bad carrier: {error}"));
                return false;
            }
        };
        self.calls.push(Call { ours, theirs, window, carrier });
        true
    }

    fn start_carrier(&self, (ours, theirs): (u16, u16), peer_window: u16) -> io::Result<Option<KernelCall>> {
        let Some(plan) = &self.server.plan else { return Ok(None) };
        let (local, peer) = (v4(self.stream.local_addr()?)?, v4(self.stream.peer_addr()?)?);
        let number = self.server.calls.load(Ordering::Relaxed);
        KernelCall::start(plan, &Ends { number, local, peer, ours, theirs, peer_window }).map(Some)
    }

    /// A pppd that ended takes its call with it.
    pub(super) fn reap(&mut self) {
        let ended = |call: &mut Call| call.carrier.as_mut().and_then(KernelCall::ended);
        let Some((place, status)) =
            self.calls.iter_mut().enumerate().find_map(|(place, call)| Some((place, ended(call)?)))
        else {
            return;
        };
        self.log(&format!("pppd ended status={status}"));
        let call = self.calls.remove(place);
        self.latest = Call { ours: call.ours, theirs: call.theirs, ..Call::default() };
        if let Some(layout) = by_short("cdn") {
            self.send_message(layout, &vec![("result".to_string(), Value::Number(1))], None);
        }
    }
}

fn v4(address: SocketAddr) -> io::Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(_) => Err(io::Error::other("calls need IPv4")),
    }
}
