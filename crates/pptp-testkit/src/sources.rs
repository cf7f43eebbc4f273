//! What programs may say: the texts in their sources, for tests of documents that quote them.

use std::fs;
use std::io;
use std::path::Path;

/// The string literals of all Rust sources in these folders of the repository, one after the other; without tests.
///
/// # Errors
/// A folder or a file cannot be read.
pub fn texts(folders: &[&str]) -> io::Result<String> {
    let mut texts = String::new();
    for_each(folders, |source| literals(without_tests(source), &mut texts))?;
    Ok(texts)
}

/// All Rust sources in these folders of the repository, one after the other, with each text on one line; without tests.
///
/// # Errors
/// A folder or a file cannot be read.
pub fn code(folders: &[&str]) -> io::Result<String> {
    let mut code = String::new();
    for_each(folders, |source| code += &joined(without_tests(source)))?;
    Ok(code)
}

/// The parts of a quoted line between what differs (`...`) that no text has.
pub fn missing<'a>(line: &'a str, texts: &str) -> Vec<&'a str> {
    let parts = line.split("...").map(str::trim).filter(|part| part.contains(char::is_alphabetic));
    parts.filter(|part| !texts.contains(part)).collect()
}

fn without_tests(source: &str) -> &str {
    source.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

fn for_each(folders: &[&str], mut take: impl FnMut(&str)) -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    folders.iter().try_for_each(|folder| collect(&root.join(folder), &mut take))
}

fn collect(folder: &Path, take: &mut dyn FnMut(&str)) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_stem().is_some_and(|stem| stem == "tests") {
            continue;
        }
        if path.is_dir() {
            collect(&path, take)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            take(&fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// Every second part between quotes, but for comments. What is mistaken for a text is one too much, and none is missed.
fn literals(source: &str, texts: &mut String) {
    let lines = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: String = lines.flat_map(|line| [line, "\n"]).collect();
    let mut rest = code.replace("'\"'", "");
    while let Some((_, from)) = rest.split_once('"') {
        let end = end_of(from);
        *texts += &joined(from.get(..end).unwrap_or_default());
        texts.push('\n');
        rest = String::from(from.get(end + 1..).unwrap_or_default());
    }
}

/// Where a literal ends that begins here.
fn end_of(text: &str) -> usize {
    let mut escaped = false;
    let is_end = |(_, letter): &(usize, char)| {
        let end = *letter == '"' && !escaped;
        escaped = *letter == '\\' && !escaped;
        end
    };
    text.char_indices().find(is_end).map_or(text.len(), |(place, _)| place)
}

/// Without the ends of lines that a backslash takes away.
fn joined(text: &str) -> String {
    let mut parts = text.split("\\\n");
    let first = parts.next().unwrap_or_default();
    parts.fold(String::from(first), |joined, part| joined + part.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_found_whole() {
        let mut texts = String::new();
        literals("// a \"comment\"\nf(\"one \\\n    line {x}\", '\"', \"a \\\"b\\\" c\");\n", &mut texts);
        assert_eq!(texts, "one line {x}\na \\\"b\\\" c\n");
        assert_eq!(missing("one line ...", &texts), [""; 0]);
        assert_eq!(missing("... two: ... lines", &texts), ["two:", "lines"]);
    }
}
