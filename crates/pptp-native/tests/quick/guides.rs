//! The files of docs/migrating.md and of README.md as they stand there: each brings up a tunnel.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test may fail like the test"
)]

use std::path::Path;
use std::time::Duration;

use pptp_native::{Daemon, Machine, Network, Pppd, SOON, Version, eventually, with_either_pppd};

with_either_pppd! {
    accel_pptp_s_files_work_as_they_are,
    openwrt_s_command_line_works_as_it_is,
    poptop_s_files_and_a_changed_one_of_pptp_linux_s_work,
    the_readme_s_first_commands_work,
    the_readme_s_first_file_works,
    the_server_guide_s_files_and_commands_work,
}

const MIGRATING: &str = "docs/migrating.md";

const SERVER: &str = "docs/server.md";

/// What names a server in the guides, and where the tests have one.
const HOST: &str = "192.0.2.1 vpn.example.com";

const SECRET: &str = r#"alice * "open sesame" *"#;

fn guide(page: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(page);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The block behind this comment of a guide's.
fn block(page: &str, name: &str) -> String {
    let text = guide(page);
    let (_, rest) = text.split_once(&format!("<!-- {name} -->\n")).unwrap_or_else(|| panic!("{page} has no {name}"));
    let mut lines = rest.lines().map(str::trim_start);
    assert!(lines.next().is_some_and(|line| line.starts_with("```")), "{page}: {name} is before no block");
    lines.take_while(|line| !line.starts_with("```")).map(|line| format!("{line}\n")).collect()
}

/// Puts a file where its first line says that it belongs.
fn put(machine: &Machine, page: &str, name: &str) {
    let text = block(page, name);
    let path = text.lines().next().and_then(|line| line.strip_prefix("# ")).expect("the first line is the file's name");
    machine.run(&format!("mkdir -p $(dirname {path})"));
    machine.write(path, &text);
}

/// Two machines with the plugin where pppd looks for it, under both names, and with files that can be written.
fn network(version: Version) -> Network {
    let network = Network::new(version);
    for machine in [&network.client, &network.server] {
        machine.run(
            "cp -a /etc /run/etc && mount --bind /run/etc /etc && mkdir -p /etc/ppp/peers && : > /etc/ppp/options",
        );
        let plugins = format!("/usr/lib/pppd/{}", version.number());
        machine.run(&format!("cp -a {plugins} /run/plugins && cp /run/plugin/pptp-rs.so /run/plugins"));
        machine.run(&format!("ln -sf pptp-rs.so /run/plugins/pptp.so && mount --bind /run/plugins {plugins}"));
        machine.run(&format!("echo '{HOST}' >> /etc/hosts; umask 077; echo '{SECRET}' > /etc/ppp/chap-secrets"));
    }
    network
}

/// The server that accel-pptp's pptpd is, with its own arguments for pppd.
fn serve_as_accel_pptp(network: &mut Network) {
    let server = &network.server;
    put(server, MIGRATING, "tested: accel-pptp server options");
    server.write("/etc/ppp/options", "debug logfile /run/test/server.log\n");
    let line = block(MIGRATING, "tested: accel-pptp server");
    let (arguments, end) = line.trim().split_once(" pptp_client ").unwrap();
    assert_eq!(end, "192.0.2.2 pptp_sock 7 nodetach");
    let arguments = arguments.strip_prefix("pppd ").unwrap();
    network.serve_with(&format!("--plugin-pppd '{arguments}'"));
}

#[track_caller]
fn comes_up(network: &Network, pppd: &Pppd<'_>, server: &str) {
    pppd.wait_for("MPPE 128-bit stateless compression enabled", 1, SOON);
    pppd.wait_for(&format!("remote IP address {server}"), 1, SOON);
    eventually("a ping is answered", SOON, || (network.client.pings(1, 56, server) == 1).then_some(()));
}

#[track_caller]
fn ends(network: &Network, mut pppd: Pppd<'_>) {
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(SOON), 5);
    network.assert_nothing_left();
}

fn accel_pptp_s_files_work_as_they_are(version: Version) {
    let mut network = network(version);
    serve_as_accel_pptp(&mut network);
    put(&network.client, MIGRATING, "tested: accel-pptp client");
    let pppd = Pppd::start(&network.client, "client", "call office nodetach");
    comes_up(&network, &pppd, "192.168.0.1");
    pppd.wait_for("option pptp_timeout is ignored", 1, Duration::ZERO);
    pppd.wait_for("Connect: ppp0 <--> pptp (vpn.example.com)", 1, Duration::ZERO);
    ends(&network, pppd);
}

fn openwrt_s_command_line_works_as_it_is(version: Version) {
    let mut network = network(version);
    serve_as_accel_pptp(&mut network);
    let client = &network.client;
    client.write("/etc/ppp/chap-secrets", "");
    network.server.run("umask 077; echo 'alice * open-sesame *' > /etc/ppp/chap-secrets");
    put(client, MIGRATING, "tested: openwrt options");
    let line = block(MIGRATING, "tested: openwrt command");
    let options = line.trim().strip_prefix("/usr/sbin/pppd ").unwrap();
    let pppd = Pppd::start(client, "client", options);
    comes_up(&network, &pppd, "192.168.0.1");
    assert_eq!(client.interfaces(), ["pptp-vpn"]);
    ends(&network, pppd);
}

fn poptop_s_files_and_a_changed_one_of_pptp_linux_s_work(version: Version) {
    let network = network(version);
    let Network { client, server, .. } = &network;
    for file in ["tested: pptpd.conf", "tested: pptpd-options"] {
        put(server, MIGRATING, file);
    }
    // For the guide's "logwtmp".
    server.run("mount -t tmpfs tmpfs /var/log; : > /var/log/wtmp");
    let mut daemon = check_and_start(server, &block(MIGRATING, "run: pptpd"));
    put(client, MIGRATING, "tested: pptp-linux after");
    let pppd = Pppd::start(client, "client", "call office nodetach");
    comes_up(&network, &pppd, "192.168.0.1");
    daemon.signal("TERM");
    assert_eq!(daemon.exit_status(SOON), 0);
    drop(pppd);
    network.assert_nothing_left();
}

/// Runs a guide's two commands.
fn check_and_start<'a>(server: &'a Machine, commands: &str) -> Daemon<'a> {
    let [check, start] = commands.lines().collect::<Vec<_>>()[..] else { panic!("two commands: {commands}") };
    let said = run(server, check);
    assert!(said.contains("no errors, no warnings"), "{said}");
    Daemon::start_with(server, start.strip_prefix("# pptp-rsd ").unwrap())
}

/// Runs a command of a guide's, with its prompt.
fn run(machine: &Machine, command: &str) -> String {
    machine.run(&format!("PATH=/run/bin:$PATH; {}", command.strip_prefix("# ").unwrap()))
}

fn the_server_guide_s_files_and_commands_work(version: Version) {
    let network = network(version);
    let Network { client, server, .. } = &network;
    for file in ["tested: server configuration", "tested: server options"] {
        put(server, SERVER, file);
    }
    let mut daemon = check_and_start(server, &block(SERVER, "run: server"));
    put(client, "README.md", "tested: first tunnel");
    let pppd = Pppd::start(client, "client", "call office nodetach maxfail 1 holdoff 100");
    comes_up(&network, &pppd, "10.20.0.1");
    // The server's end of the link may be up a little later, and its pppd slow to tell of it.
    eventually("the server knows the client", SOON, || {
        let said = run(server, "# pptp-rsctl --json sessions");
        (said.contains("alice") && said.contains("10.20.0.2")).then_some(())
    });
    let said: Vec<String> = block(SERVER, "run: operators").lines().map(|command| run(server, command)).collect();
    let known = ["alice", "10.20.0.2", "\"sessions-running\":1", "1 session told to end"];
    for (said, known) in said.iter().zip(known) {
        assert!(said.contains(known), "{known}: {said}");
    }
    pppd.wait_for("Connection terminated", 1, SOON);
    daemon.signal("TERM");
    assert_eq!(daemon.exit_status(SOON), 0);
    drop(pppd);
}

fn the_readme_s_first_commands_work(version: Version) {
    let mut network = network(version);
    serve_as_accel_pptp(&mut network);
    let client = &network.client;
    client.write("/etc/ppp/chap-secrets", "");
    let commands = block("README.md", "run: first tunnel");
    let commands = commands.lines().map(|line| line.split("   #").next().unwrap().trim_start_matches("# "));
    // What is asked on a terminal is read from standard input where there is none.
    let said = commands.map(|command| client.run(&format!("PATH=/run/bin:$PATH; echo 'open sesame' | {command}")));
    let said: Vec<String> = said.collect();
    let known = ["office", "ok", "office is up: ppp0", "MPPE-128 stateless"];
    for (said, known) in said.iter().zip(known) {
        assert!(said.contains(known), "{known}: {said}");
    }
    eventually("a ping is answered", SOON, || (client.pings(1, 56, "192.168.0.1") == 1).then_some(()));
    client.run("/run/bin/pptp-rs-setup stop office");
    network.assert_nothing_left();
}

fn the_readme_s_first_file_works(version: Version) {
    let mut network = network(version);
    serve_as_accel_pptp(&mut network);
    put(&network.client, "README.md", "tested: first tunnel");
    let pppd = Pppd::start(&network.client, "client", "call office nodetach");
    comes_up(&network, &pppd, "192.168.0.1");
    ends(&network, pppd);
}
