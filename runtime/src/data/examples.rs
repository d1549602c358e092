//! Examples that a program of the user's reads one by one: files that are decoded, pictures that are cut and mirrored.

use castnet_program::types::DType;

use crate::array::{Array, Element, SliceMut, Wrap};
use crate::data::Random;
pub use crate::engine::BoxError;
use crate::error::{Error, Result, type_text};

/// A source of examples of `FIELDS` fields, such as an image and its class (`torch.utils.data.Dataset`); a
/// [`Dataset`](crate::data::Dataset) is made of it by [`Dataset::of`](crate::data::Dataset::of).
///
/// Examples are read when their batch is made, those of one batch side by side by the threads of the process's engine
/// ([`Engine::global`](crate::engine::Engine::global)), and with [`Batches::prefetch`](crate::data::Batches::prefetch) while the program
/// computes with the batches before it. So `read` takes `&self`, and what it gives should depend on nothing but its arguments.
///
/// ```
/// use castnet_runtime::data::{Batches, BoxError, Dataset, Examples, FieldMut, FieldType, Random};
///
/// /// The squares of the first numbers, with noise.
/// struct Squares(usize);
///
/// impl Examples<2> for Squares {
///     fn len(&self) -> usize { self.0 }
///
///     fn fields(&self) -> [FieldType; 2] {
///         [FieldType::new::<f32>(&[2]), FieldType::new::<i64>(&[])]
///     }
///
///     fn read(&self, example: usize, random: &mut Random, [x, y]: [FieldMut<'_>; 2]) -> Result<(), BoxError> {
///         x.write(&[example as f32, random.unit() as f32])?;
///         y.write(&[(example * example) as i64])?;
///         Ok(())
///     }
/// }
///
/// let mut batches = Batches::new(&Dataset::of(Squares(5))?, 2)?.shuffle(1).prefetch(2)?;
/// while let Some([x, y]) = batches.next_batch()? {
///     assert_eq!(x.as_slice::<f32>()?[0].powi(2), y.as_slice::<i64>()?[0] as f32);
/// }
/// # Ok::<(), castnet_runtime::Error>(())
/// ```
#[doc(alias = "__getitem__")]
pub trait Examples<const FIELDS: usize>: Send + Sync {
    /// The number of examples. It is asked for once.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The type of each field of an example, the same for all. It is asked for once.
    fn fields(&self) -> [FieldType; FIELDS];

    /// Reads an example, of a number below [`Examples::len`], into its place in a batch. What is not written is 0. `random` is that of this
    /// example in this epoch ([`Random::of_example`]).
    ///
    /// # Errors
    /// Whatever is wrong with the example, which should name its file. It is told, with the number of the example, by the call that would
    /// give its batch, as a panic is; the batches after that can still be had.
    fn read(&self, example: usize, random: &mut Random, fields: [FieldMut<'_>; FIELDS]) -> Result<(), BoxError>;
}

/// Element type and shape of a field of an example: `f32[1, 28, 28]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldType {
    pub(crate) dtype: DType,
    pub(crate) shape: Vec<usize>,
}

impl FieldType {
    /// A field of this shape, without the axis of the examples; `&[]` of a single value.
    pub fn new<T: Element>(shape: &[usize]) -> FieldType {
        FieldType { dtype: T::DTYPE, shape: shape.to_vec() }
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The shape of an example.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of elements; `None`: more than there are numbers for.
    pub(crate) fn count(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size))
    }

    pub(crate) fn describe(&self) -> String {
        type_text(self.dtype, &self.shape)
    }
}

/// The place of a field of one example in a batch, all 0 at first.
pub struct FieldMut<'a> {
    pub(super) ty: &'a FieldType,
    pub(super) elements: SliceMut<'a>,
}

impl<'a> FieldMut<'a> {
    /// Element type and shape.
    pub fn ty(&self) -> &'a FieldType {
        self.ty
    }

    /// The elements in row-major order.
    ///
    /// # Errors
    /// If they are not of type `T`.
    pub fn into_slice<T: Element>(self) -> Result<&'a mut [T]> {
        let found = self.elements.dtype();
        <T as Wrap>::unwrap_mut(self.elements).ok_or(Error::ElementType { found, asked: T::DTYPE })
    }

    /// Writes all elements, in row-major order.
    ///
    /// # Errors
    /// If they are of another type, or not as many.
    pub fn write<T: Element>(self, elements: &[T]) -> Result<()> {
        let ty = self.ty;
        let to = self.into_slice::<T>()?;
        if to.len() != elements.len() {
            let (found, expected) = (elements.len(), to.len());
            return Err(Error::ElementCount { shape: ty.shape.clone(), found, expected });
        }
        to.copy_from_slice(elements);
        Ok(())
    }

    /// Writes an array of the field's type and shape, of any layout: `image.flip([-1])`.
    ///
    /// # Errors
    /// If type or shape is another, or the array is poisoned.
    pub fn set(self, array: &Array) -> Result<()> {
        if array.dtype() != self.ty.dtype || array.shape() != self.ty.shape {
            let (declared, found) = (self.ty.describe(), array.describe());
            return Err(Error::Data { what: format!("a field is {declared}, and what was read {found}") });
        }
        let array = array.contiguous();
        crate::array::with_element!(array.dtype(), T => self.write::<T>(array.as_slice()?))
    }
}
