//! Rebuilds a graph in its order: simplification, constant folding, common subexpressions; then dead code goes.

mod halves;
mod slices;

use std::hash::{Hash, Hasher};

use crate::graph::{Graph, Node, Op, Value};
use crate::number::{self, Number};
use crate::scalar::{Binary, Reduction, Unary};
use crate::size::Size;
use crate::types::Type;
use rustc_hash::FxHashMap;

/// The graph with every node that a result needs, each once, simplified.
pub fn optimise(graph: &Graph) -> Graph {
    simplified(graph, false)
}

/// The same of what may be differentiated again: what no gradient flows through stays known.
pub fn optimise_between_gradients(graph: &Graph) -> Graph {
    simplified(graph, true)
}

fn simplified(graph: &Graph, keeps_detached: bool) -> Graph {
    let mut rebuild = Rebuild { keeps_detached, ..Rebuild::of(graph) };
    let mut map: Vec<Value> = Vec::with_capacity(graph.nodes.len());
    let readers = readers(graph);
    for (written, readers) in graph.nodes.iter().zip(readers) {
        let mut node = written.clone();
        for input in &mut node.inputs {
            *input = map[input.index()];
        }
        if let Op::Repeat(repeat) = &mut node.op {
            repeat.body = simplified(&repeat.body, keeps_detached);
        }
        let value = rebuild.add(node);
        if let ([x], Op::Cast) = (&written.inputs[..], &written.op)
            && let Some(wide) = rebuild.exact_half(map[x.index()], value)
        {
            map[x.index()] = wide;
        }
        rebuild.readers.resize(rebuild.out.nodes.len(), 0);
        rebuild.readers[value.index()] += readers;
        map.push(value);
    }
    rebuild.out.outputs = graph.outputs.clone();
    for output in &mut rebuild.out.outputs {
        output.value = map[output.value.index()];
    }
    let collected = without_dead_code(&crate::loops::collect(&rebuild.out));
    without_dead_code(&crate::loops::simplify(&collected))
}

/// How many nodes and results read each value; slopes are read by nobody once there are gradients.
fn readers(graph: &Graph) -> Vec<usize> {
    let mut readers = vec![0; graph.nodes.len()];
    let read = graph.nodes.iter().flat_map(|node| match node.op {
        Op::WithSlope => &node.inputs[..1],
        _ => &node.inputs[..],
    });
    read.copied().chain(graph.outputs.iter().map(|o| o.value)).for_each(|v| readers[v.index()] += 1);
    readers
}

/// The graph with each value once: two calls of one function with the same operands are one, before they get a gradient each.
pub fn share(graph: &Graph) -> Graph {
    let mut rebuild = Rebuild::of(graph);
    let mut map: Vec<Value> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let inputs = node.inputs.iter().map(|v| map[v.index()]).collect();
        map.push(rebuild.intern(Node { inputs, ..node.clone() }));
    }
    rebuild.out.outputs = graph.outputs.clone();
    rebuild.out.outputs.iter_mut().for_each(|output| output.value = map[output.value.index()]);
    rebuild.out
}

/// The graph with the nodes that a result needs.
pub fn without_dead_code(graph: &Graph) -> Graph {
    let mut live = vec![false; graph.nodes.len()];
    for output in &graph.outputs {
        live[output.value.index()] = true;
    }
    for index in (0..graph.nodes.len()).rev() {
        // The gradients of a loop's parameters, and the states that it assigns, are results of its body.
        live[index] |= graph.nodes[index].op.has_effects();
        if live[index] {
            for input in &graph.nodes[index].inputs {
                live[input.index()] = true;
            }
        }
    }
    let mut out = Graph { outputs: graph.outputs.clone(), ..graph.head() };
    let mut map = vec![Value(0); graph.nodes.len()];
    for (index, node) in graph.nodes.iter().enumerate().filter(|(i, _)| live[*i]) {
        let mut node = node.clone();
        for input in &mut node.inputs {
            *input = map[input.index()];
        }
        map[index] = Value(out.nodes.len() as u32);
        out.nodes.push(node);
    }
    for output in &mut out.outputs {
        output.value = map[output.value.index()];
    }
    out
}

/// A node without its origin: two equal ones are one value.
struct Key(Op, Vec<Value>, Type);

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        let same = match (&self.0, &other.0) {
            // 0 and -0 are two numbers, as the hash says.
            (Op::Const(a), Op::Const(b)) => a.bits() == b.bits(),
            (a, b) => a == b,
        };
        same && self.1 == other.1 && self.2 == other.2
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(&self.0).hash(state);
        match &self.0 {
            Op::Const(c) => c.bits().hash(state),
            Op::Input(i) | Op::Parameter(i) | Op::State(i) | Op::Iota(i) | Op::Get(i) => i.hash(state),
            Op::RoundParameter { first, .. } | Op::Mirror { first, .. } | Op::RoundState { first, .. } => {
                first.hash(state)
            }
            Op::Unary(f) => f.hash(state),
            Op::Binary(f) => f.hash(state),
            _ => {}
        }
        self.1.hash(state);
    }
}

struct Rebuild {
    /// Whether [`Op::Detach`] stays.
    keeps_detached: bool,
    out: Graph,
    seen: FxHashMap<Key, Value>,
    /// How many nodes of the old graph read each value, of those that were made so far.
    readers: Vec<usize>,
}

impl Rebuild {
    /// Nothing yet of a graph.
    fn of(graph: &Graph) -> Rebuild {
        Rebuild { keeps_detached: false, out: graph.head(), seen: FxHashMap::default(), readers: vec![] }
    }

    fn add(&mut self, node: Node) -> Value {
        match self.simplify(&node) {
            Some(value) => value,
            None => self.intern(node),
        }
    }

    fn intern(&mut self, node: Node) -> Value {
        // A state that is assigned twice advances twice.
        if node.op.has_effects() {
            return self.out.push(node.op, node.inputs, node.ty, node.origin);
        }
        let key = Key(node.op.clone(), node.inputs.clone(), node.ty.clone());
        if let Some(&value) = self.seen.get(&key) {
            return value;
        }
        let value = self.out.push(node.op, node.inputs, node.ty, node.origin);
        self.seen.insert(key, value);
        value
    }

    /// Like `node`, but another operator.
    fn with(&mut self, node: &Node, op: Op, inputs: Vec<Value>, ty: Type) -> Value {
        self.add(Node { op, inputs, ty, origin: node.origin.clone() })
    }

    /// A constant in the node's type.
    fn constant(&mut self, node: &Node, c: impl Into<Number>) -> Value {
        let scalar = Type::new(node.ty.dtype, vec![]);
        let c = c.into().to(node.ty.dtype);
        let value = self.intern(Node { op: Op::Const(c), inputs: vec![], ty: scalar, origin: node.origin.clone() });
        match node.ty.is_scalar() {
            true => value,
            false => self.intern(Node { op: Op::Broadcast, inputs: vec![value], ..node.clone() }),
        }
    }

    /// A value that is already there (or simpler nodes) in place of the node.
    fn simplify(&mut self, node: &Node) -> Option<Value> {
        if let Some(value) = self.of_halves(node) {
            return Some(value);
        }
        let x = node.inputs.first().copied();
        let same_type = x.is_some_and(|x| *self.out.ty(x) == node.ty);
        match (&node.op, x) {
            (Op::WithSlope, Some(x)) => Some(x),
            (Op::Detach, Some(x)) => (!self.keeps_detached).then_some(x),
            (Op::Cast | Op::Broadcast | Op::Reshape, Some(x)) if same_type => Some(x),
            (Op::Cast, Some(x)) => {
                let c = self.out.as_number(x)?;
                Some(self.constant(node, c))
            }
            (Op::Broadcast | Op::Reshape, Some(x)) => {
                if let Some(c) = self.out.as_number(x) {
                    let is_form = node.op == Op::Broadcast && matches!(self.out.node(x).op, Op::Const(_));
                    return (!is_form).then(|| self.constant(node, c));
                }
                if let Some(value) = self.reshape_of_slice(node) {
                    return Some(value);
                }
                // Broadcast of a broadcast, reshape of a reshape.
                let below = self.out.node(x);
                (below.op == node.op)
                    .then(|| below.inputs[0])
                    .map(|b| self.with(node, node.op.clone(), vec![b], node.ty.clone()))
            }
            (Op::Slice { .. } | Op::Pad { .. } | Op::Cat(_), Some(_)) => self.simplify_slice(node),
            (Op::Permute(order), Some(x)) => {
                if order.iter().enumerate().all(|(i, &a)| i == a) {
                    return Some(x);
                }
                match &self.out.node(x).op {
                    Op::Permute(first) => {
                        let both = order.iter().map(|&a| first[a]).collect();
                        let below = self.out.node(x).inputs[0];
                        Some(self.with(node, Op::Permute(both), vec![below], node.ty.clone()))
                    }
                    _ => None,
                }
            }
            (Op::MatMul { ta, tb }, Some(_)) => self.absorb_transposes(node, *ta, *tb),
            (Op::Reduce(_, axes), Some(x)) if axes.iter().all(|&a| self.out.shape(x)[a].is(1)) => {
                Some(self.with(node, Op::Reshape, vec![x], node.ty.clone()))
            }
            (Op::Unary(f), Some(x)) => {
                if let (Unary::Neg, Op::Unary(Unary::Neg)) = (f, &self.out.node(x).op) {
                    return Some(self.out.node(x).inputs[0]);
                }
                let c = self.out.as_number(x)?;
                let folded = number::unary(*f, self.out.dtype(x), c);
                Some(self.constant(node, folded))
            }
            (Op::Binary(f), Some(_)) => self.binary(*f, node),
            (Op::Select, Some(condition)) => {
                if node.inputs[1] == node.inputs[2] {
                    return Some(node.inputs[1]);
                }
                let c = self.out.as_const(condition)?;
                Some(if c != 0.0 { node.inputs[1] } else { node.inputs[2] })
            }
            (Op::Reduce(Reduction::Sum, axes), Some(x)) => self.factors_of_sum(node, axes, x),
            (Op::Gather { .. }, Some(x)) => self.out.as_number(x).map(|c| self.constant(node, c)),
            _ => None,
        }
    }

    fn binary(&mut self, f: Binary, node: &Node) -> Option<Value> {
        use Binary::*;
        let (x, y) = (node.inputs[0], node.inputs[1]);
        let (cx, cy) = (self.out.as_const(x), self.out.as_const(y));
        // The zero whose sum with any number is that number: -0 of floats, as -0 + 0 is 0.
        let nothing = |c: f64, negative: bool| c == 0.0 && (node.ty.dtype.is_int() || c.is_sign_negative() == negative);
        match (f, cx, cy) {
            (_, Some(_), Some(_)) => {
                let (a, b) = (self.out.as_number(x)?, self.out.as_number(y)?);
                let folded = number::binary(f, self.out.dtype(x), a, b);
                Some(self.constant(node, folded))
            }
            (Mul | Div | FloorDivide, _, Some(1.0)) => Some(x),
            (Mul, Some(1.0), _) => Some(y),
            (Add | Sub, _, Some(c)) if nothing(c, f == Add) => Some(x),
            (Add, Some(c), _) if nothing(c, true) => Some(y),
            (Sub, Some(c), _) if nothing(c, true) => {
                Some(self.with(node, Op::Unary(Unary::Neg), vec![y], node.ty.clone()))
            }
            (Mul, _, Some(-1.0)) => Some(self.with(node, Op::Unary(Unary::Neg), vec![x], node.ty.clone())),
            // (x · a) · b = x · (a · b): the scales of means and seeds meet.
            (Mul, _, Some(b)) if node.ty.dtype.is_float() => {
                let below = self.out.node(x).clone();
                let a = self.out.as_const(*below.inputs.get(1)?)?;
                (below.op == Op::Binary(Mul)).then(|| {
                    let c = self.constant(node, a * b);
                    self.with(node, Op::Binary(Mul), vec![below.inputs[0], c], node.ty.clone())
                })
            }
            // Constants stand on the right.
            (Mul | Add, Some(_), None) => Some(self.with(node, node.op.clone(), vec![y, x], node.ty.clone())),
            _ => None,
        }
    }

    /// A product of a transposed matrix reads the matrix itself.
    fn absorb_transposes(&mut self, node: &Node, ta: bool, tb: bool) -> Option<Value> {
        let swaps_last_two = |order: &[usize]| {
            let n = order.len();
            n >= 2 && order[n - 2] == n - 1 && order[n - 1] == n - 2 && (0..n - 2).all(|i| order[i] == i)
        };
        let below = |v: Value| match &self.out.node(v).op {
            Op::Permute(order) if swaps_last_two(order) => Some(self.out.node(v).inputs[0]),
            _ => None,
        };
        let (a, b) = (below(node.inputs[0]), below(node.inputs[1]));
        if a.is_none() && b.is_none() {
            return None;
        }
        let op = Op::MatMul { ta: ta ^ a.is_some(), tb: tb ^ b.is_some() };
        let inputs = vec![a.unwrap_or(node.inputs[0]), b.unwrap_or(node.inputs[1])];
        Some(self.with(node, op, inputs, node.ty.clone()))
    }

    /// A sum of products: factors that do not vary along the axes are multiplied once. A NaN among the operands makes the result NaN, as
    /// before; but a sum that only overflows without its factor does so here, and an infinite factor times an element of 0 is no NaN of its own
    /// any more. Rounding differs.
    fn factors_of_sum(&mut self, node: &Node, axes: &[usize], x: Value) -> Option<Value> {
        let mut factors = vec![];
        self.factors(x, 3, &mut factors);
        let (constant, varying): (Vec<Value>, Vec<Value>) =
            factors.into_iter().partition(|f| self.stretched(*f, axes).is_some());
        if constant.is_empty() || varying.is_empty() {
            return None;
        }
        // A product that is read elsewhere too is there anyway: what only it is made of would have to lie beside it for the sum.
        let readers = |v: Value| self.readers.get(v.index()).copied().unwrap_or(0);
        if readers(x) > 1 && varying.iter().any(|&v| self.is_pointwise(v) && readers(v) <= 1) {
            return None;
        }
        let ty = self.out.ty(x).clone();
        let times = |me: &mut Self, a, b, ty: &Type| me.with(node, Op::Binary(Binary::Mul), vec![a, b], ty.clone());
        let product = varying.into_iter().reduce(|a, b| times(self, a, b, &ty))?;
        let sum = self.with(node, node.op.clone(), vec![product], node.ty.clone());
        Some(constant.into_iter().fold(sum, |sum, factor| {
            let Some((below, shape)) = self.stretched(factor, axes) else { return sum };
            let factor = self.with(node, Op::Reshape, vec![below], Type::new(node.ty.dtype, shape));
            let factor = self.with(node, Op::Broadcast, vec![factor], node.ty.clone());
            times(self, sum, factor, &node.ty)
        }))
    }

    fn is_pointwise(&self, value: Value) -> bool {
        matches!(self.out.node(value).op, Op::Unary(_) | Op::Binary(_) | Op::Select | Op::Cast)
    }

    /// What a product of products multiplies, down to a depth.
    fn factors(&self, x: Value, depth: usize, into: &mut Vec<Value>) {
        let node = self.out.node(x);
        match node.op {
            Op::Binary(Binary::Mul) if depth > 0 && self.out.as_const(node.inputs[1]).is_none() => {
                node.inputs.iter().for_each(|v| self.factors(*v, depth - 1, into));
            }
            _ => into.push(x),
        }
    }

    /// What is stretched to this value, if along these axes, and its shape without them.
    fn stretched(&self, x: Value, axes: &[usize]) -> Option<(Value, Vec<Size>)> {
        let node = self.out.node(x);
        let below = (node.op == Op::Broadcast).then(|| node.inputs[0])?;
        let shape = self.out.shape(below);
        let lead = node.ty.rank() - shape.len();
        let size = |axis: usize| axis.checked_sub(lead).map_or(Size::constant(1), |i| shape[i].clone());
        let kept = (0..node.ty.rank()).filter(|axis| !axes.contains(axis)).map(size).collect();
        axes.iter().all(|axis| size(*axis).is(1)).then_some((below, kept))
    }
}
