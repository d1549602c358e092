//! Running sums, kept in f64 or i64.

use super::element::Total;
use super::{Element, Kind, Row};

pub(super) fn fits(reads: &[Kind], writes: &[Kind]) -> bool {
    matches!((reads, writes), ([x], [sums]) if sums == x)
}

pub(super) fn row<T: Element>(row: &mut Row<'_>, reverse: bool) {
    let (x, sums) = (row.read::<T>(0), row.write::<T>(0));
    let mut total = T::Total::ZERO;
    let mut add = |(sum, x): (&mut T, &T)| {
        total = total.plus(x.total());
        *sum = T::of(total);
    };
    match reverse {
        false => sums.iter_mut().zip(x).for_each(&mut add),
        true => sums.iter_mut().zip(x).rev().for_each(&mut add),
    }
}
