//! Which numbers an index, or a divisor, may be: known at build time, checked on the arguments before anything runs, or checked where it is made.

use crate::builder::{Builder, Checked};
use crate::diagnostic::{Diagnostic, Loc};
use crate::graph::{Graph, Op, Value};
use crate::program::{Below, Must};
use crate::ranges::{Range, Ranges};
use crate::scalar::Binary;
use crate::size::Size;

impl Builder<'_> {
    /// Sees to it that every element of an index is at least 0 and below `limit`: by what it is made of, by a check of an argument that it
    /// is as a whole, or by a check where it is made. A mistake at `at` if an element certainly is not.
    pub fn numbers_below(&mut self, index: Value, limit: &Size, at: Loc) -> Checked<()> {
        self.numbers_below_or(index, limit, None, at)
    }

    /// The same, where one number more may stand.
    pub fn numbers_below_or(&mut self, index: Value, limit: &Size, or: Option<i64>, at: Loc) -> Checked<()> {
        let below = Below { least: Size::default(), limit: limit.clone(), or, by: self.origin.name.clone() };
        self.hold_between(index, &below, at)
    }

    /// The same for any range.
    pub(crate) fn hold_between(&mut self, index: Value, below: &Below, at: Loc) -> Checked<()> {
        let range = self.ranges.of(&self.graph, index);
        if range.as_ref().is_some_and(|range| always(range, below)) {
            return Ok(());
        }
        if let Some(range) = range.filter(|range| never(range, below)) {
            return self.never_fits(index, below, &range, at);
        }
        let Builder { graph, ranges, changing, .. } = self;
        let mut origins = Origins { graph, ranges, changing: *changing, whole: vec![] };
        if !origins.are_arguments(index, below) {
            self.check(index, Must::Lie(below.clone()), at);
            return Ok(());
        }
        for (argument, below) in origins.whole {
            let all = &mut self.graph.arguments[argument].below;
            if !all.iter().any(|b| (&b.least, &b.limit, b.or) == (&below.least, &below.limit, below.or)) {
                all.push(below.clone());
                self.asked.push((argument, below, at));
            }
        }
        Ok(())
    }

    /// Sees to it that no element of an integer divisor is 0. A mistake at `at` if one certainly is.
    pub(crate) fn divides(&mut self, divisor: Value, at: Loc) -> Checked<()> {
        let range = self.ranges.of(&self.graph, divisor);
        let (least, most) = range.as_ref().map_or((None, None), |range| (range.least.as_ref(), range.most.as_ref()));
        let zero = Size::default();
        if least.is_some_and(|least| Size::constant(1).at_most(least)) || most.is_some_and(|m| m.at_most(&(-1).into()))
        {
            return Ok(());
        }
        if range.as_ref().is_some_and(Range::is_one) && least == Some(&zero) {
            let (made, made_at) = (self.made_by(divisor), self.made_at(divisor));
            let d = Diagnostic::new("N0511", at, format!("`{}` divides integers by 0", self.origin.name))
                .note(made_at, format!("the divisor comes from `{made}`"));
            return self.report(d.help("divide by a number that is not 0"));
        }
        self.check(divisor, Must::Divide(self.origin.name.clone()), at);
        Ok(())
    }

    fn never_fits(&mut self, index: Value, below: &Below, range: &Range, at: Loc) -> Checked<()> {
        let Below { least, limit, by, .. } = below;
        let (made, made_at, last) = (self.made_by(index), self.made_at(index), limit - &1.into());
        let end = |size: &Option<Size>, open: &str| size.as_ref().map_or(open.to_string(), Size::to_string);
        let found = format!("these run from {} to {}", end(&range.least, "-∞"), end(&range.most, "∞"));
        let d =
            Diagnostic::new("N0208", at, format!("the indices of `{by}` must lie between {least} and {last}; {found}"))
                .note(made_at, format!("they are made here, by `{made}`"))
                .help(format!(
                    "hold them in that range: `.clamp({least}, {last})`, or `% {limit}` if they shall wrap around"
                ));
        self.report(d)
    }
}

/// Where an index comes from.
struct Origins<'b> {
    graph: &'b Graph,
    ranges: &'b mut Ranges,
    /// So many of the first arguments are others in each round.
    changing: usize,
    /// What the elements of arguments must be.
    whole: Vec<(usize, Below)>,
}

impl Origins<'_> {
    /// Whether the value is arguments as a whole, and numbers that fit.
    fn are_arguments(&mut self, value: Value, below: &Below) -> bool {
        if self.ranges.of(self.graph, value).is_some_and(|range| always(&range, below)) {
            return true;
        }
        let node = self.graph.node(value);
        let inputs = &node.inputs;
        match &node.op {
            Op::Input(number) if *number >= self.changing => {
                self.whole.push((*number, below.clone()));
                true
            }
            Op::Reshape | Op::Permute(_) | Op::Broadcast | Op::Detach | Op::Copy => {
                self.are_arguments(inputs[0], below)
            }
            Op::Cast if self.graph.dtype(inputs[0]).is_int() => self.are_arguments(inputs[0], below),
            Op::Cat(_) => inputs.iter().all(|&part| self.are_arguments(part, below)),
            // A constant more or less: so are the bounds.
            Op::Binary(Binary::Add) => match [self.one(inputs[0]), self.one(inputs[1])] {
                [_, Some(by)] => moved(below, by, -1).is_some_and(|below| self.are_arguments(inputs[0], &below)),
                [Some(by), _] => moved(below, by, -1).is_some_and(|below| self.are_arguments(inputs[1], &below)),
                _ => false,
            },
            Op::Binary(Binary::Sub) => match self.one(inputs[1]) {
                Some(by) => moved(below, by, 1).is_some_and(|below| self.are_arguments(inputs[0], &below)),
                None => false,
            },
            _ => false,
        }
    }

    /// The number that a value is everywhere.
    fn one(&mut self, value: Value) -> Option<Size> {
        self.ranges.of(self.graph, value).filter(Range::is_one).and_then(|range| range.least)
    }
}

/// The same with all numbers so much larger (`sign` 1) or smaller (-1).
fn moved(below: &Below, by: Size, sign: i64) -> Option<Below> {
    let by = &by * &sign.into();
    let or = match below.or {
        Some(or) => Some(or + by.as_const()?),
        None => None,
    };
    Some(Below { least: &below.least + &by, limit: &below.limit + &by, or, by: below.by.clone() })
}

/// Whether every number of a range may stand there.
fn always(range: &Range, below: &Below) -> bool {
    let (Some(least), Some(most)) = (&range.least, &range.most) else { return false };
    let other = below.or.is_some_and(|or| least.is(or) && most.is(or));
    other || below.least.at_most(least) && most.at_most(&last(below))
}

/// Whether some element certainly may not stand there.
fn never(range: &Range, below: &Below) -> bool {
    let other = |number: &Size| below.or.is_some_and(|or| (number - &or.into()).as_const().is_none_or(|gap| gap == 0));
    let too_small = |number: &Size| (number + &1.into()).at_most(&below.least) && !other(number);
    let too_large = |number: &Size| below.limit.at_most(number) && !other(number);
    let outside = |number: &Size| too_small(number) || too_large(number);
    let (least, most) = (range.least.as_ref(), range.most.as_ref());
    match range.reached {
        true => least.is_some_and(outside) || most.is_some_and(outside),
        // All of it lies on one side, and what may stand there besides is not in it.
        false => below.or.is_none() && (most.is_some_and(too_small) || least.is_some_and(too_large)),
    }
}

fn last(below: &Below) -> Size {
    &below.limit - &1.into()
}
