//! A rise to the full learning rate, and what follows it.

use super::Schedule;
use crate::error::Result;

/// Rises linearly: step i of n (from 0) has (i + 1) / n of the learning rate; constant afterwards, or as another schedule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warmup {
    steps: u64,
}

impl Warmup {
    /// Over `steps` steps.
    pub fn new(steps: u64) -> Warmup {
        Warmup { steps }
    }

    /// Afterwards as `next` says, which then begins with its step 0.
    pub fn then<S: Schedule>(self, next: S) -> Then<S> {
        Then { first: self, next }
    }
}

impl Schedule for Warmup {
    fn factor(&self, step: u64) -> f64 {
        if step >= self.steps { 1.0 } else { (step + 1) as f64 / self.steps as f64 }
    }
}

/// A warm-up and what follows it; made by [`Warmup::then`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Then<S> {
    first: Warmup,
    next: S,
}

impl<S: Schedule> Schedule for Then<S> {
    fn factor(&self, step: u64) -> f64 {
        match step.checked_sub(self.first.steps) {
            None => self.first.factor(step),
            Some(step) => self.next.factor(step),
        }
    }

    /// As the next one begins, before that.
    fn momentum(&self, step: u64) -> Option<f64> {
        self.next.momentum(step.saturating_sub(self.first.steps))
    }

    fn check(&self) -> Result<()> {
        self.next.check()
    }

    /// The next one's, from its first step on.
    fn metric(&mut self, step: u64, metric: f64) -> bool {
        match step.checked_sub(self.first.steps) {
            None => !self.next.state().is_empty(),
            Some(step) => self.next.metric(step, metric),
        }
    }

    fn state(&self) -> Vec<f64> {
        self.next.state()
    }

    fn restore(&mut self, state: &[f64]) {
        self.next.restore(state);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Constant, Cosine};
    use super::*;

    #[test]
    fn warm_up_and_then() {
        let both = Warmup::new(4).then(Cosine::new(8));
        let inside = Cosine::new(12).warmup(4);
        for step in 0..20 {
            assert_eq!(both.factor(step), inside.factor(step));
        }
        assert_eq!([0, 3, 4].map(|s| Warmup::new(4).factor(s)), [0.25, 1.0, 1.0]);
        assert_eq!(Cosine::new(3).warmup(5).factor(9), 0.0);
        assert_eq!(Constant.factor(7), 1.0);
    }
}
