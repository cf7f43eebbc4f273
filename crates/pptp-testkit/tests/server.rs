//! The server over loopback, spoken to with octets written by hand.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pptp_testkit::journal::Journal;
use pptp_testkit::kernel_call::{Carrier, Plan};
use pptp_testkit::layout::by_short;
use pptp_testkit::message::{Message, Taken, take};
use pptp_testkit::script::Script;
use pptp_testkit::session::{Server, Session};

struct Client {
    stream: TcpStream,
    pending: Vec<u8>,
    journal: PathBuf,
    served: thread::JoinHandle<()>,
}

fn connect(rules: &[&str]) -> Client {
    connect_with(rules, None)
}

fn temporary_file() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("fake-pptp-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    std::env::temp_dir().join(name)
}

fn connect_with(rules: &[&str], plan: Option<Plan>) -> Client {
    let journal = temporary_file();
    let mut script = Script::default();
    for rule in rules {
        script.add(rule).unwrap();
    }
    let server = Server { script, journal: Journal::open(Some(&journal)).unwrap(), plan, calls: AtomicU32::new(0) };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let accepted = listener.accept().unwrap().0;
    let served = thread::spawn(move || Session::new(Arc::new(server), 1, accepted).run());
    Client { stream, pending: Vec::new(), journal, served }
}

impl Client {
    fn send(&mut self, short: &str, fields: &[(&str, u32)]) {
        let mut message = Message::new(by_short(short).unwrap());
        for (name, value) in fields {
            assert!(message.set(name, *value), "{name}");
        }
        self.stream.write_all(&message.bytes).unwrap();
    }

    fn receive(&mut self) -> Message {
        loop {
            match take(&mut self.pending) {
                Taken::Message(message) => return message,
                Taken::Nothing => assert_ne!(self.read().unwrap(), 0, "EOF"),
                Taken::Broken(why) => panic!("{why}"),
            }
        }
    }

    fn read(&mut self) -> std::io::Result<usize> {
        let mut buffer = [0; 512];
        let count = self.stream.read(&mut buffer)?;
        self.pending.extend(&buffer[..count]);
        Ok(count)
    }

    fn establish(&mut self) {
        self.send("sccrq", &[("version", 0x100), ("framing", 3), ("bearer", 3)]);
        assert_eq!(self.receive().value("result"), Some(1));
    }

    fn call(&mut self, id: u32) -> Message {
        self.send("ocrq", &[("id", id), ("framing", 3), ("bearer", 3), ("window", 3)]);
        self.receive()
    }

    /// What the server wrote down, once it is done with us.
    fn journal(self) -> String {
        drop(self.stream);
        self.served.join().unwrap();
        let text = std::fs::read_to_string(&self.journal).unwrap();
        std::fs::remove_file(&self.journal).unwrap();
        text
    }
}

#[test]
fn a_whole_call_is_answered_and_nothing_is_found_bad() {
    let mut client = connect(&[]);
    client.establish();
    let reply = client.call(7);
    assert_eq!((reply.value("peer"), reply.value("result"), reply.value("id")), (Some(7), Some(1), Some(0x5000)));
    assert_eq!(reply.faults(), Vec::<String>::new());
    client.send("sli", &[("peer", 0x5000)]);
    client.send("echo", &[("identifier", 99)]);
    assert_eq!(client.receive().value("identifier"), Some(99));
    client.send("clear", &[("id", 7)]);
    assert_eq!(client.receive().describe(), "Call-Disconnect-Notify id=20480 result=4 error=0 cause=0");
    client.send("stop", &[("reason", 1)]);
    assert_eq!(client.receive().describe(), "Stop-Control-Connection-Reply result=1 error=0");
    assert_eq!(client.read().unwrap(), 0);
    let journal = client.journal();
    assert!(!journal.contains(" bad "), "{journal}");
    assert!(journal.contains("#1 got Call-Clear-Request id=7\n"), "{journal}");
}

#[test]
fn what_the_client_does_wrong_is_written_down() {
    let mut client = connect(&[]);
    client.send("echo", &[]);
    client.receive();
    client.establish();
    client.call(0);
    client.send("clear", &[("id", 4)]);
    client.receive();
    client.send("sli", &[("peer", 5), ("reserved1", 1)]);
    client.send("echo-reply", &[("identifier", 5), ("result", 1)]);
    let journal = client.journal();
    for line in [
        "bad order: echo before the connection is established",
        "bad id is 0x0, must be anything but 0",
        "bad no call has id 4",
        "bad reserved1 is 0x1, must be 0",
        "bad no call has peer id 5",
        "bad no Echo-Request had identifier 5",
        "EOF calls=1 state=Established rest=0",
    ] {
        assert!(journal.contains(line), "{line}\n{journal}");
    }
}

#[test]
fn refusals_carry_the_codes_of_the_script() {
    let mut client = connect(&["ocrq=reply:result=2:error=6:cause=17"]);
    client.establish();
    let reply = client.call(1);
    assert_eq!((reply.value("result"), reply.value("error"), reply.value("cause")), (Some(2), Some(6), Some(17)));
    assert!(client.journal().contains("EOF calls=0"));
}

#[test]
fn a_call_is_cleared_once_and_by_an_id_that_was_named() {
    let mut client = connect(&["ocrq=reply:peer=9"]);
    client.establish();
    client.call(7);
    for (id, count) in [(9, 0), (7, 0), (7, 1), (8, 2)] {
        client.send("clear", &[("id", id)]);
        client.receive();
        let journal = std::fs::read_to_string(&client.journal).unwrap();
        assert_eq!(journal.matches("bad no call has id").count(), count, "{journal}");
    }
    client.journal();
}

#[test]
fn a_call_is_disconnected_after_a_while_with_either_id() {
    for (id, expected) in [("ours", 0x5000), ("theirs", 7), ("9", 9)] {
        let mut client = connect(&[&format!("call-up=wait:60ms,cdn:id={id}:result=0")]);
        client.establish();
        let start = Instant::now();
        client.call(7);
        let notify = client.receive();
        assert!(start.elapsed() >= Duration::from_millis(60));
        assert_eq!((notify.value("id"), notify.value("result")), (Some(expected), Some(0)));
        client.journal();
    }
}

#[test]
fn half_a_message_is_followed_by_silence_or_eof() {
    let mut client = connect(&["sccrq=half,mute", "echo=reply"]);
    client.send("sccrq", &[("version", 0x100), ("framing", 3), ("bearer", 3)]);
    while client.pending.len() < 78 {
        client.read().unwrap();
    }
    client.stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    client.send("echo", &[]);
    assert!(matches!(client.read().unwrap_err().kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    client.journal();

    let mut client = connect(&["sccrq=half:5,close"]);
    client.send("sccrq", &[]);
    while client.read().unwrap() != 0 {}
    assert_eq!(client.pending, [0, 156, 0, 1, 0x1a]);
    client.journal();
}

#[test]
fn a_reset_is_a_reset_and_not_an_end_of_file() {
    let mut client = connect(&["sccrq=reset"]);
    client.send("sccrq", &[]);
    assert_eq!(client.read().unwrap_err().kind(), ErrorKind::ConnectionReset);
    client.journal();
}

#[test]
fn headers_can_be_spoilt() {
    let mut client = connect(&["sccrq=reply:code=99:length=65535:magic=1"]);
    client.send("sccrq", &[]);
    while client.pending.len() < 156 {
        client.read().unwrap();
    }
    assert_eq!(client.pending[..12], [0xff, 0xff, 0, 1, 0, 0, 0, 1, 0, 99, 0, 0]);
    client.journal();
}

#[test]
fn echoes_stop_and_storms_come() {
    let mut client = connect(&["call-up=mute-echo,storm:300", "echo-reply=nothing"]);
    client.establish();
    client.call(1);
    for _ in 0..300 {
        let request = client.receive();
        let identifier = request.value("identifier").unwrap();
        client.send("echo-reply", &[("identifier", identifier), ("result", 1)]);
    }
    client.send("echo", &[]);
    let journal = client.journal();
    assert!(journal.contains("kept back Echo-Reply"), "{journal}");
    assert!(!journal.contains(" bad "), "{journal}");
}

#[test]
fn octets_come_one_at_a_time() {
    let mut client = connect(&["accept=bytewise"]);
    client.send("stop", &[("reason", 1)]);
    let mut reads = 0;
    while client.pending.len() < 16 {
        client.read().unwrap();
        reads += 1;
    }
    assert!(reads > 4, "{reads}");
    client.journal();
}

/// In place of pppd: writes down its arguments and which of its descriptors are sockets, and stays.
const PRETENDER: &str = r#"#!/bin/sh
out=$1; shift
{ echo $$ "$@"; for fd in /proc/$$/fd/*; do case $(readlink $fd) in socket:*) echo "socket ${fd##*/}";; esac; done; } > $out.new
mv $out.new $out
exec sleep 60
"#;

#[test]
fn the_plugin_s_pppd_inherits_the_offer_and_is_gone_after_the_call() {
    let (program, out) = (temporary_file(), temporary_file());
    std::fs::write(&program, PRETENDER).unwrap();
    let arguments = format!("{} {} call%n", program.display(), out.display());
    let plan = Plan { carrier: Carrier::Plugin, program: "/bin/sh".to_string(), arguments };
    let mut client = connect_with(&[], Some(plan));
    client.establish();
    assert_eq!(client.call(7).value("result"), Some(1));
    let began = Instant::now();
    while !out.exists() {
        assert!(began.elapsed() < Duration::from_secs(30), "the program has not started");
        thread::sleep(Duration::from_millis(5));
    }
    let said = std::fs::read_to_string(&out).unwrap();
    let words: Vec<&str> = said.split_whitespace().collect();
    let [pid, "call1", "pptp_client", "127.0.0.1", "pptp_sock", fd, "nodetach", "socket", inherited] = words[..] else {
        panic!("{said}");
    };
    assert_eq!(fd, inherited);
    client.send("clear", &[("id", 7)]);
    client.receive();
    while Path::new("/proc").join(pid).exists() {
        assert!(began.elapsed() < Duration::from_secs(30), "the program has not ended");
        thread::sleep(Duration::from_millis(20));
    }
    client.journal();
    for file in [program, out] {
        std::fs::remove_file(file).unwrap();
    }
}
