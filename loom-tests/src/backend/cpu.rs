//! What workspaces hold, but for its contents.

use crate::models::Guarded;

pub(crate) struct Binding;

/// The memory that a call has to itself.
pub(crate) type Frame = Guarded;
