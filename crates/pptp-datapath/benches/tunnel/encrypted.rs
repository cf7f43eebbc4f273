//! The same TCP flow with MPPE (128 bits, stateless), next to an engine that makes a system call for each packet and
//! encrypts one after the other with OpenSSL.

use std::process::Command;

use super::harness::{End, TUNNEL_END, tunnel_of};
use super::table::{Bar, Table};
use super::{KERNEL_QUEUE, Plan, Transfer, gigabits};

/// What CCP agrees on, and a key.
const OPTION: &str = "120601000040";
const KEY: &str = "000102030405060708090a0b0c0d0e0f";

/// `SC_CCP_OPEN` of `linux/ppp-ioctl.h`.
const CCP_OPEN: u32 = 0x40;
/// CCP's Configure-Ack.
const AGREED: &str = "80fd0201000a120601000040";

/// MPPE's header, and the protocol field that it hides, take 4 bytes more.
const MTU: &str = "link set ppp7 mtu 1456";

/// Engines that are measured in turns.
struct Kind {
    name: &'static str,
    ends: [End; 2],
    transfers: Vec<Transfer>,
}

impl Kind {
    fn new(name: &'static str, kind: (&str, &str)) -> Self {
        let mut ends = tunnel_of(kind, "");
        agree(&mut ends);
        Self { name, ends, transfers: Vec::new() }
    }

    fn with_kernel_queue(self) -> Self {
        self.ends.iter().for_each(|end| end.ip(KERNEL_QUEUE));
        self
    }

    fn costs(&self, end: usize) -> Vec<f64> {
        self.transfers.iter().map(|transfer| transfer.cost(end)).collect()
    }
}

/// Lets both ends of a tunnel encrypt. From then on no packet passes in clear.
fn agree(ends: &mut [End; 2]) {
    for end in &mut *ends {
        end.tell(&format!("flags {CCP_OPEN}"));
        end.tell(&format!("compression unit {OPTION} {KEY}"));
        end.ip(MTU);
    }
    for sender in 0..2 {
        ends[sender].tell(&format!("write unit {AGREED}"));
        assert_eq!(ends[1 - sender].ask("read unit"), AGREED);
    }
}

/// The program of the ends, with OpenSSL's RC4 in the place of ours; the path.
fn build_with_openssl() -> String {
    let target = concat!(env!("CARGO_TARGET_TMPDIR"), "/plain-mppe");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default() + " --cfg pptp_plain_mppe --allow dead_code";
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--bin", "tunnel-end", "--manifest-path", manifest]);
    let status = cargo.args(["--target-dir", target]).env("RUSTFLAGS", flags).status();
    assert!(status.is_ok_and(|status| status.success()), "the comparison needs libssl-dev");
    format!("{target}/release/tunnel-end")
}

pub(crate) fn measure(plan: &Plan, table: &mut Table) {
    let plain = build_with_openssl();
    let mut kinds = [
        Kind::new("batched", (TUNNEL_END, "batched")),
        Kind::new("one a call, OpenSSL, queue 500", (&plain, "single")).with_kernel_queue(),
        Kind::new("one a call, OpenSSL, queue 1000", (&plain, "single")),
        Kind::new("one a call, our cipher, queue 1000", (TUNNEL_END, "single")),
    ];
    for kind in &mut kinds {
        Transfer::tcp(&mut kind.ends, plan.time / 6);
    }
    for _ in 0..plan.rounds {
        for kind in &mut kinds {
            kind.transfers.push(Transfer::tcp(&mut kind.ends, plan.time));
        }
    }
    for kind in &kinds {
        table.show(&format!("MPPE: {}, Gbit/s", kind.name), &gigabits(&kind.transfers));
    }
    let [batched, plain, plain_with_long_queue, single] = &kinds;
    let ratios = |other: &Kind| -> Vec<f64> {
        batched.transfers.iter().zip(&other.transfers).map(|(one, other)| one.rate / other.rate).collect()
    };
    table.judge("MPPE: batched / one a call, OpenSSL, queue 500", &ratios(plain), Bar::AtLeast(2.3));
    for other in [plain_with_long_queue, single] {
        table.show(&format!("MPPE: batched / {}", other.name), &ratios(other));
    }
    for (end, side) in ["sending", "receiving"].into_iter().enumerate() {
        for kind in [batched, plain_with_long_queue, single] {
            table.show(&format!("MPPE, {side}: us/packet, {}", kind.name), &kind.costs(end));
        }
    }
    for kind in [batched, plain] {
        let resent: Vec<f64> = kind.transfers.iter().map(|transfer| transfer.resent).collect();
        table.show(&format!("MPPE: segments sent again, {}", kind.name), &resent);
    }
}
