//! A weight that every round of a loop uses has a gradient that is summed through the rounds, product by product. Where the factors of the
//! products are rows of stacks, the sum is one product of the stacks, outside the loop: longer, so faster, and no state goes round.

use crate::hash::HashMap;

use crate::graph::{Graph, Op, Origin, Repeat, Role, Value};
use crate::scalar::Binary;
use crate::size::Size;
use crate::types::Type;

/// The graph with such sums outside; the states that held them are left for nothing.
pub(crate) fn collect(graph: &Graph) -> Graph {
    let mut out = Graph { nodes: vec![], ..graph.clone() };
    let mut map: Vec<Value> = Vec::with_capacity(graph.nodes.len());
    let mut sums: HashMap<(Value, usize), Value> = HashMap::default();
    for node in &graph.nodes {
        let mut node = node.clone();
        node.inputs.iter_mut().for_each(|v| *v = map[v.index()]);
        let value = match &node.op {
            Op::Get(number) if sums.contains_key(&(node.inputs[0], *number)) => sums[&(node.inputs[0], *number)],
            Op::Repeat(repeat) => {
                let products = (0..repeat.states).filter_map(|state| Some((state, product(repeat, state)?)));
                let products: Vec<(usize, [Factor; 2])> = products.collect();
                let (repeat, operands, origin) = (repeat.clone(), node.inputs.clone(), node.origin.clone());
                let value = out.push(node.op, node.inputs, node.ty, node.origin);
                for (state, factors) in products {
                    let of = Loop { repeat: &repeat, operands: &operands, value, origin: &origin };
                    let sum = of.outside(&mut out, state, factors);
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

/// A factor of which the loop sees, or stacks, a row a round.
#[derive(Clone, Copy)]
enum Factor {
    /// The operand of this number.
    Operand(usize),
    /// The result of this number.
    Result(usize),
}

/// The factors, if the state is a sum of `aᵀ · b` through the rounds, and serves for nothing else.
fn product(repeat: &Repeat, state: usize) -> Option<[Factor; 2]> {
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
    let term = body.node(term);
    if reads != 1 || stacked || term.op != (Op::MatMul { ta: true, tb: false }) || term.ty.rank() != 2 {
        return None;
    }
    let factor = |value: Value| match body.node(value).op {
        Op::Input(number) if number >= repeat.states + repeat.shared => Some(Factor::Operand(number)),
        _ => {
            let mut results = body.outputs.iter().enumerate().skip(repeat.states);
            let found = results.find(|(_, o)| o.value == value && matches!(o.role, Role::Result(_)));
            found.map(|(number, _)| Factor::Result(number))
        }
    };
    Some([factor(term.inputs[0])?, factor(term.inputs[1])?])
}

/// A loop in the new graph.
struct Loop<'l> {
    repeat: &'l Repeat,
    operands: &'l [Value],
    value: Value,
    origin: &'l Origin,
}

impl Loop<'_> {
    /// The sum in a state as one product, added to what the state began with.
    fn outside(&self, out: &mut Graph, state: usize, factors: [Factor; 2]) -> Value {
        let factors = factors.map(|factor| self.rows(out, factor)).to_vec();
        let first = self.operands[state];
        let ty = out.ty(first).clone();
        let product = out.push(Op::MatMul { ta: true, tb: false }, factors, ty.clone(), self.origin.clone());
        match out.as_const(first) {
            Some(0.0) => product,
            _ => out.push(Op::Binary(Binary::Add), vec![first, product], ty, self.origin.clone()),
        }
    }

    /// A stack of matrices as one matrix.
    fn rows(&self, out: &mut Graph, factor: Factor) -> Value {
        let stack = match factor {
            Factor::Operand(number) => self.operands[number],
            Factor::Result(number) => {
                let mut ty = self.repeat.body.ty(self.repeat.body.outputs[number].value).clone();
                ty.shape.insert(0, self.repeat.count.clone());
                out.push(Op::Get(number), vec![self.value], ty, self.origin.clone())
            }
        };
        let ty = out.ty(stack);
        let ty = Type::new(ty.dtype, vec![Size::product(&ty.shape[..2]), ty.shape[2].clone()]);
        out.push(Op::Reshape, vec![stack], ty, self.origin.clone())
    }
}
