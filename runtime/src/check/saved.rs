//! What is saved and loaded is what there was.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Mistake;
use super::arguments::Call;
use super::outcome::Outcome;
use crate::model::Model;
use crate::optimizer::AdamW;

/// A model of another seed that loads what this one saved has its parameters and states; one that loads a training checkpoint gives the
/// same results, gradients and steps. All to the bit.
///
/// # Errors
/// What differs, with both numbers; or a file cannot be written.
pub fn saved(model: &Model) -> Result<(), Mistake> {
    let file = File::new();
    let calls = Call::all(model)?;
    let mut first = model.twin()?;
    let mut optimizer = AdamW::new(1e-3);
    // So that states and counters are not those of a new model.
    for call in calls.iter().filter(|call| call.trains) {
        first.any_step(call.function, &mut optimizer, &call.arguments())?;
    }
    first.save(&file.0)?;
    let mut second = Model::from_net(model.net().clone(), &model.device(), model.seed().wrapping_add(1))?;
    second.load(&file.0)?;
    let (here, there) = ("when it was saved", "when it was loaded");
    Outcome::values(&first)?.same(here, &Outcome::values(&second)?, there)?;

    first.save_training(&file.0, &optimizer, &Default::default())?;
    let mut second = Model::of(model.loaded().clone(), &model.device(), model.seed().wrapping_add(1))?;
    second.load_training(&file.0, &mut AdamW::new(1e-3))?;
    let before = Outcome::of(&mut first.twin()?, &first, &calls)?;
    before.same(here, &Outcome::of(&mut second.twin()?, &second, &calls)?, there)
}

/// A file of its own, gone in the end.
struct File(PathBuf);

impl File {
    fn new() -> File {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        File(std::env::temp_dir().join(format!("castnet-check-{}-{number}.safetensors", std::process::id())))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
