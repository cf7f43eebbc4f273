//! Trains of segments: what a TUN device with offload hands over in one piece is cut into packets, and packets that belong
//! together are joined before they go to the device. Pure functions over bytes.

mod checksum;
mod coalesce;
mod packet;
mod segment;
#[cfg(test)]
mod test_packets;
mod vnet;

pub(crate) use coalesce::{Coalescer, HEAD_LENGTH, MOST_MEMBERS};
pub(crate) use segment::Train;
pub(crate) use vnet::VnetHeader;
