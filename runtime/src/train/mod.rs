//! Training: the loop's bookkeeping and what is measured.
//!
//! | module | what |
//! |---|---|
//! | [`fit`] | epochs, batches, progress, and the point to resume at |
//! | [`metrics`] | running mean and accuracy |

mod bar;
pub mod fit;
pub mod metrics;
mod point;
mod progress;

pub use fit::Fit;
pub use metrics::{Accuracy, Mean, accuracy};
