//! `Dropout`: drops elements while training; `Dropout2d`: whole channels.

use super::{INPUT, LayerKind, Tensors, float_input};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, optional};
use crate::diagnostic::Diagnostic;
use crate::ops::{drop_out, drop_out_over};

const SIGNATURE: &[Param] = &[optional("p", Kind::Float, "0.5")];

/// `Dropout(p)`.
pub(super) static DROPOUT: LayerKind = LayerKind {
    name: "Dropout",
    doc: "In training: 0 with probability p, else x / (1 - p). The identity otherwise.",
    signature: SIGNATURE,
    declare,
    call: INPUT,
    apply: |b, layer, given| {
        let x = float_input(b, layer, given)?;
        drop_out(b, x, layer.bound.float(0).unwrap_or(0.5)).map(Arg::Tensor)
    },
};

/// `Dropout2d(p)`.
pub(super) static DROPOUT2D: LayerKind = LayerKind {
    name: "Dropout2d",
    doc: "As Dropout, a whole channel of [N, channels, height, width] at a time.",
    signature: SIGNATURE,
    declare,
    call: INPUT,
    apply: |b, layer, given| {
        let x = float_input(b, layer, given)?;
        let shape = b.shape(x);
        let [n, channels, _, _] = &shape[..] else {
            let message = format!("layer `{}` needs 4 axes, found {}", layer.name, b.ty(x));
            let d = Diagnostic::new("N0105", b.origin.loc, message)
                .note(b.made_at(x), format!("the input comes from `{}`", b.made_by(x)));
            return b.report(d.help("channels are axis 1: [N, channels, height, width]"));
        };
        let drawn = vec![n.clone(), channels.clone(), 1.into(), 1.into()];
        drop_out_over(b, x, layer.bound.float(0).unwrap_or(0.5), drawn).map(Arg::Tensor)
    },
};

fn declare(b: &mut Builder, bound: &Bound) -> Checked<Tensors> {
    match bound.float(0) {
        Some(p) if !(0.0..=1.0).contains(&p) => {
            let message = format!("`{}` with p = {p}: a probability lies between 0 and 1", bound.callee);
            bound.wrong(b, "N0306", 0, message, format!("write `{}(0.5)`", bound.callee))
        }
        _ => Ok(vec![]),
    }
}
