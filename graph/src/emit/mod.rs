//! Printers: what a program computes as text in a language.
//!
//! They never decide what runs: a printer takes launches and scalar code as they stand in the program, and the program runs without them.

pub mod cuda;
mod formula;
mod names;
pub mod rust;
