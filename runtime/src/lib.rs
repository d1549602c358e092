//! Runs compiled castnet networks: the pool of threads, arrays, models, optimizers, data and checkpoints.

pub mod array;
mod backend;
mod call;
#[cfg(feature = "check")]
pub mod check;
pub mod checkpoint;
mod copy_on_write;
pub mod data;
pub mod device;
pub mod engine;
pub mod error;
mod float;
pub mod gradients;
pub mod image;
mod init;
mod layout;
mod memory;
mod mirrors;
pub mod model;
pub mod net;
pub mod optimizer;
mod panics;
mod pieces;
mod pool;
pub mod profiler;
mod recorder;
mod replace;
mod states;
mod sync;
pub mod train;
mod unread;
mod validate;
mod verdict;
pub mod view;

pub use array::{Array, Element};
pub use castnet_program::types::DType;
pub use device::Device;
pub use error::{Error, Result};
pub use gradients::Gradients;
pub use half::{bf16, f16};
pub use model::{Loss, Model};
pub use net::{EmittedKernel, NetTable, Network};
pub use optimizer::{
    Adadelta, Adagrad, Adam, AdamW, Adamax, Constant, Cosine, LAMB, LARS, Lion, NAdam, Optimizer, RAdam, RMSprop,
    Schedule, Sgd, Warmup,
};
pub use pool::{set_threads, threads};
