//! Examples: arrays whose rows belong together, and what a batch makes of each; or what a source reads.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use castnet_program::types::DType;

use crate::array::{Array, Element, with_element};
use crate::data::{BoxError, Examples, FieldMut, FieldType, Random};
use crate::error::{Error, Result, type_text};
use crate::panics::panic_message;

/// How many rows are copied in one go.
pub(crate) const TOGETHER: usize = 64;

/// Scales a pixel `p` of 0 to 255 to `(p / 255 - mean) / std`.
///
/// ```
/// use castnet_runtime::data::Normalize;
///
/// let unit = Normalize { mean: 0.0, std: 1.0 };
/// assert_eq!(unit.pixel(255), 1.0);
/// assert_eq!(Normalize::MNIST.pixel(0), -0.1307 / 0.3081);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalize {
    /// Taken from a pixel in 0 to 1.
    pub mean: f32,
    /// What the difference is divided by; finite and not 0.
    pub std: f32,
}

impl Normalize {
    /// Mean and standard deviation of MNIST's training images.
    pub const MNIST: Normalize = Normalize { mean: 0.1307, std: 0.3081 };

    /// The value of one pixel.
    pub fn pixel(self, pixel: u8) -> f32 {
        (f32::from(pixel) / 255.0 - self.mean) / self.std
    }

    /// All pixels of a `u8` array, as `f32` in the same shape.
    ///
    /// # Errors
    /// If the elements are not `u8`, `mean` or `std` is not finite, `std` is 0, or there is no memory for the result.
    pub fn apply(self, pixels: &Array) -> Result<Array> {
        self.check()?;
        let from = pixels.as_slice::<u8>()?;
        let mut to = Array::try_zeros::<f32>(pixels.shape())?;
        to.as_mut_slice::<f32>()?.iter_mut().zip(from).for_each(|(to, &from)| *to = self.pixel(from));
        Ok(to)
    }

    /// The value of each of the 256 pixels: a batch looks up instead of dividing.
    fn table(self) -> Box<[f32; 256]> {
        Box::new(std::array::from_fn(|pixel| self.pixel(pixel as u8)))
    }

    pub(crate) fn check(self) -> Result<()> {
        match self.mean.is_finite() && self.std.is_finite() && self.std != 0.0 {
            true => Ok(()),
            false => Err(Error::Data {
                what: format!("normalize: mean = {} and std = {} must be finite, and std not 0", self.mean, self.std),
            }),
        }
    }
}

/// One array of a [`Dataset`], with an example in each row of its first axis.
#[derive(Clone, Debug)]
pub struct Field {
    array: Array,
    shape: Option<Vec<usize>>,
    normalize: Option<Normalize>,
}

impl Field {
    /// Examples as they are: a batch has the array's element type and all its axes but the first.
    pub fn new(array: Array) -> Field {
        Field { array, shape: None, normalize: None }
    }

    /// Gives each example this shape (without the axis of the examples): `&[1, 28, 28]` adds an axis of channels to 28 × 28 images.
    pub fn shape(mut self, example: &[usize]) -> Field {
        self.shape = Some(example.to_vec());
        self
    }

    /// Makes `f32` of `u8` pixels; see [`Normalize`].
    pub fn normalize(mut self, normalize: Normalize) -> Field {
        self.normalize = Some(normalize);
        self
    }
}

/// A checked field: the rows can be gathered without any further mistake.
struct Rows {
    array: Array,
    table: Option<Box<[f32; 256]>>,
}

/// Examples of `FIELDS` fields each, given out in batches by [`Batches`](crate::data::Batches): the rows of arrays, or what a
/// [source](Examples) reads. Clones are the same set.
///
/// ```
/// use castnet_runtime::Array;
/// use castnet_runtime::data::{Dataset, Field, Normalize};
///
/// let images = Array::zeros::<u8>(&[100, 28, 28]);
/// let labels = Array::zeros::<u8>(&[100]);
/// let data = Dataset::new([Field::new(images).shape(&[1, 28, 28]).normalize(Normalize::MNIST), Field::new(labels)])?;
/// assert_eq!(data.len(), 100);
/// # Ok::<(), castnet_runtime::Error>(())
/// ```
#[derive(Clone)]
pub struct Dataset<const FIELDS: usize>(Arc<Set<FIELDS>>);

struct Set<const FIELDS: usize> {
    len: usize,
    /// Of an example in a batch.
    fields: [FieldType; FIELDS],
    source: Source<FIELDS>,
}

enum Source<const FIELDS: usize> {
    Rows([Rows; FIELDS]),
    Read(Box<dyn Examples<FIELDS>>),
}

/// An example that could not be read.
pub(crate) struct Unread {
    pub(crate) example: usize,
    pub(crate) source: BoxError,
}

impl<const FIELDS: usize> Dataset<FIELDS> {
    /// A set of the examples in these fields.
    ///
    /// # Errors
    /// If there is no field, one is a scalar, their first axes differ, a shape for examples has another number of elements than an
    /// example, an element type has no Rust type (`f16`, `bf16`), or [`Normalize`] is asked for elements other than `u8` or cannot divide.
    pub fn new(fields: [Field; FIELDS]) -> Result<Dataset<FIELDS>> {
        let first = fields.first().and_then(|f| f.array.shape().first().copied());
        let Some(len) = first else {
            return Err(Error::Data { what: "a dataset wants fields with an axis of examples".to_string() });
        };
        for (i, field) in fields.iter().enumerate() {
            check(field, len).map_err(|what| Error::Data { what: format!("field {i} of the dataset: {what}") })?;
            field.normalize.map_or(Ok(()), Normalize::check)?;
        }
        let types = fields.each_ref().map(|field| FieldType {
            dtype: if field.normalize.is_some() { DType::F32 } else { field.array.dtype() },
            shape: field.shape.clone().unwrap_or_else(|| field.array.shape().iter().skip(1).copied().collect()),
        });
        let rows = fields.map(|field| Rows { array: field.array, table: field.normalize.map(Normalize::table) });
        Ok(Dataset(Arc::new(Set { len, fields: types, source: Source::Rows(rows) })))
    }

    /// A set of what a source reads, whenever a batch asks for it.
    ///
    /// # Errors
    /// If there is no field, or the elements of one have no numbers.
    pub fn of(source: impl Examples<FIELDS> + 'static) -> Result<Dataset<FIELDS>> {
        let (len, fields) = (source.len(), source.fields());
        if fields.is_empty() {
            return Err(Error::Data { what: "a source of examples without a field".to_string() });
        }
        let uncounted = |field: &&FieldType| field.count().is_none_or(|n| n.checked_mul(field.dtype.bytes()).is_none());
        if let Some(field) = fields.iter().find(uncounted) {
            let what = format!("{} has more elements than there can be", field.describe());
            return Err(Error::Data { what });
        }
        Ok(Dataset(Arc::new(Set { len, fields, source: Source::Read(Box::new(source)) })))
    }

    /// The number of examples.
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The type of each field of an example, as a batch has it.
    pub fn fields(&self) -> &[FieldType; FIELDS] {
        &self.0.fields
    }

    /// Whether a source reads the examples.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self.0.source, Source::Read(_))
    }

    /// Zeros with room for `n` examples in each field.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub(crate) fn room(&self, n: usize) -> Result<[Array; FIELDS]> {
        let mut room = std::array::from_fn(|_| Array::scalar(0u8));
        for (to, field) in room.iter_mut().zip(&self.0.fields) {
            let shape: Vec<_> = std::iter::once(n).chain(field.shape.iter().copied()).collect();
            *to = Array::try_zeros_of(field.dtype, &shape)?;
        }
        Ok(room)
    }

    /// How many bytes [`Dataset::room`] takes, or more than there are numbers for.
    pub(crate) fn bytes(&self, n: usize) -> usize {
        let field = |f: &FieldType| f.count().unwrap_or(usize::MAX).saturating_mul(f.dtype.bytes());
        self.0.fields.iter().map(field).fold(0, usize::saturating_add).saturating_mul(n)
    }

    /// How many examples [`Dataset::read`] takes in one go, at most.
    pub(crate) fn together(&self) -> usize {
        match self.0.source {
            Source::Rows(_) => TOGETHER,
            Source::Read(_) => 1,
        }
    }

    /// Brings the examples with these numbers, [so many](Dataset::together) at most, to their place, as they are in this epoch.
    pub(crate) fn read(
        &self,
        examples: &[usize],
        seed: u64,
        epoch: u64,
        mut to: [FieldMut<'_>; FIELDS],
    ) -> Result<(), Unread> {
        let Some(&example) = examples.first() else { return Ok(()) };
        let read = match &self.0.source {
            Source::Rows(rows) => rows.iter().zip(to).try_for_each(|(rows, to)| Ok(rows.gather(examples, to)?)),
            Source::Read(source) => {
                to.iter_mut().for_each(|field| field.elements.clear());
                let mut random = Random::of_example(seed, epoch, example);
                let read = catch_unwind(AssertUnwindSafe(|| source.read(example, &mut random, to)));
                read.unwrap_or_else(|payload| Err(format!("its source panicked: {}", panic_message(payload)).into()))
            }
        };
        read.map_err(|source| Unread { example, source })
    }
}

impl<const FIELDS: usize> fmt::Debug for Dataset<FIELDS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<_> = self.fields().iter().map(FieldType::describe).collect();
        write!(f, "Dataset({} examples of {})", self.len(), fields.join(", "))
    }
}

impl Rows {
    fn gather(&self, examples: &[usize], to: FieldMut<'_>) -> Result<()> {
        let len = to.ty.count().unwrap_or(0);
        if let Some(table) = &self.table {
            let pixel = |to: &mut f32, from: &u8| *to = table[usize::from(*from)];
            return copy(examples, len, self.array.as_slice::<u8>()?, to.into_slice()?, pixel);
        }
        fn same<T: Element>(examples: &[usize], len: usize, from: &Array, to: FieldMut<'_>) -> Result<()> {
            copy(examples, len, from.as_slice::<T>()?, to.into_slice::<T>()?, |to, from| *to = *from)
        }
        with_element!(self.array.dtype(), T => same::<T>(examples, len, &self.array, to))
    }
}

fn copy<A, B>(examples: &[usize], len: usize, from: &[A], to: &mut [B], element: impl Fn(&mut B, &A)) -> Result<()> {
    if len == 0 {
        return Ok(());
    }
    for (&example, to) in examples.iter().zip(to.chunks_exact_mut(len)) {
        let from = &from[example * len..][..len];
        to.iter_mut().zip(from).for_each(|(to, from)| element(to, from));
    }
    Ok(())
}

fn check(field: &Field, len: usize) -> Result<(), String> {
    let (dtype, shape) = (field.array.dtype(), field.array.shape());
    match shape.first() {
        Some(&n) if n == len => {}
        Some(n) => return Err(format!("{n} examples, but field 0 has {len}")),
        None => return Err("a scalar has no axis of examples".to_string()),
    }
    if let Some(example) = &field.shape {
        let wanted = example.iter().try_fold(1usize, |n, &size| n.checked_mul(size));
        if wanted != Some(shape[1..].iter().product()) {
            return Err(format!(
                "an example is {}, which does not fill the shape {example:?}",
                type_text(dtype, &shape[1..])
            ));
        }
    }
    match dtype {
        DType::U8 => Ok(()),
        _ if field.normalize.is_some() => {
            Err(format!("normalize takes u8 pixels, the array is {}", field.array.describe()))
        }
        _ => Ok(()),
    }
}
