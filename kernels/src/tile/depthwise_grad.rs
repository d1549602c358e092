//! The gradient of a depthwise convolution's weight: for each tap and channel, a sum over the positions of all images.

use super::axis::{self, Positions};
use super::element::Element;
use super::image::{Geometry, Image};
use super::lines::{Held, Lines};
use super::micro::depthwise::Products;
use super::{PANEL, Run, piece};

/// Chunks are pieces of channels, and of the kernel's rows if those are few: each reads all positions of its channels.
const CHUNKS: usize = 4;

/// The gradient with its chunks.
#[derive(Debug)]
pub(super) struct DepthwiseGrad {
    input: Lines,
    dy: Lines,
    images: usize,
    channels: usize,
    kernel: [usize; 2],
    /// Of a chunk: 16 or 32.
    wide: usize,
    down: Vec<Positions>,
    across: Vec<Positions>,
    /// For each run across: where the input of each of its taps lies, and the tap's number in its row.
    taps: Vec<Vec<(isize, usize)>>,
    /// Pieces of channels, of the kernel's rows.
    pieces: [usize; 2],
}

impl DepthwiseGrad {
    pub(super) fn new(g: &Geometry, input: Image, dy: Image) -> DepthwiseGrad {
        let (down, across) = (axis::forward(g, 0), axis::forward(g, 1));
        let reach = |run: &Positions| {
            let lines = || run.taps.iter().map(|tap| tap.1);
            lines().max().zip(lines().min()).map_or(0, |(last, first)| last - first + 1)
        };
        let most = down.iter().map(reach).max().unwrap_or(0);
        let (input, dy) = (Lines::new(input, g.h, g.w, most), Lines::new(dy, g.y, g.x, 1));
        let [_, right] = input.strides();
        let taps = across.iter().map(|run| run.taps.iter().map(|&(s, x)| (x as isize * right, s)).collect()).collect();
        let wide = if g.c >= 8 * PANEL { PANEL } else { PANEL / 2 };
        let parts = g.c.div_ceil(wide);
        let rows = CHUNKS.div_ceil(parts).min(g.kernel[0]);
        DepthwiseGrad {
            input,
            dy,
            images: g.n,
            channels: g.c,
            kernel: g.kernel,
            wide,
            down,
            across,
            taps,
            pieces: [parts, rows],
        }
    }

    pub(super) fn chunks(&self) -> usize {
        self.pieces.iter().product()
    }

    pub(super) fn scratch(&self) -> usize {
        self.sums() + self.input.scratch() + self.dy.scratch()
    }

    fn sums(&self) -> usize {
        self.kernel[0].div_ceil(self.pieces[1]) * self.kernel[1] * PANEL
    }

    pub(super) unsafe fn run<E: Element>(&self, chunk: usize, run: &Run, sums: *mut E) {
        let first = chunk / self.pieces[1] * self.wide;
        let rows = piece(self.kernel[0], self.pieces[1], chunk % self.pieces[1]);
        let channels = first..self.channels.min(first + self.wide);
        let wide = self.kernel[1];
        let (high, dy_high) = (self.input.strides()[0], self.dy.strides()[0]);
        let mut held = [Held::default(), Held::default()];
        // SAFETY: the caller's promise; the sums have a row of 32 for each tap of the piece.
        unsafe {
            std::ptr::write_bytes(sums, 0, rows.len() * wide * PANEL);
            let copies = [sums.add(self.sums()), sums.add(self.sums() + self.input.scratch())];
            for (image, down) in (0..self.images).flat_map(|image| self.down.iter().map(move |down| (image, down))) {
                let taps = || down.taps.iter().filter(|(r, _)| rows.contains(r));
                let (Some(from), Some(to)) = (taps().map(|t| t.1).min(), taps().map(|t| t.1).max()) else { continue };
                for i in 0..down.count {
                    let (shift, line) = (i * down.advance, down.first + i);
                    let reach = from + shift..to + shift + 1;
                    let input = self.input.open(run, image, &channels, &reach, &mut held[0], copies[0]);
                    let dy = self.dy.open(run, image, &channels, &(line..line + 1), &mut held[1], copies[1]);
                    let dy = dy.wrapping_offset(line as isize * dy_high);
                    for &(r, y) in taps() {
                        let input = input.wrapping_offset((y + shift) as isize * high);
                        self.line(run, input, dy, channels.len(), sums.add((r - rows.start) * wide * PANEL));
                    }
                }
            }
            let channels = channels.len();
            let row = (rows.start * wide) as i64;
            run.sink.run_rows(row, rows.len() * wide, first as i64, channels, sums.cast(), PANEL);
        }
    }

    /// A line of `dy` with the line of the input that one row of the kernel meets there.
    unsafe fn line<E: Element>(&self, run: &Run, input: *const E, dy: *const E, channels: usize, sums: *mut E) {
        let ([_, right], [_, dy_right]) = (self.input.strides(), self.dy.strides());
        for (across, taps) in self.across.iter().zip(&self.taps) {
            // SAFETY: the caller's promise; these positions exist.
            unsafe {
                Products {
                    source: input,
                    step: across.advance as isize * right,
                    dy: dy.offset(across.first as isize * dy_right),
                    dy_step: dy_right,
                    count: across.count,
                    taps,
                    channels,
                    sums,
                }
                .run(run.isa);
            }
        }
    }
}
