//! Checkpoints: safetensors files with PyTorch's names and layouts.
//!
//! A file of [`Model::save`] holds the parameters and states and nothing else, so PyTorch loads it strictly, and [`Model::load`] loads what PyTorch
//! saved. A file of [`Model::save_training`] also holds the optimizer's state under `optimizer.<state>.<parameter>`, its settings
//! and the counters in its metadata; [`Model::load`] ignores those.

mod background;
mod contents;
mod elements;
mod file;
mod training;

use std::path::Path;

use castnet_program::net::State;
use castnet_program::spelling::did_you_mean;
use castnet_program::types::DType;

use crate::array::Array;
use crate::error::{Error, Result};
use crate::float::with_float;
use crate::layout::{self, shape_of};
use crate::memory::Memory;
use crate::model::Model;
use crate::states::may_have;
pub use background::SaveHandle;
use contents::Contents;
use file::{Reader, Source};

impl Model {
    /// Writes all parameters and states. An old file of that name is replaced in one go: whoever reads it, or is left with it after a power cut, has
    /// the old one or the new one.
    ///
    /// # Errors
    /// If the file cannot be written, or two names are equal or one is the format's own, which a net of `network!` has not; if the model is
    /// [torn](Error::Torn).
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.write_now(path.as_ref(), Contents::of(self))
    }

    /// As [`Model::save`], while the program goes on: the same file to the byte, whatever becomes of the model after this call. Until it is written,
    /// parameters and states are those of a [snapshot](Model::clone), so the next step copies them.
    ///
    /// Files are written one after the other, in the order of the calls, by a thread of the process's engine; what saves or loads without
    /// `async` waits for those. A process that ends by `std::process::exit`, or is killed, leaves the old file where it has not come to the new one.
    ///
    /// # Errors
    /// If there is no memory for a copy, or the process's engine is shut down; what went wrong in an earlier save that nobody waited for
    /// ([`SaveHandle`]).
    pub fn save_async(&self, path: impl AsRef<Path>) -> Result<SaveHandle> {
        self.write_later(path.as_ref(), Contents::of(self))
    }

    fn write_now(&self, path: &Path, contents: Contents<'_>) -> Result<()> {
        self.unread().tell()?;
        self.is_whole()?;
        background::settle();
        contents.write(path)
    }

    fn write_later(&self, path: &Path, contents: Contents<'_>) -> Result<SaveHandle> {
        self.unread().tell()?;
        self.is_whole()?;
        background::write(path, contents, self.unread())
    }

    /// Reads all parameters and states. Floats of fewer digits than the net's are widened, whole numbers of any type become the integers of a
    /// state; `num_batches_tracked` may be missing, and is 0 then.
    ///
    /// # Errors
    /// If the file cannot be read, is no safetensors file or is cut off, lacks a parameter or state, has others, or has one of another shape
    /// or type (floats of more digits: [`Model::load_rounded`] reads them); if there is no memory for the parameters once more. The model is
    /// as it was then.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.load_from(&Reader::open(path.as_ref())?)
    }

    /// As [`Model::load`], from a file of any float types: f64, f32, f16 and bf16 are rounded to the net's where it has fewer digits.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load_rounded(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.load_from(&Reader::open(path.as_ref())?.rounding())
    }

    fn load_from(&mut self, reader: &Reader) -> Result<()> {
        let (parameters, states) = self.read_model(reader)?;
        self.restore(parameters, states, None);
        Ok(())
    }

    fn tensors(&self, key: fn(&str) -> String) -> Vec<(String, Source<'_>)> {
        let parameters = self.laid_out(self.arena(), None, key);
        let states = self.states().named().map(|(state, value)| (key(&state.name), Source::Whole(value)));
        parameters.chain(states).collect()
    }

    /// What lies as the parameters do, of their type if none is said.
    fn laid_out<'a>(
        &'a self,
        arena: &'a Memory,
        dtype: Option<DType>,
        key: impl Fn(&str) -> String + 'a,
    ) -> impl Iterator<Item = (String, Source<'a>)> {
        let parameters = self.net().parameters.iter().enumerate();
        let float = self.loaded().float_of(dtype);
        parameters.map(move |(number, parameter)| {
            (key(&parameter.name), Source::LaidOut(self.loaded(), number, arena, float))
        })
    }

    /// Parameters and states, without those of an optimizer; every mistake of the file is reported in one go.
    fn read_model(&self, reader: &Reader) -> Result<(Memory, Vec<Option<Array>>)> {
        let mut mistakes = Vec::new();
        let found = self.read_values(reader, &str::to_string, &mut mistakes)?;
        let known = || {
            let parameters = self.net().parameters.iter().map(|p| p.name.as_str());
            parameters.chain(self.net().states.iter().map(|s| s.name.as_str()))
        };
        for found in reader.keys() {
            if known().any(|k| k == found) || found.starts_with(training::OPTIMIZER) {
                continue;
            }
            let meant = did_you_mean(&found, known()).map_or_else(String::new, |m| format!("; did you mean `{m}`?"));
            mistakes.push(format!("`{found}`: not a parameter of {}{meant}", self.name()));
        }
        self.unless_wrong(reader, mistakes).map(|()| found)
    }

    /// Parameters and states that stand under these keys.
    fn read_values(
        &self,
        reader: &Reader,
        key: &dyn Fn(&str) -> String,
        mistakes: &mut Vec<String>,
    ) -> Result<(Memory, Vec<Option<Array>>)> {
        let mut arena = self.loaded().model_memory()?;
        self.read_into(&mut arena, reader, None, key, mistakes)?;
        let states = self.net().states.iter().map(|state| {
            let run_time = state.ty.shape.iter().any(|s| s.as_const().is_none());
            let key = key(&state.name);
            let read = match reader.shape(&key) {
                // It had no value when the file was written.
                None if run_time => return Ok(None),
                None if is_counter(state) => return Array::try_zeros_of(state.ty.dtype, &[]).map(Some),
                shape => reader.array(&key, shape.filter(|shape| may_have(state, shape)), &state.ty),
            };
            read.map(Some).or_else(|fault| fault.note(mistakes).map(|()| None))
        });
        let states = states.collect::<Result<Vec<_>>>()?;
        Ok((arena, states))
    }

    /// A flat arena from the tensors with these keys, of the parameters' type if none is said.
    fn read_arena(
        &self,
        reader: &Reader,
        dtype: Option<DType>,
        key: &dyn Fn(&str) -> String,
        mistakes: &mut Vec<String>,
    ) -> Result<Memory> {
        let mut arena = self.loaded().arena_of(dtype)?;
        self.read_into(&mut arena, reader, dtype, key, mistakes)?;
        Ok(arena)
    }

    /// The same into memory that is there.
    fn read_into(
        &self,
        arena: &mut Memory,
        reader: &Reader,
        dtype: Option<DType>,
        key: &dyn Fn(&str) -> String,
        mistakes: &mut Vec<String>,
    ) -> Result<()> {
        let float = self.loaded().float_of(dtype);
        for (number, parameter) in self.net().parameters.iter().enumerate() {
            let read = with_float!(float, T => {
                let laid_out = &mut arena.slice_mut::<T>()[self.loaded().range(number)];
                reader.floats::<T>(&key(&parameter.name), &shape_of(parameter), |at, plain| {
                    layout::pack(self.net(), number, at, plain, laid_out);
                })
            });
            read.or_else(|fault| fault.note(mistakes))?;
        }
        Ok(())
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

/// Whether it counts batches for nobody: files from before PyTorch 0.4.1, and many converted ones, are without it, and PyTorch loads them.
fn is_counter(state: &State) -> bool {
    state.name.ends_with(".num_batches_tracked") && state.ty.rank() == 0
}
