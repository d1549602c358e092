//! The engine's threads: its own, or the pool's crew between its jobs.

use std::sync::Arc;

use super::core::Core;
use crate::pool;

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

/// The first queue of the process's engine, for the crew. It is there until the process ends.
pub(super) struct Crew(pub(super) Arc<Core>);

/// The queue that the crew serves.
const QUEUE: usize = 0;

impl pool::Operations for Crew {
    fn run(&self, enough: &dyn Fn() -> bool) -> bool {
        let core = &self.0;
        let mut ran = false;
        let mut state = core.lock();
        while let Some(id) = state.pop(QUEUE) {
            // Others may have been woken for the same one, or none for the rest.
            Core::hand_over(&state);
            state = core.run(state, id, Some(QUEUE));
            ran = true;
            if enough() {
                break;
            }
        }
        Core::hand_over(&state);
        ran
    }

    fn hand_over(&self) {
        Core::hand_over(&self.0.lock());
    }
}
