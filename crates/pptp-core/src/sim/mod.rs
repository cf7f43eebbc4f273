//! Two ends in virtual time: nothing sleeps, nothing is random but by its seed.
//!
//! For tests of whatever is built on this crate. A [`Stream`] carries bytes with any segmentation and delay, and
//! [`ControlPair`] puts two control connections at the ends of a pair of them. What a real network does to GRE packets is
//! not here.

mod control;
mod random;
mod stream;

pub use control::{ControlEnd, ControlPair, Side};
pub use random::Random;
pub use stream::{Arrival, Link, Segmentation, Stream};
