//! Training: the loop's bookkeeping and what is measured.
//!
//! | module | what |
//! |---|---|
//! | [`fit`] | epochs, batches, progress, and the point to resume at |
//! | [`ema`] | a running average of the parameters |
//! | [`metrics`] | running mean and accuracy |

mod bar;
pub mod ema;
pub mod fit;
pub mod metrics;
mod point;
mod progress;

pub use ema::Ema;
pub use fit::Fit;
pub use metrics::{Accuracy, Mean, accuracy};
