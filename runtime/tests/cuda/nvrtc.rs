//! The same kernels through NVIDIA's compiler, where its library is: no device is needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::emulator;

/// Compiles a unit for sm_90 and says what that took; says that there is no library, where there is none. `CASTNET_NVRTC` is the library's path.
pub fn compile(unit: &str, folder: &Path) {
    let (source, compiler) = (folder.join("kernels.cu"), folder.join("nvrtc"));
    std::fs::write(&source, unit).unwrap();
    let written = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cuda/nvrtc.cpp");
    emulator::compile(&["-std=c++17", "-O1", written, "-o", compiler.to_str().unwrap(), "-ldl"]);
    let library = PathBuf::from(std::env::var_os("CASTNET_NVRTC").unwrap_or_default());
    let mut command = Command::new(compiler);
    command.arg(&source).arg("sm_90").arg(&library);
    if let Some(beside) = library.parent().filter(|p| !p.as_os_str().is_empty()) {
        // The library of its built-in functions lies there.
        command.env("LD_LIBRARY_PATH", beside);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success(), "NVRTC:\n{}", String::from_utf8_lossy(&output.stderr));
}
