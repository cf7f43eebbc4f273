//! The exchange: whole conversations in virtual time.

mod admission;
mod calls;
mod ending;
mod incoming;
mod office;
mod operators;
mod order;
mod placing;
mod random;
mod town;
