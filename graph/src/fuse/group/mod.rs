//! Groups of nodes that become one kernel each.
//!
//! Every computed node starts as a group of its own; along each edge from a producer to a consumer the two groups are merged if
//!
//! - their iteration spaces are one: every loop of the producer is a loop of the consumer, or both reduce over the same loops;
//! - no path leaves the merged group and comes back;
//! - at most one tile is inside, and then nothing is reduced;
//! - it has no more nodes than a kernel may hold of a block of elements.

mod grouping;
mod merge;
mod reads;
mod sequence;
mod single;

use std::collections::BTreeSet;

use super::Class;
use crate::graph::{Graph, Op, Value, Window};
use crate::size::Size;
use grouping::Grouping;
use reads::Reads;
use rustc_hash::FxHashMap;

pub(crate) use sequence::order;

/// Nodes of one kernel at the most. What a kernel holds of each of them for a block of elements has to fit into the second cache, or a pass
/// of its own costs less; and merging looks at whole groups, so that without an end a long chain would take quadratic time.
const MOST: usize = 128;

/// Nodes over one iteration space.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// In the graph's order.
    pub nodes: Vec<Value>,
    /// The loops.
    pub loops: Vec<Size>,
    /// Which of them are reduced.
    pub reduced: Vec<bool>,
    /// For each node, the loop that runs along each of its axes (`None`: size 1).
    pub maps: FxHashMap<Value, Vec<Option<usize>>>,
    /// The tile, if there is one.
    pub tile: Option<Value>,
    /// Set if the loops of the last two axes run over windows and each node is evaluated at every tap of its window.
    pub unrolled: Option<Window>,
}

impl Group {
    /// Whether the node has a value for each point of all loops (else: one for each point of the loops that are not reduced).
    pub fn is_element(&self, node: Value) -> bool {
        let map = &self.maps[&node];
        self.reduced.iter().enumerate().all(|(l, reduced)| !reduced || map.contains(&Some(l)))
    }

    /// Whether a reduction takes place.
    pub fn reduces(&self) -> bool {
        self.reduced.iter().any(|r| *r)
    }

    /// The loop along each axis of what a node reads: a reduction reads along loops that its result does not have.
    pub fn operand_axes(&self, graph: &Graph, node: Value) -> Vec<Option<usize>> {
        let map = &self.maps[&node];
        let Op::Reduce(_, over) = &graph.node(node).op else { return map.clone() };
        let shape = graph.shape(graph.node(node).inputs[0]);
        let mut kept = map.iter().copied();
        let mut hidden = (0..self.loops.len()).filter(|l| self.reduced[*l] && !map.contains(&Some(*l)));
        let axis = |axis: usize| match over.contains(&axis) {
            false => kept.next().flatten(),
            true if shape[axis].is(1) => None,
            true => hidden.find(|&l| self.loops[l] == shape[axis]),
        };
        (0..shape.len()).map(axis).collect()
    }
}

/// What grouping finds.
pub(crate) struct Grouped {
    /// In an order in which they may run.
    pub groups: Vec<Group>,
    /// Computed values that lie in memory whoever reads them: results, and operands of what reads memory.
    pub hard: BTreeSet<Value>,
    /// For each node, the computed nodes that it reads, through any view.
    pub reads: Vec<Vec<Value>>,
}

/// The groups of a graph.
pub(crate) fn groups(graph: &Graph) -> Grouped {
    let reads = Reads::new(graph);
    let readers = reads.reader_counts();
    let all = reads.all();
    let mut grouping = Grouping::new(reads);
    // What a tile flows into, as long as nothing else wants it; and what the gradient of a pool flows into, if all of it is pointwise.
    grouping.pass(all.clone(), |g, producer, consumer| {
        let Some((_, group)) = g.group(producer) else { return false };
        let is_point = |reader: Value| match graph.widened(reader).is_some() {
            // Each makes it wide for itself.
            true => g.reads.readers(reader).all(|reader| g.reads.class(reader) == Class::Point),
            false => g.reads.class(reader) == Class::Point,
        };
        let pointwise = || g.reads.readers(producer).all(is_point);
        is_point(consumer)
            && (group.tile.is_some() && readers[producer.index()] == 1
                || group.unrolled.is_some() && !g.reads.hard.contains(&producer) && pointwise())
    });
    // What follows from reductions.
    grouping.pass(all.clone(), |g, producer, _| g.group(producer).is_some_and(|(_, g)| g.reduces()));
    // Everything else, consumers first: a chain hangs together from its end.
    grouping.pass(all.rev(), |_, _, _| true);
    grouping.finish()
}
