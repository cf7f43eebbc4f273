//! The daemon alone, next to Debian's pptpd: the same clients, the same stub in place of pppd, in turns.

use std::time::Duration;

use crate::load::{Load, Run};
use crate::servers::{Kind, Server};
use crate::table::{Bar, Table, median};
use pptp_testkit::waiting::eventually;

use crate::Plan;

const ADDRESS: &str = "127.0.0.1";

/// pppd chooses addresses, since there is none; and there is room for all.
const SETTINGS: &str = "delegate\nconnections 4000";

/// Calls of one run of clients, and how many of them are set up at a time.
const CALLS: usize = 200;
const WIDTHS: [usize; 2] = [1, 50];

/// Sessions that are up while one more is measured, and of how many more calls.
const SIZES: [usize; 3] = [10, 100, 1000];
const MORE: usize = 200;

/// Connections that say nothing, and calls beside them, all at a time: where none gets an answer, they wait together.
const SILENT: usize = 200;
const BESIDE: usize = 20;

/// How long the stubs of calls that have ended may take to be gone.
const SOON: Duration = Duration::from_secs(20);

/// What one round of a server came to.
struct Round {
    /// Clients that stay, and clients that leave again, by [`WIDTHS`].
    stay: [Counted; 2],
    cycle: [Counted; 2],
    beside_silent: Run,
    sizes: [Size; 3],
}

/// A run of clients, and what it has cost the server with all that it has started.
struct Counted {
    run: Run,
    /// Microseconds of a processor for each call; of those that are still there.
    cost: f64,
}

/// A server with many sessions.
struct Size {
    /// Private memory of the server and of its engines, KiB for each session.
    memory: [f64; 2],
    /// One client after the other, beside the sessions.
    cycle: Run,
}

pub(crate) fn measure(plan: &Plan, table: &mut Table) {
    let mut rounds: [Vec<Round>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..plan.rounds {
        for (kind, rounds) in [Kind::Ours, Kind::Poptop].into_iter().zip(&mut rounds) {
            rounds.push(Round::run(plan, kind));
        }
    }
    let [ours, poptop] = rounds;
    let both = Both { ours, poptop };
    both.show_rates(table);
    both.show_latency(table);
    both.show_growth(table);
}

impl Round {
    fn run(plan: &Plan, kind: Kind) -> Self {
        Self {
            stay: WIDTHS.map(|width| with_server(plan, kind, |load| load.stay(CALLS, width))),
            cycle: WIDTHS.map(|width| with_server(plan, kind, |load| load.cycle(CALLS, width))),
            beside_silent: beside_silent(plan, kind),
            sizes: Size::measure_all(plan, kind),
        }
    }
}

fn start(plan: &Plan, kind: Kind) -> (Server, Load) {
    (Server::start(kind, ADDRESS, SETTINGS, &plan.stub), Load::start(&plan.load, &format!("{ADDRESS}:1723")))
}

fn with_server(plan: &Plan, kind: Kind, calls: impl FnOnce(&mut Load) -> Run) -> Counted {
    let (server, mut load) = start(plan, kind);
    let before = server.time();
    let run = calls(&mut load);
    Counted { run, cost: (server.time() - before) / 1000.0 / run.calls }
}

fn beside_silent(plan: &Plan, kind: Kind) -> Run {
    let (_server, mut load) = start(plan, kind);
    load.be_silent(SILENT);
    load.stay(BESIDE, BESIDE)
}

impl Size {
    fn measure_all(plan: &Plan, kind: Kind) -> [Self; 3] {
        let (server, mut load) = start(plan, kind);
        let mut up = 0;
        SIZES.map(|size| {
            let more = load.stay(size - up, 1);
            assert!(more.failed == 0.0, "{}: {more:?}", kind.name());
            up = size;
            eventually("as many sessions as calls", SOON, || (server.sessions() == size).then_some(()));
            let memory = server.memory().map(|memory| memory / size as f64);
            let cycle = load.cycle(MORE, 1);
            eventually("calls have ended", SOON, || (server.sessions() == size).then_some(()));
            Self { memory, cycle }
        })
    }
}

/// What is compared, round by round.
struct Both {
    ours: Vec<Round>,
    poptop: Vec<Round>,
}

/// Figures of pptp-rsd and of pptpd.
type Pair = [Vec<f64>; 2];

/// A run of clients that stay or leave, by the place of its width.
type Counting = fn(&Round, usize) -> &Counted;

impl Both {
    fn figures(&self, of: impl Fn(&Round) -> f64) -> Pair {
        [&self.ours, &self.poptop].map(|rounds| rounds.iter().map(&of).collect())
    }

    fn show_rates(&self, table: &mut Table) {
        let stay: Counting = |round, index| &round.stay[index];
        let cycle: Counting = |round, index| &round.cycle[index];
        for (index, width) in WIDTHS.into_iter().enumerate() {
            for (who, counted) in [("stay", stay), ("leave again", cycle)] {
                let what = format!("clients that {who}, {width} at a time");
                let rates = self.figures(|round| counted(round, index).run.rate());
                show_pair(table, &format!("{what}: calls/s"), &rates);
                table.judge(&format!("{what}: pptp-rsd / pptpd"), &ratios(&rates), Bar::AtLeast(3.0));
                let [ours, poptop] = self.figures(|round| counted(round, index).run.failed);
                assert!(ours.iter().all(|failed| *failed == 0.0), "{what}: calls of pptp-rsd that failed: {ours:?}");
                if poptop.iter().any(|failed| *failed > 0.0) {
                    table.show(&format!("{what}: of {CALLS}, failed with pptpd"), &poptop);
                }
            }
        }
        let costs = self.figures(|round| round.stay[0].cost);
        show_pair(table, "clients that stay, 1 at a time: us of a processor/call", &costs);
    }

    fn show_latency(&self, table: &mut Table) {
        let what = format!("{BESIDE} calls beside {SILENT} silent connections");
        let failed = self.figures(|round| round.beside_silent.failed);
        table.judge(&format!("{what}: unanswered, pptp-rsd"), &failed[0], Bar::AtMost(0.0));
        table.show("  no answer within 10 s, pptpd", &failed[1]);
        for (rounds, kind) in [(&self.ours, Kind::Ours), (&self.poptop, Kind::Poptop)] {
            let answered: Vec<Run> =
                rounds.iter().map(|round| round.beside_silent).filter(|run| run.calls > 0.0).collect();
            for (index, percentile) in ["median", "99th percentile", "longest"].into_iter().enumerate() {
                let latency: Vec<f64> = answered.iter().map(|run| run.latency[index]).collect();
                if !latency.is_empty() {
                    table.show(&format!("  ms to the answer, {percentile}, {}", kind.name()), &latency);
                }
            }
        }
    }

    /// A table of its own, of medians, and what is asked of the largest server.
    fn show_growth(&self, table: &mut Table) {
        println!("{:28} {:^19} {:^19} {:^30}", "", "calls/s", "median ms", "private KiB a session");
        println!(
            "{:28} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10} {:>9}",
            "one more beside so many", "pptp-rsd", "pptpd", "pptp-rsd", "pptpd", "pptp-rsd", "w/o engine", "pptpd"
        );
        for (index, size) in SIZES.into_iter().enumerate() {
            let [rates, latency, memory, own] = self.growth(index).map(|pair| pair.map(|figures| median(&figures)));
            println!(
                "{size:28} {:9.0} {:9.0} {:9.2} {:9.2} {:9.1} {:10.1} {:9.1}",
                rates[0], rates[1], latency[0], latency[1], memory[0], own[0], memory[1]
            );
        }
        let last = SIZES.len() - 1;
        let what = format!("{} sessions: private memory, with engines, / pptpd", SIZES[last]);
        let [_, _, memory, _] = self.growth(last);
        table.judge(&what, &ratios(&memory), Bar::AtMost(0.1));
    }

    /// Calls a second, median latency, memory with and without engines.
    fn growth(&self, index: usize) -> [Pair; 4] {
        [
            self.figures(|round| round.sizes[index].cycle.rate()),
            self.figures(|round| round.sizes[index].cycle.latency[0]),
            self.figures(|round| round.sizes[index].memory.iter().sum()),
            self.figures(|round| round.sizes[index].memory[0]),
        ]
    }
}

fn show_pair(table: &mut Table, what: &str, figures: &Pair) {
    for (figures, kind) in figures.iter().zip([Kind::Ours, Kind::Poptop]) {
        table.show(&format!("{what}, {}", kind.name()), figures);
    }
}

/// Of figures that belong together.
fn ratios([ours, theirs]: &Pair) -> Vec<f64> {
    ours.iter().zip(theirs).map(|(one, other)| one / other).collect()
}
