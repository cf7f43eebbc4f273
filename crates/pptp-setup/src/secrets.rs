//! The text of chap-secrets: an entry of ours has a comment before it, by which it is found again. Everything else stays as it
//! is, byte for byte.

use zeroize::Zeroizing;

use crate::name::Name;
use crate::words::{Words, quote};

/// What the comment before an entry begins with; the profile's name follows.
const MARK: &str = "# pptp-rs-setup: ";

/// In the comment, if the entry gave an end to the line before, so that removing the entry takes that away, too.
const COMPLETED: &str = " (the line before had no end)";

/// The secret by which `client` logs in at `server`, both as pppd names them: that of the most exact entry, of these the first.
pub(crate) fn find(text: &[u8], client: &[u8], server: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut best: Option<(u8, Zeroizing<Vec<u8>>)> = None;
    for [its_client, its_server, secret] in entries(text) {
        let (Some(one), Some(other)) = (matching(&its_client, client), matching(&its_server, server)) else { continue };
        // The client's name counts more.
        let exactness = 2 * one + other;
        if best.as_ref().is_none_or(|(before, _)| exactness > *before) {
            best = Some((exactness, secret));
        }
    }
    best.map(|(_, secret)| secret)
}

/// The first three words of each line that has them.
fn entries(text: &[u8]) -> Vec<[Zeroizing<Vec<u8>>; 3]> {
    let mut lines: Vec<Vec<Zeroizing<Vec<u8>>>> = Vec::new();
    for word in Words::new(text) {
        if word.begins_line {
            lines.push(Vec::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push(word.bytes);
        }
    }
    let first_three = |line: Vec<_>| line.into_iter().take(3).collect::<Vec<_>>().try_into().ok();
    lines.into_iter().filter_map(first_three).collect()
}

/// How well a name of a file fits: 1 exactly, 0 as anybody's.
fn matching(written: &[u8], wanted: &[u8]) -> Option<u8> {
    match written {
        b"*" => Some(0),
        _ if written == wanted => Some(1),
        _ => None,
    }
}

/// The text with an entry for this profile, in place of one that it may have.
///
/// # Errors
/// pppd would not find it, because the file is broken; in words.
pub(crate) fn add(text: &[u8], name: &Name, user: &[u8], secret: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let others = remove(text, name);
    let others = others.as_ref().map_or(text, |others| others.as_slice());
    let is_complete = others.last().is_none_or(|last| *last == b'\n');
    let mark = format!("{MARK}{name}{}\n", if is_complete { "" } else { COMPLETED });
    let (user_word, secret_word, label) = (quote(user), quote(secret), name.label());
    let parts: [&[u8]; 9] = [
        others,
        if is_complete { b"" } else { b"\n" },
        mark.as_bytes(),
        &user_word,
        b" ",
        label.as_bytes(),
        b" ",
        &secret_word,
        b" *\n",
    ];
    let mut whole = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| whole.extend_from_slice(part));
    match find(&whole, user, label.as_bytes()) {
        Some(found) if found.as_slice() == secret => Ok(whole),
        _ => Err(
            "pppd would not find a new entry in it: a quotation mark before it is not closed, or another entry goes \
                  before it"
                .into(),
        ),
    }
}

/// The text without the entry of this profile; `None`: it has none.
pub(crate) fn remove(text: &[u8], name: &Name) -> Option<Zeroizing<Vec<u8>>> {
    let mark = format!("{MARK}{name}");
    let mut left = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut lines = text.split_inclusive(|byte| *byte == b'\n').peekable();
    let (mut is_removed, mut completed) = (false, false);
    while let Some(line) = lines.next() {
        let note = line.strip_suffix(b"\n").unwrap_or(line).strip_prefix(mark.as_bytes());
        let is_ours = note.is_some_and(|note| note.is_empty() || note == COMPLETED.as_bytes());
        if !is_ours {
            left.extend_from_slice(line);
            continue;
        }
        is_removed = true;
        // Somebody may have taken the entry away and left the comment.
        let _ = lines.next_if(|entry| is_entry_of(entry, name));
        completed = note == Some(COMPLETED.as_bytes()) && lines.peek().is_none();
    }
    if completed {
        left.pop();
    }
    is_removed.then_some(left)
}

fn is_entry_of(line: &[u8], name: &Name) -> bool {
    Words::new(line).nth(1).is_some_and(|server| server.bytes.as_slice() == name.label().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn added(text: &str, profile: &str, user: &str, secret: &str) -> String {
        let text = add(text.as_bytes(), &name(profile), user.as_bytes(), secret.as_bytes()).unwrap();
        String::from_utf8(text.to_vec()).unwrap()
    }

    fn removed(text: &str, profile: &str) -> Option<String> {
        remove(text.as_bytes(), &name(profile)).map(|text| String::from_utf8(text.to_vec()).unwrap())
    }

    #[test]
    fn an_entry_is_added_at_the_end_and_removed() {
        let before = "# Secrets\nbob * hush *\n";
        let after = added(before, "office", "alice", "sec ret");
        assert_eq!(after, format!("{before}# pptp-rs-setup: office\n\"alice\" pptp-rs-office \"sec ret\" *\n"));
        assert_eq!(removed(&after, "office").unwrap(), before);
        assert_eq!(removed(&after, "offic"), None);
        assert_eq!(removed(before, "office"), None);
    }

    #[test]
    fn a_new_entry_takes_the_place_of_the_old_one() {
        let first = added("", "office", "alice", "old");
        let second = added(&first, "office", "bob", "new");
        assert_eq!(second, "# pptp-rs-setup: office\n\"bob\" pptp-rs-office \"new\" *\n");
    }

    #[test]
    fn a_line_without_an_end_gets_one_and_loses_it_again() {
        let after = added("bob * hush *", "office", "alice", "secret");
        assert!(after.starts_with("bob * hush *\n# pptp-rs-setup: office (the line before had no end)\n\"alice\""));
        assert_eq!(removed(&after, "office").unwrap(), "bob * hush *");
        assert_eq!(removed(&format!("{after}carol * x *\n"), "office").unwrap(), "bob * hush *\ncarol * x *\n");
    }

    #[test]
    fn a_comment_whose_entry_is_gone_takes_no_other_with_it() {
        let text = "# pptp-rs-setup: office\nbob * hush *\n";
        assert_eq!(removed(text, "office").unwrap(), "bob * hush *\n");
    }

    #[test]
    fn the_most_exact_entry_is_found_and_of_these_the_first() {
        let text = b"* * anybody\nalice * hers\n* there place\nalice there exact\nalice there again\nbob\n";
        let found = |client: &[u8], server: &[u8]| find(text, client, server).map(|secret| secret.to_vec());
        assert_eq!(found(b"alice", b"there").unwrap(), b"exact");
        assert_eq!(found(b"alice", b"x").unwrap(), b"hers");
        assert_eq!(found(b"bob", b"there").unwrap(), b"place");
        assert_eq!(found(b"bob", b"x").unwrap(), b"anybody");
        assert_eq!(find(b"bob x\n", b"bob", b"x"), None);
    }

    #[test]
    fn a_file_that_swallows_the_entry_is_left_alone() {
        for text in ["bob * \"hush *\n", "alice pptp-rs-office other *\n"] {
            assert!(add(text.as_bytes(), &name("office"), b"alice", b"secret").is_err(), "{text}");
        }
        // Not the end of the entry before.
        assert!(add(b"bob * hush \\", &name("office"), b"alice", b"secret").is_ok());
    }

    proptest! {
        #[test]
        fn adding_and_removing_leaves_what_was_there(
            text in "([a-z\"#' \\\\*]{0,20}\n){0,5}[a-z #]{0,10}",
            user in prop::collection::vec(1..=255_u8, 1..30),
            secret in prop::collection::vec(1..=255_u8, 1..60),
        ) {
            let name = name("office");
            if let Ok(whole) = add(text.as_bytes(), &name, &user, &secret) {
                prop_assert!(whole.starts_with(text.as_bytes()));
                let left = remove(&whole, &name).unwrap();
                prop_assert_eq!(left.as_slice(), text.as_bytes());
            }
        }
    }
}
