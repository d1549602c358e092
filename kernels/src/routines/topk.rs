//! The first elements of rows as they would be sorted: those that come before the one at the border are found, and sorted alone.

use super::{Element, Row};

pub(super) fn row<T: Element>(row: &mut Row<'_>, largest: bool) {
    let (x, values, places) = (row.read::<T>(0), row.write::<T>(0), row.write::<i64>(1));
    let all = row.write::<i64>(2);
    all.iter_mut().zip(0..).for_each(|(place, i)| *place = i);
    let at = |place: i64| x[place as usize];
    let order = |i: &i64, j: &i64| {
        let (i, j) = (*i, *j);
        let (first, second) = if largest { (j, i) } else { (i, j) };
        at(first).order(at(second)).then(i.cmp(&j))
    };
    let count = places.len();
    if 0 < count && count < all.len() {
        all.select_nth_unstable_by(count - 1, order);
    }
    places.copy_from_slice(&all[..count]);
    places.sort_unstable_by(order);
    values.iter_mut().zip(&*places).for_each(|(value, place)| *value = at(*place));
}
