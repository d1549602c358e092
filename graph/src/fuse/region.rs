//! Loops: the body is lowered as a graph of its own, and its buffers are tied to those outside.
//!
//! A state lies in one buffer outside, which a round reads and writes over; where it cannot, it writes the next value apart, and that is
//! copied at the end of the round. A state whose values are kept (by a stacked result, for the gradient) is a row of a stack, and a round
//! writes the row behind the one that it reads: nothing is copied. What every round sees is the buffer outside; rows of stacks move on with
//! the round.

use super::lower::{Kernels, Lower, lower_at};
use super::view::strip_reshapes;
use super::{Class, class};
use crate::graph::{AxisOrder, Border, Graph, Node, Op, Repeat, Role, Value};
use crate::program::lives::{extend_through_loops, lives};
use crate::program::{Access, Buffer, Family, Index, Launch, Level, Place, Source, Stage, Target, Task, TaskKind};
use crate::scalar::Code;
use crate::size::Size;
use crate::types::DType;

/// Where a state of a loop lies.
#[derive(Clone, Copy)]
pub(crate) struct LoopState {
    /// Its first value.
    first: usize,
    /// What a round reads.
    now: usize,
    /// What a round writes; `None`: `now`, or memory of its own if the round still reads the old value then.
    next: Option<usize>,
    /// Its last value.
    last: usize,
    /// If every value is kept: those before the rounds, and those after them.
    kept: Option<(usize, usize)>,
    /// Whether the first value is made in its place.
    made_there: bool,
}

/// What a stacked result of a loop is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Stack {
    /// The values of a state before the rounds.
    Before(usize),
    /// The values of a state after the rounds.
    After(usize),
    /// Something else: stack number `.0` of the body as it is lowered.
    Own(usize),
}

/// The stacked results, in order.
pub(super) fn stacks(repeat: &Repeat) -> Vec<Stack> {
    let body = &repeat.body;
    let mut own = 0;
    let stack = |value: Value| {
        let before = (0..repeat.states).find(|&i| body.node(value).op == Op::Input(i)).map(Stack::Before);
        let after = || (0..repeat.states).find(|&i| body.outputs[i].value == value).map(Stack::After);
        before.or_else(after).unwrap_or_else(|| {
            own += 1;
            Stack::Own(own - 1)
        })
    };
    let results = body.outputs.iter().filter(|o| matches!(o.role, Role::Result(_))).skip(repeat.states);
    results.map(|o| o.value).map(stack).collect()
}

impl Lower<'_> {
    /// Says where the states of a loop will lie, so that their first values are made there.
    pub(crate) fn place_states(&mut self, node: Value, repeat: &Repeat) {
        let name = format!("state of {}", self.graph.node(node).origin.name);
        let stacks = stacks(repeat);
        let states = (0..repeat.states).map(|i| {
            let ty = &repeat.body.arguments[i].ty;
            let (size, dtype, count) = (ty.len(), ty.dtype, &repeat.count);
            let kept = stacks.contains(&Stack::Before(i)) || stacks.contains(&Stack::After(i));
            let mut state = match kept {
                true => {
                    // One row more than rounds that run: round r reads a row and writes the next one.
                    let (rows, runs) = (&size * count, &size * &self.runs(node, repeat, &stacks));
                    let whole = self.arena(&name, dtype, &runs + &size);
                    let none = Size::constant(0);
                    let (old, new) = if repeat.reverse { (&size, &none) } else { (&none, &size) };
                    let (front, back) = (self.part(whole, &none, &size), self.part(whole, &rows, &size));
                    let (first, last) = if repeat.reverse { (back, front) } else { (front, back) };
                    let (now, next) = (self.row(whole, old, &size), self.row(whole, new, &size));
                    let kept = Some((self.part(whole, old, &rows), self.part(whole, new, &rows)));
                    LoopState { first, now, next: Some(next), last, kept, made_there: false }
                }
                false => {
                    let all = self.arena(&name, dtype, size);
                    LoopState { first: all, now: all, next: None, last: all, kept: None, made_there: false }
                }
            };
            let operand = strip_reshapes(self.graph, self.graph.node(node).inputs[i]);
            let computed = matches!(class(self.graph, operand), Class::Point | Class::Reduce | Class::Tile);
            let readers = &self.readers[operand.index()];
            state.made_there = computed && readers.len() == 1 && !self.roles.contains_key(&operand);
            if state.made_there {
                self.set_buffer(operand, state.first);
            }
            state
        });
        let states: Vec<LoopState> = states.collect();
        self.loop_states.insert(node, states);
    }

    pub(crate) fn region(&mut self, node: Value, repeat: &Repeat) -> Result<(), String> {
        let graph = self.graph;
        let operands = &graph.node(node).inputs;
        let origin = &graph.node(node).origin;
        let mut states = self.loop_states.remove(&node).unwrap_or_default();
        let stacks = stacks(repeat);
        let border = without_kept(&repeat.border, repeat.states, &stacks);
        let body = lower_at(&without_states(repeat, &stacks), self.lies, self.depth + 1, &border)?;
        for (state, &operand) in states.iter().zip(operands).filter(|(state, _)| !state.made_there) {
            let size = graph.ty(operand).len();
            let from = self.operand(operand);
            let dtype = self.out.buffers[from].dtype;
            self.push(copy(from, state.first, &size, dtype), origin.loc);
        }
        let wholes = self.results(node, repeat, &states, &stacks);
        // What cannot be written over the old value is copied there at the end of the round.
        let mut late = vec![];
        for (i, state) in states.iter_mut().enumerate() {
            if state.next.is_none() && !goes_in_place(&body, i) {
                let size = repeat.body.arguments[i].ty.len();
                let now = &self.out.buffers[state.now];
                let (name, dtype) = (format!("next {}", now.name), now.dtype);
                let next = self.arena(&name, dtype, size.clone());
                state.next = Some(next);
                late.push(copy(next, state.now, &size, dtype));
            }
        }
        // Buffers of the body, as buffers out here.
        let mut map: Vec<usize> = Vec::with_capacity(body.buffers.len());
        for buffer in &body.buffers {
            let fixed = repeat.states + repeat.shared;
            let outer = match buffer.place {
                Place::Argument(i) if i < repeat.states => states[i].now,
                Place::Argument(i) if i < fixed => self.operand(operands[i]),
                Place::Argument(i) => {
                    let whole = self.operand(operands[i]);
                    self.row(whole, &Size::constant(0), &repeat.body.arguments[i].ty.len())
                }
                Place::Result(i) if i < repeat.states => states[i].next.unwrap_or(states[i].now),
                Place::Result(i) => {
                    let (whole, size) = &wholes[i - repeat.states];
                    self.row(*whole, &Size::constant(0), size)
                }
                _ => {
                    map.push(self.add_buffer(buffer.clone(), buffer.part_of.map(|whole| map[whole])));
                    continue;
                }
            };
            let mapped = self.within(outer, buffer);
            map.push(mapped);
        }
        let first = self.out.launches.len();
        for (mut launch, place) in body.launches.into_iter().zip(body.places) {
            remap(&mut launch, &map);
            self.out.launches.push(launch);
            self.out.places.push(place);
        }
        let mut steps: Vec<Task> = body.schedule.iter().map(|step| shifted(step, first)).collect();
        for launch in late {
            steps.push(Task::launch(self.out.launches.len()));
            self.out.launches.push(launch);
            self.out.places.push(origin.loc);
        }
        let (count, reverse) = (self.runs(node, repeat, &stacks), repeat.reverse);
        self.out.schedule.push(Task::repeat(count, reverse, steps));
        Ok(())
    }

    /// How many rounds run: not the last one, if all that anybody reads are the states before each round.
    fn runs(&self, node: Value, repeat: &Repeat, stacks: &[Stack]) -> Size {
        let reads_last = |n: &Node| matches!(n.op, Op::Get(i) if i < repeat.states) && n.inputs == [node];
        let idle = !repeat.reverse
            && !self.graph.node(node).op.has_effects()
            && repeat.count.as_const().is_some_and(|count| count > 1)
            && stacks.iter().all(|stack| matches!(stack, Stack::Before(_)))
            && !self.graph.nodes.iter().any(reads_last);
        if idle { &repeat.count - &1.into() } else { repeat.count.clone() }
    }

    /// The buffers of the loop's results. Returns those of the stacks that the body writes, with the size of a row.
    fn results(&mut self, node: Value, repeat: &Repeat, states: &[LoopState], stacks: &[Stack]) -> Vec<(usize, Size)> {
        let mut buffers: Vec<usize> = states.iter().map(|state| state.last).collect();
        let mut wholes = vec![];
        for (stack, output) in stacks.iter().zip(&repeat.body.outputs[repeat.states..]) {
            let kept = match *stack {
                Stack::Before(i) => states[i].kept.map(|(before, _)| before),
                Stack::After(i) => states[i].kept.map(|(_, after)| after),
                Stack::Own(_) => None,
            };
            buffers.push(kept.unwrap_or_else(|| {
                let made = repeat.body.node(output.value);
                let whole = self.arena(&made.origin.name, made.ty.dtype, &made.ty.len() * &repeat.count);
                wholes.push((whole, made.ty.len()));
                whole
            }));
        }
        for (at, get) in self.graph.nodes.iter().enumerate() {
            if let (Op::Get(number), true) = (&get.op, get.inputs == [node]) {
                self.set_buffer(Value(at as u32), buffers[*number]);
            }
        }
        wholes
    }

    fn operand(&mut self, operand: Value) -> usize {
        let memory = strip_reshapes(self.graph, operand);
        self.buffer(memory)
    }

    fn arena(&mut self, name: &str, dtype: DType, size: Size) -> usize {
        self.add_buffer(Buffer::new(name, dtype, size, Place::open()), None)
    }

    /// A part of another buffer, under its name.
    fn part(&mut self, whole: usize, start: &Size, size: &Size) -> usize {
        let buffer = self.out.buffers[whole].clone();
        let root = buffer.part_of.unwrap_or(whole);
        self.add_buffer(Buffer { size: size.clone(), start: &buffer.start + start, ..buffer }, Some(root))
    }

    /// Row by row through a stack, from `start` on.
    fn row(&mut self, whole: usize, start: &Size, size: &Size) -> usize {
        let row = self.part(whole, start, size);
        let strides = &mut self.out.buffers[row].strides;
        strides.resize(self.depth, Size::constant(0));
        strides.push(size.clone());
        row
    }

    /// A buffer of the body that lies in one out here: this one, or a part of it that moves in inner loops.
    fn within(&mut self, outer: usize, inner: &Buffer) -> usize {
        let moves: Vec<Size> = inner.strides.iter().skip(self.depth + 1).cloned().collect();
        if inner.start.is_zero() && moves.is_empty() && inner.size == self.out.buffers[outer].size {
            return outer;
        }
        let part = self.part(outer, &inner.start, &inner.size);
        let strides = &mut self.out.buffers[part].strides;
        if !moves.is_empty() {
            strides.resize(self.depth + 1, Size::constant(0));
            strides.extend(moves);
        }
        part
    }
}

/// The body without stacks that are values of its states: those are kept where the states lie.
fn without_states(repeat: &Repeat, stacks: &[Stack]) -> Graph {
    let mut body = repeat.body.clone();
    let mut number = 0;
    body.outputs.retain_mut(|output| match &mut output.role {
        Role::Result(result) => {
            number += 1;
            match (number - 1usize).checked_sub(repeat.states).map(|i| stacks[i]) {
                None => true,
                Some(Stack::Own(own)) => {
                    *result = repeat.states + own;
                    true
                }
                Some(_) => false,
            }
        }
        _ => true,
    });
    body
}

/// How what is left then lies.
fn without_kept(border: &Border, states: usize, stacks: &[Stack]) -> Border {
    let is_left = |(number, _): &(usize, &AxisOrder)| match number.checked_sub(states) {
        None => true,
        Some(stack) => matches!(stacks[stack], Stack::Own(_)),
    };
    let results = border.results.iter().enumerate().filter(is_left).map(|(_, order)| order.clone());
    Border { arguments: border.arguments.clone(), results: results.collect(), ..Border::default() }
}

/// Whether a round can write the next value of a state over the old one: everything that reads the old one has run, or reads each element
/// where it writes it.
fn goes_in_place(body: &Kernels, state: usize) -> bool {
    let lives = lives(&body.launches, &body.schedule, body.buffers.len());
    let of = |place: Place| (0..body.buffers.len()).filter(move |&b| body.buffers[b].place == place);
    let first = of(Place::Result(state)).filter_map(|b| lives[b]).map(|(first, _)| first).min().unwrap_or(usize::MAX);
    of(Place::Argument(state)).all(|old| {
        // The old value is there from the beginning of the round, so loops inside see it to their end.
        let mut life = lives[old].map(|(_, last)| (0, last));
        extend_through_loops(&mut life, &body.schedule);
        let Some((_, last)) = life else { return true };
        let in_place = || {
            let pairs = body.launches[first].in_place(&body.buffers);
            let mut new = of(Place::Result(state));
            body.schedule.contains(&Task::launch(first)) && new.any(|new| pairs.contains(&(old, new)))
        };
        last < first || last == first && in_place()
    })
}

pub(super) fn copy(from: usize, to: usize, size: &Size, dtype: DType) -> Launch {
    let access = |buffer| Access::new(buffer, vec![size.clone()], vec![Index::of(0)]);
    let code = Code { inputs: vec![dtype.lane()], instrs: vec![], outputs: vec![0] };
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

fn shifted(task: &Task, by: usize) -> Task {
    let kind = match &task.kind {
        TaskKind::Launch(launch) => TaskKind::Launch(launch + by),
        TaskKind::Loop { count, reverse, body } => {
            let body = body.iter().map(|task| shifted(task, by)).collect();
            TaskKind::Loop { count: count.clone(), reverse: *reverse, body }
        }
        TaskKind::Ending(ending) => TaskKind::Ending(ending.clone()),
    };
    Task { kind, stream: task.stream }
}

fn remap(launch: &mut Launch, map: &[usize]) {
    launch.buffers_mut().for_each(|buffer| *buffer = map[*buffer]);
}
