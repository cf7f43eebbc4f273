//! Stands in for pppd in tests: makes one call, prints one line for every piece of news, and ends when its standard
//! input does. It has a single thread, as pppd has, which a test process has not.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use pptp_callmgr::client::{self, Admission, Call, Channel, Progress, Request};
use pptp_io::gre_socket::{self, Receiver};
use pptp_io::poller::{Interest, wait};
use pptp_io::seqpacket;

struct Arguments {
    directory: PathBuf,
    request: Request,
    /// Whether to have a GRE socket too, and print what can be read from it when the call is up.
    gre: bool,
    /// Whether to have packets in clear kept from the channel when the call is up, and print when they are.
    admit: bool,
    /// Milliseconds after the start at which the process closes everything and goes.
    give_up: Option<Duration>,
}

fn main() -> ExitCode {
    let arguments = parse();
    let begin = Instant::now();
    let Ok((pppd, held)) = seqpacket::pair() else { return ExitCode::from(3) };
    let Ok(gre) = arguments.gre.then(|| gre_socket::open(None)).transpose() else { return ExitCode::from(3) };
    let channel = Channel { held: held.as_fd(), gre: gre.as_ref().map(AsFd::as_fd) };
    let call = match client::start_in(&arguments.directory, &arguments.request, channel, wipe) {
        Ok(call) => call,
        Err(error) => {
            say(&format!("start: {error}"));
            return ExitCode::from(3);
        }
    };
    // From here on the manager holds the only one, as it does when pppd has registered a channel.
    drop(held);
    say(&format!("started us={}", begin.elapsed().as_micros()));
    follow(call, &Ends { pppd, gre }, &arguments, begin)
}

/// What pppd and an engine have of a channel.
struct Ends {
    pppd: OwnedFd,
    gre: Option<OwnedFd>,
}

/// What the manager must not find in its memory; here only that it is called.
fn wipe() {
    let _ = std::fs::write(std::env::var_os("PROBE_WIPED").unwrap_or_else(|| "/dev/null".into()), b"wiped");
}

/// Waits as pppd does: for the manager until the call is up, then for a hang-up.
fn follow(mut call: Call, ends: &Ends, arguments: &Arguments, begin: Instant) -> ExitCode {
    let mut up = false;
    loop {
        let timeout = arguments.give_up.map(|limit| limit.saturating_sub(begin.elapsed()));
        let stdin = std::io::stdin();
        let read = Interest::Read;
        let news = if up { ends.gre.as_ref().map(AsFd::as_fd) } else { Some(call.fd()) };
        let mut watched: Vec<_> = news.map(|news| (news, read)).into_iter().collect();
        watched.extend([(ends.pppd.as_fd(), Interest::Nothing), (stdin.as_fd(), read)]);
        let ready = wait(&watched, timeout).unwrap_or_default();
        if timeout == Some(Duration::ZERO) || (ready.last().is_some_and(|ready| ready.readable()) && stdin_ended()) {
            return ExitCode::SUCCESS;
        }
        if up && ready[ready.len() - 2].failed() {
            hear_last_words(&mut call, begin);
            say("hangup");
            return ExitCode::from(16);
        }
        if let Some(gre) = ends.gre.as_ref().filter(|_| up) {
            say_packets(gre);
        }
        while let Some(progress) = if up { None } else { call.next() } {
            report(&progress, begin);
            match progress {
                Progress::Connected(_) => {
                    up = true;
                    if arguments.admit {
                        wait_for_filter(&call, &ends.pppd);
                    }
                }
                Progress::Failed(_) => return ExitCode::from(8),
                _ => {}
            }
        }
    }
}

/// Until the manager's end of the channel throws packets in clear away: then they are not there to be read.
fn wait_for_filter(call: &Call, pppd: &OwnedFd) {
    const IN_CLEAR: &[u8] = &[0x30, 1, 0x88, 0x0b, 0, 4, 0, 17, 0, 0, 0, 1, 0, 0x21, 0x45, 0];

    let unread = || seqpacket::unread_by_peer(pppd.as_fd()).ok();
    if call.admit(Admission::NotInClear).is_err() {
        return say("the manager has gone");
    }
    loop {
        let before = unread();
        if seqpacket::send(pppd.as_fd(), IN_CLEAR, &[]).is_ok() && unread() == before {
            return say("filtered");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// One line for each packet: where it came from, its call id, its last octet.
fn say_packets(gre: &OwnedFd) {
    let mut buffers = [[0; 100]; 16];
    let Ok(lengths) = Receiver::new(16).receive(gre.as_fd(), &mut buffers).map(Vec::from_iter) else { return };
    for (length, packet) in lengths.into_iter().zip(buffers) {
        let source = Ipv4Addr::new(packet[12], packet[13], packet[14], packet[15]);
        let call = u16::from_be_bytes([packet[26], packet[27]]);
        say(&format!("gre from={source} call={call} last={}", packet[length.unwrap_or(0).saturating_sub(1)]));
    }
}

/// What a manager says of a call's end is there before the hang-up is. Only a manager that was killed is late.
fn hear_last_words(call: &mut Call, begin: Instant) {
    loop {
        while let Some(progress) = call.next() {
            report(&progress, begin);
            if !matches!(progress, Progress::Log { .. } | Progress::Connected(_)) {
                return;
            }
        }
        say("late");
        let _ = wait(&[(call.fd(), Interest::Read)], None);
    }
}

fn report(progress: &Progress, begin: Instant) {
    match progress {
        Progress::Log { level, text } => say(&format!("log {level} {text}")),
        Progress::Connected(info) => say(&format!(
            "connected us={} shared={} call={} peer_call={} mtu={} local={} peer={} host={} vendor={}",
            begin.elapsed().as_micros(),
            info.shared,
            info.call_id,
            info.peer_call_id,
            info.outer_mtu,
            info.local,
            info.peer,
            info.peer_host,
            info.peer_vendor
        )),
        Progress::Failed(failure) => say(&format!("failed {:?} {}", failure.kind, failure.text)),
        Progress::Ended { text } => say(&format!("ended {text}")),
    }
}

fn stdin_ended() -> bool {
    !matches!(std::io::stdin().read(&mut [0; 64]), Ok(1..))
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

fn parse() -> Arguments {
    let mut arguments = Arguments {
        directory: PathBuf::new(),
        request: Request {
            server: String::from("127.0.0.1"),
            phone: String::new(),
            window: 50,
            port: 1723,
            bind: None,
            mark: None,
            connect_timeout: Duration::from_secs(30),
            echo_interval: Duration::from_secs(60),
            echo_timeout: Duration::from_secs(60),
            share: true,
            quirk: None,
            uid: 0,
        },
        gre: false,
        admit: false,
        give_up: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(option) = words.next() {
        let value = words.next().unwrap_or_default();
        let number = || value.parse::<u32>().unwrap_or(0);
        let time = || Duration::from_millis(u64::from(number()));
        let request = &mut arguments.request;
        match option.as_str() {
            "--dir" => arguments.directory = PathBuf::from(value),
            "--server" => request.server = value,
            "--phone" => request.phone = value,
            "--port" => request.port = u16::try_from(number()).unwrap_or(0),
            "--bind" => request.bind = value.parse::<IpAddr>().ok(),
            "--mark" => request.mark = Some(number()),
            "--timeout" => request.connect_timeout = time(),
            "--echo-interval" => request.echo_interval = time(),
            "--echo-timeout" => request.echo_timeout = time(),
            "--share" => request.share = value == "on",
            "--gre" => arguments.gre = value == "on",
            "--admit" => arguments.admit = value == "on",
            "--uid" => request.uid = number(),
            "--give-up" => arguments.give_up = Some(time()),
            _ => say(&format!("unknown option {option}")),
        }
    }
    arguments
}
