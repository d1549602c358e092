//! The scatter family: sums of what arrives at indices.
//!
//! A chunk owns a range of the indexed dim (of some of the points before it) and goes through all indices in order, so each sum is made by
//! one chunk, in one order. Indices of other chunks are passed by sixteen at a time.

use castnet_program::program::{self, Launch};
use castnet_program::scalar::Lane;
use castnet_program::types::DType;

use crate::access::{Access, Form, Map};
use crate::dims::Dims;
use crate::isa::{Isa, per_isa};
use crate::kernel::Run;
use crate::math::Number;
use crate::transfer::{self, is_own_lane};
use crate::worker::MAX_DIMS;

/// Elements of a chunk, of those that are written or of those that are read.
const CHUNK: i64 = 16384;
/// Chunks at most: each goes through all indices.
const CHUNKS: i64 = 64;
/// So many indices are passed by in the time that an element takes to add.
const PASSED: i64 = 4;
/// Indices that are looked at together.
const BLOCK: usize = 16;

/// A loop: how many points, and the steps of index, value and result from one to the next.
type Loop = (i64, [i64; 3]);

/// A scatter with all sizes known.
#[derive(Debug)]
pub(crate) struct Scatter {
    index: (usize, DType),
    values: usize,
    out: usize,
    /// Where index, value and result begin.
    start: [i64; 3],
    /// The space before the indexed dim, whose points have nothing to do with each other.
    before: Vec<Loop>,
    /// What is summed over and the space behind the indexed dim, but for the last loop that indices change along, and what is behind it.
    outer: Vec<Loop>,
    indices: Loop,
    /// With one index: a single loop at most.
    inner: Loop,
    /// Elements of the indexed dim, and from one to the next in the result.
    size: i64,
    stride: i64,
    lane: Lane,
    isa: Isa,
    /// Pieces of the points before, and of the indexed dim.
    pieces: [i64; 2],
}

/// Calls a function of the type of a lane of numbers.
macro_rules! by_number {
    ($lane:expr, $function:ident($($argument:expr),*)) => {
        match $lane {
            Lane::F32 => $function::<f32>($($argument),*),
            Lane::F64 => $function::<f64>($($argument),*),
            Lane::I32 => $function::<i32>($($argument),*),
            Lane::I64 => $function::<i64>($($argument),*),
            Lane::Bool => unreachable!("a sum of truth values"),
        }
    };
}

per_isa! {
    /// Adds `n` numbers to others.
    fn add(lane: Lane, from: *const u8, to: *mut u8, n: usize) = add_body;
}

#[inline(always)]
unsafe fn add_body(lane: Lane, from: *const u8, to: *mut u8, n: usize) {
    // SAFETY: the caller's promise: two runs that are apart.
    unsafe { by_number!(lane, add_as(from, to, n)) }
}

#[inline(always)]
unsafe fn add_as<T: Number>(from: *const u8, to: *mut u8, n: usize) {
    let (from, to) = (from.cast::<T>(), to.cast::<T>());
    for i in 0..n {
        // SAFETY: the caller's promise.
        unsafe { *to.add(i) = (*to.add(i)).plus(*from.add(i)) };
    }
}

/// Adds a number.
#[inline(always)]
unsafe fn add_one<T: Number>(from: *const u8, to: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { *to.cast::<T>() = (*to.cast::<T>()).plus(*from.cast::<T>()) };
}

impl Scatter {
    /// Resolves a launch of which the indices name dim `axis`.
    pub(crate) fn new(
        launch: &Launch,
        axis: usize,
        dtypes: &[DType],
        isa: Isa,
        value: &dyn Fn(&str) -> i64,
    ) -> Scatter {
        let space = launch.space.len();
        let sizes: Vec<i64> = launch.space.iter().chain(&launch.reduce).map(|s| s.eval(value)).collect();
        let loops = Dims::new(sizes.clone(), space);
        let form = |access: &program::Access| {
            let mut access = Access::new(access, dtypes[access.buffer], &sizes, value);
            access.settle(&loops);
            match access.map {
                Map::Affine(form) => form,
                Map::General(..) => panic!("{}: a scatter of what does not lie evenly", launch.name),
            }
        };
        let [index, values, out] = [&launch.loads[0], &launch.loads[1], &launch.stores[0]];
        let dtype = dtypes[out.buffer];
        let fits = dtypes[values.buffer] == dtype && is_own_lane(dtype) && dtype != DType::Bool;
        assert!(fits, "{}: sums of {dtype}", launch.name);
        let forms: [Form; 3] = [form(index), form(values), form(out)];
        // Row-major, so that a range of the indexed dim is one run.
        let row_major = (0..space).all(|d| sizes[d] == 1 || forms[2].steps[d] == sizes[d + 1..space].iter().product());
        assert!(row_major && sizes.len() <= MAX_DIMS, "{}: the sums lie in another order", launch.name);

        let loops = |dims: &mut dyn Iterator<Item = usize>| {
            let mut loops: Vec<Loop> = vec![];
            for d in dims.filter(|&d| sizes[d] != 1) {
                let steps = [0, 1, 2].map(|f: usize| forms[f].steps[d]);
                match loops.last_mut() {
                    Some((count, outer)) if (0..3).all(|f| outer[f] == steps[f] * sizes[d]) => {
                        (*count, *outer) = (*count * sizes[d], steps);
                    }
                    _ => loops.push((sizes[d], steps)),
                }
            }
            loops
        };
        let before = loops(&mut (0..axis));
        let mut outer = loops(&mut (space..sizes.len()).chain(axis + 1..space));
        let inner = outer.pop_if(|(_, steps)| steps[0] == 0).unwrap_or((1, [0; 3]));
        let indices = outer.pop().unwrap_or((1, [0; 3]));

        let points: i64 = sizes[..axis].iter().product();
        let read: i64 = points * sizes[axis + 1..].iter().product::<i64>();
        let written: i64 = sizes[..space].iter().product();
        let wanted = (read.max(written) / CHUNK).clamp(1, CHUNKS);
        let rows = points.clamp(1, wanted);
        // More ranges than that would look at indices more than add, unless there is more to set to zero.
        let most = (inner.0 / PASSED).max(4).max(written / CHUNK / rows);
        let ranges = (wanted / rows).clamp(1, sizes[axis].max(1)).min(most);
        Scatter {
            index: (index.buffer, dtypes[index.buffer]),
            values: values.buffer,
            out: out.buffer,
            start: [0, 1, 2].map(|f: usize| forms[f].offset),
            before,
            outer,
            indices,
            inner,
            size: sizes[axis],
            stride: sizes[axis + 1..space].iter().product(),
            lane: dtype.lane(),
            isa,
            pieces: [rows, ranges],
        }
    }

    pub(crate) fn chunks(&self) -> usize {
        (self.pieces[0] * self.pieces[1]) as usize
    }

    /// Runs a chunk.
    ///
    /// # Safety
    /// As [`Kernel::run`](crate::Kernel::run).
    pub(crate) unsafe fn run(&self, chunk: usize, run: &Run<'_>) {
        let [rows, ranges] = self.pieces;
        let (row, range) = (chunk as i64 / ranges, chunk as i64 % ranges);
        let piece = |n: i64, of: i64, i: i64| n * i / of..n * (i + 1) / of;
        let points: i64 = self.before.iter().map(|l| l.0).product();
        let own = piece(self.size, ranges, range);
        let bases = [self.index.0, self.values, self.out].map(|buffer| run.base(buffer));
        for mut point in piece(points, rows, row) {
            let mut at = self.start;
            for (count, steps) in self.before.iter().rev() {
                let i = point % count;
                point /= count;
                (0..3).for_each(|f| at[f] += i * steps[f]);
            }
            // SAFETY: the range lies in the result and belongs to this chunk; what is read lies in its buffers.
            unsafe {
                let width = self.lane.bytes();
                let first = bases[2].offset((at[2] + own.start * self.stride) as isize * width as isize);
                let bytes = ((own.end - own.start) * self.stride) as usize * width;
                // All bits 0 are the number 0 of every lane.
                first.write_bytes(0, bytes);
                self.sums(&own, at, bases);
            }
        }
    }

    /// Goes through all that may arrive from place `at` on. `bases`: where index, value and result lie in this round.
    unsafe fn sums(&self, own: &std::ops::Range<i64>, mut at: [i64; 3], bases: [*mut u8; 3]) {
        let mut point = [0; MAX_DIMS];
        let count: i64 = self.outer.iter().map(|l| l.0).product();
        for _ in 0..count {
            // SAFETY: the caller's promise.
            unsafe { self.line(own, at, bases) };
            for (d, (size, steps)) in self.outer.iter().enumerate().rev() {
                point[d] += 1;
                (0..3).for_each(|f| at[f] += steps[f]);
                if point[d] < *size {
                    break;
                }
                point[d] = 0;
                (0..3).for_each(|f| at[f] -= size * steps[f]);
            }
        }
    }

    /// The loop that indices change along.
    unsafe fn line(&self, own: &std::ops::Range<i64>, at: [i64; 3], bases: [*mut u8; 3]) {
        let (n, steps) = self.indices;
        let (dtype, last) = (self.index.1, (self.size - 1).max(0));
        let mut named = [0; BLOCK];
        for first in (0..n).step_by(BLOCK) {
            let count = BLOCK.min((n - first) as usize);
            // SAFETY: the caller's promise; an index is held below the size, and only those of this chunk are followed.
            unsafe {
                let from = bases[0].offset((at[0] + first * steps[0]) as isize * dtype.bytes() as isize);
                if !transfer::indices(self.isa, dtype, from, steps[0], &mut named[..count], last, own) {
                    continue;
                }
                for (i, &row) in named[..count].iter().enumerate().filter(|(_, row)| own.contains(row)) {
                    let i = first + i as i64;
                    let width = self.lane.bytes() as isize;
                    let from = bases[1].offset((at[1] + i * steps[1]) as isize * width);
                    let to = bases[2].offset((at[2] + i * steps[2] + row * self.stride) as isize * width);
                    self.add(from, to);
                }
            }
        }
    }

    /// Adds what belongs to one index.
    #[inline]
    unsafe fn add(&self, from: *const u8, to: *mut u8) {
        let (n, [_, read, written]) = self.inner;
        let width = self.lane.bytes() as isize;
        // SAFETY: the caller's promise.
        unsafe {
            if n > 1 && [read, written] == [1, 1] {
                return add(self.isa, self.lane, from, to, n as usize);
            }
            for i in 0..n as isize {
                let (from, to) = (from.offset(i * read as isize * width), to.offset(i * written as isize * width));
                by_number!(self.lane, add_one(from, to));
            }
        }
    }
}
