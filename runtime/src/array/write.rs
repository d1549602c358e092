//! Writing arrays: whoever else sees the elements keeps what he sees.

use super::{Array, Element, Few, Indices, lies};
use crate::array::with_element;
use crate::error::{Error, Result};

/// A part of an array that is being changed.
pub struct ArrayMut<'a> {
    /// Its elements are nobody else's.
    array: &'a mut Array,
    shape: Few<usize>,
    strides: Few<isize>,
    offset: usize,
}

impl Array {
    /// A part to be changed, as [`i`](Array::i) takes it. Clones and views of this array stay as they are.
    ///
    /// ```
    /// use castnet_runtime::Array;
    ///
    /// let mut x = Array::zeros::<f32>(&[2, 3]);
    /// let before = x.clone();
    /// x.slice_mut((.., 1))?.fill(7.0f32)?;
    /// assert_eq!(x.as_slice::<f32>()?, [0.0, 7.0, 0.0, 0.0, 7.0, 0.0]);
    /// assert_eq!(before, Array::zeros::<f32>(&[2, 3]));
    /// # Ok::<(), castnet_runtime::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an index is outside, the array is poisoned, or there is no memory for a copy.
    #[track_caller]
    pub fn slice_mut(&mut self, indices: impl Indices) -> Result<ArrayMut<'_>> {
        let indices = indices.indices();
        let part = self.i(&*indices);
        part.is_whole()?;
        drop(part);
        self.own()?;
        let Array { shape, strides, offset, .. } = self.i(&*indices);
        Ok(ArrayMut { array: self, shape, strides, offset })
    }

    /// Sets all elements.
    ///
    /// # Errors
    /// If they are not of type `T`, the array is poisoned, or there is no memory for a copy where others see the elements.
    pub fn fill<T: Element>(&mut self, value: T) -> Result<()> {
        self.as_mut_slice::<T>()?.fill(value);
        Ok(())
    }

    /// Takes the elements of an array of the same type, which is expanded to this shape.
    ///
    /// # Errors
    /// If type or shape differ, one of them is poisoned, or there is no memory for a copy where others see the elements.
    #[track_caller]
    pub fn copy_from(&mut self, other: &Array) -> Result<()> {
        self.slice_mut(&[][..])?.copy_from(other)
    }
}

impl ArrayMut<'_> {
    /// The sizes of the part.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Sets all elements of the part.
    ///
    /// # Errors
    /// If they are not of type `T`.
    pub fn fill<T: Element>(&mut self, value: T) -> Result<()> {
        self.array.check::<T>()?;
        self.each_run::<T>(|to| to.for_each(|to| *to = value))
    }

    /// Takes the elements of an array of the same type, which is expanded to the part's shape.
    ///
    /// # Errors
    /// If type or shape differ, or the array is poisoned.
    #[track_caller]
    pub fn copy_from(&mut self, other: &Array) -> Result<()> {
        other.is_whole()?;
        if other.dtype() != self.array.dtype() {
            return Err(Error::ElementType { found: other.dtype(), asked: self.array.dtype() });
        }
        let from = other.expand(&*self.shape);
        with_element!(other.dtype(), T => {
            let from = from.to_vec::<T>()?;
            let mut from = from.iter();
            self.each_run::<T>(|to| to.zip(&mut from).for_each(|(to, from)| *to = *from))
        })
    }

    /// The elements run by run along the last axis.
    fn each_run<T: Element>(&mut self, mut run: impl FnMut(&mut dyn Iterator<Item = &mut T>)) -> Result<()> {
        let (shape, strides) = (&self.shape, &self.strides);
        let (len, stride) = shape.last().map_or((1, 1), |&len| (len, strides[strides.len() - 1]));
        let elements = self.array.memory_mut()?.slice_mut::<T>();
        lies::rows(shape, strides, self.offset, |at| {
            // From the first one in memory on: it is the last one where the part goes backwards.
            let first = if stride < 0 { (at as isize + (len as isize - 1) * stride) as usize } else { at };
            let all = elements[first..].iter_mut().step_by(stride.unsigned_abs().max(1)).take(len);
            match stride < 0 {
                false => run(&mut { all }),
                true => run(&mut all.collect::<Vec<_>>().into_iter().rev()),
            }
        });
        Ok(())
    }
}
