//! Gradients beside central differences.

use std::collections::BTreeMap;

use castnet_graph::reference::Tensor;
use castnet_kernels::random::uniform;

use super::arguments::Call;
use super::exact::{Exact, norm};
use super::{Mistake, shaken};
use crate::model::Model;

/// How far a derivative may be from the gradient's, by what the parameters' gradients let expect of it.
const TOLERANCE: f64 = 1e-4;
/// Directions: along the gradient, and of random signs.
const DIRECTIONS: u64 = 2;
/// Steps, by the size of a parameter's elements: a smaller one where a kink is near, a greater one where rounding is.
const STEPS: [f64; 4] = [1e-7, 1e-6, 1e-8, 1e-9];
/// By how much a parameter with a small gradient is moved further than others, at most.
const FURTHER: f64 = 1e3;
/// What f64 leaves of a loss of 1.
const ROUNDING: f64 = 1e-13;
/// Arguments that are tried before something is wrong.
const DRAWS: u64 = 2;

/// For every `train fn`, the gradients that the compiler derives are the central differences of the loss in training mode, along directions
/// in which all parameters move. Both are computed in f64, from the function as it was written ([`fused`](super::fused()) holds what runs
/// against the same); states and random numbers stay the same.
///
/// # Errors
/// The function, the parameter, and both derivatives.
pub fn gradients(model: &Model, explained: &str) -> Result<(), Mistake> {
    for function in 0..model.net().functions.len() {
        if model.net().cpu()[function].training.is_some() {
            let mut found = Ok(());
            for draw in 0..DRAWS {
                found = with_arguments(model, function, explained, draw);
                if found.is_ok() {
                    break;
                }
            }
            found?;
        }
    }
    Ok(())
}

fn with_arguments(model: &Model, function: usize, explained: &str, draw: u64) -> Result<(), Mistake> {
    let start = shaken(model, draw)?;
    let call = Call::finite(&start, function, draw)?;
    let mut exact = Exact::new(&start, &call, explained, true)?;
    // Rounding has no derivative: it is left out.
    let gradients = exact.evaluate(&exact.with_gradients(&start)?.with_wide_halves(), false).gradients;
    exact.graph = exact.graph.with_wide_halves();
    let parameters = exact.parameters.clone();
    let probe = Probe { parameters: &parameters, gradients: &gradients, loss: &exact.objective(), seed: start.seed() };
    let all: Vec<usize> = gradients.keys().copied().collect();
    let Some(wrong) = probe.disagreement(&all, &all) else { return Ok(()) };
    // Which of them it is.
    let (numbers, wrong) =
        all.iter().find_map(|&n| Some((vec![n], probe.disagreement(&[n], &all)?))).unwrap_or((all, wrong));
    let names: Vec<String> = numbers.iter().map(|&n| format!("`{}`", start.net().parameters[n].name)).collect();
    Err(Mistake(format!(
        "`{}` ({}), parameter {}: the derivative {} is {:e} by the gradient, {:e} by central differences of the loss ({:e} apart are \
         allowed)",
        call.name,
        call.drawn,
        names.join(", "),
        if wrong.direction == 0 { "along the gradient" } else { "along random signs" },
        wrong.claimed,
        wrong.measured,
        wrong.allowed,
    )))
}

/// A loss and what its gradients are said to be.
struct Probe<'a> {
    parameters: &'a [Tensor],
    gradients: &'a BTreeMap<usize, Tensor>,
    loss: &'a dyn Fn(&[Tensor]) -> f64,
    seed: u64,
}

struct Disagreement {
    direction: u64,
    claimed: f64,
    measured: f64,
    allowed: f64,
}

impl Probe<'_> {
    /// The first direction along which some parameters' gradients are not the loss's derivative; each moves as far as it does with `all`.
    fn disagreement(&self, numbers: &[usize], all: &[usize]) -> Option<Disagreement> {
        (0..DIRECTIONS).find_map(|direction| self.along(numbers, all, direction))
    }

    fn along(&self, numbers: &[usize], all: &[usize], direction: u64) -> Option<Disagreement> {
        // How much of the derivative each parameter has if all its elements move by their size.
        let weight = |n: &usize| norm(&self.gradients[n].floats()) * size(&self.parameters[*n].floats());
        let most = all.iter().map(weight).fold(0.0, f64::max);
        let (mut claimed, mut expected, mut towards) = (0.0, 0.0, vec![]);
        for n in numbers {
            let (gradient, unit) = (self.gradients[n].floats(), size(&self.parameters[*n].floats()));
            let unit = unit * (most / weight(n).max(most / FURTHER)).max(1.0);
            let sign =
                |i: usize| if uniform(self.seed, direction << 32 | *n as u64, i as u64) < 0.5 { -1.0 } else { 1.0 };
            let whole = norm(&gradient);
            let element = |(i, g): (usize, &f64)| match direction {
                0 if whole > 0.0 => g / whole * (gradient.len() as f64).sqrt() * unit,
                _ => sign(i) * unit,
            };
            let moves: Vec<f64> = gradient.iter().enumerate().map(element).collect();
            claimed += gradient.iter().zip(&moves).map(|(g, v)| g * v).sum::<f64>();
            expected += (whole * unit).powi(2);
            towards.push((*n, moves));
        }
        let mut wrong = None;
        for step in STEPS {
            let [above, below] = [step, -step].map(|step| self.moved(&towards, step));
            let measured = (above - below) / (2.0 * step);
            let allowed =
                TOLERANCE * claimed.abs().max(expected.sqrt()) + ROUNDING * above.abs().max(below.abs()) / step;
            if (measured - claimed).abs() <= allowed {
                return None;
            }
            wrong = wrong.or(Some(Disagreement { direction, claimed, measured, allowed }));
        }
        wrong
    }

    fn moved(&self, towards: &[(usize, Vec<f64>)], step: f64) -> f64 {
        let mut parameters = self.parameters.to_vec();
        for (number, moves) in towards {
            let elements = parameters[*number].data.iter_mut().zip(moves);
            elements.for_each(|(x, v)| *x = (x.f64() + step * v).into());
        }
        (self.loss)(&parameters)
    }
}

/// The root mean square of elements, not too small where all are 0.
fn size(values: &[f64]) -> f64 {
    (norm(values) / (values.len().max(1) as f64).sqrt()).max(0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// |a|² / 2 + 10⁻³ Σ sin b, with gradients of which some are multiplied by a factor.
    fn probe(factors: [f64; 2]) -> Option<Vec<usize>> {
        let parameters = [vec![0.5, -1.5, 2.0], vec![0.1, 0.7]].map(|data| Tensor::new(vec![data.len()], data));
        let loss = |p: &[Tensor]| {
            let squares: f64 = p[0].floats().iter().map(|a| a * a / 2.0).sum();
            squares + 1e-3 * p[1].floats().iter().map(|b| b.sin()).sum::<f64>()
        };
        let gradients = [
            parameters[0].floats().iter().map(|a| a * factors[0]).collect::<Vec<_>>(),
            parameters[1].floats().iter().map(|b| 1e-3 * b.cos() * factors[1]).collect(),
        ]
        .map(|data| Tensor::new(vec![data.len()], data));
        let gradients = gradients.into_iter().enumerate().collect();
        let probe = Probe { parameters: &parameters, gradients: &gradients, loss: &loss, seed: 1 };
        probe.disagreement(&[0, 1], &[0, 1])?;
        Some([0, 1].into_iter().filter(|&n| probe.disagreement(&[n], &[0, 1]).is_some()).collect())
    }

    #[test]
    fn wrong_gradients_are_found() {
        assert_eq!(probe([1.0, 1.0]), None);
        assert_eq!(probe([1.001, 1.0]), Some(vec![0]));
        assert_eq!(probe([1.0, 1.01]), Some(vec![1]));
        assert_eq!(probe([-1.0, 0.0]), Some(vec![0, 1]));
        assert_eq!(probe([1.0, f64::NAN]), Some(vec![1]));
    }
}
