//! Requests of `linux/ppp-ioctl.h`, as they lie in pppd's memory.

use std::ffi::{c_int, c_uint, c_ulong, c_void};
use std::mem::size_of;

use nix::errno::Errno;
use pptp_core::mppe::{OPTION_LENGTH, OPTION_TYPE};
use pptp_datapath::command::{Direction, FilterKind, Idle, Instruction, Key, Network, NpMode};

/// The letter of every request.
const PPP: c_ulong = b't' as c_ulong;

/// The longest filter (`BPF_MAXINSNS`).
const MOST_INSTRUCTIONS: u16 = 4096;

/// A request, with what it brings.
#[derive(Debug)]
pub(super) enum Request {
    /// `PPPIOCGCHAN`
    GetChannel,
    /// `PPPIOCATTCHAN`
    AttachChannel(c_int),
    /// `PPPIOCNEWUNIT`; negative: any.
    NewUnit(c_int),
    /// `PPPIOCATTACH`: to a unit of another descriptor.
    Attach,
    /// `PPPIOCCONNECT`
    Connect(c_int),
    /// `PPPIOCDISCONN`
    Disconnect,
    /// `PPPIOCGUNIT`
    GetUnit,
    /// `PPPIOCGFLAGS`
    GetFlags,
    /// `PPPIOCSFLAGS`
    SetFlags(c_int),
    /// `PPPIOCSMRU`
    SetMru(c_int),
    /// `PPPIOCSNPMODE`
    SetNpMode(Network, NpMode),
    /// `PPPIOCSPASS`, `PPPIOCSACTIVE`
    SetFilter(FilterKind, Vec<Instruction>),
    /// `PPPIOCGIDLE`
    GetIdle(IdleForm),
    /// `PPPIOCSCOMPRESS` of MPPE: the option, from its type on, and the key behind it.
    SetCompression(Direction, Vec<u8>, Key),
    /// The same of another kind of compression.
    OtherCompression,
    /// `PPPIOCSMAXCID`
    SlotCount,
    /// `PPPIOCSASYNCMAP` and the like: which characters a line needs escaped.
    LineOnly,
    /// `PPPIOCSDEBUG`
    Debug,
    /// Anything else, and what makes no sense.
    Unknown,
}

/// How times are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum IdleForm {
    Seconds32,
    Seconds64,
}

/// What a request gives back.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reply {
    Nothing,
    Number(c_int),
    Idle(IdleForm, Idle),
}

/// Bytes of a key for MPPE.
const KEY_LENGTH: u32 = 16;

/// `struct ppp_option_data`
#[repr(C)]
#[derive(Clone, Copy)]
struct OptionData {
    pointer: *const u8,
    length: u32,
    transmit: c_int,
}

/// `struct npioctl`
#[repr(C)]
#[derive(Clone, Copy)]
struct NpRequest {
    protocol: c_int,
    mode: c_uint,
}

/// Whether a request is one of PPP's.
pub(super) fn is_ppp(request: c_ulong) -> bool {
    (request >> 8) & 0xff == PPP
}

/// Reads a request.
///
/// # Safety
/// `argument` is what C code passes with `request`.
pub(super) unsafe fn read(request: c_ulong, argument: *const c_void) -> Request {
    // SAFETY: each arm reads what its request's argument points to, by this function's contract.
    let int = || unsafe { copy::<c_int>(argument) };
    match request & 0xff {
        55 => Request::GetChannel,
        56 => Request::AttachChannel(int()),
        57 => Request::Disconnect,
        58 => Request::Connect(int()),
        61 => Request::Attach,
        62 => Request::NewUnit(int()),
        63 => Request::GetIdle(idle_form(request)),
        64 => Request::Debug,
        // SAFETY: as above.
        70 => unsafe { filter(FilterKind::Active, argument) },
        // SAFETY: as above.
        71 => unsafe { filter(FilterKind::Pass, argument) },
        // SAFETY: as above.
        75 => np_mode(unsafe { copy(argument) }),
        // SAFETY: as above.
        77 => unsafe { compression(argument) },
        81 => Request::SlotCount,
        79 | 84 | 87 => Request::LineOnly,
        82 => Request::SetMru(int()),
        86 => Request::GetUnit,
        89 => Request::SetFlags(int()),
        90 => Request::GetFlags,
        _ => Request::Unknown,
    }
}

/// Writes what a request gives back.
///
/// # Safety
/// As [`read`], for a request that gives this back.
pub(super) unsafe fn write(reply: Reply, argument: *mut c_void) -> Result<(), Errno> {
    if matches!(reply, Reply::Nothing) {
        return Ok(());
    }
    if argument.is_null() {
        return Err(Errno::EFAULT);
    }
    match reply {
        Reply::Nothing => {}
        // SAFETY: by this function's contract the argument points to an int.
        Reply::Number(number) => unsafe { argument.cast::<c_int>().write_unaligned(number) },
        Reply::Idle(form, idle) => {
            let (sent, received) = (idle.transmit.as_secs(), idle.receive.as_secs());
            match form {
                // SAFETY: by this function's contract the argument points to two times of this size.
                IdleForm::Seconds32 => unsafe {
                    argument
                        .cast::<[i32; 2]>()
                        .write_unaligned([sent, received].map(|s| i32::try_from(s).unwrap_or(i32::MAX)));
                },
                // SAFETY: as above.
                IdleForm::Seconds64 => unsafe {
                    argument
                        .cast::<[i64; 2]>()
                        .write_unaligned([sent, received].map(|s| i64::try_from(s).unwrap_or(i64::MAX)));
                },
            }
        }
    }
    Ok(())
}

/// # Safety
/// `argument` is null or points to a `T`.
unsafe fn copy<T: Copy + Default>(argument: *const c_void) -> T {
    if argument.is_null() {
        return T::default();
    }
    // SAFETY: by this function's contract.
    unsafe { argument.cast::<T>().read_unaligned() }
}

impl Default for NpRequest {
    fn default() -> Self {
        Self { protocol: 0, mode: c_uint::MAX }
    }
}

fn np_mode(request: NpRequest) -> Request {
    let network = u16::try_from(request.protocol).ok().and_then(Network::from_ppp);
    let mode = match request.mode {
        0 => Some(NpMode::Pass),
        1 => Some(NpMode::Drop),
        2 => Some(NpMode::Error),
        3 => Some(NpMode::Queue),
        _ => None,
    };
    match (network, mode) {
        (Some(network), Some(mode)) => Request::SetNpMode(network, mode),
        _ => Request::Unknown,
    }
}

/// The size of the argument tells the size of the times.
fn idle_form(request: c_ulong) -> IdleForm {
    let size = usize::try_from((request >> 16) & 0x1fff).unwrap_or(0);
    if size == size_of::<[i32; 2]>() { IdleForm::Seconds32 } else { IdleForm::Seconds64 }
}

/// # Safety
/// `argument` is null or points to a `struct ppp_option_data`.
unsafe fn compression(argument: *const c_void) -> Request {
    if argument.is_null() {
        return Request::Unknown;
    }
    // SAFETY: by this function's contract.
    let data = unsafe { argument.cast::<OptionData>().read_unaligned() };
    if data.pointer.is_null() || data.length != u32::from(OPTION_LENGTH) + KEY_LENGTH {
        return Request::OtherCompression;
    }
    // SAFETY: as many bytes as the structure says, which is the size of the array.
    let bytes = unsafe { data.pointer.cast::<[u8; (OPTION_LENGTH as u32 + KEY_LENGTH) as usize]>().read_unaligned() };
    let Some((option, key)) = bytes.split_last_chunk() else { return Request::Unknown };
    if option.first() != Some(&OPTION_TYPE) {
        return Request::OtherCompression;
    }
    let direction = if data.transmit == 0 { Direction::Receive } else { Direction::Transmit };
    Request::SetCompression(direction, option.to_vec(), Key(*key))
}

/// # Safety
/// `argument` points to a `struct sock_fprog`.
unsafe fn filter(kind: FilterKind, argument: *const c_void) -> Request {
    if argument.is_null() {
        return Request::Unknown;
    }
    // SAFETY: by this function's contract.
    let program = unsafe { argument.cast::<libc::sock_fprog>().read_unaligned() };
    if program.len > MOST_INSTRUCTIONS || (program.len > 0 && program.filter.is_null()) {
        return Request::Unknown;
    }
    let instruction = |index| {
        // SAFETY: one of as many instructions as the program says it has.
        let raw = unsafe { program.filter.wrapping_add(index).read_unaligned() };
        Instruction { code: raw.code, jump_true: raw.jt, jump_false: raw.jf, k: raw.k }
    };
    Request::SetFilter(kind, (0..usize::from(program.len)).map(instruction).collect())
}
