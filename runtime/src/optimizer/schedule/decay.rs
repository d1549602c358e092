//! Schedules of one formula.

use super::{Schedule, Settings};
use crate::error::Result;

/// Part of the learning rate for some steps, all of it afterwards (`torch.optim.lr_scheduler.ConstantLR`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConstantLr {
    factor: f64,
    total_iters: u64,
}

impl ConstantLr {
    /// `factor`, in [0, 1], for the first `total_iters` steps; PyTorch has 1 / 3 for 5.
    pub fn new(factor: f64, total_iters: u64) -> ConstantLr {
        ConstantLr { factor, total_iters }
    }
}

impl Schedule for ConstantLr {
    fn factor(&self, step: u64) -> f64 {
        if step < self.total_iters { self.factor } else { 1.0 }
    }

    fn check(&self) -> Result<()> {
        Settings("ConstantLr").part("factor", self.factor)
    }
}

/// From one part of the learning rate to another in equal steps, constant afterwards (`torch.optim.lr_scheduler.LinearLR`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearLr {
    start_factor: f64,
    end_factor: f64,
    total_iters: u64,
}

impl LinearLr {
    /// From `start_factor`, in (0, 1], to `end_factor`, in [0, 1], in `total_iters` steps; PyTorch has 1 / 3 to 1 in 5.
    pub fn new(start_factor: f64, end_factor: f64, total_iters: u64) -> LinearLr {
        LinearLr { start_factor, end_factor, total_iters }
    }
}

impl Schedule for LinearLr {
    fn factor(&self, step: u64) -> f64 {
        if step >= self.total_iters {
            return self.end_factor;
        }
        self.start_factor + (self.end_factor - self.start_factor) * step as f64 / self.total_iters as f64
    }

    fn check(&self) -> Result<()> {
        let (settings, start) = (Settings("LinearLr"), self.start_factor);
        settings.steps("total_iters", self.total_iters)?;
        settings.check("start_factor", start, "in (0, 1]", start > 0.0 && start <= 1.0)?;
        settings.part("end_factor", self.end_factor)
    }
}

/// Down to 0 along a power, (1 - t / n)ᵖ (`torch.optim.lr_scheduler.PolynomialLR`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PolynomialLr {
    total_iters: u64,
    power: f64,
}

impl PolynomialLr {
    /// In `total_iters` steps, in a straight line.
    pub fn new(total_iters: u64) -> PolynomialLr {
        PolynomialLr { total_iters, power: 1.0 }
    }

    /// Along this power; 1.
    pub fn power(mut self, power: f64) -> PolynomialLr {
        self.power = power;
        self
    }
}

impl Schedule for PolynomialLr {
    fn factor(&self, step: u64) -> f64 {
        if step >= self.total_iters {
            // 0⁰ is 1.
            return 0f64.powf(self.power);
        }
        (1.0 - step as f64 / self.total_iters as f64).powf(self.power)
    }

    fn check(&self) -> Result<()> {
        let settings = Settings("PolynomialLr");
        settings.steps("total_iters", self.total_iters)?;
        settings.not_negative("power", self.power)
    }
}

/// Times `gamma` at every step (`torch.optim.lr_scheduler.ExponentialLR`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExponentialLr {
    gamma: f64,
}

impl ExponentialLr {
    /// Times `gamma`, at least 0.
    pub fn new(gamma: f64) -> ExponentialLr {
        ExponentialLr { gamma }
    }
}

impl Schedule for ExponentialLr {
    fn factor(&self, step: u64) -> f64 {
        self.gamma.powf(step as f64)
    }

    fn check(&self) -> Result<()> {
        Settings("ExponentialLr").not_negative("gamma", self.gamma)
    }
}

/// Times `gamma` every `step_size` steps (`torch.optim.lr_scheduler.StepLR`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepLr {
    step_size: u64,
    gamma: f64,
}

impl StepLr {
    /// A tenth every `step_size` steps.
    pub fn new(step_size: u64) -> StepLr {
        StepLr { step_size, gamma: 0.1 }
    }

    /// Times `gamma`, at least 0; 0.1.
    pub fn gamma(mut self, gamma: f64) -> StepLr {
        self.gamma = gamma;
        self
    }
}

impl Schedule for StepLr {
    fn factor(&self, step: u64) -> f64 {
        self.gamma.powf((step / self.step_size.max(1)) as f64)
    }

    fn check(&self) -> Result<()> {
        let settings = Settings("StepLr");
        settings.steps("step_size", self.step_size)?;
        settings.not_negative("gamma", self.gamma)
    }
}

/// Times `gamma` at each of some steps (`torch.optim.lr_scheduler.MultiStepLR`).
#[derive(Clone, Debug, PartialEq)]
pub struct MultiStepLr {
    /// Ascending.
    milestones: Vec<u64>,
    gamma: f64,
}

impl MultiStepLr {
    /// A tenth from each of these steps on; one that is there twice counts twice.
    pub fn new(milestones: impl IntoIterator<Item = u64>) -> MultiStepLr {
        let mut milestones: Vec<_> = milestones.into_iter().collect();
        milestones.sort_unstable();
        MultiStepLr { milestones, gamma: 0.1 }
    }

    /// Times `gamma`, at least 0; 0.1.
    pub fn gamma(mut self, gamma: f64) -> MultiStepLr {
        self.gamma = gamma;
        self
    }
}

impl Schedule for MultiStepLr {
    fn factor(&self, step: u64) -> f64 {
        self.gamma.powf(self.milestones.partition_point(|&milestone| milestone <= step) as f64)
    }

    fn check(&self) -> Result<()> {
        Settings("MultiStepLr").not_negative("gamma", self.gamma)
    }
}
