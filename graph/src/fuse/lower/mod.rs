//! From groups to launches over buffers.

mod buffers;
mod depths;
mod launch;
mod loads;
mod nest;

use super::group::{Group, groups};
use super::layout::{Layouts, layouts};
use super::prepare::{prepare, roles};
use super::rederive::rederive;
use super::view::{base_of, strip_reshapes};
use super::{Class, class, states, sums};
use crate::diagnostic::Loc;
use crate::grad::NoRule;
use crate::graph::{Border, Graph, Op, Role, StridedOperands, Value};
use crate::net::ForTarget;
use crate::program::{Buffer, Launch, Task};
use crate::size::Size;
use rustc_hash::FxHashMap;

pub(crate) use buffers::panel_access;
pub(crate) use launch::LaunchBuilder;
pub(crate) use nest::Nest;

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
pub fn lower(graph: &Graph, lies: &ForTarget, strided: &StridedOperands) -> Result<Kernels, String> {
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
    let mut lower = Lower::new(&graph, &groups, layouts, lies, depth);
    for group in &groups {
        if let Op::Repeat(repeat) = &graph.node(group.nodes[0]).op {
            lower.place_states(group.nodes[0], repeat);
        }
    }
    for (id, group) in groups.iter().enumerate() {
        let node = group.tile.unwrap_or(group.nodes[0]);
        match &graph.node(node).op {
            Op::Repeat(repeat) => lower.region(node, repeat)?,
            _ => {
                let launch = lower.launch(id, group)?;
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

/// The kernels of a graph so far, with what is known of all of it.
pub(crate) struct Lower<'g> {
    pub graph: &'g Graph,
    pub layouts: Layouts,
    /// How parameters lie.
    pub lies: &'g ForTarget,
    /// How many loops this is in.
    pub depth: usize,
    /// Where the states of loops lie.
    pub loop_states: FxHashMap<Value, Vec<super::region::LoopState>>,
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
    /// What no access could be made of; found where there is nobody to tell.
    broken: Option<String>,
}

impl<'g> Lower<'g> {
    fn new(graph: &'g Graph, groups: &[Group], layouts: Layouts, lies: &'g ForTarget, depth: usize) -> Lower<'g> {
        let mut group_of = FxHashMap::default();
        for (id, group) in groups.iter().enumerate() {
            group_of.extend(group.nodes.iter().map(|&n| (n, id)));
        }
        Lower {
            graph,
            layouts,
            lies,
            depth,
            loop_states: FxHashMap::default(),
            out: Kernels {
                buffers: vec![],
                launches: vec![],
                places: vec![],
                graph: Graph::default(),
                schedule: vec![],
            },
            roles: roles(graph).into_iter().collect(),
            group_of,
            readers: readers(graph),
            parts: super::parts(graph).map(|(part, whole, place)| (part, (whole, place))).collect(),
            buffer_of: FxHashMap::default(),
            state_buffers: FxHashMap::default(),
            broken: None,
        }
    }

    /// The nodes of a group that others read, or that are results.
    fn stored(&self, id: usize, group: &Group) -> Vec<Value> {
        let inside = |reader: &Value| self.group_of.get(reader) == Some(&id);
        let read_outside = |v: &Value| self.readers[v.index()].iter().any(|reader| !inside(reader));
        group.nodes.iter().copied().filter(|v| read_outside(v) || self.roles.contains_key(v)).collect()
    }

    /// `conv1 + tanh`: what the kernel of a group computes, in order, each name once.
    pub fn name(&self, group: &Group) -> String {
        let mut names: Vec<&str> = vec![];
        for node in &group.nodes {
            let name = &*self.graph.node(*node).origin.name;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.join(" + ")
    }
}
