//! Places for blocks of memory with lives: best fit in a few orders, the best one repaired by a bounded search.

use super::life::Meets;
use super::polynomial::{Basis, Polynomial};

/// A block whose place is sought.
pub(super) struct Piece {
    /// Its class, by size: those of one class are multiples of one polynomial.
    pub class: usize,
    pub size: Polynomial,
    /// What each coefficient of its place must be a multiple of: a power of two.
    pub align: i64,
    pub first: usize,
    pub last: usize,
}

/// Where the blocks lie.
pub(super) struct Placement {
    pub offsets: Vec<Polynomial>,
    /// The ends that are not at most another one.
    pub ends: Vec<Polynomial>,
}

/// Placements of one block that a search may try in all, over a basis of up to 8 monomials.
const SEARCH: usize = 40_000;

/// Places all pieces.
pub(super) fn place(basis: &Basis, pieces: &[Piece], meets: &Meets, bound: &[Polynomial]) -> Placement {
    let weights = pieces.iter().map(|p| basis.at(&p.size, 0)).collect();
    Search { basis, pieces, meets, weights, bound: most(basis, bound) }.run()
}

/// The greatest value at each sample.
fn most(basis: &Basis, all: &[Polynomial]) -> Vec<i64> {
    (0..basis.samples()).map(|sample| all.iter().map(|p| basis.at(p, sample)).max().unwrap_or(0)).collect()
}

struct Search<'a> {
    basis: &'a Basis,
    pieces: &'a [Piece],
    meets: &'a Meets,
    /// What the sizes are worth where all run-time sizes are large.
    weights: Vec<i64>,
    /// What is alive at once, at each sample.
    bound: Vec<i64>,
}

/// Where pieces lie that were placed one after the other.
#[derive(Clone)]
struct Placed {
    /// By their numbers.
    order: Vec<usize>,
    /// In that order, as is what follows.
    spans: Vec<Span>,
}

#[derive(Clone)]
struct Span {
    from: Polynomial,
    to: Polynomial,
    /// The value of `from` where all run-time sizes are large.
    worth: i64,
}

/// How good a placement is: the worst of its heights over what is alive at once, then their sum; in millionths.
#[derive(Clone, Copy)]
struct Cost {
    worst: i64,
    sum: i64,
    /// Where the worst is.
    sample: usize,
}

impl Cost {
    fn less(&self, other: &Cost) -> bool {
        (self.worst, self.sum) < (other.worst, other.sum)
    }
}

/// A height as large as what is alive at once.
const LEAST: i64 = 1_000_000;

/// What a search is content with.
const GOOD: i64 = LEAST + LEAST / 1000;

impl Search<'_> {
    fn run(&self) -> Placement {
        let first = self.by_class();
        let cost = self.cost(&first);
        let rounds = SEARCH / (self.pieces.len() * self.basis.len().div_ceil(8)).max(1);
        // Greedily; where that is stuck, once more from the beginning, more at random.
        let mut best = self.improved(&first, cost, rounds / 4, true);
        if best.1.worst > GOOD {
            let other = self.improved(&first, cost, rounds - rounds / 4, false);
            if other.1.less(&best.1) {
                best = other;
            }
        }
        let (placed, _) = best;
        let mut offsets = vec![self.basis.zero(); self.pieces.len()];
        for (piece, span) in placed.order.iter().zip(&placed.spans) {
            offsets[*piece] = span.from.clone();
        }
        Placement { offsets, ends: self.basis.greatest(placed.spans.into_iter().map(|span| span.to)) }
    }

    /// Moves pieces that reach the top or carry one that does, or any other ones, forward in the order: bounded by rounds, not by time.
    fn improved(&self, first: &Placed, cost: Cost, rounds: usize, greedily: bool) -> (Placed, Cost) {
        let (mut best, mut cost) = (first.clone(), cost);
        let mut random = 1u64;
        let mut below = |n: usize| {
            // Knuth's MMIX generator: builds repeat.
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (random >> 33) as usize % n.max(1)
        };
        for round in 0..rounds {
            if cost.worst <= GOOD {
                break;
            }
            let of_pile = if greedily { round % 4 < 3 } else { round % 2 == 0 };
            let at = if of_pile {
                let pile = self.pile(&best, cost.sample);
                pile[below(pile.len())]
            } else {
                below(best.order.len())
            };
            let mut to = below(at + 1);
            if greedily {
                to = to.min(below(at + 1));
            }
            let mut order = best.order.clone();
            let moved = order.remove(at);
            order.insert(to, moved);
            let found = self.best_fit(order, &best.spans[..to]);
            let found_cost = self.cost(&found);
            if !cost.less(&found_cost) {
                (best, cost) = (found, found_cost);
            }
        }
        (best, cost)
    }

    /// The classes one after the other, the one that needs most first, each in the order that is best for it alone.
    fn by_class(&self) -> Placed {
        let mut needs: Vec<(i64, usize)> = vec![];
        for (piece, weight) in self.pieces.iter().zip(&self.weights) {
            match needs.iter_mut().find(|(_, class)| *class == piece.class) {
                Some((sum, _)) => *sum = sum.saturating_add(*weight),
                None => needs.push((*weight, piece.class)),
            }
        }
        needs.sort_by_key(|(sum, class)| (std::cmp::Reverse(*sum), *class));
        let members = |class: usize| (0..self.pieces.len()).filter(|&i| self.pieces[i].class == class).collect();
        let orders: Vec<Placed> = needs.iter().map(|(_, class)| self.best_order(members(*class))).collect();
        match <[Placed; 1]>::try_from(orders) {
            Ok([only]) => only,
            Err(orders) => {
                let order = orders.iter().flat_map(|placed| placed.order.iter().copied()).collect();
                let known = orders.first().map_or(&[][..], |first| &first.spans);
                self.best_fit(order, known)
            }
        }
    }

    /// The best of a few orders of pieces, by their height alone.
    fn best_order(&self, pieces: Vec<usize>) -> Placed {
        let least = self.most_alive(&pieces);
        let mut best: Option<(i64, Placed)> = None;
        for way in 0..4 {
            let mut order = pieces.clone();
            // Largest first, longest first, both, and as they come.
            order.sort_by_cached_key(|&i| {
                let (size, first) = (self.weights[i], self.pieces[i].first as i64);
                let life = (self.pieces[i].last - self.pieces[i].first + 1) as i64;
                match way {
                    0 => (-size, -life, first),
                    1 => (-life, -size, first),
                    2 => (-size.saturating_mul(life), -size, first),
                    _ => (first, -size, 0),
                }
            });
            let found = self.best_fit(order, &[]);
            let height = found.spans.iter().map(|span| self.basis.at(&span.to, 0)).max().unwrap_or(0);
            if best.as_ref().is_none_or(|(known, _)| height < *known) {
                best = Some((height, found));
            }
            if height <= least {
                break;
            }
        }
        best.map_or(Placed { order: vec![], spans: vec![] }, |(_, placed)| placed)
    }

    /// The most that is alive at one time of some pieces, where all run-time sizes are large.
    fn most_alive(&self, pieces: &[usize]) -> i64 {
        let end = pieces.iter().map(|&i| self.pieces[i].last + 2).max().unwrap_or(0);
        let mut change = vec![0i64; end];
        for &i in pieces {
            let piece = &self.pieces[i];
            change[piece.first] = change[piece.first].saturating_add(self.weights[i]);
            change[piece.last + 1] = change[piece.last + 1].saturating_sub(self.weights[i]);
        }
        let lives = change.iter().scan(0i64, |live, change| {
            *live = live.saturating_add(*change);
            Some(*live)
        });
        lives.max().unwrap_or(0)
    }

    fn cost(&self, placed: &Placed) -> Cost {
        let ends = self.basis.greatest(placed.spans.iter().map(|span| span.to.clone()));
        let heights = most(self.basis, &ends);
        let ratio = |(height, bound): (&i64, &i64)| {
            let ratio = i128::from(*height) * i128::from(LEAST) / i128::from(*bound).max(1);
            i64::try_from(ratio).unwrap_or(i64::MAX)
        };
        let mut cost = Cost { worst: 0, sum: 0, sample: 0 };
        for (sample, ratio) in heights.iter().zip(&self.bound).map(ratio).enumerate() {
            if ratio > cost.worst {
                (cost.worst, cost.sample) = (ratio, sample);
            }
            cost.sum = cost.sum.saturating_add(ratio);
        }
        cost
    }

    /// The pieces that reach the top at a sample, and those below that carry them; by their numbers in the order.
    fn pile(&self, placed: &Placed, sample: usize) -> Vec<usize> {
        let height = |at: &usize| self.basis.at(&placed.spans[*at].to, sample);
        let top = (0..placed.order.len()).map(|at| height(&at)).max();
        let mut pile: Vec<usize> = (0..placed.order.len()).filter(|at| Some(height(at)) == top).collect();
        let mut next = 0;
        while let Some(&above) = pile.get(next) {
            for at in 0..above {
                let meets = self.meets.at(placed.order[at], placed.order[above]);
                if meets && placed.spans[at].to == placed.spans[above].from && !pile.contains(&at) {
                    pile.push(at);
                }
            }
            next += 1;
        }
        pile
    }

    /// Puts each piece into the smallest gap that holds it among the pieces that live at the same time, for all sizes; of the first ones it is
    /// known where they lie.
    fn best_fit(&self, order: Vec<usize>, known: &[Span]) -> Placed {
        let mut spans: Vec<Span> = Vec::with_capacity(order.len());
        spans.extend_from_slice(known);
        let mut taken: Vec<(i64, usize)> = vec![];
        for number in known.len()..order.len() {
            let piece = &self.pieces[order[number]];
            let weight = self.weights[order[number]];
            taken.clear();
            for (at, span) in spans.iter().enumerate() {
                if self.meets.at(order[at], order[number]) {
                    taken.push((span.worth, at));
                }
            }
            taken.sort_unstable();
            let (mut end, mut worth) = (self.basis.zero(), 0);
            let mut best: Option<(i64, Polynomial, i64)> = None;
            for (index, &(from, at)) in taken.iter().enumerate() {
                let gap = from - worth;
                if gap >= weight && best.as_ref().is_none_or(|(least, ..)| gap < *least) {
                    let behind = end.plus(&piece.size);
                    if taken[index..].iter().all(|(_, at)| behind.at_most(&spans[*at].from)) {
                        best = Some((gap, end.clone(), worth));
                    }
                }
                if !spans[at].to.at_most(&end) {
                    end.join(&spans[at].to);
                    if piece.align > 1 {
                        end.align(piece.align);
                    }
                    worth = self.basis.at(&end, 0);
                }
            }
            let (from, worth) = best.map_or((end, worth), |(_, from, worth)| (from, worth));
            spans.push(Span { to: from.plus(&piece.size), from, worth });
        }
        Placed { order, spans }
    }
}
