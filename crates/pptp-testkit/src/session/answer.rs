//! Sending: the actions of a script, and correct messages for them to change.

use std::io::Write;
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use super::{Pace, Session, State, Voice};
use crate::kernel_call::RECEIVE_WINDOW;
use crate::layout::{Layout, by_short};
use crate::message::Message;
use crate::script::{Action, Changes, Value};
use crate::sys;

/// Pause between octets of a `bytewise` answer.
const BETWEEN_OCTETS: Duration = Duration::from_millis(2);

impl Session {
    pub(super) fn act(&mut self, action: Action, cause: Option<&Message>) {
        match action {
            Action::Nothing | Action::Wait(_) | Action::WaitFile(_) => (),
            Action::Reply(changes) => self.reply(cause, &changes),
            Action::Half(octets) => self.half(cause, octets),
            Action::Send(layout, changes) => self.send_message(layout, &changes, cause),
            Action::Mute => self.manner.voice = Voice::Mute,
            Action::MuteEcho => self.manner.echoes = Voice::Mute,
            Action::Bytewise => self.manner.pace = Pace::Bytewise,
            Action::Garbage(count) => self.send(&garbage(count), &format!("{count} octets of garbage")),
            Action::Raw(octets) => self.send(&octets, &format!("{} raw octets", octets.len())),
            Action::Storm(count) => self.storm(count),
            Action::Close => self.leave("closed"),
            Action::Reset => {
                let _ = sys::reset_on_close(&self.stream);
                self.leave("reset");
            }
            Action::Exit => {
                self.log("exit");
                std::process::exit(0);
            }
        }
    }

    fn leave(&mut self, how: &str) {
        self.log(how);
        self.state = State::Over;
        if how == "closed" {
            let _ = self.stream.shutdown(Shutdown::Both);
        }
    }

    fn reply(&mut self, cause: Option<&Message>, changes: &Changes) {
        let Some(layout) = cause.and_then(reply_layout) else {
            self.log("bad script: there is no reply to this");
            return;
        };
        if layout.short == "echo-reply" && self.manner.echoes == Voice::Mute {
            self.log("kept back Echo-Reply");
            return;
        }
        self.send_message(layout, changes, cause);
    }

    fn half(&mut self, cause: Option<&Message>, octets: Option<usize>) {
        let Some(layout) = cause.and_then(reply_layout) else {
            self.log("bad script: there is no reply to this");
            return;
        };
        let mut bytes = self.draft(layout, cause).bytes;
        let whole = bytes.len();
        bytes.truncate(octets.unwrap_or(whole / 2));
        self.send(&bytes, &format!("{} of {whole} octets of {}", bytes.len(), layout.name));
    }

    pub(super) fn send_message(&mut self, layout: &'static Layout, changes: &Changes, cause: Option<&Message>) {
        let mut message = self.draft(layout, cause);
        for (name, value) in changes {
            let value = match value {
                Value::Number(number) => *number,
                Value::Ours => u32::from(self.latest.ours),
                Value::Theirs => u32::from(self.latest.theirs),
            };
            let Some(field) = layout.field(name) else {
                self.log(&format!("bad script: {} has no {name}", layout.name));
                continue;
            };
            message.write(field, value);
        }
        if layout.short == "ocrp" && message.value("result") == Some(1) && !self.connect_call() {
            return;
        }
        self.send(&message.bytes, &message.describe());
        self.note_sent(layout, &message);
    }

    /// What a message that went out changes here.
    fn note_sent(&mut self, layout: &Layout, message: &Message) {
        match layout.short {
            // 0 is not a code of the RFC; peers that send it mean 1.
            "sccrp" if message.value("result") <= Some(1) && self.state == State::Idle => {
                self.state = State::Established
            }
            "echo" => self.expected_echoes.extend(message.value("identifier")),
            "ocrp" if message.value("result") == Some(1) => {
                self.clearable.extend(message.value("peer").filter(|peer| !self.clearable.contains(peer)));
                self.fire("call-up", None);
            }
            _ => (),
        }
    }

    /// A correct message of this type, as an answer to `cause` where it is one.
    fn draft(&mut self, layout: &Layout, cause: Option<&Message>) -> Message {
        let mut message = Message::new(layout);
        let identifier = cause.filter(|_| layout.short == "echo-reply").and_then(|cause| cause.value("identifier"));
        for (name, value) in [
            ("version", 0x0100),
            ("framing", 3),
            ("bearer", 3),
            ("channels", 0),
            ("firmware", 1),
            ("result", if layout.short == "cdn" { 3 } else { 1 }),
            ("reason", 3),
            ("window", u32::from(RECEIVE_WINDOW)),
            ("speed", 10_000_000),
            ("sendaccm", u32::MAX),
            ("receiveaccm", u32::MAX),
            ("id", u32::from(self.latest.ours)),
            ("peer", u32::from(self.latest.theirs)),
            ("identifier", identifier.unwrap_or(self.next_identifier)),
        ] {
            message.set(name, value);
        }
        if layout.short == "cdn" && cause.is_some_and(|cause| cause.value("code") == Some(12)) {
            message.set("result", 4);
        }
        if layout.short == "echo" {
            self.next_identifier = self.next_identifier.wrapping_add(1);
        }
        message.set_text("host", "fake-pptp-server");
        message.set_text("vendor", "pptp-testkit");
        message
    }

    fn storm(&mut self, count: u32) {
        let Some(layout) = by_short("echo") else { return };
        let mut bytes = Vec::new();
        for _ in 0..count {
            let message = self.draft(layout, None);
            self.note_sent(layout, &message);
            bytes.extend(message.bytes);
        }
        self.send(&bytes, &format!("{count} Echo-Requests"));
    }

    fn send(&mut self, bytes: &[u8], what: &str) {
        if self.manner.voice == Voice::Mute {
            self.log(&format!("kept back {what}"));
            return;
        }
        let written = match self.manner.pace {
            Pace::Whole => self.stream.write_all(bytes),
            Pace::Bytewise => bytes.iter().try_for_each(|octet| {
                thread::sleep(BETWEEN_OCTETS);
                self.stream.write_all(std::slice::from_ref(octet))
            }),
        };
        match written {
            Ok(()) => self.log(&format!("sent {what}")),
            Err(error) => self.log(&format!("not sent {what}: {error}")),
        }
    }
}

fn reply_layout(cause: &Message) -> Option<&'static Layout> {
    by_short(match cause.layout()?.short {
        "sccrq" => "sccrp",
        "stop" => "stop-reply",
        "echo" => "echo-reply",
        "ocrq" => "ocrp",
        "icrq" => "icrp",
        "clear" => "cdn",
        _ => return None,
    })
}

/// Octets that look like nothing, the same in every run; the first two are a length no message has.
fn garbage(count: usize) -> Vec<u8> {
    let mut state: u32 = 0x9e37_79b9;
    let noise = std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    [0xde, 0xad].into_iter().chain(noise).take(count).collect()
}
