//! Data sets: files on disk, and batches made of them.
//!
//! | module | what |
//! |---|---|
//! | [`idx`] | the IDX file format, plain or gzip |
//! | [`folder`] | pictures in folders, one a class |
//! | [`images`] | image sets in MNIST's four files |
//! | [`dataset`] | examples: the rows of arrays, and what a batch makes of them, or what a source reads |
//! | [`examples`] | sources of one's own, which read examples one by one |
//! | [`batches`] | batches, in order or shuffled, made in arrays that are reused, ahead of time if one wants |
//! | [`text`] | texts as numbers, in windows |
//! | [`shuffle`] | the order of an epoch, the same in every version |
//! | [`random`] | random numbers of an example, a function of seed, epoch and example |

pub mod batches;
pub mod dataset;
pub mod examples;
pub mod folder;
pub mod idx;
pub mod images;
pub mod random;
mod ring;
pub mod shuffle;
pub mod text;

pub use batches::Batches;
pub use dataset::{Dataset, Field, Normalize};
pub use examples::{BoxError, Examples, FieldMut, FieldType};
pub use folder::ImageFolder;
pub use idx::Idx;
pub use images::ImageSet;
pub use random::Random;
pub use text::{Text, Vocabulary};
