//! Rules over slices, in every float type.

use half::{bf16, f16};

use super::{Factors, MAX_SLICES, Rule};
use crate::float::{BLOCK, Float, round, widen};

/// Elements of a parameter, and of what lies as it does, with their gradient.
pub(crate) struct Slices<'a, 's, T> {
    pub(crate) parameter: &'a mut [T],
    pub(crate) gradient: &'a [T],
    /// Of the optimizer's states.
    pub(crate) states: &'a mut [&'s mut [T]],
}

/// A float type whose elements rules over slices update.
pub(crate) trait SliceFloat: Float {
    /// Updates by a rule, if it is one over slices for nets of this type.
    fn update_slices(rule: Rule<'_>, factors: Factors, step: u64, slices: Slices<'_, '_, Self>);
}

impl SliceFloat for f32 {
    fn update_slices(rule: Rule<'_>, factors: Factors, step: u64, slices: Slices<'_, '_, f32>) {
        if let Rule::Slices { f32: rule, .. } = rule {
            rule.update(factors, step, slices.parameter, slices.gradient, slices.states);
        }
    }
}

impl SliceFloat for f64 {
    fn update_slices(rule: Rule<'_>, factors: Factors, step: u64, slices: Slices<'_, '_, f64>) {
        // `optimizer::prepare` lets none without f64 pass.
        if let Rule::Slices { f64: Some(rule), .. } = rule {
            rule.update(factors, step, slices.parameter, slices.gradient, slices.states);
        }
    }
}

macro_rules! halves {
    ($($type:ty)*) => {$(
        impl SliceFloat for $type {
            fn update_slices(rule: Rule<'_>, factors: Factors, step: u64, slices: Slices<'_, '_, $type>) {
                let Rule::Slices { f32: rule, .. } = rule else { return };
                let (mut parameter, mut gradient, mut all) = ([0.0; BLOCK], [0.0; BLOCK], [[0.0; BLOCK]; MAX_SLICES]);
                for start in (0..slices.gradient.len()).step_by(BLOCK) {
                    let range = start..slices.gradient.len().min(start + BLOCK);
                    let parameter = widen(&slices.parameter[range.clone()], &mut parameter);
                    let gradient = widen(&slices.gradient[range.clone()], &mut gradient);
                    let mut states: [&mut [f32]; MAX_SLICES] = std::array::from_fn(|_| &mut [][..]);
                    for ((wide, room), own) in states.iter_mut().zip(&mut all).zip(&*slices.states) {
                        *wide = widen(&own[range.clone()], room);
                    }
                    let states = &mut states[..slices.states.len()];
                    rule.update(factors, step, parameter, gradient, states);
                    round(parameter, &mut slices.parameter[range.clone()]);
                    for (own, wide) in slices.states.iter_mut().zip(states) {
                        round(wide, &mut own[range.clone()]);
                    }
                }
            }
        }
    )*};
}
halves! { f16 bf16 }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizer::UpdateSlices;

    /// Along the sum of all gradients.
    struct Summed;

    impl UpdateSlices<f32> for Summed {
        fn update(&self, _: Factors, _: u64, parameter: &mut [f32], gradient: &[f32], states: &mut [&mut [f32]]) {
            for ((p, g), sum) in parameter.iter_mut().zip(gradient).zip(&mut *states[0]) {
                *sum += g;
                *p -= 0.5 * *sum;
            }
        }
    }

    /// Longer than a block of halves.
    #[test]
    fn halves_are_rounded_once() {
        fn check<T: SliceFloat + Float<Wide = f32> + PartialEq>() {
            let number = |i: usize, by: f32| T::of_f32((i as f32 * by).sin());
            let x: Vec<T> = (0..2 * BLOCK + 3).map(|i| number(i, 0.7)).collect();
            let y: Vec<T> = (0..x.len()).map(|i| number(i, 0.3)).collect();
            let each = |f: &dyn Fn(f32, f32) -> f32| -> Vec<T> {
                x.iter().zip(&y).map(|(x, y)| T::of_f32(f(x.wide(), y.wide()))).collect()
            };
            let (mut found, mut state) = (x.clone(), y.clone());
            let slices = Slices { parameter: &mut found, gradient: &y, states: &mut [&mut state] };
            let rule = Rule::Slices { states: &["sum"], f32: &Summed, f64: None };
            T::update_slices(rule, Factors::default(), 1, slices);
            assert_eq!(state, each(&|_, y| y + y), "{}", T::DTYPE);
            assert_eq!(found, each(&|x, y| x - 0.5 * (y + y)), "{}", T::DTYPE);
        }
        check::<f16>();
        check::<bf16>();
    }
}
