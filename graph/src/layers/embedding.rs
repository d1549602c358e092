//! `Embedding`: a row of the weight for each index.

use super::{INPUT, LayerKind, shape_once};
use crate::call::{Arg, Kind, optional, required};
use crate::diagnostic::Diagnostic;
use crate::net::Init;
use crate::ops::{padding_row, rows};

/// `Embedding(num_embeddings, embedding_dim, padding_idx)`: PyTorch's layer.
pub(super) static EMBEDDING: LayerKind = LayerKind {
    name: "Embedding",
    doc: "The rows of the weight [num_embeddings, embedding_dim] that the input names: integers of any shape give that shape and the features. First values N(0, 1); row `padding_idx` is zero and stays so.",
    signature: &[
        required("num_embeddings", Kind::Int),
        required("embedding_dim", Kind::Int),
        optional("padding_idx", Kind::Int, "None"),
    ],
    declare: |b, bound| {
        for (slot, what) in [(0, "num_embeddings"), (1, "embedding_dim")] {
            if let Some(value) = bound.int(slot).filter(|v| *v < 1) {
                let message = format!("`Embedding` with {what} = {value}");
                return bound.wrong(b, "N0306", slot, message, "sizes are at least 1");
            }
        }
        if let Some(row) = bound.int(2) {
            padding_row(b, bound, 2, row, &bound.int(0).unwrap_or(1).into())?;
        }
        Ok(vec!["weight".into()])
    },
    call: INPUT,
    apply: |b, layer, given| {
        let (index, at) = (given.tensor(b, 0, None), b.origin.loc);
        let ty = b.ty(index).clone();
        if !ty.dtype.is_int() {
            let message = format!("layer `{}` needs indices of an integer type, found {ty}", layer.name);
            let d = Diagnostic::new("N0206", at, message)
                .note(b.made_at(index), format!("`{}` is {}", b.made_by(index), ty.dtype))
                .help("indices are integers: `i64[N]`, `u32[N]` …, or convert them: `.cast(i64)`");
            return b.report(d);
        }
        let bound = &layer.bound;
        let shape = vec![bound.int(0).unwrap_or(1), bound.int(1).unwrap_or(1)];
        let padding = match bound.int(2) {
            Some(row) => Some(padding_row(b, bound, 2, row, &shape[0].into())?),
            None => None,
        };
        let init = padding.map_or(Init::Normal(0.0, 1.0), Init::NormalExceptRow);
        let weight = shape_once(b, layer, 0, shape, init, "indices")?;
        rows(b, at, index, weight, padding).map(Arg::Tensor)
    },
};
