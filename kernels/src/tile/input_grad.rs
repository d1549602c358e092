//! The gradient of a convolution's input.
//!
//! With stride 1 it is a convolution of `dy` with the reversed kernel. Otherwise, and where that would multiply with many zeros, each
//! position's `dy` times the weights gives its whole window, which is added to an image in scratch.

use std::ops::Range;

use super::conv::Forward;
use super::element::{Element, Operand};
use super::image::{Geometry, Image};
use super::micro::{Product, Rows};
use super::widen::Widened;
use super::{BLOCK, DEPTH, PANEL, Run, pack, piece, wanted_chunks};

/// Numbers of the images that a chunk adds to at a time, unless one alone is larger: 256 KB.
const IMAGES: usize = 1 << 16;

/// The gradient by adding windows. A chunk is some images and some channels.
#[derive(Debug)]
pub(super) struct InputGrad {
    g: Geometry,
    dy: Image,
    /// Output channels of a step: 2 if they are pairs.
    unit: usize,
    /// Offsets of a step: 2 if they are yet to be paired.
    each: usize,
    widened: Widened,
    weight: Operand,
    /// Lines and columns of an image in scratch.
    size: [usize; 2],
    /// Channels of an image in scratch: all, or a part that is a multiple of 32.
    channels: usize,
    /// Images in scratch at a time.
    images: usize,
    /// Pieces of images, of channels.
    pieces: [usize; 2],
    /// For each position: where its `dy` and where its window begin.
    positions: Vec<isize>,
    windows: Vec<isize>,
    /// Where the output channels lie in `dy`, so many for a step.
    steps: Vec<isize>,
    /// Columns `(r, s, c)` of some channels in groups that lie side by side in an image: first column, how many, offset from the window.
    runs: Vec<(usize, usize, usize)>,
}

/// The cheaper way: a convolution, or adding windows. `g`: the sizes of a group.
/// `pairs`: of bf16 both, two output channels at a time.
pub(super) fn choose(
    g: Geometry,
    dy: Image,
    weight: Operand,
    groups: usize,
    pairs: bool,
) -> Result<Forward, Box<InputGrad>> {
    let spots = g.kernel[0] * g.kernel[1];
    // Vector operations of an image.
    let direct = g.h * g.w * spots * g.o * g.c.div_ceil(16);
    let scatter = g.positions() * (g.taps().div_ceil(16) * g.o + 4 * spots * g.c.div_ceil(16));
    if g.stride == [1, 1] && direct <= scatter {
        let reversed = Geometry {
            h: g.y,
            w: g.x,
            c: g.o,
            y: g.h,
            x: g.w,
            o: g.c,
            padding: [0, 1].map(|d| ((g.kernel[d] - 1) * g.dilation[d]) as isize - g.padding[d]),
            ..g
        };
        return Ok(Forward::new(reversed, dy, weight, groups, true, pairs));
    }
    Err(Box::new(InputGrad::new(g, dy, weight, pairs)))
}

impl InputGrad {
    fn new(g: Geometry, mut dy: Image, mut weight: Operand, pairs: bool) -> InputGrad {
        let unit = if pairs { 2 } else { 1 };
        if pairs {
            (dy, weight) = (dy.paired(), weight.paired());
        }
        let strides = dy.strides;
        let extent = g.extent(g.y, g.x);
        let sizes = [g.h, g.w];
        let size = [0, 1].map(|d| extent[d].max(sizes[d] + g.padding[d] as usize));
        let products = g.n * g.positions() * g.taps().next_multiple_of(16) * g.o;
        let wanted = wanted_chunks(products);
        // Channels in parts that are whole panels, if there are not images enough or an image is large.
        let parts = |&q: &usize| g.c.is_multiple_of(q * PANEL) || q == 1;
        let good = |&q: &usize| g.n * q >= wanted.min(8) && size[0] * size[1] * g.c / q <= IMAGES;
        let options = || (1..=g.c.div_ceil(PANEL)).filter(parts);
        let parts = options().find(good).or(options().next_back()).unwrap_or(1);
        let channels = g.c / parts;
        let pieces = [g.n.min(wanted.div_ceil(parts)), parts];
        let each = g.n.div_ceil(pieces[0]);
        let images = (IMAGES / (size[0] * size[1] * channels)).clamp(1, each);
        // Neighbouring windows overlap: an addition right after another would wait for its store. So every n-th column goes first.
        let phases = PANEL.div_ceil(g.stride[1] * channels).min(8);
        let (mut positions, mut windows) = (vec![], vec![]);
        for phase in 0..phases {
            for y in 0..g.y {
                for x in (phase..g.x).step_by(phases) {
                    positions.push(y as isize * strides[1] + x as isize * strides[2]);
                    windows.push(((y * g.stride[0] * size[1] + x * g.stride[1]) * channels) as isize);
                }
            }
        }
        let (most, each) = ((g.o / unit).min(DEPTH / unit), if dy.is_half() { unit } else { 1 });
        let steps: Vec<isize> = (0..(most * each) as isize).map(|o| o * (strides[3] / each as isize)).collect();
        let some = Geometry { c: channels, ..g.clone() };
        let taps = some.tap_table([size[1] * channels, channels, 1].map(|s| s as isize));
        let mut runs: Vec<(usize, usize, usize)> = vec![];
        for (column, &offset) in taps.iter().enumerate() {
            match runs.last_mut() {
                Some((_, n, at)) if *at + *n == offset as usize && column % PANEL != 0 => *n += 1,
                _ => runs.push((column, 1, offset as usize)),
            }
        }
        let widened = Widened::new(dy.is_half(), positions.len().min(BLOCK), most);
        InputGrad {
            g,
            dy,
            unit,
            each,
            widened,
            weight,
            size,
            channels,
            images,
            pieces,
            positions,
            windows,
            steps,
            runs,
        }
    }

    pub(super) fn chunks(&self) -> usize {
        self.pieces.iter().product()
    }

    /// Numbers of an image in scratch.
    fn image(&self) -> usize {
        self.size[0] * self.size[1] * self.channels
    }

    /// Columns of the product: taps of the channels in scratch.
    fn columns(&self) -> usize {
        self.g.kernel[0] * self.g.kernel[1] * self.channels
    }

    fn packed(&self) -> usize {
        self.steps.len() / self.each * PANEL
    }

    pub(super) fn scratch(&self) -> usize {
        self.widened.scratch() + self.packed() + BLOCK * PANEL + self.images * self.image()
    }

    pub(super) unsafe fn run<E: Element>(&self, chunk: usize, run: &Run, scratch: *mut E) {
        let images = piece(self.g.n, self.pieces[0], chunk / self.pieces[1]);
        let channel = chunk % self.pieces[1] * self.channels;
        // SAFETY: the caller's promise; the scratch is divided as `scratch` counts it.
        unsafe {
            let packed = scratch.add(self.widened.scratch());
            let block = packed.add(self.packed());
            let sums = block.add(BLOCK * PANEL);
            for first in images.clone().step_by(self.images) {
                let count = self.images.min(images.end - first);
                std::ptr::write_bytes(sums, 0, count * self.image());
                for column in (0..self.columns()).step_by(PANEL) {
                    for from in (0..self.g.o).step_by(DEPTH) {
                        self.panel(run, first..first + count, channel, column, from, scratch, packed, block, sums);
                    }
                }
                for i in 0..count {
                    self.hand_over(run, first + i, channel, sums.add(i * self.image()));
                }
            }
        }
    }

    /// Adds the part of all windows that a panel of columns makes, from the output channels from `from` on.
    #[allow(clippy::too_many_arguments)]
    unsafe fn panel<E: Element>(
        &self,
        run: &Run,
        images: Range<usize>,
        channel: usize,
        column: usize,
        from: usize,
        widened: *mut E,
        packed: *mut E,
        block: *mut E,
        sums: *mut E,
    ) {
        let g = &self.g;
        let cols = (self.columns() - column).min(PANEL);
        let depth = (g.o - from).min(DEPTH);
        let begin = self.runs.partition_point(|r| r.0 < column);
        let end = self.runs.partition_point(|r| r.0 < column + cols);
        // The same column among those of all channels.
        let all = column / self.channels * g.c + channel + column % self.channels;
        // SAFETY: columns and channels exist; windows lie inside the images in scratch.
        unsafe {
            let weight = self.weight.start::<E>(run.base);
            let mut k = 0;
            while k < depth {
                let column = run.group * g.o + from + k;
                let (at, n) = (column / PANEL * g.taps() + all, (PANEL - column % PANEL).min(depth - k));
                let at = weight.offset((at * PANEL + column % PANEL) as isize);
                pack::transpose(run.isa, at, PANEL as isize, n, cols, packed.add(k / self.unit * PANEL), PANEL);
                k += n;
            }
            for (i, image) in images.enumerate() {
                let at = image as isize * self.dy.strides[0];
                let a = self.dy.channels_from((run.group * g.o + from) / self.unit).at(run.base).offset(at);
                let sums = sums.add(i * self.image());
                for (rows, windows) in self.positions.chunks(BLOCK).zip(self.windows.chunks(BLOCK)) {
                    let (steps, b, acc) = (&self.steps[..depth / self.unit * self.each], packed.cast_const(), block);
                    let (a, rows, steps) = self.widened.open(run.isa, a, rows, steps, widened);
                    Product { a, rows, steps, b, b_rows: Rows::Even(PANEL), cols, acc, pitch: PANEL, add: false }
                        .run(run.isa);
                    for &(first, n, offset) in &self.runs[begin..end] {
                        pack::add_rows(run.isa, block.add(first - column), sums.add(offset), windows, n);
                    }
                }
            }
        }
    }

    /// Gives an image without its halo to the sink.
    unsafe fn hand_over<E: Element>(&self, run: &Run, image: usize, channel: usize, sums: *mut E) {
        let (g, wide, pitch) = (&self.g, self.size[1], self.channels);
        let [top, left] = g.padding.map(|p| p as usize);
        // Lines that follow each other without a halo count as one.
        let (lines, length) = if wide == g.w { (1, g.h * g.w) } else { (g.h, g.w) };
        for line in 0..lines {
            let from = ((top + line) * wide + left) * pitch;
            let row = (image * g.h + line) * g.w;
            for first in (0..length).step_by(BLOCK) {
                for col in (0..pitch).step_by(PANEL) {
                    let (rows, cols) = ((length - first).min(BLOCK), (pitch - col).min(PANEL));
                    // SAFETY: these rows of the image exist in scratch, and belong to this chunk.
                    unsafe {
                        let acc = sums.add(from + first * pitch + col);
                        let column = (run.group * g.c + channel + col) as i64;
                        run.sink.run_rows((row + first) as i64, rows, column, cols, acc.cast(), pitch);
                    }
                }
            }
        }
    }
}
