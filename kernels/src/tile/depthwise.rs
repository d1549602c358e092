//! Convolutions in which every channel is a group of its own, and the gradients of their inputs: vectors run along the channels.
//!
//! Nothing is padded: the positions at a border are runs of their own with fewer taps, and so are the phases of a stride in the
//! gradient. Only channels that do not lie side by side are copied, some lines at a time. What a kernel of so few multiplications waits for is memory; all channels of some positions go on while they are in the L1
//! cache.

use std::ops::Range;

use super::axis::{self, Positions};
use super::element::{At, Element, Operand};
use super::image::{Geometry, Image};
use super::lines::{Held, Lines};
use super::micro::depthwise::{Rows, Tap};
use super::widen::Spans;
use super::{PANEL, Run, cut, piece, wanted_chunks};

/// Sums of a block: 8 KB.
const SUMS: usize = 2048;
/// The most channels that a block holds.
const WIDE: usize = 512;
/// The most positions.
const ROWS: usize = 64;

/// The kernel: pieces of images' blocks, then pieces of channels.
#[derive(Debug)]
pub(super) struct Depthwise {
    source: Lines,
    weight: Operand,
    spots: usize,
    channels: usize,
    /// Of the result.
    images: usize,
    lines: usize,
    columns: usize,
    across: Vec<Positions>,
    /// For each line of the result: which of the runs down it belongs to, and how far its source is from that of the run's first.
    line: Vec<(usize, isize)>,
    /// For each block's lines: those of the source that its taps reach.
    reach: Vec<Range<usize>>,
    /// For each run down and each run across: the taps of their first position.
    taps: Vec<Vec<Tap>>,
    /// Of a block: whole lines, or columns of one.
    block: [usize; 2],
    /// Channels of a block: a multiple of 32 unless they are all.
    wide: usize,
    pieces: [usize; 2],
}

impl Depthwise {
    /// `gradient`: `source` is that of the output, and the result that of the input.
    pub(super) fn new(g: &Geometry, source: Image, weight: Operand, gradient: bool) -> Depthwise {
        let runs = if gradient { axis::backward } else { axis::forward };
        let (down, across) = (runs(g, 0), runs(g, 1));
        let (lines, columns) = if gradient { (g.h, g.w) } else { (g.y, g.x) };
        let wide = g.c.min(if source.has_vectors() { WIDE } else { PANEL });
        let rows = (SUMS / wide.next_multiple_of(16)).clamp(4, ROWS);
        let block =
            if columns > rows { [1, columns.div_ceil(columns.div_ceil(rows))] } else { [rows / columns, columns] };
        // Of each line, then of each block.
        let mut reach = vec![0..0; lines];
        for run in &down {
            for i in 0..run.count {
                let of = |tap: &(usize, usize)| tap.1 + i * run.advance;
                let (from, to) = (run.taps.iter().map(of).min(), run.taps.iter().map(of).max());
                reach[run.first + i * run.step] = from.unwrap_or(0)..to.map_or(0, |to| to + 1);
            }
        }
        let reach: Vec<Range<usize>> = reach
            .chunks(block[0])
            .map(|lines| {
                let some = || lines.iter().filter(|r| !r.is_empty());
                some().map(|r| r.start).min().unwrap_or(0)..some().map(|r| r.end).max().unwrap_or(0)
            })
            .collect();
        let most = reach.iter().map(Range::len).max().unwrap_or(0);
        let [from_lines, from_columns] = if gradient { [g.y, g.x] } else { [g.h, g.w] };
        let source = Lines::new(source, from_lines, from_columns, most);
        let [high, right] = source.strides();
        let mut line = vec![(0, 0); lines];
        for (number, run) in down.iter().enumerate() {
            for i in 0..run.count {
                line[run.first + i * run.step] = (number, (i * run.advance) as isize * high);
            }
        }
        let tap = |&(r, y): &(usize, usize), &(s, x): &(usize, usize)| Tap {
            source: y as isize * high + x as isize * right,
            weight: (r * g.kernel[1] + s) * PANEL,
        };
        let pairs = down.iter().flat_map(|d| across.iter().map(move |a| (d, a)));
        let taps = pairs.map(|(d, a)| d.taps.iter().flat_map(|r| a.taps.iter().map(|s| tap(r, s))).collect()).collect();
        let spots = g.kernel[0] * g.kernel[1];
        let mut kernel = Depthwise {
            source,
            weight,
            spots,
            channels: g.c,
            images: g.n,
            lines,
            columns,
            across,
            line,
            reach,
            taps,
            block,
            wide,
            pieces: [1, 1],
        };
        let wanted = wanted_chunks(g.n * lines * columns * spots * g.c.next_multiple_of(16));
        let most = [kernel.blocks(), g.c.div_ceil(wide)];
        // What is copied is copied by each piece of the images, and the channels are apart.
        let copied = kernel.source.copied();
        kernel.pieces = cut(wanted, most, |r, p| if copied { r } else { p });
        kernel
    }

    pub(super) fn chunks(&self) -> usize {
        self.pieces.iter().product()
    }

    /// Numbers from the sums of one position to the next.
    fn pitch(&self) -> usize {
        self.wide.next_multiple_of(16)
    }

    pub(super) fn scratch(&self) -> usize {
        self.widened() + self.sums() + self.source.scratch()
    }

    /// The weights of a block's channels, if they are halves.
    fn widened(&self) -> usize {
        if self.weight.is_half() { self.wide.next_multiple_of(PANEL) * self.spots } else { 0 }
    }

    fn sums(&self) -> usize {
        self.block[0] * self.block[1] * self.pitch()
    }

    fn blocks(&self) -> usize {
        self.images * self.lines.div_ceil(self.block[0]) * self.columns.div_ceil(self.block[1])
    }

    pub(super) unsafe fn run<E: Element>(&self, chunk: usize, run: &Run, scratch: *mut E) {
        let blocks = piece(self.blocks(), self.pieces[0], chunk / self.pieces[1]);
        let parts = piece(self.channels.div_ceil(self.wide), self.pieces[1], chunk % self.pieces[1]);
        let mut held = Held::default();
        if self.source.copied() || self.weight.is_half() {
            // Neighbouring blocks read the same lines and weights.
            for part in parts {
                // SAFETY: the caller's promise.
                unsafe {
                    let weight = self.weights(run, part, scratch);
                    for block in blocks.clone() {
                        self.block(run, block, part, weight, &mut held, scratch.add(self.widened()));
                    }
                }
            }
        } else {
            for block in blocks {
                for part in parts.clone() {
                    // SAFETY: the caller's promise.
                    unsafe {
                        let weight = self.weights(run, part, scratch);
                        self.block(run, block, part, weight, &mut held, scratch);
                    }
                }
            }
        }
    }

    /// The panels of some channels.
    unsafe fn weights<E: Element>(&self, run: &Run, part: usize, scratch: *mut E) -> *const E {
        let first = part * self.wide;
        match self.weight.start::<E>(run.base).offset((first * self.spots) as isize) {
            At::Own(weight) => weight,
            At::Half(half, weight) => {
                let n = (self.channels - first).min(self.wide).next_multiple_of(PANEL) * self.spots;
                // SAFETY: the caller's promise: panels are whole, and there is room for them.
                unsafe { E::widen(run.isa, half, weight, Spans::Even(1, 0), n, scratch, 0) };
                scratch
            }
        }
    }

    /// Some positions of some channels.
    unsafe fn block<E: Element>(
        &self,
        run: &Run,
        block: usize,
        part: usize,
        weight: *const E,
        held: &mut Held,
        scratch: *mut E,
    ) {
        let cuts = self.columns.div_ceil(self.block[1]);
        let bands = self.lines.div_ceil(self.block[0]);
        let (image, band, column) = (block / cuts / bands, block / cuts % bands, block % cuts * self.block[1]);
        let line = band * self.block[0];
        let lines = line..self.lines.min(line + self.block[0]);
        let columns = column..self.columns.min(column + self.block[1]);
        let first = part * self.wide;
        let channels = first..self.channels.min(first + self.wide);
        // SAFETY: the caller's promise; lines, columns and channels exist, and the sums have room for a block.
        unsafe {
            let sums = scratch;
            let source = self.source.open(run, image, &channels, &self.reach[band], held, scratch.add(self.sums()));
            for (i, line) in lines.clone().enumerate() {
                let sums = sums.add(i * columns.len() * self.pitch());
                self.line(run, [source, weight], line, &columns, &channels, sums);
            }
            let row = (image * self.lines + lines.start) * self.columns + columns.start;
            let rows = lines.len() * columns.len();
            run.sink.run_rows(row as i64, rows, first as i64, channels.len(), sums.cast(), self.pitch());
        }
    }

    /// The sums of some columns of a line; `source`: where its image begins.
    unsafe fn line<E: Element>(
        &self,
        run: &Run,
        [source, weight]: [*const E; 2],
        line: usize,
        columns: &Range<usize>,
        channels: &Range<usize>,
        sums: *mut E,
    ) {
        let [_, right] = self.source.strides();
        let (down, shift) = self.line[line];
        // SAFETY: the caller's promise; taps reach positions that exist.
        unsafe {
            for (number, across) in self.across.iter().enumerate() {
                let some = across.within(columns.start, columns.end);
                if some.is_empty() {
                    continue;
                }
                let step = across.advance as isize * right;
                let row = across.first + some.start * across.step - columns.start;
                Rows {
                    source: source.wrapping_offset(shift + some.start as isize * step),
                    step,
                    count: some.len(),
                    taps: &self.taps[down * self.across.len() + number],
                    weight,
                    panel: self.spots * PANEL,
                    channels: channels.len(),
                    sums: sums.add(row * self.pitch()),
                    pitch: across.step * self.pitch(),
                }
                .run(run.isa);
            }
        }
    }
}
