//! What happens to the finished sums of a tile: the launch's stage, or an optimizer's update in its place.

use castnet_program::program::{Launch, PANEL};
use castnet_program::scalar::Lane;
use castnet_program::types::DType;

use crate::BlockKernel;
use crate::access::{Access, Block, Map, Place};
use crate::dims::Dims;
use crate::isa::Isa;
use crate::kernel::{Gradient, Update};
use crate::stage::{Function, Input, MAX_BLOCK, Output, Stage};
use crate::tile::Sink;
use crate::transfer;
use crate::worker::{Along, Layout, MAX_DIMS, Worker};

/// The stage of a tile with all sizes known.
#[derive(Debug)]
pub(crate) struct Epilogue {
    stage: Stage,
    dims: Dims,
    layout: Layout,
    isa: Isa,
    /// Of the sums.
    lane: Lane,
    /// The parameter whose gradient is stored as it is.
    updates: Option<usize>,
    /// The store is of panels: behind the last column there is padding.
    padded: bool,
}

impl Epilogue {
    /// Resolves the only stage of a tile launch whose sums have this lane.
    pub(crate) fn new(
        launch: &Launch,
        lane: Lane,
        dtypes: &[DType],
        isa: Isa,
        emitted: Option<BlockKernel>,
        value: &dyn Fn(&str) -> i64,
    ) -> Epilogue {
        assert!(launch.stages.len() == 1, "{}: a tile has one stage", launch.name);
        let sizes: Vec<i64> = launch.space.iter().map(|s| s.eval(value)).collect();
        let space = sizes.len();
        let mut dims = Dims::new(sizes, space);
        let mut stages = [Stage::new(launch, &launch.stages[0], &dims.sizes, dtypes, isa, emitted, value)];
        dims.collapse(&mut stages, &[space - 1]);
        dims.pad(&mut stages, 2, 0);
        stages[0].settle(&dims);
        assert!(dims.sizes.len() <= MAX_DIMS, "{}: too many dims", launch.name);
        let stored: Vec<usize> = stages[0].stores().map(|a| a.buffer).collect();
        let mut kept = 0;
        stages[0].keep(dims.space - 2, &stored, &mut kept);
        let layout = Layout::new(&stages, kept, MAX_BLOCK, 0);
        let [stage] = stages;
        let padded = launch.stores.first().is_some_and(|store| {
            store.dims.last().is_some_and(|d| d.is(PANEL)) && store.index.last().is_some_and(|i| i.modulo == PANEL)
        });
        let even = stored_sums(&stage, lane).is_some_and(|access| match &access.map {
            Map::Affine(form) => form.steps[dims.space - 1] == 1,
            Map::General(_, outside) => padded && outside.is_none(),
        });
        Epilogue { stage, dims, layout, isa, lane, updates: launch.updates.filter(|_| even), padded }
    }

    /// As [`Kernel::loose`](crate::Kernel::loose).
    pub(crate) fn loosen(&mut self) {
        self.stage.loosen();
    }

    /// Whether an update can take the place of the store.
    pub(crate) fn updates_in_place(&self) -> bool {
        self.updates.is_some()
    }

    pub(crate) fn scratch_bytes(&self) -> usize {
        self.layout.bytes()
    }

    /// The sink of one chunk.
    ///
    /// # Safety
    /// As [`Worker`].
    pub(crate) unsafe fn sink<'a>(&'a self, run: &'a crate::kernel::Run<'a>, scratch: *mut u8) -> EpilogueRun<'a> {
        let worker = Worker { layout: &self.layout, run, isa: self.isa, scratch };
        // SAFETY: the caller's promise.
        unsafe { worker.reset() };
        EpilogueRun { epilogue: self, worker }
    }
}

/// The store, if it takes the sums, of this lane, as they are.
fn stored_sums(stage: &Stage, lane: Lane) -> Option<&Access> {
    match (&stage.function, stage.inputs.as_slice(), stage.outputs.as_slice()) {
        (Function::Same(_), [Input::Acc], [Output::Store(access)]) if access.dtype == lane.dtype() => Some(access),
        _ => None,
    }
}

/// An epilogue at work.
pub(crate) struct EpilogueRun<'a> {
    epilogue: &'a Epilogue,
    worker: Worker<'a>,
}

impl Sink for EpilogueRun<'_> {
    unsafe fn run_rows(&self, first_row: i64, rows: usize, first_col: i64, cols: usize, acc: *mut u8, pitch: usize) {
        let width = self.epilogue.lane.bytes();
        let (dims, row_dim) = (&self.epilogue.dims, self.epilogue.dims.space - 2);
        let most = (MAX_BLOCK / cols.max(1)).max(1);
        let mut done = 0;
        while done < rows {
            let mut point = [0; MAX_DIMS];
            let point = &mut point[..dims.sizes.len()];
            let mut row = first_row + done as i64;
            for d in (0..=row_dim).rev() {
                point[d] = row % dims.sizes[d];
                row /= dims.sizes[d];
            }
            let in_line = (dims.sizes[row_dim] - point[row_dim]) as usize;
            let some = in_line.min(rows - done).min(most);
            for at in (0..cols).step_by(MAX_BLOCK) {
                point[row_dim + 1] = first_col + at as i64;
                let cols = MAX_BLOCK.min(cols - at);
                let block =
                    Block { point, planes: 1, rows: some, cols, plane_dim: row_dim, row_dim, col_dim: row_dim + 1 };
                // SAFETY: the tile promises that the sums lie there.
                unsafe { self.block(&block, acc.add((done * pitch + at) * width), pitch) };
            }
            done += some;
        }
    }
}

impl EpilogueRun<'_> {
    unsafe fn block(&self, block: &Block<'_>, acc: *mut u8, pitch: usize) {
        let (epilogue, width) = (self.epilogue, self.epilogue.lane.bytes());
        // SAFETY: the caller's promise; a spare buffer takes a block.
        unsafe {
            if let Some(access) = stored_sums(&epilogue.stage, epilogue.lane) {
                if let (Some(parameter), Some(update)) = (epilogue.updates, self.worker.run.update) {
                    return match epilogue.lane {
                        Lane::F64 => self.update::<f64>(parameter, update, access, block, acc.cast(), pitch),
                        Lane::F32 => self.update::<f32>(parameter, update, access, block, acc.cast(), pitch),
                        Lane::I32 | Lane::I64 | Lane::Bool => unreachable!("sums of a tile in {:?}", epilogue.lane),
                    };
                }
                if let Place::Linear { offset, row, col: 1, .. } = access.place(block) {
                    let to = self.worker.run.base(access.buffer).offset(offset as isize * width as isize);
                    let (isa, pitch) = (epilogue.isa, pitch as i64);
                    return transfer::copy_rows(isa, width, acc, pitch, to, row, block.rows, block.cols);
                }
            }
            let sums = if pitch == block.cols || block.rows == 1 {
                acc.cast_const()
            } else {
                let (spare, isa, cols) = (self.worker.spare(), epilogue.isa, block.cols);
                transfer::copy_rows(isa, width, acc, pitch as i64, spare, cols as i64, block.rows, cols);
                spare.cast_const()
            };
            self.worker.stage(&epilogue.stage, block, Along::Cols, sums);
        }
    }

    /// Hands the sums on as contiguous runs, as long as they come.
    unsafe fn update<T: Copy + Default>(
        &self,
        parameter: usize,
        update: &dyn Update,
        access: &Access,
        block: &Block<'_>,
        acc: *mut T,
        pitch: usize,
    ) where
        for<'g> Gradient<'g>: From<&'g [T]>,
    {
        // SAFETY: the caller's promise.
        let hand_over = |offset: i64, from: *const T, n: usize| unsafe {
            update.update(parameter, offset as usize, std::slice::from_raw_parts(from, n).into());
        };
        // SAFETY: as above.
        unsafe {
            if let Place::Linear { offset, row, col, .. } = access.place(block)
                && (col == 1 || block.cols == 1)
            {
                if row == pitch as i64 && (pitch == block.cols || self.ends_panel(block, offset, pitch)) {
                    // Whole rows of memory, padding included: one run.
                    for r in 0..block.rows {
                        let padding = pitch - block.cols;
                        std::slice::from_raw_parts_mut(acc.add(r * pitch + block.cols), padding).fill(T::default());
                    }
                    return hand_over(offset, acc, block.rows * pitch);
                }
                for r in 0..block.rows {
                    hand_over(offset + r as i64 * row, acc.add(r * pitch), block.cols);
                }
                return;
            }
            self.worker.by_rows(block, |row, line| {
                let mut at = 0;
                while at < line.cols {
                    let segment = access.segment(line, at);
                    if let Some((offset, _)) = segment.inside {
                        hand_over(offset, acc.add(row * pitch + at), segment.len);
                    }
                    at += segment.len;
                }
            });
        }
    }

    /// Whether what follows the block's columns in each row is the padding of the last panel.
    fn ends_panel(&self, block: &Block<'_>, offset: i64, pitch: usize) -> bool {
        let end = block.point[block.col_dim] + block.cols as i64;
        self.epilogue.padded
            && pitch == PANEL as usize
            && offset % PANEL == 0
            && end == self.epilogue.dims.sizes[block.col_dim]
    }
}
