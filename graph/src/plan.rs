//! The memory plan: where each activation lies.
//!
//! Lengths and places are bytes. A buffer lives from the launch that writes it to the last launch that reads it; where tasks run side by side, two
//! buffers may share a place if every user of one comes before every user of the other ([`Order`]). Places are polynomials in the run-time sizes, as
//! lengths are, and two buffers that live at one time are apart for all sizes (which are at least 1), so the plan holds for every value of them. Best
//! fit, in the best of a few orders (cf. Pisarchyk & Lee, *Efficient Memory Management for Deep Neural Net Inference*, 2020); where that misses what
//! is alive at once, a bounded local search moves buffers forward (`place`). Before that, `rows` and `gaps` let buffers lie where a loop needs
//! its own no more.

mod bound;
mod gaps;
mod life;
mod place;
mod polynomial;
mod rows;

use crate::fuse::Kernels;
use crate::program::Place;
use crate::program::lives::{extend, lives, loops};
use crate::program::order::Order;
use crate::size::Size;
use life::Life;
use place::{Piece, place};
use polynomial::{Basis, Polynomial};

/// A finished plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Bytes of the arena: the greatest of these.
    pub arena: Vec<Size>,
    /// Bytes that are alive at one time: the greatest of these.
    pub bound: Vec<Size>,
}

/// One piece of memory: a buffer, or several that take each other's place.
#[derive(Clone, Debug)]
struct Tenants {
    buffers: Vec<usize>,
    class: usize,
    bytes: i64,
    /// The width of its widest elements.
    align: i64,
    life: Life,
    /// When others lie in its place, in the rounds of a loop.
    taken: Vec<(usize, usize)>,
}

/// Places every arena buffer, at multiples of `align` bytes where that costs little. Without an order, launches run one after the other as they are numbered.
pub fn plan(kernels: &mut Kernels, align: i64, order: Option<&Order>) -> Plan {
    let mut lives = lives(&kernels.launches, &kernels.schedule, kernels.buffers.len());
    // For each buffer that lies in another one, that one.
    let mut lies_in: Vec<Option<usize>> = kernels.buffers.iter().map(|buffer| buffer.part_of).collect();
    rows::reuse(kernels, &mut lies_in, &lives, order);
    let loops = loops(&kernels.schedule);
    for row in 0..lives.len() {
        // Rows keep the whole alive.
        let Some(whole) = lies_in[row] else { continue };
        let Some((first, last)) = lives[row].take() else { continue };
        let (a, b) = lives[whole].unwrap_or((first, last));
        lives[whole] = Some((a.min(first), b.max(last)));
        extend(&mut lives[whole], &loops);
    }
    let users = order.map(|order| life::users(kernels, &lies_in, order));
    let mut classes: Vec<Size> = vec![];
    let mut blocks: Vec<Tenants> = vec![];
    for (id, buffer) in kernels.buffers.iter().enumerate() {
        let (Place::Arena(_), Some((first, last))) = (&buffer.place, lives[id]) else { continue };
        // A size of several terms is a class of its own. Classes are of elements, so that those of all widths meet in one.
        let (monomial, coefficient) = match buffer.size.as_term() {
            Some((m, c)) => (Size::term(m.clone(), 1), c),
            None => (buffer.size.clone(), 1),
        };
        let class = classes.iter().position(|c| *c == monomial).unwrap_or_else(|| {
            classes.push(monomial);
            classes.len() - 1
        });
        let align = buffer.dtype.bytes() as i64;
        let bytes = coefficient.saturating_mul(align);
        let life = Life { first, last, users: users.as_ref().map(|users| users[id].clone()) };
        blocks.push(Tenants { buffers: vec![id], class, bytes, align, life, taken: vec![] });
    }
    rounded(&classes, align, &mut blocks);
    join_in_place(kernels, order, &mut blocks);
    gaps::fill(&kernels.launches, &kernels.schedule, &kernels.buffers, &mut blocks);
    let lengths: Vec<Size> = blocks.iter().map(|b| &classes[b.class] * &b.bytes.into()).collect();
    // Where all lengths are multiples of the widest elements, places are so by themselves.
    let widest = blocks.iter().map(|b| b.align).max().unwrap_or(1);
    let even = lengths.iter().flat_map(Size::terms).all(|(_, c)| c % widest == 0);
    let basis = Basis::new(lengths.iter());
    let polynomials = basis.polynomials(&lengths).into_iter();
    let piece = |(block, size): (&Tenants, Polynomial)| {
        let align = if even { 1 } else { block.align };
        Piece { class: block.class, size, align, first: block.life.first, last: block.life.last }
    };
    let pieces: Vec<Piece> = blocks.iter().zip(polynomials).map(piece).collect();
    let lives: Vec<&Life> = blocks.iter().map(|block| &block.life).collect();
    let meets = life::meets(&lives, order);
    let bound = match order {
        None => bound::serial(&basis, &pieces),
        Some(_) => bound::antichains(&basis, &pieces, &meets),
    };
    let placement = place(&basis, &pieces, &meets, &bound);
    for (block, offset) in blocks.iter().zip(&placement.offsets) {
        for &buffer in &block.buffers {
            kernels.buffers[buffer].place = Place::Arena(basis.size(offset));
        }
    }
    for (row, whole) in lies_in.iter().enumerate() {
        if let Some(whole) = *whole {
            kernels.buffers[row].place = kernels.buffers[whole].place.clone();
        }
    }
    let sizes = |all: &[Polynomial]| all.iter().map(|p| basis.size(p)).collect();
    Plan { arena: sizes(&placement.ends), bound: sizes(&bound) }
}

/// Rounds the bytes of all blocks up to multiples of `align`, but in a class of run-time size that would grow by more than a fiftieth. There places
/// alone are rounded up, to the width of what lies there, each coefficient for itself: a mask of `N` bytes takes `N`, and floats right behind it
/// begin at `4*N`.
fn rounded(classes: &[Size], align: i64, blocks: &mut [Tenants]) {
    let lines = |bytes: i64| bytes.saturating_add(align - 1) / align * align;
    for (class, monomial) in classes.iter().enumerate() {
        let members = || blocks.iter().filter(|b| b.class == class).map(|b| b.bytes);
        let (plain, rounded) = (members().sum::<i64>(), members().map(lines).sum::<i64>());
        if monomial.as_const().is_some() || rounded * 50 <= plain * 51 {
            blocks.iter_mut().filter(|b| b.class == class).for_each(|b| b.bytes = lines(b.bytes));
        }
    }
}

/// Joins a buffer that dies in a launch with one that the launch writes at the very same places.
fn join_in_place(kernels: &Kernels, order: Option<&Order>, blocks: &mut Vec<Tenants>) {
    let mut block_of = vec![None; kernels.buffers.len()];
    for (number, block) in blocks.iter().enumerate() {
        block.buffers.iter().for_each(|&buffer| block_of[buffer] = Some(number));
    }
    for (step, launch) in kernels.launches.iter().enumerate() {
        for (from, to) in launch.in_place(&kernels.buffers) {
            let (Some(a), Some(b)) = (block_of[from], block_of[to]) else { continue };
            let (old, new) = (&blocks[a], &blocks[b]);
            let one_after_the_other = old.life.ends_with(step, order) && new.life.begins_with(step, order);
            if a == b || !one_after_the_other || (old.class, old.bytes) != (new.class, new.bytes) {
                continue;
            }
            let (life, align, buffers) = (new.life.clone(), new.align, std::mem::take(&mut blocks[b].buffers));
            buffers.iter().for_each(|&buffer| block_of[buffer] = Some(a));
            blocks[a].life.join(&life);
            blocks[a].align = blocks[a].align.max(align);
            blocks[a].buffers.extend(buffers);
        }
    }
    blocks.retain(|block| !block.buffers.is_empty());
}
