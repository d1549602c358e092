//! One rise and one fall over the whole of training.

use std::f64::consts::PI;

use super::{Schedule, Settings};
use crate::error::Result;

/// How [`OneCycleLr`] goes from one rate to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anneal {
    /// Along half a cosine.
    Cos,
    /// In a straight line.
    Linear,
}

/// From a part of the learning rate up to all of it, then down to next to nothing, while the momentum goes down and up again
/// (`torch.optim.lr_scheduler.OneCycleLR`); constant afterwards. The optimizer's learning rate is the highest one (`max_lr`).
///
/// ```
/// use castnet_runtime::{Schedule, Sgd, optimizer::OneCycleLr};
///
/// let cycle = OneCycleLr::new(1000).pct_start(0.25);
/// assert!((cycle.factor(0) - 1.0 / 25.0).abs() < 1e-12 && cycle.momentum(0) == Some(0.95));
/// assert_eq!((cycle.factor(249), cycle.momentum(249)), (1.0, Some(0.85)));
/// let sgd = Sgd::new(0.1).momentum(0.9).schedule(cycle);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneCycleLr {
    total_steps: u64,
    pct_start: f64,
    anneal: Anneal,
    cycle_momentum: bool,
    base_momentum: f64,
    max_momentum: f64,
    div_factor: f64,
    final_div_factor: f64,
    three_phase: bool,
}

impl OneCycleLr {
    /// Over `total_steps` steps.
    pub fn new(total_steps: u64) -> OneCycleLr {
        OneCycleLr {
            total_steps,
            pct_start: 0.3,
            anneal: Anneal::Cos,
            cycle_momentum: true,
            base_momentum: 0.85,
            max_momentum: 0.95,
            div_factor: 25.0,
            final_div_factor: 1e4,
            three_phase: false,
        }
    }

    /// The part of the steps that rise, in [0, 1]; 0.3.
    pub fn pct_start(mut self, pct_start: f64) -> OneCycleLr {
        self.pct_start = pct_start;
        self
    }

    /// How it goes up and down; [`Anneal::Cos`].
    pub fn anneal_strategy(mut self, anneal: Anneal) -> OneCycleLr {
        self.anneal = anneal;
        self
    }

    /// The momentum at the highest learning rate; 0.85.
    pub fn base_momentum(mut self, momentum: f64) -> OneCycleLr {
        self.base_momentum = momentum;
        self
    }

    /// The momentum at the lowest learning rate; 0.95.
    pub fn max_momentum(mut self, momentum: f64) -> OneCycleLr {
        self.max_momentum = momentum;
        self
    }

    /// Whether the momentum changes, which is the optimizer's own otherwise; yes.
    pub fn cycle_momentum(mut self, cycle: bool) -> OneCycleLr {
        self.cycle_momentum = cycle;
        self
    }

    /// The first learning rate is the highest by this; 25.
    pub fn div_factor(mut self, div_factor: f64) -> OneCycleLr {
        self.div_factor = div_factor;
        self
    }

    /// The last learning rate is the first by this; 10 000.
    pub fn final_div_factor(mut self, final_div_factor: f64) -> OneCycleLr {
        self.final_div_factor = final_div_factor;
        self
    }

    /// Falls as long as it rose, to the first learning rate, and only then to the last one.
    pub fn three_phase(mut self) -> OneCycleLr {
        self.three_phase = true;
        self
    }

    /// The value at a step, from values at the beginning, the top and the end.
    fn at(&self, step: u64, [first, top, last]: [f64; 3]) -> f64 {
        let total = self.total_steps.max(1) as f64;
        let (step, rise) = ((step as f64).min(total - 1.0), self.pct_start * total - 1.0);
        let second = (2.0 * self.pct_start * total - 2.0, top, first);
        let phases = [Some((rise, first, top)), self.three_phase.then_some(second)];
        let mut start = 0.0;
        for (end, from, to) in phases.into_iter().flatten() {
            if step <= end {
                return self.between(from, to, (step - start) / (end - start));
            }
            start = end;
        }
        let from = if self.three_phase { first } else { top };
        self.between(from, last, (step - start) / (total - 1.0 - start))
    }

    fn between(&self, from: f64, to: f64, part: f64) -> f64 {
        // A phase of no length ends where it starts.
        let part = if part.is_nan() { 0.0 } else { part };
        match self.anneal {
            Anneal::Cos => to + (from - to) / 2.0 * (1.0 + (PI * part).cos()),
            Anneal::Linear => from + (to - from) * part,
        }
    }
}

impl Schedule for OneCycleLr {
    fn factor(&self, step: u64) -> f64 {
        let first = 1.0 / self.div_factor;
        self.at(step, [first, 1.0, first / self.final_div_factor])
    }

    fn momentum(&self, step: u64) -> Option<f64> {
        let [base, max] = [self.base_momentum, self.max_momentum];
        self.cycle_momentum.then(|| self.at(step, [max, base, max]))
    }

    fn check(&self) -> Result<()> {
        let settings = Settings("OneCycleLr");
        settings.steps("total_steps", self.total_steps)?;
        settings.part("pct_start", self.pct_start)?;
        settings.momenta(self.base_momentum, self.max_momentum)?;
        settings.above_0("div_factor", self.div_factor)?;
        settings.above_0("final_div_factor", self.final_div_factor)
    }
}

impl Settings {
    fn above_0(&self, setting: &'static str, value: f64) -> Result<()> {
        self.check(setting, value, "a finite number above 0", value > 0.0 && value.is_finite())
    }
}
