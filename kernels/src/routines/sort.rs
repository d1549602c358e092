//! Rows in order: their places are sorted.

use super::{Element, Kind, Row, places, places_in};

pub(super) fn fits(reads: &[Kind], writes: &[Kind]) -> bool {
    matches!((reads, writes), ([x], [values, at]) if values == x && *at == places_in(x.1))
}

pub(super) fn row<T: Element>(row: &mut Row<'_>, descending: bool) {
    let (x, values, at) = (row.read::<T>(0), row.write::<T>(0), row.write::<i64>(1));
    places::all(at);
    places::sort(at, &places::order(x, descending));
    values.iter_mut().zip(&*at).for_each(|(value, place)| *value = x[*place as usize]);
}
