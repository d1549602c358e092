//! Whether what a launch writes shares memory with anything else that it touches, in any round of the loops around it.

use castnet_program::program::{Launch, Place, Task, TaskKind};

use super::binding::{Home, Sizes};
use crate::error::{Error, Result};
use crate::net::Loaded;
use crate::validate::{reads, writes};

/// Rounds of loops that are looked at one by one: of more, in loops in each other that all move, nothing is let pass.
const ROUNDS: i128 = 1 << 20;

/// Memory that shares no byte with another one.
#[derive(PartialEq)]
enum Space {
    Argument(usize),
    Result(usize),
    Parameters,
    Gradients,
    States,
    Checks,
    Arena,
}

/// The buffers of a program as they lie.
struct Lie<'a> {
    sizes: &'a Sizes<'a>,
    homes: &'a [Home],
    strides: &'a [isize],
    depth: usize,
}

/// Looks at every launch of the schedule.
///
/// # Errors
/// One that writes where it must not.
pub(super) fn check(loaded: &Loaded, sizes: &Sizes<'_>, homes: &[Home], strides: &[isize], depth: usize) -> Result<()> {
    let lie = Lie { sizes, homes, strides, depth };
    match lie.meet(&sizes.program.schedule, &mut vec![])? {
        None => Ok(()),
        Some((launch, buffer, other)) => {
            let (program, name) = (sizes.program, |buffer: usize| &sizes.program.buffers[buffer].name);
            let (launch, buffer, other) = (&program.launches[launch].name, name(buffer), name(other));
            let what = format!("{}: launch `{launch}` writes `{buffer}` over `{other}`", program.name);
            Err(Error::BadNet { net: loaded.net.name.clone(), what })
        }
    }
}

impl Lie<'_> {
    /// The first launch with a buffer that it writes over another one.
    fn meet(&self, tasks: &[Task], counts: &mut Vec<i64>) -> Result<Option<(usize, usize, usize)>> {
        for task in tasks {
            let found = match &task.kind {
                TaskKind::Ending(_) => None,
                TaskKind::Launch(number) => {
                    self.of(&self.sizes.program.launches[*number], counts).map(|(a, b)| (*number, a, b))
                }
                TaskKind::Loop { count, body, .. } => {
                    counts.push(self.sizes.length(count, "the number of rounds")? as i64);
                    let found = self.meet(body, counts)?;
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

    fn of(&self, launch: &Launch, counts: &[i64]) -> Option<(usize, usize)> {
        for (number, written) in writes(launch).enumerate() {
            let mut shared = reads(launch).filter(|&read| self.share(written, read, counts));
            let in_place = |read| launch.may_lie_alike(&self.sizes.program.buffers).contains(&(read, written));
            let over = shared.find(|&read| !self.lie_alike(read, written) || !in_place(read));
            if let Some(read) = over {
                return Some((written, read));
            }
            // Stores to one buffer are told apart by their indices.
            let others = writes(launch).take(number).filter(|&other| other != written);
            if let Some(other) = others.into_iter().find(|&other| self.share(written, other, counts)) {
                return Some((written, other));
            }
        }
        None
    }

    fn space(&self, buffer: usize) -> Space {
        match self.homes[buffer].place {
            Place::Argument(number) => Space::Argument(number),
            Place::Result(number) => Space::Result(number),
            // Mirrors lie behind the parameters, in the same memory.
            Place::Parameter(_) | Place::Mirror(_) => Space::Parameters,
            Place::Gradient(_) => Space::Gradients,
            Place::State(_) => Space::States,
            Place::Check(_) => Space::Checks,
            Place::Arena(_) => Space::Arena,
        }
    }

    fn moves(&self, buffer: usize) -> &[isize] {
        &self.strides[buffer * self.depth..][..self.depth]
    }

    fn bytes(&self, buffer: usize) -> i128 {
        (self.homes[buffer].len * self.sizes.program.buffers[buffer].dtype.bytes()) as i128
    }

    /// Whether each element of one lies where the same element of the other does, in all rounds.
    fn lie_alike(&self, a: usize, b: usize) -> bool {
        let buffers = &self.sizes.program.buffers;
        let same = buffers[a].dtype.bytes() == buffers[b].dtype.bytes();
        let same = same && self.homes[a].start == self.homes[b].start && self.bytes(a) == self.bytes(b);
        same && self.space(a) == self.space(b) && self.moves(a) == self.moves(b)
    }

    /// Whether two buffers may have a byte in common in some round.
    fn share(&self, a: usize, b: usize, counts: &[i64]) -> bool {
        let (bytes_a, bytes_b) = (self.bytes(a), self.bytes(b));
        if self.space(a) != self.space(b) || bytes_a == 0 || bytes_b == 0 || counts.contains(&0) {
            return false;
        }
        // How far `b` begins behind `a`, and by how much farther in each round.
        let begins = self.homes[b].start as i128 - self.homes[a].start as i128;
        let moves = self.moves(a).iter().zip(self.moves(b)).map(|(a, b)| *b as i128 - *a as i128).zip(counts);
        let mut moves: Vec<(i128, i128)> = moves.map(|(by, count)| (by, i128::from(*count))).collect();
        moves.retain(|(by, count)| *by != 0 && *count > 1);
        let Some((by, count)) = moves.pop() else { return -bytes_b < begins && begins < bytes_a };
        let rounds = moves.iter().try_fold(1i128, |all, (_, count)| all.checked_mul(*count));
        if rounds.is_none_or(|rounds| rounds > ROUNDS) {
            return true;
        }
        let mut starts = vec![begins];
        for (by, count) in moves {
            starts = starts.iter().flat_map(|start| (0..count).map(move |round| start + by * round)).collect();
        }
        // A round in which -bytes_b < start + by · round < bytes_a.
        starts.into_iter().any(|start| {
            let (low, high) =
                if by > 0 { (-bytes_b - start, bytes_a - start) } else { (start - bytes_a, start + bytes_b) };
            let first = low.div_euclid(by.abs()) + 1;
            first.max(0) < count && first.max(0) * by.abs() < high
        })
    }
}
