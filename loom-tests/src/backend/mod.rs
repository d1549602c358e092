//! What workspaces hold, but for its contents.

pub(crate) mod cpu;
