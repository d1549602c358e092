//! `conv2d`: cross-correlation of images with weights.

use super::pool::window_type;
use super::{Operator, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::{Op, Value, Window};
use crate::scalar::Binary;
use crate::types::shape_text;

/// The convolutions.
pub(super) const OPERATORS: &[Operator] = &[Operator {
    name: "conv2d",
    doc: "Cross-correlation of input[n, c, h, w] with weight[o, c, kh, kw], plus bias[o].",
    signature: &[
        required("input", Kind::Tensor),
        required("weight", Kind::Tensor),
        optional("bias", Kind::Tensor, "None"),
        optional("stride", Kind::Pair, "1"),
        optional("padding", Kind::Pair, "0"),
        optional("dilation", Kind::Pair, "1"),
    ],
    build: |b, bound| {
        let (x, weight) = (float(b, bound, 0)?, float(b, bound, 1)?);
        let bias = bound.arg(2).is_some().then(|| bound.tensor(b, 2, None));
        let shape = b.shape(weight);
        let kernel = match shape.as_slice() {
            [_, c, h, w] if b.shape(x).get(1) == Some(c) => h.as_const().zip(w.as_const()),
            _ => None,
        };
        let Some((h, w)) = kernel else {
            let message = format!("`conv2d` of {} with a weight of {}", shape_text(&b.shape(x)), shape_text(&shape));
            let d = Diagnostic::new("N0102", bound.at, message)
                .note(b.made_at(x), format!("the input comes from `{}`", b.made_by(x)))
                .help("the weight is [out_channels, in_channels, kernel height, kernel width]");
            return b.report(d);
        };
        let window = Window {
            kernel: [h, w],
            stride: bound.pair(3).unwrap_or([1, 1]),
            padding: bound.pair(4).unwrap_or([0, 0]),
            dilation: bound.pair(5).unwrap_or([1, 1]),
        };
        conv2d(b, bound, x, weight, bias, window, [1, 3, 4]).map(Arg::Tensor)
    },
}];

/// The convolution as primitives; `slots` are those of kernel, stride and padding in `bound`.
pub(crate) fn conv2d(
    b: &mut Builder,
    bound: &Bound,
    x: Value,
    weight: Value,
    bias: Option<Value>,
    window: Window,
    slots: [usize; 3],
) -> Checked<Value> {
    let channels = b.shape(weight)[0].clone();
    let ty = window_type(b, bound, x, &window, Some(channels.clone()), slots)?;
    let y = b.push(Op::Conv2d(window), vec![x, weight], ty);
    match bias {
        None => Ok(y),
        Some(bias) => {
            let bias = b.reshape(bias, vec![channels, 1.into(), 1.into()]);
            b.binary(Binary::Add, y, bias)
        }
    }
}
