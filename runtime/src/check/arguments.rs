//! Calls with arguments that look random.

use castnet_kernels::random::uniform;
use castnet_program::net::Programs;
use castnet_program::program::{Named, Program};
use castnet_program::types::DType;

use super::Mistake;
use super::sizes::{self, Sizes};
use crate::array::{Array, Element};
use crate::error::Error;
use crate::model::Model;

/// A function with arguments.
pub(super) struct Call {
    /// Its number.
    pub(super) function: usize,
    /// `LeNet.loss`.
    pub(super) name: String,
    /// Whether it is a `train fn`.
    pub(super) trains: bool,
    pub(super) arguments: Vec<Array>,
    pub(super) sizes: Sizes,
    /// For messages: `N = 3, seed 1`.
    pub(super) drawn: String,
}

/// What floating-point arguments are drawn from.
const RANGES: [(f32, f32); 3] = [(-1.0, 1.0), (0.1, 2.1), (0.05, 0.95)];

/// What integers without bounds are drawn from: the first of these ranges with which the function's checks hold.
const INTEGERS: [(i64, i64); 5] = [(0, 4), (0, 2), (0, 1), (1, 4), (1, 2)];

impl Call {
    /// A call of every function of a model.
    pub(super) fn all(model: &Model) -> Result<Vec<Call>, Mistake> {
        (0..model.net().functions.len()).map(|function| Call::new(model, function, RANGES[0], 0)).collect()
    }

    /// A call of one function with finite results, if there is one: where there are logarithms and roots, with other numbers. The loss of a
    /// `train fn` must be finite.
    pub(super) fn finite(model: &Model, function: usize, draw: u64) -> Result<Call, Mistake> {
        let mut calls = vec![];
        for range in RANGES {
            let call = Call::new(model, function, range, draw)?;
            let mut twin = model.twin()?;
            let results = match call.trains {
                true => twin.grad(function, &call.arguments())?.0,
                false => twin.infer_mut(function, &call.arguments())?,
            };
            if results.iter().all(Array::is_finite) {
                return Ok(call);
            }
            // The loss alone is enough if not all of them are to be had.
            calls.push((call, results.first().is_some_and(Array::is_finite)));
        }
        let best = calls.iter().position(|(_, finite)| *finite).unwrap_or(0);
        let (call, finite) = calls.swap_remove(best);
        if call.trains && !finite {
            let Call { name, drawn, .. } = call;
            return Err(Mistake(format!("`{name}` ({drawn}): the loss of random arguments is not finite")));
        }
        Ok(call)
    }

    fn new(model: &Model, function: usize, range: (f32, f32), draw: u64) -> Result<Call, Mistake> {
        let mut last = Call::of(model, function, range, INTEGERS[0], draw)?;
        for integers in INTEGERS {
            last = Call::of(model, function, range, integers, draw)?;
            if !last.fails_a_check(model)? {
                break;
            }
        }
        Ok(last)
    }

    /// Whether a value that the function makes of its arguments is an index out of range, or a divisor of 0.
    fn fails_a_check(&self, model: &Model) -> Result<bool, Mistake> {
        let Programs { inference, training } = &model.net().cpu()[self.function];
        let fails = |result: crate::Result<()>| {
            matches!(result, Err(Error::IndexOutOfRange { .. } | Error::DividedByZero { .. }))
        };
        let mut failed = false;
        if !inference.checks.is_empty() {
            failed |= fails(model.twin()?.infer_mut(self.function, &self.arguments()).map(|_| ()));
        }
        if training.as_ref().is_some_and(|program| !program.checks.is_empty()) {
            failed |= fails(model.twin()?.grad(self.function, &self.arguments()).map(|_| ()));
        }
        Ok(failed)
    }

    fn of(model: &Model, function: usize, range: (f32, f32), integers: (i64, i64), draw: u64) -> Result<Call, Mistake> {
        let seed = model.seed().wrapping_add(draw);
        let Programs { inference, training } = &model.net().cpu()[function];
        let programs: Vec<&Program> = std::iter::once(inference).chain(training).collect();
        let sizes = sizes::choose(&programs)?;
        let argument = |number: usize| {
            let both: Vec<&Named> = programs.iter().map(|p| &p.arguments[number]).collect();
            let call = ((function * 1000 + number) as u64) << 32 | 0x5eed;
            draw_argument(&both, &sizes, range, integers, |index| uniform(seed, call, index as u64))
        };
        let arguments = (0..inference.arguments.len()).map(argument).collect::<Result<_, _>>()?;
        let drawn: String = sizes.iter().map(|(name, value)| format!("{name} = {value}, ")).collect();
        let drawn = format!("{drawn}seed {seed}");
        Ok(Call { function, name: inference.name.clone(), trains: training.is_some(), arguments, sizes, drawn })
    }

    pub(super) fn arguments(&self) -> Vec<&Array> {
        self.arguments.iter().collect()
    }
}

/// An argument, as both programs of a function declare it.
fn draw_argument(
    both: &[&Named],
    sizes: &Sizes,
    range: (f32, f32),
    integers: (i64, i64),
    unit: impl Fn(usize) -> f32,
) -> Result<Array, Mistake> {
    let ty = &both[0].ty;
    let shape: Vec<usize> = ty.shape.iter().map(|s| sizes::eval(s, sizes) as usize).collect();
    let len: usize = shape.iter().product();
    let float = |index: usize| range.0 + (range.1 - range.0) * unit(index);
    let bounds = both.iter().flat_map(|named| &named.below);
    let range = bounds.fold(None, |known: Option<(i64, i64)>, below| {
        let (least, limit) = (sizes::eval(&below.least, sizes), sizes::eval(&below.limit, sizes));
        Some(known.map_or((least, limit), |(a, b)| (a.max(least), b.min(limit))))
    });
    let (least, limit) = range.unwrap_or(integers);
    let integer = |index: usize| least + (unit(index) * (limit - least) as f32) as i64;
    let array = match ty.dtype {
        DType::F32 => fill(&shape, (0..len).map(float)),
        DType::F64 => fill(&shape, (0..len).map(|i| f64::from(float(i)))),
        DType::U8 => fill(&shape, (0..len).map(|i| integer(i) as u8)),
        DType::I8 => fill(&shape, (0..len).map(|i| integer(i) as i8)),
        DType::I16 => fill(&shape, (0..len).map(|i| integer(i) as i16)),
        DType::I32 => fill(&shape, (0..len).map(|i| integer(i) as i32)),
        DType::U32 => fill(&shape, (0..len).map(|i| integer(i) as u32)),
        DType::I64 => fill(&shape, (0..len).map(integer)),
        DType::Bool => fill(&shape, (0..len).map(|i| unit(i) < 0.5)),
        DType::F16 => fill(&shape, (0..len).map(|i| half::f16::from_f32(float(i)))),
        DType::BF16 => fill(&shape, (0..len).map(|i| half::bf16::from_f32(float(i)))),
    };
    Ok(array?)
}

fn fill<T: Element>(shape: &[usize], elements: impl Iterator<Item = T>) -> crate::Result<Array> {
    Array::from_vec(shape, elements.collect())
}
