//! Running products, kept in f64 or i64.

use super::element::Total;
use super::{Element, Kind, Row};

pub(super) fn fits(reads: &[Kind], writes: &[Kind]) -> bool {
    matches!((reads, writes), ([x], [products]) if products == x)
}

pub(super) fn row<T: Element>(row: &mut Row<'_>, reverse: bool) {
    let (x, products) = (row.read::<T>(0), row.write::<T>(0));
    let mut total = T::Total::ONE;
    let mut multiply = |(product, x): (&mut T, &T)| {
        total = total.times(x.total());
        *product = T::of(total);
    };
    match reverse {
        false => products.iter_mut().zip(x).for_each(&mut multiply),
        true => products.iter_mut().zip(x).rev().for_each(&mut multiply),
    }
}
