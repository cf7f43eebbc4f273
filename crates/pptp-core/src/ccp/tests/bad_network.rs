//! Any two policies over any network, and bytes from nowhere.

use proptest::prelude::*;

use super::super::{Event, KeyLengths, Modes, Policy, Presence, Settings};
use super::pair::{Link, Pair};
use super::*;

fn policies() -> impl Strategy<Value = Policy> {
    let presence =
        prop_oneof![3 => Just(Presence::Required), 3 => Just(Presence::Optional), 1 => Just(Presence::Denied)];
    let modes = prop_oneof![Just(Modes::Stateless), Just(Modes::Stateful), Just(Modes::Either)];
    let length = prop_oneof![Just(KeyLength::Bits40), Just(KeyLength::Bits56), Just(KeyLength::Bits128)];
    (presence, proptest::collection::vec(length, 1..4), modes).prop_map(|(presence, lengths, modes)| Policy {
        presence,
        key_lengths: KeyLengths::new(lengths).unwrap(),
        modes,
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    policies().prop_map(Settings::new)
}

fn links() -> impl Strategy<Value = Link> {
    (0..60_u32, 0..40_u32, 0..500_u32, 0..4000_u32).prop_map(|(loss, duplication, delay, jitter)| Link {
        loss,
        duplication,
        delay,
        jitter,
    })
}

/// Both are encrypted: then they have to mean the same.
fn assert_agreement(pair: &Pair) {
    let outcomes = [pair.ends[0].outcome(), pair.ends[1].outcome()];
    if let [Some(Event::Opened { send, receive }), Some(Event::Opened { send: theirs, receive: their_receive })] =
        outcomes
    {
        assert_eq!((send, receive), (their_receive, theirs));
    }
}

#[test]
fn some_loss_does_not_keep_them_apart() {
    let link = Link { loss: 15, duplication: 10, ..Link::IDEAL };
    for seed in 0..1000 {
        let settings = || Settings::new("required".parse().unwrap());
        let mut pair = Pair::new([settings(), settings()], link, seed);
        pair.start();
        pair.run();
        for end in &pair.ends {
            assert_eq!(end.events, [Event::Opened { send: STRONG, receive: STRONG }], "seed {seed}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn it_ends_within_bounds_and_within_the_policies(ours in settings(), theirs in settings(), link in links(), seed: u64) {
        let mut pair = Pair::new([ours, theirs], link, seed);
        pair.start();
        pair.run();
        for end in &pair.ends {
            prop_assert!(end.outcome().is_some());
            prop_assert!(end.sent <= 500, "{} packets", end.sent);
        }
        assert_agreement(&pair);
    }

    #[test]
    fn a_peer_that_never_changes_its_mind_does_not_keep_it_waiting(
        ours in settings(),
        answer in answers(),
        request in proptest::option::of(options()),
        new_identifiers: bool,
        interval in 1..4000_u64,
    ) {
        let policy = ours.policy;
        let mut ccp = Ccp::new(ours);
        ccp.handle_open(at(0));
        ccp.handle_up(at(0));
        let (mut seen, mut identifier) = (Vec::new(), 1_u8);
        for time in (0..200_000).step_by(usize::try_from(interval).unwrap()) {
            if ccp.poll_timeout().is_some_and(|due| due <= at(time)) {
                ccp.handle_timeout(at(time));
            }
            if let Some(data) = &request {
                identifier = identifier.wrapping_add(new_identifiers.into());
                ccp.handle_packet(&packet(1, identifier, data), at(time));
            }
            while let Some(sent) = ccp.poll_transmit() {
                if let (1, Some((code, data))) = (sent[0], &answer) {
                    let data = data.clone().unwrap_or_else(|| sent[4..].to_vec());
                    ccp.handle_packet(&packet(*code, sent[1], &data), at(time));
                }
            }
            seen.extend(events(&mut ccp));
            assert_safe(&ccp, &policy, &seen);
        }
        prop_assert!(!seen.is_empty());
    }

    #[test]
    fn bytes_from_nowhere_do_no_harm(ours in settings(), steps in proptest::collection::vec(step(), 0..60)) {
        let policy = ours.policy;
        let mut ccp = Ccp::new(ours);
        let mut now = at(0);
        let mut seen = Vec::new();
        ccp.handle_open(now);
        ccp.handle_up(now);
        for step in steps {
            match step {
                Step::Bytes(bytes) => ccp.handle_packet(&bytes, now),
                Step::Wait(millis) => {
                    now = now + Duration::from_millis(millis);
                    ccp.handle_timeout(now);
                }
                Step::Reset => ccp.request_reset(now),
                Step::ProtocolReject => ccp.handle_protocol_reject(),
            }
            seen.extend(events(&mut ccp));
            assert_safe(&ccp, &policy, &seen);
            prop_assert!(core::iter::from_fn(|| ccp.poll_transmit()).count() <= 4);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Bytes(Vec<u8>),
    Wait(u64),
    Reset,
    ProtocolReject,
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![4 => options(), 1 => proptest::collection::vec(any::<u8>(), 0..20)];
    let packet = (1..16_u8, 0..8_u8, value).prop_map(|(code, identifier, data)| packet(code, identifier, &data));
    prop_oneof![
        20 => packet.prop_map(Step::Bytes),
        4 => proptest::collection::vec(any::<u8>(), 0..30).prop_map(Step::Bytes),
        4 => (0..5000_u64).prop_map(Step::Wait),
        1 => Just(Step::Reset),
        1 => Just(Step::ProtocolReject),
    ]
}

fn packet(code: u8, identifier: u8, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len() + 4).unwrap();
    [&[code, identifier, 0, length][..], data].concat()
}

fn options() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(vec![]),
        Just(vec![18, 6, 1, 0, 0, 0x40]),
        Just(vec![18, 6, 1, 0, 0, 0xe0]),
        Just(vec![18, 6, 1, 0, 0, 0]),
        Just(vec![18, 6, 0, 0, 0, 0x20]),
        Just(vec![17, 5, 0, 1, 4]),
        Just(vec![17, 5, 0, 1, 4, 18, 6, 1, 0, 0, 0x40]),
    ]
}

/// The answer to each request: a code, and options unless they are the request's; or none.
fn answers() -> impl Strategy<Value = Option<(u8, Option<Vec<u8>>)>> {
    proptest::option::of((2..7_u8, proptest::option::of(options())))
}
