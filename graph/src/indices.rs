//! Which numbers an index may be: known at build time, or checked on the arguments before anything runs.

use crate::builder::{Builder, Checked};
use crate::diagnostic::{Diagnostic, Loc};
use crate::graph::{Graph, Op, Value};
use crate::program::Below;
use crate::scalar::{Binary, Reduction};
use crate::size::Size;
use crate::types::DType;

/// From the first number to the one before the second.
type Range = (Size, Size);

/// What may stand somewhere: a range, and perhaps one number more.
type Wanted = (Range, Option<i64>);

impl Builder<'_> {
    /// Sees to it that every element of an index is at least 0 and below `limit`: by what it is made of, or by a check of the arguments that
    /// it is made of. A mistake at `at` if neither can be done.
    pub fn numbers_below(&mut self, index: Value, limit: &Size, at: Loc) -> Checked<()> {
        self.numbers_below_or(index, limit, None, at)
    }

    /// The same, where one number more may stand.
    pub fn numbers_below_or(&mut self, index: Value, limit: &Size, or: Option<i64>, at: Loc) -> Checked<()> {
        let below = Below { least: Size::default(), limit: limit.clone(), or, by: self.origin.name.clone() };
        self.checked(index, &below, false, at)
    }

    /// As [`Builder::numbers_below`], of what the body of a loop sees; `changes`: from round to round.
    pub(crate) fn hold_between(&mut self, index: Value, below: &Below, changes: bool) -> Checked<()> {
        let at = self.origin.loc;
        self.checked(index, below, changes, at)
    }

    fn checked(&mut self, index: Value, below: &Below, changes: bool, at: Loc) -> Checked<()> {
        let Below { least, limit, or, by } = below;
        let mut checks = vec![];
        if !changes && ensure(&self.graph, index, ((least.clone(), limit.clone()), *or), &mut checks) {
            for (argument, ((least, limit), or)) in checks {
                let all = &mut self.graph.arguments[argument].below;
                if !all.iter().any(|b| b.least == least && b.limit == limit && b.or == or) {
                    all.push(Below { least, limit, or, by: by.clone() });
                }
            }
            return Ok(());
        }
        let (made, made_at, last) = (self.made_by(index), self.made_at(index), limit - &1.into());
        let found = match range(&self.graph, index) {
            Some((least, limit)) if !changes => format!("these run from {least} to {}", &limit - &1.into()),
            _ => "that is not certain of these".into(),
        };
        let d =
            Diagnostic::new("N0208", at, format!("the indices of `{by}` must lie between {least} and {last}; {found}"))
                .note(
                    made_at,
                    format!("they are made here, by `{made}`; only arguments can be checked when the function runs"),
                )
                .help(format!(
                    "hold them in that range: `.clamp({least}, {last})`, or `% {limit}` if they shall wrap around"
                ));
        self.report(d)
    }
}

/// Whether every element lies in a range, given what is then to be checked of arguments.
fn ensure(graph: &Graph, value: Value, wanted: Wanted, checks: &mut Vec<(usize, Wanted)>) -> bool {
    let holds = |(least, limit): Range| {
        let other = wanted.1.is_some_and(|or| least.is(or) && limit.is(or + 1));
        other || wanted.0.0.at_most(&least) && limit.at_most(&wanted.0.1)
    };
    // The same, with all numbers so much larger.
    let moved = |by: &Range, sign: i64| -> Option<Wanted> {
        let by = &by.0 * &sign.into();
        let or = match wanted.1 {
            Some(or) => Some(or + by.as_const()?),
            None => None,
        };
        Some(((&wanted.0.0 + &by, &wanted.0.1 + &by), or))
    };
    if range(graph, value).is_some_and(holds) {
        return true;
    }
    let node = graph.node(value);
    let input = |i: usize| node.inputs[i];
    match &node.op {
        Op::Input(number) => {
            checks.push((*number, wanted));
            true
        }
        Op::Reshape | Op::Permute(_) | Op::Broadcast | Op::Slice { .. } | Op::Detach | Op::Copy => {
            ensure(graph, input(0), wanted, checks)
        }
        Op::Cast if graph.dtype(input(0)).is_int() => ensure(graph, input(0), wanted, checks),
        Op::Cat(_) => node.inputs.iter().all(|&part| ensure(graph, part, wanted.clone(), checks)),
        Op::Pad { value, .. } => holds(number(*value)) && ensure(graph, input(0), wanted, checks),
        // A constant more or less: so are the bounds.
        Op::Binary(Binary::Add) => match (range(graph, input(0)), range(graph, input(1))) {
            (_, Some(by)) if is_one(&by) => moved(&by, -1).is_some_and(|w| ensure(graph, input(0), w, checks)),
            (Some(by), _) if is_one(&by) => moved(&by, -1).is_some_and(|w| ensure(graph, input(1), w, checks)),
            _ => false,
        },
        Op::Binary(Binary::Sub) => match range(graph, input(1)) {
            Some(by) if is_one(&by) => moved(&by, 1).is_some_and(|w| ensure(graph, input(0), w, checks)),
            _ => false,
        },
        Op::Select => [1, 2].iter().all(|&side| ensure(graph, input(side), wanted.clone(), checks)),
        _ => false,
    }
}

fn number(c: f64) -> Range {
    // What is no integer lies between two.
    ((c.floor() as i64).into(), (c.ceil() as i64 + 1).into())
}

/// Whether a range holds one number.
fn is_one(range: &Range) -> bool {
    (&range.1 - &range.0).is(1)
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

/// The numbers that can stand in a value, by what it is made of; `None` if that says nothing.
fn range(graph: &Graph, value: Value) -> Option<Range> {
    let node = graph.node(value);
    let of = |i: usize| range(graph, node.inputs[i]);
    let both = |a: Range, b: Range| Some((smaller(&a.0, &b.0)?, larger(&a.1, &b.1)?));
    match &node.op {
        Op::Const(c) => Some(number(*c)),
        Op::Size(size) => Some((size.clone(), size + &1.into())),
        Op::Input(_) if node.ty.dtype == DType::U8 => Some((0.into(), 256.into())),
        Op::Input(_) if node.ty.dtype == DType::I8 => Some(((-128).into(), 128.into())),
        Op::Iota(axis) => Some((Size::default(), node.ty.shape[*axis].clone())),
        Op::Reshape | Op::Permute(_) | Op::Broadcast | Op::Slice { .. } | Op::Detach | Op::Copy => of(0),
        Op::Cast if node.ty.dtype == DType::Bool => Some((0.into(), 2.into())),
        Op::Cast => match graph.dtype(node.inputs[0]) {
            DType::Bool => Some((0.into(), 2.into())),
            _ => of(0),
        },
        Op::Reduce(Reduction::Max | Reduction::Min, _) => of(0),
        Op::Select => both(of(1)?, of(2)?),
        Op::Cat(_) => (1..node.inputs.len()).try_fold(of(0)?, |all, i| both(all, of(i)?)),
        Op::Pad { value, .. } => both(of(0)?, number(*value)),
        Op::Gather { .. } => of(0),
        Op::Binary(Binary::Add) => {
            let (a, b) = (of(0)?, of(1)?);
            Some((&a.0 + &b.0, &(&a.1 + &b.1) - &1.into()))
        }
        Op::Binary(Binary::Sub) => {
            let (a, b) = (of(0)?, of(1)?);
            Some((&(&a.0 - &b.1) + &1.into(), &a.1 - &b.0))
        }
        Op::Binary(Binary::Mul) => {
            let (a, b) = (of(0)?, of(1)?);
            let zero = Size::default();
            let last = |range: &Range| &range.1 - &1.into();
            (zero.at_most(&a.0) && zero.at_most(&b.0)).then(|| (&a.0 * &b.0, &(&last(&a) * &last(&b)) + &1.into()))
        }
        // A bound on one side is enough where the other operand is the bound.
        Op::Binary(Binary::Min) => match (of(0), of(1)) {
            (Some(a), Some(b)) => Some((smaller(&a.0, &b.0)?, smaller(&a.1, &b.1)?)),
            (None, Some(b)) => held(graph, node.inputs[0]).and_then(|low| Some((smaller(&low, &b.0)?, b.1))),
            (Some(a), None) => held(graph, node.inputs[1]).and_then(|low| Some((smaller(&low, &a.0)?, a.1))),
            (None, None) => None,
        },
        Op::Binary(Binary::Max) => match (of(0), of(1)) {
            (Some(a), Some(b)) => Some((larger(&a.0, &b.0)?, larger(&a.1, &b.1)?)),
            _ => None,
        },
        Op::Binary(Binary::Rem) => {
            let divisor = of(1)?;
            let positive = is_one(&divisor) && Size::constant(1).at_most(&divisor.0);
            positive.then(|| (Size::default(), divisor.0))
        }
        _ => None,
    }
}

/// What every element is at least, where nothing is known of the other end: of a maximum with a number.
fn held(graph: &Graph, value: Value) -> Option<Size> {
    let node = graph.node(value);
    match &node.op {
        Op::Reshape | Op::Permute(_) | Op::Broadcast | Op::Slice { .. } | Op::Cast => held(graph, node.inputs[0]),
        Op::Binary(Binary::Max) => node.inputs.iter().find_map(|&v| range(graph, v)).map(|(least, _)| least),
        _ => None,
    }
}
