//! Attention as a primitive: its types, and how it and its gradient are written by others. A tiled kernel never has the scores of all queries
//! in memory (Dao et al., *FlashAttention*, 2022); what it leaves for the way back is a number a query, the logarithm of the sum below its
//! softmax.

use crate::builder::{Builder, Parameters};
use crate::decompose::limits;
use crate::grad::{NoRule, vjp};
use crate::graph::{Graph, Node, Op, Output, Role, Value};
use crate::number::Number;
use crate::scalar::{Binary, Reduction, Unary};
use crate::size::Size;
use crate::types::{DType, Type, broadcast};

/// What attention is told beside its operands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    /// Query i sees the keys 0 to i only.
    pub causal: bool,
    /// What scores are multiplied by; `None`: 1 / √E of `query[.., L, E]`, which may be a run-time size.
    pub scale: Option<Number>,
    /// In mixed precision, the halves that the weights of values are rounded to, as whatever else is multiplied.
    pub half: Option<DType>,
}

/// The operands that every node of attention begins with.
pub(crate) struct Operands<T> {
    /// `[.., L, E]`.
    pub query: T,
    /// `[.., S, E]`.
    pub key: T,
    /// `[.., S, F]`.
    pub value: T,
    /// Stretches to `[.., L, S]`.
    pub mask: Option<T>,
}

impl<T: Copy> Operands<T> {
    /// The first of a node's operands; behind them stand `more` others. `None`: it has too few or too many.
    pub fn of(operands: &[T], more: usize) -> Option<Operands<T>> {
        match operands[..operands.len().checked_sub(more)?] {
            [query, key, value] => Some(Operands { query, key, value, mask: None }),
            [query, key, value, mask] => Some(Operands { query, key, value, mask: Some(mask) }),
            _ => None,
        }
    }
}

/// How many operands the gradient has behind those of attention itself: output, log-sum-exp, cotangent of the output.
pub(crate) const MORE: usize = 3;

impl Attention {
    /// The types of the results over such operands: output `[.., L, F]`, log-sum-exp `[.., L]`.
    ///
    /// # Errors
    ///
    /// What is wrong with the operands.
    pub fn results(&self, operands: &[&Type]) -> Result<Vec<Type>, String> {
        let Some(Operands { query, key, value, mask }) = Operands::of(operands, 0) else {
            return Err("attention takes three operands and a mask".into());
        };
        let float = query.dtype;
        if !float.is_float() || float.is_half() || [key, value].iter().any(|ty| ty.dtype != float) {
            return Err(format!("attention of {query}, {key} and {value}: it takes one float type, halves widened"));
        }
        let ([batch @ .., targets, features], [key_batch @ .., sources, key_features], [value_batch @ .., kept, width]) =
            (&query.shape[..], &key.shape[..], &value.shape[..])
        else {
            return Err(format!("attention of {query}, {key} and {value}, which are no matrices"));
        };
        if batch != key_batch || batch != value_batch || features != key_features || sources != kept {
            return Err(format!("attention of {query}, {key} and {value}, which do not meet"));
        }
        let scores = [batch, &[targets.clone(), sources.clone()]].concat();
        let fits = |mask: &Type| {
            (mask.dtype == DType::Bool || mask.dtype == float)
                && broadcast(&scores, &mask.shape).as_deref() == Some(&scores[..])
        };
        if let Some(mask) = mask.filter(|mask| !fits(mask)) {
            return Err(format!("attention of {query} and {key} with a mask {mask}"));
        }
        let row = [batch, std::slice::from_ref(targets)].concat();
        let output = [&row[..], std::slice::from_ref(width)].concat();
        Ok(vec![Type::new(float, output), Type::new(float, row)])
    }

    /// The types of the results of its gradient: those of query, key, value, and of a mask that is added.
    ///
    /// # Errors
    ///
    /// What is wrong with the operands.
    pub fn gradients(&self, operands: &[&Type]) -> Result<Vec<Type>, String> {
        let own = operands.len().saturating_sub(MORE);
        let (own, more) = operands.split_at(own);
        let results = self.results(own)?;
        if !more.iter().copied().eq([&results[0], &results[1], &results[0]]) {
            return Err(
                "the gradient of attention takes its results and a cotangent of its output behind its operands".into(),
            );
        }
        Ok(own.iter().filter(|ty| ty.dtype.is_float()).map(|ty| Type::clone(ty)).collect())
    }

    /// The masked scores, and the weights that are made of them.
    pub(crate) fn weights(&self, b: &mut Builder, operands: &Operands<Value>) -> [Value; 2] {
        let [qs, ks] = [operands.query, operands.key].map(|v| b.shape(v));
        let rank = qs.len();
        let (targets, sources, features) = (qs[rank - 2].clone(), ks[rank - 2].clone(), &qs[rank - 1]);
        let dtype = b.graph.dtype(operands.query);
        let shape = [&qs[..rank - 2], &[targets.clone(), sources.clone()]].concat();
        let ty = Type::new(dtype, shape.clone());
        let product = Op::MatMul { ta: false, tb: true };
        let scores = b.push(product, vec![operands.query, operands.key], ty.clone());
        let mut scores = match (self.scale, features.as_const()) {
            (Some(scale), _) => b.binary_const(Binary::Mul, scores, scale),
            (None, Some(features)) => b.binary_const(Binary::Mul, scores, 1.0 / (features as f64).sqrt()),
            (None, None) => {
                let features = b.push(Op::Size(features.clone()), vec![], Type::new(dtype, vec![]));
                let scale = b.unary(Unary::Rsqrt, features);
                let scale = b.broadcast_to(scale, &shape);
                b.pointwise(Binary::Mul, scores, scale)
            }
        };
        let hide = |b: &mut Builder, seen: Value, scores: Value| {
            let seen = b.broadcast_to(seen, &shape);
            let hidden = b.full(f64::NEG_INFINITY, scores);
            b.push(Op::Select, vec![seen, scores, hidden], ty.clone())
        };
        match operands.mask {
            Some(mask) if b.graph.dtype(mask) == DType::Bool => scores = hide(b, mask, scores),
            Some(mask) => {
                let mask = b.broadcast_to(mask, &shape);
                scores = b.pointwise(Binary::Add, scores, mask);
            }
            None => {}
        }
        if self.causal {
            let places = Type::new(DType::I64, vec![targets, sources]);
            let row = b.push(Op::Iota(0), vec![], places.clone());
            let column = b.push(Op::Iota(1), vec![], places);
            let seen = b.pointwise(Binary::Le, column, row);
            scores = hide(b, seen, scores);
        }
        // Without a mask every query sees a key, the first at least; with one, some may see none.
        let softmax = if operands.mask.is_some() { Op::SafeSoftmax } else { Op::Softmax };
        let weights = b.push(softmax(rank - 1), vec![scores], ty);
        [scores, weights]
    }

    /// The weighted values.
    pub(crate) fn weighted(b: &mut Builder, weights: Value, value: Value) -> Value {
        let mut ty = b.ty(weights).clone();
        let (last, width) = (ty.rank() - 1, b.rank(value) - 1);
        ty.shape[last] = b.shape(value)[width].clone();
        b.push(Op::MatMul { ta: false, tb: false }, vec![weights, value], ty)
    }
}

/// Of a node of [`Op::Attention`]: what is written is what is read of its results.
pub(crate) fn decomposition(graph: &Graph, node: &Node, read: &[bool]) -> Result<Graph, NoRule> {
    let Op::Attention(attention) = &node.op else { return Err(NoRule::of(node)) };
    let mut none = Parameters::default();
    let mut b = Builder::new("attention", &mut none, false);
    b.origin = node.origin.clone();
    let operands = arguments(&mut b, graph, &node.inputs);
    let [scores, output] = attention.written(&mut b, &operands).ok_or_else(|| NoRule::of(node))?;
    let log_sums = if read[1] { vec![(1, log_sums(&mut b, scores))] } else { vec![] };
    let outputs = read[0].then_some((0, output)).into_iter().chain(log_sums);
    b.graph.outputs = outputs.map(|(number, value)| Output { role: Role::Result(number), value }).collect();
    Ok(b.graph)
}

/// Of a node of [`Op::AttentionGrad`]: attention written by others, and the gradients of these.
pub(crate) fn gradient(graph: &Graph, node: &Node, read: &[bool]) -> Result<Graph, NoRule> {
    let Op::AttentionGrad(attention) = &node.op else { return Err(NoRule::of(node)) };
    let mut none = Parameters::default();
    let mut b = Builder::new("attention gradient", &mut none, false);
    b.origin = node.origin.clone();
    if let Some(name) = b.origin.name.strip_prefix("d ") {
        b.origin.name = name.into();
    }
    let (own, more) = node.inputs.split_at(node.inputs.len().saturating_sub(MORE));
    let operands = arguments(&mut b, graph, own);
    let [_, output] = attention.written(&mut b, &operands).ok_or_else(|| NoRule::of(node))?;
    let more = arguments(&mut b, graph, more);
    let cotangent = more.last().map(|g| (output, *g));
    let wanted: Vec<(usize, Value)> =
        operands.into_iter().enumerate().filter(|(i, _)| read.get(*i) == Some(&true)).collect();
    let values: Vec<Value> = wanted.iter().map(|(_, v)| *v).collect();
    let (mut graph, found) = vjp(b.graph, cotangent.as_slice(), &values)?;
    for ((number, _), value) in wanted.iter().zip(found) {
        let value = value.ok_or_else(|| NoRule::of(node))?;
        graph.outputs.push(Output { role: Role::Result(*number), value });
    }
    Ok(graph)
}

fn arguments(b: &mut Builder, graph: &Graph, operands: &[Value]) -> Vec<Value> {
    operands.iter().map(|v| b.argument("operand", graph.ty(*v).clone())).collect()
}

impl Attention {
    /// Scores and output.
    fn written(&self, b: &mut Builder, operands: &[Value]) -> Option<[Value; 2]> {
        let operands = Operands::of(operands, 0)?;
        let [scores, mut weights] = self.weights(b, &operands);
        if let Some(half) = self.half {
            weights = b.cast(weights, half);
            weights = b.widened(weights);
        }
        Some([scores, Attention::weighted(b, weights, operands.value)])
    }
}

/// `log Σ exp(scores)` of each row, with its maximum taken off; -∞ where a query sees nothing.
fn log_sums(b: &mut Builder, scores: Value) -> Value {
    let (shape, dtype) = (b.shape(scores), b.graph.dtype(scores));
    let last = shape.len() - 1;
    let max = b.reduce(Reduction::Max, scores, &[last], true);
    // A number is taken off even if all is -∞.
    let (lowest, _) = limits(dtype);
    let max = b.binary_const(Binary::Max, max, lowest);
    let stretched = b.broadcast_to(max, &shape);
    let shifted = b.pointwise(Binary::Sub, scores, stretched);
    let exp = b.unary(Unary::Exp, shifted);
    let sum = b.reduce(Reduction::Sum, exp, &[last], true);
    let log = b.unary(Unary::Log, sum);
    let log_sums = b.pointwise(Binary::Add, log, max);
    let row: Vec<Size> = shape[..last].to_vec();
    b.reshape(log_sums, row)
}
