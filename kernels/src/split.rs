//! A reduction of few units, each of which goes through much: its elements are cut into pieces, which are chunks of their own.
//!
//! The launch has several parts then, which run one after the other. A part is either an element stage, whose pieces each leave what they
//! reduced in memory that all chunks share; or what is done for each point: those results are put together, in one order, and row stages
//! follow. How many pieces there are depends on the sizes only, so results do too.

use std::ops::Range;

use castnet_program::program::Level;

use crate::cost;
use crate::loops::Loops;
use crate::reduce;
use crate::stage::Stage;
use crate::totals::{Totals, reductions, start};
use crate::worker::Worker;

/// Launches of more units are not split: threads share them evenly enough, and a unit's elements stay in the cache from stage to stage.
const FEW: i64 = 16;
/// Pieces of all units together, at most.
const PIECES: i64 = 64;
/// What a piece costs at least, in chunks: much more than putting its results into place.
const LEAST: i64 = 2;

/// How a launch is split.
#[derive(Debug)]
pub(crate) struct Split {
    parts: Vec<Part>,
    units: usize,
    /// Pieces of a unit, and the blocks of the reduction that they share.
    pieces: usize,
    blocks: i64,
    /// Bytes of a row slot, those of each of its values, and how many slots there are.
    points: usize,
    width: usize,
    slots: usize,
    /// The most reductions of a stage.
    sums: usize,
}

#[derive(Debug)]
enum Part {
    /// A stage over the elements: a chunk a piece.
    Elements(usize),
    /// The reductions of an element stage, then row stages: a chunk a unit.
    Points { sums: Option<usize>, rows: Range<usize> },
}

impl Split {
    /// If it is worth it: `units` of `points` points and `cost` each go through `blocks` blocks.
    pub(crate) fn new(stages: &[Stage], units: i64, points: i64, blocks: i64, cost: i64) -> Option<Split> {
        if !(1..=FEW).contains(&units) {
            return None;
        }
        let pieces = (cost / (LEAST * cost::CHUNK)).min(PIECES / units).min(blocks);
        if pieces < 2 {
            return None;
        }
        let mut parts = vec![];
        for (number, stage) in stages.iter().enumerate() {
            match (stage.level, parts.last_mut()) {
                (Level::Row, Some(Part::Points { rows, .. })) => rows.end += 1,
                (Level::Row, _) => parts.push(Part::Points { sums: None, rows: number..number + 1 }),
                (Level::Element, _) => {
                    parts.push(Part::Elements(number));
                    if reductions(stage).next().is_some() {
                        parts.push(Part::Points { sums: Some(number), rows: number + 1..number + 1 });
                    }
                }
            }
        }
        let width = stages.iter().map(|stage| stage.width).max().unwrap_or(1);
        Some(Split {
            parts,
            width,
            units: units as usize,
            pieces: pieces as usize,
            blocks,
            // On cache lines of their own.
            points: (points as usize * width).next_multiple_of(64),
            slots: stages.iter().map(Stage::slots).max().unwrap_or(0),
            sums: stages.iter().map(|stage| reductions(stage).count()).max().unwrap_or(0),
        })
    }

    pub(crate) fn parts(&self) -> usize {
        self.parts.len()
    }

    pub(crate) fn chunks(&self, part: usize) -> usize {
        match self.parts[part] {
            Part::Elements(_) => self.units * self.pieces,
            Part::Points { .. } => self.units,
        }
    }

    /// Bytes that all chunks share: for each unit its row values, and what its pieces have reduced.
    pub(crate) fn bytes(&self) -> usize {
        self.units * self.unit_bytes()
    }

    fn unit_bytes(&self) -> usize {
        (self.slots + self.pieces * self.sums) * self.points
    }

    /// Runs a chunk of a part.
    ///
    /// # Safety
    /// As [`Kernel::run`](crate::Kernel::run).
    pub(crate) unsafe fn run(&self, loops: &Loops, part: usize, chunk: usize, worker: &Worker<'_>) {
        let (number, piece) = match self.parts[part] {
            Part::Elements(_) => (chunk / self.pieces, chunk % self.pieces),
            Part::Points { .. } => (chunk, 0),
        };
        let mut unit = loops.unit(number as i64);
        let n = unit.points();
        let bytes = n * self.width;
        // SAFETY: there is room for all units. While pieces run, row values are only read; each piece writes what is its own.
        unsafe {
            let values = worker.run.shared().add(number * self.unit_bytes());
            let sums_of = |piece: usize| values.add((self.slots + piece * self.sums) * self.points);
            for slot in 0..self.slots {
                std::ptr::copy_nonoverlapping(values.add(slot * self.points), worker.values(slot), bytes);
            }
            match &self.parts[part] {
                Part::Elements(stage) => {
                    let stage = &loops.stages[*stage];
                    let to = |piece: usize| self.blocks * piece as i64 / self.pieces as i64;
                    loops.elements(stage, &mut unit, to(piece)..to(piece + 1), worker);
                    for (i, (_, slot, lane)) in reductions(stage).enumerate() {
                        let sums = sums_of(piece).add(i * self.points);
                        std::ptr::copy_nonoverlapping(worker.values(slot), sums, n * lane.bytes());
                    }
                }
                Part::Points { sums, rows } => {
                    if let Some(stage) = sums.map(|stage| &loops.stages[stage]) {
                        start(stage, worker, 0, n);
                        let mut totals = Totals::new(loops.long, stage, worker, 0, n);
                        for piece in 0..self.pieces {
                            for (i, (op, slot, lane)) in reductions(stage).enumerate() {
                                let sums = sums_of(piece).add(i * self.points);
                                reduce::along_cols(loops.isa, op, lane, sums, 1, n, worker.values(slot));
                            }
                            totals.added();
                        }
                        totals.settle();
                    }
                    loops.stages[rows.clone()].iter().for_each(|stage| loops.points(stage, &unit, worker));
                    for slot in 0..self.slots {
                        std::ptr::copy_nonoverlapping(worker.values(slot), values.add(slot * self.points), bytes);
                    }
                }
            }
        }
    }
}
