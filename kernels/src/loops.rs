//! The skeletons without a tile: flat, row and column.
//!
//! The space is cut into units, each small enough that its row values stay in scratch, and units are gathered into chunks by what they
//! cost. A unit runs its stages one after the other; an element stage goes through its elements by blocks. Where there are only a few
//! units and each goes through much, its elements are split (`split.rs`).

use std::ops::Range;

use crate::transfer::is_own_lane;
use castnet_program::program::{Family, Launch, Level};
use castnet_program::types::DType;

use crate::BlockKernel;
use crate::access::{Access, Block, Map};
use crate::cost;
use crate::dims::Dims;
use crate::isa::Isa;
use crate::kernel::Run;
use crate::reduce;
use crate::split::Split;
use crate::stage::{MAX_BLOCK, Stage};
use crate::totals::{GROUP, SHORT, Totals, reductions, start};
use crate::worker::{Along, Layout, MAX_DIMS, Worker};

/// Elements of a block at most.
const BLOCK: i64 = MAX_BLOCK as i64;
/// Columns of a block, where rows are longer.
const LONG: i64 = 1024;
/// Columns from which on a row is worth a call of its own.
const WIDE: i64 = 256;
/// The fewest columns of a block that is read or written turned.
const TURNED: i64 = 16;

/// A launch without a tile.
#[derive(Debug)]
pub(crate) struct Loops {
    skeleton: Skeleton,
    dims: Dims,
    pub(crate) stages: Vec<Stage>,
    pub(crate) isa: Isa,
    /// Planes, rows and columns of an element block. A unit has as many points along its last space dims.
    planes: i64,
    rows: i64,
    cols: i64,
    units: i64,
    /// Units of a chunk.
    share: i64,
    /// Whether sums are carried to totals.
    pub(crate) long: bool,
    pub(crate) layout: Layout,
    split: Option<Split>,
}

/// A unit of the space.
pub(crate) struct Unit {
    point: [i64; MAX_DIMS],
    planes: usize,
    rows: usize,
    cols: usize,
}

impl Unit {
    /// How many points of the space it has, of a launch that reduces.
    pub(crate) fn points(&self) -> usize {
        self.rows.max(self.cols)
    }
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
            Family::Flat | Family::Tile(_) | Family::Scatter(_) | Family::Routine { .. } => Skeleton::Flat,
        };
        let sizes: Vec<i64> = launch.space.iter().chain(&launch.reduce).map(|s| s.eval(value)).collect();
        let stages = launch.stages.iter().enumerate();
        let mut stages: Vec<Stage> = stages
            .map(|(i, stage)| Stage::new(launch, stage, &sizes, dtypes, isa, emitted.get(i).copied().flatten(), value))
            .collect();
        let mut dims = Dims::new(sizes, launch.space.len());
        dims.collapse(&mut stages, &[]);
        match skeleton {
            Skeleton::Flat => dims.pad(&mut stages, 3, 0),
            _ => dims.pad(&mut stages, 1, 1),
        }
        assert!(dims.sizes.len() <= MAX_DIMS, "{}: too many dims", launch.name);

        let [_, row_dim, _] = block_dims(skeleton, &dims);
        // How sums are cut is a function of the sizes alone, not of strides.
        let sizes = (skeleton != Skeleton::Flat).then(|| block_sizes(skeleton, &dims, &stages));
        stages.iter_mut().for_each(|stage| stage.settle(&dims));
        let [planes, rows, cols] = sizes.unwrap_or_else(|| block_sizes(skeleton, &dims, &stages));
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
        let mut loops =
            Loops { skeleton, dims, stages, isa, planes, rows, cols, units, share, long, layout, split: None };
        if skeleton != Skeleton::Flat {
            loops.split = Split::new(&loops.stages, units, points, loops.blocks(), unit);
        }
        loops
    }

    /// The parts that run one after the other.
    pub(crate) fn parts(&self) -> usize {
        self.split.as_ref().map_or(1, Split::parts)
    }

    pub(crate) fn chunks(&self, part: usize) -> usize {
        match &self.split {
            Some(split) => split.chunks(part),
            None => pieces(self.units, self.share).max(1) as usize,
        }
    }

    /// Bytes that all chunks share.
    pub(crate) fn shared_bytes(&self) -> usize {
        self.split.as_ref().map_or(0, Split::bytes)
    }

    pub(crate) fn scratch_bytes(&self) -> usize {
        self.layout.bytes()
    }

    /// Runs a chunk of a part.
    ///
    /// # Safety
    /// As [`Kernel::run`](crate::Kernel::run); `scratch` is on a cache line.
    pub(crate) unsafe fn run(&self, part: usize, chunk: usize, run: &Run<'_>, scratch: *mut u8) {
        let worker = Worker { layout: &self.layout, run, isa: self.isa, scratch };
        // SAFETY: units lie inside the space.
        unsafe {
            worker.reset();
            if let Some(split) = &self.split {
                return split.run(self, part, chunk, &worker);
            }
            let first = chunk as i64 * self.share;
            for unit in first..(first + self.share).min(self.units) {
                let mut unit = self.unit(unit);
                for stage in &self.stages {
                    match (self.skeleton, stage.level) {
                        (Skeleton::Flat, _) => self.block(stage, &unit, &worker),
                        (_, Level::Row) => self.points(stage, &unit, &worker),
                        (_, Level::Element) => self.elements(stage, &mut unit, 0..self.blocks(), &worker),
                    }
                }
            }
        }
    }

    /// Unit number `unit`.
    pub(crate) fn unit(&self, mut unit: i64) -> Unit {
        let sizes = &self.dims.sizes;
        let mut point = [0; MAX_DIMS];
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
        Unit { point, planes, rows, cols }
    }

    /// A stage over a unit of a launch that does not reduce.
    unsafe fn block(&self, stage: &Stage, unit: &Unit, worker: &Worker<'_>) {
        let [plane_dim, row_dim, col_dim] = block_dims(self.skeleton, &self.dims);
        let Unit { planes, rows, cols, .. } = *unit;
        let block = Block { point: self.point(unit), planes, rows, cols, plane_dim, row_dim, col_dim };
        // SAFETY: the block lies inside the loops.
        unsafe { worker.stage(stage, &block, Along::Cols, std::ptr::null()) };
    }

    /// A row stage over the points of a unit.
    ///
    /// # Safety
    /// As [`Loops::run`].
    pub(crate) unsafe fn points(&self, stage: &Stage, unit: &Unit, worker: &Worker<'_>) {
        let last = self.dims.space - 1;
        let (plane_dim, row_dim, col_dim, cols) = (last, last, last, unit.points());
        let block = Block { point: self.point(unit), planes: 1, rows: 1, cols, plane_dim, row_dim, col_dim };
        // SAFETY: the block lies inside the loops.
        unsafe { worker.stage(stage, &block, Along::Cols, std::ptr::null()) };
    }

    fn point<'u>(&self, unit: &'u Unit) -> &'u [i64] {
        &unit.point[..self.dims.sizes.len()]
    }

    /// An element stage over a unit and these blocks of its reduction.
    ///
    /// # Safety
    /// As [`Loops::run`].
    pub(crate) unsafe fn elements(&self, stage: &Stage, unit: &mut Unit, blocks: Range<i64>, worker: &Worker<'_>) {
        // SAFETY: as the caller says.
        unsafe {
            match self.skeleton {
                Skeleton::Column => self.column_elements(stage, unit, blocks, worker),
                _ => self.row_elements(stage, unit, blocks, worker),
            }
        }
    }

    unsafe fn row_elements(&self, stage: &Stage, unit: &mut Unit, blocks: Range<i64>, worker: &Worker<'_>) {
        let [plane_dim, row_dim, col_dim] = block_dims(self.skeleton, &self.dims);
        let rows = unit.rows;
        // SAFETY: slots have room for the rows of a unit; of a long reduction, thrice.
        let mut totals = unsafe {
            start(stage, worker, 0, rows);
            Totals::new(self.long, stage, worker, 0, rows)
        };
        self.each_block(blocks, unit, |point, cols| {
            // SAFETY: the block lies inside the loops.
            unsafe {
                let block = Block { point, planes: 1, rows, cols: cols as usize, plane_dim, row_dim, col_dim };
                worker.stage(stage, &block, Along::Rows, std::ptr::null());
                totals.added();
            }
        });
        // SAFETY: as above.
        unsafe { totals.settle() };
    }

    /// Sums are collected by groups of rows: what is added to what does not grow as the reduction does.
    unsafe fn column_elements(&self, stage: &Stage, unit: &mut Unit, blocks: Range<i64>, worker: &Worker<'_>) {
        let [plane_dim, row_dim, col_dim] = block_dims(self.skeleton, &self.dims);
        let cols = unit.cols;
        // SAFETY: slots have room for the columns of a unit, twice; of a long reduction, four times.
        let mut totals = unsafe {
            start(stage, worker, cols, cols);
            Totals::new(self.long, stage, worker, cols, cols)
        };
        self.each_block(blocks, unit, |point, group| {
            let (first, end) = (point[row_dim], point[row_dim] + group);
            // SAFETY: the block lies inside the loops.
            unsafe {
                start(stage, worker, 0, cols);
                for row in (first..end).step_by(self.rows as usize) {
                    point[row_dim] = row;
                    let rows = self.rows.min(end - row) as usize;
                    let block = Block { point, planes: 1, rows, cols, plane_dim, row_dim, col_dim };
                    worker.stage(stage, &block, Along::Cols, std::ptr::null());
                }
                for (op, slot, lane) in reductions(stage) {
                    let sums = worker.values(slot);
                    reduce::along_cols(self.isa, op, lane, sums, 1, cols, sums.add(cols * lane.bytes()));
                }
                totals.added();
            }
        });
        // SAFETY: as above.
        unsafe { totals.settle() };
        for (_, slot, lane) in reductions(stage) {
            let bytes = cols * lane.bytes();
            // SAFETY: as above.
            unsafe {
                let sums = worker.values(slot);
                std::ptr::copy_nonoverlapping(sums.add(bytes), sums, bytes);
            }
        }
    }

    /// How long a block of the reduction is along its last dim: what is reduced before it joins the sums.
    fn block_length(&self) -> i64 {
        match self.skeleton {
            Skeleton::Column => self.rows.max(GROUP),
            _ => self.cols,
        }
    }

    /// How many blocks the reduction has.
    fn blocks(&self) -> i64 {
        let (space, inner) = (self.dims.space, self.dims.sizes.len() - 1);
        let outer: i64 = self.dims.sizes[space..inner.max(space)].iter().product();
        outer * pieces(self.dims.sizes[inner], self.block_length())
    }

    /// Goes through blocks of the reduction: `take` gets the point at which each begins, and how long it is along the last dim.
    fn each_block(&self, blocks: Range<i64>, unit: &mut Unit, mut take: impl FnMut(&mut [i64], i64)) {
        let (sizes, space, inner) = (&self.dims.sizes, self.dims.space, self.dims.sizes.len() - 1);
        let point = &mut unit.point[..sizes.len()];
        let (size, by) = (sizes[inner], self.block_length());
        let each = pieces(size, by).max(1);
        let (mut outer, mut at) = (blocks.start / each, blocks.start % each * by);
        for d in (space..inner).rev() {
            point[d] = outer % sizes[d].max(1);
            outer /= sizes[d].max(1);
        }
        for _ in blocks {
            point[inner] = at;
            take(point, by.min(size - at));
            at += by;
            if at >= size {
                at = 0;
                for d in (space..inner).rev() {
                    point[d] += 1;
                    if point[d] < sizes[d] {
                        break;
                    }
                    point[d] = 0;
                }
            }
        }
        point[space..].fill(0);
    }
}

/// How many pieces of length `by` cover `size`.
fn pieces(size: i64, by: i64) -> i64 {
    (size + by - 1) / by
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
        Map::Affine(form) => is_own_lane(access.dtype) && form.steps[col_dim] == 1 && form.steps[row_dim] == cols,
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
