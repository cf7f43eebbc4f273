//! `pptp-load SERVER FIRST`: calls a server from many addresses, as many clients would, in one thread that never blocks.
//!
//! SERVER is an IPv4 address with its port; FIRST is the first client's address, and each connection has the next. Commands come on
//! standard input, a line each, and each is answered by a line when it is done:
//!
//! - `stay N WIDTH`: N more clients connect, start and call, at most WIDTH of them at a time, and stay;
//! - `cycle N WIDTH`: the same, and each clears its call and stops when it has it;
//! - `silent N`: N more connections on which nothing is said;
//! - `close`: ends all connections that have stayed, without a word.
//!
//! The answer is `calls=N failed=N seconds=S p50=T p99=T max=T`: how many came to a call, how long all of it took, and the times
//! from `connect` to the call's reply, in microseconds; a call that has no reply within ten seconds has failed. It ends with its
//! input.

mod client;
mod run;

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::ExitCode;

use run::{Load, Plan};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pptp-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Outcome<()> {
    pptp_io::process::raise_descriptor_limit()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, first] = arguments.as_slice() else { return Err("usage: pptp-load SERVER:PORT FIRST".into()) };
    let (server, first): (SocketAddrV4, Ipv4Addr) = (server.parse()?, first.parse()?);
    let mut load = Load::new(server, first)?;
    let mut input = BufReader::new(std::io::stdin());
    let mut line = String::new();
    // What the server says while nobody asks for anything is answered with the next command: well within its patience.
    while input.read_line(&mut line)? > 0 {
        let answer = obey(&mut load, &line)?;
        std::io::stdout().write_all(format!("{answer}\n").as_bytes())?;
        line.clear();
    }
    Ok(())
}

fn obey(load: &mut Load, line: &str) -> Outcome<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let answer = match words.as_slice() {
        ["stay", count, width] => load.run(Plan::Stay, count.parse()?, width.parse()?)?,
        ["cycle", count, width] => load.run(Plan::Cycle, count.parse()?, width.parse()?)?,
        ["silent", count] => load.run(Plan::Silent, count.parse()?, count.parse()?)?,
        ["close"] => return Ok(load.close().to_string()),
        _ => return Err(format!("no such command: {line}").into()),
    };
    Ok(answer.to_string())
}
