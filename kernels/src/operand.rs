//! The operands of a block: inputs as contiguous runs, outputs to where they belong.

use castnet_program::scalar::Lane;

use crate::access::{Access, Block, Form, Inside, Map, Place};
use crate::kernel::StepScalars;
use crate::look_up::{Elements, look_up};
use crate::random;
use crate::reduce;
use crate::stage::{Gather, Input, Output};
use crate::transfer::{self, Grid, is_own_lane};
use crate::worker::{Along, Key, MAX_DIMS, Worker};

impl Block<'_> {
    /// How its elements lie, by the steps of a linear place.
    #[inline]
    fn grid(&self, plane: i64, row: i64, col: i64) -> Grid {
        Grid { planes: self.planes, rows: self.rows, cols: self.cols, plane, row, col }
    }

    /// How the values of a form lie.
    #[inline]
    fn grid_of(&self, form: &Form) -> Grid {
        let step = |d: usize| form.steps[d];
        self.grid(step(self.plane_dim), step(self.row_dim), step(self.col_dim))
    }
}

impl Worker<'_> {
    /// The memory of a block, if it is contiguous and holds what is computed.
    pub(crate) unsafe fn direct(&self, access: &Access, block: &Block<'_>) -> Option<*mut u8> {
        match access.place(block) {
            Place::Linear { offset, plane, row, col } if is_own_lane(access.dtype) => {
                let grid = block.grid(plane, row, col);
                // SAFETY: the element lies in the buffer.
                grid.is_contiguous().then(|| unsafe { self.element(access, offset) })
            }
            _ => None,
        }
    }

    fn base(&self, access: &Access) -> *mut u8 {
        self.run.base(access.buffer)
    }

    unsafe fn element(&self, access: &Access, offset: i64) -> *mut u8 {
        // SAFETY: the element lies in the buffer.
        unsafe { self.base(access).offset(offset as isize * access.dtype.bytes() as isize) }
    }

    /// A contiguous run of an input's values.
    #[inline]
    pub(crate) unsafe fn input(
        &self,
        input: &Input,
        block: &Block<'_>,
        along: Along,
        acc: *const u8,
        buffer: *mut u8,
    ) -> *const u8 {
        // SAFETY: the buffer takes a block; the caller vouches for memory.
        unsafe {
            match input {
                Input::Load { access, kept } => {
                    let from = self.load(access, *kept, block, buffer);
                    self.truths(access, block, from, buffer)
                }
                Input::Acc => acc,
                Input::Row(slot, lane) => {
                    let (row, col) = match along {
                        Along::Rows => (1, 0),
                        Along::Cols => (0, 1),
                    };
                    let (values, grid) = (self.values(*slot), block.grid(0, row, col));
                    if grid.is_contiguous() {
                        return values;
                    }
                    transfer::gather(self.isa, lane.dtype(), values, grid, buffer);
                    buffer
                }
                Input::Index(form, lane) => {
                    transfer::ramp(self.isa, *lane, form.at(block.point), block.grid_of(form), buffer);
                    buffer
                }
                Input::Constant(values) => values.as_ptr().cast(),
                Input::LossScale => {
                    let scale = self.run.scalars.scale.to_bits();
                    transfer::fill(self.isa, Lane::F32, buffer, block.len(), scale.into());
                    buffer.cast_const()
                }
                Input::Gather(gather) => {
                    self.gather(gather, block, buffer);
                    self.truths(&gather.from, block, buffer, buffer)
                }
                Input::Random(stream, form, round) => {
                    self.random(*stream, form, self.run.round.wrapping_mul(*round), block, buffer);
                    buffer
                }
            }
        }
    }

    /// The values of a block, as truth values if they may be none.
    #[inline]
    unsafe fn truths(&self, access: &Access, block: &Block<'_>, from: *const u8, buffer: *mut u8) -> *const u8 {
        if !access.loose {
            return from;
        }
        for i in 0..block.len() {
            // SAFETY: both have an element for each point.
            unsafe { *buffer.add(i) = *from.add(i) & 1 };
        }
        buffer
    }

    /// Calls `take` with each element's number and form.
    fn each(&self, form: &Form, block: &Block<'_>, mut take: impl FnMut(usize, i64)) {
        let col = form.steps[block.col_dim];
        self.by_rows(block, |row, line| {
            let first = form.at(line.point);
            for c in 0..block.cols {
                take(row * block.cols + c, first + c as i64 * col);
            }
        });
    }

    /// Elements of memory that indices name.
    unsafe fn gather(&self, gather: &Gather, block: &Block<'_>, buffer: *mut u8) {
        let Gather { from, index, stride, size } = gather;
        if *size < 1 {
            // SAFETY: the buffer takes a block.
            return unsafe { transfer::fill(self.isa, from.dtype.lane(), buffer, block.len(), 0) };
        }
        let (Map::Affine(source), Map::Affine(at)) = (&from.map, &index.map) else {
            // SAFETY: as the caller says.
            return self.by_rows(block, |row, line| unsafe {
                self.gather_row(gather, line, buffer.add(row * block.cols * from.dtype.lane().bytes()));
            });
        };
        // SAFETY: both begin in their buffers.
        let elements = |access: &Access, form: &Form| unsafe {
            let first = self.element(access, form.at(block.point)).cast_const();
            Elements { dtype: access.dtype, first, grid: block.grid_of(form) }
        };
        // SAFETY: the indices lie in their buffer, and held below the size they name elements of the other; the buffer takes a block.
        unsafe { look_up(self.isa, elements(from, source), elements(index, at), *stride, size - 1, buffer) };
    }

    /// A row of elements that indices name, where one of the two does not lie evenly.
    unsafe fn gather_row(&self, gather: &Gather, line: &Block<'_>, buffer: *mut u8) {
        let Gather { from, index, stride, size } = gather;
        let mut at = 0;
        while at < line.cols {
            let (source, named) = (from.segment(line, at), index.segment(line, at));
            let len = source.len.min(named.len);
            // SAFETY: as for the block; a strided operand has no outside.
            unsafe {
                let to = buffer.add(at * from.dtype.lane().bytes());
                let elements = |access: &Access, (offset, col): (i64, i64)| Elements {
                    dtype: access.dtype,
                    first: self.element(access, offset).cast_const(),
                    grid: Grid::line(len, col),
                };
                match (source.inside, named.inside) {
                    (Some(source), Some(named)) => {
                        let (from, named) = (elements(from, source), elements(index, named));
                        look_up(self.isa, from, named, *stride, size - 1, to);
                    }
                    _ => transfer::fill(self.isa, from.dtype.lane(), to, len, from.fill()),
                }
            }
            at += len;
        }
    }

    unsafe fn random(&self, stream: u32, form: &Form, start: u64, block: &Block<'_>, buffer: *mut u8) {
        let buffer = buffer.cast::<f32>();
        let StepScalars { root, call, .. } = *self.run.scalars;
        let key = random::key(root, stream);
        let grid = block.grid_of(form);
        // SAFETY: the buffer takes a block.
        let fill = |point: &[i64], at: usize, n: usize| unsafe {
            let first = start.wrapping_add(form.at(point) as u64);
            random::fill_isa(self.isa, key, call, first, buffer.add(at), n);
        };
        if grid.is_contiguous() {
            fill(block.point, 0, block.len());
        } else if grid.col == 1 {
            self.by_rows(block, |row, line| fill(line.point, row * block.cols, block.cols));
        } else {
            // SAFETY: as above.
            self.each(form, block, |at, index| unsafe {
                *buffer.add(at) = random::uniform(key, call, start.wrapping_add(index as u64));
            });
        }
    }

    /// A contiguous run of what lies in memory.
    unsafe fn load(&self, access: &Access, kept: Option<usize>, block: &Block<'_>, buffer: *mut u8) -> *const u8 {
        // SAFETY: the buffer takes a block; the caller vouches for memory.
        unsafe {
            match access.place(block) {
                Place::Linear { offset, plane, row, col } => {
                    let grid = block.grid(plane, row, col);
                    let from = self.element(access, offset);
                    if is_own_lane(access.dtype) && grid.is_contiguous() {
                        return from;
                    }
                    let Some(kept) = kept else {
                        transfer::gather(self.isa, access.dtype, from, grid, buffer);
                        return buffer;
                    };
                    let (key, buffer) = (&mut *self.scratch.cast::<Key>().add(kept), self.buffer(kept));
                    let wanted =
                        Key { offset, planes: block.planes as u32, rows: block.rows as u32, cols: block.cols as u32 };
                    if !key.holds(&wanted) {
                        transfer::gather(self.isa, access.dtype, from, grid, buffer);
                        *key = wanted;
                    }
                    return buffer;
                }
                Place::Outside => transfer::fill(self.isa, access.dtype.lane(), buffer, block.len(), access.fill()),
                Place::Mixed => self.load_mixed(access, block, buffer),
            }
            buffer
        }
    }

    /// A load of which some lies outside.
    unsafe fn load_mixed(&self, access: &Access, block: &Block<'_>, buffer: *mut u8) {
        let (plane_len, width) = (block.rows * block.cols, access.dtype.lane().bytes());
        let Some(Inside { rows, cols, offset, plane, row, col }) = access.inside(block) else {
            if block.planes == 1 {
                // SAFETY: as for the block.
                return self.by_rows(block, |row, line| unsafe {
                    self.load_row(access, line, buffer.add(row * block.cols * width));
                });
            }
            let mut point = [0; MAX_DIMS];
            let point = &mut point[..block.point.len()];
            point.copy_from_slice(block.point);
            for i in 0..block.planes {
                let to = buffer.wrapping_add(i * plane_len * width);
                // SAFETY: as above.
                unsafe { self.load_mixed(access, &Block { point, planes: 1, ..*block }, to) };
                point[block.plane_dim] += 1;
            }
            return;
        };
        // SAFETY: as for the block; `fill` may run into the slack, or into the next plane, which is written later.
        unsafe {
            transfer::fill(self.isa, access.dtype.lane(), buffer, block.planes * plane_len, access.fill());
            if rows.count > 0 && cols.count > 0 {
                let grid = Grid { planes: block.planes, rows: rows.count, cols: cols.count, plane, row, col };
                let to = buffer.add((rows.first * block.cols + cols.first) * width);
                let steps = [plane_len, rows.step * block.cols, cols.step];
                transfer::spread(self.isa, access.dtype, self.element(access, offset), grid, to, steps);
            }
        }
    }

    /// A row of a general load.
    unsafe fn load_row(&self, access: &Access, line: &Block<'_>, buffer: *mut u8) {
        let (mut at, lane) = (0, access.dtype.lane());
        while at < line.cols {
            let segment = access.segment(line, at);
            // SAFETY: as for the block; `fill` would run over what other rows' segments hold only in the slack behind this one.
            unsafe {
                let to = buffer.add(at * lane.bytes());
                match segment.inside {
                    Some((offset, col)) => {
                        let grid = Grid::line(segment.len, col);
                        transfer::gather(self.isa, access.dtype, self.element(access, offset), grid, to);
                    }
                    None => transfer::fill(self.isa, lane, to, segment.len, access.fill()),
                }
            }
            at += segment.len;
        }
    }

    /// Puts a finished run where it belongs.
    pub(crate) unsafe fn output(&self, output: &Output, block: &Block<'_>, along: Along, from: *const u8) {
        let (rows, cols) = (block.rows, block.cols);
        // SAFETY: the caller's promise.
        unsafe {
            match output {
                Output::Row(..) => {}
                Output::Reduce(op, slot, lane) => match along {
                    Along::Rows => reduce::along_rows(self.isa, *op, *lane, from, rows, cols, self.values(*slot)),
                    Along::Cols => reduce::along_cols(self.isa, *op, *lane, from, rows, cols, self.values(*slot)),
                },
                Output::Store(access) => match access.place(block) {
                    Place::Linear { offset, plane, row, col } => {
                        let (to, grid) = (self.element(access, offset), block.grid(plane, row, col));
                        transfer::scatter(self.isa, access.dtype, from, to, grid);
                    }
                    Place::Outside => {}
                    Place::Mixed => self.by_rows(block, |row, line| {
                        self.store_row(access, line, from.add(row * cols * access.dtype.lane().bytes()));
                    }),
                },
            }
        }
    }

    /// A row of a general store.
    unsafe fn store_row(&self, access: &Access, line: &Block<'_>, from: *const u8) {
        let (mut at, width) = (0, access.dtype.lane().bytes());
        while at < line.cols {
            let segment = access.segment(line, at);
            if let Some((offset, col)) = segment.inside {
                let grid = Grid::line(segment.len, col);
                // SAFETY: as for the block.
                unsafe {
                    let from = from.add(at * width);
                    transfer::scatter(self.isa, access.dtype, from, self.element(access, offset), grid);
                }
            }
            at += segment.len;
        }
    }

    /// Calls `take` with each row of a block as a block, numbered through all planes.
    pub(crate) fn by_rows(&self, block: &Block<'_>, mut take: impl FnMut(usize, &Block<'_>)) {
        let mut point = [0; MAX_DIMS];
        let point = &mut point[..block.point.len()];
        point.copy_from_slice(block.point);
        for plane in 0..block.planes {
            for row in 0..block.rows {
                take(plane * block.rows + row, &Block { point, planes: 1, rows: 1, ..*block });
                point[block.row_dim] += 1;
            }
            point[block.row_dim] = block.point[block.row_dim];
            point[block.plane_dim] += 1;
        }
    }
}
