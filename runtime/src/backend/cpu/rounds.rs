//! A schedule with its loops: its phases by number, and whether its buffers stay in their places.

use std::ops::{ControlFlow, Range};

use castnet_program::program::ending::EndingKind;
use castnet_program::program::{Task, TaskKind};
use castnet_program::size::Size;

use super::binding::{Home, Sizes};
use crate::error::{Error, Result};
use crate::net::Loaded;
use crate::pieces::{self, Piece};
use crate::validate::{reads, writes};

/// So many phases, 2⁴⁰, are refused: at one a microsecond they would take twelve days. Where numbers have 32 bits, all that they can't count.
const TOO_MANY: usize = usize::MAX >> usize::BITS.saturating_sub(40);

/// A schedule under one binding of run-time sizes. Its phases, each a part of one launch in one round or a task of the ending, are numbered as if the loops
/// were written out, and are looked up: it takes as much memory as the program, however many rounds there are.
pub(super) struct Schedule {
    steps: Steps,
    depth: usize,
    /// What the tasks of its ending are about.
    pieces: Vec<Piece>,
}

#[derive(Default)]
struct Steps {
    /// Each with the number of its first phase among those of these steps; none is without phases.
    list: Vec<(usize, Kind)>,
    /// How many phases they have.
    length: usize,
}

enum Kind {
    Launch { launch: usize, parts: usize },
    Ending(EndingPhase),
    Loop(Loop),
}

/// A task of the ending as a phase: a chunk a piece, or one of all.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EndingPhase {
    pub(crate) kind: EndingKind,
    /// Of the pieces of the schedule.
    pub(crate) pieces: Range<usize>,
}

/// What is done in a phase.
#[derive(Debug, PartialEq)]
pub(super) enum What<'s> {
    /// A part of a launch.
    Launch {
        launch: usize,
        part: usize,
    },
    Ending(&'s EndingPhase),
}

struct Loop {
    count: usize,
    reverse: bool,
    body: Steps,
}

impl Loop {
    /// The round that runs when so many have run. The other way around it is the same.
    fn round(&self, after: usize) -> usize {
        if self.reverse { self.count - 1 - after } else { after }
    }
}

/// One launch where it stands in a schedule.
pub(super) struct Stand<'s> {
    pub(super) launch: usize,
    /// The number of its last part among the phases of the steps around it: what it writes is whole then.
    own: usize,
    /// The loops around it, outermost first, with the number of each among the phases of the steps around that.
    loops: Vec<(usize, &'s Loop)>,
}

/// A phase of a launch: its number, and the rounds of the loops around it.
pub(super) struct Phase<'r> {
    pub(super) number: usize,
    pub(super) rounds: &'r [u32],
}

/// What a schedule is resolved by.
pub(super) struct Lengths<'a> {
    pub(super) loaded: &'a Loaded,
    /// In messages.
    pub(super) name: &'a str,
    /// The rounds of a loop.
    pub(super) rounds: &'a dyn Fn(&Size) -> Result<usize>,
    /// The parts of a launch.
    pub(super) parts: &'a dyn Fn(usize) -> usize,
}

impl Schedule {
    /// Counts the rounds.
    ///
    /// # Errors
    /// If there are more than anybody could wait for, or 2³² of one loop.
    pub(super) fn new(lengths: &Lengths<'_>, tasks: &[Task]) -> Result<Schedule> {
        let mut schedule = Schedule { steps: Steps::default(), depth: 0, pieces: vec![] };
        schedule.steps = schedule.resolve(lengths, tasks, 0)?;
        Ok(schedule)
    }

    fn resolve(&mut self, lengths: &Lengths<'_>, tasks: &[Task], around: usize) -> Result<Steps> {
        let mut own = Steps::default();
        self.depth = around.max(self.depth);
        // What the last task of the ending was about: the next one is mostly about the same.
        let mut last: Option<(&[usize], Range<usize>)> = None;
        for task in tasks {
            let (kind, length) = match &task.kind {
                TaskKind::Launch(launch) => {
                    let parts = (lengths.parts)(*launch);
                    (Kind::Launch { launch: *launch, parts }, parts)
                }
                // `Done::commit` does it once all phases have run.
                TaskKind::Ending(ending) if ending.kind == EndingKind::Commit => continue,
                TaskKind::Ending(ending) => {
                    let pieces = match &last {
                        Some((of, pieces)) if *of == ending.of => pieces.clone(),
                        _ => {
                            let start = self.pieces.len();
                            self.pieces.extend(pieces::pieces(lengths.loaded, &ending.of));
                            start..self.pieces.len()
                        }
                    };
                    last = Some((&ending.of, pieces.clone()));
                    (Kind::Ending(EndingPhase { kind: ending.kind, pieces }), 1)
                }
                TaskKind::Loop { count, reverse, body } => {
                    let count = (lengths.rounds)(count)?;
                    let body = self.resolve(lengths, body, around + 1)?;
                    // Rounds are 32-bit numbers.
                    let length = match u32::try_from(count) {
                        Ok(_) => count.saturating_mul(body.length),
                        Err(_) => usize::MAX,
                    };
                    (Kind::Loop(Loop { count, reverse: *reverse, body }), length)
                }
            };
            if length > 0 {
                own.list.push((own.length, kind));
            }
            own.length = own.length.saturating_add(length);
        }
        match own.length >= TOO_MANY {
            true => Err(Error::TooManyRounds { function: lengths.name.to_string(), launches: own.length }),
            false => Ok(own),
        }
    }

    /// The pieces that its ending is about.
    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The phases of its ending, with their numbers.
    pub(super) fn ending(&self) -> impl Iterator<Item = (usize, &EndingPhase)> {
        // None stands in a loop.
        self.steps.list.iter().filter_map(|(number, kind)| match kind {
            Kind::Ending(phase) => Some((*number, phase)),
            Kind::Launch { .. } | Kind::Loop(_) => None,
        })
    }

    /// How many phases there are.
    pub(super) fn phases(&self) -> usize {
        self.steps.length
    }

    /// How many loops stand in each other.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// What is done in a phase. Of the loops around it, outermost first, `round` sees how many there are outside, how often it runs, and the round.
    pub(super) fn what(&self, phase: usize, mut round: impl FnMut(usize, usize, usize)) -> What<'_> {
        let (mut steps, mut number, mut depth) = (&self.steps, phase, 0);
        loop {
            let (first, kind) = &steps.list[steps.list.partition_point(|(first, _)| *first <= number) - 1];
            number -= first;
            match kind {
                Kind::Launch { launch, .. } => return What::Launch { launch: *launch, part: number },
                Kind::Ending(phase) => return What::Ending(phase),
                Kind::Loop(one) => {
                    round(depth, one.count, one.round(number / one.body.length));
                    (steps, number, depth) = (&one.body, number % one.body.length, depth + 1);
                }
            }
        }
    }

    /// Every launch, once for each place where it stands.
    pub(super) fn each<'s>(&'s self, mut visit: impl FnMut(&Stand<'s>)) {
        self.steps.each(&mut vec![], &mut visit);
    }
}

impl Steps {
    fn each<'s>(&'s self, around: &mut Vec<(usize, &'s Loop)>, visit: &mut dyn FnMut(&Stand<'s>)) {
        for (first, kind) in &self.list {
            match kind {
                Kind::Launch { launch, parts } => {
                    visit(&Stand { launch: *launch, own: first + parts - 1, loops: around.clone() });
                }
                Kind::Ending(_) => {}
                Kind::Loop(one) => {
                    around.push((*first, one));
                    one.body.each(around, visit);
                    around.pop();
                }
            }
        }
    }
}

impl Stand<'_> {
    /// Its last phase.
    pub(super) fn last(&self) -> usize {
        self.loops.iter().map(|(first, one)| first + (one.count - 1) * one.body.length).sum::<usize>() + self.own
    }

    /// Of all its phases that differ in a loop in which something moves (`strides`, one a loop, as far as there are any), the last ones: between
    /// two that differ in other loops only, it lies in the same place. So there are no more than places.
    pub(super) fn last_of_each(&self, strides: &[isize], visit: &mut dyn FnMut(Phase<'_>)) {
        let mut after: Vec<usize> = self.loops.iter().map(|(_, one)| one.count - 1).collect();
        let moves = |depth: usize| strides.get(depth).is_some_and(|stride| *stride != 0);
        let moving: Vec<usize> = (0..self.loops.len()).filter(|depth| moves(*depth)).collect();
        let mut rounds = vec![0; self.loops.len()];
        loop {
            let mut number = self.own;
            for (((first, one), after), round) in self.loops.iter().zip(&after).zip(&mut rounds) {
                number += first + after * one.body.length;
                *round = one.round(*after) as u32;
            }
            visit(Phase { number, rounds: &rounds });
            // The combination before this one.
            let step = moving.iter().rev().try_for_each(|&depth| match after[depth].checked_sub(1) {
                Some(one_less) => {
                    after[depth] = one_less;
                    ControlFlow::Break(())
                }
                None => {
                    after[depth] = self.loops[depth].1.count - 1;
                    ControlFlow::Continue(())
                }
            });
            if step.is_continue() {
                return;
            }
        }
    }
}

/// Looks for buffers that leave their places.
pub(super) struct Ends<'s> {
    pub(super) sizes: &'s Sizes<'s>,
    pub(super) homes: &'s [Home],
    pub(super) strides: &'s [isize],
    pub(super) depth: usize,
    /// The bytes of each buffer's place.
    pub(super) wholes: &'s [usize],
}

impl Ends<'_> {
    /// The first buffer that a launch touches beyond its place in the first or last round of a loop.
    pub(super) fn beyond(&self, steps: &[Task], counts: &mut Vec<usize>) -> Result<Option<usize>> {
        for step in steps {
            let found = match &step.kind {
                TaskKind::Launch(launch) => {
                    let launch = &self.sizes.program.launches[*launch];
                    reads(launch).chain(writes(launch)).find(|&buffer| self.leaves(buffer, counts))
                }
                TaskKind::Loop { count, body, .. } => {
                    counts.push(self.sizes.length(count, "the number of rounds")?);
                    let found = self.beyond(body, counts)?;
                    counts.pop();
                    found
                }
                TaskKind::Ending(_) => None,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn leaves(&self, buffer: usize, counts: &[usize]) -> bool {
        if counts.contains(&0) {
            return false;
        }
        let home = &self.homes[buffer];
        let strides = &self.strides[buffer * self.depth..][..self.depth];
        let (mut first, mut last) = (home.start as isize, home.start as isize);
        for (stride, count) in strides.iter().zip(counts) {
            let end = stride.saturating_mul(*count as isize - 1);
            first = first.saturating_add(end.min(0));
            last = last.saturating_add(end.max(0));
        }
        let bytes = home.len * self.sizes.program.buffers[buffer].dtype.bytes();
        first < 0 || last.saturating_add(bytes as isize) > self.wholes[buffer] as isize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(launch: usize, parts: usize) -> (Kind, usize) {
        (Kind::Launch { launch, parts }, parts)
    }

    fn repeat(count: usize, reverse: bool, body: Steps) -> (Kind, usize) {
        let length = count * body.length;
        (Kind::Loop(Loop { count, reverse, body }), length)
    }

    fn steps(all: Vec<(Kind, usize)>) -> Steps {
        let mut steps = Steps::default();
        for (kind, length) in all {
            steps.list.push((steps.length, kind));
            steps.length += length;
        }
        steps
    }

    /// Written out: the launch, its part and the rounds of each phase.
    fn written_out(steps: &Steps, around: &[u32], phases: &mut Vec<((usize, usize), Vec<u32>)>) {
        for (_, kind) in &steps.list {
            match kind {
                Kind::Ending(_) => panic!("none in these tests"),
                Kind::Launch { launch, parts } => {
                    phases.extend((0..*parts).map(|part| ((*launch, part), around.to_vec())));
                }
                Kind::Loop(one) => {
                    let order: Vec<usize> =
                        if one.reverse { (0..one.count).rev().collect() } else { (0..one.count).collect() };
                    order.iter().for_each(|&i| written_out(&one.body, &[around, &[i as u32]].concat(), phases));
                }
            }
        }
    }

    fn schedule() -> Schedule {
        let inner = steps(vec![launch(2, 1), repeat(3, true, steps(vec![launch(3, 3), launch(4, 1)])), launch(5, 2)]);
        let last = steps(vec![launch(6, 2)]);
        let all = vec![launch(0, 2), repeat(4, false, inner), launch(1, 1), repeat(2, true, last)];
        Schedule { steps: steps(all), depth: 2, pieces: vec![] }
    }

    #[test]
    fn phases_are_those_of_the_loops_written_out() {
        let schedule = schedule();
        let mut expected = vec![];
        written_out(&schedule.steps, &[], &mut expected);
        assert_eq!(schedule.phases(), expected.len());
        for (phase, ((launch, part), rounds)) in expected.iter().enumerate() {
            let (mut found, expected) = (vec![], What::Launch { launch: *launch, part: *part });
            assert_eq!(schedule.what(phase, |_, _, round| found.push(round as u32)), expected);
            assert_eq!(found, *rounds);
        }
        // In the rounds of loops in which it moves, each launch's last phase.
        for strides in [[0, 0], [4, 0], [0, 4], [4, -4]] {
            schedule.each(|stand| {
                let mut found = vec![];
                stand.last_of_each(&strides, &mut |phase| found.push((phase.number, phase.rounds.to_vec())));
                let key = |rounds: &[u32]| -> Vec<u32> {
                    rounds.iter().zip(strides).filter(|(_, stride)| *stride != 0).map(|(round, _)| *round).collect()
                };
                let all = || expected.iter().enumerate().filter(|(_, ((launch, _), _))| *launch == stand.launch);
                let is_last = |(at, (_, rounds)): &(usize, &((usize, usize), Vec<u32>))| {
                    all().all(|(other, (_, others))| key(others) != key(rounds) || other <= *at)
                };
                let lasts: Vec<_> = all().filter(is_last).map(|(phase, (_, rounds))| (phase, rounds.clone())).collect();
                found.sort();
                assert_eq!(found, lasts, "{} by {strides:?}", stand.launch);
                assert_eq!(stand.last(), all().map(|(phase, _)| phase).max().unwrap());
            });
        }
    }
}
