//! Rows by vectors of sums: one loop, compiled for as many rows and vectors as each instruction set has registers for.

use super::{Product, Rows, Vector};

/// The kernels of an instruction set, up to so many rows by 2 vectors, of numbers or of pairs. `table`: rows of the right operand may lie
/// anywhere. `whole`: whole vectors have kernels of their own; elsewhere the last one is always read through a mask, as that costs nothing.
macro_rules! kernels {
    (
        $(#[$feature:meta])* $name:ident, pairs: $pairs:literal, $most:literal rows: $($n:literal)*;
        $(table $table:ident)? $(whole $whole:ident)?
    ) => {
        pub(in crate::tile) mod $name {
            use super::*;

            /// # Safety
            ///
            /// As [`Product::run`].
            $(#[$feature])*
            pub(in crate::tile) unsafe fn run<V: Vector>(p: &Product<'_, V::Element>) {
                for col in (0..p.cols).step_by(2 * V::LANES) {
                    let cols = (p.cols - col).min(2 * V::LANES);
                    // Vectors, of which the last one has so many lanes.
                    let (two, last) = (cols > V::LANES, if cols > V::LANES { cols - V::LANES } else { cols });
                    groups(p.rows.len(), $most, |first, n| {
                        // SAFETY: the caller's promise.
                        unsafe {
                            match (two, p.b_rows) {
                                $(
                                    (true, Rows::Even(_)) if last == V::LANES => $whole::<V, 2, false, false>(p, first, n, col, last),
                                    (true, Rows::Table(_)) if last == V::LANES => $whole::<V, 2, false, true>(p, first, n, col, last),
                                )?
                                (true, Rows::Even(_)) => rows::<V, 2, true, false>(p, first, n, col, last),
                                (false, Rows::Even(_)) => rows::<V, 1, true, false>(p, first, n, col, last),
                                $(
                                    (true, Rows::Table(_)) => $table::<V, 2, true, true>(p, first, n, col, last),
                                    (false, Rows::Table(_)) => $table::<V, 1, true, true>(p, first, n, col, last),
                                )?
                                #[allow(unreachable_patterns)]
                                (_, Rows::Table(_)) => unreachable!("pairs lie in even rows"),
                            }
                        }
                    });
                }
            }

            #[inline]
            $(#[$feature])*
            unsafe fn rows<V: Vector, const NV: usize, const MASK: bool, const TABLE: bool>(
                p: &Product<'_, V::Element>,
                first: usize,
                n: usize,
                col: usize,
                last: usize,
            ) {
                // SAFETY: as above; `n` rows from `first` on exist.
                unsafe {
                    match n {
                        $($n => kernel::<V, $n, NV, MASK, TABLE>(p, first, col, last),)*
                        _ => kernel::<V, $most, NV, MASK, TABLE>(p, first, col, last),
                    }
                }
            }

            $(#[$feature])*
            unsafe fn kernel<V: Vector, const MR: usize, const NV: usize, const MASK: bool, const TABLE: bool>(
                p: &Product<'_, V::Element>,
                first: usize,
                col: usize,
                last: usize,
            ) {
                // SAFETY: as above.
                unsafe { sums::<V, MR, NV, MASK, TABLE, $pairs>(p, first, col, last) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
kernels! {
    #[target_feature(enable = "avx512f")]
    avx512, pairs: false, 8 rows: 1 2 3 4 5 6 7; table rows
}
#[cfg(target_arch = "x86_64")]
kernels! {
    #[target_feature(enable = "avx512f,avx512bf16")]
    avx512_bf16, pairs: true, 8 rows: 1 2 3 4 5 6 7;
}
#[cfg(target_arch = "x86_64")]
kernels! {
    #[target_feature(enable = "avx2,fma")]
    avx2, pairs: false, 6 rows: 1 2 3 4 5; table rows whole rows
}
kernels! {
    portable, pairs: false, 4 rows: 1 2 3; table rows whole rows
}

/// Calls `f(first, n)` for the rows `0..rows` in groups of nearly the same size, at most `most`: no group is left with a single row, which
/// would wait for every addition.
#[inline(always)]
fn groups(rows: usize, most: usize, mut f: impl FnMut(usize, usize)) {
    let count = rows.div_ceil(most);
    let (small, larger) = (rows / count, rows % count);
    let mut first = 0;
    for i in 0..count {
        let n = small + usize::from(i < larger);
        f(first, n);
        first += n;
    }
}

/// The sums of `MR` rows from `first` on by `NV` vectors from `col` on, of the last of which `last` lanes are read, if `MASK`.
#[inline(always)]
unsafe fn sums<V: Vector, const MR: usize, const NV: usize, const MASK: bool, const TABLE: bool, const PAIRS: bool>(
    p: &Product<'_, V::Element>,
    first: usize,
    col: usize,
    last: usize,
) {
    // SAFETY: the caller promises every address; masked lanes are not read.
    unsafe {
        let mask = V::mask(last);
        let out = p.acc.add(first * p.pitch + col);
        let rows: [*const V::Element; MR] = std::array::from_fn(|i| p.a.offset(*p.rows.get_unchecked(first + i)));
        let mut acc = [[V::zero(); NV]; MR];
        let (start, ldb, table) = right::<V::Element, TABLE>(p, col);
        let mut b = start;
        for (k, &step) in p.steps.iter().enumerate() {
            if TABLE {
                b = start.offset(*table.add(k));
            }
            let mut right = [V::zero(); NV];
            for v in 0..NV {
                let at = b.add(v * V::LANES);
                right[v] = if MASK && v + 1 == NV { V::load_some(at, mask) } else { V::load(at) };
            }
            for i in 0..MR {
                let at = rows[i].offset(step);
                // Pairs may begin at any bf16.
                let left = V::splat(if PAIRS { at.read_unaligned() } else { *at });
                for v in 0..NV {
                    acc[i][v] = match PAIRS {
                        true => V::add_pairs(left, right[v], acc[i][v]),
                        false => V::add_product(left, right[v], acc[i][v]),
                    };
                }
            }
            if !TABLE {
                b = b.wrapping_add(ldb);
            }
        }
        if p.add {
            for i in 0..MR {
                for v in 0..NV {
                    acc[i][v] = V::add(V::load(out.add(i * p.pitch + v * V::LANES)), acc[i][v]);
                }
            }
        }
        for i in 0..MR {
            for v in 0..NV {
                V::store(acc[i][v], out.add(i * p.pitch + v * V::LANES));
            }
        }
    }
}

/// The right operand from a column on, the distance of its rows, and their table if it is `TABLE` that counts.
#[inline(always)]
unsafe fn right<E, const TABLE: bool>(p: &Product<'_, E>, col: usize) -> (*const E, usize, *const isize) {
    // SAFETY: the caller's promise: the column exists.
    let start = unsafe { p.b.add(col) };
    match p.b_rows {
        Rows::Even(ldb) => (start, ldb, std::ptr::null()),
        Rows::Table(table) => {
            assert!(table.len() >= p.steps.len());
            (start, 0, table.as_ptr())
        }
    }
}
