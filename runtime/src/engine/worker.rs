//! The engine's own threads.

use std::sync::Arc;

use super::core::Core;

/// Runs operations of a queue until the engine lets its threads go.
pub(super) fn work(core: &Arc<Core>, queue: usize) {
    let mut state = core.lock();
    let mut spins = true;
    loop {
        match state.pop(queue) {
            Some(id) => {
                // It may have been counted on more than once while it was awake.
                if !std::mem::replace(&mut spins, true) {
                    Core::hand_over(&state);
                }
                state = core.run(state, id, Some(queue));
            }
            None if state.leaving => return,
            None => state = core.rest(state, Some(queue), std::mem::take(&mut spins), None),
        }
    }
}
