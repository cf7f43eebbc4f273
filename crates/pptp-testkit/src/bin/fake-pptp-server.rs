//! Runs the scripted PPTP server until it is killed.

use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::thread;

use pptp_testkit::journal::Journal;
use pptp_testkit::kernel_call::{Carrier, Plan};
use pptp_testkit::script::Script;
use pptp_testkit::session::{Server, Session};

const USAGE: &str = "usage: fake-pptp-server [--listen ADDRESS[:PORT]] [--on TRIGGER[@N]=ACTION[,ACTION...]]...
       [--log FILE] [--pppd ARGUMENTS | --plugin-pppd ARGUMENTS | --pty-pppd ARGUMENTS] [--program PPPD]
  --listen       where (default 127.0.0.1:1723)
  --on           a rule of the script: see crates/pptp-testkit/src/script.rs
  --log          the journal goes to this file, not to standard output
  --pppd         start pppd for every call, on a kernel PPTP socket; ARGUMENTS must load a plugin with a server mode
  --plugin-pppd  start pppd for every call, and offer the call to the plugin that ARGUMENTS load, which brings the data path
  --pty-pppd     start pppd for every call, on a pty with a GRE relay: needs no plugin
  --program      the pppd to start (default pppd)
In ARGUMENTS %n is the number of the call.";

#[derive(Default)]
struct Arguments {
    listen: Option<String>,
    log: Option<String>,
    script: Script,
    pppd: Option<(Carrier, String)>,
    program: Option<String>,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("fake-pptp-server: {message}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match serve(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fake-pptp-server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    while let Some(option) = words.next() {
        let value = words.next().ok_or_else(|| format!("`{option}` is not an option with a value"))?;
        match option.as_str() {
            "--listen" => arguments.listen = Some(value),
            "--log" => arguments.log = Some(value),
            "--on" => arguments.script.add(&value)?,
            "--pppd" => arguments.pppd = Some((Carrier::Kernel, value)),
            "--plugin-pppd" => arguments.pppd = Some((Carrier::Plugin, value)),
            "--pty-pppd" => arguments.pppd = Some((Carrier::Pty, value)),
            "--program" => arguments.program = Some(value),
            _ => return Err(format!("`{option}` is not an option")),
        }
    }
    Ok(arguments)
}

fn serve(arguments: Arguments) -> std::io::Result<()> {
    let mut address = arguments.listen.unwrap_or_else(|| "127.0.0.1".to_string());
    if !address.contains(':') {
        address.push_str(":1723");
    }
    let program = arguments.program.unwrap_or_else(|| "pppd".to_string());
    let server = Arc::new(Server {
        script: arguments.script,
        journal: Journal::open(arguments.log.as_deref().map(AsRef::as_ref))?,
        plan: arguments.pppd.map(|(carrier, arguments)| Plan { carrier, program, arguments }),
        calls: AtomicU32::new(0),
    });
    let listener = TcpListener::bind(&address)?;
    server.journal.line(format_args!("listening {}", listener.local_addr()?));
    for (number, stream) in (1..).zip(listener.incoming()) {
        let session = Session::new(Arc::clone(&server), number, stream?);
        thread::spawn(move || session.run());
    }
    Ok(())
}
