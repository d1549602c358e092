//! What the compiler tells: as text in the program, and with `CASTNET_EXPLAIN=1` as files.

use std::path::{Path, PathBuf};

use castnet_graph::compile::Compiled;
use castnet_graph::explain::explain;
use proc_macro2::TokenStream;
use quote::quote;

/// The reports of all functions, one after the other.
pub(super) fn text(compiled: &Compiled) -> String {
    let texts = explain(compiled).into_iter().map(|(name, text)| format!("== {name} ==\n{text}"));
    texts.collect::<Vec<_>>().join("\n")
}

/// Writes the reports if the environment asks for them; a failure is ignored. Gives what makes the macro run again when that changes.
pub(super) fn write(compiled: &Compiled) -> TokenStream {
    if std::env::var("CASTNET_EXPLAIN").is_ok_and(|v| !v.is_empty() && v != "0") {
        let _ = write_files(compiled);
    }
    quote! {
        // Expanded again when this variable changes.
        const _: ::core::option::Option<&str> = ::core::option_env!("CASTNET_EXPLAIN");
    }
}

fn write_files(compiled: &Compiled) -> Option<()> {
    let folder = target_folder()?.join("castnet").join(&compiled.net.name);
    std::fs::create_dir_all(&folder).ok()?;
    for (name, text) in explain(compiled) {
        std::fs::write(folder.join(format!("{name}.txt")), text).ok()?;
    }
    let json = serde_json::to_string_pretty(&compiled.net).ok()?;
    std::fs::write(folder.join("net.json"), json).ok()
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
