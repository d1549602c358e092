//! What workspaces hold, but for its contents.

pub(crate) struct Array;
