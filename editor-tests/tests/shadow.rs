//! What editors see of networks is Rust without a mistake: rustc checks it, of a small project and of all networks of the goldens.

use std::process::Command;

fn check(arguments: &[&str]) {
    // The `cfg` keeps what is made apart from what other builds of the same package make.
    let output = Command::new(env!("CARGO"))
        .args(["rustc", "--quiet"])
        .args(arguments)
        .args(["--", "--emit=metadata", "--cfg", "castnet_editor", "--check-cfg", "cfg(castnet_editor)", "-Dwarnings"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CASTNET_EDITOR", "1")
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_project_is_rust() {
    check(&["-p", "castnet-editor-tests", "--lib"]);
}

#[test]
fn all_networks_of_the_goldens_are_rust() {
    check(&["-p", "castnet", "--test", "golden"]);
}
