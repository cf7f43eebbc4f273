//! The ways of calls on this machine, and the pppds on them.
//!
//! pppd is told what is no secret on its command line; the call comes by an inherited socket: an AF_PPPOX socket of the
//! kernel's, or one that brings an offer (`pptp_datapath::offer`) of a call on an engine of this server's. What pppd knows of
//! the call comes back by the latter, or by one of its own.

use core::fmt;
use core::time::Duration;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use pptp_datapath::command::{CallConfig, TransmitWindow};
use pptp_datapath::offer::{self, Gre};
use pptp_datapath::report::{self, Report};
use pptp_io::children::{self, Child};
use pptp_io::{pppox, seqpacket, tcp, words};

use super::client::RECEIVE_WINDOW;
use super::ears::Ears;
use super::engines::{EngineId, Engines, Seat};
use super::lines::{Assignment, Ends, Lines};
use super::path::Carrier;
use super::refusal::Refusal;
use crate::config::{Config, Datapath};
use crate::pool::Pair;

/// Stock pppds with the plugin.
pub(super) struct Pppds {
    pub(super) config: Arc<Config>,
    pub(super) carrier: Carrier,
    pub(super) ears: Ears<Pppd>,
    pub(super) engines: Engines,
    /// How many descriptors a pppd may have; `None`: as many as this process.
    pub(super) descriptors: Option<u32>,
}

/// The way of a call.
pub(super) enum Line {
    /// The kernel's socket.
    Kernel(OwnedFd),
    /// A seat at an engine.
    Seat(Seat),
    /// pppd has the kernel's socket.
    Given,
    /// pppd has the seat; closing this hangs up.
    Engine(EngineId, #[expect(dead_code, reason = "it is only held")] OwnedFd),
}

/// A pppd by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pppd(pub(super) Child);

impl fmt::Display for Pppd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.id())
    }
}

impl Lines for Pppds {
    type Line = Line;
    type Process = Pppd;

    fn carriers(&self) -> usize {
        self.engines.count()
    }

    fn open(&mut self, ends: &Ends) -> Result<Line, Refusal> {
        let device = self.config.vrf.as_deref();
        if self.carrier == Carrier::Engine {
            return self.engines.seat(ends).map(Line::Seat);
        }
        match open_kernel(ends, device) {
            // What the kernel cannot tell apart the engine can.
            Err(Refusal::PeerIdTaken) if self.config.datapath == Datapath::Auto => {
                self.engines.seat(ends).map(Line::Seat)
            }
            opened => opened.map(Line::Kernel),
        }
    }

    fn datapath(&self, line: &Line) -> &'static str {
        match line {
            Line::Kernel(_) | Line::Given => Datapath::Kernel.name(),
            // The plugin takes what the machine has, where it is not told.
            Line::Seat(_) | Line::Engine(..) => engines(self.config.datapath).map_or("engine", Datapath::name),
        }
    }

    fn start(&mut self, line: &mut Line, assignment: &Assignment, option_file: Option<&Path>) -> Result<Pppd, Refusal> {
        let failed = |error: io::Error| Refusal::Machine(format!("cannot offer the call to pppd: {}", words(&error)));
        let (ear, pppds) = seqpacket::pair().map_err(failed)?;
        let (inherited, next) = match std::mem::replace(line, Line::Given) {
            Line::Seat(seat) => {
                let life_line = make_offer(&ear, &seat, assignment).map_err(failed)?;
                (Inherited { call: None, talk: pppds }, Line::Engine(seat.engine, life_line))
            }
            Line::Kernel(socket) => {
                report::tell_peer_call_id(ear.as_fd(), assignment.ends.peer_call.0).map_err(failed)?;
                (Inherited { call: Some(socket), talk: pppds }, Line::Given)
            }
            Line::Given | Line::Engine(..) => {
                return Err(Refusal::Machine(String::from("the call has a pppd already")));
            }
        };
        let option_file = option_file.or(self.config.option_file.as_deref());
        let arguments = arguments(&self.config, option_file, assignment, &inherited);
        let program = self.config.pppd.as_os_str();
        let all: Vec<_> = inherited.call.iter().chain([&inherited.talk]).map(AsFd::as_fd).collect();
        let started = children::start(program, &arguments, &all);
        let child = started.map_err(|error| {
            let why = match error.raw_os_error() {
                Some(libc::EAGAIN) => String::from("there are as many processes as may be"),
                _ => words(&error),
            };
            Refusal::Machine(format!("cannot start {}: {why}", self.config.pppd.display()))
        })?;
        *line = next;
        if let Some(most) = self.descriptors {
            // One that has ended by now needs no limit.
            let _ = children::limit_descriptors(child, most);
        }
        self.ears.add(Pppd(child), ear);
        Ok(Pppd(child))
    }

    fn is_cut(&self, line: &Line) -> bool {
        match line {
            Line::Seat(Seat { engine, .. }) | Line::Engine(engine, _) => self.engines.has_ended(*engine),
            Line::Kernel(_) | Line::Given => false,
        }
    }

    fn hang_up(&mut self, line: &mut Line, process: Pppd) {
        // The plugin closes the kernel's socket then. A signal would end the script as well that pppd may be waiting for.
        self.ears.say_goodbye(process);
        *line = Line::Given;
    }

    fn ask(&mut self, process: Pppd) -> bool {
        self.ears.ask(process)
    }

    fn hear(&mut self, process: Pppd) -> Option<Report> {
        self.ears.hear(process)
    }

    fn forget(&mut self, process: Pppd) {
        self.ears.forget(process);
    }

    fn terminate(&mut self, process: Pppd) {
        children::terminate(process.0);
    }

    fn kill(&mut self, process: Pppd) {
        children::kill(process.0);
    }
}

fn open_kernel(ends: &Ends, device: Option<&str>) -> Result<OwnedFd, Refusal> {
    let failed =
        |what: &str, error: &io::Error| Refusal::Machine(format!("cannot {what} a PPTP socket: {}", words(error)));
    let socket = pppox::open().map_err(|error| failed("make", &error))?;
    if let Some(device) = device {
        tcp::bind_to_device(socket.as_fd(), device).map_err(|error| failed("bind", &error))?;
    }
    pppox::bind(socket.as_fd(), ends.call.0, ends.local).map_err(|error| match error.raw_os_error() {
        // Another program's.
        Some(libc::EBUSY) => Refusal::OurIdTaken,
        _ => failed("bind", &error),
    })?;
    pppox::connect(socket.as_fd(), ends.peer_call.0, ends.client).map_err(|error| match error.raw_os_error() {
        Some(libc::EALREADY) => Refusal::PeerIdTaken,
        _ => failed("connect", &error),
    })?;
    Ok(socket)
}

/// What pppd inherits.
struct Inherited {
    /// The kernel's socket of the call.
    call: Option<OwnedFd>,
    /// On which an offer comes if there is none, and pppd tells what it knows.
    talk: OwnedFd,
}

/// Puts the offer on our end of the socket that pppd inherits, and gives our end of the life line.
fn make_offer(ours: &OwnedFd, seat: &Seat, assignment: &Assignment) -> io::Result<OwnedFd> {
    let Ends { local, client, call, peer_call } = assignment.ends;
    let call = CallConfig {
        local,
        peer: client,
        call_id: call.0,
        peer_call_id: peer_call.0,
        peer_window: assignment.peer_window,
        receive_window: RECEIVE_WINDOW,
        // The plugin's options decide on these.
        transmit_window: TransmitWindow::Off,
        reorder_time: Duration::ZERO,
        reorder_packets: 0,
    };
    let (life_line, engines) = seqpacket::pair()?;
    let gre = Gre::Engine { host: seat.host.as_fd(), port: seat.port };
    offer::send(ours.as_fd(), &call, gre, engines.as_fd())?;
    Ok(life_line)
}

/// pppd's command line, as pptpd's is, with the plugin in place of a terminal: before the file, which may have its options.
fn arguments(
    config: &Config,
    option_file: Option<&Path>,
    assignment: &Assignment,
    inherited: &Inherited,
) -> Vec<OsString> {
    let mut arguments = vec!["plugin".into(), OsString::from(&config.plugin)];
    if let Some(file) = option_file {
        arguments.extend(["file".into(), OsString::from(file)]);
    }
    let client = assignment.ends.client.to_string();
    if let Some(Pair { local, remote }) = assignment.inside {
        arguments.push(format!("{local}:{remote}").into());
    }
    if !config.no_ipparam {
        arguments.extend(["ipparam", &client].map(OsString::from));
    }
    arguments.extend(["remotenumber", &client, "nodetach", "pptp_client", &client].map(OsString::from));
    let number = |socket: &OwnedFd| socket.as_raw_fd().to_string();
    let sockets = match inherited {
        Inherited { call: None, talk } => vec!["pptp_sock".into(), number(talk)],
        Inherited { call: Some(call), talk } => {
            vec!["pptp_sock".into(), number(call), "pptp_report".into(), number(talk)]
        }
    };
    arguments.extend(sockets.into_iter().map(OsString::from));
    if config.logwtmp {
        arguments.push("pptp_logwtmp".into());
    }
    // The way was opened before, perhaps when another was configured.
    let datapath = match (&inherited.call, config.datapath) {
        (Some(_), Datapath::Auto) => None,
        (Some(_), _) => Some(Datapath::Kernel),
        (None, wish) => engines(wish),
    };
    if let Some(datapath) = datapath {
        arguments.extend(["pptp_datapath", datapath.name()].map(OsString::from));
    }
    arguments
}

/// What is wished, if an engine can carry a call so.
fn engines(wish: Datapath) -> Option<Datapath> {
    Some(wish).filter(|wish| matches!(wish, Datapath::Tun | Datapath::Pty))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;
    use pptp_core::wire::{CallId, PeerCallId};

    fn assignment() -> Assignment {
        let ends = Ends {
            local: [192, 0, 2, 1].into(),
            client: [192, 0, 2, 2].into(),
            call: CallId(5),
            peer_call: PeerCallId(9),
        };
        let inside = Pair { local: [10, 0, 0, 1].into(), remote: [10, 0, 0, 2].into() };
        Assignment { ends, inside: Some(inside), peer_window: 64 }
    }

    fn line(config: &Config, assignment: &Assignment) -> String {
        let talk = seqpacket::pair().unwrap().0;
        let number = talk.as_raw_fd().to_string();
        let inherited = Inherited { call: None, talk };
        let arguments = arguments(config, config.option_file.as_deref(), assignment, &inherited).join(OsStr::new(" "));
        arguments.into_string().unwrap().replace(&format!("pptp_sock {number}"), "pptp_sock FD")
    }

    #[test]
    fn an_option_file_has_the_name_that_it_has() {
        let name = OsStr::from_bytes(b"/etc/ppp/\xe9t\xe9");
        let inherited = Inherited { call: None, talk: seqpacket::pair().unwrap().0 };
        let arguments = arguments(&Config::default(), Some(name.as_ref()), &assignment(), &inherited);
        assert_eq!(arguments[2..4], [OsStr::new("file"), name]);
    }

    #[test]
    fn pppd_is_told_what_is_no_secret() {
        let config = Config { option_file: Some("/etc/ppp/pptpd-options".into()), ..Config::default() };
        assert_eq!(
            line(&config, &assignment()),
            "plugin pptp-rs.so file /etc/ppp/pptpd-options 10.0.0.1:10.0.0.2 ipparam 192.0.2.2 remotenumber 192.0.2.2 \
             nodetach pptp_client 192.0.2.2 pptp_sock FD"
        );
    }

    #[test]
    fn what_is_left_open_is_pppds_to_choose() {
        let config =
            Config { no_ipparam: true, debug: true, datapath: Datapath::Tun, logwtmp: true, ..Config::default() };
        let open = Assignment { inside: None, ..assignment() };
        assert_eq!(
            line(&config, &open),
            "plugin pptp-rs.so remotenumber 192.0.2.2 nodetach pptp_client 192.0.2.2 pptp_sock FD pptp_logwtmp \
             pptp_datapath tun"
        );
    }

    #[test]
    fn a_call_of_the_kernels_has_a_socket_of_its_own_for_reports() {
        let (call, talk) = seqpacket::pair().unwrap();
        let numbers = [call.as_raw_fd(), talk.as_raw_fd()];
        let arguments = arguments(&Config::default(), None, &assignment(), &Inherited { call: Some(call), talk });
        let arguments = arguments.join(OsStr::new(" ")).into_string().unwrap();
        let end = format!("pptp_client 192.0.2.2 pptp_sock {} pptp_report {}", numbers[0], numbers[1]);
        assert!(arguments.ends_with(&end), "{arguments}");
    }

    #[test]
    fn a_call_keeps_its_way_when_another_is_configured_before_pppd_is_started() {
        let told = |datapath, by_kernel: bool| {
            let (call, talk) = seqpacket::pair().unwrap();
            let inherited = Inherited { call: Some(call).filter(|_| by_kernel), talk };
            let config = Config { datapath, ..Config::default() };
            let arguments = arguments(&config, None, &assignment(), &inherited);
            let name = arguments.iter().skip_while(|word| *word != "pptp_datapath").nth(1);
            name.map(|name| name.to_str().unwrap().to_owned())
        };
        for (datapath, of_kernel, of_engine) in [
            (Datapath::Auto, None, None),
            (Datapath::Kernel, Some("kernel"), None),
            (Datapath::Tun, Some("kernel"), Some("tun")),
            (Datapath::Pty, Some("kernel"), Some("pty")),
        ] {
            assert_eq!((told(datapath, true).as_deref(), told(datapath, false).as_deref()), (of_kernel, of_engine));
        }
    }
}
