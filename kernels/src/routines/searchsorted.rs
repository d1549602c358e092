//! Where elements belong in sorted rows, by bisection.

use std::cmp::Ordering;

use super::element::Total;
use super::{Element, Row};

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
