//! How the learning rate changes from step to step: PyTorch's schedules, as factors of the learning rate.
//!
//! | PyTorch's | here |
//! |---|---|
//! | `ConstantLR`, `LinearLR`, `PolynomialLR` | [`ConstantLr`], [`LinearLr`], [`PolynomialLr`] |
//! | `StepLR`, `MultiStepLR`, `ExponentialLR` | [`StepLr`], [`MultiStepLr`], [`ExponentialLr`] |
//! | `CosineAnnealingLR`, `CosineAnnealingWarmRestarts` | [`Cosine`], [`CosineAnnealingWarmRestarts`] |
//! | `OneCycleLR`, `CyclicLR` | [`OneCycleLr`], [`CyclicLr`]: they also say the momentum |
//! | `ReduceLROnPlateau` | [`ReduceLrOnPlateau`], which [`Optimizer::metric`](super::Optimizer::metric) tells the metric |
//! | `SequentialLR`, `ChainedScheduler` | [`SequentialLr`], [`ChainedScheduler`], and [`Warmup::then`] |
//!
//! A step is an update by the optimizer: where PyTorch's scheduler is stepped once an epoch, lengths are times the steps of an epoch here.
//! Rates are parts of the optimizer's learning rate (`least`), not absolute, so that each group keeps its own.

mod cosine;
mod cyclic;
mod decay;
mod one_cycle;
mod plateau;
mod sequence;
mod warmup;

use std::fmt::Debug;

pub use cosine::{Cosine, CosineAnnealingWarmRestarts};
pub use cyclic::{Cycle, CyclicLr};
pub use decay::{ConstantLr, ExponentialLr, LinearLr, MultiStepLr, PolynomialLr, StepLr};
pub use one_cycle::{Anneal, OneCycleLr};
pub use plateau::{Mode, ReduceLrOnPlateau, Threshold};
pub use sequence::{ChainedScheduler, SequentialLr};
pub use warmup::{Then, Warmup};

use super::Settings;
use crate::error::Result;

/// A factor of the learning rate for each step.
///
/// Its `Debug` text is its settings, by which training checkpoints know whether it is the same one.
pub trait Schedule: Debug + Send + Sync {
    /// The factor for step `step`, counted from 0.
    fn factor(&self, step: u64) -> f64;

    /// The momentum (Adam's `beta1`) of step `step`, if the schedule says it.
    fn momentum(&self, _step: u64) -> Option<f64> {
        None
    }

    /// # Errors
    /// If a setting is out of its range; asked before each step.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Takes a metric before step `step`; whether it asks for any.
    fn metric(&mut self, _step: u64, _metric: f64) -> bool {
        false
    }

    /// What the metrics have made of it, always as many numbers: a training checkpoint keeps them.
    fn state(&self) -> Vec<f64> {
        vec![]
    }

    /// Takes what [`Schedule::state`] gave.
    fn restore(&mut self, _state: &[f64]) {}
}

/// Always the full learning rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Constant;

impl Schedule for Constant {
    fn factor(&self, _: u64) -> f64 {
        1.0
    }
}

/// Checks settings of one schedule.
impl Settings {
    /// In [0, 1].
    fn part(&self, setting: &'static str, value: f64) -> Result<()> {
        self.check(setting, value, "in [0, 1]", (0.0..=1.0).contains(&value))
    }

    /// A number of steps.
    fn steps(&self, setting: &'static str, value: u64) -> Result<()> {
        self.check(setting, value as f64, "at least 1", value > 0)
    }

    /// The two ends between which momentum goes.
    fn momenta(&self, base: f64, max: f64) -> Result<()> {
        self.fraction("base_momentum", base)?;
        self.fraction("max_momentum", max)
    }
}
