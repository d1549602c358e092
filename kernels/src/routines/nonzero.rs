//! Where a row is not 0, and how many elements are not.

use std::cmp::Ordering;

use super::element::Total;
use super::{Element, Kind, Row, places_in};

pub(super) fn fits(reads: &[Kind], writes: &[Kind]) -> bool {
    matches!((reads, writes), ([_], [places, count]) if *places == places_in(places.1) && *count == places_in(1))
}

pub(super) fn row<T: Element>(row: &mut Row<'_>, _: bool) {
    let (x, places, count) = (row.read::<T>(0), row.write::<i64>(0), row.write::<i64>(1));
    let mut found = 0;
    for (x, place) in x.iter().zip(0..) {
        if x.total().compare(T::Total::ZERO) != Some(Ordering::Equal) {
            if let Some(room) = places.get_mut(found) {
                *room = place;
            }
            found += 1;
        }
    }
    places.iter_mut().skip(found).for_each(|place| *place = 0);
    count[0] = found as i64;
}
