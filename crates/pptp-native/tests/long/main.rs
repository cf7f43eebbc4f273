//! The tunnels of `make test-long`.

mod daemon;
mod features;
mod filters;
mod hostile;
mod impaired;
mod own_ccp;
mod pptpd_habits;
mod radius;
mod recovery;
mod siege;
mod silence;
mod visible;
mod volume;
