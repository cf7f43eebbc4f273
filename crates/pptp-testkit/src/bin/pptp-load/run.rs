//! Many clients at a time.

use core::fmt;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use pptp_io::epoll::{EventSet, Trigger};
use pptp_io::poller::Interest;
use pptp_io::tcp::{Attempt, Route};

use crate::client::{Client, Progress};

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What clients are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Connect, start, call, and stay.
    Stay,
    /// The same, then clear the call, stop and close.
    Cycle,
    /// Begin to connect, and say nothing, then or ever.
    Silent,
}

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    failed: usize,
    time: Duration,
    /// From `connect` to the call's reply.
    latencies: Vec<Duration>,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let at = |percent: usize| {
            let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
            sorted.get(place).map_or(0, Duration::as_micros)
        };
        let (calls, failed, seconds) = (sorted.len(), self.failed, self.time.as_secs_f64());
        write!(f, "calls={calls} failed={failed} seconds={seconds:.6} p50={} p99={} max={}", at(50), at(99), at(100))
    }
}

enum Stage {
    Connecting(Attempt),
    Open(Client),
}

struct Place {
    stage: Stage,
    plan: Plan,
    begin: Instant,
    /// Whether the call's time is noted.
    is_called: bool,
}

/// All connections.
pub(crate) struct Load {
    server: SocketAddrV4,
    first: Ipv4Addr,
    events: EventSet,
    places: HashMap<u64, Place>,
    last: u64,
    /// Those that have yet to get somewhere, in the order in which they began.
    busy: VecDeque<u64>,
    in_progress: usize,
    figures: Figures,
}

impl Load {
    pub(crate) fn new(server: SocketAddrV4, first: Ipv4Addr) -> io::Result<Self> {
        Ok(Self {
            server,
            first,
            events: EventSet::new()?,
            places: HashMap::new(),
            last: 0,
            busy: VecDeque::new(),
            in_progress: 0,
            figures: Figures::default(),
        })
    }

    /// Lets `count` clients carry out the plan, at most `width` at a time.
    pub(crate) fn run(&mut self, plan: Plan, count: usize, width: usize) -> io::Result<Figures> {
        let begin = Instant::now();
        let mut ahead = count;
        while ahead > 0 || self.in_progress > 0 {
            while ahead > 0 && self.in_progress < width {
                ahead -= 1;
                self.begin(plan)?;
            }
            self.turn()?;
        }
        Ok(Figures { time: begin.elapsed(), ..std::mem::take(&mut self.figures) })
    }

    /// Ends all connections, and says how many there were.
    pub(crate) fn close(&mut self) -> usize {
        let count = self.places.len();
        self.places.clear();
        count
    }

    fn begin(&mut self, plan: Plan) -> io::Result<()> {
        let address = Ipv4Addr::from(u32::from(self.first).wrapping_add(u32::try_from(self.last).unwrap_or(0)));
        self.last += 1;
        let begin = Instant::now();
        let attempt = Attempt::start(self.server, Route { bind: Some(address), mark: None })?;
        self.events.add(attempt.fd(), self.last, Interest::Write, Trigger::Level)?;
        self.places.insert(self.last, Place { stage: Stage::Connecting(attempt), plan, begin, is_called: false });
        // Nobody waits for those who say nothing: the server may be too busy to accept them.
        if plan != Plan::Silent {
            self.busy.push_back(self.last);
            self.in_progress += 1;
        }
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        let oldest = self.busy.front().and_then(|id| self.places.get(id)).map(|place| place.begin);
        let left = oldest.map(|begin| PATIENCE.saturating_sub(begin.elapsed()));
        let ready: Vec<u64> = self.events.wait(left)?.map(|(id, _)| id).collect();
        for id in ready {
            self.serve(id)?;
        }
        while let Some(late) = self.busy.front().copied().filter(|id| self.is_late(*id)) {
            self.places.remove(&late);
            self.end(late, Progress::Failed);
        }
        Ok(())
    }

    fn is_late(&self, id: u64) -> bool {
        self.places.get(&id).is_some_and(|place| place.begin.elapsed() >= PATIENCE)
    }

    fn serve(&mut self, id: u64) -> io::Result<()> {
        let Some(mut place) = self.places.remove(&id) else { return Ok(()) };
        let progress = match place.stage {
            Stage::Connecting(attempt) => {
                // Its number is a call id as good as any: no two clients have the same address.
                let call = u16::try_from(id % 60_000 + 1).unwrap_or(1);
                let Ok(client) = attempt.finish().and_then(|stream| Client::begin(stream, place.plan, call)) else {
                    self.end(id, Progress::Failed);
                    return Ok(());
                };
                self.events.change(client.stream.as_fd(), id, Interest::Read, Trigger::Level)?;
                place.stage = Stage::Open(client);
                Progress::Waiting
            }
            Stage::Open(ref mut client) => client.go_on(),
        };
        self.note(id, place, progress);
        Ok(())
    }

    /// What has become of a client; one that stays is put back in its place.
    fn note(&mut self, id: u64, mut place: Place, progress: Progress) {
        match progress {
            Progress::Waiting => {}
            Progress::Called(now) => {
                place.is_called = true;
                self.figures.latencies.push(now - place.begin);
            }
            // pptpd closes the connection with the call.
            Progress::Failed if place.is_called => return self.end(id, Progress::Done),
            Progress::Failed => return self.end(id, Progress::Failed),
            Progress::Done => {
                if !place.is_called {
                    self.figures.latencies.push(place.begin.elapsed());
                }
                self.end(id, Progress::Done);
                if place.plan == Plan::Cycle {
                    return;
                }
            }
        }
        self.places.insert(id, place);
    }

    /// Nobody waits for it any longer.
    fn end(&mut self, id: u64, progress: Progress) {
        let Some(index) = self.busy.iter().position(|busy| *busy == id) else { return };
        self.busy.remove(index);
        self.in_progress -= 1;
        self.figures.failed += usize::from(progress == Progress::Failed);
    }
}
