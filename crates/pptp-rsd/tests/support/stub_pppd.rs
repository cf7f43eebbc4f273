//! What the tests start in place of pppd. Its option file is not pppd's: each line is a word that says how to behave.
//!
//! `trace FOLDER`: write the arguments, the signals that are held back and the descriptors to FOLDER/PID. `die`: end at once. `deaf`: hear of no hang-up. `stubborn`:
//! that, and not of SIGTERM either. Else it takes the call that is offered, answers each frame with one that carries its own
//! id of the call and its process id, and ends with 16 when it is hung up on.
//!
//! `user NAME`: it tells the server of that user, a thousand bytes more each time that it is asked, and at its end. `silent`: it
//! answers nothing of that. `babble`: it tells nonsense, as much as it can.

use std::error::Error;
use std::fs;
use std::os::fd::AsFd;
use std::time::Duration;

use pptp_datapath::client::Engine;
use pptp_datapath::command::{Channel, Framing, Traffic};
use pptp_datapath::offer::{self, Gre};
use pptp_datapath::report::{self, Report, Statistics};
use pptp_io::poller::{Interest, wait};
use pptp_io::signals::Signals;
use pptp_io::{daemon, seqpacket};

const LCP: [u8; 2] = [0xc0, 0x21];

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after = |word: &str| arguments.iter().skip_while(|argument| *argument != word).nth(1).cloned();
    let behaviour = fs::read_to_string(after("file").ok_or("no option file")?)?;
    let has = |word: &str| behaviour.lines().any(|line| line == word);
    if let Some(folder) = behaviour.lines().find_map(|line| line.strip_prefix("trace ")) {
        trace(folder, &arguments)?;
    }
    if has("die") {
        std::process::exit(1);
    }
    // SIGTERM among others is held back for as long as these exist.
    let _signals = if has("stubborn") { Some(Signals::take()?) } else { None };
    if has("deaf") || has("stubborn") {
        std::thread::sleep(Duration::from_secs(300));
    }
    let habit = match behaviour.lines().find_map(|line| line.strip_prefix("user ")) {
        Some(user) if has("silent") => Habit::Silent(user.into()),
        Some(user) => Habit::Telling(user.into()),
        None if has("babble") => Habit::Babbling,
        None => Habit::Gone,
    };
    carry(after("pptp_sock").ok_or("no socket")?.parse()?, &habit)
}

/// How it talks to the server.
enum Habit {
    /// Not at all: it has closed the socket.
    Gone,
    /// Of this user.
    Telling(String),
    /// Of this user, unasked and once.
    Silent(String),
    Babbling,
}

/// What there is to be told of a session.
fn report(user: &str, times: u64) -> Report {
    let traffic = |bytes| Traffic { packets: bytes / 500, bytes };
    Report {
        user: Some(user.into()),
        interface: Some("ppp0".into()),
        statistics: Some(Statistics { received: traffic(times * 1000), sent: traffic(times * 2000), gre: None }),
        ..Report::default()
    }
}

/// Tells with what it was started. The folder in which it looks is one of its descriptors.
fn trace(folder: &str, arguments: &[String]) -> Outcome<()> {
    let mut descriptors = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        let target = fs::read_link(entry.path())?.display().to_string();
        if !target.contains("/proc/") {
            descriptors.push(format!("{} {}", entry.file_name().to_string_lossy(), target));
        }
    }
    descriptors.sort_by_key(|line| line.split(' ').next().and_then(|number| number.parse::<u32>().ok()));
    let status = fs::read_to_string("/proc/self/status")?;
    let blocked = status.lines().find(|line| line.starts_with("SigBlk:")).ok_or("no SigBlk")?;
    let text = format!("{}\n{blocked}\n{}\n", arguments.join(" "), descriptors.join("\n"));
    let place = format!("{folder}/{}", std::process::id());
    fs::write(format!("{place}.new"), text)?;
    Ok(fs::rename(format!("{place}.new"), place)?)
}

fn carry(socket: i32, habit: &Habit) -> Outcome<()> {
    let socket = daemon::inherited(socket)?;
    let offer = offer::receive(socket.as_fd(), Duration::from_secs(30))?;
    let talk = Some(socket).filter(|_| !matches!(habit, Habit::Gone));
    let Gre::Engine { host, port } = offer.gre else { return Err("no engine".into()) };
    let mut engine = Engine::attach(host);
    let (frames, engines) = seqpacket::pair()?;
    let descriptors = [engines.as_fd(), offer.life_line.as_fd()];
    engine.new_channel_on((Channel(1), port), offer.call, Framing::Datagrams, descriptors)?;
    drop(engines);
    let number = std::process::id().to_be_bytes();
    let answer = [&LCP, &offer.call.call_id.to_be_bytes()[..], &number].concat();
    let (mut times, mut is_asked) = (1, !matches!(habit, Habit::Silent(_)));
    let tell = |times| match (&talk, habit) {
        (Some(talk), Habit::Telling(user) | Habit::Silent(user)) => report::send(talk.as_fd(), &report(user, times)),
        (Some(talk), Habit::Babbling) => {
            while seqpacket::send(talk.as_fd(), &[7; 300], &[]).is_ok() {}
            Ok(())
        }
        _ => Ok(()),
    };
    tell(times)?;
    loop {
        let talks = talk.iter().filter(|_| is_asked).map(|talk| (talk.as_fd(), Interest::Read));
        let all: Vec<_> = std::iter::once((frames.as_fd(), Interest::Read)).chain(talks).collect();
        let ready = wait(&all, None)?;
        if let (Some(true), Some(talk)) = (ready.get(1).map(|talk| talk.readable()), &talk) {
            match report::is_asked(talk.as_fd()) {
                Ok(false) => times += 1,
                Ok(true) => {
                    times += 1;
                    tell(times)?;
                }
                // The call is over; its end is seen on the other descriptor.
                Err(_) => is_asked = false,
            }
        }
        if !ready.first().is_some_and(|frames| frames.readable()) {
            continue;
        }
        match seqpacket::receive(frames.as_fd(), &mut [0; 2000]) {
            Ok(received) if received.length > 0 => seqpacket::send(frames.as_fd(), &answer, &[])?,
            _ => {
                tell(times + 1)?;
                std::process::exit(16)
            }
        }
    }
}
