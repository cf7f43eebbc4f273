//! `--help`, made from the tables of the command line.

use std::fmt::Write;

use crate::arguments::{CHOICES, COMMANDS, Choice, Command};

/// The program's name and version.
pub(crate) fn version() -> String {
    format!("pptp-rs-setup v{}", env!("CARGO_PKG_VERSION"))
}

/// Where an explanation begins.
const COLUMN: usize = 28;

/// How long a line may be.
const WIDTH: usize = 110;

/// All commands and options.
pub(crate) fn help() -> String {
    let mut help = format!(
        "{}: profiles of pppd for the PPTP plugin pptp-rs.so\nUsage: pptp-rs-setup COMMAND [NAME] [options]\n\n",
        version()
    );
    for command in &COMMANDS {
        let name = if command.takes_name { format!("{} NAME", command.name) } else { command.name.into() };
        entry(&mut help, &name, command.about);
    }
    for command in &COMMANDS {
        let options: Vec<_> = CHOICES.iter().filter(|choice| choice.verbs.first() == Some(&command.verb)).collect();
        if !options.is_empty() {
            section(&mut help, command, &options);
        }
    }
    help.push_str("\nOther options:\n");
    CHOICES.iter().filter(|choice| choice.verbs.is_empty()).for_each(|choice| option(&mut help, choice));
    help + END
}

const END: &str = "
create needs --server and --user. Its files are /etc/ppp/peers/NAME and a line of /etc/ppp/chap-secrets, both for root
alone; what else may be said of a tunnel (pptp_port, persist, usepeerdns, ...) can be written into the former. With
--start, the profile stays if the connection fails. --root goes with list, show and delete as well. test runs no
scripts of pppd's (but, with pppd 2.4.9, ip-pre-up), and sets no default route.

Exit status: 0 done, and with test, nothing failed; 1 it failed, or a layer did; 2 the command line is wrong.
";

fn section(help: &mut String, command: &Command, options: &[&Choice]) {
    let _ = writeln!(help, "\nOptions of {}:", command.name);
    options.iter().filter(|choice| !choice.about.is_empty()).for_each(|choice| option(help, choice));
}

fn option(help: &mut String, choice: &Choice) {
    let letter = choice.letter.map_or_else(|| "    ".into(), |letter| format!("-{letter}, "));
    let name = format!("{letter}--{} {}", choice.name, choice.value.unwrap_or_default());
    entry(help, name.trim_end(), choice.about);
}

/// A name and what it means, which may take several lines.
fn entry(help: &mut String, name: &str, about: &str) {
    let mut line = format!("  {name:<0$}", COLUMN - 2);
    for word in about.split(' ') {
        if line.len() + word.len() > WIDTH {
            help.push_str(line.trim_end());
            line = format!("\n{:1$}", "", COLUMN);
        }
        line.push_str(word);
        line.push(' ');
    }
    help.push_str(line.trim_end_matches(' '));
    help.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_everything_in_lines_that_fit() {
        let help = help();
        for command in &COMMANDS {
            assert!(help.contains(&format!("\n  {}", command.name)), "{}", command.name);
        }
        for choice in &CHOICES {
            assert!(help.contains(&format!("--{}", choice.name)), "{}", choice.name);
        }
        let longest = help.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(120), "{longest:?}\n{help}");
    }
}
