//! Which phases may update a parameter at once instead of storing its gradient.

use castnet_graph::program::{Launch, Place};

use super::bound::{Bound, launch_of};
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
    for (number, phase) in bound.phases.iter().enumerate() {
        let launch = launch_of(launches, phase);
        for buffer in reads(launch).chain(writes(launch)) {
            let until = match bound.homes[buffer].place {
                Place::Parameter(_) => &mut read_until,
                Place::Gradient(_) => &mut touched_until,
                _ => continue,
            };
            let (start, end) = bound.floats(buffer, phase);
            until[loaded.parameters_in(start, end)].fill(number + 1);
        }
    }
    let checked = bound.checks.iter().map(|done| done.phase).max().unwrap_or(0);
    let mut updated = vec![false; parameters];
    for number in checked..bound.phases.len() {
        let phase = &bound.phases[number];
        let (launch, kernel) = (launch_of(launches, phase), &bound.kernels[phase.launch]);
        let [store] = launch.stores.as_slice() else { continue };
        let gradient = matches!(bound.homes[store.buffer].place, Place::Gradient(_));
        if launch.updates.is_none() || !kernel.updates_in_place() || !gradient {
            continue;
        }
        let (start, end) = bound.floats(store.buffer, phase);
        let whole = |p: usize| loaded.offsets[p] == start && loaded.net.parameters[p].floats() >= end - start;
        let Ok(p) = loaded.offsets.binary_search(&start) else { continue };
        if whole(p) && reached[p] && read_until[p] <= number && touched_until[p] == number + 1 {
            bound.phases[number].update = Some((start, loaded.updated(p)));
            updated[p] = true;
        }
    }
    let last: Vec<usize> = (0..parameters).filter(|&p| reached[p] && !updated[p]).collect();
    bound.updated_last = crate::flat::pieces(loaded, &last).into();
}
