//! CCP of the plugin's, and what comes for IP before its time, in a pppd of straw.

mod fake_host;

use fake_host::{Ran, run_with_pppox};

/// The data path is the kernel's, which says with each word what it is told.
fn negotiate(list: &str, words: &[&str]) -> Ran {
    let options = ["pptp_server", "192.0.2.1", "pptp_datapath", "kernel", "pptp_mppe", list, "@check"];
    run_with_pppox(&[&options, words].concat())
}

/// The lines from the first that begins with `start`.
fn lines_from<'a>(ran: &'a Ran, start: &str) -> Vec<&'a str> {
    ran.lines.iter().map(String::as_str).skip_while(|line| !line.starts_with(start)).collect()
}

const SEND_KEY: &str = "55555555555555555555555555555555";
const RECEIVE_KEY: &str = "77777777777777777777777777777777";
const STRONG: &str = "120601000040";

/// What the peer sends when it agrees at once to 128 bits.
const AGREES: [&str; 2] = ["@ccp=0101000a120601000040", "@ccp=0201000a120601000040"];

#[test]
fn keys_come_before_the_packets_that_agree_on_them() {
    let ran = negotiate("128", &[&["@keys=1", "@opennetworks"], &AGREES[..]].concat());
    let expected = [
        "ccp open 1 up 0".to_owned(),
        // The probe.
        format!("to receive {STRONG}00000000000000000000000000000000"),
        format!("to receive {STRONG}{RECEIVE_KEY}"),
        format!("sends ff0380fd0101000a{STRONG}"),
        "IP waits".to_owned(),
        format!("to transmit {STRONG}{SEND_KEY}"),
        format!("sends ff0380fd0201000a{STRONG}"),
        "ccp open 1 up 1".to_owned(),
        "notice: MPPE 128-bit stateless compression enabled".to_owned(),
        "mtu 1456".to_owned(),
        "IPCP is open".to_owned(),
    ];
    assert_eq!(
        lines_from(&ran, "ccp open").get(..expected.len()),
        Some(expected.each_ref().map(String::as_str).as_slice())
    );
}

/// radius.so takes them from what pppd's CCP would ask for.
#[test]
fn key_lengths_that_radius_forbids_are_not_used() {
    let asks = |list, radius| {
        let ran = negotiate(list, &[radius, "@keys=1", "@opennetworks"]);
        ran.after("sends ff0380fd0101000a").first().map(|option| (*option).to_owned()).ok_or(ran)
    };
    assert_eq!(asks("required", "@keys=1").unwrap(), "120601000060");
    assert_eq!(asks("required", "@radius=128").unwrap(), STRONG);
    assert_eq!(asks("required", "@radius=40").unwrap(), "120601000020");
    let refused = asks("40", "@radius=128").unwrap_err();
    assert!(refused.says("error: MPPE is required: RADIUS allows no keys of these lengths"), "{refused:?}");
}

#[test]
fn a_repeated_request_changes_no_key_and_ends_the_kernels_encryption() {
    let up = [&["@keys=1", "@opennetworks"], &AGREES[..]].concat();
    let ran = negotiate("128", &[&up[..], &AGREES[..1]].concat());
    let line = "error: MPPE has ended: the peer's packet makes the kernel end it, though both ends have it";
    let after = lines_from(&ran, "IPCP is open");
    assert!(!after.iter().any(|line| line.starts_with("to ")), "{after:?}");
    assert!(ran.says(line), "{ran:?}");
}

#[test]
fn what_is_required_and_impossible_ends_the_link_before_ip_begins() {
    let opened: &[&str] = &["@keys=1", "@opennetworks"];
    let rejected = [opened, &["@rejected"]].concat();
    let cannot = [&["@cannot"], opened].concat();
    let cases: [(&[&str], &str); 4] = [
        (&["@keys=0", "@opennetworks"], "there are no keys for it: they come with MS-CHAP, or from RADIUS"),
        (&["@keys=2", "@opennetworks"], "both ends have authenticated by MS-CHAP, so there are two sets of keys"),
        (&cannot, "the data path kernel cannot do it"),
        (&rejected, "the peer has no ccp (protocol-reject)"),
    ];
    for (words, why) in cases {
        let ran = negotiate("128", words);
        assert!(ran.says(&format!("error: MPPE is required: {why}")), "{ran:?}");
        assert!(ran.says(&format!("the link ends: MPPE is required: {why}")), "{ran:?}");
        assert!(ran.says("ccp open 0 up 0") && !ran.says("IPCP is open"), "{ran:?}");
    }
}

#[test]
fn what_is_optional_and_impossible_is_done_without() {
    let cases: [(&[&str], &str); 4] = [
        (&["@keys=0", "@opennetworks"], "there are no keys for it: they come with MS-CHAP, or from RADIUS"),
        (&["@keys=2", "@opennetworks"], "both ends have authenticated by MS-CHAP, so there are two sets of keys"),
        (&["@cannot", "@keys=1", "@opennetworks"], "the data path kernel cannot do it"),
        (&["@keys=1", "@opennetworks", "@rejected"], "the peer has no ccp (protocol-reject)"),
    ];
    for (words, why) in cases {
        let ran = negotiate("optional", words);
        assert!(ran.says(&format!("notice: MPPE is not used: {why}")), "{ran:?}");
        assert!(ran.says("IPCP is open") && ran.after("the link ends").is_empty(), "{ran:?}");
    }
}

/// Where the peer rejects the protocol or falls silent, no packet of its CCP tells the data path so.
#[test]
fn what_one_side_has_agreed_to_is_void_without_the_other() {
    let ran = negotiate("optional,128", &["@keys=1", "@opennetworks", AGREES[0], "@rejected"]);
    assert!(ran.says(&format!("sends ff0380fd0201000a{STRONG}")), "{ran:?}");
    let after = lines_from(&ran, "sends ff0380fd02");
    let expected = [
        "sends ff0380fd05020004",
        "ccp open 0 up 0",
        "ccp open 1 up 0",
        "notice: MPPE is not used: the peer has no ccp (protocol-reject)",
        "IPCP is open",
    ];
    assert_eq!(after.get(1..6), Some(&expected[..]), "{ran:?}");
}

#[test]
fn an_optional_mppe_that_the_peer_wants_is_used() {
    let ran = negotiate("optional,128", &[&["@keys=1", "@opennetworks"], &AGREES[..]].concat());
    assert!(ran.says("notice: MPPE 128-bit stateless compression enabled"), "{ran:?}");
    assert_eq!(ran.after("mtu "), ["1456"]);
}

#[test]
fn a_lost_state_is_asked_for_again_once_and_too_many_losses_end_the_link() {
    let agrees = ["@ccp=0101000a120600000040", "@ccp=0201000a120600000040"];
    let words = [&["@keys=1", "@opennetworks"][..], &agrees, &["@compressed", "@compressed"]].concat();
    let ran = negotiate("128,stateful", &words);
    assert!(ran.says("notice: MPPE 128-bit stateful compression enabled"), "{ran:?}");
    // A Reset-Request; the second packet is lost for the same reason.
    assert_eq!(ran.lines.iter().filter(|line| line.starts_with("sends ff0380fd0e")).count(), 1, "{ran:?}");
    let ran = negotiate("128,stateful", &[&words[..], &["@hopeless", "@compressed"]].concat());
    assert!(ran.says("the link ends: MPPE has ended: too many packets could not be decrypted"), "{ran:?}");
}

#[test]
fn sigusr2_negotiates_nothing_anew() {
    let up = [&["@keys=1", "@opennetworks"], &AGREES[..]].concat();
    let ran = negotiate("128", &[&up[..], &["@opennetworks"]].concat());
    assert!(ran.says("info: CCP stays as it is: MPPE's keys are good for one negotiation"), "{ran:?}");
    assert_eq!(ran.after("sends ff0380fd01").len(), 1, "{ran:?}");
}

#[test]
fn another_link_begins_from_the_beginning_with_keys_of_its_own() {
    let up = [&["@keys=1", "@opennetworks"], &AGREES[..]].concat();
    let ran = negotiate("128", &[&up[..], &["@linkdown"], &["@opennetworks"]].concat());
    let line = "error: MPPE is required: there are no keys for it: they come with MS-CHAP, or from RADIUS";
    assert!(ran.says(line), "{ran:?}");
    let ran = negotiate("128", &[&up[..], &["@linkdown"], &["@keys=1", "@opennetworks"]].concat());
    assert_eq!(ran.lines.iter().filter(|line| line.starts_with("sends ff0380fd01")).count(), 2, "{ran:?}");
}

#[test]
fn a_request_is_repeated_by_the_timer() {
    let ran = negotiate("128", &["@keys=1", "@opennetworks", "@ccptimer", "@wait=3.1", "@ccptimer"]);
    // Called early, it does nothing.
    assert_eq!(ran.lines.iter().filter(|line| line.starts_with("sends ff0380fd01")).count(), 2, "{ran:?}");
}

#[test]
fn ip_gets_what_came_too_early_when_it_begins() {
    let words = ["@keys=1", "@opennetworks", "@ipcp=01010004", "@ipcp=01020004", "@ipcp=05030004"];
    let ran = negotiate("128", &[&words[..], &AGREES, &["@ipcp=01040004"]].concat());
    // What is no request is not for keeping; of two requests the last counts.
    assert_eq!(ran.after("IPCP refuses "), ["05030004"], "{ran:?}");
    assert_eq!(ran.after("IPCP takes "), ["01020004", "01040004"], "{ran:?}");
    let ran = negotiate("128", &["@ipcp=01010004", "@linkdown", "@keys=1", "@opennetworks", AGREES[0], AGREES[1]]);
    assert_eq!(ran.after("IPCP takes "), [""; 0], "{ran:?}");
}

/// There ppp_mppe.ko encrypts: it has no 56 bits, and a packet of CCP can end its encryption.
/// What the kernel's socket of a server receives: when there is a call, when CCP is done, when the peer has acknowledged what
/// we ask for IP, and when LCP is down.
fn received(options: &[&str], agreement: &[&str]) -> Vec<String> {
    let before =
        [&["@socket", "pptp_client", "192.0.2.1", "pptp_sock", "91"], options, &["@check", "@connect"]].concat();
    let up = [&["@receives", "@keys=1", "@opennetworks"], agreement, &["@receives"]].concat();
    let acknowledged = ["@ipcp=0201000a0306c0000201", "@receives", "@linkdown", "@receives"];
    let ran = run_with_pppox(&[before, up, acknowledged.to_vec()].concat());
    assert!(ran.says("connected yes") && ran.after("warn").is_empty(), "{ran:?}");
    ran.after("receives").into_iter().map(|what| what.trim().to_owned()).collect()
}

const ALL: &str = "clear negotiations resets";
const NOT_IN_CLEAR: &str = "negotiations resets";
const SETTLED: &str = "resets";

#[test]
fn what_the_kernel_could_do_in_clear_is_kept_from_it() {
    let required = [NOT_IN_CLEAR, NOT_IN_CLEAR, SETTLED, NOT_IN_CLEAR];
    assert_eq!(received(&["pptp_mppe", "128"], &AGREES), required);
    assert_eq!(received(&["@mppe"], &[]), required);
    assert_eq!(received(&["pptp_mppe", "optional,128"], &AGREES), [ALL, ALL, SETTLED, ALL]);
}

#[test]
fn where_the_kernel_does_not_encrypt_or_not_whole_packets_nothing_is_kept_from_it() {
    assert_eq!(received(&[], &[]), [ALL; 4]);
    assert_eq!(received(&["pptp_mppe", "optional"], &["@rejected"]), [ALL; 4]);
    assert_eq!(received(&["pptp_mppe", "128", "@multilink"], &AGREES), [ALL; 4]);
}

#[test]
fn a_bundle_is_encrypted_as_on_the_kernels_path() {
    let bundle = |list, words: &[&str]| {
        let options = ["@multilink", "pptp_server", "192.0.2.1", "pptp_datapath", "pty", "pptp_mppe", list, "@check"];
        run_with_pppox(&[&options, words].concat())
    };
    let opened: &[&str] = &["@keys=1", "@opennetworks"];
    let ran = bundle("56,128", &[opened, &AGREES[..], &AGREES[..1]].concat());
    assert_eq!(ran.after("sends ff0380fd01").first(), Some(&"01000a120601000040"), "{ran:?}");
    let line = "error: MPPE has ended: the peer's packet makes the kernel end it, though both ends have it";
    assert!(ran.says(line), "{ran:?}");
    let ran = bundle("56", &[]);
    let line = "option error: option pptp_datapath: 'pty' is not possible: ppp_mppe.ko has no keys of 56 bits";
    assert!(ran.says(line), "{ran:?}");
}

#[test]
fn pppd_keeps_its_ccp_without_the_option() {
    let ran = run_with_pppox(&["pptp_server", "192.0.2.1", "pptp_datapath", "kernel", "@check", "@opennetworks"]);
    assert!(ran.says("pppd's own CCP"), "{ran:?}");
}

#[test]
fn options_that_exclude_each_other_are_an_error() {
    let cases: [(&[&str], &str); 3] = [
        (
            &["@mppe", "pptp_mppe", "optional", "@check"],
            "option error: option pptp_mppe and pppd's require-mppe exclude each other: either the plugin negotiates MPPE, or \
             pppd",
        ),
        (&["@noccp", "pptp_mppe", "128", "@check"], "option error: option pptp_mppe requires CCP, which noccp forbids"),
        (
            &["pptp_mppe", "56", "@check"],
            "option error: option pptp_datapath: 'kernel' is not possible: ppp_mppe.ko has no keys of 56 bits",
        ),
    ];
    for (words, line) in cases {
        let ran = run_with_pppox(&[&["pptp_server", "192.0.2.1", "pptp_datapath", "kernel"], words].concat());
        assert_eq!((ran.status, ran.says(line)), (Some(2), true), "{ran:?}");
    }
}

/// The plugin's own makes them of LAN Manager's hash (RFC 3079 §2.1), which both directions share.
#[test]
fn version_1_of_ms_chap_has_short_keys_of_its_own() {
    let agrees = ["@ccp=0101000a120601000020", "@ccp=0201000a120601000020"];
    let login = ["@v1", "@password=clientPass", "@respond=1,102db5df085d3041", "@keys=3", "@opennetworks"];
    let ran = negotiate("40", &[&login[..], &agrees].concat());
    let option_and_key = "12060100002076a152936096d7830e2390227404afd2";
    for line in [format!("to receive {option_and_key}"), format!("to transmit {option_and_key}")] {
        assert!(ran.says(&line), "{line}: {ran:?}");
    }
    assert!(ran.says("notice: MPPE 40-bit stateless compression enabled"), "{ran:?}");
    assert_eq!(ran.after("warn: after MS-CHAPv1, short keys are the same for every session").len(), 1, "{ran:?}");

    // The long ones are in pppd's hands.
    let ran = negotiate("128", &[&login[..], &AGREES].concat());
    for line in [format!("to receive {STRONG}{RECEIVE_KEY}"), format!("to transmit {STRONG}{SEND_KEY}")] {
        assert!(ran.says(&line), "{line}: {ran:?}");
    }
    assert_eq!(ran.after("warn: after MS-CHAPv1").len(), 0, "{ran:?}");
}

/// CCP's packets are not authenticated, and short keys of version 1 are the same for every session.
#[test]
fn nobody_talks_version_1_down_to_short_keys() {
    let login = ["@v1", "@password=clientPass", "@respond=1,102db5df085d3041", "@keys=3", "@opennetworks"];
    for list in ["required", "40,128", "optional"] {
        let ran = negotiate(list, &[&login[..], &["@ccp=0101000a120601000020"]].concat());
        assert!(ran.says(&format!("sends ff0380fd0101000a{STRONG}")), "{list}: {ran:?}");
        assert!(ran.says(&format!("sends ff0380fd0301000a{STRONG}")), "{list}: {ran:?}");
        assert_eq!(ran.after("to transmit").len(), 0, "{list}: {ran:?}");
    }
}

#[test]
fn version_1_of_pppd_has_no_short_keys() {
    let ran = negotiate("40", &["@keys=3", "@opennetworks"]);
    assert!(ran.says("error: MPPE is required: with pppd's MS-CHAPv1 there are keys of 128 bits only"), "{ran:?}");
    let ran = negotiate("40,128", &["@keys=3", "@opennetworks"]);
    assert!(ran.says(&format!("sends ff0380fd0101000a{STRONG}")), "{ran:?}");
}

/// Those of another login are not the next one's.
#[test]
fn short_keys_are_used_once() {
    let login = ["@v1", "@password=clientPass", "@respond=1,102db5df085d3041", "@keys=3", "@opennetworks"];
    let ran = negotiate("40", &[&login[..], &["@linkdown", "@keys=3", "@opennetworks"]].concat());
    assert!(ran.says("error: MPPE is required: with pppd's MS-CHAPv1 there are keys of 128 bits only"), "{ran:?}");
}
