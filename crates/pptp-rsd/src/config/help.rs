//! `--help`, made from the table of settings.

use super::command_line::{Choice, choices};

/// The program's name and version.
pub fn version() -> String {
    format!("pptp-rsd v{}", env!("CARGO_PKG_VERSION"))
}

/// All options, one in a line.
pub fn help() -> String {
    let mut help = format!(
        "{}\nUsage: pptp-rsd [options]; all but -c, -h, -v and --check are keywords of the file, too:\n\n",
        version()
    );
    for (name, letter, choice) in choices() {
        let (placeholder, about) = texts(choice);
        let letter = letter.map_or_else(|| "    ".into(), |letter| format!("-{letter}, "));
        let option = format!("{letter}--{name} {placeholder}");
        help += format!("  {:<30} {about}", option.trim_end()).trim_end();
        help.push('\n');
    }
    help + "\nThe command line overrides the file.\n"
}

fn texts(choice: Choice) -> (&'static str, &'static str) {
    match choice {
        Choice::Conf => ("file", "the file of settings, in place of /etc/pptpd.conf"),
        Choice::Check => ("", "read the settings, say what is wrong with them, and leave"),
        Choice::Help => ("", "show this"),
        Choice::Version => ("", "show the version"),
        Choice::Set(keyword) => (keyword.kind.placeholder().unwrap_or_default(), keyword.about),
    }
}
