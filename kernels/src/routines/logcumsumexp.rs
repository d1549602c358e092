//! Running logarithms of sums of exponentials, of the largest element so far and the sum of what is below it, in f64.

use super::element::Total;
use super::{Element, Kind, Row};

pub(super) fn fits(reads: &[Kind], writes: &[Kind]) -> bool {
    matches!((reads, writes), ([x], [logs]) if logs == x)
}

pub(super) fn row<T: Element>(row: &mut Row<'_>, reverse: bool) {
    let (x, logs) = (row.read::<T>(0), row.write::<T>(0));
    let mut total = f64::NEG_INFINITY;
    let mut add = |(log, x): (&mut T, &T)| {
        total = log_add(total, x.total().float());
        *log = T::of(T::Total::of_float(total));
    };
    match reverse {
        false => logs.iter_mut().zip(x).for_each(&mut add),
        true => logs.iter_mut().zip(x).rev().for_each(&mut add),
    }
}

/// log(exp(a) + exp(b)); NaN if either is.
fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    match low == high && low.is_infinite() {
        true => low,
        false => high + (low - high).exp().ln_1p(),
    }
}
