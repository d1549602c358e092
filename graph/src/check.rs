//! The checker of memory plans: independent of the planner. It runs the schedule, round by round, over cells that remember who wrote them.

use crate::program::{Place, Program, Step};

/// Floats of a cell: every buffer starts on such a boundary.
const CELL: i64 = 16;

/// Every activation that is read was written, and nothing else was written over it in between; and what a launch writes meets what it
/// reads only where it may work in place.
pub fn check_plan(program: &Program) -> Result<(), String> {
    let cells = |height: i64| vec![None; ((height + CELL - 1) / CELL) as usize];
    let owners = program.arena.iter().map(|class| cells(class.height)).collect();
    let mut check = Check { program, owners };
    check.steps(&program.schedule, 0)
}

struct Check<'p> {
    program: &'p Program,
    /// For each class, the buffer that each cell was last written as.
    owners: Vec<Vec<Option<usize>>>,
}

/// Where a buffer lies in a round: class, first float and the one behind the last, as coefficients.
#[derive(Clone, Copy, PartialEq)]
struct Span {
    class: usize,
    from: i64,
    to: i64,
}

impl Span {
    fn meets(&self, other: &Span) -> bool {
        self.class == other.class && self.from < other.to && other.from < self.to
    }
}

impl Check<'_> {
    fn steps(&mut self, steps: &[Step], round: i64) -> Result<(), String> {
        for step in steps {
            match step {
                Step::Launch(launch) => self.launch(*launch, round)?,
                Step::Repeat { count, reverse, body } => {
                    for round in 0..*count {
                        self.steps(body, if *reverse { count - 1 - round } else { round })?;
                    }
                }
            }
        }
        Ok(())
    }

    fn launch(&mut self, number: usize, round: i64) -> Result<(), String> {
        let launch = &self.program.launches[number];
        let in_place = launch.in_place();
        let name = |buffer: usize| &self.program.buffers[buffer].name;
        for read in launch.reads() {
            let Some(span) = self.span(read, round)? else { continue };
            for cell in span.from / CELL..(span.to + CELL - 1) / CELL {
                match self.owners[span.class][cell as usize] {
                    None => return Err(format!("`{}` reads `{}` before it is written", launch.name, name(read))),
                    Some(owner) if !self.is_one(owner, read) => {
                        return Err(format!(
                            "`{}` reads `{}`, over which `{}` was written",
                            launch.name,
                            name(read),
                            name(owner)
                        ));
                    }
                    Some(_) => {}
                }
            }
        }
        for (i, store) in launch.stores.iter().enumerate() {
            let Some(span) = self.span(store.buffer, round)? else { continue };
            for read in launch.reads() {
                let Some(other) = self.span(read, round)? else { continue };
                let gives_way = span == other && in_place.contains(&(read, store.buffer));
                if read != store.buffer && span.meets(&other) && !gives_way {
                    let (a, b) = (name(store.buffer), name(read));
                    return Err(format!("`{}` writes `{a}` over `{b}`, which it reads", launch.name));
                }
            }
            for other in launch.stores[..i].iter().filter(|o| o.buffer != store.buffer) {
                if self.span(other.buffer, round)?.is_some_and(|other| span.meets(&other)) {
                    return Err(format!("`{}` writes two results over each other", launch.name));
                }
            }
        }
        for store in &launch.stores {
            let Some(span) = self.span(store.buffer, round)? else { continue };
            for cell in span.from / CELL..(span.to + CELL - 1) / CELL {
                self.owners[span.class][cell as usize] = Some(store.buffer);
            }
        }
        Ok(())
    }

    /// Whether two buffers are the same memory by intent: rows of one stack lie at one place under one name.
    fn is_one(&self, a: usize, b: usize) -> bool {
        let (x, y) = (&self.program.buffers[a], &self.program.buffers[b]);
        a == b || x.name == y.name && x.place == y.place
    }

    /// Where a buffer lies, if in the arena.
    fn span(&self, buffer: usize, round: i64) -> Result<Option<Span>, String> {
        let buffer = &self.program.buffers[buffer];
        let Place::Arena { class, offset } = buffer.place else { return Ok(None) };
        let Some(part) = self.program.arena.get(class) else { return Err(format!("`{}` has no class", buffer.name)) };
        let times = |size: &crate::size::Size| {
            if size.is(0) {
                return Some(0);
            }
            let quotient = if *size == part.monomial { Some(1) } else { size.div_exact(&part.monomial)?.as_const() };
            quotient.filter(|q| *q >= 0)
        };
        let no_multiple = || format!("`{}` is no multiple of its class {}", buffer.name, part.monomial);
        let (size, stride) = (times(&buffer.size), times(&buffer.round_stride));
        let (size, stride) = (size.ok_or_else(no_multiple)?, stride.ok_or_else(no_multiple)?);
        let from = offset + stride * round;
        match offset >= 0 && from + size <= part.height {
            true => Ok(Some(Span { class, from, to: from + size })),
            false => Err(format!("`{}` does not lie in the arena", buffer.name)),
        }
    }
}
