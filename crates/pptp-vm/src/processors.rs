//! Which of the host's processors a guest runs on. Their numbers need not begin with 0, nor be without gaps.

use std::fs;

/// The processor for the guest in this place; `None`: the kernel does not say which there are.
pub(crate) fn processor_of(place: usize) -> Option<u32> {
    let allowed = allowed()?;
    allowed.get(place % allowed.len()).copied()
}

/// How many there are, at least one.
pub(crate) fn count() -> usize {
    allowed().map_or(1, |allowed| allowed.len())
}

/// Those that this process may use.
fn allowed() -> Option<Vec<u32>> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    parse(list)
}

/// The kernel's notation for a set of processors (`0-3,8`), which is never empty.
fn parse(list: &str) -> Option<Vec<u32>> {
    let mut all = Vec::new();
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        all.extend(first..=last);
    }
    (!all.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_numbers_and_ranges() {
        assert_eq!(parse("\t0\n"), Some(vec![0]));
        assert_eq!(parse("0-1"), Some(vec![0, 1]));
        assert_eq!(parse("2,4-6,63"), Some(vec![2, 4, 5, 6, 63]));
        assert_eq!([parse(""), parse("x"), parse("3-2"), parse("1,")], [None, None, None, None]);
    }

    #[test]
    fn places_go_round_the_processors_that_there_are() {
        let first = processor_of(0).unwrap();
        let again = (1..10_000).find(|&place| processor_of(place) == Some(first));
        assert!(again.is_some());
    }
}
