//! A peer that is played by the test and encrypts, and what pppd and its CCP do at the other end.

use pptp_core::hdlc::{Accm, Decoder, Encoder};
use pptp_core::mppe::{Config, Decryptor, Encryptor, Outcome, StartKey};

use super::harness::{End, ends};

pub(crate) const STATELESS_128: &str = "120601000040";
pub(crate) const STATELESS_56: &str = "120601000080";
pub(crate) const STATELESS_40: &str = "120601000020";
pub(crate) const STATEFUL_128: &str = "120600000040";
pub(crate) const KEY: [u8; 16] = [7; 16];

// `linux/ppp-ioctl.h`
const OPEN: u32 = 0x40;
const UP: u32 = 0x80;
pub(crate) const MUST_COMP: u32 = 0x0040_0000;
pub(crate) const DC_FERROR: u32 = 0x0080_0000;

/// The frames of a channel of the engine's under test, on pppd's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Terminal,
    Unit,
}

pub(crate) struct Peer {
    pub(crate) end: End,
    encryptor: Encryptor,
    decryptor: Decryptor,
    sequence: u32,
}

pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An engine with call 17, and a peer with call 34; nothing is agreed on.
pub(crate) fn engine_and_peer(framing: Framing) -> (End, Peer) {
    let [mut engine, mut end] = ends("batched");
    match framing {
        Framing::Terminal => engine.tell(&format!("terminal {} {} 17 34", engine.outer, end.outer)),
        Framing::Unit => {
            engine.tell("unit ppp7");
            engine.tell(&format!("channel {} {} 17 34", engine.outer, end.outer));
            engine.tell("connect");
            engine.ip(&format!("addr add {} peer {} dev ppp7", engine.inner, end.inner));
            engine.ip("link set ppp7 mtu 1456 multicast off up");
        }
    }
    end.tell(&format!("gre {} {} 34", end.outer, engine.outer));
    let config = Config::from_option(&bytes(STATELESS_128)).unwrap();
    let key = StartKey::new(KEY);
    let peer =
        Peer { end, encryptor: Encryptor::new(config, &key), decryptor: Decryptor::new(config, &key), sequence: 0 };
    (engine, peer)
}

/// The same, where CCP has agreed on this option in both directions, and is up.
pub(crate) fn encrypted(framing: Framing, option: &str) -> (End, Peer) {
    let (mut engine, mut peer) = engine_and_peer(framing);
    peer.agree(&mut engine, framing, option);
    (engine, peer)
}

impl Peer {
    /// What pppd's CCP does, and this one. The Configure-Ack of the terminal's side may pass late.
    pub(crate) fn agree(&mut self, engine: &mut End, framing: Framing, option: &str) {
        let config = Config::from_option(&bytes(option)).unwrap();
        let key = StartKey::new(KEY);
        (self.encryptor, self.decryptor) = (Encryptor::new(config, &key), Decryptor::new(config, &key));
        let (flags, link) = match framing {
            Framing::Terminal => ("channel-flags", "channel"),
            Framing::Unit => ("flags", "unit"),
        };
        engine.tell(&format!("{flags} {OPEN}"));
        engine.tell(&format!("compression {link} {option} {}", hex(&KEY)));
        let ack = format!("ff0380fd0201000a{option}");
        self.send(&bytes(&ack));
        assert_eq!(hex(&hear(engine, framing).unwrap()), ack[4..]);
        say(engine, framing, &bytes(&ack[4..]));
        engine.tell(&format!("{flags} {}", OPEN | UP));
        assert_eq!(hex(&self.frame().unwrap()), ack);
    }

    /// Sends a frame as it is.
    pub(crate) fn send(&mut self, frame: &[u8]) {
        let header = format!("3001880b{:04x}0011{:08x}", frame.len(), self.sequence);
        self.sequence += 1;
        self.end.tell(&format!("gre-send {header}{}", hex(frame)));
    }

    /// A packet, protocol and information, encrypted: MPPE's header and what follows.
    pub(crate) fn encrypt(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut datagram = [&[0, 0], packet].concat();
        self.encryptor.encrypt_batch(std::iter::once(datagram.as_mut_slice()));
        datagram
    }

    /// Sends a packet behind a header that says that it is encrypted.
    pub(crate) fn send_encrypted(&mut self, header: &[u8], packet: &[u8]) {
        let datagram = self.encrypt(packet);
        self.send(&[header, &datagram].concat());
    }

    /// The next reset that the engine's side has asked for.
    pub(crate) fn reset(&mut self) {
        self.encryptor.handle_reset_request();
    }

    /// The next frame.
    pub(crate) fn frame(&mut self) -> Option<Vec<u8>> {
        self.next_frame("gre-read")
    }

    /// The next frame, where there should be none.
    pub(crate) fn stray_frame(&mut self) -> Option<Vec<u8>> {
        self.next_frame("quiet gre-read")
    }

    fn next_frame(&mut self, question: &str) -> Option<Vec<u8>> {
        loop {
            let packet = self.end.ask(question);
            match packet.get(..4)? {
                "3001" => return Some(bytes(&packet[24..])),
                "3081" => return Some(bytes(&packet[32..])),
                "2081" => {}
                _ => return None,
            }
        }
    }

    /// The next frame, which is encrypted: its header before the MPPE datagram, and what was in it.
    pub(crate) fn decrypted_frame(&mut self) -> (Vec<u8>, Vec<u8>) {
        let frame = self.frame().expect("a frame");
        let header = frame.iter().position(|&byte| byte == 0xfd).expect("an encrypted frame") + 1;
        let (header, datagram) = frame.split_at(header);
        let mut datagram = datagram.to_vec();
        let mut outcomes = Vec::new();
        self.decryptor.decrypt_batch(std::iter::once(datagram.as_mut_slice()), &mut outcomes);
        assert_eq!(outcomes, [Outcome::Plain], "{header:02x?}");
        (header.to_vec(), datagram[2..].to_vec())
    }
}

/// What pppd or the kernel's PPP says on its side: protocol and information.
pub(crate) fn say(engine: &mut End, framing: Framing, frame: &[u8]) {
    match framing {
        Framing::Unit => engine.tell(&format!("write unit {}", hex(frame))),
        Framing::Terminal => write_line(engine, &[&[&[0xff, 3], frame].concat()]),
    }
}

/// What the kernel's PPP or pppd hears on its side: protocol and information.
pub(crate) fn hear(engine: &mut End, framing: Framing) -> Option<Vec<u8>> {
    hear_next(engine, framing, "")
}

/// The same where there may be nothing more.
pub(crate) fn hear_rest(engine: &mut End, framing: Framing) -> Option<Vec<u8>> {
    hear_next(engine, framing, "quiet ")
}

fn hear_next(engine: &mut End, framing: Framing, how: &str) -> Option<Vec<u8>> {
    match framing {
        Framing::Unit => match engine.ask(&format!("{how}read unit")).as_str() {
            "none" => None,
            frame => Some(bytes(frame)),
        },
        Framing::Terminal => {
            let frames = read_frames(engine, 1, &format!("{how}line-read"));
            let frame = frames.first()?;
            Some(frame.strip_prefix(&[0xff, 3]).unwrap_or(frame).to_vec())
        }
    }
}

pub(crate) fn write_line(engine: &mut End, frames: &[&[u8]]) {
    let mut encoder = Encoder::new();
    encoder.set_accm(Accm::NONE);
    let mut line = Vec::new();
    frames.iter().for_each(|frame| encoder.encode(frame, &mut line));
    engine.tell(&format!("line-write {}", hex(&line)));
}

/// So many frames from the line, or more if they come together.
pub(crate) fn read_line(engine: &mut End, count: usize) -> Vec<Vec<u8>> {
    read_frames(engine, count, "line-read")
}

fn read_frames(engine: &mut End, count: usize, question: &str) -> Vec<Vec<u8>> {
    let mut decoder = Decoder::new(2000);
    decoder.set_accm(Accm::NONE);
    let mut frames = Vec::new();
    while frames.len() < count {
        let line = bytes(match engine.ask(question).as_str() {
            "none" => break,
            line => line,
        });
        let mut rest = &line[..];
        while let Some(frame) = decoder.decode(&mut rest) {
            frames.push(frame.to_vec());
        }
    }
    frames
}
