//! Convolutions: the windows are the rows of the left operand. Also the gradient of the input where it is a convolution itself.

use super::image::{Geometry, Image, Windows};
use super::sweep::{Steps, Sweep, acc_floats, depth};
use super::{BLOCK, Columns, DEPTH, PANEL, Run, cut, pack, piece, wanted_chunks};

/// Positions of a segment: rows that share a copy with halo and a packed panel.
const ROWS: usize = 512;

/// A convolution with its chunks: pieces of segments, then pieces of panels.
#[derive(Debug)]
pub(super) struct Forward {
    windows: Windows,
    weight: usize,
    /// The weights are those of the convolution whose gradient this is: taps reversed, channels exchanged.
    reversed: bool,
    pieces: [usize; 2],
}

impl Forward {
    /// `g`: the sizes of a group.
    pub(super) fn new(g: Geometry, input: Image, weight: usize, groups: usize, reversed: bool) -> Forward {
        let positions = g.n * g.positions();
        // Reversed weights are packed by rows, of which every group has its own.
        let [panels, _] = Columns::bounds(g.o, if reversed { 1 } else { groups });
        let wanted = wanted_chunks(positions * g.taps() * panels * PANEL);
        // Smaller segments rather than chunks too few.
        let most = (positions / wanted).clamp(BLOCK, ROWS);
        let windows = Windows::new(g, input, most);
        // What is read: the input by each piece of panels, the weights by each of segments.
        let g = &windows.g;
        let input = g.n * g.h * g.w * g.c * if windows.copied { 4 } else { 1 };
        let weights = g.taps() * panels * PANEL * if reversed { 4 } else { 1 };
        let pieces = cut(wanted, [windows.segments(), panels], |r, p| p * input + r * weights);
        Forward { windows, weight, reversed, pieces }
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
        // The group's first column of the weight, and its first channel of the result.
        let (column, channel) = (run.group * if self.reversed { g.c } else { g.o }, run.group * g.o);
        let columns = Columns { first: if self.reversed { 0 } else { column }, n: g.o };
        let panels = piece(columns.pieces(), self.pieces[1], chunk % self.pieces[1]);
        let weight = (run.base)(self.weight).cast_const();
        // SAFETY: the caller's promise; the tables stay inside a segment.
        unsafe {
            let halo = scratch.add(self.packed());
            let acc = halo.add(self.windows.scratch_floats());
            for segment in segments {
                let s = self.windows.segment(segment);
                let a = self.windows.open(run, &s, halo);
                for panel in panels.clone().map(|i| columns.piece(i)) {
                    let sweep = Sweep {
                        a,
                        rows: self.windows.rows(&s),
                        steps: Steps { table: &self.windows.taps, stride: None, len: g.taps(), depth },
                        first_row: (s.image * g.y + s.line) * g.x,
                        first_col: channel + panel.start,
                        cols: panel.len(),
                    };
                    if self.reversed {
                        let cols = sweep.cols;
                        sweep.run(run, acc, |from, to| {
                            self.pack(run, weight, panel.start, cols, from, to, scratch);
                            (scratch.cast_const(), PANEL)
                        });
                    } else {
                        let column = column + panel.start;
                        let at = column / PANEL * g.taps() * PANEL + column % PANEL;
                        sweep.run(run, acc, |from, _| (weight.add(at + from * PANEL), PANEL));
                    }
                }
            }
        }
    }

    /// Packs steps `from..to` of a panel of reversed weights. Memory holds `[⌈c/32⌉][(r, s, o)][32]` in this convolution's own letters.
    #[allow(clippy::too_many_arguments)]
    unsafe fn pack(
        &self,
        run: &Run,
        weight: *const f32,
        first: usize,
        cols: usize,
        from: usize,
        to: usize,
        out: *mut f32,
    ) {
        let g = &self.windows.g;
        let spots = g.kernel[0] * g.kernel[1];
        let mut step = from;
        while step < to {
            // Channels up to the end of a block of 32, of the tap or of the piece.
            let (spot, c) = (step / g.c, step % g.c);
            let channel = run.group * g.c + c;
            let n = (PANEL - channel % PANEL).min(g.c - c).min(to - step);
            let column = (spots - 1 - spot) * g.o + first;
            let at = (channel / PANEL * spots * g.o + column) * PANEL + channel % PANEL;
            // SAFETY: `cols` columns of a block of 32 channels, of which `n` are wanted; `out` has a row for each step.
            unsafe {
                pack::transpose(run.isa, weight.add(at), PANEL as isize, n, cols, out.add((step - from) * PANEL));
            }
            step += n;
        }
    }
}
