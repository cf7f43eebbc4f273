//! What the tests start in place of pppd. Its option file is not pppd's: each line is a word that says how to behave.
//!
//! `trace FOLDER`: write the arguments, the signals that are held back and the descriptors to FOLDER/PID. `die`: end at once. `deaf`: hear of no hang-up. `stubborn`:
//! that, and not of SIGTERM either. Else it takes the call that is offered, answers each GRE packet with one that
//! carries its own id of the call and its process id, and ends with 16 when it is hung up on.

use std::error::Error;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use pptp_datapath::command::CallConfig;
use pptp_datapath::offer;
use pptp_io::daemon;
use pptp_io::gre_socket::{Receiver, Sender};
use pptp_io::poller::{Interest, wait};
use pptp_io::signals::Signals;

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
    loop {
        let both = [(offer.gre.as_fd(), Interest::Read), (offer.life_line.as_fd(), Interest::Read)];
        let ready = wait(&both, None)?;
        if ready.get(1).is_some_and(|life_line| life_line.readable()) {
            std::process::exit(16);
        }
        answer(offer.gre.as_fd(), &offer.call)?;
    }
}

fn answer(gre: BorrowedFd<'_>, call: &CallConfig) -> Outcome<()> {
    let mut buffers = vec![vec![0; 200]; 8];
    let count = match Receiver::new(8).receive(gre, &mut buffers) {
        Ok(lengths) => lengths.count(),
        // News of packets that were sent.
        Err(_) => return Ok(()),
    };
    // Version 1, with a sequence number and PPP inside.
    let mut packet = vec![0x30, 1, 0x88, 0x0b, 0, 6];
    packet.extend(call.peer_call_id.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(call.call_id.to_be_bytes());
    packet.extend(std::process::id().to_be_bytes());
    for _ in 0..count {
        Sender::new(1).send(gre, std::iter::once((packet.as_slice(), None)))?;
    }
    Ok(())
}
