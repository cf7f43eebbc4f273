//! How long a session takes for a packet: `cargo bench -p pptp-core --bench gre`.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "it measures time and says so")]
#![expect(clippy::unwrap_used, reason = "a panic is how a measurement fails")]

use core::time::Duration;
use std::hint::black_box;

use pptp_core::gre::{Config, Inbound, Packet, Reordering, Session};
use pptp_core::time::Instant;
use pptp_core::wire::{CallId, GreHeader, PeerCallId};

const BATCH: u32 = 64;
const BATCHES: u32 = 20_000;
const LENGTH: usize = 1400;

fn config() -> Config {
    Config { reordering: Reordering { packets: 64, ..Reordering::default() }, ..Config::new(CallId(1), PeerCallId(2)) }
}

fn nanoseconds(start: std::time::Instant) -> u128 {
    start.elapsed().as_nanos() / u128::from(BATCH * BATCHES)
}

/// Receives batches whose packets have these numbers in them; gives nanoseconds for each packet.
fn receive(order: impl Fn(u32) -> u32) -> u128 {
    let mut session = Session::new(&config());
    let mut free: Vec<Vec<u8>> = (0..2 * BATCH).map(|_| vec![0; 2048]).collect();
    let mut batch = Vec::with_capacity(64);
    let mut out = Inbound::with_capacity(256);
    let start = std::time::Instant::now();
    for count in 0..BATCHES {
        let now = Instant::from_epoch(Duration::from_micros(u64::from(count) * 100));
        for place in 0..BATCH {
            let mut buffer = free.pop().unwrap();
            let number = count * BATCH + order(place);
            let header = GreHeader::data(PeerCallId(1), 1400, number).acknowledging(0);
            header.emit(&mut buffer).unwrap();
            batch.push(Packet { buffer, bytes: 0..16 + LENGTH });
        }
        session.receive(batch.drain(..), now, &mut out);
        free.extend(out.frames.drain(..).map(|frame| black_box(frame).buffer));
        free.append(&mut out.spent);
        black_box(session.poll_ack(now));
    }
    let nanoseconds = nanoseconds(start);
    assert_eq!(session.counters().delivered, u64::from(BATCH * BATCHES));
    nanoseconds
}

fn send(transmit_window: Option<u16>) -> u128 {
    let mut sender: Session<Vec<u8>> = Session::new(&Config { transmit_window, ..config() });
    let mut out = Inbound::default();
    let start = std::time::Instant::now();
    for count in 0..BATCHES {
        let now = Instant::from_epoch(Duration::from_micros(u64::from(count) * 100));
        for _ in 0..BATCH {
            black_box(sender.stamp(1400, now).unwrap());
        }
        let mut ack = [0; 12];
        GreHeader::ack_only(PeerCallId(1), (count + 1) * BATCH - 1).emit(&mut ack).unwrap();
        sender.receive([Packet { buffer: ack.to_vec(), bytes: 0..12 }], now, &mut out);
        out.spent.clear();
    }
    nanoseconds(start)
}

fn main() {
    println!("receive in order: {} ns per packet, buffers and headers included", receive(|place| place));
    println!(
        "receive, every second pair changed: {} ns per packet",
        receive(|place| place ^ u32::from(place & 2 != 0))
    );
    println!("receive, batches turned round: {} ns per packet", receive(|place| BATCH - 1 - place));
    println!("send: {} ns per packet", send(None));
    println!("send with a window of 1000: {} ns per packet", send(Some(1000)));
}
