//! Channel by channel: `sums[i][c] = Σ_t source[i · step + t.source + c] · weight[t][c]`, and the gradient of the weight.

// Indexed loops of constant length over arrays become registers; iterators over them not always.
#![allow(clippy::needless_range_loop)]

use super::{Element, Vector, per_vector};
use crate::isa::Isa;
use crate::tile::PANEL;

/// One tap of a window.
#[derive(Clone, Copy, Debug)]
pub(in crate::tile) struct Tap {
    /// Where the source of the first position lies.
    pub source: isize,
    /// Where its weights lie in a panel.
    pub weight: usize,
}

/// Positions with the same taps.
pub(in crate::tile) struct Rows<'a, E> {
    /// The first channel.
    pub source: *const E,
    /// From the source of one position to that of the next.
    pub step: isize,
    /// Positions.
    pub count: usize,
    pub taps: &'a [Tap],
    /// The panel of the first channel, which it begins.
    pub weight: *const E,
    /// Numbers of a panel.
    pub panel: usize,
    /// Channels; no more are read of the source.
    pub channels: usize,
    /// Rounded up to vectors.
    pub sums: *mut E,
    /// Numbers from one position to the next.
    pub pitch: usize,
}

impl<E: Element> Rows<'_, E> {
    /// Computes them.
    ///
    /// # Safety
    ///
    /// All addresses named above must be valid, and the instruction set must be there.
    pub unsafe fn run(&self, isa: Isa) {
        // SAFETY: the caller's promise.
        unsafe { rows(isa, self) }
    }
}

per_vector! {
    fn rows(p: Rows) = rows_of;
}

#[inline(always)]
unsafe fn rows_of<V: Vector>(p: &Rows<'_, V::Element>) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut c = 0;
        while c + 2 * V::LANES <= p.channels {
            groups::<V, 2>(p, c, 2 * V::LANES);
            c += 2 * V::LANES;
        }
        while c < p.channels {
            groups::<V, 1>(p, c, (p.channels - c).min(V::LANES));
            c += V::LANES;
        }
    }
}

/// All positions, `NV` vectors of channels from `c` on, of which `lanes` exist.
#[inline(always)]
unsafe fn groups<V: Vector, const NV: usize>(p: &Rows<'_, V::Element>, c: usize, lanes: usize) {
    // SAFETY: the caller's promise; the last positions are done again rather than apart.
    unsafe {
        let mut i = 0;
        while i + 4 <= p.count {
            sum::<V, NV, 4>(p, i, c, lanes);
            i += 4;
        }
        match p.count - i {
            0 => {}
            _ if p.count > 4 => sum::<V, NV, 4>(p, p.count - 4, c, lanes),
            1 => sum::<V, NV, 1>(p, i, c, lanes),
            2 => sum::<V, NV, 2>(p, i, c, lanes),
            _ => sum::<V, NV, 3>(p, i, c, lanes),
        }
    }
}

#[inline(always)]
unsafe fn sum<V: Vector, const NV: usize, const MR: usize>(p: &Rows<'_, V::Element>, i: usize, c: usize, lanes: usize) {
    // SAFETY: the caller's promise; of the source no more than `lanes` are read.
    unsafe {
        let source = p.source.offset(i as isize * p.step).add(c);
        let weight = p.weight.add(c / PANEL * p.panel + c % PANEL);
        let mut sums = [[V::zero(); NV]; MR];
        for tap in p.taps {
            let (from, weight) = (source.offset(tap.source), weight.add(tap.weight));
            let mut right = [V::zero(); NV];
            for v in 0..NV {
                right[v] = V::load(weight.add(v * V::LANES));
            }
            for m in 0..MR {
                let from = from.offset(m as isize * p.step);
                for v in 0..NV {
                    let left = if lanes < V::LANES {
                        V::load_some(from, V::mask(lanes))
                    } else {
                        V::load(from.add(v * V::LANES))
                    };
                    sums[m][v] = V::add_product(left, right[v], sums[m][v]);
                }
            }
        }
        for m in 0..MR {
            for v in 0..NV {
                V::store(sums[m][v], p.sums.add((i + m) * p.pitch + c + v * V::LANES));
            }
        }
    }
}

/// Positions of one line with some taps: for each tap, `sums[t][c] += Σ_i source[i · step + taps[t] + c] · dy[i · dy_step + c]`.
pub(in crate::tile) struct Products<'a, E> {
    /// Of the first position.
    pub source: *const E,
    pub step: isize,
    pub dy: *const E,
    pub dy_step: isize,
    /// Positions.
    pub count: usize,
    /// Where the source of a tap lies, and which row of the sums is its.
    pub taps: &'a [(isize, usize)],
    /// At most 32; no more are read.
    pub channels: usize,
    /// Rows of 32.
    pub sums: *mut E,
}

impl<E: Element> Products<'_, E> {
    /// Adds them.
    ///
    /// # Safety
    ///
    /// All addresses named above must be valid, and the instruction set must be there.
    pub unsafe fn run(&self, isa: Isa) {
        // SAFETY: the caller's promise.
        unsafe { products(isa, self) }
    }
}

per_vector! {
    fn products(p: Products) = products_of;
}

#[inline(always)]
unsafe fn products_of<V: Vector>(p: &Products<'_, V::Element>) {
    // SAFETY: the caller's promise.
    unsafe {
        for c in (0..p.channels).step_by(V::LANES) {
            let lanes = (p.channels - c).min(V::LANES);
            let mut t = 0;
            while t + 3 <= p.taps.len() {
                correlate::<V, 3, 4>(p, t, c, lanes);
                t += 3;
            }
            while t < p.taps.len() {
                correlate::<V, 1, 8>(p, t, c, lanes);
                t += 1;
            }
        }
    }
}

/// `NT` taps at once, the sums of every `U`-th position apart, so that none waits for the one before.
#[inline(always)]
unsafe fn correlate<V: Vector, const NT: usize, const U: usize>(
    p: &Products<'_, V::Element>,
    t: usize,
    c: usize,
    lanes: usize,
) {
    let load = |from: *const V::Element| {
        // SAFETY: the caller's promise; no more than `lanes` are read.
        unsafe { if lanes < V::LANES { V::load_some(from, V::mask(lanes)) } else { V::load(from) } }
    };
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[V::zero(); NT]; U];
        let mut i = 0;
        while i + U <= p.count {
            for u in 0..U {
                let at = (i + u) as isize;
                let dy = load(p.dy.offset(at * p.dy_step).add(c));
                let source = p.source.offset(at * p.step).add(c);
                for n in 0..NT {
                    sums[u][n] = V::add_product(load(source.offset(p.taps[t + n].0)), dy, sums[u][n]);
                }
            }
            i += U;
        }
        while i < p.count {
            let dy = load(p.dy.offset(i as isize * p.dy_step).add(c));
            let source = p.source.offset(i as isize * p.step).add(c);
            for n in 0..NT {
                sums[0][n] = V::add_product(load(source.offset(p.taps[t + n].0)), dy, sums[0][n]);
            }
            i += 1;
        }
        for n in 0..NT {
            let to = p.sums.add(p.taps[t + n].1 * PANEL + c);
            let mut total = V::load(to);
            for u in 0..U {
                total = V::add(total, sums[u][n]);
            }
            V::store(total, to);
        }
    }
}
