//! Places for blocks of memory with lives: best fit in a few orders, the best one repaired by a bounded search.

use super::polynomial::{Basis, Polynomial};

/// A block whose place is sought.
pub(super) struct Piece {
    /// Its class, by size: those of one class are multiples of one polynomial.
    pub class: usize,
    pub size: Polynomial,
    pub first: usize,
    pub last: usize,
}

/// Where the blocks lie.
#[derive(Clone)]
pub(super) struct Placement {
    pub offsets: Vec<Polynomial>,
    /// The ends that are not at most another one.
    pub ends: Vec<Polynomial>,
}

/// Placements of one block that a search may try in all.
const SEARCH: usize = 40_000;

/// What lives at one time, at each of the times where no other one has as much.
pub(super) fn alive(basis: &Basis, pieces: &[Piece]) -> Vec<Polynomial> {
    let end = pieces.iter().map(|p| p.last + 2).max().unwrap_or(0);
    let mut change = vec![basis.zero(); end];
    for piece in pieces {
        change[piece.first] = change[piece.first].plus(&piece.size);
        change[piece.last + 1] = change[piece.last + 1].minus(&piece.size);
    }
    let lives = change.iter().scan(basis.zero(), |live, change| {
        *live = live.plus(change);
        Some(live.clone())
    });
    basis.greatest(lives)
}

/// Places all pieces.
pub(super) fn place(basis: &Basis, pieces: &[Piece], bound: &[Polynomial]) -> Placement {
    let search = Search {
        basis,
        pieces,
        weights: pieces.iter().map(|p| basis.at(&p.size, 0)).collect(),
        bound: most(basis, bound),
    };
    search.run()
}

/// The greatest value at each sample.
fn most(basis: &Basis, all: &[Polynomial]) -> Vec<i64> {
    (0..basis.samples()).map(|sample| all.iter().map(|p| basis.at(p, sample)).max().unwrap_or(0)).collect()
}

struct Search<'a> {
    basis: &'a Basis,
    pieces: &'a [Piece],
    /// What the sizes are worth where all run-time sizes are large.
    weights: Vec<i64>,
    /// What is alive at once, at each sample.
    bound: Vec<i64>,
}

/// How good a placement is: the worst of its heights over what is alive at once, then their sum; in millionths.
type Cost = (i64, i64);

impl Search<'_> {
    fn run(&self) -> Placement {
        let mut order = self.by_class();
        let mut best = self.best_fit(&order);
        let mut cost = self.cost(&best);
        let mut random = 1u64;
        let mut below = |n: usize| {
            // Knuth's MMIX generator: builds repeat.
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (random >> 33) as usize % n.max(1)
        };
        // Move a block that reaches the top, or any other one, forward: bounded by rounds, not by time.
        for round in 0..SEARCH / order.len().max(1) {
            if cost.0 <= LEAST {
                break;
            }
            let is_top = |i: &usize| best.ends.contains(&best.offsets[order[*i]].plus(&self.pieces[order[*i]].size));
            let top: Vec<usize> = (0..order.len()).filter(is_top).collect();
            let at = if round % 2 == 0 { top[below(top.len())] } else { below(order.len()) };
            let mut other = order.clone();
            let moved = other.remove(at);
            other.insert(below(at + 1), moved);
            let found = self.best_fit(&other);
            let found_cost = self.cost(&found);
            if found_cost <= cost {
                (best, cost, order) = (found, found_cost, other);
            }
        }
        best
    }

    /// The classes one after the other, the one that needs most first, each in the order that is best for it alone.
    fn by_class(&self) -> Vec<usize> {
        let mut classes: Vec<usize> = self.pieces.iter().map(|p| p.class).collect();
        classes.sort_unstable();
        classes.dedup();
        let members = |class: usize| (0..self.pieces.len()).filter(move |&i| self.pieces[i].class == class);
        let needs = |class: &usize| members(*class).map(|i| self.weights[i]).fold(0, i64::saturating_add);
        classes.sort_by_key(|class| std::cmp::Reverse(needs(class)));
        let mut order = vec![];
        for class in classes {
            order.extend(self.best_order(members(class).collect()));
        }
        order
    }

    /// The best of a few orders of pieces, by their height alone.
    fn best_order(&self, pieces: Vec<usize>) -> Vec<usize> {
        let of = |i: &usize| {
            let piece = &self.pieces[*i];
            (self.weights[*i], (piece.last - piece.first + 1) as i64, piece.first as i64)
        };
        // Largest first, longest first, both, and as they come.
        let key = |i: &usize, way: usize| match (way, of(i)) {
            (0, (size, life, first)) => (-size, -life, first),
            (1, (size, life, first)) => (-life, -size, first),
            (2, (size, life, first)) => (-size.saturating_mul(life), -size, first),
            (_, (size, _, first)) => (first, -size, 0),
        };
        let mut best: Option<(i64, Vec<usize>)> = None;
        for way in 0..4 {
            let mut order = pieces.clone();
            order.sort_by_key(|i| key(i, way));
            let found = self.best_fit(&order);
            let height = most(self.basis, &found.ends)[0];
            if best.as_ref().is_none_or(|(least, _)| height < *least) {
                best = Some((height, order));
            }
        }
        best.map_or(vec![], |(_, order)| order)
    }

    fn cost(&self, placement: &Placement) -> Cost {
        let heights = most(self.basis, &placement.ends);
        let ratios = heights.iter().zip(&self.bound).map(|(height, bound)| {
            let ratio = i128::from(*height) * i128::from(LEAST) / i128::from(*bound).max(1);
            i64::try_from(ratio).unwrap_or(i64::MAX)
        });
        ratios.fold((0, 0), |(worst, sum): Cost, ratio| (worst.max(ratio), sum.saturating_add(ratio)))
    }

    /// Puts each piece into the smallest gap that holds it among the pieces that live at the same time, for all sizes.
    fn best_fit(&self, order: &[usize]) -> Placement {
        let basis = self.basis;
        let mut offsets = vec![basis.zero(); self.pieces.len()];
        let mut placed: Vec<usize> = vec![];
        for &i in order {
            let piece = &self.pieces[i];
            let meets = |j: &&usize| self.pieces[**j].first <= piece.last && piece.first <= self.pieces[**j].last;
            let mut taken: Vec<(i64, usize)> =
                placed.iter().filter(meets).map(|&j| (basis.at(&offsets[j], 0), j)).collect();
            taken.sort_unstable();
            let mut end = basis.zero();
            let mut best: Option<(i64, Polynomial)> = None;
            for (number, &(from, j)) in taken.iter().enumerate() {
                let gap = from - basis.at(&end, 0);
                if gap >= self.weights[i] && best.as_ref().is_none_or(|(least, _)| gap < *least) {
                    let behind = end.plus(&piece.size);
                    if taken[number..].iter().all(|(_, j)| basis.at_most(&behind, &offsets[*j])) {
                        best = Some((gap, end.clone()));
                    }
                }
                end = basis.join(&end, &offsets[j].plus(&self.pieces[j].size));
            }
            offsets[i] = best.map_or(end, |(_, at)| at);
            placed.push(i);
        }
        let ends = basis.greatest(order.iter().map(|&i| offsets[i].plus(&self.pieces[i].size)));
        Placement { offsets, ends }
    }
}

/// A height as large as what is alive at once.
const LEAST: i64 = 1_000_000;
