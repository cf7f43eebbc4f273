//! Cuts the TCP stream of a control connection into messages (RFC 2637 §1.4).

use super::error::WireError;
use super::frame::{Frame, MAX_MESSAGE_LENGTH, bytes_needed};

/// Finds messages in a byte stream, however it is segmented.
///
/// Memory: the message that is being received, never more than [`MAX_MESSAGE_LENGTH`] bytes. What a peer sends beyond it
/// stays in the caller's slice.
#[derive(Clone, Debug)]
pub struct Framer {
    /// The beginning of a message; never a whole one between calls.
    partial: Vec<u8>,
    failure: Option<WireError>,
}

impl Framer {
    /// At the beginning of a stream.
    pub fn new() -> Self {
        Self { partial: Vec::with_capacity(MAX_MESSAGE_LENGTH), failure: None }
    }

    /// Takes bytes from the front of `input` up to the end of a message and gives that message; `None` when `input` is used
    /// up. Call it until then.
    ///
    /// ```
    /// # use pptp_core::wire::{Framer, WireError};
    /// # fn read(framer: &mut Framer, segment: &[u8]) -> Result<(), WireError> {
    /// let mut input = segment;
    /// while let Some(frame) = framer.next_frame(&mut input)? {
    ///     println!("{}", frame.message.name());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The stream is not PPTP, or not any more. There is no way back (RFC 2637 §1.4): every further call gives the same
    /// error and takes nothing.
    pub fn next_frame(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, WireError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let found = self.advance(input);
        self.failure = found.as_ref().err().copied();
        found
    }

    /// Bytes of a message whose end has not come yet. Not 0 at the end of the stream: the peer was cut off in the middle.
    pub fn pending(&self) -> usize {
        self.partial.len()
    }

    fn advance(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, WireError> {
        loop {
            let needed = bytes_needed(&self.partial)?;
            let missing = needed.saturating_sub(self.partial.len());
            if missing == 0 {
                let frame = Frame::parse(&self.partial)?;
                self.partial.clear();
                return Ok(Some(frame));
            }
            if input.is_empty() {
                return Ok(None);
            }
            let (taken, rest) = input.split_at_checked(missing).unwrap_or((*input, &[]));
            self.partial.extend_from_slice(taken);
            *input = rest;
        }
    }
}

impl Default for Framer {
    fn default() -> Self {
        Self::new()
    }
}
