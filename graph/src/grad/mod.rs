//! The gradient pass: reverse mode over the graph, one rule a primitive.
//!
//! The rules are those of every textbook (Griewank & Walther, *Evaluating Derivatives*, chapter 3); where a function's derivative can be
//! written by its result (tanh, exp, relu), it is, so that only the result must be kept.

use std::sync::Arc;

use crate::attention::Operands;
use crate::builder::{Builder, Parameters};
use crate::decompose::{self, Has, decompose};
use crate::diagnostic::{Diagnostic, Loc};
use crate::functions::{self, stretch};
use crate::graph::{Argument, Call, Graph, Node, Op, Origin, Output, Role, Taps, Value};
use crate::ops::mean_over;
use crate::primitives::Class;
use crate::scalar::{Binary, Reduction, Unary};
use crate::size::Size;
use crate::types::{DType, Type};
use rustc_hash::FxHashMap;

mod repeat;
mod slices;
mod value;
mod vjp;

pub(crate) use vjp::vjp;

/// A step of the chain rule that has no rule yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRule {
    /// The primitive.
    pub op: String,
    /// Where it comes from.
    pub origin: Origin,
}

impl NoRule {
    pub(crate) fn of(node: &Node) -> NoRule {
        let op = format!("{:?}", node.op);
        let end = op.find(|c: char| !c.is_alphanumeric()).unwrap_or(op.len());
        NoRule { op: op[..end].into(), origin: node.origin.clone() }
    }

    /// What the person reads who asked for the gradient at `at` (or for training, without one).
    pub fn diagnostic(&self, at: Loc) -> Diagnostic {
        let NoRule { op, origin } = self;
        let name = origin.name.trim_start_matches("d ");
        let place = if at == Loc::default() { origin.loc } else { at };
        Diagnostic::new("N0703", place, format!("`{name}` cannot be differentiated here: {op} has no gradient"))
            .note(origin.loc, format!("`{name}` stands here"))
            .help("use `detach` where no gradient is needed, or write it with other operators")
    }
}

/// Appends the gradients of the first result (a scalar) with respect to every parameter that it depends on and that is `updated`; the
/// others are constants.
///
/// Weight gradients come right after the data gradient of the same operator, which reads the weight: an update of the weight in the
/// weight gradient's kernel is then safe.
///
/// What the target does not have (`has`) stays whole here, but in the rounds of loops: what these keep for the way back follows from what they
/// are written by.
pub fn gradients(graph: Graph, updated: &dyn Fn(usize) -> bool, has: Has) -> Result<Graph, NoRule> {
    gradients_of(graph, updated, has, false)
}

/// As [`gradients`], of the first result times the loss scale.
pub fn scaled_gradients(graph: Graph, updated: &dyn Fn(usize) -> bool, has: Has) -> Result<Graph, NoRule> {
    gradients_of(graph, updated, has, true)
}

fn gradients_of(graph: Graph, updated: &dyn Fn(usize) -> bool, has: Has, is_scaled: bool) -> Result<Graph, NoRule> {
    let mut graph = crate::loops::separate(&graph);
    if graph.has(&|op| matches!(op, Op::AttentionGrad(_))) {
        // A gradient that is differentiated (`grad` in a function): the whole and its gradient go on from the same values.
        graph = decompose(&graph, &|op| !matches!(op, Op::Attention(_) | Op::AttentionGrad(_)))?;
    }
    let Some(objective) = graph.outputs.first().map(|o| o.value) else { return Ok(graph) };
    let mut no_parameters = Parameters::default();
    let source = |_, node: &Node| matches!(node.op, Op::Parameter(number) if updated(number));
    let mut pass = Pass::new(graph, &mut no_parameters, updated, has, &source);
    pass.seed(objective, is_scaled);
    pass.sweep(objective)?;
    let mut gradients = pass.of_parameters();
    gradients.sort_by_key(|o| if let Role::Gradient(number) = o.role { number } else { usize::MAX });
    let mut graph = pass.b.graph;
    graph.outputs.extend(gradients);
    Ok(graph)
}

/// For each node, whether the gradient of a source flows through it.
fn reaches_sources(
    graph: &Graph,
    is_source: &dyn Fn(Value, &Node) -> bool,
    updated: &dyn Fn(usize) -> bool,
) -> Vec<bool> {
    let mut needed: Vec<bool> = Vec::with_capacity(graph.nodes.len());
    for (index, node) in graph.nodes.iter().enumerate() {
        let own_parameters = match &node.op {
            Op::Repeat(repeat) => repeat.body.has(&|op| op.parameter().is_some_and(updated)),
            _ => false,
        };
        let blocked = matches!(node.op, Op::Detach) || !node.ty.dtype.is_float();
        let flows = own_parameters || !blocked && node.inputs.iter().any(|v| needed[v.index()]);
        needed.push(flows || is_source(Value(index as u32), node));
    }
    needed
}

/// For each node, whether it follows from parameters alone that are no halves, and from those arguments of a loop's body that do.
fn made_of_parameters(graph: &Graph, argument: &dyn Fn(usize) -> bool) -> Vec<bool> {
    let mut all: Vec<bool> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let class = node.op.primitive().class;
        all.push(match &node.op {
            Op::Input(number) => argument(*number),
            op if op.parameter().is_some() => !node.ty.dtype.is_half(),
            _ => class != Class::Leaf && class != Class::Region && node.inputs.iter().all(|v| all[v.index()]),
        });
    }
    all
}

struct Pass<'p> {
    b: Builder<'p>,
    /// What has arrived at each forward node.
    adjoints: Vec<Vec<Value>>,
    needed: Vec<bool>,
    /// The parameters that are sources where loops use them on their own.
    updated: &'p dyn Fn(usize) -> bool,
    /// What the target has.
    has: Has,
    sources: Vec<bool>,
    /// What is made of parameters alone: the gradients of such halves are not rounded on their way, as those of what they are made of are wide.
    of_parameters: Vec<bool>,
    /// Gradients of the sources.
    found: FxHashMap<Value, Value>,
    /// What has arrived at the results of loops.
    results: FxHashMap<Value, Vec<(usize, Value)>>,
}

impl<'p> Pass<'p> {
    /// `updated`: the parameters that are sources where loops use them on their own.
    fn new(
        graph: Graph,
        no_parameters: &'p mut Parameters,
        updated: &'p dyn Fn(usize) -> bool,
        has: Has,
        is_source: &dyn Fn(Value, &Node) -> bool,
    ) -> Pass<'p> {
        let source = |(index, node)| is_source(Value(index as u32), node);
        let of_parameters = made_of_parameters(&graph, &|_| false);
        Pass {
            of_parameters,
            adjoints: vec![vec![]; graph.nodes.len()],
            needed: reaches_sources(&graph, is_source, updated),
            sources: graph.nodes.iter().enumerate().map(source).collect(),
            b: Builder::resume(graph, no_parameters),
            updated,
            has,
            found: FxHashMap::default(),
            results: FxHashMap::default(),
        }
    }

    /// The gradient of the objective with respect to itself, or of the objective times the loss scale.
    fn seed(&mut self, objective: Value, is_scaled: bool) {
        let dtype = self.b.graph.dtype(objective);
        let seed = match is_scaled {
            true => self.b.push(Op::LossScale, vec![], Type::new(DType::F32, vec![])),
            false => self.b.constant(1.0, dtype),
        };
        self.adjoints[objective.index()].push(seed);
    }

    /// From a node to the first, each hands what has arrived to its operands.
    ///
    /// What arrives on several ways is added in the order in which it arrives: by the number of the reader, the last one first.
    fn sweep(&mut self, from: Value) -> Result<(), NoRule> {
        for index in (0..=from.index()).rev() {
            let value = Value(index as u32);
            let arrived = std::mem::take(&mut self.adjoints[index]);
            let results = self.results.remove(&value);
            if arrived.is_empty() && results.is_none() {
                continue;
            }
            let node = self.b.graph.node(value).clone();
            let name: Arc<str> = format!("d {}", node.origin.name).into();
            self.b.origin = Origin::new(node.origin.loc, name);
            if let (Op::Repeat(repeat), Some(results)) = (&node.op, &results) {
                self.repeat(&node, value, repeat, results)?;
                continue;
            }
            let arrived = slices::join(&mut self.b, arrived);
            let sum = arrived.into_iter().reduce(|a, b| self.b.pointwise(Binary::Add, a, b));
            if let (true, Some(g)) = (self.sources[index], sum) {
                self.found.insert(value, g);
            }
            match (&node.op, &results) {
                (Op::Routine(call), _) => {
                    self.routine(&node, value, call, sum, &results.unwrap_or_default());
                    continue;
                }
                (Op::AttentionGrad(_), _) if self.needed[index] => {
                    self.by_decomposition(&node, value, sum, &results.unwrap_or_default())?;
                    continue;
                }
                // Its log-sum-exp is there for its own gradient alone.
                (Op::Attention(_), Some(_)) if self.needed[index] => return Err(NoRule::of(&node)),
                _ => {}
            }
            let Some(g) = sum.filter(|_| self.needed[index]) else { continue };
            match &node.op {
                Op::Get(result) => self.results.entry(node.inputs[0]).or_default().push((*result, g)),
                _ => self.rule(&node, value, g)?,
            }
        }
        Ok(())
    }

    /// `first`: what has arrived at the node's own value; `further`: at its other results, by their numbers.
    fn routine(&mut self, node: &Node, y: Value, call: &Call, first: Option<Value>, further: &[(usize, Value)]) {
        let types = self.b.graph.types(y);
        let mut cotangents = vec![first];
        cotangents.extend((1..types.len()).map(|number| self.arrived(further, number)));
        if !self.needed[y.index()] || cotangents.iter().all(Option::is_none) {
            return;
        }
        let get = |me: &mut Self, (number, ty): (usize, &Type)| me.b.push(Op::Get(number), vec![y], ty.clone());
        let further: Vec<Value> = types.iter().enumerate().skip(1).map(|result| get(self, result)).collect();
        let results = [vec![y], further].concat();
        for (operand, g) in call.gradient(&mut self.b, &node.inputs, &results, &cotangents) {
            if self.wants(node, operand) {
                self.add(node, operand, g);
            }
        }
    }

    /// Through what the node is written by; `first` and `further` as for routines.
    fn by_decomposition(
        &mut self,
        node: &Node,
        y: Value,
        first: Option<Value>,
        further: &[(usize, Value)],
    ) -> Result<(), NoRule> {
        let types = self.b.graph.types(y);
        let mut cotangents = vec![first];
        cotangents.extend((1..types.len()).map(|number| self.arrived(further, number)));
        let read: Vec<bool> = cotangents.iter().map(Option::is_some).collect();
        let mut by = decompose::decomposition(&self.b.graph, node, &read)?;
        let argument = |number: usize| by.nodes.iter().position(|inner| inner.op == Op::Input(number));
        let wanted = (0..node.inputs.len()).filter(|&i| self.wants(node, i));
        let wanted: Vec<(usize, Value)> = wanted.filter_map(|i| Some((i, Value(argument(i)? as u32)))).collect();
        let mut operands = node.inputs.clone();
        let mut seeds = vec![];
        for output in std::mem::take(&mut by.outputs) {
            let Role::Result(number) = output.role else { continue };
            let Some(g) = cotangents[number] else { continue };
            let ty = by.ty(output.value).clone();
            by.arguments.push(Argument { name: "cotangent".into(), ty: ty.clone(), below: vec![] });
            seeds.push((output.value, by.push(Op::Input(operands.len()), vec![], ty, node.origin.clone())));
            operands.push(g);
        }
        let (mut by, found) = vjp(by, &seeds, &wanted.iter().map(|(_, v)| *v).collect::<Vec<_>>())?;
        let found = wanted.into_iter().zip(found).filter_map(|((i, _), g)| Some((i, g?)));
        let (reached, gradients): (Vec<usize>, Vec<Value>) = found.unzip();
        by.outputs = gradients.into_iter().map(|value| Output { role: Role::Result(0), value }).collect();
        for (i, g) in reached.into_iter().zip(decompose::append(&mut self.b.graph, &by, &operands)) {
            self.add(node, i, g);
        }
        Ok(())
    }

    /// The gradients of parameters, from the last node to the first.
    fn of_parameters(&self) -> Vec<Output> {
        let mut all: Vec<_> = self.found.iter().map(|(node, g)| (*node, *g)).collect();
        all.sort_by_key(|(node, _)| std::cmp::Reverse(*node));
        let output = |(node, value): (Value, Value)| {
            let role = match &self.b.graph.node(node).op {
                Op::Parameter(number) => Role::Gradient(*number),
                Op::RoundParameter { first, steps } => Role::RoundGradient { first: *first, steps: steps.clone() },
                _ => return None,
            };
            Some(Output { role, value })
        };
        all.into_iter().filter_map(output).collect()
    }
}

impl Pass<'_> {
    /// Whether operand `i` wants a gradient.
    fn wants(&self, node: &Node, i: usize) -> bool {
        self.needed[node.inputs[i].index()]
    }

    fn add(&mut self, node: &Node, i: usize, g: Value) {
        let operand = node.inputs[i];
        let dtype = self.b.graph.dtype(operand);
        let g = self.b.cast(g, if self.of_parameters[operand.index()] { dtype.computed() } else { dtype });
        self.adjoints[operand.index()].push(g);
    }

    fn rule(&mut self, node: &Node, y: Value, g: Value) -> Result<(), NoRule> {
        use Binary::*;
        match &node.op {
            Op::Unary(f) => {
                if let Some(d) = functions::gradient(*f, &mut self.b, node.inputs[0], y, g) {
                    self.add(node, 0, d);
                }
            }
            Op::Binary(f) => {
                let [first, second] = [node.inputs[0], node.inputs[1]];
                for (i, gradient) in
                    [functions::gradient_of_first, functions::gradient_of_second].into_iter().enumerate()
                {
                    if self.wants(node, i)
                        && let Some(d) = gradient(*f, &mut self.b, [first, second], y, g)
                    {
                        self.add(node, i, d);
                    }
                }
            }
            Op::Select => {
                let zero = self.b.full(0.0, g);
                let ty = node.ty.clone();
                if self.wants(node, 1) {
                    let d = self.b.push(Op::Select, vec![node.inputs[0], g, zero], ty.clone());
                    self.add(node, 1, d);
                }
                if self.wants(node, 2) {
                    let d = self.b.push(Op::Select, vec![node.inputs[0], zero, g], ty);
                    self.add(node, 2, d);
                }
            }
            Op::WithSlope => {
                for i in (1..node.inputs.len()).step_by(2).filter(|&i| self.wants(node, i)).collect::<Vec<_>>() {
                    let d = self.b.pointwise(Mul, g, node.inputs[i + 1]);
                    self.add(node, i, d);
                }
            }
            Op::Cast if self.of_parameters[node.inputs[0].index()] => self.add(node, 0, g),
            Op::Cast => {
                let d = self.b.cast(g, self.b.graph.dtype(node.inputs[0]));
                self.add(node, 0, d);
            }
            Op::Broadcast => {
                let d = self.unbroadcast(g, node.inputs[0]);
                self.add(node, 0, d);
            }
            Op::Reshape => {
                let d = self.b.reshape(g, self.b.shape(node.inputs[0]));
                self.add(node, 0, d);
            }
            Op::Permute(order) => {
                let mut inverse = vec![0; order.len()];
                for (i, &axis) in order.iter().enumerate() {
                    inverse[axis] = i;
                }
                let d = self.b.permute(g, &inverse);
                self.add(node, 0, d);
            }
            Op::Slice { axis, start, step } => {
                let d = self.unslice(g, node.inputs[0], *axis, start, *step);
                self.add(node, 0, d);
            }
            Op::Pad { before, .. } => {
                let inner = self.b.shape(node.inputs[0]);
                let slice =
                    |g, (axis, start): (usize, &Size)| self.b.slice(g, axis, start.clone(), inner[axis].clone());
                let d = before.iter().enumerate().fold(g, slice);
                self.add(node, 0, d);
            }
            Op::Cat(axis) => {
                let mut start = Size::default();
                for (i, &part) in node.inputs.iter().enumerate() {
                    let len = self.b.shape(part)[*axis].clone();
                    if self.wants(node, i) {
                        let d = self.b.slice(g, *axis, start.clone(), len.clone());
                        self.add(node, i, d);
                    }
                    start = &start + &len;
                }
            }
            Op::Gather { axis } => self.contract(node, 0, Op::Scatter { axis: *axis }, g, node.inputs[1]),
            Op::Scatter { axis } => self.contract(node, 0, Op::Gather { axis: *axis }, g, node.inputs[1]),
            Op::Reduce(f, axes) => {
                if let Some(d) = functions::gradient_of_reduced(*f, &mut self.b, axes, [node.inputs[0], y], g) {
                    self.add(node, 0, d);
                }
            }
            Op::Softmax(axis) | Op::SafeSoftmax(axis) => {
                let gy = self.b.pointwise(Mul, g, y);
                let sum = self.b.reduce(Reduction::Sum, gy, &[*axis], false);
                let sum = stretch(&mut self.b, sum, y, &[*axis]);
                let difference = self.b.pointwise(Sub, g, sum);
                let d = self.b.pointwise(Mul, y, difference);
                self.add(node, 0, d);
            }
            Op::LogSoftmax(axis) => {
                let p = self.b.unary(Unary::Exp, y);
                let sum = self.b.reduce(Reduction::Sum, g, &[*axis], false);
                let sum = stretch(&mut self.b, sum, y, &[*axis]);
                let scaled = self.b.pointwise(Mul, p, sum);
                let d = self.b.pointwise(Sub, g, scaled);
                self.add(node, 0, d);
            }
            Op::Normalize(axes) => {
                // Of y = (x - mean) · rate: dx = rate · (dy - mean(dy) - y · mean(dy · y)); the formula of Ioffe & Szegedy, 2015, simplified.
                let (shape, rate) = (self.b.shape(y), node.inputs[2]);
                let gy = self.b.pointwise(Mul, g, y);
                let [mean, along] = [g, gy].map(|v| {
                    let mean = mean_over(&mut self.b, v, axes, true);
                    self.b.broadcast_to(mean, &shape)
                });
                let along = self.b.pointwise(Mul, y, along);
                let rest = self.b.pointwise(Sub, g, mean);
                let rest = self.b.pointwise(Sub, rest, along);
                let d = self.b.pointwise(Mul, rest, rate);
                self.add(node, 0, d);
            }
            Op::MatMul { ta, tb } => self.matmul(*ta, *tb, node, g),
            Op::Conv2d(window) => {
                self.contract(node, 0, Op::Conv2dInputGrad(*window), g, node.inputs[1]);
                self.contract(node, 1, Op::Conv2dWeightGrad(*window), node.inputs[0], g);
            }
            Op::Conv2dInputGrad(window) => {
                self.contract(node, 0, Op::Conv2d(*window), g, node.inputs[1]);
                self.contract(node, 1, Op::Conv2dWeightGrad(*window), g, node.inputs[0]);
            }
            Op::Conv2dWeightGrad(window) => {
                self.contract(node, 0, Op::Conv2dInputGrad(*window), node.inputs[1], g);
                self.contract(node, 1, Op::Conv2d(*window), node.inputs[0], g);
            }
            Op::MaxPool2d(window) => self.contract(node, 0, Op::MaxPool2dGrad(*window), node.inputs[0], g),
            Op::SumPool2d(window) => {
                let ty = self.b.ty(node.inputs[0]).clone();
                let d = self.b.push(Op::SumPool2dGrad(*window), vec![g], ty);
                self.add(node, 0, d);
            }
            Op::SumPool2dGrad(window) => {
                let ty = self.b.ty(node.inputs[0]).clone();
                let d = self.b.push(Op::SumPool2d(*window), vec![g], ty);
                self.add(node, 0, d);
            }
            Op::Resample { axis, taps } => {
                let taps = match taps {
                    Taps::Bins => Taps::Bins,
                    Taps::Line { corners } => Taps::LineGrad { corners: *corners },
                    Taps::LineGrad { corners } => Taps::Line { corners: *corners },
                };
                let ty = self.b.ty(node.inputs[0]).clone();
                let d = self.b.push(Op::Resample { axis: *axis, taps }, vec![g], ty);
                self.add(node, 0, d);
            }
            Op::Attention(attention) => {
                let types = self.b.graph.types(y);
                let log_sums = self.b.push(Op::Get(1), vec![y], types[1].clone());
                let mask = Operands::of(&node.inputs, 0).and_then(|operands| operands.mask);
                let inputs = [&node.inputs[..], &[y, log_sums, g]].concat();
                let ty = self.b.ty(node.inputs[0]).clone();
                let gradients = self.b.push(Op::AttentionGrad(*attention), inputs, ty);
                // In the order in which the gradients of what it is written by arrive.
                for i in [2, 3, 0, 1].into_iter().filter(|i| *i < 3 || mask.is_some()) {
                    if self.wants(node, i) {
                        let ty = self.b.ty(node.inputs[i]).clone();
                        let d = if i == 0 { gradients } else { self.b.push(Op::Get(i), vec![gradients], ty) };
                        self.add(node, i, d);
                    }
                }
            }
            Op::Detach | Op::Input(_) | Op::Parameter(_) | Op::RoundParameter { .. } | Op::Mirror { .. } => {}
            Op::Const(_)
            | Op::Size(_)
            | Op::Iota(_)
            | Op::LossScale
            | Op::Random(_)
            | Op::State(_)
            | Op::RoundState { .. } => {}
            Op::Copy | Op::After => self.add(node, 0, g),
            // The winners are steps of the pooled values: only what is handed to them has a gradient.
            Op::MaxPool2dGrad(window) => {
                let like = Type::new(window.tap_type(), self.b.shape(node.inputs[1]));
                let index = self.b.push(Op::MaxPool2dIndex(*window), vec![node.inputs[0]], like);
                self.contract(node, 1, Op::MaxPool2dGather(*window), index, g);
            }
            Op::MaxPool2dScatter(window) => {
                self.contract(node, 1, Op::MaxPool2dGather(*window), node.inputs[0], g);
            }
            Op::MaxPool2dGather(window) => {
                self.contract(node, 1, Op::MaxPool2dScatter(*window), node.inputs[0], g);
            }
            Op::MaxPool2dIndex(_) => {}
            Op::Repeat(_) | Op::Get(_) | Op::Routine(_) | Op::AttentionGrad(_) => {
                return Err(NoRule::of(node));
            }
        }
        Ok(())
    }

    fn matmul(&mut self, ta: bool, tb: bool, node: &Node, g: Value) {
        let (a, b) = (node.inputs[0], node.inputs[1]);
        let product = |ta, tb| Op::MatMul { ta, tb };
        match ta {
            false => self.contract(node, 0, product(false, !tb), g, b),
            true => self.contract(node, 0, product(tb, true), b, g),
        }
        match tb {
            false => self.contract(node, 1, product(!ta, false), a, g),
            true => self.contract(node, 1, product(true, ta), g, a),
        }
    }

    /// Adds `op(x, y)` as the gradient of operand `i`, in its type.
    fn contract(&mut self, node: &Node, i: usize, op: Op, x: Value, y: Value) {
        if self.wants(node, i) {
            let ty = self.b.ty(node.inputs[i]).clone();
            // Where many meet, their sum is rounded once.
            let wide = Type::new(ty.dtype.computed(), ty.shape);
            let inputs = [x, y].map(|v| self.b.widened(v)).to_vec();
            let d = self.b.push(op, inputs, wide);
            self.add(node, i, d);
        }
    }

    /// The sum of `g` over the axes along which `x` was stretched.
    fn unbroadcast(&mut self, g: Value, x: Value) -> Value {
        let (from, to) = (self.b.shape(x), self.b.shape(g));
        let lead = to.len() - from.len();
        let stretched = |i: usize| i < lead || (from[i - lead].is(1) && !to[i].is(1));
        let axes: Vec<_> = (0..to.len()).filter(|&i| stretched(i)).collect();
        let sum = self.b.reduce(Reduction::Sum, g, &axes, false);
        self.b.reshape(sum, from)
    }
}
