//! What clones of a model share until one of them changes it, and whose turn it is with it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::engine::{Claim, Turn, Use};
use crate::error::{Error, Result};
use crate::memory::Memory;

/// A value of which there is one for all clones; who changes it has his own from then on.
pub(crate) struct CopyOnWrite<T>(Arc<Storage<T>>);

struct Storage<T> {
    value: T,
    turn: Turn,
}

/// Of what there may be another one, if there is memory for it.
pub(crate) trait TryCopy: Sized {
    /// # Errors
    /// If there is no memory. `name`: of the net.
    fn try_copy(&self, name: &str) -> Result<Self>;
}

impl TryCopy for Memory {
    fn try_copy(&self, name: &str) -> Result<Memory> {
        self.copied().ok_or_else(|| Error::Memory { function: name.to_string(), bytes: self.len() })
    }
}

/// A value that nobody else has, in one's turn.
pub(crate) struct Owned<'v, T> {
    value: &'v mut T,
    _claim: Claim<'v, 1>,
}

impl<T> CopyOnWrite<T> {
    pub(crate) fn new(value: T) -> CopyOnWrite<T> {
        CopyOnWrite(Arc::new(Storage { value, turn: Turn::new() }))
    }

    /// Whose turn it is with the value; whoever changes the value has another one afterwards if it was shared.
    pub(crate) fn turn(&self) -> &Turn {
        &self.0.turn
    }
}

impl<T: TryCopy> CopyOnWrite<T> {
    /// The value, which nobody else has then, in one's turn.
    ///
    /// # Errors
    /// If there is no memory for a copy, or an operation that the turn comes after has failed.
    pub(crate) fn own(&mut self, name: &str) -> Result<Owned<'_, T>> {
        let (value, turn) = self.own_parts(name)?;
        let claim = Claim::take([Use::write(turn)], || name.to_string()).map_err(Error::Engine)?;
        Ok(Owned { value, _claim: claim })
    }

    /// The value, which nobody else has then, and whose turn it is.
    ///
    /// # Errors
    /// As [`CopyOnWrite::own`].
    pub(crate) fn own_parts(&mut self, name: &str) -> Result<(&mut T, &Turn)> {
        if Arc::get_mut(&mut self.0).is_none() {
            let claim = Claim::take([Use::read(&self.0.turn)], || name.to_string()).map_err(Error::Engine)?;
            let copy = self.0.value.try_copy(name)?;
            drop(claim);
            self.0 = Arc::new(Storage { value: copy, turn: Turn::new() });
        }
        // Nobody can have taken another reference: they come from `clone`, of the one that is borrowed here.
        let what = || "a copy of its own that others have".to_string();
        let own = Arc::get_mut(&mut self.0);
        let Storage { value, turn } = own.ok_or_else(|| Error::BadNet { net: name.to_string(), what: what() })?;
        Ok((value, turn))
    }
}

impl<T> Clone for CopyOnWrite<T> {
    fn clone(&self) -> CopyOnWrite<T> {
        CopyOnWrite(self.0.clone())
    }
}

impl<T> Deref for CopyOnWrite<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> Deref for Owned<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value
    }
}

impl<T> DerefMut for Owned<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value
    }
}
