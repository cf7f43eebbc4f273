//! Every message in every state of a connection and of a call, and every command in every state of a call.
//!
//! | sign | what a message does |
//! |---|---|
//! | `c` | the connection closes |
//! | `e` | the connection is established, or its owner is asked |
//! | `x` | the call ends |
//! | `E` | another event for the owner, perhaps with a report of misbehaviour |
//! | `a` | it is answered |
//! | `b` | it is answered and reported as misbehaviour |
//! | `!` | it is reported as misbehaviour |
//! | `-` | nothing, because it may have been on the way or because nobody listens any more |

use pptp_core::control::{
    CallAnswer, CallRefusal, Config, ConnectedLine, Event, IncomingCall, IncomingCallAnswer, Misuse, OutgoingCall,
    WanErrorCounters,
};
use pptp_core::wire::*;

use crate::harness::*;

/// All 15 messages, in the order of their types, with the ids that they ought to have for the call.
fn messages(ours: CallId, theirs: u16) -> [Message; 15] {
    [
        start_request().into(),
        start_reply().into(),
        stop_request(StopReason::None).into(),
        stop_reply().into(),
        EchoRequest { identifier: 1 }.into(),
        echo_reply(1).into(),
        call_request(theirs).into(),
        call_reply(theirs, ours).into(),
        incoming_request(theirs).into(),
        incoming_reply(theirs, ours).into(),
        incoming_connected(ours).into(),
        clear_request(theirs).into(),
        disconnect_notify(theirs, DisconnectResult::Request).into(),
        wan_errors(ours, 1).into(),
        link_info(ours.0).into(),
    ]
}

fn reaction(harness: &mut Harness, message: Message) -> char {
    harness.feed(message);
    let sent = harness.sent();
    let (events, reports) = harness.events_and_reports();
    match events.last() {
        Some(Event::Closed(_)) => 'c',
        Some(Event::Established(_) | Event::StartRequested(_)) => 'e',
        Some(Event::CallEnded { .. } | Event::CallRefused { .. } | Event::IncomingCallRefused { .. }) => 'x',
        Some(_) => 'E',
        None => match (sent.is_empty(), reports.is_empty()) {
            (true, true) => '-',
            (true, false) => '!',
            (false, true) => 'a',
            (false, false) => 'b',
        },
    }
}

fn held() -> Harness {
    let mut harness = Harness::accept(quiet());
    harness.connection.hold_start().unwrap();
    harness.feed(start_request());
    harness.events();
    harness
}

fn silent() -> Harness {
    let mut harness = Harness::accept(quiet());
    harness.connection.win_collision(start()).unwrap();
    harness
}

fn stopping() -> Harness {
    let mut harness = Harness::established();
    harness.connection.stop(StopReason::None, harness.now);
    harness.sent();
    harness
}

fn over() -> Harness {
    let mut harness = stopping();
    harness.feed(stop_reply());
    harness.events();
    harness
}

fn originating() -> Harness {
    let mut harness = Harness::originate(quiet());
    harness.sent();
    harness
}

type MakeConnection = fn() -> Harness;

/// By message type, 1 to 15.
#[rustfmt::skip]
const CONNECTION_STATES: [(&str, MakeConnection, &str); 7] = [
    ("wait_ctl_reply",         originating,                  "!ec!!!!!!!!!!!!"),
    ("idle",                   || Harness::accept(quiet()),  "e!c!!!!!!!!!!!!"),
    ("idle, held",             held,                         "!!c!!!!!!!!!!!!"),
    ("idle, collision won",    silent,                       "---------------"),
    ("established",            Harness::established,         "!!c!a!EbE!!!!!!"),
    ("wait_stop_reply",        stopping,                     "!!cca----------"),
    ("closed",                 over,                         "---------------"),
];

#[test]
fn every_message_in_every_state_of_a_connection() {
    for (state, make, expected) in CONNECTION_STATES {
        let of = |message: Message| reaction(&mut make(), message);
        let found: String = messages(CallId(0x1234), THEIRS).into_iter().map(of).collect();
        assert_eq!(found, expected, "{state}");
    }
}

/// Brings a call into a state; our id and the id that the peer knows it by.
type MakeCall = fn(&mut Harness) -> (CallId, u16);

/// What a call in this state does with the messages of type 1 to 15, and with the commands of [`COMMANDS`]: `+` is
/// done, `M` is misuse.
#[rustfmt::skip]
const CALL_STATES: [(&str, MakeCall, &str, &str); 14] = [
    ("pns outgoing, wait_reply",      |h| named_by_us(h.pns_outgoing_waiting()),           "!!c!a!EEE!!xx!!", "MMMMM+MM"),
    ("pns outgoing, established",     |h| (h.pns_outgoing_established(THEIRS), THEIRS),    "!!c!a!b!b!!xxEE", "MMMMM++M"),
    ("pns outgoing, wait_disconnect", |h| (h.pns_outgoing_clearing(THEIRS), THEIRS),       "!!c!a!b-b!!xx--", "MMMMMMMM"),
    ("pns outgoing, wait_disconnect", |h| { let id = h.pns_outgoing_waiting(); named_by_us(h.clear(id)) },
                                                                                          "!!c!a!E-E!!xx--", "MMMMMMMM"),
    ("pac outgoing, wait_cs_ans",     |h| (h.pac_outgoing_asked(THEIRS), THEIRS),          "!!c!a!!!!!!xx!!", "++MMM+MM"),
    ("pac outgoing, established",     |h| (h.pac_outgoing_established(THEIRS), THEIRS),    "!!c!a!b!b!!xx!E", "MMMMM+M+"),
    ("pns incoming, idle",            |h| (h.pns_incoming_offered(THEIRS), THEIRS),        "!!c!a!!!!!!xx!!", "MM++M+MM"),
    ("pns incoming, wait_connect",    |h| (h.pns_incoming_waiting(THEIRS), THEIRS),        "!!c!a!b!b!Exx!!", "MMMMM+MM"),
    ("pns incoming, established",     |h| (h.pns_incoming_established(THEIRS), THEIRS),    "!!c!a!b!b!!xxEE", "MMMMM++M"),
    ("pns incoming, wait_disconnect", |h| (h.pns_incoming_clearing(THEIRS), THEIRS),       "!!c!a!b!b!-xx--", "MMMMMMMM"),
    ("pac incoming, wait_reply",      |h| named_by_us(h.pac_incoming_waiting()),           "!!c!a!E!EE!xx!!", "MMMMM+MM"),
    ("pac incoming, wait_reply (answered)", |h| (h.pac_incoming_answering(THEIRS), THEIRS), "!!c!a!b!b!!xx!!", "MMMM++MM"),
    ("pac incoming, established",     |h| (h.pac_incoming_established(THEIRS), THEIRS),    "!!c!a!b!b!!xx!E", "MMMMM+M+"),
    // A peer that gives every call the id 0.
    ("pns outgoing, established",     |h| (h.pns_outgoing_established(0), 0),              "!!c!a!b!b!!xxEE", "MMMMM++M"),
];

/// The peer has told no id yet: it can name the call by ours only.
fn named_by_us(id: CallId) -> (CallId, u16) {
    (id, id.0)
}

#[test]
fn every_message_in_every_state_of_a_call() {
    for (state, make, expected, _) in CALL_STATES {
        let of = |index: usize| {
            let mut harness = Harness::established();
            let (ours, theirs) = make(&mut harness);
            let message = messages(ours, theirs)[index].clone();
            let reaction = reaction(&mut harness, message);
            let lives = harness.connection.call_count() > 0;
            assert_eq!(lives, !matches!(reaction, 'c' | 'x'), "{state}: the call's life");
            reaction
        };
        let found: String = (0..15).map(of).collect();
        assert_eq!(found, expected, "{state}");
    }
}

type Command = fn(&mut Harness, CallId) -> Result<(), Misuse>;

const COMMANDS: [(&str, Command); 8] = [
    ("accept_call", |h, id| h.connection.accept_call(id, CallAnswer::default(), h.now)),
    ("refuse_call", |h, id| h.connection.refuse_call(id, CallRefusal::from(CallResult::Busy), h.now)),
    ("accept_incoming_call", |h, id| h.connection.accept_incoming_call(id, IncomingCallAnswer::default(), h.now)),
    ("refuse_incoming_call", |h, id| {
        h.connection.refuse_incoming_call(id, IncomingCallResult::DoNotAccept, GeneralError::None, h.now)
    }),
    ("connect_incoming_call", |h, id| h.connection.connect_incoming_call(id, ConnectedLine::default(), h.now)),
    ("clear_call", |h, id| h.connection.clear_call(id, h.now)),
    ("set_link_info", |h, id| h.connection.set_link_info(id, 0, 0, h.now)),
    ("notify_wan_errors", |h, id| h.connection.notify_wan_errors(id, WanErrorCounters::default(), h.now)),
];

#[test]
fn every_command_in_every_state_of_a_call() {
    for (state, make, _, expected) in CALL_STATES {
        let of = |(operation, command): (&'static str, Command)| {
            let mut harness = Harness::established();
            let (id, _) = make(&mut harness);
            match command(&mut harness, id) {
                Ok(()) => '+',
                Err(misuse) => {
                    assert_eq!(misuse, Misuse::WrongCallState { call: id, operation, state });
                    assert_eq!((harness.sent(), harness.events()), (vec![], vec![]), "misuse changes nothing");
                    'M'
                }
            }
        };
        let found: String = COMMANDS.into_iter().map(of).collect();
        assert_eq!(found, expected, "{state}");
    }
}

#[test]
fn commands_for_a_call_that_does_not_exist_say_so_in_every_state_of_a_connection() {
    for (state, make, _) in CONNECTION_STATES {
        for (operation, command) in COMMANDS {
            let mut harness = make();
            let unknown = Err(Misuse::UnknownCall(CallId(9)));
            assert_eq!(command(&mut harness, CallId(9)), unknown, "{operation} in {state}");
        }
    }
}

#[test]
fn calls_begin_in_every_state_but_those_of_the_end() {
    for (state, make, _) in CONNECTION_STATES {
        let ends = matches!(state, "idle, collision won" | "wait_stop_reply" | "closed");
        let mut harness = make();
        let id = harness.connection.reserve_call_id().unwrap();
        let placed = harness.connection.place_call(id, OutgoingCall::default(), harness.now);
        assert_eq!(placed.is_err(), ends, "{state}");
        let id = harness.connection.reserve_call_id().unwrap();
        let offered = harness.connection.offer_incoming_call(id, IncomingCall::default(), harness.now);
        assert_eq!(offered.is_err(), ends, "{state}");
        for error in [placed, offered].into_iter().filter_map(Result::err) {
            assert!(matches!(error, Misuse::WrongConnectionState { .. }), "{error}");
        }
    }
}

#[test]
fn the_queued_states_of_a_call_see_no_messages() {
    let mut harness = Harness::originate(Config { peer_call_limit: 8, ..Config::default() });
    let id = harness.connection.reserve_call_id().unwrap();
    harness.connection.place_call(id, OutgoingCall::default(), harness.now).unwrap();
    let line = harness.connection.reserve_call_id().unwrap();
    harness.connection.offer_incoming_call(line, IncomingCall::default(), harness.now).unwrap();
    harness.sent();
    for id in [id, line] {
        for message in messages(id, id.0).into_iter().skip(6) {
            harness.feed(message);
            assert!(matches!(harness.event(), Event::PeerMisbehaved(_)));
        }
        let state = if id == line { "pac incoming, idle" } else { "pns outgoing, idle" };
        let refused = harness.connection.set_link_info(id, 0, 0, harness.now);
        assert_eq!(refused, Err(Misuse::WrongCallState { call: id, operation: "set_link_info", state }));
    }
    assert_eq!(harness.sent(), []);
    assert_eq!(harness.connection.call_count(), 2);
}
