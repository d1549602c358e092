//! States are assigned in place where nobody reads them afterwards; else the next value waits in memory of its own until the end.

use super::lower::Kernels;
use super::region::copy;
use crate::program::{Buffer, Launch, Place, Source, Target, Task};

/// Redirects stores to states that would be seen by later reads, which must see what the state was before.
pub(super) fn assign_after_reads(kernels: &mut Kernels) {
    // For each buffer, the first launch that writes it and the last one that reads it.
    let (mut writers, mut readers) = (vec![None; kernels.buffers.len()], vec![None; kernels.buffers.len()]);
    for (number, launch) in kernels.launches.iter().enumerate() {
        launch.stores.iter().for_each(|s| writers[s.buffer] = writers[s.buffer].or(Some(number)));
        launch.reads().into_iter().for_each(|buffer| readers[buffer] = Some(number));
    }
    for state in 0..writers.len() {
        if !matches!(kernels.buffers[state].place, Place::State(_)) {
            continue;
        }
        let Some(writer) = writers[state] else { continue };
        let read_later = readers[state] > Some(writer);
        if !read_later && reads_what_it_writes(&kernels.launches[writer], state) {
            continue;
        }
        let name = format!("next {}", kernels.buffers[state].name);
        let (dtype, size) = (kernels.buffers[state].dtype, kernels.buffers[state].size.clone());
        let next = kernels.buffers.len();
        kernels.buffers.push(Buffer::new(name, dtype, size.clone(), Place::open()));
        let stores = kernels.launches[writer].stores.iter_mut();
        stores.filter(|s| s.buffer == state).for_each(|s| s.buffer = next);
        kernels.schedule.push(Task::launch(kernels.launches.len()));
        kernels.launches.push(copy(next, state, &size, dtype));
        kernels.places.push(kernels.places[writer]);
    }
}

/// Whether the launch reads each element of the state only where it writes it, and not after it has.
fn reads_what_it_writes(launch: &Launch, state: usize) -> bool {
    let Some(store) = launch.stores.iter().position(|s| s.buffer == state) else { return true };
    let (dims, index) = (&launch.stores[store].dims, &launch.stores[store].index);
    let writes = launch.stages.iter().position(|s| s.outputs.contains(&Target::Store(store)));
    let of_state = |source: &Source| matches!(source, Source::Load(l) if launch.loads[*l].buffer == state);
    let reads = launch.stages.iter().rposition(|s| s.inputs.iter().any(of_state));
    let loads = launch.loads.iter().filter(|l| l.buffer == state);
    !launch.operands().contains(&state)
        && loads.into_iter().all(|l| l.dims == *dims && l.index == *index)
        && reads <= writes
}
