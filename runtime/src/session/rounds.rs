//! A schedule with its loops: rolled out, and whether its buffers stay in their places.

use std::ops::Range;

use castnet_graph::program::Step;
use castnet_graph::size::Size;
use castnet_kernels::Kernel;

use super::bound::{Home, Phase, Sizes};
use crate::error::Result;
use crate::validate::{reads, writes};

/// A schedule of more phases than this is refused.
pub(super) const MAX_PHASES: usize = 1 << 26;

/// The schedule with its loops rolled out.
pub(super) struct Flat<'s> {
    pub(super) sizes: &'s Sizes<'s>,
    pub(super) kernels: &'s [Kernel],
    pub(super) phases: Vec<Phase>,
    /// What [`Phase::rounds`] refers to.
    pub(super) rounds: Vec<u32>,
}

impl Flat<'_> {
    fn count(&self, count: &Size) -> Result<usize> {
        self.sizes.length(count, "the number of rounds")
    }

    /// How many phases there are.
    pub(super) fn length(&self, steps: &[Step]) -> Result<usize> {
        steps.iter().try_fold(0usize, |sum, step| {
            let phases = match step {
                Step::Launch(launch) => self.kernels[*launch].parts(),
                Step::Repeat { count, body, .. } => self.count(count)?.saturating_mul(self.length(body)?),
            };
            Ok(sum.saturating_add(phases))
        })
    }

    /// `around`: the rounds of the loops around these steps; `through`: the same counted through.
    pub(super) fn steps(&mut self, steps: &[Step], around: Range<usize>, through: usize) -> Result<()> {
        for step in steps {
            match step {
                Step::Launch(launch) => {
                    let phase =
                        |part| Phase { launch: *launch, part, rounds: around.clone(), round: through, update: None };
                    self.phases.extend((0..self.kernels[*launch].parts()).map(phase));
                }
                Step::Repeat { count, reverse, body } => {
                    let count = self.count(count)?;
                    for i in 0..count {
                        let i = if *reverse { count - 1 - i } else { i };
                        let start = self.rounds.len();
                        self.rounds.extend_from_within(around.clone());
                        self.rounds.push(i as u32);
                        self.steps(body, start..self.rounds.len(), through * count + i)?;
                    }
                }
            }
        }
        Ok(())
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
    pub(super) fn beyond(&self, steps: &[Step], counts: &mut Vec<usize>) -> Result<Option<usize>> {
        for step in steps {
            let found = match step {
                Step::Launch(launch) => {
                    let launch = &self.sizes.program.launches[*launch];
                    reads(launch).chain(writes(launch)).find(|&buffer| self.leaves(buffer, counts))
                }
                Step::Repeat { count, body, .. } => {
                    counts.push(self.sizes.length(count, "the number of rounds")?);
                    let found = self.beyond(body, counts)?;
                    counts.pop();
                    found
                }
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
