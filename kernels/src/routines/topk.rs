//! The first elements of rows as they would be sorted: those that come before the one at the border are found, and sorted alone.

use super::{Element, Kind, Row, places, places_in};

pub(super) fn fits(reads: &[Kind], writes: &[Kind]) -> bool {
    matches!((reads, writes), ([x], [values, at, all]) if values.0 == x.0 && values.1 <= x.1 && *at == places_in(values.1) && *all == places_in(x.1))
}

pub(super) fn row<T: Element>(row: &mut Row<'_>, largest: bool) {
    let (x, values, at, all) = (row.read::<T>(0), row.write::<T>(0), row.write::<i64>(1), row.write::<i64>(2));
    let (order, count) = (places::order(x, largest), at.len());
    places::all(all);
    if 0 < count && count < all.len() {
        places::select(all, count - 1, &order);
    }
    at.copy_from_slice(&all[..count]);
    places::sort(at, &order);
    values.iter_mut().zip(&*at).for_each(|(value, place)| *value = x[*place as usize]);
}
