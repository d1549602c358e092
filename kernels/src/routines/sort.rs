//! Rows in order. The indices are sorted, by element and then by place, so that equal elements keep their order and nothing is allocated.

use super::{Element, Row};

pub(super) fn row<T: Element>(row: &mut Row<'_>, descending: bool) {
    let (x, values, places) = (row.read::<T>(0), row.write::<T>(0), row.write::<i64>(1));
    places.iter_mut().zip(0..).for_each(|(place, i)| *place = i);
    let at = |place: i64| x[place as usize];
    match descending {
        false => places.sort_unstable_by(|&i, &j| at(i).order(at(j)).then(i.cmp(&j))),
        true => places.sort_unstable_by(|&i, &j| at(j).order(at(i)).then(i.cmp(&j))),
    }
    values.iter_mut().zip(&*places).for_each(|(value, place)| *value = at(*place));
}
