//! One line per event, with the time, to standard output or a file.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the lines go: `SECONDS.MILLISECONDS text`, seconds since 1970, comparable with what other programs log.
#[derive(Debug)]
pub struct Journal {
    file: Option<Mutex<File>>,
}

impl Journal {
    /// A journal in this file, which is emptied first, or on standard output. Whoever reads the file may empty it, too.
    ///
    /// # Errors
    /// Whatever creating the file returns.
    pub fn open(path: Option<&Path>) -> io::Result<Self> {
        Ok(Self { file: path.map(emptied).transpose()?.map(Mutex::new) })
    }

    /// Writes one line.
    pub fn line(&self, text: impl Display) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let line = format!("{}.{:03} {text}\n", now.as_secs(), now.subsec_millis());
        // A reader that went away does not stop the server.
        let _ = match &self.file {
            None => io::stdout().lock().write_all(line.as_bytes()),
            Some(file) => file.lock().map_or(Ok(()), |mut file| file.write_all(line.as_bytes())),
        };
    }
}

/// Opened for appending: the next line begins where the file ends, even if that is another place than before.
fn emptied(path: &Path) -> io::Result<File> {
    File::create(path)?;
    File::options().append(true).open(path)
}
