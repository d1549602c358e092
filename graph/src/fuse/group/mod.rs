//! Groups of nodes that become one kernel each.
//!
//! Every computed node starts as a group of its own; along each edge from a producer to a consumer the two groups are merged if
//!
//! - their iteration spaces are one: every loop of the producer is a loop of the consumer, or both reduce over the same loops;
//! - no path leaves the merged group and comes back;
//! - at most one tile is inside, and then nothing is reduced;
//! - it has no more nodes than a kernel may hold of a block of elements.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::view::{Base, trace, waits_for};
use super::{Class, class, cost, needs_memory};
use crate::graph::{Graph, Op, Value, Window};
use crate::size::Size;
use rustc_hash::FxHashMap;

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
    let mut grouping = Grouping::new(graph);
    let all = || (0..graph.nodes.len()).map(|i| Value(i as u32));
    let readers = grouping.reader_counts();
    // What a tile flows into, as long as nothing else wants it; and what the gradient of a pool flows into, if all of it is pointwise.
    grouping.pass(all(), |g, producer, consumer| {
        let Some((_, group)) = g.group(producer) else { return false };
        let is_point = |reader: Value| match graph.widened(reader).is_some() {
            // Each makes it wide for itself.
            true => g.readers(reader).all(|reader| g.class(reader) == Class::Point),
            false => g.class(reader) == Class::Point,
        };
        let pointwise = || g.readers(producer).all(is_point);
        is_point(consumer)
            && (group.tile.is_some() && readers[producer.index()] == 1
                || group.unrolled.is_some() && !g.hard.contains(&producer) && pointwise())
    });
    // What follows from reductions.
    grouping.pass(all(), |g, producer, _| g.group(producer).is_some_and(|(_, g)| g.reduces()));
    // Everything else, consumers first: a chain hangs together from its end.
    grouping.pass(all().rev(), |_, _, _| true);
    grouping.finish()
}

struct Grouping<'g> {
    graph: &'g Graph,
    /// The group of each computed node.
    of: Vec<Option<usize>>,
    groups: Vec<Option<Group>>,
    /// An order in which the groups may run; what was merged into another one stands in it without meaning.
    order: Vec<usize>,
    /// Where each group stands in it.
    place: Vec<usize>,
    classes: Vec<Class>,
    /// For each computed node, what its operands are views of.
    operands: Vec<Vec<Base>>,
    /// Computed nodes whose value a node reads, through any view.
    reads: Vec<Vec<Value>>,
    /// The other way round.
    read_by: Vec<Vec<Value>>,
    /// Computed nodes that wait for this one without reading it.
    awaited_by: Vec<Vec<Value>>,
    /// Values that must lie in memory: results, and operands of what reads memory.
    hard: BTreeSet<Value>,
}

impl<'g> Grouping<'g> {
    fn new(graph: &'g Graph) -> Grouping<'g> {
        let classes: Vec<Class> = (0..graph.nodes.len()).map(|i| class(graph, Value(i as u32))).collect();
        let computed = |v: Value| classes[v.index()].is_computed();
        let mut operands = vec![vec![]; graph.nodes.len()];
        let mut hard: BTreeSet<Value> = super::prepare::roles(graph).into_iter().map(|(v, _)| v).collect();
        let joined = graph.nodes.iter().filter(|node| matches!(node.op, Op::Cat(_)));
        hard.extend(joined.flat_map(|node| &node.inputs));
        let mut reads = vec![vec![]; graph.nodes.len()];
        let mut awaited_by = vec![vec![]; graph.nodes.len()];
        for (index, node) in graph.nodes.iter().enumerate() {
            if !computed(Value(index as u32)) {
                continue;
            }
            for &operand in &node.inputs {
                waits_for(graph, operand).iter().for_each(|v| awaited_by[v.index()].push(Value(index as u32)));
                let seen = trace(graph, operand);
                let base = seen.value;
                operands[index].push(seen);
                let memory = super::view::strip_reshapes(graph, base);
                if matches!(graph.node(memory).op, Op::Get(_)) {
                    reads[index].push(graph.node(memory).inputs[0]);
                }
                if classes[memory.index()] == Class::Joined {
                    reads[index].extend(&graph.node(memory).inputs);
                }
                if computed(memory) {
                    reads[index].push(memory);
                    if memory != base || needs_memory(&node.op) {
                        hard.insert(memory);
                    }
                }
            }
        }
        // Loops over the same states run in the order in which they were written, as if the later one read what the earlier one makes.
        let mut touched: FxHashMap<usize, Value> = FxHashMap::default();
        for (index, node) in graph.nodes.iter().enumerate() {
            let Op::Repeat(repeat) = &node.op else { continue };
            for state in repeat.states_of_net() {
                let earlier = touched.insert(state, Value(index as u32));
                reads[index].extend(earlier.filter(|e| e.index() != index));
            }
        }
        let mut read_by = vec![vec![]; graph.nodes.len()];
        for (index, values) in reads.iter().enumerate() {
            values.iter().for_each(|v| read_by[v.index()].push(Value(index as u32)));
        }
        let all = (0..graph.nodes.len()).map(|i| Value(i as u32));
        let alone: Vec<Value> = all.filter(|v| computed(*v)).collect();
        let of = vec![None; graph.nodes.len()];
        let (groups, order, place) = (vec![], vec![], vec![]);
        let mut grouping =
            Grouping { graph, of, groups, order, place, classes, operands, reads, read_by, awaited_by, hard };
        for value in alone {
            grouping.of[value.index()] = Some(grouping.groups.len());
            let group = grouping.single(value);
            grouping.groups.push(Some(group));
        }
        // Operands come first.
        grouping.order = (0..grouping.groups.len()).collect();
        grouping.place = grouping.order.clone();
        grouping
    }

    fn class(&self, value: Value) -> Class {
        self.classes[value.index()]
    }

    /// The nodes that read a value.
    fn readers(&self, value: Value) -> impl Iterator<Item = Value> + '_ {
        self.read_by[value.index()].iter().copied()
    }

    /// The nodes that come after a value: that read it or wait for it.
    fn followers(&self, value: Value) -> impl Iterator<Item = Value> + '_ {
        self.readers(value).chain(self.awaited_by[value.index()].iter().copied())
    }

    /// How many nodes and results read each value.
    fn reader_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.graph.nodes.len()];
        let roles = super::prepare::roles(self.graph).into_iter().map(|(v, _)| v);
        self.reads.iter().flatten().copied().chain(roles).for_each(|v| counts[v.index()] += 1);
        counts
    }

    /// Tries each edge between two groups that `wanted` says.
    fn pass(&mut self, consumers: impl Iterator<Item = Value>, wanted: impl Fn(&Self, Value, Value) -> bool) {
        for consumer in consumers {
            if self.of[consumer.index()].is_none() || needs_memory(&self.graph.node(consumer).op) {
                continue;
            }
            // Of two tiles whose sum one kernel could end with, the last: it is made later, when the other one's operands are free.
            for operand in (0..self.operands[consumer.index()].len()).rev() {
                let base = self.operands[consumer.index()][operand].value;
                if self.of[base.index()].is_some() && wanted(self, base, consumer) {
                    self.try_merge(base, consumer);
                }
            }
        }
    }

    fn single(&self, value: Value) -> Group {
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

    fn group(&self, node: Value) -> Option<(usize, &Group)> {
        let id = self.of[node.index()]?;
        self.groups[id].as_ref().map(|g| (id, g))
    }

    fn try_merge(&mut self, producer: Value, consumer: Value) {
        let (Some((p, pg)), Some((c, cg))) = (self.group(producer), self.group(consumer)) else { return };
        if p == c || pg.nodes.len() + cg.nodes.len() > MOST {
            return;
        }
        let Some(merged) = self.merged(pg, cg, producer, consumer) else { return };
        if !self.is_worth(&merged) || self.reads_memory_of(c, p) {
            return;
        }
        let is_stored = |node: Value| {
            self.hard.contains(&node) || self.readers(node).any(|reader| !merged.maps.contains_key(&reader))
        };
        if !cost::is_worth(self.graph, &merged, &is_stored) {
            return;
        }
        let Some(between) = self.between(p, c) else { return };
        self.move_behind(p, c, &between);
        for node in &merged.nodes {
            self.of[node.index()] = Some(c);
        }
        self.groups[p] = None;
        self.groups[c] = Some(merged);
    }

    /// The two groups over the consumer's loops, if their spaces are one.
    fn merged(&self, pg: &Group, cg: &Group, producer: Value, consumer: Value) -> Option<Group> {
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
    fn is_worth(&self, group: &Group) -> bool {
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

    /// The groups between the two in the order that follow the producer's; `None` if one of them leads to the consumer's: merged, the two
    /// would wait for it and it for them.
    fn between(&self, p: usize, c: usize) -> Option<BTreeSet<usize>> {
        let end = self.place[c];
        let next = |group: usize| {
            let nodes = self.groups[group].iter().flat_map(|g| &g.nodes);
            let groups = nodes.flat_map(|n| self.followers(*n)).filter_map(|r| self.of[r.index()]);
            groups.filter(move |&g| g != group && self.place[g] <= end)
        };
        let mut seen = BTreeSet::new();
        let mut open: Vec<usize> = next(p).filter(|&s| s != c).collect();
        while let Some(group) = open.pop() {
            if group == c {
                return None;
            }
            if seen.insert(group) {
                open.extend(next(group));
            }
        }
        Some(seen)
    }

    /// Keeps the order one in which the groups may run when the producer's takes the consumer's place: what follows it comes behind (cf.
    /// Pearce & Kelly, *A Dynamic Topological Sort Algorithm for Directed Acyclic Graphs*, 2006).
    fn move_behind(&mut self, p: usize, c: usize, between: &BTreeSet<usize>) {
        let places = self.place[p]..self.place[c] + 1;
        let (behind, before): (Vec<usize>, Vec<usize>) =
            self.order[places.clone()].iter().partition(|group| between.contains(group));
        for (place, group) in places.zip(before.into_iter().chain(behind)) {
            self.order[place] = group;
            self.place[group] = place;
        }
    }

    /// Whether the consumer's group reads from memory what the producer's makes.
    fn reads_memory_of(&self, c: usize, p: usize) -> bool {
        // An operand that must lie in memory cannot be made by the kernel that reads it.
        let reads_memory = |node: &Value| needs_memory(&self.graph.node(*node).op);
        let reader = self.groups[c].iter().flat_map(|g| &g.nodes).filter(|n| reads_memory(n));
        reader.flat_map(|n| &self.reads[n.index()]).any(|v| self.of[v.index()] == Some(p))
            || self.reshaped_between(p, c)
    }

    /// Whether the consumer's group reads the producer's through a reshape that no index follows, or from where its parts are joined.
    fn reshaped_between(&self, p: usize, c: usize) -> bool {
        let nodes = self.groups[c].iter().flat_map(|g| &g.nodes);
        nodes.flat_map(|n| &self.operands[n.index()]).map(|operand| operand.value).any(|base| {
            let memory = super::view::strip_reshapes(self.graph, base);
            match self.class(memory) {
                Class::Joined => self.graph.node(memory).inputs.iter().any(|part| self.of[part.index()] == Some(p)),
                _ => base != memory && self.of[memory.index()] == Some(p),
            }
        })
    }

    fn successors(&self) -> Vec<BTreeSet<usize>> {
        let mut successors = vec![BTreeSet::new(); self.groups.len()];
        for index in 0..self.graph.nodes.len() {
            let Some(from) = self.of[index] else { continue };
            for to in self.followers(Value(index as u32)).filter_map(|v| self.of[v.index()]) {
                if from != to {
                    successors[from].insert(to);
                }
            }
        }
        successors
    }

    /// For each parameter and each state, by number, the groups that read it.
    fn readers_of_memory(&self) -> FxHashMap<(Option<usize>, Option<usize>), BTreeSet<usize>> {
        let mut readers: FxHashMap<_, BTreeSet<usize>> = FxHashMap::default();
        for index in 0..self.graph.nodes.len() {
            let Some(group) = self.of[index] else { continue };
            for operand in &self.operands[index] {
                let op = &self.graph.node(operand.value).op;
                if op.parameter().is_some() || op.state().is_some() {
                    readers.entry((op.parameter(), op.state())).or_default().insert(group);
                }
            }
        }
        readers
    }

    /// The groups in order; what updates a parameter waits for its readers where it can (gradients of a product of two parameters read
    /// each other's: then the update comes at the end of the step).
    fn finish(self) -> Grouped {
        let mut successors = self.successors();
        let readers = self.readers_of_memory();
        for (value, role) in super::prepare::roles(self.graph) {
            let Some(last) = self.of[value.index()] else { continue };
            let changed = (role.gradient(), role.state());
            for &reader in readers.get(&changed).into_iter().flatten() {
                if !leads_to(&successors, last, reader) {
                    successors[reader].insert(last);
                }
            }
        }
        let mut groups = self.groups;
        let first: Vec<Option<Value>> = groups.iter().map(|g| Some(g.as_ref()?.nodes[0])).collect();
        let order = order(&first, &successors);
        let groups = order.into_iter().filter_map(|id| groups[id].take()).collect();
        Grouped { groups, hard: self.hard, reads: self.reads }
    }
}

/// An order in which groups may run, by Kahn's algorithm, the one with the earliest first node first; those without one are left out.
pub(crate) fn order(first: &[Option<Value>], successors: &[BTreeSet<usize>]) -> Vec<usize> {
    let mut waiting = vec![0; first.len()];
    successors.iter().flatten().for_each(|&s| waiting[s] += 1);
    let key = |id: usize| first[id].map(|first| (first, id));
    let mut ready: BTreeSet<(Value, usize)> = (0..first.len()).filter(|&id| waiting[id] == 0).filter_map(key).collect();
    let mut order = vec![];
    while let Some((_, id)) = ready.pop_first() {
        order.push(id);
        for &next in &successors[id] {
            waiting[next] -= 1;
            if waiting[next] == 0 {
                ready.extend(key(next));
            }
        }
    }
    order
}

/// A set of loops, a bit each.
fn set(loops: impl Iterator<Item = usize>) -> u128 {
    loops.fold(0, |set, l| set | 1u128.checked_shl(l as u32).unwrap_or(0))
}

/// Whether a path leads from one group to another, or they are the same.
fn leads_to(successors: &[BTreeSet<usize>], from: usize, to: usize) -> bool {
    let (mut seen, mut open) = (vec![false; successors.len()], vec![from]);
    while let Some(group) = open.pop() {
        if group == to {
            return true;
        }
        if !std::mem::replace(&mut seen[group], true) {
            open.extend(&successors[group]);
        }
    }
    false
}
