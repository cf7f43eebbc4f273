//! Packets through a tunnel.

use super::harness::tunnel;

#[test]
fn pings_pass_in_both_directions_and_both_versions() {
    for batching in ["batched", "single"] {
        let [one, two] = tunnel(batching, "");
        assert_eq!(one.pings(&two.inner), 5);
        assert_eq!(two.pings(&one.inner), 5);
        assert_eq!(one.pings(&two.inner6), 5);
        assert_eq!(two.pings(&one.inner6), 5);
    }
}
