//! How programs run on devices. There is one yet.

pub(crate) mod cpu;
