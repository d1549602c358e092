//! Which numbers can stand in a value, by what it is made of: an interval a node.

use crate::functions::range_of_reduced;
use crate::graph::{Call, Graph, Node, Op, Value};
use crate::routines::Numbers;
use crate::scalar::{Binary, Unary};
use crate::size::Size;
use crate::types::DType;

/// Where numbers are no longer told apart as sizes.
const FAR: f64 = (1u64 << 50) as f64;

/// What a run-time size counts as where only its magnitude matters.
const SIZE: f64 = (1 << 20) as f64;

/// The numbers that can stand in a value, none of which is NaN or infinite.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Range {
    /// The smallest, if there is a bound.
    pub least: Option<Size>,
    /// The largest, if there is a bound.
    pub most: Option<Size>,
    /// Whether both certainly stand there.
    pub reached: bool,
    /// No element is farther from 0.
    magnitude: f64,
}

impl Range {
    pub(crate) fn between(least: impl Into<Size>, most: impl Into<Size>, reached: bool) -> Range {
        let (least, most) = (Some(least.into()), Some(most.into()));
        Range { least, most, reached, magnitude: f64::INFINITY }.held()
    }

    /// Any number that an integer of so many bits can be.
    fn wide(bits: i32) -> Range {
        Range { least: None, most: None, reached: false, magnitude: 2f64.powi(bits) }
    }

    fn truth() -> Range {
        Range::between(0, 1, false)
    }

    /// What is no integer lies between two.
    fn number(c: f64) -> Option<Range> {
        match c.abs() {
            far if far <= FAR => Some(Range::between(c.floor() as i64, c.ceil() as i64, c.fract() == 0.0)),
            far if far <= f32::MAX.into() => Some(Range { magnitude: far, ..Range::wide(0) }),
            _ => None,
        }
    }

    /// Of an argument or a state.
    fn of_type(dtype: DType) -> Option<Range> {
        match dtype {
            DType::Bool => Some(Range::truth()),
            DType::U8 => Some(Range::between(0, 255, false)),
            DType::I8 => Some(Range::between(-128, 127, false)),
            DType::U32 => Some(Range::between(0, u32::MAX as i64, false)),
            DType::I16 => Some(Range::between(i16::MIN as i64, i16::MAX as i64, false)),
            DType::I32 => Some(Range::between(i32::MIN as i64, i32::MAX as i64, false)),
            DType::I64 => Some(Range::wide(63)),
            DType::F32 | DType::F16 | DType::BF16 | DType::F64 => None,
        }
    }

    /// In an element type: integers that leave it wrap, and may then be any of it.
    fn wrapped(self, dtype: DType) -> Range {
        let Some(all) = Range::of_type(dtype).filter(|_| dtype.is_int()) else { return self };
        if dtype == DType::I64 {
            return if self.magnitude <= all.magnitude { self } else { all };
        }
        let inside = |end: &Option<Size>| {
            let Some(end) = end else { return false };
            all.least.as_ref().is_some_and(|first| first.at_most(end))
                && all.most.as_ref().is_some_and(|last| end.at_most(last))
        };
        if inside(&self.least) && inside(&self.most) { self } else { all }
    }

    /// With the magnitude that the bounds allow, and without bounds that lie too far out to be reckoned with.
    fn held(mut self) -> Range {
        let far = |size: &Size| {
            let terms = size.terms().iter();
            terms.map(|(m, c)| (*c as f64).abs() * SIZE.powi(m.names().len() as i32)).sum::<f64>()
        };
        if let (Some(least), Some(most)) = (&self.least, &self.most) {
            self.magnitude = self.magnitude.min(far(least).max(far(most)));
        }
        let near = |size: Option<Size>| size.filter(|size| far(size) <= FAR);
        (self.least, self.most) = (near(self.least), near(self.most));
        self.reached &= self.least.is_some() && self.most.is_some();
        self
    }

    /// Whether it is one number.
    pub(crate) fn is_one(&self) -> bool {
        self.least.is_some() && self.least == self.most
    }

    /// Of which nobody says any more that its ends stand there, but of one number.
    pub(crate) fn unreached(self) -> Range {
        let reached = self.reached && self.is_one();
        Range { reached, ..self }
    }

    fn negated(self) -> Range {
        let minus = |size: Option<Size>| size.map(|size| &Size::default() - &size);
        Range { least: minus(self.most), most: minus(self.least), ..self }
    }

    /// What stands in either.
    fn or(self, other: Range) -> Range {
        Range {
            least: self.least.zip(other.least).and_then(|(a, b)| smaller(&a, &b)),
            most: self.most.zip(other.most).and_then(|(a, b)| larger(&a, &b)),
            reached: self.reached && other.reached,
            magnitude: self.magnitude.max(other.magnitude),
        }
    }

    /// The larger of an element of each.
    fn max(self, other: Range) -> Range {
        let all = Range {
            // Either is a bound.
            least: either(self.least, other.least, larger),
            most: self.most.zip(other.most).and_then(|(a, b)| larger(&a, &b)),
            reached: false,
            magnitude: self.magnitude.max(other.magnitude),
        };
        all.held()
    }

    /// The smaller of an element of each.
    fn min(self, other: Range) -> Range {
        self.negated().max(other.negated()).negated().held()
    }

    fn add(self, other: Range) -> Range {
        let sum = |(a, b): (Size, Size)| &a + &b;
        let reached = self.reached && other.is_one() || self.is_one() && other.reached;
        Range {
            least: self.least.zip(other.least).map(sum),
            most: self.most.zip(other.most).map(sum),
            reached,
            magnitude: self.magnitude + other.magnitude,
        }
        .held()
    }

    /// The product of an element of each.
    pub(crate) fn mul(self, other: Range) -> Range {
        let magnitude = self.magnitude * other.magnitude;
        let reached = self.reached && other.is_one() || self.is_one() && other.reached;
        let unknown = Range { least: None, most: None, reached: false, magnitude };
        if magnitude > FAR {
            return unknown;
        }
        let zero = Size::default();
        let (Some(a), Some(b)) = (&self.least, &self.most) else { return unknown };
        let (Some(c), Some(d)) = (&other.least, &other.most) else { return unknown };
        let corners = [a * c, a * d, b * c, b * d];
        if zero.at_most(a) && zero.at_most(c) {
            let [least, .., most] = corners;
            return Range { least: Some(least), most: Some(most), reached, magnitude };
        }
        let fold = |pick: fn(&Size, &Size) -> Option<Size>| {
            corners[1..].iter().try_fold(corners[0].clone(), |best, corner| pick(&best, corner))
        };
        Range { least: fold(smaller), most: fold(larger), reached, magnitude }
    }

    /// The remainder, which has the sign of the divisor.
    fn rem(self, divisor: Range) -> Option<Range> {
        let (least, most) = (divisor.least?, divisor.most?);
        Size::constant(1).at_most(&least).then(|| Range::between(0, &most - &1.into(), false))
    }

    /// `floor(x / c)`.
    fn div_floor(self, divisor: i64) -> Range {
        let divided = |size: Size| size.div_floor(divisor);
        Range { least: self.least.and_then(divided), most: self.most.and_then(divided), ..self }
    }
}

/// The larger of two sizes, if one of them is, whatever the run-time sizes are.
fn larger(a: &Size, b: &Size) -> Option<Size> {
    match (a.at_most(b), b.at_most(a)) {
        (true, _) => Some(b.clone()),
        (_, true) => Some(a.clone()),
        _ => None,
    }
}

fn smaller(a: &Size, b: &Size) -> Option<Size> {
    larger(a, b).map(|larger| if larger == *a { b.clone() } else { a.clone() })
}

/// The better of two bounds, or the one that is there.
fn either(a: Option<Size>, b: Option<Size>, better: fn(&Size, &Size) -> Option<Size>) -> Option<Size> {
    match (a, b) {
        // Constants say more about constants than run-time sizes do.
        (Some(a), Some(b)) => better(&a, &b).or(Some(if b.as_const().is_some() { b } else { a })),
        (a, b) => a.or(b),
    }
}

/// The ranges of a graph's values, found once each as the graph grows.
#[derive(Default)]
pub(crate) struct Ranges(Vec<Option<Range>>);

impl Ranges {
    /// The numbers in a value; `None` if nothing is known: it may hold NaN.
    pub(crate) fn of(&mut self, graph: &Graph, value: Value) -> Option<Range> {
        while self.0.len() <= value.index() {
            let node = &graph.nodes[self.0.len()];
            // What overflows f32 is no number any more.
            let range = self.next(graph, node).filter(|range| range.magnitude <= f32::MAX.into());
            // An integer or truth value that nothing more is known of is any of its type.
            let dtype = node.ty.dtype;
            let range = match range {
                Some(range) => Some(range.wrapped(dtype)),
                None => Range::of_type(dtype),
            };
            self.0.push(range);
        }
        self.0[value.index()].clone()
    }

    fn next(&self, graph: &Graph, node: &Node) -> Option<Range> {
        let of = |i: usize| self.0[node.inputs[i].index()].clone();
        match &node.op {
            Op::Const(c) => Range::number(c.f64()),
            Op::Size(size) => Some(Range::between(size.clone(), size.clone(), true)),
            Op::Iota(axis) => Some(Range::between(0, &node.ty.shape[*axis] - &1.into(), true)),
            Op::LossScale => None,
            Op::Random(_) => Some(Range::between(0, 1, false)),
            Op::Input(_) | Op::State(_) | Op::RoundState { .. } => Range::of_type(node.ty.dtype),
            Op::Reshape | Op::Permute(_) | Op::Broadcast | Op::Detach | Op::Copy | Op::After => of(0),
            Op::Slice { .. } | Op::Gather { .. } => of(0).map(Range::unreached),
            Op::Cast if node.ty.dtype == DType::Bool => Some(Range::truth()),
            Op::Cast => of(0),
            Op::Reduce(f, axes) => {
                let shape = graph.shape(node.inputs[0]);
                let count = Size::product(axes.iter().map(|axis| &shape[*axis]));
                range_of_reduced(*f, of(0)?, count)
            }
            Op::Select => Some(of(1)?.or(of(2)?).unreached()),
            Op::Cat(_) => (1..node.inputs.len()).try_fold(of(0)?, |all, i| Some(all.or(of(i)?))),
            Op::Pad { value, .. } => Some(of(0)?.or(Range::number(value.f64())?).unreached()),
            Op::MaxPool2dIndex(window) => Some(Range::between(0, window.kernel[0] * window.kernel[1] - 1, false)),
            Op::Unary(Unary::Not) => Range::of_type(node.ty.dtype),
            Op::Unary(Unary::Neg) => of(0).map(Range::negated),
            Op::Unary(Unary::Abs) => {
                let x = of(0)?;
                Some(x.clone().max(x.negated()).max(Range::between(0, 0, true)))
            }
            Op::Unary(Unary::Sign) => of(0).map(|_| Range::between(-1, 1, false)),
            Op::Unary(Unary::Floor) => match (&graph.node(node.inputs[0]).op, self.quotient(graph, node.inputs[0])) {
                (Op::Binary(Binary::Div), Some(quotient)) => Some(quotient),
                _ => of(0),
            },
            Op::Unary(Unary::Trunc) => of(0),
            Op::Binary(f) if f.is_comparison() => Some(Range::truth()),
            Op::Binary(Binary::And | Binary::Or | Binary::Xor | Binary::ShiftLeft | Binary::ShiftRight) => {
                Range::of_type(node.ty.dtype)
            }
            Op::Binary(Binary::Add) => Some(of(0)?.add(of(1)?)),
            Op::Binary(Binary::Sub) => Some(of(0)?.add(of(1)?.negated())),
            Op::Binary(Binary::Mul) => Some(of(0)?.mul(of(1)?)),
            Op::Binary(Binary::Max) => Some(of(0)?.max(of(1)?)),
            Op::Binary(Binary::Min) => Some(of(0)?.min(of(1)?)),
            Op::Binary(Binary::Rem) => of(0)?.rem(of(1)?),
            // Floats, of which nothing is known, but for those above.
            Op::Binary(_) | Op::Unary(_) => None,
            Op::Parameter(_) | Op::RoundParameter { .. } | Op::Mirror { .. } | Op::WithSlope | Op::Normalize(_) => None,
            Op::Softmax(_) | Op::SafeSoftmax(_) | Op::LogSoftmax(_) | Op::Resample { .. } => None,
            Op::Scatter { .. } | Op::MatMul { .. } | Op::Attention(_) | Op::AttentionGrad(_) | Op::Repeat(_) => None,
            Op::Routine(call) => self.of_routine(graph, call, &node.inputs, 0),
            Op::Get(number) => match graph.node(node.inputs[0]) {
                Node { op: Op::Routine(call), inputs, .. } => self.of_routine(graph, call, inputs, *number),
                _ => None,
            },
            Op::Conv2d(_) | Op::Conv2dInputGrad(_) | Op::Conv2dWeightGrad(_) => None,
            Op::MaxPool2d(_) | Op::MaxPool2dGrad(_) | Op::SumPool2d(_) | Op::SumPool2dGrad(_) => None,
            Op::MaxPool2dScatter(_) | Op::MaxPool2dGather(_) => None,
        }
    }

    /// Of a result of a routine: an index into a row, or elements that it found.
    fn of_routine(&self, graph: &Graph, call: &Call, operands: &[Value], number: usize) -> Option<Range> {
        match call.numbers(number) {
            Numbers::Elements => self.0[operands[0].index()].clone().map(Range::unreached),
            Numbers::Indices => {
                let row = graph.shape(operands[0]).last().cloned().unwrap_or_else(|| 1.into());
                Some(Range::between(0, &row - &1.into(), false))
            }
            Numbers::Any => None,
        }
    }

    /// Of `x / c`, rounded down, for a constant that is at least 1.
    fn quotient(&self, graph: &Graph, value: Value) -> Option<Range> {
        let [x, c] = graph.node(value).inputs[..] else { return None };
        let c = graph.as_const(c).filter(|c| *c >= 1.0 && c.fract() == 0.0 && *c <= FAR)?;
        Some(self.0[x.index()].clone()?.div_floor(c as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::{Builder, Parameters};
    use crate::call::{Arg, Given};
    use crate::diagnostic::Loc;
    use crate::scalar::Reduction;
    use crate::types::Type;

    /// What stands in a function of an argument `x: dtype[N]` and of sizes.
    fn range(dtype: DType, f: impl FnOnce(&mut Builder, Value) -> Value) -> Option<(String, String, bool)> {
        let mut parameters = Parameters::default();
        let mut b = Builder::new("Net.f", &mut parameters, false);
        let x = b.argument("x", Type::new(dtype, vec![Size::symbol("N")]));
        let value = f(&mut b, x);
        let range = Ranges::default().of(&b.graph, value)?;
        let end = |end: Option<Size>| end.map_or("?".to_string(), |size| size.to_string());
        Some((end(range.least), end(range.most), range.reached))
    }

    fn known(least: &str, most: &str, reached: bool) -> Option<(String, String, bool)> {
        Some((least.into(), most.into(), reached))
    }

    fn with(f: Binary, dtype: DType, c: f64) -> Option<(String, String, bool)> {
        range(dtype, |b, x| b.binary_const(f, x, c))
    }

    fn call(b: &mut Builder, name: &str, args: &[Arg]) -> Value {
        let given: Vec<Given> =
            args.iter().map(|arg| Given { name: None, value: arg.clone(), at: Loc::default() }).collect();
        match crate::ops::call(b, name, Loc::default(), &given) {
            Ok(Arg::Tensor(value)) => value,
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn arithmetic_moves_both_ends() {
        assert_eq!(with(Binary::Add, DType::U8, 7.0), known("0", "255", false), "it wraps");
        assert_eq!(with(Binary::Sub, DType::I8, 2.0), known("-128", "127", false), "it wraps");
        assert_eq!(with(Binary::Mul, DType::I8, -3.0), known("-128", "127", false), "it wraps");
        let half = |b: &mut Builder, x: Value| {
            let small = b.binary_const(Binary::Rem, x, 100i64);
            b.binary_const(Binary::Add, small, 7i64)
        };
        assert_eq!(range(DType::U8, half), known("7", "106", false));
        assert_eq!(with(Binary::Max, DType::I64, 0.0), known("0", "?", false));
        assert_eq!(with(Binary::Min, DType::I64, 9.0), known("?", "9", false));
        assert_eq!(with(Binary::Rem, DType::I64, 10.0), known("0", "9", false));
        assert_eq!(with(Binary::Rem, DType::I64, -10.0), known("?", "?", false));
        assert_eq!(with(Binary::Lt, DType::F32, 0.5), known("0", "1", false));
        assert_eq!(with(Binary::Mul, DType::F32, 0.0), None, "NaN times 0");
        let squares = |b: &mut Builder, x: Value| (0..5).fold(x, |x, _| b.pointwise(Binary::Mul, x, x));
        assert_eq!(range(DType::I64, squares), known("?", "?", false), "it wraps");
        let clamped = |b: &mut Builder, x: Value| {
            let low = b.binary_const(Binary::Max, x, -2.0);
            let held = b.binary_const(Binary::Min, low, 2.0);
            b.binary_const(Binary::Add, held, 2.0)
        };
        assert_eq!(range(DType::I64, clamped), known("0", "4", false));
    }

    #[test]
    fn counted_numbers_are_reached() {
        let count = |b: &mut Builder, _| call(b, "arange", &[Arg::Size(5.into())]);
        assert_eq!(range(DType::F32, count), known("0", "4", true));
        let moved = |b: &mut Builder, _| {
            let count = call(b, "arange", &[Arg::Size(Size::symbol("N"))]);
            b.binary_const(Binary::Sub, count, 1.0)
        };
        assert_eq!(range(DType::F32, moved), known("-1", "N - 2", true));
        let best = |b: &mut Builder, x: Value| call(b, "argmax", &[Arg::Tensor(x), Arg::Size(0.into())]);
        assert_eq!(range(DType::F32, best).map(|(least, most, _)| (least, most)), Some(("0".into(), "N - 1".into())));
        let sum = |b: &mut Builder, x: Value| {
            let x = b.cast(x, DType::I64);
            b.reduce(Reduction::Sum, x, &[0], false)
        };
        assert_eq!(range(DType::Bool, sum), known("0", "N", false));
    }
}
