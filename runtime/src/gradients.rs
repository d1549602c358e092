//! Gradients apart from a step: to be read, summed, clipped, and then applied.

use std::fmt;
use std::sync::Arc;

use castnet_kernels::isa::Isa;
use castnet_kernels::update::Real;

use crate::array::Array;
use crate::error::Result;
use crate::float::{self, Float, with_float};
use crate::layout;
use crate::memory::Memory;
use crate::net::Loaded;
use crate::pieces::{self, Piece};

/// A gradient for each parameter of a net; those that no call has reached are 0 and are not applied.
pub struct Gradients {
    pub(crate) loaded: Arc<Loaded>,
    pub(crate) arena: Memory,
    /// A mark for each parameter that a call has reached.
    reached: Vec<bool>,
    overflowed: bool,
}

impl Gradients {
    /// All 0, nothing reached.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub(crate) fn new(loaded: &Arc<Loaded>) -> Result<Gradients> {
        let reached = vec![false; loaded.net.parameters.len()];
        Ok(Gradients { loaded: loaded.clone(), arena: loaded.arena()?, reached, overflowed: false })
    }

    /// Notes what a call has reached.
    pub(crate) fn reach(&mut self, parameters: &[usize]) {
        parameters.iter().for_each(|&p| self.reached[p] = true);
    }

    /// The numbers of the parameters that were reached.
    pub(crate) fn reached(&self) -> Vec<usize> {
        self.reached_ones().collect()
    }

    /// The same one by one.
    pub(crate) fn reached_ones(&self) -> impl Iterator<Item = usize> {
        (0..self.reached.len()).filter(|&p| self.reached[p])
    }

    /// Whether these parameters were reached, and no others.
    pub(crate) fn is_reached(&self, parameters: &[usize]) -> bool {
        let count = self.reached.iter().filter(|r| **r).count();
        count == parameters.len() && parameters.iter().all(|&p| self.reached[p])
    }

    /// All 0 again, nothing reached.
    pub(crate) fn clear(&mut self) {
        self.arena.slice_mut::<u8>().fill(0);
        self.reached.fill(false);
        self.overflowed = false;
    }

    pub(crate) fn overflow(&mut self, overflowed: bool) {
        self.overflowed |= overflowed;
    }

    /// Whether gradients among them were too large for f16 under their loss scale, in mixed precision: they are not finite. `apply` leaves such ones out, and
    /// the next call has a smaller scale.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// The elements that were reached, cut into pieces.
    pub(crate) fn pieces(&self) -> Vec<Piece> {
        pieces::pieces(&self.loaded, &self.reached())
    }

    /// Adds these parameters' gradients in an arena that lies as this one does.
    pub(crate) fn add(&mut self, other: &Memory, parameters: &[usize]) {
        with_float!(self.loaded.float, T => {
            let (sum, other) = (self.arena.slice_mut::<T>(), other.slice::<T>());
            for range in parameters.iter().map(|&parameter| self.loaded.range(parameter)) {
                float::add(&mut sum[range.clone()], &other[range]);
            }
        });
    }

    /// The gradient of one parameter, in PyTorch's shape: a copy.
    ///
    /// # Errors
    /// If the net has no parameter of this name, or there is no memory for a copy.
    pub fn parameter(&self, name: &str) -> Result<Array> {
        let number = self.loaded.parameter(name)?;
        layout::unpacked(&self.loaded, number, &self.arena)
    }

    /// The names of the parameters that were reached, in the net's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.loaded.net.parameters.iter().zip(&self.reached).filter(|(_, r)| **r).map(|(p, _)| p.name.as_str())
    }

    /// The Euclidean norm of all gradients together.
    pub fn norm(&self) -> f32 {
        self.norm_f64() as f32
    }

    fn norm_f64(&self) -> f64 {
        let sum = with_float!(self.loaded.float, T => {
            let all = self.arena.slice::<T>();
            let sum = |p: &Piece| T::sum_of_squares(Isa::detect(), &all[p.start..p.start + p.len]);
            self.pieces().iter().map(sum).sum::<f64>()
        });
        sum.sqrt()
    }

    /// Multiplies all gradients by `factor`.
    pub fn scale(&mut self, factor: f32) {
        self.scale_f64(factor.into());
    }

    fn scale_f64(&mut self, factor: f64) {
        with_float!(self.loaded.float, T => float::scale(self.arena.slice_mut::<T>(), Real::of(factor)));
    }

    /// Clips each element of all gradients to -`max_value` to `max_value` (`torch.nn.utils.clip_grad_value_`); NaN stays.
    ///
    /// A `max_value` that is not above 0 makes all gradients 0.
    pub fn clip_value(&mut self, max_value: f32) {
        let bound = f64::from(max_value.max(0.0));
        with_float!(self.loaded.float, T => {
            let bound = Real::of(bound);
            self.arena.slice_mut::<T>().iter_mut().for_each(|gradient| *gradient = float::clamped(*gradient, bound));
        });
    }

    /// Scales all gradients together so that their norm is at most `max_norm` (`torch.nn.utils.clip_grad_norm_`); returns what it was.
    ///
    /// A `max_norm` that is not above 0 makes all gradients 0.
    pub fn clip_norm(&mut self, max_norm: f32) -> f32 {
        let norm = self.norm_f64();
        // `max` also makes 0 of NaN.
        let factor = clip_factor(norm, max_norm.max(0.0));
        if factor != 1.0 {
            self.scale_f64(factor);
        }
        norm as f32
    }
}

/// By what gradients of this norm are multiplied (`torch.nn.utils.clip_grad_norm_`).
pub(crate) fn clip_factor(norm: f64, max_norm: f32) -> f64 {
    // Not `min`, which would turn a norm of NaN into a factor of 1.
    let factor = f64::from(max_norm) / (norm + 1e-6);
    if factor > 1.0 { 1.0 } else { factor }
}

impl fmt::Debug for Gradients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.reached.iter().filter(|r| **r).count();
        write!(f, "Gradients({} parameters of {}, norm {})", count, self.loaded.net.name, self.norm())
    }
}
