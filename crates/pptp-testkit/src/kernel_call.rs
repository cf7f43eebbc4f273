//! What carries PPP for a call: stock pppd on a kernel PPTP socket, with the plugin's own data path, or on a pty with a
//! small GRE relay.
//!
//! The first hands the socket over as accel-pptp's server does (`plugin … pptp_client IP pptp_sock FD nodetach`), so it
//! needs a plugin with a server mode.  So does the second, whose FD brings an offer (`pptp_datapath::offer`).  The third
//! needs none: it is the independent peer.

use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pptp_datapath::command::{CallConfig, TransmitWindow};
use pptp_datapath::offer::{self, Gre};
use pptp_io::gre_socket::{self, Calls};
use pptp_io::seqpacket;

use crate::relay::Relay;
use crate::sys;

/// The window that our Outgoing-Call-Reply announces.
pub const RECEIVE_WINDOW: u16 = 64;

/// How long pppd may take to end after a hang-up, and after SIGTERM.
const PATIENCE: Duration = Duration::from_millis(500);

/// What to start for every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// pppd with a plugin, on a kernel socket.
    Kernel,
    /// pppd with a plugin that brings its own data path.
    Plugin,
    /// pppd on a pty, relayed to GRE by this process.
    Pty,
}

/// How to start pppd.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What it runs on.
    pub carrier: Carrier,
    /// The program.
    pub program: String,
    /// Its arguments, separated by spaces; `%n` becomes the number of the call (the first is 1).
    pub arguments: String,
}

/// The two ends of a call.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    /// Number of the call on this server; the first is 1.
    pub number: u32,
    /// Our address.
    pub local: SocketAddrV4,
    /// The client's address.
    pub peer: SocketAddrV4,
    /// The call id that we gave.
    pub ours: u16,
    /// The call id that the client gave.
    pub theirs: u16,
    /// The client's window, packets.
    pub peer_window: u16,
}

/// A pppd that is running.
#[derive(Debug)]
pub struct KernelCall {
    child: Child,
    line: Line,
}

/// What is held until the call is over.
#[derive(Debug)]
enum Line {
    None,
    /// Without the slave the master reads an error before pppd has opened the device.
    Pty(#[expect(dead_code, reason = "it is only held")] (Relay, OwnedFd)),
    /// The other end of pppd's FD, and the end of the life line whose closing hangs up.
    Plugin(#[expect(dead_code, reason = "it is only held")] OwnedFd, Option<OwnedFd>),
}

impl KernelCall {
    /// Opens the way for GRE first, then starts pppd: its first frame must find the way.
    ///
    /// # Errors
    /// Sockets that the kernel does not give (module `pptp` missing, no rights), a program that does not start.
    pub fn start(plan: &Plan, ends: &Ends) -> io::Result<Self> {
        match plan.carrier {
            Carrier::Kernel => on_kernel_socket(plan, ends),
            Carrier::Plugin => on_plugin(plan, ends),
            Carrier::Pty => on_pty(plan, ends),
        }
    }

    /// The exit status of pppd once it ended: a number, or `signal`.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        Some(status.code().map_or_else(|| "signal".to_string(), |code| code.to_string()))
    }

    fn await_end(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && self.ended().is_none() {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for KernelCall {
    fn drop(&mut self) {
        if let Line::Plugin(_, life_line) = &mut self.line {
            drop(life_line.take());
            self.await_end();
        }
        if self.ended().is_some() {
            return;
        }
        sys::terminate(self.child.id());
        self.await_end();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn on_kernel_socket(plan: &Plan, ends: &Ends) -> io::Result<KernelCall> {
    let socket = sys::pptp_socket()?;
    sys::bind(&socket, &sys::pptp_address(ends.local, ends.ours))?;
    sys::connect(&socket, &sys::pptp_address(ends.peer, ends.theirs))?;
    let mut command = pppd(plan, ends);
    let (peer, fd) = (ends.peer.ip().to_string(), socket.as_raw_fd().to_string());
    command.args(["pptp_client", &peer, "pptp_sock", &fd, "nodetach"]);
    Ok(KernelCall { child: command.spawn()?, line: Line::None })
}

fn on_plugin(plan: &Plan, ends: &Ends) -> io::Result<KernelCall> {
    let (local, peer) = (*ends.local.ip(), *ends.peer.ip());
    let gre = gre_socket::open(None)?;
    gre_socket::claim(gre.as_fd(), local, Calls::Only(ends.ours))?;
    gre_socket::connect(gre.as_fd(), peer)?;
    let call = CallConfig {
        local,
        peer,
        call_id: ends.ours,
        peer_call_id: ends.theirs,
        peer_window: ends.peer_window,
        receive_window: RECEIVE_WINDOW,
        transmit_window: TransmitWindow::Off,
        reorder_time: Duration::ZERO,
        reorder_packets: 0,
    };
    let ((socket, pppds), (life_line, pppds_life_line)) = (seqpacket::pair()?, seqpacket::pair()?);
    offer::send(socket.as_fd(), &call, Gre::Socket(gre.as_fd()), pppds_life_line.as_fd())?;
    let mut command = pppd(plan, ends);
    command.args(["pptp_client", &peer.to_string(), "pptp_sock", &pppds.as_raw_fd().to_string(), "nodetach"]);
    sys::pass_on(&mut command, pppds.as_raw_fd());
    Ok(KernelCall { child: command.spawn()?, line: Line::Plugin(socket, Some(life_line)) })
}

fn on_pty(plan: &Plan, ends: &Ends) -> io::Result<KernelCall> {
    let (master, slave) = sys::pseudo_terminal()?;
    let device = std::fs::read_link(format!("/proc/self/fd/{}", slave.as_raw_fd()))?;
    let relay = Relay::start(sys::gre_socket()?, master, ends)?;
    let mut command = pppd(plan, ends);
    command.arg(device).args(["local", "nodetach"]);
    let child = command.spawn()?;
    Ok(KernelCall { child, line: Line::Pty((relay, slave)) })
}

fn pppd(plan: &Plan, ends: &Ends) -> Command {
    let mut command = Command::new(&plan.program);
    let number = ends.number.to_string();
    command.args(plan.arguments.split_whitespace().map(|argument| argument.replace("%n", &number)));
    command.stdin(Stdio::null());
    sys::die_with_parent(&mut command);
    command
}
