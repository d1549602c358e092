//! A cell over time.

use super::{Layer, Weights, cell::Cell};
use crate::builder::{Builder, Checked};
use crate::call::Bound;
use crate::diagnostic::Diagnostic;
use crate::graph::{Op, Value};
use crate::ops::linear;
use crate::program::Below;
use crate::scalar::Binary;
use crate::size::Size;
use crate::types::{DType, Type, shape_text};

/// The first axis's element of this number.
pub(super) fn one(b: &mut Builder, all: Value, number: i64) -> Value {
    let row = b.slice(all, 0, number.into(), 1.into());
    let shape = b.shape(row)[1..].to_vec();
    b.reshape(row, shape)
}

/// The states on an axis of their own, which is the first.
pub(super) fn stack(b: &mut Builder, states: &[Value]) -> Value {
    let rows: Vec<Value> = states
        .iter()
        .map(|&state| {
            let shape = [vec![1.into()], b.shape(state)].concat();
            b.reshape(state, shape)
        })
        .collect();
    b.cat(&rows, 0)
}

/// Of sequences of these lengths, which steps belong to them: `bool[T, batch, 1]`. The lengths are checked to lie in 1 to T.
pub(super) fn inside(
    b: &mut Builder,
    layer: &Layer,
    given: &Bound,
    slot: usize,
    steps: &Size,
    batch: &Size,
) -> Checked<Value> {
    let lengths = given.tensor(b, slot, None);
    let (ty, at) = (b.ty(lengths).clone(), given.at(slot));
    let from = format!("they come from `{}`", b.made_by(lengths));
    if !ty.dtype.is_int() {
        let message = format!("`lengths` of layer `{}` must be integers, found {ty}", layer.name);
        let d = Diagnostic::new("N0206", at, message).note(b.made_at(lengths), from);
        return b.report(d.help("declare them as `i64[B]`, `u32[B]` …, or convert them: `.cast(i64)`"));
    }
    if ty.shape != std::slice::from_ref(batch) {
        let found = shape_text(&ty.shape);
        let message = format!("`lengths` of layer `{}` must be [{batch}], found {found}", layer.name);
        let d = Diagnostic::new("N0102", at, message).note(b.made_at(lengths), from);
        return b.report(d.help("there is one length for each sequence of the batch"));
    }
    let below = Below { least: 1.into(), limit: steps + &1.into(), or: None, by: layer.name.as_str().into() };
    b.hold_between(lengths, &below, at)?;
    let shape = [steps.clone(), batch.clone(), 1.into()];
    let time = b.push(Op::Iota(0), vec![], Type::new(DType::I64, shape.to_vec()));
    let lengths = b.cast(lengths, DType::I64);
    let lengths = b.reshape(lengths, shape[1..].to_vec());
    let lengths = b.broadcast_to(lengths, &shape);
    Ok(b.pointwise(Binary::Lt, time, lengths))
}

/// A cell over `x[T, batch, inputs]`; its last states, its outputs `[T, batch, hidden]`. Where a step is not `inside` of its sequence, the
/// states stay as they are and the output is 0.
pub(super) fn run(
    b: &mut Builder,
    cell: &Cell,
    x: Value,
    states: &[Value],
    weights: &Weights,
    inside: Option<Value>,
    reverse: bool,
) -> Checked<(Vec<Value>, Value)> {
    let (bias, own) = match weights.biases {
        Some([input, hidden]) if cell.joint_biases => (Some(b.pointwise(Binary::Add, input, hidden)), None),
        Some([input, hidden]) => (Some(input), Some(hidden)),
        None => (None, None),
    };
    // What does not depend on the states is done for all steps at once.
    let projected = linear(b, x, weights.input, bias)?;
    let rows: Vec<Value> = std::iter::once(projected).chain(inside).collect();
    let shared: Vec<Value> = std::iter::once(weights.hidden).chain(own).collect();
    let (last, outputs) = b.scan(&rows, states, &shared, 0, reverse, |b, before, rows, shared| {
        let mut after = (cell.step)(b, rows[0], before, shared[0], shared.get(1).copied())?;
        let mut output = after[0];
        if let Some(&inside) = rows.get(1) {
            let zero = b.full(0.0, output);
            output = b.select(inside, output, zero)?;
            for (state, &before) in after.iter_mut().zip(before) {
                *state = b.select(inside, *state, before)?;
            }
        }
        Ok((after, vec![output]))
    })?;
    Ok((last, outputs[0]))
}
