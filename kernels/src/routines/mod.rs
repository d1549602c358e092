//! Routines: whole rows, one after the other. Files have the names of `castnet_program::routine`; each has a function `row`, which makes the
//! rows of the results of a row of every operand, in safe code, and `fits`, which says of what types and lengths they must be.
//!
//! A chunk is a block of rows, so that results do not depend on threads.

mod element;
mod places;

use std::fmt;

use castnet_program::program::{Access, Launch};
use castnet_program::routine::Routine;
use castnet_program::types::DType;

use crate::kernel::Run;
use crate::math::{BF16, F16};
use element::{Element, Truth};

/// Elements of a chunk, if there are as many rows.
const CHUNK: usize = 4096;
/// Arrays of a routine at most: operands, results, memory to work in.
const ARRAYS: usize = 6;

/// Makes a row; whether the other way.
type Make = fn(&mut Row<'_>, bool);

/// The function of a module for an element type.
macro_rules! by_type {
    ($dtype:expr, $module:ident) => {
        match $dtype {
            DType::F32 => $module::row::<f32>,
            DType::F64 => $module::row::<f64>,
            DType::F16 => $module::row::<F16>,
            DType::BF16 => $module::row::<BF16>,
            DType::I8 => $module::row::<i8>,
            DType::U8 => $module::row::<u8>,
            DType::I16 => $module::row::<i16>,
            DType::I32 => $module::row::<i32>,
            DType::U32 => $module::row::<u32>,
            DType::I64 => $module::row::<i64>,
            DType::Bool => $module::row::<Truth>,
        }
    };
}

macro_rules! kernels {
    ($($module:ident $name:ident $operands:literal $results:literal,)*) => {
        $(mod $module;)*

        /// The function of a routine over elements of a type.
        fn kernel(routine: Routine, dtype: DType) -> Make {
            match routine {
                $(Routine::$name => by_type!(dtype, $module),)*
            }
        }

        /// Whether a routine takes rows like these: of operands, and of results with the memory behind them.
        pub(crate) fn fits(routine: Routine, reads: &[Kind], writes: &[Kind]) -> bool {
            match routine {
                $(Routine::$name => $module::fits(reads, writes),)*
            }
        }
    };
}

castnet_program::with_routines!(kernels);

/// What a row is of: type and length.
pub(crate) type Kind = (DType, usize);

/// A row of places in a row of this length.
fn places_in(length: usize) -> Kind {
    (DType::I64, length)
}

/// An array of the routine.
#[derive(Clone, Copy, Debug)]
struct Array {
    buffer: usize,
    dtype: DType,
    /// Elements of a row.
    len: usize,
}

/// A routine with all sizes known.
pub(crate) struct Rows {
    make: Make,
    reverse: bool,
    /// Operands, then results and memory to work in.
    arrays: Vec<Array>,
    /// How many of them are operands.
    reads: usize,
    /// How many rows there are, and how many of them are a chunk.
    count: usize,
    block: usize,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows of {:?}", self.count, self.arrays)
    }
}

impl Rows {
    /// Resolves a launch of a routine.
    pub(crate) fn new(
        routine: Routine,
        reverse: bool,
        launch: &Launch,
        dtypes: &[DType],
        value: &dyn Fn(&str) -> i64,
    ) -> Rows {
        let product = |sizes: &[castnet_program::size::Size]| sizes.iter().map(|s| s.eval(value) as usize).product();
        let count: usize = product(&launch.space);
        let array = |access: &Access| Array {
            buffer: access.buffer,
            dtype: dtypes[access.buffer],
            len: product(&access.dims).checked_div(count).unwrap_or(0),
        };
        let arrays: Vec<Array> = launch.loads.iter().chain(&launch.stores).map(array).collect();
        assert!(
            arrays.len() <= ARRAYS && !launch.loads.is_empty(),
            "{}: `check` lets no such arrays pass",
            launch.name
        );
        let longest = arrays.iter().map(|a| a.len).max().unwrap_or(0);
        Rows {
            make: kernel(routine, arrays[0].dtype),
            reverse,
            reads: launch.loads.len(),
            arrays,
            count,
            block: (CHUNK / longest.max(1)).max(1),
        }
    }

    pub(crate) fn chunks(&self) -> usize {
        self.count.div_ceil(self.block).max(1)
    }

    /// Runs a chunk.
    ///
    /// # Safety
    /// As [`Kernel::run`](crate::Kernel::run).
    pub(crate) unsafe fn run(&self, chunk: usize, run: &Run<'_>) {
        let first = chunk * self.block;
        for number in first..self.count.min(first + self.block) {
            let mut row = Row { arrays: &self.arrays, reads: self.reads, starts: [std::ptr::null_mut(); ARRAYS] };
            for (start, array) in row.starts.iter_mut().zip(&self.arrays) {
                // SAFETY: each array has `count` rows of `len` elements (the caller's promise), of which this is one.
                *start = unsafe { run.base(array.buffer).add(number * array.len * array.dtype.bytes()) };
            }
            (self.make)(&mut row, self.reverse);
        }
    }
}

/// A row of each array, each handed out as what it is.
struct Row<'a> {
    arrays: &'a [Array],
    reads: usize,
    /// Where each begins; null once it has been handed out to be written.
    starts: [*mut u8; ARRAYS],
}

impl<'a> Row<'a> {
    /// The row of operand `i`.
    fn read<T: Element>(&self, i: usize) -> &'a [T] {
        let array = self.arrays[..self.reads][i];
        assert_eq!(array.dtype, T::DTYPE, "an operand of another type");
        // SAFETY: `Rows::run` found the row there, aligned as its type needs; no result shares memory with an operand, as no launch of this
        // family is `in_place`. Elements have no bits that are none of theirs.
        unsafe { std::slice::from_raw_parts(self.starts[i].cast_const().cast(), array.len) }
    }

    /// The row of result `i`, or the memory behind them; each once.
    fn write<T: Element>(&mut self, i: usize) -> &'a mut [T] {
        let array = self.arrays[self.reads..][i];
        assert_eq!(array.dtype, T::DTYPE, "a result of another type");
        let start = std::mem::replace(&mut self.starts[self.reads + i], std::ptr::null_mut());
        assert!(!start.is_null(), "a result is handed out once");
        // SAFETY: as above; the row belongs to this chunk alone, and is handed out once.
        unsafe { std::slice::from_raw_parts_mut(start.cast(), array.len) }
    }
}
