//! Builds a graph: every node is checked as it is added, and a mistake becomes one diagnostic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::autocast::{Autocast, Caller};
use crate::diagnostic::{Diagnostic, Loc};
use crate::graph::{Argument, Graph, Op, Origin, Output, Role, Value};
use crate::loops::Rounds;
use crate::net::Init;
use crate::number::Number;
use crate::program::{Below, Must};
use crate::ranges::Ranges;
use crate::rules::{Reason, Rule};
use crate::scalar::{Binary, Reduction, Unary};
use crate::size::Size;
use crate::types::{DType, Shape, Type, broadcast, shape_text};
use rustc_hash::FxHashMap;

/// Stops the building of the present expression: the mistake is already in [`Builder::diagnostics`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported;

/// What the rules of operators and layers return.
pub type Checked<T> = Result<T, Reported>;

/// A parameter while its net is built: the shape is known once a use has said it.
#[derive(Clone, Debug)]
pub struct Declared {
    /// `conv1.weight`.
    pub name: Arc<str>,
    /// Set by the first use: shape and first value.
    pub shape: Option<(Vec<i64>, Init)>,
    /// Where the use stands that set the shape.
    pub first_use: Loc,
    /// How it is trained.
    pub options: Options,
}

impl Declared {
    /// A parameter of which no use is known yet.
    pub fn new(name: impl Into<Arc<str>>) -> Declared {
        Declared { name: name.into(), shape: None, first_use: Loc::default(), options: Options::default() }
    }
}

/// How the parameters of a layer, block or array are trained: the attributes before its declaration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// `#[freeze]`: no gradient, no update, no decay; running statistics stand still.
    pub frozen: bool,
    /// `#[lr_mult = 0.1]`: a factor of the whole update, decay included.
    pub lr_mult: f32,
    /// `#[wd_mult = 0]`: a factor of the decay.
    pub wd_mult: f32,
}

impl Default for Options {
    fn default() -> Options {
        Options { frozen: false, lr_mult: 1.0, wd_mult: 1.0 }
    }
}

impl Options {
    /// Those of something inside of something else: factors multiply, and what is inside of what is frozen is frozen.
    pub fn inside(self, outer: Options) -> Options {
        Options {
            frozen: self.frozen || outer.frozen,
            lr_mult: self.lr_mult * outer.lr_mult,
            wd_mult: self.wd_mult * outer.wd_mult,
        }
    }
}

/// A tensor that functions may assign and that is saved with the parameters, while its net is built.
#[derive(Clone, Debug)]
pub struct DeclaredState {
    /// `bn1.running_mean`.
    pub name: Arc<str>,
    /// Known at the declaration or set by the first use. Sizes may be run-time ones: the state starts anew when one of them changes.
    pub ty: Option<Type>,
    /// Its first value.
    pub init: Init,
}

/// The parameters of a net while it is built; shared by the graphs of all its functions.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    /// The net's float type: that of every parameter, and of what functions make of nothing.
    pub float: DType,
    /// In the order of declaration.
    pub list: Vec<Declared>,
    /// The states, in the order of declaration.
    pub states: Vec<DeclaredState>,
}

impl Parameters {
    /// The number of elements of those whose shapes are known.
    pub fn elements(&self) -> usize {
        let shapes = self.list.iter().filter_map(|p| p.shape.as_ref());
        shapes.map(|(shape, _)| shape.iter().product::<i64>() as usize).sum()
    }
}

/// Adds nodes to a graph.
pub struct Builder<'p> {
    /// What was built so far.
    pub graph: Graph,
    /// The net's parameters.
    pub parameters: &'p mut Parameters,
    /// Whether dropout drops: the gradient program's mode.
    pub training: bool,
    /// Every mistake so far.
    pub diagnostics: Vec<Diagnostic>,
    /// What the nodes being added stand for.
    pub origin: Origin,
    /// How many calls of operators and layers were built.
    callers: u32,
    loaded: FxHashMap<usize, Value>,
    /// States as last assigned, or as they were before the function.
    pub(crate) states: BTreeMap<usize, Value>,
    pub(crate) streams: u32,
    /// The loops in whose body this is, outermost first.
    pub(crate) rounds: Vec<Rounds>,
    /// In the body of a loop: so many of the first arguments are others in each round.
    pub(crate) changing: usize,
    /// What [`Argument::below`] says of the body's arguments, with the places that ask for it.
    pub(crate) asked: Vec<(usize, Below, Loc)>,
    pub(crate) ranges: Ranges,
    /// What is checked while the function runs.
    pub(crate) checked: Vec<(Value, Must)>,
    /// The states of loops that were added to this graph.
    pub(crate) looped: BTreeSet<usize>,
    /// States that no loop may have for its rounds, since they are used outside of it too.
    pub apart: BTreeSet<usize>,
    /// States that a loop has and that were used outside of it too: the graph is to be built again, with these [`Builder::apart`].
    pub mixed: BTreeSet<usize>,
}

impl<'p> Builder<'p> {
    /// An empty graph called `name` (`LeNet.scores`).
    pub fn new(name: impl Into<String>, parameters: &'p mut Parameters, training: bool) -> Builder<'p> {
        Builder {
            graph: Graph::new(name),
            parameters,
            training,
            diagnostics: vec![],
            origin: Origin::default(),
            callers: 0,
            loaded: FxHashMap::default(),
            states: BTreeMap::new(),
            streams: 0,
            rounds: vec![],
            changing: 0,
            asked: vec![],
            ranges: Ranges::default(),
            checked: vec![],
            looped: BTreeSet::new(),
            apart: BTreeSet::new(),
            mixed: BTreeSet::new(),
        }
    }

    /// Goes on building a graph that is there already: for passes.
    pub fn resume(graph: Graph, parameters: &'p mut Parameters) -> Builder<'p> {
        let mut builder = Builder::new("", parameters, false);
        builder.graph = graph;
        builder
    }

    /// From here on nodes stand for a call of this operator or layer, or for that of which it is a part. What stood before is given back, to be put
    /// in its place again.
    pub(crate) fn enter(&mut self, loc: Loc, name: impl Into<Arc<str>>, autocast: Autocast) -> Origin {
        let caller = match self.origin.caller {
            outer if outer.is_whole() => outer,
            _ => {
                self.callers += 1;
                Caller { number: self.callers, autocast }
            }
        };
        std::mem::replace(&mut self.origin, Origin { loc, name: name.into(), caller })
    }

    /// Notes a mistake.
    pub fn report<T>(&mut self, diagnostic: Diagnostic) -> Checked<T> {
        self.diagnostics.push(diagnostic);
        Err(Reported)
    }

    /// An argument of the function.
    pub fn argument(&mut self, name: &str, ty: Type) -> Value {
        let number = self.graph.arguments.len();
        self.graph.arguments.push(Argument { name: name.into(), ty: ty.clone(), below: vec![] });
        let origin = Origin::new(self.origin.loc, name);
        self.graph.push(Op::Input(number), vec![], ty, origin)
    }

    /// Notes what the sizes must fulfil for the layer or operator that is being built, unless it is known: whether it may hold. `why`
    /// goes on from its name: `takes the range 1..T`.
    pub fn require(&mut self, rule: Rule, why: impl Into<String>) -> bool {
        let known = rule.known();
        if known.is_none() {
            let reason = Reason { loc: self.origin.loc.0, name: self.origin.name.clone(), why: why.into() };
            self.rule(Rule { reason: Some(reason), ..rule });
        }
        known.unwrap_or(true)
    }

    /// Notes what the sizes of the arguments must fulfil, by the user's word; in a loop's body it is checked with the function's.
    pub fn rule(&mut self, rule: Rule) {
        rule.add_to(&mut self.graph.rules);
    }

    /// The next part of what the function returns.
    pub fn result(&mut self, value: Value) {
        // Results stand before what becomes of states.
        let number = self.graph.outputs.iter().filter(|o| matches!(o.role, Role::Result(_))).count();
        self.graph.outputs.insert(number, Output { role: Role::Result(number), value });
    }

    /// State `number`, whose type must be known, as it was last assigned in this graph.
    pub fn state(&mut self, number: usize) -> Value {
        if let Some(&value) = self.states.get(&number) {
            return value;
        }
        if self.looped.contains(&number) {
            self.mixed.insert(number);
        }
        let declared = &self.parameters.states[number];
        let ty = declared.ty.clone().unwrap_or_else(|| Type::new(self.parameters.float, vec![]));
        let origin = Origin::new(self.origin.loc, declared.name.clone());
        let op = match self.round_states(number) {
            Some(steps) => Op::RoundState { first: number, steps },
            None => Op::State(number),
        };
        let value = self.graph.push(op, vec![], ty, origin);
        self.states.insert(number, value);
        value
    }

    /// If the innermost loop's rounds have the state for themselves: states from round to round, of each loop.
    fn round_states(&self, number: usize) -> Option<Vec<usize>> {
        let own = self.rounds.last()?.states.contains(&number);
        own.then(|| self.rounds.iter().map(|r| r.states.len()).collect())
    }

    /// Assigns a state: later reads in this graph, and the next call, see this value. From call to call no gradient flows through it.
    pub fn set_state(&mut self, number: usize, value: Value) -> Checked<()> {
        let declared = &self.parameters.states[number];
        let (name, found) = (declared.name.clone(), self.ty(value).clone());
        let expected = declared.ty.clone().unwrap_or_else(|| found.clone());
        if expected != found {
            let message = format!("the state `{name}` is {expected} and gets {found}");
            let made = format!("the value comes from `{}`", self.made_by(value));
            let d = Diagnostic::new("N0510", self.origin.loc, message).note(self.made_at(value), made);
            return self.report(d.help("a state keeps its type: make the value fit, or declare the state otherwise"));
        }
        let role = match self.round_states(number) {
            Some(steps) => Role::RoundState { first: number, steps },
            None => Role::State(number),
        };
        // A loop carries what its rounds assign, and must have it from the start.
        self.state(number);
        self.states.insert(number, value);
        match self.graph.outputs.iter_mut().find(|o| o.role == role) {
            Some(output) => output.value = value,
            None => self.graph.outputs.push(Output { role, value }),
        }
        Ok(())
    }

    /// Parameter `number`, whose shape must be known.
    pub fn parameter(&mut self, number: usize) -> Value {
        if let Some(&value) = self.loaded.get(&number) {
            return value;
        }
        let declared = &self.parameters.list[number];
        let shape = declared.shape.as_ref().map_or(&[][..], |(shape, _)| shape);
        let ty = Type::new(self.parameters.float, shape.iter().map(|&s| s.into()).collect::<Shape>());
        let origin = Origin::new(self.origin.loc, declared.name.clone());
        let op = match self.rounds.last() {
            Some(rounds) if rounds.parameters.contains(&number) => {
                Op::RoundParameter { first: number, steps: self.rounds.iter().map(|r| r.parameters.len()).collect() }
            }
            _ => Op::Parameter(number),
        };
        let value = self.graph.push(op, vec![], ty, origin);
        self.loaded.insert(number, value);
        value
    }

    /// The net's float type.
    pub fn float(&self) -> DType {
        self.parameters.float
    }

    /// The type in which operators compute what they make of nothing: the net's float type, f32 where that is a half.
    pub fn computed(&self) -> DType {
        self.parameters.float.computed()
    }

    /// Uniform in [0, 1), by the next stream, in [`Builder::computed`].
    pub(crate) fn uniform(&mut self, shape: Vec<Size>) -> Value {
        let stream = self.stream();
        let drawn = self.push(Op::Random(stream), vec![], Type::new(DType::F32, shape));
        self.cast(drawn, self.computed())
    }

    /// A fresh stream of random numbers.
    pub fn stream(&mut self) -> u32 {
        self.streams += 1;
        self.streams - 1
    }

    /// The type of a value.
    pub fn ty(&self, value: Value) -> &Type {
        self.graph.ty(value)
    }

    /// The shape of a value.
    pub fn shape(&self, value: Value) -> Vec<Size> {
        self.graph.shape(value).to_vec()
    }

    /// The number of axes of a value.
    pub fn rank(&self, value: Value) -> usize {
        self.graph.shape(value).len()
    }

    /// Where a value was made.
    pub fn made_at(&self, value: Value) -> Loc {
        self.graph.node(value).origin.loc
    }

    /// What made a value: `conv1`, `tanh`.
    pub fn made_by(&self, value: Value) -> Arc<str> {
        self.graph.node(value).origin.name.clone()
    }

    /// Appends a node of a known type.
    pub fn push(&mut self, op: Op, inputs: Vec<Value>, ty: Type) -> Value {
        self.graph.push(op, inputs, ty, self.origin.clone())
    }

    /// A scalar: the number in this type.
    pub fn constant(&mut self, value: impl Into<Number>, dtype: DType) -> Value {
        self.push(Op::Const(value.into().to(dtype)), vec![], Type::new(dtype, vec![]))
    }

    /// `value` stretched to `shape` (which must be a broadcast of its own).
    pub fn broadcast_to(&mut self, value: Value, shape: &[Size]) -> Value {
        if self.graph.shape(value) == shape {
            return value;
        }
        let ty = Type::new(self.graph.dtype(value), shape.to_vec());
        self.push(Op::Broadcast, vec![value], ty)
    }

    /// The same elements in another shape (of the same number of elements).
    pub fn reshape(&mut self, value: Value, shape: Vec<Size>) -> Value {
        if self.graph.shape(value) == shape {
            return value;
        }
        let ty = Type::new(self.graph.dtype(value), shape);
        self.push(Op::Reshape, vec![value], ty)
    }

    /// Axis `i` of the result is axis `order[i]` of the value.
    pub fn permute(&mut self, value: Value, order: &[usize]) -> Value {
        let shape: Shape = order.iter().map(|&a| self.graph.shape(value)[a].clone()).collect();
        let ty = Type::new(self.graph.dtype(value), shape);
        self.push(Op::Permute(order.to_vec()), vec![value], ty)
    }

    /// `len` elements from `start` on along an axis, which has them.
    pub fn slice(&mut self, x: Value, axis: usize, start: Size, len: Size) -> Value {
        let mut shape = self.shape(x);
        if shape[axis] == len {
            return x;
        }
        shape[axis] = len;
        let ty = Type::new(self.graph.dtype(x), shape);
        self.push(Op::Slice { axis, start, step: 1 }, vec![x], ty)
    }

    /// The elements along an axis from the last to the first.
    pub fn flip(&mut self, x: Value, axis: usize) -> Value {
        let ty = self.ty(x).clone();
        let start = &ty.shape[axis] - &1.into();
        self.push(Op::Slice { axis, start, step: -1 }, vec![x], ty)
    }

    /// The value in a larger shape, surrounded by a number.
    pub fn pad(&mut self, x: Value, before: Vec<Size>, shape: Vec<Size>, value: impl Into<Number>) -> Value {
        if self.graph.shape(x) == shape {
            return x;
        }
        let ty = Type::new(self.graph.dtype(x), shape);
        let value = value.into().to(ty.dtype);
        self.push(Op::Pad { before, value }, vec![x], ty)
    }

    /// The values, which differ along an axis only, one after the other.
    pub fn cat(&mut self, parts: &[Value], axis: usize) -> Value {
        if let [one] = parts {
            return *one;
        }
        let mut shape = self.shape(parts[0]);
        shape[axis] = parts.iter().fold(Size::default(), |sum, &part| &sum + &self.graph.shape(part)[axis]);
        let ty = Type::new(self.graph.dtype(parts[0]), shape);
        self.push(Op::Cat(axis), parts.to_vec(), ty)
    }

    /// `f(x)`; of a half it is computed in f32, and rounded.
    pub fn unary(&mut self, f: Unary, x: Value) -> Value {
        let (ty, wide) = (self.ty(x).clone(), self.widened(x));
        let result = self.push(Op::Unary(f), vec![wide], Type::new(ty.dtype.computed(), ty.shape));
        self.cast(result, ty.dtype)
    }

    /// The value in the type in which it is computed: f32 of a half.
    pub(crate) fn widened(&mut self, x: Value) -> Value {
        let dtype = self.graph.dtype(x);
        if !dtype.is_half() {
            return x;
        }
        self.cast(x, dtype.computed())
    }

    /// `y` with gradients of its own: `slope` for each `x`, stretched to its shape.
    pub fn with_slopes(&mut self, y: Value, slopes: &[(Value, Value)]) -> Value {
        let (ty, mut inputs) = (self.ty(y).clone(), vec![y]);
        for &(x, slope) in slopes {
            inputs.extend([x, slope].map(|v| self.broadcast_to(v, &ty.shape)));
        }
        self.push(Op::WithSlope, inputs, ty)
    }

    /// `f(x, y)` with broadcasting; element types must agree.
    pub fn binary(&mut self, f: Binary, x: Value, y: Value) -> Checked<Value> {
        let (x, y) = self.same_dtype(x, y)?;
        let (x, y) = self.broadcast_pair(x, y)?;
        Ok(self.pointwise(f, x, y))
    }

    /// `f(x, y)` of two values of one type: for passes, which cannot be wrong about it. Of halves it is computed in f32, and rounded.
    pub fn pointwise(&mut self, f: Binary, x: Value, y: Value) -> Value {
        let dtype = self.graph.dtype(x);
        let (x, y) = (self.widened(x), self.widened(y));
        if f.is_comparison() {
            let ty = Type::new(DType::Bool, self.shape(x));
            return self.push(Op::Binary(f), vec![x, y], ty);
        }
        let ty = Type::new(dtype.computed(), self.shape(x));
        let result = self.push(Op::Binary(f), vec![x, y], ty);
        self.cast(result, dtype)
    }

    /// `f(x, c)` for a number.
    pub fn binary_const(&mut self, f: Binary, x: Value, c: impl Into<Number>) -> Value {
        let y = self.full(c, x);
        self.pointwise(f, x, y)
    }

    /// The number `c` in the shape and type of `like`.
    pub fn full(&mut self, c: impl Into<Number>, like: Value) -> Value {
        let c = self.constant(c, self.graph.dtype(like));
        self.broadcast_to(c, &self.shape(like))
    }

    /// `condition ? x : y` with broadcasting.
    pub fn select(&mut self, condition: Value, x: Value, y: Value) -> Checked<Value> {
        if self.graph.dtype(condition) != DType::Bool {
            let found = self.ty(condition).clone();
            let at = self.origin.loc;
            return self.report(
                Diagnostic::new("N0204", at, format!("`{}` needs a bool condition, found `{found}`", self.origin.name))
                    .help("compare first: `where_(x > 0.0, a, b)`"),
            );
        }
        let (x, y) = self.same_dtype(x, y)?;
        let (x, y) = self.broadcast_pair(x, y)?;
        let (condition, x) = self.broadcast_pair(condition, x)?;
        let y = self.broadcast_to(y, &self.shape(x));
        let ty = self.ty(x).clone();
        Ok(self.push(Op::Select, vec![condition, x, y], ty))
    }

    /// To another element type.
    pub fn cast(&mut self, x: Value, dtype: DType) -> Value {
        if self.graph.dtype(x) == dtype {
            return x;
        }
        let ty = Type::new(dtype, self.shape(x));
        self.push(Op::Cast, vec![x], ty)
    }

    /// Over the axes listed; with `keep`, they stay with size 1. In the type that the reduction makes of the operand's ([`Reduction::of`]).
    pub fn reduce(&mut self, f: Reduction, x: Value, axes: &[usize], keep: bool) -> Value {
        let x = self.cast(x, f.of(self.graph.dtype(x)));
        if axes.is_empty() {
            return x;
        }
        let mut axes = axes.to_vec();
        axes.sort_unstable();
        let shape = self.shape(x);
        let rest = |keep: bool| {
            let axis = |(i, s): (usize, &Size)| match axes.contains(&i) {
                true => keep.then(|| Size::constant(1)),
                false => Some(s.clone()),
            };
            shape.iter().enumerate().filter_map(axis).collect::<Vec<_>>()
        };
        let (dtype, wide) = (self.graph.dtype(x), self.widened(x));
        let reduced = self.push(Op::Reduce(f, axes.clone()), vec![wide], Type::new(dtype.computed(), rest(false)));
        let reduced = self.cast(reduced, dtype);
        self.reshape(reduced, rest(keep))
    }

    /// Both operands in their common shape, or the mistake.
    pub fn broadcast_pair(&mut self, x: Value, y: Value) -> Checked<(Value, Value)> {
        match broadcast(self.graph.shape(x), self.graph.shape(y)) {
            Some(shape) => Ok((self.broadcast_to(x, &shape), self.broadcast_to(y, &shape))),
            None => {
                let (a, b) = (shape_text(self.graph.shape(x)), shape_text(self.graph.shape(y)));
                let what = self.origin.name.clone();
                let (left, right) = (self.made_by(x), self.made_by(y));
                let (at_x, at_y, at) = (self.made_at(x), self.made_at(y), self.origin.loc);
                let message = format!("shapes do not meet in `{what}`: {a} and {b}");
                let diagnostic = Diagnostic::new("N0101", at, message)
                    .note(at_x, format!("the left side, {a}, comes from `{left}`"))
                    .note(at_y, format!("the right side, {b}, comes from `{right}`"))
                    .help("make the sizes equal, or one of them 1: axes meet from the right");
                self.report(diagnostic)
            }
        }
    }

    fn same_dtype(&mut self, x: Value, y: Value) -> Checked<(Value, Value)> {
        let (a, b) = (self.graph.dtype(x), self.graph.dtype(y));
        if a == b {
            return Ok((x, y));
        }
        let (at_x, at_y, at) = (self.made_at(x), self.made_at(y), self.origin.loc);
        let (left, right) = (self.made_by(x), self.made_by(y));
        let wanted = if a.is_float() || !b.is_float() { a } else { b };
        let message = format!("element types differ in `{}`: {a} and {b}", self.origin.name);
        let diagnostic = Diagnostic::new("N0201", at, message)
            .note(at_x, format!("`{left}` is {a}"))
            .note(at_y, format!("`{right}` is {b}"))
            .help(format!("there is no implicit promotion: write `.cast({wanted})` on the other one"));
        self.report(diagnostic)
    }
}
