//! Where an access leads: whether inside, and whether to another element at every point.

use castnet_program::program::{Access, Index};
use castnet_program::size::gcd;

use super::{Check, LIMIT, Refused, ensure, product};

/// `offset + Σ steps · loop index`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Form {
    pub offset: i64,
    /// A step for each loop.
    pub steps: Vec<i64>,
}

/// An index with its numbers.
#[derive(Clone, Debug)]
struct Axis {
    form: Form,
    divide: i64,
    exact: bool,
    modulo: i64,
    /// Between which numbers it stays, if it is no farther than its dim.
    range: [i128; 2],
}

/// Which element of its memory an access names at a point: an index an axis.
#[derive(Clone, Debug)]
pub(super) struct Element {
    axes: Vec<Axis>,
}

impl Form {
    /// The least and the greatest value over loops of which none is empty.
    pub(super) fn range(&self, loops: &[i64]) -> Result<[i128; 2], Refused> {
        let (mut low, mut high) = (i128::from(self.offset), i128::from(self.offset));
        for (&step, &size) in self.steps.iter().zip(loops) {
            let end = i128::from(step) * i128::from((size - 1).max(0));
            (low, high) = (low + end.min(0), high + end.max(0));
        }
        if -LIMIT <= low && high <= LIMIT { Ok([low, high]) } else { Err(Refused::TooLarge) }
    }

    /// The loops, longer than a point, along which it changes: with the distance of each step.
    fn moves<'f>(&'f self, loops: &'f [i64]) -> impl Iterator<Item = (usize, u64, i64)> + 'f {
        let each = self.steps.iter().zip(loops).enumerate();
        each.filter(|(_, (step, size))| **step != 0 && **size > 1)
            .map(|(dim, (step, size))| (dim, step.unsigned_abs(), *size))
    }
}

impl Axis {
    /// Whether it tells the loops along which its form moves, where those that it does not move along any more are known: a quotient does if
    /// all steps are multiples of the divisor, a remainder if it wraps but never comes to where it was.
    fn tells_loops(&self, loops: &[i64]) -> bool {
        let divide = self.divide.unsigned_abs();
        let whole = self.exact || self.form.moves(loops).all(|(_, step, _)| step % divide == 0);
        let mut moves: Vec<(usize, u64, i64)> = self.form.moves(loops).collect();
        moves.sort_by_key(|(_, step, _)| *step);
        let mut reach = 0u128;
        let apart = moves.into_iter().all(|(_, step, size)| {
            let beyond = u128::from(step) > reach;
            reach = reach.saturating_add(u128::from(step) * (size as u128 - 1));
            beyond
        });
        whole && apart && (self.modulo == 0 || reach.div_ceil(divide.into()) < self.modulo as u128)
    }
}

impl Axis {
    /// Whether two indices are never the same: their ranges do not meet, or they go on in steps that leave the other out.
    fn is_apart_from(&self, other: &Axis) -> bool {
        let (a, b) = (&self.form, &other.form);
        let plain = |axis: &Axis| axis.divide == 1 && axis.modulo == 0;
        let step = a.steps.iter().chain(&b.steps).fold(0, |all, &step| gcd(all, step));
        let between = plain(self) && plain(other) && step != 0 && (a.offset - b.offset) % step != 0;
        between || self.range[1] < other.range[0] || other.range[1] < self.range[0]
    }
}

impl Element {
    /// Whether every point of the loops has an element of its own. `false` if that cannot be told.
    pub(super) fn is_another_everywhere(&self, loops: &[i64]) -> bool {
        let mut axes = self.axes.clone();
        // What is cut in two, quotient and remainder, is whole again.
        while let Some((of, other, modulo)) = halves(&axes) {
            axes[of].modulo = modulo;
            axes.remove(other);
        }
        let mut open: Vec<usize> = (0..loops.len()).filter(|&dim| loops[dim] > 1).collect();
        // What one axis tells is known to the others.
        while !open.is_empty() {
            let moves = |axis: &&Axis| axis.form.moves(loops).next().is_some() && axis.tells_loops(loops);
            let Some(told) = axes.iter().find(moves) else { return false };
            let known: Vec<usize> = told.form.moves(loops).map(|(dim, _, _)| dim).collect();
            open.retain(|dim| !known.contains(dim));
            axes.iter_mut().for_each(|axis| known.iter().for_each(|&dim| axis.form.steps[dim] = 0));
        }
        true
    }

    /// Whether it never is an element that another one of the same memory is. `false` if that cannot be told.
    pub(super) fn is_apart_from(&self, other: &Element) -> bool {
        self.axes.iter().zip(&other.axes).any(|(a, b)| a.is_apart_from(b))
    }
}

/// Two axes of which one goes on where the other one wraps: the number of the one that stays, of the one that goes, and where the first
/// wraps now.
fn halves(axes: &[Axis]) -> Option<(usize, usize, i64)> {
    for (at, low) in axes.iter().enumerate().filter(|(_, axis)| axis.modulo > 0 && !axis.exact) {
        let goes_on = |high: &Axis| {
            high.form == low.form && !high.exact && low.divide.checked_mul(low.modulo) == Some(high.divide)
        };
        if let Some((other, high)) = axes.iter().enumerate().find(|(other, high)| *other != at && goes_on(high)) {
            return Some((at, other, low.modulo.checked_mul(high.modulo)?));
        }
    }
    None
}

impl Check<'_> {
    /// Checks that an access is inside its buffer at every point of these loops, the first ones of all.
    pub(super) fn element(&self, access: &Access, loops: &[i64]) -> Result<Element, Refused> {
        let dims = self.numbers.all(&access.dims)?;
        let whole = product(&dims).filter(|_| dims.iter().all(|&dim| dim >= 0));
        let whole = whole.ok_or(Refused::TooLarge)?;
        let extent = &self.buffers[access.buffer].elements;
        // What lies by strides has these dims, which the call told.
        let inside = access.strides.is_some() || extent.start <= 0 && whole <= extent.end;
        ensure(inside, || format!("an access of {whole} elements, where there are {}", extent.end))?;
        let strides = match &access.strides {
            Some(strides) => self.numbers.all(strides)?,
            None => (0..dims.len()).map(|axis| product(&dims[axis + 1..]).unwrap_or(0)).collect(),
        };
        let mut axes = vec![];
        for ((index, &dim), &stride) in access.index.iter().zip(&dims).zip(&strides) {
            let index = self.axis(index, loops, dim, access.outside.is_some())?;
            let far = index.form.steps.iter().chain([&index.form.offset]);
            let far = far.map(|&step| i128::from(step) * i128::from(stride)).all(|far| far.abs() <= LIMIT);
            ensure(far, || "a step farther than can be counted".into())?;
            axes.push(index);
        }
        for (index, size) in &access.within {
            let size = self.numbers.of(size)?;
            self.axis(index, loops, size, access.outside.is_some())?;
        }
        Ok(Element { axes })
    }

    /// An index over a dim of so many elements, that it stays inside of unless it is looked at each time.
    fn axis(&self, index: &Index, loops: &[i64], dim: i64, is_checked: bool) -> Result<Axis, Refused> {
        let Index { divide, exact, modulo, .. } = *index;
        let form = self.form(index, loops.len())?;
        let small = |number: i64| i128::from(number) <= LIMIT;
        ensure(small(divide) && small(modulo), || "a divisor beyond all memory".into())?;
        let [mut low, mut high] = form.range(&self.loops)?;
        (low, high) = (low.div_euclid(divide.into()), high.div_euclid(divide.into()));
        let wraps = modulo != 0 && low.div_euclid(modulo.into()) != high.div_euclid(modulo.into());
        match modulo {
            0 => {}
            _ if wraps => (low, high) = (0, i128::from(modulo) - 1),
            _ => (low, high) = (low.rem_euclid(modulo.into()), high.rem_euclid(modulo.into())),
        }
        let whole = divide == 1 || !exact;
        let inside = self.is_empty() || 0 <= low && high < dim.into() && whole;
        ensure(is_checked || inside, || format!("an index from {low} to {high} in {dim} elements"))?;
        let range = [low.max(0), high.min(i128::from(dim) - 1)];
        Ok(Axis { form, divide, exact, modulo, range })
    }

    /// The linear form of an index over so many loops; of others it must not speak.
    fn form(&self, index: &Index, count: usize) -> Result<Form, Refused> {
        let mut steps = vec![0i64; self.loops.len()];
        for &(dim, coefficient) in &index.terms {
            let step = steps.get_mut(dim).ok_or_else(|| format!("no loop number {dim}"))?;
            let sum = step.checked_add(coefficient).filter(|&sum| i128::from(sum.unsigned_abs()) <= LIMIT);
            *step = sum.ok_or(Refused::TooLarge)?;
        }
        let within = steps[count..].iter().all(|&step| step == 0);
        ensure(within, || "an index by a loop that is not gone through".into())?;
        Ok(Form { offset: self.numbers.of(&index.offset)?, steps })
    }

    /// Where an access whose indices are linear leads, in elements from the beginning of its buffer.
    pub(super) fn linear(&self, access: &Access) -> Result<Form, Refused> {
        let dims = self.numbers.all(&access.dims)?;
        let strides = match &access.strides {
            Some(strides) => self.numbers.all(strides)?,
            None => (0..dims.len()).map(|axis| product(&dims[axis + 1..]).unwrap_or(0)).collect(),
        };
        let mut sum = Form { offset: 0, steps: vec![0; self.loops.len()] };
        for (index, stride) in access.index.iter().zip(strides) {
            let form = self.form(index, self.loops.len())?;
            // No farther than the limit each, as they were checked.
            sum.offset += form.offset * stride;
            sum.steps.iter_mut().zip(&form.steps).for_each(|(sum, step)| *sum += step * stride);
        }
        Ok(sum)
    }
}
