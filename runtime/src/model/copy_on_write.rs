//! What clones of a model share until one of them changes it.

use std::ops::Deref;
use std::sync::Arc;

use crate::error::{Error, Result};

/// A value of which there is one for all clones; who changes it has his own from then on.
pub(crate) struct CopyOnWrite<T>(Arc<T>);

/// Of what there may be another one, if there is memory for it.
pub(crate) trait TryCopy: Sized {
    /// # Errors
    /// If there is no memory. `name`: of the net.
    fn try_copy(&self, name: &str) -> Result<Self>;
}

impl<T: TryCopy> CopyOnWrite<T> {
    pub(crate) fn new(value: T) -> CopyOnWrite<T> {
        CopyOnWrite(Arc::new(value))
    }

    /// The value, which nobody else has then.
    ///
    /// # Errors
    /// If there is no memory for a copy.
    pub(crate) fn own(&mut self, name: &str) -> Result<&mut T> {
        if Arc::get_mut(&mut self.0).is_none() {
            self.0 = Arc::new(self.0.try_copy(name)?);
        }
        // Nobody can have taken another reference: they come from `clone`, of the one that is borrowed here.
        let what = || "a copy of its own that others have".to_string();
        Arc::get_mut(&mut self.0).ok_or_else(|| Error::BadNet { net: name.to_string(), what: what() })
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
        &self.0
    }
}
