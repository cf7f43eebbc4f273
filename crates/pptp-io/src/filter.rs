//! Programs that choose the packets a socket gets (classic BPF, `linux/filter.h`), for [`crate::sys::attach_filter`].
//!
//! They have an accumulator and an index register. A load from behind the packet's end drops it.

use libc::sock_filter;

/// What follows a test.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    Next,
    /// Leaves out so many steps.
    Skip(u8),
    Pass,
    Drop,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Plain { code: u16, k: u32 },
    Test { code: u16, k: u32, yes: Then, no: Then },
}

/// The steps, less than 255, as the kernel wants them. What goes past the last is dropped.
pub(crate) fn program(steps: &[Step]) -> Vec<sock_filter> {
    const RETURN: u16 = 0x06;

    let plain = |code, k| sock_filter { code, jt: 0, jf: 0, k };
    let instructions = steps.iter().enumerate().map(|(index, step)| {
        // The two ends come behind all steps.
        let left = u8::try_from(steps.len() - index - 1).unwrap_or(u8::MAX);
        let skipped = |then| match then {
            Then::Next => 0,
            Then::Skip(steps) => steps,
            Then::Drop => left,
            Then::Pass => left.saturating_add(1),
        };
        match *step {
            Step::Plain { code, k } => plain(code, k),
            Step::Test { code, k, yes, no } => sock_filter { code, jt: skipped(yes), jf: skipped(no), k },
        }
    });
    instructions.chain([plain(RETURN, 0), plain(RETURN, u32::MAX)]).collect()
}

macro_rules! plain_steps {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {$(
        $(#[$doc])*
        pub(crate) const fn $name(k: u32) -> Step {
            Step::Plain { code: $code, k }
        }
    )*};
}

plain_steps! {
    /// The byte at this place.
    load_byte = 0x30;
    /// The two bytes so far behind the index.
    load_half_at_index = 0x48;
    /// The byte so far behind the index.
    load_byte_at_index = 0x50;
    /// Makes the length of the IP header that begins at this place the index.
    index_ip_header = 0xb1;
    add = 0x04;
    and = 0x54;
    shift_right = 0x74;
}

/// The accumulator becomes the index.
pub(crate) const fn to_index() -> Step {
    Step::Plain { code: 0x07, k: 0 }
}

/// The index becomes the accumulator.
pub(crate) const fn from_index() -> Step {
    Step::Plain { code: 0x87, k: 0 }
}

macro_rules! tests {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {$(
        $(#[$doc])*
        pub(crate) const fn $name(k: u32, yes: Then, no: Then) -> Step {
            Step::Test { code: $code, k, yes, no }
        }
    )*};
}

tests! {
    if_equal = 0x15;
    if_at_least = 0x35;
    /// Whether any of these bits is set.
    if_bits = 0x45;
}
