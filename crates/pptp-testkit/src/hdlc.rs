//! Asynchronous framing (RFC 1662 §4): what pppd speaks on a terminal.

const FLAG: u8 = 0x7e;
const ESCAPE: u8 = 0x7d;
const TOGGLE: u8 = 0x20;
/// The FCS over a frame and its own FCS, if both are right (RFC 1662 §C.1).
const GOOD_FCS: u16 = 0xf0b8;
const LONGEST: usize = 65536;

/// A frame, address and control octets included, as octets for the line.
#[must_use]
pub fn encode(frame: &[u8]) -> Vec<u8> {
    let fcs = !fcs16(frame);
    let mut line = vec![FLAG];
    for octet in frame.iter().chain(&fcs.to_le_bytes()) {
        // Every octet that an ACCM could name is escaped: right whatever was negotiated.
        if *octet < TOGGLE || *octet == FLAG || *octet == ESCAPE {
            line.extend([ESCAPE, octet ^ TOGGLE]);
        } else {
            line.push(*octet);
        }
    }
    line.push(FLAG);
    line
}

/// Finds frames in octets from the line.
#[derive(Debug, Default)]
pub struct Decoder {
    frame: Vec<u8>,
    escaped: bool,
}

impl Decoder {
    /// The frames that are complete with these octets, without their FCS; damaged ones are dropped.
    pub fn frames(&mut self, octets: &[u8]) -> Vec<Vec<u8>> {
        octets.iter().filter_map(|octet| self.push(*octet)).collect()
    }

    fn push(&mut self, octet: u8) -> Option<Vec<u8>> {
        match octet {
            FLAG => {
                let whole = !std::mem::take(&mut self.escaped);
                let mut frame = std::mem::take(&mut self.frame);
                let good = whole && frame.len() > 2 && fcs16(&frame) == GOOD_FCS;
                frame.truncate(frame.len().saturating_sub(2));
                return good.then_some(frame);
            }
            ESCAPE => self.escaped = true,
            _ if self.frame.len() < LONGEST => {
                let toggle = if std::mem::take(&mut self.escaped) { TOGGLE } else { 0 };
                self.frame.push(octet ^ toggle);
            }
            _ => (),
        }
        None
    }
}

fn fcs16(octets: &[u8]) -> u16 {
    octets.iter().fold(0xffff, |fcs, octet| {
        (0..8).fold(fcs ^ u16::from(*octet), |fcs, _| if fcs & 1 == 0 { fcs >> 1 } else { fcs >> 1 ^ 0x8408 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fcs_of_the_check_string_is_the_published_one() {
        assert_eq!(!fcs16(b"123456789"), 0x906e);
    }

    #[test]
    fn every_octet_survives_a_line_cut_anywhere() {
        let frame: Vec<u8> = (0..=255).collect();
        let mut decoder = Decoder::default();
        let line = [encode(&frame), encode(&[1])].concat();
        let frames: Vec<Vec<u8>> = line.chunks(7).flat_map(|chunk| decoder.frames(chunk)).collect();
        assert_eq!(frames, [frame, vec![1]]);
    }

    #[test]
    fn a_damaged_frame_is_dropped_and_the_next_is_found() {
        let mut line = encode(b"damaged");
        line[3] ^= 0x40;
        line.extend(encode(b"whole"));
        assert_eq!(Decoder::default().frames(&line), [b"whole".to_vec()]);
    }
}
