//! To and from `ndarray`.

use ndarray::{ArrayBase, ArrayD, Data, Dimension, IxDyn};

use super::{Array, Element};
use crate::error::{Error, Result};

impl Array {
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
        if let Ok(elements) = copy.as_mut_slice::<T>() {
            match array.as_slice() {
                Some(slice) => elements.copy_from_slice(slice),
                None => elements.iter_mut().zip(array.iter()).for_each(|(to, from)| *to = *from),
            }
        }
        copy
    }

    /// The same tensor as an `ndarray` array.
    ///
    /// # Errors
    /// If the elements are not of type `T`, there is no memory for a copy, or the array is poisoned.
    pub fn into_ndarray<T: Element>(self) -> Result<ArrayD<T>> {
        let elements = self.to_vec::<T>()?;
        let found = elements.len();
        ArrayD::from_shape_vec(IxDyn(&self.shape), elements).map_err(|_| Error::ElementCount {
            expected: self.len(),
            found,
            shape: self.shape.to_vec(),
        })
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
        assert_eq!(t.transpose(0, 1).into_ndarray::<f32>().unwrap(), a.clone().into_dyn());
        assert_eq!(t.into_ndarray::<f32>().unwrap(), a.t().to_owned().into_dyn());
    }
}
