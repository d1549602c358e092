//! Matrix products.

use castnet_program::program::{Right as RightData, Strided};
use castnet_program::size::Size;

use super::sweep::{Steps, Sweep, acc_floats, depth};
use super::{DEPTH, PANEL, Run, cut, pack, piece, wanted_chunks};
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
    isa: Isa,
    k: usize,
    /// Columns.
    n: usize,
    /// Rows of a group.
    m: usize,
    a: usize,
    /// Offsets of up to [`ROWS`] rows from the first one, and how far rows are from each other.
    rows: Vec<isize>,
    row: isize,
    /// Offsets of a piece of the reduction.
    steps: Vec<isize>,
    step: isize,
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
    buffer: usize,
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

impl MatMul {
    pub(super) fn new(
        k: &Size,
        a: &Strided,
        b: &RightData,
        space: &[Size],
        isa: Isa,
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
        let depth = depth(k, if step >= DISTANT { DEPTH / 4 } else { DEPTH });
        MatMul {
            isa,
            k,
            n,
            m,
            a: a.buffer,
            rows: (0..m.min(ROWS) as isize).map(|i| i * row).collect(),
            row,
            steps: (0..depth as isize).map(|i| i * step).collect(),
            step,
            depth,
            pieces: pieces(groups.len(), m, n, k, &form),
            b: Right { buffer, form },
            groups,
        }
    }

    pub(super) fn chunks(&self) -> usize {
        self.pieces.iter().product()
    }

    pub(super) fn scratch_floats(&self) -> usize {
        acc_floats(self.k, self.depth, self.rows.len()) + self.packed()
    }

    fn packed(&self) -> usize {
        match self.b.form {
            Form::Panels | Form::Rows(_) => 0,
            _ => PANEL * self.depth.next_multiple_of(PANEL),
        }
    }

    pub(super) unsafe fn run(&self, chunk: usize, run: &Run, scratch: *mut f32) {
        let [group_pieces, row_pieces, panel_pieces] = self.pieces;
        let groups = piece(self.groups.len(), group_pieces, chunk / (row_pieces * panel_pieces));
        let blocks = piece(self.m.div_ceil(8), row_pieces, chunk / panel_pieces % row_pieces);
        let panels = piece(self.n.div_ceil(PANEL), panel_pieces, chunk % panel_pieces);
        let rows = blocks.start * 8..self.m.min(blocks.end * 8);
        let (a, b) = ((run.base)(self.a).cast_const(), (run.base)(self.b.buffer).cast_const());
        // SAFETY: the caller's promise; offsets stay inside the operands.
        unsafe {
            let acc = scratch.add(self.packed());
            for group in groups {
                let (a, b) = (a.offset(self.groups[group].0), b.offset(self.groups[group].1));
                for first in rows.clone().step_by(ROWS) {
                    let sweep = |panel: usize| Sweep {
                        a: a.offset(first as isize * self.row),
                        rows: &self.rows[..(rows.end - first).min(ROWS)],
                        steps: Steps { table: &self.steps, stride: Some(self.step), len: self.k, depth: self.depth },
                        first_row: group * self.m + first,
                        first_col: panel * PANEL,
                        cols: (self.n - panel * PANEL).min(PANEL),
                    };
                    for panel in panels.clone() {
                        let sweep = sweep(panel);
                        let cols = sweep.cols;
                        sweep.run(run, acc, |from, to| self.right(b, panel, cols, from, to, scratch));
                    }
                }
            }
        }
    }

    /// The rows `from..to` of a panel of the right operand, and how far they are from each other.
    unsafe fn right(
        &self,
        b: *const f32,
        panel: usize,
        cols: usize,
        from: usize,
        to: usize,
        out: *mut f32,
    ) -> (*const f32, usize) {
        let depth = to - from;
        let (k, j) = (from as isize, (panel * PANEL) as isize);
        // SAFETY: the caller's promise: the panel and these steps exist; `out` has room for `depth` rounded up to 32.
        unsafe {
            match self.b.form {
                Form::Panels => return (b.add((panel * self.k + from) * PANEL), PANEL),
                Form::Rows(step) => return (b.offset(k * step + j), step as usize),
                Form::Pack(step) => pack::rows(b.offset(k * step + j), step, depth, cols, out),
                Form::Columns(col) => pack::transpose(self.isa, b.offset(k + j * col), col, depth, cols, out),
                Form::Any(step, col) => pack::gather(b.offset(k * step + j * col), step, col, depth, cols, out),
                Form::Transposed => {
                    for k in (0..depth).step_by(PANEL) {
                        let block = b.add(((from + k) / PANEL * self.n + panel * PANEL) * PANEL);
                        let depth = (depth - k).min(PANEL);
                        pack::transpose(self.isa, block, PANEL as isize, depth, cols, out.add(k * PANEL));
                    }
                }
            }
        }
        (out, PANEL)
    }
}

/// How many pieces to cut groups, rows and panels into: where groups do not give chunks enough, such that the operands are read least.
fn pieces(groups: usize, m: usize, n: usize, k: usize, form: &Form) -> [usize; 3] {
    let (panels, blocks) = (n.div_ceil(PANEL), m.div_ceil(8));
    let wanted = wanted_chunks(groups * blocks * 8 * panels * PANEL * k);
    if groups >= wanted {
        return [wanted, 1, 1];
    }
    let weight = match form {
        Form::Panels | Form::Rows(_) => 1,
        _ => 4, // Packed again by each piece of rows.
    };
    let [r, p] = cut(wanted.div_ceil(groups), [blocks, panels], |r, p| p * m + weight * r * n);
    [groups, r, p]
}
