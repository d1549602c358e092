//! What the engine knows of calls that take their turns without it: the words of what they use, and who stood there when operations were
//! queued.

use std::borrow::Cow;
use std::panic::Location;
use std::sync::Arc;

use super::dependencies::{Id, Mode, VariableId};
use super::error::Origin;
use super::state::{Record, State};
use super::turn::Word;

impl State {
    /// A variable that calls take by this word.
    pub(super) fn variable_of(&mut self, word: &Arc<Word>) -> VariableId {
        let variable = self.dependencies.variable();
        let place = variable.0 as usize;
        self.words.resize(self.words.len().max(place + 1), None);
        self.words[place] = Some(word.clone());
        variable
    }

    /// Gives a variable up.
    pub(super) fn release(&mut self, variable: VariableId) {
        // No call uses it any more.
        self.words.get_mut(variable.0 as usize).map(Option::take);
        self.dependencies.release(variable);
    }

    fn word(&self, variable: VariableId) -> Option<&Arc<Word>> {
        self.words.get(variable.0 as usize)?.as_ref()
    }

    /// Lets calls know that operations are queued; those that are inside come first. `false`: there is no memory.
    #[cold]
    pub(super) fn queue_up(&mut self, accesses: &[(VariableId, Mode)]) -> bool {
        for &(variable, _) in accesses {
            if let Some(mode) = self.word(variable).and_then(|word| word.queue())
                && self.add_holder(variable, mode).is_none()
            {
                self.settle(accesses.iter().map(|(variable, _)| *variable));
                return false;
            }
        }
        true
    }

    /// Adds the calls that use a variable now, before anything else does.
    fn add_holder(&mut self, variable: VariableId, mode: Mode) -> Option<()> {
        self.holders.try_reserve(1).ok()?;
        self.records.try_reserve(1).ok()?;
        let id = self.dependencies.register(&[(variable, mode)], 0, &mut self.raised)?;
        self.dependencies.start(id);
        if id.index as usize == self.records.len() {
            self.records.push(Record::new());
        }
        let epoch = self.epochs.enter(None);
        let record = &mut self.records[id.index as usize];
        record.origin = Origin { name: Cow::Borrowed("a call"), location: Location::caller() };
        record.bytes = 0;
        record.pusher = None;
        record.queue = 0;
        record.epoch = epoch;
        self.holders.push((variable, id));
        Some(())
    }

    /// The last call that used a variable when operations were queued is over.
    pub(super) fn end_holder(&mut self, variable: VariableId) {
        if let Some(place) = self.holders.iter().position(|(of, _)| *of == variable) {
            let (_, id) = self.holders.swap_remove(place);
            self.withdraw(id);
        }
    }

    /// Lets calls take those of these variables without the engine for which nothing is queued, and that are right.
    pub(super) fn settle(&self, variables: impl IntoIterator<Item = VariableId>) {
        for variable in variables {
            let is_idle = !self.dependencies.is_used(variable) && self.dependencies.poison(variable).is_none();
            self.word(variable).filter(|_| is_idle).into_iter().for_each(|word| word.unqueue());
        }
    }

    /// The same for those that an operation named which has just been taken out.
    #[inline(always)]
    pub(super) fn settle_after(&self, id: Id) {
        if !self.words.is_empty() {
            self.settle(self.dependencies.named_by(id.index));
        }
    }

    /// Whether a holder is a call that writes on this thread.
    pub(super) fn is_held_by(&self, holder: Id, thread: u64) -> bool {
        let held = self.holders.iter().find(|(_, id)| *id == holder);
        held.and_then(|(variable, _)| self.word(*variable)).is_some_and(|word| word.is_written_by(thread))
    }
}
