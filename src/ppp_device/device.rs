//! The descriptors that stand for /dev/ppp, and what is asked of them.

use std::cell::RefCell;
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

use log::warn;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::net::if_::if_nametoindex;
use nix::sys::stat::fstat;
use pptp_datapath::client::{Engine, EngineError};
use pptp_datapath::command::{Channel, Command, Link, Statistics, Unit};
use pptp_io::{seqpacket, tun, words};

use super::kernel_unit;
use super::requests::{Reply, Request};
use crate::engine;

/// `linux/ppp-ioctl.h`: no packet of the network passes in clear.
pub(super) const SC_MUST_COMP: u32 = 0x0040_0000;

/// The largest unit number that is looked for when pppd does not ask for one.
const LAST_UNIT: u32 = 65_535;

/// Makes a channel of a line: tells the engine about it, with pppd's end of its frames.
pub(crate) type Attach = Box<dyn FnOnce(&mut Engine, Channel, BorrowedFd<'_>) -> Result<(), EngineError>>;

/// A socket, by what stays the same when its descriptor is duplicated.
type Socket = (libc::dev_t, libc::ino_t);

/// pppd has at most one unit and one channel at a time (there is no multilink here), and closes the old before it opens
/// the new.
#[derive(Default)]
struct Device {
    /// Opened, and nothing yet; with the ends that the engine will get.
    fresh: Vec<(Socket, OwnedFd)>,
    unit: Option<OpenUnit>,
    channel: Option<(Socket, Channel)>,
    line: Option<Line>,
    last_channel: u32,
    /// Whether units let nothing pass in clear.
    must_encrypt: bool,
}

#[derive(Clone, Copy, Debug)]
struct OpenUnit {
    socket: Socket,
    number: Unit,
    /// The interface's index, which a new name does not change.
    interface: u32,
    flags: c_int,
}

/// Something that can become a channel.
struct Line {
    socket: Socket,
    channel: Channel,
    attach: Option<Attach>,
}

/// What a descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Fresh,
    Unit(Unit),
    Channel(Channel),
    Line(Channel),
}

thread_local! {
    static DEVICE: RefCell<Device> = RefCell::default();
}

pub(super) type Outcome = Result<Reply, Errno>;

/// open(2) of /dev/ppp.
pub(super) fn open(flags: c_int) -> Result<RawFd, Errno> {
    let (near, far) = seqpacket::pair().map_err(|error| errno(&error))?;
    if flags & libc::O_NONBLOCK != 0 {
        fcntl(&near, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    let socket = identify(near.as_fd())?;
    DEVICE.with_borrow_mut(|device| {
        device.fresh.retain(|(_, far)| is_open_elsewhere(far));
        device.fresh.push((socket, far));
    });
    Ok(near.into_raw_fd())
}

/// A descriptor that pppd can attach to (`PPPIOCGCHAN`, `PPPIOCATTCHAN`); `attach` is called when it does.
///
/// # Errors
/// Out of descriptors or memory.
pub(crate) fn offer_line(attach: Attach) -> io::Result<OwnedFd> {
    // Nothing is ever read from it: it only has to be known again.
    let (near, _) = seqpacket::pair()?;
    let socket = identify(near.as_fd())?;
    DEVICE.with_borrow_mut(|device| {
        device.last_channel = device.last_channel.wrapping_add(1);
        let channel = Channel(device.last_channel);
        device.line = Some(Line { socket, channel, attach: Some(attach) });
    });
    Ok(near)
}

/// The call is over. What a line was made of is closed, unless pppd has attached to it.
pub(crate) fn withdraw_line() {
    DEVICE.with_borrow_mut(|device| device.line = None);
    kernel_unit::forget();
}

/// Units let no packet of the network pass in clear, from their beginning on.
pub(crate) fn require_encryption() {
    DEVICE.with_borrow_mut(|device| device.must_encrypt = true);
}

/// Whether units let nothing pass in clear.
pub(super) fn must_encrypt() -> bool {
    DEVICE.with_borrow(|device| device.must_encrypt)
}

/// ioctl(2) with a request of `linux/ppp-ioctl.h`; `None`: the descriptor is not one of these.
pub(super) fn carry_out(fd: RawFd, request: impl FnOnce() -> Request) -> Option<Outcome> {
    let socket = identify(crate::ffi::borrow(fd)?).ok()?;
    let role = DEVICE.with_borrow(|device| device.role(socket))?;
    Some(match (role, request()) {
        (Role::Line(channel), Request::GetChannel) => Ok(Reply::Number(number(channel.0))),
        (Role::Fresh, Request::AttachChannel(channel)) => attach(socket, channel),
        (Role::Fresh, Request::NewUnit(wanted)) => new_unit(socket, wanted),
        // There is no other channel to share a unit with.
        (Role::Fresh, Request::Attach) => Err(Errno::ENXIO),
        (Role::Channel(channel), request) => carry_out_on_channel(channel, request),
        (Role::Unit(unit), request) => carry_out_on_unit(unit, request),
        (Role::Fresh | Role::Line(_), _) => Err(Errno::ENOTTY),
    })
}

/// The statistics of the unit with this interface, by the engine's count; `None`: it is not one of these, or is gone.
pub(super) fn statistics_of(interface: impl FnOnce() -> Option<u32>) -> Option<Statistics> {
    let unit = DEVICE.with_borrow(|device| device.unit)?;
    if interface()? != unit.interface {
        return None;
    }
    engine::ask(|engine| engine.statistics(unit.number)).ok()
}

/// The statistics of the unit, if there is one, by the engine's count.
pub(crate) fn unit_statistics() -> Option<Statistics> {
    let unit = DEVICE.with_borrow(|device| device.unit)?;
    engine::ask(|engine| engine.statistics(unit.number)).ok()
}

/// Whether there is a unit that has lost its interface.
pub(crate) fn has_lost_unit() -> bool {
    let Some(unit) = DEVICE.with_borrow(|device| device.unit) else { return false };
    engine::ask(|engine| engine.idle(unit.number)).is_err_and(|error| error.errno() == libc::ENXIO)
}

/// The interface's index of the unit, if there is one.
pub(super) fn interface() -> Option<u32> {
    DEVICE.with_borrow(|device| Some(device.unit?.interface))
}

impl Device {
    fn role(&self, socket: Socket) -> Option<Role> {
        if self.fresh.iter().any(|(fresh, _)| *fresh == socket) {
            return Some(Role::Fresh);
        }
        let line = self.line.as_ref().filter(|line| line.socket == socket).map(|line| Role::Line(line.channel));
        let unit = self.unit.filter(|unit| unit.socket == socket).map(|unit| Role::Unit(unit.number));
        let channel = self.channel.filter(|(channel, _)| *channel == socket).map(|(_, number)| Role::Channel(number));
        line.or(unit).or(channel)
    }

    fn take_fresh(&mut self, socket: Socket) -> Option<OwnedFd> {
        let index = self.fresh.iter().position(|(fresh, _)| *fresh == socket)?;
        Some(self.fresh.swap_remove(index).1)
    }
}

fn attach(socket: Socket, wanted: c_int) -> Outcome {
    let found = DEVICE.with_borrow_mut(|device| {
        let line = device.line.as_mut().filter(|line| number(line.channel.0) == wanted)?;
        let (channel, attach) = (line.channel, line.attach.take()?);
        Some((channel, attach, device.take_fresh(socket)?))
    });
    let Some((channel, attach, far)) = found else { return Err(Errno::ENXIO) };
    told(engine::ask(|engine| attach(engine, channel, far.as_fd())))?;
    DEVICE.with_borrow_mut(|device| device.channel = Some((socket, channel)));
    Ok(Reply::Nothing)
}

fn new_unit(socket: Socket, wanted: c_int) -> Outcome {
    let far = DEVICE.with_borrow_mut(|device| device.take_fresh(socket)).ok_or(Errno::EINVAL)?;
    let outcome = make_unit(wanted, far.as_fd());
    match outcome {
        Ok((unit, interface)) => {
            let unit = OpenUnit { socket, number: unit, interface, flags: 0 };
            DEVICE.with_borrow_mut(|device| device.unit = Some(unit));
            Ok(Reply::Number(number(unit.number.0)))
        }
        Err(errno) => {
            // pppd tries again with the same descriptor.
            DEVICE.with_borrow_mut(|device| device.fresh.push((socket, far)));
            Err(errno)
        }
    }
}

fn make_unit(wanted: c_int, frames: BorrowedFd<'_>) -> Result<(Unit, u32), Errno> {
    // With the answer, the engine has seen that pppd has closed the unit before this one, and its name is free.
    let before = DEVICE.with_borrow_mut(|device| device.unit.take());
    if let Some(before) = before {
        let _ = engine::ask(|engine| engine.idle(before.number));
    }
    let (number, tun) = create_device(wanted)?;
    let interface = if_nametoindex(name(number).as_str())?;
    told(engine::ask(|engine| engine.new_unit(Unit(number), tun.as_fd(), frames)))?;
    Ok((Unit(number), interface))
}

fn create_device(wanted: c_int) -> Result<(u32, OwnedFd), Errno> {
    let candidates = u32::try_from(wanted).map_or(0..=LAST_UNIT, |wanted| wanted..=wanted);
    for number in candidates {
        match tun::create(&name(number)) {
            Ok(tun) => return Ok((number, tun)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                warn!("cannot make the TUN device {}: {}", name(number), words(&error));
                return Err(errno(&error));
            }
        }
    }
    Err(Errno::EEXIST)
}

fn name(unit: u32) -> String {
    format!("ppp{unit}")
}

fn carry_out_on_channel(channel: Channel, request: Request) -> Outcome {
    let link = Link::Channel(channel);
    match request {
        Request::Connect(unit) => {
            let unit = Unit(u32::try_from(unit).map_err(|_| Errno::ENXIO)?);
            told(engine::ask(|engine| engine.connect(channel, unit)))
        }
        Request::Disconnect => done(&Command::Disconnect { channel }),
        Request::GetChannel => Ok(Reply::Number(number(channel.0))),
        Request::GetUnit => {
            let unit = DEVICE.with_borrow(|device| device.unit).ok_or(Errno::ENXIO)?;
            Ok(Reply::Number(number(unit.number.0)))
        }
        Request::SetMru(mru) => set_mru(link, mru),
        Request::GetFlags => Ok(Reply::Number(0)),
        // There is no line here whose characters could need escaping, and nothing to debug in a kernel. Headers are sent in
        // full, whatever the peer would allow.
        Request::SetFlags(_) | Request::LineOnly | Request::Debug => Ok(Reply::Nothing),
        _ => Err(Errno::ENOTTY),
    }
}

fn carry_out_on_unit(unit: Unit, request: Request) -> Outcome {
    match request {
        Request::GetUnit => Ok(Reply::Number(number(unit.0))),
        Request::SetMru(mru) => set_mru(Link::Unit(unit), mru),
        Request::GetFlags => {
            let from_engine = engine::ask(|engine| engine.flags(Link::Unit(unit))).unwrap_or(0);
            let flags = DEVICE.with_borrow(|device| device.unit.map_or(0, |unit| unit.flags));
            Ok(Reply::Number(flags | c_int::from_ne_bytes(from_engine.to_ne_bytes())))
        }
        Request::SetFlags(flags) => {
            let outcome = set_flags(unit, flags)?;
            DEVICE.with_borrow_mut(|device| device.unit.iter_mut().for_each(|unit| unit.flags = flags));
            Ok(outcome)
        }
        Request::SetNpMode(network, mode) => told(engine::ask(|engine| engine.set_np_mode(unit, network, mode))),
        Request::SetFilter(kind, program) => told(engine::ask(|engine| engine.set_filter(unit, kind, program))),
        Request::GetIdle(form) => match engine::ask(|engine| engine.idle(unit)) {
            Ok(idle) => Ok(Reply::Idle(form, idle)),
            Err(error) => Err(Errno::from_raw(error.errno())),
        },
        // Slots of TCP header compression, of which there is none: IPCP does not offer it.
        Request::SlotCount | Request::LineOnly | Request::Debug => Ok(Reply::Nothing),
        Request::SetCompression(direction, option, key) => {
            told(engine::ask(|engine| engine.set_compression(Link::Unit(unit), direction, option, key)))
        }
        Request::OtherCompression => Err(Errno::EINVAL),
        Request::Attach | Request::AttachChannel(_) | Request::NewUnit(_) => Err(Errno::EINVAL),
        _ => Err(Errno::ENOTTY),
    }
}

fn set_flags(unit: Unit, flags: c_int) -> Outcome {
    let required = if must_encrypt() { SC_MUST_COMP } else { 0 };
    let flags = u32::from_ne_bytes(flags.to_ne_bytes()) | required;
    told(engine::ask(|engine| engine.set_flags(Link::Unit(unit), flags)))
}

fn set_mru(link: Link, mru: c_int) -> Outcome {
    let mru = u16::try_from(mru).map_err(|_| Errno::EINVAL)?;
    done(&Command::SetMru { link, mru })
}

fn done(command: &Command) -> Outcome {
    told(engine::ask(|engine| engine.ask(command, &[]).map(drop)))
}

/// pppd hears of an error by its number; the log, by its words.
pub(super) fn told(result: Result<(), EngineError>) -> Outcome {
    match result {
        Ok(()) => Ok(Reply::Nothing),
        Err(error) => {
            warn!("{error}");
            Err(Errno::from_raw(error.errno()))
        }
    }
}

fn identify(fd: BorrowedFd<'_>) -> Result<Socket, Errno> {
    let status = fstat(fd)?;
    if status.st_mode & libc::S_IFMT != libc::S_IFSOCK {
        return Err(Errno::ENOTSOCK);
    }
    Ok((status.st_dev, status.st_ino))
}

/// Whether pppd has not closed its end.
fn is_open_elsewhere(far: &OwnedFd) -> bool {
    let received = seqpacket::receive(far.as_fd(), &mut [0; 1]);
    received.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

fn number(value: u32) -> c_int {
    c_int::try_from(value).unwrap_or(c_int::MAX)
}

fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
