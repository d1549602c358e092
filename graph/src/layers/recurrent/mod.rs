//! `LSTM`, `GRU`, `RNN`: layers of cells that run over time.

use super::linear::features;
use super::{Layer, LayerKind, Tensors, at_least, float_input, shape_once};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, inferred, named, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::Value;
use crate::net::Init;
use crate::size::Size;
use crate::types::shape_text;
use cell::Cell;

mod cell;
mod time;

const SIGNATURE: &[Param] = &[
    inferred("input_size", Kind::Int),
    required("hidden_size", Kind::Int),
    optional("num_layers", Kind::Int, "1"),
    optional("bias", Kind::Bool, "true"),
    optional("batch_first", Kind::Bool, "false"),
    optional("dropout", Kind::Float, "0.0"),
    optional("bidirectional", Kind::Bool, "false"),
];

/// Those of `RNN`: PyTorch's, too.
const WITH_NONLINEARITY: &[Param] = &[
    SIGNATURE[0],
    SIGNATURE[1],
    SIGNATURE[2],
    optional("nonlinearity", Kind::Text, "\"tanh\""),
    SIGNATURE[3],
    SIGNATURE[4],
    SIGNATURE[5],
    SIGNATURE[6],
];

/// The slot of `nonlinearity`.
const NONLINEARITY: usize = 3;

/// A call's arguments; `hx` is a tuple for cells of two states.
const CALL: &[Param] = &[required("input", Kind::Tensor), optional("hx", Kind::Tensor, "zeros"), LENGTHS];
const CALL_OF_TWO: &[Param] = &[required("input", Kind::Tensor), optional("hx", Kind::Tensors, "zeros"), LENGTHS];
const LENGTHS_SLOT: usize = 2;
const LENGTHS: Param = named("lengths", Kind::Tensor, "None");

/// `LSTM(hidden_size)`.
pub(super) static LSTM: LayerKind = LayerKind {
    name: "LSTM",
    doc: "Long short-term memory over [T, batch, features]: (output, (h_n, c_n)); `hx` is (h_0, c_0). `lengths`, of the batch, as by pack_padded_sequence: from 1 to T; the output is 0 behind them, the last states are those at them.",
    signature: SIGNATURE,
    declare,
    call: CALL_OF_TWO,
    apply: |b, layer, given| apply(b, layer, given, &cell::LSTM),
};

/// `GRU(hidden_size)`.
pub(super) static GRU: LayerKind = LayerKind {
    name: "GRU",
    doc: "Gated recurrent units over [T, batch, features]: (output, h_n). `lengths` as for `LSTM`.",
    signature: SIGNATURE,
    declare,
    call: CALL,
    apply: |b, layer, given| apply(b, layer, given, &cell::GRU),
};

/// `RNN(hidden_size)`.
pub(super) static RNN: LayerKind = LayerKind {
    name: "RNN",
    doc: "h = tanh(x · weight_ihᵀ + bias_ih + h · weight_hhᵀ + bias_hh) over [T, batch, features], or with \"relu\": (output, h_n). `lengths` as for `LSTM`.",
    signature: WITH_NONLINEARITY,
    declare: |b, bound| match bound.text(NONLINEARITY) {
        None | Some("tanh" | "relu") => declare(b, bound),
        Some(other) => {
            let message = format!("`RNN` knows no nonlinearity {other:?}");
            bound.wrong(b, "N0306", NONLINEARITY, message, "write `\"tanh\"` or `\"relu\"`")
        }
    },
    call: CALL,
    apply: |b, layer, given| match layer.bound.text(NONLINEARITY) {
        Some("relu") => apply(b, layer, given, &cell::RELU),
        _ => apply(b, layer, given, &cell::TANH),
    },
};

/// What a declaration says.
struct Options {
    hidden: i64,
    layers: i64,
    bias: bool,
    batch_first: bool,
    dropout: f64,
    directions: i64,
}

impl Options {
    fn of(bound: &Bound) -> Options {
        let behind = behind_layers(bound);
        Options {
            hidden: bound.int(1).unwrap_or(1),
            layers: bound.int(2).unwrap_or(1),
            bias: bound.bool(behind).unwrap_or(true),
            batch_first: bound.bool(behind + 1).unwrap_or(false),
            dropout: bound.float(behind + 2).unwrap_or(0.0),
            directions: 1 + i64::from(bound.bool(behind + 3).unwrap_or(false)),
        }
    }
}

/// The slot of `bias`, which stands behind `num_layers`, and in `RNN` behind `nonlinearity`.
fn behind_layers(bound: &Bound) -> usize {
    if bound.len() == WITH_NONLINEARITY.len() { NONLINEARITY + 1 } else { NONLINEARITY }
}

/// The most layers: each has tensors and a loop of its own.
const MOST_LAYERS: i64 = 1000;

fn declare(b: &mut Builder, bound: &Bound) -> Checked<Tensors> {
    at_least(b, bound, &[(0, "input_size", 1), (1, "hidden_size", 1), (2, "num_layers", 1)])?;
    let options = Options::of(bound);
    if options.layers > MOST_LAYERS {
        let message = format!("`{}` with num_layers = {}", bound.callee, options.layers);
        return bound.wrong(b, "N0306", 2, message, format!("it is at most {MOST_LAYERS}"));
    }
    if !(0.0..=1.0).contains(&options.dropout) {
        let message = format!("`{}` with dropout = {}", bound.callee, options.dropout);
        return bound.wrong(b, "N0306", behind_layers(bound) + 2, message, "a probability lies between 0 and 1");
    }
    let kinds = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];
    let kinds = if options.bias { &kinds[..] } else { &kinds[..2] };
    let mut tensors = vec![];
    for number in 0..options.layers {
        for direction in ["", "_reverse"].into_iter().take(options.directions as usize) {
            for kind in kinds {
                tensors.push(format!("{kind}_l{number}{direction}").into());
            }
        }
    }
    Ok(tensors)
}

fn apply(b: &mut Builder, layer: &Layer, given: &Bound, cell: &Cell) -> Checked<Arg> {
    let options = Options::of(&layer.bound);
    let mut x = float_input(b, layer, given)?;
    let features = input_features(b, layer, x)?;
    if options.batch_first {
        x = b.permute(x, &[1, 0, 2]);
    }
    let (steps, batch) = (b.shape(x)[0].clone(), b.shape(x)[1].clone());
    let runs = options.layers * options.directions;
    let first = first_states(b, layer, given, cell.states, &[runs.into(), batch.clone(), options.hidden.into()])?;
    let inside = match given.arg(LENGTHS_SLOT) {
        Some(_) => Some(time::inside(b, layer, given, LENGTHS_SLOT, &steps, &batch)?),
        None => None,
    };
    let mut last = vec![vec![]; cell.states];
    for number in 0..options.layers {
        let mut outputs = vec![];
        for reverse in [false, true].into_iter().take(options.directions as usize) {
            let run = outputs.len() as i64 + number * options.directions;
            let inputs = if number == 0 { features } else { options.hidden * options.directions };
            let weights = weights(b, layer, cell, run, inputs)?;
            let states: Vec<Value> = first.iter().map(|all| time::one(b, *all, run)).collect();
            let (states, output) = time::run(b, cell, x, &states, &weights, inside, reverse)?;
            outputs.push(output);
            states.into_iter().zip(&mut last).for_each(|(state, all)| all.push(state));
        }
        x = b.cat(&outputs, 2);
        if number + 1 < options.layers {
            x = crate::ops::drop_out(b, x, options.dropout)?;
        }
    }
    if options.batch_first {
        x = b.permute(x, &[1, 0, 2]);
    }
    let last = last.iter().map(|states| Arg::Tensor(time::stack(b, states)));
    let mut last: Vec<Arg> = last.collect();
    let last = if last.len() == 1 { last.remove(0) } else { Arg::List(last) };
    Ok(Arg::List(vec![Arg::Tensor(x), last]))
}

/// The number of features of an input over time.
fn input_features(b: &mut Builder, layer: &Layer, x: Value) -> Checked<i64> {
    if b.rank(x) == 3 {
        return features(b, layer, x, 0, "input_size");
    }
    let (shape, made) = (shape_text(&b.shape(x)), b.made_by(x));
    let d = Diagnostic::new("N0105", b.origin.loc, format!("layer `{}` needs 3 axes, found {shape}", layer.name))
        .note(b.made_at(x), format!("the input, {shape}, comes from `{made}`"))
        .help("give it [T, batch, features], or with `batch_first = true` [batch, T, features]");
    b.report(d)
}

/// The first states of all layers and directions, zero where none are given.
fn first_states(b: &mut Builder, layer: &Layer, given: &Bound, count: usize, shape: &[Size]) -> Checked<Vec<Value>> {
    let like = given.tensor(b, 0, None);
    let dtype = b.graph.dtype(like);
    let states = match given.arg(1) {
        None => {
            let zero = b.constant(0.0, dtype);
            let zeros = b.broadcast_to(zero, shape);
            return Ok(vec![zeros; count]);
        }
        Some(Arg::Tensor(state)) => vec![*state],
        Some(_) => given.tensors(1).unwrap_or_default(),
    };
    if states.len() != count {
        let message = format!("`hx` of layer `{}` has {} states, it needs {count}", layer.name, states.len());
        return given.wrong(b, "N0305", 1, message, "give them as a tuple: `(h0, c0)`");
    }
    for (&state, name) in states.iter().zip(["h0", "c0"]) {
        let ty = b.ty(state).clone();
        if ty.dtype != dtype || ty.shape != shape {
            let wanted = crate::types::Type::new(dtype, shape.to_vec());
            let code = if ty.shape == shape { "N0201" } else { "N0102" };
            let message = format!("`{name}` of layer `{}` must be {wanted}, found {ty}", layer.name);
            let d = Diagnostic::new(code, given.at(1), message)
                .note(b.made_at(state), format!("it comes from `{}`", b.made_by(state)))
                .help("the axes are [num_layers * directions, batch, hidden_size], also with `batch_first`");
            return b.report(d);
        }
    }
    Ok(states)
}

/// What a cell multiplies with.
struct Weights {
    /// `[gates * hidden, inputs]`.
    input: Value,
    /// `[gates * hidden, hidden]`.
    hidden: Value,
    /// `bias_ih` and `bias_hh`.
    biases: Option<[Value; 2]>,
}

/// The weights of a layer's direction, by the number of both.
fn weights(b: &mut Builder, layer: &Layer, cell: &Cell, run: i64, inputs: i64) -> Checked<Weights> {
    let options = Options::of(&layer.bound);
    let rows = cell.gates * options.hidden;
    let init = Init::Uniform((1.0 / options.hidden as f64).sqrt() as f32);
    let words = format!("{inputs} input features");
    let each = if options.bias { 4 } else { 2 };
    let mut tensor = |i: usize, shape: Vec<i64>| shape_once(b, layer, run as usize * each + i, shape, init, &words);
    let (input, hidden) = (tensor(0, vec![rows, inputs])?, tensor(1, vec![rows, options.hidden])?);
    let biases = match options.bias {
        true => Some([tensor(2, vec![rows])?, tensor(3, vec![rows])?]),
        false => None,
    };
    Ok(Weights { input, hidden, biases })
}
