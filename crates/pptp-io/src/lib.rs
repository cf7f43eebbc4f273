//! Every system call of pptp-rs: sockets, processes, confinement. Decisions live in `pptp-core`; all `unsafe` in `sys`.

pub mod cgroup;
pub mod children;
pub mod clock;
pub mod confine;
pub mod daemon;
pub mod epoll;
mod filter;
pub mod gre_socket;
pub mod host_route;
pub mod imports;
pub mod lacks;
pub mod listener;
pub mod message;
pub mod modules;
pub mod netns;
pub mod poller;
pub mod ppp;
pub mod pppox;
pub mod process;
pub mod pty;
pub mod random;
pub mod rendezvous;
pub mod seqpacket;
pub mod service;
pub mod signals;
pub mod standard;
pub mod stream;
mod sys;
pub mod tcp;
pub mod tun;

/// What went wrong, in the system's words and lower case, without the number.
pub fn words(error: &std::io::Error) -> String {
    let text = match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    };
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
