//! Encryption (MPPE) of a unit, or of a channel whose unit is the kernel's: what pppd's CCP negotiates over the frames that
//! pass, carried out.
//!
//! As in the kernel, the options and keys come from pppd (`PPPIOCSCOMPRESS`), and the Configure-Acks that pass say when each
//! direction begins. Stricter than the kernel: once CCP was up and a direction encrypted, or encryption is required
//! (`SC_MUST_COMP`), no packet passes in clear any more, whatever frames of CCP come, until another channel is connected.
//!
//! Frames that pass through a terminal come later than commands that pppd gives after them. So a Configure-Ack that was
//! prepared for counts even when pppd has said meanwhile that CCP is up.

use std::ops::Range;
use std::time::Duration;

use pptp_core::mppe::{
    self, Config, ConfigError, Counters, Decryptor, Encryptor, HEADER_LENGTH, OPTION_LENGTH, OPTION_TYPE, Outcome,
    StartKey, is_encrypted,
};
use pptp_core::time::Instant;

use super::ppp;
use crate::command::{Direction, Key, LogLine};
use crate::filter::Way;

/// Compression control (RFC 1962).
pub(super) const CCP: u16 = 0x80fd;

// `linux/ppp-ioctl.h`
const SC_CCP_OPEN: u32 = 0x0000_0040;
const SC_CCP_UP: u32 = 0x0000_0080;
pub(super) const SC_MUST_COMP: u32 = 0x0040_0000;
const SC_DC_FERROR: u32 = 0x0080_0000;

// Codes of CCP (RFC 1661 §5, RFC 1962 §3).
const CONFIGURE_REQUEST: u8 = 1;
const CONFIGURE_ACK: u8 = 2;
const TERMINATE_REQUEST: u8 = 5;
const TERMINATE_ACK: u8 = 6;
const RESET_ACK: u8 = 15;

/// Code, identifier and length of a frame of CCP; its options follow.
const CCP_HEADER_LENGTH: usize = 4;

/// Of packets that cannot be decrypted, pppd is handed one in this time: each would keep the peer's Reset-Ack from it.
const COMPLAINT_INTERVAL: Duration = Duration::from_millis(20);

/// Both directions.
#[derive(Debug, Default)]
pub(super) struct Encryption {
    transmit: Half<Encryptor>,
    receive: Half<Decryptor>,
    /// pppd's.
    flags: u32,
    is_required: bool,
    outcomes: Vec<Outcome>,
    /// When pppd was last handed a packet that could not be decrypted.
    complained: Option<Instant>,
    /// Of the last receiver, which may be gone.
    received: Counters,
    /// Packets that were encrypted.
    encrypted: u64,
    /// What the log knows of what is sent and of what is received.
    told: [Option<Result<Config, ConfigError>>; 2],
    /// Packets that had to be dropped because they would have passed in clear.
    pub(super) in_clear: InClear,
}

/// Packets that would have passed in clear.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct InClear {
    pub(super) sent: u64,
    pub(super) received: u64,
}

/// One direction.
#[derive(Debug)]
struct Half<T> {
    /// What pppd has handed over.
    agreed: Option<Agreed>,
    /// Whether a Configure-Ack has come since.
    has_begun: bool,
    running: Option<T>,
}

struct Agreed {
    option: [u8; OPTION_LENGTH as usize],
    key: StartKey,
}

impl std::fmt::Debug for Agreed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Agreed").field("option", &self.option).finish_non_exhaustive()
    }
}

impl<T> Default for Half<T> {
    fn default() -> Self {
        Self { agreed: None, has_begun: false, running: None }
    }
}

impl<T> Half<T> {
    fn of(agreed: Agreed) -> Self {
        Self { agreed: Some(agreed), ..Self::default() }
    }

    /// Begins with what was agreed on, if this Configure-Ack says so.
    fn begin(&mut self, ack: &[u8], start: impl FnOnce(Config, &StartKey) -> T) -> Option<Result<Config, ConfigError>> {
        let agreed = self.agreed.as_ref()?;
        let options = ack.get(CCP_HEADER_LENGTH..)?;
        options.starts_with(&agreed.option).then_some(())?;
        self.has_begun = true;
        let config = Config::from_option(&agreed.option);
        self.running = config.ok().map(|config| start(config, &agreed.key));
        Some(config)
    }
}

/// How a packet leaves or comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    Clear,
    Encrypted,
    /// It would be in clear, and must not.
    Barred,
}

impl Encryption {
    /// Takes an option and a key; whether they are MPPE's. They count when CCP has agreed on them.
    pub(super) fn prepare(&mut self, direction: Direction, option: &[u8], key: &Key) -> bool {
        let Ok(option) = <[u8; OPTION_LENGTH as usize]>::try_from(option) else { return false };
        let [OPTION_TYPE, OPTION_LENGTH, ..] = option else { return false };
        let agreed = Agreed { option, key: StartKey::new(key.0) };
        match direction {
            Direction::Transmit => self.transmit = Half::of(agreed),
            Direction::Receive => self.receive = Half::of(agreed),
        }
        true
    }

    /// pppd has set its unit's flags.
    pub(super) fn set_flags(&mut self, flags: u32) {
        self.is_required |= flags & SC_MUST_COMP != 0;
        let dropped = std::mem::replace(&mut self.flags, flags) & !flags;
        if dropped & SC_CCP_OPEN != 0 {
            self.transmit = Half::default();
            self.receive = Half::default();
        } else if dropped & SC_CCP_UP != 0 {
            self.stop();
        }
        self.note_if_up();
    }

    /// A channel was connected: nothing was agreed on with it, and nothing has passed.
    pub(super) fn start_anew(&mut self) {
        let flags = self.flags;
        *self = Self { flags, is_required: flags & SC_MUST_COMP != 0, ..Self::default() };
    }

    /// Looks at a frame of CCP that passes. A line for the log if a direction begins, or cannot.
    ///
    /// While CCP is up, whoever speaks it says by its flags when that ends. A frame may be a repetition or forged.
    pub(super) fn watch(&mut self, way: Way, packet: &[u8]) -> Option<LogLine> {
        if !is_whole(packet) {
            return None;
        }
        let is_up = self.flags & SC_CCP_UP != 0;
        match (packet.first(), way) {
            (Some(&RESET_ACK), Way::Sent) if is_up => self.flush(),
            (Some(&CONFIGURE_ACK), way) if is_up && !self.has_begun(way) => return self.begin(way, packet),
            _ if is_up => {}
            // It asks for what the other side is to send.
            (Some(&CONFIGURE_REQUEST), Way::Received) => self.transmit.running = None,
            (Some(&CONFIGURE_REQUEST), Way::Sent) => self.receive.running = None,
            (Some(&TERMINATE_REQUEST), _) | (Some(&TERMINATE_ACK), Way::Sent) => self.stop(),
            (Some(&CONFIGURE_ACK), way) if self.flags & SC_CCP_OPEN != 0 => return self.begin(way, packet),
            _ => {}
        }
        None
    }

    fn stop(&mut self) {
        self.transmit.running = None;
        self.receive.running = None;
    }

    /// The peer has lost synchronization: the next packet can be decrypted without those before it.
    fn flush(&mut self) {
        if let Some(encryptor) = &mut self.transmit.running {
            encryptor.handle_reset_request();
        }
    }

    /// Until CCP is up, what one side has agreed to may still be given up, where encryption is optional.
    fn note_if_up(&mut self) {
        let is_running = self.transmit.running.is_some() || self.receive.running.is_some();
        self.is_required |= is_running && self.flags & SC_CCP_UP != 0;
    }

    /// Of the direction to which a Configure-Ack that goes this way agrees: what the other side of it has asked to receive.
    const fn has_begun(&self, way: Way) -> bool {
        match way {
            Way::Received => self.receive.has_begun,
            Way::Sent => self.transmit.has_begun,
        }
    }

    fn begin(&mut self, way: Way, ack: &[u8]) -> Option<LogLine> {
        let [sent, received] = &mut self.told;
        let (direction, told, config) = match way {
            Way::Received => ("received", received, self.receive.begin(ack, Decryptor::new)?),
            Way::Sent => ("sent", sent, self.transmit.begin(ack, Encryptor::new)?),
        };
        // A peer may begin anew as often as it likes, until CCP is up.
        let is_new = told.replace(config) != Some(config);
        self.note_if_up();
        is_new.then(|| match config {
            Ok(config) => LogLine { level: log::Level::Debug, text: format!("engine: what is {direction}: {config}") },
            Err(error) => LogLine { level: log::Level::Error, text: format!("MPPE: {error}") },
        })
    }

    /// How a packet to the peer leaves.
    pub(super) fn way_out(&mut self) -> Passage {
        let passage = self.passage(self.transmit.running.is_some());
        self.in_clear.sent += u64::from(passage == Passage::Barred);
        passage
    }

    /// Whether a packet that came in clear may go on.
    pub(super) fn admits_clear(&mut self) -> bool {
        let admits = self.passage(false) == Passage::Clear;
        self.in_clear.received += u64::from(!admits);
        admits
    }

    /// The same for a frame of any protocol. What cannot be encrypted does not leave at all where packets are.
    pub(super) fn way_out_of(&mut self, protocol: u16) -> Passage {
        let passage = match self.passage(self.transmit.running.is_some()) {
            _ if !ppp::carries_data(protocol) => Passage::Clear,
            Passage::Encrypted if !is_encrypted(protocol) => Passage::Barred,
            passage => passage,
        };
        self.in_clear.sent += u64::from(passage == Passage::Barred);
        passage
    }

    /// Whether a frame of any protocol may go on as it came.
    pub(super) fn admits(&mut self, protocol: u16) -> bool {
        // pppd asks for a reset, or closes the link, when it is given an encrypted packet.
        !ppp::carries_data(protocol) || protocol == mppe::PROTOCOL || self.admits_clear()
    }

    fn passage(&self, is_running: bool) -> Passage {
        match (is_running, self.is_required) {
            (true, _) => Passage::Encrypted,
            (false, true) => Passage::Barred,
            (false, false) => Passage::Clear,
        }
    }

    /// Encrypts packets, each with [`HEADER_LENGTH`] bytes of room in front of its protocol field.
    pub(super) fn encrypt<'a>(&mut self, packets: impl Iterator<Item = &'a mut [u8]>) {
        if let Some(encryptor) = &mut self.transmit.running {
            encryptor.encrypt_batch(packets.inspect(|_| self.encrypted += 1));
        }
    }

    /// Whether frames of CCP matter to it.
    pub(super) fn is_in_use(&self) -> bool {
        self.transmit.agreed.is_some() || self.receive.agreed.is_some()
    }

    /// Whether pppd is to hear of a packet that cannot be decrypted, now.
    pub(super) fn may_complain(&mut self, now: Instant) -> bool {
        let may = self.complained.is_none_or(|last| now >= last + COMPLAINT_INTERVAL);
        if may {
            self.complained = Some(now);
        }
        may
    }

    /// Whether what comes as MPPE is decrypted here.
    pub(super) fn decrypts(&self) -> bool {
        self.receive.running.is_some()
    }

    /// Decrypts packets; what became of each, in order.
    pub(super) fn decrypt<'a>(&mut self, packets: impl Iterator<Item = &'a mut [u8]>) -> &[Outcome] {
        self.outcomes.clear();
        if let Some(decryptor) = &mut self.receive.running {
            decryptor.decrypt_batch(packets, &mut self.outcomes);
            self.received = *decryptor.counters();
        }
        &self.outcomes
    }

    /// Whether the receiver has given up. pppd, which is then handed an encrypted frame, closes the link.
    pub(super) fn is_hopeless(&self) -> bool {
        self.receive.running.as_ref().is_some_and(Decryptor::is_hopeless)
    }

    /// What pppd is told with the flags of the unit.
    pub(super) fn flags(&self) -> u32 {
        if self.is_hopeless() { SC_DC_FERROR } else { 0 }
    }

    /// What passed, and every way in which a packet can die here, by name.
    pub(super) fn counters(&self) -> impl Iterator<Item = (String, u64)> {
        let others = [
            ("encrypted", self.encrypted),
            ("decrypted", self.received.decrypted),
            ("out-of-sync", self.received.out_of_sync),
            ("clear-sent", self.in_clear.sent),
            ("clear-received", self.in_clear.received),
        ];
        let all = others.into_iter().chain(self.received.drops());
        all.map(|(name, value)| (format!("mppe-{name}"), value))
    }
}

/// Whether those who speak CCP do not drop a packet as malformed.
fn is_whole(packet: &[u8]) -> bool {
    let Some(&[_, _, high, low]) = packet.first_chunk() else { return false };
    (CCP_HEADER_LENGTH..=packet.len()).contains(&usize::from(u16::from_be_bytes([high, low])))
}

/// Where the decrypted packet is, of an MPPE datagram in this range.
pub(super) fn inside(datagram: Range<usize>) -> Range<usize> {
    datagram.start + HEADER_LENGTH..datagram.end
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTION: [u8; 6] = [18, 6, 1, 0, 0, 0x40];
    const OPEN: u32 = SC_CCP_OPEN;
    const REQUEST: [u8; 4] = [CONFIGURE_REQUEST, 1, 0, 4];
    const ACK: [u8; 10] = [CONFIGURE_ACK, 1, 0, 10, 18, 6, 1, 0, 0, 0x40];

    /// One whose CCP negotiates.
    fn open() -> Encryption {
        let mut encryption = Encryption::default();
        encryption.set_flags(OPEN);
        encryption
    }

    /// One whose CCP has agreed on both directions.
    fn agreed() -> Encryption {
        let mut encryption = open();
        for direction in [Direction::Transmit, Direction::Receive] {
            assert!(encryption.prepare(direction, &OPTION, &Key([7; 16])));
        }
        for (way, direction) in [(Way::Sent, "sent"), (Way::Received, "received")] {
            let line = encryption.watch(way, &ACK).unwrap();
            assert_eq!(line.text, format!("engine: what is {direction}: MPPE 128-bit stateless"));
        }
        encryption
    }

    /// One whose CCP is up.
    fn up() -> Encryption {
        let mut encryption = agreed();
        encryption.set_flags(OPEN | SC_CCP_UP);
        encryption
    }

    #[test]
    fn a_packet_comes_out_as_it_went_in_and_is_not_to_be_read_between() {
        let (mut near, mut far) = (agreed(), agreed());
        assert_eq!(near.way_out(), Passage::Encrypted);
        let mut packet = *b"..\x00\x21\x45\x00\x00\x14a packet of IP";
        let clear = packet;
        near.encrypt(std::iter::once(packet.as_mut_slice()));
        assert_ne!(packet[4..], clear[4..]);
        far.decrypt(std::iter::once(packet.as_mut_slice()));
        assert_eq!(packet[HEADER_LENGTH..], clear[HEADER_LENGTH..]);
    }

    #[test]
    fn each_direction_begins_with_its_configure_ack() {
        let mut encryption = open();
        assert_eq!(encryption.way_out(), Passage::Clear);
        encryption.prepare(Direction::Transmit, &OPTION, &Key([7; 16]));
        encryption.prepare(Direction::Receive, &OPTION, &Key([8; 16]));
        assert_eq!(encryption.way_out(), Passage::Clear);
        encryption.watch(Way::Received, &ACK);
        assert!(encryption.decrypts());
        assert_eq!(encryption.way_out(), Passage::Clear);
        encryption.watch(Way::Sent, &ACK);
        assert_eq!(encryption.way_out(), Passage::Encrypted);
        encryption.set_flags(OPEN | SC_CCP_UP);
        assert!(!encryption.admits_clear());
    }

    #[test]
    fn frames_of_ccp_never_open_a_way_in_clear() {
        let frames: [&[u8]; 4] = [&REQUEST, &[TERMINATE_REQUEST, 1, 0, 4], &[TERMINATE_ACK, 1, 0, 4], &[]];
        for frame in frames {
            for way in [Way::Sent, Way::Received] {
                let mut encryption = up();
                encryption.set_flags(OPEN);
                encryption.watch(way, frame);
                assert_ne!(encryption.way_out(), Passage::Clear, "{frame:?}");
                assert!(!encryption.admits_clear(), "{frame:?}");
            }
        }
        let mut closed = up();
        closed.set_flags(0);
        assert_eq!(closed.way_out(), Passage::Barred);
        assert_eq!((closed.in_clear.sent, closed.in_clear.received), (1, 0));
    }

    #[test]
    fn while_ccp_is_up_its_flags_alone_end_it() {
        let mut encryption = up();
        for frame in [&REQUEST[..], &ACK, &[TERMINATE_REQUEST, 1, 0, 4], &[TERMINATE_ACK, 1, 0, 4]] {
            for way in [Way::Sent, Way::Received] {
                encryption.watch(way, frame);
                assert_eq!((encryption.way_out(), encryption.decrypts()), (Passage::Encrypted, true), "{frame:?}");
            }
        }
        encryption.set_flags(OPEN);
        assert_eq!((encryption.way_out(), encryption.decrypts()), (Passage::Barred, false));
        for way in [Way::Sent, Way::Received] {
            encryption.watch(way, &ACK);
        }
        assert_eq!(encryption.way_out(), Passage::Encrypted);
    }

    #[test]
    fn another_channel_begins_in_clear_unless_it_must_not() {
        let mut encryption = up();
        encryption.set_flags(OPEN);
        encryption.start_anew();
        assert_eq!(encryption.way_out(), Passage::Clear);
        encryption.set_flags(OPEN | SC_MUST_COMP);
        encryption.set_flags(SC_MUST_COMP);
        encryption.start_anew();
        assert_eq!(encryption.way_out(), Passage::Barred);
        assert!(!encryption.admits_clear());
    }

    #[test]
    fn an_agreement_that_cannot_be_kept_is_reported_and_bars_nothing_new() {
        let mut encryption = open();
        let option = [18, 6, 1, 0, 0, 0x60];
        assert!(!encryption.prepare(Direction::Transmit, &[21, 3, 0x2f], &Key([7; 16])));
        assert!(encryption.prepare(Direction::Transmit, &option, &Key([7; 16])));
        let line = encryption.watch(Way::Sent, &[&[CONFIGURE_ACK, 1, 0, 10][..], &option].concat()).unwrap();
        assert!(line.level == log::Level::Error && line.text.contains("several key lengths"), "{line:?}");
        assert_eq!(encryption.way_out(), Passage::Clear);
    }

    #[test]
    fn only_what_was_prepared_for_is_agreed_on() {
        let other = [CONFIGURE_ACK, 1, 0, 10, 18, 6, 1, 0, 0, 0x20];
        for ack in
            [&[CONFIGURE_ACK, 1, 0, 4][..], &[CONFIGURE_ACK], &ACK[..9], &other, &[CONFIGURE_ACK, 1, 0, 7, 26, 3, 0x78]]
        {
            let mut encryption = open();
            encryption.prepare(Direction::Receive, &OPTION, &Key([0; 16]));
            assert_eq!(encryption.watch(Way::Received, ack), None, "{ack:?}");
            assert!(!encryption.decrypts() && encryption.admits_clear(), "{ack:?}");
        }
    }

    #[test]
    fn what_is_given_up_before_ccp_is_up_bars_nothing() {
        let mut encryption = open();
        encryption.prepare(Direction::Receive, &OPTION, &Key([7; 16]));
        assert!(encryption.watch(Way::Received, &ACK).is_some());
        // The peer asks for nothing, so this end, for which encryption is optional, does not either.
        encryption.watch(Way::Sent, &REQUEST);
        encryption.watch(Way::Received, &[CONFIGURE_ACK, 2, 0, 4]);
        encryption.set_flags(OPEN | SC_CCP_UP);
        assert!(!encryption.decrypts() && encryption.admits_clear());
        assert_eq!(encryption.way_out(), Passage::Clear);
    }

    #[test]
    fn what_ccp_does_not_obey_is_not_obeyed_here() {
        let ignored: [&[u8]; 5] = [
            &[TERMINATE_REQUEST],
            &[TERMINATE_REQUEST, 1, 0],
            &[TERMINATE_REQUEST, 1, 0, 3],
            &[CONFIGURE_REQUEST, 1, 0, 5],
            &[TERMINATE_ACK, 1, 0, 4],
        ];
        for frame in ignored {
            let mut encryption = agreed();
            encryption.watch(Way::Received, frame);
            assert_eq!((encryption.way_out(), encryption.decrypts()), (Passage::Encrypted, true), "{frame:?}");
        }
    }

    #[test]
    fn pppd_hears_of_some_of_the_packets_that_cannot_be_decrypted() {
        let at = |millis| Instant::from_epoch(Duration::from_millis(millis));
        let mut encryption = up();
        let heard = [0, 1, 19, 20, 21, 39, 40, 500].map(|millis| encryption.may_complain(at(millis)));
        assert_eq!(heard, [true, false, false, true, false, false, true, true]);
        encryption.start_anew();
        assert!(encryption.may_complain(at(501)));
    }

    #[test]
    fn a_peer_that_begins_again_and_again_fills_no_log() {
        let mut encryption = open();
        encryption.prepare(Direction::Transmit, &OPTION, &Key([7; 16]));
        assert!(encryption.watch(Way::Sent, &ACK).is_some());
        for _ in 0..3 {
            encryption.watch(Way::Received, &REQUEST);
            encryption.prepare(Direction::Transmit, &OPTION, &Key([7; 16]));
            assert_eq!(encryption.watch(Way::Sent, &ACK), None);
            assert_eq!(encryption.way_out(), Passage::Encrypted);
        }
    }

    #[test]
    fn an_agreement_that_passes_late_counts_once() {
        let mut encryption = open();
        encryption.prepare(Direction::Transmit, &OPTION, &Key([7; 16]));
        // pppd has sent its Configure-Ack, and says so before the terminal has passed it on.
        encryption.set_flags(OPEN | SC_CCP_UP);
        assert!(encryption.watch(Way::Sent, &ACK).is_some());
        assert_eq!(encryption.way_out(), Passage::Encrypted);
        assert!(!encryption.admits_clear());
        assert_eq!(encryption.watch(Way::Sent, &ACK), None);
    }

    #[test]
    fn what_cannot_be_encrypted_passes_only_where_it_is_no_data() {
        const IPCP: u16 = 0x8021;
        const MPLS: u16 = 0x0281;
        let mut encryption = open();
        assert_eq!([0x21, MPLS, IPCP].map(|protocol| encryption.way_out_of(protocol)), [Passage::Clear; 3]);
        assert!([0x21, MPLS, IPCP].iter().all(|&protocol| encryption.admits(protocol)));
        let mut encryption = up();
        let ways =
            [0x21, 0x57, MPLS, mppe::PROTOCOL, IPCP, CCP, 0xc021].map(|protocol| encryption.way_out_of(protocol));
        use Passage::{Barred, Clear, Encrypted};
        assert_eq!(ways, [Encrypted, Encrypted, Barred, Barred, Clear, Clear, Clear]);
        assert!(![0x21, 0x57, 0x2d, MPLS].iter().any(|&protocol| encryption.admits(protocol)));
        assert!([mppe::PROTOCOL, IPCP, CCP, 0xc021].iter().all(|&protocol| encryption.admits(protocol)));
        assert_eq!((encryption.in_clear.sent, encryption.in_clear.received), (2, 4));
    }
}
