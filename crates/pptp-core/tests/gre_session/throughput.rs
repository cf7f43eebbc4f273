//! What comes through, for each loss, reordering and window: a table, so that a change shows as a difference.

use core::time::Duration;
use std::fmt::Write as _;

use pptp_core::gre::{Config, Reordering};

use super::link::Link;
use super::pair::{Pair, Traffic};
use super::{MILLISECOND, at, config};

const TABLE: &str = include_str!("throughput.txt");

/// Frames per second that come out in 2 s, when 1000 per second are offered over a link of 20 ms each way.
fn throughput(link: Link, window: Option<u16>, queue: Reordering) -> u64 {
    let config = Config { transmit_window: window, reordering: queue, ..config() };
    let traffic = Traffic { frames: u32::MAX, interval: MILLISECOND };
    let mut pair = Pair::new(&config, [traffic, Traffic { frames: 0, ..traffic }], link, 7);
    pair.run_until(at(2000));
    pair.counters()[1].delivered / 2
}

fn table() -> String {
    let mut table = String::from("loss reordered queue | no window      64      16       4\n");
    for loss in [0, 10, 100] {
        for reordered in [0, 50, 250] {
            for queue in [Reordering::OFF, Reordering::default()] {
                let held_back = Duration::from_millis(8);
                let link = Link { loss, reordered, held_back, delay: MILLISECOND * 20, ..Link::default() };
                let [none, large, middle, small] =
                    [None, Some(64), Some(16), Some(4)].map(|window| throughput(link, window, queue));
                let (loss, reordered, name) = (loss / 10, reordered / 10, if queue.packets > 0 { "on" } else { "off" });
                writeln!(table, "{loss:3}% {reordered:8}% {name:>5} | {none:9} {large:7} {middle:7} {small:7}")
                    .unwrap();
            }
        }
    }
    table
}

/// When a change is meant, put what this test prints into the file.
#[test]
fn throughput_is_as_written_down() {
    let table = table();
    assert!(table == TABLE, "throughput changed:\n{table}");
}
