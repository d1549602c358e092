//! The types of elements.

use std::fmt;

use castnet_program::types::DType;

use crate::memory::Plain;

/// A Rust type that can be the element of an [`Array`](super::Array): `f32`, `f64`, `i8`, `u8`, `i16`, `i32`, `u32`, `i64`, `bool`, and of the crate `half`
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
