//! Two or three machines that are namespaces of this one, with cables between them, and stock pppd on the outer two: a
//! client, and a server that is the test kit's with a pppd for each call.
//!
//! Every machine has network, processes, /run, /etc/ppp and /dev of its own, and no PPP in its /dev. What it needs and does
//! not find (root, a pppd, the built plugin) is a failure, never a skipped test. Dropping a machine ends all that runs in
//! it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test may fail like the test"
)]

mod daemon;
mod machine;
mod middle;
mod network;
pub mod ppp;
mod pppd;
mod radius;
pub mod relaying;
mod steady;
mod strangers;
mod traffic;

pub use daemon::Daemon;
pub use machine::{Machine, Version};
pub use middle::{Middle, Way};
pub use network::{CLIENT, Network, SERVER};
pub use pppd::Pppd;
pub use pptp_testkit::waiting::eventually;
pub use radius::Radius;
pub use steady::{Flow, Steady};
pub use strangers::{Strangers, Tried};
pub use traffic::{Pace, Seen};

use std::time::Duration;

/// How long something that is to happen at once may take: a busy machine is slow, and every other way in which it could
/// happen (a minute without an answer to an echo request) takes much longer, or ends with another status (a
/// Terminate-Request that nobody answers).
pub const AT_ONCE: Duration = Duration::from_secs(20);

/// How long what needs a few exchanges may take.
pub const SOON: Duration = Duration::from_secs(40);

/// Has whatever the calling test starts from here on run on one processor. Where two carry the packets of one cable, one may be
/// faster, and packets overtake others.
///
/// # Panics
/// The system does not allow it.
pub fn on_one_processor() {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};

    let all = sched_getaffinity(nix::unistd::Pid::from_raw(0)).unwrap();
    let first = (0..CpuSet::count()).find(|&processor| all.is_set(processor).unwrap()).unwrap();
    let mut one = CpuSet::new();
    one.set(first).unwrap();
    sched_setaffinity(nix::unistd::Pid::from_raw(0), &one).unwrap();
}

/// One test for each pppd, of a function that takes a [`Version`].
#[macro_export]
macro_rules! with_either_pppd {
    ($($name:ident),* $(,)?) => {
        mod with_pppd_2_4_9 {
            $(#[test] fn $name() { super::$name(pptp_native::Version::V2_4_9); })*
        }
        mod with_pppd_2_5_2 {
            $(#[test] fn $name() { super::$name(pptp_native::Version::V2_5_2); })*
        }
    };
}
