//! Data sets: files on disk, and batches made of them.
//!
//! | module | what |
//! |---|---|
//! | [`idx`] | the IDX file format, plain or gzip |
//! | [`images`] | image sets in MNIST's four files |
//! | [`dataset`] | arrays with one example a row, and what a batch makes of them |
//! | [`batches`] | batches, in order or shuffled, gathered into arrays that are reused |
//! | [`text`] | texts as numbers, in windows |
//! | [`shuffle`] | the order of an epoch, the same in every version |

pub mod batches;
pub mod dataset;
pub mod idx;
pub mod images;
pub mod shuffle;
pub mod text;

pub use batches::Batches;
pub use dataset::{Dataset, Field, Normalize};
pub use idx::Idx;
pub use images::ImageSet;
pub use text::{Text, Vocabulary};
