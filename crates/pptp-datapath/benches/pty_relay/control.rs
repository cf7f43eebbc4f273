//! The control connection of a server that agrees to everything.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use pptp_core::wire::{
    CallId, CallResult, EchoReply, EchoResult, Framer, GeneralError, Message, OutgoingCallReply,
    StartControlConnectionReply, StartResult,
};

const PPTP: u16 = 1723;

/// Serves one control connection at `address`, in a thread, and gives the client's id for each call.
pub(crate) fn serve(address: Ipv4Addr, call_id: CallId) -> Receiver<CallId> {
    let listener = TcpListener::bind((address, PPTP)).unwrap();
    let (calls, answer) = channel();
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        talk(stream, call_id, &calls);
    });
    answer
}

fn talk(mut stream: TcpStream, call_id: CallId, calls: &Sender<CallId>) {
    let (mut framer, mut buffer) = (Framer::new(), [0; 4096]);
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        let mut input = &buffer[..length];
        while let Some(frame) = framer.next_frame(&mut input).unwrap() {
            let mut bytes = Vec::new();
            if let Message::OutgoingCallRequest(request) = &frame.message {
                calls.send(request.call_id).unwrap();
            }
            if let Some(message) = answer(&frame.message, call_id) {
                message.emit(&mut bytes);
            }
            stream.write_all(&bytes).unwrap();
        }
    }
}

fn answer(message: &Message, call_id: CallId) -> Option<Message> {
    let error = GeneralError::None;
    Some(match message {
        Message::StartControlConnectionRequest(request) => {
            Message::StartControlConnectionReply(StartControlConnectionReply {
                version: request.version,
                result: StartResult::Established,
                error,
                framing_capabilities: 3,
                bearer_capabilities: 3,
                maximum_channels: 0,
                firmware_revision: 0,
                host_name: request.host_name,
                vendor: request.vendor,
            })
        }
        Message::OutgoingCallRequest(request) => Message::OutgoingCallReply(OutgoingCallReply {
            call_id,
            peer_call_id: request.call_id.seen_by_peer(),
            result: CallResult::Connected,
            error,
            cause: 0,
            connect_speed: 100_000_000,
            receive_window: 64,
            processing_delay: 0,
            physical_channel_id: 0,
        }),
        Message::EchoRequest(request) => Message::EchoReply(EchoReply {
            identifier: request.identifier,
            result: EchoResult::Ok,
            error,
            reserved1: 0,
        }),
        _ => return None,
    })
}
