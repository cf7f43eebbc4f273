//! Packet filters: the classic Berkeley packet filter, as pppd compiles `pass-filter` and `active-filter` for
//! `DLT_PPP_PPPD`.
//!
//! A program sees four bytes before the packet: the direction (1 sent, 0 received), a zero, and the PPP protocol. It has
//! none of Linux's extensions (loads at negative offsets): a program that uses them is refused.

use crate::command::Instruction;

/// The most instructions that the kernel takes.
const MOST_INSTRUCTIONS: usize = 4096;

/// Words of scratch memory.
const SCRATCH: usize = 16;

/// A program that was checked: every jump leads forwards to an instruction, and the last one returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter(Vec<Step>);

/// Why a program is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// None or too many.
    Length,
    /// The instruction with this index.
    Instruction(usize),
    /// The end can be passed.
    NoReturn,
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To the peer.
    Sent,
    /// From the peer.
    Received,
}

/// The four bytes before a packet.
pub(crate) fn prefix(way: Way, protocol: u16) -> [u8; 4] {
    let [high, low] = protocol.to_be_bytes();
    [u8::from(way == Way::Sent), 0, high, low]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Load(Source),
    LoadIndex(Source),
    /// `ldxb 4*([k]&0xf)`
    LoadIndexNibble(u32),
    Store(usize),
    StoreIndex(usize),
    Compute(Operator, Operand),
    Negate,
    Jump(u32),
    Branch(Test, Operand, [u8; 2]),
    Return(u32),
    ReturnAccumulator,
    ToIndex,
    ToAccumulator,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Constant(u32),
    Length,
    Scratch(usize),
    /// So many bytes of the packet at an offset.
    At(Width, u32),
    /// The same, with the index register added to the offset.
    AtIndex(Width, u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Word,
    Half,
    Byte,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Or,
    And,
    ShiftLeft,
    ShiftRight,
    Modulo,
    ExclusiveOr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    Equal,
    Greater,
    GreaterOrEqual,
    AnyBit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operand {
    Constant(u32),
    Index,
}

impl Filter {
    /// Checks a program.
    pub(crate) fn new(program: &[Instruction]) -> Result<Self, Invalid> {
        if program.is_empty() || program.len() > MOST_INSTRUCTIONS {
            return Err(Invalid::Length);
        }
        let mut steps = Vec::with_capacity(program.len());
        for (index, instruction) in program.iter().enumerate() {
            let step = decode(instruction).ok_or(Invalid::Instruction(index))?;
            if !leads_inside(step, program.len() - index - 1) {
                return Err(Invalid::Instruction(index));
            }
            steps.push(step);
        }
        match steps.last() {
            Some(Step::Return(_) | Step::ReturnAccumulator) => Ok(Self(steps)),
            _ => Err(Invalid::NoReturn),
        }
    }

    /// Whether the program accepts a packet of which `prefix` and `packet` are the bytes.
    pub(crate) fn accepts(&self, prefix: [u8; 4], packet: &[u8]) -> bool {
        Machine { prefix, packet, accumulator: 0, index: 0, scratch: [0; SCRATCH] }.run(&self.0) != 0
    }
}

struct Machine<'a> {
    prefix: [u8; 4],
    packet: &'a [u8],
    accumulator: u32,
    index: u32,
    scratch: [u32; SCRATCH],
}

impl Machine<'_> {
    fn run(mut self, steps: &[Step]) -> u32 {
        let mut steps = steps.iter();
        while let Some(&step) = steps.next() {
            let Some(next) = self.execute(step) else { return 0 };
            match next {
                Next::Skip(0) => {}
                // `nth` consumes one more than it skips.
                Next::Skip(count) => drop(steps.nth(usize::try_from(count).unwrap_or(usize::MAX) - 1)),
                Next::Return(value) => return value,
            }
        }
        0
    }

    /// `None`: outside the packet, or a division by zero; the packet is not accepted then.
    fn execute(&mut self, step: Step) -> Option<Next> {
        match step {
            Step::Load(source) => self.accumulator = self.value(source)?,
            Step::LoadIndex(source) => self.index = self.value(source)?,
            Step::LoadIndexNibble(at) => self.index = (u32::from(self.bytes::<1>(at)?[0]) & 0xf) * 4,
            Step::Store(slot) => *self.scratch.get_mut(slot)? = self.accumulator,
            Step::StoreIndex(slot) => *self.scratch.get_mut(slot)? = self.index,
            Step::Compute(operator, operand) => {
                self.accumulator = operator.apply(self.accumulator, self.operand(operand))?;
            }
            Step::Negate => self.accumulator = self.accumulator.wrapping_neg(),
            Step::Jump(count) => return Some(Next::Skip(count)),
            Step::Branch(test, operand, [when_true, when_false]) => {
                let is_true = test.holds(self.accumulator, self.operand(operand));
                return Some(Next::Skip(u32::from(if is_true { when_true } else { when_false })));
            }
            Step::Return(value) => return Some(Next::Return(value)),
            Step::ReturnAccumulator => return Some(Next::Return(self.accumulator)),
            Step::ToIndex => self.index = self.accumulator,
            Step::ToAccumulator => self.accumulator = self.index,
        }
        Some(Next::Skip(0))
    }

    fn operand(&self, operand: Operand) -> u32 {
        match operand {
            Operand::Constant(value) => value,
            Operand::Index => self.index,
        }
    }

    fn value(&self, source: Source) -> Option<u32> {
        match source {
            Source::Constant(value) => Some(value),
            Source::Length => u32::try_from(self.prefix.len() + self.packet.len()).ok(),
            Source::Scratch(slot) => self.scratch.get(slot).copied(),
            Source::At(width, at) => self.load(width, at),
            Source::AtIndex(width, at) => self.load(width, at.checked_add(self.index)?),
        }
    }

    fn load(&self, width: Width, at: u32) -> Option<u32> {
        match width {
            Width::Word => self.bytes(at).map(u32::from_be_bytes),
            Width::Half => self.bytes(at).map(|bytes| u16::from_be_bytes(bytes).into()),
            Width::Byte => self.bytes(at).map(|[byte]| byte.into()),
        }
    }

    fn bytes<const N: usize>(&self, at: u32) -> Option<[u8; N]> {
        let at = usize::try_from(at).ok()?;
        let mut bytes = [0; N];
        for (offset, byte) in bytes.iter_mut().enumerate() {
            let at = at.checked_add(offset)?;
            *byte = match at.checked_sub(self.prefix.len()) {
                Some(at) => *self.packet.get(at)?,
                None => *self.prefix.get(at)?,
            };
        }
        Some(bytes)
    }
}

enum Next {
    Skip(u32),
    Return(u32),
}

impl Operator {
    /// `None`: a division by zero.
    fn apply(self, left: u32, right: u32) -> Option<u32> {
        match self {
            Self::Add => Some(left.wrapping_add(right)),
            Self::Subtract => Some(left.wrapping_sub(right)),
            Self::Multiply => Some(left.wrapping_mul(right)),
            Self::Divide => left.checked_div(right),
            Self::Or => Some(left | right),
            Self::And => Some(left & right),
            // By an index register of 32 or more the kernel's result depends on the processor.
            Self::ShiftLeft => Some(left.checked_shl(right).unwrap_or(0)),
            Self::ShiftRight => Some(left.checked_shr(right).unwrap_or(0)),
            Self::Modulo => left.checked_rem(right),
            Self::ExclusiveOr => Some(left ^ right),
        }
    }
}

impl Test {
    fn holds(self, left: u32, right: u32) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::AnyBit => left & right != 0,
        }
    }
}

/// Whether a jump ends among the `following` instructions.
fn leads_inside(step: Step, following: usize) -> bool {
    let is_inside = |count: u32| usize::try_from(count).is_ok_and(|count| count < following);
    match step {
        Step::Jump(count) => is_inside(count),
        Step::Branch(_, _, [when_true, when_false]) => is_inside(when_true.into()) && is_inside(when_false.into()),
        _ => true,
    }
}

/// The class is in the lowest three bits of the code (linux/bpf_common.h).
fn decode(instruction: &Instruction) -> Option<Step> {
    let Instruction { code, k, .. } = *instruction;
    Some(match code & 0x07 {
        0 => Step::Load(source(code, k)?),
        1 if code == 0xb1 => Step::LoadIndexNibble(k),
        1 => Step::LoadIndex(index_source(code, k)?),
        2 if code == 0x02 => Step::Store(scratch(k)?),
        3 if code == 0x03 => Step::StoreIndex(scratch(k)?),
        4 if code == 0x84 => Step::Negate,
        4 => compute(code, k)?,
        5 if code == 0x05 => Step::Jump(k),
        5 => branch(instruction)?,
        6 if code == 0x06 => Step::Return(k),
        6 if code == 0x16 => Step::ReturnAccumulator,
        7 if code == 0x07 => Step::ToIndex,
        7 if code == 0x87 => Step::ToAccumulator,
        _ => return None,
    })
}

fn source(code: u16, k: u32) -> Option<Source> {
    let width = match code & 0x18 {
        0x00 => Width::Word,
        0x08 => Width::Half,
        0x10 => Width::Byte,
        _ => return None,
    };
    match (code & 0xe0, width) {
        (0x20, _) => i32::try_from(k).ok().map(|_| Source::At(width, k)),
        (0x40, _) => i32::try_from(k).ok().map(|_| Source::AtIndex(width, k)),
        (_, Width::Word) => index_source(code | 1, k),
        _ => None,
    }
}

/// What the index register can be loaded with, and the accumulator too.
fn index_source(code: u16, k: u32) -> Option<Source> {
    match code {
        0x01 => Some(Source::Constant(k)),
        0x61 => scratch(k).map(Source::Scratch),
        0x81 => Some(Source::Length),
        _ => None,
    }
}

fn scratch(k: u32) -> Option<usize> {
    usize::try_from(k).ok().filter(|&slot| slot < SCRATCH)
}

fn compute(code: u16, k: u32) -> Option<Step> {
    let operator = match code & 0xf0 {
        0x00 => Operator::Add,
        0x10 => Operator::Subtract,
        0x20 => Operator::Multiply,
        0x30 => Operator::Divide,
        0x40 => Operator::Or,
        0x50 => Operator::And,
        0x60 => Operator::ShiftLeft,
        0x70 => Operator::ShiftRight,
        0x90 => Operator::Modulo,
        0xa0 => Operator::ExclusiveOr,
        _ => return None,
    };
    let operand = operand(code, k);
    let is_useless = match (operator, operand) {
        (Operator::Divide | Operator::Modulo, Operand::Constant(value)) => value == 0,
        (Operator::ShiftLeft | Operator::ShiftRight, Operand::Constant(value)) => value >= 32,
        _ => false,
    };
    (code <= 0xff && !is_useless).then_some(Step::Compute(operator, operand))
}

fn branch(instruction: &Instruction) -> Option<Step> {
    let Instruction { code, jump_true, jump_false, k } = *instruction;
    let test = match code & 0xf0 {
        0x10 => Test::Equal,
        0x20 => Test::Greater,
        0x30 => Test::GreaterOrEqual,
        0x40 => Test::AnyBit,
        _ => return None,
    };
    (code <= 0xff).then_some(Step::Branch(test, operand(code, k), [jump_true, jump_false]))
}

fn operand(code: u16, k: u32) -> Operand {
    if code & 0x08 == 0 { Operand::Constant(k) } else { Operand::Index }
}

#[cfg(test)]
mod programs;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Line = (u16, u8, u8, u32);

    fn program(text: &[Line]) -> Vec<Instruction> {
        let one = |&(code, jump_true, jump_false, k)| Instruction { code, jump_true, jump_false, k };
        text.iter().map(one).collect()
    }

    /// What a program of loads and computations returns for the packet 0x45, 0x01, 0x02, …, 0x3f that is received.
    fn value_of(text: &[Line]) -> u32 {
        let packet: Vec<u8> = (0..64).map(|index| if index == 0 { 0x45 } else { index }).collect();
        let filter = Filter::new(&program(text)).unwrap();
        let prefix = prefix(Way::Received, 0x0021);
        Machine { prefix, packet: &packet, accumulator: 0, index: 0, scratch: [0; SCRATCH] }.run(&filter.0)
    }

    const RETURN_A: Line = (0x16, 0, 0, 0);

    #[test]
    fn loads_see_the_prefix_and_the_packet() {
        assert_eq!(value_of(&[(0x20, 0, 0, 0), RETURN_A]), 0x0000_0021);
        assert_eq!(value_of(&[(0x20, 0, 0, 3), RETURN_A]), 0x2145_0102);
        assert_eq!(value_of(&[(0x28, 0, 0, 4), RETURN_A]), 0x4501);
        assert_eq!(value_of(&[(0x30, 0, 0, 67), RETURN_A]), 63);
        assert_eq!(value_of(&[(0x80, 0, 0, 0), RETURN_A]), 68);
        assert_eq!(value_of(&[(0x00, 0, 0, 7), RETURN_A]), 7);
        assert_eq!(value_of(&[(0xb1, 0, 0, 4), (0x50, 0, 0, 4), RETURN_A]), 20);
        assert_eq!(value_of(&[(0x81, 0, 0, 0), (0x87, 0, 0, 0), RETURN_A]), 68);
    }

    #[test]
    fn a_load_outside_the_packet_does_not_accept_it() {
        assert_eq!(value_of(&[(0x20, 0, 0, 65), (0x06, 0, 0, 1)]), 0);
        assert_eq!(value_of(&[(0x01, 0, 0, u32::MAX), (0x50, 0, 0, 4), (0x06, 0, 0, 1)]), 0);
    }

    #[test]
    fn arithmetic_is_modulo_2_to_the_32() {
        let cases: [(u16, u32, u32, u32); 12] = [
            (0x04, 5, 7, 12),
            (0x04, u32::MAX, 2, 1),
            (0x14, 5, 7, 0xffff_fffe),
            (0x24, 0x1_0001, 0x1_0000, 0x1_0000),
            (0x34, 17, 5, 3),
            (0x44, 0x0f, 0xf0, 0xff),
            (0x54, 0x3c, 0x0f, 0x0c),
            (0x64, 1, 31, 0x8000_0000),
            (0x74, 0x8000_0000, 31, 1),
            (0x94, 17, 5, 2),
            (0xa4, 0xff, 0x0f, 0xf0),
            (0x84, 1, 0, u32::MAX),
        ];
        for (code, left, right, expected) in cases {
            assert_eq!(value_of(&[(0x00, 0, 0, left), (code, 0, 0, right), RETURN_A]), expected, "{code:x}");
            if code != 0x84 {
                let by_index = [(0x01, 0, 0, right), (0x00, 0, 0, left), (code | 8, 0, 0, 0), RETURN_A];
                assert_eq!(value_of(&by_index), expected, "{code:x} by the index register");
            }
        }
    }

    #[test]
    fn a_division_by_a_register_that_is_zero_does_not_accept() {
        assert_eq!(value_of(&[(0x3c, 0, 0, 0), (0x06, 0, 0, 1)]), 0);
        assert_eq!(value_of(&[(0x9c, 0, 0, 0), (0x06, 0, 0, 1)]), 0);
    }

    #[test]
    fn scratch_memory_keeps_what_is_stored() {
        let both = [
            (0x00, 0, 0, 9),
            (0x02, 0, 0, 15),
            (0x01, 0, 0, 4),
            (0x03, 0, 0, 0),
            (0x61, 0, 0, 15),
            (0x60, 0, 0, 0),
            (0x0c, 0, 0, 0),
            RETURN_A,
        ];
        assert_eq!(value_of(&both), 13);
    }

    #[test]
    fn branches_skip_as_many_as_they_say() {
        let compare = |code, left, right| {
            value_of(&[
                (0x00, 0, 0, left),
                (code, 1, 0, right),
                (0x06, 0, 0, 100),
                (0x05, 0, 0, 1),
                (0x06, 0, 0, 300),
                (0x06, 0, 0, 200),
            ])
        };
        for (code, left, right, is_true) in [
            (0x15, 3, 3, true),
            (0x15, 3, 4, false),
            (0x25, 4, 3, true),
            (0x25, 3, 3, false),
            (0x35, 3, 3, true),
            (0x35, 2, 3, false),
            (0x45, 6, 2, true),
            (0x45, 6, 1, false),
        ] {
            assert_eq!(compare(code, left, right), if is_true { 200 } else { 100 }, "{code:x} {left} {right}");
        }
    }

    #[test]
    fn programs_that_could_stray_are_refused() {
        let refused: [(&[Line], Invalid); 13] = [
            (&[], Invalid::Length),
            (&[(0x00, 0, 0, 1)], Invalid::NoReturn),
            (&[(0x05, 0, 0, 1), (0x06, 0, 0, 1)], Invalid::Instruction(0)),
            (&[(0x05, 0, 0, u32::MAX), (0x06, 0, 0, 1)], Invalid::Instruction(0)),
            (&[(0x15, 0, 1, 0), (0x06, 0, 0, 1)], Invalid::Instruction(0)),
            (&[(0x15, 255, 0, 0), (0x06, 0, 0, 1)], Invalid::Instruction(0)),
            (&[(0x02, 0, 0, 16), (0x06, 0, 0, 1)], Invalid::Instruction(0)),
            (&[(0x60, 0, 0, 16), (0x06, 0, 0, 1)], Invalid::Instruction(0)),
            (&[(0x34, 0, 0, 0), (0x06, 0, 0, 1)], Invalid::Instruction(0)),
            (&[(0x64, 0, 0, 32), (0x06, 0, 0, 1)], Invalid::Instruction(0)),
            (&[(0x20, 0, 0, 0xffff_f000), (0x06, 0, 0, 1)], Invalid::Instruction(0)),
            (&[(0x06, 0, 0, 1), (0xff, 0, 0, 0)], Invalid::Instruction(1)),
            (&[(0x0106, 0, 0, 1)], Invalid::Instruction(0)),
        ];
        for (text, reason) in refused {
            assert_eq!(Filter::new(&program(text)), Err(reason), "{text:x?}");
        }
        assert_eq!(Filter::new(&program(&[(0x06, 0, 0, 1); 4097])), Err(Invalid::Length));
    }

    /// `outbound and tcp port 80`, as `tcpdump -y PPP_PPPD -d` prints it, for IPv4 only.
    #[test]
    fn a_filter_of_direction_protocol_and_port_is_understood() {
        let text = [
            (0x30, 0, 0, 0),      // ldb [0]
            (0x15, 0, 10, 1),     // jeq #1
            (0x28, 0, 0, 2),      // ldh [2]
            (0x15, 0, 8, 0x21),   // jeq #0x21
            (0x30, 0, 0, 13),     // ldb [13]
            (0x15, 0, 6, 6),      // jeq #6
            (0x28, 0, 0, 10),     // ldh [10]
            (0x45, 4, 0, 0x1fff), // jset #0x1fff
            (0xb1, 0, 0, 4),      // ldxb 4*([4]&0xf)
            (0x48, 0, 0, 6),      // ldh [x+6]
            (0x15, 0, 1, 80),     // jeq #80
            (0x06, 0, 0, 65535),
            (0x06, 0, 0, 0),
        ];
        let filter = Filter::new(&program(&text)).unwrap();
        let mut packet = vec![0; 40];
        packet[0] = 0x45;
        packet[9] = 6;
        packet[23] = 80;
        assert!(filter.accepts(prefix(Way::Sent, 0x21), &packet));
        assert!(!filter.accepts(prefix(Way::Received, 0x21), &packet));
        assert!(!filter.accepts(prefix(Way::Sent, 0x57), &packet));
        packet[23] = 81;
        assert!(!filter.accepts(prefix(Way::Sent, 0x21), &packet));
        assert!(!filter.accepts(prefix(Way::Sent, 0x21), &packet[..20]));
    }

    proptest! {
        #[test]
        fn every_program_that_is_taken_ends(
            text in prop::collection::vec((any::<u8>(), 0..4u8, 0..4u8, prop_oneof![0..20u32, any::<u32>()]), 1..40),
            packet in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let text: Vec<_> = text.into_iter().map(|(code, t, f, k)| (code.into(), t, f, k)).collect();
            if let Ok(filter) = Filter::new(&program(&text)) {
                filter.accepts(prefix(Way::Sent, 0x21), &packet);
            }
        }
    }
}
