//! Tensors of nothing: `arange`, `zeros`, `ones`, `full`, and those like another one.

use super::Operator;
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, named, one_by_one, optional, required};
use crate::graph::{Op, Value};
use crate::number::Number;
use crate::number::an;
use crate::rules::Rule;
use crate::scalar::Binary;
use crate::size::Size;
use crate::types::{DType, Type};

const X: Param = required("input", Kind::Tensor);
const SIZE: Param = one_by_one("size", Kind::Sizes);
const DTYPE: Param = named("dtype", Kind::DType, "float");

/// What makes tensors.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "arange",
        doc: "`arange(end)`: the integers from 0 to below `end`, as i64; `arange(start, end, step)`: from `start` on, every `step`th.",
        signature: &[
            required("start", Kind::Integer),
            optional("end", Kind::Integer, "None"),
            optional("step", Kind::Int, "1"),
        ],
        build: arange,
    },
    Operator {
        name: "zeros",
        doc: "0 everywhere.",
        signature: &[SIZE, DTYPE],
        build: |b, bound| made(b, bound, Number::Int(0), 1),
    },
    Operator {
        name: "ones",
        doc: "1 everywhere.",
        signature: &[SIZE, DTYPE],
        build: |b, bound| made(b, bound, Number::Int(1), 1),
    },
    Operator {
        name: "full",
        doc: "`fill_value` everywhere.",
        signature: &[required("size", Kind::Sizes), required("fill_value", Kind::Float), DTYPE],
        build: |b, bound| {
            let value = bound.number(1).unwrap_or(Number::Int(0));
            made(b, bound, value, 2)
        },
    },
    Operator {
        name: "eye",
        doc: "A matrix `[n, m]` (`[n, n]`, if `m` is left out) with 1 where row and column are equal, 0 elsewhere.",
        signature: &[required("n", Kind::Size), optional("m", Kind::Size, "n"), DTYPE],
        build: eye,
    },
    Operator {
        name: "zeros_like",
        doc: "0 in the input's shape and element type.",
        signature: &[X],
        build: |b, bound| Ok(Arg::Tensor(like(b, bound, 0.0))),
    },
    Operator {
        name: "ones_like",
        doc: "1 in the input's shape and element type.",
        signature: &[X],
        build: |b, bound| Ok(Arg::Tensor(like(b, bound, 1.0))),
    },
    Operator {
        name: "full_like",
        doc: "`fill_value` in the input's shape and element type.",
        signature: &[X, required("fill_value", Kind::Element)],
        build: |b, bound| {
            let value = bound.number(1).unwrap_or(Number::Int(0));
            Ok(Arg::Tensor(like(b, bound, value)))
        },
    },
];

fn like(b: &mut Builder, bound: &Bound, value: impl Into<Number>) -> Value {
    let x = bound.tensor(b, 0, None);
    b.full(value, x)
}

/// A number that an element type can hold.
pub(super) fn whole(
    b: &mut Builder,
    bound: &Bound,
    slot: usize,
    value: impl Into<Number>,
    dtype: DType,
) -> Checked<()> {
    let value = value.into();
    if value.fits(dtype) || dtype == DType::Bool {
        return Ok(());
    }
    let message = format!("`{}` of {value}, which is not {}", bound.callee, an(dtype));
    bound.wrong(b, "N0207", slot, message, "write an integer, or make it of f32")
}

/// The shape that argument 0 asks for.
pub(super) fn shape(b: &mut Builder, bound: &Bound) -> Checked<Vec<Size>> {
    let shape = bound.sizes(0).unwrap_or_default();
    at_least_one(b, bound, &shape)?;
    Ok(shape)
}

fn at_least_one(b: &mut Builder, bound: &Bound, shape: &[Size]) -> Checked<()> {
    for size in shape {
        if !b.require(Rule::not_empty(size.clone()), format!("makes an axis of {size}")) {
            let message = format!("`{}` with a size of {size}", bound.callee);
            return bound.wrong(b, "N0306", 0, message, "sizes are at least 1");
        }
    }
    Ok(())
}

/// The element type that argument `slot` asks for.
fn element(b: &Builder, bound: &Bound, slot: usize) -> DType {
    bound.dtype(slot).unwrap_or(b.float())
}

fn eye(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let dtype = element(b, bound, 2);
    let rows = bound.size(0).unwrap_or_default();
    let shape = vec![rows.clone(), bound.size(1).unwrap_or(rows)];
    at_least_one(b, bound, &shape)?;
    let places = Type::new(DType::I64, shape);
    let [row, column] = [0, 1].map(|axis| b.push(Op::Iota(axis), vec![], places.clone()));
    let same = b.binary(Binary::Eq, row, column)?;
    Ok(Arg::Tensor(b.cast(same, dtype)))
}

/// A number in a new shape.
fn made(b: &mut Builder, bound: &Bound, value: Number, dtype: usize) -> Checked<Arg> {
    let dtype = element(b, bound, dtype);
    let shape = shape(b, bound)?;
    whole(b, bound, 1, value, dtype)?;
    let c = b.constant(value, dtype);
    Ok(Arg::Tensor(b.broadcast_to(c, &shape)))
}

fn arange(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let given = |slot: usize| bound.size(slot);
    let (start, end) = match (given(0), given(1)) {
        (Some(start), Some(end)) => (start, end),
        (end, _) => (Size::default(), end.unwrap_or_default()),
    };
    let step = bound.int(2).unwrap_or(1);
    if step == 0 {
        return bound.wrong(b, "N0306", 2, "`arange` with a step of 0", "a step is at least 1, or negative");
    }
    let (gap, by) = if step > 0 { (&end - &start, step) } else { (&start - &end, -step) };
    let count = match gap.as_const() {
        Some(gap) => Some(Size::constant((gap + by - 1).div_euclid(by))),
        None => gap.div_exact(&by.into()),
    };
    let Some(count) = count else {
        let message = format!("`arange` from {start} to {end} by {step}: how many that are does not come out even");
        return bound.wrong(b, "N0511", 2, message, "use a step that divides for every value of the run-time sizes");
    };
    if !b.require(Rule::not_empty(count.clone()), format!("counts from {start} to {end} by {step}")) {
        let message = format!("`arange` from {start} to {end} by {step} holds nothing");
        return bound.wrong(b, "N0306", 0, message, "the end lies behind the start");
    }
    let ty = Type::new(DType::I64, vec![count]);
    let mut x = b.push(Op::Iota(0), vec![], ty);
    if step != 1 {
        x = b.binary_const(Binary::Mul, x, step);
    }
    if !start.is_zero() {
        let start = match start.as_const() {
            Some(c) => b.constant(c, DType::I64),
            None => b.push(Op::Size(start), vec![], Type::new(DType::I64, vec![])),
        };
        x = b.binary(Binary::Add, x, start)?;
    }
    Ok(Arg::Tensor(x))
}
