//! Where groups begin: a node alone.

use super::Group;
use super::reads::Reads;
use crate::fuse::Class;
use crate::graph::{Op, Value};
use rustc_hash::FxHashMap;

impl Reads<'_> {
    /// A node alone.
    pub(super) fn single(&self, value: Value) -> Group {
        let node = self.graph.node(value);
        let is_tile = self.class(value) == Class::Tile;
        let shape = match &node.op {
            Op::Reduce(..) => self.graph.shape(node.inputs[0]),
            _ => &node.ty.shape,
        };
        let mut loops = vec![];
        // A tile's loops are all its axes, so that the kernel finds its dims; else axes of size 1 are no loops.
        let axes: Vec<Option<usize>> = shape
            .iter()
            .map(|s| {
                (is_tile || !s.is(1)).then(|| loops.push(s.clone()))?;
                (!s.is(1)).then(|| loops.len() - 1)
            })
            .collect();
        let mut reduced = vec![false; loops.len()];
        let mut map = axes.clone();
        if let Op::Reduce(_, over) = &node.op {
            over.iter().filter_map(|&a| axes[a]).for_each(|l| reduced[l] = true);
            map = (0..axes.len()).filter(|a| !over.contains(a)).map(|a| axes[a]).collect();
        }
        let unrolled = match &node.op {
            Op::MaxPool2dGrad(w) => Some(*w),
            Op::SumPool2dGrad(w) => w.tiles_image(&node.ty.shape).then_some(*w),
            _ => None,
        };
        Group {
            nodes: vec![value],
            loops,
            reduced,
            maps: FxHashMap::from_iter([(value, map)]),
            tile: is_tile.then_some(value),
            unrolled,
        }
    }
}
