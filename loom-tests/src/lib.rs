//! What threads of `castnet-runtime` do at once, in every order in which they can go and with every value that the memory may show them: its own files, with
//! [loom](https://docs.rs/loom) in place of what they share and wait by (`sync.rs`).
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release -p castnet-loom-tests
//! ```
#![cfg(loom)]
#![allow(clippy::duplicate_mod, reason = "a slot stands in the pool, and by itself")]

mod array;
mod backend;
pub mod call;
#[path = "../../runtime/src/engine/mod.rs"]
pub mod engine;
pub mod job;
pub mod models;
#[path = "../../runtime/src/panics.rs"]
mod panics;
#[path = "../../runtime/src/pool/mod.rs"]
#[allow(unused_imports)]
mod pool;
mod recorder;
mod sync;

pub use pool::{set_threads, threads};
