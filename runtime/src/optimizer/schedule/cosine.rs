//! Half a cosine, once or again and again.

use std::f64::consts::PI;

use super::{Schedule, Settings, Warmup};
use crate::error::Result;

/// From the full learning rate to a least one along half a cosine, constant afterwards (`CosineAnnealingLR`'s closed form).
///
/// ```
/// use castnet_runtime::{Cosine, Schedule};
///
/// let cosine = Cosine::new(1000).warmup(100);
/// assert_eq!(cosine.factor(0), 0.01);       // the first of 100 steps of warm-up
/// assert_eq!(cosine.factor(100), 1.0);
/// assert!((cosine.factor(550) - 0.5).abs() < 1e-12);
/// assert_eq!(cosine.factor(2000), 0.0);
/// ```
#[doc(alias = "CosineAnnealingLR")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cosine {
    steps: u64,
    warmup: u64,
    least: f64,
}

impl Cosine {
    /// Over `steps` steps (`T_max`), down to 0.
    pub fn new(steps: u64) -> Cosine {
        Cosine { steps, warmup: 0, least: 0.0 }
    }

    /// Down to `least` times the learning rate instead of 0 (`eta_min`).
    pub fn least(mut self, least: f64) -> Cosine {
        self.least = least;
        self
    }

    /// The first `steps` steps (of those given to [`Cosine::new`]) rise to the full learning rate instead, as [`Warmup`] does.
    pub fn warmup(mut self, steps: u64) -> Cosine {
        self.warmup = steps;
        self
    }
}

impl Schedule for Cosine {
    fn factor(&self, step: u64) -> f64 {
        if step < self.warmup {
            return Warmup::new(self.warmup).factor(step);
        }
        let (step, steps) = (step - self.warmup, self.steps.saturating_sub(self.warmup));
        if step >= steps { self.least } else { half(self.least, step, steps) }
    }

    fn check(&self) -> Result<()> {
        Settings("Cosine").not_negative("least", self.least)
    }
}

/// From 1 at step 0 to `least` after `steps` steps.
fn half(least: f64, step: u64, steps: u64) -> f64 {
    let angle = PI * step as f64 / steps as f64;
    least + (1.0 - least) * (1.0 + angle.cos()) / 2.0
}

/// Half a cosine again and again, each time with the full learning rate first
/// (`torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`, stepped without an epoch).
///
/// ```
/// use castnet_runtime::Schedule;
/// use castnet_runtime::optimizer::CosineAnnealingWarmRestarts;
///
/// let cosine = CosineAnnealingWarmRestarts::new(10).t_mult(2);   // restarts at steps 10, 30, 70 …
/// assert_eq!([0, 5, 10, 20, 30].map(|step| (10.0 * cosine.factor(step)).round()), [10.0, 5.0, 10.0, 5.0, 10.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineAnnealingWarmRestarts {
    t_0: u64,
    t_mult: u64,
    least: f64,
}

impl CosineAnnealingWarmRestarts {
    /// The first one over `t_0` steps, and all others too, down to 0.
    pub fn new(t_0: u64) -> CosineAnnealingWarmRestarts {
        CosineAnnealingWarmRestarts { t_0, t_mult: 1, least: 0.0 }
    }

    /// Each one is so many times as long as the one before it; 1.
    pub fn t_mult(mut self, t_mult: u64) -> CosineAnnealingWarmRestarts {
        self.t_mult = t_mult;
        self
    }

    /// Down to `least` times the learning rate instead of 0 (`eta_min`).
    pub fn least(mut self, least: f64) -> CosineAnnealingWarmRestarts {
        self.least = least;
        self
    }
}

impl Schedule for CosineAnnealingWarmRestarts {
    fn factor(&self, step: u64) -> f64 {
        let (mut step, mut steps) = (step, self.t_0.max(1));
        if self.t_mult <= 1 {
            step %= steps;
        }
        while step >= steps {
            step -= steps;
            steps = steps.saturating_mul(self.t_mult);
        }
        half(self.least, step, steps)
    }

    fn check(&self) -> Result<()> {
        let settings = Settings("CosineAnnealingWarmRestarts");
        settings.steps("t_0", self.t_0)?;
        settings.steps("t_mult", self.t_mult)?;
        settings.not_negative("least", self.least)
    }
}
