//! The GRE socket of a plugin without a kernel's data path: what is there to be read from it when a call is up.
#![expect(clippy::unwrap_used, reason = "the helpers of tests, too")]

mod support;

use std::fs;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pptp_io::gre_socket::{self, Calls, Sender};

use support::{Probe, Scene, Server, descriptors, needs_root, status_field, until};

const HERE: Ipv4Addr = Ipv4Addr::new(127, 61, 0, 1);

/// A server that does not answer a call before it is told to, and its GRE.
struct Slow {
    server: Server,
    address: Ipv4Addr,
    gre: OwnedFd,
    go_on: PathBuf,
}

impl Slow {
    /// `last`: the last octet of its address, another one for each test.
    fn start(last: u8) -> Self {
        needs_root();
        let address = Ipv4Addr::new(127, 61, 0, last);
        let go_on = std::env::temp_dir().join(format!("pptp-cm-{}-go-on-{last}", std::process::id()));
        let rule = format!("ocrq=wait-file:{},reply", go_on.display());
        let server = Server::start_on(&address.to_string(), 0, &[&rule]);
        Self { server, address, gre: gre_from(address), go_on }
    }

    /// Calls it, and waits until it was asked: the id that it was asked with.
    fn call(&self, scene: &Scene, number: usize) -> (Probe, u16) {
        let (server, bind) = (self.address.to_string(), HERE.to_string());
        let probe = scene.call(self.server.port, &["--server", &server, "--bind", &bind, "--gre", "on"]);
        until("the request", || self.server.count("got Outgoing-Call-Request") == number);
        let journal = self.server.journal();
        let line = journal.lines().rfind(|line| line.contains("got Outgoing-Call-Request")).unwrap();
        (probe, u16::try_from(Probe::number(line, "id")).unwrap())
    }

    fn send(&self, call: u16, last: u8) {
        send(&self.gre, call, last);
    }

    fn answer(&self) {
        fs::write(&self.go_on, "").unwrap();
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.go_on);
    }
}

fn gre_from(address: Ipv4Addr) -> OwnedFd {
    let gre = gre_socket::open(None).unwrap();
    // It sends only, and need not get what others do.
    gre_socket::claim(gre.as_fd(), address, Calls::Only(0)).unwrap();
    gre_socket::connect(gre.as_fd(), HERE).unwrap();
    gre
}

/// Enhanced GRE with one octet of PPP, as a server sends it that starts LCP.
fn send(gre: &OwnedFd, call: u16, last: u8) {
    let mut packet = vec![0x30, 0x01, 0x88, 0x0b, 0, 1];
    packet.extend(call.to_be_bytes());
    packet.extend([0, 0, 0, 0, last]);
    assert_eq!(Sender::new(1).send(gre.as_fd(), std::iter::once((packet.as_slice(), None))).unwrap(), 1);
}

/// Everything that the probe could read up to the packet that ends in `last`.
fn packets(probe: &mut Probe, last: u8) -> Vec<String> {
    while !probe.expect("gre ").ends_with(&format!("last={last}")) {}
    probe.seen.iter().filter(|line| line.starts_with("gre ")).cloned().collect()
}

fn lines(slow: &Slow, call: u16, lasts: &[u8]) -> Vec<String> {
    lasts.iter().map(|last| format!("gre from={} call={call} last={last}", slow.address)).collect()
}

/// The probe sleeps from before the reply to after the second packet, so that it cannot have read that the call is up.
fn early_packets_are_there(slow: &Slow, scene: &Scene, number: usize) -> Probe {
    let (mut probe, call) = slow.call(scene, number);
    assert_eq!(status_field(scene.manager(), "Seccomp"), "2");
    slow.send(call.wrapping_add(1), 1);
    slow.send(call, 2);
    let pid = Pid::from_raw(probe.pid());
    kill(pid, Signal::SIGSTOP).unwrap();
    slow.answer();
    until("the reply", || slow.server.count("sent Outgoing-Call-Reply") == number);
    slow.send(call.wrapping_add(1), 3);
    slow.send(call, 4);
    kill(pid, Signal::SIGCONT).unwrap();
    let line = probe.expect("connected ");
    assert_eq!((Probe::number(&line, "call"), line.contains("shared=true")), (call.into(), number > 1), "{line}");
    assert_eq!(packets(&mut probe, 4), lines(slow, call, &[2, 4]));
    probe
}

#[test]
fn what_the_server_sends_early_can_be_read_and_nothing_of_other_calls() {
    let (scene, slow) = (Scene::new(), Slow::start(2));
    early_packets_are_there(&slow, &scene, 1);
}

#[test]
fn a_call_on_a_shared_connection_loses_nothing_either() {
    let (scene, slow) = (Scene::new(), Slow::start(3));
    let _first = early_packets_are_there(&slow, &scene, 1);
    fs::remove_file(&slow.go_on).unwrap();
    early_packets_are_there(&slow, &scene, 2);
}

#[test]
fn what_another_host_sends_cannot_be_read_when_the_call_is_up() {
    let (scene, slow) = (Scene::new(), Slow::start(4));
    let stranger = gre_from(Ipv4Addr::new(127, 61, 0, 5));
    let (mut probe, call) = slow.call(&scene, 1);
    slow.answer();
    probe.expect("connected ");
    send(&stranger, call, 1);
    slow.send(call, 2);
    assert_eq!(packets(&mut probe, 2), lines(&slow, call, &[2]));
}

/// The TCP connection, the plugin's socket, what hangs pppd up, the listener: no GRE socket, which would go on receiving
/// when the plugin has closed its own.
#[test]
fn the_manager_of_a_call_that_is_up_has_no_gre_socket() {
    let (scene, slow) = (Scene::new(), Slow::start(6));
    let (mut probe, _) = slow.call(&scene, 1);
    let manager = scene.manager();
    let sockets = || descriptors(manager).iter().filter(|(_, target)| target.starts_with("socket:")).count();
    assert_eq!(sockets(), 5);
    slow.answer();
    probe.expect("connected ");
    assert_eq!(sockets(), 4);
    probe.hang_up();
    scene.until_gone();
}
