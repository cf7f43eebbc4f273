//! The guest of `make bench` as a test. In a file of its own, because the files run one after another: times are measured
//! in it, and no other guest runs meanwhile.

use std::time::Duration;

use pptp_vm::{Failure, Guest};

#[test]
fn connecting_takes_a_third_of_pptp_linux_s_time() -> Result<(), Failure> {
    Guest::new("bench_connect").limit(Duration::from_secs(400)).run()
}
