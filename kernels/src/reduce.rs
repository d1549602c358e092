//! Reductions of blocks, in an order that depends on the sizes only.

use castnet_program::scalar::{Binary, Lane, Literal, Reduction};

use crate::isa::{Isa, per_isa};
use crate::math::{Number, Scalar, if_taken, plain};

/// Functions of one lane, for every instruction set: small ones, that spill nothing.
macro_rules! reductions {
    ($($lane:ident $type:ident $rows:ident $cols:ident)*) => {
        $(per_isa! {
            /// Of this lane.
            fn $rows(op: Reduction, block: *const $type, rows: usize, cols: usize, totals: *mut $type) = along_rows_as::<$type>;
            /// Of this lane.
            fn $cols(op: Reduction, block: *const $type, rows: usize, cols: usize, totals: *mut $type) = along_cols_as::<$type>;
        })*

        /// Reduces each row of a contiguous block of `rows` x `cols` and combines it with `totals[row]`.
        ///
        /// # Safety
        /// The machine has `isa`; block and totals are there.
        #[inline]
        pub(crate) unsafe fn along_rows(
            isa: Isa,
            op: Reduction,
            lane: Lane,
            block: *const u8,
            rows: usize,
            cols: usize,
            totals: *mut u8,
        ) {
            // SAFETY: the caller's promise.
            unsafe {
                match lane {
                    $(Lane::$lane => $rows(isa, op, block.cast(), rows, cols, totals.cast()),)*
                }
            }
        }

        /// Combines the rows of a contiguous block, one after the other, with `totals[col]`.
        ///
        /// # Safety
        /// As [`along_rows`].
        #[inline]
        pub(crate) unsafe fn along_cols(
            isa: Isa,
            op: Reduction,
            lane: Lane,
            block: *const u8,
            rows: usize,
            cols: usize,
            totals: *mut u8,
        ) {
            // SAFETY: the caller's promise.
            unsafe {
                match lane {
                    $(Lane::$lane => $cols(isa, op, block.cast(), rows, cols, totals.cast()),)*
                }
            }
        }
    };
}
reductions! {
    F32 f32 rows_f32 cols_f32
    F64 f64 rows_f64 cols_f64
    I32 i32 rows_i32 cols_i32
    I64 i64 rows_i64 cols_i64
    Bool bool rows_bool cols_bool
}

per_isa! {
    /// Adds `n` sums of floats to totals, of which `rests` is what rounding has taken off; the sums begin at 0 again.
    pub(crate) fn carry(lane: Lane, sums: *mut u8, totals: *mut u8, rests: *mut u8, n: usize) = carry_lane;
    /// Sets `n` sums of floats to totals and rests.
    pub(crate) fn settle(lane: Lane, sums: *mut u8, totals: *const u8, rests: *const u8, n: usize) = settle_lane;
}

/// What is reduced.
trait Reduce: Scalar {
    /// Whether short strips have code of their own: of what is reduced often.
    const STRIPS: bool;
    /// Of a number of its lane.
    fn of(literal: Literal) -> Self;
    /// By a function of two that its lane takes, and whose result has that lane.
    fn fold(f: Binary, a: Self, b: Self) -> Self;
}

/// The kernel's function of two scalars, if it has the result of a fold.
macro_rules! folded {
    (Comparisons $name:ident $a:ident $b:ident) => {
        unreachable!("a fold by a comparison")
    };
    ($domain:ident $name:ident $a:ident $b:ident) => {
        plain::$name($a, $b)
    };
}

/// The table of functions of two scalars of a lane. None is contracted, so that a fold has the same bits on every machine.
macro_rules! folds {
    (
        $kind:ident $type:ident;
        $($(#[$doc:meta])* $f:ident $name:ident $domain:ident $cost:literal $cuda:literal $meaning:tt;)*
    ) => {
        #[inline(always)]
        fn fold(f: Binary, a: $type, b: $type) -> $type {
            match f {
                $(Binary::$f => if_taken! {
                    $kind $domain { folded!($domain $name a b) } { unreachable!("a fold that the lane has not") }
                },)*
            }
        }
    };
}

macro_rules! reduced {
    ($($lane:ident $kind:ident $type:ident $strips:literal;)*) => {$(
        impl Reduce for $type {
            const STRIPS: bool = $strips;
            #[inline(always)]
            fn of(literal: Literal) -> $type {
                match literal {
                    Literal::$lane(x) => x,
                    other => unreachable!("{other:?} of another lane"),
                }
            }
            castnet_program::with_binaries!(folds($kind $type;));
        }
    )*};
}
reduced! {
    F32 float f32 true;
    F64 float f64 false;
    I32 int i32 false;
    I64 int i64 false;
    Bool bool bool false;
}

/// Calls what exists once for each reduction of `T`, with the fold and what it begins with.
macro_rules! of_reduction {
    (
        $op:ident $fold:ident $first:ident $call:expr;
        $($(#[$doc:meta])* $f:ident $name:ident $folds:tt $begins:ident $whole:ident;)*
    ) => {
        match $op {
            $(Reduction::$f => {
                let $fold = |a: T, b: T| match const { Reduction::$f.fold(T::LANE) } {
                    Some(f) => T::fold(f, a, b),
                    None => unreachable!("a reduction that the lane has not"),
                };
                let $first = T::of(const { Reduction::$f.identity(T::LANE) });
                $call
            })*
        }
    };
}

/// Calls a function of the type of a lane.
macro_rules! by_lane {
    ($lane:expr, $function:ident($($argument:expr),*)) => {
        match $lane {
            Lane::F32 => $function::<f32>($($argument),*),
            Lane::F64 => $function::<f64>($($argument),*),
            Lane::I32 => $function::<i32>($($argument),*),
            Lane::I64 => $function::<i64>($($argument),*),
            Lane::Bool => $function::<bool>($($argument),*),
        }
    };
}

/// Sets `n` values to what combined with x gives x.
///
/// # Safety
/// They are there.
pub(crate) unsafe fn fill_identity(op: Reduction, lane: Lane, to: *mut u8, n: usize) {
    unsafe fn fill<T: Reduce>(op: Reduction, to: *mut u8, n: usize) {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(to.cast::<T>(), n).fill(T::of(op.identity(T::LANE))) };
    }
    // SAFETY: the caller's promise.
    unsafe { by_lane!(lane, fill(op, to, n)) }
}

#[inline(always)]
unsafe fn carry_lane(lane: Lane, sums: *mut u8, totals: *mut u8, rests: *mut u8, n: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match lane {
            Lane::F32 => carry_body::<f32>(sums.cast(), totals.cast(), rests.cast(), n),
            Lane::F64 => carry_body::<f64>(sums.cast(), totals.cast(), rests.cast(), n),
            Lane::I32 | Lane::I64 | Lane::Bool => unreachable!("integers have no rests"),
        }
    }
}

#[inline(always)]
unsafe fn settle_lane(lane: Lane, sums: *mut u8, totals: *const u8, rests: *const u8, n: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match lane {
            Lane::F32 => settle_body::<f32>(sums.cast(), totals.cast(), rests.cast(), n),
            Lane::F64 => settle_body::<f64>(sums.cast(), totals.cast(), rests.cast(), n),
            Lane::I32 | Lane::I64 | Lane::Bool => unreachable!("integers have no rests"),
        }
    }
}

/// Knuth's sum of two numbers and what is lost in it (*The Art of Computer Programming*, 4.2.2, theorem B).
#[inline(always)]
unsafe fn carry_body<T: Number>(sums: *mut T, totals: *mut T, rests: *mut T, n: usize) {
    for i in 0..n {
        // SAFETY: the caller's promise: three runs that are apart.
        unsafe {
            let (sum, total) = (*sums.add(i), *totals.add(i));
            let both = total.plus(sum);
            let taken = both.minus(total);
            let lost = total.minus(both.minus(taken)).plus(sum.minus(taken));
            *rests.add(i) = (*rests.add(i)).plus(lost);
            *totals.add(i) = both;
            *sums.add(i) = T::default();
        }
    }
}

#[inline(always)]
unsafe fn settle_body<T: Number>(sums: *mut T, totals: *const T, rests: *const T, n: usize) {
    for i in 0..n {
        // SAFETY: as above.
        unsafe {
            let (total, rest) = (*totals.add(i), *rests.add(i));
            // Beside an infinity, which less itself is NaN, the rest is NaN.
            *sums.add(i) = if total.minus(total) == T::default() { total.plus(rest) } else { total };
        }
    }
}

#[inline(always)]
unsafe fn along_rows_as<T: Reduce>(op: Reduction, block: *const T, rows: usize, cols: usize, totals: *mut T) {
    // SAFETY: the caller's promise.
    unsafe {
        castnet_program::with_reductions!(of_reduction(op fold first rows_by(fold, first, block, rows, cols, totals);))
    }
}

#[inline(always)]
unsafe fn rows_by<T: Reduce>(
    op: impl Fn(T, T) -> T,
    identity: T,
    block: *const T,
    rows: usize,
    cols: usize,
    totals: *mut T,
) {
    for r in 0..rows {
        // SAFETY: the caller's promise.
        unsafe {
            let row = block.add(r * cols);
            let sum = match cols {
                128.. if T::STRIPS => lanes::<T, 64>(&op, row, cols),
                16.. => lanes::<T, 16>(&op, row, cols),
                _ => (0..cols).fold(identity, |sum, c| op(sum, *row.add(c))),
            };
            *totals.add(r) = op(*totals.add(r), sum);
        }
    }
}

/// Lane by lane, then a tree. At least `N` columns.
#[inline(always)]
unsafe fn lanes<T: Reduce, const N: usize>(op: &impl Fn(T, T) -> T, row: *const T, cols: usize) -> T {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = row.cast::<[T; N]>().read_unaligned();
        let mut at = N;
        while at + N <= cols {
            let next = row.add(at).cast::<[T; N]>().read_unaligned();
            for lane in 0..N {
                sums[lane] = op(sums[lane], next[lane]);
            }
            at += N;
        }
        for (lane, sum) in sums[..cols - at].iter_mut().enumerate() {
            *sum = op(*sum, *row.add(at + lane));
        }
        let mut width = N / 2;
        while width > 0 {
            for lane in 0..width {
                sums[lane] = op(sums[lane], sums[lane + width]);
            }
            width /= 2;
        }
        sums[0]
    }
}

#[inline(always)]
unsafe fn along_cols_as<T: Reduce>(op: Reduction, block: *const T, rows: usize, cols: usize, totals: *mut T) {
    // SAFETY: the caller's promise.
    unsafe { castnet_program::with_reductions!(of_reduction(op fold _first cols_by(fold, block, rows, cols, totals);)) }
}

#[inline(always)]
unsafe fn cols_by<T: Reduce>(op: impl Fn(T, T) -> T, block: *const T, rows: usize, cols: usize, totals: *mut T) {
    let mut at = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while T::STRIPS && at + 64 <= cols {
            strip::<T, 64>(&op, block.add(at), rows, cols, totals.add(at));
            at += 64;
        }
        while at + 16 <= cols {
            strip::<T, 16>(&op, block.add(at), rows, cols, totals.add(at));
            at += 16;
        }
        while T::STRIPS && at + 4 <= cols {
            strip::<T, 4>(&op, block.add(at), rows, cols, totals.add(at));
            at += 4;
        }
        while at < cols {
            strip::<T, 1>(&op, block.add(at), rows, cols, totals.add(at));
            at += 1;
        }
    }
}

/// Rows of a block that are added before their sum joins the total: of many, what is added to what does not grow with all.
const GROUP: usize = 16;

/// `N` columns, whose totals stay in registers.
#[inline(always)]
unsafe fn strip<T: Reduce, const N: usize>(
    op: &impl Fn(T, T) -> T,
    block: *const T,
    rows: usize,
    pitch: usize,
    totals: *mut T,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = totals.cast::<[T; N]>().read_unaligned();
        let mut r = 0;
        while r < rows {
            let end = rows.min(r + GROUP);
            let mut group = block.add(r * pitch).cast::<[T; N]>().read_unaligned();
            for r in r + 1..end {
                let next = block.add(r * pitch).cast::<[T; N]>().read_unaligned();
                for lane in 0..N {
                    group[lane] = op(group[lane], next[lane]);
                }
            }
            for lane in 0..N {
                sums[lane] = op(sums[lane], group[lane]);
            }
            r = end;
        }
        totals.cast::<[T; N]>().write_unaligned(sums);
    }
}
