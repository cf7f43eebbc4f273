//! The PPP header inside GRE: address and control, then the protocol (RFC 1661 §2, RFC 1662 §3.1), each of which may be
//! compressed (RFC 1661 §6.5, §6.6).

/// `linux/ppp-ioctl.h`: what `PPPIOCSFLAGS` sets.
const SC_COMP_PROT: u32 = 0x0000_0001;
const SC_COMP_AC: u32 = 0x0000_0002;
/// Frames from the network go to pppd (demand dialling).
pub(super) const SC_LOOP_TRAFFIC: u32 = 0x0000_0200;

/// The link control protocol, whose frames are never compressed.
pub(super) const LCP: u16 = 0xc021;
/// Compression control for one link of a bundle.
const LINK_CCP: u16 = 0x80fb;

const ALL_STATIONS: [u8; 2] = [0xff, 0x03];

/// The longest header.
pub(super) const HEADER_LENGTH: usize = 4;

/// The longest header of a packet that is to be encrypted: one, room for MPPE's own, and the protocol that it hides.
pub(super) const ENCRYPTED_LENGTH: usize = HEADER_LENGTH + MPPE_LENGTH + 2;

/// What of such a header is encrypted, with the room for MPPE's header: everything behind the PPP header.
pub(super) const ENCRYPTED_PART: usize = MPPE_LENGTH + 2;

const MPPE_LENGTH: usize = pptp_core::mppe::HEADER_LENGTH;

/// Whether frames of this protocol belong to the channel and not to the unit (as in the kernel).
pub(super) const fn is_of_channel(protocol: u16) -> bool {
    protocol >= 0xc000 || protocol == LINK_CCP
}

/// Whether frames of this protocol carry a network's data, and not what PPP has to say (RFC 1661 §2).
pub(super) const fn carries_data(protocol: u16) -> bool {
    protocol < 0x8000
}

/// A frame's protocol, and its information field.
pub(super) fn parse(frame: &[u8]) -> Option<(u16, &[u8])> {
    let rest = frame.strip_prefix(&ALL_STATIONS).unwrap_or(frame);
    let (&first, rest) = rest.split_first()?;
    if first & 1 == 1 {
        return Some((first.into(), rest));
    }
    let (&second, rest) = rest.split_first()?;
    Some((u16::from_be_bytes([first, second]), rest))
}

/// The flags under which a frame has the header that it has.
pub(super) fn flags_of(frame: &[u8]) -> u32 {
    let (is_bare, rest) = frame.strip_prefix(&ALL_STATIONS).map_or((SC_COMP_AC, frame), |rest| (0, rest));
    let is_short = if rest.first().is_some_and(|first| first & 1 == 1) { SC_COMP_PROT } else { 0 };
    is_bare | is_short
}

/// The header of a frame with this protocol, under the flags of its channel: the bytes, of which the last so many count.
pub(super) fn header(protocol: u16, flags: u32) -> ([u8; HEADER_LENGTH], usize) {
    let [high, low] = protocol.to_be_bytes();
    let may_compress = protocol != LCP;
    let is_short = may_compress && flags & SC_COMP_PROT != 0 && high == 0;
    let is_bare = may_compress && flags & SC_COMP_AC != 0;
    let [address, control] = ALL_STATIONS;
    match (is_bare, is_short) {
        (true, true) => ([0, 0, 0, low], 1),
        (true, false) => ([0, 0, high, low], 2),
        (false, true) => ([0, address, control, low], 3),
        (false, false) => ([address, control, high, low], 4),
    }
}

/// The header of a packet of this protocol that is to be encrypted: the bytes, of which the last so many count.
pub(super) fn encrypted_header(protocol: u16, flags: u32) -> ([u8; ENCRYPTED_LENGTH], usize) {
    let (outer, used) = header(pptp_core::mppe::PROTOCOL, flags);
    let [a, b, c, d] = outer;
    let [high, low] = protocol.to_be_bytes();
    ([a, b, c, d, 0, 0, high, low], used + ENCRYPTED_PART)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_header_is_understood() {
        let forms: [&[u8]; 4] = [&[0xff, 3, 0, 0x21], &[0, 0x21], &[0xff, 3, 0x21], &[0x21]];
        for form in forms {
            assert_eq!(parse(&[form, b"ip"].concat()), Some((0x21, &b"ip"[..])));
        }
        assert_eq!(parse(&[0xff, 3, 0xc0, 0x21, 9]), Some((0xc021, &[9][..])));
        for cut in [&[][..], &[0xff, 3], &[0], &[0xff, 3, 0xc0]] {
            assert_eq!(parse(cut), None, "{cut:x?}");
        }
    }

    #[test]
    fn a_frame_tells_what_was_agreed_on_by_its_header() {
        for flags in [0, SC_COMP_PROT, SC_COMP_AC, SC_COMP_PROT | SC_COMP_AC] {
            let (bytes, length) = header(0x21, flags);
            assert_eq!(flags_of(&bytes[HEADER_LENGTH - length..]), flags);
        }
    }

    #[test]
    fn a_header_is_as_short_as_was_agreed_but_never_for_lcp() {
        let shown = |protocol, flags| {
            let (bytes, length) = header(protocol, flags);
            bytes[HEADER_LENGTH - length..].to_vec()
        };
        assert_eq!(shown(0x21, 0), [0xff, 3, 0, 0x21]);
        assert_eq!(shown(0x21, SC_COMP_PROT), [0xff, 3, 0x21]);
        assert_eq!(shown(0x21, SC_COMP_AC), [0, 0x21]);
        assert_eq!(shown(0x21, SC_COMP_PROT | SC_COMP_AC), [0x21]);
        assert_eq!(shown(0x8021, SC_COMP_PROT | SC_COMP_AC), [0x80, 0x21]);
        assert_eq!(shown(LCP, SC_COMP_PROT | SC_COMP_AC), [0xff, 3, 0xc0, 0x21]);
    }
}
