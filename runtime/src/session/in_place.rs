//! Which phases may update a parameter at once instead of storing its gradient.

use castnet_program::program::{Launch, Place};

use super::bound::{AtOnce, Bound};
use super::rounds::Phase;
use crate::net::Loaded;
use crate::validate::{reads, writes};

/// Decides it for each phase that writes the last contribution to a gradient: its kernel must be able to, no phase from this one on
/// may read the parameter (the kernel itself included), none after it may touch the gradient, and every check of the program must be done.
///
/// The compiler orders launches so that this holds; it is checked because a wrong order would train wrongly without a word.
pub(super) fn choose(loaded: &Loaded, reaches: &[usize], launches: &[Launch], bound: &mut Bound) {
    let parameters = loaded.net.parameters.len();
    let mut reached = vec![false; parameters];
    reaches.iter().for_each(|&p| reached[p] = true);

    // The first phase (from the front) after which each parameter is not read and each gradient not touched.
    let mut read_until = vec![0; parameters];
    let mut touched_until = vec![0; parameters];
    bound.schedule.each(|stand| {
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
    let checked = bound.checks.iter().map(|done| done.phase).max().unwrap_or(0);
    let mut updated = vec![false; parameters];
    let mut at_once = vec![];
    bound.schedule.each(|stand| {
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
            let is_last = read_until[p] <= number && touched_until[p] == number + 1 && checked <= number;
            if whole(p) && reached[p] && is_last {
                at_once.push(AtOnce { phase: number, start, of: loaded.updated(p) });
                updated[p] = true;
            }
        });
    });
    at_once.sort_by_key(|update| update.phase);
    bound.at_once = at_once;
    let last: Vec<usize> = (0..parameters).filter(|&p| reached[p] && !updated[p]).collect();
    bound.updated_last = crate::flat::pieces(loaded, &last).into();
}
