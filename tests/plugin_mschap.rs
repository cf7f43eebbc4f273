//! MS-CHAPv2 of the plugin, in a pppd of straw.

mod fake_host;

use fake_host::{Ran, run_with_variables};

fn mschap(option: &str, variables: &[(&str, &str)]) -> Ran {
    run_with_variables(&["pptp_server", "192.0.2.1", "pptp_mschap", option, "@check", "@mschap"], variables)
}

#[test]
fn pppd_keeps_its_own_if_it_is_right() {
    for option in ["auto", "pppd"] {
        // What was tried has left no keys behind.
        assert!(mschap(option, &[]).says("mschap pppd, keys none"), "{option}");
    }
    assert!(mschap("pppd", &[("BAD_MSCHAP", "1")]).says("mschap pppd, keys none"));
}

#[test]
fn a_wrong_result_is_seen_before_any_login() {
    let ran = mschap("auto", &[("BAD_MSCHAP", "1")]);
    assert!(ran.says("mschap plugin, keys none"), "{ran:?}");
    let line = "info: MS-CHAPv2 is the plugin's, as pppd's own gives wrong results here (MD4 and DES are not allowed?)";
    assert!(ran.says(line), "{ran:?}");
}

#[test]
fn both_ends_of_it_understand_each_other_and_nobody_else() {
    let ran = mschap("internal", &[]);
    for line in ["wrong password 0", "right password 1", "server 1", "false server 0", "keys set"] {
        assert!(ran.says(line), "{line}: {ran:?}");
    }
    let failure = "error: MS-CHAPv2: the server does not accept the name or the password: wrong user name or password (691): \
                   Access denied";
    assert!(ran.says(failure), "{ran:?}");
    assert!(!ran.lines.iter().any(|line| line.contains("open sesame")), "{ran:?}");
}
