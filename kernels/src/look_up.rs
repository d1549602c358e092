//! Blocks of elements that indices in memory name.

use castnet_program::types::DType;

use crate::isa::per_isa;
use crate::transfer::{Grid, element, gather_body, index, indices_body};

/// A grid of elements from a place in memory on.
#[derive(Clone, Copy)]
pub(crate) struct Elements {
    pub dtype: DType,
    pub first: *const u8,
    pub grid: Grid,
}

impl Elements {
    /// So many elements behind the first.
    #[inline(always)]
    unsafe fn at(&self, offset: i64) -> *const u8 {
        // SAFETY: the caller's promise: the element lies in its buffer.
        unsafe { self.first.offset(offset as isize * self.dtype.bytes() as isize) }
    }

    /// The first element of a row.
    #[inline(always)]
    fn row(&self, plane: usize, row: usize) -> i64 {
        plane as i64 * self.grid.plane + row as i64 * self.grid.row
    }
}

/// Indices that are read at once.
const PIECE: usize = 64;

per_isa! {
    /// Reads a grid into the lane of its type, each element as many times `stride` behind its place in `from` as `index` says, which is held between 0 and `last`. The
    /// two grids have one size; `to` has room for [`SLACK`](crate::transfer::SLACK) more.
    pub(crate) fn look_up(from: Elements, index: Elements, stride: i64, last: i64, to: *mut u8) = look_up_body;
}

/// Each row with its plane.
#[inline(always)]
fn rows_of(planes: usize, rows: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..planes).flat_map(move |plane| (0..rows).map(move |row| (plane, row)))
}

#[inline(always)]
unsafe fn look_up_body(from: Elements, named: Elements, stride: i64, last: i64, to: *mut u8) {
    let width = from.dtype.lane().bytes();
    let Grid { planes, rows, cols, col, .. } = from.grid;
    if named.grid.col == 0 {
        for (plane, row) in rows_of(planes, rows) {
            // SAFETY: an index that is held below the size names an element; what runs over a row is written again with the next.
            unsafe {
                let further = index(named.dtype, named.at(named.row(plane, row))).clamp(0, last) * stride;
                let first = from.at(from.row(plane, row) + further);
                gather_body(from.dtype, first, Grid::line(cols, col), to.add((plane * rows + row) * cols * width));
            }
        }
        return;
    }
    let alike = (named.grid.plane == 0 || planes == 1) && (named.grid.row == 0 || rows == 1);
    let mut places = [0; PIECE];
    for start in (0..cols).step_by(PIECE) {
        let places = &mut places[..PIECE.min(cols - start)];
        for (plane, row) in rows_of(planes, rows) {
            // SAFETY: as above; the columns lie in the block.
            unsafe {
                if !alike || (plane, row) == (0, 0) {
                    let at = named.at(named.row(plane, row) + start as i64 * named.grid.col);
                    indices_body(named.dtype, at, named.grid.col, places, last, &(0..0));
                    (0..places.len()).for_each(|c| places[c] = places[c] * stride + c as i64 * col);
                }
                let first = from.row(plane, row) + start as i64 * col;
                let to = to.add(((plane * rows + row) * cols + start) * width);
                match from.dtype {
                    DType::F32 | DType::I32 => {
                        let (from, to) = (from.at(first).cast::<u32>(), to.cast::<u32>());
                        (0..places.len()).for_each(|c| *to.add(c) = *from.offset(places[c] as isize));
                    }
                    DType::F64 | DType::I64 => {
                        let (from, to) = (from.at(first).cast::<u64>(), to.cast::<u64>());
                        (0..places.len()).for_each(|c| *to.add(c) = *from.offset(places[c] as isize));
                    }
                    _ => (0..places.len())
                        .for_each(|c| element(from.dtype, from.at(first + places[c]), to.add(c * width))),
                }
            }
        }
    }
}
