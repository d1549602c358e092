//! What runs beside what was written.

use std::collections::BTreeMap;

use castnet_graph::decompose::{NOTHING, decompose};
use castnet_graph::graph::Role;
use castnet_graph::number::Number;
use castnet_graph::reference::{self, Tensor};

use super::arguments::Call;
use super::exact::{Exact, Values, norm, tensor};
use super::{Mistake, shaken};
use crate::float::FloatType;
use crate::model::Model;

/// How far apart they may be, by the norm of what is expected, of a function that computes with this type,
fn tolerance(float: FloatType) -> f64 {
    match float {
        FloatType::F32 => 1e-4,
        FloatType::F64 => 1e-10,
        // Where f64 and f32 lie on two sides of a border, all that is computed of it differs.
        FloatType::F16 => 1e-2,
        FloatType::BF16 => 5e-2,
    }
}

/// and by how much f32, where it is computed in, costs if every operation of the function is rounded to it.
fn roundings(float: FloatType) -> f64 {
    match float {
        FloatType::F64 => 0.0,
        FloatType::F32 | FloatType::F16 | FloatType::BF16 => 10.0,
    }
}

/// A gradient is held against at least this share of all of them: of what cancels to nothing, rounding is all there is.
const SHARE: f64 = 1e-3;
/// Arguments that are tried before something is wrong: where a kink is near, f32 decides it another way than f64.
const DRAWS: u64 = 3;

/// Every function, fused and planned, in its float type, gives what it gives as it was written, operation by operation, in f64 (rounded to halves where it is written so): results, states,
/// gradients. Integers that are made of integers alone are the same in the last bit.
///
/// # Errors
/// What is too far apart, and by how much.
pub fn fused(model: &Model, explained: &str) -> Result<(), Mistake> {
    for (number, function) in model.net().cpu().iter().enumerate() {
        for training in [false, true] {
            if training && function.training.is_none() {
                continue;
            }
            let mut found = Ok(());
            for draw in 0..DRAWS {
                found = with_arguments(model, number, explained, training, draw);
                if found.is_ok() {
                    break;
                }
            }
            found?;
        }
    }
    Ok(())
}

fn with_arguments(model: &Model, function: usize, explained: &str, training: bool, draw: u64) -> Result<(), Mistake> {
    let mut twin = shaken(model, draw)?;
    twin.remove_loss_scales();
    let call = Call::finite(&twin, function, draw)?;
    let exact = Exact::new(&twin, &call, explained, training)?;
    let graph = if training { exact.with_gradients(&twin)? } else { exact.graph.clone() };
    // What kernels are made of, so that each operation is rounded.
    let operations = decompose(&graph, &NOTHING).map_err(|rule| Mistake(format!("`{}`: {rule:?}", call.name)))?;
    let (expected, rounded) = (exact.evaluate(&graph, false), exact.evaluate(&operations, true));
    let found = if training { train(&mut twin, &call)? } else { infer(&mut twin, &call)? };
    let net = model.net();
    let float = graph.halves().and_then(FloatType::of).unwrap_or(model.loaded().float);
    let outputs = graph.outputs.iter().zip(reference::exact(&graph));
    let exact: Vec<&Role> = outputs.filter(|(_, is_exact)| *is_exact).map(|(output, _)| &output.role).collect();
    type Group<'a> = (&'a str, fn(usize) -> Role, [&'a BTreeMap<usize, Tensor>; 3]);
    let groups: [Group; 3] = [
        ("result", Role::Result, [&expected.results, &rounded.results, &found.results]),
        ("state", Role::State, [&expected.states, &rounded.states, &found.states]),
        ("gradient of", Role::Gradient, [&expected.gradients, &rounded.gradients, &found.gradients]),
    ];
    for (what, role, [expected, rounded, found]) in groups {
        let norms = expected.values().map(|t| norm(&t.floats()));
        let whole = if what == "result" { 0.0 } else { SHARE * norms.fold(0.0, f64::max) };
        for (number, expected) in expected {
            let name = match what {
                "result" => number.to_string(),
                "state" => format!("`{}`", net.states[*number].name),
                _ => format!("`{}`", net.parameters[*number].name),
            };
            let Some(found) = found.get(number) else {
                return Err(Mistake(format!("`{}` ({}): there is no {what} {name}", call.name, call.drawn)));
            };
            let at = || {
                let mode = if training { "training" } else { "inference" };
                format!("`{}` ({}), {mode}: {what} {name}", call.name, call.drawn)
            };
            if let (true, Some((i, x, y))) = (exact.contains(&&role(*number)), unequal(expected, found)) {
                return Err(Mistake(format!("{}: element {i} is {y}, what was written gives {x}", at())));
            }
            if let Some((distance, allowed)) = apart(float, expected, &rounded[number], found, whole) {
                return Err(Mistake(format!(
                    "{} is {distance:.1e} away from what was written gives in f64, {allowed:.1e} are allowed (norm {:.1e})",
                    at(),
                    norm(&expected.floats()),
                )));
            }
        }
    }
    Ok(())
}

/// The first element that is not the same, and what it is in both.
fn unequal(expected: &Tensor, found: &Tensor) -> Option<(usize, Number, Number)> {
    let mut pairs = expected.data.iter().zip(&found.data).enumerate();
    pairs.find(|(_, (x, y))| x != y).map(|(i, (x, y))| (i, *x, *y))
}

/// The norm of the difference and what is allowed, if it is more.
fn apart(float: FloatType, expected: &Tensor, rounded: &Tensor, found: &Tensor, whole: f64) -> Option<(f64, f64)> {
    if expected.shape != found.shape {
        return Some((f64::INFINITY, 0.0));
    }
    let elements = expected.floats();
    let difference = |other: &Tensor| -> f64 {
        let other = other.floats();
        // What is not finite in both is the same.
        let pairs = elements.iter().zip(&other).filter(|(a, b)| a.is_finite() || b.is_finite());
        norm(&pairs.map(|(a, b)| a - b).collect::<Vec<_>>())
    };
    let finite: Vec<f64> = elements.iter().copied().filter(|x| x.is_finite()).collect();
    let rounding = difference(rounded);
    let allowed = tolerance(float) * norm(&finite).max(whole)
        + if rounding.is_finite() { roundings(float) * rounding } else { 0.0 }
        + f64::from(f32::MIN_POSITIVE);
    let distance = difference(found);
    (distance.is_nan() || distance > allowed).then_some((distance, allowed))
}

fn infer(model: &mut Model, call: &Call) -> Result<Values, Mistake> {
    let results = model.infer_mut(call.function, &call.arguments())?;
    Ok(Values { results: numbered(&results)?, states: states(model)?, ..Values::default() })
}

fn train(model: &mut Model, call: &Call) -> Result<Values, Mistake> {
    let (results, gradients) = model.grad(call.function, &call.arguments())?;
    let mut by_number = BTreeMap::new();
    for &number in &model.net().functions[call.function].reaches {
        by_number.insert(number, tensor(&gradients.parameter(&model.net().parameters[number].name)?)?);
    }
    Ok(Values { results: numbered(&results)?, states: states(model)?, gradients: by_number })
}

fn numbered(results: &[crate::array::Array]) -> Result<BTreeMap<usize, Tensor>, Mistake> {
    results.iter().enumerate().map(|(i, array)| Ok((i, tensor(array)?))).collect()
}

fn states(model: &Model) -> Result<BTreeMap<usize, Tensor>, Mistake> {
    let mut states = BTreeMap::new();
    for (number, state) in model.net().states.iter().enumerate() {
        if let Some(array) = model.state(&state.name)? {
            states.insert(number, tensor(&array)?);
        }
    }
    Ok(states)
}
