//! The project that the tests open in an editor.

pub mod blocks;
pub mod net;
