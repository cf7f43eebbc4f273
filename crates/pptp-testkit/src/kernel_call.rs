//! What carries PPP for a call: stock pppd on a kernel PPTP socket, or on a pty with a small GRE relay.
//!
//! The first hands the socket over as accel-pptp's server does (`plugin … pptp_client IP pptp_sock FD nodetach`), so it
//! needs a plugin with a server mode.  The second needs none: it is the independent peer.

use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::relay::Relay;
use crate::sys;

/// How long pppd may take to end after SIGTERM.
const PATIENCE: Duration = Duration::from_millis(500);

/// What to start for every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// pppd with a plugin, on a kernel socket.
    Kernel,
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
}

/// A pppd that is running.
#[derive(Debug)]
pub struct KernelCall {
    child: Child,
    // The slave is held until the end: without it the master reads an error before pppd has opened the device.
    _line: Option<(Relay, OwnedFd)>,
}

impl KernelCall {
    /// Opens the way for GRE first, then starts pppd: its first frame must find the way.
    ///
    /// # Errors
    /// Sockets that the kernel does not give (module `pptp` missing, no rights), a program that does not start.
    pub fn start(plan: &Plan, ends: &Ends) -> io::Result<Self> {
        match plan.carrier {
            Carrier::Kernel => on_kernel_socket(plan, ends),
            Carrier::Pty => on_pty(plan, ends),
        }
    }

    /// The exit status of pppd once it ended: a number, or `signal`.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        Some(status.code().map_or_else(|| "signal".to_string(), |code| code.to_string()))
    }
}

impl Drop for KernelCall {
    fn drop(&mut self) {
        if self.ended().is_some() {
            return;
        }
        sys::terminate(self.child.id());
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && self.ended().is_none() {
            thread::sleep(Duration::from_millis(10));
        }
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
    Ok(KernelCall { child: command.spawn()?, _line: None })
}

fn on_pty(plan: &Plan, ends: &Ends) -> io::Result<KernelCall> {
    let (master, slave) = sys::pseudo_terminal()?;
    let device = std::fs::read_link(format!("/proc/self/fd/{}", slave.as_raw_fd()))?;
    let relay = Relay::start(sys::gre_socket()?, master, ends)?;
    let mut command = pppd(plan, ends);
    command.arg(device).args(["local", "nodetach"]);
    let child = command.spawn()?;
    Ok(KernelCall { child, _line: Some((relay, slave)) })
}

fn pppd(plan: &Plan, ends: &Ends) -> Command {
    let mut command = Command::new(&plan.program);
    let number = ends.number.to_string();
    command.args(plan.arguments.split_whitespace().map(|argument| argument.replace("%n", &number)));
    command.stdin(Stdio::null());
    sys::die_with_parent(&mut command);
    command
}
