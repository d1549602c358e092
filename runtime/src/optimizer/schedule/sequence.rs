//! Schedules one after the other, and several at once.

use super::{Schedule, Settings};
use crate::error::Result;

/// Schedules one after the other, each from its own step 0 on (`torch.optim.lr_scheduler.SequentialLR`).
///
/// ```
/// use castnet_runtime::optimizer::{ExponentialLr, LinearLr, SequentialLr};
/// use castnet_runtime::Schedule;
///
/// let both = SequentialLr::new(LinearLr::new(0.1, 1.0, 20)).then(20, ExponentialLr::new(0.5));
/// assert_eq!([0, 20, 21].map(|step| both.factor(step)), [0.1, 1.0, 0.5]);
/// ```
#[derive(Debug)]
pub struct SequentialLr {
    /// Where each one begins; the first at 0.
    schedules: Vec<(u64, Box<dyn Schedule>)>,
}

impl SequentialLr {
    /// This one first.
    pub fn new(first: impl Schedule + 'static) -> SequentialLr {
        SequentialLr { schedules: vec![(0, Box::new(first))] }
    }

    /// Another one from step `milestone` on.
    pub fn then(mut self, milestone: u64, next: impl Schedule + 'static) -> SequentialLr {
        self.schedules.push((milestone, Box::new(next)));
        self
    }

    /// The number of the schedule of a step.
    fn at(&self, step: u64) -> usize {
        self.schedules.partition_point(|(start, _)| *start <= step).saturating_sub(1)
    }
}

impl Schedule for SequentialLr {
    fn factor(&self, step: u64) -> f64 {
        let (start, schedule) = &self.schedules[self.at(step)];
        schedule.factor(step.saturating_sub(*start))
    }

    fn momentum(&self, step: u64) -> Option<f64> {
        let (start, schedule) = &self.schedules[self.at(step)];
        schedule.momentum(step.saturating_sub(*start))
    }

    fn check(&self) -> Result<()> {
        for pair in self.schedules.windows(2) {
            let (last, next) = (pair[0].0, pair[1].0);
            Settings("SequentialLr").check("milestone", next as f64, "above the one before it", next > last)?;
        }
        self.schedules.iter().try_for_each(|(_, schedule)| schedule.check())
    }

    /// Told to the schedule of this step only.
    fn metric(&mut self, step: u64, metric: f64) -> bool {
        let at = self.at(step);
        let (start, schedule) = &mut self.schedules[at];
        schedule.metric(step.saturating_sub(*start), metric) || !self.state().is_empty()
    }

    fn state(&self) -> Vec<f64> {
        self.schedules.iter().flat_map(|(_, schedule)| schedule.state()).collect()
    }

    fn restore(&mut self, state: &[f64]) {
        restore(self.schedules.iter_mut().map(|(_, schedule)| schedule), state);
    }
}

/// The product of several schedules' factors (`torch.optim.lr_scheduler.ChainedScheduler` of schedules that multiply the rate at hand, which
/// `CosineAnnealingWarmRestarts`, `OneCycleLR` and `CyclicLR` do not in PyTorch). Of several momenta the last one counts.
#[derive(Debug)]
pub struct ChainedScheduler {
    schedules: Vec<Box<dyn Schedule>>,
}

impl ChainedScheduler {
    /// This one.
    pub fn new(first: impl Schedule + 'static) -> ChainedScheduler {
        ChainedScheduler { schedules: vec![Box::new(first)] }
    }

    /// And that one.
    pub fn and(mut self, other: impl Schedule + 'static) -> ChainedScheduler {
        self.schedules.push(Box::new(other));
        self
    }
}

impl Schedule for ChainedScheduler {
    fn factor(&self, step: u64) -> f64 {
        self.schedules.iter().map(|schedule| schedule.factor(step)).product()
    }

    fn momentum(&self, step: u64) -> Option<f64> {
        self.schedules.iter().rev().find_map(|schedule| schedule.momentum(step))
    }

    fn check(&self) -> Result<()> {
        self.schedules.iter().try_for_each(|schedule| schedule.check())
    }

    fn metric(&mut self, step: u64, metric: f64) -> bool {
        let mut taken = false;
        for schedule in &mut self.schedules {
            taken |= schedule.metric(step, metric);
        }
        taken
    }

    fn state(&self) -> Vec<f64> {
        self.schedules.iter().flat_map(|schedule| schedule.state()).collect()
    }

    fn restore(&mut self, state: &[f64]) {
        restore(self.schedules.iter_mut(), state);
    }
}

/// To each its part.
fn restore<'a>(schedules: impl Iterator<Item = &'a mut Box<dyn Schedule>>, mut state: &[f64]) {
    for schedule in schedules {
        let (own, rest) = state.split_at(schedule.state().len().min(state.len()));
        schedule.restore(own);
        state = rest;
    }
}
