//! Which tasks may run side by side: a stream for each.
//!
//! List scheduling in the order of the schedule (Graham, *Bounds on multiprocessing timing anomalies*, 1969): a task goes where it can begin
//! first, by what tasks are estimated to take; among equals to the stream of the latest that it waits for, which costs no further waiting.

use crate::program::order::Conflicts;
use crate::program::{Launch, Task, TaskKind};

/// What run-time sizes count as in estimates.
pub(crate) const SIZE: i64 = 256;

/// Gives each task one of so many streams.
pub fn assign(schedule: &mut [Task], launches: &[Launch], conflicts: &Conflicts, streams: u32) {
    let mut ends: Vec<i64> = Vec::with_capacity(schedule.len());
    // Of each stream: when it is free, and its last task.
    let mut state: Vec<(i64, Option<usize>)> = vec![(0, None); streams.max(1) as usize];
    for (number, task) in schedule.iter_mut().enumerate() {
        let waits_for = &conflicts.before[number];
        let ready = waits_for.iter().map(|&earlier| ends[earlier]).max().unwrap_or(0);
        let latest = waits_for.iter().copied().max_by_key(|&earlier| ends[earlier]);
        let begins = |stream: &usize| {
            let (free, last) = state[*stream];
            (free.max(ready), last.is_none() || last != latest, *stream)
        };
        let Some(chosen) = (0..state.len()).min_by_key(begins) else { continue };
        let end = state[chosen].0.max(ready).saturating_add(cost(&task.kind, launches));
        state[chosen] = (end, Some(number));
        task.stream = chosen as u32;
        ends.push(end);
    }
}

/// Points of the loops of all launches, at least one.
fn cost(kind: &TaskKind, launches: &[Launch]) -> i64 {
    match kind {
        TaskKind::Launch(launch) => {
            let loops = launches[*launch].space.iter().chain(&launches[*launch].reduce);
            loops.map(|size| size.eval(&|_| SIZE)).fold(1, i64::saturating_mul).max(1)
        }
        TaskKind::Loop { count, body, .. } => {
            let round = body.iter().map(|task| cost(&task.kind, launches)).fold(0, i64::saturating_add);
            round.saturating_mul(count.eval(&|_| SIZE).max(1))
        }
        // It has no stream of its own to choose: it comes after what it waits for.
        TaskKind::Ending(_) => 1,
    }
}
