//! What a file of a model holds: borrowed, to be written now, or a snapshot, to be written later.

use std::path::Path;

use castnet_program::types::DType;

use super::file::write;
use super::training::{AVERAGE, TRAINING, state_key};
use crate::error::{Error, Result};
use crate::memory::Memory;
use crate::model::Model;

/// All that a file holds.
pub(super) struct Contents<'a> {
    pub(super) model: &'a Model,
    /// An average of the model.
    pub(super) average: Option<&'a Model>,
    /// Name, type and elements of what lies as the parameters do: states of an optimizer, sums of gradients.
    pub(super) arenas: Vec<(&'a str, Option<DType>, &'a Memory)>,
    /// Counters and settings of a training run.
    pub(super) training: Option<String>,
}

/// The same at one moment, whatever becomes of the model and its optimizer.
pub(super) struct Snapshot {
    model: Model,
    average: Option<Model>,
    arenas: Vec<(String, Option<DType>, Memory)>,
    training: Option<String>,
}

impl<'a> Contents<'a> {
    /// Parameters and states alone.
    pub(super) fn of(model: &'a Model) -> Contents<'a> {
        Contents { model, average: None, arenas: vec![], training: None }
    }

    pub(super) fn write(self, path: &Path) -> Result<()> {
        let mut tensors = self.model.tensors(str::to_string);
        if let Some(average) = self.average {
            tensors.extend(average.tensors(|key| state_key(AVERAGE, key)));
        }
        for (name, dtype, arena) in self.arenas {
            tensors.extend(self.model.laid_out(arena, dtype, move |parameter| state_key(name, parameter)));
        }
        write(path, tensors, self.training.map(|text| (TRAINING, text)))
    }

    /// Models are shared until they change, the rest is copied.
    ///
    /// # Errors
    /// If there is no memory for a copy.
    pub(super) fn snapshot(self) -> Result<Snapshot> {
        let copy = |(name, dtype, arena): (&str, Option<DType>, &Memory)| {
            let no_memory =
                || Error::Memory { function: format!("{name} of {}", self.model.name()), bytes: arena.len() };
            Ok((name.to_string(), dtype, arena.copied().ok_or_else(no_memory)?))
        };
        Ok(Snapshot {
            model: self.model.clone(),
            average: self.average.cloned(),
            arenas: self.arenas.into_iter().map(copy).collect::<Result<_>>()?,
            training: self.training,
        })
    }
}

impl Snapshot {
    pub(super) fn write(self, path: &Path) -> Result<()> {
        let contents = Contents {
            model: &self.model,
            average: self.average.as_ref(),
            arenas: self.arenas.iter().map(|(name, dtype, arena)| (name.as_str(), *dtype, arena)).collect(),
            training: self.training,
        };
        contents.write(path)
    }
}
