//! Checks of values that are made while a function runs: where the first element stands that is not what it must be, as ordinary nodes of
//! the graph, so that every pass knows what to do with them.

use crate::builder::Builder;
use crate::diagnostic::Loc;
use crate::graph::{Graph, Op, Origin, Output, Role, Value};
use crate::program::{Check, Must};
use crate::scalar::{Binary, Reduction, Unary};
use crate::size::Size;
use crate::types::{DType, Type};

impl Builder<'_> {
    /// Checks every element of a value of integers when the function runs.
    pub(crate) fn check(&mut self, value: Value, must: Must, at: Loc) {
        let known = |(v, m): &(Value, Must)| match (m, &must) {
            (Must::Lie(a), Must::Lie(b)) => *v == value && (&a.least, &a.limit, a.or) == (&b.least, &b.limit, b.or),
            (Must::Divide(_), Must::Divide(_)) => *v == value,
            _ => false,
        };
        if self.checked.iter().any(known) {
            return;
        }
        self.checked.push((value, must.clone()));
        let origin = Origin::new(at, format!("check of {}", must.by()));
        let before = std::mem::replace(&mut self.origin, origin);
        let axes = self.rank(value);
        let value = if axes == 0 { self.reshape(value, vec![1.into()]) } else { value };
        let value = self.cast(value, DType::I64);
        let right = match &must {
            Must::Divide(_) => self.binary_const(Binary::Ne, value, 0i64),
            Must::Lie(below) => {
                let (least, limit) = (self.everywhere(&below.least, value), self.everywhere(&below.limit, value));
                let (from, to) = (self.pointwise(Binary::Ge, value, least), self.pointwise(Binary::Lt, value, limit));
                let inside = self.pointwise(Binary::And, from, to);
                match below.or {
                    None => inside,
                    Some(or) => {
                        let other = self.binary_const(Binary::Eq, value, or);
                        self.pointwise(Binary::Or, inside, other)
                    }
                }
            }
        };
        let wrong = self.unary(Unary::Not, right);
        let (mut words, first) = self.places(wrong);
        words.push(self.element(first, value));
        self.finish(at, Check { must, loc: 0, rounds: 0, axes }, words);
        self.origin = before;
    }

    /// What a check in the body of a loop finds in all its rounds; `words`: a stack each.
    pub(crate) fn check_rounds(&mut self, at: Loc, check: Check, words: &[Value]) {
        let origin = Origin::new(at, format!("check of {}", check.must.by()));
        let before = std::mem::replace(&mut self.origin, origin);
        let wrong = self.binary_const(Binary::Lt, words[0], i64::MAX);
        let (mut all, first) = self.places(wrong);
        all.extend(words.iter().map(|word| self.element(first, *word)));
        self.finish(at, Check { rounds: check.rounds + 1, ..check }, all);
        self.origin = before;
    }

    fn finish(&mut self, at: Loc, check: Check, words: Vec<Value>) {
        let known = self.graph.words();
        let output = |(i, value)| Output { role: Role::Check(known + i), value };
        self.graph.outputs.extend(words.into_iter().enumerate().map(output));
        self.graph.checks.push((at, check));
    }

    /// The index along each axis of the first element that is true, `i64::MAX` if none is; and whether an element is that one.
    fn places(&mut self, wrong: Value) -> (Vec<Value>, Value) {
        let shape = self.shape(wrong);
        let all: Vec<usize> = (0..shape.len()).collect();
        let (mut first, mut places) = (wrong, vec![]);
        for &axis in &all {
            let index = self.push(Op::Iota(axis), vec![], Type::new(DType::I64, shape.clone()));
            let none = self.full(i64::MAX, index);
            let index_or_none = self.choose(first, index, none);
            let place = self.reduce(Reduction::Min, index_or_none, &all, false);
            let everywhere = self.broadcast_to(place, &shape);
            let here = self.pointwise(Binary::Eq, index, everywhere);
            first = self.pointwise(Binary::And, first, here);
            places.push(place);
        }
        (places, first)
    }

    /// The element of a value where `first` is true; `i64::MIN` if it is nowhere.
    fn element(&mut self, first: Value, value: Value) -> Value {
        let all: Vec<usize> = (0..self.rank(value)).collect();
        let none = self.full(i64::MIN, value);
        let element_or_none = self.choose(first, value, none);
        self.reduce(Reduction::Max, element_or_none, &all, false)
    }

    /// `condition ? x : y` of values of one shape.
    fn choose(&mut self, condition: Value, x: Value, y: Value) -> Value {
        let ty = self.ty(x).clone();
        self.push(Op::Select, vec![condition, x, y], ty)
    }

    /// A size in the shape of `like`, as i64.
    fn everywhere(&mut self, size: &Size, like: Value) -> Value {
        let number = match size.as_const() {
            Some(number) => self.constant(number, DType::I64),
            None => self.push(Op::Size(size.clone()), vec![], Type::new(DType::I64, vec![])),
        };
        let shape = self.shape(like);
        self.broadcast_to(number, &shape)
    }
}

/// The graph with the checks at its beginning that depend on arguments, sizes, states and constants alone: a call that fails them does not
/// run for nothing.
pub(crate) fn checks_first(graph: Graph) -> Graph {
    let mut early: Vec<bool> = vec![];
    for node in &graph.nodes {
        let late = node.op.parameter().is_some() || matches!(node.op, Op::Repeat(_) | Op::Get(_) | Op::After);
        early.push(!late && node.inputs.iter().all(|v| early[v.index()]));
    }
    let mut first = vec![false; graph.nodes.len()];
    for output in graph.outputs.iter().filter(|o| matches!(o.role, Role::Check(_))) {
        first[output.value.index()] = early[output.value.index()];
    }
    if !first.contains(&true) {
        return graph;
    }
    for index in (0..first.len()).rev() {
        if first[index] {
            graph.nodes[index].inputs.iter().for_each(|v| first[v.index()] = true);
        }
    }
    let order = (0..first.len()).filter(|i| first[*i]).chain((0..first.len()).filter(|i| !first[*i]));
    let (mut out, mut map) = (graph.head(), vec![Value(0); first.len()]);
    for index in order {
        let node = &graph.nodes[index];
        let inputs = node.inputs.iter().map(|v| map[v.index()]).collect();
        map[index] = out.push(node.op.clone(), inputs, node.ty.clone(), node.origin.clone());
    }
    out.outputs = graph.outputs.iter().map(|o| Output { value: map[o.value.index()], ..o.clone() }).collect();
    out
}
