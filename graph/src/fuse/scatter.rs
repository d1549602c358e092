//! Launches of the scatter family: sums of what arrives at indices.

use super::group::Group;
use super::lower::Lower;
use super::view::{follow, trace};
use crate::graph::Value;
use crate::program::{Access, Family, Index, Launch};
use crate::size::Size;

impl Lower<'_> {
    pub(crate) fn scatter_launch(&mut self, group: &Group, axis: usize) -> Launch {
        let (graph, scatter) = (self.graph, group.nodes[0]);
        let node = graph.node(scatter);
        let [dy, index] = [node.inputs[0], node.inputs[1]];
        let (space, shape) = (node.ty.shape.to_vec(), graph.shape(dy));
        // The axes of `dy` in the place of the indexed one are what is summed over.
        let summed = axis..axis + shape.len() + 1 - space.len();
        let dim = |a: usize| match a {
            a if a < summed.start => a,
            a if a < summed.end => space.len() + a - summed.start,
            a => a + 1 - summed.len(),
        };
        let coordinates: Vec<Index> = (0..shape.len()).map(|a| Index::of(dim(a))).collect();
        let own: Vec<Index> = (0..space.len()).map(Index::of).collect();
        let loads = vec![self.element(index, &coordinates), self.element(dy, &coordinates)];
        let stores = vec![self.access(scatter, &own, None)];
        let reduce: Vec<Size> = shape[summed].to_vec();
        let family = Family::Scatter(axis);
        Launch { name: self.name(group), loc: 0, space, reduce, family, loads, stores, stages: vec![], updates: None }
    }

    /// An element of a view of something in memory.
    fn element(&mut self, view: Value, coordinates: &[Index]) -> Access {
        let base = trace(self.graph, view);
        self.access(base.value, &follow(&base, coordinates), None)
    }
}
