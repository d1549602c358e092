//! Parts of arrays: `x.i((.., 0..5, -1))`.

use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};
use std::panic::Location;

use super::Array;

/// What is taken of one axis. Negative numbers count from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// One index; the axis is gone then.
    At(i64),
    /// From the first (or the start) to the one before the second (or the end), every `step`-th: backwards, from the last one, if that is negative.
    Range {
        /// The first one.
        start: Option<i64>,
        /// One behind the last one.
        end: Option<i64>,
        /// 1, or another number that is not 0.
        step: i64,
    },
    /// An axis of size 1 that was not there.
    NewAxis,
}

impl Index {
    /// Every `step`-th index of a range: `Index::from(1..9).step(2)`. One that is negative goes backwards.
    #[must_use]
    pub fn step(self, by: i64) -> Index {
        match self {
            Index::Range { start, end, step } => Index::Range { start, end, step: step.saturating_mul(by) },
            Index::At(_) | Index::NewAxis => self,
        }
    }
}

impl From<RangeFull> for Index {
    fn from(_: RangeFull) -> Index {
        Index::Range { start: None, end: None, step: 1 }
    }
}

macro_rules! integers {
    ($($int:ty)*) => {$(
        impl From<$int> for Index {
            fn from(index: $int) -> Index {
                Index::At(number(index))
            }
        }

        impl From<Range<$int>> for Index {
            fn from(range: Range<$int>) -> Index {
                Index::Range { start: Some(number(range.start)), end: Some(number(range.end)), step: 1 }
            }
        }

        impl From<RangeFrom<$int>> for Index {
            fn from(range: RangeFrom<$int>) -> Index {
                Index::Range { start: Some(number(range.start)), end: None, step: 1 }
            }
        }

        impl From<RangeTo<$int>> for Index {
            fn from(range: RangeTo<$int>) -> Index {
                Index::Range { start: None, end: Some(number(range.end)), step: 1 }
            }
        }

        impl From<RangeInclusive<$int>> for Index {
            fn from(range: RangeInclusive<$int>) -> Index {
                Index::Range { start: Some(number(*range.start())), end: behind(number(*range.end())), step: 1 }
            }
        }

        impl From<RangeToInclusive<$int>> for Index {
            fn from(range: RangeToInclusive<$int>) -> Index {
                Index::Range { start: None, end: behind(number(range.end)), step: 1 }
            }
        }
    )*};
}
integers! { i32 i64 isize usize u32 }

/// What does not fit is no index of any array.
fn number(index: impl TryInto<i64>) -> i64 {
    index.try_into().unwrap_or(i64::MAX)
}

/// The number behind the last one; behind -1 is the end.
fn behind(last: i64) -> Option<i64> {
    (last != -1).then(|| last.saturating_add(1))
}

/// What is taken of each axis, the first ones first: one index, or a tuple of them.
pub trait Indices {
    /// The indices, in order.
    fn indices(self) -> Vec<Index>;
}

impl<I: Into<Index>> Indices for I {
    fn indices(self) -> Vec<Index> {
        vec![self.into()]
    }
}

impl Indices for &[Index] {
    fn indices(self) -> Vec<Index> {
        self.to_vec()
    }
}

macro_rules! tuples {
    ($($($name:ident)+;)*) => {$(
        #[allow(non_snake_case)]
        impl<$($name: Into<Index>),+> Indices for ($($name,)+) {
            fn indices(self) -> Vec<Index> {
                let ($($name,)+) = self;
                vec![$($name.into()),+]
            }
        }
    )*};
}
tuples! { A; A B; A B C; A B C D; A B C D E; A B C D E F; A B C D E F G; A B C D E F G H; }

impl Array {
    /// A part: of each axis an index, a range or all (`..`), the last ones all. Negative numbers count from the end of the axis, as in `x[…]` inside
    /// `network!`. It is a view: no element is copied.
    ///
    /// ```
    /// use castnet_runtime::Array;
    /// use castnet_runtime::array::Index;
    ///
    /// let x = Array::from_vec(&[2, 3], vec![1, 2, 3, 4, 5, 6])?;
    /// assert_eq!(x.i(-1).to_vec::<i32>()?, [4, 5, 6]);
    /// assert_eq!(x.i((.., 1..)).to_vec::<i32>()?, [2, 3, 5, 6]);
    /// assert_eq!(x.i((0, Index::from(..).step(-2))).to_vec::<i32>()?, [3, 1]);
    /// assert_eq!(x.i((.., Index::NewAxis, 0)).shape(), [2, 1]);
    /// # Ok::<(), castnet_runtime::Error>(())
    /// ```
    ///
    /// Poisoned if an index is outside, or there are more of them than axes.
    #[must_use]
    #[track_caller]
    pub fn i(&self, indices: impl Indices) -> Array {
        let at = Location::caller();
        self.made("i", at, || self.part(&indices.indices()))
    }

    /// # Errors
    /// What is wrong with the indices.
    pub(super) fn part(&self, indices: &[Index]) -> Result<Array, String> {
        let taken = indices.iter().filter(|index| **index != Index::NewAxis).count();
        let rank = self.shape.len();
        if taken > rank {
            return Err(format!("{taken} indices of {}, which has {rank} axes", self.describe()));
        }
        let mut view = self.clone();
        // Of the view, and of this array.
        let (mut axis, mut own) = (0, 0);
        for index in indices {
            match *index {
                Index::NewAxis => {
                    view.shape.insert(axis, 1);
                    view.strides.insert(axis, 1);
                    axis += 1;
                    continue;
                }
                Index::At(index) => view.cut_one(axis, index).map_err(|what| self.of_axis(what, own))?,
                Index::Range { start, end, step } => {
                    let size = view.shape[axis] as i64;
                    let from_end = |index: i64| if index < 0 { index + size } else { index };
                    let (start, end) = (start.map_or(0, from_end), end.map_or(size, from_end));
                    view.cut(axis, start, end, step).map_err(|what| self.of_axis(what, own))?;
                    axis += 1;
                }
            }
            own += 1;
        }
        Ok(view)
    }
}
