//! The reference: every primitive in f64 and of integers exactly, one obvious loop each. It shares no code with the kernels and tests hold both
//! against each other.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use crate::graph::{Graph, Op, Repeat, Role, Taps, Value, Window};
use crate::number::{self, Number};
use crate::routines;
use crate::scalar::{Binary, Reduction};
use crate::types::{DType, Type};

mod attention;
mod exact;

pub use exact::exact;

/// A tensor of the reference: row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Outermost axis first.
    pub shape: Vec<usize>,
    /// The elements: of a float type floats, of any other integers. Arguments and states may be given as either.
    pub data: Vec<Number>,
}

impl Tensor {
    /// A tensor of these elements.
    pub fn new<T: Into<Number>>(shape: Vec<usize>, data: Vec<T>) -> Tensor {
        debug_assert_eq!(shape.iter().product::<usize>(), data.len());
        Tensor { shape, data: data.into_iter().map(T::into).collect() }
    }

    /// A scalar.
    pub fn scalar(x: impl Into<Number>) -> Tensor {
        Tensor::new(vec![], vec![x])
    }

    /// A tensor made element by element from its index.
    pub fn from_fn<T: Into<Number>>(shape: &[usize], mut f: impl FnMut(&[usize]) -> T) -> Tensor {
        let mut data = Vec::with_capacity(shape.iter().product());
        for_each(shape, |index| data.push(f(index)));
        Tensor::new(shape.to_vec(), data)
    }

    /// The element at an index.
    pub fn at(&self, index: &[usize]) -> Number {
        self.data[self.shape.iter().zip(index).fold(0, |at, (s, i)| at * s + i)]
    }

    /// The elements as floats: integers from 2⁵³ on are rounded.
    pub fn floats(&self) -> Vec<f64> {
        self.data.iter().map(|x| x.f64()).collect()
    }

    /// A function of each element.
    fn map(&self, f: impl Fn(Number) -> Number) -> Tensor {
        Tensor::new(self.shape.clone(), self.data.iter().map(|x| f(*x)).collect())
    }
}

/// What a graph is evaluated on.
pub struct Inputs<'a> {
    /// Arguments, in order.
    pub arguments: &'a [Tensor],
    /// Parameters by number.
    pub parameters: &'a [Tensor],
    /// States by number, as they are before the function runs.
    pub states: &'a [Tensor],
    /// Whether each node's result, if it is of floats, is rounded to f32: shows how well the graph is conditioned.
    pub rounded: bool,
    /// Run-time sizes.
    pub sizes: &'a dyn Fn(&str) -> i64,
    /// The uniform number of a stream at an index.
    pub random: &'a dyn Fn(u32, u64) -> f64,
}

/// The results of a graph, in order.
pub fn evaluate(graph: &Graph, inputs: &Inputs) -> Vec<Tensor> {
    evaluate_with_rounds(graph, inputs).0
}

/// What the rounds of loops leave behind beside their results.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// The gradients of the parameters of rounds, by the parameters' numbers.
    pub gradients: BTreeMap<usize, Tensor>,
    /// The states that rounds assign, by their numbers.
    pub states: BTreeMap<usize, Tensor>,
}

/// The results of a graph, in order, and what the rounds of its loops leave behind.
pub fn evaluate_with_rounds(graph: &Graph, inputs: &Inputs) -> (Vec<Tensor>, Effects) {
    let mut trace = Trace::default();
    let results = run(graph, inputs, inputs.arguments, &Rounds::default(), &mut trace);
    (results, trace.effects)
}

/// Every value that no gradient flows through, in the order in which they are made.
pub fn detached(graph: &Graph, inputs: &Inputs) -> Vec<Tensor> {
    let mut trace = Trace { detached: Some(vec![]), ..Trace::default() };
    run(graph, inputs, inputs.arguments, &Rounds::default(), &mut trace);
    trace.detached.unwrap_or_default()
}

/// The results where those values are `held` as they were: as a function of its inputs the graph has the derivative that its gradient claims.
pub fn evaluate_holding(graph: &Graph, inputs: &Inputs, held: &[Tensor]) -> Vec<Tensor> {
    let mut trace = Trace { held: Some(held.iter()), ..Trace::default() };
    run(graph, inputs, inputs.arguments, &Rounds::default(), &mut trace)
}

/// What goes along with a run.
#[derive(Default)]
struct Trace<'a> {
    effects: Effects,
    /// Takes the place of detached values.
    held: Option<std::slice::Iter<'a, Tensor>>,
    /// Collects them.
    detached: Option<Vec<Tensor>>,
}

impl Trace<'_> {
    fn detach(&mut self, value: &Tensor) -> Tensor {
        let value = self.held.as_mut().and_then(|held| held.next()).unwrap_or(value).clone();
        if let Some(detached) = &mut self.detached {
            detached.push(value.clone());
        }
        value
    }
}

/// The rounds of the loops around a body.
#[derive(Clone, Default)]
struct Rounds {
    /// Outermost first.
    now: Vec<usize>,
    /// Counted through.
    through: usize,
}

impl Rounds {
    /// A number in one of the net's lists.
    fn number(&self, first: usize, steps: &[usize]) -> usize {
        first + self.now.iter().zip(steps).map(|(round, step)| round * step).sum::<usize>()
    }
}

/// One run of a graph, or of a body in a round.
fn run(graph: &Graph, inputs: &Inputs, arguments: &[Tensor], at: &Rounds, trace: &mut Trace) -> Vec<Tensor> {
    let mut values: HashMap<Value, Tensor> = HashMap::new();
    let mut loops: HashMap<Value, Vec<Tensor>> = HashMap::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        let operands: Vec<&Tensor> = node.inputs.iter().map(|v| &values[v]).collect();
        let x = |i: usize| operands[i];
        let shape: Vec<usize> = node.ty.shape.iter().map(|s| s.eval(inputs.sizes) as usize).collect();
        let dtype = node.ty.dtype;
        let folds = |f: Reduction| Folds::new(f, dtype, &shape);
        let mut result = match &node.op {
            Op::Input(i) => arguments[*i].map(|x| x.to(dtype)),
            Op::Parameter(i) => inputs.parameters[*i].clone(),
            Op::RoundParameter { first, steps } => inputs.parameters[at.number(*first, steps)].clone(),
            Op::Mirror { first, steps } => inputs.parameters[at.number(*first, steps)].map(|x| x.to(dtype)),
            Op::State(i) => inputs.states[*i].map(|x| x.to(dtype)),
            Op::RoundState { first, steps } => {
                let number = at.number(*first, steps);
                trace.effects.states.get(&number).unwrap_or_else(|| &inputs.states[number]).map(|x| x.to(dtype))
            }
            Op::Const(c) => Tensor::scalar(c.to(dtype)),
            Op::Size(size) => Tensor::scalar(Number::Int(size.eval(inputs.sizes)).to(dtype)),
            Op::Iota(axis) => Tensor::from_fn(&shape, |i| Number::Int(i[*axis] as i64).to(dtype)),
            // What is compared with others is not scaled.
            Op::LossScale => Tensor::scalar(Number::Float(1.0)),
            Op::Random(stream) => {
                let len = shape.iter().product::<usize>();
                let data = (0..len).map(|i| (inputs.random)(*stream, (at.through * len + i) as u64));
                Tensor::new(shape.clone(), data.collect())
            }
            Op::Unary(f) => x(0).map(|a| number::unary(*f, dtype, a)),
            Op::Binary(f) => {
                let dtype = graph.dtype(node.inputs[0]);
                let pairs = x(0).data.iter().zip(&x(1).data);
                Tensor::new(shape, pairs.map(|(a, b)| number::binary(*f, dtype, *a, *b)).collect())
            }
            Op::Select => Tensor::from_fn(&shape, |i| if x(0).at(i).i64() != 0 { x(1).at(i) } else { x(2).at(i) }),
            Op::Cast => x(0).map(|a| a.to(dtype)),
            Op::Detach => trace.detach(x(0)),
            Op::WithSlope | Op::Copy | Op::After => x(0).clone(),
            Op::Broadcast => {
                let from = x(0);
                let lead = shape.len() - from.shape.len();
                let strides = strides(&from.shape);
                let axis = |i: usize| i.checked_sub(lead).filter(|&j| from.shape[j] != 1).map_or(0, |j| strides[j]);
                gather(from, &shape, &(0..shape.len()).map(axis).collect::<Vec<_>>())
            }
            Op::Reshape => Tensor::new(shape, x(0).data.clone()),
            Op::Permute(order) => {
                let strides = strides(&x(0).shape);
                gather(x(0), &shape, &order.iter().map(|&axis| strides[axis]).collect::<Vec<_>>())
            }
            Op::Slice { axis, start, step } => {
                let start = start.eval(inputs.sizes);
                Tensor::from_fn(&shape, |i| {
                    let mut i = i.to_vec();
                    i[*axis] = (start + step * i[*axis] as i64) as usize;
                    x(0).at(&i)
                })
            }
            Op::Pad { before, value } => Tensor::from_fn(&shape, |i| {
                let inner = i.iter().zip(before).map(|(&i, b)| i as i64 - b.eval(inputs.sizes));
                let inner: Option<Vec<usize>> = inner.map(|i| usize::try_from(i).ok()).collect();
                let inside = |i: &Vec<usize>| i.iter().zip(&x(0).shape).all(|(i, size)| i < size);
                inner.filter(inside).map_or(value.to(dtype), |i| x(0).at(&i))
            }),
            Op::Cat(axis) => Tensor::from_fn(&shape, |i| {
                let (mut i, mut part) = (i.to_vec(), 0);
                while i[*axis] >= x(part).shape[*axis] {
                    i[*axis] -= x(part).shape[*axis];
                    part += 1;
                }
                x(part).at(&i)
            }),
            Op::Gather { axis } => Tensor::from_fn(&shape, |i| x(0).at(&addressed(i, *axis, x(1), &x(0).shape))),
            Op::Scatter { axis } => {
                let (mut sums, strides) = (folds(Reduction::Sum), strides(&shape));
                for_each(&x(0).shape, |i| {
                    let to = addressed(i, *axis, x(1), &shape);
                    sums.fold(to.iter().zip(&strides).map(|(i, s)| i * s).sum(), x(0).at(i));
                });
                sums.done()
            }
            Op::Reduce(f, axes) => {
                let mut y = folds(*f);
                for_each(&x(0).shape, |i| {
                    let kept = i.iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
                    y.fold(kept.zip(&shape).fold(0, |at, ((_, i), s)| at * s + i), x(0).at(i));
                });
                y.done()
            }
            Op::Softmax(axis) => softmax(x(0), *axis, f64::NEG_INFINITY, |shifted, sum| shifted.exp() / sum),
            // Where all is -∞ a number is taken off, and each exponential is 0.
            Op::SafeSoftmax(axis) => {
                softmax(x(0), *axis, f64::MIN, |shifted, sum| if sum == 0.0 { 0.0 } else { shifted.exp() / sum })
            }
            Op::LogSoftmax(axis) => softmax(x(0), *axis, f64::NEG_INFINITY, |shifted, sum| shifted - sum.ln()),
            Op::Normalize(_) => {
                let [x, mean, rate] = [x(0), x(1), x(2)].map(Tensor::floats);
                Tensor::new(shape, (0..x.len()).map(|i| (x[i] - mean[i]) * rate[i]).collect())
            }
            Op::MatMul { ta, tb } => matmul(x(0), x(1), *ta, *tb, &shape),
            Op::Conv2d(w) => {
                let (mut y, [a, b]) = (zeros(&shape), [x(0), x(1)].map(Tensor::floats));
                taps(w, &x(0).shape, &x(1).shape, &shape, |xi, wi, yi| y[yi] += a[xi] * b[wi]);
                Tensor::new(shape, y)
            }
            Op::Conv2dInputGrad(w) => {
                let (mut dx, [dy, weight]) = (zeros(&shape), [x(0), x(1)].map(Tensor::floats));
                taps(w, &shape, &x(1).shape, &x(0).shape, |xi, wi, yi| dx[xi] += dy[yi] * weight[wi]);
                Tensor::new(shape, dx)
            }
            Op::Conv2dWeightGrad(w) => {
                let (mut dw, [a, dy]) = (zeros(&shape), [x(0), x(1)].map(Tensor::floats));
                taps(w, &x(0).shape, &shape, &x(1).shape, |xi, wi, yi| dw[wi] += a[xi] * dy[yi]);
                Tensor::new(shape, dw)
            }
            Op::MaxPool2d(w) => {
                let mut y = folds(Reduction::Max);
                windows(w, &x(0).shape, &shape, |_, xi, yi| y.fold(yi, x(0).data[xi]));
                y.done()
            }
            Op::MaxPool2dGrad(w) => scatter(w, &winners(w, x(0), &x(1).shape), x(1), folds(Reduction::Sum)),
            Op::MaxPool2dIndex(w) => winners(w, x(0), &shape).map(|tap| tap.to(dtype)),
            Op::MaxPool2dScatter(w) => scatter(w, x(0), x(1), folds(Reduction::Sum)),
            Op::MaxPool2dGather(w) => {
                let mut y = folds(Reduction::Sum);
                windows(w, &x(1).shape, &shape, |tap, xi, yi| {
                    if x(0).data[yi].i64() == tap as i64 {
                        y.fold(yi, x(1).data[xi]);
                    }
                });
                y.done()
            }
            Op::SumPool2d(w) => {
                let mut y = folds(Reduction::Sum);
                windows(w, &x(0).shape, &shape, |_, xi, yi| y.fold(yi, x(0).data[xi]));
                y.done()
            }
            Op::SumPool2dGrad(w) => {
                let mut dx = folds(Reduction::Sum);
                windows(w, &shape, &x(0).shape, |_, xi, yi| dx.fold(xi, x(0).data[yi]));
                dx.done()
            }
            Op::Resample { axis, taps } => {
                let (n, m) = (x(0).shape[*axis], shape[*axis]);
                let near: Vec<Vec<(usize, f64)>> = (0..m)
                    .map(|i| match taps {
                        Taps::Bins => (i * n / m..((i + 1) * n).div_ceil(m)).map(|a| (a, 1.0)).collect(),
                        Taps::Line { corners } => neighbours(i, n, m, *corners).to_vec(),
                        Taps::LineGrad { corners } => {
                            let readers = (0..n).flat_map(|a| neighbours(a, m, n, *corners).map(|(at, w)| (a, at, w)));
                            readers.filter(|(_, at, _)| *at == i).map(|(a, _, w)| (a, w)).collect()
                        }
                    })
                    .collect();
                Tensor::from_fn(&shape, |i| {
                    let element = |a: usize| x(0).at(&[&i[..*axis], &[a], &i[axis + 1..]].concat()).f64();
                    near[i[*axis]].iter().map(|(a, weight)| element(*a) * weight).sum::<f64>()
                })
            }
            Op::Attention(options) | Op::AttentionGrad(options) => {
                let is_added = node.inputs.get(3).is_some_and(|mask| graph.dtype(*mask).is_float());
                let of = if let Op::Attention(_) = node.op { attention::results } else { attention::gradients };
                loops.insert(Value(index as u32), of(options, &operands, is_added));
                loops[&Value(index as u32)][0].clone()
            }
            Op::Routine(call) => {
                let types: Vec<&Type> = node.inputs.iter().map(|v| graph.ty(*v)).collect();
                let results = routines::reference(call, &types, &operands, inputs.sizes);
                loops.insert(Value(index as u32), results);
                loops[&Value(index as u32)][0].clone()
            }
            Op::Repeat(repeat) => {
                let operands = node.inputs.iter().map(|v| values[v].clone()).collect();
                loops.insert(Value(index as u32), rounds(repeat, inputs, operands, at, trace));
                Tensor::scalar(f64::NAN)
            }
            Op::Get(number) => loops[&node.inputs[0]][*number].clone(),
        };
        if inputs.rounded {
            result = result.map(|x| if let Number::Float(x) = x { f64::from(x as f32).into() } else { x });
        }
        values.insert(Value(index as u32), result);
    }
    for output in &graph.outputs {
        let value = || values[&output.value].clone();
        match &output.role {
            Role::RoundGradient { first, steps } => {
                drop(trace.effects.gradients.insert(at.number(*first, steps), value()))
            }
            Role::RoundState { first, steps } => drop(trace.effects.states.insert(at.number(*first, steps), value())),
            _ => {}
        }
    }
    graph.outputs.iter().map(|o| values[&o.value].clone()).collect()
}

/// The results of a loop: the last states, then the stacks.
fn rounds(repeat: &Repeat, inputs: &Inputs, operands: Vec<Tensor>, outer: &Rounds, trace: &mut Trace) -> Vec<Tensor> {
    let count = repeat.count.eval(inputs.sizes) as usize;
    let fixed = repeat.states + repeat.shared;
    let results = repeat.body.outputs.iter().filter(|o| matches!(o.role, Role::Result(_))).count();
    let mut arguments = operands.clone();
    let mut stacks: Vec<Vec<Tensor>> = vec![vec![Tensor::scalar(f64::NAN); count]; results - repeat.states];
    for i in 0..count {
        let now = if repeat.reverse { count - 1 - i } else { i };
        for (argument, stack) in arguments[fixed..].iter_mut().zip(&operands[fixed..]) {
            let len = stack.data.len() / count;
            *argument = Tensor::new(stack.shape[1..].to_vec(), stack.data[now * len..][..len].to_vec());
        }
        let at = Rounds { now: [&outer.now[..], &[now]].concat(), through: outer.through * count + now };
        let mut made = run(&repeat.body, inputs, &arguments, &at, trace);
        made.truncate(results);
        stacks.iter_mut().zip(made.drain(repeat.states..)).for_each(|(stack, row)| stack[now] = row);
        arguments.splice(..repeat.states, made);
    }
    arguments.truncate(repeat.states);
    arguments.extend(stacks.into_iter().map(|rows| {
        let shape = [&[count][..], &rows[0].shape].concat();
        Tensor::new(shape, rows.into_iter().flat_map(|row| row.data).collect())
    }));
    arguments
}

/// Every index, in row-major order.
fn for_each(shape: &[usize], mut f: impl FnMut(&[usize])) {
    let mut index = vec![0; shape.len()];
    for _ in 0..shape.iter().product() {
        f(&index);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
}

/// The index of `x`, of this shape, that a gather reads at `i`.
fn addressed(i: &[usize], axis: usize, index: &Tensor, x: &[usize]) -> Vec<usize> {
    let behind = x.len() - axis - 1;
    // Held inside the axis, as in kernels: what lies outside is a check's to find.
    [&i[..axis], &[(index.at(i).i64().max(0) as usize).min(x[axis] - 1)], &i[i.len() - behind..]].concat()
}

/// Row-major: elements from one index to the next along each axis.
fn strides(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect()
}

/// The elements at `Σ index · stride`.
fn gather(from: &Tensor, shape: &[usize], strides: &[usize]) -> Tensor {
    Tensor::from_fn(shape, |i| from.data[i.iter().zip(strides).map(|(i, s)| i * s).sum::<usize>()])
}

fn zeros(shape: &[usize]) -> Vec<f64> {
    vec![0.0; shape.iter().product()]
}

/// Elements that are folded into others, in an element type.
struct Folds {
    by: Binary,
    dtype: DType,
    shape: Vec<usize>,
    data: Vec<Number>,
}

impl Folds {
    fn new(f: Reduction, dtype: DType, shape: &[usize]) -> Folds {
        let lane = dtype.lane();
        let by = f.fold(lane).unwrap_or_else(|| unreachable!("reference: {f:?} of {dtype}"));
        let data = vec![f.identity(lane).into(); shape.iter().product()];
        Folds { by, dtype, shape: shape.to_vec(), data }
    }

    fn fold(&mut self, at: usize, x: Number) {
        self.data[at] = number::binary(self.by, self.dtype, self.data[at], x);
    }

    fn done(self) -> Tensor {
        Tensor::new(self.shape, self.data)
    }
}

fn softmax(x: &Tensor, axis: usize, least: f64, finish: impl Fn(f64, f64) -> f64) -> Tensor {
    Tensor::from_fn(&x.shape, |i| {
        let mut j = i.to_vec();
        let row: Vec<f64> = (0..x.shape[axis])
            .map(|k| {
                j[axis] = k;
                x.at(&j).f64()
            })
            .collect();
        let max = row.iter().cloned().fold(least, f64::max);
        let sum = row.iter().map(|a| (a - max).exp()).sum();
        finish(row[i[axis]] - max, sum)
    })
}

fn matmul(a: &Tensor, b: &Tensor, ta: bool, tb: bool, shape: &[usize]) -> Tensor {
    let rank = shape.len();
    let (m, n) = (shape[rank - 2], shape[rank - 1]);
    let k = a.shape[if ta { rank - 2 } else { rank - 1 }];
    let (a_row, a_step) = if ta { (1, m) } else { (k, 1) };
    let (b_step, b_column) = if tb { (1, k) } else { (n, 1) };
    let batches: usize = shape[..rank - 2].iter().product();
    let [a, b] = [a, b].map(Tensor::floats);
    let mut data = Vec::with_capacity(batches * m * n);
    for batch in 0..batches {
        let (a, b) = (&a[batch * m * k..], &b[batch * k * n..]);
        for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
            data.push((0..k).map(|k| a[i * a_row + k * a_step] * b[k * b_step + j * b_column]).sum::<f64>());
        }
    }
    Tensor::new(shape.to_vec(), data)
}

/// Every product of a convolution: positions of x\[n, c, h, w\], weight\[o, c, r, s\] and y\[n, o, i, j\], which have these shapes.
fn taps(w: &Window, xs: &[usize], ws: &[usize], y: &[usize], mut f: impl FnMut(usize, usize, usize)) {
    let outputs = y[1] / w.groups as usize;
    for n in 0..y[0] {
        for o in 0..y[1] {
            for (i, j) in (0..y[2]).flat_map(|i| (0..y[3]).map(move |j| (i, j))) {
                for c in 0..ws[1] {
                    for (r, s) in (0..ws[2]).flat_map(|r| (0..ws[3]).map(move |s| (r, s))) {
                        let h = i as i64 * w.stride[0] + r as i64 * w.dilation[0] - w.padding[0];
                        let v = j as i64 * w.stride[1] + s as i64 * w.dilation[1] - w.padding[1];
                        if (0..xs[2] as i64).contains(&h) && (0..xs[3] as i64).contains(&v) {
                            let xi = ((n * xs[1] + o / outputs * ws[1] + c) * xs[2] + h as usize) * xs[3] + v as usize;
                            let wi = ((o * ws[1] + c) * ws[2] + r) * ws[3] + s;
                            let yi = ((n * y[1] + o) * y[2] + i) * y[3] + j;
                            f(xi, wi, yi);
                        }
                    }
                }
            }
        }
    }
}

/// Between which two of `n` elements number `i` of `m` lies, and their weights.
fn neighbours(i: usize, n: usize, m: usize, corners: bool) -> [(usize, f64); 2] {
    let (i, last) = (i as f64, (n - 1) as f64);
    let at = match corners {
        true if m > 1 => i * last / (m - 1) as f64,
        true => 0.0,
        false => ((i + 0.5) * n as f64 / m as f64 - 0.5).clamp(0.0, last),
    };
    let first = at.floor().min(last);
    [(first as usize, 1.0 - (at - first)), ((first + 1.0).min(last) as usize, at - first)]
}

/// For each window the number of its first maximum.
fn winners(w: &Window, x: &Tensor, y: &[usize]) -> Tensor {
    let mut best: Vec<Option<(usize, Number)>> = vec![None; y.iter().product()];
    windows(w, &x.shape, y, |tap, xi, yi| {
        let x = x.data[xi];
        // Of several NaN the last wins, as in PyTorch.
        let wins = |most| x.f64().is_nan() || number::order(x, most) == Some(Ordering::Greater);
        if best[yi].is_none_or(|(_, most)| wins(most)) {
            best[yi] = Some((tap, x));
        }
    });
    Tensor::new(y.to_vec(), best.iter().map(|b| b.map_or(-1, |(tap, _)| tap as i64)).collect())
}

/// What belongs to each window goes to its winner.
fn scatter(w: &Window, index: &Tensor, dy: &Tensor, mut dx: Folds) -> Tensor {
    windows(w, &dx.shape.clone(), &dy.shape, |tap, xi, yi| {
        if index.data[yi].i64() == tap as i64 {
            dx.fold(xi, dy.data[yi]);
        }
    });
    dx.done()
}

/// Every tap of a pool with its positions in input and output.
fn windows(w: &Window, x: &[usize], y: &[usize], mut f: impl FnMut(usize, usize, usize)) {
    let one = [1, 1, w.kernel[0] as usize, w.kernel[1] as usize];
    for image in 0..x[0] * x[1] {
        let (xo, yo) = (image * x[2] * x[3], image * y[2] * y[3]);
        taps(w, &[1, 1, x[2], x[3]], &one, &[1, 1, y[2], y[3]], |xi, tap, yi| f(tap, xo + xi, yo + yi));
    }
}
