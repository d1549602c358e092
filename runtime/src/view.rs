//! Arguments and results in memory of the caller's: parts of slices, by strides; and arguments that results take the place of.
//!
//! For those who compile programs while theirs runs. A function says which of its arguments and results may lie by strides
//! ([`Named::strided`](castnet_program::program::Named::strided)); all others lie row-major, wherever in their slice they begin.

use std::marker::PhantomData;
use std::ops::Range;

use castnet_program::types::DType;

use crate::array::{Array, Element, Slice, with_ints};
use crate::memory::Shared;

/// Elements of a slice: element `(i, j, …)` is number `offset + Σ strides · index`. Strides are counted in elements, and may be 0 or negative.
///
/// Whether that is inside the slice is found when a call is given the view.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    elements: Slice<'a>,
    lies: Lies<'a>,
}

impl<'a> View<'a> {
    /// A view of this shape.
    pub fn new<T: Element>(elements: &'a [T], shape: &'a [usize], strides: &'a [i64], offset: i64) -> View<'a> {
        let elements = T::wrap(elements);
        View { elements, lies: Lies { shape, strides, offset, len: elements.len() } }
    }
}

/// As [`View`], of elements that a call may write: no two of its elements may be one, so no stride is 0.
#[derive(Debug)]
pub struct ViewMut<'a> {
    dtype: DType,
    start: Shared<u8>,
    lies: Lies<'a>,
    elements: PhantomData<&'a mut [u8]>,
}

impl<'a> ViewMut<'a> {
    /// A view of this shape.
    pub fn new<T: Element>(elements: &'a mut [T], shape: &'a [usize], strides: &'a [i64], offset: i64) -> ViewMut<'a> {
        let lies = Lies { shape, strides, offset, len: elements.len() };
        ViewMut { dtype: T::DTYPE, start: Shared::new(elements.as_mut_ptr().cast()), lies, elements: PhantomData }
    }
}

/// An argument of a call of [`Model::infer_into`](crate::Model::infer_into).
#[derive(Debug)]
pub enum Argument<'a> {
    /// It is read.
    Read(View<'a>),
    /// It is read, and a result lies in its place when the call is done ([`Output::Donated`]).
    Donated(ViewMut<'a>),
}

/// Where a result of a call of [`Model::infer_into`](crate::Model::infer_into) goes.
#[derive(Debug)]
pub enum Output<'a> {
    /// Into memory of its own.
    Write(ViewMut<'a>),
    /// In the place of argument number `.0`, which is [`Argument::Donated`].
    Donated(usize),
}

/// How elements lie in a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lies<'a> {
    pub(crate) shape: &'a [usize],
    pub(crate) strides: &'a [i64],
    pub(crate) offset: i64,
    /// Elements of the slice.
    pub(crate) len: usize,
}

/// What a call is given for an argument.
pub(crate) trait Given {
    fn dtype(&self) -> DType;
    fn shape(&self) -> &[usize];
    /// `None`: row-major, and all that there is.
    fn lies(&self) -> Option<Lies<'_>>;
    /// Where the element lies whose indices are all 0, to be written through if it is donated.
    fn first(&self) -> Shared<u8>;
    /// The first element outside a range, with its position in row-major order; `None` also where there are no integers.
    fn first_outside(&self, range: &Range<i64>, or: Option<i64>) -> Option<(usize, i64)>;

    fn is_empty(&self) -> bool {
        self.shape().contains(&0)
    }

    /// Type and shape in words.
    fn describe(&self) -> String {
        crate::error::type_text(self.dtype(), self.shape())
    }
}

impl Given for &Array {
    fn dtype(&self) -> DType {
        Array::dtype(self)
    }

    fn shape(&self) -> &[usize] {
        Array::shape(self)
    }

    fn lies(&self) -> Option<Lies<'_>> {
        None
    }

    fn first(&self) -> Shared<u8> {
        Shared::new(self.as_ptr().cast_mut())
    }

    fn first_outside(&self, range: &Range<i64>, or: Option<i64>) -> Option<(usize, i64)> {
        Array::first_outside(self, range, or)
    }
}

impl Given for Argument<'_> {
    fn dtype(&self) -> DType {
        match self {
            Argument::Read(view) => view.elements.dtype(),
            Argument::Donated(view) => view.dtype,
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Argument::Read(View { lies, .. }) | Argument::Donated(ViewMut { lies, .. }) => lies.shape,
        }
    }

    fn lies(&self) -> Option<Lies<'_>> {
        match self {
            Argument::Read(View { lies, .. }) | Argument::Donated(ViewMut { lies, .. }) => Some(*lies),
        }
    }

    fn first(&self) -> Shared<u8> {
        match self {
            Argument::Read(view) => view.lies.first(view.elements.as_ptr().cast_mut(), view.elements.dtype()),
            Argument::Donated(view) => view.first(),
        }
    }

    fn first_outside(&self, range: &Range<i64>, or: Option<i64>) -> Option<(usize, i64)> {
        match self {
            Argument::Read(view) => with_ints!(view.elements, elements => view.lies.first_outside(elements, range, or)),
            // Numbers that must lie in a range are not donated.
            Argument::Donated(_) => None,
        }
    }
}

impl ViewMut<'_> {
    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    pub(crate) fn lies(&self) -> Lies<'_> {
        self.lies
    }

    /// Where the element lies whose indices are all 0.
    pub(crate) fn first(&self) -> Shared<u8> {
        self.lies.first(self.start.0, self.dtype)
    }
}

impl Lies<'_> {
    fn first(&self, start: *mut u8, dtype: DType) -> Shared<u8> {
        Shared::new(start.wrapping_offset((self.offset as isize).wrapping_mul(dtype.bytes() as isize)))
    }

    fn first_outside<T: Copy + Into<i64>>(
        &self,
        elements: &[T],
        range: &Range<i64>,
        or: Option<i64>,
    ) -> Option<(usize, i64)> {
        let mut numbers = self.positions().map(|at| elements[at].into()).enumerate();
        numbers.find(|(_, x)| !range.contains(x) && or != Some(*x))
    }

    /// The numbers of all elements, in row-major order; that they are inside the slice was found before.
    fn positions(&self) -> impl Iterator<Item = usize> {
        let count = self.shape.iter().fold(1usize, |count, size| count.saturating_mul(*size));
        (0..count).map(|mut number| {
            let mut at = self.offset;
            for (&size, stride) in self.shape.iter().zip(self.strides).rev() {
                at += (number % size) as i64 * stride;
                number /= size;
            }
            at as usize
        })
    }
}
