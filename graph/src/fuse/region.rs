//! Loops: the body is lowered as a graph of its own, and its buffers are tied to those outside.
//!
//! A state lies in one buffer outside, which the body reads; at the end of a round the next state is copied over it. What every round sees
//! is the buffer outside; rows of stacks move on with the round.

use super::lower::{Lower, lower};
use crate::graph::{Op, Repeat, Value};
use crate::program::{Access, Buffer, Family, Index, Launch, Level, Place, Right, Source, Stage, Step, Target, Tile};
use crate::scalar::Code;
use crate::size::Size;
use crate::types::DType;

impl Lower<'_> {
    pub(crate) fn region(&mut self, node: Value, repeat: &Repeat) {
        let graph = self.graph;
        let operands = &graph.node(node).inputs;
        let origin = &graph.node(node).origin;
        let body = lower(&repeat.body, self.parameters);
        // States: initial values are copied to where the body reads them.
        let mut states = vec![];
        for &operand in &operands[..repeat.states] {
            let size = graph.ty(operand).len();
            let state = self.arena(&format!("state of {}", origin.name), size.clone());
            let from = self.operand(operand);
            self.push(copy(from, state, &size), origin.loc);
            states.push(state);
        }
        let stacks: Vec<(Value, usize)> = self.results(node, repeat, &states);
        // Buffers of the body, as buffers out here.
        let mut next = vec![];
        let map: Vec<usize> = body
            .buffers
            .iter()
            .map(|buffer| match buffer.place {
                Place::Argument(i) if i < repeat.states => states[i],
                Place::Argument(i) if i < repeat.states + repeat.shared => self.operand(operands[i]),
                Place::Argument(i) => {
                    let whole = self.operand(operands[i]);
                    self.row(whole, &buffer.size)
                }
                Place::Result(i) if i < repeat.states => {
                    let out = self.arena(&format!("next state of {}", origin.name), buffer.size.clone());
                    next.push((i, out));
                    out
                }
                Place::Result(i) => match stacks.get(i - repeat.states) {
                    Some(&(_, whole)) => self.row(whole, &buffer.size),
                    None => self.arena(&buffer.name, buffer.size.clone()),
                },
                _ => self.add_buffer(buffer.clone(), None),
            })
            .collect();
        // Rows of rows keep their tie.
        let first = self.out.launches.len();
        for (mut launch, place) in body.launches.into_iter().zip(body.places) {
            remap(&mut launch, &map);
            self.out.launches.push(launch);
            self.out.places.push(place);
        }
        let mut steps: Vec<Step> = body.schedule.iter().map(|step| shifted(step, first)).collect();
        for (state, out) in next {
            let size = self.out.buffers[out].size.clone();
            steps.push(Step::Launch(self.out.launches.len()));
            self.out.launches.push(copy(out, states[state], &size));
            self.out.places.push(origin.loc);
        }
        self.out.schedule.push(Step::Repeat { count: repeat.count, reverse: repeat.reverse, body: steps });
    }

    /// The buffers of the loop's results: states where the body leaves them, stacks in the order of their numbers.
    fn results(&mut self, node: Value, repeat: &Repeat, states: &[usize]) -> Vec<(Value, usize)> {
        let results = repeat.body.outputs.iter().filter(|o| o.role.gradient().is_none()).count();
        let mut stacks = vec![];
        for number in 0..results {
            let is = |(_, n): &(usize, &crate::graph::Node)| n.op == Op::Get(number) && n.inputs == [node];
            let get = self.graph.nodes.iter().enumerate().find(is).map(|(at, _)| Value(at as u32));
            match (states.get(number), get) {
                (Some(&state), Some(get)) => self.set_buffer(get, state),
                (Some(_), None) => {}
                (None, _) => {
                    let output = &repeat.body.outputs[number];
                    let rows = &repeat.body.ty(output.value).len() * &repeat.count.into();
                    let name = repeat.body.node(output.value).origin.name.to_string();
                    let whole = self.arena(&name, rows);
                    if let Some(get) = get {
                        self.set_buffer(get, whole);
                    }
                    stacks.push((output.value, whole));
                }
            }
        }
        stacks
    }

    fn operand(&mut self, operand: Value) -> usize {
        let memory = super::view::strip_reshapes(self.graph, operand);
        self.buffer(memory)
    }

    fn arena(&mut self, name: &str, size: Size) -> usize {
        let place = Place::Arena { class: 0, offset: 0 };
        self.add_buffer(Buffer { name: name.into(), dtype: DType::F32, size, place, round_stride: 0.into() }, None)
    }

    /// Row by row through a stack.
    fn row(&mut self, whole: usize, size: &Size) -> usize {
        let buffer = Buffer { size: size.clone(), round_stride: size.clone(), ..self.out.buffers[whole].clone() };
        self.add_buffer(buffer, Some(whole))
    }
}

fn copy(from: usize, to: usize, size: &Size) -> Launch {
    let access = |buffer| Access { buffer, dims: vec![size.clone()], index: vec![Index::of(0)], outside: None };
    let code = Code { inputs: 1, instrs: vec![], outputs: vec![0] };
    let stage = Stage { level: Level::Element, inputs: vec![Source::Load(0)], code, outputs: vec![Target::Store(0)] };
    Launch {
        name: "copy".into(),
        loc: 0,
        space: vec![size.clone()],
        reduce: vec![],
        family: Family::Flat,
        loads: vec![access(from)],
        stores: vec![access(to)],
        stages: vec![stage],
        updates: None,
    }
}

fn shifted(step: &Step, by: usize) -> Step {
    match step {
        Step::Launch(launch) => Step::Launch(launch + by),
        Step::Repeat { count, reverse, body } => {
            Step::Repeat { count: *count, reverse: *reverse, body: body.iter().map(|s| shifted(s, by)).collect() }
        }
    }
}

fn remap(launch: &mut Launch, map: &[usize]) {
    launch.loads.iter_mut().chain(&mut launch.stores).for_each(|a| a.buffer = map[a.buffer]);
    // What a round makes of its parameters is updated after the loop.
    launch.updates = None;
    let Family::Tile(tile) = &mut launch.family else { return };
    match tile {
        Tile::MatMul { a, b, .. } => {
            a.buffer = map[a.buffer];
            match b {
                Right::Strided(b) => b.buffer = map[b.buffer],
                Right::Panels(b) | Right::PanelsTransposed(b) => *b = map[*b],
            }
        }
        Tile::Conv2d { input: x, weight, .. } | Tile::Conv2dInputGrad { dy: x, weight, .. } => {
            x.buffer = map[x.buffer];
            *weight = map[*weight];
        }
        Tile::Conv2dWeightGrad { input, dy, .. } => {
            input.buffer = map[input.buffer];
            dy.buffer = map[dy.buffer];
        }
    }
}
