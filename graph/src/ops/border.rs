//! What changes the order or the border of an axis: `flip`, `roll`, `pad`.

use super::Operator;
use super::index::range;
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, one_by_one, optional, required};
use crate::graph::Value;
use crate::number::Number;
use crate::rules::{Relation, Rule};
use crate::size::Size;
use crate::types::shape_text;

const X: Param = required("input", Kind::Tensor);

/// Orders and borders.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "flip",
        doc: "From the last to the first along the axes `dims`.",
        signature: &[X, one_by_one("dims", Kind::Ints)],
        build: flip,
    },
    Operator {
        name: "roll",
        doc: "Each element `shifts` places further along `dims`; what leaves at the end comes in at the beginning. Without `dims`, in row-major order.",
        signature: &[X, required("shifts", Kind::Ints), optional("dims", Kind::Ints, "None")],
        build: roll,
    },
    Operator {
        name: "pad",
        doc: "More elements before and behind: `[left, right, top, bottom, …]`, the last axis first; negative numbers cut off. `mode`: \"constant\" (`value`), \"reflect\", \"replicate\", \"circular\".",
        signature: &[
            X,
            required("pad", Kind::Sizes),
            optional("mode", Kind::Text, "\"constant\""),
            optional("value", Kind::Element, "0"),
        ],
        build: pad,
    },
];

fn flip(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let mut x = bound.tensor(b, 0, None);
    let mut seen = vec![];
    for given in bound.ints(1).unwrap_or_default() {
        let axis = bound.axis(b, 1, given, b.rank(x))?;
        if seen.contains(&axis) {
            return bound.wrong(b, "N0103", 1, format!("`flip` gets axis {axis} twice"), "remove one of them");
        }
        seen.push(axis);
        x = b.flip(x, axis);
    }
    Ok(Arg::Tensor(x))
}

fn roll(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let mut x = bound.tensor(b, 0, None);
    let (shape, shifts) = (b.shape(x), bound.ints(1).unwrap_or_default());
    let dims = match bound.ints(2) {
        Some(dims) => dims,
        None => {
            x = b.reshape(x, vec![Size::product(&shape)]);
            vec![0]
        }
    };
    if shifts.len() != dims.len() {
        let message = format!("`roll` by {} shifts along {} axes", shifts.len(), dims.len());
        return bound.wrong(b, "N0306", 1, message, "give one shift an axis");
    }
    for (&shift, &dim) in shifts.iter().zip(&dims) {
        let axis = bound.axis(b, 2, dim, b.rank(x))?;
        x = rolled(b, bound, x, axis, shift)?;
    }
    Ok(Arg::Tensor(b.reshape(x, shape)))
}

fn rolled(b: &mut Builder, bound: &Bound, x: Value, axis: usize, shift: i64) -> Checked<Value> {
    let len = b.shape(x)[axis].clone();
    let shift = len.as_const().map_or(shift, |len| shift.rem_euclid(len.max(1)));
    if shift == 0 {
        return Ok(x);
    }
    // The place of the element that comes first.
    let first = if shift > 0 { &len - &shift.into() } else { (-shift).into() };
    let behind = range(b, bound.at(1), x, axis, first.clone(), len)?;
    let before = range(b, bound.at(1), x, axis, Size::default(), first)?;
    Ok(b.cat(&[behind, before], axis))
}

fn pad(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let (rank, given) = (b.rank(x), bound.sizes(1).unwrap_or_default());
    if given.len() % 2 != 0 || given.len() > 2 * rank {
        let message = format!("`pad` of {} by {} numbers", shape_text(&b.shape(x)), given.len());
        return bound.wrong(b, "N0306", 1, message, "give two numbers an axis, before and behind, the last axis first");
    }
    let mode = bound.text(2).unwrap_or("constant");
    if !["constant", "reflect", "replicate", "circular"].contains(&mode) {
        let message = format!("`pad` has no mode {mode:?}");
        return bound.wrong(b, "N0306", 2, message, "write \"constant\", \"reflect\", \"replicate\" or \"circular\"");
    }
    // What is cut off goes first.
    let mut x = x;
    let mut sides = vec![];
    for (i, pair) in given.chunks(2).enumerate() {
        let axis = rank - 1 - i;
        let cut = |size: &Size| size.as_const().filter(|c| *c < 0).map_or(Size::default(), |c| (-c).into());
        let (front, back) = (cut(&pair[0]), cut(&pair[1]));
        let end = &b.shape(x)[axis] - &back;
        if !front.is_zero() || !back.is_zero() {
            x = range(b, bound.at(1), x, axis, front.clone(), end)?;
        }
        sides.push((axis, &pair[0] + &front, &pair[1] + &back));
    }
    for (_, before, behind) in &sides {
        for side in [before, behind] {
            // A run-time size less a number may be negative; no pad is.
            if !b.require(Rule::new(side.clone(), Relation::AtLeast, Size::default()), format!("pads by {side}")) {
                return bound.wrong(
                    b,
                    "N0306",
                    1,
                    format!("`pad` by {side}"),
                    "write a number, or a size of at least 0",
                );
            }
        }
    }
    if mode == "constant" {
        let (mut first, mut shape) = (vec![Size::default(); rank], b.shape(x));
        for (axis, before, behind) in sides {
            shape[axis] = &(&shape[axis] + &before) + &behind;
            first[axis] = before;
        }
        return Ok(Arg::Tensor(b.pad(x, first, shape, bound.number(3).unwrap_or(Number::Int(0)))));
    }
    for (axis, before, behind) in sides {
        x = bordered(b, bound, x, axis, [before, behind], mode)?;
    }
    Ok(Arg::Tensor(x))
}

/// The axis with a border made of its own elements.
fn bordered(b: &mut Builder, bound: &Bound, x: Value, axis: usize, sides: [Size; 2], mode: &str) -> Checked<Value> {
    let len = b.shape(x)[axis].clone();
    let (one, at) = (Size::constant(1), bound.at(1));
    let mut parts = vec![];
    for (i, side) in sides.into_iter().enumerate() {
        if i == 1 {
            parts.push(x);
        }
        if side.is_zero() {
            continue;
        }
        let part = match (mode, i) {
            // Mirrored, without the element at the edge itself.
            ("reflect", 0) => range(b, at, x, axis, one.clone(), &side + &one)?,
            ("reflect", _) => range(b, at, x, axis, &(&len - &one) - &side, &len - &one)?,
            ("circular", 0) => range(b, at, x, axis, &len - &side, len.clone())?,
            ("circular", _) => range(b, at, x, axis, Size::default(), side)?,
            (_, edge) => {
                let place = if edge == 0 { Size::default() } else { &len - &one };
                let mut shape = b.shape(x);
                shape[axis] = side;
                let edge = b.slice(x, axis, place, one.clone());
                b.broadcast_to(edge, &shape)
            }
        };
        parts.push(if mode == "reflect" { b.flip(part, axis) } else { part });
    }
    Ok(b.cat(&parts, axis))
}
