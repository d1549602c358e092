//! The engine's own threads.

use std::sync::Arc;

use super::core::{Core, sleep};

/// Runs operations of a queue until the engine lets its threads go.
pub(super) fn work(core: &Arc<Core>, queue: usize) {
    let mut state = core.lock();
    loop {
        match state.pop(queue) {
            Some(id) => state = core.run(state, id, Some(queue)),
            None if state.leaving => return,
            None => {
                let wake = state.queues[queue].wake.clone();
                state.queues[queue].sleeping += 1;
                state.idle += 1;
                state = sleep(state, &wake, None);
                state.queues[queue].sleeping -= 1;
                state.idle -= 1;
            }
        }
    }
}
