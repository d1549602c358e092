//! Emits the scalar code of one stage: values at symbolic indices, each once.

use super::layout::ValueLayout;
use super::lower::LaunchBuilder;
use super::view::{follow, is_barrier, trace};
use super::{Class, class};
use crate::graph::{Op, Value, Window};
use crate::number::Number;
use crate::program::{Index, Level, Source, Stage, Target};
use crate::scalar::{Binary, Code, Instr, Lane, Literal, Reduction, Slot, Unary};
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
    Const(Lane, u64),
    Unary(Unary),
    Binary(Binary),
    Select,
    To(DType),
}

impl Function {
    fn of(instr: &Instr) -> Function {
        match instr {
            Instr::Const(value) => Function::Const(value.lane(), value.bits()),
            Instr::Unary(f, _) => Function::Unary(*f),
            Instr::Binary(f, ..) => Function::Binary(*f),
            Instr::Select(..) => Function::Select,
            Instr::To(dtype, _) => Function::To(*dtype),
        }
    }
}

/// One stage of a launch.
pub(crate) struct StageBuilder<'s, 'l, 'g> {
    pub launch: &'s mut LaunchBuilder<'l, 'g>,
    level: Level,
    inputs: Vec<(Source, Lane)>,
    /// The loads among the inputs, which may be many, by their numbers.
    loads: FxHashMap<usize, Ref>,
    instrs: Vec<(Instr, [Option<Ref>; 3], Lane)>,
    /// Those, by what they are; constants by their bits.
    known_instrs: FxHashMap<(Function, [Option<Ref>; 3]), Ref>,
    outputs: Vec<(Ref, Target)>,
    known: FxHashMap<(Value, Vec<Index>), Ref>,
    winners: FxHashMap<(Value, Vec<Index>), Ref>,
}

impl<'s, 'l, 'g> StageBuilder<'s, 'l, 'g> {
    pub fn new(launch: &'s mut LaunchBuilder<'l, 'g>, level: Level) -> StageBuilder<'s, 'l, 'g> {
        StageBuilder {
            launch,
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

    /// Sends the node's value at these indices to a target.
    pub fn output(&mut self, node: Value, coordinates: &[Index], target: Target) {
        let value = self.value(node, coordinates);
        self.outputs.push((value, target));
    }

    /// Sends what the reduction reads at these indices (of its operand) to a target.
    pub fn operand(&mut self, reduction: Value, coordinates: &[Index], target: Target) {
        let operand = self.launch.graph.node(reduction).inputs[0];
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
        let instrs = self.instrs.iter().map(|(instr, [a, b, c], _)| match instr {
            Instr::Const(c) => Instr::Const(*c),
            Instr::Unary(f, _) => Instr::Unary(*f, operand(*a)),
            Instr::Binary(f, ..) => Instr::Binary(*f, operand(*a), operand(*b)),
            Instr::Select(..) => Instr::Select(operand(*a), operand(*b), operand(*c)),
            Instr::To(dtype, _) => Instr::To(*dtype, operand(*a)),
        });
        let outputs = self.outputs.iter().map(|(r, _)| slot(*r)).collect();
        let (inputs, lanes): (Vec<Source>, Vec<Lane>) = self.inputs.iter().cloned().unzip();
        let code = Code { inputs: lanes, instrs: instrs.collect(), outputs };
        let targets = self.outputs.into_iter().map(|(_, t)| t).collect();
        Some(Stage { level: self.level, inputs, code, outputs: targets })
    }

    fn input(&mut self, source: Source, lane: Lane) -> Ref {
        let known = match &source {
            Source::Load(number) => self.loads.get(number).copied(),
            _ => self.inputs.iter().position(|(s, l)| *s == source && *l == lane).map(|at| Ref::Input(at as Slot)),
        };
        known.unwrap_or_else(|| {
            let new = Ref::Input(self.inputs.len() as Slot);
            if let Source::Load(number) = source {
                self.loads.insert(number, new);
            }
            self.inputs.push((source, lane));
            new
        })
    }

    /// The lane of a value.
    fn lane(&self, r: Ref) -> Lane {
        match r {
            Ref::Input(i) => self.inputs[i as usize].1,
            Ref::Instr(i) => self.instrs[i as usize].2,
        }
    }

    fn instr(&mut self, instr: Instr, operands: [Option<Ref>; 3], lane: Lane) -> Ref {
        let new = Ref::Instr(self.instrs.len() as Slot);
        let known = *self.known_instrs.entry((Function::of(&instr), operands)).or_insert(new);
        if known == new {
            self.instrs.push((instr, operands, lane));
        }
        known
    }

    fn literal(&mut self, literal: Literal) -> Ref {
        self.instr(Instr::Const(literal), [None; 3], literal.lane())
    }

    /// A number in the lane of an element type.
    fn constant(&mut self, c: impl Into<Number>, dtype: DType) -> Ref {
        self.literal(c.into().literal(dtype))
    }

    fn integer(&mut self, c: i64) -> Ref {
        self.constant(c, DType::I32)
    }

    fn unary(&mut self, f: Unary, x: Ref) -> Ref {
        let lane = self.lane(x);
        self.instr(Instr::Unary(f, 0), [Some(x), None, None], lane)
    }

    fn binary(&mut self, f: Binary, x: Ref, y: Ref) -> Ref {
        if !f.is_comparison() {
            let lane = self.lane(x);
            return self.instr(Instr::Binary(f, 0, 0), [Some(x), Some(y), None], lane);
        }
        // What was widened compares as it was before.
        let (x, y) = match (self.narrow(x), self.narrow(y)) {
            (Some(x), Some(y)) => (self.narrowed(x), self.narrowed(y)),
            _ => (x, y),
        };
        self.instr(Instr::Binary(f, 0, 0), [Some(x), Some(y), None], Lane::Bool)
    }

    fn select(&mut self, condition: Ref, x: Ref, y: Ref) -> Ref {
        let lane = self.lane(x);
        self.instr(Instr::Select(0, 0, 0), [Some(condition), Some(x), Some(y)], lane)
    }

    /// The i32 that an i64 is, if it is one for certain.
    fn narrow(&self, x: Ref) -> Option<Narrow> {
        let Ref::Instr(at) = x else { return None };
        match self.instrs[at as usize] {
            (Instr::To(DType::I64, _), [Some(below), ..], _) if self.lane(below) == Lane::I32 => {
                Some(Narrow::Value(below))
            }
            (Instr::Const(Literal::I64(c)), ..) => i32::try_from(c).ok().map(Narrow::Number),
            _ => None,
        }
    }

    fn narrowed(&mut self, narrow: Narrow) -> Ref {
        match narrow {
            Narrow::Value(below) => below,
            Narrow::Number(c) => self.literal(Literal::I32(c)),
        }
    }

    /// A value of one element type as one of another.
    fn convert(&mut self, x: Ref, from: DType, to: DType) -> Ref {
        if to.lane() == self.lane(x) && holds(to, from) {
            return x;
        }
        // What was widened before is what it was.
        let x = match x {
            Ref::Instr(at) => match self.instrs[at as usize] {
                (Instr::To(wide, _), [Some(below), ..], _) if holds(wide, self.lane(below).dtype()) => below,
                _ => x,
            },
            Ref::Input(_) => x,
        };
        if to.lane() == self.lane(x) && holds(to, self.lane(x).dtype()) {
            return x;
        }
        self.instr(Instr::To(to, 0), [Some(x), None, None], to.lane())
    }

    /// What an operation gives in an element type: an integer that is narrower than its lane wraps, unless it cannot be outside of its range.
    fn wrap(&mut self, x: Ref, dtype: DType, may_leave: bool) -> Ref {
        match may_leave && dtype.is_int() && dtype.lane().dtype() != dtype {
            true => self.instr(Instr::To(dtype, 0), [Some(x), None, None], dtype.lane()),
            false => x,
        }
    }

    /// An element of a view of something in memory.
    fn load(&mut self, view: Value, coordinates: &[Index], outside: Option<Literal>) -> Ref {
        let (at, lane) = (self.access(view, coordinates, outside), self.launch.graph.dtype(view).lane());
        self.input(Source::Load(at), lane)
    }

    /// The number of a load of an element of a view of something in memory.
    fn access(&mut self, view: Value, coordinates: &[Index], outside: Option<Literal>) -> usize {
        let graph = self.launch.graph;
        let base = trace(graph, view);
        let mut access = self.launch.access(base.value, &follow(&base, coordinates), outside);
        if outside.is_some() {
            // Where the view ends before the memory does.
            let ends =
                graph.shape(view).iter().enumerate().filter(|(axis, size)| base.covers(graph, *axis, size).is_none());
            access.within.extend(ends.map(|(axis, size)| (coordinates[axis].clone(), size.clone())));
        }
        self.launch.load(access)
    }

    fn value(&mut self, value: Value, coordinates: &[Index]) -> Ref {
        let base = trace(self.launch.graph, value);
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
        let graph = self.launch.graph;
        let node = graph.node(value);
        if is_barrier(graph, value) {
            return self.load(value, at, None);
        }
        match class(graph, value) {
            Class::Leaf => return self.load(value, at, None),
            Class::Free if node.inputs.is_empty() => return self.free(value, at),
            Class::Free => {}
            _ if !self.launch.inside(value) => return self.load(value, at, None),
            Class::Tile => return self.input(Source::Acc, node.ty.dtype.lane()),
            _ => {}
        }
        if let Some(row) = self.launch.row_slot(value, self.level) {
            return self.input(Source::Row(row), node.ty.dtype.lane());
        }
        match &node.op {
            Op::Unary(f) => {
                let x = self.value(node.inputs[0], at);
                // Rounding leaves integers as they are.
                if node.ty.dtype.is_int() && matches!(f, Unary::Floor | Unary::Trunc | Unary::Round) {
                    return x;
                }
                let result = self.unary(*f, x);
                self.wrap(result, node.ty.dtype, *f != Unary::Sign)
            }
            Op::Binary(f) => {
                let (x, y) = (self.value(node.inputs[0], at), self.value(node.inputs[1], at));
                let result = self.binary(*f, x, y);
                self.wrap(result, node.ty.dtype, may_leave(*f))
            }
            Op::Select => {
                let [c, x, y] = [0, 1, 2].map(|i| self.value(node.inputs[i], at));
                self.select(c, x, y)
            }
            Op::Cast => {
                let x = self.value(node.inputs[0], at);
                self.convert(x, graph.dtype(node.inputs[0]), node.ty.dtype)
            }
            Op::MaxPool2d(w) => {
                let outside = self.outside(w, node.inputs[0], value, f64::NEG_INFINITY);
                self.pool(w, node.inputs[0], at, outside, Binary::Max)
            }
            Op::SumPool2d(w) => {
                let outside = self.outside(w, node.inputs[0], value, 0.0);
                self.pool(w, node.inputs[0], at, outside, Binary::Add)
            }
            Op::MaxPool2dIndex(w) => {
                let winner = self.winner(w, node.inputs[0], value, at);
                self.convert(winner, DType::I32, node.ty.dtype)
            }
            Op::MaxPool2dGrad(w) => {
                // The loops run over windows: this element is tap number `mine` of its window.
                let window = window_of(w, at);
                let mine =
                    tap_at(&at[2]).rem_euclid(w.kernel[0]) * w.kernel[1] + tap_at(&at[3]).rem_euclid(w.kernel[1]);
                let winner = self.winner(w, node.inputs[0], node.inputs[1], &window);
                let dy = self.load(node.inputs[1], &window, None);
                let (mine, zero) = (self.integer(mine), self.constant(0.0, node.ty.dtype));
                let won = self.binary(Binary::Eq, winner, mine);
                self.select(won, dy, zero)
            }
            Op::SumPool2dGrad(w) if self.launch.unrolled() => self.load(node.inputs[0], &window_of(w, at), None),
            Op::SumPool2dGrad(w) => {
                let mut sum = None;
                for tap in w.taps() {
                    let part = self.load(node.inputs[0], &window_with_tap(w, at, tap), zero_of(node.ty.dtype));
                    sum = Some(sum.map_or(part, |s| self.binary(Binary::Add, s, part)));
                }
                sum.unwrap_or_else(|| self.constant(0.0, node.ty.dtype))
            }
            Op::MaxPool2dScatter(w) => {
                let mut sum = None;
                for (number, tap) in w.taps().enumerate() {
                    let window = window_with_tap(w, at, tap);
                    let winner = self.load(node.inputs[0], &window, Some(Literal::I32(-1)));
                    let dy = self.load(node.inputs[1], &window, zero_of(node.ty.dtype));
                    let (number, zero) = (self.integer(number as i64), self.constant(0.0, node.ty.dtype));
                    let won = self.binary(Binary::Eq, winner, number);
                    let part = self.select(won, dy, zero);
                    sum = Some(sum.map_or(part, |s| self.binary(Binary::Add, s, part)));
                }
                sum.unwrap_or_else(|| self.constant(0.0, node.ty.dtype))
            }
            Op::Pad { before, value } => {
                let inside: Vec<Index> =
                    at.iter().zip(before).map(|(i, size)| i.clone().plus(&(&Size::default() - size))).collect();
                self.load(node.inputs[0], &inside, Some(value.literal(node.ty.dtype)))
            }
            Op::Gather { axis } => self.gather(*axis, node.inputs[0], node.inputs[1], at),
            Op::MaxPool2dGather(w) => {
                let winner = self.load(node.inputs[0], at, None);
                let outside = self.outside(w, node.inputs[1], value, 0.0);
                let mut result = self.constant(0.0, node.ty.dtype);
                for (number, tap) in w.taps().enumerate() {
                    let element = self.load(node.inputs[1], &tap_of(w, at, tap), outside);
                    let number = self.integer(number as i64);
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
            | Op::Mirror { .. }
            | Op::State(_)
            | Op::RoundState { .. }
            | Op::Get(_)
            | Op::Const(_)
            | Op::Size(_)
            | Op::Iota(_)
            | Op::LossScale
            | Op::Random(_)
            | Op::Softmax(_)
            | Op::SafeSoftmax(_)
            | Op::LogSoftmax(_)
            | Op::Normalize(_)
            | Op::Resample { .. }
            | Op::Attention(_)
            | Op::AttentionGrad(_)
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
            | Op::Routine(_)
            | Op::Repeat(_)) => unreachable!("fuse::stage: {op:?} is no function of elements"),
        }
    }

    fn free(&mut self, value: Value, at: &[Index]) -> Ref {
        let node = self.launch.graph.node(value);
        match &node.op {
            Op::Const(c) => self.constant(*c, node.ty.dtype),
            Op::Size(size) => {
                let size = size.clone();
                self.size(size, node.ty.dtype)
            }
            Op::Iota(axis) => {
                let index = self.index(&at[*axis]);
                let from = self.lane(index).dtype();
                self.convert(index, from, node.ty.dtype)
            }
            Op::LossScale => self.input(Source::LossScale, Lane::F32),
            Op::Random(stream) => {
                // Numbered by the position in the value's own row-major order, however the loops run.
                let mut strides = vec![Size::constant(0); self.launch.nest.count()];
                let (mut stride, mut offset) = (Size::constant(1), Size::default());
                for (index, size) in at.iter().zip(&node.ty.shape).rev() {
                    offset = &offset + &(&stride * &index.offset);
                    for &(dim, coefficient) in &index.terms {
                        strides[dim] = &strides[dim] + &(&stride * &coefficient.into());
                    }
                    stride = &stride * size;
                }
                let (stream, round) = (*stream, node.ty.len());
                self.input(Source::Random { stream, strides, offset, round }, Lane::F32)
            }
            op => unreachable!("fuse::stage: {op:?} is not made of nothing"),
        }
    }

    /// The value of a size in an element type: of a narrow one, wrapped.
    fn size(&mut self, size: Size, dtype: DType) -> Ref {
        if dtype == DType::Bool || dtype.lane().dtype() != dtype {
            let number = self.input(Source::Size(size), Lane::I64);
            return self.convert(number, DType::I64, dtype);
        }
        self.input(Source::Size(size), dtype.lane())
    }

    /// The index of a loop dim: as i32, unless the dim is known to be longer.
    fn loop_index(&mut self, dim: usize) -> Ref {
        let long = self.launch.nest.size(dim).as_const().is_some_and(|size| size > i64::from(i32::MAX));
        self.input(Source::Index(dim), if long { Lane::I64 } else { Lane::I32 })
    }

    /// An index as a number: as i32 if it is that of a loop, else as i64.
    fn index(&mut self, index: &Index) -> Ref {
        match index.terms[..] {
            [(dim, 1)] if index.offset.is_zero() => self.loop_index(dim),
            _ => self.number(index, DType::I64),
        }
    }

    /// An index as a number of a type of integers that has it.
    fn number(&mut self, index: &Index, dtype: DType) -> Ref {
        let mut sum = match index.offset.as_const() {
            Some(offset) => self.constant(offset, dtype),
            None => self.input(Source::Size(index.offset.clone()), dtype.lane()),
        };
        for (n, &(dim, coefficient)) in index.terms.iter().enumerate() {
            let term = self.loop_index(dim);
            let from = self.lane(term).dtype();
            let mut term = self.convert(term, from, dtype);
            if coefficient != 1 {
                let c = self.constant(coefficient, dtype);
                term = self.binary(Binary::Mul, term, c);
            }
            sum = if n == 0 && index.offset.is_zero() { term } else { self.binary(Binary::Add, sum, term) };
        }
        sum
    }

    /// The element of `x` at the value of `index` along an axis.
    fn gather(&mut self, axis: usize, x: Value, index: Value, at: &[Index]) -> Ref {
        let graph = self.launch.graph;
        let base = trace(graph, x);
        // The axes in the place of the indexed one.
        let indexed = at.len() + 1 - graph.shape(x).len();
        let coordinates = [&at[..axis], &[Index::zero()], &at[axis + indexed..]].concat();
        let access = self.launch.access(base.value, &follow(&base, &coordinates), None);
        let base_axis = base.covers(graph, axis, &graph.shape(x)[axis]).unwrap_or(axis);
        let dim = match self.launch.lower.layouts.values.get(&base.value) {
            Some(ValueLayout::Order(order)) => order.iter().position(|a| *a == base_axis).unwrap_or(base_axis),
            _ => base_axis,
        };
        let from = self.launch.load(access);
        let index = self.access(index, at, None);
        self.input(Source::Gather { from, dim, index }, graph.dtype(x).lane())
    }

    /// What lies around the operand of a pool, if a window reaches there.
    fn outside(&self, w: &Window, x: Value, pooled: Value, fill: f64) -> Option<Literal> {
        let fill = Number::Float(fill).literal(self.launch.graph.dtype(x));
        let (from, to) = (self.launch.graph.shape(x), self.launch.graph.shape(pooled));
        (0..2).any(|axis| w.overhangs(axis, &from[2 + axis], &to[2 + axis])).then_some(fill)
    }

    fn pool(&mut self, w: &Window, x: Value, at: &[Index], outside: Option<Literal>, f: Binary) -> Ref {
        let mut result = None;
        for tap in w.taps() {
            let element = self.load(x, &tap_of(w, at, tap), outside);
            result = Some(result.map_or(element, |r| self.binary(f, r, element)));
        }
        result.unwrap_or_else(|| self.constant(0.0, self.launch.graph.dtype(x)))
    }

    /// The number of the first tap that is not in the padding: where all is -∞, it is the first maximum.
    fn first_inside(&mut self, w: &Window, window: &[Index]) -> Ref {
        let [zero, mut first] = [self.integer(0); 2];
        for axis in (0..2).filter(|axis| w.padding[*axis] > 0) {
            // ceil((padding - at · stride) / dilation), of whole numbers.
            let begin = self.number(&window[2 + axis].clone().times(w.stride[axis]), DType::I32);
            let padding = self.integer(w.padding[axis]);
            let before = self.binary(Binary::Sub, padding, begin);
            let mut taps = self.binary(Binary::Max, before, zero);
            if w.dilation[axis] > 1 {
                let [most, dilation] = [w.dilation[axis] - 1, w.dilation[axis]].map(|c| self.integer(c));
                let up = self.binary(Binary::Add, taps, most);
                taps = self.binary(Binary::FloorDivide, up, dilation);
            }
            if axis == 0 {
                let row = self.integer(w.kernel[1]);
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
        let outside = self.outside(w, x, pooled, f64::NEG_INFINITY);
        let mut best: Option<(Ref, Ref)> = None;
        for (number, tap) in w.taps().enumerate() {
            let element = self.load(x, &tap_of(w, window, tap), outside);
            best = Some(match best {
                None => (element, self.first_inside(w, window)),
                Some((most, at)) => {
                    let number = self.integer(number as i64);
                    // Of several NaN the last wins, as in PyTorch.
                    let more = self.binary(Binary::Gt, element, most);
                    let lost = self.binary(Binary::Ne, element, element);
                    let more = self.binary(Binary::Or, more, lost);
                    (self.binary(Binary::Max, element, most), self.select(more, number, at))
                }
            });
        }
        let result = best.map_or_else(|| self.integer(0), |(_, at)| at);
        self.winners.insert(key, result);
        result
    }
}

/// An i64 that is an i32.
enum Narrow {
    Value(Ref),
    Number(i32),
}

/// Whether every value of one element type is one of another.
fn holds(wide: DType, narrow: DType) -> bool {
    use DType::*;
    wide == narrow
        || match wide {
            F64 => matches!(narrow, F32 | F16 | BF16 | I8 | U8 | I16 | I32 | U32 | Bool),
            F32 => matches!(narrow, F16 | BF16 | I8 | U8 | I16 | Bool),
            I64 => matches!(narrow, I8 | U8 | I16 | I32 | U32 | Bool),
            I32 => matches!(narrow, I8 | U8 | I16 | Bool),
            U32 => matches!(narrow, U8 | Bool),
            I16 => matches!(narrow, I8 | U8 | Bool),
            I8 | U8 | F16 | BF16 => narrow == Bool,
            Bool => false,
        }
}

/// Whether a result of two numbers of a narrow integer type can be outside of it.
fn may_leave(f: Binary) -> bool {
    use Binary::*;
    match f {
        Add | Sub | Mul | Div | FloorDivide | Pow | ShiftLeft => true,
        Rem | Max | Min | And | Or | Xor | ShiftRight | Lt | Le | Gt | Ge | Eq | Ne => false,
    }
}

/// Nothing, where nothing lies.
fn zero_of(dtype: DType) -> Option<Literal> {
    Some(Number::Float(0.0).literal(dtype))
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
