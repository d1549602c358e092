//! Matrix products, and `linear`.

use super::{Operator, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::{Op, Value};
use crate::scalar::Binary;
use crate::size::Size;
use crate::types::{Type, broadcast, shape_text};

/// The products.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "matmul",
        doc: "The matrix product of the last two axes; the others broadcast.",
        signature: &[required("input", Kind::Tensor), required("other", Kind::Tensor)],
        build: matmul,
    },
    Operator {
        name: "mm",
        doc: "`matmul` of two matrices.",
        signature: &[required("input", Kind::Tensor), required("mat2", Kind::Tensor)],
        build: |b, bound| of_rank(b, bound, 2, "two matrices"),
    },
    Operator {
        name: "bmm",
        doc: "`matmul` of two stacks of as many matrices.",
        signature: &[required("input", Kind::Tensor), required("mat2", Kind::Tensor)],
        build: |b, bound| of_rank(b, bound, 3, "two stacks [b, m, k] and [b, k, n]"),
    },
    Operator {
        name: "linear",
        doc: "x · weightᵀ + bias over the last axis.",
        signature: &[
            required("input", Kind::Tensor),
            required("weight", Kind::Tensor),
            optional("bias", Kind::Tensor, "None"),
        ],
        build: |b, bound| {
            let (x, weight) = (float(b, bound, 0)?, float(b, bound, 1)?);
            let bias = bound.arg(2).is_some().then(|| bound.tensor(b, 2, None));
            if b.rank(x) == 0 || b.rank(weight) != 2 || b.shape(x).last() != b.shape(weight).last() {
                return mismatch(b, bound, x, weight, "`linear` needs [.., k] and a weight [features, k]");
            }
            linear(b, x, weight, bias).map(Arg::Tensor)
        },
    },
];

/// `x[.., k] · weight[features, k]ᵀ + bias[features]`; the sizes must meet.
pub(crate) fn linear(b: &mut Builder, x: Value, weight: Value, bias: Option<Value>) -> Checked<Value> {
    let mut shape = b.shape(x);
    let k = shape.pop().unwrap_or_default();
    let rows = Size::product(&shape);
    let features = b.shape(weight)[0].clone();
    let flat = b.reshape(x, vec![rows.clone(), k]);
    let ty = Type::new(b.graph.dtype(x), vec![rows, features.clone()]);
    let mut y = b.push(Op::MatMul { ta: false, tb: true }, vec![flat, weight], ty);
    if let Some(bias) = bias {
        y = b.binary(Binary::Add, y, bias)?;
    }
    shape.push(features);
    Ok(b.reshape(y, shape))
}

fn mismatch(b: &mut Builder, bound: &Bound, x: Value, y: Value, what: &str) -> Checked<Arg> {
    let (a, c) = (shape_text(&b.shape(x)), shape_text(&b.shape(y)));
    let d = Diagnostic::new("N0102", bound.at, format!("{what}, found {a} and {c}"))
        .note(b.made_at(x), format!("the left operand, {a}, comes from `{}`", b.made_by(x)))
        .note(b.made_at(y), format!("the right operand, {c}, comes from `{}`", b.made_by(y)))
        .help("the last axis of the left one and the last but one of the right one must be equal: use `.permute` or `.reshape`");
    b.report(d)
}

/// `matmul` of operands of so many axes, which does not broadcast.
fn of_rank(b: &mut Builder, bound: &Bound, rank: usize, what: &str) -> Checked<Arg> {
    let (x, y) = (float(b, bound, 0)?, float(b, bound, 1)?);
    let ranks = b.rank(x) == rank && b.rank(y) == rank;
    if !ranks || b.shape(x)[..rank - 2] != b.shape(y)[..rank - 2] {
        return mismatch(b, bound, x, y, &format!("`{}` needs {what}", bound.callee));
    }
    matmul(b, bound)
}

fn matmul(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let (mut x, mut y) = (float(b, bound, 0)?, float(b, bound, 1)?);
    if b.rank(x) == 0 || b.rank(y) == 0 {
        return mismatch(b, bound, x, y, "`matmul` needs at least one axis each");
    }
    // A vector is a matrix of one row (left) or one column (right) whose axis is dropped again.
    let (row, column) = (b.rank(x) == 1, b.rank(y) == 1);
    if row {
        let shape = [vec![1.into()], b.shape(x)].concat();
        x = b.reshape(x, shape);
    }
    if column {
        let shape = [b.shape(y), vec![1.into()]].concat();
        y = b.reshape(y, shape);
    }
    let (xs, ys) = (b.shape(x), b.shape(y));
    let (xb, m, k) = (&xs[..xs.len() - 2], &xs[xs.len() - 2], &xs[xs.len() - 1]);
    let (yb, k2, n) = (&ys[..ys.len() - 2], &ys[ys.len() - 2], &ys[ys.len() - 1]);
    if k != k2 {
        return mismatch(
            b,
            bound,
            x,
            y,
            &format!("`{}` sums over {k} on the left and {k2} on the right", bound.callee),
        );
    }
    let Some(batch) = broadcast(xb, yb) else {
        return mismatch(b, bound, x, y, "`matmul` has batch axes that do not meet");
    };
    let dtype = b.graph.dtype(x);
    let product = if yb.is_empty() {
        // One matrix on the right: all rows of the left one at once.
        let rows = Size::product(&xs[..xs.len() - 1]);
        let flat = b.reshape(x, vec![rows.clone(), k.clone()]);
        let ty = Type::new(dtype, vec![rows, n.clone()]);
        b.push(Op::MatMul { ta: false, tb: false }, vec![flat, y], ty)
    } else {
        let x = b.broadcast_to(x, &[&batch[..], &[m.clone(), k.clone()]].concat());
        let y = b.broadcast_to(y, &[&batch[..], &[k.clone(), n.clone()]].concat());
        let ty = Type::new(dtype, [&batch[..], &[m.clone(), n.clone()]].concat());
        b.push(Op::MatMul { ta: false, tb: false }, vec![x, y], ty)
    };
    let mut shape = batch;
    if !row {
        shape.push(m.clone());
    }
    if !column {
        shape.push(n.clone());
    }
    Ok(Arg::Tensor(b.reshape(product, shape)))
}
