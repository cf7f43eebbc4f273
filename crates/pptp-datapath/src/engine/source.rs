//! What an event is about, as the number that the kernel keeps.

/// A descriptor, by what it is to which host, unit, channel or port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Commands(usize),
    Tun(usize),
    UnitFrames(usize),
    Port(usize),
    ChannelFrames(usize),
    LifeLine(usize),
    EndedFrames(usize),
}

const KIND_SHIFT: u32 = 56;

impl Source {
    pub(super) fn token(self) -> u64 {
        let (kind, index) = match self {
            Self::Commands(host) => (0, host),
            Self::Tun(index) => (1, index),
            Self::UnitFrames(index) => (2, index),
            Self::Port(index) => (3, index),
            Self::ChannelFrames(index) => (4, index),
            Self::LifeLine(index) => (5, index),
            Self::EndedFrames(index) => (6, index),
        };
        kind << KIND_SHIFT | u64::try_from(index).unwrap_or(0)
    }

    pub(super) fn from_token(token: u64) -> Option<Self> {
        let index = usize::try_from(token & !(u64::MAX << KIND_SHIFT)).ok()?;
        Some(match token >> KIND_SHIFT {
            0 => Self::Commands(index),
            1 => Self::Tun(index),
            2 => Self::UnitFrames(index),
            3 => Self::Port(index),
            4 => Self::ChannelFrames(index),
            5 => Self::LifeLine(index),
            6 => Self::EndedFrames(index),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_comes_back_from_its_token() {
        for index in [0, 1, 70_000] {
            let all = [
                Source::Commands(index),
                Source::Tun(index),
                Source::UnitFrames(index),
                Source::Port(index),
                Source::ChannelFrames(index),
                Source::LifeLine(index),
                Source::EndedFrames(index),
            ];
            for source in all {
                assert_eq!(Source::from_token(source.token()), Some(source));
            }
        }
        assert_eq!(Source::from_token(u64::MAX), None);
    }
}
