//! The guests of `make test`.

use pptp_vm::Guest;

#[test]
fn pppd_2_4_9_brings_up_a_tunnel_to_pptpd() -> Result<(), String> {
    Guest::new("tunnel").argument("2.4.9").run()
}

#[test]
fn pppd_2_5_2_brings_up_a_tunnel_to_pptpd() -> Result<(), String> {
    Guest::new("tunnel").argument("2.5.2").run()
}

#[test]
fn pppd_2_4_9_carries_traffic_with_the_server_s_arguments() -> Result<(), String> {
    Guest::new("server_mode").argument("2.4.9").run()
}

#[test]
fn pppd_2_5_2_carries_traffic_with_the_server_s_arguments() -> Result<(), String> {
    Guest::new("server_mode").argument("2.5.2").run()
}

#[test]
fn two_pppd_share_one_control_connection() -> Result<(), String> {
    Guest::new("share").run()
}

#[test]
fn the_call_manager_keeps_pppd_s_fork_rules() -> Result<(), String> {
    Guest::new("fork_rules").run()
}

#[test]
fn twenty_cycles_with_pppd_2_4_9_leave_nothing_behind() -> Result<(), String> {
    Guest::new("cycles").argument("2.4.9").run()
}

#[test]
fn twenty_cycles_with_pppd_2_5_2_leave_nothing_behind() -> Result<(), String> {
    Guest::new("cycles").argument("2.5.2").run()
}
