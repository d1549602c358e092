//! `Dropout`: drops elements while training.

use super::{INPUT, LayerKind, float_input};
use crate::call::{Arg, Kind, optional};
use crate::ops::drop_out;

/// `Dropout(p)`.
pub(super) static DROPOUT: LayerKind = LayerKind {
    name: "Dropout",
    doc: "In training: 0 with probability p, else x / (1 - p). The identity otherwise.",
    signature: &[optional("p", Kind::Float, "0.5")],
    declare: |b, bound| match bound.float(0) {
        Some(p) if !(0.0..=1.0).contains(&p) => bound.wrong(
            b,
            "N0306",
            0,
            format!("`Dropout` with p = {p}: a probability lies between 0 and 1"),
            "write `Dropout(0.5)`",
        ),
        _ => Ok(vec![]),
    },
    call: INPUT,
    apply: |b, layer, given| {
        let x = float_input(b, layer, given)?;
        drop_out(b, x, layer.bound.float(0).unwrap_or(0.5)).map(Arg::Tensor)
    },
};
