//! Which way the packets go: the best that can do what the options ask for. Knows nothing of pppd and of the system, so
//! that `tests/plugin_choice.rs` can include it.

use crate::options::{Datapath, Path};

/// Why keys of 56 bits are not possible where the kernel encrypts.
pub(crate) const NO_56_BITS: &str = "ppp_mppe.ko has no keys of 56 bits";

/// What the options ask of a data path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) datapath: Datapath,
    pub(crate) call: Origin,
    /// Several links are to be one bundle.
    pub(crate) multilink: bool,
    /// MPPE is to have keys of 56 bits and no others.
    pub(crate) only_56_bits: bool,
}

/// Who makes the call, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This plugin.
    Own,
    /// A server, which has handed over a PPTP socket of the kernel's.
    KernelSocket,
    /// A server, which offers a call on a socket of its own.
    Offer,
}

/// The way that was chosen, and why none of the better ones was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) path: Path,
    /// For the log.
    pub(crate) line: String,
}

/// Why there is no way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Impossible {
    /// The options contradict each other.
    Options(String),
    /// Something is missing on this machine.
    Machine(String),
}

/// Chooses. `probe` says what is missing for a path on this machine, and is asked no more than needed.
pub(crate) fn choose(wish: Wish, mut probe: impl FnMut(Path) -> Result<(), String>) -> Result<Choice, Impossible> {
    if let Datapath::Only(path) = wish.datapath {
        let name = path.name();
        let impossible = |why: &str| format!("option pptp_datapath: '{name}' is not possible: {why}");
        contradiction(wish, path).map_or(Ok(()), |why| Err(Impossible::Options(impossible(why))))?;
        probe(path).map_err(|why| Impossible::Machine(impossible(&why)))?;
        return Ok(Choice { path, line: format!("data path {name}") });
    }
    let mut reasons = Vec::new();
    for path in Path::ALL {
        let name = path.name();
        let possible = contradiction(wish, path).map_or_else(|| probe(path), |why| Err(String::from(why)));
        match possible {
            Err(why) => reasons.push(format!("{name}: {why}")),
            Ok(()) if reasons.is_empty() => return Ok(Choice { path, line: format!("data path {name}") }),
            Ok(()) => return Ok(Choice { path, line: format!("data path {name}: {}", reasons.join("; ")) }),
        }
    }
    Err(Impossible::Machine(format!("this machine cannot do PPTP: {}", reasons.join("; "))))
}

/// What of the options a path cannot do.
fn contradiction(wish: Wish, path: Path) -> Option<&'static str> {
    match (wish.call, path) {
        (Origin::KernelSocket, Path::Tun | Path::Pty) => return Some("pptp_sock is a PPTP socket of the kernel's"),
        (Origin::Offer, Path::Kernel) => return Some("pptp_sock offers a call that is not the kernel's"),
        _ => {}
    }
    match path {
        Path::Kernel if wish.only_56_bits => Some(NO_56_BITS),
        Path::Tun if wish.multilink => Some("option multilink needs the kernel's PPP"),
        _ => None,
    }
}
