//! The skeletons without a tile: flat, row and column.
//!
//! The space is cut into units, each small enough that its row values stay in scratch, and units are gathered into chunks by what they
//! cost. A unit runs its stages one after the other; an element stage goes through its elements by blocks.

use castnet_graph::program::{Family, Launch, Level};
use castnet_graph::types::DType;

use crate::BlockKernel;
use crate::access::{Access, Block, Map};
use crate::cost;
use crate::dims::Dims;
use crate::isa::Isa;
use crate::kernel::Run;
use crate::reduce;
use crate::stage::{MAX_BLOCK, Output, Stage};
use crate::worker::{Along, Layout, MAX_DIMS, Worker};

/// Elements of a block at most.
const BLOCK: i64 = MAX_BLOCK as i64;
/// Columns of a block, where rows are longer.
const LONG: i64 = 1024;
/// Columns from which on a row is worth a call of its own.
const WIDE: i64 = 256;
/// The fewest columns of a block that is read or written turned.
const TURNED: i64 = 16;
/// Rows whose sums are collected apart before they join the total; sums of a long reduction that are added before they join one that
/// keeps what rounding takes off, so that the error does not grow with the length.
const GROUP: i64 = 16;
/// The longest reduction whose sums join the total as they come.
const SHORT: i64 = 1024;

/// A launch without a tile.
#[derive(Debug)]
pub(crate) struct Loops {
    skeleton: Skeleton,
    dims: Dims,
    stages: Vec<Stage>,
    isa: Isa,
    /// Planes, rows and columns of an element block. A unit has as many points along its last space dims.
    planes: i64,
    rows: i64,
    cols: i64,
    units: i64,
    /// Units of a chunk.
    share: i64,
    /// Whether sums are carried to totals.
    long: bool,
    layout: Layout,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Skeleton {
    /// Blocks over the last three dims of the space.
    Flat,
    /// Rows are points of the space, columns run along the reduction.
    Row,
    /// Columns are points of the space, rows run along the reduction.
    Column,
}

impl Loops {
    /// Resolves a launch and chooses blocks, units and chunks: a function of the sizes only.
    pub(crate) fn new(
        launch: &Launch,
        dtypes: &[DType],
        isa: Isa,
        emitted: &[Option<BlockKernel>],
        value: &dyn Fn(&str) -> i64,
    ) -> Loops {
        let skeleton = match launch.family {
            Family::Row => Skeleton::Row,
            Family::Column => Skeleton::Column,
            Family::Flat | Family::Tile(_) | Family::Scatter(_) => Skeleton::Flat,
        };
        let sizes: Vec<i64> = launch.space.iter().chain(&launch.reduce).map(|s| s.eval(value)).collect();
        let stages = launch.stages.iter().enumerate();
        let mut stages: Vec<Stage> = stages
            .map(|(i, stage)| Stage::new(launch, stage, &sizes, dtypes, isa, emitted.get(i).copied().flatten(), value))
            .collect();
        let mut dims = Dims { sizes, space: launch.space.len() };
        dims.collapse(&mut stages, &[]);
        match skeleton {
            Skeleton::Flat => dims.pad(&mut stages, 3, 0),
            _ => dims.pad(&mut stages, 1, 1),
        }
        assert!(dims.sizes.len() <= MAX_DIMS, "{}: too many dims", launch.name);

        let [_, row_dim, _] = block_dims(skeleton, &dims);
        let [planes, rows, cols] = block_sizes(skeleton, &dims, &stages);
        let stored: Vec<usize> = stages.iter().flat_map(Stage::stores).map(|a| a.buffer).collect();
        let mut kept = 0;
        for stage in stages.iter_mut().filter(|s| s.level == Level::Element) {
            stage.keep(row_dim, &stored, &mut kept);
        }
        let points = if skeleton == Skeleton::Row { rows } else { cols };
        // A column unit keeps the sums of a group beside the totals; a long reduction keeps totals and rests beside them.
        let long = skeleton != Skeleton::Flat && dims.reduced() > SHORT;
        let values = points * if long { 4 } else { 2 };
        let layout = Layout::new(&stages, kept, (planes * rows * cols).max(points) as usize, values as usize);

        let count = |d: usize, by: i64| pieces(dims.sizes[d], by);
        let outer = |to: usize| dims.sizes[..to].iter().product::<i64>();
        let last = dims.space - 1;
        // Of a unit: elements, and points that row stages see.
        let (units, work, points) = match skeleton {
            Skeleton::Flat => {
                let blocks = count(last - 2, planes) * count(last - 1, rows) * count(last, cols);
                (outer(last - 2) * blocks, planes * rows * cols, 0)
            }
            Skeleton::Row => (outer(last) * count(last, rows), rows * dims.reduced(), rows),
            Skeleton::Column => (outer(last) * count(last, cols), cols * dims.reduced(), cols),
        };
        let each = |n: i64, level: Level| n.saturating_mul(cost::of(launch, level));
        let unit = each(work, Level::Element).saturating_add(each(points, Level::Row));
        let share = (cost::CHUNK / unit.max(1)).max(1);
        Loops { skeleton, dims, stages, isa, planes, rows, cols, units, share, long, layout }
    }

    pub(crate) fn chunks(&self) -> usize {
        pieces(self.units, self.share).max(1) as usize
    }

    pub(crate) fn scratch_floats(&self) -> usize {
        self.layout.floats()
    }

    /// Runs a chunk.
    ///
    /// # Safety
    /// As [`Kernel::run`](crate::Kernel::run); `scratch` is on a cache line.
    pub(crate) unsafe fn run(&self, chunk: usize, run: &Run<'_>, scratch: *mut f32) {
        let worker = Worker { layout: &self.layout, run, isa: self.isa, scratch };
        let first = chunk as i64 * self.share;
        // SAFETY: units lie inside the space.
        unsafe {
            worker.reset();
            for unit in first..(first + self.share).min(self.units) {
                self.unit(unit, &worker);
            }
        }
    }

    unsafe fn unit(&self, mut unit: i64, worker: &Worker<'_>) {
        let sizes = &self.dims.sizes;
        let mut point = [0; MAX_DIMS];
        let point = &mut point[..sizes.len()];
        let [plane_dim, row_dim, col_dim] = block_dims(self.skeleton, &self.dims);
        let mut take = |d: usize, by: i64| {
            let count = pieces(sizes[d], by);
            point[d] = unit % count * by;
            unit /= count;
            by.min(sizes[d] - point[d]) as usize
        };
        let last = self.dims.space - 1;
        let (planes, rows, cols, outer) = match self.skeleton {
            Skeleton::Flat => {
                let (cols, rows) = (take(last, self.cols), take(last - 1, self.rows));
                (take(last - 2, self.planes), rows, cols, last - 2)
            }
            Skeleton::Row => (1, take(last, self.rows), 0, last),
            Skeleton::Column => (1, 0, take(last, self.cols), last),
        };
        (0..outer).rev().for_each(|d| {
            take(d, 1);
        });
        for stage in &self.stages {
            // SAFETY: the block lies inside the loops.
            unsafe {
                match (self.skeleton, stage.level) {
                    (Skeleton::Flat, _) => {
                        let block = Block { point, planes, rows, cols, plane_dim, row_dim, col_dim };
                        worker.stage(stage, &block, Along::Cols, std::ptr::null());
                    }
                    (_, Level::Row) => {
                        let cols = rows.max(cols);
                        let (plane_dim, row_dim, col_dim) = (last, last, last);
                        let block = Block { point, planes, rows: 1, cols, plane_dim, row_dim, col_dim };
                        worker.stage(stage, &block, Along::Cols, std::ptr::null());
                    }
                    (Skeleton::Row, Level::Element) => self.row_elements(stage, point, rows, worker),
                    (Skeleton::Column, Level::Element) => self.column_elements(stage, point, cols, worker),
                }
            }
        }
    }

    /// An element stage over some rows and all of their reduction.
    unsafe fn row_elements(&self, stage: &Stage, point: &mut [i64], rows: usize, worker: &Worker<'_>) {
        let [plane_dim, row_dim, col_dim] = block_dims(self.skeleton, &self.dims);
        // SAFETY: slots have room for the rows of a unit.
        unsafe { start(stage, worker, 0, rows) };
        // SAFETY: as above; of a long reduction, thrice.
        let mut totals = unsafe { Totals::new(self.long, stage, worker, 0, rows) };
        self.outer_reduction(point, col_dim, |point| {
            for col in (0..self.dims.sizes[col_dim]).step_by(self.cols as usize) {
                point[col_dim] = col;
                let cols = self.cols.min(self.dims.sizes[col_dim] - col) as usize;
                // SAFETY: the block lies inside the loops.
                unsafe {
                    let block = Block { point, planes: 1, rows, cols, plane_dim, row_dim, col_dim };
                    worker.stage(stage, &block, Along::Rows, std::ptr::null());
                    totals.added();
                }
            }
            point[col_dim] = 0;
        });
        // SAFETY: as above.
        unsafe { totals.settle() };
    }

    /// An element stage over some columns and all of their reduction. Sums are collected by groups of rows: what is added to what does not
    /// grow as the reduction does.
    unsafe fn column_elements(&self, stage: &Stage, point: &mut [i64], cols: usize, worker: &Worker<'_>) {
        let [plane_dim, row_dim, col_dim] = block_dims(self.skeleton, &self.dims);
        let size = self.dims.sizes[row_dim];
        let group = self.rows.max(GROUP);
        // SAFETY: slots have room for the columns of a unit, twice; of a long reduction, four times.
        let mut totals = unsafe {
            start(stage, worker, cols, cols);
            Totals::new(self.long, stage, worker, cols, cols)
        };
        self.outer_reduction(point, row_dim, |point| {
            for first in (0..size).step_by(group as usize) {
                let end = (first + group).min(size);
                // SAFETY: the block lies inside the loops.
                unsafe {
                    start(stage, worker, 0, cols);
                    for row in (first..end).step_by(self.rows as usize) {
                        point[row_dim] = row;
                        let rows = self.rows.min(end - row) as usize;
                        let block = Block { point, planes: 1, rows, cols, plane_dim, row_dim, col_dim };
                        worker.stage(stage, &block, Along::Cols, std::ptr::null());
                    }
                    for (op, slot) in reductions(stage) {
                        let sums = worker.values(slot);
                        reduce::along_cols(self.isa, op, sums, 1, cols, sums.add(cols));
                    }
                    totals.added();
                }
            }
            point[row_dim] = 0;
        });
        // SAFETY: as above.
        unsafe { totals.settle() };
        for (_, slot) in reductions(stage) {
            // SAFETY: as above.
            unsafe {
                let sums = worker.values(slot);
                std::ptr::copy_nonoverlapping(sums.add(cols), sums, cols);
            }
        }
    }

    /// Goes through the reduction dims but `inner`, which is the last one.
    fn outer_reduction(&self, point: &mut [i64], inner: usize, mut take: impl FnMut(&mut [i64])) {
        let dims = self.dims.space..inner;
        let count: i64 = self.dims.sizes[dims.clone()].iter().product();
        for _ in 0..count {
            take(point);
            for d in dims.clone().rev() {
                point[d] += 1;
                if point[d] < self.dims.sizes[d] {
                    break;
                }
                point[d] = 0;
            }
        }
    }
}

/// How many pieces of length `by` cover `size`.
fn pieces(size: i64, by: i64) -> i64 {
    (size + by - 1) / by
}

/// The reductions among a stage's outputs.
fn reductions(stage: &Stage) -> impl Iterator<Item = (castnet_graph::scalar::Reduction, usize)> {
    stage.outputs.iter().filter_map(|output| match output {
        Output::Reduce(op, slot) => Some((*op, *slot)),
        _ => None,
    })
}

/// Sets the row values that a stage reduces into to the identity, from value number `at` on.
unsafe fn start(stage: &Stage, worker: &Worker<'_>, at: usize, n: usize) {
    for (op, slot) in reductions(stage) {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(worker.values(slot).add(at), n).fill(reduce::identity(op)) };
    }
}

/// The sums of a stage's long reductions, carried to totals part by part.
struct Totals<'a, 'w> {
    stage: &'a Stage,
    worker: &'a Worker<'w>,
    /// The first value of each slot that is carried, and how many.
    at: usize,
    n: usize,
    /// How many sums were added since; none of a short reduction, whose sums stay where they are.
    pending: Option<i64>,
}

impl<'a, 'w> Totals<'a, 'w> {
    /// # Safety
    /// Of a long reduction, slots have room for three times `n` values from number `at` on.
    unsafe fn new(long: bool, stage: &'a Stage, worker: &'a Worker<'w>, at: usize, n: usize) -> Totals<'a, 'w> {
        if long {
            for sums in sums(stage, worker, at) {
                // SAFETY: the caller's promise.
                unsafe { std::slice::from_raw_parts_mut(sums.add(n), 2 * n).fill(0.0) };
            }
        }
        Totals { stage, worker, at, n, pending: long.then_some(0) }
    }

    /// Something was added to each sum.
    ///
    /// # Safety
    /// As [`Totals::new`].
    unsafe fn added(&mut self) {
        let Some(pending) = &mut self.pending else { return };
        *pending += 1;
        if *pending == GROUP {
            *pending = 0;
            // SAFETY: the caller's promise.
            unsafe { self.carry() };
        }
    }

    unsafe fn carry(&self) {
        for sums in sums(self.stage, self.worker, self.at) {
            // SAFETY: the caller's promise.
            unsafe { reduce::carry(self.worker.isa, sums, sums.add(self.n), sums.add(2 * self.n), self.n) };
        }
    }

    /// Puts the totals in the place of the sums.
    ///
    /// # Safety
    /// As [`Totals::new`].
    unsafe fn settle(&self) {
        if self.pending.is_none() {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe {
            self.carry();
            for sums in sums(self.stage, self.worker, self.at) {
                reduce::settle(self.worker.isa, sums, sums.add(self.n), sums.add(2 * self.n), self.n);
            }
        }
    }
}

/// Where the sums among a stage's reductions lie, from value number `at` on.
fn sums(stage: &Stage, worker: &Worker<'_>, at: usize) -> impl Iterator<Item = *mut f32> {
    let sums = reductions(stage).filter(|(op, _)| *op == castnet_graph::scalar::Reduction::Sum);
    // SAFETY: a slot has more values than a unit has points.
    sums.map(move |(_, slot)| unsafe { worker.values(slot).add(at) })
}

/// The dims along the planes, the rows and the columns of an element block.
fn block_dims(skeleton: Skeleton, dims: &Dims) -> [usize; 3] {
    let (point, reduced) = (dims.space - 1, dims.sizes.len() - 1);
    match skeleton {
        Skeleton::Flat => [dims.space - 3, dims.space - 2, dims.space - 1],
        // One plane only, so its dim does not matter.
        Skeleton::Row => [point, point, reduced],
        Skeleton::Column => [reduced, reduced, point],
    }
}

/// Planes, rows and columns of an element block: many rows where they are short, or lie one after the other in all operands anyway.
fn block_sizes(skeleton: Skeleton, dims: &Dims, stages: &[Stage]) -> [i64; 3] {
    let [plane_dim, row_dim, col_dim] = block_dims(skeleton, dims);
    let (rows, cols) = (dims.sizes[row_dim].max(1), dims.sizes[col_dim].max(1));
    let elements = || stages.iter().filter(|s| s.level == Level::Element);
    let buffers = elements().map(|s| s.inputs.len() + s.outputs.len()).max().unwrap_or(1);
    let block = (4 * BLOCK / buffers.max(1) as i64).clamp(WIDE, BLOCK);
    // What lies the other way round is turned by squares: as many rows as make use of the cache lines that the columns touch.
    let turned = |access: &Access| match &access.map {
        Map::Affine(form) => form.steps[row_dim] == 1 && !matches!(form.steps[col_dim], 0 | 1),
        Map::General(..) => false,
    };
    if skeleton == Skeleton::Flat && rows > 1 && elements().flat_map(Stage::accesses).any(turned) {
        let cols = cols.min((block / rows.min(4 * TURNED)).max(TURNED));
        let rows = rows.min(block / cols);
        return [1, rows, cols];
    }
    if cols > block {
        return [1, 1, cols.min(LONG).min(block)];
    }
    let even = elements().flat_map(Stage::accesses).all(|access| match &access.map {
        Map::Affine(form) => access.dtype == DType::F32 && form.steps[col_dim] == 1 && form.steps[row_dim] == cols,
        Map::General(..) => false,
    });
    if cols >= WIDE && !even && skeleton != Skeleton::Row {
        return [1, 1, cols];
    }
    let rows = rows.min(block / cols);
    let all = skeleton == Skeleton::Flat && rows == dims.sizes[row_dim];
    let planes = if all { dims.sizes[plane_dim].max(1).min(block / cols / rows) } else { 1 };
    [planes, rows, cols]
}
