//! Waiting for what is to happen.

use std::time::{Duration, Instant};

/// Waits until something is there, and gives it.
///
/// # Panics
/// It is not there after `limit`.
#[track_caller]
pub fn eventually<T>(what: &str, limit: Duration, mut find: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(begin.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
