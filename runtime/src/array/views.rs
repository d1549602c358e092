//! Arrays that show the elements of another one otherwise: no element is copied, but by `reshape` where the new shape cannot be had by strides.

use std::panic::Location;

use super::{Array, Few, count_of, lies};

/// Sizes that a shape is given by: integers of any type, of which one may be -1 where the operator says so.
pub trait Sizes {
    /// The sizes, in order.
    fn sizes(&self) -> Vec<i64>;
}

/// Axes by their numbers, the last of which is -1.
pub trait Axes {
    /// The numbers, in order.
    fn axes(&self) -> Vec<i64>;
}

macro_rules! integers {
    ($($int:ty)*) => {$(
        impl<const N: usize> Sizes for [$int; N] {
            fn sizes(&self) -> Vec<i64> {
                self.as_slice().sizes()
            }
        }

        impl Sizes for [$int] {
            fn sizes(&self) -> Vec<i64> {
                // What does not fit is more than any array has.
                self.iter().map(|&size| i64::try_from(size).unwrap_or(i64::MAX)).collect()
            }
        }

        impl Sizes for Vec<$int> {
            fn sizes(&self) -> Vec<i64> {
                self.as_slice().sizes()
            }
        }

        impl Sizes for $int {
            fn sizes(&self) -> Vec<i64> {
                [*self].sizes()
            }
        }
    )*};
}
integers! { i32 i64 isize usize u32 u64 }

impl<S: Sizes + ?Sized> Sizes for &S {
    fn sizes(&self) -> Vec<i64> {
        (**self).sizes()
    }
}

impl<S: Sizes + ?Sized> Axes for S {
    fn axes(&self) -> Vec<i64> {
        self.sizes()
    }
}

type Place = &'static Location<'static>;

impl Array {
    /// An array of the same elements with another layout.
    fn view(&self, shape: impl Into<Few<usize>>, strides: impl Into<Few<isize>>, offset: usize) -> Array {
        let (dtype, held) = (self.dtype, self.held.clone());
        Array { dtype, shape: shape.into(), strides: strides.into(), offset, held }
    }

    /// What a mistake is if this array carries none.
    fn mistaken(&self, operator: &'static str, at: Place, what: String) -> Array {
        match self.is_whole() {
            Ok(()) => self.poisoned(operator, at, what),
            Err(_) => self.clone(),
        }
    }

    /// The number of an axis, which may be counted from the end; `rank`: of so many.
    fn axis(&self, axis: i64, rank: usize) -> Result<usize, String> {
        let number = if axis < 0 { axis + rank as i64 } else { axis };
        match usize::try_from(number).ok().filter(|number| *number < rank) {
            Some(number) => Ok(number),
            None => Err(format!("{} has no axis {axis}", self.describe())),
        }
    }

    /// An array made by `make`, or one that is poisoned by what it says.
    pub(super) fn made(
        &self,
        operator: &'static str,
        at: Place,
        make: impl FnOnce() -> Result<Array, String>,
    ) -> Array {
        if self.is_whole().is_err() {
            return self.clone();
        }
        make().unwrap_or_else(|what| self.mistaken(operator, at, what))
    }

    /// The same elements in row-major order under another shape, in which one size may be -1: what is left. A copy only where no strides do.
    ///
    /// Poisoned if the number of elements differs.
    #[must_use]
    #[track_caller]
    pub fn reshape(&self, shape: impl Sizes) -> Array {
        self.made("reshape", Location::caller(), || {
            let asked = shape.sizes();
            let known: usize =
                asked.iter().filter(|size| **size >= 0).fold(1, |n, size| n.saturating_mul(*size as usize));
            let open = asked.iter().filter(|size| **size < 0).count();
            let count = self.len();
            let rest = count.checked_div(known).filter(|rest| rest * known == count);
            let fits = match open {
                0 => known == count,
                1 => asked.iter().all(|size| *size >= -1) && rest.is_some(),
                _ => false,
            };
            if !fits {
                return Err(format!("{} has {count} elements, not those of {asked:?}", self.describe()));
            }
            let size = |&size: &i64| if size < 0 { rest.unwrap_or(0) } else { size as usize };
            let shape: Few<usize> = asked.iter().map(size).collect();
            if let Some(strides) = lies::reshaped(&self.shape, &self.strides, &shape) {
                return Ok(self.view(shape, strides, self.offset));
            }
            let copy = self.copied().map_err(|error| error.to_string())?;
            let strides = lies::row_major(&shape);
            Ok(copy.view(shape, strides, 0))
        })
    }

    /// All axes from number `start` on as one.
    ///
    /// Poisoned if there is no such axis.
    #[must_use]
    #[track_caller]
    pub fn flatten(&self, start: i64) -> Array {
        let at = Location::caller();
        self.made("flatten", at, || {
            let rank = self.shape.len();
            if rank == 0 && (start == 0 || start == -1) {
                return Ok(self.reshape([1]));
            }
            let start = self.axis(start, rank)?;
            let mut shape: Vec<usize> = self.shape[..start].to_vec();
            shape.push(count_of(&self.shape[start..]));
            Ok(self.reshape(shape))
        })
    }

    /// The axes in another order, each named once.
    ///
    /// Poisoned if one is missing or named twice.
    #[must_use]
    #[track_caller]
    pub fn permute(&self, axes: impl Axes) -> Array {
        self.made("permute", Location::caller(), || {
            let (asked, rank) = (axes.axes(), self.shape.len());
            let numbers = asked.iter().map(|&axis| self.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
            let mut sorted = numbers.clone();
            sorted.sort_unstable();
            if !sorted.iter().copied().eq(0..rank) {
                return Err(format!("{asked:?} does not name each of the {rank} axes of {} once", self.describe()));
            }
            let shape: Few<usize> = numbers.iter().map(|&axis| self.shape[axis]).collect();
            let strides: Few<isize> = numbers.iter().map(|&axis| self.strides[axis]).collect();
            Ok(self.view(shape, strides, self.offset))
        })
    }

    /// Two axes exchanged.
    ///
    /// Poisoned if there is no such axis.
    #[must_use]
    #[track_caller]
    pub fn transpose(&self, a: i64, b: i64) -> Array {
        self.made("transpose", Location::caller(), || {
            let (a, b) = (self.axis(a, self.shape.len())?, self.axis(b, self.shape.len())?);
            let mut view = self.clone();
            view.shape.swap(a, b);
            view.strides.swap(a, b);
            Ok(view)
        })
    }

    /// An axis of size 1 more, as number `axis` of the result.
    ///
    /// Poisoned if it would have no such axis.
    #[must_use]
    #[track_caller]
    pub fn unsqueeze(&self, axis: i64) -> Array {
        self.made("unsqueeze", Location::caller(), || {
            let axis = self.axis(axis, self.shape.len() + 1)?;
            let mut view = self.clone();
            view.shape.insert(axis, 1);
            view.strides.insert(axis, 1);
            Ok(view)
        })
    }

    /// Without an axis, which has size 1.
    ///
    /// Poisoned if there is no such axis, or it has another size.
    #[must_use]
    #[track_caller]
    pub fn squeeze(&self, axis: i64) -> Array {
        self.made("squeeze", Location::caller(), || {
            let axis = self.axis(axis, self.shape.len())?;
            if self.shape[axis] != 1 {
                return Err(format!("axis {axis} of {} has size {}, not 1", self.describe(), self.shape[axis]));
            }
            let mut view = self.clone();
            view.shape.remove(axis);
            view.strides.remove(axis);
            Ok(view)
        })
    }

    /// Axes of size 1 repeated to these sizes, and further ones in front; -1 keeps a size.
    ///
    /// Poisoned if a size other than 1 differs.
    #[must_use]
    #[track_caller]
    pub fn expand(&self, sizes: impl Sizes) -> Array {
        self.made("expand", Location::caller(), || {
            let asked = sizes.sizes();
            let misfit = || Err(format!("{} does not expand to {asked:?}", self.describe()));
            let Some(more) = asked.len().checked_sub(self.shape.len()) else { return misfit() };
            let (mut shape, mut strides) = (Few::new(), Few::new());
            for (number, &size) in asked.iter().enumerate() {
                let own = number.checked_sub(more).map(|axis| (self.shape[axis], self.strides[axis]));
                let (size, stride) = match (own, usize::try_from(size)) {
                    (Some((own, stride)), Err(_)) if size == -1 => (own, stride),
                    (Some((own, stride)), Ok(size)) if own == size => (own, stride),
                    (Some((1, _)) | None, Ok(size)) => (size, 0),
                    _ => return misfit(),
                };
                shape.push(size);
                strides.push(stride);
            }
            Ok(self.view(shape, strides, self.offset))
        })
    }

    /// The elements at one index of an axis, which is gone then; counted from the end if it is negative.
    ///
    /// Poisoned if there is no such axis or index.
    #[must_use]
    #[track_caller]
    pub fn select(&self, axis: i64, index: i64) -> Array {
        self.made("select", Location::caller(), || {
            let (mut view, axis) = (self.clone(), self.axis(axis, self.shape.len())?);
            view.cut_one(axis, index).map_err(|what| self.of_axis(what, axis))?;
            Ok(view)
        })
    }

    pub(super) fn of_axis(&self, what: String, axis: usize) -> String {
        format!("{what} of axis {axis} of {}", self.describe())
    }

    /// Leaves one index of an axis, without the axis.
    ///
    /// # Errors
    /// What is not there.
    pub(super) fn cut_one(&mut self, axis: usize, index: i64) -> Result<(), String> {
        let size = self.shape[axis] as i64;
        let from_start = if index < 0 { index + size } else { index };
        if !(0..size).contains(&from_start) {
            return Err(format!("index {index}"));
        }
        self.offset = (self.offset as isize + from_start as isize * self.strides[axis]) as usize;
        self.shape.remove(axis);
        self.strides.remove(axis);
        Ok(())
    }

    /// `length` indices of an axis, from `start` on.
    ///
    /// Poisoned if there is no such axis, or it ends before.
    #[must_use]
    #[track_caller]
    pub fn narrow(&self, axis: i64, start: i64, length: usize) -> Array {
        self.made("narrow", Location::caller(), || {
            let mut view = self.clone();
            let axis = self.axis(axis, self.shape.len())?;
            let first = if start < 0 { start + self.shape[axis] as i64 } else { start };
            let end = first.saturating_add_unsigned(length as u64);
            view.cut(axis, first, end, 1).map_err(|what| self.of_axis(what, axis))?;
            Ok(view)
        })
    }

    /// Leaves the indices `start..end` of an axis, every `step`-th of them: backwards from the last one if it is negative.
    ///
    /// # Errors
    /// What is not there.
    pub(super) fn cut(&mut self, axis: usize, start: i64, end: i64, step: i64) -> Result<(), String> {
        let size = self.shape[axis] as i64;
        if !(0 <= start && start <= end && end <= size) {
            return Err(format!("indices {start}..{end}"));
        }
        if step == 0 {
            return Err("a step of 0".to_string());
        }
        let count = ((end - start) as u64).div_ceil(step.unsigned_abs()) as usize;
        let first = if step > 0 || count == 0 { start } else { end - 1 };
        // Of no elements none is first, and one that would be may lie behind the memory.
        let first = if count == 0 { 0 } else { first };
        self.offset = (self.offset as isize + first as isize * self.strides[axis]) as usize;
        self.shape[axis] = count;
        self.strides[axis] = if count > 1 { self.strides[axis] * step as isize } else { 1 };
        Ok(())
    }

    /// Some axes backwards.
    ///
    /// Poisoned if there is no such axis, or one is named twice.
    #[must_use]
    #[track_caller]
    pub fn flip(&self, axes: impl Axes) -> Array {
        self.made("flip", Location::caller(), || {
            let (asked, rank) = (axes.axes(), self.shape.len());
            let mut numbers = asked.iter().map(|&axis| self.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
            numbers.sort_unstable();
            if numbers.windows(2).any(|two| two[0] == two[1]) {
                return Err(format!("{asked:?} names an axis of {} twice", self.describe()));
            }
            let mut view = self.clone();
            for axis in numbers {
                view.cut(axis, 0, self.shape[axis] as i64, -1)?;
            }
            Ok(view)
        })
    }
}
