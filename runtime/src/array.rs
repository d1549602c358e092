//! The host tensor: what goes into networks and comes out of them.

use std::fmt;
use std::io::{self, Write};

use castnet_program::types::DType;
use ndarray::{ArrayBase, ArrayD, Data, Dimension, IxDyn};

use crate::error::{Error, Result};
use crate::memory::{Memory, Plain, collected};

/// A Rust type that can be the element of an [`Array`]: `f32`, `f64`, `i8`, `u8`, `i16`, `i32`, `u32`, `i64`, `bool`, and of the crate `half`
/// [`f16`](half::f16) and [`bf16`](half::bf16).
#[allow(private_bounds)] // Sealed: `Array` reinterprets bytes, so the list is closed.
pub trait Element: Plain + Wrap + fmt::Debug + PartialEq {
    /// The element type as castnet knows it.
    const DTYPE: DType;
}

/// Elements of one of these types as one of a list of slices.
pub(crate) trait Wrap: Sized {
    fn wrap(elements: &[Self]) -> Slice<'_>;
    fn wrap_mut(elements: &mut [Self]) -> SliceMut<'_>;
    /// `None`: they are of another type.
    fn unwrap_mut(elements: SliceMut<'_>) -> Option<&mut [Self]>;
}

/// Declares the Rust type of each element type, and `with_element!(dtype, T => body)`: the body, in which `T` is the Rust type.
macro_rules! elements {
    ($dollar:tt $($rust:ty => $dtype:ident),*) => {
        $(
            impl Element for $rust {
                const DTYPE: DType = DType::$dtype;
            }

            impl Wrap for $rust {
                fn wrap(elements: &[$rust]) -> Slice<'_> {
                    Slice::$dtype(elements)
                }

                fn wrap_mut(elements: &mut [$rust]) -> SliceMut<'_> {
                    SliceMut::$dtype(elements)
                }

                fn unwrap_mut(elements: SliceMut<'_>) -> Option<&mut [$rust]> {
                    let SliceMut::$dtype(elements) = elements else { return None };
                    Some(elements)
                }
            }
        )*

        /// Borrowed elements of any type.
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum Slice<'a> {
            $($dtype(&'a [$rust]),)*
        }

        impl Slice<'_> {
            pub(crate) fn dtype(&self) -> DType {
                match self {
                    $(Slice::$dtype(_) => DType::$dtype,)*
                }
            }

            pub(crate) fn len(&self) -> usize {
                match self {
                    $(Slice::$dtype(elements) => elements.len(),)*
                }
            }

            /// The first byte.
            pub(crate) fn as_ptr(&self) -> *const u8 {
                match self {
                    $(Slice::$dtype(elements) => elements.as_ptr().cast(),)*
                }
            }
        }

        /// The same, to be changed.
        pub(crate) enum SliceMut<'a> {
            $($dtype(&'a mut [$rust]),)*
        }

        impl SliceMut<'_> {
            pub(crate) fn dtype(&self) -> DType {
                match self {
                    $(SliceMut::$dtype(_) => DType::$dtype,)*
                }
            }

            /// Zeros (`false`).
            pub(crate) fn clear(&mut self) {
                match self {
                    $(SliceMut::$dtype(elements) => elements.fill(Default::default()),)*
                }
            }
        }

        macro_rules! with_element {
            ($dollar of:expr, $dollar T:ident => $dollar body:expr) => {
                match $dollar of {
                    $(castnet_program::types::DType::$dtype => {
                        type $dollar T = $rust;
                        $dollar body
                    })*
                }
            };
        }
    };
}
elements!($ f32 => F32, half::f16 => F16, half::bf16 => BF16, f64 => F64, i8 => I8, u8 => U8, i16 => I16, i32 => I32, u32 => U32,
    i64 => I64, bool => Bool);
pub(crate) use with_element;

/// The body, in which `elements` is a slice of integers; `None` if it is none.
macro_rules! with_ints {
    ($of:expr, $elements:ident => $body:expr) => {
        match $of {
            crate::array::Slice::I8($elements) => $body,
            crate::array::Slice::U8($elements) => $body,
            crate::array::Slice::I16($elements) => $body,
            crate::array::Slice::I32($elements) => $body,
            crate::array::Slice::U32($elements) => $body,
            crate::array::Slice::I64($elements) => $body,
            crate::array::Slice::F32(_)
            | crate::array::Slice::F16(_)
            | crate::array::Slice::BF16(_)
            | crate::array::Slice::F64(_)
            | crate::array::Slice::Bool(_) => None,
        }
    };
}
pub(crate) use with_ints;

/// A tensor in the host's memory: element type, shape, elements in row-major order on a 64-byte boundary.
///
/// ```
/// use castnet_runtime::Array;
///
/// let a = Array::from_vec(&[2, 3], vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// assert_eq!(a.shape(), [2, 3]);
/// assert_eq!(a.as_slice::<f32>()?[4], 5.0);
/// # Ok::<(), castnet_runtime::Error>(())
/// ```
pub struct Array {
    dtype: DType,
    shape: Vec<usize>,
    memory: Memory,
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
            Some(memory) => Ok(Array { dtype, shape: shape.to_vec(), memory }),
            None => Err(Error::Memory { function: name(), bytes }),
        }
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
        array.memory.slice_mut().copy_from_slice(elements);
        Ok(array)
    }

    /// A scalar: the shape is empty.
    pub fn scalar<T: Element>(value: T) -> Array {
        let mut array = Array::zeros::<T>(&[]);
        array.memory.slice_mut()[0] = value;
        array
    }

    /// A copy of an `ndarray` array or view (`a.view()`) of any rank and memory order.
    ///
    /// ```
    /// use castnet_runtime::Array;
    ///
    /// let a = Array::from_ndarray(ndarray::array![[1i64, 2], [3, 4]]);
    /// assert_eq!(a.shape(), [2, 2]);
    /// ```
    pub fn from_ndarray<T, S, D>(array: ArrayBase<S, D>) -> Array
    where
        T: Element,
        S: Data<Elem = T>,
        D: Dimension,
    {
        let mut copy = Array::zeros::<T>(array.shape());
        let elements = copy.memory.slice_mut::<T>();
        match array.as_slice() {
            Some(slice) => elements.copy_from_slice(slice),
            None => elements.iter_mut().zip(array.iter()).for_each(|(to, from)| *to = *from),
        }
        copy
    }

    /// The same tensor as an `ndarray` array.
    ///
    /// # Errors
    /// If the elements are not of type `T`, or there is no memory for a copy.
    pub fn into_ndarray<T: Element>(self) -> Result<ArrayD<T>> {
        let elements = collected(self.len(), self.as_slice::<T>()?.iter().copied());
        let no_memory = || Error::Memory { function: self.describe(), bytes: self.memory.len() };
        let elements = elements.ok_or_else(no_memory)?;
        let found = elements.len();
        ArrayD::from_shape_vec(IxDyn(&self.shape), elements).map_err(|_| Error::ElementCount {
            expected: count_of(&self.shape),
            found,
            shape: self.shape,
        })
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The sizes, outermost axis first; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        count_of(&self.shape)
    }

    /// Whether a size is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first element outside a range, with its position; `None` also for arrays of no integer type.
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

    /// Whether no element is infinite or NaN.
    pub(crate) fn is_finite(&self) -> bool {
        match self.dtype() {
            DType::F32 => self.memory.slice::<f32>().iter().all(|x| x.is_finite()),
            DType::F64 => self.memory.slice::<f64>().iter().all(|x| x.is_finite()),
            DType::F16 => self.memory.slice::<half::f16>().iter().all(|x| x.is_finite()),
            DType::BF16 => self.memory.slice::<half::bf16>().iter().all(|x| x.is_finite()),
            DType::I8 | DType::U8 | DType::I16 | DType::I32 | DType::U32 | DType::I64 | DType::Bool => true,
        }
    }

    /// The elements in row-major order.
    ///
    /// # Errors
    /// If they are not of type `T`.
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        self.check::<T>()?;
        Ok(self.memory.slice())
    }

    /// The elements in row-major order, to be changed: an array can be filled again and again without allocation.
    ///
    /// # Errors
    /// If they are not of type `T`.
    pub fn as_mut_slice<T: Element>(&mut self) -> Result<&mut [T]> {
        self.check::<T>()?;
        Ok(self.memory.slice_mut())
    }

    /// The only element, of an array of any rank.
    ///
    /// # Errors
    /// If there is not exactly one element, or it is not of type `T`.
    pub fn item<T: Element>(&self) -> Result<T> {
        match self.as_slice::<T>()? {
            [value] => Ok(*value),
            _ => Err(Error::NotScalar { found: self.describe() }),
        }
    }

    /// The same elements under another shape.
    ///
    /// # Errors
    /// If the number of elements differs.
    pub fn reshape(mut self, shape: &[usize]) -> Result<Array> {
        let expected = count_of(shape);
        if expected != self.len() {
            return Err(Error::ElementCount { shape: shape.to_vec(), found: self.len(), expected });
        }
        self.shape = shape.to_vec();
        Ok(self)
    }

    /// Type and shape in words: `f32[2, 3]`, a scalar as `f32`.
    pub fn describe(&self) -> String {
        crate::error::type_text(self.dtype, &self.shape)
    }

    /// The first byte.
    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.memory.as_ptr()
    }

    /// The first byte, to be written through.
    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.memory.as_mut_ptr()
    }

    /// Sets all elements, by their numbers in row-major order, each rounded to the array's type.
    pub(crate) fn fill_by(&mut self, value: impl Fn(usize) -> f64) {
        fn fill<T: Element>(array: &mut Array, value: impl Fn(usize) -> f64, round: impl Fn(f64) -> T) {
            array.memory.slice_mut().iter_mut().enumerate().for_each(|(i, to)| *to = round(value(i)));
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

    /// Writes the elements as little-endian bytes.
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

    /// The same elements once more.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub(crate) fn copied(&self) -> Result<Array> {
        match self.memory.copied() {
            Some(memory) => Ok(Array { dtype: self.dtype, shape: self.shape.clone(), memory }),
            None => Err(Error::Memory { function: self.describe(), bytes: self.memory.len() }),
        }
    }

    /// The elements as they lie in memory.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.memory.slice()
    }

    /// The elements as they lie in memory, to be changed: of `bool` only to 0 and 1.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.slice_mut()
    }

    fn check<T: Element>(&self) -> Result<()> {
        match self.dtype == T::DTYPE {
            true => Ok(()),
            false => Err(Error::ElementType { found: self.dtype, asked: T::DTYPE }),
        }
    }

    fn show<T: Element>(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        let elements: &[T] = self.memory.slice();
        f.write_str(" {")?;
        for (i, value) in elements.iter().take(SHOWN).enumerate() {
            write!(f, "{}{value:?}", if i == 0 { "" } else { ", " })?;
        }
        f.write_str(if elements.len() > SHOWN { ", …}" } else { "}" })
    }
}

/// The product of a shape; more elements than can be counted are `usize::MAX`, which no array has.
fn count_of(shape: &[usize]) -> usize {
    match shape.contains(&0) {
        true => 0,
        false => shape.iter().fold(1, |product, &size| product.saturating_mul(size)),
    }
}

impl Clone for Array {
    /// Panics if there is no memory for another one, as [`Array::zeros`] does.
    fn clone(&self) -> Array {
        self.copied().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Takes the memory that is there, if it is as long.
    fn clone_from(&mut self, other: &Array) {
        match self.memory.len() == other.memory.len() {
            true => {
                (self.dtype, self.shape) = (other.dtype, other.shape.clone());
                self.memory.slice_mut::<u8>().copy_from_slice(other.bytes());
            }
            false => *self = other.clone(),
        }
    }
}

impl PartialEq for Array {
    /// Equal type, shape and elements; as for floats, a NaN is not equal to itself.
    fn eq(&self, other: &Array) -> bool {
        let same = || with_element!(self.dtype, T => self.memory.slice::<T>() == other.memory.slice::<T>());
        self.dtype == other.dtype && self.shape == other.shape && same()
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())?;
        with_element!(self.dtype, T => self.show::<T>(f))
    }
}

impl fmt::Display for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ndarray_and_back() {
        let a = ndarray::array![[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]];
        let t = Array::from_ndarray(a.t());
        assert_eq!(t.shape(), [3, 2]);
        assert_eq!(t.as_slice::<f32>().unwrap(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(t.into_ndarray::<f32>().unwrap(), a.t().to_owned().into_dyn());
    }

    #[test]
    fn mistakes_are_errors() {
        let a = Array::from_vec(&[2], vec![1u8, 2]).unwrap();
        assert_eq!(a.as_slice::<f32>().unwrap_err().to_string(), "the array's elements are u8, not f32");
        assert_eq!(a.item::<u8>().unwrap_err().to_string(), "u8[2] is not a single element");
        assert!(Array::from_vec(&[3], vec![1u8, 2]).is_err());
        assert_eq!(format!("{:?}", Array::scalar(1.5f32)), "f32 {1.5}");
        assert_eq!(format!("{:?}", Array::scalar(half::bf16::from_f32(1.01))), "bf16 {1.0078125}");
        assert!(Array::zeros::<f32>(&[0, 3]).is_empty());
        assert!(Array::from_vec::<u8>(&[1 << 33, 1 << 33], vec![]).is_err());
    }
}
