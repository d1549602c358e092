//! Gradients of several batches that become one update.

use std::sync::Arc;

use super::{Settings, State};
use crate::backend::cpu::EndingAlone;
use crate::error::Result;
use crate::gradients::Gradients;
use crate::net::Loaded;

/// How the gradients of several batches become one update: a step on each batch, the last of which updates.
///
/// It is what `loss.backward()` several times before one `optimizer.step()` is in PyTorch. Gradients are added up in the net's float type.
/// Clipping is of the mean (or sum), and schedules count updates, not batches. States of the net, such as running statistics, advance with
/// each batch. With `stop_on_nan`, a batch whose loss or gradient is not finite is an `Err` and is not added; the next one takes its place.
/// A training checkpoint keeps what has been added up.
///
/// ```
/// use castnet_runtime::{AdamW, optimizer::Accumulate};
///
/// let adam = AdamW::new(1e-3).clip_norm(1.0).accumulate(Accumulate::Mean(4));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accumulate {
    /// The mean over so many batches: `(loss / n).backward()`. Of batches of different lengths, all count alike.
    Mean(u64),
    /// The sum over so many batches: `loss.backward()`.
    Sum(u64),
}

impl Accumulate {
    fn batches(self) -> u64 {
        match self {
            Accumulate::Mean(batches) | Accumulate::Sum(batches) => batches,
        }
    }
}

/// How gradients are added up, and what has been.
#[derive(Debug, Default)]
pub(super) struct Accumulated {
    how: Option<Accumulate>,
    sum: Option<Sum>,
}

/// Gradients added up since the last update.
#[derive(Debug)]
pub(crate) struct Sum {
    /// All 0 after an update.
    pub(crate) gradients: Gradients,
    batches: u64,
    /// The parameters that the last update took, and its tasks.
    last: Option<(Vec<usize>, EndingAlone)>,
}

impl Sum {
    /// Nothing yet.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub(crate) fn new(loaded: &Arc<Loaded>) -> Result<Sum> {
        Ok(Sum::restored(Gradients::new(loaded)?, 0))
    }

    /// What a checkpoint holds.
    pub(crate) fn restored(gradients: Gradients, batches: u64) -> Sum {
        Sum { gradients, batches, last: None }
    }

    /// Batches added since the last update.
    pub(crate) fn batches(&self) -> u64 {
        self.batches
    }

    /// One more batch was added, with gradients of these parameters.
    pub(crate) fn added(&mut self, parameters: &[usize]) {
        self.batches += 1;
        self.gradients.reach(parameters);
    }

    /// What is added up, and the tasks of an update by it: planned anew only if it takes other parameters than the last one.
    pub(crate) fn ending(&mut self) -> Result<(&Gradients, &EndingAlone)> {
        let last = match self.last.take_if(|(taken, _)| self.gradients.is_reached(taken)) {
            Some(last) => last,
            None => {
                let taken = self.gradients.reached();
                let ending = EndingAlone::new(&self.gradients.loaded, &taken)?;
                (taken, ending)
            }
        };
        Ok((&self.gradients, &self.last.insert(last).1))
    }

    /// All 0 again.
    pub(crate) fn clear(&mut self) {
        self.gradients.clear();
        self.batches = 0;
    }
}

impl Accumulated {
    /// Takes what a checkpoint holds, if gradients are to be added up.
    pub(super) fn restore(&mut self, sum: Option<Sum>) {
        self.sum = sum.filter(|_| self.how.is_some());
    }
}

impl State {
    /// From the next step on, gradients of several batches become one update.
    pub fn set_accumulate(&mut self, how: Accumulate) {
        self.accumulated.how = Some(how);
    }

    /// Batches added up since the last update; see [`Accumulate`].
    pub fn accumulated(&self) -> u64 {
        self.accumulated.sum.as_ref().map_or(0, Sum::batches)
    }

    /// That as a setting, if it is one.
    pub(crate) fn accumulate_text(&self) -> Option<String> {
        self.accumulated.how.map(|how| format!("{how:?}"))
    }

    /// What has been added up, if anything has.
    pub(crate) fn sum(&self) -> Option<&Sum> {
        self.accumulated.sum.as_ref().filter(|sum| sum.batches > 0)
    }

    /// Takes what is added up, for a batch to be added; `None` if each step updates. To be [given back](State::give_sum).
    ///
    /// # Errors
    /// If the number of batches is 0, or there is no memory for a sum.
    pub(crate) fn take_sum(&mut self, optimizer: &'static str, loaded: &Arc<Loaded>) -> Result<Option<Sum>> {
        let Some(how) = self.accumulated.how else { return Ok(None) };
        let batches = how.batches();
        Settings(optimizer).check("batches to accumulate", batches as f64, "at least 1", batches > 0)?;
        if batches == 1 && self.accumulated() == 0 {
            return Ok(None);
        }
        self.accumulated.sum.take().map_or_else(|| Sum::new(loaded), Ok).map(Some)
    }

    /// Takes what is added up, if anything is.
    pub(crate) fn take_rest(&mut self) -> Option<Sum> {
        self.accumulated.sum.take_if(|sum| sum.batches > 0)
    }

    /// Gives back what was taken.
    pub(crate) fn give_sum(&mut self, sum: Sum) {
        self.accumulated.sum = Some(sum);
    }

    /// Whether an update is due.
    pub(crate) fn is_full(&self, sum: &Sum) -> bool {
        self.accumulated.how.is_none_or(|how| sum.batches >= how.batches())
    }

    /// By what a sum is multiplied.
    pub(crate) fn factor(&self, sum: &Sum) -> f64 {
        match self.accumulated.how {
            Some(Accumulate::Mean(_)) => 1.0 / sum.batches as f64,
            Some(Accumulate::Sum(_)) | None => 1.0,
        }
    }
}
