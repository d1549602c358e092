//! What no plan can take less than.

use super::life::Meets;
use super::place::Piece;
use super::polynomial::{Basis, Polynomial};
use crate::flow::{INFINITE, Network};

/// What lives at one time if launches run one after the other, at each of the times where no other one has as much.
pub(super) fn serial(basis: &Basis, pieces: &[Piece]) -> Vec<Polynomial> {
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

/// What may live at one time where tasks run side by side: for each sample of sizes, the heaviest pieces of which no two may share memory. Those
/// of which one is done before the other begins are a partial order, and the heaviest antichain of it is a minimum cut (weighted Dilworth: Cameron,
/// *On the complexity of the weighted independent set*, 1985): each piece twice, on either side, an edge from the earlier to the later one.
pub(super) fn antichains(basis: &Basis, pieces: &[Piece], meets: &Meets) -> Vec<Polynomial> {
    let count = pieces.len();
    let (source, sink) = (2 * count, 2 * count + 1);
    let heaviest = |sample: usize| {
        let mut network = Network::new(2 * count + 2);
        for (a, piece) in pieces.iter().enumerate() {
            let weight = basis.at(&piece.size, sample);
            network.edge(source, a, weight);
            network.edge(count + a, sink, weight);
            for b in (0..count).filter(|&b| a != b && piece.last < pieces[b].first && !meets.at(a, b)) {
                network.edge(a, count + b, INFINITE);
            }
        }
        let behind = network.sink_side(source, sink);
        let chosen = (0..count).filter(|&a| !behind[a] && behind[count + a]);
        chosen.fold(basis.zero(), |sum, a| sum.plus(&pieces[a].size))
    };
    basis.greatest((0..basis.samples()).map(heaviest))
}
