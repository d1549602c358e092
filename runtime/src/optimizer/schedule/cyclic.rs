//! Up and down, again and again.

use super::{Schedule, Settings};
use crate::error::Result;

/// How the tops of [`CyclicLr`] go on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cycle {
    /// All are as high.
    Triangular,
    /// Each is half as high as the one before it.
    Triangular2,
    /// Times this number to the power of the step, at most 1.
    ExpRange(f64),
}

/// From the lowest learning rate to the highest and back in straight lines, again and again, while the momentum goes the other way
/// (`torch.optim.lr_scheduler.CyclicLR`). The optimizer's learning rate is the highest one (`max_lr`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CyclicLr {
    least: f64,
    step_size_up: u64,
    step_size_down: u64,
    mode: Cycle,
    cycle_momentum: bool,
    base_momentum: f64,
    max_momentum: f64,
}

impl CyclicLr {
    /// From `least` times the learning rate (`base_lr`) to all of it in `step_size_up` steps, and back in as many.
    pub fn new(least: f64, step_size_up: u64) -> CyclicLr {
        CyclicLr {
            least,
            step_size_up,
            step_size_down: step_size_up,
            mode: Cycle::Triangular,
            cycle_momentum: true,
            base_momentum: 0.8,
            max_momentum: 0.9,
        }
    }

    /// Back in so many steps; as many as it rises.
    pub fn step_size_down(mut self, steps: u64) -> CyclicLr {
        self.step_size_down = steps;
        self
    }

    /// How the tops go on; [`Cycle::Triangular`].
    pub fn mode(mut self, mode: Cycle) -> CyclicLr {
        self.mode = mode;
        self
    }

    /// The momentum at the highest learning rate; 0.8.
    pub fn base_momentum(mut self, momentum: f64) -> CyclicLr {
        self.base_momentum = momentum;
        self
    }

    /// The momentum at the lowest learning rate; 0.9.
    pub fn max_momentum(mut self, momentum: f64) -> CyclicLr {
        self.max_momentum = momentum;
        self
    }

    /// Whether the momentum changes, which is the optimizer's own otherwise; yes.
    pub fn cycle_momentum(mut self, cycle: bool) -> CyclicLr {
        self.cycle_momentum = cycle;
        self
    }

    /// How high it is, from 0 to 1.
    fn height(&self, step: u64) -> f64 {
        let (up, down) = (self.step_size_up.max(1) as f64, self.step_size_down as f64);
        let (rise, at) = (up / (up + down), step as f64 / (up + down));
        let cycle = at.floor();
        let part = at - cycle;
        let height = if part <= rise { part / rise } else { (part - 1.0) / (rise - 1.0) };
        height
            * match self.mode {
                Cycle::Triangular => 1.0,
                Cycle::Triangular2 => 0.5f64.powf(cycle),
                Cycle::ExpRange(gamma) => gamma.powf(step as f64),
            }
    }
}

impl Schedule for CyclicLr {
    fn factor(&self, step: u64) -> f64 {
        self.least + (1.0 - self.least) * self.height(step)
    }

    fn momentum(&self, step: u64) -> Option<f64> {
        let [base, max] = [self.base_momentum, self.max_momentum];
        self.cycle_momentum.then(|| max - (max - base) * self.height(step))
    }

    fn check(&self) -> Result<()> {
        let settings = Settings("CyclicLr");
        settings.part("least", self.least)?;
        settings.steps("step_size_up", self.step_size_up)?;
        settings.steps("step_size_down", self.step_size_down)?;
        if let Cycle::ExpRange(gamma) = self.mode {
            settings.part("gamma", gamma)?;
        }
        settings.momenta(self.base_momentum, self.max_momentum)
    }
}
