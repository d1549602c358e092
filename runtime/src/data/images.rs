//! Sets of labelled grey images in the four files of MNIST.

use std::path::{Path, PathBuf};

use castnet_program::types::DType;

use crate::array::Array;
use crate::data::{Dataset, Field, Idx, Normalize};
use crate::error::{Error, Result};

/// Grey images and the class of each.
#[derive(Clone, Debug)]
pub struct ImageSet {
    /// `u8[n, height, width]`, 0 black to 255 white.
    pub images: Array,
    /// `u8[n]`.
    pub labels: Array,
}

impl ImageSet {
    /// The classes of MNIST and of the sets made in its image: 0 to 9.
    pub const CLASSES: usize = 10;

    /// The training and the test set in a folder with the files of MNIST (or Fashion-MNIST, or another set with these names):
    /// `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each plain or
    /// with `.gz` at the end.
    ///
    /// # Errors
    /// If a file is missing or not as [`Idx::read`] wants it, if the numbers of images and labels differ, or a label is not in 0..10.
    ///
    /// ```no_run
    /// let (train, test) = castnet_runtime::data::ImageSet::open_mnist("examples/data/mnist")?;
    /// assert_eq!(train.images.shape(), [60_000, 28, 28]);
    /// assert_eq!(test.labels.shape(), [10_000]);
    /// # Ok::<(), castnet_runtime::Error>(())
    /// ```
    pub fn open_mnist(folder: impl AsRef<Path>) -> Result<(ImageSet, ImageSet)> {
        let folder = folder.as_ref();
        let open = |set: &str| {
            let images = find(folder, &format!("{set}-images-idx3-ubyte"))?;
            ImageSet::read(images, find(folder, &format!("{set}-labels-idx1-ubyte"))?)
        };
        Ok((open("train")?, open("t10k")?))
    }

    /// One set from its file of images, `u8[n, height, width]`, and its file of labels, `u8[n]`.
    ///
    /// # Errors
    /// As [`ImageSet::open_mnist`].
    pub fn read(images: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<ImageSet> {
        let (images_path, labels_path) = (images.as_ref(), labels.as_ref());
        let images = Idx::read(images_path)?;
        let labels = Idx::read(labels_path)?;
        let expect = |array: &Array, path: &Path, rank: usize, expected: &str| match array.dtype() == DType::U8
            && array.shape().len() == rank
        {
            true => Ok(()),
            false => Err(wrong(path, 2, expected.to_string(), array.describe())),
        };
        expect(&images, images_path, 3, "u8 images with 3 axes")?;
        expect(&labels, labels_path, 1, "u8 labels with 1 axis")?;
        let n = images.shape()[0];
        if labels.len() != n {
            let expected = format!("{n} labels, one for each image in {}", images_path.display());
            return Err(wrong(labels_path, 4, expected, labels.len().to_string()));
        }
        if let Some(i) = labels.as_slice::<u8>()?.iter().position(|&label| usize::from(label) >= ImageSet::CLASSES) {
            let found = labels.as_slice::<u8>()?[i].to_string();
            return Err(wrong(labels_path, 8 + i as u64, format!("a label in 0..{}", ImageSet::CLASSES), found));
        }
        Ok(ImageSet { images, labels })
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The set as a network takes it: batches of `f32[n, 1, height, width]`, normalised, and of `u8[n]`.
    ///
    /// # Errors
    /// If the numbers of images and labels differ, or the images are not `u8[n, height, width]`.
    pub fn dataset(self, normalize: Normalize) -> Result<Dataset<2>> {
        let shape = match self.images.shape() {
            [_, height, width] => [1, *height, *width],
            _ => {
                return Err(Error::Data {
                    what: format!("images are u8[n, height, width], not {}", self.images.describe()),
                });
            }
        };
        Dataset::new([Field::new(self.images).shape(&shape).normalize(normalize), Field::new(self.labels)])
    }
}

/// The file with this name or this name and `.gz`; the plain one if both exist.
fn find(folder: &Path, name: &str) -> Result<PathBuf> {
    let plain = folder.join(name);
    let gzip = folder.join(format!("{name}.gz"));
    match (plain.exists(), gzip.exists()) {
        (true, _) => Ok(plain),
        (_, true) => Ok(gzip),
        _ => Err(Error::Data { what: format!("{}: neither {name} nor {name}.gz is there", folder.display()) }),
    }
}

fn wrong(path: &Path, offset: u64, expected: String, found: String) -> Error {
    Error::DataFile { path: path.to_path_buf(), offset, expected, found }
}
