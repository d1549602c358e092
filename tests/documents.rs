//! The pages for people name files that are there.

use std::fs;
use std::path::{Path, PathBuf};

/// Every file and folder of the repository, from its root, without what is built.
fn tree(folder: &Path, root: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        if ["target", ".git", "castnet"].iter().any(|skipped| name == *skipped) {
            continue;
        }
        let path = entry.path();
        found.push(path.strip_prefix(root).unwrap().to_path_buf());
        if path.is_dir() {
            tree(&path, root, found);
        }
    }
}

/// What a page calls a file: words in code that end as the repository's files do, or with `/`, and targets of links.
fn named(page: &str) -> Vec<String> {
    let is_name = |text: &&str| {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b));
        let ends =
            ["rs", "md", "py", "toml", "txt", "cu", "h", "stderr"].iter().any(|e| text.ends_with(&format!(".{e}")));
        // What a build writes is not there.
        let built = ["target/", "castnet/", "."].iter().any(|start| text.starts_with(start));
        plain && (ends || text.ends_with('/')) && !built
    };
    // Blocks of code have places of the user's own program.
    let text: String = page.split("```").step_by(2).collect();
    let words = text.split('`').skip(1).step_by(2);
    let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    words.chain(links).filter(is_name).map(str::to_string).collect()
}

#[test]
fn the_files_that_pages_name_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![];
    tree(root, root, &mut files);
    // The names of what `CASTNET_EXPLAIN` writes.
    let explained = fs::read_to_string(root.join("graph/src/explain/mod.rs")).unwrap();
    let pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(PathBuf::from);
    let docs = files.iter().filter(|f| f.starts_with("docs") && f.extension().is_some_and(|e| e == "md"));
    let (mut count, mut missing) = (0, vec![]);
    for page in docs.chain(&pages) {
        for name in named(&fs::read_to_string(root.join(page)).unwrap()) {
            count += 1;
            let there = files.iter().any(|file| file.ends_with(name.trim_end_matches('/')));
            let beside = page.parent().is_some_and(|folder| root.join(folder).join(&name).exists());
            if !there && !beside && !explained.contains(&format!("\"{name}\"")) {
                missing.push(format!("{}: `{name}`", page.display()));
            }
        }
    }
    assert!(count > 100, "{count} names were found");
    assert!(missing.is_empty(), "not there: {missing:#?}");
}
