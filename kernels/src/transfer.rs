//! Moving blocks between memory and contiguous scratch, with conversion of element types.

use std::ops::Range;

use castnet_program::scalar::Lane;
use castnet_program::types::DType;

use crate::isa::{Isa, per_isa};
use crate::math::{BF16, F16, half};
use crate::transpose::transpose;

/// Elements that may be written past the end of a scratch buffer, so that short rows are written by whole vectors.
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
        if !matches!(dtype, DType::F32 | DType::I32) || matches!(col, 0 | 1) || cols < 2 {
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

/// Reads a grid into a contiguous run of the lane of its type; `to` has room for [`SLACK`] elements more.
///
/// # Safety
/// The machine has `isa`; the grid and `to` are there.
pub(crate) unsafe fn gather(isa: Isa, dtype: DType, from: *const u8, grid: Grid, to: *mut u8) {
    let Some(Turned { count, step, far, depth, pitch }) = Turned::of(dtype, grid) else {
        // SAFETY: the caller's promise.
        return unsafe { gather_straight(isa, dtype, from, grid, to) };
    };
    for i in 0..count {
        // SAFETY: the caller's promise.
        unsafe {
            let from = from.cast::<f32>().offset(i as isize * far);
            transpose(isa, from, grid.col as isize, depth, grid.cols, to.cast::<f32>().add(i * step), pitch as isize);
        }
    }
}

/// Writes a contiguous run of the lane of a type to a grid of it, whose elements are distinct.
///
/// # Safety
/// The machine has `isa`; `from` and the grid are there.
pub(crate) unsafe fn scatter(isa: Isa, dtype: DType, from: *const u8, to: *mut u8, grid: Grid) {
    let Some(Turned { count, step, far, depth, pitch }) = Turned::of(dtype, grid) else {
        // SAFETY: the caller's promise.
        return unsafe { scatter_straight(isa, dtype, from, to, grid) };
    };
    for i in 0..count {
        // SAFETY: the caller's promise.
        unsafe {
            let to = to.cast::<f32>().offset(i as isize * far);
            let from = from.cast::<f32>().add(i * step);
            transpose(isa, from, pitch as isize, grid.cols, depth, to, grid.col as isize);
        }
    }
}

per_isa! {
    /// As [`gather`], row by row.
    fn gather_straight(dtype: DType, from: *const u8, grid: Grid, to: *mut u8) = gather_body;
    /// As [`scatter`], row by row.
    fn scatter_straight(dtype: DType, from: *const u8, to: *mut u8, grid: Grid) = scatter_body;
    /// Reads a grid to elements that lie apart: so many from plane to plane, from row to row, and from column to column.
    pub(crate) fn spread(dtype: DType, from: *const u8, grid: Grid, to: *mut u8, steps: [usize; 3]) = spread_body;
    /// Reads indices, `step` elements apart, held between 0 and `last`; whether any is in `own`.
    pub(crate) fn indices(dtype: DType, from: *const u8, step: i64, to: &mut [i64], last: i64, own: &Range<i64>) -> bool = indices_body;
    /// Writes the values of a linear form over a grid, whose steps are those of the form, in a lane of integers (i32 only if they fit); `to`
    /// has room for [`SLACK`] elements more.
    pub(crate) fn ramp(lane: Lane, first: i64, grid: Grid, to: *mut u8) = ramp_body;
    /// Copies rows of elements of so many bytes, as many elements apart as it says; the runs are apart.
    pub(crate) fn copy_rows(width: usize, from: *const u8, from_row: i64, to: *mut u8, to_row: i64, rows: usize, cols: usize) = copy_rows_body;
    /// Writes `n` times the same, of which `bits` are the lowest; `to` has room for [`SLACK`] elements more.
    pub(crate) fn fill(lane: Lane, to: *mut u8, n: usize, bits: u64) = fill_lane;
}

/// An element in memory, and what it is while it is computed.
trait Element: Copy {
    type Lane: Copy;
    fn load(self) -> Self::Lane;
    fn store(x: Self::Lane) -> Self;
}

macro_rules! elements {
    ($($type:ty => $lane:ty)*) => {$(
        impl Element for $type {
            type Lane = $lane;
            #[inline(always)]
            fn load(self) -> $lane {
                self as $lane
            }
            #[inline(always)]
            fn store(x: $lane) -> $type {
                x as $type
            }
        }
    )*};
}
elements! { u8 => i32 i8 => i32 i16 => i32 u32 => i64 }

/// What is its own lane is only moved, whatever its bits mean.
trait Word: Element<Lane = Self> + Copy {
    fn of(bits: u64) -> Self;
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident($bits:ty))*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        #[repr(transparent)]
        struct $name($bits);

        impl Element for $name {
            type Lane = $name;
            #[inline(always)]
            fn load(self) -> $name {
                self
            }
            #[inline(always)]
            fn store(x: $name) -> $name {
                x
            }
        }

        impl Word for $name {
            #[inline(always)]
            fn of(bits: u64) -> $name {
                $name(bits as $bits)
            }
        }
    )*};
}
words! {
    /// `bool`.
    One(u8)
    /// `f32`, `i32`.
    Four(u32)
    /// `f64`, `i64`.
    Eight(u64)
}

impl Element for F16 {
    type Lane = f32;
    #[inline(always)]
    fn load(self) -> f32 {
        half::from_f16(self.0)
    }
    #[inline(always)]
    fn store(x: f32) -> F16 {
        F16(half::to_f16(x))
    }
}

impl Element for BF16 {
    type Lane = f32;
    #[inline(always)]
    fn load(self) -> f32 {
        half::from_bf16(self.0)
    }
    #[inline(always)]
    fn store(x: f32) -> BF16 {
        BF16(half::to_bf16(x))
    }
}

/// Calls a function of an element's type.
macro_rules! by_dtype {
    ($dtype:expr, $function:ident($($argument:expr),*)) => {
        match $dtype {
            DType::F32 | DType::I32 => $function::<Four>($($argument),*),
            DType::F64 | DType::I64 => $function::<Eight>($($argument),*),
            DType::Bool => $function::<One>($($argument),*),
            DType::F16 => $function::<F16>($($argument),*),
            DType::BF16 => $function::<BF16>($($argument),*),
            DType::I8 => $function::<i8>($($argument),*),
            DType::U8 => $function::<u8>($($argument),*),
            DType::I16 => $function::<i16>($($argument),*),
            DType::U32 => $function::<u32>($($argument),*),
        }
    };
}

/// Calls a function of words of a width.
macro_rules! by_width {
    ($width:expr, $function:ident($($argument:expr),*)) => {
        match $width {
            1 => $function::<One>($($argument),*),
            4 => $function::<Four>($($argument),*),
            _ => $function::<Eight>($($argument),*),
        }
    };
}

/// An element as an index: integers exactly, whatever their size.
///
/// # Safety
/// It is there, and of a type of integers or truth values.
#[inline]
pub(crate) unsafe fn index(dtype: DType, from: *const u8) -> i64 {
    // SAFETY: the caller's promise.
    unsafe {
        match dtype {
            DType::I64 => *from.cast::<i64>(),
            DType::I32 => i64::from(*from.cast::<i32>()),
            DType::U32 => i64::from(*from.cast::<u32>()),
            DType::I16 => i64::from(*from.cast::<i16>()),
            DType::U8 | DType::Bool => i64::from(*from),
            DType::I8 => i64::from(*from.cast::<i8>()),
            DType::F32 | DType::F64 | DType::F16 | DType::BF16 => unreachable!("an index of {dtype}"),
        }
    }
}

/// One element, in its lane.
///
/// # Safety
/// It is there, and `to` has room.
#[inline]
pub(crate) unsafe fn element(dtype: DType, from: *const u8, to: *mut u8) {
    #[inline(always)]
    unsafe fn load<T: Element>(from: *const u8, to: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { *to.cast::<T::Lane>() = (*from.cast::<T>()).load() }
    }
    // SAFETY: the caller's promise.
    unsafe { by_dtype!(dtype, load(from, to)) }
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
pub(crate) unsafe fn gather_body(dtype: DType, from: *const u8, grid: Grid, to: *mut u8) {
    let (grid, width) = (grid.flat(), dtype.lane().bytes());
    for p in 0..grid.planes {
        // SAFETY: the caller's promise; what runs over a plane is written again with the next.
        unsafe {
            let from = from.offset(p as isize * grid.plane as isize * dtype.bytes() as isize);
            gather_plane(dtype, from, grid, to.add(p * grid.rows * grid.cols * width));
        }
    }
}

#[inline(always)]
unsafe fn gather_plane(dtype: DType, from: *const u8, mut grid: Grid, to: *mut u8) {
    let repeat = if grid.row == 0 { std::mem::replace(&mut grid.rows, 1) } else { 1 };
    let width = dtype.lane().bytes();
    // SAFETY: the caller's promise.
    unsafe {
        if is_own_lane(dtype) && grid.col == 1 {
            by_width!(width, copy_rows_as(from, grid.row, to, grid.cols as i64, grid.rows, grid.cols));
        } else {
            by_dtype!(dtype, gather_as(from, grid, to));
        }
        // Equal rows: each copy doubles what is there.
        let (n, mut done) = (grid.cols * repeat, grid.cols);
        while done < n && done > 0 {
            let more = done.min(n - done);
            copy_row(width, to, to.add(done * width), more);
            done += more;
        }
    }
}

/// Whether memory of a type holds its lane.
#[inline(always)]
pub(crate) fn is_own_lane(dtype: DType) -> bool {
    dtype.lane().dtype() == dtype
}

#[inline(always)]
unsafe fn gather_as<T: Element>(from: *const u8, grid: Grid, to: *mut u8) {
    let (from, to, cols) = (from.cast::<T>(), to.cast::<T::Lane>(), grid.cols);
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
unsafe fn spread_body(dtype: DType, from: *const u8, grid: Grid, to: *mut u8, steps: [usize; 3]) {
    let width = dtype.lane().bytes();
    for p in 0..grid.planes {
        // SAFETY: the caller's promise.
        unsafe {
            let from = from.offset(p as isize * grid.plane as isize * dtype.bytes() as isize);
            let to = to.add(p * steps[0] * width);
            if is_own_lane(dtype) && grid.col == 1 && steps[2] == 1 {
                by_width!(width, copy_rows_as(from, grid.row, to, steps[1] as i64, grid.rows, grid.cols));
            } else {
                by_dtype!(dtype, spread_as(from, grid, to, steps));
            }
        }
    }
}

#[inline(always)]
unsafe fn spread_as<T: Element>(from: *const u8, grid: Grid, to: *mut u8, steps: [usize; 3]) {
    for r in 0..grid.rows {
        // SAFETY: the caller's promise.
        unsafe {
            let from = from.cast::<T>().offset(r as isize * grid.row as isize);
            let to = to.cast::<T::Lane>().add(r * steps[1]);
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
unsafe fn scatter_body(dtype: DType, from: *const u8, to: *mut u8, grid: Grid) {
    let (grid, width) = (grid.flat(), dtype.lane().bytes());
    for p in 0..grid.planes {
        // SAFETY: the caller's promise.
        unsafe {
            let to = to.offset(p as isize * grid.plane as isize * dtype.bytes() as isize);
            scatter_plane(dtype, from.add(p * grid.rows * grid.cols * width), to, grid);
        }
    }
}

#[inline(always)]
unsafe fn scatter_plane(dtype: DType, from: *const u8, to: *mut u8, grid: Grid) {
    // SAFETY: the caller's promise.
    unsafe {
        if is_own_lane(dtype) && grid.col == 1 {
            let width = dtype.bytes();
            by_width!(width, copy_rows_as(from, grid.cols as i64, to, grid.row, grid.rows, grid.cols));
        } else {
            by_dtype!(dtype, scatter_as(from, to, grid));
        }
    }
}

#[inline(always)]
unsafe fn scatter_as<T: Element>(from: *const u8, to: *mut u8, grid: Grid) {
    let (from, to, cols) = (from.cast::<T::Lane>(), to.cast::<T>(), grid.cols);
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
unsafe fn ramp_body(lane: Lane, first: i64, grid: Grid, to: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe {
        match lane {
            Lane::I32 => ramp_as(first, grid, to.cast::<i32>(), |x| x as i32),
            Lane::I64 => ramp_as(first, grid, to.cast::<i64>(), |x| x),
            Lane::F32 | Lane::F64 | Lane::Bool => unreachable!("an index of {lane:?}"),
        }
    }
}

#[inline(always)]
unsafe fn ramp_as<T: Copy + std::ops::Add<Output = T> + std::ops::Mul<Output = T>>(
    first: i64,
    grid: Grid,
    to: *mut T,
    of: impl Fn(i64) -> T,
) {
    let Grid { planes, rows, cols, plane, row, col } = grid;
    let step = of(col);
    for i in 0..(planes * rows) as i64 {
        let start = of(first + i / rows as i64 * plane + i % rows as i64 * row);
        // SAFETY: the caller's promise; a filled row may run into the slack or into the next row, which is written later.
        unsafe {
            let to = to.add(i as usize * cols);
            if col == 0 {
                fill_body(to, cols, start);
            } else {
                (0..cols).for_each(|c| *to.add(c) = start + of(c as i64) * step);
            }
        }
    }
}

#[inline(always)]
unsafe fn copy_rows_body(
    width: usize,
    from: *const u8,
    from_row: i64,
    to: *mut u8,
    to_row: i64,
    rows: usize,
    cols: usize,
) {
    // SAFETY: the caller's promise.
    unsafe { by_width!(width, copy_rows_as(from, from_row, to, to_row, rows, cols)) }
}

#[inline(always)]
unsafe fn copy_rows_as<T: Word>(from: *const u8, from_row: i64, to: *mut u8, to_row: i64, rows: usize, cols: usize) {
    let (from, to) = (from.cast::<T>(), to.cast::<T>());
    for r in 0..rows as isize {
        // SAFETY: the caller's promise.
        unsafe { copy_words(from.offset(r * from_row as isize), to.offset(r * to_row as isize), cols) };
    }
}

/// Copies `n` elements of so many bytes; the two runs are the same or apart.
///
/// # Safety
/// Both are there.
#[inline(always)]
pub(crate) unsafe fn copy_row(width: usize, from: *const u8, to: *mut u8, n: usize) {
    // SAFETY: the caller's promise.
    unsafe { by_width!(width, copy_row_as(from, to, n)) }
}

#[inline(always)]
unsafe fn copy_row_as<T: Word>(from: *const u8, to: *mut u8, n: usize) {
    // SAFETY: the caller's promise.
    unsafe { copy_words(from.cast::<T>(), to.cast::<T>(), n) }
}

/// Short rows are the rule here, for which a call of `memcpy` costs more than the copy.
#[inline(always)]
unsafe fn copy_words<T: Word>(from: *const T, to: *mut T, n: usize) {
    #[inline(always)]
    unsafe fn piece<T: Copy, const N: usize>(from: *const T, to: *mut T) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[T; N]>().write_unaligned(from.cast::<[T; N]>().read_unaligned()) }
    }
    // SAFETY: all pieces lie inside the `n` elements; the last one overlaps the one before.
    unsafe {
        match n {
            512.. => std::ptr::copy(from, to, n),
            16.. => {
                let mut at = 0;
                while at + 16 <= n {
                    piece::<T, 16>(from.add(at), to.add(at));
                    at += 16;
                }
                piece::<T, 16>(from.add(n - 16), to.add(n - 16));
            }
            8.. => {
                piece::<T, 8>(from, to);
                piece::<T, 8>(from.add(n - 8), to.add(n - 8));
            }
            4.. => {
                piece::<T, 4>(from, to);
                piece::<T, 4>(from.add(n - 4), to.add(n - 4));
            }
            2.. => {
                piece::<T, 2>(from, to);
                piece::<T, 2>(from.add(n - 2), to.add(n - 2));
            }
            1 => *to = *from,
            0 => {}
        }
    }
}

#[inline(always)]
unsafe fn fill_lane(lane: Lane, to: *mut u8, n: usize, bits: u64) {
    let width = lane.bytes();
    // SAFETY: the caller's promise.
    unsafe { by_width!(width, fill_as(to, n, bits)) }
}

#[inline(always)]
unsafe fn fill_as<T: Word>(to: *mut u8, n: usize, bits: u64) {
    // SAFETY: the caller's promise.
    unsafe { fill_body(to.cast::<T>(), n, T::of(bits)) }
}

#[inline(always)]
unsafe fn fill_body<T: Copy>(to: *mut T, n: usize, value: T) {
    // SAFETY: short runs end inside the slack.
    unsafe {
        match n {
            0 => {}
            1..=16 => to.cast::<[T; 16]>().write_unaligned([value; 16]),
            17..=64 => to.cast::<[T; 64]>().write_unaligned([value; 64]),
            _ => std::slice::from_raw_parts_mut(to, n).fill(value),
        }
    }
}

#[cfg(test)]
mod tests;
