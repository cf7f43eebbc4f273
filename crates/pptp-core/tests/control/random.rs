//! Random bytes and random sequences of commands and messages: what holds whatever happens.

use std::collections::BTreeSet;

use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use pptp_core::control::{
    CallAnswer, CallRefusal, Config, ConnectedLine, Connection, Event, IncomingCall, IncomingCallAnswer, OutgoingCall,
    WanErrorCounters,
};
use pptp_core::sim::{ControlEnd, ControlPair, Link, Random, Segmentation};
use pptp_core::wire::*;

use crate::harness::*;

/// What the owner or the peer does next. Small numbers choose among the calls there are.
#[derive(Clone, Debug)]
enum Step {
    Place,
    Offer,
    Command(u8, usize),
    /// A message of this type, for a call or for none, with these codes.
    Message(u8, usize, u8),
    Bytes(Vec<u8>),
    Wait(u32),
    WakeEarly,
    Disconnect,
    Stop,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Place),
        3 => Just(Step::Offer),
        12 => (0..8_u8, 0..5_usize).prop_map(|(command, call)| Step::Command(command, call)),
        30 => (1..16_u8, 0..8_usize, 0..6_u8).prop_map(|(kind, call, code)| Step::Message(kind, call, code)),
        1 => vec(any::<u8>(), 1..40).prop_map(Step::Bytes),
        8 => (0..70_000_u32).prop_map(Step::Wait),
        2 => Just(Step::WakeEarly),
        1 => Just(Step::Disconnect),
        1 => Just(Step::Stop),
    ]
}

/// What an owner believes of its calls, by the events alone.
#[derive(Debug, Default)]
struct Model {
    live: BTreeSet<u16>,
    connected: BTreeSet<u16>,
    peer_ids: BTreeSet<u16>,
    closed: bool,
}

impl Model {
    fn observe(&mut self, event: &Event) {
        assert!(!self.closed, "nothing follows the last event: {event:?}");
        match event {
            Event::OutgoingCallRequested(offer) => self.begin(offer.call),
            Event::IncomingCallRequested(offer) => self.begin(offer.call),
            Event::CallConnected(call) => {
                assert!(self.live.contains(&call.call.0), "{event:?}");
                assert!(self.connected.insert(call.call.0), "connected once: {event:?}");
                self.peer_ids.insert(call.peer_call.0);
            }
            Event::CallEnded { call, .. }
            | Event::CallRefused { call, .. }
            | Event::IncomingCallRefused { call, .. } => {
                assert!(self.live.remove(&call.0), "ends once: {event:?}");
                self.connected.remove(&call.0);
            }
            Event::LinkInfo { call, .. } | Event::WanErrors { call, .. } | Event::IncomingCallAccepted { call, .. } => {
                assert!(self.live.contains(&call.0), "{event:?}");
            }
            Event::Closed(_) => {
                assert!(self.live.is_empty(), "calls end before the connection: {:?}", self.live);
                self.closed = true;
            }
            _ => {}
        }
    }

    fn begin(&mut self, call: CallId) {
        assert_ne!(call, CallId(0));
        assert!(self.live.insert(call.0), "an id in use was given again: {call:?}");
    }

    fn choose(&self, number: usize) -> CallId {
        CallId(self.live.iter().copied().nth(number).unwrap_or(4_711))
    }

    /// The id of a live call, the peer's of one, or one that nobody gave.
    fn choose_any(&self, number: usize) -> u16 {
        let ids = self.live.iter().chain(&self.peer_ids).copied();
        ids.chain([0, 1]).nth(number).unwrap_or(4_711)
    }
}

fn command(connection: &mut Connection, number: u8, id: CallId, now: pptp_core::time::Instant) {
    let _misuse_is_fine = match number {
        0 => connection.accept_call(id, CallAnswer::default(), now),
        1 => connection.refuse_call(id, CallRefusal::from(CallResult::Busy), now),
        2 => connection.accept_incoming_call(id, IncomingCallAnswer::default(), now),
        3 => connection.refuse_incoming_call(id, IncomingCallResult::DoNotAccept, GeneralError::None, now),
        4 => connection.connect_incoming_call(id, ConnectedLine::default(), now),
        5 => connection.clear_call(id, now),
        6 => connection.set_link_info(id, 0, 0, now),
        _ => connection.notify_wan_errors(id, WanErrorCounters::default(), now),
    };
}

fn message(kind: u8, id: u16, code: u8) -> Message {
    let ours = CallId(id);
    match kind {
        1 => StartControlConnectionRequest { version: version(code), ..start_request() }.into(),
        2 => StartControlConnectionReply { version: version(code), result: (code % 3).into(), ..start_reply() }.into(),
        3 if code == 0 => stop_request(StopReason::None).into(),
        4 if code == 0 => stop_reply().into(),
        3..=5 => EchoRequest { identifier: id.into() }.into(),
        6 => EchoReply { result: code.into(), ..echo_reply(1) }.into(),
        7 => call_request(id).into(),
        8 => OutgoingCallReply { result: code.max(1).into(), ..call_reply(code.into(), ours) }.into(),
        9 => incoming_request(id).into(),
        10 => IncomingCallReply { result: code.max(1).into(), ..incoming_reply(code.into(), ours) }.into(),
        11 => incoming_connected(ours).into(),
        12 => clear_request(id).into(),
        13 => disconnect_notify(id, code.into()).into(),
        14 => wan_errors(ours, code.into()).into(),
        _ => link_info(id).into(),
    }
}

/// Mostly the right one.
fn version(code: u8) -> ProtocolVersion {
    if code == 5 { ProtocolVersion(0x0001) } else { ProtocolVersion::V1_0 }
}

fn begin_call(harness: &mut Harness, model: &mut Model, step: &Step) {
    let Ok(id) = harness.connection.reserve_call_id() else { return };
    let begun = match step {
        Step::Place => harness.connection.place_call(id, OutgoingCall::default(), harness.now),
        _ => harness.connection.offer_incoming_call(id, IncomingCall::default(), harness.now),
    };
    match begun {
        Ok(()) => model.begin(id),
        Err(_) => harness.connection.release_call_id(id),
    }
}

fn take(harness: &mut Harness, model: &mut Model, step: &Step) {
    match step {
        Step::Place | Step::Offer => begin_call(harness, model, step),
        Step::Command(number, call) => command(&mut harness.connection, *number, model.choose(*call), harness.now),
        Step::Message(kind, call, code) => harness.feed(message(*kind, model.choose_any(*call), *code)),
        Step::Bytes(bytes) => harness.connection.handle_input(bytes, harness.now),
        Step::Wait(millis) => harness.advance(Duration::from_millis((*millis).into())),
        Step::WakeEarly => harness.connection.handle_timeout(harness.now),
        Step::Disconnect => harness.connection.handle_disconnect(harness.now),
        Step::Stop => harness.connection.stop(StopReason::None, harness.now),
    }
}

fn check(harness: &mut Harness, model: &mut Model) {
    let events = harness.events();
    assert!(events.len() < 2_000);
    events.iter().for_each(|event| model.observe(event));
    harness.sent();
    assert_eq!(model.closed, harness.connection.is_closed());
    assert_eq!(model.live.len(), harness.connection.call_count());
    assert!(!model.closed || harness.connection.poll_timeout().is_none(), "nothing is due after the end");
}

fn run(mut harness: Harness, steps: &[Step]) {
    let mut model = Model::default();
    for step in steps {
        take(&mut harness, &mut model, step);
        check(&mut harness, &mut model);
    }
    harness.connection.handle_disconnect(harness.now);
    check(&mut harness, &mut model);
    assert!(model.closed && model.live.is_empty());
}

fn config() -> Config {
    Config { peer_call_limit: 3, ..Config::default() }
}

fn feed_in_pieces(connection: &mut Connection, bytes: &[u8], cut: usize) {
    for piece in bytes.chunks(cut) {
        connection.handle_input(piece, start());
        assert!(core::iter::from_fn(|| connection.poll_event()).count() < 2_000);
        assert!(core::iter::from_fn(|| connection.poll_transmit()).count() < 300);
    }
}

/// Messages with their bytes damaged here and there.
fn damaged_stream() -> impl Strategy<Value = Vec<u8>> {
    let messages = vec((1..16_u8, 0..4_u16, 0..6_u8), 1..20);
    (messages, vec((any::<prop::sample::Index>(), any::<u8>()), 0..3)).prop_map(|(messages, damages)| {
        let mut bytes = Vec::new();
        messages.into_iter().for_each(|(kind, id, code)| message(kind, id, code).emit(&mut bytes));
        for (place, value) in damages {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        bytes
    })
}

fn link() -> impl Strategy<Value = Link> {
    let segmentation = prop_oneof![
        Just(Segmentation::Writes),
        Just(Segmentation::Merged),
        (1..200_usize).prop_map(Segmentation::Bytes),
        (1..200_u32).prop_map(Segmentation::Random),
    ];
    (segmentation, 0..2_000_u64, 0..2_000_u64).prop_map(|(segmentation, delay, jitter)| Link {
        segmentation,
        delay: Duration::from_millis(delay),
        jitter: Duration::from_millis(jitter),
    })
}

/// A command at one of two ends that both behave.
fn pair_step(pair: &mut ControlPair, models: &mut [Model; 2], choice: (bool, u8, usize, u32)) {
    let (left, number, call, wait) = choice;
    let now = pair.now();
    let [left_model, right_model] = models;
    let (end, model) = if left { (&mut pair.left, left_model) } else { (&mut pair.right, right_model) };
    match number {
        8 | 9 => {
            let Ok(id) = end.connection.reserve_call_id() else { return };
            let begun = match number {
                8 => end.connection.place_call(id, OutgoingCall::default(), now),
                _ => end.connection.offer_incoming_call(id, IncomingCall::default(), now),
            };
            if begun.is_ok() {
                model.begin(id);
            }
        }
        _ => command(&mut end.connection, number, model.choose(call), now),
    }
    pair.run_for(Duration::from_millis(wait.into()));
    for (end, model) in [&mut pair.left, &mut pair.right].into_iter().zip(models) {
        observe_all(end, model);
    }
}

fn observe_all(end: &mut ControlEnd, model: &mut Model) {
    end.take_events().iter().for_each(|event| model.observe(event));
    assert_eq!(model.live.len(), end.connection.call_count());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(192) })]

    #[test]
    fn an_established_end_keeps_its_promises(steps in vec(step(), 1..80)) {
        run(Harness::established_with(config()), &steps);
    }

    #[test]
    fn an_originator_keeps_its_promises(steps in vec(step(), 1..40)) {
        run(Harness::originate(config()), &steps);
    }

    #[test]
    fn a_receiver_keeps_its_promises(hold in any::<bool>(), steps in vec(step(), 1..40)) {
        let mut harness = Harness::accept(config());
        if hold {
            harness.connection.hold_start().unwrap();
        }
        run(harness, &steps);
    }

    #[test]
    fn random_bytes_close_a_connection_or_wait_for_more(bytes in vec(any::<u8>(), 0..600), cut in 1..100_usize) {
        for mut harness in [Harness::originate(config()), Harness::accept(config()), Harness::established()] {
            feed_in_pieces(&mut harness.connection, &bytes, cut);
            prop_assert!(harness.connection.is_closed() || bytes.len() < 8);
        }
    }

    #[test]
    fn damaged_messages_do_no_damage(bytes in damaged_stream(), cut in 1..300_usize) {
        for mut harness in [Harness::originate(config()), Harness::accept(config()), Harness::established()] {
            feed_in_pieces(&mut harness.connection, &bytes, cut);
        }
    }

    #[test]
    fn segmentation_changes_nothing(bytes in damaged_stream(), cut in 1..300_usize) {
        let all = |cut: usize| {
            let mut harness = Harness::accept(config());
            bytes.chunks(cut).for_each(|piece| harness.connection.handle_input(piece, start()));
            (harness.sent(), harness.events())
        };
        prop_assert_eq!(all(cut), all(bytes.len()));
    }

    #[test]
    fn two_ends_that_behave_agree_in_the_end(
        link in link(),
        steps in vec((any::<bool>(), 0..10_u8, 0..4_usize, 0..9_000_u32), 1..60),
        stop_left in any::<bool>(),
    ) {
        let left = Connection::originate(config(), Random::source(1), start());
        let right = Connection::accept(config(), Random::source(2), start());
        let mut pair = ControlPair::new(left, right, link, start());
        let mut models = [Model::default(), Model::default()];
        for choice in steps {
            pair_step(&mut pair, &mut models, choice);
        }
        pair.run_for(MINUTE * 30);
        prop_assert!(pair.left.connection.is_established() && pair.right.connection.is_established());

        let now = pair.now();
        let end = if stop_left { &mut pair.left } else { &mut pair.right };
        end.connection.stop(StopReason::None, now);
        pair.run_for(MINUTE);
        let [left, right] = &mut models;
        observe_all(&mut pair.left, left);
        observe_all(&mut pair.right, right);
        prop_assert!(left.closed && right.closed);
    }
}
