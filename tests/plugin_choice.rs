//! Which data path is chosen, and what is said of the others.
#![expect(clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

#[expect(dead_code, unused_imports, reason = "the plugin uses all of it")]
#[path = "../src/options/mod.rs"]
mod options;

#[path = "../src/channel/choice.rs"]
mod choice;

use choice::{Choice, Impossible, Origin, Wish, choose};
use options::{Datapath, Path};

const AUTO: Wish = Wish { datapath: Datapath::Auto, call: Origin::Own, multilink: false, only_56_bits: false };

/// Chooses on a machine that can do these.
fn on_machine(wish: Wish, possible: &[Path]) -> Result<Choice, Impossible> {
    choose(wish, |path| if possible.contains(&path) { Ok(()) } else { Err(format!("no {}", path.name())) })
}

fn line(wish: Wish, possible: &[Path]) -> String {
    on_machine(wish, possible).unwrap_or_else(|error| panic!("{error:?}")).line
}

#[test]
fn auto_takes_the_first_that_is_possible_and_says_why_not_the_better_ones() {
    assert_eq!(line(AUTO, &Path::ALL), "data path kernel");
    assert_eq!(line(AUTO, &[Path::Tun, Path::Pty]), "data path tun: kernel: no kernel");
    assert_eq!(line(AUTO, &[Path::Pty]), "data path pty: kernel: no kernel; tun: no tun");
}

#[test]
fn keys_of_56_bits_are_not_the_kernels() {
    let wish = Wish { only_56_bits: true, ..AUTO };
    assert_eq!(line(wish, &Path::ALL), "data path tun: kernel: ppp_mppe.ko has no keys of 56 bits");
}

#[test]
fn what_is_chosen_is_all_that_is_probed() {
    let mut probed = Vec::new();
    let choice = choose(AUTO, |path| {
        probed.push(path);
        Ok(())
    });
    assert_eq!(choice.map(|choice| choice.path), Ok(Path::Kernel));
    assert_eq!(probed, [Path::Kernel]);
}

#[test]
fn a_machine_that_can_do_none_is_told_of_all() {
    let line = "this machine cannot do PPTP: kernel: no kernel; tun: no tun; pty: no pty";
    assert_eq!(on_machine(AUTO, &[]), Err(Impossible::Machine(String::from(line))));
}

#[test]
fn a_path_that_is_forced_is_taken_or_refused_by_name() {
    for path in Path::ALL {
        let wish = Wish { datapath: Datapath::Only(path), ..AUTO };
        assert_eq!(on_machine(wish, &Path::ALL).map(|choice| choice.path), Ok(path));
        let name = path.name();
        let refusal = format!("option pptp_datapath: '{name}' is not possible: no {name}");
        assert_eq!(on_machine(wish, &[]), Err(Impossible::Machine(refusal)));
    }
}

#[test]
fn options_rule_paths_out() {
    let bundle = Wish { multilink: true, ..AUTO };
    let line_of_bundle = "data path pty: kernel: no kernel; tun: option multilink needs the kernel's PPP";
    assert_eq!(line(bundle, &[Path::Tun, Path::Pty]), line_of_bundle);
    let forced = Wish { datapath: Datapath::Only(Path::Tun), ..bundle };
    let refusal = "option pptp_datapath: 'tun' is not possible: option multilink needs the kernel's PPP";
    assert_eq!(on_machine(forced, &Path::ALL), Err(Impossible::Options(String::from(refusal))));
}

#[test]
fn a_call_that_a_server_brings_goes_where_its_socket_goes() {
    let taken = |call, possible: &[Path]| on_machine(Wish { call, ..AUTO }, possible).map(|choice| choice.path);
    assert_eq!(taken(Origin::KernelSocket, &Path::ALL), Ok(Path::Kernel));
    assert!(taken(Origin::KernelSocket, &[Path::Tun, Path::Pty]).is_err());
    assert_eq!(taken(Origin::Offer, &Path::ALL), Ok(Path::Tun));
}
