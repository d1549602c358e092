//! Tiles: products summed over a reduction, for matrix products and convolutions.
//!
//! One micro-kernel serves all of them: `acc[i][v] += a[rows[i] + steps[k]] · b[k][v]`. The left operand is never packed, since a matrix, its
//! transpose and the windows of a convolution differ in their two tables of offsets only. The right operand is a panel of 32 columns or
//! rows of a matrix; what has neither form is packed into scratch, once for many rows.
//!
//! All of it is the same for sums in f32 and in f64. Operands that are halves are summed in f32: they are widened where they are copied to
//! scratch, which they always are.
//!
//! A finished block of sums goes to a [`Sink`] while it is in the L1 cache. Each sum is computed by one chunk, in an order that depends on
//! the sizes only: results do not depend on the number of threads.

use castnet_program::program::{Conv, Tile};
use castnet_program::scalar::Lane;
use castnet_program::size::Size;
use castnet_program::types::DType;

use crate::isa::Isa;

use element::{Element, Operand};
use image::{Geometry, Image};
pub use micro::multiply_adds;

mod axis;
mod conv;
mod depthwise;
mod depthwise_grad;
mod element;
mod image;
mod input_grad;
mod lines;
mod matmul;
mod micro;
mod pack;
mod pairs;
mod sweep;
mod taps;
#[cfg(test)]
mod tests;
mod weight_grad;
mod widen;

/// Columns of a block handed to a sink.
const PANEL: usize = castnet_program::program::PANEL as usize;
/// Rows of a block handed to a sink: 8 KB of sums.
const BLOCK: usize = 64;
/// The longest piece of a reduction whose right operand is packed at once: 128 KB.
const DEPTH: usize = 1024;

/// Takes finished sums.
pub(crate) trait Sink {
    /// Takes `rows` x `cols` sums, of the lane of the tile: row `i` lies `i * pitch` numbers behind `acc`. `first_row` counts row-major over
    /// all dims of the space but the last.
    ///
    /// # Safety
    ///
    /// The block must be readable and writable, and nobody else may use it or the outputs that belong to it.
    unsafe fn run_rows(&self, first_row: i64, rows: usize, first_col: i64, cols: usize, acc: *mut u8, pitch: usize);
}

/// A tile with all sizes known, cut into chunks.
#[derive(Debug)]
pub(crate) struct TileKernel {
    kind: Kind,
    isa: Isa,
    /// Of the sums.
    lane: Lane,
    /// Groups of channels that the kind runs for, one at a time: they differ in where their channels begin only.
    groups: usize,
    /// Chunks of a group.
    each: usize,
    /// Chunks of all: where a group is one, several groups may share one.
    chunks: usize,
    scratch: usize,
}

#[derive(Debug)]
enum Kind {
    MatMul(matmul::MatMul),
    Conv(conv::Forward),
    WeightGrad(weight_grad::WeightGrad),
    InputGrad(Box<input_grad::InputGrad>),
    Depthwise(Box<depthwise::Depthwise>),
    DepthwiseGrad(Box<depthwise_grad::DepthwiseGrad>),
}

/// What a kernel needs from its surroundings to run a chunk.
struct Run<'a> {
    base: &'a dyn Fn(usize) -> *mut u8,
    sink: &'a dyn Sink,
    isa: Isa,
    /// Which group of channels.
    group: usize,
}

impl TileKernel {
    /// Resolves symbolic sizes with `value` and chooses the chunks. `dtypes`: of all buffers.
    pub(crate) fn new(
        tile: &Tile,
        space: &[Size],
        dtypes: &[DType],
        isa: Isa,
        value: &dyn Fn(&str) -> i64,
    ) -> TileKernel {
        let (pairs, isa) = match isa {
            Isa::Avx512Bf16 => match pairs(tile, dtypes, value) {
                true => (true, isa),
                false => (false, Isa::Avx512),
            },
            Isa::Avx512 | Isa::Avx2 | Isa::Portable => (false, isa),
        };
        let lane = element::sums(tile.buffers().map(|buffer| dtypes[buffer]));
        let image = |operand| Image::new(operand, dtypes, value);
        let operand = |buffer: &usize| Operand::new(*buffer, dtypes);
        let (kind, g) = match tile {
            Tile::MatMul { k, a, b } => (Kind::MatMul(matmul::MatMul::new(k, a, b, space, dtypes, pairs, value)), None),
            Tile::Conv2d { conv, input, weight } => {
                let (g, input) = (Geometry::new(conv, value), image(input));
                match g.is_depthwise() {
                    true => {
                        let kernel = depthwise::Depthwise::new(&g, input, operand(weight), false);
                        (Kind::Depthwise(Box::new(kernel)), None)
                    }
                    false => {
                        let kernel = conv::Forward::new(g.group(), input, operand(weight), g.groups, false, pairs);
                        (Kind::Conv(kernel), Some(g))
                    }
                }
            }
            Tile::Conv2dInputGrad { conv, dy, weight } => {
                let (g, dy) = (Geometry::new(conv, value), image(dy));
                match g.is_depthwise() {
                    true => {
                        let kernel = depthwise::Depthwise::new(&g, dy, operand(weight), true);
                        (Kind::Depthwise(Box::new(kernel)), None)
                    }
                    false => match input_grad::choose(g.group(), dy, operand(weight), g.groups, pairs) {
                        Ok(direct) => (Kind::Conv(direct), Some(g)),
                        Err(adding) => (Kind::InputGrad(adding), Some(g)),
                    },
                }
            }
            Tile::Conv2dWeightGrad { conv, input, dy } => {
                let (g, input, dy) = (Geometry::new(conv, value), image(input), image(dy));
                match g.is_depthwise() {
                    true => {
                        let kernel = depthwise_grad::DepthwiseGrad::new(&g, input, dy);
                        (Kind::DepthwiseGrad(Box::new(kernel)), None)
                    }
                    false => {
                        let kernel = weight_grad::WeightGrad::new(g.group(), input, dy, g.groups, pairs);
                        (Kind::WeightGrad(kernel), Some(g))
                    }
                }
            }
        };
        let each = kind.chunks();
        let groups = g.as_ref().map_or(1, |g| g.groups);
        let chunks = match (each, g) {
            (1, Some(g)) => {
                let products = g.n * g.positions() * g.group().taps() * (g.o / g.groups).next_multiple_of(16);
                wanted_chunks(products * groups).min(groups)
            }
            _ => groups * each,
        };
        // 16 more, so that it can be aligned.
        let scratch = 16 + kind.scratch();
        TileKernel { kind, isa, lane, groups, each, chunks, scratch }
    }

    /// The number of chunks: a function of the sizes only.
    pub(crate) fn chunks(&self) -> usize {
        self.chunks
    }

    /// The lane of the sums.
    pub(crate) fn lane(&self) -> Lane {
        self.lane
    }

    /// Bytes of scratch that a thread needs.
    pub(crate) fn scratch_bytes(&self) -> usize {
        self.scratch * self.lane.bytes()
    }

    /// Runs a chunk. `base` gives the start of a buffer of the program. Allocates nothing.
    ///
    /// # Safety
    ///
    /// The buffers must hold what the tile says, and nobody may write them meanwhile; the sink must be callable for the chunk's rows.
    pub(crate) unsafe fn run(
        &self,
        chunk: usize,
        base: &dyn Fn(usize) -> *mut u8,
        scratch: &mut [u8],
        sink: &dyn Sink,
    ) {
        assert!(chunk < self.chunks && scratch.len() >= self.scratch_bytes());
        // No more than the 16 numbers that there are for this.
        let skip = scratch.as_ptr().align_offset(64).min(64);
        let scratch = scratch[skip..].as_mut_ptr();
        let groups = match self.each {
            1 => piece(self.groups, self.chunks, chunk),
            each => chunk / each..chunk / each + 1,
        };
        for group in groups {
            // SAFETY: the caller's promise; the scratch is as long as the kernel says.
            unsafe {
                let (chunk, run) = (chunk % self.each, Run { base, sink, isa: self.isa, group });
                match self.lane {
                    Lane::F32 => self.kind.run::<f32>(chunk, &run, scratch.cast()),
                    Lane::F64 => self.kind.run::<f64>(chunk, &run, scratch.cast()),
                    Lane::I32 | Lane::I64 | Lane::Bool => unreachable!("no operand has this lane"),
                }
            }
        }
    }
}

impl Kind {
    fn chunks(&self) -> usize {
        match self {
            Kind::MatMul(t) => t.chunks(),
            Kind::Conv(t) => t.chunks(),
            Kind::WeightGrad(t) => t.chunks(),
            Kind::InputGrad(t) => t.chunks(),
            Kind::Depthwise(t) => t.chunks(),
            Kind::DepthwiseGrad(t) => t.chunks(),
        }
    }

    /// Numbers of scratch.
    fn scratch(&self) -> usize {
        match self {
            Kind::MatMul(t) => t.scratch(),
            Kind::Conv(t) => t.scratch(),
            Kind::WeightGrad(t) => t.scratch(),
            Kind::InputGrad(t) => t.scratch(),
            Kind::Depthwise(t) => t.scratch(),
            Kind::DepthwiseGrad(t) => t.scratch(),
        }
    }

    /// Runs a chunk of a group.
    ///
    /// # Safety
    ///
    /// As [`TileKernel::run`]; the scratch must be aligned.
    unsafe fn run<E: Element>(&self, chunk: usize, run: &Run, scratch: *mut E) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Kind::MatMul(t) => t.run(chunk, run, scratch),
                Kind::Conv(t) => t.run(chunk, run, scratch),
                Kind::WeightGrad(t) => t.run(chunk, run, scratch),
                Kind::InputGrad(t) => t.run(chunk, run, scratch),
                Kind::Depthwise(t) => t.run(chunk, run, scratch),
                Kind::DepthwiseGrad(t) => t.run(chunk, run, scratch),
            }
        }
    }
}

/// Columns of panels, cut into pieces where a panel ends.
#[derive(Clone, Copy, Debug)]
struct Columns {
    first: usize,
    n: usize,
}

impl Columns {
    fn pieces(self) -> usize {
        (self.first % PANEL + self.n).div_ceil(PANEL)
    }

    /// A piece, counted from the first column.
    fn piece(self, i: usize) -> std::ops::Range<usize> {
        let before = self.first % PANEL;
        (i * PANEL).saturating_sub(before)..((i + 1) * PANEL - before).min(self.n)
    }

    /// The fewest and the most pieces that a group of `n` columns has.
    fn bounds(n: usize, groups: usize) -> [usize; 2] {
        let pieces = |group: usize| Columns { first: group * n, n }.pieces();
        // From 32 groups on they begin where others did.
        let all = || (0..groups.min(PANEL)).map(pieces);
        [all().min().unwrap_or(1), all().max().unwrap_or(1)]
    }
}

/// Whether a tile is computed in pairs where the instruction set has them: of bf16 both, whose reduction falls into pairs of channels, or of
/// positions of a line. How they lie has no say in it, as other bits would come of it.
fn pairs(tile: &Tile, dtypes: &[DType], value: &dyn Fn(&str) -> i64) -> bool {
    let even = |channels: i64, conv: &Conv| channels / conv.groups % 2 == 0;
    let fits = match tile {
        Tile::MatMul { .. } => true,
        Tile::Conv2d { conv, .. } => even(conv.c, conv),
        Tile::Conv2dInputGrad { conv, .. } => even(conv.o, conv),
        // Of fewer channels, rows would be too few.
        Tile::Conv2dWeightGrad { conv, .. } => conv.x.eval(value) % 2 == 0 && conv.c / conv.groups >= 4,
    };
    fits && tile.buffers().iter().all(|&buffer| dtypes[buffer] == DType::BF16)
}

/// How many chunks a kernel of so many multiplications wants: about 30 µs each, but 8 of at least 4 µs where there are few, at most 64.
fn wanted_chunks(products: usize) -> usize {
    let few = (products >> 19).min(8);
    (products >> 22).clamp(few, 64).max(1)
}

/// How many pieces to cut rows and panels into, at most `most` each, for `wanted` chunks at the least `cost(row pieces, panel pieces)`.
fn cut(wanted: usize, most: [usize; 2], cost: impl Fn(usize, usize) -> usize) -> [usize; 2] {
    let options = (1..=most[1].min(wanted)).map(|p| [wanted.div_ceil(p).min(most[0]), p]);
    // A shortage of chunks counts as if everything were read so many times more.
    let cost = |&[r, p]: &[usize; 2]| cost(r, p) * wanted / (r * p).min(wanted);
    options.min_by_key(cost).unwrap_or([1, 1])
}

/// Piece number `i` of `0..n` cut into `pieces` of nearly the same length.
fn piece(n: usize, pieces: usize, i: usize) -> std::ops::Range<usize> {
    n * i / pieces..n * (i + 1) / pieces
}
