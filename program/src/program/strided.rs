//! Strided operands: arguments and results whose strides nobody knows before the call.
//!
//! A stride is a run-time number like a size, under a name that no identifier can be: it is no size of the net, so nobody is asked for it and no
//! message names it. It may be 0 or negative. The offset is no number of the program: a kernel gets the address of the element whose indices are all 0.

use std::sync::Arc;

use super::{Access, Buffer, Named, Place, Program, Strided};
use crate::size::Size;

/// What the names of strides begin with.
const MARK: char = '@';

/// The stride of an axis of a strided argument: `@argument0.1`.
fn of_argument(number: usize, axis: usize) -> String {
    format!("{MARK}argument{number}.{axis}")
}

/// The stride of an axis of a strided result: `@result0.1`.
fn of_result(number: usize, axis: usize) -> String {
    format!("{MARK}result{number}.{axis}")
}

/// Whether a stride that only the call knows occurs in a size.
pub fn is_hidden(size: &Size) -> bool {
    size.as_const().is_none() && size.names().iter().any(|name| is_stride(name))
}

/// Whether a name is that of a stride.
pub fn is_stride(name: &str) -> bool {
    name.starts_with(MARK)
}

impl Place {
    /// The strides of an argument or a result of this rank that lies here, if it is strided.
    pub fn strides(&self, rank: usize) -> Vec<Size> {
        let name = |axis| match self {
            Place::Argument(number) => Some(of_argument(*number, axis)),
            Place::Result(number) => Some(of_result(*number, axis)),
            Place::Parameter(_) | Place::Mirror(_) | Place::Gradient(_) => None,
            Place::State(_) | Place::Check(_) | Place::Arena(_) => None,
        };
        (0..rank).filter_map(name).map(|name| Size::symbol(&name)).collect()
    }
}

impl Access {
    /// As [`Access::new`], by strides: index 0 of all dims lies where the buffer begins.
    pub fn strided(buffer: usize, dims: Vec<Size>, strides: Vec<Size>, index: Vec<super::Index>) -> Access {
        Access { strides: Some(strides), ..Access::new(buffer, dims, index) }
    }

    /// Elements from one index to the next along a dim of the memory.
    pub fn stride(&self, dim: usize) -> Size {
        match &self.strides {
            Some(strides) => strides[dim].clone(),
            None => Size::product(&self.dims[dim + 1..]),
        }
    }
}

impl Strided {
    /// Whether it is read by strides that only the call knows.
    pub fn is_hidden(&self) -> bool {
        self.strides.iter().chain([&self.offset]).any(is_hidden)
    }
}

impl Program {
    /// The names of the strides of its strided arguments and results, in order: of each the outermost axis first.
    pub fn hidden(&self) -> Vec<Arc<str>> {
        let names = |place: Place, named: &Named| match named.strided {
            true => place.strides(named.ty.rank()).iter().flat_map(Size::names).collect(),
            false => vec![],
        };
        let arguments = self.arguments.iter().enumerate().flat_map(|(i, named)| names(Place::Argument(i), named));
        let results = self.results.iter().enumerate().flat_map(|(i, named)| names(Place::Result(i), named));
        arguments.chain(results).collect()
    }

    /// What of the caller's a buffer is, if that is strided.
    pub fn strided(&self, buffer: &Buffer) -> Option<&Named> {
        let named = match buffer.place {
            Place::Argument(number) => self.arguments.get(number),
            Place::Result(number) => self.results.get(number),
            Place::Parameter(_) | Place::Mirror(_) | Place::Gradient(_) => None,
            Place::State(_) | Place::Check(_) | Place::Arena(_) => None,
        };
        named.filter(|named| named.strided)
    }
}
