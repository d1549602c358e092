//! A fall whenever a metric no longer gets better.

use std::fmt;

use super::{Schedule, Settings};
use crate::error::Result;

/// Which metric is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The smaller one: a loss.
    Min,
    /// The larger one: an accuracy.
    Max,
}

/// By how much a metric must be better to count as better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// By this part of the best one.
    Rel(f64),
    /// By this much.
    Abs(f64),
}

/// Falls by a factor whenever a metric has not got better for a while (`torch.optim.lr_scheduler.ReduceLROnPlateau`).
///
/// [`Optimizer::metric`](crate::Optimizer::metric) tells it the metric, once an epoch, say:
///
/// ```
/// use castnet_runtime::optimizer::{Mode, Optimizer, ReduceLrOnPlateau};
/// use castnet_runtime::Sgd;
///
/// let mut sgd = Sgd::new(0.1).schedule(ReduceLrOnPlateau::new(Mode::Min).factor(0.5).patience(0));
/// sgd.metric(1.0)?;
/// sgd.metric(1.5)?;                          // no better than before
/// assert_eq!(sgd.lr(), 0.05);
/// # Ok::<(), castnet_runtime::Error>(())
/// ```
///
/// The best metric, the number of those since and how far it has fallen are part of a training checkpoint.
#[derive(Clone, Copy, PartialEq)]
pub struct ReduceLrOnPlateau {
    settings: Plateau,
    /// How far it has fallen.
    fallen: f64,
    best: f64,
    bad: u64,
    cooldown_left: u64,
}

#[derive(Clone, Copy, PartialEq)]
struct Plateau {
    mode: Mode,
    factor: f64,
    patience: u64,
    threshold: Threshold,
    cooldown: u64,
    least: f64,
    eps: f64,
}

impl ReduceLrOnPlateau {
    /// A tenth after 10 metrics that are not better by a ten-thousandth.
    pub fn new(mode: Mode) -> ReduceLrOnPlateau {
        let settings = Plateau {
            mode,
            factor: 0.1,
            patience: 10,
            threshold: Threshold::Rel(1e-4),
            cooldown: 0,
            least: 0.0,
            eps: 1e-8,
        };
        let best = match mode {
            Mode::Min => f64::INFINITY,
            Mode::Max => f64::NEG_INFINITY,
        };
        ReduceLrOnPlateau { settings, fallen: 1.0, best, bad: 0, cooldown_left: 0 }
    }

    /// Times this, in [0, 1); 0.1.
    pub fn factor(mut self, factor: f64) -> ReduceLrOnPlateau {
        self.settings.factor = factor;
        self
    }

    /// After more than so many metrics that are no better; 10.
    pub fn patience(mut self, patience: u64) -> ReduceLrOnPlateau {
        self.settings.patience = patience;
        self
    }

    /// What counts as better; [`Threshold::Rel`] by 1e-4.
    pub fn threshold(mut self, threshold: Threshold) -> ReduceLrOnPlateau {
        self.settings.threshold = threshold;
        self
    }

    /// So many metrics after a fall do not count; 0.
    pub fn cooldown(mut self, cooldown: u64) -> ReduceLrOnPlateau {
        self.settings.cooldown = cooldown;
        self
    }

    /// Not below `least` times the learning rate (`min_lr`); 0.
    pub fn least(mut self, least: f64) -> ReduceLrOnPlateau {
        self.settings.least = least;
        self
    }

    /// A fall by less than this part of the learning rate does not happen; 1e-8.
    pub fn eps(mut self, eps: f64) -> ReduceLrOnPlateau {
        self.settings.eps = eps;
        self
    }

    fn is_better(&self, metric: f64) -> bool {
        let Plateau { mode, threshold, .. } = self.settings;
        match (mode, threshold) {
            (Mode::Min, Threshold::Rel(by)) => metric < self.best * (1.0 - by),
            (Mode::Min, Threshold::Abs(by)) => metric < self.best - by,
            (Mode::Max, Threshold::Rel(by)) => metric > self.best * (1.0 + by),
            (Mode::Max, Threshold::Abs(by)) => metric > self.best + by,
        }
    }
}

/// Its settings; what metrics have made of it is its state.
impl fmt::Debug for ReduceLrOnPlateau {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plateau { mode, factor, patience, threshold, cooldown, least, eps } = &self.settings;
        f.debug_struct("ReduceLrOnPlateau")
            .field("mode", mode)
            .field("factor", factor)
            .field("patience", patience)
            .field("threshold", threshold)
            .field("cooldown", cooldown)
            .field("least", least)
            .field("eps", eps)
            .finish()
    }
}

impl Schedule for ReduceLrOnPlateau {
    fn factor(&self, _: u64) -> f64 {
        self.fallen
    }

    fn check(&self) -> Result<()> {
        let settings = Settings("ReduceLrOnPlateau");
        settings.fraction("factor", self.settings.factor)?;
        let (Threshold::Rel(by) | Threshold::Abs(by)) = self.settings.threshold;
        settings.not_negative("threshold", by)?;
        settings.part("least", self.settings.least)?;
        settings.not_negative("eps", self.settings.eps)
    }

    fn metric(&mut self, _: u64, metric: f64) -> bool {
        if self.is_better(metric) {
            (self.best, self.bad) = (metric, 0);
        } else {
            self.bad += 1;
        }
        if self.cooldown_left > 0 {
            self.cooldown_left -= 1;
            self.bad = 0;
        }
        if self.bad > self.settings.patience {
            let next = (self.fallen * self.settings.factor).max(self.settings.least);
            if self.fallen - next > self.settings.eps {
                self.fallen = next;
            }
            (self.cooldown_left, self.bad) = (self.settings.cooldown, 0);
        }
        true
    }

    fn state(&self) -> Vec<f64> {
        vec![self.fallen, self.best, self.bad as f64, self.cooldown_left as f64]
    }

    fn restore(&mut self, state: &[f64]) {
        if let &[fallen, best, bad, cooldown_left] = state {
            (self.fallen, self.best, self.bad, self.cooldown_left) = (fallen, best, bad as u64, cooldown_left as u64);
        }
    }
}
