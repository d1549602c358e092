//! Checkpoints: safetensors files with PyTorch's names and layouts.
//!
//! A file of [`Model::save`] holds the parameters and states and nothing else, so PyTorch loads it strictly, and [`Model::load`] loads what PyTorch
//! saved. A file of [`Model::save_training`] also holds the optimizer's state under `optimizer.<state>.<parameter>` and the counters in
//! its metadata; [`Model::load`] ignores those.

mod file;

use std::collections::BTreeMap;
use std::path::Path;

use castnet_graph::diagnostic::did_you_mean;
use serde::{Deserialize, Serialize};

use crate::array::Array;
use crate::error::{Error, Result};
use crate::layout;
use crate::memory::Memory;
use crate::model::{Model, Saved, may_have};
use crate::optimizer::Optimizer;
use file::{Reader, write};

/// The metadata entry of a training checkpoint.
const TRAINING: &str = "castnet.training";

/// The counters of a training checkpoint.
#[derive(Serialize, Deserialize)]
struct Training {
    net: String,
    seed: u64,
    /// Training runs of the model.
    runs: u64,
    /// How often each function has drawn, in inference and in training. Older files lack it: their one counter, `runs`, was everyone's.
    #[serde(default)]
    calls: Saved,
    optimizer: String,
    /// Updates by the optimizer.
    steps: u64,
    extra: BTreeMap<String, String>,
}

impl Model {
    /// Writes all parameters and states. An old file of that name is replaced in one go: whoever reads it, or is left with it after a power cut, has
    /// the old one or the new one.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write(path.as_ref(), self.tensors()?, None)
    }

    /// Reads all parameters and states. Element types f64, f16 and bf16 are converted.
    ///
    /// # Errors
    /// If the file cannot be read, is no safetensors file or is cut off, lacks a parameter, has others, or has one of another shape or
    /// type. The model is as it was then.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let reader = Reader::open(path.as_ref())?;
        let (parameters, states) = self.read_model(&reader, |key| key.starts_with("optimizer."))?;
        self.restore(parameters, states, None);
        Ok(())
    }

    /// Writes all that is needed to go on with training: parameters, states, seed and counters, the optimizer's state, and what the caller adds.
    /// Replaces an old file as [`Model::save`] does.
    ///
    /// # Errors
    /// If the file cannot be written, or the optimizer is another model's.
    pub fn save_training(
        &self,
        path: impl AsRef<Path>,
        optimizer: &dyn Optimizer,
        extra: &BTreeMap<String, String>,
    ) -> Result<()> {
        let path = path.as_ref();
        let state = optimizer.state();
        state.check_owner(optimizer.name(), self.id())?;
        let mut tensors = self.tensors()?;
        for (number, name) in optimizer.states().iter().enumerate() {
            let Some(arena) = state.arena(number) else { continue };
            for (parameter, &start) in self.net().parameters.iter().zip(&self.loaded().offsets) {
                let plain = layout::unpack(parameter, &arena[start..start + parameter.floats()])?;
                tensors.push((state_key(name, &parameter.name), plain));
            }
        }
        let training = Training {
            net: self.name().to_string(),
            seed: self.seed(),
            runs: self.steps(),
            calls: self.calls().save(self.net()),
            optimizer: optimizer.name().to_string(),
            steps: state.steps(),
            extra: extra.clone(),
        };
        let text = serde_json::to_string(&training).map_err(|e| Error::Io {
            path: path.to_path_buf(),
            what: "cannot be written",
            source: e.into(),
        })?;
        write(path, tensors, Some((TRAINING, text)))
    }

    /// Goes on where [`Model::save_training`] was called, to the bit: parameters, states, seed, counters and the optimizer's state become those
    /// of the file; returns what the caller had added. The optimizer's settings stay those that it has.
    ///
    /// # Errors
    /// As [`Model::load`]; if the file is no training checkpoint, or is of an optimizer of another kind. Model and optimizer are as they
    /// were then.
    pub fn load_training(
        &mut self,
        path: impl AsRef<Path>,
        optimizer: &mut dyn Optimizer,
    ) -> Result<BTreeMap<String, String>> {
        let path = path.as_ref();
        let reader = Reader::open(path)?;
        let resume = |key: &str, found: &str, expected: &str| Error::Resume {
            path: path.to_path_buf(),
            key: key.to_string(),
            found: found.to_string(),
            expected: expected.to_string(),
        };
        let Some(text) = reader.metadata(TRAINING) else {
            return Err(resume(TRAINING, "missing", "the metadata of a training checkpoint"));
        };
        let training: Training = serde_json::from_str(text)
            .map_err(|e| resume(TRAINING, &e.to_string(), "the metadata of a training checkpoint"))?;
        if training.optimizer != optimizer.name() {
            return Err(resume("optimizer", &training.optimizer, optimizer.name()));
        }
        let states: &[&str] = if training.steps == 0 { &[] } else { optimizer.states() };
        let names: Vec<_> = self.net().parameters.iter().map(|p| p.name.clone()).collect();
        let known = |key: &str| {
            optimizer.states().iter().any(|s| {
                key.strip_prefix("optimizer.")
                    .and_then(|k| k.strip_prefix(s))
                    .and_then(|k| k.strip_prefix('.'))
                    .is_some_and(|k| names.iter().any(|n| n == k))
            })
        };
        let (parameters, own_states) = self.read_model(&reader, known)?;
        let key = |state: &'static str| move |parameter: &str| state_key(state, parameter);
        let arenas = states.iter().map(|state| {
            let mut mistakes = Vec::new();
            let arena = self.read_arena(&reader, &key(state), &mut mistakes);
            self.unless_wrong(&reader, mistakes).map(|()| arena)
        });
        let arenas = arenas.collect::<Result<Vec<_>>>()?;
        self.restore(parameters, own_states, Some((training.seed, training.runs, &training.calls)));
        optimizer.state_mut().restore(self, training.steps, arenas);
        Ok(training.extra)
    }

    fn tensors(&self) -> Result<Vec<(String, Array)>> {
        let parameters = self.net().parameters.iter().enumerate();
        let parameters = parameters.map(|(number, p)| Ok((p.name.clone(), self.parameter_number(number)?)));
        let states = self.states().named().map(|(state, value)| Ok((state.name.clone(), value.copied()?)));
        parameters.chain(states).collect()
    }

    /// Parameters and states; every mistake of the file is reported in one go.
    fn read_model(&self, reader: &Reader, ignored: impl Fn(&str) -> bool) -> Result<(Memory, Vec<Option<Array>>)> {
        let mut mistakes = Vec::new();
        let arena = self.read_arena(reader, &|parameter| parameter.to_string(), &mut mistakes);
        let states = self.net().states.iter().map(|state| {
            let run_time = state.ty.shape.iter().any(|s| s.as_const().is_none());
            match reader.shape(&state.name) {
                // It had no value when the file was written.
                None if run_time => None,
                shape => {
                    let fits = shape.filter(|shape| may_have(state, shape));
                    reader.array(&state.name, fits, &state.ty).map_err(|mistake| mistakes.push(mistake)).ok()
                }
            }
        });
        let states = states.collect();
        let known = || {
            let parameters = self.net().parameters.iter().map(|p| p.name.as_str());
            parameters.chain(self.net().states.iter().map(|s| s.name.as_str()))
        };
        for found in reader.keys() {
            if known().any(|k| k == found) || ignored(&found) {
                continue;
            }
            let meant = did_you_mean(&found, known()).map_or_else(String::new, |m| format!("; did you mean `{m}`?"));
            mistakes.push(format!("`{found}`: not a parameter of {}{meant}", self.name()));
        }
        self.unless_wrong(reader, mistakes).map(|()| (arena, states))
    }

    /// A flat arena from the tensors with these keys.
    fn read_arena(&self, reader: &Reader, key: &dyn Fn(&str) -> String, mistakes: &mut Vec<String>) -> Memory {
        let mut arena = match self.loaded().arena() {
            Ok(arena) => arena,
            Err(error) => {
                mistakes.push(error.to_string());
                return Memory::default();
            }
        };
        for (parameter, &start) in self.net().parameters.iter().zip(&self.loaded().offsets) {
            match reader.floats(&key(&parameter.name), &shape_of(parameter)) {
                Ok(plain) => {
                    let range = start..start + parameter.floats();
                    layout::pack(parameter, &plain, &mut arena.slice_mut::<f32>()[range]);
                }
                Err(mistake) => mistakes.push(mistake),
            }
        }
        arena
    }

    fn unless_wrong(&self, reader: &Reader, mistakes: Vec<String>) -> Result<()> {
        match mistakes.is_empty() {
            true => Ok(()),
            false => {
                Err(Error::Checkpoint { path: reader.path().to_path_buf(), net: self.name().to_string(), mistakes })
            }
        }
    }
}

fn state_key(state: &str, parameter: &str) -> String {
    format!("optimizer.{state}.{parameter}")
}

fn shape_of(parameter: &castnet_graph::net::Parameter) -> Vec<usize> {
    parameter.shape.iter().map(|&s| s as usize).collect()
}
