//! What the server is told: pptpd.conf and pptpd's command line.
//!
//! ```no_run
//! use pptp_rsd::config::{CommandLine, Request, ThisMachine};
//!
//! let folder = std::env::current_dir()?;
//! if let Ok(Request::Serve(command_line)) = CommandLine::read(std::env::args_os().skip(1), folder) {
//!     let machine = ThisMachine::default();
//!     // At the beginning, and again at each SIGHUP.
//!     match command_line.load(&machine) {
//!         Ok(loaded) => println!("{} calls", loaded.config.most_calls()),
//!         Err(reports) => reports.iter().for_each(|report| eprintln!("{report}")),
//!     }
//! }
//! # std::io::Result::Ok(())
//! ```

mod addresses;
mod command_line;
mod file;
mod help;
mod keywords;
mod load;
mod report;
mod surroundings;
mod values;

pub use addresses::{AddressRange, NoAddressRange};
pub use command_line::{CommandLine, Request, Usage};
pub use help::{Setting, help, settings, version};
pub use load::Loaded;
pub(crate) use report::printable;
pub use report::{Place, Report, Severity};
pub use surroundings::{Surroundings, ThisMachine};

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use pptp_core::wire::PORT;

/// How calls' packets are carried; the plugin's `pptp_datapath`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Datapath {
    /// The first of `kernel`, `tun`, `pty` that this machine has.
    #[default]
    Auto,
    /// pptp.ko and ppp_generic.ko.
    Kernel,
    /// The engine and a TUN device.
    Tun,
    /// The engine and a terminal with the kernel's ppp line discipline.
    Pty,
}

impl Datapath {
    pub(crate) const ALL: [Self; 4] = [Self::Auto, Self::Kernel, Self::Tun, Self::Pty];

    /// As the configuration and the plugin's option `pptp_datapath` name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Kernel => "kernel",
            Self::Tun => "tun",
            Self::Pty => "pty",
        }
    }
}

/// Everything that can be set, with pptpd's defaults where pptpd has the same setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Addresses to accept control connections on; at least one.
    pub listen: Vec<SocketAddr>,
    /// The pppd to start for each call.
    pub pppd: PathBuf,
    /// pppd's option file for all calls, in place of its own /etc/ppp/options.
    pub option_file: Option<PathBuf>,
    /// pptpd's line speed in bit/s. A tunnel has none, so nobody is told.
    pub speed: u32,
    /// A connection that has not sent a good Start-Control-Connection-Request after this time is closed.
    pub stimeout: Duration,
    /// Most control connections at a time, those that are still starting apart ([`Self::max_starting`]).
    pub connections: usize,
    /// pppd's own addresses of calls. One is enough for all calls. Not used with [`Self::delegate`].
    pub local: Vec<AddressRange>,
    /// The clients' addresses, one for each call at a time. Not used with [`Self::delegate`].
    pub remote: Vec<AddressRange>,
    /// pppd chooses addresses (chap-secrets, RADIUS).
    pub delegate: bool,
    /// Log each decision; pppd is not told to.
    pub debug: bool,
    /// Stay in the foreground.
    pub foreground: bool,
    /// Where the process id is written.
    pub pid_file: Option<PathBuf>,
    /// Leave `ipparam`, the client's real address for ip-up scripts, to pppd's option file.
    pub no_ipparam: bool,
    /// Record calls in wtmp.
    pub logwtmp: bool,
    /// The interface whose broadcasts pptpd would relay. Not supported: a warning tells.
    pub bcrelay: Option<String>,
    /// The VRF device that control connections and GRE belong to.
    pub vrf: Option<String>,
    /// Most control connections of one client address.
    pub max_per_address: usize,
    /// Most connections that have not sent a good Start-Control-Connection-Request yet.
    pub max_starting: usize,
    /// Most calls at a time, on all control connections; as many as [`Self::connections`] if it is not set ([`Self::most_calls`]).
    pub max_sessions: Option<usize>,
    /// How long a control connection may be silent before an Echo-Request (RFC 2637 §3.1.4).
    pub echo_interval: Duration,
    /// How long its Echo-Reply may take.
    pub echo_timeout: Duration,
    /// How calls' packets are carried.
    pub datapath: Datapath,
    /// How long calls may take to end after SIGTERM.
    pub drain_timeout: Duration,
    /// The plugin as pppd is given it: a path, or a name in pppd's own folder.
    pub plugin: String,
    /// Where metrics are served; nowhere by default.
    pub metrics_listen: Option<SocketAddr>,
    /// pptp-rsctl's socket.
    pub control_socket: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT)],
            pppd: "/usr/sbin/pppd".into(),
            option_file: None,
            speed: 115_200,
            stimeout: Duration::from_secs(10),
            connections: 100,
            local: vec![AddressRange::beginning(Ipv4Addr::new(192, 168, 0, 1), 100)],
            remote: vec![AddressRange::beginning(Ipv4Addr::new(192, 168, 1, 1), 100)],
            delegate: false,
            debug: false,
            foreground: false,
            pid_file: Some("/run/pptpd.pid".into()),
            no_ipparam: false,
            logwtmp: false,
            bcrelay: None,
            vrf: None,
            // Offices behind one NAT address are the clients that PPTP still has; a scanner is not.
            max_per_address: 50,
            // Good clients are starting for one round trip; 2000 silent ones must not fill the table of descriptors.
            max_starting: 256,
            max_sessions: None,
            echo_interval: Duration::from_secs(60),
            echo_timeout: Duration::from_secs(60),
            datapath: Datapath::Auto,
            drain_timeout: Duration::from_secs(10),
            plugin: "pptp-rs.so".into(),
            metrics_listen: None,
            control_socket: "/run/pptp-rsd.sock".into(),
        }
    }
}

impl Config {
    /// Most calls at a time, before the number of remote addresses is looked at.
    pub fn most_calls(&self) -> usize {
        self.max_sessions.unwrap_or(self.connections)
    }

    /// What a server that runs with `running` makes of it: where it listens stays as it is, and whatever has had its effect.
    #[must_use]
    pub fn after(self, running: &Self) -> Self {
        Self {
            listen: running.listen.clone(),
            vrf: running.vrf.clone(),
            foreground: running.foreground,
            pid_file: running.pid_file.clone(),
            metrics_listen: running.metrics_listen,
            control_socket: running.control_socket.clone(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests;
