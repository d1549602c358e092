//! The schedule of an optimizer, and what it says of the present step.

use super::{Constant, Schedule, Settings, State};
use crate::error::{Error, Result};

#[derive(Debug)]
pub(super) struct Scheduled {
    schedule: Box<dyn Schedule>,
    /// Of the present step.
    pub(super) factor: f64,
    momentum: Option<f64>,
}

impl Default for Scheduled {
    fn default() -> Scheduled {
        Scheduled { schedule: Box::new(Constant), factor: 1.0, momentum: None }
    }
}

impl Scheduled {
    /// Takes what a checkpoint holds, if it holds anything.
    pub(super) fn restore(&mut self, state: &[f64]) {
        if !state.is_empty() {
            self.schedule.restore(state);
        }
    }
}

impl State {
    /// Changes the learning rate from step to step; [`Constant`] at first.
    pub fn set_schedule(&mut self, schedule: impl Schedule + 'static) {
        self.scheduled.schedule = Box::new(schedule);
    }

    /// The learning rate of the next step, where it is `lr` without the schedule.
    pub fn next_lr(&self, lr: f64) -> f64 {
        self.lr.unwrap_or(lr) * self.scheduled.schedule.factor(self.steps)
    }

    /// The schedule as a setting.
    pub fn schedule_text(&self) -> String {
        format!("{:?}", self.scheduled.schedule)
    }

    /// What metrics have made of the schedule.
    pub(crate) fn schedule_state(&self) -> Vec<f64> {
        self.scheduled.schedule.state()
    }

    pub(super) fn metric(&mut self, optimizer: &'static str, metric: f64) -> Result<()> {
        match self.scheduled.schedule.metric(self.steps, metric) {
            true => Ok(()),
            false => Err(Error::NoMetric { optimizer, schedule: self.schedule_text() }),
        }
    }

    /// What the schedule says of the next step.
    pub(super) fn begin_schedule(&mut self, optimizer: &'static str) -> Result<()> {
        let (step, scheduled) = (self.steps, &mut self.scheduled);
        scheduled.schedule.check()?;
        scheduled.factor = scheduled.schedule.factor(step);
        scheduled.momentum = scheduled.schedule.momentum(step);
        Settings(optimizer).not_negative("the schedule's factor", scheduled.factor)
    }

    /// The momentum of the present step, where it is `own` without the schedule.
    ///
    /// # Errors
    /// If the schedule says it, and the optimizer has none.
    pub(super) fn momentum(&self, setting: &'static str, own: f64) -> Result<f64> {
        let Some(momentum) = self.scheduled.momentum else { return Ok(own) };
        if own == 0.0 {
            return Err(Error::NoMomentum { setting, schedule: self.schedule_text() });
        }
        Settings("schedule").fraction(setting, momentum).map(|()| momentum)
    }
}
