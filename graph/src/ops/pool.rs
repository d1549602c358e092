//! Pooling over windows of the last axis or the last two.

use super::resample::{adaptive_mean, whole_bins};
use super::window::{Slots, extents, image_shape, window_of, window_type, with_height, without_height};
use super::{Operator, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, optional, required};
use crate::graph::{Ends, Op, Value, Window};
use crate::scalar::{Binary, Reduction};
use crate::size::{Size, gcd};
use crate::types::Type;

const MAX: &[Param] = &[
    required("input", Kind::Tensor),
    required("kernel_size", Kind::Pair),
    optional("stride", Kind::Pair, "kernel_size"),
    optional("padding", Kind::Pair, "0"),
    optional("dilation", Kind::Pair, "1"),
    optional("ceil_mode", Kind::Bool, "false"),
    optional("return_indices", Kind::Bool, "false"),
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

/// A window with more elements is done along one axis after the other, and one with more along an axis in several passes.
const MOST_TAPS: i64 = 16;

/// As many elements of a window are written out where there is no other way: they have no common divisor.
const MOST_UNROLLED: i64 = 1024;

fn max_pool(b: &mut Builder, bound: &Bound, dims: usize) -> Checked<Arg> {
    if bound.bool(6).unwrap_or(false) {
        let message = format!("`{}` gives no indices yet", bound.callee);
        return bound.wrong(b, "N0306", 6, message, "leave `return_indices` out");
    }
    let (x, window, ends) = window(b, bound, dims, Some(4), 5)?;
    let ty = window_type(b, bound, x, dims, (&window, ends), None, slots(Some(4)))?;
    let x = with_height(b, x, dims);
    // The first maximum of the rows' first maxima is the first of all.
    let y = by_axes(b, bound, x, &window, ty, Op::MaxPool2d)?;
    Ok(Arg::Tensor(without_height(b, y, dims)))
}

fn avg_pool(b: &mut Builder, bound: &Bound, dims: usize) -> Checked<Arg> {
    let (x, window, ends) = window(b, bound, dims, None, 4)?;
    let ty = window_type(b, bound, x, dims, (&window, ends), None, slots(None))?;
    let include = bound.bool(5).unwrap_or(true);
    let x = with_height(b, x, dims);
    let y = mean_pool(b, bound, x, window, ty, include)?;
    Ok(Arg::Tensor(without_height(b, y, dims)))
}

/// The means of windows of `x[n, c, h, w]`; `ty` says how many.
pub(super) fn mean_pool(
    b: &mut Builder,
    bound: &Bound,
    x: Value,
    window: Window,
    ty: Type,
    include: bool,
) -> Checked<Value> {
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
        false => by_axes(b, bound, x, &window, ty, Op::SumPool2d)?,
    };
    match divisor {
        Some(divisor) => b.binary(Binary::Div, sum, divisor),
        None => Ok(b.binary_const(Binary::Mul, sum, 1.0 / (window.kernel[0] as f64 * window.kernel[1] as f64))),
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

/// What a pool does with its windows.
type Pool = fn(Window) -> Op;

/// A pool as one primitive, or along the width and then the height if the windows are large.
fn by_axes(b: &mut Builder, bound: &Bound, x: Value, window: &Window, ty: Type, pool: Pool) -> Checked<Value> {
    let [high, wide] = window.kernel;
    if high.saturating_mul(wide) <= MOST_TAPS {
        return Ok(b.push(pool(*window), vec![x], ty));
    }
    let mut x = x;
    for axis in [1, 0] {
        let only = |pair: [i64; 2], other: i64| if axis == 0 { [pair[0], other] } else { [other, pair[1]] };
        let along = Window {
            kernel: only(window.kernel, 1),
            stride: only(window.stride, 1),
            padding: only(window.padding, 0),
            dilation: only(window.dilation, 1),
            groups: 1,
        };
        // Windows of one element: a stride or a border at most.
        if along.kernel[axis] > 1 || along.stride[axis] > 1 || along.padding[axis] > 0 {
            x = along_axis(b, bound, x, axis, &along, &ty.shape[2 + axis], pool)?;
        }
    }
    Ok(x)
}

/// A pool of `count` windows along one axis. Long windows are windows of windows: of `a · b` elements, first all of `a`, then `b` of those.
/// Of maxima the first of the first ones is the first of all, so gradients go where they would.
fn along_axis(
    b: &mut Builder,
    bound: &Bound,
    x: Value,
    axis: usize,
    window: &Window,
    count: &Size,
    pool: Pool,
) -> Checked<Value> {
    let (kernel, stride, dilation) = (window.kernel[axis], window.stride[axis], window.dilation[axis]);
    let mut ty = b.ty(x).clone();
    let part = (2..=MOST_TAPS).rev().chain(MOST_TAPS + 1..=MOST_UNROLLED).find(|part| kernel % part == 0);
    let Some(part) = part.filter(|part| *part < kernel && kernel > MOST_TAPS) else {
        if kernel > MOST_UNROLLED {
            let message = format!(
                "`{}` with a window of {kernel} elements along an axis, which has no small divisor",
                bound.callee
            );
            let help = format!(
                "use a window of at most {MOST_UNROLLED}, or a multiple of a smaller number: {} is one",
                kernel / 16 * 16
            );
            return bound.wrong(b, "N0306", 1, message, help);
        }
        ty.shape[2 + axis] = count.clone();
        return Ok(b.push(pool(*window), vec![x], ty));
    };
    let rest = kernel / part;
    // The windows of `a` that are used: those of a stride that the others' distances have in common.
    let every = gcd(part.saturating_mul(dilation), stride);
    let on = |mut pair: [i64; 2], value: i64| {
        pair[axis] = value;
        pair
    };
    // Those of `a` that lie before the image are padding to the others: they have no first maximum.
    let before = (window.padding[axis] - dilation * (part - 1)).max(0);
    let outside = before.div_euclid(every) + i64::from(before % every > 0);
    let padding = on(window.padding, window.padding[axis] - outside * every);
    let inner = Window { kernel: on(window.kernel, part), stride: on(window.stride, every), padding, ..*window };
    let outer = Window {
        kernel: on(window.kernel, rest),
        stride: on(window.stride, stride / every),
        dilation: on(window.dilation, part * dilation / every),
        padding: on(window.padding, outside),
        ..*window
    };
    let needed = &(&(count - &1.into()) * &outer.stride[axis].into()) + &outer.reach(axis).into();
    ty.shape[2 + axis] = &needed - &outside.into();
    let x = b.push(pool(inner), vec![x], ty);
    along_axis(b, bound, x, axis, &outer, count, pool)
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
        Some((window, ty)) => mean_pool(b, bound, x, window, ty, true)?,
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
    Ok(Arg::Tensor(by_axes(b, bound, x, &window, ty, Op::MaxPool2d)?))
}
