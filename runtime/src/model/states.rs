//! Reading and writing states.

use castnet_kernels::update::Real;

use super::Model;
use crate::array::Array;
use crate::copy_on_write::{CopyOnWrite, Owned};
use crate::error::{Error, Result};
use crate::float::{self, FloatType, with_float};
use crate::states::{States, may_have};

impl Model {
    /// A copy of a state, such as `bn1.running_mean`; `None` if it has run-time sizes and no call has told them yet.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn state(&self, name: &str) -> Result<Option<Array>> {
        self.states.values[self.loaded.state(name)?].as_ref().map(Array::copied).transpose()
    }

    /// Sets a state. One with run-time sizes keeps the value until a call brings other sizes.
    ///
    /// # Errors
    /// If there is none of this name, or type or shape differ.
    pub fn set_state(&mut self, name: &str, value: &Array) -> Result<()> {
        let number = self.loaded.state(name)?;
        let state = &self.loaded.net.states[number];
        if value.dtype() != state.ty.dtype || !may_have(state, value.shape()) {
            return Err(Error::StateShape {
                net: self.loaded.net.name.clone(),
                name: name.to_string(),
                expected: state.ty.to_string(),
                found: value.describe(),
            });
        }
        let value = value.copied()?;
        self.states.own(&self.loaded.net.name)?.values[number] = Some(value);
        Ok(())
    }

    /// Gives all states their first values again.
    ///
    /// # Panics
    /// If there is no memory for as many bytes as they took just before.
    pub fn reset_states(&mut self) {
        // The old ones go first.
        self.states = CopyOnWrite::new(States::restored(&self.loaded, self.seed, vec![]));
        let states = States::new(&self.loaded, self.seed).unwrap_or_else(|error| panic!("{error}"));
        self.states = CopyOnWrite::new(states);
    }

    /// Takes over the states of another model of the same network.
    ///
    /// # Errors
    /// If there is no memory for them; nothing has changed then.
    pub(super) fn copy_states(&mut self, other: &Model) -> Result<()> {
        let mut states = self.room_for(other)?;
        for (own, theirs) in states.pairs(&other.states) {
            own.bytes_mut().copy_from_slice(theirs.bytes());
        }
        Ok(())
    }

    /// Moves states of floats a part of the way to those of another model of the same network: `x + t · (y - x)`; others are taken over.
    ///
    /// # Errors
    /// As [`Model::copy_states`].
    pub(super) fn lerp_states(&mut self, other: &Model, t: f64) -> Result<()> {
        let mut states = self.room_for(other)?;
        for (own, theirs) in states.pairs(&other.states) {
            match FloatType::of(own.dtype()) {
                Some(float) => with_float!(float, T => {
                    float::lerp(own.as_mut_slice::<T>()?, theirs.as_slice()?, Real::of(t));
                }),
                None => own.bytes_mut().copy_from_slice(theirs.bytes()),
            }
        }
        Ok(())
    }

    /// Takes over states that have no value or other sizes here. What has its room is not allocated once more.
    fn room_for(&mut self, other: &Model) -> Result<Owned<'_, States>> {
        let mut states = self.states.own(&self.loaded.net.name)?;
        let pairs = states.values.iter().zip(&other.states.values).enumerate();
        let new = pairs.filter_map(|(number, (own, theirs))| match (own, theirs) {
            (None, None) => None,
            (Some(own), Some(theirs)) if own.shape() == theirs.shape() => None,
            (_, theirs) => Some(theirs.as_ref().map(Array::copied).transpose().map(|value| (number, value))),
        });
        for (number, value) in new.collect::<Result<Vec<_>>>()? {
            states.values[number] = value;
        }
        Ok(states)
    }
}
