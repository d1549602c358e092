//! Parameters that several loops use, or a loop and something beside it (an encoder that is applied to two inputs): before gradients are
//! taken, the rounds of such loops are written out, so that all gradients of a parameter meet in one sum.

use std::collections::BTreeMap;

use crate::graph::{Graph, Node, Op, Origin, Output, Repeat, Role, Value};
use crate::optimise::without_dead_code;
use rustc_hash::FxHashMap;

/// The graph in which a parameter is read by one loop only, or by none.
pub(crate) fn separate(graph: &Graph) -> Graph {
    let mut graph = without_dead_code(graph);
    for node in &mut graph.nodes {
        if let Op::Repeat(repeat) = &mut node.op {
            repeat.body = separate(&repeat.body);
        }
    }
    loop {
        let mut readers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, node) in graph.nodes.iter().enumerate() {
            let mut numbers = vec![];
            reads(node, &mut numbers);
            numbers.sort_unstable();
            numbers.dedup();
            numbers.into_iter().for_each(|number| readers.entry(number).or_default().push(index));
        }
        let is_loop = |index: &&usize| matches!(graph.nodes[**index].op, Op::Repeat(_));
        let shared = readers.values().filter(|readers| readers.len() > 1);
        match shared.filter_map(|readers| readers.iter().find(is_loop)).next() {
            Some(&index) => graph = written_out(&graph, index),
            None => return graph,
        }
    }
}

/// The numbers of the parameters that a node reads, in the first rounds of the loops around it.
fn reads(node: &Node, out: &mut Vec<usize>) {
    out.extend(node.op.parameter());
    if let Op::Repeat(repeat) = &node.op {
        let mut inside = vec![];
        repeat.body.nodes.iter().for_each(|n| reads(n, &mut inside));
        let Some(step) = step(&repeat.body) else { return };
        // Loops that go on with the same parameters may run any number of times.
        let count = if step == 0 { 1 } else { known(repeat) };
        out.extend(inside.iter().flat_map(|number| (0..count).map(move |round| number + round * step)));
    }
}

/// The parameters from one round of a loop to the next, if it has any of its own: the number that belongs to the innermost loop of the
/// parameters that stand in the body itself, else to the one before it of those a loop deeper, and so on.
fn step(body: &Graph) -> Option<usize> {
    fn find(graph: &Graph, deep: usize) -> Option<usize> {
        graph.nodes.iter().find_map(|node| match &node.op {
            Op::RoundParameter { steps, .. } => steps.len().checked_sub(1 + deep).map(|at| steps[at]),
            Op::Repeat(repeat) => find(&repeat.body, deep + 1),
            _ => None,
        })
    }
    find(body, 0)
}

/// The graph with the rounds of a loop one after the other.
fn written_out(graph: &Graph, index: usize) -> Graph {
    let mut write =
        Write { out: graph.head(), parameters: FxHashMap::default(), streams: streams(graph), assigned: vec![] };
    let mut map: Vec<Value> = Vec::with_capacity(graph.nodes.len());
    let mut results: Vec<Value> = vec![];
    for (at, node) in graph.nodes.iter().enumerate() {
        let mut node = node.clone();
        node.inputs.iter_mut().for_each(|v| *v = map[v.index()]);
        map.push(match &node.op {
            Op::Repeat(repeat) if at == index => {
                // What was assigned to the net's states before.
                let before = graph.outputs.iter().filter(|o| o.role.state().is_some() && o.value.index() < index);
                write.assigned = before.map(|o| (o.role.clone(), map[o.value.index()])).collect();
                results = write.rounds(repeat, &node);
                // Only its results are read.
                node.inputs.first().copied().unwrap_or(Value(0))
            }
            Op::Get(number) if graph.nodes[at].inputs[0].index() == index => results[*number],
            _ => write.push(node),
        });
    }
    let mut out = write.out;
    out.outputs = graph.outputs.iter().map(|o| Output { value: map[o.value.index()], role: o.role.clone() }).collect();
    for (role, value) in write.assigned {
        let later = |o: &&mut Output| o.role == role;
        match out.outputs.iter_mut().find(later) {
            // An assignment behind the loop stands.
            Some(output) if output.value > value => {}
            Some(output) => output.value = value,
            None => out.outputs.push(Output { role, value }),
        }
    }
    out
}

/// How often a loop runs that has parameters of its own.
fn known(repeat: &Repeat) -> usize {
    let count = repeat.count.as_const().and_then(|count| usize::try_from(count).ok());
    count.unwrap_or_else(|| unreachable!("loops::separate: {} rounds with parameters of their own", repeat.count))
}

fn rounds(repeat: &Repeat) -> Vec<usize> {
    let count = known(repeat);
    if repeat.reverse { (0..count).rev().collect() } else { (0..count).collect() }
}

/// A graph while the rounds of one of its loops are written out.
struct Write {
    out: Graph,
    /// By number and steps.
    parameters: FxHashMap<(usize, Vec<usize>), Value>,
    streams: u32,
    /// What the net's states are by now.
    assigned: Vec<(Role, Value)>,
}

impl Write {
    /// All rounds; the results of the loop.
    fn rounds(&mut self, repeat: &Repeat, node: &Node) -> Vec<Value> {
        let (first, others) = node.inputs.split_at(repeat.states);
        let (shared, stacks) = others.split_at(repeat.shared);
        let (mut last, mut rows) = (first.to_vec(), vec![]);
        for round in rounds(repeat) {
            let own: Vec<Value> = stacks.iter().map(|stack| self.row_of(*stack, round, &node.origin)).collect();
            let made = self.round(repeat, round, &[&last, shared, &own].concat());
            last = made[..repeat.states].to_vec();
            rows.push((round, made));
        }
        rows.sort_by_key(|(round, _)| *round);
        let stacks = repeat.states..rows.first().map_or(0, |(_, made)| made.len());
        last.extend(stacks.map(|stack| {
            let rows: Vec<Value> = rows.iter().map(|(_, made)| self.row(made[stack], &node.origin)).collect();
            let mut ty = self.out.ty(rows[0]).clone();
            ty.shape[0] = repeat.count.clone();
            self.out.push(Op::Cat(0), rows, ty, node.origin.clone())
        }));
        last
    }

    /// Row number `round` of a stack.
    fn row_of(&mut self, stack: Value, round: usize, origin: &Origin) -> Value {
        let mut ty = self.out.ty(stack).clone();
        ty.shape[0] = 1.into();
        let slice = Op::Slice { axis: 0, start: (round as i64).into(), step: 1 };
        let row = self.out.push(slice, vec![stack], ty.clone(), origin.clone());
        ty.shape.remove(0);
        self.out.push(Op::Reshape, vec![row], ty, origin.clone())
    }

    /// The value with a first axis of size 1.
    fn row(&mut self, value: Value, origin: &Origin) -> Value {
        let mut ty = self.out.ty(value).clone();
        ty.shape.insert(0, 1.into());
        self.out.push(Op::Reshape, vec![value], ty, origin.clone())
    }

    /// One round; the next states and the rows of stacks.
    fn round(&mut self, repeat: &Repeat, round: usize, operands: &[Value]) -> Vec<Value> {
        let mut body = repeat.body.clone();
        let first_stream = self.streams;
        in_round(&mut body, round, 0, first_stream, &mut self.streams);
        let mut map: Vec<Value> = Vec::with_capacity(body.nodes.len());
        for mut node in body.nodes {
            node.inputs.iter_mut().for_each(|v| *v = map[v.index()]);
            let role = match &node.op {
                Op::State(number) => Some(Role::State(*number)),
                Op::RoundState { first, steps } => Some(Role::RoundState { first: *first, steps: steps.clone() }),
                _ => None,
            };
            let known = self.assigned.iter().rev().find(|(assigned, _)| Some(assigned) == role.as_ref());
            map.push(match (&node.op, known) {
                (Op::Input(i), _) => operands[*i],
                (_, Some((_, value))) => *value,
                _ => self.push(node),
            });
        }
        for output in body.outputs.iter().filter(|o| o.role.state().is_some()) {
            self.assigned.retain(|(role, _)| *role != output.role);
            self.assigned.push((output.role.clone(), map[output.value.index()]));
        }
        let results = body.outputs.iter().filter(|o| matches!(o.role, Role::Result(_)));
        results.map(|o| map[o.value.index()]).collect()
    }

    /// Appends a node; each parameter once.
    fn push(&mut self, node: Node) -> Value {
        let key = match &node.op {
            Op::Parameter(number) => (*number, vec![]),
            Op::RoundParameter { first, steps } => (*first, steps.clone()),
            _ => return self.out.push(node.op, node.inputs, node.ty, node.origin),
        };
        let out = &mut self.out;
        *self.parameters.entry(key).or_insert_with(|| out.push(node.op, node.inputs, node.ty, node.origin))
    }
}

/// What a body is in a round of its loop, as a part of the graph around the loop: random numbers from streams of its own.
fn in_round(body: &mut Graph, round: usize, deep: usize, first_stream: u32, streams: &mut u32) {
    let moved = |first: &mut usize, steps: &mut Vec<usize>| {
        if let Some(at) = steps.len().checked_sub(1 + deep) {
            *first += round * steps.remove(at);
        }
        steps.is_empty().then_some(*first)
    };
    for output in &mut body.outputs {
        if let Role::RoundState { first, steps } = &mut output.role
            && let Some(number) = moved(first, steps)
        {
            output.role = Role::State(number);
        }
    }
    for node in &mut body.nodes {
        match &mut node.op {
            Op::RoundParameter { first, steps } => {
                if let Some(number) = moved(first, steps) {
                    node.op = Op::Parameter(number);
                }
            }
            Op::RoundState { first, steps } => {
                if let Some(number) = moved(first, steps) {
                    node.op = Op::State(number);
                }
            }
            Op::Random(stream) => {
                *stream += first_stream;
                *streams = (*streams).max(*stream + 1);
            }
            Op::Repeat(repeat) => in_round(&mut repeat.body, round, deep + 1, first_stream, streams),
            _ => {}
        }
    }
}

/// One more than the last stream of random numbers.
fn streams(graph: &Graph) -> u32 {
    let of = |node: &Node| match &node.op {
        Op::Random(stream) => stream + 1,
        Op::Repeat(repeat) => streams(&repeat.body),
        _ => 0,
    };
    graph.nodes.iter().map(of).max().unwrap_or(0)
}
