//! The states of a call: a copy of the model's, which it takes over once the call has succeeded.

use super::workspaces::Workspace;
use crate::error::Result;
use crate::states::States;

impl Workspace {
    /// Takes the states of a model. Allocates only where a state starts anew.
    ///
    /// # Errors
    /// If there is no memory for one that does.
    pub(super) fn take_states(&mut self, states: &States) -> Result<()> {
        self.new_states.clear();
        for (used, place) in self.held[0].binding.states() {
            let new = states.read(used.state, &used.shape, &mut self.frame.states_mut()[place])?;
            self.new_states.extend(new.filter(|_| used.assigned).map(|new| (used.state, new)));
        }
        Ok(())
    }

    /// Gives the states that the call assigned to the model: the last task of an ending, and of a call without one.
    pub(super) fn commit_states(&mut self, states: &mut States) {
        for (used, place) in self.held[0].binding.states().filter(|(used, _)| used.assigned) {
            let new = self.new_states.iter().position(|(state, _)| *state == used.state);
            let new = new.map(|at| self.new_states.swap_remove(at).1);
            states.write(used.state, new, &self.frame.states()[place]);
        }
    }
}
