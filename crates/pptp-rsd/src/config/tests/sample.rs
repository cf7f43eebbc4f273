//! packaging/pptp-rsd.conf.

use super::super::keywords::KEYWORDS;
use super::*;

const SAMPLE: &str = include_str!("../../../../../packaging/pptp-rsd.conf");

/// `#keyword value` without a blank after `#` is a setting that is switched off.
fn with(keyword: &str) -> String {
    SAMPLE.replace(&format!("\n#{keyword}"), &format!("\n{keyword}"))
}

#[test]
fn there_is_nothing_to_say_about_it() {
    assert_eq!(reports(SAMPLE, &[]), [""; 0]);
}

#[test]
fn every_keyword_is_in_it_and_right() {
    for keyword in KEYWORDS {
        let line = SAMPLE.lines().find(|line| line.trim_start_matches('#').split(' ').next() == Some(keyword.name));
        assert!(line.is_some(), "{} is not in it", keyword.name);
        let loaded = load(&with(keyword.name), &[]);
        assert!(loaded.is_ok(), "{line:?}: {loaded:?}");
    }
}

#[test]
fn what_is_said_to_need_a_restart_does() {
    let list =
        SAMPLE.split_once("What needs a restart:\n# ").and_then(|(_, rest)| rest.split_once('.')).expect("a list").0;
    let read_once: Vec<_> =
        KEYWORDS.iter().filter(|keyword| keyword.is_read_once()).map(|keyword| keyword.name).collect();
    assert_eq!(list.split(", ").collect::<Vec<_>>(), read_once);
}

#[test]
fn what_is_said_to_be_a_default_is_one() {
    let defaults = SAMPLE.lines().filter_map(|line| line.split_once("Default: "));
    let mut config = Config::default();
    let mut count = 0;
    for (_, setting) in defaults {
        let (keyword, value) = setting.split_once(' ').expect(setting);
        let context = super::super::keywords::Context {
            folder: Path::new("/here"),
            surroundings: &Fake::default(),
            again: false,
        };
        let keyword = super::super::keywords::find(keyword).expect(setting);
        keyword.kind.set(&mut config, value.as_ref(), context).expect(setting);
        count += 1;
    }
    assert_eq!(config, Config::default());
    assert_eq!(count, KEYWORDS.iter().filter(|keyword| !keyword.default.is_empty()).count());
}
