//! Attention: a primitive, but where weights are dropped.

use super::{Operator, pointwise::drop_out, pointwise::float};
use crate::attention::{Attention, Operands};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, named, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::{Op, Value};
use crate::number::Number;
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
        let mask = bound.tensor(b, 3, None);
        let length = |b: &Builder, of: Value| b.shape(of).iter().rev().nth(1).map_or("_".into(), Size::to_string);
        let seen = format!("ones([{}, {}]).tril()", length(b, query), length(b, key));
        let hidden = match b.graph.dtype(mask) {
            DType::Bool => format!("mask & ({seen} > 0)"),
            _ => format!("mask.masked_fill({seen} == 0, -inf)"),
        };
        let help = format!("leave one of them out, or hide in the mask what is to come: `{hidden}`");
        return bound.wrong(b, "N0306", 5, message, &help);
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
    let shape = [&batch[..], &[qs[qs.len() - 2].clone(), ks[ks.len() - 2].clone()]].concat();
    let mut operands = vec![query, key, value];
    if bound.arg(3).is_some() {
        let mask = bound.tensor(b, 3, None);
        if broadcast(&shape, b.graph.shape(mask)).as_ref() != Some(&shape) {
            return mask_misfits(b, bound, mask, &shape_text(&shape));
        }
        operands.push(if b.graph.dtype(mask) == DType::Bool { mask } else { float(b, bound, 3)? });
    }
    let attention = Attention { causal, scale: bound.float(6).map(Number::Float), half: None };
    if b.training && p > 0.0 {
        // Which weights are dropped the primitive cannot say: each would need its random number in the kernel.
        let Some(operands) = Operands::of(&operands, 0) else { return Ok(Arg::Unknown) };
        let [_, weights] = attention.weights(b, &operands);
        let weights = drop_out(b, weights, p)?;
        return Ok(Arg::Tensor(Attention::weighted(b, weights, value)));
    }
    let width = vs[vs.len() - 1].clone();
    let ty = Type::new(b.graph.dtype(query), [&shape[..shape.len() - 1], &[width]].concat());
    Ok(Arg::Tensor(b.push(Op::Attention(attention), operands, ty)))
}

fn mask_misfits(b: &mut Builder, bound: &Bound, mask: Value, scores: &str) -> Checked<Arg> {
    let found = shape_text(&b.shape(mask));
    let message = format!("`{}` has scores {scores} and a mask {found}", bound.callee);
    let d = Diagnostic::new("N0102", bound.at(3), message)
        .note(b.made_at(mask), format!("the mask comes from `{}`", b.made_by(mask)))
        .help("a mask is [L, S], with more axes in front if it differs along them: each equal to that of the scores, or 1");
    b.report(d)
}
