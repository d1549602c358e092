//! `grad`: the gradient as a value.

use super::Operator;
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, required};

/// The gradient as a value.
pub(super) const OPERATORS: &[Operator] = &[Operator {
    name: "grad",
    doc: "The gradients of a scalar with respect to each of a list of tensors, as a list; they can be differentiated again.",
    signature: &[required("outputs", Kind::Tensor), required("inputs", Kind::Tensors)],
    build: grad,
}];

fn grad(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let loss = bound.tensor(b, 0, None);
    let wrt = bound.tensors(1).unwrap_or_default();
    let gradients = b.grad(loss, &wrt)?;
    Ok(Arg::List(gradients.into_iter().map(Arg::Tensor).collect()))
}
