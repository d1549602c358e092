//! Images of another size: bins of uneven length, interpolation, channels that become pixels.

use super::window::{axis_name, comes_from, image_shape};
use super::{Operator, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::{Op, Taps, Value, Window};
use crate::scalar::Binary;
use crate::size::Size;
use crate::spelling::did_you_mean;
use crate::types::Type;

const SHUFFLE: &[Param] = &[required("input", Kind::Tensor), required("factor", Kind::Int)];

/// Operators that change the size of an image.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "interpolate",
        doc: "An image of [n, c, h, w] in another size: each pixel repeated (`\"nearest\"`), or mixed by distance (`\"bilinear\"`).",
        signature: &[
            required("input", Kind::Tensor),
            optional("size", Kind::Pair, "None"),
            optional("scale_factor", Kind::Pair, "None"),
            optional("mode", Kind::Text, "\"nearest\""),
            optional("align_corners", Kind::Bool, "false"),
        ],
        build: interpolate,
    },
    Operator {
        name: "pixel_shuffle",
        doc: "[n, c·r², h, w] becomes [n, c, h·r, w·r]: channels become pixels.",
        signature: &[SHUFFLE[0], Param { name: "upscale_factor", ..SHUFFLE[1] }],
        build: |b, bound| shuffle(b, bound, true),
    },
    Operator {
        name: "pixel_unshuffle",
        doc: "[n, c, h·r, w·r] becomes [n, c·r², h, w]: pixels become channels.",
        signature: &[SHUFFLE[0], Param { name: "downscale_factor", ..SHUFFLE[1] }],
        build: |b, bound| shuffle(b, bound, false),
    },
];

/// The windows that cut `x[n, c, h, w]` into so many equal parts, with the type of what they give.
pub(super) fn whole_bins(b: &Builder, x: Value, out: [i64; 2]) -> Option<(Window, Type)> {
    let mut ty = b.ty(x).clone();
    let mut kernel = [1, 1];
    for axis in 0..2 {
        let size = ty.shape[2 + axis].as_const()?;
        if size % out[axis] != 0 {
            return None;
        }
        kernel[axis] = size / out[axis];
        ty.shape[2 + axis] = out[axis].into();
    }
    Some((Window { kernel, stride: kernel, padding: [0, 0], dilation: [1, 1], groups: 1 }, ty))
}

/// Height and width as numbers.
fn known(b: &mut Builder, bound: &Bound, x: Value, dims: usize) -> Checked<[i64; 2]> {
    let mut sizes = [0; 2];
    for (axis, known) in sizes.iter_mut().enumerate() {
        let size = b.shape(x)[2 + axis].clone();
        let Some(size) = size.as_const() else {
            let name = axis_name(dims, axis);
            let message = format!("`{}` needs a {name} known at build time, found {size}", bound.callee);
            let d = comes_from(b, x, Diagnostic::new("N0107", bound.at, message));
            return b.report(d.help("write the number in the type of the input"));
        };
        *known = size;
    }
    Ok(sizes)
}

/// The means of bins `floor(i · size / out) .. ceil((i + 1) · size / out)` along both axes.
pub(super) fn adaptive_mean(b: &mut Builder, bound: &Bound, x: Value, dims: usize, out: [i64; 2]) -> Checked<Value> {
    let sizes = known(b, bound, x, dims)?;
    let mut y = x;
    for axis in order(sizes, out) {
        let (size, out) = (sizes[axis], out[axis]);
        if size == out {
            continue;
        }
        if !Taps::are_exact(size, out) {
            let name = axis_name(dims, axis);
            let message = format!("`{}` of a {name} of {size} to {out}", bound.callee);
            let help =
                "take an output_size that has a common divisor with the size: the ends of bins are counted in f32";
            return bound.wrong(b, "N0306", 1, message, help);
        }
        let sum = along(b, y, axis, out, Taps::Bins);
        let dtype = b.graph.dtype(x);
        let line = Type::new(dtype, vec![out.into()]);
        let ones = b.constant(1.0, dtype);
        let ones = b.broadcast_to(ones, &[size.into()]);
        let count = b.push(Op::Resample { axis: 0, taps: Taps::Bins }, vec![ones], line);
        let mut shape = vec![Size::from(out)];
        shape.resize(2 - axis, 1.into());
        let count = b.reshape(count, shape);
        y = b.binary(Binary::Div, sum, count)?;
    }
    Ok(y)
}

/// The axes in the order in which they are changed. Whole lines along the width are looked up at once, so the larger image is made of those.
fn order(from: [i64; 2], out: [i64; 2]) -> [usize; 2] {
    if out[1] > from[1] { [1, 0] } else { [0, 1] }
}

/// Height (0) or width (1) of `x[n, c, h, w]` in another size.
fn along(b: &mut Builder, x: Value, axis: usize, out: i64, taps: Taps) -> Value {
    let mut ty = b.ty(x).clone();
    ty.shape[2 + axis] = out.into();
    b.push(Op::Resample { axis: 2 + axis, taps }, vec![x], ty)
}

fn interpolate(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    image_shape(b, bound, x, 2)?;
    let (size, factor) = (bound.pair(1), bound.pair(2));
    if size.is_some() == factor.is_some() {
        let message = "`interpolate` takes either a size or a scale_factor".to_string();
        return bound.wrong(
            b,
            "N0301",
            1,
            message,
            "write `interpolate(scale_factor = 2)` or `interpolate(size = [32, 32])`",
        );
    }
    if let Some(value) = size.or(factor).and_then(|pair| pair.into_iter().find(|v| *v < 1)) {
        let slot = if size.is_some() { 1 } else { 2 };
        return bound.wrong(b, "N0306", slot, format!("`interpolate` to a size of {value}"), "it is at least 1");
    }
    match bound.text(3).unwrap_or("nearest") {
        "nearest" => nearest(b, bound, x, size, factor).map(Arg::Tensor),
        "bilinear" => bilinear(b, bound, x, size, factor).map(Arg::Tensor),
        other => {
            let message = format!("`interpolate` with mode = {other:?}");
            let help = match did_you_mean(other, ["nearest", "bilinear"]) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => "modes: \"nearest\", \"bilinear\"".into(),
            };
            bound.wrong(b, "N0306", 3, message, help)
        }
    }
}

/// Each pixel fills a window: the gradient of sums over windows.
fn nearest(
    b: &mut Builder,
    bound: &Bound,
    x: Value,
    size: Option<[i64; 2]>,
    factor: Option<[i64; 2]>,
) -> Checked<Value> {
    let kernel = match (size, factor) {
        (Some(size), _) => {
            let from = known(b, bound, x, 2)?;
            if let Some(axis) = (0..2).find(|&axis| size[axis] % from[axis] != 0) {
                let name = axis_name(2, axis);
                let message = format!("`interpolate` of a {name} of {} to {}", from[axis], size[axis]);
                return bound.wrong(b, "N0306", 1, message, "a multiple of the size before, or `mode = \"bilinear\"`");
            }
            [0, 1].map(|axis| size[axis] / from[axis])
        }
        (None, factor) => factor.unwrap_or([1, 1]),
    };
    let mut ty = b.ty(x).clone();
    for (size, factor) in ty.shape[2..].iter_mut().zip(kernel) {
        *size = &*size * &factor.into();
    }
    let window = Window { kernel, stride: kernel, padding: [0, 0], dilation: [1, 1], groups: 1 };
    Ok(b.push(Op::SumPool2dGrad(window), vec![x], ty))
}

/// Each pixel between its neighbours along one axis, then along the other.
fn bilinear(
    b: &mut Builder,
    bound: &Bound,
    x: Value,
    size: Option<[i64; 2]>,
    factor: Option<[i64; 2]>,
) -> Checked<Value> {
    let from = known(b, bound, x, 2)?;
    let taps = Taps::Line { corners: bound.bool(4).unwrap_or(false) };
    let factor = factor.unwrap_or([1, 1]);
    let out = size.unwrap_or([0, 1].map(|axis| from[axis].saturating_mul(factor[axis])));
    if let Some(axis) = (0..2).find(|&axis| from[axis].max(out[axis]) >= Taps::MOST) {
        let (name, slot) = (axis_name(2, axis), if size.is_some() { 1 } else { 2 });
        let message = format!("`interpolate` of a {name} of {} to {}", from[axis], out[axis]);
        return bound.wrong(
            b,
            "N0306",
            slot,
            message,
            format!("take sizes below {}: places are counted in f32", Taps::MOST),
        );
    }
    Ok(order(from, out).into_iter().fold(x, |x, axis| along(b, x, axis, out[axis], taps)))
}

fn shuffle(b: &mut Builder, bound: &Bound, up: bool) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let [n, c, h, w] = image_shape(b, bound, x, 2)?;
    let r = bound.int(1).unwrap_or(1);
    if r < 1 {
        return bound.wrong(b, "N0306", 1, format!("`{}` by {r}", bound.callee), "it is at least 1");
    }
    let (r, square) = (Size::constant(r), Size::constant(r * r));
    let uneven = |b: &mut Builder, what: &str, size: &Size, by: &Size| {
        let message = format!("`{}` needs a {what} that divides by {by}, found {size}", bound.callee);
        let d = comes_from(b, x, Diagnostic::new("N0102", bound.at, message));
        b.report(d.help("change the factor or the size before it"))
    };
    if up {
        let Some(channels) = c.div_exact(&square) else { return uneven(b, "number of channels", &c, &square) };
        let parts = b.reshape(x, vec![n.clone(), channels.clone(), r.clone(), r.clone(), h.clone(), w.clone()]);
        let mixed = b.permute(parts, &[0, 1, 4, 2, 5, 3]);
        return Ok(Arg::Tensor(b.reshape(mixed, vec![n, channels, &h * &r, &w * &r])));
    }
    let Some(high) = h.div_exact(&r) else { return uneven(b, "height", &h, &r) };
    let Some(wide) = w.div_exact(&r) else { return uneven(b, "width", &w, &r) };
    let parts = b.reshape(x, vec![n.clone(), c.clone(), high.clone(), r.clone(), wide.clone(), r.clone()]);
    let mixed = b.permute(parts, &[0, 1, 3, 5, 2, 4]);
    Ok(Arg::Tensor(b.reshape(mixed, vec![n, &c * &square, high, wide])))
}
