//! One call of a capture: who authenticated how, what CCP agreed on, and what that decrypts.

use pptp_core::mppe::{self, Config, Decryptor, Encryptor, HEADER_LENGTH, MasterKey, Outcome, Role, StartKey, Traffic};
use pptp_core::mschap::{Password, PasswordHash, Success, v2};
use pptp_core::wire::GreHeader;

use crate::ip;
use crate::pcap::{GRE, Ipv4};

const CHAP: u16 = 0xc223;
const CHALLENGE: u8 = 1;
const RESPONSE: u8 = 2;
const SUCCESS: u8 = 3;

const CCP: u16 = 0x80fd;
const CONFIGURE_ACK: u8 = 2;

const RESET_ACK: u8 = 15;

/// Bit A of an MPPE header.
const FLUSHED: u16 = 0x8000;

const IP: u16 = 0x0021;

/// What passed between the two ends of a call.
pub(crate) struct Session {
    /// From the client and from the server.
    pub(crate) flows: [Flow; 2],
}

/// What one end has sent.
#[derive(Default)]
pub(crate) struct Flow {
    /// What its encryption was agreed to be, the last time.
    pub(crate) config: Option<Config>,
    /// The coherency counts of the encrypted packets, in the order of their sequence numbers.
    pub(crate) counts: Vec<u16>,
    /// Lengths of the IP packets that were in them.
    pub(crate) lengths: Vec<usize>,
    /// The counts of those that say that the key or the tables were made anew.
    pub(crate) flushed: Vec<u16>,
    /// Reset-Acks of CCP.
    pub(crate) resets: usize,
}

impl Session {
    /// Reads a capture that holds one call, whose password is this.
    ///
    /// The first packet must be the client's.
    pub(crate) fn read(packets: &[Ipv4<'_>], password: &[u8]) -> Self {
        let first = packets.first().expect("a capture with packets");
        let (client, server) = (first.source, first.destination);
        let from_client = Frames::between(client, server, packets);
        let from_server = Frames::between(server, client, packets);
        let master = master_key(&from_client, &from_server, password);
        let flows = [(from_client, Role::Client), (from_server, Role::Server)]
            .map(|(frames, role)| Flow::read(&frames, &master.start_key(role, Traffic::Send)));
        Self { flows }
    }
}

/// The PPP frames of one direction, by sequence number: protocol and information.
struct Frames<'a>(Vec<(u16, &'a [u8])>);

impl<'a> Frames<'a> {
    fn between(source: [u8; 4], destination: [u8; 4], packets: &[Ipv4<'a>]) -> Self {
        let is_ours =
            |packet: &&Ipv4<'_>| packet.protocol == GRE && (packet.source, packet.destination) == (source, destination);
        let mut frames: Vec<(u32, u16, &[u8])> = Vec::new();
        for packet in packets.iter().filter(is_ours) {
            let (header, payload) = GreHeader::parse(packet.payload).unwrap();
            if let Some(sequence) = header.sequence {
                let (protocol, information) = ppp(payload);
                frames.push((sequence, protocol, information));
            }
        }
        frames.sort_by_key(|(sequence, ..)| *sequence);
        Self(frames.into_iter().map(|(_, protocol, information)| (protocol, information)).collect())
    }

    /// The packets of CHAP with this code: after the length.
    fn chap(&self, code: u8) -> impl Iterator<Item = &'a [u8]> + '_ {
        let all = self.0.iter().filter(move |(protocol, information)| *protocol == CHAP && information[0] == code);
        all.map(|(_, information)| content(information))
    }
}

/// Protocol and information of a frame, whatever of its header is compressed (RFC 1661 §6.5, §6.6).
fn ppp(frame: &[u8]) -> (u16, &[u8]) {
    let frame = frame.strip_prefix(&[0xff, 0x03]).unwrap_or(frame);
    protocol_field(frame)
}

fn protocol_field(frame: &[u8]) -> (u16, &[u8]) {
    match frame {
        [low, information @ ..] if low & 1 == 1 => (u16::from(*low), information),
        [high, low, information @ ..] => (u16::from_be_bytes([*high, *low]), information),
        _ => panic!("a frame without a protocol: {frame:02x?}"),
    }
}

/// What follows code, identifier and length, without padding.
fn content(packet: &[u8]) -> &[u8] {
    &packet[4..usize::from(u16::from_be_bytes([packet[2], packet[3]]))]
}

/// The Value and Name fields of a Challenge or Response (RFC 1994 §4.1).
fn value_and_name(content: &[u8]) -> (&[u8], &[u8]) {
    content[1..].split_at(usize::from(content[0]))
}

/// From what the server has accepted; its own proof is checked as well.
fn master_key(client: &Frames<'_>, server: &Frames<'_>, password: &[u8]) -> MasterKey {
    let password = PasswordHash::of(&Password::new(password).unwrap());
    let (challenge, _) = value_and_name(server.chap(CHALLENGE).last().expect("a Challenge"));
    let (response, user_name) = value_and_name(client.chap(RESPONSE).last().expect("a Response"));
    let response = v2::Response::parse(response).unwrap();
    let exchange = v2::Exchange {
        authenticator_challenge: challenge.try_into().unwrap(),
        peer_challenge: response.peer_challenge,
        user_name,
    };
    assert!(exchange.accepts(&password, &response.nt_response), "another password");
    let success = Success::parse(server.chap(SUCCESS).last().expect("a Success")).unwrap();
    assert!(exchange.accepts_authenticator(&password, &response.nt_response, &success.authenticator_response));
    MasterKey::new(password.hash().as_bytes(), &response.nt_response)
}

impl Flow {
    /// Whether no packet of the first cycle is missing.
    pub(crate) fn is_whole(&self) -> bool {
        self.counts.iter().enumerate().all(|(place, count)| usize::from(*count) == place)
    }

    /// Decrypts what one end has sent with this key. Nothing may be in clear, but what is never encrypted.
    fn read(frames: &Frames<'_>, key: &StartKey) -> Self {
        let mut flow = Self::default();
        let mut codec = None;
        for (protocol, information) in &frames.0 {
            match *protocol {
                // An acknowledgment agrees to what this end is to send.
                CCP if information[0] == CONFIGURE_ACK => {
                    let config = Config::from_option(content(information)).unwrap();
                    flow.config = Some(config);
                    codec = Some((Decryptor::new(config, key), Encryptor::new(config, key)));
                }
                CCP if information[0] == RESET_ACK => {
                    flow.resets += 1;
                    assert!(codec.is_some(), "reset before it was agreed");
                }
                mppe::PROTOCOL => {
                    let (decryptor, encryptor) = codec.as_mut().expect("agreed before it is encrypted");
                    flow.decrypt(decryptor, encryptor, information);
                }
                other => assert!(!mppe::is_encrypted(other), "in clear: {other:#06x} {information:02x?}"),
            }
        }
        flow
    }

    fn decrypt(&mut self, decryptor: &mut Decryptor, encryptor: &mut Encryptor, datagram: &[u8]) {
        let mut buffer = datagram.to_vec();
        let mut outcomes = Vec::new();
        decryptor.decrypt_batch([&mut buffer[..]], &mut outcomes);
        assert_eq!(outcomes, [Outcome::Plain], "packet {} of the flow", self.counts.len());

        let (protocol, packet) = protocol_field(&buffer[HEADER_LENGTH..]);
        assert_eq!(protocol, IP);
        ip::assert_whole(packet);
        self.lengths.push(packet.len());

        let header = u16::from_be_bytes([datagram[0], datagram[1]]);
        let count = header & 0x0fff;
        self.flushed.extend((header & FLUSHED != 0).then_some(count));
        self.counts.push(count);
        // After a reset Linux and we send different counts.
        if self.resets == 0 && usize::from(count) + 1 == self.counts.len() {
            encryptor.encrypt_batch([&mut buffer[..]]);
            assert_eq!(buffer, datagram, "packet {count}, encrypted again");
        }
    }
}
