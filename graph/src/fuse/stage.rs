//! Emits the scalar code of one stage: values at symbolic indices, each once.

use super::layout::ValueLayout;
use super::lower::Lower;
use super::view::{follow, is_barrier, trace};
use super::{Class, class};
use crate::graph::{Op, Value, Window};
use crate::program::{Index, Level, Source, Stage, Target};
use crate::scalar::{Binary, Code, Instr, Reduction, Slot, Unary};
use crate::size::Size;
use crate::types::DType;
use rustc_hash::FxHashMap;

/// A value of the stage while it grows: inputs and instructions are numbered apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Ref {
    Input(Slot),
    Instr(Slot),
}

/// What an instruction does, without its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Function {
    Const(u32),
    Unary(Unary),
    Binary(Binary),
    Select,
}

impl Function {
    fn of(instr: &Instr) -> Function {
        match instr {
            Instr::Const(value) => Function::Const(value.to_bits()),
            Instr::Unary(f, _) => Function::Unary(*f),
            Instr::Binary(f, ..) => Function::Binary(*f),
            Instr::Select(..) => Function::Select,
        }
    }
}

/// One stage of the kernel of the group being lowered.
pub(crate) struct StageBuilder<'l, 'g> {
    lower: &'l mut Lower<'g>,
    level: Level,
    inputs: Vec<Source>,
    /// The loads among the inputs, which may be many, by their numbers.
    loads: FxHashMap<usize, Ref>,
    instrs: Vec<(Instr, [Option<Ref>; 3])>,
    /// Those, by what they are; constants by their bits.
    known_instrs: FxHashMap<(Function, [Option<Ref>; 3]), Ref>,
    outputs: Vec<(Ref, Target)>,
    known: FxHashMap<(Value, Vec<Index>), Ref>,
    winners: FxHashMap<(Value, Vec<Index>), Ref>,
}

impl<'l, 'g> StageBuilder<'l, 'g> {
    pub fn new(lower: &'l mut Lower<'g>, level: Level) -> StageBuilder<'l, 'g> {
        StageBuilder {
            lower,
            level,
            inputs: vec![],
            loads: FxHashMap::default(),
            instrs: vec![],
            known_instrs: FxHashMap::default(),
            outputs: vec![],
            known: FxHashMap::default(),
            winners: FxHashMap::default(),
        }
    }

    pub fn lower_ref(&self) -> &Lower<'g> {
        self.lower
    }

    pub fn lower_mut(&mut self) -> &mut Lower<'g> {
        self.lower
    }

    /// Sends the node's value at these indices to a target.
    pub fn output(&mut self, node: Value, coordinates: &[Index], target: Target) {
        let value = self.value(node, coordinates);
        self.outputs.push((value, target));
    }

    /// Sends what the reduction reads at these indices (of its operand) to a target.
    pub fn operand(&mut self, reduction: Value, coordinates: &[Index], target: Target) {
        let operand = self.lower.graph.node(reduction).inputs[0];
        let value = self.value(operand, coordinates);
        self.outputs.push((value, target));
    }

    /// The stage, if it has any output.
    pub fn finish(self) -> Option<Stage> {
        if self.outputs.is_empty() {
            return None;
        }
        let first = self.inputs.len() as Slot;
        let slot = |r: Ref| match r {
            Ref::Input(i) => i,
            Ref::Instr(i) => first + i,
        };
        let operand = |r: Option<Ref>| r.map_or(0, slot);
        let instrs = self.instrs.iter().map(|(instr, [a, b, c])| match instr {
            Instr::Const(c) => Instr::Const(*c),
            Instr::Unary(f, _) => Instr::Unary(*f, operand(*a)),
            Instr::Binary(f, ..) => Instr::Binary(*f, operand(*a), operand(*b)),
            Instr::Select(..) => Instr::Select(operand(*a), operand(*b), operand(*c)),
        });
        let outputs = self.outputs.iter().map(|(r, _)| slot(*r)).collect();
        let code = Code { inputs: first, instrs: instrs.collect(), outputs };
        let targets = self.outputs.into_iter().map(|(_, t)| t).collect();
        Some(Stage { level: self.level, inputs: self.inputs, code, outputs: targets })
    }

    fn input(&mut self, source: Source) -> Ref {
        let known = match &source {
            Source::Load(number) => self.loads.get(number).copied(),
            _ => self.inputs.iter().position(|s| *s == source).map(|at| Ref::Input(at as Slot)),
        };
        known.unwrap_or_else(|| {
            let new = Ref::Input(self.inputs.len() as Slot);
            if let Source::Load(number) = source {
                self.loads.insert(number, new);
            }
            self.inputs.push(source);
            new
        })
    }

    fn instr(&mut self, instr: Instr, operands: [Option<Ref>; 3]) -> Ref {
        let new = Ref::Instr(self.instrs.len() as Slot);
        let known = *self.known_instrs.entry((Function::of(&instr), operands)).or_insert(new);
        if known == new {
            self.instrs.push((instr, operands));
        }
        known
    }

    fn constant(&mut self, c: f64) -> Ref {
        self.instr(Instr::Const(c as f32), [None; 3])
    }

    fn unary(&mut self, f: Unary, x: Ref) -> Ref {
        self.instr(Instr::Unary(f, 0), [Some(x), None, None])
    }

    fn binary(&mut self, f: Binary, x: Ref, y: Ref) -> Ref {
        self.instr(Instr::Binary(f, 0, 0), [Some(x), Some(y), None])
    }

    fn select(&mut self, condition: Ref, x: Ref, y: Ref) -> Ref {
        self.instr(Instr::Select(0, 0, 0), [Some(condition), Some(x), Some(y)])
    }

    /// An element of a view of something in memory.
    fn load(&mut self, view: Value, coordinates: &[Index], outside: Option<f32>) -> Ref {
        let at = self.access(view, coordinates, outside);
        self.input(Source::Load(at))
    }

    /// The number of a load of an element of a view of something in memory.
    fn access(&mut self, view: Value, coordinates: &[Index], outside: Option<f32>) -> usize {
        let graph = self.lower.graph;
        let base = trace(graph, view);
        let mut access = self.lower.access(base.value, &follow(&base, coordinates), outside);
        if outside.is_some() {
            // Where the view ends before the memory does.
            let ends =
                graph.shape(view).iter().enumerate().filter(|(axis, size)| base.covers(graph, *axis, size).is_none());
            access.within.extend(ends.map(|(axis, size)| (coordinates[axis].clone(), size.clone())));
        }
        self.lower.load(access)
    }

    fn value(&mut self, value: Value, coordinates: &[Index]) -> Ref {
        let base = trace(self.lower.graph, value);
        let coordinates = follow(&base, coordinates);
        let key = (base.value, coordinates);
        if let Some(&known) = self.known.get(&key) {
            return known;
        }
        let result = self.base(key.0, &key.1);
        self.known.insert(key, result);
        result
    }

    fn base(&mut self, value: Value, at: &[Index]) -> Ref {
        let graph = self.lower.graph;
        let node = graph.node(value);
        if is_barrier(graph, value) {
            return self.load(value, at, None);
        }
        match class(graph, value) {
            Class::Leaf => return self.load(value, at, None),
            Class::Free if node.inputs.is_empty() => return self.free(value, at),
            Class::Free => {}
            _ if !self.lower.inside(value) => return self.load(value, at, None),
            Class::Tile => return self.input(Source::Acc),
            _ => {}
        }
        if let Some(row) = self.lower.row_slot(value, self.level) {
            return self.input(Source::Row(row));
        }
        match &node.op {
            Op::Unary(f) => {
                let x = self.value(node.inputs[0], at);
                self.unary(*f, x)
            }
            Op::Binary(f) => {
                let (x, y) = (self.value(node.inputs[0], at), self.value(node.inputs[1], at));
                self.binary(*f, x, y)
            }
            Op::Select => {
                let [c, x, y] = [0, 1, 2].map(|i| self.value(node.inputs[i], at));
                self.select(c, x, y)
            }
            Op::Cast => {
                let from = graph.dtype(node.inputs[0]);
                let x = self.value(node.inputs[0], at);
                match node.ty.dtype {
                    DType::Bool => {
                        let zero = self.constant(0.0);
                        self.binary(Binary::Ne, x, zero)
                    }
                    to if to.is_int() && from.is_float() => self.unary(Unary::Trunc, x),
                    _ => x,
                }
            }
            Op::MaxPool2d(w) => {
                let outside = self.outside(w, node.inputs[0], value, f32::NEG_INFINITY);
                self.pool(w, node.inputs[0], at, outside, Binary::Max)
            }
            Op::SumPool2d(w) => {
                let outside = self.outside(w, node.inputs[0], value, 0.0);
                self.pool(w, node.inputs[0], at, outside, Binary::Add)
            }
            Op::MaxPool2dIndex(w) => self.winner(w, node.inputs[0], value, at),
            Op::MaxPool2dGrad(w) => {
                // The loops run over windows: this element is tap number `mine` of its window.
                let window = window_of(w, at);
                let mine = (tap_at(&at[2]).rem_euclid(w.kernel[0]) * w.kernel[1]
                    + tap_at(&at[3]).rem_euclid(w.kernel[1])) as f64;
                let winner = self.winner(w, node.inputs[0], node.inputs[1], &window);
                let dy = self.load(node.inputs[1], &window, None);
                let (mine, zero) = (self.constant(mine), self.constant(0.0));
                let won = self.binary(Binary::Eq, winner, mine);
                self.select(won, dy, zero)
            }
            Op::SumPool2dGrad(w) if self.lower.unrolled() => self.load(node.inputs[0], &window_of(w, at), None),
            Op::SumPool2dGrad(w) => {
                let mut sum = None;
                for tap in w.taps() {
                    let part = self.load(node.inputs[0], &window_with_tap(w, at, tap), Some(0.0));
                    sum = Some(sum.map_or(part, |s| self.binary(Binary::Add, s, part)));
                }
                sum.unwrap_or_else(|| self.constant(0.0))
            }
            Op::MaxPool2dScatter(w) => {
                let mut sum = None;
                for (number, tap) in w.taps().enumerate() {
                    let window = window_with_tap(w, at, tap);
                    let winner = self.load(node.inputs[0], &window, Some(-1.0));
                    let dy = self.load(node.inputs[1], &window, Some(0.0));
                    let (number, zero) = (self.constant(number as f64), self.constant(0.0));
                    let won = self.binary(Binary::Eq, winner, number);
                    let part = self.select(won, dy, zero);
                    sum = Some(sum.map_or(part, |s| self.binary(Binary::Add, s, part)));
                }
                sum.unwrap_or_else(|| self.constant(0.0))
            }
            Op::Pad { before, value } => {
                let inside: Vec<Index> =
                    at.iter().zip(before).map(|(i, size)| i.clone().plus(&(&Size::default() - size))).collect();
                self.load(node.inputs[0], &inside, Some(*value as f32))
            }
            Op::Gather { axis } => self.gather(*axis, node.inputs[0], node.inputs[1], at),
            Op::MaxPool2dGather(w) => {
                let winner = self.load(node.inputs[0], at, None);
                let outside = self.outside(w, node.inputs[1], value, 0.0);
                let mut result = self.constant(0.0);
                for (number, tap) in w.taps().enumerate() {
                    let element = self.load(node.inputs[1], &tap_of(w, at, tap), outside);
                    let number = self.constant(number as f64);
                    let won = self.binary(Binary::Eq, winner, number);
                    result = self.select(won, element, result);
                }
                result
            }
            Op::Copy | Op::Detach | Op::WithSlope | Op::After => self.value(node.inputs[0], at),
            // A sum is here what it sums; what has a class of its own was loaded, and views were followed.
            Op::Reduce(..) => self.value(node.inputs[0], at),
            op @ (Op::Input(_)
            | Op::Parameter(_)
            | Op::RoundParameter { .. }
            | Op::State(_)
            | Op::RoundState { .. }
            | Op::Get(_)
            | Op::Const(_)
            | Op::Size(_)
            | Op::Iota(_)
            | Op::Random(_)
            | Op::Softmax(_)
            | Op::SafeSoftmax(_)
            | Op::LogSoftmax(_)
            | Op::Normalize(_)
            | Op::Resample { .. }
            | Op::Broadcast
            | Op::Reshape
            | Op::Permute(_)
            | Op::Slice { .. }
            | Op::Cat(_)
            | Op::Scatter { .. }
            | Op::MatMul { .. }
            | Op::Conv2d(_)
            | Op::Conv2dInputGrad(_)
            | Op::Conv2dWeightGrad(_)
            | Op::Repeat(_)) => unreachable!("fuse::stage: {op:?} is no function of elements"),
        }
    }

    fn free(&mut self, value: Value, at: &[Index]) -> Ref {
        let node = self.lower.graph.node(value);
        match &node.op {
            Op::Const(c) => self.constant(*c),
            Op::Size(size) => {
                let size = size.clone();
                self.input(Source::Size(size))
            }
            Op::Iota(axis) => self.number(&at[*axis]),
            Op::Random(stream) => {
                // Numbered by the position in the value's own row-major order, however the loops run.
                let mut strides = vec![Size::constant(0); self.lower.loop_count()];
                let (mut stride, mut offset) = (Size::constant(1), Size::default());
                for (index, size) in at.iter().zip(&node.ty.shape).rev() {
                    offset = &offset + &(&stride * &index.offset);
                    for &(dim, coefficient) in &index.terms {
                        strides[dim] = &strides[dim] + &(&stride * &coefficient.into());
                    }
                    stride = &stride * size;
                }
                let (stream, round) = (*stream, node.ty.len());
                self.input(Source::Random { stream, strides, offset, round })
            }
            op => unreachable!("fuse::stage: {op:?} is not made of nothing"),
        }
    }

    /// An index as a number.
    fn number(&mut self, index: &Index) -> Ref {
        let mut sum = match index.offset.as_const() {
            Some(offset) => self.constant(offset as f64),
            None => self.input(Source::Size(index.offset.clone())),
        };
        for (n, &(dim, coefficient)) in index.terms.iter().enumerate() {
            let mut term = self.input(Source::Index(dim));
            if coefficient != 1 {
                let c = self.constant(coefficient as f64);
                term = self.binary(Binary::Mul, term, c);
            }
            sum = if n == 0 && index.offset.is_zero() { term } else { self.binary(Binary::Add, sum, term) };
        }
        sum
    }

    /// The element of `x` at the value of `index` along an axis.
    fn gather(&mut self, axis: usize, x: Value, index: Value, at: &[Index]) -> Ref {
        let graph = self.lower.graph;
        let base = trace(graph, x);
        // The axes in the place of the indexed one.
        let indexed = at.len() + 1 - graph.shape(x).len();
        let coordinates = [&at[..axis], &[Index::zero()], &at[axis + indexed..]].concat();
        let access = self.lower.access(base.value, &follow(&base, &coordinates), None);
        let base_axis = base.covers(graph, axis, &graph.shape(x)[axis]).unwrap_or(axis);
        let dim = match self.lower.layouts.values.get(&base.value) {
            Some(ValueLayout::Order(order)) => order.iter().position(|a| *a == base_axis).unwrap_or(base_axis),
            _ => base_axis,
        };
        let from = self.lower.load(access);
        let index = self.access(index, at, None);
        self.input(Source::Gather { from, dim, index })
    }

    /// What lies around the operand of a pool, if a window reaches there.
    fn outside(&self, w: &Window, x: Value, pooled: Value, fill: f32) -> Option<f32> {
        let (from, to) = (self.lower.graph.shape(x), self.lower.graph.shape(pooled));
        (0..2).any(|axis| w.overhangs(axis, &from[2 + axis], &to[2 + axis])).then_some(fill)
    }

    fn pool(&mut self, w: &Window, x: Value, at: &[Index], outside: Option<f32>, f: Binary) -> Ref {
        let mut result = None;
        for tap in w.taps() {
            let element = self.load(x, &tap_of(w, at, tap), outside);
            result = Some(result.map_or(element, |r| self.binary(f, r, element)));
        }
        result.unwrap_or_else(|| self.constant(0.0))
    }

    /// The number of the first tap that is not in the padding: where all is -∞, it is the first maximum.
    fn first_inside(&mut self, w: &Window, window: &[Index]) -> Ref {
        let [zero, mut first] = [self.constant(0.0); 2];
        for axis in (0..2).filter(|axis| w.padding[*axis] > 0) {
            // ceil((padding - at · stride) / dilation), of whole numbers.
            let begin = self.number(&window[2 + axis].clone().times(w.stride[axis]));
            let padding = self.constant(w.padding[axis] as f64);
            let before = self.binary(Binary::Sub, padding, begin);
            let mut taps = self.binary(Binary::Max, before, zero);
            if w.dilation[axis] > 1 {
                let [most, dilation] = [w.dilation[axis] - 1, w.dilation[axis]].map(|c| self.constant(c as f64));
                let up = self.binary(Binary::Add, taps, most);
                let quotient = self.binary(Binary::Div, up, dilation);
                taps = self.unary(Unary::Floor, quotient);
            }
            if axis == 0 {
                let row = self.constant(w.kernel[1] as f64);
                taps = self.binary(Binary::Mul, taps, row);
            }
            first = if first == zero { taps } else { self.binary(Binary::Add, first, taps) };
        }
        first
    }

    /// The number of the first maximum of a window; `pooled` has the shape of the pool's result.
    fn winner(&mut self, w: &Window, x: Value, pooled: Value, window: &[Index]) -> Ref {
        let key = (x, window.to_vec());
        if let Some(&known) = self.winners.get(&key) {
            return known;
        }
        let outside = self.outside(w, x, pooled, f32::NEG_INFINITY);
        let mut best: Option<(Ref, Ref)> = None;
        for (number, tap) in w.taps().enumerate() {
            let element = self.load(x, &tap_of(w, window, tap), outside);
            best = Some(match best {
                None => (element, self.first_inside(w, window)),
                Some((most, at)) => {
                    let number = self.constant(number as f64);
                    // Of several NaN the last wins, as in PyTorch.
                    let more = self.binary(Binary::Gt, element, most);
                    let lost = self.binary(Binary::Ne, element, element);
                    let more = self.binary(Binary::Or, more, lost);
                    (self.binary(Binary::Max, element, most), self.select(more, number, at))
                }
            });
        }
        let result = best.map_or_else(|| self.constant(0.0), |(_, at)| at);
        self.winners.insert(key, result);
        result
    }
}

/// The offset of an index over windows, which is a number.
fn tap_at(index: &Index) -> i64 {
    index.offset.as_const().unwrap_or(0)
}

/// The index of a tap of window `at`: `at · stride + tap · dilation - padding`.
fn tap_of(w: &Window, at: &[Index], tap: [i64; 2]) -> Vec<Index> {
    let mut out = at.to_vec();
    for axis in 0..2 {
        let shift = tap[axis] * w.dilation[axis] - w.padding[axis];
        out[2 + axis] = out[2 + axis].clone().times(w.stride[axis]).plus(&shift.into());
    }
    out
}

/// The window to which an element belongs, of windows that tile the image; the element's index has coefficients that divide.
fn window_of(w: &Window, at: &[Index]) -> Vec<Index> {
    let mut out = at.to_vec();
    for axis in 0..2 {
        let index = &mut out[2 + axis];
        index.terms.iter_mut().for_each(|(_, c)| *c /= w.stride[axis]);
        index.offset = tap_at(index).div_euclid(w.stride[axis]).into();
    }
    out
}

/// The window of which the element is a given tap, if there is one: `(at + padding - tap · dilation) / stride`, exactly.
fn window_with_tap(w: &Window, at: &[Index], tap: [i64; 2]) -> Vec<Index> {
    let mut out = at.to_vec();
    for axis in 0..2 {
        let index = &mut out[2 + axis];
        index.offset = &index.offset + &(w.padding[axis] - tap[axis] * w.dilation[axis]).into();
        index.divide = w.stride[axis];
        index.exact = true;
    }
    out
}

/// How a reduction's result is combined, for targets.
pub(crate) fn reduction(op: &Op) -> Reduction {
    match op {
        Op::Reduce(f, _) => *f,
        op => unreachable!("fuse::stage: {op:?} is no reduction"),
    }
}
