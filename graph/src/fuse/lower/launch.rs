//! The launch of a group.

use std::collections::BTreeMap;

use super::Lower;
use super::depths::Depths;
use super::loads::Loads;
use super::nest::Nest;
use crate::fuse::group::Group;
use crate::fuse::stage::{StageBuilder, reduction};
use crate::fuse::{Class, class};
use crate::graph::{Graph, Op, Value};
use crate::program::{Access, Family, Index, Launch, Level, Stage, Target};
use crate::scalar::Literal;

impl<'g> Lower<'g> {
    /// The launch of group number `id`, which is no loop.
    pub(super) fn launch(&mut self, id: usize, group: &'g Group) -> Result<Launch, String> {
        let stored = self.stored(id, group);
        if let Some(tile) = group.tile {
            return self.tile_launch(id, group, tile, &stored);
        }
        match &self.graph.node(group.nodes[0]).op {
            Op::Scatter { axis } => return Ok(self.scatter_launch(group, *axis)),
            Op::Routine(call) => return Ok(self.routine_launch(group, call)),
            _ => {}
        }
        let order = &self.layouts.orders[id];
        let (space, reduce): (Vec<usize>, Vec<usize>) = order.iter().partition(|&&l| !group.reduced[l]);
        let family = match order.last() {
            _ if reduce.is_empty() => Family::Flat,
            Some(&last) if group.reduced[last] => Family::Row,
            _ => Family::Column,
        };
        let nest = Nest::new(group, &space, &reduce);
        let name = self.name(group);
        let mut builder = LaunchBuilder::new(self, id, group, nest);
        let stages = if reduce.is_empty() { builder.point_stages(&stored) } else { builder.reduction_stages(&stored) };
        let LaunchBuilder { nest, loads, stores, .. } = builder;
        Ok(Launch {
            name,
            loc: id as u32,
            space: nest.space().to_vec(),
            reduce: nest.reduce().to_vec(),
            family,
            loads: loads.list,
            stores,
            stages,
            updates: None,
        })
    }
}

/// The stages of a launch while they are made, with what they read and write.
pub(crate) struct LaunchBuilder<'l, 'g> {
    pub lower: &'l mut Lower<'g>,
    pub graph: &'g Graph,
    /// The number of the group.
    id: usize,
    group: &'g Group,
    pub nest: Nest<'g>,
    /// The row values: those of reductions, and those made of them that elements read.
    rows: BTreeMap<Value, usize>,
    loads: Loads,
    stores: Vec<Access>,
}

impl<'l, 'g> LaunchBuilder<'l, 'g> {
    pub(crate) fn new(lower: &'l mut Lower<'g>, id: usize, group: &'g Group, nest: Nest<'g>) -> LaunchBuilder<'l, 'g> {
        let graph = lower.graph;
        let (rows, loads, stores) = (BTreeMap::new(), Loads::default(), vec![]);
        LaunchBuilder { lower, graph, id, group, nest, rows, loads, stores }
    }

    /// What was read and written.
    pub(crate) fn into_accesses(self) -> (Vec<Access>, Vec<Access>) {
        (self.loads.list, self.stores)
    }

    /// Whether the node is computed by this kernel.
    pub(crate) fn inside(&self, value: Value) -> bool {
        self.lower.group_of.get(&value) == Some(&self.id)
    }

    /// Whether loops run over windows.
    pub(crate) fn unrolled(&self) -> bool {
        self.group.unrolled.is_some()
    }

    /// The row value that holds the node, where it is not computed in place: reductions everywhere, row nodes seen from elements.
    pub(crate) fn row_slot(&self, value: Value, level: Level) -> Option<usize> {
        let reduce = class(self.graph, value) == Class::Reduce;
        (reduce || level == Level::Element).then(|| self.rows.get(&value).copied()).flatten()
    }

    /// The number of an access among the loads.
    pub(crate) fn load(&mut self, access: Access) -> usize {
        self.loads.add(access)
    }

    /// The element of a node in memory at an index.
    pub(crate) fn access(&mut self, value: Value, index: &[Index], outside: Option<Literal>) -> Access {
        self.lower.access(value, index, outside)
    }

    /// One stage, for each point of the loops.
    pub(crate) fn point_stages(&mut self, stored: &[Value]) -> Vec<Stage> {
        let mut stage = StageBuilder::new(self, Level::Element);
        stored.iter().for_each(|&node| stage.store(node));
        stage.finish().into_iter().collect()
    }

    /// Elements and rows in turn: what depends on a reduction comes after it.
    fn reduction_stages(&mut self, stored: &[Value]) -> Vec<Stage> {
        let (graph, group) = (self.graph, self.group);
        let depths = Depths::new(graph, group);
        let reductions: Vec<Value> =
            group.nodes.iter().copied().filter(|&n| class(graph, n) == Class::Reduce).collect();
        let exports = depths.exports(graph, group);
        for &row in reductions.iter().chain(&exports) {
            let slot = self.rows.len();
            self.rows.insert(row, slot);
        }
        let mut stages = vec![];
        for depth in 0..=depths.last() {
            let at = |n: &&Value| depths.of(**n) == depth;
            let mut row = StageBuilder::new(self, Level::Row);
            for &node in exports.iter().filter(at) {
                row.export(node);
            }
            for &node in stored.iter().filter(at).filter(|n| !group.is_element(**n)) {
                row.store(node);
            }
            stages.extend(row.finish());
            let mut element = StageBuilder::new(self, Level::Element);
            for &node in reductions.iter().filter(|n| depths.of(**n) == depth + 1) {
                element.reduce(node);
            }
            for &node in stored.iter().filter(at).filter(|n| group.is_element(**n)) {
                element.store(node);
            }
            stages.extend(element.finish());
        }
        stages
    }
}

impl StageBuilder<'_, '_, '_> {
    /// Stores a node of the group where it lies: at each tap, if the loops run over windows.
    fn store(&mut self, node: Value) {
        let taps: Vec<[i64; 2]> = self.launch.group.unrolled.map_or(vec![[0, 0]], |w| w.taps().collect());
        for tap in taps {
            let coordinates = self.launch.nest.coordinates(node, tap);
            let access = self.launch.access(node, &coordinates, None);
            let number = self.launch.stores.len();
            self.launch.stores.push(access);
            self.output(node, &coordinates, Target::Store(number));
        }
    }

    fn export(&mut self, node: Value) {
        let coordinates = self.launch.nest.coordinates(node, [0, 0]);
        let slot = self.launch.rows[&node];
        self.output(node, &coordinates, Target::Row(slot));
    }

    fn reduce(&mut self, node: Value) {
        let graph = self.launch.graph;
        let coordinates = self.launch.nest.operand_coordinates(graph, node);
        let (f, slot) = (reduction(&graph.node(node).op), self.launch.rows[&node]);
        self.operand(node, &coordinates, Target::Reduce(f, slot));
    }
}
