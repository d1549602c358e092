//! The gradient of a depthwise convolution's weight: for each tap and channel, a sum over the positions of all images.

use super::axis::{self, Run as Positions};
use super::image::{Geometry, Image};
use super::micro::depthwise::Products;
use super::{PANEL, Run, piece};
use crate::isa::Isa;

/// Chunks are pieces of channels, and of the kernel's rows if those are few: each reads all positions of its channels.
const CHUNKS: usize = 4;

/// The gradient with its chunks.
#[derive(Debug)]
pub(super) struct DepthwiseGrad {
    pub(super) isa: Isa,
    input: Image,
    dy: Image,
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
    pub(super) fn new(g: &Geometry, input: Image, dy: Image, isa: Isa) -> DepthwiseGrad {
        let (down, across) = (axis::forward(g, 0), axis::forward(g, 1));
        let right = input.strides[2];
        let taps = across.iter().map(|run| run.taps.iter().map(|&(s, x)| (x as isize * right, s)).collect()).collect();
        let wide = if g.c >= 8 * PANEL { PANEL } else { PANEL / 2 };
        let parts = g.c.div_ceil(wide);
        let rows = CHUNKS.div_ceil(parts).min(g.kernel[0]);
        DepthwiseGrad {
            isa,
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

    pub(super) fn scratch_floats(&self) -> usize {
        self.kernel[0].div_ceil(self.pieces[1]) * self.kernel[1] * PANEL
    }

    pub(super) unsafe fn run(&self, chunk: usize, run: &Run, sums: *mut f32) {
        let first = chunk / self.pieces[1] * self.wide;
        let rows = piece(self.kernel[0], self.pieces[1], chunk % self.pieces[1]);
        let channels = (self.channels - first).min(self.wide);
        let wide = self.kernel[1];
        // SAFETY: the caller's promise; the sums have a row of 32 for each tap of the piece.
        unsafe {
            std::ptr::write_bytes(sums, 0, rows.len() * wide * PANEL);
            let input = self.input.channels_from(first).at(run.base);
            let dy = self.dy.channels_from(first).at(run.base);
            for image in 0..self.images as isize {
                let (input, dy) = (input.offset(image * self.input.strides[0]), dy.offset(image * self.dy.strides[0]));
                for down in &self.down {
                    for i in 0..down.count {
                        let dy = dy.offset((down.first + i) as isize * self.dy.strides[1]);
                        for &(r, y) in down.taps.iter().filter(|(r, _)| rows.contains(r)) {
                            let input = input.offset((y + i * down.advance) as isize * self.input.strides[1]);
                            self.line(input, dy, channels, sums.add((r - rows.start) * wide * PANEL));
                        }
                    }
                }
            }
            let row = (rows.start * wide) as i64;
            run.sink.run_rows(row, rows.len() * wide, first as i64, channels, sums, PANEL);
        }
    }

    /// A line of `dy` with the line of the input that one row of the kernel meets there.
    unsafe fn line(&self, input: *const f32, dy: *const f32, channels: usize, sums: *mut f32) {
        for (across, taps) in self.across.iter().zip(&self.taps) {
            // SAFETY: the caller's promise; these positions exist.
            unsafe {
                Products {
                    source: input,
                    step: across.advance as isize * self.input.strides[2],
                    dy: dy.offset(across.first as isize * self.dy.strides[2]),
                    dy_step: self.dy.strides[2],
                    count: across.count,
                    taps,
                    channels,
                    sums,
                }
                .run(self.isa);
            }
        }
    }
}
