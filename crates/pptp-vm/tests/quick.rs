//! The guests of `make test`.

use pptp_vm::{Failure, Guest, Release};

#[test]
fn pppd_2_4_9_brings_up_a_tunnel_to_pptpd() -> Result<(), Failure> {
    Guest::new("tunnel").argument("2.4.9").run()
}

#[test]
fn pppd_2_5_2_brings_up_a_tunnel_to_pptpd() -> Result<(), Failure> {
    Guest::new("tunnel").argument("2.5.2").run()
}

#[test]
fn pppd_2_4_9_carries_traffic_with_the_server_s_arguments() -> Result<(), Failure> {
    Guest::new("server_mode").argument("2.4.9").run()
}

#[test]
fn pppd_2_5_2_carries_traffic_with_the_server_s_arguments() -> Result<(), Failure> {
    Guest::new("server_mode").argument("2.5.2").run()
}

#[test]
fn pppd_2_4_9_takes_options_where_users_write_them() -> Result<(), Failure> {
    Guest::new("options").argument("2.4.9").run()
}

#[test]
fn two_pppd_share_one_control_connection() -> Result<(), Failure> {
    Guest::new("share").run()
}

#[test]
fn the_call_manager_keeps_pppd_s_fork_rules() -> Result<(), Failure> {
    Guest::new("fork_rules").run()
}

#[test]
fn twenty_cycles_with_pppd_2_4_9_leave_nothing_behind() -> Result<(), Failure> {
    Guest::new("cycles").argument("2.4.9").run()
}

#[test]
fn twenty_cycles_with_pppd_2_5_2_leave_nothing_behind() -> Result<(), Failure> {
    Guest::new("cycles").argument("2.5.2").run()
}

#[test]
fn a_second_pppd_leaves_the_first_one_s_tunnel_alone() -> Result<(), Failure> {
    Guest::new("second_call").run()
}

#[test]
fn faults_before_a_call_is_up_are_named_by_pppd_2_4_9() -> Result<(), Failure> {
    Guest::new("faults").argument("2.4.9").run()
}

#[test]
fn sigterm_ends_pppd_2_4_9_in_every_phase_of_connecting() -> Result<(), Failure> {
    Guest::new("faults_term").argument("2.4.9").run()
}

#[test]
fn persist_redials_with_pppd_2_5_2() -> Result<(), Failure> {
    Guest::new("persist").argument("2.5.2").run()
}

#[test]
fn pppd_2_4_9_carries_traffic_on_the_data_path_tun() -> Result<(), Failure> {
    Guest::new("datapath").argument("tun").argument("2.4.9").argument("3").run()
}

#[test]
fn pppd_2_5_2_carries_traffic_on_the_data_path_pty() -> Result<(), Failure> {
    Guest::new("datapath").argument("pty").argument("2.5.2").argument("3").run()
}

#[test]
fn pppd_2_4_9_takes_the_best_data_path_that_there_is() -> Result<(), Failure> {
    Guest::new("auto").argument("2.4.9").run()
}

#[test]
fn what_ends_a_data_path_hangs_up_pppd_2_5_2_on_tun() -> Result<(), Failure> {
    Guest::new("datapath_faults").argument("tun").argument("2.5.2").run()
}

#[test]
fn what_ends_a_data_path_hangs_up_pppd_2_4_9_on_pty() -> Result<(), Failure> {
    Guest::new("datapath_faults").argument("pty").argument("2.4.9").run()
}

#[test]
fn a_firewall_without_gre_is_named_on_every_data_path() -> Result<(), Failure> {
    Guest::new("gre_blocked").argument("2.4.9").run()
}

#[test]
fn the_engine_s_mppe_and_the_kernel_s_understand_each_other() -> Result<(), Failure> {
    Guest::new("mppe").argument("tun").argument("2.4.9").run()
}

#[test]
fn a_forger_makes_the_kernel_neither_take_nor_send_packets_in_clear() -> Result<(), Failure> {
    Guest::new("mppe_window").argument("client").argument("2.4.9").run()
}

#[test]
fn pptp_rsd_serves_both_clients_with_the_kernel() -> Result<(), Failure> {
    Guest::new("rsd").argument("2.4.9").argument("kernel:1").run()
}

#[test]
fn a_tunnel_of_the_kernel_s_is_told_of_with_pppd_2_4_9() -> Result<(), Failure> {
    Guest::new("tunnels").argument("2.4.9").run()
}

#[test]
fn a_tunnel_of_the_kernel_s_is_told_of_with_pppd_2_5_2() -> Result<(), Failure> {
    Guest::new("tunnels").argument("2.5.2").run()
}

#[test]
fn a_server_s_pppd_ends_with_its_call_of_the_kernel_s() -> Result<(), Failure> {
    Guest::new("rsd_hangup").argument("2.4.9").run()
}

#[test]
fn the_command_takes_pptp_linux_s_place_with_pppd_2_4_9() -> Result<(), Failure> {
    Guest::new("command").argument("2.4.9").run()
}

#[test]
fn the_command_takes_pptp_linux_s_place_with_pppd_2_5_2() -> Result<(), Failure> {
    Guest::new("command").argument("2.5.2").run()
}

#[test]
fn pptp_rsd_is_a_service_of_systemd_252() -> Result<(), Failure> {
    Guest::new("systemd").argument("tun").argument("kernel").systemd(Release::Debian12).run()
}

#[test]
fn apparmor_confines_the_service_and_breaks_nothing() -> Result<(), Failure> {
    Guest::new("systemd_apparmor").argument("radius").systemd(Release::OfThisMachine).run()
}
