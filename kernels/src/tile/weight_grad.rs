//! The gradient of a convolution's weights: taps are rows, the reduction runs over the output positions of all images.

use std::ops::Range;

use super::element::{At, Element};
use super::image::{Geometry, Image, Segment, Windows};
use super::micro::{Product, Rows};
use super::taps::Taps;
use super::widen::Widened;
use super::{BLOCK, Columns, PANEL, Run, cut, pack, piece, wanted_chunks};

/// Positions of a segment: one piece of the reduction.
const STEPS: usize = 512;
/// Numbers of the sums that a chunk keeps: 128 KB.
const SUMS: usize = 1 << 15;
/// Each chunk reads all of input and `dy`: not more chunks than this, as long as the sums have room.
const CHUNKS: usize = 16;

/// The gradient with its chunks: pieces of units, then pieces of panels.
#[derive(Debug)]
pub(super) struct WeightGrad {
    input: Input,
    dy: Dy,
    /// For the input at the rows of a unit and the positions of a segment.
    widened: Widened,
    /// Groups of up to 8 rows: the first row of each, and where the last ends.
    units: Vec<usize>,
    /// The most panels that a group lies in.
    panels: usize,
    pieces: [usize; 2],
}

/// How the input is read.
#[derive(Debug)]
enum Input {
    /// Every tap sees all positions.
    Windows(Windows, Vec<isize>),
    /// Every tap sees the positions where it is inside the input.
    Taps(Taps),
}

/// `dy`, by rows of channels.
#[derive(Debug)]
pub(super) struct Dy {
    image: Image,
    /// Of a group.
    channels: usize,
    columns: usize,
    /// Positions of a row: 2 if they are pairs.
    unit: usize,
    /// Rows of a segment, if positions are copied to a panel because channels do not lie side by side, or are halves.
    packed: Option<usize>,
}

/// Adds to the sums of a unit: its rows, `dy` at the first position, columns, the sums.
type Add<'a, E> = dyn Fn(Range<usize>, *const E, usize, *mut E) + 'a;

impl WeightGrad {
    /// `g`: the sizes of a group. `pairs`: of bf16 both, two positions of a line at a time.
    pub(super) fn new(g: Geometry, mut input: Image, mut dy: Image, groups: usize, pairs: bool) -> WeightGrad {
        let (taps, o) = (g.taps(), g.o);
        let pack = dy.strides[3] != 1 && o > 1 || dy.is_half();
        let unit = if pairs { 2 } else { 1 };
        if pairs {
            (input, dy) = (input.to_pair(), dy.to_pair());
        }
        let mut dy = Dy { image: dy, channels: g.o, columns: g.x, unit, packed: None };
        let wanted = wanted_chunks(g.n * g.positions() * taps * o.next_multiple_of(16)).min(CHUNKS);
        // With few channels a copy with halo costs little, and taps alone would be groups too small.
        let half = input.is_half();
        let (input, units, steps) = if g.padding != [0, 0] && g.c >= 4 || pairs {
            let lines = (STEPS / g.x).clamp(1, g.y);
            dy.packed = pack.then_some(lines * g.x / dy.unit);
            let groups = g.c.div_ceil(8);
            let unit = |i: usize| i / groups * g.c + piece(g.c, groups, i % groups).start;
            let units = (0..=taps / g.c * groups).map(unit).collect::<Vec<_>>();
            let steps = lines * g.x / dy.unit;
            (Input::Taps(Taps::new(g, input, lines, dy.steps(lines), pairs)), units, steps)
        } else {
            let windows = Windows::new(g, input, STEPS, false);
            dy.packed = pack.then_some(windows.positions.len());
            let s = windows.segment(0);
            let [image, line, column] = dy.steps(s.lines);
            let x = windows.g.x;
            let at = |p: usize| {
                let (i, y, x) = (p / (s.lines * x), p / x % s.lines, p % x);
                i as isize * image + y as isize * line + x as isize * column
            };
            let steps = windows.positions.len();
            let table = (0..steps).map(at).collect();
            let groups = taps.div_ceil(8);
            let units = (0..=groups).map(|i| taps * i / groups).collect();
            (Input::Windows(windows, table), units, steps)
        };
        let copied = matches!(&input, Input::Windows(windows, _) if windows.copied);
        let widened = Widened::new(half && !copied, 8, steps);
        let [fewest, panels] = Columns::bounds(o, groups);
        let wanted = wanted.max((taps * panels * PANEL).div_ceil(SUMS / 2));
        let pieces = cut(wanted, [units.len() - 1, fewest], |r, p| p * taps + r * o);
        WeightGrad { input, dy, widened, units, panels, pieces }
    }

    pub(super) fn chunks(&self) -> usize {
        self.pieces.iter().product()
    }

    pub(super) fn scratch(&self) -> usize {
        let most = |n: usize, pieces: usize| (0..pieces).map(|i| piece(n, pieces, i).len()).max().unwrap_or(0);
        let sums = most(self.units.len() - 1, self.pieces[0]) * 8 * most(self.panels, self.pieces[1]) * PANEL;
        sums + self.widened.scratch() + self.halo() + self.dy.packed.unwrap_or(0) * PANEL
    }

    fn halo(&self) -> usize {
        match &self.input {
            Input::Windows(windows, _) => windows.scratch_len(),
            Input::Taps(_) => 0,
        }
    }

    pub(super) unsafe fn run<E: Element>(&self, chunk: usize, run: &Run, scratch: *mut E) {
        let units = piece(self.units.len() - 1, self.pieces[0], chunk / self.pieces[1]);
        let columns = Columns { first: run.group * self.dy.channels, n: self.dy.channels };
        let panels = piece(columns.pieces(), self.pieces[1], chunk % self.pieces[1]);
        let rows = self.units[units.start]..self.units[units.end];
        let units = &self.units[units.start..=units.end];
        // SAFETY: the caller's promise; the scratch is divided as `scratch` counts it.
        unsafe {
            let widened = scratch.add(self.halo());
            let pack = widened.add(self.widened.scratch());
            let sums = pack.add(self.dy.packed.unwrap_or(0) * PANEL);
            std::ptr::write_bytes(sums, 0, rows.len() * panels.len() * PANEL);
            // All panels of a segment follow each other: panel `panel` adds to its part of the sums.
            let each = |s: &Segment, add: &Add<E>| {
                for (i, panel) in panels.clone().map(|i| columns.piece(i)).enumerate() {
                    let cols = panel.len();
                    let dy = self.dy.open(run, s, &panel, pack);
                    let acc = sums.add(i * rows.len() * PANEL);
                    for unit in units.windows(2) {
                        add(unit[0]..unit[1], dy, cols, acc.add((unit[0] - rows.start) * PANEL));
                    }
                }
            };
            match &self.input {
                Input::Windows(windows, table) => {
                    for s in (0..windows.segments()).map(|i| windows.segment(i)) {
                        let a = windows.open(run, &s, scratch);
                        each(&s, &|unit, b, cols, acc| {
                            let (rows, steps) = (&windows.taps[unit], windows.rows(&s));
                            let b_rows = Rows::Table(table);
                            let (a, rows, steps) = self.widened.open(run.isa, a, rows, steps, widened);
                            Product { a, rows, steps, b, b_rows, cols, acc, pitch: PANEL, add: true }.run(run.isa);
                        });
                    }
                }
                Input::Taps(taps) => {
                    for s in taps.segments() {
                        each(&s, &|unit, b, cols, acc| taps.add(run, &s, unit, b, cols, acc, (&self.widened, widened)));
                    }
                }
            }
            for (i, panel) in panels.clone().map(|i| columns.piece(i)).enumerate() {
                let acc = sums.add(i * rows.len() * PANEL);
                let column = (columns.first + panel.start) as i64;
                for first in rows.clone().step_by(BLOCK) {
                    let n = (rows.end - first).min(BLOCK);
                    let acc = acc.add((first - rows.start) * PANEL);
                    run.sink.run_rows(first as i64, n, column, panel.len(), acc.cast(), PANEL);
                }
            }
        }
    }
}

impl Dy {
    /// How far images, lines and columns of a segment of so many lines are from each other, as [`Dy::open`] gives it.
    fn steps(&self, lines: usize) -> [isize; 3] {
        let [image, line, column, _] = self.image.strides;
        match self.packed {
            Some(_) => {
                let line = self.columns / self.unit * PANEL;
                [lines * line, line, PANEL].map(|s| s as isize)
            }
            None => [image, line, column],
        }
    }

    /// The first position of a segment, at the first channel of a panel.
    unsafe fn open<E: Element>(&self, run: &Run, s: &Segment, panel: &Range<usize>, out: *mut E) -> *const E {
        let [image, line, column, channel] = self.image.strides;
        let cols = panel.len();
        let first = s.image as isize * image + s.line as isize * line + panel.start as isize * channel;
        // SAFETY: positions of the segment and channels of the panel exist; `out` has a row of 32 for each position.
        unsafe {
            let dy = self.image.channels_from(run.group * self.channels).at(run.base).offset(first);
            if let (At::Own(dy), None) = (dy, self.packed) {
                return dy;
            }
            for i in 0..s.images {
                for y in 0..s.lines {
                    let from = dy.offset(i as isize * image + y as isize * line);
                    let out = out.add((i * s.lines + y) * (self.columns / self.unit) * PANEL);
                    match (column, channel) {
                        (1, _) => pack::transpose(run.isa, from, channel, self.columns, cols, out, PANEL),
                        (_, 1) => pack::rows(run.isa, from, column, self.columns, cols, out),
                        _ => pack::gather(from, column, channel, self.columns, cols, out),
                    }
                }
            }
        }
        out
    }
}
