//! What a task reads and writes.

use super::super::{Access, Buffer, Family, Index, Launch, Place, Source, Task, TaskKind};
use crate::size::Size;

/// A piece of memory that shares nothing with others, as the program means it: buffers that are no part of one another, each on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Root {
    /// A buffer of the arena.
    Buffer(usize),
    /// The caller's array.
    Argument(usize),
    /// A result.
    Result(usize),
    /// A parameter with its mirrors, which whatever updates it writes too.
    Parameter(usize),
    /// The gradient of a parameter.
    Gradient(usize),
    /// A state.
    State(usize),
    /// The words of all checks, and that of what is not finite: whether the step changes anything.
    Checks,
    /// The sum of squares of a parameter's gradient.
    Squares(usize),
    /// By what gradients are multiplied.
    Factor,
    /// What the optimizer's rule sums over a parameter.
    Sums(usize),
    /// The numbers that the rule makes of these sums.
    Numbers(usize),
    /// What the optimizer remembers of a parameter.
    Moments(usize),
    /// The gradients of a parameter that are added up over several batches.
    Accumulated(usize),
}

/// What a task touches of a root.
#[derive(Clone, Debug)]
pub(super) struct Touch<'p> {
    writes: bool,
    /// The elements, from the beginning of the root on; `None`: nobody knows.
    span: Option<[Size; 2]>,
    /// Which of the elements of a buffer, if it stays where it is: by what access, over loops of these lengths.
    access: Option<(&'p Access, &'p Launch)>,
}

/// Every touch of a task.
pub(super) fn touches<'p>(
    task: &'p Task,
    launches: &'p [Launch],
    buffers: &'p [Buffer],
    each: &mut dyn FnMut(Root, Touch<'p>),
) {
    all(task, buffers, &mut vec![], launches, each);
}

fn all<'p>(
    task: &'p Task,
    buffers: &'p [Buffer],
    counts: &mut Vec<&'p Size>,
    launches: &'p [Launch],
    each: &mut dyn FnMut(Root, Touch<'p>),
) {
    match &task.kind {
        TaskKind::Launch(number) => {
            let launch = &launches[*number];
            let mut touch = |buffer: usize, access: Option<&'p Access>, writes: bool| {
                let access = access.filter(|access| is_by_index(launch, access)).map(|access| (access, launch));
                of_buffer(buffers, buffer, counts, &mut |root, span| {
                    let access = access.filter(|_| buffers[buffer].strides.is_empty());
                    each(root, Touch { writes, span: span.clone(), access });
                    // An optimizer may update the parameter where its gradient is stored.
                    if let (Root::Gradient(parameter), true, true) = (root, writes, launch.updates.is_some()) {
                        each(Root::Parameter(parameter), Touch { writes, span, access: None });
                    }
                });
            };
            launch.loads.iter().for_each(|load| touch(load.buffer, Some(load), false));
            launch.operands().into_iter().for_each(|operand| touch(operand, None, false));
            launch.stores.iter().for_each(|store| touch(store.buffer, Some(store), true));
        }
        TaskKind::Loop { count, body, .. } => {
            counts.push(count);
            body.iter().for_each(|task| all(task, buffers, counts, launches, each));
            counts.pop();
        }
        TaskKind::Ending(ending) => {
            ending.touches(&mut |root, writes| each(root, Touch { writes, span: None, access: None }));
        }
    }
}

/// Whether the index of an access says all: not where routines take whole rows, nor where one axis is indexed by what lies in memory.
fn is_by_index(launch: &Launch, access: &Access) -> bool {
    let gathered =
        |source: &Source| matches!(source, Source::Gather { from, .. } if std::ptr::eq(&launch.loads[*from], access));
    match launch.family {
        Family::Flat | Family::Row | Family::Column | Family::Tile(_) => {
            !launch.stages.iter().flat_map(|stage| &stage.inputs).any(gathered)
        }
        Family::Scatter(_) | Family::Routine { .. } => false,
    }
}

/// The roots of a buffer in loops of so many rounds, with the span of elements in each.
fn of_buffer(buffers: &[Buffer], number: usize, counts: &[&Size], each: &mut dyn FnMut(Root, Option<[Size; 2]>)) {
    let buffer = &buffers[number];
    let whole = buffer.part_of.unwrap_or(number);
    let span = |moves: &[Size]| {
        let mut to = &buffer.start + &buffer.size;
        for (stride, count) in moves.iter().zip(counts) {
            if !Size::constant(0).at_most(stride) {
                return None;
            }
            to = &to + &(stride * &(*count - &1.into()));
        }
        Some([buffer.start.clone(), to])
    };
    let mut numbered = |first: usize, root: &dyn Fn(usize) -> Root| {
        numbers(buffer, first, counts).into_iter().for_each(|(number, _)| each(root(number), span(&[])));
    };
    match buffer.place {
        Place::Parameter(first) => numbered(first, &Root::Parameter),
        // Its elements lie in another order.
        Place::Mirror(first) => {
            numbers(buffer, first, counts).into_iter().for_each(|(number, _)| each(Root::Parameter(number), None));
        }
        Place::Gradient(first) => numbered(first, &Root::Gradient),
        Place::State(first) => numbered(first, &Root::State),
        Place::Arena(_) => each(Root::Buffer(whole), span(&buffer.strides)),
        Place::Argument(i) => each(Root::Argument(i), span(&buffer.strides)),
        Place::Result(i) => each(Root::Result(i), span(&buffer.strides)),
        Place::Check(word) => {
            let behind = |[from, to]: [Size; 2]| [&from + &(word as i64).into(), &to + &(word as i64).into()];
            each(Root::Checks, span(&buffer.strides).map(behind));
        }
    }
}

/// Of what moves on by whole parameters or states: every number, with the round of the outermost loop if it moves in that.
fn numbers(buffer: &Buffer, first: usize, counts: &[&Size]) -> Vec<(usize, Option<i64>)> {
    let mut all = vec![(first, None)];
    for (depth, (stride, count)) in buffer.strides.iter().zip(counts).enumerate() {
        // Sets of parameters are counted at build time, and so are the rounds that go through them.
        let (Some(stride), Some(count)) = (stride.as_const(), count.as_const()) else { continue };
        if stride != 0 {
            let moved = |(number, round): (usize, Option<i64>)| {
                (0..count).map(move |r| (number + (stride * r) as usize, if depth == 0 { Some(r) } else { round }))
            };
            all = all.into_iter().flat_map(moved).collect();
        }
    }
    all
}

/// Every parameter, gradient and check that a task touches, whether it writes it, and the round of the outermost loop in which it does, if it is one
/// of several.
pub(in super::super) fn of_model(
    task: &Task,
    launches: &[Launch],
    buffers: &[Buffer],
    each: &mut dyn FnMut(Root, bool, Option<i64>),
) {
    roots_of_model(task, launches, buffers, &mut vec![], each);
}

fn roots_of_model<'p>(
    task: &'p Task,
    launches: &[Launch],
    buffers: &[Buffer],
    counts: &mut Vec<&'p Size>,
    each: &mut dyn FnMut(Root, bool, Option<i64>),
) {
    match &task.kind {
        TaskKind::Launch(launch) => {
            let mut touch = |buffer: usize, writes: bool| {
                let buffer = &buffers[buffer];
                let (first, root): (usize, fn(usize) -> Root) = match buffer.place {
                    Place::Parameter(first) | Place::Mirror(first) => (first, Root::Parameter),
                    Place::Gradient(first) => (first, Root::Gradient),
                    Place::Check(_) => return each(Root::Checks, writes, None),
                    Place::Argument(_) | Place::Result(_) | Place::State(_) | Place::Arena(_) => return,
                };
                numbers(buffer, first, counts)
                    .into_iter()
                    .for_each(|(number, round)| each(root(number), writes, round));
            };
            launches[*launch].reads().into_iter().for_each(|buffer| touch(buffer, false));
            launches[*launch].writes().for_each(|buffer| touch(buffer, true));
        }
        TaskKind::Loop { count, body, .. } => {
            counts.push(count);
            body.iter().for_each(|task| roots_of_model(task, launches, buffers, counts, each));
            counts.pop();
        }
        TaskKind::Ending(ending) => ending.touches(&mut |root, writes| each(root, writes, None)),
    }
}

impl Touch<'_> {
    /// Whether the order of two touches of one root matters.
    pub(super) fn conflicts(&self, other: &Touch<'_>) -> bool {
        (self.writes || other.writes) && !self.is_apart(other)
    }

    fn is_apart(&self, other: &Touch<'_>) -> bool {
        if let (Some((a, of_a)), Some((b, of_b))) = (self.access, other.access)
            && (a.buffer, &a.dims, &a.strides) == (b.buffer, &b.dims, &b.strides)
        {
            let mut axes = a.index.iter().zip(&b.index).zip(&a.dims);
            return axes.any(|((a, b), dim)| a != b && are_apart(&range(a, of_a, dim), &range(b, of_b, dim)));
        }
        match (self.elements(), other.elements()) {
            (Some(a), Some(b)) => are_apart(&a, &b),
            _ => false,
        }
    }

    /// All elements between the first and the last.
    fn elements(&self) -> Option<[Size; 2]> {
        let [start, end] = self.span.clone()?;
        let Some((access, launch)) = self.access.filter(|(access, _)| access.strides.is_none()) else {
            return Some([start, end]);
        };
        let (mut first, mut last) = (Size::constant(0), Size::constant(0));
        for (index, dim) in access.index.iter().zip(&access.dims) {
            let [from, to] = range(index, launch, dim);
            first = &(&first * dim) + &from;
            last = &(&last * dim) + &(&to - &1.into());
        }
        Some([&start + &first, &(&start + &last) + &1.into()])
    }
}

/// Whether one ends before the other begins, for all run-time sizes.
fn are_apart([a, a_end]: &[Size; 2], [b, b_end]: &[Size; 2]) -> bool {
    a_end.at_most(b) || b_end.at_most(a)
}

/// Between which numbers an index stays, the second one not among them.
fn range(index: &Index, launch: &Launch, dim: &Size) -> [Size; 2] {
    let whole = || [Size::constant(0), dim.clone()];
    if !index.is_affine() {
        return whole();
    }
    let (mut from, mut to) = (index.offset.clone(), &index.offset + &1.into());
    for (number, coefficient) in &index.terms {
        let Some(length) = launch.space.iter().chain(&launch.reduce).nth(*number) else { return whole() };
        let moved = &(length - &1.into()) * &(*coefficient).into();
        if *coefficient < 0 {
            from = &from + &moved;
        } else {
            to = &to + &moved;
        }
    }
    // What lies outside is not touched.
    let [zero, end] = whole();
    [if from.at_most(&zero) { zero } else { from }, if end.at_most(&to) { end } else { to }]
}
