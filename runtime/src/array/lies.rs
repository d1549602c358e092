//! How elements lie in memory: shape and strides, counted in elements.

use super::Few;

/// The strides of a shape whose elements lie one after the other, the last axis innermost.
pub(super) fn row_major(shape: &[usize]) -> Few<isize> {
    let mut strides = Few::from_elem(0, shape.len());
    let mut step = 1usize;
    for (stride, &size) in strides.iter_mut().zip(shape).rev() {
        *stride = step as isize;
        step = step.saturating_mul(size.max(1));
    }
    strides
}

/// Whether elements lie one after the other, in row-major order. Strides of axes of one element do not matter, nor any where there are none.
pub(super) fn is_row_major(shape: &[usize], strides: &[isize]) -> bool {
    let mut step = 1usize;
    for (&stride, &size) in strides.iter().zip(shape).rev() {
        if size == 0 {
            return true;
        }
        if size > 1 && stride != step as isize {
            return shape.contains(&0);
        }
        step *= size;
    }
    true
}

/// Calls `row` with the number of the first element of each run along the last axis, in row-major order.
pub(super) fn rows(shape: &[usize], strides: &[isize], offset: usize, mut row: impl FnMut(usize)) {
    let outer = shape.len().saturating_sub(1);
    let (sizes, strides) = (&shape[..outer], &strides[..outer]);
    if shape.contains(&0) {
        return;
    }
    let mut index: Few<usize> = Few::from_elem(0, outer);
    let mut at = offset as isize;
    loop {
        row(at as usize);
        let mut axis = outer;
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < sizes[axis] {
                break;
            }
            at -= strides[axis] * sizes[axis] as isize;
            index[axis] = 0;
        }
    }
}

/// Strides that show elements which lie so under another shape of as many; `None` if there are none.
///
/// Axes that lie one in the other count as one; sizes of the new shape have to divide these.
pub(super) fn reshaped(shape: &[usize], strides: &[isize], new: &[usize]) -> Option<Few<isize>> {
    if new.contains(&0) {
        return Some(row_major(new));
    }
    // Groups of axes, each with its number of elements and innermost stride.
    let mut groups: Few<(usize, isize)> = Few::new();
    for (&size, &stride) in shape.iter().zip(strides).filter(|(size, _)| **size != 1) {
        match groups.last_mut() {
            Some((count, outer)) if *outer == stride * size as isize => (*count, *outer) = (*count * size, stride),
            _ => groups.push((size, stride)),
        }
    }
    let mut result = Few::from_elem(1, new.len());
    let mut groups = groups.into_iter().rev();
    let (mut left, mut stride) = (1, 1);
    for (at, &size) in new.iter().enumerate().rev().filter(|(_, size)| **size != 1) {
        if left == 1 {
            (left, stride) = groups.next()?;
        }
        if left % size != 0 {
            return None;
        }
        result[at] = stride;
        stride *= size as isize;
        left /= size;
    }
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visited(shape: &[usize], strides: &[isize], offset: usize) -> Vec<usize> {
        let mut all = vec![];
        let (len, stride) = shape.last().map_or((1, 0), |last| (*last as isize, strides[strides.len() - 1]));
        rows(shape, strides, offset, |at| all.extend((0..len).map(|i| (at as isize + i * stride) as usize)));
        all
    }

    #[test]
    fn rows_are_visited_in_order() {
        assert_eq!(visited(&[2, 3], &[3, 1], 0), [0, 1, 2, 3, 4, 5]);
        assert_eq!(visited(&[3, 2], &[1, 3], 0), [0, 3, 1, 4, 2, 5]);
        assert_eq!(visited(&[2, 2, 2], &[-4, 0, 1], 4), [4, 5, 4, 5, 0, 1, 0, 1]);
        assert_eq!(visited(&[], &[], 7), [7]);
        assert_eq!(visited(&[3], &[-1], 2), [2, 1, 0]);
        assert!(visited(&[2, 0, 3], &[0, 3, 1], 0).is_empty());
    }

    #[test]
    fn other_shapes_by_strides() {
        assert_eq!(reshaped(&[4, 6], &[6, 1], &[2, 2, 3, 2]).unwrap()[..], [12, 6, 2, 1]);
        assert_eq!(reshaped(&[2, 12], &[24, 2], &[2, 3, 4]).unwrap()[..], [24, 8, 2]);
        assert_eq!(reshaped(&[6, 4], &[1, 6], &[24]), None);
        assert_eq!(reshaped(&[6, 4], &[1, 6], &[2, 3, 4]).unwrap()[..], [3, 1, 6]);
        assert_eq!(reshaped(&[3, 4], &[0, 1], &[12]), None);
        assert_eq!(reshaped(&[3, 1, 4], &[0, 9, 0], &[12]).unwrap()[..], [0]);
        assert_eq!(reshaped(&[6], &[-1], &[2, 3]).unwrap()[..], [-3, -1]);
        assert!(reshaped(&[1], &[5], &[]).unwrap().is_empty());
    }
}
