//! New arrays by a rule.

use super::{Array, Element};
use crate::error::Result;

impl Array {
    /// One value everywhere.
    ///
    /// # Errors
    /// If there is no memory for so many.
    pub fn full<T: Element>(shape: &[usize], value: T) -> Result<Array> {
        let mut array = Array::try_zeros::<T>(shape)?;
        array.fill(value)?;
        Ok(array)
    }

    /// What a function says of each place, in row-major order.
    ///
    /// ```
    /// use castnet_runtime::Array;
    ///
    /// let table = Array::from_fn(&[2, 3], |at| (at[0] * 10 + at[1]) as i32)?;
    /// assert_eq!(table.to_string(), "[[ 0  1  2]\n [10 11 12]]");
    /// # Ok::<(), castnet_runtime::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no memory for so many.
    pub fn from_fn<T: Element>(shape: &[usize], mut value: impl FnMut(&[usize]) -> T) -> Result<Array> {
        let mut array = Array::try_zeros::<T>(shape)?;
        let mut at = vec![0; shape.len()];
        for element in array.as_mut_slice::<T>()? {
            *element = value(&at);
            for (index, &size) in at.iter_mut().zip(shape).rev() {
                *index += 1;
                if *index < size {
                    break;
                }
                *index = 0;
            }
        }
        Ok(array)
    }
}
