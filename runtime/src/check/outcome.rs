//! Everything that the functions of a model give, to be compared to the bit.

use super::Mistake;
use super::arguments::Call;
use crate::array::{Array, Element, with_element};
use crate::model::Model;
use crate::optimizer::AdamW;

/// Arrays with what they are: `LeNet.loss: gradient of `conv1.weight``.
pub(super) struct Outcome(Vec<(String, Array)>);

impl Outcome {
    /// Runs each function as it stands, its gradients and a step, each time from where `start` is.
    pub(super) fn of(model: &mut Model, start: &Model, calls: &[Call]) -> Result<Outcome, Mistake> {
        let mut outcome = Outcome(vec![]);
        for call in calls {
            let arguments = call.arguments();
            let at = |what: &str| format!("`{}` ({}): {what}", call.name, call.drawn);
            model.take_over(start)?;
            outcome.results(&at("inference: "), model.infer_mut(call.function, &arguments)?);
            outcome.states(&at("inference: "), model);
            if !call.trains {
                continue;
            }
            model.take_over(start)?;
            let (results, gradients) = model.grad(call.function, &arguments)?;
            outcome.results(&at("training: "), results);
            outcome.states(&at("training: "), model);
            for name in gradients.names() {
                outcome.0.push((at(&format!("gradient of `{name}`")), gradients.parameter(name)?));
            }
            model.take_over(start)?;
            model.any_step(call.function, &mut AdamW::new(1e-3), &arguments)?;
            outcome.parameters(&at("after a step: "), model)?;
        }
        Ok(outcome)
    }

    /// Parameters and states.
    pub(super) fn values(model: &Model) -> Result<Outcome, Mistake> {
        let mut outcome = Outcome(vec![]);
        let at = format!("`{}` (seed {}): ", model.name(), model.seed());
        outcome.parameters(&at, model)?;
        outcome.states(&at, model);
        Ok(outcome)
    }

    fn results(&mut self, at: &str, results: Vec<Array>) {
        self.0.extend(results.into_iter().enumerate().map(|(i, array)| (format!("{at}result {i}"), array)));
    }

    fn states(&mut self, at: &str, model: &Model) {
        let named = model.states().named();
        self.0.extend(named.map(|(state, array)| (format!("{at}state `{}`", state.name), array.clone())));
    }

    fn parameters(&mut self, at: &str, model: &Model) -> Result<(), Mistake> {
        for (number, parameter) in model.net().parameters.iter().enumerate() {
            self.0.push((format!("{at}parameter `{}`", parameter.name), model.parameter_number(number)?));
        }
        Ok(())
    }

    /// Whether two outcomes are the same, to the bit; any NaN is as good as another.
    pub(super) fn same(&self, here: &str, other: &Outcome, there: &str) -> Result<(), Mistake> {
        if self.0.len() != other.0.len() {
            let (ours, theirs) = (self.0.len(), other.0.len());
            return Err(Mistake(format!("{ours} arrays {here}, {theirs} {there}")));
        }
        for ((what, a), (_, b)) in self.0.iter().zip(&other.0) {
            if let Some((at, left, right)) = difference(a, b) {
                return Err(Mistake(format!("{what}: element {at} is {left} {here}, {right} {there}")));
            }
        }
        Ok(())
    }
}

/// The first element that differs, with what it is in both.
fn difference(a: &Array, b: &Array) -> Option<(usize, String, String)> {
    if a.shape() != b.shape() || a.dtype() != b.dtype() {
        return Some((0, a.describe(), b.describe()));
    }
    with_element!(a.dtype(), T => unequal::<T>(a, b))
}

fn unequal<T: Element>(a: &Array, b: &Array) -> Option<(usize, String, String)> {
    let width = size_of::<T>();
    let (x, y) = (a.as_slice::<T>().ok()?, b.as_slice::<T>().ok()?);
    let bits = |array: &Array, at: usize| array.bytes()[at * width..][..width].to_vec();
    #[allow(clippy::eq_op)] // So is NaN alone.
    let both_nan = |x: &T, y: &T| x != x && y != y;
    let at = (0..x.len()).find(|&at| bits(a, at) != bits(b, at) && !both_nan(&x[at], &y[at]))?;
    let text = |array: &Array, x: &T| match T::DTYPE.is_float() {
        true => {
            format!("{x:?} (bits {})", bits(array, at).iter().rev().map(|b| format!("{b:02x}")).collect::<String>())
        }
        false => format!("{x:?}"),
    };
    Some((at, text(a, &x[at]), text(b, &y[at])))
}
