//! Man pages (mdoc(7)) as tests read them: sections, items of lists, what is shown literally. It knows the macros that
//! this repository's pages use and no others; what it cannot know it shows, so that a comparison fails.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A page, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page(Vec<String>);

/// An item of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is about, as it is shown.
    pub head: String,
    /// The rest, as text with single blanks.
    pub body: String,
}

/// Macros that show their arguments as they are, but for how these look.
const PLAIN: [&str; 17] =
    ["Ad", "Ar", "Cm", "Dv", "Em", "Er", "Ev", "Ic", "Li", "Lk", "Nd", "No", "Pa", "Sy", "Ta", "Va", "Mt"];

/// Macros that show nothing, whatever their arguments are.
const SILENT: [&str; 13] = ["Bd", "Bk", "Bl", "Dd", "Dt", "Ed", "Ek", "El", "Os", "Pp", "Sh", "Ss", "br"];

/// Macros that put something before and behind the rest of the line.
const ENCLOSING: [(&str, &str, &str); 7] = [
    ("Aq", "<", ">"),
    ("Bq", "[", "]"),
    ("Brq", "{", "}"),
    ("Dq", "\"", "\""),
    ("Op", "[", "]"),
    ("Pq", "(", ")"),
    ("Ql", "'", "'"),
];

/// Where the repository has its pages.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../man")
}

impl Page {
    /// The repository's page of this name (`pptp-rs.8`).
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(name: &str) -> io::Result<Self> {
        Ok(Self::new(&fs::read_to_string(folder().join(name))?))
    }

    /// The page with this source.
    pub fn new(source: &str) -> Self {
        Self(source.lines().filter(|line| !line.starts_with(".\\\"")).map(String::from).collect())
    }

    /// The part under this heading (`Sh`) or subheading (`Ss`), up to the next of any kind; empty if there is none.
    pub fn part(&self, heading: &str) -> Self {
        let is_heading = |line: &&String| matches!(macro_of(line), Some("Sh" | "Ss"));
        let is_it = |line: &&String| is_heading(line) && line.get(".Sh ".len()..) == Some(heading);
        Self(
            self.0
                .iter()
                .skip_while(|line| !is_it(line))
                .skip(1)
                .take_while(|line| !is_heading(line))
                .cloned()
                .collect(),
        )
    }

    /// All of it as it is shown, with single blanks.
    pub fn text(&self) -> String {
        let shown: Vec<String> = self.0.iter().map(|line| shown(line)).collect();
        shown.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The items of the lists, those of lists in items apart.
    pub fn items(&self) -> Vec<Item> {
        let mut items: Vec<(String, Vec<String>)> = Vec::new();
        let mut depth = 0;
        for line in &self.0 {
            match macro_of(line) {
                Some("Bl") => depth += 1,
                Some("El") => depth -= 1,
                Some("It") if depth == 1 => items.push((line.clone(), Vec::new())),
                _ => items.last_mut().filter(|_| depth > 0).into_iter().for_each(|(_, body)| body.push(line.clone())),
            }
        }
        items.into_iter().map(|(head, body)| Item { head: shown(&head), body: Self(body).text() }).collect()
    }

    /// What each literal display shows.
    pub fn literals(&self) -> Vec<String> {
        let mut literals: Vec<String> = Vec::new();
        let mut inside = false;
        for line in &self.0 {
            match macro_of(line) {
                Some("Bd") => {
                    inside = line.contains("-literal");
                    literals.extend(inside.then(String::new));
                }
                Some("Ed") => inside = false,
                _ if inside => {
                    if let Some(last) = literals.last_mut() {
                        *last += &format!("{}\n", unescaped(line));
                    }
                }
                _ => {}
            }
        }
        literals
    }
}

/// The options (`-x`, `--word`) that a text names.
pub fn options(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| letter.is_whitespace() || "[](){}|,;:'\"`=".contains(letter));
    let is_option = |word: &&str| {
        let name = word.strip_prefix("--").filter(|name| name.len() > 1).or_else(|| word.strip_prefix('-'));
        name.is_some_and(|name| name.starts_with(|letter: char| letter.is_ascii_alphabetic()))
    };
    words.map(|word| word.trim_end_matches('.')).filter(is_option).map(String::from).collect()
}

/// What is in the first column of a help, of so many characters, in the lines that begin with blanks and have something there.
pub fn first_column(help: &str, width: usize) -> Vec<String> {
    let lines = help.lines().filter(|line| line.starts_with("  "));
    let cells = lines.map(|line| line.chars().take(width).collect::<String>().trim().to_owned());
    cells.filter(|cell| !cell.is_empty()).collect()
}

fn macro_of(line: &str) -> Option<&str> {
    line.strip_prefix('.')?.split_whitespace().next()
}

/// A line as it is shown.
fn shown(line: &str) -> String {
    let Some(call) = line.strip_prefix('.') else { return unescaped(line) };
    let words = words(call);
    let first = words.first().map_or("", |(word, _)| word.as_str());
    if SILENT.contains(&first) {
        return String::new();
    }
    let mut line = Shown::default();
    for (word, quoted) in &words {
        line.take(word, *quoted);
    }
    line.end()
}

/// A line in the making.
#[derive(Default)]
struct Shown {
    text: String,
    /// The next word follows without a blank.
    joined: bool,
    /// What is before the next word.
    prefix: &'static str,
    /// What is to be closed at the end.
    open: Vec<&'static str>,
    /// The word is the name of a page, and the next its section.
    reference: Option<usize>,
}

impl Shown {
    fn take(&mut self, word: &str, quoted: bool) {
        if quoted {
            return self.push(word);
        }
        match word {
            "It" | "Nm" | "Xo" | "Xc" => {}
            "Fl" => self.prefix = "-",
            "Ns" => self.joined = true,
            "Xr" => self.reference = Some(0),
            _ if PLAIN.contains(&word) => {}
            _ => match ENCLOSING.iter().find(|(name, ..)| *name == word) {
                Some((_, before, behind)) => {
                    self.push(before);
                    self.joined = true;
                    self.open.push(behind);
                }
                None => self.push(word),
            },
        }
    }

    fn push(&mut self, word: &str) {
        let word = unescaped(word);
        if matches!(word.as_str(), "." | "," | ":" | ";" | ")" | "]" | "?" | "!") {
            self.text += &word;
            return;
        }
        if self.reference == Some(1) {
            self.text += &format!("({word})");
            self.reference = None;
            return;
        }
        self.reference = self.reference.map(|count| count + 1);
        if !self.text.is_empty() && !std::mem::take(&mut self.joined) {
            self.text.push(' ');
        }
        self.text += std::mem::take(&mut self.prefix);
        self.text += &word;
        self.joined = word == "(";
    }

    fn end(mut self) -> String {
        for behind in self.open.iter().rev() {
            let kept = self.text.trim_end_matches(['.', ',', ':', ';']).len();
            self.text.insert_str(kept, behind);
        }
        self.text
    }
}

/// The words of a line with a macro, and whether they were in quotes.
fn words(line: &str) -> Vec<(String, bool)> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, quoted, after) = match rest.strip_prefix('"') {
            Some(rest) => {
                let (word, after) = rest.split_once('"').unwrap_or((rest, ""));
                (word, true, after)
            }
            None => {
                let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
                (word, false, after)
            }
        };
        words.push((String::from(word), quoted));
        rest = after.trim_start();
    }
    words
}

fn unescaped(text: &str) -> String {
    [("\\&", ""), ("\\-", "-"), ("\\(em", "—"), ("\\(aq", "'"), ("\\(dq", "\""), ("\\e", "\\")]
        .into_iter()
        .fold(String::from(text), |text, (escaped, plain)| text.replace(escaped, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
.\\\" A comment
.Dd November 21, 2026
.Sh NAME
.Nm pptpx
.Nd does it
.Sh OPTIONS
Some of
.Xr pppd 8 .
.Bl -tag -width Ds
.It Fl C , Fl \\-connections Ar n
Most of them
.Pq see Xr x 5 .
.Bl -bullet
.It
inner
.El
.It Cm plain No *
.El
.Ss More
more
.Ss Examples
.Bd -literal
a\\-b  c
\\&.d
.Ed
.Sh FILES
none
";

    #[test]
    fn parts_items_and_literals_are_found() {
        let page = Page::new(SOURCE);
        let items = page.part("OPTIONS").items();
        let item = |head: &str, body: &str| Item { head: head.into(), body: body.into() };
        assert_eq!(items, [item("-C, --connections n", "Most of them (see x(5)). inner"), item("plain *", "")]);
        assert_eq!(page.part("Examples").literals(), ["a-b  c\n.d\n"]);
        assert_eq!(page.part("More").text(), "more");
        assert_eq!(page.part("FILES").text(), "none");
        assert_eq!(page.part("NOTHING").text(), "");
    }

    #[test]
    fn the_first_column_of_a_help_has_commands_and_options() {
        let help = "Usage: x\n\n  show ID   one of\n            them\n    --long  \n  -a, -b X\n\nEnd\n";
        assert_eq!(first_column(help, 12), ["show ID", "--long", "-a, -b X"]);
    }

    #[test]
    fn options_are_words_that_begin_with_a_hyphen() {
        let found = options("Usage: x [-j] [--socket FILE]; MS-CHAP -5 - -- `--no-x`, --a=B.");
        assert_eq!(found, ["-j", "--socket", "--no-x"].map(String::from).into());
    }
}
