//! Places in a row, in the order of the elements there; of equal ones the first comes first, so that the order is one alone and nothing has to
//! be allocated to keep it.
//!
//! There is one sort for all element types, which calls what compares: a copy for each would be a third of this crate's code, and each
//! costs every user's build.

use std::cmp::Ordering;

use super::Element;

/// The order of two places of a row: of their elements, then their own.
pub(super) fn order<T: Element>(row: &[T], descending: bool) -> impl Fn(i64, i64) -> Ordering + '_ {
    move |i, j| {
        let (x, y) = (row[i as usize], row[j as usize]);
        let elements = if descending { y.order(x) } else { x.order(y) };
        elements.then(i.cmp(&j))
    }
}

/// All places of a row.
pub(super) fn all(places: &mut [i64]) {
    places.iter_mut().zip(0..).for_each(|(place, i)| *place = i);
}

/// Brings places into an order.
#[inline(never)]
pub(super) fn sort(places: &mut [i64], order: &dyn Fn(i64, i64) -> Ordering) {
    places.sort_unstable_by(|&i, &j| order(i, j));
}

/// Brings to place `number` what would stand there if all were in order, before it what comes before, and gives it.
#[inline(never)]
pub(super) fn select(places: &mut [i64], number: usize, order: &dyn Fn(i64, i64) -> Ordering) -> i64 {
    *places.select_nth_unstable_by(number, |&i, &j| order(i, j)).1
}
