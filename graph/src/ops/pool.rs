//! Pooling over windows of the last axis or the last two.

use super::resample::{adaptive_mean, whole_bins};
use super::window::{Slots, extents, image_shape, window_of, window_type, with_height, without_height};
use super::{Operator, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, optional, required};
use crate::graph::{Ends, Op, Value, Window};
use crate::scalar::{Binary, Reduction};
use crate::size::Size;
use crate::types::Type;

const MAX: &[Param] = &[
    required("input", Kind::Tensor),
    required("kernel_size", Kind::Pair),
    optional("stride", Kind::Pair, "kernel_size"),
    optional("padding", Kind::Pair, "0"),
    optional("dilation", Kind::Pair, "1"),
    optional("ceil_mode", Kind::Bool, "false"),
];

const AVERAGE: &[Param] = &[
    required("input", Kind::Tensor),
    required("kernel_size", Kind::Pair),
    optional("stride", Kind::Pair, "kernel_size"),
    optional("padding", Kind::Pair, "0"),
    optional("ceil_mode", Kind::Bool, "false"),
    optional("count_include_pad", Kind::Bool, "true"),
];

const ADAPTIVE: &[Param] = &[required("input", Kind::Tensor), required("output_size", Kind::Pair)];

/// The pools.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "max_pool1d",
        doc: "The maximum of each window of [n, c, l].",
        signature: MAX,
        build: |b, bound| max_pool(b, bound, 1),
    },
    Operator {
        name: "max_pool2d",
        doc: "The maximum of each window.",
        signature: MAX,
        build: |b, bound| max_pool(b, bound, 2),
    },
    Operator {
        name: "avg_pool1d",
        doc: "The mean of each window of [n, c, l]; padding counts as zeros, or not at all.",
        signature: AVERAGE,
        build: |b, bound| avg_pool(b, bound, 1),
    },
    Operator {
        name: "avg_pool2d",
        doc: "The mean of each window; padding counts as zeros, or not at all.",
        signature: AVERAGE,
        build: |b, bound| avg_pool(b, bound, 2),
    },
    Operator {
        name: "adaptive_avg_pool1d",
        doc: "The means of so many windows of nearly equal length over all of [n, c, l].",
        signature: ADAPTIVE,
        build: |b, bound| adaptive_avg_pool(b, bound, 1),
    },
    Operator {
        name: "adaptive_avg_pool2d",
        doc: "The means of so many windows of nearly equal size over the whole image.",
        signature: ADAPTIVE,
        build: |b, bound| adaptive_avg_pool(b, bound, 2),
    },
    Operator {
        name: "adaptive_max_pool2d",
        doc: "The maxima of so many windows of equal size over the whole image.",
        signature: ADAPTIVE,
        build: adaptive_max_pool,
    },
];

/// A window with more elements is done along one axis after the other.
const MOST_TAPS: i64 = 16;

fn max_pool(b: &mut Builder, bound: &Bound, dims: usize) -> Checked<Arg> {
    let (x, window, ends) = window(b, bound, dims, Some(4), 5)?;
    let ty = window_type(b, bound, x, dims, (&window, ends), None, slots(Some(4)))?;
    let x = with_height(b, x, dims);
    // The first maximum of the rows' first maxima is the first of all.
    let y = by_axes(b, x, &window, ty, Op::MaxPool2d);
    Ok(Arg::Tensor(without_height(b, y, dims)))
}

fn avg_pool(b: &mut Builder, bound: &Bound, dims: usize) -> Checked<Arg> {
    let (x, window, ends) = window(b, bound, dims, None, 4)?;
    let ty = window_type(b, bound, x, dims, (&window, ends), None, slots(None))?;
    let include = bound.bool(5).unwrap_or(true);
    let x = with_height(b, x, dims);
    let y = mean_pool(b, x, window, ty, include)?;
    Ok(Arg::Tensor(without_height(b, y, dims)))
}

/// The means of windows of `x[n, c, h, w]`; `ty` says how many.
pub(super) fn mean_pool(b: &mut Builder, x: Value, window: Window, ty: Type, include: bool) -> Checked<Value> {
    let from = b.shape(x);
    let whole =
        |axis: usize| ty.shape[2 + axis].is(1) && from[2 + axis].is(window.kernel[axis]) && window.padding[axis] == 0;
    let counts = (0..2).any(|axis| {
        let (size, count) = (&from[2 + axis], &ty.shape[2 + axis]);
        let padded = size + &window.padding[axis].into();
        let one_sided = Window { padding: [0, 0], ..window };
        let behind = &padded + &window.padding[axis].into();
        !include && window.overhangs(axis, size, count) || one_sided.overhangs(axis, &behind, count)
    });
    let divisor = match counts {
        true => Some(counts_of(b, &window, &from, &ty, include)?),
        false => None,
    };
    let sum = match whole(0) && whole(1) {
        true => b.reduce(Reduction::Sum, x, &[2, 3], true),
        false => by_axes(b, x, &window, ty, Op::SumPool2d),
    };
    match divisor {
        Some(divisor) => b.binary(Binary::Div, sum, divisor),
        None => Ok(b.binary_const(Binary::Mul, sum, 1.0 / (window.kernel[0] * window.kernel[1]) as f64)),
    }
}

/// How many elements count in each window, as [h', w'].
fn counts_of(b: &mut Builder, window: &Window, from: &[Size], ty: &Type, include: bool) -> Checked<Value> {
    let mut along = vec![];
    for axis in 0..2 {
        let (stride, padding, kernel) = (window.stride[axis], window.padding[axis], window.kernel[axis]);
        let line = Type::new(ty.dtype, vec![ty.shape[2 + axis].clone()]);
        let number = b.push(Op::Iota(0), vec![], line);
        let begin = b.binary_const(Binary::Mul, number, stride as f64);
        let begin = b.binary_const(Binary::Sub, begin, padding as f64);
        let end = b.binary_const(Binary::Add, begin, kernel as f64);
        // Behind the padding nothing counts.
        let size = if include { &from[2 + axis] + &padding.into() } else { from[2 + axis].clone() };
        let size = b.push(Op::Size(size), vec![], Type::new(ty.dtype, vec![]));
        let end = b.binary(Binary::Min, end, size)?;
        let begin = if include { begin } else { b.binary_const(Binary::Max, begin, 0.0) };
        along.push(b.binary(Binary::Sub, end, begin)?);
    }
    let column = b.reshape(along[0], vec![ty.shape[2].clone(), 1.into()]);
    b.binary(Binary::Mul, column, along[1])
}

/// A pool as one primitive, or along the width and then the height if the windows are large.
fn by_axes(b: &mut Builder, x: Value, window: &Window, ty: Type, op: fn(Window) -> Op) -> Value {
    let [high, wide] = window.kernel;
    if high * wide <= MOST_TAPS || high == 1 || wide == 1 {
        return b.push(op(*window), vec![x], ty);
    }
    let along = |axis: usize| {
        let only = |pair: [i64; 2], other: i64| if axis == 0 { [pair[0], other] } else { [other, pair[1]] };
        Window {
            kernel: only(window.kernel, 1),
            stride: only(window.stride, 1),
            padding: only(window.padding, 0),
            dilation: only(window.dilation, 1),
            groups: 1,
        }
    };
    let mut between = ty.clone();
    between.shape[2] = b.shape(x)[2].clone();
    let rows = b.push(op(along(1)), vec![x], between);
    b.push(op(along(0)), vec![rows], ty)
}

fn slots(dilation: Option<usize>) -> Slots {
    Slots { kernel: 1, stride: 2, padding: 3, dilation }
}

/// The window of a pool: its stride is its size if it is left out.
fn window(
    b: &mut Builder,
    bound: &Bound,
    dims: usize,
    dilation: Option<usize>,
    ceil: usize,
) -> Checked<(Value, Window, Ends)> {
    let x = float(b, bound, 0)?;
    let kernel = extents(bound, 1, dims, 1).unwrap_or([1, 1]);
    let (mut window, _) = window_of(b, bound, dims, kernel, slots(dilation), 1)?;
    window.stride = extents(bound, 2, dims, 1).unwrap_or(kernel);
    for (padding, size) in window.padding.into_iter().zip(kernel) {
        if 2 * padding > size {
            let message = format!("`{}` has padding {padding} but a window of {size}", bound.callee);
            return bound.wrong(b, "N0306", 3, message, "padding is at most half of the window");
        }
    }
    let ends = if bound.bool(ceil).unwrap_or(false) { Ends::Ceil } else { Ends::Floor };
    Ok((x, window, ends))
}

/// What an adaptive pool is given: the image as `[n, c, h, w]`, and how many windows.
fn adaptive(b: &mut Builder, bound: &Bound, dims: usize) -> Checked<(Value, [i64; 2])> {
    let x = float(b, bound, 0)?;
    let out = extents(bound, 1, dims, 1).unwrap_or([1, 1]);
    if let Some(size) = out.into_iter().find(|size| *size < 1) {
        let message = format!("`{}` with an output_size of {size}", bound.callee);
        return bound.wrong(b, "N0306", 1, message, "it is at least 1");
    }
    image_shape(b, bound, x, dims)?;
    Ok((with_height(b, x, dims), out))
}

fn adaptive_avg_pool(b: &mut Builder, bound: &Bound, dims: usize) -> Checked<Arg> {
    let (x, out) = adaptive(b, bound, dims)?;
    let y = match whole_bins(b, x, out) {
        _ if out == [1, 1] => super::reduce::mean_over(b, x, &[2, 3], true),
        Some((window, ty)) => mean_pool(b, x, window, ty, true)?,
        None => adaptive_mean(b, bound, x, dims, out)?,
    };
    Ok(Arg::Tensor(without_height(b, y, dims)))
}

fn adaptive_max_pool(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let (x, out) = adaptive(b, bound, 2)?;
    let Some((window, ty)) = whole_bins(b, x, out) else {
        let (h, w) = (b.shape(x)[2].clone(), b.shape(x)[3].clone());
        let message = format!("`{}` of {h} × {w} to {} × {}", bound.callee, out[0], out[1]);
        return bound.wrong(b, "N0306", 1, message, "the output_size divides the size of the image");
    };
    Ok(Arg::Tensor(by_axes(b, x, &window, ty, Op::MaxPool2d)))
}
