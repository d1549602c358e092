//! Matrix products.

use castnet_program::program::{Right as RightData, Strided};
use castnet_program::size::Size;
use castnet_program::types::DType;

use super::element::{At, Element, Operand};
use super::sweep::{Steps, Sweep, acc_len, depth};
use super::widen::Widened;
use super::{BLOCK, DEPTH, PANEL, Run, cut, pack, piece, wanted_chunks};
use crate::isa::Isa;

/// Rows that share one packed panel.
const ROWS: usize = 512;
/// Rows of the right operand further apart than this meet in few sets of the cache: packed, if there are rows enough to pay for it.
const FAR: isize = 64;
/// Steps of the left operand further apart than this meet in few sets of the caches.
const DISTANT: isize = 256;

/// A matrix product with its chunks: groups, then pieces of rows, then pieces of columns.
#[derive(Debug)]
pub(super) struct MatMul {
    k: usize,
    /// Numbers of a step: 2 if they are pairs.
    unit: usize,
    /// Columns.
    n: usize,
    /// Rows of a group.
    m: usize,
    a: Operand,
    widened: Widened,
    /// Offsets of up to [`ROWS`] rows from the first one, and how far rows are from each other.
    rows: Vec<isize>,
    row: isize,
    /// Offsets of a piece of the reduction: so many for a step.
    steps: Vec<isize>,
    step: isize,
    each: usize,
    /// Steps of a piece.
    depth: usize,
    b: Right,
    /// For each group: where its operands start. Groups differ in a batch index that cannot be counted as rows.
    groups: Vec<(isize, isize)>,
    /// Pieces of groups, of rows, of panels.
    pieces: [usize; 3],
}

#[derive(Debug)]
struct Right {
    operand: Operand,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// `[⌈j/32⌉][k][32]`.
    Panels,
    /// `[⌈k/32⌉][j][32]`.
    Transposed,
    /// Rows, a stride apart, columns side by side.
    Rows(isize),
    /// The same, but packed.
    Pack(isize),
    /// Steps side by side, columns a stride apart.
    Columns(isize),
    /// Strides of steps and columns.
    Any(isize, isize),
}

impl Right {
    /// Whether it is copied to scratch.
    fn is_packed(&self) -> bool {
        self.operand.is_half() || !matches!(self.form, Form::Panels | Form::Rows(_))
    }
}

impl MatMul {
    /// `pairs`: of bf16 both, two steps at a time.
    pub(super) fn new(
        k: &Size,
        a: &Strided,
        b: &RightData,
        space: &[Size],
        dtypes: &[DType],
        pairs: bool,
        value: &dyn Fn(&str) -> i64,
    ) -> MatMul {
        let sizes: Vec<usize> = space.iter().map(|s| s.eval(value) as usize).collect();
        let strides = |s: &Strided| s.strides.iter().map(|s| s.eval(value) as isize).collect::<Vec<_>>();
        let (k, n, batch) = (k.eval(value) as usize, sizes[sizes.len() - 1], sizes.len() - 2);
        let a_strides = strides(a);
        let b_strides = match b {
            RightData::Strided(s) => strides(s),
            _ => vec![0; batch + 2],
        };
        // Outer dims are counted as rows while the right operand stays and the left one goes on in even steps.
        let (mut m, mut row, mut outer) = (sizes[batch], a_strides[batch], batch);
        while outer > 0 && b_strides[outer - 1] == 0 && (m == 1 || a_strides[outer - 1] == m as isize * row) {
            if m == 1 {
                row = a_strides[outer - 1];
            }
            m *= sizes[outer - 1];
            outer -= 1;
        }
        let start = |s: &Strided| s.offset.eval(value) as isize;
        let mut groups = vec![(start(a), if let RightData::Strided(b) = b { start(b) } else { 0 })];
        for d in 0..outer {
            let next = |&(a, b): &(isize, isize)| {
                let (x, y) = (a_strides[d], b_strides[d]);
                (0..sizes[d] as isize).map(move |i| (a + i * x, b + i * y))
            };
            groups = groups.iter().flat_map(next).collect();
        }
        let (buffer, form) = match b {
            RightData::Panels(buffer) => (*buffer, Form::Panels),
            RightData::PanelsTransposed(buffer) => (*buffer, Form::Transposed),
            RightData::Strided(s) => {
                let form = match (b_strides[batch], b_strides[batch + 1]) {
                    (step, 1) if step > FAR && m >= 32 => Form::Pack(step),
                    // The micro-kernel goes forwards.
                    (step, col) if step < 0 && (col == 1 || n == 1) => Form::Pack(step),
                    (step, _) if n == 1 => Form::Rows(step),
                    (step, 1) => Form::Rows(step),
                    (1, col) => Form::Columns(col),
                    (step, col) => Form::Any(step, col),
                };
                (s.buffer, form)
            }
        };
        let step = a_strides[batch + 1];
        // Steps far apart use a part of a cache line each: few enough that the rest is still there for the next rows.
        // Where the steps are the call's, sums must not depend on them.
        let is_far = step >= DISTANT && !a.is_hidden();
        let unit = if pairs { 2 } else { 1 };
        let depth = depth(k.div_ceil(unit), if is_far { DEPTH / 4 } else { DEPTH } / unit);
        let (mut a, mut right, mut each) = (Operand::new(a.buffer, dtypes), Operand::new(buffer, dtypes), 1);
        if pairs {
            right = right.paired();
            let is_even = |offset: &isize| offset % 2 == 0;
            let starts = || groups.iter().map(|group| &group.0);
            if step == 1 && k % 2 == 0 && (m == 1 || is_even(&row)) && starts().all(is_even) {
                a = a.of_pairs();
                row /= 2;
                groups.iter_mut().for_each(|group| group.0 /= 2);
            } else {
                a = a.paired();
                each = unit;
            }
        }
        let b = Right { operand: right, form };
        let rows: Vec<isize> = (0..m.min(ROWS) as isize).map(|i| i * row).collect();
        MatMul {
            k,
            unit,
            n,
            m,
            a,
            widened: Widened::new(a.is_half(), rows.len().min(BLOCK), depth),
            rows,
            row,
            steps: (0..(depth * each) as isize).map(|i| i * step).collect(),
            step,
            each,
            depth,
            pieces: pieces(groups.len(), m, n, k.div_ceil(unit), &b),
            b,
            groups,
        }
    }

    pub(super) fn chunks(&self) -> usize {
        self.pieces.iter().product()
    }

    pub(super) fn scratch(&self) -> usize {
        acc_len(self.k.div_ceil(self.unit), self.depth, self.rows.len()) + self.packed() + self.widened.scratch()
    }

    fn packed(&self) -> usize {
        if self.b.is_packed() { PANEL * self.depth.next_multiple_of(PANEL) } else { 0 }
    }

    pub(super) unsafe fn run<E: Element>(&self, chunk: usize, run: &Run, scratch: *mut E) {
        let [group_pieces, row_pieces, panel_pieces] = self.pieces;
        let groups = piece(self.groups.len(), group_pieces, chunk / (row_pieces * panel_pieces));
        let blocks = piece(self.m.div_ceil(8), row_pieces, chunk / panel_pieces % row_pieces);
        let panels = piece(self.n.div_ceil(PANEL), panel_pieces, chunk % panel_pieces);
        let rows = blocks.start * 8..self.m.min(blocks.end * 8);
        let (a, b) = (self.a.start::<E>(run.base), self.b.operand.start::<E>(run.base));
        // SAFETY: the caller's promise; offsets stay inside the operands.
        unsafe {
            let widened = scratch.add(self.packed());
            let acc = widened.add(self.widened.scratch());
            for group in groups {
                let (a, b) = (a.offset(self.groups[group].0), b.offset(self.groups[group].1));
                for first in rows.clone().step_by(ROWS) {
                    let sweep = |panel: usize| Sweep {
                        a: a.offset(first as isize * self.row),
                        widened: (&self.widened, widened),
                        rows: &self.rows[..(rows.end - first).min(ROWS)],
                        steps: Steps {
                            table: &self.steps,
                            stride: Some(self.step),
                            each: self.each,
                            len: self.k * self.each / self.unit,
                            depth: self.depth,
                        },
                        first_row: group * self.m + first,
                        first_col: panel * PANEL,
                        cols: (self.n - panel * PANEL).min(PANEL),
                    };
                    for panel in panels.clone() {
                        let sweep = sweep(panel);
                        let cols = sweep.cols;
                        sweep.run(run, acc, |from, to| self.right(run.isa, b, panel, cols, from, to, scratch));
                    }
                }
            }
        }
    }

    /// The steps `from..to` of a panel of the right operand, and how far they are from each other.
    #[allow(clippy::too_many_arguments)]
    unsafe fn right<E: Element>(
        &self,
        isa: Isa,
        b: At<E>,
        panel: usize,
        cols: usize,
        from: usize,
        to: usize,
        out: *mut E,
    ) -> (*const E, usize) {
        let (from, to) = (from * self.unit, self.k.min(to * self.unit));
        let depth = to - from;
        let (k, j) = (from as isize, (panel * PANEL) as isize);
        // SAFETY: the caller's promise: the panel and these steps exist; `out` has room for them rounded up to 32.
        unsafe {
            // Rows that are read as they lie, if they are not widened.
            let in_place = |b: At<E>, step: isize| match b {
                At::Own(b) => (b, step as usize),
                At::Half(..) => {
                    pack::rows(isa, b, step, depth, cols, out);
                    (out.cast_const(), PANEL)
                }
            };
            match self.b.form {
                Form::Panels => return in_place(b.offset(((panel * self.k + from) * PANEL) as isize), PANEL as isize),
                Form::Rows(step) => return in_place(b.offset(k * step + j), step),
                Form::Pack(step) => pack::rows(isa, b.offset(k * step + j), step, depth, cols, out),
                Form::Columns(col) => pack::transpose(isa, b.offset(k + j * col), col, depth, cols, out, PANEL),
                Form::Any(step, col) => pack::gather(b.offset(k * step + j * col), step, col, depth, cols, out),
                Form::Transposed => {
                    for k in (0..depth).step_by(PANEL) {
                        let block = b.offset((((from + k) / PANEL * self.n + panel * PANEL) * PANEL) as isize);
                        let depth = (depth - k).min(PANEL);
                        pack::transpose(isa, block, PANEL as isize, depth, cols, out.add(k / self.unit * PANEL), PANEL);
                    }
                }
            }
        }
        (out, PANEL)
    }
}

/// How many pieces to cut groups, rows and panels into: where groups do not give chunks enough, such that the operands are read least.
fn pieces(groups: usize, m: usize, n: usize, k: usize, b: &Right) -> [usize; 3] {
    let (panels, blocks) = (n.div_ceil(PANEL), m.div_ceil(8));
    let wanted = wanted_chunks(groups * blocks * 8 * panels * PANEL * k);
    if groups >= wanted {
        return [wanted, 1, 1];
    }
    // Packed again by each piece of rows.
    let weight = if b.is_packed() { 4 } else { 1 };
    let [r, p] = cut(wanted.div_ceil(groups), [blocks, panels], |r, p| p * m + weight * r * n);
    [groups, r, p]
}
