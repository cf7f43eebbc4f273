//! Control connections that were welcome, and what they do then.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;

use super::message::{
    CALL_ENDED, CALL_REPLY, ECHO_REPLY, Heard, START_REPLY, call_request, clear_request, echo_request, start_request,
    stop_request,
};
use super::{Outcome, Server};

/// The address of one whose calls are in vain, and who is barred for that.
const CLEARING: u32 = 64_000;

/// Connections that are kept open.
const KEPT: usize = 500;

/// A control connection that has started; `None`: the server has refused that.
fn join(server: &Server, source: u32) -> Outcome<Option<TcpStream>> {
    let mut stream = server.open(source)?;
    stream.write_all(&start_request())?;
    let reply = Heard::read(&mut stream)?;
    if reply.kind() != START_REPLY {
        return Err(format!("message {} to a start request", reply.kind()).into());
    }
    Ok((reply.start_result() == 1).then_some(stream))
}

/// Like [`join`], for as often as it takes.
fn be_welcome(server: &Server, source: u32) -> Outcome<TcpStream> {
    loop {
        if let Some(stream) = join(server, source)? {
            return Ok(stream);
        }
    }
}

/// A connection with a call, and the server's id of it.
pub(crate) fn dial(server: &Server, source: u32) -> Outcome<(TcpStream, u16)> {
    let mut stream = be_welcome(server, source)?;
    stream.write_all(&call_request(1))?;
    let reply = Heard::read(&mut stream)?;
    if reply.kind() != CALL_REPLY || reply.call_result() != (1, 0) {
        return Err("no call".into());
    }
    Ok((stream, reply.call()))
}

/// Whether the server answers an echo request.
pub(crate) fn is_alive(stream: &mut TcpStream) -> Outcome<bool> {
    stream.write_all(&echo_request(1))?;
    loop {
        match Heard::read(stream) {
            Ok(heard) if heard.kind() == ECHO_REPLY => return Ok(true),
            Ok(_) => {}
            Err(_) => return Ok(false),
        }
    }
}

pub(crate) fn start(server: &Server) -> Outcome<(u64, u64)> {
    let (mut count, mut welcome, mut kept) = (0, 0, VecDeque::new());
    while server.is_time_left() {
        count += 1;
        // One that has no call may have to make room for another before it was answered.
        let Ok(Some(stream)) = join(server, count) else { continue };
        welcome += 1;
        kept.push_back(stream);
        if kept.len() > KEPT {
            kept.pop_front();
        }
    }
    Ok((count.into(), welcome))
}

pub(crate) fn calls(server: &Server, count: u16, source: u32) -> Outcome<(u64, u64)> {
    let mut stream = be_welcome(server, source)?;
    let (mut accepted, mut refused, mut id) = (0, 0, 0_u16);
    loop {
        let flood: Vec<u8> = (0..count).flat_map(|more| call_request(id.wrapping_add(more))).collect();
        id = id.wrapping_add(count);
        stream.write_all(&flood)?;
        let mut replies = 0;
        while replies < count {
            let heard = Heard::read(&mut stream)?;
            if heard.kind() != CALL_REPLY {
                continue;
            }
            replies += 1;
            match heard.call_result() {
                (1, _) => accepted += 1,
                // General errors: no resource; or the id of one of its calls, when all have been tried. Or busy: too many of
                // its calls were in vain.
                (2, 4 | 5) | (4, 0) => refused += 1,
                other => return Err(format!("refused with {other:?}").into()),
            }
        }
        if !server.is_time_left() {
            return Ok((accepted, refused));
        }
    }
}

pub(crate) fn clear(server: &Server) -> Outcome<(u64, u64)> {
    let mut stream = be_welcome(server, CLEARING)?;
    let (mut begun, mut ended, mut id) = (0, 0, 0_u16);
    while server.is_time_left() {
        id = id.wrapping_add(1);
        // Cleared before it is answered, again, and one that there is not.
        let words = [call_request(id), clear_request(id), clear_request(id), clear_request(!id)].concat();
        stream.write_all(&words)?;
        loop {
            let heard = Heard::read(&mut stream)?;
            match heard.kind() {
                CALL_REPLY if heard.call_result().0 == 1 => begun += 1,
                CALL_REPLY => break,
                CALL_ENDED => {
                    ended += 1;
                    break;
                }
                _ => {}
            }
        }
    }
    Ok((begun, ended))
}

pub(crate) fn talk(server: &Server) -> Outcome<(u64, u64)> {
    let (mut messages, mut connections) = (0, 0);
    while server.is_time_left() {
        connections += 1;
        let Some(mut stream) = join(server, connections)? else { continue };
        stream.set_nonblocking(true)?;
        let words: Vec<Vec<u8>> = match connections % 3 {
            0 => vec![start_request()],
            1 => (0..20_000).map(echo_request).collect(),
            _ => (0..1000).map(|number| if number == 0 { stop_request() } else { echo_request(number) }).collect(),
        };
        for message in words {
            match stream.write(&message) {
                Ok(_) => messages += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => break,
            }
        }
    }
    Ok((messages, connections.into()))
}
