//! The modules of the crate stand in layers: none uses one that uses it, by whatever way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The top-level module that a file belongs to.
fn module(source: &Path, file: &Path) -> Option<String> {
    let first = file.strip_prefix(source).ok()?.iter().next()?.to_str()?;
    Some(first.trim_end_matches(".rs").to_string())
}

fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true if path.ends_with("tests") => {}
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

/// The modules that a file names, but for its tests and comments.
fn uses(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let named = lines.flat_map(|line| line.split("crate::").skip(1).map(str::to_string).collect::<Vec<_>>());
    named.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()).collect()
}

#[test]
fn no_module_uses_one_that_uses_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = vec![];
    files(&source, &mut all);
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in &all {
        let Some(module) = module(&source, file).filter(|module| module != "lib") else { continue };
        let mut uses = uses(&std::fs::read_to_string(file).unwrap());
        uses.remove(&module);
        edges.entry(module).or_default().extend(uses);
    }
    assert!(edges["model"].contains("engine") && edges.len() > 20, "{edges:?}");
    // Whoever uses nothing that is left goes; those that stay use each other in circles.
    loop {
        let left: BTreeSet<String> = edges.keys().cloned().collect();
        edges.retain(|_, uses| uses.iter().any(|used| left.contains(used)));
        if edges.len() == left.len() {
            break;
        }
    }
    edges.values_mut().for_each(|uses| uses.retain(|used| used.starts_with(|c: char| c.is_lowercase())));
    assert!(edges.is_empty(), "modules in circles, and what they use: {edges:#?}");
}
