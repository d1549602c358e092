//! The memory plan: where each activation lies.
//!
//! A buffer lives from the launch that writes it to the last launch that reads it. Places are polynomials in the run-time sizes, as lengths are,
//! and two buffers that live at one time are apart for all sizes (which are at least 1), so the plan holds for every value of them. Best fit, in
//! the best of a few orders (cf. Pisarchyk & Lee, *Efficient Memory Management for Deep Neural Net Inference*, 2020); where that misses what
//! is alive at once, a bounded local search moves buffers forward (`place`). Before that, `rows` and `gaps` let buffers lie where a loop needs
//! its own no more.

mod gaps;
mod place;
mod polynomial;
mod rows;

use crate::fuse::Kernels;
use crate::program::Place;
use crate::program::lives::{extend, lives, loops};
use crate::size::{Size, gcd};
use place::{Piece, alive, place};
use polynomial::{Basis, Polynomial};

/// Offsets and coefficients are multiples of this many floats where that costs little, so that every buffer starts on a cache line.
const ALIGN: i64 = 16;

/// A finished plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Floats of the arena: the greatest of these.
    pub arena: Vec<Size>,
    /// Floats that are alive at one time: the greatest of these.
    pub bound: Vec<Size>,
}

/// One piece of memory: a buffer, or several that take each other's place.
#[derive(Clone, Debug)]
struct Block {
    buffers: Vec<usize>,
    class: usize,
    floats: i64,
    first: usize,
    last: usize,
    /// When others lie in its place, in the rounds of a loop.
    taken: Vec<(usize, usize)>,
}

/// Places every arena buffer.
pub fn plan(kernels: &mut Kernels) -> Plan {
    let mut lives = lives(&kernels.launches, &kernels.schedule, kernels.buffers.len());
    rows::reuse(kernels, &lives);
    let loops = loops(&kernels.schedule);
    for row in 0..lives.len() {
        // Rows keep the whole alive.
        let Some(whole) = kernels.rows_of[row] else { continue };
        let Some((first, last)) = lives[row].take() else { continue };
        let (a, b) = lives[whole].unwrap_or((first, last));
        lives[whole] = Some((a.min(first), b.max(last)));
        extend(&mut lives[whole], &loops);
    }
    let mut classes: Vec<Size> = vec![];
    let mut blocks: Vec<Block> = vec![];
    for (id, buffer) in kernels.buffers.iter().enumerate() {
        let (Place::Arena(_), Some((first, last))) = (&buffer.place, lives[id]) else { continue };
        // A size of several terms is a class of its own.
        let (monomial, coefficient) = match buffer.size.as_term() {
            Some((m, c)) => (Size::term(m.clone(), 1), c),
            None => (buffer.size.clone(), 1),
        };
        let class = classes.iter().position(|c| *c == monomial).unwrap_or_else(|| {
            classes.push(monomial);
            classes.len() - 1
        });
        blocks.push(Block { buffers: vec![id], class, floats: coefficient, first, last, taken: vec![] });
    }
    align(&classes, &mut blocks);
    join_in_place(kernels, &mut blocks);
    let sizes: Vec<Size> = kernels.buffers.iter().map(|b| b.size.clone()).collect();
    gaps::fill(&kernels.launches, &kernels.schedule, &sizes, &mut blocks);
    let lengths: Vec<Size> = blocks.iter().map(|b| &classes[b.class] * &b.floats.into()).collect();
    let basis = Basis::new(lengths.iter());
    let polynomials = basis.polynomials(&lengths).into_iter();
    let piece =
        |(block, size): (&Block, Polynomial)| Piece { class: block.class, size, first: block.first, last: block.last };
    let pieces: Vec<Piece> = blocks.iter().zip(polynomials).map(piece).collect();
    let bound = alive(&basis, &pieces);
    let placement = place(&basis, &pieces, &bound);
    for (block, offset) in blocks.iter().zip(&placement.offsets) {
        for &buffer in &block.buffers {
            kernels.buffers[buffer].place = Place::Arena(basis.size(offset));
        }
    }
    for row in 0..kernels.buffers.len() {
        if let Some(whole) = kernels.rows_of[row] {
            kernels.buffers[row].place = kernels.buffers[whole].place.clone();
        }
    }
    let sizes = |all: &[Polynomial]| all.iter().map(|p| basis.size(p)).collect();
    Plan { arena: sizes(&placement.ends), bound: sizes(&bound) }
}

/// Rounds the floats of all blocks up: to whole cache lines, but in a class of run-time size that would grow by more than a fiftieth, only to
/// what all its blocks have in common.
fn align(classes: &[Size], blocks: &mut [Block]) {
    let rounded = |floats: i64, to: i64| (floats + to - 1) / to * to;
    for (class, monomial) in classes.iter().enumerate() {
        let members = || blocks.iter().filter(|b| b.class == class).map(|b| b.floats);
        let (plain, lines) = (members().sum::<i64>(), members().map(|floats| rounded(floats, ALIGN)).sum::<i64>());
        let dear = monomial.as_const().is_none() && lines * 50 > plain * 51;
        let to = if dear { members().fold(ALIGN, gcd) } else { ALIGN };
        blocks.iter_mut().filter(|b| b.class == class).for_each(|b| b.floats = rounded(b.floats, to));
    }
}

/// Joins a buffer that dies in a launch with one that the launch writes at the very same places.
fn join_in_place(kernels: &Kernels, blocks: &mut Vec<Block>) {
    let mut block_of = vec![None; kernels.buffers.len()];
    for (number, block) in blocks.iter().enumerate() {
        block.buffers.iter().for_each(|&buffer| block_of[buffer] = Some(number));
    }
    for (step, launch) in kernels.launches.iter().enumerate() {
        for (from, to) in launch.in_place() {
            let (Some(a), Some(b)) = (block_of[from], block_of[to]) else { continue };
            let (old, new) = (&blocks[a], &blocks[b]);
            if a == b || old.last != step || new.first != step || (old.class, old.floats) != (new.class, new.floats) {
                continue;
            }
            let (last, buffers) = (new.last, std::mem::take(&mut blocks[b].buffers));
            buffers.iter().for_each(|&buffer| block_of[buffer] = Some(a));
            blocks[a].last = last;
            blocks[a].buffers.extend(buffers);
        }
    }
    blocks.retain(|block| !block.buffers.is_empty());
}
