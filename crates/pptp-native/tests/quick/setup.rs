//! pptp-rs-setup: profiles that it makes, and what it finds out about them, with pptp-rsd or the scripted server at the other end.
#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail like the test")]

use pptp_native::{Daemon, Network, SERVER, SOON, Version, Way, eventually, with_either_pppd};

with_either_pppd! {
    a_profile_is_made_started_tried_stopped_and_deleted,
    odd_passwords_and_users_log_in,
    a_profile_that_cannot_be_made_changes_nothing,
    a_test_tells_which_of_the_layers_below_the_call_fails,
    a_test_tells_that_the_call_is_refused,
    a_test_tells_that_gre_does_not_come,
    a_test_tells_that_gre_comes_and_does_not_go,
    a_test_runs_no_scripts_and_takes_no_default_route,
    a_test_tells_that_the_password_is_wrong,
    a_test_tells_that_the_server_does_not_encrypt,
    a_test_tells_that_only_one_end_wants_encryption,
    a_test_tells_that_the_server_wants_another_login,
    a_test_tells_that_there_is_no_address,
    a_test_that_is_interrupted_leaves_nothing,
}

const SETUP: &str = "/run/bin/pptp-rs-setup";

const OPTIONS: &str = "auth require-mschap-v2 name server require-mppe-128 noipv6";

/// A client without any file of pppd's, and a server that knows alice's password.
fn network(version: Version) -> Network {
    let network = Network::new(version);
    network.server.run("umask 077; echo 'alice * secret *' > /etc/ppp/chap-secrets");
    network
}

/// A command that makes the profile `office`.
fn create(server: &str, user: &str, password: &str, options: &str) -> String {
    format!(
        "printf '%s\\n' '{password}' | {SETUP} create office --server '{server}' --user '{user}' \
         --plugin /run/plugin/pptp-rs.so --datapath tun {options}"
    )
}

/// What a command of the client says, and how it ends.
fn run(network: &Network, line: &str) -> (i32, String) {
    let output = network.client.command(line).output().unwrap();
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    (output.status.code().unwrap(), text)
}

/// All files below /etc/ppp, with their modes and what is in them.
fn files(network: &Network) -> String {
    network.client.run("cd /etc/ppp && find . -type f | sort | while read f; do stat -c '%n %a %U' $f; cat $f; done")
}

/// Makes the profile anew and tries it: the layer that fails, with what is said of it; nothing else has failed, and nothing
/// is left.
fn failure(network: &Network, server: &str, password: &str, options: &str) -> String {
    network.client.run(&create(server, "alice", password, &format!("{options} --force")));
    failure_of(network, "office", password)
}

/// Tries the profile that is there, with these options of `test`.
fn failure_of(network: &Network, options: &str, password: &str) -> String {
    let (status, said) = run(network, &format!("{SETUP} test {options}"));
    assert_eq!(status, 1, "{said}");
    assert!(!said.contains(password), "{said}");
    let failed: Vec<_> = said.lines().filter(|line| line.starts_with("FAILED")).collect();
    assert_eq!(failed.len(), 1, "{said}");
    assert!(said.contains("what to do: "), "{said}");
    assert_eq!(said.lines().filter(|line| !line.starts_with("  ")).count(), 10, "{said}");
    failed[0].to_owned()
}

/// Makes sure that a layer has failed, and that this is said of it.
#[track_caller]
fn assert_failure(failure: &str, layer: &str, text: &str) {
    let rest = failure.strip_prefix("FAILED").unwrap().trim_start();
    assert!(rest.starts_with(layer) && rest.contains(text), "{failure}");
}

fn a_profile_is_made_started_tried_stopped_and_deleted(version: Version) {
    let network = network(version);
    // With IPv6, which may be up before IPv4 is.
    let mut daemon = Daemon::start(&network.server, "", &OPTIONS.replace("noipv6", "+ipv6"));
    network.client.run("umask 077; printf 'bob * hush *' > /etc/ppp/chap-secrets");
    let before = files(&network);
    let said = network.client.run(&create(SERVER, "alice", "secret", "--start"));
    assert!(said.contains("office is up: ppp0, 10.99.0.2 here, 10.99.0.1 there"), "{said}");
    eventually("a ping is answered", SOON, || (network.client.pings(1, 56, "10.99.0.1") == 1).then_some(()));
    assert_eq!(network.client.run("stat -c %a /etc/ppp/peers/office /etc/ppp/chap-secrets"), "600\n600\n");
    // What it has said went through a pipe, of which it has nothing any more. One is its own; others may be the machine's.
    let pipes = "pipes() { ls -l /proc/$1/fd | grep -o 'pipe:.*' | sort -u; }; \
                 for pipe in $(pipes $(head -1 /run/ppp-pptp-rs-office.pid)); do pipes 1 | grep -qF $pipe || echo $pipe; done";
    assert_eq!(network.client.run(pipes).lines().count(), 1);
    let list = network.client.run(&format!("{SETUP} list"));
    let row: Vec<_> = list.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..5], ["office", SERVER, "alice", "up,", "ppp0"]);
    let shown = network.client.run(&format!("{SETUP} show office; {SETUP} start office"));
    assert!(shown.contains("in chap-secrets\n") && !shown.contains("\"secret"), "{shown}");
    assert!(shown.contains("office is up already: ppp0"), "{shown}");
    let (status, said) = run(&network, &format!("{SETUP} test office"));
    assert!(status == 1 && said.starts_with("FAILED") && said.contains("it is up: ppp0"), "{said}");
    let (status, said) = run(&network, &format!("{SETUP} delete office"));
    assert!(status == 1 && said.contains("office is up: \"pptp-rs-setup stop office\" first"), "{said}");
    for said in ["office is down\n", "office is not up\n"] {
        assert_eq!(run(&network, &format!("{SETUP} stop office")), (0, said.into()));
    }
    let (status, said) = run(&network, &format!("{SETUP} test office"));
    assert_eq!(said.lines().filter(|line| line.starts_with("ok ")).count(), 10, "{said}");
    assert_eq!((status, said.lines().count()), (0, 10), "{said}");
    assert_eq!(run(&network, &format!("{SETUP} delete office")), (0, "office is removed\n".into()));
    assert_eq!(files(&network), before);
    daemon.signal("TERM");
    assert_eq!(daemon.exit_status(SOON), 0);
    network.assert_nothing_left();
}

/// The other end has the same secrets, in the words of a file that this program has made. As a server pppd escapes what is not ASCII
/// in the name of who calls, so names are ASCII here.
fn odd_passwords_and_users_log_in(version: Version) {
    let network = network(version);
    let _daemon = Daemon::start(&network.server, "", OPTIONS);
    let odd = [
        ("alice", r##"a"b\c d#e$f`g(h)*"##),
        ("CORP\\al ice#\"", "\\\\n \\x41 \\101 \t"),
        ("al'ice", "p\u{e4}ss \u{20ac} \u{1f511}"),
        ("-al-", "@x 'not quoted"),
        ("a*", "#"),
    ];
    for (user, password) in odd {
        network.client.write("/run/test/password", &format!("{password}\n"));
        let user_word = user.replace('\'', "'\\''");
        network.client.run(&create(SERVER, &user_word, "", "--force --password-file /run/test/password"));
        // Who logs in is whatever the client says, by its own file's words.
        let secrets = network.client.read("/etc/ppp/chap-secrets").replace(" pptp-rs-office ", " * ");
        network.server.write("/etc/ppp/chap-secrets", &secrets);
        let said = network.client.run(&format!("{SETUP} start office; {SETUP} stop office"));
        assert!(said.contains("office is up"), "{user} {password}: {said}");
    }
}

fn a_profile_that_cannot_be_made_changes_nothing(version: Version) {
    let network = network(version);
    network.client.run(&create(SERVER, "alice", "secret", ""));
    let before = files(&network);
    let make = create(SERVER, "bob", "other", "");
    let (status, said) = run(&network, &make);
    assert!(status == 1 && said.contains("--force replaces it"), "{said}");
    let (status, said) = run(&network, &make.replace("create office", "--create ../x"));
    assert!(status == 2 && said.contains("cannot be the name"), "{said}");
    let (status, said) = run(&network, &format!("{SETUP} --create x --server h --username u --password hush"));
    assert!(status == 2 && said.contains("--password-file") && !said.contains("hush"), "{said}");
    let (status, said) = run(&network, &create(SERVER, "bob", "", "--force"));
    assert!(status == 1 && said.contains("the password is empty"), "{said}");
    // No room for the second file.
    network.client.run("mkdir /etc/ppp/peers/other");
    let (status, said) = run(&network, &make.replace("create office", "create other --force"));
    assert!(status == 1 && said.contains("other"), "{said}");
    assert_eq!(files(&network), before);
}

fn a_test_tells_which_of_the_layers_below_the_call_fails(version: Version) {
    let mut network = network(version);
    let name = failure(&network, "no.such.name.invalid", "secret", "");
    assert_failure(&name, "name", "no.such.name.invalid has no address");
    let nothing = failure(&network, SERVER, "secret", "");
    assert_failure(&nothing, "TCP", "connection refused: nothing listens there");
    // Nobody answers for this address, but there is a way to it.
    network.client.run("ip neigh add 192.0.2.77 lladdr 02:00:00:00:00:01 dev cable");
    network.client.run(&create("192.0.2.77", "alice", "secret", "--force"));
    let hole = failure_of(&network, "office --timeout 2", "secret");
    assert_failure(&hole, "TCP", "192.0.2.77 port 1723: no answer");
    network.serve_with("--on sccrq=raw:485454502f312e3120343030204261642052657175657374,close");
    let web = failure(&network, SERVER, "secret", "");
    assert_failure(&web, "control connection", "the server does not speak pptp");
}

fn a_test_tells_that_the_call_is_refused(version: Version) {
    let mut network = network(version);
    network.serve_with("--on ocrq=reply:result=4");
    assert_failure(&failure(&network, SERVER, "secret", ""), "call", "refused the call: busy (4)");
    let (status, said) = run(&network, &format!("{SETUP} start office"));
    assert!(status == 1 && said.contains("call: ") && said.contains("busy (4)"), "{said}");
    network.assert_nothing_left();
}

fn a_test_tells_that_gre_does_not_come(version: Version) {
    let mut network = network(version);
    network.swallow_gre();
    // A server that does all but speak PPP.
    network.serve_with("");
    let failure = failure(&network, SERVER, "secret", "");
    assert_failure(&failure, "link (GRE, LCP)", "no GRE packet (IP protocol 47) has come from the server");
    network.assert_nothing_left();
}

fn a_test_tells_that_gre_comes_and_does_not_go(version: Version) {
    let (mut network, middle) = Network::with_middle(version);
    network.serve_with_password("secret", "require-mppe-128");
    middle.rewrite(|way, frame| if way == Way::Up { Vec::new() } else { vec![frame] });
    network.client.run(&create(SERVER, "alice", "secret", ""));
    let failure = failure_of(&network, "office --timeout 10", "secret");
    assert_failure(&failure, "link (GRE, LCP)", "the server's packets come, but it does not answer ours");
}

fn a_test_runs_no_scripts_and_takes_no_default_route(version: Version) {
    let network = network(version);
    let _daemon = Daemon::start(&network.server, "", &OPTIONS.replace("noipv6", "+ipv6"));
    // Without a name of its own for it, pppd 2.4.9 runs that one.
    let scripts =
        if version == Version::V2_4_9 { &["ip-up", "ip-down"][..] } else { &["ip-pre-up", "ip-up", "ip-down"] };
    for script in scripts.iter().chain(&["ipv6-up", "ipv6-down"]) {
        network.client.script(&format!("/etc/ppp/{script}"), &format!("echo {script} >> /run/test/scripts"));
    }
    network.client.run(&create(SERVER, "alice", "secret", "--default-route"));
    assert_eq!(run(&network, &format!("{SETUP} test office")).0, 0);
    assert_eq!(network.client.read("/run/test/scripts"), "");
    // As against a tunnel that is meant.
    network.client.run(&format!("{SETUP} start office"));
    eventually("scripts run", SOON, || network.client.read("/run/test/scripts").contains("ip-up\n").then_some(()));
    eventually("the route is there", SOON, || {
        network.client.run("ip route").contains("default dev ppp0").then_some(())
    });
    network.client.run(&format!("{SETUP} stop office"));
}

fn a_test_tells_that_the_password_is_wrong(version: Version) {
    let network = network(version);
    let _daemon = Daemon::start(&network.server, "", OPTIONS);
    let failure = failure(&network, SERVER, "wrong", "");
    assert_failure(&failure, "authentication", "authentication failed");
    let (status, said) = run(&network, &format!("{SETUP} start office"));
    assert!(status == 1 && said.contains("authentication: ") && said.contains("what to do: "), "{said}");
    network.client.run("sed -i s/pptp-rs-office/other/ /etc/ppp/chap-secrets");
    let (status, said) = run(&network, &format!("{SETUP} test office"));
    assert!(
        status == 1 && said.starts_with("FAILED       profile") && said.contains("has no password of alice"),
        "{said}"
    );
}

fn a_test_tells_that_the_server_does_not_encrypt(version: Version) {
    let network = network(version);
    let _daemon = Daemon::start(&network.server, "", "auth require-mschap-v2 name server nomppe noipv6");
    assert_failure(&failure(&network, SERVER, "secret", ""), "encryption", "MPPE required");
    network.client.run(&create(SERVER, "alice", "secret", "--force --no-encrypt"));
    let (status, said) = run(&network, &format!("{SETUP} test office"));
    assert!(status == 0 && said.contains("encryption          none"), "{said}");
}

fn a_test_tells_that_only_one_end_wants_encryption(version: Version) {
    let network = network(version);
    let _daemon = Daemon::start(&network.server, "", OPTIONS);
    let failure = failure(&network, SERVER, "secret", "--no-encrypt");
    assert_failure(&failure, "encryption", "the server has ended it: \"MPPE required");
}

fn a_test_tells_that_the_server_wants_another_login(version: Version) {
    let network = network(version);
    network.server.run("umask 077; echo 'alice * secret *' > /etc/ppp/pap-secrets");
    let _daemon = Daemon::start(&network.server, "", "auth require-pap name server noipv6");
    assert_failure(&failure(&network, SERVER, "secret", ""), "authentication", "MPPE required, but MS-CHAP");
    assert_failure(&failure(&network, SERVER, "secret", "--no-encrypt"), "authentication", "refused to authenticate");
}

fn a_test_tells_that_there_is_no_address(version: Version) {
    let mut network = network(version);
    network.serve("auth require-mschap-v2 name server require-mppe-128 noipv6 noipdefault");
    let failure = failure(&network, SERVER, "secret", "");
    assert_failure(&failure, "address", "");
    network.assert_nothing_left();
}

fn a_test_that_is_interrupted_leaves_nothing(version: Version) {
    let mut network = network(version);
    network.swallow_gre();
    network.serve_with("");
    network.client.run(&create(SERVER, "alice", "secret", ""));
    let line = format!("echo $$ > /run/test/setup.pid; exec {SETUP} test office > /run/test/setup.out 2>&1");
    let mut test = network.client.command(&line).spawn().unwrap();
    eventually("the call is up", SOON, || {
        network.client.read("/run/test/setup.out").contains("ok           call").then_some(())
    });
    let process = network.client.read("/run/test/setup.pid").trim().parse().unwrap();
    network.client.signal("INT", process);
    let status = eventually("the test has ended", SOON, || test.try_wait().unwrap());
    assert_eq!(status.code(), Some(1));
    assert!(network.client.read("/run/test/setup.out").contains("was interrupted"));
    network.assert_nothing_left();
}
