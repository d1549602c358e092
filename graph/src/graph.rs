//! The graph of a network: primitive operators on typed values, in the order in which they may run.
//!
//! Operators of the language (`gelu`, `softmax`, …) are built of these primitives in [`crate::ops`]. Broadcasting is explicit: the
//! operands of a pointwise node have the node's own shape.

use std::sync::Arc;

pub use repeat::{AxisOrder, Border, Repeat, StridedOperands};

use crate::attention::Attention;
use crate::autocast::Caller;
use crate::diagnostic::Loc;
use crate::number::Number;
use crate::program::{Below, Check};
use crate::routine::Routine;
use crate::rules::Rule;
use crate::scalar::{Binary, Reduction, Unary};
use crate::size::{Size, gcd};
use crate::types::{DType, Type};

mod repeat;

/// A value of a graph: the result of the node with this index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(pub u32);

impl Value {
    /// As an index into [`Graph::nodes`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a node comes from, for messages, profiles and `explain`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The token.
    pub loc: Loc,
    /// The layer (`conv1`) if the node stands for one, else the operator (`tanh`).
    pub name: Arc<str>,
    /// The call of an operator or layer that the node is a part of.
    pub caller: Caller,
}

impl Origin {
    /// Of a node that is no part of a call.
    pub fn new(loc: Loc, name: impl Into<Arc<str>>) -> Origin {
        Origin { loc, name: name.into(), caller: Caller::default() }
    }
}

/// Window geometry of a convolution or pool: height, width. How many windows there are is said by the type of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Rows and columns of the window.
    pub kernel: [i64; 2],
    /// Step between windows.
    pub stride: [i64; 2],
    /// Zeros (for a maximum: -∞) before the first element; behind the last one, as many as the last window needs.
    pub padding: [i64; 2],
    /// Distance between the taps.
    pub dilation: [i64; 2],
    /// Of a convolution: its channels fall into so many groups, input and output alike, that know nothing of each other.
    pub groups: i64,
}

/// How many windows there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// As many as fit into the padded image.
    Floor,
    /// One more where something is left over, unless it would begin behind the image and the padding before it.
    Ceil,
    /// One an element.
    Same,
}

impl Window {
    /// Whether the windows tile an image of this size: each element belongs to exactly one.
    pub fn tiles(&self, size: [i64; 2]) -> bool {
        self.kernel == self.stride
            && self.padding == [0, 0]
            && self.dilation == [1, 1]
            && size[0] % self.kernel[0] == 0
            && size[1] % self.kernel[1] == 0
    }

    /// As [`Window::tiles`], of an image of this shape; one of run-time sizes is not known to be tiled, but by single elements.
    pub fn tiles_image(&self, shape: &[Size]) -> bool {
        match (shape[2].as_const(), shape[3].as_const()) {
            (Some(height), Some(width)) => self.tiles([height, width]),
            _ => self.kernel == [1, 1] && self.tiles([1, 1]),
        }
    }

    /// The taps, row-major.
    pub fn taps(&self) -> impl Iterator<Item = [i64; 2]> + use<> {
        let [h, w] = self.kernel;
        (0..h).flat_map(move |r| (0..w).map(move |s| [r, s]))
    }

    /// The type of a tap's number: a byte where they fit.
    pub fn tap_type(&self) -> DType {
        if self.kernel[0] * self.kernel[1] <= 256 { DType::U8 } else { DType::I32 }
    }

    /// Elements from the first tap to the last along axis 0 (height) or 1 (width): d(k-1) + 1.
    pub fn reach(&self, axis: usize) -> i64 {
        self.dilation[axis] * (self.kernel[axis] - 1) + 1
    }

    /// How many windows an image of `size` has along an axis, if it is a polynomial: floor((size + 2p - reach) / s) + 1.
    pub fn output(&self, axis: usize, size: &Size, ends: Ends) -> Option<Size> {
        let (stride, padding) = (self.stride[axis], self.padding[axis]);
        let room = size + &(2 * padding - self.reach(axis)).into();
        match ends {
            Ends::Same => Some(size.clone()),
            Ends::Floor => Some(&room.div_floor(stride)? + &1.into()),
            Ends::Ceil => {
                let count = &(&room + &(stride - 1).into()).div_floor(stride)? + &1.into();
                // The last window begins at (count - 1) · s - p.
                let begin = &(&count * &stride.into()) - &(stride + padding).into();
                let behind = (&begin - size).as_const();
                match behind {
                    Some(behind) if behind >= 0 => Some(&count - &1.into()),
                    Some(_) => Some(count),
                    None => None,
                }
            }
        }
    }

    /// Whether some window of `count` along an axis reaches outside an image of `size`, as far as that is known.
    pub fn overhangs(&self, axis: usize, size: &Size, count: &Size) -> bool {
        let end = &(&(count - &1.into()) * &self.stride[axis].into()) + &(self.reach(axis) - self.padding[axis]).into();
        self.padding[axis] != 0 || (size - &end).as_const().is_none_or(|rest| rest < 0)
    }
}

/// Of which elements along an axis the results of [`Op::Resample`] are made; elements that are not among them have no influence at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Taps {
    /// Result i of m is the sum of those of n from floor(i · n / m) to before ceil((i + 1) · n / m): its own gradient, as element a is in the
    /// sums from floor(a · m / n) to before ceil((a + 1) · m / n).
    Bins,
    /// Result i of m lies among the n at (i + ½) · n / m - ½, held between the first and the last: what is at or before that place times
    /// what is left to the next, and the next times the rest.
    Line {
        /// At i · (n - 1) / (m - 1): first and last are those of the operand.
        corners: bool,
    },
    /// The gradient of that: of n where `Line` makes n of the node's number.
    LineGrad {
        /// As there.
        corners: bool,
    },
}

impl Taps {
    /// As far as f32 counts.
    pub const MOST: i64 = 1 << 24;

    /// Whether bins over `n` elements can be counted in f32: the ends of bins are quotients of n · i, with what n and m have in common
    /// taken out.
    pub fn are_exact(n: i64, m: i64) -> bool {
        let common = gcd(n, m).max(1);
        n.max(m) < Taps::MOST && (n / common).checked_mul(m / common).is_some_and(|product| product < Taps::MOST)
    }
}

/// The primitive operators (f: the node's type).
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// An argument of the function, by its number.
    Input(usize),
    /// A parameter of the net, by its number in the net's list.
    Parameter(usize),
    /// In the body of a `Repeat`: in round `r`, parameter `first + r · step`; in loops in loops, `first + Σ r · step`.
    RoundParameter {
        /// The parameter of the first rounds.
        first: usize,
        /// Parameters from one round's set to the next, for each loop around the node, outermost first.
        steps: Vec<usize>,
    },
    /// A copy of parameter `first` in the node's element type, rounded, or in another layout: in round `r` of loops around it that of
    /// `first + Σ r · step`. A pass makes it, no function has it as written.
    Mirror {
        /// The parameter of the first rounds.
        first: usize,
        /// Parameters from one round's set to the next, for each loop around the node, outermost first.
        steps: Vec<usize>,
    },
    /// A state of the net as it is before the function runs, by its number in the net's list.
    State(usize),
    /// In the body of a `Repeat`: in round `r`, state `first + r · step`.
    RoundState {
        /// The state of the first rounds.
        first: usize,
        /// States from one round's set to the next, of each loop around it, outermost first.
        steps: Vec<usize>,
    },
    /// A scalar.
    Const(Number),
    /// The value of a size, as a scalar.
    Size(Size),
    /// The index along an axis of the node's shape.
    Iota(usize),
    /// By what the loss is multiplied before the way back, a scalar of f32; powers of 2, other ones from step to step.
    LossScale,
    /// Uniform in [0, 1), a function of seed, function, mode, call, this stream, the round of the loops around it, and the index in row-major
    /// order.
    Random(u32),
    /// `f(x)`, element by element.
    Unary(Unary),
    /// `f(x, y)`, element by element.
    Binary(Binary),
    /// `condition ? x : y`, element by element.
    Select,
    /// To the node's element type.
    Cast,
    /// The value itself, through which no gradient flows.
    Detach,
    /// `y, x, s, x′, s′ …` → `y`, whose gradient is `s` for `x`, `s′` for `x′` …: what the rules of the functions that `y` is made of would
    /// give, where they meet ∞ · 0 or 0 / 0 on their way. All have one type.
    WithSlope,
    /// `exp(x) / Σ exp(x)` along an axis. Has a gradient of its own (by the result); decomposed after the gradient pass.
    Softmax(usize),
    /// The same, but 0 where every x is -∞.
    SafeSoftmax(usize),
    /// `x - log Σ exp(x)` along an axis; likewise.
    LogSoftmax(usize),
    /// `x, mean, rate` → `(x - mean) · rate`, where the mean is that of `x` over the axes and the rate 1 / √(variance + eps), both stretched to
    /// its shape. Has a gradient of its own, for `x` alone; decomposed after the gradient pass.
    Normalize(Vec<usize>),
    /// Stretches to the node's shape by NumPy's rules.
    Broadcast,
    /// Same elements in row-major order, the node's shape.
    Reshape,
    /// Axis `i` of the result is axis `.0[i]` of the operand.
    Permute(Vec<usize>),
    /// Index `i` along `axis` of the result is index `start + step · i` of the operand.
    Slice {
        /// The axis.
        axis: usize,
        /// Where the result begins.
        start: Size,
        /// From one element to the next; may be negative, not 0.
        step: i64,
    },
    /// The operand, surrounded by `value`: along axis `i` it begins at `before[i]`.
    Pad {
        /// An entry an axis.
        before: Vec<Size>,
        /// What surrounds it.
        value: Number,
    },
    /// The operands one after the other along an axis.
    Cat(usize),
    /// `x, index` → the element of `x` at the index value along `axis`. The index has the node's shape: that of `x` with any number of axes
    /// in the place of `axis`, along which `x` does not run.
    Gather {
        /// Of `x`.
        axis: usize,
    },
    /// `dy, index` → the sum of what each element of a gather would have been read by, in the node's shape; 0 where nothing arrives. The
    /// gradient of `Gather`.
    Scatter {
        /// Of the node.
        axis: usize,
    },
    /// Over the axes listed (sorted), which disappear.
    Reduce(Reduction, Vec<usize>),
    /// `[batch.., m, k] × [batch.., k, n]`; `ta`: the left one is `[.., k, m]`; `tb`: the right one is `[.., n, k]`.
    MatMul {
        /// The left operand is transposed.
        ta: bool,
        /// The right operand is transposed.
        tb: bool,
    },
    /// `x[n, c, h, w], weight[o, c / groups, kh, kw]` → `[n, o, h', w']`: cross-correlation, as `torch.nn.functional.conv2d` without bias.
    Conv2d(Window),
    /// `dy[n, o, h', w'], weight` → the gradient of `x` (the node's shape).
    Conv2dInputGrad(Window),
    /// `x, dy` → the gradient of the weight (the node's shape).
    Conv2dWeightGrad(Window),
    /// `x[n, c, h, w]` → the maximum of each window.
    MaxPool2d(Window),
    /// `x, dy` → the gradient of `x`: to the first maximum of each window in row-major order.
    MaxPool2dGrad(Window),
    /// `x[n, c, h, w]` → the sum of each window, padding counted as zeros.
    SumPool2d(Window),
    /// `dy` → the gradient of `x` (the node's shape).
    SumPool2dGrad(Window),
    /// `x` → for each window the number (row-major, in the window) of its first maximum ([`Window::tap_type`]).
    MaxPool2dIndex(Window),
    /// `index, dy` → the gradient of the pool's input (the node's shape).
    MaxPool2dScatter(Window),
    /// `index, x[n, c, h, w]` → for each window the element that the index names.
    MaxPool2dGather(Window),
    /// `x` → along an axis, sums of the elements that lie near; both sizes are numbers. Decomposed after the gradient pass.
    Resample {
        /// The axis.
        axis: usize,
        /// Which ones.
        taps: Taps,
    },
    /// `query[.., L, E], key[.., S, E], value[.., S, F]`, and a mask that stretches to `[.., L, S]`, if there is one → softmax(scale · query ·
    /// keyᵀ) · value. The mask is true where a key may be seen, or is added to the scores; a query that sees nothing gives 0. Result 1 is
    /// log Σ exp of each query's scores, `[.., L]`.
    Attention(Attention),
    /// The same operands, the results of that, the cotangent of its output → the gradients of query, key, value, and of a mask that is added.
    AttentionGrad(Attention),
    /// The value itself, in memory of its own: inserted where a view must be laid out.
    Copy,
    /// `x, y` → `x` itself, once `y` is there: keeps what is made again from moving to where `x` was made.
    After,
    /// Of which each row is what it makes of a row of its operands: no loop nest, but a function of its own.
    Routine(Call),
    /// A loop of rounds over one body; operands: initial states, then what every round sees, then stacks.
    Repeat(Box<Repeat>),
    /// The result number `.0` of a node that has several: of a `Repeat` every one, of others those from number 1 on, as the node's own value is
    /// result 0.
    Get(usize),
}

/// A routine with what it is told beside its operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Which one.
    pub routine: Routine,
    /// From the last element to the first, from the largest to the smallest, from the right: what the routine says.
    pub reverse: bool,
    /// The length of a row of its results, if its operands do not say it.
    pub length: Option<Size>,
}

impl Graph {
    /// The same graph, computing in f32 what it computes in halves.
    pub fn with_wide_halves(&self) -> Graph {
        let mut wide = self.clone();
        for node in &mut wide.nodes {
            node.ty.dtype = if node.ty.dtype.is_half() { node.ty.dtype.computed() } else { node.ty.dtype };
            match &mut node.op {
                Op::Repeat(repeat) => {
                    repeat.body = repeat.body.with_wide_halves();
                    for argument in &mut repeat.body.arguments {
                        argument.ty.dtype = argument.ty.dtype.computed();
                    }
                }
                Op::Attention(attention) | Op::AttentionGrad(attention) => attention.half = None,
                _ => {}
            }
        }
        wide
    }

    /// The halves that it computes with, also in the rounds of its loops: the first that are found.
    pub fn halves(&self) -> Option<DType> {
        self.nodes.iter().find_map(|node| match &node.op {
            _ if node.ty.dtype.is_half() => Some(node.ty.dtype),
            Op::Repeat(repeat) => repeat.body.halves(),
            _ => None,
        })
    }
}

impl Op {
    /// The number of the parameter that the node reads (of round 0, in a loop).
    pub fn parameter(&self) -> Option<usize> {
        match self {
            Op::Parameter(number) | Op::RoundParameter { first: number, .. } | Op::Mirror { first: number, .. } => {
                Some(*number)
            }
            _ => None,
        }
    }

    /// The number of the state that the node reads (of round 0, in a loop).
    pub fn state(&self) -> Option<usize> {
        match self {
            Op::State(number) | Op::RoundState { first: number, .. } => Some(*number),
            _ => None,
        }
    }

    /// Whether the node does something that no value of it shows: a loop whose rounds assign states or make gradients.
    pub fn has_effects(&self) -> bool {
        match self {
            Op::Repeat(repeat) => {
                let effect = |role: &Role| role.gradient().is_some() || role.state().is_some();
                repeat.body.outputs.iter().any(|o| effect(&o.role))
                    || repeat.body.nodes.iter().any(|n| n.op.has_effects())
            }
            _ => false,
        }
    }
}

impl Role {
    /// The number of the parameter whose gradient this is (of round 0, in a loop).
    pub fn gradient(&self) -> Option<usize> {
        match self {
            Role::Gradient(number) | Role::RoundGradient { first: number, .. } => Some(*number),
            _ => None,
        }
    }

    /// The number of the state whose next value this is (of round 0, in a loop).
    pub fn state(&self) -> Option<usize> {
        match self {
            Role::State(number) | Role::RoundState { first: number, .. } => Some(*number),
            _ => None,
        }
    }
}

/// One operator applied to values.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What is computed.
    pub op: Op,
    /// Operands: earlier nodes.
    pub inputs: Vec<Value>,
    /// The result's type.
    pub ty: Type,
    /// Where it comes from.
    pub origin: Origin,
}

/// A named result of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// What the result is.
    pub role: Role,
    /// The result.
    pub value: Value,
}

/// What a result of a graph is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Part `.0` of what the function returns.
    Result(usize),
    /// The gradient of the objective with respect to parameter `.0`.
    Gradient(usize),
    /// In the body of a `Repeat`: the gradient with respect to the parameter that is `Op::RoundParameter` with these numbers.
    RoundGradient {
        /// The parameter of the first rounds.
        first: usize,
        /// Parameters from one round's set to the next, for each loop around the node, outermost first.
        steps: Vec<usize>,
    },
    /// Word number `.0` of the graph's checks, counted through: a scalar.
    Check(usize),
    /// What state `.0` is after the function has run.
    State(usize),
    /// In the body of a `Repeat`: what state `first + r · step` is after round `r`.
    RoundState {
        /// The state of the first rounds.
        first: usize,
        /// States from one round's set to the next, of each loop around it, outermost first.
        steps: Vec<usize>,
    },
}

/// An argument of the function.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// Its name.
    pub name: Arc<str>,
    /// Its type.
    pub ty: Type,
    /// If it holds indices or class numbers: what every element must fulfil, checked before anything runs.
    pub below: Vec<Below>,
}

/// A number in one of the net's lists in the first rounds, and the steps from round to round of each loop around it.
type Named<'g> = Option<(usize, &'g [usize])>;

impl Output {
    fn state(&self) -> Named<'_> {
        match &self.role {
            Role::State(number) => Some((*number, &[])),
            Role::RoundState { first, steps } => Some((*first, steps)),
            _ => None,
        }
    }
}

/// A function as primitive operators. Nodes stand in an order in which they may run: operands come first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// `LeNet.loss`.
    pub name: String,
    /// Arguments, in order.
    pub arguments: Vec<Argument>,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The results.
    pub outputs: Vec<Output>,
    /// What the sizes of the arguments must fulfil, beyond their types.
    pub rules: Vec<Rule>,
    /// What values must fulfil, each with the place that asks for it.
    pub checks: Vec<(Loc, Check)>,
}

impl Graph {
    /// An empty graph.
    pub fn new(name: impl Into<String>) -> Graph {
        Graph { name: name.into(), ..Graph::default() }
    }

    /// A graph of the same name, arguments, rules and checks, without nodes and outputs: where a pass begins to write.
    pub fn head(&self) -> Graph {
        Graph {
            name: self.name.clone(),
            arguments: self.arguments.clone(),
            nodes: vec![],
            outputs: vec![],
            rules: self.rules.clone(),
            checks: self.checks.clone(),
        }
    }

    /// The words of all checks.
    pub fn words(&self) -> usize {
        self.checks.iter().map(|(_, check)| check.words()).sum()
    }

    /// The node that makes a value.
    pub fn node(&self, value: Value) -> &Node {
        crate::visits::count();
        &self.nodes[value.index()]
    }

    /// The type of a value.
    pub fn ty(&self, value: Value) -> &Type {
        &self.node(value).ty
    }

    /// The types of all results of a node: of most its own, of a loop those that [`Op::Get`] reads.
    pub fn types(&self, value: Value) -> Vec<Type> {
        let node = self.node(value);
        match (&node.op, self.several(node)) {
            (Op::Repeat(repeat), _) => repeat.types(),
            (_, Some(Ok(types))) => types,
            _ => vec![node.ty.clone()],
        }
    }

    /// Of a node whose operands say how many results it has: their types, or what is wrong with the operands.
    pub(crate) fn several(&self, node: &Node) -> Option<Result<Vec<Type>, String>> {
        let operands = || node.inputs.iter().map(|v| self.ty(*v)).collect::<Vec<&Type>>();
        match &node.op {
            Op::Routine(call) => Some(call.results(&operands())),
            Op::Attention(attention) => Some(attention.results(&operands())),
            Op::AttentionGrad(attention) => Some(attention.gradients(&operands())),
            _ => None,
        }
    }

    /// The shape of a value.
    pub fn shape(&self, value: Value) -> &[Size] {
        &self.node(value).ty.shape
    }

    /// The element type of a value.
    pub fn dtype(&self, value: Value) -> DType {
        self.node(value).ty.dtype
    }

    /// Appends a node. The type must be the one that the operator's rule gives (the verifier checks).
    pub fn push(&mut self, op: Op, inputs: Vec<Value>, ty: Type, origin: Origin) -> Value {
        self.nodes.push(Node { op, inputs, ty, origin });
        Value(self.nodes.len() as u32 - 1)
    }

    /// The half that a node makes wide again, if it does that.
    pub fn widened(&self, value: Value) -> Option<Value> {
        let Node { op: Op::Cast, inputs, ty, .. } = self.node(value) else { return None };
        let is_wide = ty.dtype.is_float() && !ty.dtype.is_half();
        (is_wide && self.dtype(inputs[0]).is_half()).then_some(inputs[0])
    }

    /// The number that a value has everywhere, if it is a constant (possibly stretched or reshaped).
    pub fn as_const(&self, value: Value) -> Option<f64> {
        self.as_number(value).map(Number::f64)
    }

    /// The same, exactly.
    pub fn as_number(&self, value: Value) -> Option<Number> {
        let node = self.node(value);
        match node.op {
            Op::Const(c) => Some(c),
            Op::Broadcast | Op::Reshape | Op::Slice { .. } => self.as_number(node.inputs[0]),
            _ => None,
        }
    }

    /// Whether a node, also in the body of a loop, is such an operator.
    pub fn has(&self, wanted: &dyn Fn(&Op) -> bool) -> bool {
        self.first(wanted).is_some()
    }

    /// The first node, also in the body of a loop, that is such an operator.
    pub fn first(&self, wanted: &dyn Fn(&Op) -> bool) -> Option<&Node> {
        self.nodes.iter().find_map(|node| match &node.op {
            op if wanted(op) => Some(node),
            Op::Repeat(repeat) => repeat.body.first(wanted),
            _ => None,
        })
    }

    /// The numbers of the parameters whose gradients the graph makes, in all rounds of its loops; sorted.
    pub fn gradients(&self) -> Vec<usize> {
        self.numbers(&|_| None, &|o| match &o.role {
            Role::Gradient(number) => Some((*number, &[][..])),
            Role::RoundGradient { first, steps } => Some((*first, steps)),
            _ => None,
        })
    }

    /// The numbers of the states that the graph assigns, in all rounds of its loops; sorted, each once though it be assigned again.
    pub fn assigns(&self) -> Vec<usize> {
        let mut all = self.numbers(&|_| None, &Output::state);
        all.dedup();
        all
    }

    /// The numbers of the states that the graph reads or assigns, in all rounds of its loops; sorted, each once.
    pub fn states(&self) -> Vec<usize> {
        self.states_in(&[])
    }

    /// `counts`: the rounds of the loops around the graph.
    fn states_in(&self, counts: &[usize]) -> Vec<usize> {
        let mut all = vec![];
        self.collect(
            counts,
            &|node| match &node.op {
                Op::State(number) => Some((*number, &[][..])),
                Op::RoundState { first, steps } => Some((*first, steps)),
                _ => None,
            },
            &Output::state,
            &mut all,
        );
        all.sort_unstable();
        all.dedup();
        all
    }

    /// What nodes and outputs name of the net's lists, in all rounds of loops; sorted.
    fn numbers(&self, node: &dyn Fn(&Node) -> Named<'_>, output: &dyn Fn(&Output) -> Named<'_>) -> Vec<usize> {
        let mut all = vec![];
        self.collect(&[], node, output, &mut all);
        all.sort_unstable();
        all
    }

    /// `counts`: the rounds of the loops around the graph.
    fn collect(
        &self,
        counts: &[usize],
        of_node: &dyn Fn(&Node) -> Named<'_>,
        of_output: &dyn Fn(&Output) -> Named<'_>,
        all: &mut Vec<usize>,
    ) {
        let own = self.nodes.iter().filter_map(of_node).chain(self.outputs.iter().filter_map(of_output));
        for (first, steps) in own {
            all.extend(in_rounds(first, steps, counts));
        }
        for node in &self.nodes {
            if let Op::Repeat(repeat) = &node.op {
                repeat.body.collect(&[counts, &[rounds(repeat)]].concat(), of_node, of_output, all);
            }
        }
    }

    /// The numbers of the parameters that node number `index` reads, in all rounds if it is a loop.
    pub fn parameters_of(&self, index: usize) -> Vec<usize> {
        match &self.nodes[index].op {
            Op::Parameter(number) => vec![*number],
            Op::Mirror { first, steps } if steps.is_empty() => vec![*first],
            Op::Repeat(repeat) => {
                let mut all = vec![];
                repeat.body.collect(
                    &[rounds(repeat)],
                    &|node| match &node.op {
                        Op::RoundParameter { first, steps } | Op::Mirror { first, steps } => Some((*first, &steps[..])),
                        _ => None,
                    },
                    &|_| None,
                    &mut all,
                );
                all
            }
            _ => vec![],
        }
    }

    /// For each node, how many operands and outputs refer to it.
    pub fn use_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.nodes.len()];
        for value in self.nodes.iter().flat_map(|n| &n.inputs).chain(self.outputs.iter().map(|o| &o.value)) {
            counts[value.index()] += 1;
        }
        counts
    }
}

/// The rounds of a loop, as far as sets are concerned: one that has sets of its own runs a known number of times.
pub(crate) fn rounds(repeat: &Repeat) -> usize {
    repeat.count.as_const().unwrap_or(1) as usize
}

/// The numbers that `first` and so many further in each round of each loop are.
pub(crate) fn in_rounds(first: usize, steps: &[usize], counts: &[usize]) -> Vec<usize> {
    counts.iter().zip(steps).fold(vec![first], |numbers, (count, step)| {
        numbers.iter().flat_map(|n| (0..*count).map(move |round| n + round * step)).collect()
    })
}
