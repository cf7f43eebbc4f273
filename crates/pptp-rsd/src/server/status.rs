//! How a pppd has ended, in words.

use core::fmt;

use pptp_io::children::Ending;

/// For the log: what pppd(8) says of its exit statuses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words(pub(super) Ending);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ending::Status(status) => match meaning(status) {
                Some(meaning) => write!(f, "{meaning} ({status})"),
                None => write!(f, "unknown status ({status})"),
            },
            Ending::Signal(signal) => write!(f, "killed by signal {signal}"),
        }
    }
}

fn meaning(status: i32) -> Option<&'static str> {
    Some(match status {
        0 => "the link was ended by the client",
        1 => "a fatal error, see pppd's log",
        2 => "a wrong option, see pppd's log",
        3 => "pppd is not run as root",
        4 => "this machine cannot do PPP, see pppd's log",
        5 => "ended by a signal",
        6 => "a lock file",
        7 => "the line could not be opened",
        8 => "no call was offered to the plugin",
        9 => "a command for the line failed",
        10 => "PPP was not agreed on: LCP, authentication or IP addresses",
        11 => "the client did not authenticate itself",
        12 => "the link was idle",
        13 => "the link was up for as long as it may be",
        14 => "the client is to be called back",
        15 => "the client did not answer LCP echo requests",
        16 => "the call was hung up",
        17 => "the line is a loop",
        18 => "the init script failed",
        19 => "the client did not accept this server's authentication",
        20 => "the link has carried as much as it may (maxoctets)",
        21 => "the client may not call from its address (allow-number)",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_pppd_has_words() {
        for status in 0..=21 {
            let words = Words(Ending::Status(status)).to_string();
            assert!(words.ends_with(&format!("({status})")) && !words.starts_with("unknown"), "{words}");
        }
        assert_eq!(Words(Ending::Status(99)).to_string(), "unknown status (99)");
        assert_eq!(Words(Ending::Signal(9)).to_string(), "killed by signal 9");
    }
}
