//! Whole negotiations in virtual time.

mod bad_network;
mod pair;
mod peers;
mod policies;
mod renegotiation;

use core::time::Duration;

use crate::mppe::{Config, KeyLength, Mode};
use crate::time::Instant;

use super::{Ccp, Event, Policy, Presence, Settings};

const STRONG: Config = Config { key_length: KeyLength::Bits128, mode: Mode::Stateless };

fn at(millis: u64) -> Instant {
    Instant::from_epoch(Duration::from_millis(millis))
}

fn end(list: &str) -> Ccp {
    Ccp::new(Settings::new(list.parse().unwrap()))
}

fn events(ccp: &mut Ccp) -> Vec<Event> {
    core::iter::from_fn(|| ccp.poll_event()).collect()
}

/// What has to hold whenever an end can be looked at.
fn assert_safe(ccp: &Ccp, policy: &Policy, seen: &[Event]) {
    let encrypted = seen.iter().any(|event| matches!(event, Event::Opened { .. }));
    if policy.presence == Presence::Required || encrypted {
        assert!(!ccp.may_pass_plaintext(), "{policy:?} {seen:?}");
    }
    for event in seen {
        if let Event::Opened { send, receive } = event {
            assert!(policy.allows(*send) && policy.allows(*receive), "{policy:?} {event:?}");
        }
        if let Event::Unencrypted(_) = event {
            assert_ne!(policy.presence, Presence::Required, "{event:?}");
        }
    }
}
