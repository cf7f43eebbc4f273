//! The monotonic clock as the core's instants.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use pptp_core::time::Instant;

/// The present. Every process of one machine counts from the same epoch.
pub fn now() -> Instant {
    // CLOCK_MONOTONIC exists on every Linux, so the fallback is never taken.
    let since_boot = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
    Instant::from_epoch(since_boot)
}

/// How long from now to `deadline`; zero when it has passed.
pub fn until(deadline: Instant) -> Duration {
    deadline.since(now())
}
