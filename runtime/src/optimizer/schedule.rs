//! How the learning rate changes from step to step.

use std::fmt::Debug;

/// A factor of the learning rate for each step.
pub trait Schedule: Debug + Send + Sync {
    /// The factor for step `step`, counted from 0.
    fn factor(&self, step: u64) -> f64;
}

/// Always the full learning rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Constant;

impl Schedule for Constant {
    fn factor(&self, _: u64) -> f64 {
        1.0
    }
}

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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cosine {
    steps: u64,
    warmup: u64,
    least: f64,
}

impl Cosine {
    /// Over `steps` steps, down to 0.
    pub fn new(steps: u64) -> Cosine {
        Cosine { steps, warmup: 0, least: 0.0 }
    }

    /// Down to `least` times the learning rate instead of 0.
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
        if step >= steps {
            return self.least;
        }
        let angle = std::f64::consts::PI * step as f64 / steps as f64;
        self.least + (1.0 - self.least) * (1.0 + angle.cos()) / 2.0
    }
}

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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_is_pytorchs_closed_form() {
        // torch.optim.lr_scheduler.CosineAnnealingLR(T_max = 10, eta_min = 0.1) at lr = 1.
        let cosine = Cosine::new(10).least(0.1);
        for (step, expected) in [(0, 1.0), (1, 0.97797543233), (5, 0.55), (9, 0.12202456767), (10, 0.1), (11, 0.1)] {
            assert!((cosine.factor(step) - expected).abs() < 1e-10, "{step}");
        }
    }

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
