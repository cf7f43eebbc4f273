//! The `log` crate's records go where pppd's own lines go, at pppd's levels. pppd decides which are shown.

use ::log::{Level, LevelFilter, Log, Metadata, Record};

use super::c_text;
use crate::ffi;

/// Target of records that are more than information and less than a warning: sessions that begin and end.
pub(crate) const NOTICE: &str = "notice";

struct PppdLog;

static LOG: PppdLog = PppdLog;

/// From here on records are logged.
pub(crate) fn start_logging() {
    // It fails when there is a logger already: this one, of a plugin that is loaded twice.
    let _ = ::log::set_logger(&LOG);
    ::log::set_max_level(LevelFilter::Debug);
}

/// Logs one line.
pub(crate) fn log_line(level: Level, text: &str) {
    let write = match level {
        Level::Error => ffi::error,
        Level::Warn => ffi::warn,
        Level::Info => ffi::info,
        Level::Debug | Level::Trace => ffi::debug,
    };
    write(&c_text(text));
}

impl Log for PppdLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Debug
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = record.args().to_string();
        if record.target() == NOTICE { ffi::notice(&c_text(&text)) } else { log_line(record.level(), &text) }
    }

    fn flush(&self) {}
}
