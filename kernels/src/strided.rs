//! Operands by strides that the call tells.
//!
//! How loops are cut and joined is decided as if such an operand lay row-major, so that sums are added in the same order however it lies. Then its
//! place is found anew over the loops that came of it: where neighbours became one and its steps are not even, an index of one loop is a
//! quotient or a remainder of the other's.

use crate::access::{Access, Dim, Form, Map, sum};
use crate::dims::Dims;

impl Access {
    /// Over the loops as they are now; nothing changes for what lies row-major.
    pub(crate) fn settle(&mut self, loops: &Dims) {
        let Some(real) = self.strided.take() else { return };
        let linear = |dims: &mut dyn Iterator<Item = &Dim>| {
            let dims: Vec<Dim> = dims.cloned().collect();
            let form = sum(&dims, loops.written);
            loops.of_form(&form)
        };
        let dims = match &self.map {
            // Each index is linear over all loops, so that none were joined that do not suit it: the strides alone are others.
            Map::General(dims, outside) if outside.is_some() => {
                let dims = dims.iter().zip(&real).map(|(dim, real)| dim.with_stride(real));
                self.map = Map::General(dims.collect(), *outside);
                return;
            }
            Map::General(dims, _) => {
                // What is divided or wrapped comes first, then the sum of all that is linear.
                let crooked = real.iter().filter(|dim| !dim.is_linear());
                let crooked = dims.iter().zip(crooked).map(|(dim, real)| dim.with_stride(real));
                crooked.chain(linear(&mut real.iter().filter(|dim| dim.is_linear()))).collect()
            }
            Map::Affine(_) => linear(&mut real.iter()),
        };
        self.map = match &dims[..] {
            [one] if one.is_linear() => Map::Affine(sum(&dims, loops.sizes.len())),
            _ => Map::General(dims, None),
        };
    }
}

impl Dims {
    /// A linear form over the loops that were written, over those that are left: a linear index, and one for each loop whose steps are not even.
    fn of_form(&self, form: &Form) -> Vec<Dim> {
        let loops = self.sizes.len();
        let mut linear = Form { offset: form.offset, steps: vec![0; loops] };
        let mut uneven = vec![];
        for (at, parts) in self.parts.iter().enumerate() {
            // Pieces whose steps are even, innermost first: how many points, and the step from one to the next.
            let mut pieces: Vec<(i64, i64)> = vec![];
            for &(dim, size) in parts.iter().rev() {
                let step = form.steps[dim];
                match pieces.last_mut() {
                    Some((count, inner)) if step == *inner * *count => *count *= size,
                    _ => pieces.push((size, step)),
                }
            }
            if let [(_, step)] = pieces[..] {
                linear.steps[at] = step;
                continue;
            }
            let mut inside = 1;
            for (number, &(count, step)) in pieces.iter().enumerate() {
                let wraps = number + 1 < pieces.len();
                uneven.push(Dim::part(at, loops, inside, if wraps { count } else { 0 }, step));
                inside *= count;
            }
        }
        uneven.push(Dim::linear(linear));
        uneven
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Block, Place};

    /// Whatever loops are joined, each element of a block lies where its strides say.
    #[test]
    fn forms_over_joined_loops_lead_where_they_did() {
        let sizes = [2, 3, 4];
        let joined = |parts: Vec<Vec<usize>>| {
            let parts: Vec<Vec<(usize, i64)>> =
                parts.iter().map(|part| part.iter().map(|&d| (d, sizes[d])).collect()).collect();
            let sizes: Vec<i64> = parts.iter().map(|part| part.iter().map(|(_, size)| size).product()).collect();
            Dims { space: sizes.len(), sizes, parts, written: 3 }
        };
        let all = [vec![vec![0], vec![1], vec![2]], vec![vec![0, 1], vec![2]], vec![vec![0], vec![1, 2]]];
        let all = all.into_iter().chain([vec![vec![], vec![0, 1, 2]]]);
        for dims in all.map(joined) {
            for steps in [[12, 4, 1], [1, 2, 6], [0, 0, 0], [-12, 4, -1], [0, 1, 0], [100, 10, 1], [7, -4, -1]] {
                let form = Form { offset: 50, steps: steps.to_vec() };
                let found = dims.of_form(&form);
                for at in 0..24 {
                    let written = [at / 12, at / 4 % 3, at % 4];
                    let mut rest = at;
                    let mut point = vec![0; dims.sizes.len()];
                    for (d, size) in dims.sizes.iter().enumerate().rev() {
                        point[d] = rest % size;
                        rest /= size;
                    }
                    let last = point.len() - 1;
                    let (plane_dim, row_dim, col_dim) = (last, last, last);
                    let block = Block { point: &point, planes: 1, rows: 1, cols: 1, plane_dim, row_dim, col_dim };
                    let place = crate::access::place(&found, false, &block);
                    let Place::Linear { offset, .. } = place else { panic!("{place:?}") };
                    assert_eq!(offset, form.at(&written), "{steps:?} at {written:?} of {dims:?}");
                }
            }
        }
    }
}
