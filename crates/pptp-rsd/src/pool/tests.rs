use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::config::{AddressRange, Config};

fn ranges(list: &str) -> Vec<AddressRange> {
    list.split(',').filter(|item| !item.is_empty()).map(|item| item.parse().unwrap()).collect()
}

fn plan(local: &str, remote: &str, most: usize) -> Plan {
    Plan::new(&ranges(local), &ranges(remote), most)
}

fn pairs(plan: Plan) -> Vec<String> {
    plan.into_pairs().iter().map(|pair| format!("{}:{}", pair.local, pair.remote)).collect()
}

fn address(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

/// `localip`, `remoteip`, `connections`; what comes of it.
type Case<'a> = (&'a str, &'a str, usize, &'a [&'a str], &'a [Remark]);

/// What Debian's pptpd 1.4.0 makes of the same lines: its "maximum of N connections", and the addresses it gives pppd.
#[test]
fn pairs_are_pptpds() {
    use Remark::*;
    let cases: [Case<'_>; 9] = [
        ("10.0.0.1", "10.0.1.2-3", 2, &["10.0.0.1:10.0.1.2", "10.0.0.1:10.0.1.3"], &[]),
        ("10.0.0.1", "10.0.1.2-3", 100, &["10.0.0.1:10.0.1.2", "10.0.0.1:10.0.1.3"], &[TooFewRemotes]),
        ("10.0.0.1", "10.0.1.2-9", 1, &["10.0.0.1:10.0.1.2"], &[RemotesLeftOut]),
        ("10.0.0.1-2", "10.0.1.2-3", 2, &["10.0.0.1:10.0.1.2", "10.0.0.2:10.0.1.3"], &[]),
        ("10.0.0.1-3", "10.0.1.2-3", 2, &["10.0.0.1:10.0.1.2", "10.0.0.2:10.0.1.3"], &[LocalsLeftOut]),
        ("10.0.0.1-2", "10.0.1.2-9", 3, &["10.0.0.1:10.0.1.2", "10.0.0.2:10.0.1.3"], &[RemotesLeftOut, TooFewLocals]),
        ("10.0.0.1,10.0.0.1", "10.0.1.2,10.0.2-3.2", 3, &["10.0.0.1:10.0.1.2", "10.0.0.1:10.0.2.2"], &[TooFewLocals]),
        // The second 10.0.1.2 is not reached.
        ("10.0.0.1", "10.0.1.2-4,10.0.1.2", 2, &["10.0.0.1:10.0.1.2", "10.0.0.1:10.0.1.3"], &[RemotesLeftOut]),
        ("", "10.0.1.2", 1, &[], &[TooFewLocals]),
    ];
    for (local, remote, most, expected, remarks) in cases {
        let plan = plan(local, remote, most);
        assert_eq!(plan.remarks(), remarks, "{local} {remote} {most}");
        assert_eq!(pairs(plan), expected, "{local} {remote} {most}");
    }
}

#[test]
fn an_address_that_is_listed_twice_is_there_once() {
    let plan = plan("10.0.0.1", "10.0.1.2,10.0.1.1-2", 9);
    assert_eq!(plan.remarks(), [Remark::Duplicate(address("10.0.1.2")), Remark::TooFewRemotes]);
    assert_eq!(pairs(plan), ["10.0.0.1:10.0.1.2", "10.0.0.1:10.0.1.1"]);
}

#[test]
fn an_address_on_both_sides_is_remarked() {
    let plan = plan("10.0.0.1", "10.0.0.1-3", 3);
    assert_eq!(plan.remarks(), [Remark::LocalIsRemote(address("10.0.0.1"))]);
    assert_eq!(plan.len(), 3);
}

#[test]
fn without_settings_there_are_pptpds_hundred_pairs() {
    let pairs = pairs(Plan::of(&Config::default()));
    assert_eq!(
        (pairs.len(), pairs[0].as_str(), pairs[99].as_str()),
        (100, "192.168.0.1:192.168.1.1", "192.168.0.100:192.168.1.100")
    );
}

#[test]
fn there_is_nothing_to_give_where_pppd_chooses() {
    assert!(Plan::of(&Config { delegate: true, ..Config::default() }).is_empty());
}

#[test]
fn the_first_that_is_free_is_taken() {
    let mut pool = Pool::new(plan("10.0.0.1-3", "10.0.1.1-3", 3));
    let [first, second, third] = [(); 3].map(|()| pool.take().unwrap());
    assert_eq!([&first, &second, &third].map(|lease| lease.pair().remote.octets()[3]), [1, 2, 3]);
    assert_eq!((pool.take(), pool.free(), pool.leased()), (None, 0, 3));
    pool.give(third);
    pool.give(first);
    let again = pool.take().unwrap();
    assert_eq!(again.pair(), Pair { local: address("10.0.0.1"), remote: address("10.0.1.1") });
    pool.give(again);
    pool.give(second);
    assert_eq!((pool.free(), pool.leased()), (3, 0));
}

#[test]
fn a_call_keeps_its_addresses_when_the_pool_changes() {
    let mut pool = Pool::new(plan("10.0.0.1", "10.0.1.1-2", 2));
    let (one, two) = (pool.take().unwrap(), pool.take().unwrap());
    pool.change(plan("10.0.9.9", "10.0.1.2-3", 2));
    assert_eq!(one.pair().local, address("10.0.0.1"));
    // 10.0.1.2 is in use still, now at another place of the list.
    let three = pool.take().unwrap();
    assert_eq!((three.pair().remote, pool.take()), (address("10.0.1.3"), None));
    pool.give(one);
    assert_eq!(pool.take(), None, "10.0.1.1 is no longer given out");
    pool.give(two);
    let four = pool.take().unwrap();
    assert_eq!(four.pair(), Pair { local: address("10.0.9.9"), remote: address("10.0.1.2") });
    pool.give(three);
    pool.give(four);
    assert_eq!((pool.free(), pool.leased()), (2, 0));
}

#[derive(Clone, Debug)]
enum Step {
    Take,
    Give(usize),
    Change(u8, u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Take),
        3 => any::<usize>().prop_map(Step::Give),
        1 => (0..20_u8, 0..20_u8).prop_map(|(first, more)| Step::Change(first, more)),
    ];
    prop::collection::vec(step, 0..200)
}

fn some_plan(first: u8, more: u8) -> Plan {
    plan("10.0.0.1", &format!("10.0.1.{first}-{}", first + more), 1000)
}

proptest! {
    /// Against the simplest model: what is leased, and what the list says.
    #[test]
    fn no_address_is_given_twice_and_none_is_lost(steps in steps()) {
        let mut listed = some_plan(0, 5).into_pairs();
        let mut pool = Pool::new(some_plan(0, 5));
        let mut leases: Vec<Lease> = Vec::new();
        for step in steps {
            match step {
                Step::Take => {
                    let expected = listed.iter().find(|pair| leases.iter().all(|lease| lease.pair().remote != pair.remote));
                    let lease = pool.take();
                    prop_assert_eq!(lease.as_ref().map(Lease::pair), expected.copied());
                    leases.extend(lease);
                }
                Step::Give(_) if leases.is_empty() => {}
                Step::Give(which) => pool.give(leases.swap_remove(which % leases.len())),
                Step::Change(first, more) => {
                    listed = some_plan(first, more).into_pairs();
                    pool.change(some_plan(first, more));
                }
            }
            prop_assert_eq!(pool.leased(), leases.len());
        }
        leases.into_iter().for_each(|lease| pool.give(lease));
        prop_assert_eq!((pool.free(), pool.leased()), (listed.len(), 0));
    }

    #[test]
    fn a_plan_has_each_remote_address_once(
        local in prop::collection::vec((0..4_u8, 0..4_u8), 0..5),
        remote in prop::collection::vec((0..8_u8, 0..8_u8), 0..5),
        most in 0..40_usize,
    ) {
        let ranges = |ends: &[(u8, u8)]| -> Vec<AddressRange> {
            ends.iter().map(|(low, more)| format!("10.0.{low}-{}.1", low + more).parse().unwrap()).collect()
        };
        let plan = Plan::new(&ranges(&local), &ranges(&remote), most);
        prop_assert!(plan.len() <= most);
        let pairs = plan.into_pairs();
        let different: std::collections::HashSet<_> = pairs.iter().map(|pair| pair.remote).collect();
        prop_assert_eq!(different.len(), pairs.len());
    }
}
