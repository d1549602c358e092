//! Losses: `cross_entropy` with class numbers, `mse_loss`.

use super::reduce::mean_over;
use super::{Operator, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::Op;
use crate::scalar::{Binary, Reduction, Unary};
use crate::types::{DType, Type, shape_text};

/// The losses.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "cross_entropy",
        doc: "Mean over all targets of -log softmax(input)[target] along `dim`, the axis of the classes. An argument with a target that is no class is an error of the call.",
        signature: &[
            required("input", Kind::Tensor),
            required("target", Kind::Tensor),
            optional("dim", Kind::Int, "1"),
        ],
        build: cross_entropy,
    },
    Operator {
        name: "mse_loss",
        doc: "The mean of (input - target)².",
        signature: &[required("input", Kind::Tensor), required("target", Kind::Tensor)],
        build: mse_loss,
    },
];

/// Built of primitives so that one kernel makes the losses *and* the gradient of the scores: with s = x - max x (the maximum is held
/// constant: its gradient cancels), loss = log Σ exp(s) - s\[target\], gradient = exp(s) / Σ exp(s) - onehot.
fn cross_entropy(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    let rank = b.rank(x);
    // PyTorch's one-dimensional form: one row of scores.
    let dim = bound.int(2).unwrap_or(if rank == 1 { 0 } else { 1 });
    let axis = bound.axis(b, 2, dim, rank)?;
    let target = bound.tensor(b, 1, None);
    let (shape, mut rows) = (b.shape(x), b.shape(x));
    rows.remove(axis);
    let ty = b.ty(target).clone();
    if !ty.dtype.is_int() {
        let message = format!("`cross_entropy` needs targets of an integer type, found {ty}");
        return bound.wrong(b, "N0206", 1, message, "targets are class numbers: `u8[N]`, `i64[N]` …");
    }
    if ty.shape != rows {
        let made = b.made_by(x);
        let message = format!(
            "`cross_entropy` has scores {} with the classes on axis {axis}, so targets must be {}, found {}",
            shape_text(&shape),
            shape_text(&rows),
            shape_text(&ty.shape)
        );
        let d = Diagnostic::new("N0102", bound.at(1), message)
            .note(b.made_at(x), format!("the scores come from `{made}`"))
            .note(b.made_at(target), format!("the targets come from `{}`", b.made_by(target)))
            .help("give one class number a row, or name the axis of the classes: `dim = -1`");
        return b.report(d);
    }
    b.numbers_below(target, &shape[axis], bound.at(1))?;
    let mut kept = shape.clone();
    kept[axis] = 1.into();
    let max = b.reduce(Reduction::Max, x, &[axis], true);
    let max_ty = b.ty(max).clone();
    let max = b.push(Op::Detach, vec![max], max_ty);
    let shifted = b.binary(Binary::Sub, x, max)?;
    let exp = b.unary(Unary::Exp, shifted);
    let sum = b.reduce(Reduction::Sum, exp, &[axis], true);
    let log_sum = b.unary(Unary::Log, sum);
    let class = b.push(Op::Iota(axis), vec![], Type::new(ty.dtype, shape.clone()));
    let target = b.reshape(target, kept);
    let chosen = b.binary(Binary::Eq, class, target)?;
    let zero = b.constant(0.0, DType::F32);
    let at_target = b.select(chosen, shifted, zero)?;
    let at_target = b.reduce(Reduction::Sum, at_target, &[axis], true);
    let losses = b.binary(Binary::Sub, log_sum, at_target)?;
    let axes: Vec<_> = (0..rank).collect();
    mean_over(b, losses, &axes, false).map(Arg::Tensor)
}

fn mse_loss(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    let y = float(b, bound, 1)?;
    if b.shape(x) != b.shape(y) {
        let (a, c) = (shape_text(&b.shape(x)), shape_text(&b.shape(y)));
        let d = Diagnostic::new(
            "N0102",
            bound.at(1),
            format!("`mse_loss` compares {a} with {c}: the shapes must be equal"),
        )
        .note(b.made_at(x), format!("the input, {a}, comes from `{}`", b.made_by(x)))
        .note(b.made_at(y), format!("the target, {c}, comes from `{}`", b.made_by(y)))
        .help("reshape one of them");
        return b.report(d);
    }
    let difference = b.binary(Binary::Sub, x, y)?;
    let square = b.binary(Binary::Mul, difference, difference)?;
    let axes: Vec<_> = (0..b.rank(square)).collect();
    mean_over(b, square, &axes, false).map(Arg::Tensor)
}
