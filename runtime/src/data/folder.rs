//! Pictures in folders, one a class.

use std::fs;
use std::path::{Path, PathBuf};

use crate::data::{BoxError, Examples, FieldMut, FieldType, Normalize, Random};
use crate::error::{Error, Result};
use crate::image::GreyImage;

/// PNG files in folders whose names are their classes (`torchvision.datasets.ImageFolder`), decoded as their batches are made:
/// `f32[1, height, width]`, grey, and `i64`, the class.
///
/// ```no_run
/// use castnet_runtime::data::{Dataset, ImageFolder, Normalize};
/// use castnet_runtime::train::Fit;
///
/// let folder = ImageFolder::open("flowers/train", [64, 64])?.normalize(Normalize { mean: 0.4, std: 0.3 })?;
/// println!("{:?}", folder.classes()); // ["daisy", "rose"]
/// let mut fit = Fit::new(&Dataset::of(folder)?, 32)?.epochs(5).prefetch(2)?;
/// # Ok::<(), castnet_runtime::Error>(())
/// ```
///
/// A source of one's own that reads from it ([`ImageFolder::image`]) may cut and mirror what it gives.
#[derive(Clone, Debug)]
pub struct ImageFolder {
    classes: Vec<String>,
    /// Each with the number of its class.
    files: Vec<(PathBuf, i64)>,
    size: [usize; 2],
    normalize: Normalize,
}

impl ImageFolder {
    /// The pictures in the folders of `folder`, at any depth, each brought to this height and width. Classes are numbered in the order of
    /// their names, and files come in the order of theirs. What is neither a folder nor called `.png` is passed over.
    ///
    /// # Errors
    /// If a folder cannot be read, there is no class, or a class has no picture.
    pub fn open(folder: impl AsRef<Path>, [height, width]: [usize; 2]) -> Result<ImageFolder> {
        let folder = folder.as_ref();
        let wrong = |at: &Path, what: &str| Error::Data { what: format!("{}: {what}", at.display()) };
        let (mut classes, mut files) = (vec![], vec![]);
        for entry in sorted(folder)?.into_iter().filter(|path| path.is_dir()) {
            let (class, before) = (classes.len() as i64, files.len());
            let name = entry.file_name().map(|name| name.to_string_lossy().into_owned());
            classes.push(name.unwrap_or_default());
            pictures(&entry, class, &mut files)?;
            if files.len() == before {
                return Err(wrong(&entry, "there is no PNG file in the folder of this class"));
            }
        }
        match classes.is_empty() {
            true => Err(wrong(folder, "there is no folder of a class in it")),
            false => {
                Ok(ImageFolder { classes, files, size: [height, width], normalize: Normalize { mean: 0.0, std: 1.0 } })
            }
        }
    }

    /// Pixels become `(p / 255 - mean) / std`; without it, `p / 255`.
    ///
    /// # Errors
    /// If `mean` or `std` is not finite, or `std` is 0.
    pub fn normalize(self, normalize: Normalize) -> Result<ImageFolder> {
        normalize.check()?;
        Ok(ImageFolder { normalize, ..self })
    }

    /// The names of the classes, by their numbers.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The file of an example, and its class.
    pub fn file(&self, example: usize) -> Option<(&Path, i64)> {
        self.files.get(example).map(|(path, class)| (path.as_path(), *class))
    }

    /// The picture of an example, as its file has it.
    ///
    /// # Errors
    /// If there is no such example, or as [`GreyImage::read_png`].
    pub fn image(&self, example: usize) -> Result<GreyImage> {
        let no_example = || Error::Data { what: format!("there are {} pictures, and no number {example}", self.len()) };
        GreyImage::read_png(self.file(example).ok_or_else(no_example)?.0)
    }
}

impl Examples<2> for ImageFolder {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn fields(&self) -> [FieldType; 2] {
        [FieldType::new::<f32>(&[1, self.size[0], self.size[1]]), FieldType::new::<i64>(&[])]
    }

    fn read(&self, example: usize, _: &mut Random, [image, class]: [FieldMut<'_>; 2]) -> Result<(), BoxError> {
        let read = self.image(example)?.resize(self.size[1], self.size[0])?;
        let pixels = image.into_slice::<f32>()?.iter_mut().zip(read.pixels());
        pixels.for_each(|(to, &pixel)| *to = self.normalize.pixel(pixel));
        class.write(&[self.files[example].1])?;
        Ok(())
    }
}

/// What a folder holds, by name.
fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || Error::io(folder, "cannot be read");
    let entries = fs::read_dir(folder).map_err(unreadable())?;
    let mut paths = entries.map(|e| Ok(e.map_err(unreadable())?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Adds the pictures below a folder.
fn pictures(folder: &Path, class: i64, files: &mut Vec<(PathBuf, i64)>) -> Result<()> {
    for path in sorted(folder)? {
        match path.is_dir() {
            true => pictures(&path, class, files)?,
            false if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("png")) => files.push((path, class)),
            false => {}
        }
    }
    Ok(())
}
