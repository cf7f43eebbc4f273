//! The layers of a connection, each of which needs those before it; and how a list of them is shown.

use std::fmt;

/// A layer, in the order in which they come up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Layer {
    /// The files of the profile.
    Profile,
    /// What this machine has.
    Machine,
    /// The server's name.
    Name,
    /// TCP to the server.
    Tcp,
    /// The control connection (RFC 2637 §3.1).
    Control,
    /// The call (RFC 2637 §3.2).
    Call,
    /// PPP frames by GRE: LCP.
    Link,
    /// CHAP.
    Authentication,
    /// CCP: MPPE.
    Encryption,
    /// IPCP.
    Address,
}

impl Layer {
    /// All of them.
    pub(crate) const ALL: [Self; 10] = [
        Self::Profile,
        Self::Machine,
        Self::Name,
        Self::Tcp,
        Self::Control,
        Self::Call,
        Self::Link,
        Self::Authentication,
        Self::Encryption,
        Self::Address,
    ];

    /// What it is called.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Machine => "machine",
            Self::Name => "name",
            Self::Tcp => "TCP",
            Self::Control => "control connection",
            Self::Call => "call",
            Self::Link => "link (GRE, LCP)",
            Self::Authentication => "authentication",
            Self::Encryption => "encryption",
            Self::Address => "address",
        }
    }
}

/// Why a layer does not come up, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) layer: Layer,
    /// What has happened.
    pub(crate) what: String,
    /// What to do.
    pub(crate) remedy: String,
}

impl Fault {
    pub(crate) fn new(layer: Layer, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { layer, what: what.into(), remedy: remedy.into() }
    }
}

/// Width of the first two columns.
const STATE: usize = 13;
const TITLE: usize = 20;

/// A layer that is up, in one line: what there is to say of it.
pub(crate) fn passed(layer: Layer, what: &str) -> String {
    line("ok", layer, what)
}

/// A layer that has failed, and those behind it and behind the last that has passed.
pub(crate) fn failed(fault: &Fault, passed: Option<Layer>) -> String {
    let mut text = line("FAILED", fault.layer, &fault.what);
    text += &format!("{:1$}what to do: {2}\n", "", STATE + TITLE, fault.remedy);
    for layer in Layer::ALL.into_iter().filter(|layer| Some(*layer) > passed.max(Some(fault.layer))) {
        text += &line("not reached", layer, "");
    }
    text
}

fn line(state: &str, layer: Layer, what: &str) -> String {
    format!("{}\n", format!("{state:<STATE$}{:<TITLE$}{what}", layer.title()).trim_end())
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; what to do: {}", self.layer.title(), self.what, self.remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_shown_in_columns() {
        assert_eq!(passed(Layer::Tcp, "port 1723"), "ok           TCP                 port 1723\n");
        let fault = Fault::new(Layer::Encryption, "the server has none", "do without");
        let expected = "\
FAILED       encryption          the server has none
                                 what to do: do without
not reached  address
";
        assert_eq!(failed(&fault, Some(Layer::Authentication)), expected);
        // pppd may find out about the machine what the layer itself did not show.
        let fault = Fault { layer: Layer::Machine, ..fault };
        assert!(failed(&fault, Some(Layer::Encryption)).ends_with("do without\nnot reached  address\n"));
        let fault = Fault { layer: Layer::Encryption, ..fault };
        assert_eq!(fault.to_string(), "encryption: the server has none; what to do: do without");
    }

    #[test]
    fn all_layers_are_in_order() {
        assert!(Layer::ALL.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
