//! Convolutions: the windows are the rows of the left operand. Also the gradient of the input where it is a convolution itself.

use super::element::{At, Element, Operand};
use super::image::{Geometry, Image, Windows};
use super::sweep::{Steps, Sweep, acc_len, depth};
use super::widen::Widened;
use super::{BLOCK, Columns, DEPTH, PANEL, Run, cut, pack, piece, wanted_chunks};

/// Positions of a segment: rows that share a copy with halo and a packed panel.
const ROWS: usize = 512;

/// A convolution with its chunks: pieces of segments, then pieces of panels.
#[derive(Debug)]
pub(super) struct Forward {
    windows: Windows,
    weight: Operand,
    /// The weights are those of the convolution whose gradient this is: taps reversed, channels exchanged.
    reversed: bool,
    /// Channels of a step: 2 if they are pairs.
    unit: usize,
    /// Halves are widened when windows are copied: nothing is left to do.
    widened: Widened,
    pieces: [usize; 2],
}

impl Forward {
    /// `g`: the sizes of a group. `pairs`: of bf16 both, two channels at a time.
    pub(super) fn new(
        mut g: Geometry,
        mut input: Image,
        mut weight: Operand,
        groups: usize,
        reversed: bool,
        pairs: bool,
    ) -> Forward {
        let unit = if pairs { 2 } else { 1 };
        if pairs {
            (g.c, input, weight) = (g.c / 2, input.paired(), weight.paired());
        }
        let positions = g.n * g.positions();
        // Reversed weights are packed by rows, of which every group has its own.
        let [panels, _] = Columns::bounds(g.o, if reversed { 1 } else { groups });
        let wanted = wanted_chunks(positions * g.taps() * panels * PANEL);
        // Smaller segments rather than chunks too few.
        let most = (positions / wanted).clamp(BLOCK, ROWS);
        let windows = Windows::new(g, input, most, input.is_half());
        // What is read: the input by each piece of panels, the weights by each of segments.
        let g = &windows.g;
        let input = g.n * g.h * g.w * g.c * if windows.copied { 4 } else { 1 };
        let weights = g.taps() * panels * PANEL * if reversed || weight.is_half() { 4 } else { 1 };
        let pieces = cut(wanted, [windows.segments(), panels], |r, p| p * input + r * weights);
        Forward { windows, weight, reversed, unit, widened: Widened::new(false, 0, 0), pieces }
    }

    pub(super) fn chunks(&self) -> usize {
        self.pieces.iter().product()
    }

    pub(super) fn scratch(&self) -> usize {
        let taps = self.windows.g.taps();
        let acc = acc_len(taps, self.depth(), self.windows.positions.len());
        self.packed() + acc + self.windows.scratch_len()
    }

    fn packed(&self) -> usize {
        if self.reversed || self.weight.is_half() { PANEL * self.depth() } else { 0 }
    }

    /// Steps of a piece.
    fn depth(&self) -> usize {
        depth(self.windows.g.taps(), DEPTH / self.unit)
    }

    pub(super) unsafe fn run<E: Element>(&self, chunk: usize, run: &Run, scratch: *mut E) {
        let segments = piece(self.windows.segments(), self.pieces[0], chunk / self.pieces[1]);
        let g = &self.windows.g;
        let (unit, depth) = (self.unit, self.depth());
        // The group's first column of the weight, and its first channel of the result.
        let channel = run.group * g.o;
        let columns = Columns { first: if self.reversed { 0 } else { channel }, n: g.o };
        let panels = piece(columns.pieces(), self.pieces[1], chunk % self.pieces[1]);
        let weight = self.weight.start::<E>(run.base);
        // SAFETY: the caller's promise; the tables stay inside a segment.
        unsafe {
            let halo = scratch.add(self.packed());
            let acc = halo.add(self.windows.scratch_len());
            for segment in segments {
                let s = self.windows.segment(segment);
                let a = self.windows.open(run, &s, halo);
                for panel in panels.clone().map(|i| columns.piece(i)) {
                    let sweep = Sweep {
                        a,
                        widened: (&self.widened, scratch),
                        rows: self.windows.rows(&s),
                        steps: Steps { table: &self.windows.taps, stride: None, each: 1, len: g.taps(), depth },
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
                        let column = channel + panel.start;
                        let at = column / PANEL * g.taps() * unit * PANEL + column % PANEL;
                        sweep.run(run, acc, |from, to| {
                            let weight = weight.offset((at + from * unit * PANEL) as isize);
                            let At::Own(weight) = weight else {
                                pack::rows(run.isa, weight, PANEL as isize, (to - from) * unit, panel.len(), scratch);
                                return (scratch.cast_const(), PANEL);
                            };
                            (weight, PANEL)
                        });
                    }
                }
            }
        }
    }

    /// Packs steps `from..to` of a panel of reversed weights. Memory holds `[⌈c/32⌉][(r, s, o)][32]` in this convolution's own letters.
    #[allow(clippy::too_many_arguments)]
    unsafe fn pack<E: Element>(
        &self,
        run: &Run,
        weight: At<E>,
        first: usize,
        cols: usize,
        from: usize,
        to: usize,
        out: *mut E,
    ) {
        let g = &self.windows.g;
        let spots = g.kernel[0] * g.kernel[1];
        let (unit, deep) = (self.unit, g.c * self.unit);
        let (from, to) = (from * unit, to * unit);
        let mut step = from;
        while step < to {
            // Channels up to the end of a block of 32, of the tap or of the piece.
            let (spot, c) = (step / deep, step % deep);
            let channel = run.group * deep + c;
            let n = (PANEL - channel % PANEL).min(deep - c).min(to - step);
            let column = (spots - 1 - spot) * g.o + first;
            let at = (channel / PANEL * spots * g.o + column) * PANEL + channel % PANEL;
            // SAFETY: `cols` columns of a block of 32 channels, of which `n` are wanted; `out` has a row for each step.
            unsafe {
                let (weight, out) = (weight.offset(at as isize), out.add((step - from) / unit * PANEL));
                pack::transpose(run.isa, weight, PANEL as isize, n, cols, out, PANEL);
            }
            step += n;
        }
    }
}
