//! The engine: operations that declare what they read and write run in any order that this allows.
#![allow(dead_code)] // Until threads stand over it.

mod dependencies;
mod ready;
#[cfg(test)]
mod tests;
