//! Convolutions: the windows are the rows of the left operand. Also the gradient of the input where it is a convolution itself.

use std::ops::Range;

use super::image::{Geometry, Image, Part, Windows};
use super::sweep::{Steps, Sweep, acc_floats, depth};
use super::{BLOCK, DEPTH, PANEL, Run, cut, pack, piece, wanted_chunks};
use crate::isa::Isa;

/// Positions of a segment: rows that share a copy with halo and a packed panel.
const ROWS: usize = 512;

/// A convolution with its chunks: pieces of segments, then pieces of panels.
#[derive(Debug)]
pub(super) struct Forward {
    pub(super) isa: Isa,
    windows: Windows,
    weight: usize,
    part: Part,
    /// Columns in pieces of at most 32 that no panel's end cuts.
    panels: Vec<Range<usize>>,
    /// The weights are those of the convolution whose gradient this is: taps reversed, channels exchanged.
    reversed: bool,
    pieces: [usize; 2],
}

impl Forward {
    pub(super) fn new(g: Geometry, input: Image, weight: usize, part: Part, reversed: bool, isa: Isa) -> Forward {
        let positions = g.n * g.positions();
        // Reversed weights are packed by rows, of which every group has its own.
        let first = if reversed { 0 } else { part.column };
        let columns = super::panels(first, g.o);
        let panels = columns.len();
        let wanted = wanted_chunks(positions * g.taps() * panels * PANEL);
        // Smaller segments rather than chunks too few.
        let most = (positions / wanted).clamp(BLOCK, ROWS);
        let windows = Windows::new(g, input, most);
        // What is read: the input by each piece of panels, the weights by each of segments.
        let g = &windows.g;
        let input = g.n * g.h * g.w * g.c * if windows.copied { 4 } else { 1 };
        let weights = g.taps() * panels * PANEL * if reversed { 4 } else { 1 };
        let pieces = cut(wanted, [windows.segments(), panels], |r, p| p * input + r * weights);
        Forward { isa, windows, weight, part, panels: columns, reversed, pieces }
    }

    pub(super) fn chunks(&self) -> usize {
        self.pieces.iter().product()
    }

    pub(super) fn scratch_floats(&self) -> usize {
        let taps = self.windows.g.taps();
        let acc = acc_floats(taps, depth(taps, DEPTH), self.windows.positions.len());
        self.packed() + acc + self.windows.scratch_floats()
    }

    fn packed(&self) -> usize {
        if self.reversed { PANEL * depth(self.windows.g.taps(), DEPTH) } else { 0 }
    }

    pub(super) unsafe fn run(&self, chunk: usize, run: &Run, scratch: *mut f32) {
        let segments = piece(self.windows.segments(), self.pieces[0], chunk / self.pieces[1]);
        let g = &self.windows.g;
        let depth = depth(g.taps(), DEPTH);
        let panels = &self.panels[piece(self.panels.len(), self.pieces[1], chunk % self.pieces[1])];
        let weight = (run.base)(self.weight).cast_const();
        // SAFETY: the caller's promise; the tables stay inside a segment.
        unsafe {
            let halo = scratch.add(self.packed());
            let acc = halo.add(self.windows.scratch_floats());
            for segment in segments {
                let s = self.windows.segment(segment);
                let a = self.windows.open(run.base, &s, halo);
                for panel in panels {
                    let sweep = Sweep {
                        a,
                        rows: self.windows.rows(&s),
                        steps: Steps { table: &self.windows.taps, stride: None, len: g.taps(), depth },
                        first_row: (s.image * g.y + s.line) * g.x,
                        first_col: self.part.channel + panel.start,
                        cols: panel.len(),
                    };
                    if self.reversed {
                        let cols = sweep.cols;
                        sweep.run(run, acc, |from, to| {
                            self.pack(weight, panel.start, cols, from, to, scratch);
                            (scratch.cast_const(), PANEL)
                        });
                    } else {
                        let column = self.part.column + panel.start;
                        let at = column / PANEL * g.taps() * PANEL + column % PANEL;
                        sweep.run(run, acc, |from, _| (weight.add(at + from * PANEL), PANEL));
                    }
                }
            }
        }
    }

    /// Packs steps `from..to` of a panel of reversed weights. Memory holds `[⌈c/32⌉][(r, s, o)][32]` in this convolution's own letters.
    unsafe fn pack(&self, weight: *const f32, first: usize, cols: usize, from: usize, to: usize, out: *mut f32) {
        let g = &self.windows.g;
        let spots = g.kernel[0] * g.kernel[1];
        let mut step = from;
        while step < to {
            // Channels up to the end of a block of 32, of the tap or of the piece.
            let (spot, c) = (step / g.c, step % g.c);
            let channel = self.part.column + c;
            let n = (PANEL - channel % PANEL).min(g.c - c).min(to - step);
            let column = (spots - 1 - spot) * g.o + first;
            let at = (channel / PANEL * spots * g.o + column) * PANEL + channel % PANEL;
            // SAFETY: `cols` columns of a block of 32 channels, of which `n` are wanted; `out` has a row for each step.
            unsafe {
                pack::transpose(self.isa, weight.add(at), PANEL as isize, n, cols, out.add((step - from) * PANEL));
            }
            step += n;
        }
    }
}
