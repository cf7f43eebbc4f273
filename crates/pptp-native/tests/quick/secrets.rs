//! What must not be found anywhere: the password, and whatever is made of it. Here it is made once more, of what passes
//! on the way, and looked for in all that is written down.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use md4::Md4;
use pptp_core::mschap::PasswordHash;
use pptp_core::mschap::v2::{Exchange, Response};
use pptp_native::ppp::{Frame, protocol};
use pptp_native::{AT_ONCE, Machine, Middle, Network, Version, Way, with_either_pppd};
use rc4::{KeyInit, Rc4, StreamCipher};
use sha1::{Digest, Sha1};

with_either_pppd! {
    no_log_has_the_password_or_a_key,
    the_plugin_s_processes_leave_nothing_on_a_disk,
}

const PASSWORD: &str = "Xq9!zT-kV7+wPd";

/// So many bytes of a key in a row are not there by chance.
const PIECE: usize = 6;

/// Session keys of so many packets in each direction.
const PACKETS: usize = 4;

fn no_log_has_the_password_or_a_key(version: Version) {
    for (client, server) in [("internal", "pppd"), ("pppd", "internal")] {
        let (mut network, middle) = Network::with_middle(version);
        let loud = "debug kdebug 7 dump";
        network.serve_with_password(PASSWORD, &format!("require-mppe-128 {loud} pptp_mschap {server}"));
        // On the command line, too.
        network.client.run("rm /etc/ppp/chap-secrets");
        let options = format!("user alice password {PASSWORD} noipv6 require-mppe-128 {loud} pptp_mschap {client}");
        let mut pppd = network.dial_up("client", 1, &options);
        assert_eq!(network.client.pings(5, 56, "10.99.1.1"), 5);
        let secrets = secrets_of(&middle);
        pppd.signal("TERM");
        assert_eq!(pppd.exit_status(AT_ONCE), 5);
        network.assert_nothing_left();
        for machine in [&network.client, &network.server] {
            assert_nothing_of(&secrets, machine);
        }
    }
}

/// Each key by its name, from the password and what an observer has seen.
fn secrets_of(middle: &Middle) -> Vec<(String, Vec<u8>)> {
    let challenge = middle.seen_of(Way::Down, protocol::CHAP).remove(0);
    let response = middle.seen_of(Way::Up, protocol::CHAP).remove(0);
    let value = |frame: &Frame| frame.information[5..][..usize::from(frame.information[4])].to_vec();
    let response = Response::parse(&value(&response)).unwrap();
    let wide: Vec<u8> = PASSWORD.bytes().flat_map(|byte| [byte, 0]).collect();
    let hash: [u8; 16] = Md4::digest(&wide).into();
    let twice: [u8; 16] = Md4::digest(hash).into();
    let exchange = Exchange {
        authenticator_challenge: value(&challenge).try_into().unwrap(),
        peer_challenge: response.peer_challenge,
        user_name: b"alice",
    };
    let accepts = exchange.accepts(&PasswordHash::from_bytes(hash), &response.nt_response);
    assert!(accepts, "another password was hashed");
    let master = digest(&[&twice, &response.nt_response, b"This is the MPPE Master Key"]);
    let mut secrets = vec![
        (String::from("password"), PASSWORD.into()),
        (String::from("password in UTF-16"), wide),
        (String::from("password hash"), hash.to_vec()),
        (String::from("hash of the password hash"), twice.to_vec()),
        (String::from("master key"), master.to_vec()),
    ];
    for way in Way::BOTH {
        let start = start_key(&master, way);
        secrets.push((format!("start key {way:?}"), start.to_vec()));
        let packets = middle.seen_of(way, protocol::MPPE);
        let keys = session_keys(&start).into_iter().zip(packets).enumerate();
        secrets.extend(keys.map(|(number, (key, packet))| {
            // Else the wrong thing would be looked for.
            assert_eq!(&decrypted(&key, &packet)[..3], [0, 0x21, 0x45], "{number} {way:?}");
            (format!("session key {number} {way:?}"), key.to_vec())
        }));
    }
    assert_eq!(secrets.len(), 5 + 2 * (1 + PACKETS));
    secrets
}

fn digest(pieces: &[&[u8]]) -> [u8; 16] {
    let digest = Sha1::digest(pieces.concat());
    digest[..16].try_into().unwrap()
}

/// RFC 3079 §3.4: of the client's packets or the server's.
fn start_key(master: &[u8; 16], way: Way) -> [u8; 16] {
    let whose = match way {
        Way::Up => "On the client side, this is the send key; on the server side, it is the receive key.",
        Way::Down => "On the client side, this is the receive key; on the server side, it is the send key.",
    };
    digest(&[master, &[0; 40], whose.as_bytes(), &[0xf2; 40]])
}

/// RFC 3078 §7.3, of 128 bits: one for each packet.
fn session_keys(start: &[u8; 16]) -> [[u8; 16]; PACKETS] {
    let interim = |session: &[u8; 16]| digest(&[start, &[0; 40], session, &[0xf2; 40]]);
    let mut session = interim(start);
    [(); PACKETS].map(|()| {
        let key = interim(&session);
        session = key;
        rc4(&key, &mut session);
        session
    })
}

fn rc4(key: &[u8; 16], text: &mut [u8]) {
    Rc4::new_from_slice(key).unwrap().apply_keystream(text);
}

fn decrypted(key: &[u8; 16], packet: &Frame) -> Vec<u8> {
    let mut text = packet.information[2..].to_vec();
    rc4(key, &mut text);
    text
}

/// Looks through all that was written on a machine.
fn assert_nothing_of(secrets: &[(String, Vec<u8>)], machine: &Machine) {
    assert!(!machine.succeeds(&format!("grep -rqaF '{PASSWORD}' /run /tmp")), "the password is in a file");
    for (path, bytes) in machine.written() {
        let text = searchable(&bytes);
        for (name, secret) in secrets {
            let found = secret.windows(PIECE).flat_map(forms).find(|form| text.contains(form));
            assert_eq!(found, None, "the {name} is in {}", path.display());
        }
    }
}

/// Every byte as a character, without regard to case.
fn searchable(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte.to_ascii_lowercase())).collect()
}

/// The ways in which bytes are written down: as they are, and as numbers with this and that between them.
fn forms(bytes: &[u8]) -> Vec<String> {
    const NUMBERS: [fn(u8) -> String; 7] = [
        |byte| format!("{byte:02x}"),
        |byte| format!("{byte:x}"),
        |byte| format!("0x{byte:02x}"),
        |byte| format!("0x{byte:x}"),
        |byte| format!("\\x{byte:02x}"),
        |byte| format!("\\{byte:03o}"),
        |byte| byte.to_string(),
    ];
    const BETWEEN: [&str; 6] = ["", " ", ":", "-", ",", ", "];
    let joined = |number: fn(u8) -> String| {
        let numbers: Vec<String> = bytes.iter().map(|&byte| number(byte)).collect();
        BETWEEN.map(|between| numbers.join(between))
    };
    NUMBERS.into_iter().flat_map(joined).chain([searchable(bytes)]).collect()
}

#[test]
fn secrets_are_recognized_in_every_form() {
    const KEY: [u8; 8] = [0x01, 0xab, 0x7f, 0x00, 0x41, 0xff, 0x10, 0x5c];
    let log = |text: &str| searchable(text.as_bytes());
    let found = |text: &str| forms(&KEY[1..7]).iter().any(|form| log(text).contains(form));
    let debug = format!("{KEY:?} {KEY:x?} {KEY:#04x?}").replace("\n", "");
    for text in [&debug, "01AB7F0041FF105C", "01:ab:7f:00:41:ff:10:5c", "<01ab7f0041ff105c>", "01 ab 7f 00 41 ff 10 5c"]
    {
        assert!(found(text), "{text}");
    }
    assert!(searchable(b"..\xab\x7f\0A\xff\x10..").contains(&searchable(&KEY[1..7])));
    assert!(!found("01ab7f0041fe105c"));
}

/// Neither by a crash, which a core file would be, nor by somebody else of the same user, who might read their memory.
fn the_plugin_s_processes_leave_nothing_on_a_disk(version: Version) {
    const WITH_USER: &str = "for file in passwd group; do cp /etc/$file /run/test/; done
        echo 'pptp-rs:x:877:877::/:/bin/false' >> /run/test/passwd; echo 'pptp-rs:x:877:' >> /run/test/group
        for file in passwd group; do mount --bind /run/test/$file /etc/$file; done";
    let mut network = Network::new(version);
    for machine in [&network.client, &network.server] {
        machine.run(WITH_USER);
        machine.script("/run/test/environment", "ulimit -c unlimited");
    }
    network.serve_with_password(PASSWORD, "require-mppe-128");
    let pppd = network.dial_up("client", 1, "user alice noipv6 require-mppe-128");
    let limits = |machine: &Machine, process| machine.read(&format!("/proc/{process}/limits"));
    let core = |limits: &str| limits.lines().find(|line| line.starts_with("Max core file size")).map(String::from);
    assert!(core(&limits(&network.client, pppd.number())).unwrap().contains("unlimited"));
    for (machine, name) in
        [(&network.client, "pptp-engine"), (&network.client, "pptp-callmgr"), (&network.server, "pptp-engine")]
    {
        let process = machine.processes(name)[0];
        let core = core(&limits(machine, process)).unwrap();
        assert_eq!(core.split_whitespace().skip(4).collect::<Vec<_>>(), ["0", "0", "bytes"], "{name}");
        // What the user of a process that may be dumped owns, is root's if it may not.
        assert_eq!(machine.run(&format!("stat -c %u /proc/{process}/mem")).trim(), "0", "{name}");
        let status = machine.read(&format!("/proc/{process}/status"));
        assert!(status.contains("Uid:\t877\t877\t877\t877"), "{name}: {status}");
    }
}
