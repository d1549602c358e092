//! Every code that the compiler can say has a section in `docs/diagnostics.md`, and every section a code.

use std::collections::BTreeSet;
use std::path::Path;

/// The codes in a text: `N` and four digits.
fn codes(text: &str, before: &str, found: &mut BTreeSet<String>) {
    for (at, _) in text.match_indices(before) {
        let code: String = text[at + before.len()..].chars().take(5).collect();
        if code.starts_with("N0") && code[1..].chars().all(|c| c.is_ascii_digit()) {
            found.insert(code);
        }
    }
}

fn sources(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            codes(&std::fs::read_to_string(&path).unwrap(), "\"", found);
        }
    }
}

#[test]
fn every_code_is_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (mut said, mut explained) = (BTreeSet::new(), BTreeSet::new());
    sources(&root.join("graph/src"), &mut said);
    sources(&root.join("macros/src"), &mut said);
    codes(&std::fs::read_to_string(root.join("docs/diagnostics.md")).unwrap(), "### ", &mut explained);
    assert_eq!(said, explained);
}
