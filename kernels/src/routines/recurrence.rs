//! s = b + a · s, kept in f64 or i64.

use super::element::Total;
use super::{Element, Kind, Row};

pub(super) fn fits(reads: &[Kind], writes: &[Kind]) -> bool {
    matches!((reads, writes), ([a, b], [states]) if a == b && states == b)
}

pub(super) fn row<T: Element>(row: &mut Row<'_>, reverse: bool) {
    let (a, b, states) = (row.read::<T>(0), row.read::<T>(1), row.write::<T>(0));
    let mut state = T::Total::ZERO;
    let mut step = |(made, (a, b)): (&mut T, (&T, &T))| {
        state = b.total().plus(a.total().times(state));
        *made = T::of(state);
    };
    let all = states.iter_mut().zip(a.iter().zip(b));
    match reverse {
        false => all.for_each(&mut step),
        true => all.rev().for_each(&mut step),
    }
}
