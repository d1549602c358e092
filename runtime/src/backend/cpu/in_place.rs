//! Which updates are done by the kernel that makes the last contribution to the gradient, instead of storing it.

use castnet_program::program::{Launch, Place};

use super::binding::Binding;
use super::rounds::{Phase, Schedule};
use crate::net::Loaded;
use crate::net::Updated;
use crate::validate::{reads, writes};

/// A phase that updates a parameter in place of storing its gradient.
pub(super) struct AtOnce {
    pub(super) phase: usize,
    /// Where the parameter starts in the flat arena.
    pub(super) start: usize,
    pub(super) of: Updated,
}

/// The phases of a schedule that write the last contribution to a gradient and can update: the kernel must be able to, no phase from this one on
/// may read the parameter (the kernel itself included), none after it may touch the gradient.
///
/// The compiler orders launches so that this holds; it is checked because a wrong order would train wrongly without a word. Programs with checks
/// update behind all of them ([`Placement::new`](castnet_program::program::ending::Placement::new)).
pub(super) fn fusible(
    loaded: &Loaded,
    reaches: &[usize],
    launches: &[Launch],
    bound: &Binding,
    schedule: &Schedule,
) -> Vec<AtOnce> {
    let parameters = loaded.net.parameters.len();
    let mut reached = vec![false; parameters];
    reaches.iter().for_each(|&p| reached[p] = true);

    // The first phase (from the front) after which each parameter is not read and each gradient not touched.
    let mut read_until = vec![0; parameters];
    let mut touched_until = vec![0; parameters];
    schedule.each(|stand| {
        let launch = &launches[stand.launch];
        for buffer in reads(launch).chain(writes(launch)) {
            let until = match bound.homes[buffer].place {
                Place::Parameter(_) => &mut read_until,
                Place::Gradient(_) => &mut touched_until,
                Place::Mirror(_) => {
                    stand.last_of_each(bound.strides(buffer), &mut |phase| {
                        let (start, _) = bound.elements(buffer, phase.rounds, 1);
                        if let Some(parameter) = loaded.mirrored_at(start) {
                            read_until[parameter] = read_until[parameter].max(phase.number + 1);
                        }
                    });
                    continue;
                }
                Place::Argument(_) | Place::Result(_) | Place::State(_) | Place::Check(_) | Place::Arena(_) => continue,
            };
            stand.last_of_each(bound.strides(buffer), &mut |phase| {
                let (start, end) = bound.elements(buffer, phase.rounds, loaded.float.bytes());
                let until = &mut until[loaded.parameters_in(start, end)];
                until.iter_mut().for_each(|until| *until = (*until).max(phase.number + 1));
            });
        }
    });
    let mut at_once = vec![];
    schedule.each(|stand| {
        let (launch, kernel) = (&launches[stand.launch], &bound.kernels[stand.launch]);
        let [store] = launch.stores.as_slice() else { return };
        let gradient = matches!(bound.homes[store.buffer].place, Place::Gradient(_));
        if launch.updates.is_none() || !kernel.updates_in_place() || !gradient {
            return;
        }
        stand.last_of_each(bound.strides(store.buffer), &mut |Phase { number, rounds }| {
            let (start, end) = bound.elements(store.buffer, rounds, loaded.float.bytes());
            let whole = |p: usize| loaded.offsets[p] == start && loaded.net.padded_len(p) >= end - start;
            let Ok(p) = loaded.offsets.binary_search(&start) else { return };
            let is_last = read_until[p] <= number && touched_until[p] == number + 1;
            if whole(p) && reached[p] && is_last {
                at_once.push(AtOnce { phase: number, start, of: loaded.updated(p) });
            }
        });
    });
    at_once.sort_by_key(|update| update.phase);
    at_once
}
