//! Every policy against every other.

use super::super::{Event, KeyLengths, Modes, Policy, Presence, Reason};
use super::pair::Pair;
use super::*;

const LENGTHS: [KeyLength; 3] = [KeyLength::Bits40, KeyLength::Bits56, KeyLength::Bits128];
const MODES: [Modes; 3] = [Modes::Stateless, Modes::Stateful, Modes::Either];
const PRESENCES: [Presence; 3] = [Presence::Required, Presence::Optional, Presence::Denied];

fn all_policies() -> Vec<Policy> {
    let subsets = (1..8_u8).map(|set| {
        let members = (0..3).filter(|bit| set >> bit & 1 == 1).map(|bit| LENGTHS[bit]);
        KeyLengths::new(members).unwrap()
    });
    let mut policies = Vec::new();
    for key_lengths in subsets {
        for modes in MODES {
            for presence in PRESENCES {
                policies.push(Policy { presence, key_lengths, modes });
            }
        }
    }
    policies
}

/// What both should find.
fn common(left: &Policy, right: &Policy) -> Option<Config> {
    if [left.presence, right.presence].contains(&Presence::Denied) {
        return None;
    }
    let both = |length: &KeyLength| left.key_lengths.contains(*length) && right.key_lengths.contains(*length);
    let key_length = LENGTHS.into_iter().rfind(both)?;
    let mode = match (left.modes, right.modes) {
        (Modes::Stateless, Modes::Stateful) | (Modes::Stateful, Modes::Stateless) => return None,
        (Modes::Stateful, _) | (_, Modes::Stateful) => Mode::Stateful,
        _ => Mode::Stateless,
    };
    Some(Config { key_length, mode })
}

fn assert_outcome(pair: &Pair, index: usize, policy: &Policy, expected: Option<Config>) {
    let outcome = pair.ends[index].outcome();
    match (outcome, expected, policy.presence) {
        (Some(Event::Opened { send, receive }), Some(config), _) => assert_eq!((send, receive), (config, config)),
        (Some(Event::Failed(_)), None, Presence::Required) => {}
        (Some(Event::Unencrypted(Reason::Denied)), None, Presence::Denied)
        | (Some(Event::Unencrypted(_)), None, Presence::Optional) => assert!(pair.ends[index].ccp.may_pass_plaintext()),
        _ => panic!("{policy:?}: {outcome:?} instead of {expected:?}; {:?}", pair.ends[index].events),
    }
    assert_eq!(pair.ends[index].events.len(), 1, "{:?}", pair.ends[index].events);
    assert!(pair.ends[index].sent <= 30, "{} packets", pair.ends[index].sent);
}

#[test]
fn every_policy_against_every_other_ends_as_it_must() {
    let policies = all_policies();
    assert_eq!(policies.len(), 63);
    for left in &policies {
        for right in &policies {
            let mut pair = Pair::policies(*left, *right);
            pair.start();
            pair.run();
            let expected = common(left, right);
            assert_outcome(&pair, 0, left, expected);
            assert_outcome(&pair, 1, right, expected);
        }
    }
}

#[test]
fn an_end_that_starts_later_is_waited_for() {
    for (left, right) in
        [("required", "required"), ("optional", "required"), ("required,stateful", "stateful,stateless,40")]
    {
        for pause in [5, 15, 2000, 3000, 20_000] {
            let mut pair = Pair::lists(left, right);
            pair.start_end(0);
            pair.run_until(at(pause));
            pair.now = at(pause);
            pair.start_end(1);
            pair.run();
            let expected = common(&left.parse().unwrap(), &right.parse().unwrap());
            assert!(expected.is_some());
            assert_outcome(&pair, 0, &left.parse().unwrap(), expected);
            assert_outcome(&pair, 1, &right.parse().unwrap(), expected);
        }
    }
}

#[test]
fn who_has_given_up_hope_takes_encryption_when_it_comes() {
    let mut pair = Pair::lists("optional", "required");
    pair.start_end(0);
    pair.run();
    assert_eq!(pair.ends[0].outcome(), Some(Event::Unencrypted(Reason::NoAnswer)));
    pair.start_end(1);
    pair.run();
    let opened = Event::Opened { send: STRONG, receive: STRONG };
    assert_eq!((pair.ends[0].outcome(), pair.ends[1].outcome()), (Some(opened), Some(opened)));
    assert!(!pair.ends[0].ccp.may_pass_plaintext());
}

#[test]
fn both_agree_within_two_round_trips() {
    let mut pair = Pair::lists("required", "optional");
    pair.start();
    pair.run();
    assert_eq!(pair.now, at(40));
    assert_eq!((pair.ends[0].sent, pair.ends[1].sent), (4, 4));
}
