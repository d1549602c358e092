//! A net whose weight is read in two ways: as that of a product, which panels are for, and element by element, where each index is divided to
//! find its panel.

use castnet_graph::builder::Parameters;
use castnet_graph::compile::Source;
use castnet_program::types::DType;

use super::written::{apply, given, int, layer, op, source, t, ty};

/// What a linear layer makes of its input, and the squares of its weight: weight decay as part of the loss.
pub fn net() -> Source {
    let mut p = Parameters::default();
    let fc = layer(&mut p, "fc", "Linear", vec![given(int(5))]);
    source("Decayed", p, |b| {
        let x = b.argument("x", ty(DType::F32, &["N", "7"]));
        let y = apply(b, &fc, x);
        let weight = b.parameter(fc.tensors[0]);
        let squares = op(b, "square", vec![t(weight)]);
        let (mean, decay) = (op(b, "mean", vec![t(y)]), op(b, "sum", vec![t(squares)]));
        let loss = op(b, "add", vec![t(mean), t(decay)]);
        b.result(loss);
        let turned = op(b, "flip", vec![t(weight), int(0)]);
        b.result(turned);
    })
}
