//! Sums along an axis by a table: bins of unequal length, the two elements around a place between them, and its gradient.
//!
//! Each is a gather with an index for every tap and every element of the result. What does not belong to a sum is left out of it and not
//! multiplied by 0, so what is not finite stays where it is.

use std::ops::{Add, Mul, Sub};

use super::own;
use crate::builder::Builder;
use crate::grad::NoRule;
use crate::graph::{Graph, Node, Op, Taps, Value};
use crate::scalar::{Binary, Reduction, Unary};
use crate::size::{Size, gcd};
use crate::types::{DType, Type};

/// So many taps are written out, each a gather in the kernel that needs it; more are reduced.
const WRITTEN: usize = 16;

/// A formula of the places in a table `[taps, results]`: nodes that compute it, and the number that they compute.
#[derive(Clone, Debug)]
enum Formula {
    /// The number of the tap (0) or of the result (1).
    Place(usize),
    Number(f64),
    Unary(Unary, Box<Formula>),
    Binary(Binary, Box<[Formula; 2]>),
}

use Formula::{Number, Place};

/// Which elements the results are made of.
struct Table {
    taps: usize,
    /// The number of the element.
    index: Formula,
    /// Its factor, which is below 0 where it does not belong to the sum.
    weight: Formula,
    /// Whether there are other factors than 1.
    is_weighted: bool,
    /// Whether all belong to the sum.
    is_full: bool,
}

/// The factor, or -1 or less for what does not belong to a sum.
fn weight(factor: Formula, inside: Formula) -> Formula {
    factor - (Number(1.0) - inside) * 2.0
}

impl Formula {
    fn with(self, f: Binary, other: impl Into<Formula>) -> Formula {
        Formula::Binary(f, Box::new([self, other.into()]))
    }

    fn floor(self) -> Formula {
        Formula::Unary(Unary::Floor, Box::new(self))
    }

    /// Held between two numbers.
    fn between(self, least: f64, most: f64) -> Formula {
        self.with(Binary::Max, least).with(Binary::Min, most)
    }

    /// The number at a place, rounded as in a kernel of this float type.
    fn at(&self, place: [usize; 2], float: DType) -> f64 {
        let number = match self {
            Place(axis) => place[*axis] as f64,
            Number(c) => *c,
            Formula::Unary(f, x) => f.of_f64(x.at(place, float)),
            Formula::Binary(f, both) => {
                let [x, y] = both.each_ref().map(|x| x.at(place, float));
                f.of_f64(x, y)
            }
        };
        if float == DType::F32 { f64::from(number as f32) } else { number }
    }
}

impl From<f64> for Formula {
    fn from(c: f64) -> Formula {
        Number(c)
    }
}

impl<T: Into<Formula>> Add<T> for Formula {
    type Output = Formula;

    fn add(self, other: T) -> Formula {
        self.with(Binary::Add, other)
    }
}

impl<T: Into<Formula>> Sub<T> for Formula {
    type Output = Formula;

    fn sub(self, other: T) -> Formula {
        self.with(Binary::Sub, other)
    }
}

impl<T: Into<Formula>> Mul<T> for Formula {
    type Output = Formula;

    fn mul(self, other: T) -> Formula {
        self.with(Binary::Mul, other)
    }
}

/// Of `to` bins over `from` elements: those from floor(i · from / to) to ceil((i + 1) · from / to).
fn bins(from: usize, to: usize) -> Table {
    let common = gcd(from as i64, to as i64).max(1) as usize;
    let (n, m) = (from / common, to / common);
    let (whole, rest) = (n / m, n % m);
    // Whole numbers below 2²⁴ (`Taps::are_exact`), so their quotients are rounded down to the right one.
    let number = |i: Formula, more: usize| {
        let part = (i.clone() * rest as f64 + more as f64).with(Binary::Div, m as f64).floor();
        i * whole as f64 + part
    };
    let index = number(Place(1), 0) + Place(0);
    let end = number(Place(1), rest + m - 1) + whole as f64;
    let inside = index.clone().with(Binary::Lt, end);
    let index = index.with(Binary::Min, (from - 1) as f64);
    let taps = whole + [0, 1, 2][rest.min(2)];
    let is_full = rest == 0 || taps == 1;
    Table { taps, index, weight: weight(Number(1.0), inside), is_weighted: false, is_full }
}

/// The place of element `i` of `to` among `from`: the element at or before it, and how far behind that it lies; as PyTorch rounds them.
fn place(i: Formula, from: usize, to: usize, corners: bool) -> [Formula; 2] {
    let source = match corners {
        true => i * distance(from, to, true),
        false => ((i + 0.5) * distance(from, to, false) - 0.5).with(Binary::Max, 0.0),
    };
    let first = source.clone().floor().with(Binary::Min, (from - 1) as f64);
    [first.clone(), (source - first).between(0.0, 1.0)]
}

/// From one of `to` elements to the next, in elements of `from`.
fn distance(from: usize, to: usize, corners: bool) -> f64 {
    match corners {
        true if to > 1 => (from - 1) as f64 / (to - 1) as f64,
        true => 0.0,
        false => from as f64 / to as f64,
    }
}

/// Each of `to` elements between its neighbours.
fn line(from: usize, to: usize, corners: bool) -> Table {
    let [first, rest] = place(Place(1), from, to, corners);
    let index = (first + Place(0)).with(Binary::Min, (from - 1) as f64);
    // 1 - rest for the first, rest for the second.
    let weight = (Number(1.0) - Place(0)) * (Number(1.0) - rest.clone()) + Place(0) * rest;
    Table { taps: 2, index, weight, is_weighted: true, is_full: true }
}

/// The gradient of that: for each of `from` elements, what of `to` has it for a neighbour.
fn line_grad(from: usize, to: usize, corners: bool, float: DType) -> Table {
    let last = (from - 1) as f64;
    // The first that lies behind the element before it, as the places grow; one more where it nearly lies on that, however it is rounded.
    let back = |distance: f64| if distance > 0.0 { 1.0 / distance } else { 0.0 };
    let begin = |shift: f64| {
        let begin = match corners {
            true => (Place(1) - 1.0) * back(distance(from, to, true)),
            false => (Place(1) - 0.5) * back(distance(from, to, false)) - 0.5,
        };
        ((begin + (1.0 - 1.0 / 64.0)).floor() - shift).between(0.0, (to - 1) as f64)
    };
    let [first, _] = place(Place(1), from, to, corners);
    let (mut ends, mut shift) = (vec![None; from], 0.0f64);
    for i in 0..to {
        let first = first.at([0, i], float) as usize;
        for ends in &mut ends[first..(first + 2).min(from)] {
            let (begin, _) = ends.unwrap_or((i, i));
            *ends = Some((begin, i));
        }
    }
    let ends = || ends.iter().enumerate().filter_map(|(at, ends)| Some((at, (*ends)?)));
    for (at, (first, _)) in ends() {
        shift = shift.max(begin(0.0).at([0, at], float) - first as f64);
    }
    let begin = begin(shift);
    let taps = ends().map(|(at, (_, last))| last + 1 - begin.at([0, at], float) as usize).max().unwrap_or(1);
    let number = begin + Place(0);
    let index = number.clone().with(Binary::Min, (to - 1) as f64);
    let [first, rest] = place(index.clone(), from, to, corners);
    let second = (first.clone() + 1.0).with(Binary::Min, last);
    let [is_first, is_second] = [first, second].map(|at| at.with(Binary::Eq, Place(1)));
    let factor = is_first.clone() * (Number(1.0) - rest.clone()) + is_second.clone() * rest;
    let inside = is_first.with(Binary::Max, is_second) * number.with(Binary::Lt, to as f64);
    Table { taps, index, weight: weight(factor, inside), is_weighted: true, is_full: false }
}

/// What a node of [`Op::Resample`] computes, of gathers.
pub(crate) fn resample(graph: &Graph, node: &Node, _: &[bool]) -> Result<Graph, NoRule> {
    let &Op::Resample { axis, taps } = &node.op else { return Err(NoRule::of(node)) };
    let size = |shape: &[Size]| usize::try_from(shape[axis].as_const()?).ok();
    // Sizes that are not known the verifier refuses.
    let (Some(from), Some(to)) = (size(graph.shape(node.inputs[0])), size(&node.ty.shape)) else {
        return Err(NoRule::of(node));
    };
    let table = match taps {
        Taps::Bins => bins(from, to),
        Taps::Line { corners } => line(from, to, corners),
        Taps::LineGrad { corners } => line_grad(to, from, corners, node.ty.dtype),
    };
    own(graph, node, |b, x| gathered(b, x[0], axis, &table, to, &node.ty))
}

fn gathered(b: &mut Builder, x: Value, axis: usize, table: &Table, to: usize, whole: &Type) -> Value {
    let float = whole.dtype;
    let table_type = |dtype| Type::new(dtype, vec![Size::constant(table.taps as i64), Size::constant(to as i64)]);
    let [index, weight] = [(&table.index, DType::I32), (&table.weight, float)].map(|(formula, dtype)| {
        let value = written(b, formula, &table_type(float));
        let value = b.cast(value, dtype);
        // In memory, so that an element reads it and does not compute it.
        b.push(Op::Copy, vec![value], table_type(dtype))
    });
    let term = |b: &mut Builder, at: &dyn Fn(&mut Builder, Value) -> Value, ty: &Type| {
        let [index, weight] = [index, weight].map(|table| at(b, table));
        let mut term = b.push(Op::Gather { axis }, vec![x, index], ty.clone());
        if table.is_weighted {
            term = b.push(Op::Binary(Binary::Mul), vec![term, weight], ty.clone());
        }
        if !table.is_full {
            let truth = Type::new(DType::Bool, ty.shape.clone());
            let zero = b.full(0.0, term);
            let inside = b.push(Op::Binary(Binary::Ge), vec![weight, zero], truth);
            term = b.push(Op::Select, vec![inside, term, zero], ty.clone());
        }
        term
    };
    let behind = whole.rank() - axis - 1;
    let ones = |shape: &[usize]| {
        let sizes = shape.iter().map(|&s| Size::constant(s as i64));
        sizes.chain(vec![Size::constant(1); behind]).collect::<Vec<_>>()
    };
    if table.taps > WRITTEN {
        let mut ty = whole.clone();
        ty.shape.insert(axis, Size::constant(table.taps as i64));
        let at = |b: &mut Builder, value: Value| {
            let value = b.reshape(value, ones(&[table.taps, to]));
            b.broadcast_to(value, &ty.shape)
        };
        let all = term(b, &at, &ty);
        return b.push(Op::Reduce(Reduction::Sum, vec![axis]), vec![all], whole.clone());
    }
    let terms: Vec<Value> = (0..table.taps)
        .map(|tap| {
            let at = |b: &mut Builder, value: Value| {
                let line = b.slice(value, 0, Size::constant(tap as i64), Size::constant(1));
                let line = b.reshape(line, ones(&[to]));
                b.broadcast_to(line, &whole.shape)
            };
            term(b, &at, whole)
        })
        .collect();
    let add = |b: &mut Builder, x, y| b.push(Op::Binary(Binary::Add), vec![x, y], whole.clone());
    // A table has one tap at least.
    terms.into_iter().reduce(|x, y| add(b, x, y)).unwrap_or(x)
}

/// The nodes of a formula.
fn written(b: &mut Builder, formula: &Formula, ty: &Type) -> Value {
    match formula {
        Place(axis) => b.push(Op::Iota(*axis), vec![], ty.clone()),
        Number(c) => {
            let c = b.constant(*c, ty.dtype);
            b.broadcast_to(c, &ty.shape)
        }
        Formula::Unary(f, x) => {
            let x = written(b, x, ty);
            b.push(Op::Unary(*f), vec![x], ty.clone())
        }
        Formula::Binary(f, both) => {
            let [x, y] = both.each_ref().map(|x| written(b, x, ty));
            if !f.is_comparison() {
                return b.push(Op::Binary(*f), vec![x, y], ty.clone());
            }
            let truth = b.push(Op::Binary(*f), vec![x, y], Type::new(DType::Bool, ty.shape.clone()));
            b.cast(truth, ty.dtype)
        }
    }
}
