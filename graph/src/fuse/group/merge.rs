//! Two groups as one: whether their iteration spaces are, and whether it is worth it.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::Group;
use super::reads::Reads;
use crate::fuse::{Class, needs_memory};
use crate::graph::{Op, Value};

impl Reads<'_> {
    /// The two groups over the consumer's loops, if their spaces are one.
    pub(super) fn merged(&self, pg: &Group, cg: &Group, producer: Value, consumer: Value) -> Option<Group> {
        let alone = |g: &Group| self.class(g.nodes[0]) == Class::Alone;
        if alone(pg) || cg.tile.is_some() && pg.tile.is_some() {
            return None;
        }
        if pg.unrolled.is_some() && cg.unrolled.is_some() && pg.unrolled != cg.unrolled {
            return None;
        }
        let mut loops = cg.loops.clone();
        let mut reduced = cg.reduced.clone();
        // Producer's loop → consumer's loop, by every operand that leads to the producer.
        let mut to: Vec<Option<usize>> = vec![None; pg.loops.len()];
        let consumer_axes = cg.operand_axes(self.graph, consumer);
        for base in &self.operands[consumer.index()] {
            if base.value != producer {
                continue;
            }
            if !base.is_whole() {
                return None;
            }
            for (axis, from) in base.axes.iter().enumerate() {
                let Some(p_loop) = pg.maps[&producer][axis] else { continue };
                let c_loop = consumer_axes[from.axis?]?;
                if to[p_loop].is_some_and(|known| known != c_loop) || pg.loops[p_loop] != loops[c_loop] {
                    return None;
                }
                to[p_loop] = Some(c_loop);
            }
        }
        let mut free: Vec<usize> = (0..loops.len()).filter(|l| !to.contains(&Some(*l))).collect();
        free.retain(|&l| !loops[l].is(1));
        // Loops that the producer reduces are found among the consumer's, or are new.
        let is_row_of = free.is_empty();
        for p_loop in (0..pg.loops.len()).filter(|l| pg.reduced[*l]) {
            if to[p_loop].is_some() {
                continue;
            }
            let found = free.iter().position(|&l| loops[l] == pg.loops[p_loop]);
            to[p_loop] = Some(match found {
                Some(at) => free.remove(at),
                None if is_row_of && !cg.reduces() => {
                    loops.push(pg.loops[p_loop].clone());
                    reduced.push(true);
                    loops.len() - 1
                }
                None => return None,
            });
        }
        // What is left must be what the consumer reduces, over a producer that has one value a row.
        if free.iter().any(|&l| !cg.reduced[l]) || (0..pg.loops.len()).any(|l| to[l].is_none() && !pg.loops[l].is(1)) {
            return None;
        }
        let p_reduced: BTreeSet<usize> = (0..pg.loops.len()).filter(|l| pg.reduced[*l]).filter_map(|l| to[l]).collect();
        let c_reduced: BTreeSet<usize> = (0..reduced.len()).filter(|l| reduced[*l]).collect();
        if !p_reduced.is_empty() && cg.reduces() && p_reduced != c_reduced {
            return None;
        }
        if !free.is_empty() && !p_reduced.is_empty() {
            return None;
        }
        p_reduced.iter().for_each(|&l| reduced[l] = true);
        let mut group = Group {
            nodes: [&pg.nodes[..], &cg.nodes[..]].concat(),
            loops,
            reduced,
            maps: cg.maps.clone(),
            tile: cg.tile.or(pg.tile),
            unrolled: cg.unrolled.or(pg.unrolled),
        };
        group.nodes.sort();
        for (&node, map) in &pg.maps {
            group.maps.insert(node, map.iter().map(|l| l.and_then(|l| to[l])).collect());
        }
        if let Some(tile) = group.tile {
            group = self.with_tile_first(group, tile)?;
        }
        self.is_sound(&group).then_some(group)
    }

    /// A tile's loops are its axes, in order; the loops of the others become those.
    fn with_tile_first(&self, mut group: Group, tile: Value) -> Option<Group> {
        let shape = self.graph.shape(tile);
        let map = group.maps[&tile].clone();
        let mut renumber = vec![None; group.loops.len()];
        map.iter().enumerate().for_each(|(axis, l)| {
            if let Some(l) = l {
                renumber[*l] = Some(axis);
            }
        });
        if (0..group.loops.len()).any(|l| renumber[l].is_none() && !group.loops[l].is(1)) {
            return None;
        }
        for map in group.maps.values_mut() {
            map.iter_mut().for_each(|l| *l = l.and_then(|l| renumber[l]));
        }
        group.loops = shape.to_vec();
        group.reduced = vec![false; shape.len()];
        Some(group)
    }

    /// Every node has a value at each point of all loops, or of those that are not reduced; nothing is reduced around a tile.
    fn is_sound(&self, group: &Group) -> bool {
        if group.reduces() && (group.tile.is_some() || group.unrolled.is_some()) {
            return false;
        }
        if group.unrolled.is_some() && group.tile.is_some() {
            return false;
        }
        let long = set((0..group.loops.len()).filter(|l| !group.loops[*l].is(1)));
        let reduced = set((0..group.loops.len()).filter(|l| group.reduced[*l]));
        group.nodes.iter().all(|node| {
            let own = set(group.maps[node].iter().copied().flatten());
            let kept = long & !reduced & !own == 0;
            let (all, none) = (long & !own == 0, own & reduced == 0);
            let rank = group.unrolled.is_none_or(|_| self.graph.shape(*node).len() == 4);
            kept && (all || none) && rank && self.reads_itself_alike(group, *node)
        })
    }

    /// What the node reads inside the group, it reads at its own point of the loops.
    fn reads_itself_alike(&self, group: &Group, node: Value) -> bool {
        let memory = needs_memory(&self.graph.node(node).op);
        // Most nodes read nothing inside.
        let mine = OnceCell::new();
        self.operands[node.index()].iter().all(|base| {
            if group.unrolled.is_some() && matches!(self.graph.node(base.value).op, Op::Random(_)) {
                return false;
            }
            match group.maps.get(&base.value) {
                None => true,
                Some(_) if memory || !base.is_whole() => false,
                Some(map) => base.axes.iter().zip(map).all(|(from, l)| match (from.axis, l) {
                    (_, None) => true,
                    (Some(axis), Some(l)) => {
                        mine.get_or_init(|| group.operand_axes(self.graph, node))[axis] == Some(*l)
                    }
                    (None, Some(_)) => false,
                }),
            }
        })
    }

    /// A reduction over the outermost loop runs as few chunks: elements that must be stored stay in a kernel of their own.
    pub(super) fn is_worth(&self, group: &Group) -> bool {
        if !group.reduces() {
            return true;
        }
        let inside: BTreeSet<Value> = group.nodes.iter().copied().collect();
        let mut stored = group.nodes.iter().filter(|&&node| group.is_element(node)).filter(|node| {
            let read_outside = || self.readers(**node).any(|reader| !inside.contains(&reader));
            self.class(**node) != Class::Reduce && (self.hard.contains(node) || read_outside())
        });
        let outermost_reduced = group.nodes.iter().any(|&node| match &self.graph.node(node).op {
            Op::Reduce(_, over) => over.contains(&0) && !self.graph.shape(self.graph.node(node).inputs[0])[0].is(1),
            _ => false,
        });
        !outermost_reduced || stored.next().is_none()
    }
}

/// A set of loops, a bit each.
fn set(loops: impl Iterator<Item = usize>) -> u128 {
    loops.fold(0, |set, l| set | 1u128.checked_shl(l as u32).unwrap_or(0))
}
