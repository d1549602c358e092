//! Rows in order: their places are sorted.

use super::{Element, Row, places};

pub(super) fn row<T: Element>(row: &mut Row<'_>, descending: bool) {
    let (x, values, at) = (row.read::<T>(0), row.write::<T>(0), row.write::<i64>(1));
    places::all(at);
    places::sort(at, &places::order(x, descending));
    values.iter_mut().zip(&*at).for_each(|(value, place)| *value = x[*place as usize]);
}
