//! What tasks read and write, byte by byte: every access is followed through all values that its indices take, under numbers for the run-time sizes.
//! Nothing that orders tasks or places buffers is asked.

use std::collections::BTreeMap;

use super::{Numbers, bindings, eval};
use crate::program::ending::{Ending, EndingKind};
use crate::program::{
    Access, Conv, Family, Index, Launch, Place, Program, Right, Source, Strided, Task, TaskKind, Tile,
};
use crate::size::Size;

/// Memory that shares no byte with another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Space {
    Argument(usize),
    Result(usize),
    Parameter(usize),
    /// All mirrors of a parameter: only an update of it writes them, as a whole as far as anybody knows.
    Mirrors(usize),
    Gradient(usize),
    State(usize),
    Checks,
    Arena,
    /// What an ending keeps of a parameter: the sum of squares of its gradient, what the rule sums, the numbers made of that, what the optimizer
    /// remembers, what several batches add up to.
    Squares(usize),
    Sums(usize),
    Numbers(usize),
    Moments(usize),
    Accumulated(usize),
    /// By what gradients are multiplied.
    Factor,
}

/// Pieces of a space: first byte and the one behind the last, ascending and apart.
type Spans = Vec<(i64, i64)>;

/// So many pieces are joined at once, lest rounds pile them up.
const MANY: usize = 4096;

/// What one task touches.
#[derive(Default)]
struct Footprint {
    reads: BTreeMap<Space, Spans>,
    writes: BTreeMap<Space, Spans>,
}

/// What each task of a program touches under one binding of its run-time sizes.
pub struct Footprints<'p> {
    program: &'p Program,
    numbers: Numbers,
    tasks: Vec<Footprint>,
}

impl<'p> Footprints<'p> {
    /// Under several bindings: all sizes small, and each one large beside the others.
    pub fn all(program: &'p Program) -> Vec<Footprints<'p>> {
        bindings(program).into_iter().map(|numbers| Footprints::new(program, numbers)).collect()
    }

    fn new(program: &'p Program, numbers: Numbers) -> Footprints<'p> {
        let mut all = Footprints { program, numbers, tasks: vec![] };
        for task in &program.schedule {
            let mut footprint = Footprint::default();
            all.task(task, &mut vec![], &mut footprint);
            for spans in footprint.reads.values_mut().chain(footprint.writes.values_mut()) {
                joined(spans);
            }
            all.tasks.push(footprint);
        }
        all
    }

    /// A byte that two tasks touch and one of them writes, if there is one: in which memory, and which.
    pub fn meet(&self, a: usize, b: usize) -> Option<String> {
        let (a, b) = (&self.tasks[a], &self.tasks[b]);
        let found = overlap(&a.writes, &b.writes).or_else(|| overlap(&a.writes, &b.reads));
        let (space, byte) = found.or_else(|| overlap(&a.reads, &b.writes))?;
        Some(format!("{space:?}, byte {byte}"))
    }

    /// Checks that of any two tasks that meet one comes before the other.
    ///
    /// # Errors
    ///
    /// Two that do not, by name.
    pub fn check(&self, comes_before: &dyn Fn(usize, usize) -> bool) -> Result<(), String> {
        for b in 0..self.tasks.len() {
            for a in (0..b).filter(|&a| !comes_before(a, b)) {
                if let Some(byte) = self.meet(a, b) {
                    let [x, y] = [a, b].map(|task| name(self.program, &self.program.schedule[task]));
                    return Err(format!(
                        "tasks {a} (`{x}`) and {b} (`{y}`) both touch {byte}, and neither comes before the other"
                    ));
                }
            }
        }
        Ok(())
    }

    fn eval(&self, size: &Size) -> i64 {
        eval(size, &self.numbers)
    }

    fn task(&self, task: &Task, rounds: &mut Vec<i64>, footprint: &mut Footprint) {
        match &task.kind {
            TaskKind::Launch(launch) => self.launch(&self.program.launches[*launch], rounds, footprint),
            TaskKind::Loop { count, body, .. } => {
                for round in 0..self.eval(count) {
                    rounds.push(round);
                    body.iter().for_each(|task| self.task(task, rounds, footprint));
                    rounds.pop();
                }
            }
            TaskKind::Ending(ending) => of_ending(ending, footprint),
        }
    }

    fn launch(&self, launch: &Launch, rounds: &[i64], footprint: &mut Footprint) {
        let gathered: Vec<(usize, usize)> = launch.stages.iter().flat_map(|s| &s.inputs).filter_map(gather).collect();
        for (number, load) in launch.loads.iter().enumerate() {
            let any = gathered.iter().filter(|(from, _)| *from == number).map(|(_, dim)| *dim).collect::<Vec<_>>();
            self.add(load.buffer, &self.access(launch, load, &any), rounds, &mut footprint.reads);
        }
        if let Family::Tile(tile) = &launch.family {
            for (buffer, elements) in self.operands(launch, tile) {
                self.add(buffer, &elements, rounds, &mut footprint.reads);
            }
        }
        for store in &launch.stores {
            let elements = self.access(launch, store, &[]);
            self.add(store.buffer, &elements, rounds, &mut footprint.writes);
            if launch.updates.is_some() {
                // An optimizer may write the parameter there.
                if let (Space::Gradient(parameter), start) = self.space(store.buffer, rounds) {
                    let width = self.program.buffers[store.buffer].dtype.bytes() as i64;
                    let bytes = elements.iter().map(|(from, to)| ((start + from) * width, (start + to) * width));
                    footprint.writes.entry(Space::Parameter(parameter)).or_default().extend(bytes);
                    footprint.writes.entry(Space::Mirrors(parameter)).or_default().push((0, i64::MAX));
                }
            }
        }
    }

    /// Adds elements of a buffer, as bytes of where it lies.
    fn add(&self, buffer: usize, elements: &Spans, rounds: &[i64], to: &mut BTreeMap<Space, Spans>) {
        let width = self.program.buffers[buffer].dtype.bytes() as i64;
        let offset = match &self.program.buffers[buffer].place {
            Place::Arena(offset) => self.eval(offset),
            Place::Check(word) => 8 * *word as i64,
            _ => 0,
        };
        let (space, start) = self.space(buffer, rounds);
        let bytes = elements.iter().map(|(from, to)| (offset + (start + from) * width, offset + (start + to) * width));
        let spans = to.entry(space).or_default();
        spans.extend(bytes);
        if spans.len() > MANY {
            joined(spans);
        }
    }

    /// The space of a buffer in a round, and where in it the buffer starts, in elements.
    fn space(&self, buffer: usize, rounds: &[i64]) -> (Space, i64) {
        let buffer = &self.program.buffers[buffer];
        let moved: i64 = buffer.strides.iter().zip(rounds).map(|(stride, round)| self.eval(stride) * round).sum();
        let start = self.eval(&buffer.start);
        let further = |first: usize| first + moved as usize;
        match buffer.place {
            Place::Argument(i) => (Space::Argument(i), start + moved),
            Place::Result(i) => (Space::Result(i), start + moved),
            Place::Check(_) => (Space::Checks, start + moved),
            Place::Arena(_) => (Space::Arena, start + moved),
            Place::Parameter(i) => (Space::Parameter(further(i)), start),
            Place::Mirror(i) => (Space::Mirrors(further(i)), start),
            Place::Gradient(i) => (Space::Gradient(further(i)), start),
            Place::State(i) => (Space::State(further(i)), start),
        }
    }

    fn whole(&self, buffer: usize) -> Spans {
        vec![(0, self.eval(&self.program.buffers[buffer].size))]
    }

    /// The elements of an access; along the axes `any` the index is not known before it runs.
    fn access(&self, launch: &Launch, access: &Access, any: &[usize]) -> Spans {
        if matches!(launch.family, Family::Routine { .. }) {
            return self.whole(access.buffer);
        }
        let dims: Vec<i64> = access.dims.iter().map(|dim| self.eval(dim)).collect();
        let strides = match &access.strides {
            Some(strides) => strides.iter().map(|stride| self.eval(stride)).collect(),
            None => (0..dims.len()).map(|axis| dims[axis + 1..].iter().product()).collect::<Vec<i64>>(),
        };
        let loops: Vec<i64> = launch.space.iter().chain(&launch.reduce).map(|size| self.eval(size)).collect();
        let axes = dims.iter().zip(&access.index).enumerate().map(|(axis, (&dim, index))| match any.contains(&axis) {
            true => (0..dim).collect(),
            false => self.values(index, &loops).into_iter().filter(|at| (0..dim).contains(at)).collect(),
        });
        spread(&axes.collect::<Vec<Vec<i64>>>(), &strides)
    }

    /// All values of an index, ascending.
    fn values(&self, index: &Index, loops: &[i64]) -> Vec<i64> {
        let mut sums = vec![self.eval(&index.offset)];
        for &(number, coefficient) in &index.terms {
            sums = sums.iter().flat_map(|sum| (0..loops[number]).map(move |at| sum + coefficient * at)).collect();
            sums.sort_unstable();
            sums.dedup();
        }
        let divided = |sum: i64| match index.exact && sum % index.divide != 0 {
            true => None,
            false => Some(sum.div_euclid(index.divide)),
        };
        let modulo = |at: i64| if index.modulo == 0 { at } else { at.rem_euclid(index.modulo) };
        let mut values: Vec<i64> = sums.into_iter().filter_map(divided).map(modulo).collect();
        values.sort_unstable();
        values.dedup();
        values
    }

    /// The operands of a tile.
    fn operands(&self, launch: &Launch, tile: &Tile) -> [(usize, Spans); 2] {
        let space: Vec<i64> = launch.space.iter().map(|size| self.eval(size)).collect();
        let strided = |operand: &Strided, dims: &[i64]| {
            let offset = self.eval(&operand.offset);
            let strides: Vec<i64> = operand.strides.iter().map(|stride| self.eval(stride)).collect();
            let axes: Vec<Vec<i64>> = dims.iter().map(|&dim| (0..dim).collect()).collect();
            let elements = spread(&axes, &strides).into_iter().map(|(from, to)| (offset + from, offset + to)).collect();
            (operand.buffer, elements)
        };
        let panels = |buffer: usize| (buffer, self.whole(buffer));
        let input = |conv: &Conv| [self.eval(&conv.n), self.eval(&conv.h), self.eval(&conv.w), conv.c];
        let output = |conv: &Conv| [self.eval(&conv.n), self.eval(&conv.y), self.eval(&conv.x), conv.o];
        match tile {
            Tile::MatMul { k, a, b } => {
                let ([batch @ .., i, j], k) = (&space[..], self.eval(k)) else {
                    return [panels(a.buffer), panels(b.buffer())];
                };
                let right = match b {
                    Right::Strided(b) => strided(b, &[batch, &[k, *j]].concat()),
                    Right::Panels(buffer) | Right::PanelsTransposed(buffer) => panels(*buffer),
                };
                [strided(a, &[batch, &[*i, k]].concat()), right]
            }
            Tile::Conv2d { conv, input: x, weight } => [strided(x, &input(conv)), panels(*weight)],
            Tile::Conv2dInputGrad { conv, dy, weight } => [strided(dy, &output(conv)), panels(*weight)],
            Tile::Conv2dWeightGrad { conv, input: x, dy } => [strided(x, &input(conv)), strided(dy, &output(conv))],
        }
    }
}

/// What a task of the ending touches, each from end to end.
fn of_ending(ending: &Ending, footprint: &mut Footprint) {
    let whole = || vec![(0, i64::MAX)];
    let Footprint { reads, writes } = footprint;
    let mut read = |space| drop(reads.insert(space, whole()));
    let mut write = |space| drop(writes.insert(space, whole()));
    for &number in &ending.of {
        match ending.kind {
            EndingKind::Squares => {
                read(Space::Gradient(number));
                write(Space::Squares(number));
            }
            EndingKind::Factor => {
                read(Space::Gradient(number));
                read(Space::Squares(number));
            }
            EndingKind::Reduce => {
                [Space::Gradient, Space::Parameter, Space::Moments].into_iter().for_each(|space| read(space(number)));
                write(Space::Sums(number));
            }
            EndingKind::Numbers => {
                read(Space::Sums(number));
                write(Space::Numbers(number));
            }
            EndingKind::Update => {
                read(Space::Gradient(number));
                read(Space::Numbers(number));
                write(Space::Parameter(number));
                write(Space::Moments(number));
            }
            EndingKind::Accumulate => {
                read(Space::Gradient(number));
                write(Space::Accumulated(number));
            }
            EndingKind::Commit => write(Space::State(number)),
        }
    }
    match ending.kind {
        EndingKind::Squares => {}
        EndingKind::Factor => {
            read(Space::Result(0));
            write(Space::Checks);
            write(Space::Factor);
        }
        // Nothing of this happens if something is wrong.
        EndingKind::Reduce | EndingKind::Numbers | EndingKind::Update | EndingKind::Accumulate | EndingKind::Commit => {
            read(Space::Checks);
            read(Space::Factor);
        }
    }
}

fn gather(source: &Source) -> Option<(usize, usize)> {
    match source {
        Source::Gather { from, dim, .. } => Some((*from, *dim)),
        Source::Load(_)
        | Source::Acc
        | Source::Row(_)
        | Source::Index(_)
        | Source::Size(_)
        | Source::LossScale
        | Source::Random { .. } => None,
    }
}

/// What lies at every combination of values along the axes.
fn spread(axes: &[Vec<i64>], strides: &[i64]) -> Spans {
    let mut order: Vec<usize> = (0..axes.len()).collect();
    order.sort_by_key(|&axis| strides[axis].abs());
    let mut spans = vec![(0, 1)];
    for axis in order {
        let moved = |at: &i64| {
            let by = at * strides[axis];
            spans.iter().map(move |(from, to)| (from + by, to + by))
        };
        let mut all: Spans = axes[axis].iter().flat_map(moved).collect();
        joined(&mut all);
        spans = all;
    }
    spans
}

/// Sorts pieces, and makes one of those that touch.
fn joined(spans: &mut Spans) {
    spans.sort_unstable();
    let mut last = 0;
    for at in 1..spans.len() {
        let (from, to) = spans[at];
        if from <= spans[last].1 {
            spans[last].1 = spans[last].1.max(to);
        } else {
            last += 1;
            spans[last] = (from, to);
        }
    }
    spans.truncate(last + 1);
}

/// The first byte that is in both.
fn overlap(a: &BTreeMap<Space, Spans>, b: &BTreeMap<Space, Spans>) -> Option<(Space, i64)> {
    let first = |a: &Spans, b: &Spans| {
        a.iter().find_map(|(from, to)| {
            let (start, _) = b.get(b.partition_point(|(_, end)| end <= from))?;
            (start < to).then_some(*start.max(from))
        })
    };
    a.iter().find_map(|(space, a)| Some((*space, first(a, b.get(space)?)?)))
}

fn name(program: &Program, task: &Task) -> String {
    match &task.kind {
        TaskKind::Launch(launch) => program.launches[*launch].name.clone(),
        TaskKind::Loop { body, .. } => {
            let names: Vec<String> = body.iter().map(|task| name(program, task)).collect();
            format!("the loop of {}", names.join(", "))
        }
        TaskKind::Ending(ending) => ending.kind.name().to_string(),
    }
}
