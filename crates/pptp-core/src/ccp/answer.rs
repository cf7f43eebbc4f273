//! What to answer to the peer's Configure-Request.

use crate::mppe::Config;

use super::option::{Bits, Received};
use super::policy::Policy;

/// The answer, before it is known how often it was given.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Configure-Ack; with MPPE, or without any option.
    Ack(Option<Config>),
    /// Configure-Nak: this, in place of these bits.
    Nak(Config, Bits),
    /// Configure-Nak: this, which the peer did not ask for (RFC 1661 §5.3 allows that).
    Missing(Config),
    /// Configure-Reject of these options.
    Reject(Vec<u8>),
}

/// Configure-Naks and -Rejects that were sent since the last Configure-Ack.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    requests: u32,
    last: Option<u8>,
    repetitions: u32,
}

impl Refusals {
    /// Counts one for a request with this identifier; whether it may be sent. The same request again means that the refusal was
    /// lost, and a peer repeats a request `max_configure` times.
    pub(super) fn count(&mut self, identifier: u8, max_failure: u32, max_configure: u32) -> bool {
        if self.last == Some(identifier) {
            self.repetitions = self.repetitions.saturating_add(1);
        } else {
            *self = Self { requests: self.requests.saturating_add(1), last: Some(identifier), repetitions: 0 };
        }
        self.requests <= max_failure && self.repetitions < max_configure
    }
}

/// Judges the peer's options. With `wanted`, MPPE is; without, it is rejected.
pub(super) fn judge(policy: &Policy, wanted: bool, options: &[Received<'_>]) -> Verdict {
    let mut mppe = None;
    let mut rejected = Vec::new();
    for option in options {
        match option.mppe() {
            Some(bits) if wanted && mppe.is_none() => mppe = Some(bits),
            _ => rejected.extend_from_slice(option.bytes()),
        }
    }
    match mppe {
        _ if !rejected.is_empty() => Verdict::Reject(rejected),
        None if wanted => Verdict::Missing(policy.settle(policy.wish())),
        None => Verdict::Ack(None),
        Some(bits) => {
            let best = policy.settle(bits);
            if bits == Bits::of(best) { Verdict::Ack(Some(best)) } else { Verdict::Nak(best, bits) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::option::parse;
    use super::*;
    use crate::mppe::{KeyLength, Mode};

    const STRONG: Config = Config { key_length: KeyLength::Bits128, mode: Mode::Stateless };

    fn verdict(list: &str, data: &[u8]) -> Verdict {
        judge(&list.parse().unwrap(), true, &parse(data).unwrap())
    }

    fn nak(list: &str, bits: [u8; 4]) -> Config {
        let [a, b, c, d] = bits;
        match verdict(list, &[18, 6, a, b, c, d]) {
            Verdict::Nak(config, _) => config,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_allowed_combination_is_acknowledged() {
        assert_eq!(verdict("required", &[18, 6, 1, 0, 0, 0x40]), Verdict::Ack(Some(STRONG)));
        let weak = Config { key_length: KeyLength::Bits40, mode: Mode::Stateful };
        assert_eq!(verdict("stateful,40", &[18, 6, 0, 0, 0, 0x20]), Verdict::Ack(Some(weak)));
    }

    #[test]
    fn windows_request_without_key_lengths_gets_the_best_one() {
        assert_eq!(nak("required", [1, 0, 0, 0]), STRONG);
        assert_eq!(nak("required", [1, 0, 0, 1]), STRONG);
        assert_eq!(nak("no128", [1, 0, 0, 0]), Config { key_length: KeyLength::Bits56, ..STRONG });
    }

    #[test]
    fn many_bits_get_the_strongest_that_is_allowed_on_both_ends() {
        assert_eq!(nak("required", [1, 0, 0, 0xe1]), STRONG);
        assert_eq!(nak("no128", [1, 0, 0, 0xe1]), Config { key_length: KeyLength::Bits56, ..STRONG });
        assert_eq!(nak("40,128", [1, 0, 0, 0xb0]), Config { key_length: KeyLength::Bits40, ..STRONG });
    }

    #[test]
    fn compression_and_unknown_bits_are_taken_out() {
        assert_eq!(nak("required", [1, 0, 0, 0x41]), STRONG);
        assert_eq!(nak("required", [1, 0, 0, 0x50]), STRONG);
        assert_eq!(nak("required", [0xff, 0xff, 0xff, 0xff]), STRONG);
    }

    #[test]
    fn the_mode_is_the_peers_where_the_policy_does_not_care() {
        assert_eq!(nak("required", [0, 0, 0, 0x40]), STRONG);
        assert_eq!(nak("stateful", [1, 0, 0, 0x40]).mode, Mode::Stateful);
        let stateful = Config { mode: Mode::Stateful, ..STRONG };
        assert_eq!(verdict("stateful,stateless", &[18, 6, 0, 0, 0, 0x40]), Verdict::Ack(Some(stateful)));
        assert_eq!(verdict("stateful,stateless", &[18, 6, 1, 0, 0, 0x40]), Verdict::Ack(Some(STRONG)));
    }

    #[test]
    fn what_is_not_known_is_rejected_first() {
        let lzs = [17, 5, 0, 1, 4];
        let data = [&[18, 6, 1, 0, 0, 0xe1][..], &lzs].concat();
        assert_eq!(verdict("required", &data), Verdict::Reject(lzs.to_vec()));
        let twice = [18, 6, 1, 0, 0, 0x40, 18, 6, 1, 0, 0, 0x20];
        assert_eq!(verdict("required", &twice), Verdict::Reject(twice[6..].to_vec()));
        assert_eq!(verdict("required", &[18, 4, 1, 0]), Verdict::Reject(vec![18, 4, 1, 0]));
    }

    #[test]
    fn mppe_that_is_missing_is_asked_for() {
        assert_eq!(verdict("required", &[]), Verdict::Missing(STRONG));
        assert_eq!(judge(&"optional".parse().unwrap(), false, &[]), Verdict::Ack(None));
    }

    #[test]
    fn refusals_are_counted_by_requests_and_repetitions_apart() {
        let mut refusals = Refusals::default();
        let requests = [1, 2, 2, 2, 3, 4, 5].map(|identifier| refusals.count(identifier, 4, 3));
        assert_eq!(requests, [true, true, true, true, true, true, false]);
        let mut refusals = Refusals::default();
        assert_eq!([9; 4].map(|identifier| refusals.count(identifier, 4, 3)), [true, true, true, false]);
    }

    #[test]
    fn mppe_that_is_not_wanted_is_rejected() {
        let data = [18, 6, 1, 0, 0, 0x40];
        let verdict = judge(&"deny".parse().unwrap(), false, &parse(&data).unwrap());
        assert_eq!(verdict, Verdict::Reject(data.to_vec()));
    }
}
