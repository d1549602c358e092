//! In which turn the nodes of a reduction's kernel are computed.

use std::collections::BTreeSet;

use crate::fuse::group::Group;
use crate::fuse::view::base_of;
use crate::fuse::{Class, class};
use crate::graph::{Graph, Value};
use rustc_hash::FxHashMap;

/// After how many reductions in a row each node of a group can be computed.
pub(super) struct Depths {
    of: FxHashMap<Value, usize>,
}

impl Depths {
    pub(super) fn new(graph: &Graph, group: &Group) -> Depths {
        let mut of: FxHashMap<Value, usize> = FxHashMap::default();
        for &node in &group.nodes {
            let operands = graph.node(node).inputs.iter().map(|&v| base_of(graph, v));
            let below = operands.filter_map(|v| of.get(&v).copied()).max().unwrap_or(0);
            let own = usize::from(class(graph, node) == Class::Reduce);
            of.insert(node, below + own);
        }
        Depths { of }
    }

    /// That of a node of the group.
    pub(super) fn of(&self, node: Value) -> usize {
        self.of[&node]
    }

    /// The greatest.
    pub(super) fn last(&self) -> usize {
        self.of.values().copied().max().unwrap_or(0)
    }

    /// Row nodes (no reductions) that elements read.
    pub(super) fn exports(&self, graph: &Graph, group: &Group) -> Vec<Value> {
        let mut out = BTreeSet::new();
        for &node in &group.nodes {
            let reads_elements = group.is_element(node) || class(graph, node) == Class::Reduce;
            if !reads_elements {
                continue;
            }
            for &operand in &graph.node(node).inputs {
                let base = base_of(graph, operand);
                let row = group.maps.contains_key(&base) && !group.is_element(base);
                if row && class(graph, base) != Class::Reduce {
                    out.insert(base);
                }
            }
        }
        out.into_iter().collect()
    }
}
