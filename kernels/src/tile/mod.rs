//! Tiles: products summed over a reduction, for matrix products and convolutions.
//!
//! One micro-kernel serves all of them: `acc[i][v] += a[rows[i] + steps[k]] · b[k][v]`. The left operand is never packed, since a matrix, its
//! transpose and the windows of a convolution differ in their two tables of offsets only. The right operand is a panel of 32 columns or
//! rows of a matrix; what has neither form is packed into scratch, once for many rows.
//!
//! A finished block of sums goes to a [`Sink`] while it is in the L1 cache. Each sum is computed by one chunk, in an order that depends on
//! the sizes only: results do not depend on the number of threads.

use castnet_graph::program::Tile;
use castnet_graph::size::Size;

use crate::isa::Isa;

use image::{Geometry, Image, Part};

mod axis;
mod conv;
mod depthwise;
mod depthwise_grad;
mod image;
mod input_grad;
mod matmul;
mod micro;
mod pack;
mod sweep;
mod taps;
#[cfg(test)]
mod tests;
mod weight_grad;

/// Columns of a block handed to a sink.
const PANEL: usize = castnet_graph::program::PANEL as usize;
/// Rows of a block handed to a sink: 8 KB of sums.
const BLOCK: usize = 64;
/// The longest piece of a reduction whose right operand is packed at once: 128 KB.
const DEPTH: usize = 1024;

/// Takes finished sums.
pub(crate) trait Sink {
    /// Takes `rows` x `cols` sums: row `i` lies at `acc + i * pitch`. `first_row` counts row-major over all dims of the space but the last.
    ///
    /// # Safety
    ///
    /// The block must be readable and writable, and nobody else may use it or the outputs that belong to it.
    unsafe fn run_rows(&self, first_row: i64, rows: usize, first_col: i64, cols: usize, acc: *mut f32, pitch: usize);
}

/// A tile with all sizes known, cut into chunks.
#[derive(Debug)]
pub(crate) struct TileKernel(Kind);

#[derive(Debug)]
enum Kind {
    MatMul(matmul::MatMul),
    Conv(conv::Forward),
    WeightGrad(weight_grad::WeightGrad),
    Scatter(Box<input_grad::Scatter>),
    Depthwise(Box<depthwise::Depthwise>),
    DepthwiseGrad(Box<depthwise_grad::DepthwiseGrad>),
    /// One after the other.
    Groups(Vec<Kind>),
}

/// What a kernel needs from its surroundings to run a chunk.
struct Run<'a> {
    base: &'a dyn Fn(usize) -> *mut f32,
    sink: &'a dyn Sink,
    isa: Isa,
}

impl TileKernel {
    /// Resolves symbolic sizes with `value` and chooses the chunks.
    pub(crate) fn new(tile: &Tile, space: &[Size], isa: Isa, value: &dyn Fn(&str) -> i64) -> TileKernel {
        TileKernel(match tile {
            Tile::MatMul { k, a, b } => Kind::MatMul(matmul::MatMul::new(k, a, b, space, isa, value)),
            Tile::Conv2d { conv, input, weight } => {
                let (g, input) = (Geometry::new(conv, value), Image::new(input, value));
                if g.is_depthwise() && input.is_channels_last() {
                    let kernel = depthwise::Depthwise::new(&g, input, *weight, false, isa);
                    return TileKernel(Kind::Depthwise(Box::new(kernel)));
                }
                Kind::groups(g, |g, from, to| {
                    let part = Part { column: to, channel: to };
                    Kind::Conv(conv::Forward::new(g, input.channels_from(from), *weight, part, false, isa))
                })
            }
            Tile::Conv2dInputGrad { conv, dy, weight } => {
                let (g, dy) = (Geometry::new(conv, value), Image::new(dy, value));
                if g.is_depthwise() && dy.is_channels_last() {
                    let kernel = depthwise::Depthwise::new(&g, dy, *weight, true, isa);
                    return TileKernel(Kind::Depthwise(Box::new(kernel)));
                }
                Kind::groups(g, |g, to, from| {
                    let part = Part { column: from, channel: to };
                    match input_grad::choose(g, dy.channels_from(from), *weight, part, isa) {
                        Ok(direct) => Kind::Conv(direct),
                        Err(scatter) => Kind::Scatter(scatter),
                    }
                })
            }
            Tile::Conv2dWeightGrad { conv, input, dy } => {
                let (g, input, dy) = (Geometry::new(conv, value), Image::new(input, value), Image::new(dy, value));
                if g.is_depthwise() && input.is_channels_last() && dy.is_channels_last() {
                    let kernel = depthwise_grad::DepthwiseGrad::new(&g, input, dy, isa);
                    return TileKernel(Kind::DepthwiseGrad(Box::new(kernel)));
                }
                Kind::groups(g, |g, from, to| {
                    let part = Part { column: to, channel: to };
                    let (input, dy) = (input.channels_from(from), dy.channels_from(to));
                    Kind::WeightGrad(weight_grad::WeightGrad::new(g, input, dy, part, isa))
                })
            }
        })
    }

    /// The number of chunks: a function of the sizes only.
    pub(crate) fn chunks(&self) -> usize {
        self.0.chunks()
    }

    /// How many floats of scratch a thread needs.
    pub(crate) fn scratch_floats(&self) -> usize {
        // 16 more, so that it can be aligned.
        16 + self.0.scratch_floats()
    }

    /// Runs a chunk. `base` gives the start of a buffer of the program. Allocates nothing.
    ///
    /// # Safety
    ///
    /// The buffers must hold what the tile says, and nobody may write them meanwhile; the sink must be callable for the chunk's rows.
    pub(crate) unsafe fn run(
        &self,
        chunk: usize,
        base: &dyn Fn(usize) -> *mut f32,
        scratch: &mut [f32],
        sink: &dyn Sink,
    ) {
        assert!(chunk < self.chunks() && scratch.len() >= self.scratch_floats());
        let skip = scratch.as_ptr().align_offset(64).min(16);
        let scratch = scratch[skip..].as_mut_ptr();
        // SAFETY: the caller's promise; the scratch is as long as the kernel says.
        unsafe { self.0.run(chunk, base, sink, scratch) }
    }
}

impl Kind {
    /// A kernel a group: `make` gets the group's sizes, its first channel of the input and of the output.
    fn groups(g: Geometry, make: impl Fn(Geometry, usize, usize) -> Kind) -> Kind {
        let one = g.group();
        match g.groups {
            1 => make(one, 0, 0),
            groups => Kind::Groups((0..groups).map(|i| make(one.clone(), i * one.c, i * one.o)).collect()),
        }
    }

    fn chunks(&self) -> usize {
        match self {
            Kind::MatMul(t) => t.chunks(),
            Kind::Conv(t) => t.chunks(),
            Kind::WeightGrad(t) => t.chunks(),
            Kind::Scatter(t) => t.chunks(),
            Kind::Depthwise(t) => t.chunks(),
            Kind::DepthwiseGrad(t) => t.chunks(),
            Kind::Groups(all) => all.iter().map(Kind::chunks).sum(),
        }
    }

    fn scratch_floats(&self) -> usize {
        match self {
            Kind::MatMul(t) => t.scratch_floats(),
            Kind::Conv(t) => t.scratch_floats(),
            Kind::WeightGrad(t) => t.scratch_floats(),
            Kind::Scatter(t) => t.scratch_floats(),
            Kind::Depthwise(t) => t.scratch_floats(),
            Kind::DepthwiseGrad(t) => t.scratch_floats(),
            Kind::Groups(all) => all.iter().map(Kind::scratch_floats).max().unwrap_or(0),
        }
    }

    /// Runs a chunk.
    ///
    /// # Safety
    ///
    /// As [`TileKernel::run`]; the scratch must be aligned.
    unsafe fn run(&self, chunk: usize, base: &dyn Fn(usize) -> *mut f32, sink: &dyn Sink, scratch: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Kind::MatMul(t) => t.run(chunk, &Run { base, sink, isa: t.isa }, scratch),
                Kind::Conv(t) => t.run(chunk, &Run { base, sink, isa: t.isa }, scratch),
                Kind::WeightGrad(t) => t.run(chunk, &Run { base, sink, isa: t.isa }, scratch),
                Kind::Scatter(t) => t.run(chunk, &Run { base, sink, isa: t.isa }, scratch),
                Kind::Depthwise(t) => t.run(chunk, &Run { base, sink, isa: t.isa }, scratch),
                Kind::DepthwiseGrad(t) => t.run(chunk, &Run { base, sink, isa: t.isa }, scratch),
                Kind::Groups(all) => {
                    let mut chunk = chunk;
                    for kind in all {
                        match chunk.checked_sub(kind.chunks()) {
                            None => return kind.run(chunk, base, sink, scratch),
                            Some(rest) => chunk = rest,
                        }
                    }
                }
            }
        }
    }
}

/// Columns `first..first + n` of panels, counted from `first`, in pieces that no panel's end cuts.
fn panels(first: usize, n: usize) -> Vec<std::ops::Range<usize>> {
    let mut pieces = vec![];
    let mut at = 0;
    while at < n {
        let end = (at + PANEL - (first + at) % PANEL).min(n);
        pieces.push(at..end);
        at = end;
    }
    pieces
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
