//! The guests of `make test-long`: what takes minutes because it needs many rounds or much time.

use std::time::Duration;

use pptp_vm::{Failure, Guest, Release};

/// A machine with much else to do takes two thirds of it for a hundred cycles.
const LONG: Duration = Duration::from_secs(1500);

#[test]
fn many_cycles_with_pppd_2_4_9_leave_nothing_behind() -> Result<(), Failure> {
    Guest::new("cycles").argument("2.4.9").argument("100").limit(LONG).run()
}

#[test]
fn many_cycles_with_pppd_2_5_2_leave_nothing_behind() -> Result<(), Failure> {
    Guest::new("cycles").argument("2.5.2").argument("100").limit(LONG).run()
}

#[test]
fn the_call_manager_keeps_the_fork_rules_of_pppd_2_5_2() -> Result<(), Failure> {
    Guest::new("fork_rules").argument("2.5.2").limit(LONG).run()
}

#[test]
fn an_idle_tunnel_stays_up_for_two_minutes_of_echoes() -> Result<(), Failure> {
    Guest::new("idle").limit(LONG).run()
}

#[test]
fn pppd_2_5_2_takes_options_where_users_write_them() -> Result<(), Failure> {
    Guest::new("options").argument("2.5.2").limit(LONG).run()
}

#[test]
fn faults_before_a_call_is_up_are_named_by_pppd_2_5_2() -> Result<(), Failure> {
    Guest::new("faults").argument("2.5.2").limit(LONG).run()
}

#[test]
fn a_tunnel_that_ends_hangs_up_pppd_2_4_9() -> Result<(), Failure> {
    Guest::new("faults_up").argument("2.4.9").limit(LONG).run()
}

#[test]
fn sigterm_ends_pppd_2_5_2_in_every_phase_of_connecting() -> Result<(), Failure> {
    Guest::new("faults_term").argument("2.5.2").limit(LONG).run()
}

#[test]
fn persist_redials_with_pppd_2_4_9() -> Result<(), Failure> {
    Guest::new("persist").argument("2.4.9").limit(LONG).run()
}

#[test]
fn a_tunnel_that_ends_hangs_up_pppd_2_5_2() -> Result<(), Failure> {
    Guest::new("faults_up").argument("2.5.2").limit(LONG).run()
}

#[test]
fn many_cycles_on_tun_with_pppd_2_5_2_leave_nothing_behind() -> Result<(), Failure> {
    Guest::new("datapath").argument("tun").argument("2.5.2").argument("20").limit(LONG).run()
}

#[test]
fn many_cycles_on_pty_with_pppd_2_4_9_leave_nothing_behind() -> Result<(), Failure> {
    Guest::new("datapath").argument("pty").argument("2.4.9").argument("20").limit(LONG).run()
}

#[test]
fn pppd_2_5_2_takes_the_best_data_path_that_there_is() -> Result<(), Failure> {
    Guest::new("auto").argument("2.5.2").limit(LONG).run()
}

#[test]
fn pppd_2_4_9_has_all_its_features_on_tun() -> Result<(), Failure> {
    Guest::new("features").argument("tun").argument("2.4.9").limit(LONG).run()
}

#[test]
fn pppd_2_5_2_has_all_its_features_on_tun() -> Result<(), Failure> {
    Guest::new("features").argument("tun").argument("2.5.2").limit(LONG).run()
}

#[test]
fn pppd_2_4_9_has_all_its_features_on_pty() -> Result<(), Failure> {
    Guest::new("features").argument("pty").argument("2.4.9").limit(LONG).run()
}

#[test]
fn pppd_2_5_2_has_all_its_features_on_pty() -> Result<(), Failure> {
    Guest::new("features").argument("pty").argument("2.5.2").limit(LONG).run()
}

#[test]
fn a_tunnel_on_tun_lives_through_a_network_that_harms_packets() -> Result<(), Failure> {
    Guest::new("impaired").argument("tun").argument("2.4.9").limit(LONG).run()
}

#[test]
fn a_tunnel_on_pty_lives_through_a_network_that_harms_packets() -> Result<(), Failure> {
    Guest::new("impaired").argument("pty").argument("2.5.2").limit(LONG).run()
}

#[test]
fn what_ends_a_data_path_hangs_up_pppd_2_4_9_on_tun() -> Result<(), Failure> {
    Guest::new("datapath_faults").argument("tun").argument("2.4.9").limit(LONG).run()
}

#[test]
fn what_ends_a_data_path_hangs_up_pppd_2_5_2_on_pty() -> Result<(), Failure> {
    Guest::new("datapath_faults").argument("pty").argument("2.5.2").limit(LONG).run()
}

#[test]
fn a_firewall_without_gre_is_named_by_pppd_2_5_2_too() -> Result<(), Failure> {
    Guest::new("gre_blocked").argument("2.5.2").limit(LONG).run()
}

#[test]
fn a_tunnel_on_tun_that_ends_hangs_up_pppd_2_4_9() -> Result<(), Failure> {
    Guest::new("faults_up").argument("2.4.9").argument("tun").limit(LONG).run()
}

#[test]
fn persist_redials_on_tun_with_pppd_2_4_9() -> Result<(), Failure> {
    Guest::new("persist").argument("2.4.9").argument("tun").limit(LONG).run()
}

#[test]
fn persist_redials_on_pty_with_pppd_2_5_2() -> Result<(), Failure> {
    Guest::new("persist").argument("2.5.2").argument("pty").limit(LONG).run()
}

#[test]
fn the_fork_rules_of_pppd_2_5_2_are_kept_on_tun() -> Result<(), Failure> {
    Guest::new("fork_rules").argument("2.5.2").argument("tun").limit(LONG).run()
}

#[test]
fn the_fork_rules_of_pppd_2_4_9_are_kept_on_pty() -> Result<(), Failure> {
    Guest::new("fork_rules").argument("2.4.9").argument("pty").limit(LONG).run()
}

/// Twenty megabytes each way in each mode.
fn encrypts(path: &str, version: &str) -> Result<(), Failure> {
    let modes = ["128", "40", "128-stateful"];
    let guest = Guest::new("mppe").argument(path).argument(version).argument("20000");
    modes.into_iter().fold(guest, Guest::argument).limit(LONG).run()
}

#[test]
fn the_engine_s_mppe_and_the_kernel_s_understand_each_other_on_tun_with_pppd_2_4_9() -> Result<(), Failure> {
    encrypts("tun", "2.4.9")
}

#[test]
fn the_engine_s_mppe_and_the_kernel_s_understand_each_other_on_tun_with_pppd_2_5_2() -> Result<(), Failure> {
    encrypts("tun", "2.5.2")
}

#[test]
fn the_engine_s_mppe_and_the_kernel_s_understand_each_other_on_pty_with_pppd_2_4_9() -> Result<(), Failure> {
    encrypts("pty", "2.4.9")
}

#[test]
fn the_engine_s_mppe_and_the_kernel_s_understand_each_other_on_pty_with_pppd_2_5_2() -> Result<(), Failure> {
    encrypts("pty", "2.5.2")
}

#[test]
fn stateless_encryption_lives_through_a_network_that_harms_packets_on_tun() -> Result<(), Failure> {
    Guest::new("mppe_impaired").argument("tun").argument("2.5.2").argument("128").limit(LONG).run()
}

#[test]
fn stateless_encryption_lives_through_a_network_that_harms_packets_on_pty() -> Result<(), Failure> {
    Guest::new("mppe_impaired").argument("pty").argument("2.4.9").argument("128").limit(LONG).run()
}

#[test]
fn stateful_encryption_lives_through_a_network_that_harms_packets_on_tun() -> Result<(), Failure> {
    Guest::new("mppe_impaired").argument("tun").argument("2.4.9").argument("128-stateful").limit(LONG).run()
}

#[test]
fn stateful_encryption_lives_through_a_network_that_harms_packets_on_pty() -> Result<(), Failure> {
    Guest::new("mppe_impaired").argument("pty").argument("2.5.2").argument("128-stateful").limit(LONG).run()
}

#[test]
fn nothing_passes_in_clear_on_tun_when_ccp_begins_anew() -> Result<(), Failure> {
    Guest::new("mppe_renegotiated").argument("tun").argument("2.4.9").limit(LONG).run()
}

#[test]
fn nothing_passes_in_clear_on_pty_when_ccp_begins_anew() -> Result<(), Failure> {
    Guest::new("mppe_renegotiated").argument("pty").argument("2.5.2").limit(LONG).run()
}

#[test]
fn nothing_passes_in_clear_on_the_kernel_s_path_when_ccp_begins_anew() -> Result<(), Failure> {
    Guest::new("mppe_renegotiated").argument("kernel").argument("2.5.2").limit(LONG).run()
}

#[test]
fn a_forger_makes_the_kernel_of_pppd_2_5_2_send_nothing_in_clear() -> Result<(), Failure> {
    Guest::new("mppe_window").argument("client").argument("2.5.2").run()
}

#[test]
fn a_forger_makes_a_server_s_kernel_send_nothing_in_clear() -> Result<(), Failure> {
    Guest::new("mppe_window").argument("server").argument("2.4.9").run()
}

/// Pairs of calls: Debian's pptp-linux's and the plugin's.
fn serves(version: &str) -> Result<(), Failure> {
    Guest::new("rsd").argument(version).argument("kernel:20").argument("tun:4").limit(LONG).run()
}

#[test]
fn pptp_rsd_with_pppd_2_4_9_serves_twenty_calls_of_each_client() -> Result<(), Failure> {
    serves("2.4.9")
}

#[test]
fn pptp_rsd_with_pppd_2_5_2_serves_twenty_calls_of_each_client() -> Result<(), Failure> {
    serves("2.5.2")
}

#[test]
fn pptp_rsd_refuses_what_the_kernel_cannot_tell_apart_and_comes_back_when_it_is_killed() -> Result<(), Failure> {
    Guest::new("rsd_faults").argument("2.4.9").limit(LONG).run()
}

#[test]
fn pptp_rsd_with_pppd_2_4_9_places_a_call_that_the_kernel_carries() -> Result<(), Failure> {
    Guest::new("rsd_placing").argument("2.4.9").argument("kernel").run()
}

#[test]
fn pptp_rsd_with_pppd_2_5_2_places_calls_that_engines_carry() -> Result<(), Failure> {
    Guest::new("rsd_placing").argument("2.5.2").argument("pty").argument("tun").run()
}

#[test]
fn pptp_rsd_serves_the_clients_of_a_vrf() -> Result<(), Failure> {
    Guest::new("rsd_vrf").argument("2.4.9").argument("tun").argument("kernel").run()
}

#[test]
fn radius_s_keys_encrypt_in_the_kernel_of_a_server_with_pppd_2_4_9() -> Result<(), Failure> {
    Guest::new("rsd_radius").argument("2.4.9").limit(LONG).run()
}

#[test]
fn radius_s_keys_encrypt_in_the_kernel_of_a_server_with_pppd_2_5_2() -> Result<(), Failure> {
    Guest::new("rsd_radius").argument("2.5.2").limit(LONG).run()
}

#[test]
fn pptp_rsd_is_a_service_of_systemd_257() -> Result<(), Failure> {
    Guest::new("systemd").argument("kernel").argument("pty").systemd(Release::Debian13).limit(LONG).run()
}

#[test]
fn apparmor_confines_the_service_of_debian_13_and_breaks_nothing() -> Result<(), Failure> {
    Guest::new("systemd_apparmor").systemd(Release::Debian13).limit(LONG).run()
}

#[test]
fn apparmor_lets_pam_winbind_and_scripts_do_their_work() -> Result<(), Failure> {
    Guest::new("systemd_apparmor_logins").systemd(Release::Debian12).limit(LONG).run()
}

#[test]
fn apparmor_lets_pam_winbind_and_scripts_of_debian_13_do_their_work() -> Result<(), Failure> {
    Guest::new("systemd_apparmor_logins").systemd(Release::Debian13).limit(LONG).run()
}

#[test]
fn a_client_s_service_that_stops_leaves_the_tunnels_of_others_alone() -> Result<(), Failure> {
    Guest::new("systemd_clients").systemd(Release::Debian12).limit(LONG).run()
}
