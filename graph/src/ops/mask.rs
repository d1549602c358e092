//! Parts of a tensor held at a number: `masked_fill`, `tril`, `triu`; and copies of it side by side: `expand`, `repeat`,
//! `repeat_interleave`.

use super::Operator;
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, one_by_one, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::Op;
use crate::rules::Rule;
use crate::scalar::Binary;
use crate::size::Size;
use crate::types::{DType, Type, shape_text};

const X: Param = required("input", Kind::Tensor);
const DIAGONAL: Param = optional("diagonal", Kind::Int, "0");

/// Masks and copies.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "masked_fill",
        doc: "`value` where the mask holds, else the input.",
        signature: &[X, required("mask", Kind::Tensor), required("value", Kind::Operand)],
        build: masked_fill,
    },
    Operator {
        name: "tril",
        doc: "0 above a diagonal of the last two axes; `diagonal = 1` is the one above the main one.",
        signature: &[X, DIAGONAL],
        build: |b, bound| triangle(b, bound, Binary::Le),
    },
    Operator {
        name: "triu",
        doc: "0 below a diagonal of the last two axes.",
        signature: &[X, DIAGONAL],
        build: |b, bound| triangle(b, bound, Binary::Ge),
    },
    Operator {
        name: "expand",
        doc: "Stretched to a shape: axes of size 1 to any size, new axes in front; -1 leaves an axis as it is.",
        signature: &[X, one_by_one("sizes", Kind::Sizes)],
        build: expand,
    },
    Operator {
        name: "repeat",
        doc: "So many copies along each axis, one after the other; new axes in front.",
        signature: &[X, one_by_one("repeats", Kind::Sizes)],
        build: repeat,
    },
    Operator {
        name: "tile",
        doc: "`repeat`, where the first axes may be left out: `x.tile(2)` has the last axis twice.",
        signature: &[X, one_by_one("dims", Kind::Sizes)],
        build: tile,
    },
    Operator {
        name: "repeat_interleave",
        doc: "Each part along `dim` so many times (each element of the flattened input, if left out).",
        signature: &[X, required("repeats", Kind::Size), optional("dim", Kind::Int, "None")],
        build: repeat_interleave,
    },
];

fn masked_fill(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let (x, mask) = (bound.tensor(b, 0, None), bound.tensor(b, 1, None));
    let value = bound.tensor(b, 2, Some(x));
    if b.rank(value) != 0 {
        let message = format!("`masked_fill` with {}: the value is one number", b.ty(value));
        return bound.wrong(b, "N0105", 2, message, "take each element from one of two tensors: `where_(mask, a, b)`");
    }
    b.select(mask, value, x).map(Arg::Tensor)
}

/// What stands where the column compares so with the row and the diagonal.
fn triangle(b: &mut Builder, bound: &Bound, kept: Binary) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let (shape, dtype) = (b.shape(x), b.graph.dtype(x));
    let [.., rows, columns] = &shape[..] else {
        let message = format!("`{}` needs a matrix, found {}", bound.callee, b.ty(x));
        return bound.wrong(b, "N0105", 0, message, "give a tensor of two axes or more");
    };
    let places = Type::new(DType::I64, vec![rows.clone(), columns.clone()]);
    let row = b.push(Op::Iota(0), vec![], places.clone());
    let column = b.push(Op::Iota(1), vec![], places);
    let diagonal = b.binary_const(Binary::Add, row, bound.int(1).unwrap_or(0) as f64);
    let keep = b.binary(kept, column, diagonal)?;
    let zero = b.constant(0.0, dtype);
    b.select(keep, x, zero).map(Arg::Tensor)
}

fn expand(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let (from, mut to) = (b.shape(x), bound.sizes(1).unwrap_or_default());
    let text = shape_text(&to);
    let new = to.len().checked_sub(from.len());
    for axis in 0..from.len() {
        let Some(new) = new else { break };
        if to[new + axis].is(-1) {
            to[new + axis] = from[axis].clone();
        }
    }
    let fits = new.is_some_and(|new| (0..from.len()).all(|a| from[a].is(1) || from[a] == to[new + a]));
    if !fits || to.iter().any(|s| s.as_const().is_some_and(|c| c < 1)) {
        let from = shape_text(&from);
        let d = Diagnostic::new("N0101", bound.at(1), format!("`expand` of {from} to {text}"))
            .note(b.made_at(x), format!("{from} comes from `{}`", b.made_by(x)))
            .help("axes meet from the right: each is equal or stretched from 1, and -1 leaves it as it is");
        return b.report(d);
    }
    Ok(Arg::Tensor(b.broadcast_to(x, &to)))
}

/// A number of copies, which must be at least one.
fn copies(b: &mut Builder, bound: &Bound, count: &Size) -> Checked<()> {
    if b.require(Rule::not_empty(count.clone()), format!("makes {count} copies")) {
        return Ok(());
    }
    let message = format!("`{}` with {count} copies", bound.callee);
    bound.wrong(b, "N0306", 1, message, "tensors are never empty: repeat at least once")
}

fn repeat(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let counts = bound.sizes(1).unwrap_or_default();
    copied(b, bound, counts)
}

/// Axes without a number of copies have one.
fn tile(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let (x, mut counts) = (bound.tensor(b, 0, None), bound.sizes(1).unwrap_or_default());
    while counts.len() < b.rank(x) {
        counts.insert(0, 1.into());
    }
    copied(b, bound, counts)
}

fn copied(b: &mut Builder, bound: &Bound, counts: Vec<Size>) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let from = b.shape(x);
    let Some(new) = counts.len().checked_sub(from.len()) else {
        let message = format!("`repeat` of {} with {} numbers of copies", shape_text(&from), counts.len());
        return bound.wrong(b, "N0105", 1, message, "give a number for each axis");
    };
    let (mut spread, mut copied, mut to) = (vec![], vec![], vec![]);
    for (axis, count) in counts.iter().enumerate() {
        copies(b, bound, count)?;
        let size = axis.checked_sub(new).map_or(Size::constant(1), |axis| from[axis].clone());
        spread.extend([1.into(), size.clone()]);
        copied.extend([count.clone(), size.clone()]);
        to.push(count * &size);
    }
    let spread = b.reshape(x, spread);
    let copied = b.broadcast_to(spread, &copied);
    Ok(Arg::Tensor(b.reshape(copied, to)))
}

fn repeat_interleave(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let mut x = bound.tensor(b, 0, None);
    let count = bound.size(1).unwrap_or_default();
    copies(b, bound, &count)?;
    let axis = match bound.int(2) {
        Some(dim) => bound.axis(b, 2, dim, b.rank(x))?,
        None => {
            let all = b.ty(x).len();
            x = b.reshape(x, vec![all]);
            0
        }
    };
    let mut shape = b.shape(x);
    let whole = &shape[axis] * &count;
    shape.insert(axis + 1, 1.into());
    let spread = b.reshape(x, shape.clone());
    shape[axis + 1] = count;
    let copied = b.broadcast_to(spread, &shape);
    shape.remove(axis + 1);
    shape[axis] = whole;
    Ok(Arg::Tensor(b.reshape(copied, shape)))
}
