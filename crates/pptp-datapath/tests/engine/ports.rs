//! Many calls through one socket.

use super::harness::{End, ends, eventually};

const CALLS: usize = 300;

/// Address of an end's unit with this number.
fn inner(end: usize, number: usize) -> String {
    format!("10.{}.{}.{}", 60 + end, number / 250, number % 250 + 1)
}

/// Two ends with so many calls between them.
fn many(count: usize) -> [End; 2] {
    let mut both = ends("batched");
    for end in 0..2 {
        let (local, peer) = (both[end].outer.clone(), both[1 - end].outer.clone());
        both[end].tell(&format!("many {count} {local} {peer}"));
        let commands: String = (0..count)
            .map(|number| {
                let (ours, theirs) = (inner(end, number), inner(1 - end, number));
                format!("addr add {ours} peer {theirs} dev many{number}\nlink set many{number} mtu 1460 up\n")
            })
            .collect();
        both[end].batch_of_ip(&commands);
    }
    both
}

#[test]
fn many_calls_of_one_peer_share_a_socket_without_mixing_up() {
    let [one, two] = many(CALLS);
    for number in [0, 1, 149, CALLS - 1] {
        assert_eq!(one.pings(&inner(1, number)), 5, "{number}");
        assert_eq!(two.pings(&inner(0, number)), 5, "{number}");
    }
    let (seen, said) = one.send("tcp", (&two, &inner(1, 77)), "5000000");
    assert_eq!(seen, said);
}

#[test]
fn the_end_of_the_life_line_ends_all_the_calls_that_hang_on_it() {
    let [mut one, two] = many(3);
    assert_eq!(two.pings(&inner(0, 2)), 5);
    one.tell("close life-line");
    eventually("the calls end", || two.futile_pings(&inner(0, 2)) == 0);
}
