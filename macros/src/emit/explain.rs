//! What the compiler tells: as text in the program, and with `CASTNET_EXPLAIN=1` as files.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use castnet_graph::compile::Compiled;
use castnet_graph::diagnostic::Loc;
use castnet_graph::explain::{Explain, Settings};
use proc_macro2::TokenStream;
use quote::quote;

use crate::places::Places;

/// Everything about all functions but what only files have room for.
pub(super) fn text(compiled: &Compiled, places: &Places) -> String {
    // A place has many nodes, and is asked of the compiler once.
    let lines: RefCell<HashMap<Loc, Option<String>>> = RefCell::default();
    let line = |loc: Loc| lines.borrow_mut().entry(loc).or_insert_with(|| places.line(loc)).clone();
    Explain { compiled, line: &line, settings: Settings::default() }.text()
}

/// Writes the reports if the environment asks for them (`1`, or run-time sizes and a machine: `N=256,cores=8`); a failure is ignored. Gives
/// what makes the macro run again when that changes.
pub(super) fn write(compiled: &Compiled, places: &Places) -> TokenStream {
    if let Ok(wanted) = std::env::var("CASTNET_EXPLAIN")
        && !wanted.is_empty()
        && wanted != "0"
    {
        let settings = Settings::read(&wanted);
        let _ = write_files(&Explain { compiled, line: &|loc: Loc| places.line(loc), settings });
    }
    quote! {
        // Expanded again when this variable changes.
        const _: ::core::option::Option<&str> = ::core::option_env!("CASTNET_EXPLAIN");
    }
}

fn write_files(explain: &Explain<'_>) -> Option<()> {
    let folder = target_folder()?.join("castnet").join(&explain.compiled.net.name);
    std::fs::create_dir_all(&folder).ok()?;
    for (name, text) in explain.files() {
        std::fs::write(folder.join(name), text).ok()?;
    }
    Some(())
}

/// `CARGO_TARGET_DIR`, else `target` beside the `Cargo.lock` of the workspace.
fn target_folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("CARGO_TARGET_DIR") {
        return Some(folder.into());
    }
    let package = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?);
    let workspace = package.ancestors().find(|folder| folder.join("Cargo.lock").exists()).map(Path::to_path_buf);
    Some(workspace.unwrap_or(package).join("target"))
}
