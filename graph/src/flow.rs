//! Maximum flow and minimum cut by Dinic's algorithm (1970): shortest augmenting paths, a whole layer of them at a time.

use std::collections::VecDeque;

/// More than any cut that can be paid for.
pub(crate) const INFINITE: i64 = i64::MAX / 4;

/// A directed graph with capacities.
pub(crate) struct Network {
    /// For each node, the numbers of the edges that leave it (also those back along an edge that arrives).
    leaving: Vec<Vec<u32>>,
    /// Where each edge leads, and what is left of its capacity; edge `i ^ 1` is the way back.
    edges: Vec<(u32, i64)>,
}

impl Network {
    pub fn new(nodes: usize) -> Network {
        Network { leaving: vec![vec![]; nodes], edges: vec![] }
    }

    pub fn edge(&mut self, from: usize, to: usize, capacity: i64) {
        self.leaving[from].push(self.edges.len() as u32);
        self.edges.push((to as u32, capacity));
        self.leaving[to].push(self.edges.len() as u32);
        self.edges.push((from as u32, 0));
    }

    /// For each node, whether it lies on the sink's side of the minimum cut, the one nearest to the sink if there are several.
    pub fn sink_side(&mut self, source: usize, sink: usize) -> Vec<bool> {
        while let Some(level) = self.levels(source, sink) {
            let mut next = vec![0; self.leaving.len()];
            while self.augment(source, sink, &level, &mut next) {}
        }
        let mut side = vec![false; self.leaving.len()];
        side[sink] = true;
        let mut open = vec![sink];
        while let Some(node) = open.pop() {
            for &edge in &self.leaving[node] {
                let (from, _) = self.edges[edge as usize];
                let (_, left) = self.edges[edge as usize ^ 1];
                if left > 0 && !side[from as usize] {
                    side[from as usize] = true;
                    open.push(from as usize);
                }
            }
        }
        side
    }

    /// Distances from the source along edges with capacity left, if they lead to the sink.
    fn levels(&self, source: usize, sink: usize) -> Option<Vec<u32>> {
        let mut level = vec![u32::MAX; self.leaving.len()];
        level[source] = 0;
        let mut open = VecDeque::from([source]);
        while let Some(node) = open.pop_front() {
            for &edge in &self.leaving[node] {
                let (to, left) = self.edges[edge as usize];
                if left > 0 && level[to as usize] == u32::MAX {
                    level[to as usize] = level[node] + 1;
                    open.push_back(to as usize);
                }
            }
        }
        (level[sink] != u32::MAX).then_some(level)
    }

    /// Sends what one more path of the layers can carry; `next`: the first edge of each node that may still lead on.
    fn augment(&mut self, source: usize, sink: usize, level: &[u32], next: &mut [usize]) -> bool {
        let mut path: Vec<u32> = vec![];
        let mut at = source;
        loop {
            if at == sink {
                let amount = path.iter().map(|&e| self.edges[e as usize].1).min().unwrap_or(0);
                for &edge in &path {
                    self.edges[edge as usize].1 -= amount;
                    self.edges[edge as usize ^ 1].1 += amount;
                }
                return amount > 0;
            }
            match self.leaving[at].get(next[at]) {
                Some(&edge) => {
                    let (to, left) = self.edges[edge as usize];
                    if left > 0 && level[to as usize] == level[at] + 1 {
                        path.push(edge);
                        at = to as usize;
                    } else {
                        next[at] += 1;
                    }
                }
                None => {
                    // A dead end: back, and past the edge that led here.
                    let Some(edge) = path.pop() else { return false };
                    at = self.edges[edge as usize ^ 1].0 as usize;
                    next[at] += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cut_is_the_smallest_and_the_nearest_to_the_sink() {
        // 0 → 1 → 2 → 3 with capacities 5, 2, 2, and 0 → 2 with 1.
        let mut network = Network::new(4);
        for (from, to, capacity) in [(0, 1, 5), (1, 2, 2), (2, 3, 3), (0, 2, 1)] {
            network.edge(from, to, capacity);
        }
        assert_eq!(network.sink_side(0, 3), [false, false, false, true]);
        let mut network = Network::new(4);
        for (from, to, capacity) in [(0, 1, 5), (1, 2, 2), (2, 3, 4), (0, 2, 1)] {
            network.edge(from, to, capacity);
        }
        assert_eq!(network.sink_side(0, 3), [false, false, true, true]);
    }

    /// All cuts of small random networks.
    #[test]
    fn no_other_cut_is_smaller() {
        let mut state = 7u64;
        let mut below = |n: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % n
        };
        for round in 0..200 {
            let nodes = 3 + below(5) as usize;
            let edges: Vec<(usize, usize, i64)> = (0..3 * nodes)
                .map(|_| (below(nodes as u64) as usize, below(nodes as u64) as usize, below(9) as i64))
                .filter(|(a, b, _)| a != b)
                .collect();
            let mut network = Network::new(nodes);
            edges.iter().for_each(|&(a, b, c)| network.edge(a, b, c));
            let cost = |side: &dyn Fn(usize) -> bool| -> i64 {
                edges.iter().filter(|(a, b, _)| !side(*a) && side(*b)).map(|(_, _, c)| c).sum()
            };
            let found = network.sink_side(0, nodes - 1);
            assert!(found[nodes - 1] && !found[0], "round {round}");
            let sides = (0..1usize << nodes).filter(|s| s & 1 == 0 && s >> (nodes - 1) & 1 == 1);
            let best = sides.map(|s| cost(&|n| s >> n & 1 == 1)).min();
            assert_eq!(Some(cost(&|n| found[n])), best, "round {round}");
        }
    }
}
