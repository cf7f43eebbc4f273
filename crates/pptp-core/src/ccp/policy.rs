//! What the owner wants, and the words for it.

use core::str::FromStr;
use core::{error, fmt};

use crate::mppe::{Config, KeyLength, Mode};

use super::option::{Bits, KeyLengths};

/// Whether the link is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    /// Both directions are, or there is no link.
    Required,
    /// If the peer can.
    Optional,
    /// Never; the peer's wish is rejected.
    Denied,
}

/// The modes that are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Modes {
    /// Stateless alone: each packet has its own key, a lost packet costs nothing else.
    Stateless,
    /// Stateful alone.
    Stateful,
    /// Stateless is asked for, and stateful accepted.
    Either,
}

/// What may be negotiated.
///
/// The words for it, [`FromStr`], are separated by commas: `required`, `optional`, `deny`; `stateless`, `stateful`; `40`, `56`,
/// `128`, `no40`, `no56`, `no128`. Without a word of its kind: `required`, `stateless`, and all key lengths. A key length
/// alone is this one and those named with it; `no…` takes away. Both modes named: either of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// Whether the link is encrypted.
    pub presence: Presence,
    /// The key lengths that are allowed.
    pub key_lengths: KeyLengths,
    /// The modes that are allowed.
    pub modes: Modes,
}

impl Policy {
    /// As the words of a list; blanks around a word do not count, nor do empty words.
    pub fn from_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, PolicyError> {
        let mut list = List::default();
        let mut words = words.into_iter().map(str::trim).filter(|word| !word.is_empty());
        words.try_for_each(|word| list.add(word))?;
        list.policy()
    }

    /// The same with these key lengths at most; `None`: none is left.
    pub fn limited_to(self, lengths: KeyLengths) -> Option<Self> {
        self.key_lengths.common(lengths).map(|key_lengths| Self { key_lengths, ..self })
    }

    /// Whether this may be used.
    pub fn allows(&self, config: Config) -> bool {
        let mode = match self.modes {
            Modes::Stateless => config.mode == Mode::Stateless,
            Modes::Stateful => config.mode == Mode::Stateful,
            Modes::Either => true,
        };
        self.presence != Presence::Denied && mode && self.key_lengths.contains(config.key_length)
    }

    /// All that is allowed, as "the negotiation initiator SHOULD request all of the options it supports" (RFC 3078 §2.1).
    pub(super) const fn wish(&self) -> Bits {
        Bits::new(
            self.key_lengths,
            if matches!(self.modes, Modes::Stateful) { Mode::Stateful } else { Mode::Stateless },
        )
    }

    /// The one combination that is best for both ends, if the peer has these bits. Without a common key length (Windows may
    /// ask for none at all), the best one that is allowed.
    pub(super) fn settle(&self, bits: Bits) -> Config {
        let mode = match self.modes {
            Modes::Stateless => Mode::Stateless,
            Modes::Stateful => Mode::Stateful,
            Modes::Either => bits.mode(),
        };
        Config { key_length: bits.among(self.key_lengths).unwrap_or(self.key_lengths).strongest(), mode }
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(list: &str) -> Result<Self, PolicyError> {
        Self::from_words(list.split(','))
    }
}

/// Words so far.
#[derive(Default)]
struct List {
    presence: Option<(Presence, String)>,
    lengths: Vec<KeyLength>,
    excluded: Vec<KeyLength>,
    stateless: bool,
    stateful: bool,
}

impl List {
    fn add(&mut self, word: &str) -> Result<(), PolicyError> {
        match word {
            "required" => self.add_presence(Presence::Required, word)?,
            "optional" => self.add_presence(Presence::Optional, word)?,
            "deny" => self.add_presence(Presence::Denied, word)?,
            "stateless" => self.stateless = true,
            "stateful" => self.stateful = true,
            _ => match (key_length(word), word.strip_prefix("no").and_then(key_length)) {
                (Some(length), _) => self.lengths.push(length),
                (_, Some(length)) => self.excluded.push(length),
                _ => return Err(PolicyError::UnknownWord(word.to_owned())),
            },
        }
        Ok(())
    }

    fn add_presence(&mut self, presence: Presence, word: &str) -> Result<(), PolicyError> {
        match &self.presence {
            Some((earlier, first)) if *earlier != presence => {
                Err(PolicyError::Contradiction(first.clone(), word.to_owned()))
            }
            _ => {
                self.presence = Some((presence, word.to_owned()));
                Ok(())
            }
        }
    }

    fn policy(self) -> Result<Policy, PolicyError> {
        let named = KeyLengths::new(self.lengths).unwrap_or(KeyLengths::ALL);
        let all = [KeyLength::Bits40, KeyLength::Bits56, KeyLength::Bits128];
        let left = all.into_iter().filter(|length| named.contains(*length) && !self.excluded.contains(length));
        let modes = match (self.stateless, self.stateful) {
            (true, true) => Modes::Either,
            (false, true) => Modes::Stateful,
            (_, false) => Modes::Stateless,
        };
        Ok(Policy {
            presence: self.presence.map_or(Presence::Required, |(presence, _)| presence),
            key_lengths: KeyLengths::new(left).ok_or(PolicyError::NoKeyLength)?,
            modes,
        })
    }
}

fn key_length(word: &str) -> Option<KeyLength> {
    match word {
        "40" => Some(KeyLength::Bits40),
        "56" => Some(KeyLength::Bits56),
        "128" => Some(KeyLength::Bits128),
        _ => None,
    }
}

/// What is wrong with a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// This is no word of such a list.
    UnknownWord(String),
    /// These two words cannot be together.
    Contradiction(String, String),
    /// The words leave no key length.
    NoKeyLength,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownWord(word) => write!(
                f,
                "'{}' is not known; known are required, optional, deny, stateless, stateful, 40, 56, 128, no40, no56 and no128",
                word.escape_debug()
            ),
            Self::Contradiction(first, second) => write!(f, "'{first}' and '{second}' contradict each other"),
            Self::NoKeyLength => f.write_str("no key length is left of 40, 56 and 128"),
        }
    }
}

impl error::Error for PolicyError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(list: &str) -> Result<Policy, PolicyError> {
        list.parse()
    }

    fn lengths<const N: usize>(lengths: [KeyLength; N]) -> KeyLengths {
        KeyLengths::new(lengths).unwrap()
    }

    #[test]
    fn openwrts_list_means_what_it_means_there() {
        let expected = Policy {
            presence: Presence::Required,
            key_lengths: KeyLengths::only(KeyLength::Bits128),
            modes: Modes::Stateless,
        };
        assert_eq!(policy("required,stateless,no40,no56"), Ok(expected));
        assert_eq!(policy(" no56 ,no40,, stateless , required"), Ok(expected));
        assert_eq!(policy("128"), Ok(expected));
    }

    #[test]
    fn words_that_are_missing_have_a_meaning() {
        let expected = Policy { presence: Presence::Required, key_lengths: KeyLengths::ALL, modes: Modes::Stateless };
        assert_eq!(policy(""), Ok(expected));
        assert_eq!(policy("optional"), Ok(Policy { presence: Presence::Optional, ..expected }));
        assert_eq!(policy("deny"), Ok(Policy { presence: Presence::Denied, ..expected }));
        assert_eq!(policy("stateful"), Ok(Policy { modes: Modes::Stateful, ..expected }));
        assert_eq!(policy("stateful,stateless"), Ok(Policy { modes: Modes::Either, ..expected }));
        assert_eq!(policy("required,required"), Ok(expected));
    }

    #[test]
    fn key_lengths_are_added_and_taken_away() {
        use KeyLength::{Bits40, Bits56, Bits128};
        for (list, expected) in [
            ("40", lengths([Bits40])),
            ("56,128", lengths([Bits56, Bits128])),
            ("no40", lengths([Bits56, Bits128])),
            ("40,128,no40", lengths([Bits128])),
            ("no128,no56", lengths([Bits40])),
        ] {
            assert_eq!(policy(list).unwrap().key_lengths, expected, "{list}");
        }
    }

    #[test]
    fn errors_name_the_word_and_what_is_allowed() {
        for (list, message) in [
            (
                "required,256",
                "'256' is not known; known are required, optional, deny, stateless, stateful, 40, 56, 128, no40, no56 and \
                 no128",
            ),
            ("required,128,optional", "'required' and 'optional' contradict each other"),
            ("128,no128", "no key length is left of 40, 56 and 128"),
            ("no40,no56,no128", "no key length is left of 40, 56 and 128"),
        ] {
            assert_eq!(policy(list).unwrap_err().to_string(), message);
        }
        for word in ["Required", "nostateless", "no", "128 no40", "+128", "no no40"] {
            assert_eq!(policy(word), Err(PolicyError::UnknownWord(word.into())));
        }
    }
}
