//! What a kernel reads that another one would have to store, though it follows by a few cheap steps from what lies in memory anyway: it is
//! made again where it is read, and not stored (`x - mean` in each pass of a norm).
//!
//! A value is cheap if arithmetic alone makes it (no exponential, no root), in at most [`STEPS`] steps, from at most one value of its own
//! size; the others are smaller.

use rustc_hash::{FxHashMap, FxHashSet};

use super::group::Grouped;
use super::view::{is_barrier, strip_reshapes, trace};
use super::{Class, class, needs_memory};
use crate::graph::{Graph, Op, Output, Value};
use crate::optimise::without_dead_code;
use crate::recompute::SIZE;
use crate::scalar::{Binary, Lane};

/// The most steps that are taken again.
const STEPS: usize = 8;

/// The graph whose kernels make cheap values themselves; `None` if that changes nothing.
pub(crate) fn rederive(graph: &Graph, grouped: &Grouped) -> Option<Graph> {
    let mut rederive = Rederive::new(graph, grouped);
    rederive.find();
    if rederive.cheap.is_empty() {
        return None;
    }
    for (index, node) in graph.nodes.iter().enumerate() {
        let value = Value(index as u32);
        let group = rederive.group_of.get(&value).copied().filter(|_| !needs_memory(&node.op));
        let inputs = node.inputs.iter().map(|&v| rederive.operand(v, group)).collect();
        let new = rederive.out.push(node.op.clone(), inputs, node.ty.clone(), node.origin.clone());
        rederive.map.push(new);
    }
    let output = |o: &Output| Output { value: rederive.map[o.value.index()], ..o.clone() };
    rederive.out.outputs = graph.outputs.iter().map(output).collect();
    Some(without_dead_code(&rederive.out))
}

struct Rederive<'g> {
    graph: &'g Graph,
    grouped: &'g Grouped,
    group_of: FxHashMap<Value, usize>,
    /// What a kernel reads of another one.
    stored: FxHashSet<Value>,
    /// Stored values that need not be.
    cheap: FxHashSet<Value>,
    out: Graph,
    map: Vec<Value>,
    /// What each group has made again.
    again: FxHashMap<(Value, usize), Value>,
}

/// What a value follows from.
#[derive(Default)]
struct Recipe {
    steps: usize,
    leaves: FxHashSet<Value>,
}

impl<'g> Rederive<'g> {
    fn new(graph: &'g Graph, grouped: &'g Grouped) -> Rederive<'g> {
        let mut group_of = FxHashMap::default();
        for (id, group) in grouped.groups.iter().enumerate() {
            group_of.extend(group.nodes.iter().map(|&n| (n, id)));
        }
        let mut stored = FxHashSet::default();
        for (reader, values) in grouped.reads.iter().enumerate() {
            let own = group_of.get(&Value(reader as u32));
            stored.extend(values.iter().filter(|value| group_of.get(value) != own));
        }
        let out = graph.head();
        let (cheap, map, again) = (FxHashSet::default(), vec![], FxHashMap::default());
        Rederive { graph, grouped, group_of, stored, cheap, out, map, again }
    }

    fn find(&mut self) {
        self.cheap = self.stored.iter().copied().filter(|v| self.is_cheap(*v)).collect();
    }

    fn is_cheap(&self, value: Value) -> bool {
        let mut recipe = Recipe::default();
        let is_element = self.group_of.get(&value).is_some_and(|&g| self.grouped.groups[g].is_element(value));
        if !is_element || !self.is_step(value) || !self.follow(value, &mut recipe) {
            return false;
        }
        let size = |v: Value| self.graph.ty(v).len().eval(&|_| SIZE);
        let mut large = recipe.leaves.iter().filter(|leaf| 4 * size(**leaf) > size(value));
        let lies_there = |leaf: Value| {
            class(self.graph, leaf) == Class::Leaf || self.grouped.hard.contains(&leaf) || self.stored.contains(&leaf)
        };
        large.next().is_none_or(|&leaf| size(leaf) <= size(value) && lies_there(leaf)) && large.next().is_none()
    }

    /// Whether the node is one of the steps.
    fn is_step(&self, value: Value) -> bool {
        // Those that integers have, too: few instructions each, but for two.
        let arithmetic = match &self.graph.node(value).op {
            Op::Unary(f) => f.takes(Lane::I32),
            Op::Binary(f) => f.takes(Lane::I32) && !matches!(f, Binary::Rem | Binary::Pow),
            op => matches!(op, Op::Select | Op::Cast),
        };
        arithmetic && class(self.graph, value) == Class::Point && !self.grouped.hard.contains(&value)
    }

    /// Adds what the value is made of; whether that can be done.
    fn follow(&self, value: Value, recipe: &mut Recipe) -> bool {
        let node = self.graph.node(value);
        match class(self.graph, value) {
            Class::Free => !matches!(node.op, Op::Random(_)),
            Class::View if !is_barrier(self.graph, value) => self.follow(node.inputs[0], recipe),
            _ if self.is_step(value) => {
                recipe.steps += 1;
                recipe.steps <= STEPS && node.inputs.iter().all(|v| self.follow(*v, recipe))
            }
            _ => {
                recipe.leaves.insert(strip_reshapes(self.graph, value));
                true
            }
        }
    }

    /// An operand as a group reads it.
    fn operand(&mut self, value: Value, group: Option<usize>) -> Value {
        let Some(group) = group else { return self.map[value.index()] };
        let base = trace(self.graph, value).value;
        match self.cheap.contains(&base) && self.group_of.get(&base) != Some(&group) {
            true => self.made_again(value, group),
            false => self.map[value.index()],
        }
    }

    fn made_again(&mut self, value: Value, group: usize) -> Value {
        let node = self.graph.node(value);
        let is_view = class(self.graph, value) == Class::View && !is_barrier(self.graph, value);
        let is_own = self.group_of.get(&value) == Some(&group);
        if is_own || !is_view && !self.is_step(value) {
            return self.map[value.index()];
        }
        if let Some(&known) = self.again.get(&(value, group)) {
            return known;
        }
        let inputs = node.inputs.iter().enumerate().map(|(i, &v)| match i > 0 && node.op == Op::After {
            true => self.map[v.index()],
            false => self.made_again(v, group),
        });
        let inputs = inputs.collect();
        let new = self.out.push(node.op.clone(), inputs, node.ty.clone(), node.origin.clone());
        self.again.insert((value, group), new);
        new
    }
}
