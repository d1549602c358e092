//! The element in the middle of each row, found among the indices of all.

use super::element::Total;
use super::{Element, Row};

pub(super) fn row<T: Element>(row: &mut Row<'_>, _: bool) {
    let (x, value, place, all) = (row.read::<T>(0), row.write::<T>(0), row.write::<i64>(1), row.write::<i64>(2));
    if x.is_empty() {
        return;
    }
    let is_nan = |x: &T| x.total().compare(x.total()).is_none();
    let found = x.iter().position(is_nan).unwrap_or_else(|| {
        all.iter_mut().zip(0..).for_each(|(place, i)| *place = i);
        let at = |place: i64| x[place as usize];
        let (_, middle, _) = all.select_nth_unstable_by((x.len() - 1) / 2, |&i, &j| at(i).order(at(j)).then(i.cmp(&j)));
        *middle as usize
    });
    (value[0], place[0]) = (x[found], found as i64);
}
