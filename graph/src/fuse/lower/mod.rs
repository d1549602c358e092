//! From groups to launches over buffers.

use std::collections::{BTreeMap, BTreeSet};

use super::group::{Group, groups};
use super::layout::{Layouts, ValueLayout, layouts};
use super::prepare::{prepare, roles};
use super::rederive::rederive;
use super::stage::{StageBuilder, reduction};
use super::view::{base_of, strip_reshapes};
use super::{Class, class, states, sums};
use crate::diagnostic::Loc;
use crate::grad::NoRule;
use crate::graph::{Border, Graph, Op, Role, Strided, Value};
use crate::net::ForTarget;
use crate::program::{Access, Buffer, Family, Index, Launch, Level, PANEL, Place, Target, Task};
use crate::scalar::Literal;
use crate::size::Size;
use rustc_hash::FxHashMap;

/// Kernels over buffers whose arena places are still open.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernels {
    /// Arguments, parameters, results, gradients, activations.
    pub buffers: Vec<Buffer>,
    /// In the order in which they run.
    pub launches: Vec<Launch>,
    /// For each launch, the place in the source of what it stands for.
    pub places: Vec<Loc>,
    /// The graph that the launches were made of, for reports.
    pub graph: Graph,
    /// What runs, in order: the launches, bodies of loops inside.
    pub schedule: Vec<Task>,
}

/// Fuses and lowers an optimised graph over parameters that lie as a target has them, of a function of which some arguments and results may be strided.
///
/// # Errors
///
/// What the graph does not say that kernels must know: a mistake of castnet.
pub fn lower(graph: &Graph, lies: &ForTarget, strided: &Strided) -> Result<Kernels, String> {
    if let Some(node) = graph.first(&|op| op.primitive().decomposition.is_some()) {
        let NoRule { op, origin } = NoRule::of(node);
        return Err(format!("{op} of `{}` is left, which has no kernel and is to be decomposed before", origin.name));
    }
    lower_at(graph, lies, 0, &Border { strided: strided.clone(), ..Border::default() })
}

/// The groups, after a second look at what would lie between them, and at the order of sums.
fn grouped(graph: Graph) -> (Graph, Vec<Group>) {
    let first = groups(&graph);
    let looks = [rederive, sums::in_order];
    let (graph, grouped) = looks.iter().fold((graph, first), |(graph, grouped), look| match look(&graph, &grouped) {
        None => (graph, grouped),
        Some(graph) => {
            let grouped = groups(&graph);
            (graph, grouped)
        }
    });
    (graph, grouped.groups)
}

/// The same for a graph that is the body of the innermost of `depth` loops, whose arguments and results lie as `border` says.
pub(crate) fn lower_at(graph: &Graph, lies: &ForTarget, depth: usize, border: &Border) -> Result<Kernels, String> {
    let (graph, groups) = grouped(prepare(graph, lies, border));
    let layouts = layouts(&graph, &groups, lies, border);
    let mut lower = Lower {
        graph: &graph,
        groups: &groups,
        layouts,
        lies,
        depth,
        loop_states: FxHashMap::default(),
        out: Kernels { buffers: vec![], launches: vec![], places: vec![], graph: Graph::default(), schedule: vec![] },
        roles: roles(&graph).into_iter().collect(),
        group_of: FxHashMap::default(),
        readers: readers(&graph),
        parts: super::parts(&graph).map(|(part, whole, place)| (part, (whole, place))).collect(),
        buffer_of: FxHashMap::default(),
        state_buffers: FxHashMap::default(),
        current: 0,
        loads: Loads::default(),
        stores: vec![],
        rows: BTreeMap::new(),
        loops: vec![],
        position: vec![],
        broken: None,
    };
    for (id, group) in groups.iter().enumerate() {
        lower.group_of.extend(group.nodes.iter().map(|&n| (n, id)));
    }
    for group in &groups {
        if let Op::Repeat(repeat) = &graph.node(group.nodes[0]).op {
            lower.place_states(group.nodes[0], repeat);
        }
    }
    for (id, group) in groups.iter().enumerate() {
        lower.current = id;
        let node = group.tile.unwrap_or(group.nodes[0]);
        match &graph.node(node).op {
            Op::Repeat(repeat) => lower.region(node, repeat)?,
            _ => {
                let launch = lower.launch(id)?;
                lower.push(launch, graph.node(node).origin.loc);
            }
        }
    }
    if let Some(what) = lower.broken {
        return Err(what);
    }
    let mut out = lower.out;
    states::assign_after_reads(&mut out);
    out.graph = graph;
    Ok(out)
}

/// For each node in memory, the computed nodes that read it, through any view.
fn readers(graph: &Graph) -> Vec<Vec<Value>> {
    let mut readers = vec![vec![]; graph.nodes.len()];
    for (index, node) in graph.nodes.iter().enumerate() {
        let reader = Value(index as u32);
        if matches!(class(graph, reader), Class::View | Class::Free | Class::Leaf) {
            continue;
        }
        for &operand in &node.inputs {
            readers[strip_reshapes(graph, base_of(graph, operand)).index()].push(reader);
        }
    }
    readers
}

/// What a launch reads, each access once.
#[derive(Default)]
struct Loads {
    list: Vec<Access>,
    /// The numbers of those with a buffer and an index: a window may have a thousand.
    known: FxHashMap<(usize, Vec<Index>), Vec<usize>>,
}

impl Loads {
    fn add(&mut self, access: Access) -> usize {
        let alike = self.known.entry((access.buffer, access.index.clone())).or_default();
        if let Some(&number) = alike.iter().find(|&&number| self.list[number] == access) {
            return number;
        }
        alike.push(self.list.len());
        self.list.push(access);
        self.list.len() - 1
    }
}

/// The state of lowering; the fields from `current` on are those of the launch at hand.
pub(crate) struct Lower<'g> {
    pub graph: &'g Graph,
    pub groups: &'g [Group],
    pub layouts: Layouts,
    /// How parameters lie.
    pub lies: &'g ForTarget,
    /// How many loops this is in.
    pub depth: usize,
    /// Where the states of loops lie.
    pub loop_states: FxHashMap<Value, Vec<super::region::State>>,
    pub out: Kernels,
    pub roles: FxHashMap<Value, Role>,
    group_of: FxHashMap<Value, usize>,
    /// For each node in memory, the computed nodes that read it.
    pub(crate) readers: Vec<Vec<Value>>,
    /// Of what is joined: whole, and where along which axis a part begins.
    parts: FxHashMap<Value, (Value, (usize, Size))>,
    buffer_of: FxHashMap<Value, usize>,
    /// What reads a state and what assigns it share one buffer.
    state_buffers: FxHashMap<usize, usize>,
    current: usize,
    loads: Loads,
    stores: Vec<Access>,
    /// Row values of this kernel.
    rows: BTreeMap<Value, usize>,
    /// Loop dims of the launch: space, then reduction.
    loops: Vec<Size>,
    /// For each loop of the group, its dim in the launch.
    position: Vec<usize>,
    /// What no access could be made of; found where there is nobody to tell.
    broken: Option<String>,
}

impl<'g> Lower<'g> {
    pub fn group(&self) -> &'g Group {
        &self.groups[self.current]
    }

    /// Whether the node is computed by the kernel at hand.
    pub fn inside(&self, value: Value) -> bool {
        self.group_of.get(&value) == Some(&self.current)
    }

    pub fn unrolled(&self) -> bool {
        self.group().unrolled.is_some()
    }

    /// The size of a loop dim.
    pub fn loop_size(&self, dim: usize) -> &Size {
        &self.loops[dim]
    }

    pub fn loop_count(&self) -> usize {
        self.loops.len()
    }

    /// The row value that holds the node, where it is not computed in place: reductions everywhere, row nodes seen from elements.
    pub fn row_slot(&self, value: Value, level: Level) -> Option<usize> {
        let reduce = class(self.graph, value) == Class::Reduce;
        (reduce || level == Level::Element).then(|| self.rows.get(&value).copied()).flatten()
    }

    /// The number of an access among the loads.
    pub fn load(&mut self, access: Access) -> usize {
        self.loads.add(access)
    }

    /// The element of a node in memory (or of a reshape of one) at an index.
    pub fn access(&mut self, value: Value, index: &[Index], outside: Option<Literal>) -> Access {
        if let Some((whole, (axis, begin))) = self.parts.get(&value).cloned() {
            let mut index = index.to_vec();
            index[axis] = index[axis].clone().plus(&begin);
            return self.access(whole, &index, outside);
        }
        let memory = strip_reshapes(self.graph, value);
        let buffer = self.buffer(memory);
        let shape = self.graph.shape(value);
        let layout = match memory == value {
            true => self.layouts.values.get(&value).cloned(),
            false => None,
        };
        let (dims, index) = match layout.unwrap_or_else(|| ValueLayout::plain(shape.len())) {
            ValueLayout::Order(order) => {
                (order.iter().map(|&a| shape[a].clone()).collect(), order.iter().map(|&a| index[a].clone()).collect())
            }
            ValueLayout::Strided(strides) => {
                let access = Access::strided(buffer, shape.to_vec(), strides, index.to_vec());
                return Access { outside, ..access };
            }
            ValueLayout::Panels(order) => panel_access(shape, index, &order).unwrap_or_else(|what| {
                self.broken.get_or_insert(what);
                (vec![], vec![])
            }),
        };
        Access { outside, ..Access::new(buffer, dims, index) }
    }

    /// The buffer of a node.
    pub fn buffer(&mut self, value: Value) -> usize {
        if let Some(&known) = self.buffer_of.get(&value) {
            return known;
        }
        let node = self.graph.node(value);
        let place = match (&node.op, self.roles.get(&value)) {
            (Op::Input(number), _) => Place::Argument(*number),
            (Op::Parameter(number) | Op::RoundParameter { first: number, .. }, _) => Place::Parameter(*number),
            (Op::Mirror { first, .. }, _) => Place::Mirror(*first),
            (_, Some(Role::Result(number))) => Place::Result(*number),
            (_, Some(Role::Gradient(number) | Role::RoundGradient { first: number, .. })) => Place::Gradient(*number),
            (Op::State(number) | Op::RoundState { first: number, .. }, _) => Place::State(*number),
            (_, Some(Role::State(number) | Role::RoundState { first: number, .. })) => Place::State(*number),
            (_, Some(Role::Check(word))) => Place::Check(*word),
            (_, None) => Place::open(),
        };
        if let Place::State(number) = place
            && let Some(&known) = self.state_buffers.get(&number)
        {
            self.buffer_of.insert(value, known);
            return known;
        }
        let dtype = node.ty.dtype;
        let plain = ValueLayout::plain(node.ty.rank());
        let size = self.layouts.values.get(&value).unwrap_or(&plain).elements(&node.ty.shape).unwrap_or_else(|what| {
            self.broken.get_or_insert(what);
            Size::default()
        });
        let name = node.origin.name.to_string();
        let strides = match (&node.op, self.roles.get(&value)) {
            (Op::RoundParameter { steps, .. } | Op::Mirror { steps, .. } | Op::RoundState { steps, .. }, _)
            | (_, Some(Role::RoundGradient { steps, .. } | Role::RoundState { steps, .. })) => {
                steps.iter().map(|step| Size::constant(*step as i64)).collect()
            }
            _ => vec![],
        };
        let state = if let Place::State(number) = place { Some(number) } else { None };
        let buffer = self.add_buffer(Buffer { strides, ..Buffer::new(name, dtype, size, place) }, None);
        self.state_buffers.extend(state.map(|number| (number, buffer)));
        self.buffer_of.insert(value, buffer);
        buffer
    }

    /// A new buffer, a part of another one if so.
    pub fn add_buffer(&mut self, buffer: Buffer, part_of: Option<usize>) -> usize {
        self.out.buffers.push(Buffer { part_of, ..buffer });
        self.out.buffers.len() - 1
    }

    /// Appends a launch to the schedule.
    pub fn push(&mut self, launch: Launch, place: Loc) {
        self.out.schedule.push(Task::launch(self.out.launches.len()));
        self.out.launches.push(launch);
        self.out.places.push(place);
    }

    /// Says where a value lies.
    pub fn set_buffer(&mut self, value: Value, buffer: usize) {
        self.buffer_of.insert(value, buffer);
    }

    /// The nodes of the group that others read, or that are results.
    fn stored(&self) -> Vec<Value> {
        let read_outside = |v: &Value| self.readers[v.index()].iter().any(|reader| !self.inside(*reader));
        self.group().nodes.iter().copied().filter(|v| read_outside(v) || self.roles.contains_key(v)).collect()
    }

    fn launch(&mut self, id: usize) -> Result<Launch, String> {
        self.current = id;
        self.loads = Loads::default();
        self.stores.clear();
        self.rows.clear();
        let group = self.group();
        let order = self.layouts.orders[id].clone();
        let stored = self.stored();
        if let Some(tile) = group.tile {
            return self.tile_launch(tile, &stored);
        }
        match &self.graph.node(group.nodes[0]).op {
            Op::Scatter { axis } => return Ok(self.scatter_launch(group.nodes[0], *axis)),
            Op::Routine(call) => return Ok(self.routine_launch(group.nodes[0], call)),
            _ => {}
        }
        let (space, reduce): (Vec<usize>, Vec<usize>) = order.iter().partition(|&&l| !group.reduced[l]);
        let family = match order.last() {
            _ if reduce.is_empty() => Family::Flat,
            Some(&last) if group.reduced[last] => Family::Row,
            _ => Family::Column,
        };
        self.set_loops(&space, &reduce);
        let stages = match reduce.is_empty() {
            true => {
                let mut stage = StageBuilder::new(self, Level::Element);
                for &node in &stored {
                    stage.store(node);
                }
                stage.finish().into_iter().collect()
            }
            false => self.reduction_stages(&stored),
        };
        let sizes = |loops: &[Size]| loops.to_vec();
        Ok(Launch {
            name: self.name(),
            loc: id as u32,
            space: sizes(&self.loops[..space.len()]),
            reduce: sizes(&self.loops[space.len()..]),
            family,
            loads: std::mem::take(&mut self.loads).list,
            stores: std::mem::take(&mut self.stores),
            stages,
            updates: None,
        })
    }

    /// Fixes the dims of the launch: loops of the group, outermost first.
    pub fn set_loops(&mut self, space: &[usize], reduce: &[usize]) {
        let group = self.group();
        self.position = vec![0; group.loops.len()];
        self.loops.clear();
        for (dim, &l) in space.iter().chain(reduce).enumerate() {
            self.position[l] = dim;
            self.loops.push(group.loops[l].clone());
        }
        if let Some(window) = group.unrolled {
            for (axis, l) in self.image_loops() {
                if let Some(size) = self.loops[self.position[l]].div_exact(&window.kernel[axis].into()) {
                    self.loops[self.position[l]] = size;
                }
            }
        }
    }

    /// The loops along height (0) and width (1) of an unrolled group.
    fn image_loops(&self) -> Vec<(usize, usize)> {
        let group = self.group();
        let map = &group.maps[&group.nodes[0]];
        (0..2).filter_map(|axis| map[2 + axis].map(|l| (axis, l))).collect()
    }

    /// The index along each axis of a node of the group; `tap`: which element of its window, in an unrolled group.
    pub fn coordinates(&self, node: Value, tap: [i64; 2]) -> Vec<Index> {
        let group = self.group();
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

    /// Elements and rows in turn: what depends on a reduction comes after it.
    fn reduction_stages(&mut self, stored: &[Value]) -> Vec<crate::program::Stage> {
        let group = self.group();
        let depths = Depths::new(self.graph, group);
        let reductions: Vec<Value> =
            group.nodes.iter().copied().filter(|&n| class(self.graph, n) == Class::Reduce).collect();
        let exports = depths.exports(self.graph, group);
        for &row in reductions.iter().chain(&exports) {
            let slot = self.rows.len();
            self.rows.insert(row, slot);
        }
        let last = depths.of.values().copied().max().unwrap_or(0);
        let mut stages = vec![];
        for depth in 0..=last {
            let at = |n: &&Value| depths.of[*n] == depth;
            let mut row = StageBuilder::new(self, Level::Row);
            for &node in exports.iter().filter(at) {
                row.export(node);
            }
            for &node in stored.iter().filter(at).filter(|n| !group.is_element(**n)) {
                row.store(node);
            }
            stages.extend(row.finish());
            let mut element = StageBuilder::new(self, Level::Element);
            for &node in reductions.iter().filter(|n| depths.of[*n] == depth + 1) {
                element.reduce(node);
            }
            for &node in stored.iter().filter(at).filter(|n| group.is_element(**n)) {
                element.store(node);
            }
            stages.extend(element.finish());
        }
        stages
    }

    /// `conv1 + tanh`: what the kernel computes, in order, each name once.
    pub fn name(&self) -> String {
        let mut names: Vec<&str> = vec![];
        for node in &self.group().nodes {
            let name = &*self.graph.node(*node).origin.name;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.join(" + ")
    }

    pub fn take_accesses(&mut self) -> (Vec<Access>, Vec<Access>) {
        (std::mem::take(&mut self.loads).list, std::mem::take(&mut self.stores))
    }

    pub fn add_store(&mut self, access: Access) -> usize {
        self.stores.push(access);
        self.stores.len() - 1
    }
}

/// `[⌈j/32⌉][k..][32]`.
pub(crate) fn panel_access(
    shape: &[Size],
    index: &[Index],
    order: &[usize],
) -> Result<(Vec<Size>, Vec<Index>), String> {
    let columns = shape[0].as_const().ok_or_else(|| format!("panels of {} columns: no number", shape[0]))?;
    let mut dims = vec![Size::constant((columns + PANEL - 1) / PANEL)];
    let mut out = vec![Index { divide: PANEL, ..index[0].clone() }];
    for &axis in order {
        dims.push(shape[axis].clone());
        out.push(index[axis].clone());
    }
    dims.push(Size::constant(PANEL));
    out.push(Index { modulo: PANEL, ..index[0].clone() });
    Ok((dims, out))
}

impl StageBuilder<'_, '_> {
    /// Stores a node of the group where it lies: at each tap, if the loops run over windows.
    pub fn store(&mut self, node: Value) {
        let taps: Vec<[i64; 2]> = self.lower_ref().group().unrolled.map_or(vec![[0, 0]], |w| w.taps().collect());
        for tap in taps {
            let coordinates = self.lower_ref().coordinates(node, tap);
            let access = self.lower_mut().access(node, &coordinates, None);
            let number = self.lower_mut().add_store(access);
            self.output(node, &coordinates, Target::Store(number));
        }
    }

    fn export(&mut self, node: Value) {
        let coordinates = self.lower_ref().coordinates(node, [0, 0]);
        let slot = self.lower_ref().rows[&node];
        self.output(node, &coordinates, Target::Row(slot));
    }

    fn reduce(&mut self, node: Value) {
        let lower = self.lower_ref();
        let index = |l: Option<usize>| l.map_or_else(Index::zero, |l| Index::of(lower.position[l]));
        let axes = lower.group().operand_axes(lower.graph, node);
        let coordinates: Vec<Index> = axes.into_iter().map(index).collect();
        let (f, slot) = (reduction(&lower.graph.node(node).op), lower.rows[&node]);
        self.operand(node, &coordinates, Target::Reduce(f, slot));
    }
}

/// After how many reductions in a row each node of a group can be computed.
struct Depths {
    of: FxHashMap<Value, usize>,
}

impl Depths {
    fn new(graph: &Graph, group: &Group) -> Depths {
        let mut of: FxHashMap<Value, usize> = FxHashMap::default();
        for &node in &group.nodes {
            let operands = graph.node(node).inputs.iter().map(|&v| base_of(graph, v));
            let below = operands.filter_map(|v| of.get(&v).copied()).max().unwrap_or(0);
            let own = usize::from(class(graph, node) == Class::Reduce);
            of.insert(node, below + own);
        }
        Depths { of }
    }

    /// Row nodes (no reductions) that elements read.
    fn exports(&self, graph: &Graph, group: &Group) -> Vec<Value> {
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
