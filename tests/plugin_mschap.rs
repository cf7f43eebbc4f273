//! MS-CHAP of the plugin, in a pppd of straw.

mod fake_host;

use fake_host::{Ran, run_with_variables};
use pptp_core::mppe::{MasterKey, Role, Traffic, mschap1_start_key};
use pptp_core::mschap::{Password, PasswordHash, RESPONSE_LENGTH, v1, v2};

const CHALLENGE: [u8; 8] = [0x10, 0x2d, 0xb5, 0xdf, 0x08, 0x5d, 0x30, 0x41];
const CHALLENGE_2: [u8; 16] = *b"[]|}{?/><,`!2&&(";
const PEER_CHALLENGE: [u8; 16] = *b"!@#$%^&*()_+:3|~";

fn mschap(option: &str, variables: &[(&str, &str)], commands: &[&str]) -> Ran {
    let words = [&["pptp_server", "192.0.2.1", "pptp_mschap", option, "@check", "@mschap"], commands].concat();
    run_with_variables(&words, variables)
}

/// The plugin's, whatever pppd has; with a user and a password.
fn internal(name: &str, password: &str, commands: &[&str]) -> Ran {
    let given = [&*format!("@name={name}"), &*format!("@password={password}")];
    mschap("internal", &[], &[&given, commands].concat())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]
fn widened(password: &str) -> PasswordHash {
    PasswordHash::of(&Password::new(password.as_bytes()).unwrap())
}

/// `@verify` of a response to one of the challenges above.
fn verify(challenge: &[u8], response: &[u8]) -> String {
    format!("@verify={},{}", hexadecimal(challenge), hexadecimal(response))
}

fn exchange(user_name: &str) -> v2::Exchange<'_> {
    let user_name = user_name.as_bytes();
    v2::Exchange { authenticator_challenge: CHALLENGE_2, peer_challenge: PEER_CHALLENGE, user_name }
}

#[test]
fn pppd_keeps_its_own_if_it_is_right() {
    for option in ["auto", "pppd"] {
        let ran = mschap(option, &[], &[]);
        // What was tried has left no keys behind.
        for line in ["mschap v1 pppd", "mschap v2 pppd", "keys none"] {
            assert!(ran.says(line), "{option}: {line}: {ran:?}");
        }
        assert_eq!(ran.after("info: MS-CHAP").len() + ran.after("debug: MS-CHAP").len(), 0, "{ran:?}");
    }
    let ran = mschap("pppd", &[("BAD_MSCHAP", "1"), ("BAD_KEYS", "1")], &[]);
    assert!(ran.says("mschap v1 pppd") && ran.says("mschap v2 pppd"), "{ran:?}");
}

#[test]
fn a_wrong_result_is_seen_before_any_login() {
    let ran = mschap("auto", &[("BAD_MSCHAP", "1")], &[]);
    for line in ["mschap v1 plugin", "mschap v2 plugin", "keys none"] {
        assert!(ran.says(line), "{line}: {ran:?}");
    }
    let line = "info: MS-CHAPv2 is the plugin's, as pppd's own gives wrong results here (MD4 and DES are not allowed?)";
    assert!(ran.says(line), "{ran:?}");
}

/// pppd 2.5.2 has a receive key of zeros.
#[test]
fn wrong_keys_of_version_1_are_seen_too() {
    let ran = mschap("auto", &[("BAD_KEYS", "1")], &[]);
    for line in ["mschap v1 plugin", "mschap v2 pppd", "keys none"] {
        assert!(ran.says(line), "{line}: {ran:?}");
    }
    assert!(ran.says("dbglog: MS-CHAPv1 is the plugin's, as pppd's own gives wrong results here"), "{ran:?}");
}

/// Nobody else makes keys of 40 and 56 bits.
#[test]
fn version_1_is_the_plugins_where_the_ccp_is() {
    let words = ["pptp_server", "192.0.2.1", "pptp_datapath", "kernel", "pptp_mppe", "optional", "@check", "@mschap"];
    let ran = run_with_variables(&words, &[]);
    assert!(ran.says("mschap v1 plugin") && ran.says("mschap v2 pppd"), "{ran:?}");
    let ran = run_with_variables(&[&["pptp_mschap", "pppd"], &words[..]].concat(), &[]);
    assert!(ran.says("mschap v1 pppd") && ran.says("mschap v2 pppd"), "{ran:?}");
}

#[test]
fn version_1_answers_as_the_rfcs_have_it() {
    let ran = internal("User", "clientPass", &["@v1", &format!("@respond=1,{}", hexadecimal(&CHALLENGE)), "@keys"]);
    let response = v1::Response::new(widened("clientPass").challenge_response(CHALLENGE)).emit();
    assert_eq!(ran.after("response "), [hexadecimal(&response)]);
    // RFC 3079 §2.5.3.
    for which in ["send key ", "receive key "] {
        assert_eq!(ran.after(which), ["a8947850cfc0acc1d1789fb62ddcddb0"]);
    }
}

#[test]
fn version_1_accepts_the_right_response_and_no_other() {
    let response = |password| v1::Response::new(widened(password).challenge_response(CHALLENGE));
    let right = response("clientPass");
    let lan_manager = v1::Response { use_nt: 0, ..right };
    let denied = format!("0 E=691 R=0 C={} V=2", hexadecimal(&CHALLENGE).to_uppercase());
    for (response, verdict) in [
        (&response("clientpass").emit()[..], &*denied),
        (&lan_manager.emit(), &denied),
        (&right.emit()[..48], &denied),
        (&[], &denied),
        (&[&right.emit()[..], b"x"].concat(), &denied),
        (&right.emit(), "1 Access granted"),
        (&v1::Response { lan_manager: [7; 24], use_nt: 5, ..right }.emit(), "1 Access granted"),
    ] {
        let ran = internal("User", "clientPass", &["@v1", &verify(&CHALLENGE, response), "@keys"]);
        assert_eq!(ran.after("verdict "), [verdict], "{response:?}");
        let key = mschap1_start_key(&CHALLENGE, widened("clientPass").hash().as_bytes());
        let expected = if verdict.starts_with('1') { hexadecimal(key.as_bytes()) } else { String::new() };
        assert_eq!((ran.after("send key "), ran.after("receive key ")), (vec![&*expected], vec![&*expected]));
        assert_eq!(ran.lines.iter().any(|line| line.contains("LAN Manager")), response == lan_manager.emit());
    }
}

#[test]
fn version_1_does_not_look_at_what_a_server_says_that_accepts() {
    let ran = internal("User", "x", &["@v1", "@success=1,Welcome"]);
    assert!(ran.says("success unseen"), "{ran:?}");
}

#[test]
fn challenges_have_their_length_and_are_never_the_same() {
    for (version, digits) in [("@v1", 16), ("@v2", 32)] {
        let ran = internal("", "", &[version, "@challenge", "@challenge"]);
        let challenges = ran.after("challenge ");
        assert!(challenges.iter().all(|challenge| challenge.len() == digits), "{ran:?}");
        assert_ne!(challenges[0], challenges[1]);
    }
}

#[test]
fn a_challenge_of_another_length_is_not_answered() {
    let zeros = hexadecimal(&[0; RESPONSE_LENGTH]);
    for (version, name, lengths, right) in
        [("@v1", "MS-CHAPv1", [0, 7, 16, 255], 8), ("@v2", "MS-CHAPv2", [0, 8, 15, 17], 16)]
    {
        for length in lengths {
            let challenge = format!("@respond=1,{}", "5a".repeat(length));
            let ran = internal("alice", "open sesame", &[version, &challenge, "@keys"]);
            assert_eq!(ran.after("response "), [&zeros], "{ran:?}");
            assert!(ran.says(&format!("error: {name}: a challenge of {length} bytes instead of {right}")), "{ran:?}");
            assert!(ran.says("send key "), "{ran:?}");
        }
    }
}

/// As pppd has it: each byte is a character, whatever the encoding.
#[test]
fn passwords_are_taken_as_pppd_takes_them() {
    for password in ["", "pässwörd", "\u{7f}\u{1}", "p a ss", &"x".repeat(255), &"é".repeat(128)] {
        let response = v1::Response::new(widened(password).challenge_response(CHALLENGE)).emit();
        let ran = internal("alice", password, &["@v1", &format!("@respond=1,{}", hexadecimal(&CHALLENGE))]);
        assert_eq!(ran.after("response "), [hexadecimal(&response)], "{password:?}");

        let nt_response = exchange("alice").nt_response(&widened(password));
        let response = v2::Response::new(PEER_CHALLENGE, nt_response).emit();
        let ran = internal("alice", password, &["@v2", &verify(&CHALLENGE_2, &response)]);
        assert!(ran.after("verdict ")[0].starts_with("1 S="), "{password:?}: {ran:?}");
    }
    let too_long = &"x".repeat(257);
    let ran = internal("alice", too_long, &["@v1", &format!("@respond=1,{}", hexadecimal(&CHALLENGE)), "@keys"]);
    assert_eq!(ran.after("response "), [hexadecimal(&[0; RESPONSE_LENGTH])]);
    assert!(ran.says("error: MS-CHAPv1: password of 257 characters; ms-chap takes at most 256"), "{ran:?}");
    assert!(ran.says("send key "), "{ran:?}");
}

/// Version 2 leaves the domain out of what it hashes; version 1 does not hash the name. pppd itself takes the domain off a
/// peer's name if it is told to (chapms-strip-domain).
#[test]
fn names_are_taken_as_pppd_takes_them() {
    let long = "n".repeat(256);
    for name in ["User", "BIGCO\\User", "a\\b\\User", "User@bigco.example", "BIGCO\\", "", "Benützer", &long] {
        let hashed = name.rsplit('\\').next().unwrap();
        let nt_response = exchange(hashed).nt_response(&widened("clientPass"));
        let response = v2::Response::new(PEER_CHALLENGE, nt_response);
        let proof = exchange(hashed).authenticator_response(&widened("clientPass"), &nt_response);
        let ran = internal(name, "clientPass", &["@v2", &verify(&CHALLENGE_2, &response.emit()), "@keys"]);
        assert_eq!(ran.after("verdict "), [format!("1 {proof} M=Access granted")], "{name}");
        let keys = MasterKey::new(widened("clientPass").hash().as_bytes(), &nt_response);
        for (which, traffic) in [("send key ", Traffic::Send), ("receive key ", Traffic::Receive)] {
            assert_eq!(ran.after(which), [hexadecimal(keys.start_key(Role::Server, traffic).as_bytes())]);
        }
    }
}

/// It sets a flag in its response.
#[test]
fn windows_98_gets_no_text() {
    let nt_response = exchange("User").nt_response(&widened("clientPass"));
    let response = v2::Response { flags: 4, ..v2::Response::new(PEER_CHALLENGE, nt_response) };
    let ran = internal("User", "clientPass", &["@v2", &verify(&CHALLENGE_2, &response.emit())]);
    assert_eq!(ran.after("verdict "), ["1 S=407A5589115FD0D6209F510FE9C04566932CDA56"]);
}

#[test]
fn version_2_denies_any_other_response() {
    let nt_response = exchange("User").nt_response(&widened("clientPass"));
    let right = v2::Response::new(PEER_CHALLENGE, nt_response).emit();
    let denied = format!("0 E=691 R=0 C={} V=3 M=Access denied", hexadecimal(&CHALLENGE_2).to_uppercase());
    let other_challenge = [&[right[0] ^ 1], &right[1..]].concat();
    for response in [&right[..48], &right[..1], &[], &[&right[..], b"x"].concat(), &other_challenge] {
        let ran = internal("User", "clientPass", &["@v2", &verify(&CHALLENGE_2, response), "@keys"]);
        assert_eq!(ran.after("verdict "), [&denied]);
        assert!(ran.says("send key "), "{ran:?}");
    }
    let ran = internal("user", "clientPass", &["@v2", &verify(&CHALLENGE_2, &right)]);
    assert_eq!(ran.after("verdict "), [&denied], "the name's letters count");
}

#[test]
fn both_ends_understand_each_other() {
    let ran = internal("BIGCO\\alice", "open sesame", &["@v1", "@both", "@keys"]);
    assert!(ran.says("client 1") && !ran.says("send key "), "{ran:?}");
    let ran = internal("BIGCO\\alice", "open sesame", &["@v2", "@both", "@keys"]);
    for line in ["client 1", "server 1", "server of another time 0", "false server 0"] {
        assert!(ran.says(line), "{line}: {ran:?}");
    }
    assert!(!ran.says("send key "), "{ran:?}");
}

/// What the server says has to be what it can say only if it knows the password; how it writes it is its own affair.
#[test]
fn a_server_has_to_prove_that_it_knows_the_password() {
    let challenge = format!("@respond=7,{}", hexadecimal(&CHALLENGE_2));
    let ran = internal("User", "clientPass", &["@v2", &challenge, &challenge, "@success=7,Welcome", "@keys"]);
    let responses = ran.after("response ");
    assert_eq!(responses[0], responses[1], "a challenge that comes again gets the same response");
    assert!(ran.says("success 0") && ran.says("send key "), "{ran:?}");
    assert!(ran.says("error: MS-CHAPv2: the server's success message has no authenticator response"), "{ran:?}");
    for false_proof in ["", "S=", "S=407A5589115FD0D6209F510FE9C04566932CDA56", "M=Access granted", &"S=4".repeat(333)]
    {
        let ran = internal("User", "clientPass", &["@v2", &challenge, &format!("@success=7,{false_proof}")]);
        assert!(ran.says("success 0"), "{false_proof}: {ran:?}");
    }
}

/// A recorded login is no proof on another link: there the same challenge gets another response. Nor do keys stay.
#[test]
fn a_login_counts_on_its_own_link_alone() {
    let challenge = format!("@respond=7,{}", hexadecimal(&CHALLENGE_2));
    let ran = internal("User", "clientPass", &["@v2", &challenge, "@linkdown", &challenge]);
    let responses = ran.after("response ");
    assert_eq!(responses.len(), 2, "{ran:?}");
    assert_ne!(responses[0], responses[1]);
    let challenge = format!("@respond=7,{}", hexadecimal(&CHALLENGE));
    let ran = internal("User", "clientPass", &["@v1", &challenge, "@keys", "@linkdown", "@keys"]);
    let keys = ran.after("send key ");
    assert!(keys.len() == 2 && keys[0].len() == 32 && keys[1].is_empty(), "{ran:?}");
}

#[test]
fn challenges_that_are_none_fill_no_log() {
    let wrong = ["@respond=1,00", "@respond=2,0011"];
    for (version, line) in [("@v1", "error: MS-CHAPv1: a challenge of "), ("@v2", "error: MS-CHAPv2: a challenge of ")]
    {
        let ran = internal("User", "clientPass", &[&[version], &wrong[..], &["@linkdown"], &wrong].concat());
        assert_eq!((ran.after("response ").len(), ran.after(line).len()), (4, 2), "{ran:?}");
    }
}

/// A line for each of Windows' codes; pppd says no less.
#[test]
fn failures_are_told_in_plain_words() {
    for (message, reason) in [
        ("E=646 R=0 V=3", "not allowed at this time (646)"),
        ("E=647 R=0 C=0102030405060708 V=2", "account disabled (647)"),
        ("E=648 R=0 V=3 M=Too old", "password expired (648), and pppd cannot change it: Too old"),
        ("E=649 R=0", "no permission to dial in (649)"),
        ("E=691 R=1 C=00 V=3 M=Access denied", "wrong user name or password (691): Access denied"),
        ("E=709 R=0 V=3", "password not changed (709)"),
        ("E=4711 R=0 M=x", "refused (4711): x"),
        ("R=1", "no reason given"),
        ("", "no reason given"),
        ("Go away", "Go away"),
        ("%s%n\u{1b}[2J", "%s%n\\u{1b}[2J"),
        ("E=", "no reason given"),
        ("E=691 M=", "wrong user name or password (691)"),
    ] {
        for (version, name) in [("@v1", "MS-CHAPv1"), ("@v2", "MS-CHAPv2")] {
            let ran = internal("", "", &[version, &format!("@failure={message}")]);
            assert_eq!(ran.after(&format!("error: {name}: login refused: ")), [reason], "{ran:?}");
        }
    }
    let long = "y".repeat(1000);
    let ran = internal("", "", &["@v2", &format!("@failure=E=649 M={long}")]);
    assert!(ran.says(&format!("error: MS-CHAPv2: login refused: no permission to dial in (649): {long}")), "{ran:?}");
}

#[test]
fn no_bytes_of_a_peer_break_it() {
    let ran = mschap("internal", &[], &["@random=5000"]);
    assert!(ran.says("tried anything"), "{:?}", ran.lines.last());
    assert!(!ran.lines.iter().any(|line| line.contains("panic")), "{ran:?}");
}

#[test]
fn no_password_is_in_the_log() {
    let v1 = format!("@respond=1,{}", hexadecimal(&CHALLENGE));
    let v2 = format!("@respond=1,{}", hexadecimal(&CHALLENGE_2));
    let ran = internal("alice", "open sesame", &["@v1", &v1, "@failure=E=691", "@v2", &v2, "@success=1,S="]);
    assert!(!ran.lines.iter().any(|line| line.contains("open sesame")), "{ran:?}");
}
