//! A unit's encryption (MPPE): what pppd's CCP negotiates over the frames that pass, carried out.
//!
//! As in the kernel, the options and keys come from pppd (`PPPIOCSCOMPRESS`), and the Configure-Acks that pass say when each
//! direction begins. Stricter than the kernel: once a direction was encrypted, or encryption is required (`SC_MUST_COMP`),
//! no packet passes in clear any more, whatever frames of CCP come, until another channel is connected.

use std::ops::Range;

use pptp_core::mppe::{Config, Decryptor, Encryptor, HEADER_LENGTH, OPTION_LENGTH, OPTION_TYPE, Outcome, StartKey};

use crate::command::{Direction, Key};
use crate::filter::Way;

/// Compression control (RFC 1962).
pub(super) const CCP: u16 = 0x80fd;

// `linux/ppp-ioctl.h`
const SC_CCP_OPEN: u32 = 0x0000_0040;
const SC_CCP_UP: u32 = 0x0000_0080;
const SC_MUST_COMP: u32 = 0x0040_0000;
const SC_DC_FERROR: u32 = 0x0080_0000;

// Codes of CCP (RFC 1661 §5, RFC 1962 §3).
const CONFIGURE_REQUEST: u8 = 1;
const CONFIGURE_ACK: u8 = 2;
const TERMINATE_REQUEST: u8 = 5;
const TERMINATE_ACK: u8 = 6;
const RESET_ACK: u8 = 15;

/// Both directions.
#[derive(Debug, Default)]
pub(super) struct Encryption {
    transmit: Half<Encryptor>,
    receive: Half<Decryptor>,
    is_required: bool,
    outcomes: Vec<Outcome>,
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
        Self { agreed: None, running: None }
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
        let agreed = Some(Agreed { option, key: StartKey::new(key.0) });
        match direction {
            Direction::Transmit => self.transmit = Half { agreed, running: None },
            Direction::Receive => self.receive = Half { agreed, running: None },
        }
        true
    }

    /// pppd has set its unit's flags.
    pub(super) fn set_flags(&mut self, before: u32, flags: u32) {
        self.is_required |= flags & SC_MUST_COMP != 0;
        let dropped = before & !flags;
        if dropped & SC_CCP_OPEN != 0 {
            self.transmit = Half::default();
            self.receive = Half::default();
        } else if dropped & SC_CCP_UP != 0 {
            self.stop();
        }
    }

    /// A channel was connected: nothing was agreed on with it.
    pub(super) fn start_anew(&mut self, flags: u32) {
        self.transmit = Half::default();
        self.receive = Half::default();
        self.is_required = flags & SC_MUST_COMP != 0;
    }

    /// Looks at a frame of CCP that passes. A line for the log if the agreement cannot be carried out.
    ///
    /// While CCP is up, whoever speaks it says by its flags when that ends. A frame may be a repetition or forged.
    pub(super) fn watch(&mut self, way: Way, packet: &[u8], flags: u32) -> Option<String> {
        let is_up = flags & SC_CCP_UP != 0;
        match (packet.first(), way) {
            (Some(&RESET_ACK), Way::Sent) if is_up => self.flush(),
            _ if is_up => {}
            // It asks for what the other side is to send.
            (Some(&CONFIGURE_REQUEST), Way::Received) => self.transmit.running = None,
            (Some(&CONFIGURE_REQUEST), Way::Sent) => self.receive.running = None,
            (Some(&(TERMINATE_REQUEST | TERMINATE_ACK)), _) => self.stop(),
            (Some(&CONFIGURE_ACK), way) if flags & SC_CCP_OPEN != 0 => return self.begin(way),
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
        let flush = self.receive.running.as_ref().map(Decryptor::flush);
        if let Some(encryptor) = &mut self.transmit.running {
            encryptor.handle_reset_request();
            flush.into_iter().for_each(|flush| encryptor.set_flush(flush));
        }
    }

    fn begin(&mut self, way: Way) -> Option<String> {
        // A Configure-Ack agrees to what the other side of it has asked to receive.
        let agreed = match way {
            Way::Received => self.receive.agreed.as_ref(),
            Way::Sent => self.transmit.agreed.as_ref(),
        }?;
        let config = match Config::from_option(&agreed.option) {
            Ok(config) => config,
            Err(error) => return Some(format!("MPPE: {error}")),
        };
        match way {
            Way::Received => self.receive.running = Some(Decryptor::new(config, &agreed.key)),
            Way::Sent => self.transmit.running = Some(Encryptor::new(config, &agreed.key)),
        }
        self.is_required = true;
        None
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
            encryptor.encrypt_batch(packets);
        }
    }

    /// Whether frames of CCP matter to it.
    pub(super) fn is_in_use(&self) -> bool {
        self.transmit.agreed.is_some() || self.receive.agreed.is_some()
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

    /// Every way in which a packet can die here, by name.
    pub(super) fn drops(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let decryptor = self.receive.running.as_ref().map(|decryptor| decryptor.counters().drops());
        let in_clear = [("mppe-clear-sent", self.in_clear.sent), ("mppe-clear-received", self.in_clear.received)];
        in_clear.into_iter().chain(decryptor.into_iter().flatten())
    }
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
    const ACK: [u8; 4] = [CONFIGURE_ACK, 1, 0, 4];

    /// One whose CCP has agreed on both directions.
    fn agreed() -> Encryption {
        let mut encryption = Encryption::default();
        for direction in [Direction::Transmit, Direction::Receive] {
            assert!(encryption.prepare(direction, &OPTION, &Key([7; 16])));
        }
        for way in [Way::Sent, Way::Received] {
            assert_eq!(encryption.watch(way, &ACK, OPEN), None);
        }
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
        let mut encryption = Encryption::default();
        assert_eq!(encryption.way_out(), Passage::Clear);
        encryption.prepare(Direction::Transmit, &OPTION, &Key([7; 16]));
        encryption.prepare(Direction::Receive, &OPTION, &Key([8; 16]));
        assert_eq!(encryption.way_out(), Passage::Clear);
        encryption.watch(Way::Received, &ACK, OPEN);
        assert!(encryption.decrypts());
        // From the first agreement on nothing leaves in clear.
        assert_eq!(encryption.way_out(), Passage::Barred);
        encryption.watch(Way::Sent, &ACK, OPEN);
        assert_eq!(encryption.way_out(), Passage::Encrypted);
        assert!(!encryption.admits_clear());
    }

    #[test]
    fn frames_of_ccp_never_open_a_way_in_clear() {
        let frames: [&[u8]; 4] = [&REQUEST, &[TERMINATE_REQUEST, 1, 0, 4], &[TERMINATE_ACK, 1, 0, 4], &[]];
        for frame in frames {
            for way in [Way::Sent, Way::Received] {
                let mut encryption = agreed();
                encryption.watch(way, frame, OPEN | SC_CCP_UP);
                assert_ne!(encryption.way_out(), Passage::Clear, "{frame:?}");
                assert!(!encryption.admits_clear(), "{frame:?}");
            }
        }
        let mut closed = agreed();
        closed.set_flags(OPEN | SC_CCP_UP, 0);
        assert_eq!(closed.way_out(), Passage::Barred);
        assert_eq!((closed.in_clear.sent, closed.in_clear.received), (1, 0));
    }

    #[test]
    fn while_ccp_is_up_its_flags_alone_end_it() {
        let mut encryption = agreed();
        for frame in [&REQUEST, &ACK, &[TERMINATE_REQUEST, 1, 0, 4], &[TERMINATE_ACK, 1, 0, 4]] {
            for way in [Way::Sent, Way::Received] {
                encryption.watch(way, frame, OPEN | SC_CCP_UP);
                assert_eq!((encryption.way_out(), encryption.decrypts()), (Passage::Encrypted, true), "{frame:?}");
            }
        }
        encryption.set_flags(OPEN | SC_CCP_UP, OPEN);
        assert_eq!((encryption.way_out(), encryption.decrypts()), (Passage::Barred, false));
        for way in [Way::Sent, Way::Received] {
            encryption.watch(way, &ACK, OPEN);
        }
        assert_eq!(encryption.way_out(), Passage::Encrypted);
    }

    #[test]
    fn another_channel_begins_in_clear_unless_it_must_not() {
        let mut encryption = agreed();
        encryption.start_anew(0);
        assert_eq!(encryption.way_out(), Passage::Clear);
        encryption.start_anew(SC_MUST_COMP);
        assert_eq!(encryption.way_out(), Passage::Barred);
        assert!(!encryption.admits_clear());
    }

    #[test]
    fn an_agreement_that_cannot_be_kept_is_reported_and_bars_nothing_new() {
        let mut encryption = Encryption::default();
        assert!(!encryption.prepare(Direction::Transmit, &[21, 3, 0x2f], &Key([7; 16])));
        assert!(encryption.prepare(Direction::Transmit, &[18, 6, 1, 0, 0, 0x60], &Key([7; 16])));
        let text = encryption.watch(Way::Sent, &ACK, OPEN).unwrap();
        assert!(text.contains("several key lengths"), "{text}");
    }
}
