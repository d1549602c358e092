//! Attention, built of products and a softmax: scale, mask and softmax become one kernel over rows.

use super::{Operator, pointwise::drop_out, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, named, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::{Op, Value};
use crate::scalar::{Binary, Unary};
use crate::size::Size;
use crate::types::{DType, Type, broadcast, shape_text};

/// Attention.
pub(super) const OPERATORS: &[Operator] = &[Operator {
    name: "scaled_dot_product_attention",
    doc: "softmax(scale · query · keyᵀ + mask) · value; `scale` is 1 / √E of query[.., L, E] unless given. A bool mask is true where a key may be seen, any other one is added; a query that sees nothing, as all of its row is false or -∞, gives 0. `is_causal`: query i sees the keys 0 to i. In training, weights are dropped with probability `dropout_p`.",
    signature: &[
        required("query", Kind::Tensor),
        required("key", Kind::Tensor),
        required("value", Kind::Tensor),
        optional("attn_mask", Kind::Tensor, "None"),
        optional("dropout_p", Kind::Float, "0.0"),
        optional("is_causal", Kind::Bool, "false"),
        named("scale", Kind::Float, "None"),
    ],
    build,
}];

fn build(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let (query, key, value) = (float(b, bound, 0)?, float(b, bound, 1)?, float(b, bound, 2)?);
    let p = bound.float(4).unwrap_or(0.0);
    if !(0.0..=1.0).contains(&p) {
        let message = format!("`{}` with dropout_p = {p}: a probability lies between 0 and 1", bound.callee);
        return bound.wrong(b, "N0306", 4, message, "write `dropout_p = 0.1`");
    }
    let causal = bound.bool(5).unwrap_or(false);
    if causal && bound.arg(3).is_some() {
        let message = format!("`{}` has both a mask and `is_causal`", bound.callee);
        return bound.wrong(b, "N0306", 5, message, "leave one of them out, or make the mask causal: `mask.tril()`");
    }
    let [qs, ks, vs] = [query, key, value].map(|v| b.shape(v));
    let batches = [&qs, &ks, &vs].map(|s| &s[..s.len().saturating_sub(2)]);
    let batch = broadcast(batches[0], batches[1]).and_then(|batch| broadcast(&batch, batches[2]));
    let last = |shape: &[Size], back: usize| shape.len().checked_sub(back).map(|at| shape[at].clone());
    let fits =
        [&qs, &ks, &vs].iter().all(|s| s.len() > 1) && last(&qs, 1) == last(&ks, 1) && last(&ks, 2) == last(&vs, 2);
    let (Some(batch), true) = (batch, fits) else {
        let [q, k, v] = [&qs, &ks, &vs].map(|s| shape_text(s));
        let message = format!("`{}` of query {q}, key {k} and value {v}", bound.callee);
        let d = Diagnostic::new("N0102", bound.at, message)
            .note(b.made_at(query), format!("the query comes from `{}`", b.made_by(query)))
            .note(b.made_at(key), format!("the key comes from `{}`", b.made_by(key)))
            .note(b.made_at(value), format!("the value comes from `{}`", b.made_by(value)))
            .help(
                "they must be query[.., L, E], key[.., S, E] and value[.., S, F], with the axes before them equal or 1",
            );
        return b.report(d);
    };
    let [query, key, value] = [(query, &qs), (key, &ks), (value, &vs)]
        .map(|(v, shape)| b.broadcast_to(v, &[&batch[..], &shape[shape.len() - 2..]].concat()));
    let rank = batch.len() + 2;
    let (targets, sources) = (qs[qs.len() - 2].clone(), ks[ks.len() - 2].clone());
    let shape = [&batch[..], &[targets.clone(), sources.clone()]].concat();
    let dtype = b.graph.dtype(query);
    let ty = Type::new(dtype, shape.clone());
    let scores = b.push(Op::MatMul { ta: false, tb: true }, vec![query, key], ty.clone());
    let features = &qs[qs.len() - 1];
    let scaled = match (bound.float(6), features.as_const()) {
        (Some(scale), _) => b.binary_const(Binary::Mul, scores, scale),
        (None, Some(features)) => b.binary_const(Binary::Mul, scores, 1.0 / (features as f64).sqrt()),
        (None, None) => {
            let features = b.push(Op::Size(features.clone()), vec![], Type::new(dtype, vec![]));
            let scale = b.unary(Unary::Rsqrt, features);
            b.binary(Binary::Mul, scores, scale)?
        }
    };
    let mut mask = bound.arg(3).map(|_| bound.tensor(b, 3, None));
    if causal {
        let places = Type::new(DType::I64, vec![targets, sources]);
        let row = b.push(Op::Iota(0), vec![], places.clone());
        let column = b.push(Op::Iota(1), vec![], places);
        mask = Some(b.binary(Binary::Le, column, row)?);
    }
    let masked = match mask {
        None => scaled,
        Some(mask) if broadcast(&shape, b.graph.shape(mask)).as_ref() != Some(&shape) => {
            return mask_misfits(b, bound, mask, &shape_text(&shape));
        }
        Some(mask) if b.graph.dtype(mask) == DType::Bool => {
            let mask = b.broadcast_to(mask, &shape);
            let hidden = b.constant(f64::NEG_INFINITY, dtype);
            b.select(mask, scaled, hidden)?
        }
        Some(_) => {
            let mask = float(b, bound, 3)?;
            b.binary(Binary::Add, scaled, mask)?
        }
    };
    // Every query of a causal mask sees a key; of any other mask, some may see none.
    let softmax = if mask.is_some() && !causal { Op::SafeSoftmax } else { Op::Softmax };
    let weights = b.push(softmax(rank - 1), vec![masked], ty);
    let weights = drop_out(b, weights, p)?;
    let mut shape = shape;
    shape[rank - 1] = vs[vs.len() - 1].clone();
    let ty = Type::new(dtype, shape);
    Ok(Arg::Tensor(b.push(Op::MatMul { ta: false, tb: false }, vec![weights, value], ty)))
}

fn mask_misfits(b: &mut Builder, bound: &Bound, mask: Value, scores: &str) -> Checked<Arg> {
    let found = shape_text(&b.shape(mask));
    let message = format!("`{}` has scores {scores} and a mask {found}", bound.callee);
    let d = Diagnostic::new("N0102", bound.at(3), message)
        .note(b.made_at(mask), format!("the mask comes from `{}`", b.made_by(mask)))
        .help("a mask is [L, S], with more axes in front if it differs along them: each equal to that of the scores, or 1");
    b.report(d)
}
