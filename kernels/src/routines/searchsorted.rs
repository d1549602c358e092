//! Where elements belong in sorted rows, by bisection.

use std::cmp::Ordering;

use super::element::Total;
use super::{Element, Kind, Row, places_in};

pub(super) fn fits(reads: &[Kind], writes: &[Kind]) -> bool {
    matches!((reads, writes), ([sorted, x], [places]) if sorted.0 == x.0 && *places == places_in(x.1))
}

pub(super) fn row<T: Element>(row: &mut Row<'_>, right: bool) {
    let (sorted, x, places) = (row.read::<T>(0), row.read::<T>(1), row.write::<i64>(0));
    for (place, x) in places.iter_mut().zip(x) {
        // What is no number is passed by, as PyTorch does.
        let before = |element: T| match element.total().compare(x.total()) {
            Some(Ordering::Less) | None => true,
            Some(Ordering::Equal) => right,
            Some(Ordering::Greater) => false,
        };
        let (mut start, mut end) = (0, sorted.len());
        while start < end {
            let middle = start + (end - start) / 2;
            if before(sorted[middle]) { start = middle + 1 } else { end = middle }
        }
        *place = start as i64;
    }
}
