//! A weight that every round of a loop uses has a gradient that is summed through the rounds, term by term. Where a round's term is a product
//! `aᵀ · b`, or a sum over axes of `a`, the sum is one product, or one sum, of the stacks of `a` and `b`, outside the loop: longer, so faster,
//! and no state goes round.

use rustc_hash::FxHashMap;

use crate::graph::{Graph, Op, Origin, Repeat, Role, Value};
use crate::scalar::{Binary, Reduction};
use crate::size::Size;
use crate::types::Type;

/// The graph with such sums outside; the states that held them are left for nothing.
pub(crate) fn collect(graph: &Graph) -> Graph {
    let mut out = Graph { outputs: graph.outputs.clone(), ..graph.head() };
    let mut map: Vec<Value> = Vec::with_capacity(graph.nodes.len());
    let mut sums: FxHashMap<(Value, usize), Value> = FxHashMap::default();
    for node in &graph.nodes {
        let mut node = node.clone();
        node.inputs.iter_mut().for_each(|v| *v = map[v.index()]);
        let value = match node.op {
            Op::Get(number) if sums.contains_key(&(node.inputs[0], number)) => sums[&(node.inputs[0], number)],
            Op::Repeat(repeat) => {
                let goes_back = goes_back(&out, &repeat, &node.inputs);
                let (repeat, terms) = with_stacks(*repeat, goes_back);
                let (operands, origin) = (node.inputs.clone(), node.origin.clone());
                let value = out.push(Op::Repeat(Box::new(repeat.clone())), node.inputs, node.ty, node.origin);
                for (state, term) in terms {
                    let of = Loop { repeat: &repeat, operands: &operands, value, origin: &origin };
                    let sum = of.outside(&mut out, state, term);
                    sums.insert((value, state), sum);
                }
                value
            }
            _ => out.push(node.op, node.inputs, node.ty, node.origin),
        };
        map.push(value);
    }
    out.outputs.iter_mut().for_each(|output| output.value = map[output.value.index()]);
    out
}

/// What a round adds to a state.
enum Term {
    /// `aᵀ · b`.
    Product([Factor; 2]),
    /// The sum over these axes.
    Sum(Factor, Vec<usize>),
}

/// Of which the loop sees, or stacks, a row a round.
#[derive(Clone, Copy)]
enum Factor {
    /// The operand of this number.
    Operand(usize),
    /// The result of this number.
    Result(usize),
}

/// Whether the loop reads what a loop in the other direction stacks.
fn goes_back(graph: &Graph, repeat: &Repeat, operands: &[Value]) -> bool {
    let is_other_way = |stack: &Value| match graph.node(*stack).op {
        Op::Get(_) => match &graph.node(graph.node(*stack).inputs[0]).op {
            Op::Repeat(other) => other.reverse != repeat.reverse && other.count == repeat.count,
            _ => false,
        },
        _ => false,
    };
    operands[repeat.states + repeat.shared..].iter().any(is_other_way)
}

/// The states that are sums through the rounds and serve for nothing else, with the loop that stacks their factors. On the way back it stacks
/// also what no other reader asks for: in the rows that the forward pass kept there is mostly room for it.
fn with_stacks(mut repeat: Repeat, goes_back: bool) -> (Repeat, Vec<(usize, Term)>) {
    let terms = (0..repeat.states).filter_map(|state| Some((state, added(&repeat, state)?)));
    let (products, sums): (Vec<_>, Vec<_>) =
        terms.partition(|(_, term)| matches!(repeat.body.node(*term).op, Op::MatMul { .. }));
    let mut found = vec![];
    for (state, term) in products {
        let factors = [0, 1].map(|i| repeat.body.node(term).inputs[i]);
        let [a, b] = factors.map(|v| goes_back || rows(&repeat, v).is_some());
        if a && b {
            found.push((
                state,
                Term::Product(factors.map(|v| rows(&repeat, v).unwrap_or_else(|| Factor::Result(repeat.stack(v))))),
            ));
        }
    }
    for (state, term) in sums {
        let Op::Reduce(_, axes) = &repeat.body.node(term).op else { continue };
        let factor = rows(&repeat, repeat.body.node(term).inputs[0]);
        found.extend(factor.map(|factor| (state, Term::Sum(factor, axes.clone()))));
    }
    (repeat, found)
}

/// What each round adds to a state, if it is a term of these kinds and the state serves for nothing else.
fn added(repeat: &Repeat, state: usize) -> Option<Value> {
    let body = &repeat.body;
    let next = body.node(body.outputs[state].value);
    let is_state = |v: Value| body.node(v).op == Op::Input(state);
    let term = match (&next.op, &next.inputs[..]) {
        (Op::Binary(Binary::Add), &[a, b]) if is_state(a) => b,
        (Op::Binary(Binary::Add), &[a, b]) if is_state(b) => a,
        _ => return None,
    };
    let reads = body.nodes.iter().flat_map(|n| &n.inputs).filter(|v| is_state(**v)).count();
    let stacked =
        body.outputs[repeat.states..].iter().any(|o| is_state(o.value) || o.value == body.outputs[state].value);
    let node = body.node(term);
    let is_term = match &node.op {
        Op::MatMul { ta: true, tb: false } => node.ty.rank() == 2,
        Op::Reduce(Reduction::Sum, axes) => axes.contains(&0),
        _ => false,
    };
    let varies = node.inputs.iter().all(|&v| !is_shared(repeat, v));
    (reads == 1 && !stacked && is_term && varies).then_some(term)
}

/// Whether all rounds see the same value: the sum is `count` times the term then, and no stack spares anything.
fn is_shared(repeat: &Repeat, value: Value) -> bool {
    match repeat.body.node(value).op {
        Op::Input(number) => (repeat.states..repeat.states + repeat.shared).contains(&number),
        Op::Parameter(_) | Op::RoundParameter { .. } | Op::Mirror { .. } | Op::Const(_) => true,
        _ => false,
    }
}

/// Where the loop has rows of a value of its body.
fn rows(repeat: &Repeat, value: Value) -> Option<Factor> {
    match repeat.body.node(value).op {
        Op::Input(number) if number >= repeat.states + repeat.shared => Some(Factor::Operand(number)),
        _ => {
            let mut results = repeat.body.outputs.iter().enumerate().skip(repeat.states);
            let found = results.find(|(_, o)| o.value == value && matches!(o.role, Role::Result(_)));
            found.map(|(number, _)| Factor::Result(number))
        }
    }
}

/// A loop in the new graph.
struct Loop<'l> {
    repeat: &'l Repeat,
    operands: &'l [Value],
    value: Value,
    origin: &'l Origin,
}

impl Loop<'_> {
    /// The sum in a state as one product or sum, added to what the state began with.
    fn outside(&self, out: &mut Graph, state: usize, term: Term) -> Value {
        let first = self.operands[state];
        let ty = out.ty(first).clone();
        let sum = match term {
            Term::Product(factors) => {
                let factors = factors.map(|factor| self.below(out, factor)).to_vec();
                out.push(Op::MatMul { ta: true, tb: false }, factors, ty.clone(), self.origin.clone())
            }
            Term::Sum(factor, axes) => {
                let rows = self.below(out, factor);
                out.push(Op::Reduce(Reduction::Sum, axes), vec![rows], ty.clone(), self.origin.clone())
            }
        };
        match out.as_const(first) {
            Some(0.0) => sum,
            _ => out.push(Op::Binary(Binary::Add), vec![first, sum], ty, self.origin.clone()),
        }
    }

    fn stack(&self, out: &mut Graph, factor: Factor) -> Value {
        match factor {
            Factor::Operand(number) => self.operands[number],
            Factor::Result(number) => {
                let mut ty = self.repeat.body.ty(self.repeat.body.outputs[number].value).clone();
                ty.shape.insert(0, self.repeat.count.clone());
                out.push(Op::Get(number), vec![self.value], ty, self.origin.clone())
            }
        }
    }

    /// A stack with its rows one below the other.
    fn below(&self, out: &mut Graph, factor: Factor) -> Value {
        let stack = self.stack(out, factor);
        let ty = out.ty(stack);
        let shape = [&[Size::product(&ty.shape[..2])], &ty.shape[2..]].concat();
        let ty = Type::new(ty.dtype, shape);
        out.push(Op::Reshape, vec![stack], ty, self.origin.clone())
    }
}
