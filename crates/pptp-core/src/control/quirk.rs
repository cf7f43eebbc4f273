//! Peers that want something other than RFC 2637 or our defaults, by name.
//!
//! A quirk changes only what is *sent*. What peers send amiss is tolerated from everyone, without a switch.

use super::config::{Config, OutgoingCall};

/// A named departure from the RFC or from the defaults that one kind of peer needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Quirk {
    /// Orckit's ATUR3 ADSL modem, as Bezeq (Israel) gave it out around 2001: a PPTP server on the LAN side which relays
    /// the PPP session into its ATM circuit. It does not open the call unless it is dialled as its own Windows
    /// software dials it.
    ///
    /// Evidence: pptp(8) lists `--quirks BEZEQ_ISRAEL` for it, and pptp-linux has sent these values since version 1.1
    /// (2001, contributed by an owner of the modem). No such modem was at hand: the values are taken on trust, and
    /// changed only under this name.
    ///
    /// - Start-Control-Connection-Request: framing 1, bearer 1, no channels, firmware 0x6021, host name `RELAY_PPP1`,
    ///   vendor `MS Win NT`.
    /// - Outgoing-Call-Request: 2400 to 10,000,000 bit/s, bearer 2 (digital), framing 3, phone number `RELAY_PPP1`
    ///   (unless the user gave one).
    /// - Set-Link-Info with both ACCMs ffffffff, sent as soon as the call is connected.
    Orckit,
}

/// The name the circuit relay of [`Quirk::Orckit`] goes by, as host name and as phone number.
const ORCKIT_RELAY: &str = "RELAY_PPP1";

impl Quirk {
    /// Every name that [`Quirk::from_name`] knows: first what this program calls it, then what others call it.
    pub const NAMES: &'static [(&'static str, Self)] = &[("orckit", Self::Orckit), ("BEZEQ_ISRAEL", Self::Orckit)];

    /// The quirk with this name; case does not matter.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, quirk)| quirk)
    }

    /// What this program calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Orckit => "orckit",
        }
    }

    /// What this end says of itself at the start of the connection.
    pub(super) fn adapt_start(self, config: &mut Config) {
        match self {
            Self::Orckit => {
                config.framing_capabilities = 1;
                config.bearer_capabilities = 1;
                config.maximum_channels = 0;
                config.firmware_revision = 0x6021;
                config.host_name = String::from(ORCKIT_RELAY);
                config.vendor = String::from("MS Win NT");
            }
        }
    }

    /// What the Outgoing-Call-Request asks for.
    pub(super) fn adapt_call(self, call: &mut OutgoingCall) {
        match self {
            Self::Orckit => {
                call.minimum_bps = 2_400;
                call.maximum_bps = 10_000_000;
                call.bearer_type = 2;
                call.framing_type = 3;
                if call.phone_number.is_empty() {
                    call.phone_number = String::from(ORCKIT_RELAY);
                }
            }
        }
    }

    /// The send and receive ACCM of a Set-Link-Info that has to follow the Outgoing-Call-Reply.
    pub(super) const fn link_info(self) -> Option<(u32, u32)> {
        match self {
            Self::Orckit => Some((u32::MAX, u32::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_is_found_whatever_its_case() {
        for &(name, quirk) in Quirk::NAMES {
            assert_eq!(Quirk::from_name(name), Some(quirk));
            assert_eq!(Quirk::from_name(&name.to_lowercase()), Some(quirk));
            assert_eq!(Quirk::from_name(&name.to_uppercase()), Some(quirk));
        }
        assert_eq!(Quirk::from_name("orckit2"), None);
        assert_eq!(Quirk::from_name(""), None);
    }

    #[test]
    fn a_quirks_own_name_leads_back_to_it() {
        for &(_, quirk) in Quirk::NAMES {
            assert_eq!(Quirk::from_name(quirk.name()), Some(quirk));
        }
    }

    #[test]
    fn orckit_keeps_a_phone_number_that_the_user_gave() {
        let mut call = OutgoingCall { phone_number: String::from("123"), ..OutgoingCall::default() };
        Quirk::Orckit.adapt_call(&mut call);
        assert_eq!(call.phone_number, "123");
        assert_eq!(call.bearer_type, 2);
    }
}
