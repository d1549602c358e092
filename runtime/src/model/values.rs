//! Reading and writing parameters.

use super::Model;
use crate::array::Array;
use crate::error::{Error, Result, type_text};
use crate::float::{self, with_float};
use crate::layout;
use crate::mirrors;
use castnet_kernels::update::Real;

impl Model {
    /// Names and shapes (PyTorch's) of all parameters, in the order of the layers.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, Vec<usize>)> {
        self.net().parameters.iter().map(|p| (p.name.as_str(), p.shape.iter().map(|&s| s as usize).collect()))
    }

    /// A copy of a parameter, in PyTorch's shape.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn parameter(&self, name: &str) -> Result<Array> {
        let number = self.loaded.parameter(name)?;
        self.parameter_number(number)
    }

    pub(crate) fn parameter_number(&self, number: usize) -> Result<Array> {
        layout::unpacked(&self.loaded, number, &self.parameters)
    }

    /// Sets a parameter from an array of the net's float type in PyTorch's shape.
    ///
    /// # Errors
    /// If there is none of this name, or type or shape differ.
    pub fn set_parameter(&mut self, name: &str, value: &Array) -> Result<()> {
        let number = self.loaded.parameter(name)?;
        let (parameter, float) = (&self.loaded.net.parameters[number], self.loaded.net.float);
        let shape = layout::shape_of(parameter);
        if value.dtype() != float || value.shape() != shape {
            return Err(Error::ParameterShape {
                net: self.loaded.net.name.clone(),
                name: name.to_string(),
                expected: type_text(float, &shape),
                found: value.describe(),
            });
        }
        let mut parameters = self.parameters.own(&self.loaded.net.name)?;
        with_float!(self.loaded.float, T => {
            let laid_out = &mut parameters.slice_mut::<T>()[self.loaded.range(number)];
            layout::pack(&self.loaded.net, number, 0, value.as_slice()?, laid_out);
        });
        mirrors::refresh(&self.loaded, &mut parameters, number);
        Ok(())
    }

    /// Takes over all parameters and states of another model of the same network.
    ///
    /// # Errors
    /// If the networks differ, the other one is torn, or there is no memory for a state; nothing has changed then.
    pub fn copy_from(&mut self, other: &Model) -> Result<()> {
        self.same_net("copy_from", other)?;
        other.is_whole()?;
        // Memory first: an `Err` changes nothing.
        self.parameters.own(&self.loaded.net.name)?;
        self.copy_states(other)?;
        self.parameters.own(&self.loaded.net.name)?.slice_mut::<u8>().copy_from_slice(other.parameters.slice());
        self.torn = None;
        Ok(())
    }

    /// Moves all parameters a part of the way to those of another model: `p + t · (q - p)`. States are copied: running statistics are
    /// averages already.
    ///
    /// # Errors
    /// If the networks differ, `t` is not finite, or there is no memory for a state; nothing has changed then.
    pub fn lerp(&mut self, other: &Model, t: f32) -> Result<()> {
        self.same_net("lerp", other)?;
        self.is_whole().and(other.is_whole())?;
        if !t.is_finite() {
            let allowed = "a finite number";
            return Err(Error::Setting { optimizer: "lerp", setting: "t", value: t.into(), allowed });
        }
        self.parameters.own(&self.loaded.net.name)?;
        self.copy_states(other)?;
        self.lerp_parameters(other, t.into())
    }

    /// As [`Model::lerp`], with states of floats moved as far if `states` says so.
    pub(crate) fn average(&mut self, other: &Model, t: f64, states: bool) -> Result<()> {
        self.same_net("Ema", other)?;
        self.is_whole().and(other.is_whole())?;
        self.parameters.own(&self.loaded.net.name)?;
        match states {
            true => self.lerp_states(other, t)?,
            false => self.copy_states(other)?,
        }
        self.lerp_parameters(other, t)
    }

    /// Of another model of the same network.
    fn lerp_parameters(&mut self, other: &Model, t: f64) -> Result<()> {
        let mut parameters = self.parameters.own(&self.loaded.net.name)?;
        with_float!(self.loaded.float, T => {
            let elements = self.loaded.bytes() / self.loaded.float.bytes();
            let own = &mut parameters.slice_mut::<T>()[..elements];
            float::lerp(own, other.parameters.slice(), Real::of(t));
        });
        mirrors::refresh_all(&self.loaded, &mut parameters);
        Ok(())
    }

    fn same_net(&self, what: &'static str, other: &Model) -> Result<()> {
        let equal = std::sync::Arc::ptr_eq(&self.loaded, &other.loaded)
            || self.loaded.lies_alike(&other.loaded)
                && self.net().states == other.net().states
                && self.name() == other.name();
        match equal {
            true => Ok(()),
            false => Err(Error::DifferentNets { what, left: self.name().into(), right: other.name().into() }),
        }
    }
}
