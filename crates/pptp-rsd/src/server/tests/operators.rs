//! What operators see and do.

use core::time::Duration;

use pptp_core::control::Event;
use pptp_core::mppe::{Config as Mppe, KeyLength, Mode};
use pptp_datapath::command::Traffic;
use pptp_datapath::report::{DataPath, Encryption, Gre, Report, Statistics};
use proptest::prelude::*;

use super::super::answers::{Answer, answer};
use super::super::metrics::{Telling, begin};
use super::super::session::SessionId;
use super::office::{Deed, Office, config};
use crate::config::Config;
use crate::control::LONGEST_PART;

const UPTIME: Duration = Duration::from_secs(77);

/// The whole answer, and the length of its longest part.
fn ask(office: &mut Office, request: &[u8]) -> (String, usize) {
    let mut rest = Some(answer(&mut office.exchange, request, UPTIME, office.now));
    office.pump();
    // Nobody tells anything.
    rest = rest.map(|answer| answer.settled(&office.exchange, UPTIME, office.now + Duration::from_millis(200)));
    let (mut text, mut longest) = (String::new(), 0);
    while let Some(answer) = rest {
        let (part, next) = answer.part(&office.exchange, office.now);
        longest = longest.max(part.len());
        text += &part;
        rest = next;
    }
    (text, longest)
}

fn hear(office: &mut Office, request: &str) -> String {
    ask(office, request.as_bytes()).0
}

#[test]
fn a_session_is_told_with_all_that_is_known() {
    let mut office = Office::new(config());
    let client = office.join("192.0.2.2:4000");
    let ours = office.dial(client).0;
    office.pass(Duration::from_secs(5));
    let record = format!(
        "record id=1 state=running client=192.0.2.2:4000 connection=1 call-id=1 peer-call-id={ours} uptime=5 datapath=tun \
         call=outgoing line-errors=0 local=192.168.0.1 remote=192.168.1.1 pppd=1\nend 1\n"
    );
    assert_eq!(hear(&mut office, "sessions"), record);
    assert_eq!(hear(&mut office, "show 1"), record);
    assert_eq!(hear(&mut office, "show 2"), "error not-found there is no session 2\n");
    assert_eq!(hear(&mut office, "show 0"), "error not-found there is no session 0\n");
    assert_eq!(hear(&mut office, "hello\n\u{7}"), "error wrong there is no command 'hello'\n");
}

/// What a plugin tells of a session through which so much has passed.
fn report(user: &str, bytes: u64) -> Report {
    let traffic = |packets| Traffic { packets, bytes: packets * bytes };
    let mppe = Some(Mppe { key_length: KeyLength::Bits128, mode: Mode::Stateless });
    let gre = Gre { lost: 1, reordered: 2, late: 3, duplicate: 4, round_trip: Some(Duration::from_micros(1500)) };
    Report {
        user: Some(user.into()),
        interface: Some("ppp0".into()),
        local: Some([10, 9, 8, 1].into()),
        remote: Some([10, 9, 8, 2].into()),
        path: Some(DataPath::Pty),
        encryption: Some(Encryption { receive: mppe, send: mppe }),
        statistics: Some(Statistics { received: traffic(1), sent: traffic(2), gre: Some(gre) }),
        is_cut: false,
    }
}

#[test]
fn what_the_client_says_of_its_line_is_told() {
    let mut office = Office::new(config());
    let client = office.join("192.0.2.2:4000");
    let (call, now) = (office.dial(client), office.now);
    office.client(client).set_link_info(call, u32::MAX, 0x000a_0000, now).unwrap();
    office.pump();
    assert!(hear(&mut office, "show 1").contains(" line-errors=0 send-accm=ffffffff receive-accm=000a0000 "));
}

#[test]
fn what_pppd_has_told_is_told() {
    let mut office = Office::new(Config { delegate: true, ..config() });
    let client = office.join("192.0.2.2:4000");
    let ours = office.dial(client).0;
    office.tell(1, report("al ice\u{1b}", 1000));
    office.pass(Duration::from_secs(7));
    let record = format!(
        "record id=1 state=running user=al%20ice%1B client=192.0.2.2:4000 connection=1 call-id=1 peer-call-id={ours} uptime=7 \
         datapath=pty call=outgoing line-errors=0 local=10.9.8.1 remote=10.9.8.2 pppd=1 interface=ppp0 mppe=MPPE-128%20stateless \
         bytes-received=1000 bytes-sent=2000 packets-received=1 packets-sent=2 lost=1 reordered=2 late=3 duplicate=4 \
         round-trip-us=1500 counted-seconds-ago=7\nend 1\n"
    );
    assert_eq!(hear(&mut office, "show 1"), record);
    assert_eq!(hear(&mut office, "disconnect 10.9.8.2"), "end 1\n");
}

#[test]
fn news_are_asked_for_once_and_only_of_who_may_answer() {
    let mut office = Office::new(config());
    let client = office.join("192.0.2.2:4000");
    for _ in 0..3 {
        office.dial(client);
    }
    hear(&mut office, "disconnect 3");
    office.deeds();
    let asked = |office: &mut Office, which| {
        office.exchange.inquire(which);
        office.deeds()
    };
    assert_eq!(asked(&mut office, Some(SessionId(2))), [Deed::Ask(2)]);
    assert_eq!(asked(&mut office, None), [Deed::Ask(1)]);
    assert!(!office.exchange.has_news() && asked(&mut office, None).is_empty());
    office.tell(2, report("bob", 1));
    assert!(!office.exchange.has_news());
    // One that has ended owes nothing.
    office.end(1, 16);
    assert!(office.exchange.has_news());
}

#[test]
fn totals_survive_the_sessions_and_metrics_tell_of_those_that_are_there() {
    let mut office = Office::new(config());
    let client = office.join("192.0.2.2:4000");
    for _ in 0..2 {
        office.dial(client);
    }
    office.tell(1, report("alice", 1000));
    office.tell(2, report("b\"ob\n", 10));
    office.tell(1, report("alice", 1500));
    office.tell_last(1, report("alice", 3000));
    let total = office.exchange.figures().tally.traffic;
    assert_eq!((total.received.bytes, total.sent.bytes, total.gre.unwrap().lost), (3010, 6020, 2));
    let text = metrics(&office);
    assert!(!text.contains("alice"), "{text}");
    for line in [
        "pptp_rsd_session_info{id=\"2\",user=\"b\\\"ob\\n\",client=\"192.0.2.2\",state=\"running\",interface=\"ppp0\",\
         local=\"10.9.8.1\",remote=\"10.9.8.2\",datapath=\"pty\",mppe=\"MPPE-128 stateless\"} 1",
        "pptp_rsd_session_sent_bytes_total{id=\"2\",user=\"b\\\"ob\\n\",client=\"192.0.2.2\"} 20",
        "pptp_rsd_session_round_trip_seconds{id=\"2\",user=\"b\\\"ob\\n\",client=\"192.0.2.2\"} 0.0015",
        "pptp_rsd_traffic_bytes_total{direction=\"received\"} 3010",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} in {text}");
    }
}

/// All parts of the metrics, of which none is long.
fn metrics(office: &Office) -> String {
    let (mut text, mut rest) = (begin(&office.exchange.figures()), Some(Telling::ALL));
    while let Some(telling) = rest {
        let (part, next) = telling.part(&office.exchange, office.now);
        assert!(part.len() < 20_000);
        text += &part;
        rest = next;
    }
    text
}

#[test]
fn each_session_has_one_sample_in_a_family_however_many_there_are() {
    let mut office = Office::new(Config { delegate: true, connections: 1000, max_per_address: 1000, ..config() });
    for number in 1..=60 {
        let client = office.join(&format!("192.0.2.2:{number}"));
        for _ in 0..9 {
            office.dial(client);
        }
    }
    (1..=540).for_each(|process| office.tell(process, report("alice", 5)));
    let text = metrics(&office);
    for family in ["info", "uptime_seconds", "received_bytes_total", "lost_packets_total", "round_trip_seconds"] {
        assert_eq!(text.matches(&format!("\npptp_rsd_session_{family}{{id=")).count(), 540, "{family}");
        assert_eq!(text.matches(&format!("# TYPE pptp_rsd_session_{family} ")).count(), 1, "{family}");
    }
}

#[test]
fn addresses_that_pppd_chooses_are_left_out() {
    let mut office = Office::new(Config { delegate: true, ..config() });
    let client = office.join("192.0.2.2:4000");
    office.dial(client);
    let text = hear(&mut office, "sessions");
    assert!(!text.contains("local=") && !text.contains("remote=") && text.contains("pppd=1"), "{text}");
}

#[test]
fn many_sessions_are_told_in_short_parts_each_of_them_once() {
    let mut office = Office::new(Config { delegate: true, connections: 1000, max_per_address: 1000, ..config() });
    for number in 1..=60 {
        let client = office.join(&format!("192.0.2.2:{number}"));
        for _ in 0..9 {
            office.dial(client);
        }
    }
    let (text, longest) = ask(&mut office, b"sessions");
    assert_eq!(text.matches("record ").count(), 540);
    assert!(text.ends_with("\nend 540\n") && longest <= LONGEST_PART && longest < text.len() / 4, "{longest}");
    for id in 1..=540 {
        assert_eq!(text.matches(&format!("record id={id} ")).count(), 1);
    }
}

#[test]
fn sessions_that_end_while_they_are_told_do_no_harm() {
    let mut office = Office::new(Config { delegate: true, connections: 1000, max_per_address: 1000, ..config() });
    for number in 1..=20 {
        let client = office.join(&format!("192.0.2.2:{number}"));
        for _ in 0..9 {
            office.dial(client);
        }
    }
    let answer = answer(&mut office.exchange, b"sessions", UPTIME, office.now);
    assert!(matches!(answer, Answer::Soon(..)));
    let answer = answer.settled(&office.exchange, UPTIME, office.now + Duration::from_millis(200));
    let (part, rest) = answer.part(&office.exchange, office.now);
    (1..=180).for_each(|process| office.end(process, 16));
    let (last, rest) = rest.unwrap().part(&office.exchange, office.now);
    assert_eq!((last, rest), (format!("end {}\n", part.lines().count()), None));
}

#[test]
fn a_disconnect_ends_the_call_and_tells_the_client() {
    let mut office = Office::new(config());
    let client = office.join("192.0.2.2:4000");
    let calls = [office.dial(client), office.dial(client)];
    office.deeds();
    office.heard();
    assert_eq!(hear(&mut office, "disconnect 1"), "end 1\n");
    assert_eq!(office.deeds(), [Deed::HangUp(1)]);
    let heard = office.heard();
    assert!(matches!(heard[..], [Event::CallEnded { call, .. }] if call == calls[0]), "{heard:?}");
    assert!(hear(&mut office, "show 1").contains("state=ending"));
    // It goes on ending, and nothing is done twice.
    assert_eq!(hear(&mut office, "disconnect 1"), "end 1\n");
    assert_eq!(office.deeds(), []);
    office.end(1, 16);
    assert_eq!(hear(&mut office, "disconnect 1"), "error not-found there is no session 1\n");
    assert_eq!(hear(&mut office, "sessions").lines().count(), 2);
    assert!(office.closed.is_empty());
}

#[test]
fn nobody_is_barred_for_what_an_operator_does() {
    let mut office = Office::new(Config { max_per_address: 1, ..config() });
    let client = office.join("192.0.2.2:4000");
    for number in 1..=20 {
        office.dial(client);
        assert_eq!(hear(&mut office, "disconnect 192.0.2.2"), "end 1\n");
        office.end(number, 16);
    }
    assert_eq!(office.started().len(), 20);
}

#[test]
fn an_address_stands_for_all_calls_of_a_client_or_for_one_inside() {
    let mut office = Office::new(config());
    for from in ["192.0.2.2:1", "192.0.2.2:2", "192.0.2.3:1"] {
        let client = office.join(from);
        office.dial(client);
    }
    assert_eq!(hear(&mut office, "disconnect 192.0.2.4"), "error not-found there is no session of 192.0.2.4\n");
    assert_eq!(hear(&mut office, "disconnect 192.168.1.3"), "end 1\n");
    assert_eq!(hear(&mut office, "disconnect ::ffff:192.0.2.2"), "end 2\n");
    assert_eq!(hear(&mut office, "sessions").matches("state=ending").count(), 3);
}

#[test]
fn what_happens_is_counted() {
    let mut office = Office::new(Config { max_sessions: Some(1), connections: 2, ..config() });
    let client = office.join("192.0.2.2:1");
    office.dial(client);
    office.dial(client);
    office.connect("192.0.2.2:2");
    let text = hear(&mut office, "stats");
    for figure in [
        "uptime=77 ",
        "sessions-running=1 ",
        "connections-starting=1 ",
        "connections-started=1 ",
        "connections-accepted=2 ",
        "starts-accepted=1 ",
        "calls-accepted=1 ",
        "calls-refused-full=1 ",
        "calls-refused-machine=0 ",
        "log-lines-suppressed-refusals=0\n",
    ] {
        assert!(text.contains(figure), "{figure} in {text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_are_answered_by_whole_lines(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut office = Office::new(config());
        let (text, longest) = ask(&mut office, &bytes);
        prop_assert!(text.ends_with('\n') && longest <= LONGEST_PART);
        prop_assert!(text.lines().all(|line| crate::control::Line::read(line).is_some()));
    }
}
