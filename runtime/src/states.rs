//! The states of a model: tensors that its functions assign, saved with the parameters.

use std::sync::Arc;

use castnet_program::net::State;
use castnet_program::types::DType;

use crate::array::Array;
use crate::copy_on_write::TryCopy;
use crate::error::Result;
use crate::init;
use crate::net::Loaded;

/// The states of a model.
pub(crate) struct States {
    loaded: Arc<Loaded>,
    seed: u64,
    /// One a state; `None`: it starts when its run-time sizes are known.
    pub(crate) values: Vec<Option<Array>>,
}

impl States {
    /// First values, but for states with run-time sizes.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub(crate) fn new(loaded: &Arc<Loaded>, seed: u64) -> Result<States> {
        let fixed = |number: usize| {
            let shape = loaded.net.states[number].ty.shape.iter().map(|s| s.as_const().map(|s| s as usize));
            let shape = shape.collect::<Option<Vec<_>>>();
            shape.map(|shape| init::state(&loaded.net, number, seed, &shape)).transpose()
        };
        let values = (0..loaded.net.states.len()).map(fixed).collect::<Result<_>>()?;
        Ok(States { loaded: loaded.clone(), seed, values })
    }

    /// Copies a state that shall have this shape. One of another size starts anew: then the array that it will lie in is returned.
    ///
    /// # Errors
    /// If there is no memory for that.
    pub(crate) fn read(&self, state: usize, shape: &[usize], to: &mut [u8]) -> Result<Option<Array>> {
        if let Some(known) = self.values[state].as_ref().filter(|v| v.shape() == shape) {
            to.copy_from_slice(known.bytes());
            return Ok(None);
        }
        let first = init::state(&self.loaded.net, state, self.seed, shape)?;
        to.copy_from_slice(first.bytes());
        Ok(Some(first))
    }

    /// Assigns a state; `new`: what [`States::read`] returned.
    pub(crate) fn write(&mut self, state: usize, new: Option<Array>, from: &[u8]) {
        if new.is_some() {
            self.values[state] = new;
        }
        if let Some(value) = &mut self.values[state] {
            value.bytes_mut().copy_from_slice(from);
            if value.dtype() == DType::Bool {
                // A program that nobody vouches for may have left any bytes there.
                value.bytes_mut().iter_mut().for_each(|byte| *byte &= 1);
            }
        }
    }

    /// Each state that has a value.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&State, &Array)> {
        self.loaded.net.states.iter().zip(&self.values).filter_map(|(state, value)| Some((state, value.as_ref()?)))
    }

    /// The states that have a value in both.
    pub(crate) fn pairs<'a>(&'a mut self, other: &'a States) -> impl Iterator<Item = (&'a mut Array, &'a Array)> {
        self.values.iter_mut().zip(&other.values).filter_map(|(own, theirs)| Some((own.as_mut()?, theirs.as_ref()?)))
    }

    /// What a checkpoint holds; a state that it does not hold starts anew.
    pub(crate) fn restored(loaded: &Arc<Loaded>, seed: u64, values: Vec<Option<Array>>) -> States {
        States { loaded: loaded.clone(), seed, values }
    }
}

/// Whether a state may have this shape: run-time sizes are open.
pub(crate) fn may_have(state: &State, shape: &[usize]) -> bool {
    let fits = |(declared, found): (&castnet_program::size::Size, &usize)| {
        declared.as_const().is_none_or(|size| size == *found as i64)
    };
    state.ty.rank() == shape.len() && state.ty.shape.iter().zip(shape).all(fits)
}

impl TryCopy for States {
    fn try_copy(&self, _: &str) -> Result<States> {
        let values = self.values.iter().map(|value| value.as_ref().map(Array::copied).transpose());
        Ok(States { loaded: self.loaded.clone(), seed: self.seed, values: values.collect::<Result<_>>()? })
    }
}
