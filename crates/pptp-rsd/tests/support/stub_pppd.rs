//! What the tests start in place of pppd. Its option file is not pppd's: each line is a word that says how to behave.
//!
//! `trace FOLDER`: write the arguments, the signals that are held back and the descriptors to FOLDER/PID. `die`: end at once. `deaf`: hear of no hang-up. `stubborn`:
//! that, and not of SIGTERM either. Else it takes the call that is offered, answers each frame with one that carries its own
//! id of the call and its process id, and ends with 16 when it is hung up on.

use std::error::Error;
use std::fs;
use std::os::fd::AsFd;
use std::time::Duration;

use pptp_datapath::client::Engine;
use pptp_datapath::command::{Channel, Framing};
use pptp_datapath::offer::{self, Gre};
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
    carry(after("pptp_sock").ok_or("no socket")?.parse()?)
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

fn carry(socket: i32) -> Outcome<()> {
    let socket = daemon::inherited(socket)?;
    let offer = offer::receive(socket.as_fd(), Duration::from_secs(5))?;
    drop(socket);
    let Gre::Engine { host, port } = offer.gre else { return Err("no engine".into()) };
    let mut engine = Engine::attach(host);
    let (frames, engines) = seqpacket::pair()?;
    let descriptors = [engines.as_fd(), offer.life_line.as_fd()];
    engine.new_channel_on((Channel(1), port), offer.call, Framing::Datagrams, descriptors)?;
    drop(engines);
    let number = std::process::id().to_be_bytes();
    let answer = [&LCP, &offer.call.call_id.to_be_bytes()[..], &number].concat();
    loop {
        wait(&[(frames.as_fd(), Interest::Read)], None)?;
        match seqpacket::receive(frames.as_fd(), &mut [0; 2000]) {
            Ok(received) if received.length > 0 => seqpacket::send(frames.as_fd(), &answer, &[])?,
            _ => std::process::exit(16),
        }
    }
}
