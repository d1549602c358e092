//! One step of each cell.

use crate::builder::{Builder, Checked};
use crate::graph::Value;
use crate::ops::linear;
use crate::scalar::{Binary, Unary};
use crate::size::Size;

/// See [`Cell::step`].
type CellStep = fn(&mut Builder, Value, &[Value], Value, Option<Value>) -> Checked<Vec<Value>>;

/// A kind of cell.
pub(super) struct Cell {
    /// Rows of its weights by the hidden size.
    pub gates: i64,
    /// How many states it has; the first one is its output.
    pub states: usize,
    /// Whether `bias_hh` may be added to the projected input, for all steps at once.
    pub joint_biases: bool,
    /// The states after a step, given the projected input, the states before, `weight_hh` and, unless it was added, `bias_hh`.
    pub step: CellStep,
}

/// Gates: input, forget, cell, output.
pub(super) static LSTM: Cell = Cell { gates: 4, states: 2, joint_biases: true, step: lstm };
/// Gates: reset, update, new; `bias_hh` of the last is reset, too.
pub(super) static GRU: Cell = Cell { gates: 3, states: 1, joint_biases: false, step: gru };
/// Elman's cell.
pub(super) static TANH: Cell = Cell {
    gates: 1,
    states: 1,
    joint_biases: true,
    step: |b, x, h, weight, bias| {
        let sum = plain(b, x, h, weight, bias)?;
        Ok(vec![b.unary(Unary::Tanh, sum)])
    },
};
/// The same with `relu`.
pub(super) static RELU: Cell = Cell {
    gates: 1,
    states: 1,
    joint_biases: true,
    step: |b, x, h, weight, bias| {
        let sum = plain(b, x, h, weight, bias)?;
        Ok(vec![b.binary_const(Binary::Max, sum, 0.0)])
    },
};

fn lstm(b: &mut Builder, x: Value, states: &[Value], weight: Value, bias: Option<Value>) -> Checked<Vec<Value>> {
    let (h, c) = (states[0], states[1]);
    let all = plain(b, x, states, weight, bias)?;
    let hidden = b.shape(h)[1].clone();
    let [i, f, g, o] = [0, 1, 2, 3].map(|number| gate(b, all, number, &hidden));
    let [i, f, o] = [i, f, o].map(|gate| b.unary(Unary::Sigmoid, gate));
    let g = b.unary(Unary::Tanh, g);
    let (kept, new) = (b.pointwise(Binary::Mul, f, c), b.pointwise(Binary::Mul, i, g));
    let c = b.pointwise(Binary::Add, kept, new);
    let shown = b.unary(Unary::Tanh, c);
    Ok(vec![b.pointwise(Binary::Mul, o, shown), c])
}

fn gru(b: &mut Builder, x: Value, states: &[Value], weight: Value, bias: Option<Value>) -> Checked<Vec<Value>> {
    let h = states[0];
    let all = linear(b, h, weight, bias)?;
    let hidden = b.shape(h)[1].clone();
    let [r, z] = [0, 1].map(|number| {
        let (from_x, from_h) = (gate(b, x, number, &hidden), gate(b, all, number, &hidden));
        let sum = b.pointwise(Binary::Add, from_x, from_h);
        b.unary(Unary::Sigmoid, sum)
    });
    let (from_x, from_h) = (gate(b, x, 2, &hidden), gate(b, all, 2, &hidden));
    let reset = b.pointwise(Binary::Mul, r, from_h);
    let new = b.pointwise(Binary::Add, from_x, reset);
    let new = b.unary(Unary::Tanh, new);
    let way = b.pointwise(Binary::Sub, h, new);
    let way = b.pointwise(Binary::Mul, z, way);
    Ok(vec![b.pointwise(Binary::Add, new, way)])
}

/// x + h · weightᵀ + bias.
fn plain(b: &mut Builder, x: Value, states: &[Value], weight: Value, bias: Option<Value>) -> Checked<Value> {
    let all = linear(b, states[0], weight, bias)?;
    Ok(b.pointwise(Binary::Add, x, all))
}

/// A gate of `[batch, gates * hidden]`.
fn gate(b: &mut Builder, all: Value, number: i64, hidden: &Size) -> Value {
    b.slice(all, 1, hidden * &number.into(), hidden.clone())
}
