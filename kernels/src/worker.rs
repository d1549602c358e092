//! Runs a stage over a block: inputs become contiguous runs, the function is called, outputs go where they belong.

use crate::access::Block;
use crate::interpreter::Interpreter;
use crate::isa::Isa;
use crate::kernel::Run;
use crate::stage::{Function, Output, Stage};
use crate::transfer::{self, SLACK};

/// The most dims of a loop nest.
pub(crate) const MAX_DIMS: usize = 16;

/// How the scratch of a thread is divided, in bytes. All parts start on a cache line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Layout {
    /// Bytes of the widest lane.
    width: usize,
    /// The most elements of a block.
    block: usize,
    kept: usize,
    inputs: usize,
    outputs: usize,
    slots: usize,
    /// The most points of the space in a unit.
    points: usize,
    pointers: usize,
    values: usize,
    registers: usize,
    buffers: usize,
    bytes: usize,
}

/// What a kept input holds.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Key {
    pub offset: i64,
    pub planes: u32,
    pub rows: u32,
    pub cols: u32,
}

impl Key {
    /// Whether all of what is wanted is there.
    pub(crate) fn holds(&self, wanted: &Key) -> bool {
        let rows = self.rows == wanted.rows && self.planes >= wanted.planes;
        let first_plane = wanted.planes == 1 && self.rows >= wanted.rows;
        self.offset == wanted.offset && self.cols == wanted.cols && (rows || first_plane)
    }
}

impl Layout {
    /// For blocks of at most `block` elements.
    pub(crate) fn new(stages: &[Stage], kept: usize, block: usize, points: usize) -> Layout {
        let most = |f: fn(&Stage) -> usize| stages.iter().map(f).max().unwrap_or(0);
        let inputs = most(|s| s.inputs.len());
        let outputs = most(|s| s.outputs.len());
        let slots = most(Stage::slots);
        let registers = most(|s| match &s.function {
            Function::Interpreted(code) => Interpreter::scratch_bytes(code),
            Function::Emitted(_) | Function::Same(_) => 0,
        });
        let width = most(|s| s.width).max(4);
        let mut layout =
            Layout { width, block, kept, inputs, outputs, slots, points: points + SLACK, ..Layout::default() };
        let mut take = |bytes: usize| {
            let at = layout.bytes;
            layout.bytes += bytes.next_multiple_of(64);
            at
        };
        // The keys come first.
        take(kept * size_of::<Key>());
        layout.pointers = take((inputs + outputs) * size_of::<*const u8>());
        layout.values = take(slots * (points + SLACK) * width);
        layout.registers = take(registers);
        layout.buffers = take((kept + inputs + outputs + 1) * (block + SLACK).next_multiple_of(16) * width);
        layout
    }

    /// Bytes of scratch.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// How row values lie along a block: steps from row to row and from column to column.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Along {
    /// A value a row.
    Rows,
    /// A value a column.
    Cols,
}

/// One thread's way through a chunk.
#[derive(Clone, Copy)]
pub(crate) struct Worker<'a> {
    pub layout: &'a Layout,
    pub run: &'a Run<'a>,
    pub isa: Isa,
    /// At least [`Layout::bytes`] bytes on a cache line.
    pub scratch: *mut u8,
}

impl Worker<'_> {
    /// Forgets kept inputs: what lay in scratch is unknown.
    pub(crate) unsafe fn reset(&self) {
        let empty = Key { offset: i64::MIN, planes: 0, rows: 0, cols: 0 };
        for i in 0..self.layout.kept {
            // SAFETY: the layout has room for them.
            unsafe { self.scratch.cast::<Key>().add(i).write(empty) };
        }
    }

    /// The values of a row slot.
    pub(crate) unsafe fn values(&self, slot: usize) -> *mut u8 {
        debug_assert!(slot < self.layout.slots);
        // SAFETY: the layout has room for them.
        unsafe { self.scratch.add(self.layout.values + slot * self.layout.points * self.layout.width) }
    }

    /// Buffer number `number`; the kept ones come first.
    pub(crate) unsafe fn buffer(&self, number: usize) -> *mut u8 {
        // SAFETY: the layout has room for it.
        unsafe {
            let pitch = (self.layout.block + SLACK).next_multiple_of(16) * self.layout.width;
            self.scratch.add(self.layout.buffers + number * pitch)
        }
    }

    /// A buffer of a block's size that [`Worker::stage`] leaves alone.
    pub(crate) unsafe fn spare(&self) -> *mut u8 {
        // SAFETY: the layout has one buffer more than a stage needs.
        unsafe { self.buffer(self.layout.kept + self.layout.inputs + self.layout.outputs) }
    }

    /// Runs `stage` over `block`; `acc` are its sums, contiguous, if a tile made some.
    ///
    /// # Safety
    /// All accesses lie inside their buffers, which belong to this thread as far as it writes them.
    pub(crate) unsafe fn stage(&self, stage: &Stage, block: &Block<'_>, along: Along, acc: *const u8) {
        debug_assert!(block.len() <= self.layout.block);
        let n = block.len();
        if n == 0 {
            return;
        }
        let layout = self.layout;
        // SAFETY: the layout has room for all; the function is called with as many pointers as its code has inputs and outputs.
        unsafe {
            let inputs = self.scratch.add(layout.pointers).cast::<*const u8>();
            let outputs = inputs.add(layout.inputs).cast::<*mut u8>();
            for (i, input) in stage.inputs.iter().enumerate() {
                *inputs.add(i) = self.input(input, block, along, acc, self.buffer(layout.kept + i));
            }
            let result = |i: usize| self.buffer(layout.kept + layout.inputs + i);
            match &stage.function {
                Function::Same(from) => {
                    for (output, &from) in stage.outputs.iter().zip(from) {
                        let from = *inputs.add(from);
                        match output {
                            Output::Row(slot, lane) => transfer::copy_row(lane.bytes(), from, self.values(*slot), n),
                            Output::Store(_) | Output::Reduce(..) => self.output(output, block, along, from),
                        }
                    }
                    return;
                }
                function => {
                    for (i, output) in stage.outputs.iter().enumerate() {
                        *outputs.add(i) = match output {
                            Output::Store(access) => self.direct(access, block).unwrap_or(result(i)),
                            Output::Row(slot, _) => self.values(*slot),
                            Output::Reduce(..) => result(i),
                        };
                    }
                    match function {
                        Function::Emitted(function) => function(n, inputs, outputs),
                        Function::Interpreted(code) => code.run(n, inputs, outputs, self.scratch.add(layout.registers)),
                        Function::Same(_) => {}
                    }
                }
            }
            for (i, output) in stage.outputs.iter().enumerate() {
                let from = *outputs.add(i);
                if from == result(i) {
                    self.output(output, block, along, from);
                }
            }
        }
    }
}
