//! The loops of a launch.

use crate::fuse::group::Group;
use crate::graph::{Graph, Value};
use crate::program::Index;
use crate::size::Size;

/// The loops of a group as dims of its launch.
pub(crate) struct Nest<'g> {
    group: &'g Group,
    /// Loop dims of the launch: space, then reduction.
    sizes: Vec<Size>,
    /// For each loop of the group, its dim in the launch.
    position: Vec<usize>,
    /// How many are of the space.
    space: usize,
}

impl<'g> Nest<'g> {
    /// Loops of the group, outermost first.
    pub(crate) fn new(group: &'g Group, space: &[usize], reduce: &[usize]) -> Nest<'g> {
        let mut nest = Nest { group, sizes: vec![], position: vec![0; group.loops.len()], space: space.len() };
        for (dim, &l) in space.iter().chain(reduce).enumerate() {
            nest.position[l] = dim;
            nest.sizes.push(group.loops[l].clone());
        }
        if let Some(window) = group.unrolled {
            for (axis, l) in nest.image_loops() {
                let size = &mut nest.sizes[nest.position[l]];
                if let Some(part) = size.div_exact(&window.kernel[axis].into()) {
                    *size = part;
                }
            }
        }
        nest
    }

    /// The sizes of the space.
    pub(super) fn space(&self) -> &[Size] {
        &self.sizes[..self.space]
    }

    /// The sizes of the reduction.
    pub(super) fn reduce(&self) -> &[Size] {
        &self.sizes[self.space..]
    }

    /// The size of a dim.
    pub(crate) fn size(&self, dim: usize) -> &Size {
        &self.sizes[dim]
    }

    /// How many dims there are.
    pub(crate) fn count(&self) -> usize {
        self.sizes.len()
    }

    /// The loops along height (0) and width (1) of an unrolled group.
    fn image_loops(&self) -> Vec<(usize, usize)> {
        let map = &self.group.maps[&self.group.nodes[0]];
        (0..2).filter_map(|axis| map[2 + axis].map(|l| (axis, l))).collect()
    }

    /// The index along each axis of a node of the group; `tap`: which element of its window, in an unrolled group.
    pub(super) fn coordinates(&self, node: Value, tap: [i64; 2]) -> Vec<Index> {
        let group = self.group;
        let index = |(axis, l): (usize, &Option<usize>)| {
            let Some(l) = l else {
                // An image of one row or column: the tap is its index.
                let offset = if axis >= 2 && group.unrolled.is_some() { tap[axis - 2] } else { 0 };
                return Index::zero().plus(&offset.into());
            };
            let mut index = Index::of(self.position[*l]);
            if let Some(window) = group.unrolled.filter(|_| axis >= 2) {
                index.terms[0].1 = window.kernel[axis - 2];
                index.offset = tap[axis - 2].into();
            }
            index
        };
        group.maps[&node].iter().enumerate().map(index).collect()
    }

    /// The index along each axis of what a reduction of the group reads.
    pub(super) fn operand_coordinates(&self, graph: &Graph, reduction: Value) -> Vec<Index> {
        let index = |l: Option<usize>| l.map_or_else(Index::zero, |l| Index::of(self.position[l]));
        self.group.operand_axes(graph, reduction).into_iter().map(index).collect()
    }
}
