//! The states of a call: copied from the model, changed in memory of the frame's own, copied back once the call has succeeded.

use std::ops::Range;

use castnet_program::program::{Place, Program};

use super::binding::Sizes;
use crate::error::{Error, Result};
use crate::net::Loaded;

/// Where the states lie in the frame's memory, under one binding of run-time sizes.
pub(super) struct StatePlaces {
    /// Where each state of the net starts, and where the last one ends. States of the rounds of a loop lie one set after the other.
    pub(super) starts: Vec<usize>,
    pub(super) bytes: usize,
    used: Vec<Used>,
}

/// A state that the program uses.
pub(crate) struct Used {
    pub(crate) state: usize,
    pub(crate) shape: Vec<usize>,
    bytes: usize,
    pub(crate) assigned: bool,
}

impl StatePlaces {
    pub(super) fn new(loaded: &Loaded, program: &Program, sizes: &Sizes<'_>) -> Result<StatePlaces> {
        let bad = |what: String| Error::BadNet { net: loaded.net.name.clone(), what };
        let mut places = StatePlaces { starts: vec![], bytes: 0, used: vec![] };
        for (number, state) in loaded.net.states.iter().enumerate() {
            places.starts.push(places.bytes);
            // A program does not use states of sizes that it does not know.
            if !state.ty.shape.iter().flat_map(|s| s.names()).all(|name| sizes.knows(&name)) {
                continue;
            }
            let shape = state.ty.shape.iter().map(|s| sizes.length(s, &state.name)).collect::<Result<Vec<_>>>()?;
            // The product once more as one size: far from overflow, or noted as too large.
            let bytes = sizes.length(&state.ty.len(), &state.name)? * state.ty.dtype.bytes();
            places.bytes = places.bytes.saturating_add(bytes.next_multiple_of(64));
            if program.states.binary_search(&number).is_ok() {
                let assigned = program.assigns.binary_search(&number).is_ok();
                places.used.push(Used { state: number, shape, bytes, assigned });
            }
        }
        places.starts.push(places.bytes);
        for buffer in &program.buffers {
            let Place::State(number) = buffer.place else { continue };
            let used = places.used.iter().find(|u| u.state == number);
            let bytes = sizes.length(&buffer.size, &buffer.name)? * buffer.dtype.bytes();
            if used.is_none_or(|u| u.bytes != bytes) || !buffer.start.is_zero() {
                return Err(bad(format!("{}: buffer `{}` is no state", program.name, buffer.name)));
            }
        }
        Ok(places)
    }

    /// The states that the program uses, with the bytes of the frame's that each is.
    pub(super) fn used(&self) -> impl Iterator<Item = (&Used, Range<usize>)> {
        self.used.iter().map(|used| (used, self.starts[used.state]..self.starts[used.state] + used.bytes))
    }

    /// Bytes from a state to one that stands `states` further in the net's list.
    pub(super) fn stride(&self, state: usize, states: i64) -> isize {
        let other = usize::try_from(states).ok().and_then(|by| self.starts.get(state.checked_add(by)?));
        other.copied().unwrap_or(self.bytes) as isize - self.starts[state] as isize
    }
}
