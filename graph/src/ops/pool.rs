//! Pooling over windows of the last two axes.

use super::{Operator, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::{Op, Value, Window};
use crate::scalar::Binary;
use crate::size::Size;
use crate::types::{Type, shape_text};

const SIGNATURE: &[Param] = &[
    required("input", Kind::Tensor),
    required("kernel_size", Kind::Pair),
    optional("stride", Kind::Pair, "kernel_size"),
    optional("padding", Kind::Pair, "0"),
];

/// The pools.
pub(super) const OPERATORS: &[Operator] = &[
    Operator { name: "max_pool2d", doc: "The maximum of each window.", signature: SIGNATURE, build: max_pool2d },
    Operator {
        name: "avg_pool2d",
        doc: "The mean of each window; padding counts as zeros.",
        signature: SIGNATURE,
        build: avg_pool2d,
    },
];

fn max_pool2d(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let (x, window, ty) = window(b, bound)?;
    Ok(Arg::Tensor(b.push(Op::MaxPool2d(window), vec![x], ty)))
}

fn avg_pool2d(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let (x, window, ty) = window(b, bound)?;
    let sum = b.push(Op::SumPool2d(window), vec![x], ty);
    let area = (window.kernel[0] * window.kernel[1]) as f64;
    Ok(Arg::Tensor(b.binary_const(Binary::Mul, sum, 1.0 / area)))
}

fn window(b: &mut Builder, bound: &Bound) -> Checked<(Value, Window, Type)> {
    let x = float(b, bound, 0)?;
    let kernel = bound.pair(1).unwrap_or([1, 1]);
    let stride = bound.pair(2).unwrap_or(kernel);
    let padding = bound.pair(3).unwrap_or([0, 0]);
    for axis in 0..2 {
        if 2 * padding[axis] > kernel[axis] {
            let message = format!("`{}` has padding {} but a window of {}", bound.callee, padding[axis], kernel[axis]);
            return bound.wrong(b, "N0306", 3, message, "padding is at most half of the window");
        }
    }
    let window = Window { kernel, stride, padding, dilation: [1, 1] };
    let ty = window_type(b, bound, x, &window, None, [1, 2, 3])?;
    Ok((x, window, ty))
}

/// The type of the result of a window operator over `x[n, c, h, w]`, or the mistake. `slots`: kernel, stride, padding.
pub(crate) fn window_type(
    b: &mut Builder,
    bound: &Bound,
    x: Value,
    window: &Window,
    channels: Option<Size>,
    slots: [usize; 3],
) -> Checked<Type> {
    let callee = &bound.callee;
    let shape = b.shape(x);
    let made = |b: &Builder, d: Diagnostic| {
        d.note(b.made_at(x), format!("{} comes from `{}`", shape_text(&shape), b.made_by(x)))
    };
    let what = [("a window", window.kernel, 1), ("a stride", window.stride, 1), ("a padding", window.padding, 0)];
    for ((what, values, least), slot) in what.into_iter().zip(slots) {
        if let Some(value) = values.into_iter().find(|v| *v < least) {
            return bound.wrong(
                b,
                "N0306",
                slot,
                format!("`{callee}` with {what} of {value}"),
                format!("it is at least {least}"),
            );
        }
    }
    if window.dilation.iter().any(|d| *d < 1) {
        return b.report(
            Diagnostic::new("N0306", bound.at, format!("`{callee}` with a dilation below 1")).help("leave it out"),
        );
    }
    let [n, c, h, w] = shape.as_slice() else {
        let d = Diagnostic::new(
            "N0105",
            bound.at,
            format!("`{callee}` needs [N, channels, height, width], found {}", shape_text(&shape)),
        );
        let d = made(b, d).help("add the missing axes with `.reshape([..])`");
        return b.report(d);
    };
    let mut sizes = [0; 2];
    for (axis, size) in [h, w].into_iter().enumerate() {
        let name = ["height", "width"][axis];
        let Some(size) = size.as_const() else {
            let message = format!("`{callee}` needs a {name} known at build time, found {size}");
            let d =
                made(b, Diagnostic::new("N0107", bound.at, message)).help("write the number in the type of the input");
            return b.report(d);
        };
        sizes[axis] = match window.output(axis, size) {
            Some(output) => output,
            None => {
                let reach = window.dilation[axis] * (window.kernel[axis] - 1) + 1;
                let padded = size + 2 * window.padding[axis];
                let message = format!("`{callee}` has a window of {name} {reach}, larger than its image of {padded}");
                let d = made(b, Diagnostic::new("N0106", bound.at(slots[0]), message));
                return b.report(d.help("use a smaller kernel, a smaller stride before it, or more padding"));
            }
        };
    }
    let channels = channels.unwrap_or_else(|| c.clone());
    Ok(Type::new(b.graph.dtype(x), vec![n.clone(), channels, sizes[0].into(), sizes[1].into()]))
}
