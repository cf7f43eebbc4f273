//! One end of a tunnel without pppd: does with an engine what standard input says, a line each, and answers with a line. It can
//! be many of the engine's hosts.

mod slave;

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use pptp_datapath::client::{Batching, Engine, Options};
use pptp_datapath::command::{
    CallConfig, CallEnds, Channel, Command, Direction, FilterKind, Framing, Instruction, Key, Link, Network, NpMode,
    Port, TransmitWindow, Unit,
};
use pptp_io::gre_socket::{self, Calls};
use pptp_io::poller::{Interest, wait};
use pptp_io::{pty, seqpacket, tun};
use slave::Slave;

const UNIT: Unit = Unit(7);
const CHANNEL: Channel = Channel(3);

const PORT: Port = Port(1);

/// Far more answers than a socket has room for.
const MOST_ASKED: usize = 5000;

/// How long a frame may take to come on a busy machine.
const FRAME_LIMIT: Duration = Duration::from_secs(20);

/// After so long nothing more comes, where nothing should.
const QUIET: Duration = Duration::from_secs(1);

type Outcome = Result<String, Box<dyn Error>>;

/// pppd's side of everything.
struct End {
    engine: Engine,
    /// The command socket, unless it is the first host's.
    commands: Option<OwnedFd>,
    unit_frames: Option<OwnedFd>,
    channel_frames: Option<OwnedFd>,
    life_line: Option<OwnedFd>,
    /// What the kernel's PPP has in the place of the channels' frames.
    slaves: Vec<Slave>,
    /// Which of them is meant.
    line: usize,
    /// Frames of many units and channels.
    many: Vec<OwnedFd>,
    /// Copies of what the engine has and waits for: closing its own must be enough for it.
    copies: Vec<OwnedFd>,
    /// A socket with which this end plays a peer that has no engine.
    gre: Option<OwnedFd>,
    /// How long reading waits.
    patience: Duration,
}

fn main() {
    let batching = match std::env::args().nth(1).as_deref() {
        Some("single") => Batching::Single,
        _ => Batching::Batched,
    };
    #[cfg(pptp_plain_mppe)]
    prepare_openssl();
    let Ok(engine) = Engine::start(Options { wipe: || {}, batching }) else { return };
    let mut hosts = Hosts { ends: vec![End::new(engine)], chosen: 0 };
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = hosts.obey(&words).unwrap_or_else(|error| format!("error {error}"));
        let _ = writeln!(io::stdout(), "{answer}");
    }
}

/// An engine may open no file, and OpenSSL does when it is used first.
#[cfg(pptp_plain_mppe)]
fn prepare_openssl() {
    use pptp_core::mppe::{Config, Encryptor, KeyLength, Mode, StartKey};

    let config = Config { key_length: KeyLength::Bits128, mode: Mode::Stateless };
    drop(Encryptor::new(config, &StartKey::new([0; 16])));
}

/// The hosts, the first one first.
struct Hosts {
    ends: Vec<End>,
    /// Who is meant.
    chosen: usize,
}

impl Hosts {
    fn obey(&mut self, words: &[&str]) -> Outcome {
        match *words {
            ["host", local, peer, id, peer_id] => {
                self.add((local.parse()?, peer.parse()?), (id.parse()?, peer_id.parse()?))
            }
            ["choose", number] => {
                self.chosen = number.parse()?;
                Ok(String::from("ok"))
            }
            _ => self.ends.get_mut(self.chosen).ok_or("no such host")?.obey(words),
        }
    }

    /// Has the chosen one add a host for a call, and chooses that.
    fn add(&mut self, (local, peer): (Ipv4Addr, Ipv4Addr), (call_id, peer_call_id): (u16, u16)) -> Outcome {
        let (ours, theirs) = seqpacket::pair()?;
        let command = Command::AddHost { port: PORT, call: CallEnds { local, peer, call_id, peer_call_id } };
        self.ends.get_mut(self.chosen).ok_or("no such host")?.engine.ask(&command, &[theirs.as_fd()])?;
        let mut end = End::new(Engine::attach(ours.try_clone()?));
        end.commands = Some(ours);
        self.chosen = self.ends.len();
        self.ends.push(end);
        Ok(String::from("ok"))
    }
}

impl End {
    fn new(engine: Engine) -> Self {
        Self {
            engine,
            commands: None,
            unit_frames: None,
            channel_frames: None,
            life_line: None,
            slaves: Vec::new(),
            line: 0,
            many: Vec::new(),
            copies: Vec::new(),
            gre: None,
            patience: FRAME_LIMIT,
        }
    }

    fn obey(&mut self, words: &[&str]) -> Outcome {
        match *words {
            ["quiet", ref rest @ ..] => {
                self.patience = QUIET;
                let answer = self.obey(rest);
                self.patience = FRAME_LIMIT;
                answer
            }
            ["unit", name] => self.unit(name),
            ["channel", local, peer, id, peer_id, ref rest @ ..] => {
                let call = call(local.parse()?, peer.parse()?, (id.parse()?, peer_id.parse()?), rest)?;
                self.channel(call)
            }
            ["port", local] => {
                let socket = gre_socket::open(None)?;
                gre_socket::claim(socket.as_fd(), local.parse()?, Calls::Matching { mask: 0, value: 0 })?;
                done(self.engine.ask(&Command::NewPort { port: PORT }, &[socket.as_fd()]))
            }
            ["channel-on-port", local, peer, id, peer_id] => {
                self.channel_on_port(call(local.parse()?, peer.parse()?, (id.parse()?, peer_id.parse()?), &[])?)
            }
            ["flood"] => self.flood(),
            ["close", "host"] => {
                self.commands = None;
                self.engine = Engine::attach(seqpacket::pair()?.0);
                Ok(String::from("ok"))
            }
            ["terminal", local, peer, id, peer_id, ref rest @ ..] => {
                let call = call(local.parse()?, peer.parse()?, (id.parse()?, peer_id.parse()?), rest)?;
                self.terminal(call)
            }
            ["line-write", hex] => {
                self.slave()?.write(&bytes(hex)?)?;
                Ok(String::from("ok"))
            }
            ["line-read"] => Ok(match self.slave()?.read(self.patience) {
                Ok(bytes) if bytes.is_empty() => String::from("none"),
                Ok(bytes) => hex(&bytes),
                Err(_) => String::from("end"),
            }),
            ["line-garbage", length] => {
                self.slave()?.write_garbage(length.parse()?)?;
                Ok(String::from("ok"))
            }
            ["line-exchange", send, receive] => Ok(self.slave()?.exchange(send.parse()?, receive.parse()?)?),
            ["terminals", local, peer] => self.terminals(local.parse()?, peer.parse()?),
            ["line", number] => {
                self.line = number.parse()?;
                Ok(String::from("ok"))
            }
            ["close", "line"] => {
                self.slaves.clear();
                Ok(String::from("ok"))
            }
            ["many", count, local, peer] => self.many(count.parse()?, local.parse()?, peer.parse()?),
            ["connect"] => done(self.engine.connect(CHANNEL, UNIT)),
            ["disconnect"] => self.ask(Command::Disconnect { channel: CHANNEL }),
            ["drop"] => self.ask(Command::DropChannel { channel: CHANNEL }),
            ["compression", link, option, key] => self.compression(link_of(link)?, &bytes(option)?, &bytes(key)?),
            ["flags", flags] => done(self.engine.set_flags(Link::Unit(UNIT), flags.parse()?)),
            ["channel-flags", flags] => done(self.engine.set_flags(Link::Channel(CHANNEL), flags.parse()?)),
            ["added-flags", link] => Ok(self.engine.flags(link_of(link)?)?.to_string()),
            ["np", protocol, mode] => self.np_mode(protocol, mode),
            ["filter", kind, ref program @ ..] => self.filter(kind, program),
            ["statistics"] => {
                let all = self.engine.statistics(UNIT)?;
                let (received, sent) = (all.received, all.sent);
                Ok(format!("{} {} {} {}", sent.packets, sent.bytes, received.packets, received.bytes))
            }
            ["idle"] => {
                let idle = self.engine.idle(UNIT)?;
                Ok(format!("{} {}", idle.transmit.as_millis(), idle.receive.as_millis()))
            }
            ["counters"] => {
                let all = self.engine.counters(CHANNEL)?;
                Ok(all.iter().map(|(name, value)| format!("{name}={value} ")).collect())
            }
            ["log"] => Ok(self.engine.next_log().map_or_else(|| String::from("none"), |line| line.text)),
            ["ended"] => Ok(self.engine.has_ended().to_string()),
            ["write", which, hex] => self.write(which, hex),
            ["read", which] => self.read(which),
            ["gre", local, peer, id] => {
                self.gre = Some(gre_to(local.parse()?, peer.parse()?, Calls::Only(id.parse()?))?);
                Ok(String::from("ok"))
            }
            ["gre-send", hex] => {
                let socket = self.gre.as_ref().ok_or("no socket")?;
                let packet = bytes(hex)?;
                gre_socket::Sender::new(1).send(socket.as_fd(), std::iter::once((packet.as_slice(), None)))?;
                Ok(String::from("ok"))
            }
            ["gre-read"] => self.read_gre(),
            ["close", which] => {
                drop(self.descriptor(which)?.take());
                Ok(String::from("ok"))
            }
            _ => Err("not understood".into()),
        }
    }

    fn unit(&mut self, name: &str) -> Outcome {
        let tun = tun::create(name)?;
        let (ours, theirs) = seqpacket::pair()?;
        self.engine.new_unit(UNIT, tun.as_fd(), theirs.as_fd())?;
        self.unit_frames = Some(ours);
        Ok(String::from("ok"))
    }

    fn channel(&mut self, call: CallConfig) -> Outcome {
        let socket = gre_to(call.local, call.peer, Calls::Only(call.call_id))?;
        let (frames, their_frames) = seqpacket::pair()?;
        let (life_line, their_life_line) = seqpacket::pair()?;
        let descriptors = [socket.as_fd(), their_frames.as_fd(), their_life_line.as_fd()];
        self.engine.new_channel(CHANNEL, call, Framing::Datagrams, descriptors)?;
        (self.channel_frames, self.life_line) = (Some(frames), Some(life_line));
        self.copies.push(their_life_line);
        Ok(String::from("ok"))
    }

    fn channel_on_port(&mut self, call: CallConfig) -> Outcome {
        let (frames, their_frames) = seqpacket::pair()?;
        let (life_line, their_life_line) = seqpacket::pair()?;
        let descriptors = [their_frames.as_fd(), their_life_line.as_fd()];
        self.engine.new_channel_on((CHANNEL, PORT), call, Framing::Datagrams, descriptors)?;
        (self.channel_frames, self.life_line) = (Some(frames), Some(life_line));
        self.copies.push(their_life_line);
        Ok(String::from("ok"))
    }

    /// Asks and asks, and reads no answer, as often as it can; how often that was.
    fn flood(&self) -> Outcome {
        let (ours, theirs) = seqpacket::pair()?;
        // What a command looks like.
        let _ = Engine::attach(ours).ask(&Command::GetCounters { channel: CHANNEL }, &[]);
        let mut command = [0; 100];
        let length = seqpacket::receive(theirs.as_fd(), &mut command)?.length;
        let commands = self.commands.as_ref().ok_or("no command socket")?;
        let mut count = 0;
        while count < MOST_ASKED {
            match seqpacket::send(commands.as_fd(), &command[..length], &[]) {
                Ok(()) => count += 1,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(count.to_string())
    }

    fn terminal(&mut self, call: CallConfig) -> Outcome {
        let socket = gre_to(call.local, call.peer, Calls::Only(call.call_id))?;
        let (master, slave) = pty::open()?;
        let (life_line, their_life_line) = seqpacket::pair()?;
        let descriptors = [socket.as_fd(), master.as_fd(), their_life_line.as_fd()];
        self.engine.new_channel(CHANNEL, call, Framing::Hdlc, descriptors)?;
        (self.slaves, self.life_line) = (vec![Slave::new(slave)], Some(life_line));
        self.copies.push(their_life_line);
        Ok(String::from("ok"))
    }

    fn slave(&self) -> Result<&Slave, Box<dyn Error>> {
        self.slaves.get(self.line).ok_or_else(|| "no terminal".into())
    }

    /// Two of them, with calls 100 and 101, on one port.
    fn terminals(&mut self, local: Ipv4Addr, peer: Ipv4Addr) -> Outcome {
        let socket = gre_socket::open(None)?;
        gre_socket::claim(socket.as_fd(), local, Calls::Matching { mask: 0, value: 0 })?;
        self.engine.ask(&Command::NewPort { port: PORT }, &[socket.as_fd()])?;
        let (life_line, their_life_line) = seqpacket::pair()?;
        for (number, id) in [(0, 100), (1, 101)] {
            let (master, slave) = pty::open()?;
            let (channel, call) = (Channel(CHANNEL.0 + number), call(local, peer, (id, id), &[])?);
            let command = Command::NewChannel { channel, call, framing: Framing::Hdlc, port: Some(PORT) };
            self.engine.ask(&command, &[master.as_fd(), their_life_line.as_fd()])?;
            self.slaves.push(Slave::new(slave));
        }
        self.life_line = Some(life_line);
        Ok(String::from("ok"))
    }

    /// Units and channels 1000, 1001 … with devices many0, many1 …, all on one port.
    fn many(&mut self, count: u16, local: Ipv4Addr, peer: Ipv4Addr) -> Outcome {
        let socket = gre_socket::open(None)?;
        gre_socket::claim(socket.as_fd(), local, Calls::Matching { mask: 0, value: 0 })?;
        self.engine.ask(&Command::NewPort { port: PORT }, &[socket.as_fd()])?;
        let (life_line, their_life_line) = seqpacket::pair()?;
        for number in 0..count {
            let (id, wide) = (1000 + number, u32::from(number));
            let tun = tun::create(&format!("many{number}"))?;
            let (unit, their_unit) = seqpacket::pair()?;
            let (frames, their_channel) = seqpacket::pair()?;
            self.engine.new_unit(Unit(1000 + wide), tun.as_fd(), their_unit.as_fd())?;
            let call = call(local, peer, (id, id), &[])?;
            let (channel, port) = (Channel(1000 + wide), Some(PORT));
            let command = Command::NewChannel { channel, call, framing: Framing::Datagrams, port };
            self.engine.ask(&command, &[their_channel.as_fd(), their_life_line.as_fd()])?;
            self.engine.connect(channel, Unit(1000 + wide))?;
            self.many.extend([unit, frames]);
        }
        self.life_line = Some(life_line);
        Ok(String::from("ok"))
    }

    /// The same option and key both ways.
    fn compression(&mut self, link: Link, option: &[u8], key: &[u8]) -> Outcome {
        for direction in [Direction::Transmit, Direction::Receive] {
            self.engine.set_compression(link, direction, option.to_vec(), Key(key.try_into()?))?;
        }
        Ok(String::from("ok"))
    }

    fn np_mode(&mut self, protocol: &str, mode: &str) -> Outcome {
        let network = if protocol == "4" { Network::Ipv4 } else { Network::Ipv6 };
        let mode = match mode {
            "pass" => NpMode::Pass,
            "queue" => NpMode::Queue,
            _ => NpMode::Drop,
        };
        done(self.engine.set_np_mode(UNIT, network, mode))
    }

    /// Instructions as `tcpdump -ddd` prints them, with commas for blanks.
    fn filter(&mut self, kind: &str, program: &[&str]) -> Outcome {
        let kind = if kind == "pass" { FilterKind::Pass } else { FilterKind::Active };
        let program = program.iter().map(|text| instruction(text)).collect::<Option<_>>().ok_or("not a program")?;
        done(self.engine.set_filter(UNIT, kind, program))
    }

    fn ask(&mut self, command: Command) -> Outcome {
        done(self.engine.ask(&command, &[]))
    }

    fn descriptor(&mut self, which: &str) -> Result<&mut Option<OwnedFd>, Box<dyn Error>> {
        match which {
            "unit" => Ok(&mut self.unit_frames),
            "channel" => Ok(&mut self.channel_frames),
            "life-line" => Ok(&mut self.life_line),
            _ => Err("no such descriptor".into()),
        }
    }

    fn write(&mut self, which: &str, hex: &str) -> Outcome {
        let frames = self.descriptor(which)?.as_ref().ok_or("closed")?;
        seqpacket::send(frames.as_fd(), &bytes(hex)?, &[])?;
        Ok(String::from("ok"))
    }

    /// The next packet from its GRE header on.
    fn read_gre(&self) -> Outcome {
        let socket = self.gre.as_ref().ok_or("no socket")?;
        wait(&[(socket.as_fd(), Interest::Read)], Some(self.patience))?;
        let mut buffers = [vec![0; 2048]];
        let length = match gre_socket::Receiver::new(1).receive(socket.as_fd(), &mut buffers) {
            Ok(mut lengths) => lengths.next().flatten().unwrap_or(0),
            Err(_) => return Ok(String::from("none")),
        };
        Ok(hex(buffers[0].get(20..length).unwrap_or_default()))
    }

    fn read(&mut self, which: &str) -> Outcome {
        let patience = self.patience;
        let frames = self.descriptor(which)?.as_ref().ok_or("closed")?;
        wait(&[(frames.as_fd(), Interest::Read)], Some(patience))?;
        let mut buffer = [0; 4096];
        let received = match seqpacket::receive(frames.as_fd(), &mut buffer) {
            Ok(received) => received.length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(String::from("none")),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
            Err(error) => return Err(error.into()),
        };
        if received == 0 {
            return Ok(String::from("end"));
        }
        Ok(hex(&buffer[..received]))
    }
}

fn link_of(word: &str) -> Result<Link, Box<dyn Error>> {
    match word {
        "unit" => Ok(Link::Unit(UNIT)),
        "channel" => Ok(Link::Channel(CHANNEL)),
        _ => Err("neither unit nor channel".into()),
    }
}

fn gre_to(local: Ipv4Addr, peer: Ipv4Addr, calls: Calls) -> io::Result<OwnedFd> {
    let socket = gre_socket::open(None)?;
    gre_socket::claim(socket.as_fd(), local, calls)?;
    gre_socket::connect(socket.as_fd(), peer)?;
    Ok(socket)
}

fn bytes(hex: &str) -> Result<Vec<u8>, std::num::ParseIntError> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16)).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `window PACKETS`: keep to the peer's. `reorder MILLISECONDS`: wait for what is late.
fn call(
    local: Ipv4Addr,
    peer: Ipv4Addr,
    (call_id, peer_call_id): (u16, u16),
    rest: &[&str],
) -> Result<CallConfig, Box<dyn Error>> {
    let mut call = CallConfig {
        local,
        peer,
        call_id,
        peer_call_id,
        peer_window: 64,
        receive_window: 64,
        transmit_window: TransmitWindow::Off,
        reorder_time: Duration::from_millis(10),
        reorder_packets: 64,
    };
    match *rest {
        [] => {}
        ["reorder", milliseconds] => {
            call.reorder_time = Duration::from_millis(milliseconds.parse()?);
            call.reorder_packets = 2048;
        }
        ["window", packets] => {
            call.transmit_window = TransmitWindow::On;
            call.peer_window = packets.parse()?;
            call.receive_window = call.peer_window;
        }
        _ => return Err("not understood".into()),
    }
    Ok(call)
}

fn instruction(text: &str) -> Option<Instruction> {
    let mut numbers = text.split(',').map(str::parse::<u32>);
    let mut next = || numbers.next()?.ok();
    let (code, jump_true, jump_false, k) = (next()?, next()?, next()?, next()?);
    Some(Instruction {
        code: code.try_into().ok()?,
        jump_true: jump_true.try_into().ok()?,
        jump_false: jump_false.try_into().ok()?,
        k,
    })
}

fn done<T>(result: Result<T, impl Error + 'static>) -> Outcome {
    result.map(|_| String::from("ok")).map_err(Into::into)
}
