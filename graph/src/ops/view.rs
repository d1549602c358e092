//! Other views of the same elements: `reshape`, `flatten`, `permute`, `transpose`, `t`, `squeeze`, `unsqueeze`.

use super::Operator;
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, one_by_one, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::Value;
use crate::size::Size;
use crate::types::shape_text;

const X: Param = required("input", Kind::Tensor);

const RESHAPE: &[Param] = &[X, one_by_one("shape", Kind::Sizes)];

/// The views.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "reshape",
        doc: "The same elements in another shape; one size may be -1.",
        signature: RESHAPE,
        build: reshape,
    },
    Operator { name: "view", doc: "`reshape` by another name.", signature: RESHAPE, build: reshape },
    Operator {
        name: "flatten",
        doc: "Axes `start_dim` to `end_dim` become one.",
        signature: &[X, optional("start_dim", Kind::Int, "0"), optional("end_dim", Kind::Int, "-1")],
        build: flatten,
    },
    Operator {
        name: "permute",
        doc: "Axis i of the result is axis dims[i].",
        signature: &[X, one_by_one("dims", Kind::Ints)],
        build: permute,
    },
    Operator {
        name: "transpose",
        doc: "Two axes change places.",
        signature: &[X, required("dim0", Kind::Int), required("dim1", Kind::Int)],
        build: transpose,
    },
    Operator { name: "t", doc: "The transpose of a matrix.", signature: &[X], build: t },
    Operator {
        name: "unsqueeze",
        doc: "A new axis of size 1 before axis `dim`.",
        signature: &[X, required("dim", Kind::Int)],
        build: unsqueeze,
    },
    Operator {
        name: "squeeze",
        doc: "Without the axis `dim` of size 1 (all such, if left out).",
        signature: &[X, optional("dim", Kind::Int, "all")],
        build: squeeze,
    },
];

fn reshape(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let mut shape = bound.sizes(1).unwrap_or_default();
    let total = b.ty(x).len();
    let open: Vec<_> = (0..shape.len()).filter(|&i| shape[i].is(-1)).collect();
    if open.len() > 1 {
        return bound.wrong(
            b,
            "N0108",
            1,
            format!("`{}` can infer one size only: -1 stands twice", bound.callee),
            "write all but one of them",
        );
    }
    if let Some(bad) = shape.iter().find(|s| s.as_const().is_some_and(|c| c < 1 && c != -1)).cloned() {
        return bound.wrong(
            b,
            "N0108",
            1,
            format!("`{}` to a size of {bad}", bound.callee),
            "sizes are at least 1, or -1 for the one to infer",
        );
    }
    if let [axis] = open[..] {
        shape[axis] = 1.into();
        match total.div_exact(&Size::product(&shape)) {
            Some(size) => shape[axis] = size,
            None => {
                shape[axis] = (-1).into();
                return unequal(b, bound, x, &shape);
            }
        }
    }
    if Size::product(&shape) != total {
        return unequal(b, bound, x, &shape);
    }
    Ok(Arg::Tensor(b.reshape(x, shape)))
}

fn unequal(b: &mut Builder, bound: &Bound, x: Value, shape: &[Size]) -> Checked<Arg> {
    let (from, to, total) = (shape_text(&b.shape(x)), shape_text(shape), b.ty(x).len());
    let wanted = Size::product(shape.iter().filter(|s| !s.is(-1)));
    let callee = &bound.callee;
    let message = match shape.iter().any(|s| s.is(-1)) {
        true => format!("`{callee}` of {from} to {to}: {total} elements do not divide by {wanted}"),
        false => format!("`{callee}` of {from} to {to}: {total} elements against {wanted}"),
    };
    let d = Diagnostic::new("N0108", bound.at(1), message)
        .note(b.made_at(x), format!("{from} comes from `{}`", b.made_by(x)))
        .help("write -1 for the size to infer");
    b.report(d)
}

fn flatten(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let rank = b.rank(x);
    let start = bound.axis(b, 1, bound.int(1).unwrap_or(0), rank.max(1))?;
    let end = bound.axis(b, 2, bound.int(2).unwrap_or(-1), rank.max(1))?;
    if start > end {
        let message = format!("`flatten` from axis {start} to axis {end}");
        return bound.wrong(b, "N0103", 1, message, "give the smaller axis first");
    }
    let shape = b.shape(x);
    let mut flat = shape[..start.min(rank)].to_vec();
    flat.push(Size::product(shape.iter().take(end + 1).skip(start)));
    flat.extend(shape.iter().skip(end + 1).cloned());
    Ok(Arg::Tensor(b.reshape(x, flat)))
}

fn permute(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let (rank, given) = (b.rank(x), bound.ints(1).unwrap_or_default());
    let mut order = Vec::with_capacity(rank);
    for axis in &given {
        order.push(bound.axis(b, 1, *axis, rank)?);
    }
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if sorted != (0..rank).collect::<Vec<_>>() {
        let message = format!("`permute` of {} by {given:?}", shape_text(&b.shape(x)));
        return bound.wrong(b, "N0103", 1, message, format!("name each of its {rank} axes once"));
    }
    Ok(Arg::Tensor(b.permute(x, &order)))
}

fn transpose(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let rank = b.rank(x);
    let first = bound.axis(b, 1, bound.int(1).unwrap_or(0), rank)?;
    let second = bound.axis(b, 2, bound.int(2).unwrap_or(1), rank)?;
    let mut order: Vec<_> = (0..rank).collect();
    order.swap(first, second);
    Ok(Arg::Tensor(b.permute(x, &order)))
}

fn t(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    match b.rank(x) {
        0 | 1 => Ok(Arg::Tensor(x)),
        2 => Ok(Arg::Tensor(b.permute(x, &[1, 0]))),
        rank => {
            bound.wrong(b, "N0105", 0, format!("`t` needs a matrix, found {rank} axes"), "use `.transpose(-2, -1)`")
        }
    }
}

fn unsqueeze(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let mut shape = b.shape(x);
    let axis = bound.axis(b, 1, bound.int(1).unwrap_or(0), shape.len() + 1)?;
    shape.insert(axis, 1.into());
    Ok(Arg::Tensor(b.reshape(x, shape)))
}

fn squeeze(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let mut shape = b.shape(x);
    match bound.int(1) {
        None => shape.retain(|s| !s.is(1)),
        Some(axis) => {
            let axis = bound.axis(b, 1, axis, shape.len())?;
            if shape[axis].is(1) {
                shape.remove(axis);
            }
        }
    }
    Ok(Arg::Tensor(b.reshape(x, shape)))
}
