//! Accesses with all sizes known: which element belongs to a point of the loops.

use castnet_program::program::{self, Index};
use castnet_program::scalar::Literal;
use castnet_program::types::DType;

/// `offset + Σ steps · loop index`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Form {
    pub offset: i64,
    /// A step for each loop dim.
    pub steps: Vec<i64>,
}

impl Form {
    /// The value at a point.
    #[inline]
    pub(crate) fn at(&self, point: &[i64]) -> i64 {
        self.steps.iter().zip(point).fold(self.offset, |sum, (step, i)| sum + step * i)
    }
}

/// An operand of a stage.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub buffer: usize,
    pub dtype: DType,
    pub map: Map,
    /// Of an operand by strides until it is settled ([`Access::settle`]): its indices with these. `map` is as if it lay row-major.
    pub strided: Option<Vec<Dim>>,
    /// Truth values whose bytes may be anything: of each, the lowest bit counts.
    pub loose: bool,
}

/// From a point of the loops to an element of the buffer.
#[derive(Clone, Debug)]
pub(crate) enum Map {
    /// Always inside, and linear.
    Affine(Form),
    /// An index at a time.
    General(Vec<Dim>, Option<Literal>),
}

/// An index that is divided, wrapped or checked.
#[derive(Clone, Debug)]
pub(crate) struct Dim {
    pub form: Form,
    divide: i64,
    exact: bool,
    modulo: i64,
    size: i64,
    /// Elements from one index to the next.
    stride: i64,
}

/// A box of loop points: from `point`, `planes` along the plane dim, `rows` along the row dim and `cols` along the column dim.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a> {
    pub point: &'a [i64],
    pub planes: usize,
    pub rows: usize,
    pub cols: usize,
    pub plane_dim: usize,
    pub row_dim: usize,
    pub col_dim: usize,
}

impl Block<'_> {
    /// The number of points.
    pub(crate) fn len(&self) -> usize {
        self.planes * self.rows * self.cols
    }
}

/// Where the elements of a block lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    /// Element (p, r, c) at `offset + p · plane + r · row + c · col`.
    Linear { offset: i64, plane: i64, row: i64, col: i64 },
    /// All outside.
    Outside,
    /// Neither.
    Mixed,
}

/// Rows or columns of a block: `count` of them, `step` apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Every {
    pub first: usize,
    pub step: usize,
    pub count: usize,
}

impl Every {
    /// All of them.
    fn of(count: usize) -> Every {
        Every { first: 0, step: 1, count }
    }

    /// Those that are in both, if they are as regular.
    fn and(self, other: Every) -> Option<Every> {
        let (wide, narrow) = if self.step > 1 { (self, other) } else { (other, self) };
        if narrow.step > 1 {
            return (wide == narrow).then_some(wide);
        }
        let from = narrow.first.max(wide.first);
        let first = wide.first + (from - wide.first).next_multiple_of(wide.step);
        let end = (narrow.first + narrow.count).min(wide.first + wide.count * wide.step);
        Some(Every { first, step: wide.step, count: end.saturating_sub(first).div_ceil(wide.step) })
    }
}

/// What of a block lies inside: in each plane these rows of these columns. `plane`, `row` and `col` are the steps from one of them to the next in
/// memory; the first of all lies at `offset`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inside {
    pub rows: Every,
    pub cols: Every,
    pub offset: i64,
    pub plane: i64,
    pub row: i64,
    pub col: i64,
}

/// A run of columns that lie evenly, or all outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub len: usize,
    /// Offset and step; `None`: outside.
    pub inside: Option<(i64, i64)>,
}

impl Access {
    /// Resolves the sizes; `sizes` are those of the loop dims.
    pub(crate) fn new(access: &program::Access, dtype: DType, sizes: &[i64], value: &dyn Fn(&str) -> i64) -> Access {
        let mut stride = 1;
        let mut dims = Vec::with_capacity(access.dims.len() + access.within.len());
        for (size, index) in access.dims.iter().zip(&access.index).rev() {
            let size = size.eval(value);
            dims.push(Dim::new(index, size, stride, sizes, value));
            stride *= size;
        }
        // What is only checked leads nowhere in memory.
        let checked = access.within.iter().map(|(index, size)| Dim::new(index, size.eval(value), 0, sizes, value));
        dims.extend(checked);
        let strided = access.strides.as_ref().map(|strides| {
            let mut real = dims.clone();
            real.iter_mut().zip(strides.iter().rev()).for_each(|(dim, stride)| dim.stride = stride.eval(value));
            real
        });
        let inside = access.outside.is_none() || dims.iter().all(|d| d.is_inside(sizes));
        let map = if inside && dims.iter().all(Dim::is_linear) {
            Map::Affine(sum(&dims, sizes.len()))
        } else if inside {
            // Neighbours among the loops become one more often if what is linear is one form.
            let (linear, mut dims): (Vec<Dim>, Vec<Dim>) = dims.into_iter().partition(Dim::is_linear);
            dims.push(Dim::linear(sum(&linear, sizes.len())));
            Map::General(dims, None)
        } else {
            Map::General(dims, access.outside)
        };
        Access { buffer: access.buffer, dtype, map, strided, loose: false }
    }

    /// The linear forms it is made of.
    pub(crate) fn forms(&mut self) -> Vec<&mut Form> {
        match &mut self.map {
            Map::Affine(form) => vec![form],
            Map::General(dims, _) => dims.iter_mut().map(|d| &mut d.form).collect(),
        }
    }

    /// Where a block lies.
    #[inline]
    pub(crate) fn place(&self, block: &Block<'_>) -> Place {
        match &self.map {
            Map::Affine(form) => {
                let step = |d: usize| form.steps[d];
                let (plane, row, col) = (step(block.plane_dim), step(block.row_dim), step(block.col_dim));
                Place::Linear { offset: form.at(block.point), plane, row, col }
            }
            Map::General(dims, outside) => place(dims, outside.is_some(), block),
        }
    }

    /// What of a block lies inside, if that is regular and in all planes the same.
    pub(crate) fn inside(&self, block: &Block<'_>) -> Option<Inside> {
        let Map::General(dims, outside) = &self.map else { return None };
        let (mut rows, mut cols) = (Every::of(block.rows), Every::of(block.cols));
        for dim in dims {
            let [more, across] = dim.inside(block, outside.is_some())?;
            (rows, cols) = (rows.and(more)?, cols.and(across)?);
        }
        let mut inside = Inside { rows, cols, offset: 0, plane: 0, row: 0, col: 0 };
        for dim in dims.iter().filter(|_| rows.count > 0 && cols.count > 0) {
            let step = |d: usize| dim.form.steps[d];
            let first = dim.form.at(block.point)
                + rows.first as i64 * step(block.row_dim)
                + cols.first as i64 * step(block.col_dim);
            let index = |further: i64| {
                let index = (first + further).div_euclid(dim.divide);
                dim.stride * if dim.modulo == 0 { index } else { index.rem_euclid(dim.modulo) }
            };
            // It is even along all three, so that the next ones tell the steps.
            let next = |count: usize, further: i64| if count > 1 { index(further) - index(0) } else { 0 };
            inside.offset += index(0);
            inside.plane += next(block.planes, step(block.plane_dim));
            inside.row += next(rows.count, rows.step as i64 * step(block.row_dim));
            inside.col += next(cols.count, cols.step as i64 * step(block.col_dim));
        }
        Some(inside)
    }

    /// The next columns of a block of one row that lie evenly, from column `at` on.
    pub(crate) fn segment(&self, block: &Block<'_>, at: usize) -> Segment {
        let most = (block.cols - at) as i64;
        match &self.map {
            Map::Affine(form) => {
                let col = form.steps[block.col_dim];
                Segment { len: most as usize, inside: Some((form.at(block.point) + at as i64 * col, col)) }
            }
            Map::General(dims, outside) => {
                let (mut len, mut inside, mut offset, mut col) = (most, true, 0, 0);
                for dim in dims {
                    let step = dim.form.steps[block.col_dim];
                    let start = dim.form.at(block.point) + at as i64 * step;
                    let (run, index) = dim.run(start, step, outside.is_some(), most);
                    len = len.min(run);
                    match index {
                        Some((index, step)) => (offset, col) = (offset + index * dim.stride, col + step * dim.stride),
                        None => inside = false,
                    }
                }
                Segment { len: len as usize, inside: inside.then_some((offset, col)) }
            }
        }
    }

    /// Elements from one index to the next along dim `dim` of the memory, of `dims` in all.
    pub(crate) fn stride(access: &program::Access, dim: usize, value: &dyn Fn(&str) -> i64) -> i64 {
        match &access.strides {
            Some(strides) => strides[dim].eval(value),
            None => access.dims[dim + 1..].iter().map(|size| size.eval(value)).product(),
        }
    }

    /// The bits of what a load gives outside.
    pub(crate) fn fill(&self) -> u64 {
        match self.map {
            Map::General(_, Some(fill)) => fill.bits(),
            Map::General(_, None) | Map::Affine(_) => 0,
        }
    }
}

/// The linear form of indices that are linear, over so many loops.
pub(crate) fn sum(dims: &[Dim], loops: usize) -> Form {
    let mut sum = Form { offset: 0, steps: vec![0; loops] };
    for dim in dims {
        sum.offset += dim.form.offset * dim.stride;
        for (sum, step) in sum.steps.iter_mut().zip(&dim.form.steps) {
            *sum += step * dim.stride;
        }
    }
    sum
}

/// Where a block lies under general indices.
pub(crate) fn place(dims: &[Dim], checked: bool, block: &Block<'_>) -> Place {
    let (mut offset, mut plane, mut row, mut col, mut mixed) = (0, 0, 0, 0, false);
    for dim in dims {
        match dim.place(block, checked) {
            Place::Linear { offset: o, plane: p, row: r, col: c } => {
                offset += o * dim.stride;
                plane += p * dim.stride;
                row += r * dim.stride;
                col += c * dim.stride;
            }
            Place::Outside => return Place::Outside,
            Place::Mixed => mixed = true,
        }
    }
    if mixed { Place::Mixed } else { Place::Linear { offset, plane, row, col } }
}

impl Dim {
    fn new(index: &Index, size: i64, stride: i64, sizes: &[i64], value: &dyn Fn(&str) -> i64) -> Dim {
        let mut steps = vec![0; sizes.len()];
        for &(dim, coefficient) in &index.terms {
            steps[dim] += coefficient;
        }
        let form = Form { offset: index.offset.eval(value), steps };
        let mut dim = Dim { form, divide: index.divide, exact: index.exact, modulo: index.modulo, size, stride };
        dim.simplify(sizes);
        dim
    }

    /// An index that is always inside and neither divided nor wrapped.
    pub(crate) fn linear(form: Form) -> Dim {
        Dim { form, divide: 1, exact: false, modulo: 0, size: i64::MAX, stride: 1 }
    }

    /// The index of loop `at` of `loops`, divided, and wrapped unless by 0.
    pub(crate) fn part(at: usize, loops: usize, divide: i64, modulo: i64, stride: i64) -> Dim {
        let form = Form { offset: 0, steps: (0..loops).map(|d| i64::from(d == at)).collect() };
        Dim { form, divide, exact: false, modulo, size: i64::MAX, stride }
    }

    /// The same index by the strides of another operand.
    pub(crate) fn with_stride(&self, other: &Dim) -> Dim {
        Dim { stride: other.stride, ..self.clone() }
    }

    /// Whether it is neither divided nor wrapped.
    pub(crate) fn is_linear(&self) -> bool {
        self.divide == 1 && self.modulo == 0
    }

    /// The least and the greatest value of the form over all loops.
    fn range(&self, sizes: &[i64]) -> (i64, i64) {
        let ends = self.form.steps.iter().zip(sizes).map(|(step, size)| step * (size - 1).max(0));
        ends.fold((self.form.offset, self.form.offset), |(lo, hi), end| (lo + end.min(0), hi + end.max(0)))
    }

    /// Drops divisions and remainders that do nothing or leave a linear form.
    fn simplify(&mut self, sizes: &[i64]) {
        let divides =
            |form: &Form, d: i64| form.steps.iter().zip(sizes).all(|(step, &size)| size <= 1 || step % d == 0);
        if self.divide != 1 && divides(&self.form, self.divide) && (!self.exact || self.form.offset % self.divide == 0)
        {
            self.form.offset = self.form.offset.div_euclid(self.divide);
            self.form.steps.iter_mut().for_each(|step| *step /= self.divide);
            self.divide = 1;
        }
        if self.divide != 1 && !self.exact {
            let (lo, hi) = self.range(sizes);
            if lo.div_euclid(self.divide) == hi.div_euclid(self.divide) {
                self.form.offset = lo.div_euclid(self.divide);
                self.form.steps.fill(0);
                self.divide = 1;
            }
        }
        if self.divide == 1 && self.modulo != 0 {
            let (lo, hi) = self.range(sizes);
            if lo.div_euclid(self.modulo) == hi.div_euclid(self.modulo) {
                self.form.offset -= lo.div_euclid(self.modulo) * self.modulo;
                self.modulo = 0;
            }
        }
    }

    fn is_inside(&self, sizes: &[i64]) -> bool {
        let (lo, hi) = self.range(sizes);
        match self.modulo {
            _ if self.divide != 1 && self.exact => false,
            0 => lo.div_euclid(self.divide) >= 0 && hi.div_euclid(self.divide) < self.size,
            modulo => modulo <= self.size,
        }
    }

    /// The index over a block, as a linear function of plane, row and column if it is one.
    #[inline]
    fn place(&self, block: &Block<'_>, checked: bool) -> Place {
        let mut start = self.form.at(block.point);
        let counts = [block.planes, block.rows, block.cols];
        let step = |d: usize, count: usize| if count == 1 { 0 } else { self.form.steps[d] };
        let dims = [block.plane_dim, block.row_dim, block.col_dim];
        // Steps from plane to plane, row to row, column to column.
        let mut steps = [step(dims[0], counts[0]), step(dims[1], counts[1]), step(dims[2], counts[2])];
        let range = |start: i64, steps: [i64; 3]| {
            let ends = steps.iter().zip(counts).map(|(step, count)| step * (count as i64 - 1));
            ends.fold((start, start), |(lo, hi), end| (lo + end.min(0), hi + end.max(0)))
        };
        if self.divide != 1 {
            let d = self.divide;
            let (lo, hi) = range(start, steps);
            if steps.iter().all(|step| step % d == 0) {
                if self.exact && start % d != 0 {
                    return Place::Outside;
                }
                (start, steps) = (start.div_euclid(d), steps.map(|step| step / d));
            } else if !self.exact && lo.div_euclid(d) == hi.div_euclid(d) {
                (start, steps) = (lo.div_euclid(d), [0; 3]);
            } else {
                return Place::Mixed;
            }
        }
        if self.modulo != 0 {
            let m = self.modulo;
            let (lo, hi) = range(start, steps);
            if lo.div_euclid(m) == hi.div_euclid(m) {
                start -= lo.div_euclid(m) * m;
            } else if steps.iter().all(|step| step % m == 0) {
                (start, steps) = (start.rem_euclid(m), [0; 3]);
            } else {
                return Place::Mixed;
            }
        }
        if checked {
            let (lo, hi) = range(start, steps);
            if hi < 0 || lo >= self.size {
                return Place::Outside;
            }
            if lo < 0 || hi >= self.size {
                return Place::Mixed;
            }
        }
        let [plane, row, col] = steps;
        Place::Linear { offset: start, plane, row, col }
    }

    /// The rows and the columns of a block for which the index is inside, if they are regular and it is linear over them.
    fn inside(&self, block: &Block<'_>, checked: bool) -> Option<[Every; 2]> {
        let counts = [block.rows, block.cols];
        let all = counts.map(Every::of);
        match self.place(block, checked) {
            Place::Linear { .. } => return Some(all),
            Place::Outside => return Some([Every { count: 0, ..all[0] }, all[1]]),
            Place::Mixed if self.modulo != 0 || self.divide != 1 && !self.exact => return None,
            Place::Mixed => {}
        }
        // It moves along one of them, and not from plane to plane.
        let step =
            |axis: usize| if counts[axis] > 1 { self.form.steps[[block.row_dim, block.col_dim][axis]] } else { 0 };
        let axis = usize::from(step(0) == 0);
        let moves = block.planes > 1 && self.form.steps[block.plane_dim] != 0;
        if moves || step(1 - axis) != 0 {
            return None;
        }
        let (start, by, d) = (self.form.at(block.point), step(axis), self.divide);
        let first = (0..d.min(counts[axis] as i64)).find(|i| (start + i * by) % d == 0);
        let next = first.and_then(|first| (1..=d).find(|i| (start + (first + i) * by) % d == 0));
        let (Some(first), Some(next)) = (first, next) else {
            return Some([Every { count: 0, ..all[0] }, all[1]]);
        };
        let left = (counts[axis] as i64 - first + next - 1) / next;
        let (index, by) = ((start + first * by) / d, next * by / d);
        let (mut from, mut to) = (0, left);
        if checked {
            // `from` is the first for which index + i · by is in 0..size, `to` the first after them.
            let up = |distance: i64| (distance + by.abs() - 1).div_euclid(by.abs());
            let (low, high) = if by > 0 { (-index, self.size - index) } else { (index - self.size + 1, index + 1) };
            (from, to) = (up(low).clamp(0, left), up(high).clamp(0, left));
        }
        let count = (to - from).max(0) as usize;
        let some = Every { first: (first + from * next) as usize, step: next as usize, count };
        let mut both = all;
        both[axis] = some;
        Some(both)
    }

    /// For how many steps from `start` the index stays linear: at most `most`, with first index and step, or `None` if outside.
    fn run(&self, start: i64, step: i64, checked: bool, most: i64) -> (i64, Option<(i64, i64)>) {
        let (mut at, mut by, mut len) = (start, step, most);
        if self.divide != 1 {
            let d = self.divide;
            if self.exact && at % d != 0 {
                let next = if by % d == 0 { None } else { (1..most).find(|i| (at + i * by) % d == 0) };
                return (next.unwrap_or(most), None);
            }
            if by % d == 0 {
                by /= d;
            } else {
                len = len.min(if self.exact { 1 } else { steps_within(at, by, d) });
                by = 0;
            }
            at = at.div_euclid(d);
        }
        if self.modulo != 0 {
            let m = self.modulo;
            if by % m == 0 {
                by = 0;
            } else {
                len = len.min(steps_within(at, by, m));
            }
            at = at.rem_euclid(m);
        }
        if checked {
            // Steps until the index is no less than 0, and until it is no less than the size, in the direction it goes.
            let until = |bound: i64| (bound - at).div_euclid(by) + i64::from((bound - at).rem_euclid(by) != 0);
            let inside = (0..self.size).contains(&at);
            if by > 0 {
                let bound = if at < 0 { 0 } else { self.size };
                len = if at >= self.size { len } else { len.min(until(bound)) };
            } else if by < 0 {
                let back = |bound: i64| (at - bound).div_euclid(-by) + 1;
                let bound = if inside { 0 } else { self.size };
                len = if at < 0 { len } else { len.min(back(bound)) };
            }
            if !inside {
                return (len, None);
            }
        }
        (len, Some((at, by)))
    }
}

/// For how many steps `at` stays in its interval of length `d`.
fn steps_within(at: i64, by: i64, d: i64) -> i64 {
    let rest = at.rem_euclid(d);
    match by {
        0 => i64::MAX,
        1.. => (d - rest - 1) / by + 1,
        _ => rest / -by + 1,
    }
}
