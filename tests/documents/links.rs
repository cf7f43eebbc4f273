//! Links between documents, and to files of the repository.

use std::path::{Component, Path, PathBuf};

use crate::pages::{Page, page, pages, root};

#[test]
fn every_link_leads_somewhere() {
    let wrong: Vec<String> = pages().iter().flat_map(dead_links).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is not in the tree, and anchors that no heading has.
fn dead_links(page: &Page) -> Vec<String> {
    let is_dead = |target: &String| !target.contains("://") && !is_alive(page, target);
    let said = |target| format!("{}: {target}", page.path.display());
    targets(&page.prose()).into_iter().filter(is_dead).map(said).collect()
}

fn is_alive(from: &Page, target: &str) -> bool {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let place = if path.is_empty() { from.path.clone() } else { beside(&from.path, path) };
    let there = root().join(&place).exists();
    there && (anchor.is_empty() || page(&place.to_string_lossy()).anchors().iter().any(|one| one == anchor))
}

fn beside(page: &Path, path: &str) -> PathBuf {
    let mut place = page.parent().unwrap_or(Path::new("")).to_path_buf();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => assert!(place.pop(), "{path} leaves the repository"),
            part => place.push(part),
        }
    }
    place
}

/// What stands in the parentheses of `[words](target)`.
fn targets(prose: &str) -> Vec<String> {
    let pieces = prose.split("](").skip(1);
    pieces.filter_map(|piece| piece.split_once(')')).map(|(target, _)| String::from(target)).collect()
}
