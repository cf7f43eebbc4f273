//! Many sessions with real pppds on both ends, each client with an address, a control connection and a call manager of its own:
//! how fast they come, what they take, and what they cost while nothing happens.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::client_machine::{self, ClientMachine, SERVER};
use crate::processes::{self, Process};
use crate::servers::{Kind, Server};
use crate::table::{Bar, Table};
use pptp_testkit::waiting::eventually;

use crate::Plan;

/// Clients that are on their way at a time.
const WIDTH: usize = 16;

/// How long all may take to come; when a call is no longer young, so that its pppd has stopped looking after it; and how long all are
/// watched then.
const PATIENCE: Duration = Duration::from_secs(150);
const REST: Duration = Duration::from_secs(13);
const IDLE: Duration = Duration::from_secs(5);

/// How the server's pppds are told to behave, and the clients'.
const SERVERS: &str = "auth require-mschap-v2 require-mppe-128 name server noipv6 nodefaultroute";
const CLIENTS: &str = "noauth user alice require-mppe-128 noipv6 nodefaultroute noipdefault updetach \
                       pptp_datapath tun pptp_share off logfile /run/clients.log";

pub(crate) fn measure(plan: &Plan, table: &mut Table) {
    let count = plan.sessions;
    prepare_server();
    let settings = settings(count, &plan.plugin);
    let server = Server::start(Kind::Ours, "0.0.0.0", &settings, Path::new("/usr/sbin/pppd"));
    let empty = server.memory()[0];
    let clients = ClientMachine::new(count);
    let took = connect(&clients, count, &plan.plugin);
    eventually("as many pppds as clients", PATIENCE, || (server.sessions() == count).then_some(()));
    let begin = format!("{count} sessions");
    table.show(&format!("{begin}: connected, sessions/s ({WIDTH} at a time, both ends here)"), &[count as f64 / took]);
    ping_all(&clients, count, table);
    show_memory(&clients, (count, empty), table);
    show_idle(count, table);
}

fn prepare_server() {
    fs::write("/etc/ppp/chap-secrets", "alice * secret *\n").unwrap();
    fs::write("/etc/ppp/server", format!("{SERVERS}\n")).unwrap();
}

fn settings(count: usize, plugin: &Path) -> String {
    let [local, remote] = [65, 64].map(|second| addresses(second, count));
    // Every client has an address of its own, so what one address may have is as it is.
    format!(
        "localip {local}\nremoteip {remote}\nconnections {count}\noption /etc/ppp/server\nplugin {}",
        plugin.display()
    )
}

/// The last two numbers of the addresses of a session.
fn place(session: usize) -> [usize; 2] {
    [session / 250, session % 250 + 1]
}

/// So many addresses as the configuration has them.
fn addresses(second: usize, count: usize) -> String {
    let ranges =
        (0..count.div_ceil(250)).map(|third| format!("10.{second}.{third}.1-{}", (count - third * 250).min(250)));
    ranges.collect::<Vec<_>>().join(",")
}

/// Lets all clients connect, and says in how many seconds they have: a pppd with `updetach` returns when its network is up.
fn connect(clients: &ClientMachine, count: usize, plugin: &Path) -> f64 {
    let begin = Instant::now();
    let mut ahead = 0..count;
    let mut busy: Vec<Child> = Vec::new();
    while !busy.is_empty() || !ahead.is_empty() {
        while busy.len() < WIDTH {
            let Some(client) = ahead.next() else { break };
            busy.push(start(clients, client, plugin));
        }
        busy.retain_mut(|child| match child.try_wait().unwrap() {
            None => true,
            Some(status) if status.success() => false,
            Some(status) => panic!("a client: {status}: {}", last_lines(&clients.read("/run/clients.log"))),
        });
        assert!(begin.elapsed() < PATIENCE, "not all clients connect within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
    begin.elapsed().as_secs_f64()
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

fn start(clients: &ClientMachine, client: usize, plugin: &Path) -> Child {
    let address = client_machine::address(client).to_string();
    let mut command = clients.command("/usr/sbin/pppd");
    command.arg("plugin").arg(plugin).args(["pptp_server", SERVER, "pptp_bind", &address]);
    command.args(CLIENTS.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// All at the same time, from the clients' end.
fn ping_all(clients: &ClientMachine, count: usize, table: &mut Table) {
    let addresses = (0..count).map(place).map(|[third, fourth]| format!("10.65.{third}.{fourth}"));
    let program = std::env::current_exe().unwrap();
    let output = clients.command(program.to_str().unwrap()).arg("ping").args(addresses).output().unwrap();
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    let value = |name: &str| -> f64 {
        let found = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("ping: {line}{}", String::from_utf8_lossy(&output.stderr))).parse().unwrap()
    };
    let lost = value("requests") - value("answered");
    table.judge("all pinged at the same time, three times: lost", &[lost], Bar::AtMost(0.0));
    table.show("all pinged at the same time: last answer after ms, at worst", &[value("slowest")]);
}

/// The processes of a machine with a name.
type Group = (&'static str, Vec<Process>);

fn groups(network: &str) -> [Group; 4] {
    ["pptp-rsd", "pptp-engine", "pppd", "pptp-callmgr"].map(|name| (name, processes::named(name, network)))
}

fn show_memory(clients: &ClientMachine, (count, empty): (usize, f64), table: &mut Table) {
    let sessions = count as f64;
    let server = groups(&processes::own_network());
    let [daemon, engines, pppds, _] = server.each_ref().map(|(_, group)| processes::private_memory(group) / sessions);
    table.judge("private KiB a session: daemon (all of it)", &[daemon], Bar::AtMost(30.0));
    table.show("private KiB a session: daemon, what sessions have added", &[daemon - empty / sessions]);
    table.judge(&format!("private KiB a session: {} engines", server[1].1.len()), &[engines], Bar::AtMost(2048.0));
    table.show(&format!("private KiB a session: {} pppds", server[2].1.len()), &[pppds]);
    show_sum("the whole server", &server, sessions, table);
    let clients = groups(&clients.network());
    for (name, group) in clients.iter().skip(1) {
        let memory = processes::private_memory(group) / sessions;
        table.show(&format!("private KiB a session: the clients' {} {name}", group.len()), &[memory]);
    }
    show_sum("all of the clients", &clients, sessions, table);
}

/// With what processes share among them: a process that was forked shares with the other.
fn show_sum(whose: &str, groups: &[Group], sessions: f64, table: &mut Table) {
    let memory: f64 = groups.iter().map(|(_, group)| processes::proportional_memory(group)).sum();
    table.show(&format!("proportional KiB (Pss) a session: {whose}"), &[memory / sessions]);
}

/// What the server does while nobody wants anything.
fn show_idle(count: usize, table: &mut Table) {
    std::thread::sleep(REST);
    let groups = groups(&processes::own_network());
    let before = groups.each_ref().map(|(_, group)| processes::time(group));
    std::thread::sleep(IDLE);
    let mut all = 0.0;
    for ((name, group), before) in groups.iter().take(3).zip(before) {
        let used = (processes::time(group) - before) / 1e6 / IDLE.as_secs_f64();
        all += used;
        table.show(&format!("{count} idle sessions: ms of a processor in a second, {name}"), &[used]);
    }
    table.show(&format!("{count} idle sessions: ms of a processor in a second, all"), &[all]);
}
