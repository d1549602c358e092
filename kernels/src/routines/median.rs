//! The element in the middle of each row, found among the indices of all.

use super::element::Total;
use super::{Element, Kind, Row, places, places_in};

pub(super) fn fits(reads: &[Kind], writes: &[Kind]) -> bool {
    matches!((reads, writes), ([x], [value, place, all]) if *value == (x.0, 1) && *place == places_in(1) && *all == places_in(x.1))
}

pub(super) fn row<T: Element>(row: &mut Row<'_>, _: bool) {
    let (x, value, place, all) = (row.read::<T>(0), row.write::<T>(0), row.write::<i64>(1), row.write::<i64>(2));
    if x.is_empty() {
        return;
    }
    let is_nan = |x: &T| x.total().compare(x.total()).is_none();
    let found = x.iter().position(is_nan).unwrap_or_else(|| {
        places::all(all);
        places::select(all, (x.len() - 1) / 2, &places::order(x, false)) as usize
    });
    (value[0], place[0]) = (x[found], found as i64);
}
