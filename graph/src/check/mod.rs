//! The checker of memory plans: independent of the planner. It runs the schedule, round by round, over memory that remembers who wrote it.
//!
//! Run-time sizes get numbers, several times: all small, and each of them large beside the others, since places and lengths are polynomials.

mod footprint;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::program::{Launch, Place, Program, Task, TaskKind};
use crate::size::Size;
use rustc_hash::FxHashSet;

pub use footprint::Footprints;

/// Every activation that is read was written, and nothing else was written over it in between; and what a launch writes meets what it
/// reads only where it may work in place.
pub fn check_plan(program: &Program) -> Result<(), String> {
    bindings(program).into_iter().try_for_each(|numbers| {
        let eval = |size: &Size| eval(size, &numbers);
        let places = program.buffers.iter().map(|buffer| match &buffer.place {
            Place::Arena(offset) => Some(Lies {
                offset: eval(offset),
                width: buffer.dtype.bytes() as i64,
                start: eval(&buffer.start),
                strides: buffer.strides.iter().map(eval).collect(),
                length: eval(&buffer.size),
            }),
            _ => None,
        });
        let places = places.collect();
        let height = program.arena.iter().map(eval).max().unwrap_or(0);
        let mut check = Check { program, places, height, numbers, owners: BTreeMap::new(), rounds: vec![] };
        check.steps(&program.schedule)
    })
}

/// A number for each run-time name.
type Numbers = Vec<(Arc<str>, i64)>;

/// Numbers for which every size is positive: all alike and as small as can be, different ones, and each one large, or small, beside the others.
fn bindings(program: &Program) -> Vec<Numbers> {
    let names = program.symbols();
    let mut counts = vec![];
    rounds(&program.schedule, &mut counts);
    let shapes = program.arguments.iter().flat_map(|a| &a.ty.shape);
    let sizes: Vec<&Size> = program.buffers.iter().map(|b| &b.size).chain(shapes).chain(counts).collect();
    let positive = |numbers: &Numbers| sizes.iter().all(|size| eval(size, numbers) > 0);
    let each = |value: &dyn Fn(usize) -> i64| -> Numbers {
        names.iter().enumerate().map(|(i, name)| (name.clone(), value(i))).collect()
    };
    // Where a long window asks for one that is large, the others stay small.
    let powers = || (0..34).map(|power| 1i64 << power);
    let alone = |one: usize| powers().find(|n| positive(&each(&|i| if i == one { *n } else { 1 << 33 }))).unwrap_or(1);
    let least: Vec<i64> = match powers().take(12).find(|n| positive(&each(&|_| *n))) {
        Some(least) => vec![least; names.len()],
        None => (0..names.len()).map(alone).collect(),
    };
    let mut all = vec![each(&|i| least[i]), each(&|i| least[i] + 2 + i as i64)];
    for one in 0..names.len() {
        all.push(each(&|i| if i == one { least[i] + 40 } else { least[i] }));
        all.push(each(&|i| if i == one { least[i] } else { least[i] + 20 }));
    }
    all.dedup();
    // The first one, if no other, for what it says of sizes that are never positive.
    let first = all[0].clone();
    all.retain(positive);
    if all.is_empty() { vec![first] } else { all }
}

fn rounds<'p>(steps: &'p [Task], counts: &mut Vec<&'p Size>) {
    for step in steps {
        if let TaskKind::Loop { count, body, .. } = &step.kind {
            counts.push(count);
            rounds(body, counts);
        }
    }
}

fn eval(size: &Size, numbers: &Numbers) -> i64 {
    size.eval(&|name| numbers.iter().find(|(n, _)| **n == *name).map_or(1, |(_, number)| *number))
}

/// The numbers of a buffer in the arena: its place in bytes, all else in elements.
struct Lies {
    offset: i64,
    /// Bytes of an element.
    width: i64,
    start: i64,
    strides: Vec<i64>,
    length: i64,
}

struct Check<'p> {
    program: &'p Program,
    /// Of each buffer in the arena.
    places: Vec<Option<Lies>>,
    /// Where the arena ends.
    height: i64,
    numbers: Numbers,
    /// By its first byte: the end of a piece of memory, and the buffer that it was last written as.
    owners: BTreeMap<i64, (i64, usize)>,
    /// The rounds of the loops around the launch.
    rounds: Vec<i64>,
}

/// Where a buffer lies in a round: first byte and the one behind the last.
#[derive(Clone, Copy, PartialEq)]
struct Span {
    from: i64,
    to: i64,
}

impl Span {
    fn meets(&self, other: &Span) -> bool {
        self.from < other.to && other.from < self.to
    }
}

impl Check<'_> {
    fn steps(&mut self, steps: &[Task]) -> Result<(), String> {
        for step in steps {
            match &step.kind {
                TaskKind::Launch(launch) => self.launch(*launch)?,
                TaskKind::Loop { count, reverse, body } => {
                    let count = eval(count, &self.numbers);
                    for round in 0..count {
                        self.rounds.push(if *reverse { count - 1 - round } else { round });
                        self.steps(body)?;
                        self.rounds.pop();
                    }
                }
                // It touches nothing in the arena.
                TaskKind::Ending(_) => {}
            }
        }
        Ok(())
    }

    fn launch(&mut self, number: usize) -> Result<(), String> {
        let program = self.program;
        let launch = &program.launches[number];
        for read in launch.reads() {
            let Some(span) = self.span(read)? else { continue };
            self.check_read(launch, read, span)?;
        }
        let in_place: FxHashSet<(usize, usize)> = launch.in_place(&program.buffers).into_iter().collect();
        let mut reads = vec![];
        for read in launch.reads() {
            reads.extend(self.span(read)?.map(|span| (read, span)));
        }
        let name = |buffer: usize| &program.buffers[buffer].name;
        for (i, store) in launch.stores.iter().enumerate() {
            let Some(span) = self.span(store.buffer)? else { continue };
            for &(read, other) in &reads {
                let gives_way = || span == other && in_place.contains(&(read, store.buffer));
                if span.meets(&other) && !gives_way() {
                    let (a, b) = (name(store.buffer), name(read));
                    return Err(format!("`{}` writes `{a}` over `{b}`, which it reads", launch.name));
                }
            }
            for other in launch.stores[..i].iter().filter(|o| o.buffer != store.buffer) {
                if self.span(other.buffer)?.is_some_and(|other| span.meets(&other)) {
                    return Err(format!("`{}` writes two results over each other", launch.name));
                }
            }
        }
        for store in &launch.stores {
            if let Some(span) = self.span(store.buffer)? {
                self.write(store.buffer, span);
            }
        }
        Ok(())
    }

    fn check_read(&self, launch: &Launch, read: usize, span: Span) -> Result<(), String> {
        let name = |buffer: usize| &self.program.buffers[buffer].name;
        let owners = &self.owners;
        let first = owners.range(..=span.from).next_back().map_or(span.from, |(from, _)| *from);
        let mut at = span.from;
        for (&from, &(to, owner)) in owners.range(first..span.to).filter(|(_, (to, _))| *to > span.from) {
            if from > at {
                break;
            }
            if !self.is_one(owner, read) {
                let (a, b) = (name(read), name(owner));
                return Err(format!("`{}` reads `{a}`, over which `{b}` was written", launch.name));
            }
            at = to;
        }
        match at >= span.to {
            true => Ok(()),
            false => Err(format!("`{}` reads `{}` before it is written", launch.name, name(read))),
        }
    }

    fn write(&mut self, buffer: usize, span: Span) {
        let owners = &mut self.owners;
        let first = owners.range(..=span.from).next_back().map_or(span.from, |(from, _)| *from);
        let met: Vec<(i64, (i64, usize))> = owners.range(first..span.to).map(|(from, piece)| (*from, *piece)).collect();
        for (from, (to, owner)) in met.into_iter().filter(|(_, (to, _))| *to > span.from) {
            // What lies before and behind keeps its owner.
            owners.remove(&from);
            if from < span.from {
                owners.insert(from, (span.from, owner));
            }
            if to > span.to {
                owners.insert(span.to, (to, owner));
            }
        }
        owners.insert(span.from, (span.to, buffer));
    }

    /// Whether two buffers hold the same by intent: parts of one.
    fn is_one(&self, a: usize, b: usize) -> bool {
        let whole = |buffer: usize| self.program.buffers[buffer].part_of.unwrap_or(buffer);
        whole(a) == whole(b)
    }

    /// Where a buffer lies in this round, if in the arena.
    fn span(&self, buffer: usize) -> Result<Option<Span>, String> {
        let Some(place) = &self.places[buffer] else { return Ok(None) };
        let moved = place.strides.iter().zip(&self.rounds).map(|(stride, round)| stride.saturating_mul(*round));
        let bytes = |elements: i64| elements.saturating_mul(place.width);
        let from = place.offset.saturating_add(bytes(moved.fold(place.start, i64::saturating_add)));
        let to = from.saturating_add(bytes(place.length));
        let name = || &self.program.buffers[buffer].name;
        if from % place.width != 0 {
            return Err(format!("`{}` lies at byte {from}, between elements of {} bytes", name(), place.width));
        }
        match place.offset <= from && from <= to && to <= self.height {
            true => Ok(Some(Span { from, to })),
            false => Err(format!("`{}` does not lie in the arena", name())),
        }
    }
}
