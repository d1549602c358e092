//! The host tensor: what goes into networks and comes out of them.
//!
//! An array is a value: a shape and strides over counted memory. Clones and views share the memory, and whoever writes has a copy of his own first if
//! somebody else sees it, so nothing changes under one's hands.

mod convert;
mod create;
mod element;
mod index;
mod lies;
mod print;
mod views;
mod write;

use std::io::{self, Write};
use std::panic::Location;
use std::sync::Arc;

use castnet_program::types::DType;
use smallvec::SmallVec;

use crate::error::{Error, Mistake, Result};
use crate::memory::{Memory, collected};
pub use element::Element;
pub(crate) use element::{Slice, SliceMut, Wrap, with_element, with_ints};
pub use index::{Index, Indices};
pub use views::{Axes, Sizes};
pub use write::ArrayMut;

/// Sizes or strides of a few axes, without an allocation.
type Few<T> = SmallVec<[T; 6]>;

/// A tensor in the host's memory: element type, shape, and elements that it shares with its clones and views until one of them is written.
///
/// ```
/// use castnet_runtime::Array;
///
/// let a = Array::from_vec(&[2, 3], vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// assert_eq!(a.shape(), [2, 3]);
/// assert_eq!(a.as_slice::<f32>()?[4], 5.0);
///
/// let column = a.i((.., 1));
/// assert_eq!(column.to_vec::<f32>()?, [2.0, 5.0]);
/// let mut b = a.clone();
/// b.fill(0.0f32)?;
/// assert_eq!(column.to_vec::<f32>()?, [2.0, 5.0]);
/// # Ok::<(), castnet_runtime::Error>(())
/// ```
///
/// What makes an array of arrays returns an `Array`, never a `Result`: a mistake makes one that is *poisoned*. It carries what was wrong, with the
/// operator and its line in the program, through everything that is made of it, and whoever reads it gets that as an `Err`.
///
/// ```
/// # use castnet_runtime::Array;
/// let a = Array::zeros::<f32>(&[2, 3]);
/// let wrong = a.reshape([4, 2]).transpose(0, 1);
/// let error = wrong.to_vec::<f32>().unwrap_err().to_string();
/// assert!(error.starts_with("`reshape` (") && error.ends_with("): f32[2, 3] has 6 elements, not those of [4, 2]"));
/// ```
#[derive(Clone)]
pub struct Array {
    dtype: DType,
    shape: Few<usize>,
    /// In elements.
    strides: Few<isize>,
    /// The element whose indices are all 0.
    offset: usize,
    held: Held,
}

#[derive(Clone)]
enum Held {
    Elements(Arc<Memory>),
    Poisoned(Arc<Mistake>),
}

impl Array {
    /// Zeros (`false`).
    ///
    /// # Panics
    /// If there is no memory for so many, as a `Vec`: [`Array::try_zeros`] gives an `Err`.
    pub fn zeros<T: Element>(shape: &[usize]) -> Array {
        Array::zeros_of(T::DTYPE, shape)
    }

    /// Zeros of an element type known only when the program runs.
    ///
    /// # Panics
    /// As [`Array::zeros`].
    pub fn zeros_of(dtype: DType, shape: &[usize]) -> Array {
        Array::try_zeros_of(dtype, shape).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Zeros (`false`).
    ///
    /// # Errors
    /// If there is no memory for so many.
    pub fn try_zeros<T: Element>(shape: &[usize]) -> Result<Array> {
        Array::try_zeros_of(T::DTYPE, shape)
    }

    /// Zeros of an element type known only when the program runs.
    ///
    /// # Errors
    /// If there is no memory for so many.
    pub fn try_zeros_of(dtype: DType, shape: &[usize]) -> Result<Array> {
        Array::zeros_for(dtype, shape, || crate::error::type_text(dtype, shape))
    }

    /// The same, for what `name` says.
    pub(crate) fn zeros_for(dtype: DType, shape: &[usize], name: impl FnOnce() -> String) -> Result<Array> {
        let bytes = count_of(shape).saturating_mul(dtype.bytes());
        match Memory::zeroed(bytes) {
            Some(memory) => Ok(Array::whole(dtype, shape, memory)),
            None => Err(Error::Memory { function: name(), bytes }),
        }
    }

    /// All of some memory, in row-major order.
    fn whole(dtype: DType, shape: &[usize], memory: Memory) -> Array {
        let held = Held::Elements(Arc::new(memory));
        Array { dtype, shape: shape.into(), strides: lies::row_major(shape), offset: 0, held }
    }

    /// One that carries a mistake.
    fn poisoned(&self, operator: &'static str, location: &'static Location<'static>, what: String) -> Array {
        Array { held: Held::Poisoned(Arc::new(Mistake { operator, location, what })), ..self.clone() }
    }

    /// A tensor of this shape from its elements in row-major order.
    ///
    /// # Errors
    /// If the number of elements is not the product of the shape, or there is no memory for so many.
    pub fn from_vec<T: Element>(shape: &[usize], elements: Vec<T>) -> Result<Array> {
        Array::from_slice(shape, &elements)
    }

    /// As [`Array::from_vec`], from borrowed elements.
    ///
    /// # Errors
    /// If the number of elements is not the product of the shape, or there is no memory for so many.
    pub fn from_slice<T: Element>(shape: &[usize], elements: &[T]) -> Result<Array> {
        let expected = count_of(shape);
        if elements.len() != expected {
            return Err(Error::ElementCount { shape: shape.to_vec(), found: elements.len(), expected });
        }
        let mut array = Array::try_zeros::<T>(shape)?;
        array.as_mut_slice()?.copy_from_slice(elements);
        Ok(array)
    }

    /// A scalar: the shape is empty.
    pub fn scalar<T: Element>(value: T) -> Array {
        Array::from_slice(&[], &[value]).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The sizes, outermost axis first; empty for a scalar. Of a poisoned array those of what it was to be made of.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// By how many elements the place in memory moves on from one index of an axis to the next; 0 or negative in some views.
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        count_of(&self.shape)
    }

    /// Whether a size is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the elements lie one after the other in row-major order.
    pub fn is_contiguous(&self) -> bool {
        lies::is_row_major(&self.shape, &self.strides)
    }

    /// Where the elements of a contiguous array lie: none lie anywhere.
    fn range(&self) -> std::ops::Range<usize> {
        let start = if self.is_empty() { 0 } else { self.offset };
        start..start + self.len()
    }

    /// # Errors
    /// If something went wrong on the way to this array.
    pub(crate) fn is_whole(&self) -> Result<()> {
        self.memory().map(drop)
    }

    fn memory(&self) -> Result<&Arc<Memory>> {
        match &self.held {
            Held::Elements(memory) => Ok(memory),
            Held::Poisoned(mistake) => Err(Error::Operator(mistake.clone())),
        }
    }

    /// The first element outside a range, with its position; `None` also for arrays of no integer type. The array is contiguous.
    pub(crate) fn first_outside(&self, range: &std::ops::Range<i64>, or: Option<i64>) -> Option<(usize, i64)> {
        type Range = std::ops::Range<i64>;
        fn find<T: Element + Copy + Into<i64>>(array: &Array, range: &Range, or: Option<i64>) -> Option<(usize, i64)> {
            let mut elements = array.as_slice::<T>().ok()?.iter().map(|&x| x.into()).enumerate();
            elements.find(|&(_, x)| !range.contains(&x) && or != Some(x))
        }
        match self.dtype() {
            DType::I8 => find::<i8>(self, range, or),
            DType::U8 => find::<u8>(self, range, or),
            DType::I16 => find::<i16>(self, range, or),
            DType::I32 => find::<i32>(self, range, or),
            DType::U32 => find::<u32>(self, range, or),
            DType::I64 => find::<i64>(self, range, or),
            DType::F32 | DType::F16 | DType::BF16 | DType::F64 | DType::Bool => None,
        }
    }

    /// Whether no element is infinite or NaN. The array is contiguous.
    pub(crate) fn is_finite(&self) -> bool {
        fn all<T: Element>(array: &Array, is_finite: impl Fn(&T) -> bool) -> bool {
            array.as_slice::<T>().is_ok_and(|elements| elements.iter().all(is_finite))
        }
        match self.dtype() {
            DType::F32 => all(self, |x: &f32| x.is_finite()),
            DType::F64 => all(self, |x: &f64| x.is_finite()),
            DType::F16 => all(self, |x: &half::f16| x.is_finite()),
            DType::BF16 => all(self, |x: &half::bf16| x.is_finite()),
            DType::I8 | DType::U8 | DType::I16 | DType::I32 | DType::U32 | DType::I64 | DType::Bool => true,
        }
    }

    /// The elements in row-major order, where they lie so.
    ///
    /// # Errors
    /// If they are not of type `T`; if they lie otherwise: then [`contiguous`](Array::contiguous) and [`to_vec`](Array::to_vec) make a copy; if the array is
    /// poisoned.
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        self.check::<T>()?;
        let memory = self.memory()?;
        match self.is_contiguous() {
            true => Ok(&memory.slice()[self.range()]),
            false => Err(Error::NotContiguous { found: self.describe(), strides: self.strides.to_vec() }),
        }
    }

    /// A copy of the elements in row-major order.
    ///
    /// # Errors
    /// If they are not of type `T`, there is no memory for so many, or the array is poisoned.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        self.check::<T>()?;
        let elements = self.memory()?.slice::<T>();
        let no_memory = || Error::Memory { function: self.describe(), bytes: self.len() * size_of::<T>() };
        let mut all = collected(self.len(), std::iter::empty()).ok_or_else(no_memory)?;
        self.for_each_run(elements, |run| all.extend(run));
        Ok(all)
    }

    /// The elements run by run along the last axis.
    fn for_each_run<T: Copy>(&self, elements: &[T], mut run: impl FnMut(&mut dyn Iterator<Item = T>)) {
        if self.is_contiguous() {
            return run(&mut elements[self.range()].iter().copied());
        }
        let (len, stride) = (self.shape[self.shape.len() - 1], self.strides[self.shape.len() - 1]);
        lies::rows(&self.shape, &self.strides, self.offset, |at| match stride {
            1 => run(&mut elements[at..at + len].iter().copied()),
            _ => run(&mut (0..len as isize).map(|i| elements[(at as isize + i * stride) as usize])),
        });
    }

    /// The elements in row-major order, to be changed: an array can be filled again and again without allocation. If clones or views share them, or they lie
    /// otherwise, this array has a copy from then on.
    ///
    /// # Errors
    /// If they are not of type `T`, there is no memory for a copy, or the array is poisoned.
    pub fn as_mut_slice<T: Element>(&mut self) -> Result<&mut [T]> {
        self.check::<T>()?;
        self.own()?;
        let range = self.range();
        Ok(&mut self.memory_mut()?.slice_mut()[range])
    }

    /// From now on nobody else sees the elements, and they lie in row-major order.
    fn own(&mut self) -> Result<()> {
        let is_own = match &mut self.held {
            Held::Elements(memory) => Arc::get_mut(memory).is_some(),
            Held::Poisoned(_) => false,
        };
        if !is_own || !self.is_contiguous() {
            *self = self.copied()?;
        }
        Ok(())
    }

    /// The memory of an array that is its [own](Array::own).
    fn memory_mut(&mut self) -> Result<&mut Memory> {
        let memory = match &mut self.held {
            Held::Elements(memory) => Arc::get_mut(memory),
            Held::Poisoned(_) => None,
        };
        memory.ok_or_else(|| Error::Data { what: "internal: an array is written that others see".to_string() })
    }

    /// The only element, of an array of any rank.
    ///
    /// # Errors
    /// If there is not exactly one element, it is not of type `T`, or the array is poisoned.
    pub fn item<T: Element>(&self) -> Result<T> {
        self.check::<T>()?;
        let elements = self.memory()?.slice::<T>();
        match self.len() {
            1 => Ok(elements[self.offset]),
            _ => Err(Error::NotScalar { found: self.describe() }),
        }
    }

    /// The same elements in row-major order: this array, if they lie so, else a copy.
    #[must_use]
    #[track_caller]
    pub fn contiguous(&self) -> Array {
        match self.is_contiguous() || self.memory().is_err() {
            true => self.clone(),
            false => match self.copied() {
                Ok(copy) => copy,
                Err(error) => self.poisoned("contiguous", Location::caller(), error.to_string()),
            },
        }
    }

    /// Type and shape in words: `f32[2, 3]`, a scalar as `f32`.
    pub fn describe(&self) -> String {
        crate::error::type_text(self.dtype, &self.shape)
    }

    /// The byte that the element of indices 0 begins at; null where the array is poisoned.
    pub(crate) fn as_ptr(&self) -> *const u8 {
        let start = self.memory().map_or(std::ptr::null(), |memory| memory.as_ptr());
        start.wrapping_add(self.offset * self.dtype.bytes())
    }

    /// The first byte, to be written through; the array is not shared.
    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        // At once where nothing is to be done, which is asked for in every call of a network.
        if self.is_contiguous()
            && let Held::Elements(memory) = &mut self.held
            && let Some(memory) = Arc::get_mut(memory)
        {
            return memory.as_mut_ptr().wrapping_add(self.offset * self.dtype.bytes());
        }
        self.bytes_mut().as_mut_ptr()
    }

    /// Where the elements begin, to be written through: they lie in row-major order, nobody else sees them, and they may be any.
    ///
    /// # Errors
    /// If others see them, and there is no memory for new ones.
    pub(crate) fn fresh(&mut self) -> Result<*mut u8> {
        let is_own = match &mut self.held {
            Held::Elements(memory) => Arc::get_mut(memory).is_some(),
            Held::Poisoned(_) => false,
        };
        if !is_own || !self.is_contiguous() {
            *self = Array::try_zeros_of(self.dtype, &self.shape)?;
        }
        Ok(self.as_mut_ptr())
    }

    /// Sets all elements, by their numbers in row-major order, each rounded to the array's type. The array is not shared.
    pub(crate) fn fill_by(&mut self, value: impl Fn(usize) -> f64) {
        fn fill<T: Element>(array: &mut Array, value: impl Fn(usize) -> f64, round: impl Fn(f64) -> T) {
            if let Ok(elements) = array.as_mut_slice() {
                elements.iter_mut().enumerate().for_each(|(i, to)| *to = round(value(i)));
            }
        }
        match self.dtype {
            DType::F32 => fill(self, value, |x| x as f32),
            DType::F64 => fill(self, value, |x| x),
            DType::I8 => fill(self, value, |x| x as i8),
            DType::U8 => fill(self, value, |x| x as u8),
            DType::I16 => fill(self, value, |x| x as i16),
            DType::I32 => fill(self, value, |x| x as i32),
            DType::U32 => fill(self, value, |x| x as u32),
            DType::I64 => fill(self, value, |x| x as i64),
            DType::Bool => fill(self, value, |x| x != 0.0),
            DType::F16 => fill(self, value, half::f16::from_f64),
            DType::BF16 => fill(self, value, half::bf16::from_f64),
        }
    }

    /// Writes the elements as little-endian bytes. The array is contiguous.
    pub(crate) fn write_le(&self, to: &mut dyn Write) -> io::Result<()> {
        if cfg!(target_endian = "little") {
            return to.write_all(self.bytes());
        }
        let width = self.dtype.bytes();
        let mut piece = [0; 1024];
        for bytes in self.bytes().chunks(piece.len()) {
            let piece = &mut piece[..bytes.len()];
            piece.copy_from_slice(bytes);
            piece.chunks_exact_mut(width).for_each(<[u8]>::reverse);
            to.write_all(piece)?;
        }
        Ok(())
    }

    /// Sets whole elements, the first of which starts at this byte, from little-endian bytes. Those of `bool` must be 0 or 1.
    pub(crate) fn set_le_bytes(&mut self, start: usize, bytes: &[u8]) {
        let width = self.dtype.bytes();
        let own = &mut self.bytes_mut()[start..start + bytes.len()];
        own.copy_from_slice(bytes);
        if cfg!(target_endian = "big") {
            own.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        }
    }

    /// The same elements once more, in row-major order.
    ///
    /// # Errors
    /// If there is no memory for them, or the array is poisoned.
    pub(crate) fn copied(&self) -> Result<Array> {
        let from = self.memory()?;
        let bytes = self.len() * self.dtype.bytes();
        let no_memory = || Error::Memory { function: self.describe(), bytes };
        let mut memory = Memory::zeroed(bytes).ok_or_else(no_memory)?;
        with_element!(self.dtype, T => {
            let mut to = memory.slice_mut::<T>().iter_mut();
            self.for_each_run(from.slice::<T>(), |run| run.zip(&mut to).for_each(|(from, to)| *to = from));
        });
        Ok(Array::whole(self.dtype, &self.shape, memory))
    }

    /// The elements as they lie in memory; none if the array is poisoned. It is contiguous.
    pub(crate) fn bytes(&self) -> &[u8] {
        let (range, width) = (self.range(), self.dtype.bytes());
        self.memory().map_or(&[], |memory| &memory.slice()[range.start * width..range.end * width])
    }

    /// The elements as they lie in memory, to be changed: of `bool` only to 0 and 1. The array is not shared.
    ///
    /// # Panics
    /// If it is, and there is no memory for a copy.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let memory = self.own().and_then(|()| {
            let (range, width) = (self.range(), self.dtype.bytes());
            Ok(&mut self.memory_mut()?.slice_mut()[range.start * width..range.end * width])
        });
        memory.unwrap_or_else(|error| panic!("{error}"))
    }

    fn check<T: Element>(&self) -> Result<()> {
        match self.dtype == T::DTYPE {
            true => Ok(()),
            false => self.is_whole().and(Err(Error::ElementType { found: self.dtype, asked: T::DTYPE })),
        }
    }
}

/// Copies of arguments that do not lie row by row, with all others; `None`: all do.
///
/// # Errors
/// If one is poisoned, or there is no memory for a copy.
pub(crate) fn row_by_row(arguments: &[&Array]) -> Result<Option<Vec<Array>>> {
    arguments.iter().try_for_each(|array| array.is_whole())?;
    if arguments.iter().all(|array| array.is_contiguous()) {
        return Ok(None);
    }
    let copy = |array: &&Array| if array.is_contiguous() { Ok((*array).clone()) } else { array.copied() };
    arguments.iter().map(copy).collect::<Result<_>>().map(Some)
}

/// The product of a shape; more elements than can be counted are `usize::MAX`, which no array has.
fn count_of(shape: &[usize]) -> usize {
    match shape.contains(&0) {
        true => 0,
        false => shape.iter().fold(1, |product, &size| product.saturating_mul(size)),
    }
}

impl PartialEq for Array {
    /// Equal type, shape and elements; as for floats, a NaN is not equal to itself, and a poisoned array is equal to none.
    fn eq(&self, other: &Array) -> bool {
        if self.dtype != other.dtype || self.shape != other.shape {
            return false;
        }
        match (self.is_contiguous(), other.is_contiguous()) {
            (true, true) => with_element!(self.dtype, T => {
                matches!((self.as_slice::<T>(), other.as_slice::<T>()), (Ok(own), Ok(other)) if own == other)
            }),
            _ => matches!((self.copied(), other.copied()), (Ok(own), Ok(other)) if own == other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_errors() {
        let a = Array::from_vec(&[2], vec![1u8, 2]).unwrap();
        assert_eq!(a.as_slice::<f32>().unwrap_err().to_string(), "the array's elements are u8, not f32");
        assert_eq!(a.item::<u8>().unwrap_err().to_string(), "u8[2] is not a single element");
        assert!(Array::from_vec(&[3], vec![1u8, 2]).is_err());
        assert!(Array::zeros::<f32>(&[0, 3]).is_empty());
        assert!(Array::from_vec::<u8>(&[1 << 33, 1 << 33], vec![]).is_err());
    }
}
