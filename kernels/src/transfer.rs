//! Moving blocks between memory and contiguous scratch, with conversion of element types.

use std::ops::Range;

use castnet_program::types::DType;

use crate::isa::{Isa, per_isa};
use crate::transpose::transpose;

/// Floats that may be written past the end of a scratch buffer, so that short rows are written by whole vectors.
pub(crate) const SLACK: usize = 64;

/// A box of elements in memory: element (p, r, c) lies `p · plane + r · row + c · col` elements after the first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    pub planes: usize,
    pub rows: usize,
    pub cols: usize,
    pub plane: i64,
    pub row: i64,
    pub col: i64,
}

impl Grid {
    /// A run of elements.
    pub(crate) fn line(cols: usize, col: i64) -> Grid {
        Grid { planes: 1, rows: 1, cols, plane: 0, row: 0, col }
    }

    /// As few and as long rows as possible; more than one plane only of more than one row.
    #[inline(always)]
    fn flat(self) -> Grid {
        self.joined().joined()
    }

    /// Rows joined if they lie evenly; then planes become the rows.
    #[inline(always)]
    fn joined(self) -> Grid {
        let Grid { planes, rows, cols, plane, row, col } = self;
        let up = Grid { planes: 1, rows: planes, plane: 0, row: plane, ..self };
        if cols == 1 {
            Grid { cols: rows, col: row, ..up }
        } else if rows == 1 || row == col * cols as i64 {
            Grid { cols: cols * rows, ..up }
        } else {
            self
        }
    }

    /// Whether the elements lie one after the other.
    #[inline(always)]
    pub(crate) fn is_contiguous(self) -> bool {
        let flat = self.flat();
        flat.planes == 1 && flat.rows == 1 && (flat.cols == 1 || flat.col == 1)
    }
}

/// A grid whose elements lie side by side in memory along another axis than along columns: many matrices that are turned.
struct Turned {
    /// Matrices: how many, from one to the next in the grid, and in memory.
    count: usize,
    step: usize,
    far: isize,
    /// Elements that lie side by side, and from one to the next in the grid.
    depth: usize,
    pitch: usize,
}

impl Turned {
    /// The fewest elements side by side that are worth it.
    const LEAST: usize = 4;

    fn of(dtype: DType, grid: Grid) -> Option<Turned> {
        let Grid { planes, rows, cols, plane, row, col } = grid;
        if dtype != DType::F32 || matches!(col, 0 | 1) || cols < 2 {
            return None;
        }
        let turned = match (plane, row) {
            // Planes that follow their rows are more rows.
            (_, 1) if planes == 1 || plane == rows as i64 => {
                Turned { count: 1, step: 0, far: 0, depth: planes * rows, pitch: cols }
            }
            (_, 1) => Turned { count: planes, step: rows * cols, far: plane as isize, depth: rows, pitch: cols },
            (1, _) if planes > 1 => {
                Turned { count: rows, step: cols, far: row as isize, depth: planes, pitch: rows * cols }
            }
            _ => return None,
        };
        (turned.depth >= Turned::LEAST).then_some(turned)
    }
}

/// Reads a grid into contiguous floats; `to` has room for [`SLACK`] more.
///
/// # Safety
/// The machine has `isa`; the grid and `to` are there.
pub(crate) unsafe fn gather(isa: Isa, dtype: DType, from: *const u8, grid: Grid, to: *mut f32) {
    let Some(Turned { count, step, far, depth, pitch }) = Turned::of(dtype, grid) else {
        // SAFETY: the caller's promise.
        return unsafe { gather_straight(isa, dtype, from, grid, to) };
    };
    for i in 0..count {
        // SAFETY: the caller's promise.
        unsafe {
            let from = from.cast::<f32>().offset(i as isize * far);
            transpose(isa, from, grid.col as isize, depth, grid.cols, to.add(i * step), pitch as isize);
        }
    }
}

/// Writes contiguous floats to a grid, whose elements are distinct.
///
/// # Safety
/// The machine has `isa`; `from` and the grid are there.
pub(crate) unsafe fn scatter(isa: Isa, dtype: DType, from: *const f32, to: *mut u8, grid: Grid) {
    let Some(Turned { count, step, far, depth, pitch }) = Turned::of(dtype, grid) else {
        // SAFETY: the caller's promise.
        return unsafe { scatter_straight(isa, dtype, from, to, grid) };
    };
    for i in 0..count {
        // SAFETY: the caller's promise.
        unsafe {
            let to = to.cast::<f32>().offset(i as isize * far);
            transpose(isa, from.add(i * step), pitch as isize, grid.cols, depth, to, grid.col as isize);
        }
    }
}

per_isa! {
    /// As [`gather`], row by row.
    fn gather_straight(dtype: DType, from: *const u8, grid: Grid, to: *mut f32) = gather_body;
    /// As [`scatter`], row by row.
    fn scatter_straight(dtype: DType, from: *const f32, to: *mut u8, grid: Grid) = scatter_body;
    /// Reads a grid to floats that lie apart: so far from plane to plane, from row to row, and from column to column.
    pub(crate) fn spread(dtype: DType, from: *const u8, grid: Grid, to: *mut f32, steps: [usize; 3]) = spread_body;
    /// Reads indices, `step` elements apart, held between 0 and `last`; whether any is in `own`.
    pub(crate) fn indices(dtype: DType, from: *const u8, step: i64, to: &mut [i64], last: i64, own: &Range<i64>) -> bool = indices_body;
    /// Writes the values of a linear form over a grid, whose steps are those of the form; `to` has room for [`SLACK`] more.
    pub(crate) fn ramp(first: i64, grid: Grid, to: *mut f32) = ramp_body;
    /// Copies rows of floats; the runs are apart.
    pub(crate) fn copy_rows(from: *const f32, from_row: i64, to: *mut f32, to_row: i64, rows: usize, cols: usize) = copy_rows_body;
    /// Writes `n` times the same; `to` has room for [`SLACK`] more.
    pub(crate) fn fill(to: *mut f32, n: usize, value: f32) = fill_body;
}

/// An element in memory.
trait Element: Copy {
    fn load(self) -> f32;
    fn store(x: f32) -> Self;
}

macro_rules! elements {
    ($($type:ty)*) => {$(
        impl Element for $type {
            #[inline(always)]
            fn load(self) -> f32 {
                self as f32
            }
            #[inline(always)]
            fn store(x: f32) -> $type {
                x as $type
            }
        }
    )*};
}
elements! { f32 f64 i8 u8 i32 u32 i64 }

/// One byte, 0 or 1.
#[derive(Clone, Copy)]
struct Truth(u8);

impl Element for Truth {
    #[inline(always)]
    fn load(self) -> f32 {
        f32::from(self.0)
    }
    #[inline(always)]
    fn store(x: f32) -> Truth {
        Truth(u8::from(x != 0.0))
    }
}

/// The upper half of an `f32`.
#[derive(Clone, Copy)]
struct Brain(u16);

impl Element for Brain {
    #[inline(always)]
    fn load(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }
    #[inline(always)]
    fn store(x: f32) -> Brain {
        let bits = x.to_bits();
        let even = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
        Brain(if x.is_nan() { (bits >> 16) as u16 | 0x40 } else { (even >> 16) as u16 })
    }
}

/// IEEE half precision.
#[derive(Clone, Copy)]
struct Half(u16);

impl Element for Half {
    #[inline(always)]
    fn load(self) -> f32 {
        let bits = u32::from(self.0);
        let (sign, magnitude) = (bits >> 15 << 31, bits & 0x7fff);
        // Scaling by 2¹¹² moves the exponent and makes subnormals normal.
        let value = f32::from_bits(magnitude << 13) * f32::from_bits((127 + 112) << 23);
        let value = if magnitude >= 0x7c00 { f32::from_bits(0x7f80_0000 | magnitude << 13) } else { value };
        f32::from_bits(value.to_bits() | sign)
    }
    #[inline(always)]
    fn store(x: f32) -> Half {
        let sign = (x.to_bits() >> 16 & 0x8000) as u16;
        let magnitude = x.abs();
        if magnitude.is_nan() {
            return Half(sign | 0x7e00);
        }
        let bits = magnitude.to_bits();
        let value = if magnitude < 6.103_515_6e-5 {
            // Subnormal: in units of 2⁻²⁴, rounded by the addition.
            ((magnitude + 0.5).to_bits() - 0.5f32.to_bits()) as u16
        } else {
            let rounded = bits + 0xfff + (bits >> 13 & 1) - (112 << 23);
            (rounded >> 13).min(0x7c00) as u16
        };
        Half(sign | value)
    }
}

macro_rules! by_dtype {
    ($dtype:expr, $function:ident($($argument:expr),*)) => {
        match $dtype {
            DType::F32 => $function::<f32>($($argument),*),
            DType::F64 => $function::<f64>($($argument),*),
            DType::F16 => $function::<Half>($($argument),*),
            DType::BF16 => $function::<Brain>($($argument),*),
            DType::I8 => $function::<i8>($($argument),*),
            DType::U8 => $function::<u8>($($argument),*),
            DType::I32 => $function::<i32>($($argument),*),
            DType::U32 => $function::<u32>($($argument),*),
            DType::I64 => $function::<i64>($($argument),*),
            DType::Bool => $function::<Truth>($($argument),*),
        }
    };
}

/// An element as a float.
#[inline]
pub(crate) unsafe fn element(dtype: DType, from: *const u8) -> f32 {
    #[inline(always)]
    unsafe fn load<T: Element>(from: *const u8) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { (*from.cast::<T>()).load() }
    }
    // SAFETY: the caller's promise.
    unsafe { by_dtype!(dtype, load(from)) }
}

/// An element as an index: integers exactly, whatever their size.
#[inline]
pub(crate) unsafe fn index(dtype: DType, from: *const u8) -> i64 {
    // SAFETY: the caller's promise.
    unsafe {
        match dtype {
            DType::I64 => *from.cast::<i64>(),
            DType::I32 => i64::from(*from.cast::<i32>()),
            DType::U32 => i64::from(*from.cast::<u32>()),
            DType::U8 | DType::Bool => i64::from(*from),
            DType::I8 => i64::from(*from.cast::<i8>()),
            other => element(other, from) as i64,
        }
    }
}

#[inline(always)]
pub(crate) unsafe fn indices_body(
    dtype: DType,
    from: *const u8,
    step: i64,
    to: &mut [i64],
    last: i64,
    own: &Range<i64>,
) -> bool {
    // The commonest by vectors, if they lie side by side.
    // SAFETY: the caller's promise.
    unsafe {
        match (dtype, step) {
            (DType::I64, 1) => (0..to.len()).for_each(|i| to[i] = *from.cast::<i64>().add(i)),
            (DType::I32, 1) => (0..to.len()).for_each(|i| to[i] = i64::from(*from.cast::<i32>().add(i))),
            (DType::U8, 1) => (0..to.len()).for_each(|i| to[i] = i64::from(*from.add(i))),
            (DType::F32, 1) => (0..to.len()).for_each(|i| to[i] = *from.cast::<f32>().add(i) as i64),
            _ => (0..to.len())
                .for_each(|i| to[i] = index(dtype, from.offset(i as isize * step as isize * dtype.bytes() as isize))),
        }
    }
    let mut any = false;
    for row in to {
        *row = (*row).max(0).min(last);
        any |= (*row >= own.start) & (*row < own.end);
    }
    any
}

#[inline(always)]
pub(crate) unsafe fn gather_body(dtype: DType, from: *const u8, grid: Grid, to: *mut f32) {
    let grid = grid.flat();
    for p in 0..grid.planes {
        // SAFETY: the caller's promise; what runs over a plane is written again with the next.
        unsafe {
            let from = from.offset(p as isize * grid.plane as isize * dtype.bytes() as isize);
            gather_plane(dtype, from, grid, to.add(p * grid.rows * grid.cols));
        }
    }
}

#[inline(always)]
unsafe fn gather_plane(dtype: DType, from: *const u8, mut grid: Grid, to: *mut f32) {
    let repeat = if grid.row == 0 { std::mem::replace(&mut grid.rows, 1) } else { 1 };
    // SAFETY: the caller's promise.
    unsafe {
        if dtype == DType::F32 && grid.col == 1 {
            for r in 0..grid.rows {
                copy_row(from.cast::<f32>().offset(r as isize * grid.row as isize), to.add(r * grid.cols), grid.cols);
            }
        } else {
            by_dtype!(dtype, gather_as(from, grid, to));
        }
        // Equal rows: each copy doubles what is there.
        let (n, mut done) = (grid.cols * repeat, grid.cols);
        while done < n && done > 0 {
            let more = done.min(n - done);
            copy_row(to, to.add(done), more);
            done += more;
        }
    }
}

#[inline(always)]
unsafe fn gather_as<T: Element>(from: *const u8, grid: Grid, to: *mut f32) {
    let (from, cols) = (from.cast::<T>(), grid.cols);
    for r in 0..grid.rows {
        // SAFETY: the caller's promise; a filled row may run into the slack or into the next row, which is written later.
        unsafe {
            let (from, to) = (from.offset(r as isize * grid.row as isize), to.add(r * cols));
            match grid.col as isize {
                0 => fill_body(to, cols, (*from).load()),
                1 => (0..cols).for_each(|c| *to.add(c) = (*from.add(c)).load()),
                // Of constant length, so that vectors are shuffled.
                2 => (0..cols).for_each(|c| *to.add(c) = (*from.add(2 * c)).load()),
                col => (0..cols).for_each(|c| *to.add(c) = (*from.offset(c as isize * col)).load()),
            }
        }
    }
}

#[inline(always)]
unsafe fn spread_body(dtype: DType, from: *const u8, grid: Grid, to: *mut f32, steps: [usize; 3]) {
    for p in 0..grid.planes {
        // SAFETY: the caller's promise.
        unsafe {
            let from = from.offset(p as isize * grid.plane as isize * dtype.bytes() as isize);
            let to = to.add(p * steps[0]);
            if dtype == DType::F32 && grid.col == 1 && steps[2] == 1 {
                copy_rows_body(from.cast(), grid.row, to, steps[1] as i64, grid.rows, grid.cols);
            } else {
                by_dtype!(dtype, spread_as(from, grid, to, steps));
            }
        }
    }
}

#[inline(always)]
unsafe fn spread_as<T: Element>(from: *const u8, grid: Grid, to: *mut f32, steps: [usize; 3]) {
    for r in 0..grid.rows {
        // SAFETY: the caller's promise.
        unsafe {
            let (from, to) = (from.cast::<T>().offset(r as isize * grid.row as isize), to.add(r * steps[1]));
            match (grid.col, steps[2]) {
                // Of constant lengths, so that there are vectors.
                (1, 2) => (0..grid.cols).for_each(|c| *to.add(2 * c) = (*from.add(c)).load()),
                (2, 1) => (0..grid.cols).for_each(|c| *to.add(c) = (*from.add(2 * c)).load()),
                (col, step) => {
                    (0..grid.cols).for_each(|c| *to.add(c * step) = (*from.offset(c as isize * col as isize)).load())
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn scatter_body(dtype: DType, from: *const f32, to: *mut u8, grid: Grid) {
    let grid = grid.flat();
    for p in 0..grid.planes {
        // SAFETY: the caller's promise.
        unsafe {
            let to = to.offset(p as isize * grid.plane as isize * dtype.bytes() as isize);
            scatter_plane(dtype, from.add(p * grid.rows * grid.cols), to, grid);
        }
    }
}

#[inline(always)]
unsafe fn scatter_plane(dtype: DType, from: *const f32, to: *mut u8, grid: Grid) {
    // SAFETY: the caller's promise.
    unsafe {
        if dtype == DType::F32 && grid.col == 1 {
            for r in 0..grid.rows {
                copy_row(from.add(r * grid.cols), to.cast::<f32>().offset(r as isize * grid.row as isize), grid.cols);
            }
        } else {
            by_dtype!(dtype, scatter_as(from, to, grid));
        }
    }
}

#[inline(always)]
unsafe fn scatter_as<T: Element>(from: *const f32, to: *mut u8, grid: Grid) {
    let (to, cols) = (to.cast::<T>(), grid.cols);
    for r in 0..grid.rows {
        // SAFETY: the caller's promise.
        unsafe {
            let (from, to) = (from.add(r * cols), to.offset(r as isize * grid.row as isize));
            match grid.col as isize {
                1 => (0..cols).for_each(|c| *to.add(c) = T::store(*from.add(c))),
                col => (0..cols).for_each(|c| *to.offset(c as isize * col) = T::store(*from.add(c))),
            }
        }
    }
}

#[inline(always)]
unsafe fn ramp_body(first: i64, grid: Grid, to: *mut f32) {
    let Grid { planes, rows, cols, plane, row, col } = grid;
    let line = (planes * rows) as i64;
    let far = |step: i64, n: usize| step.saturating_mul(n as i64).saturating_abs();
    let most = [far(plane, planes), far(row, rows), far(col, cols)]
        .iter()
        .fold(first.saturating_abs(), |sum, far| sum.saturating_add(*far));
    for i in 0..line {
        let start = first + i / rows as i64 * plane + i % rows as i64 * row;
        // SAFETY: the caller's promise; a filled row may run into the slack or into the next row, which is written later.
        unsafe {
            let to = to.add(i as usize * cols);
            if col == 0 {
                fill_body(to, cols, start as f32);
            } else if most <= i64::from(i32::MAX) {
                let (start, col) = (start as i32, col as i32);
                (0..cols).for_each(|c| *to.add(c) = (start + c as i32 * col) as f32);
            } else {
                (0..cols).for_each(|c| *to.add(c) = (start + c as i64 * col) as f32);
            }
        }
    }
}

#[inline(always)]
unsafe fn copy_rows_body(from: *const f32, from_row: i64, to: *mut f32, to_row: i64, rows: usize, cols: usize) {
    for r in 0..rows as isize {
        // SAFETY: the caller's promise.
        unsafe { copy_row(from.offset(r * from_row as isize), to.offset(r * to_row as isize), cols) };
    }
}

/// Copies `n` floats; the two runs are the same or apart. Short rows are the rule here, for which a call of `memcpy` costs more than the
/// copy.
#[inline(always)]
pub(crate) unsafe fn copy_row(from: *const f32, to: *mut f32, n: usize) {
    #[inline(always)]
    unsafe fn piece<const N: usize>(from: *const f32, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[f32; N]>().write_unaligned(from.cast::<[f32; N]>().read_unaligned()) }
    }
    // SAFETY: all pieces lie inside the `n` floats; the last one overlaps the one before.
    unsafe {
        match n {
            512.. => std::ptr::copy(from, to, n),
            16.. => {
                let mut at = 0;
                while at + 16 <= n {
                    piece::<16>(from.add(at), to.add(at));
                    at += 16;
                }
                piece::<16>(from.add(n - 16), to.add(n - 16));
            }
            8.. => {
                piece::<8>(from, to);
                piece::<8>(from.add(n - 8), to.add(n - 8));
            }
            4.. => {
                piece::<4>(from, to);
                piece::<4>(from.add(n - 4), to.add(n - 4));
            }
            2.. => {
                piece::<2>(from, to);
                piece::<2>(from.add(n - 2), to.add(n - 2));
            }
            1 => *to = *from,
            0 => {}
        }
    }
}

#[inline(always)]
unsafe fn fill_body(to: *mut f32, n: usize, value: f32) {
    // SAFETY: short runs end inside the slack.
    unsafe {
        match n {
            0 => {}
            1..=16 => to.cast::<[f32; 16]>().write_unaligned([value; 16]),
            17..=64 => to.cast::<[f32; 64]>().write_unaligned([value; 64]),
            _ => std::slice::from_raw_parts_mut(to, n).fill(value),
        }
    }
}

#[cfg(test)]
mod tests;
