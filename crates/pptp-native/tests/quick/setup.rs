//! pptp-rs-setup: profiles that it makes, and what it finds out about them, with pptp-rsd or the scripted server at the other end.

use pptp_native::{Daemon, Network, SERVER, SOON, Version, eventually, with_either_pppd};

with_either_pppd! {
    a_profile_is_made_started_listed_tried_stopped_and_deleted,
}

const SETUP: &str = "/run/bin/pptp-rs-setup";

const OPTIONS: &str = "auth require-mschap-v2 name server require-mppe-128 noipv6";

/// A client without any file of pppd's, and a server that knows alice's password.
fn network(version: Version) -> Network {
    let network = Network::new(version);
    network.server.run("umask 077; echo 'alice * secret *' > /etc/ppp/chap-secrets");
    network
}

/// What is given to `create`, but for the server and the user.
fn create(password: &str) -> String {
    format!("printf '%s\\n' '{password}' | {SETUP} create office --plugin /run/plugin/pptp-rs.so --datapath tun")
}

/// What a command of the client says, and how it ends.
fn setup(network: &Network, line: &str) -> (i32, String) {
    let output = network.client.command(line).output().unwrap();
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    (output.status.code().unwrap(), text)
}

/// All files below /etc/ppp, with their modes and what is in them.
fn files(network: &Network) -> String {
    network.client.run("cd /etc/ppp && find . -type f | sort | while read f; do stat -c '%n %a %U' $f; cat $f; done")
}

fn a_profile_is_made_started_listed_tried_stopped_and_deleted(version: Version) {
    let network = network(version);
    let mut daemon = Daemon::start(&network.server, "", OPTIONS);
    network.client.run("umask 027; printf 'bob * hush *' > /etc/ppp/chap-secrets");
    let before = files(&network);
    let said = network.client.run(&format!("{} --server {SERVER} --user alice --start", create("secret")));
    println!("{said}");
    assert!(said.contains("office is up: ppp0, 10.99.0.2 here, 10.99.0.1 there"), "{said}");
    eventually("a ping is answered", SOON, || (network.client.pings(1, 56, "10.99.0.1") == 1).then_some(()));
    assert_eq!(network.client.run("stat -c %a /etc/ppp/peers/office /etc/ppp/chap-secrets"), "600\n600\n");
    let list = network.client.run(&format!("{SETUP} list"));
    println!("{list}");
    let shown = network.client.run(&format!("{SETUP} show office"));
    println!("{shown}");
    assert!(!shown.contains("secret "), "{shown}");
    assert_eq!(setup(&network, &format!("{SETUP} stop office")), (0, "office is down\n".into()));
    assert_eq!(setup(&network, &format!("{SETUP} stop office")), (0, "office is not up\n".into()));
    let said = network.client.run(&format!("{SETUP} delete office"));
    println!("{said}");
    assert_eq!(files(&network), before.replace("chap-secrets 640", "chap-secrets 600"));
    daemon.signal("TERM");
    assert_eq!(daemon.exit_status(SOON), 0);
    network.assert_nothing_left();
}
