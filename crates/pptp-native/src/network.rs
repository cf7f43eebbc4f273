//! A client and a server.

use std::process::{Child, Command, Stdio};

use crate::machine::{Machine, Version, program};
use crate::pppd::ENVIRONMENT;
use crate::{Middle, Pppd, SOON, eventually};

/// The client's address outside the tunnel.
pub const CLIENT: &str = "192.0.2.2";

/// The server's, or the relay's that stands for it.
pub const SERVER: &str = "192.0.2.1";

/// The server's, behind the relay; the relay's there.
const BEHIND: [&str; 2] = ["198.51.100.1", "198.51.100.2"];

/// Terminate-Requests are repeated for as long as the kernel of a machine with many namespaces may hold up a pppd that takes
/// its interface down before it answers.
const PLUGIN: &str = "plugin /run/plugin/pptp-rs.so pptp_datapath tun noauth debug lcp-max-terminate 10";

/// Addresses inside the tunnel; `%n` is the number of the call.
const INSIDE: &str = "10.99.%n.1:10.99.%n.2 ipv6 ::1,::2";

/// Two machines, with or without a relay between them.
#[derive(Debug)]
pub struct Network {
    /// The one that calls.
    pub client: Machine,
    /// The one that is called.
    pub server: Machine,
    _relay: Option<Machine>,
    /// What stands here for programs that run in the machines.
    shadows: Vec<Child>,
}

impl Network {
    /// A client and a server with a pppd each.
    #[must_use]
    pub fn new(version: Version) -> Self {
        Self::of([version, version])
    }

    /// A client and a server with different pppd.
    #[must_use]
    pub fn of([client, server]: [Version; 2]) -> Self {
        let (client, server) = (Machine::new("client", client), Machine::new("server", server));
        client.connect(&server, ["cable", "cable"], [CLIENT, SERVER]);
        Self { client, server, _relay: None, shadows: Vec::new() }
    }

    /// With a relay between them that harms GRE packets: per cent lost, doubled, overtaken; milliseconds of delay, and
    /// how many of them more or less.
    ///
    /// # Panics
    /// The relay does not start.
    #[must_use]
    pub fn with_relay(version: Version, harm: &str) -> Self {
        let [client, server, relay] = three_machines(version);
        let [to, from] = BEHIND;
        let arguments = format!("relay {SERVER} {CLIENT} {from} {to} {harm}");
        let child = crate::traffic::start(&relay, &arguments, "ready");
        Self { client, server, _relay: Some(relay), shadows: vec![child] }
    }

    /// With a man in the middle.
    #[must_use]
    pub fn with_middle(version: Version) -> (Self, Middle) {
        let [client, server, relay] = three_machines(version);
        let [to, from] = BEHIND;
        let middle = Middle::start(&relay, [SERVER, CLIENT, from, to]);
        (Self { client, server, _relay: Some(relay), shadows: Vec::new() }, middle)
    }

    /// Starts the server: a pppd with `options` for every call.
    pub fn serve(&mut self, options: &str) {
        self.serve_with(&format!("--plugin-pppd '{PLUGIN} logfile /run/test/server%n.log {options}'"));
    }

    /// The same, with addresses that the number of the call is in.
    pub fn serve_many(&mut self, options: &str) {
        self.serve(&format!("{INSIDE} {options}"));
    }

    /// Both ends know alice's password.
    pub fn tell_password(&self, password: &str) {
        for machine in [&self.client, &self.server] {
            machine.run(&format!("umask 077; echo 'alice * {password} *' > /etc/ppp/chap-secrets"));
        }
    }

    /// Starts a server that asks for alice's password, which both ends know: [`Network::serve_many`] with authentication by
    /// MS-CHAPv2 and without IPv6.
    pub fn serve_with_password(&mut self, password: &str, options: &str) {
        self.tell_password(password);
        self.serve_many(&format!("auth require-mschap-v2 name server noipv6 {options}"));
    }

    /// Starts the server with arguments of its own, in the environment of /run/test/environment, as a client.
    ///
    /// # Panics
    /// It does not start.
    pub fn serve_with(&mut self, arguments: &str) {
        let line = format!(
            "{ENVIRONMENT} exec /run/bin/fake-pptp-server --listen 0.0.0.0 --log /run/test/journal {arguments} > /run/test/server.out 2>&1"
        );
        self.shadows.push(self.server.command(&line).spawn().unwrap());
        eventually("the server listens", SOON, || self.journal().contains("listening").then_some(()));
    }

    /// What the server has written down.
    #[must_use]
    pub fn journal(&self) -> String {
        self.server.read("/run/test/journal")
    }

    /// The log of the server's pppd for a call.
    #[must_use]
    pub fn server_log(&self, call: u32) -> String {
        self.server.read(&format!("/run/test/server{call}.log"))
    }

    /// Starts a pppd that calls the server, in the foreground.
    pub fn dial(&self, name: &str, options: &str) -> Pppd<'_> {
        self.dial_as_is(name, &format!("nodetach {options}"))
    }

    /// The same; whether it detaches is in `options`.
    pub fn dial_as_is(&self, name: &str, options: &str) -> Pppd<'_> {
        Pppd::start(&self.client, name, &self.client_options(options))
    }

    /// The options of a pppd that calls the server.
    #[must_use]
    pub fn client_options(&self, options: &str) -> String {
        format!("{PLUGIN} pptp_server {SERVER} noipdefault {options}")
    }

    /// Starts a pppd that calls the server, and waits until IP is up on both ends: of the server's `call`th call.
    ///
    /// # Panics
    /// It does not come up.
    #[track_caller]
    pub fn dial_up(&self, name: &str, call: u32, options: &str) -> Pppd<'_> {
        let pppd = self.dial(name, options);
        pppd.wait_for("remote IP address", 1, SOON);
        self.wait_for_server(call, "remote IP address");
        pppd
    }

    /// Waits until the log of the server's pppd for a call has this text: the two ends are never at the same point.
    ///
    /// # Panics
    /// It has not soon.
    #[track_caller]
    pub fn wait_for_server(&self, call: u32, text: &str) {
        eventually(&format!("the server's pppd {call} says \"{text}\""), SOON, || {
            self.server_log(call).contains(text).then_some(())
        });
    }

    /// A client and a server, which runs, with a pppd with `options` for every call; addresses as [`Network::serve_many`].
    #[must_use]
    pub fn start_server(version: Version, options: &str) -> Self {
        let mut network = Self::new(version);
        network.serve_many(options);
        network
    }

    /// Waits until nothing of any tunnel is left on either machine.
    ///
    /// # Panics
    /// Something is.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        for machine in [&self.client, &self.server] {
            let mut left = Vec::new();
            let begin = std::time::Instant::now();
            while begin.elapsed() < SOON {
                left = machine.leftovers();
                if left.is_empty() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            assert!(left.is_empty(), "left behind: {left:?}");
        }
    }

    /// Takes every GRE packet that reaches the server, and does nothing with it.
    ///
    /// # Panics
    /// It does not start.
    pub fn swallow_gre(&mut self) {
        self.shadows.push(crate::traffic::start(&self.server, "swallow", "ready"));
    }

    /// Ends the server and all its pppd at once, as a crash does.
    pub fn kill_server(&self) {
        for name in ["fake-pptp-serve", "pppd"] {
            for process in self.server.processes(name) {
                // One may have died of the other's death.
                let _ = self.server.succeeds(&format!("kill -KILL {process}"));
            }
        }
    }
}

/// A client and a server, and a machine between them that passes nothing on.
fn three_machines(version: Version) -> [Machine; 3] {
    let [client, server, relay] = ["client", "server", "relay"].map(|name| Machine::new(name, version));
    client.connect(&relay, ["cable", "cable0"], [CLIENT, SERVER]);
    server.connect(&relay, ["cable", "cable1"], BEHIND);
    [client, server, relay]
}

pub(crate) fn traffic_command(machine: &Machine, arguments: &str) -> Command {
    program_command(machine, "native-traffic", arguments)
}

/// A program of this package, on a machine's network.
pub(crate) fn program_command(machine: &Machine, name: &str, arguments: &str) -> Command {
    let mut command = machine.network_command(&program(name));
    command.args(arguments.split_whitespace()).stdout(Stdio::piped());
    command
}
