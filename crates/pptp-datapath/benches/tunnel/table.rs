//! The figures, a line each as soon as they are there.

use std::process::ExitCode;

/// What a figure has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

impl Bar {
    fn admits(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(least) => figure >= least,
            Self::AtMost(most) => figure <= most,
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtLeast(least) => format!(">= {least}"),
            Self::AtMost(most) => format!("<= {most}"),
        }
    }
}

/// Prints figures, and remembers whether any missed its bar.
#[derive(Debug, Default)]
pub(crate) struct Table {
    has_header: bool,
    has_missed: bool,
}

impl Table {
    /// Figures that nothing is asked of.
    pub(crate) fn show(&mut self, what: &str, figures: &[f64]) {
        self.row(what, figures, "", "");
    }

    /// Figures whose median has to be within the bar.
    pub(crate) fn judge(&mut self, what: &str, figures: &[f64], bar: Bar) {
        let is_good = bar.admits(median(figures));
        self.has_missed |= !is_good;
        self.row(what, figures, &bar.words(), if is_good { "PASS" } else { "MISS" });
    }

    pub(crate) fn verdict(&self) -> ExitCode {
        if self.has_missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    fn row(&mut self, what: &str, figures: &[f64], bar: &str, verdict: &str) {
        if !std::mem::replace(&mut self.has_header, true) {
            println!("{:60} {:>9} {:>19} {:>8}", "", "median", "lowest .. highest", "bar");
        }
        let lowest = figures.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let spread = format!("{lowest:.2} .. {highest:.2}");
        println!("{what:60} {:9.2} {spread:>19} {bar:>8} {verdict}", median(figures));
    }
}

/// The one in the middle.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
