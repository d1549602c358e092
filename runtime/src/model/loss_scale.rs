//! The loss scale of functions in mixed precision with f16, whose small gradients would be nothing: the loss is multiplied by it before the way
//! back, the gradients are divided by it before anyone sees them. As `torch.amp.GradScaler` does (Micikevicius and others, *Mixed precision
//! training*, 2018, section 3.2).

use std::collections::BTreeMap;

use castnet_program::net::Net;

use crate::verdict::Outcome;

/// The scale of a function at first.
const FIRST: f32 = 65536.0;
/// By what it grows after so many steps without overflow, and falls after one with: powers of 2, which cost no digit.
const GROWTH: f32 = 2.0;
const GROWTH_INTERVAL: u32 = 2000;
/// It does not fall below 1, where what is not finite is so by itself; nor does it grow beyond what f32 can divide by.
const LEAST: f32 = 1.0;
const MOST: f32 = 1.701_411_8e38;

/// The loss scales of a model's functions, by number; `None` for those that need none.
#[derive(Clone)]
pub(crate) struct LossScales(Vec<Option<LossScale>>);

/// By what a loss is multiplied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LossScale {
    scale: f32,
    /// Steps since it last changed.
    steps: u32,
}

/// The scales of functions by name, as they are saved, with the steps since they last changed.
pub(crate) type SavedScales = BTreeMap<String, (f32, u32)>;

impl LossScales {
    pub(super) fn new(net: &Net) -> LossScales {
        let is_scaled = |f: &castnet_program::net::Programs| f.training.as_ref().is_some_and(|p| p.is_scaled());
        LossScales(net.cpu().iter().map(|f| is_scaled(f).then_some(LossScale { scale: FIRST, steps: 0 })).collect())
    }

    /// That of a function, if it has one.
    pub(super) fn get(&self, function: usize) -> Option<f32> {
        self.0.get(function).copied().flatten().map(|own| own.scale)
    }

    /// After a step of the function.
    pub(super) fn advance(&mut self, function: usize, outcome: Outcome) {
        if let Some(Some(own)) = self.0.get_mut(function) {
            own.advance(outcome);
        }
    }

    #[cfg(feature = "check")]
    pub(super) fn copy_from(&mut self, other: &LossScales) {
        self.0.clone_from(&other.0);
    }

    /// All are 1.
    #[cfg(feature = "check")]
    pub(super) fn remove(&mut self) {
        self.0.iter_mut().flatten().for_each(|own| *own = LossScale { scale: LEAST, steps: 0 });
    }

    pub(crate) fn save(&self, net: &Net) -> SavedScales {
        let named = net.functions.iter().zip(&self.0);
        named.filter_map(|(f, own)| own.map(|own| (f.name.clone(), (own.scale, own.steps)))).collect()
    }

    /// Functions that are not named begin anew, as do scales that none can be.
    pub(super) fn restore(&mut self, net: &Net, saved: &SavedScales) {
        for (function, own) in net.functions.iter().zip(&mut self.0) {
            let Some(own) = own else { continue };
            let known = saved.get(&function.name).filter(|(scale, _)| (LEAST..=MOST).contains(scale));
            *own = known.map_or(LossScale { scale: FIRST, steps: 0 }, |&(scale, steps)| LossScale { scale, steps });
        }
    }
}

impl LossScale {
    fn advance(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Overflow => *self = LossScale { scale: (self.scale / GROWTH).max(LEAST), steps: 0 },
            Outcome::Done if self.steps + 1 >= GROWTH_INTERVAL => {
                *self = LossScale { scale: (self.scale * GROWTH).min(MOST), steps: 0 };
            }
            Outcome::Done => self.steps += 1,
            Outcome::NotFinite(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_falls_at_once_and_grows_in_time() {
        let mut own = LossScale { scale: FIRST, steps: 7 };
        own.advance(Outcome::Overflow);
        assert_eq!(own, LossScale { scale: 32768.0, steps: 0 });
        (1..GROWTH_INTERVAL).for_each(|_| own.advance(Outcome::Done));
        assert_eq!(own, LossScale { scale: 32768.0, steps: GROWTH_INTERVAL - 1 });
        own.advance(Outcome::Done);
        assert_eq!(own, LossScale { scale: 65536.0, steps: 0 });
        (0..40).for_each(|_| own.advance(Outcome::Overflow));
        assert_eq!(own.scale, LEAST);
    }
}
