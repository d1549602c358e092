//! Where an example saves, and what Ctrl-C does: once, and training stops after the step that runs, saved; twice, and the program ends.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Options, Result};

static STOP: AtomicBool = AtomicBool::new(false);

/// Whether training is to stop.
pub fn stop() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// The file that a run leaves.
pub struct Saving(PathBuf);

impl Saving {
    /// That given with `--save`, or one of this name; an error if it cannot be written, before training and not after it. From here on
    /// Ctrl-C (and the signal that ends a job) is told by [`stop`].
    pub fn new(options: &Options, name: &str) -> Result<Saving> {
        let path = options.path("save").unwrap_or_else(|| name.into());
        writable(&path)?;
        ctrlc::set_handler(|| match STOP.swap(true, Ordering::Relaxed) {
            false => eprintln!("\nstopping after this step; once more stops at once"),
            true => std::process::exit(130),
        })?;
        Ok(Saving(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Says that training was stopped, and what of it is left.
    pub fn stopped(&self, steps: u64) -> Result<()> {
        let path = self.0.display();
        println!("stopped after {steps} steps; {path} has them, and --resume {path} goes on");
        Ok(())
    }
}

/// An error if no file of this name can be made; one that is there stays as it is.
pub fn writable(path: &Path) -> Result<()> {
    let cannot = |why: String| format!("{}: cannot be written: {why}", path.display());
    if path.is_dir() {
        return Err(cannot("it is a folder".into()).into());
    }
    let name = path.file_name().ok_or_else(|| cannot("it names no file".into()))?;
    let probe = path.with_file_name(format!(".{}.{}.try", name.to_string_lossy(), std::process::id()));
    File::create(&probe).and_then(|_| fs::remove_file(&probe)).map_err(|error| cannot(error.to_string()).into())
}
