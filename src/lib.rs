//! The pptp-rs plugin for pppd.
