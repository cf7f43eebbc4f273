//! The clients' machine: namespaces with a cable to this one, and many addresses.

use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pptp_testkit::waiting::eventually;

use crate::sh;

/// The server's address, and the clients' network; RFC 2544's, which nobody has.
pub(crate) const SERVER: &str = "198.18.0.1";
const FIRST: Ipv4Addr = Ipv4Addr::new(198, 19, 0, 1);

/// How long clients may be on their way at a time: a machine has users that come one after the other.
const SOON: Duration = Duration::from_secs(10);

/// It lasts as long as this.
pub(crate) struct ClientMachine {
    holder: Child,
    /// Its first process, by its number here.
    pub(crate) init: u32,
}

impl ClientMachine {
    /// With so many addresses, and alice's password.
    pub(crate) fn new(addresses: usize) -> Self {
        let prepare = "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /etc/ppp && : > /etc/ppp/options && \
                       umask 077 && echo 'alice * secret *' > /etc/ppp/chap-secrets && : > /run/ready && exec cat";
        let holder = Command::new("unshare")
            .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"])
            .args(["sh", "-c", prepare])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let children = format!("/proc/{0}/task/{0}/children", holder.id());
        let init = eventually("the clients' machine", SOON, || {
            let init: u32 = fs::read_to_string(&children).ok()?.trim().parse().ok()?;
            fs::exists(format!("/proc/{init}/root/run/ready")).ok()?.then_some(init)
        });
        let machine = Self { holder, init };
        machine.connect(addresses);
        machine
    }

    fn connect(&self, addresses: usize) {
        let init = self.init;
        sh(&format!("ip link add server type veth peer name client netns {init}"));
        sh(&format!("ip addr add {SERVER}/15 dev server && ip link set server up"));
        let lines: String =
            (0..addresses).map(|client| format!("addr add {}/15 dev client\n", address(client))).collect();
        let lines = lines + "link set client up\nlink set lo up\n";
        let mut ip = self.command("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        ip.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        assert!(ip.wait().unwrap().success());
    }

    /// A command on this machine.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.init.to_string(), "-n", "-m", "-p"]).arg(program).stdin(Stdio::null());
        command
    }

    /// A file of this machine's.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(format!("/proc/{}/root{path}", self.init)).unwrap_or_default()
    }

    /// Its network, as the kernel names it.
    pub(crate) fn network(&self) -> String {
        fs::read_link(format!("/proc/{}/ns/net", self.init)).unwrap().display().to_string()
    }
}

impl Drop for ClientMachine {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
        let _ = Command::new("ip").args(["link", "del", "server"]).stderr(Stdio::null()).status();
    }
}

/// The address of a client.
pub(crate) fn address(client: usize) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(FIRST) + u32::try_from(client).unwrap())
}
