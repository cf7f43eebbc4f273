//! The exchange: whole conversations in virtual time.

mod admission;
mod calls;
mod ending;
mod office;
mod operators;
mod placing;
mod random;
mod town;
