//! Every operator and layer against central differences in f64, by the reference; and values that are used one to nine times.

mod common;
#[path = "gradients/layers.rs"]
mod layers;
#[path = "gradients/loops.rs"]
mod loops;
#[path = "gradients/more.rs"]
mod more;
#[path = "gradients/routines.rs"]
mod routines;

use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::call::Arg;
use castnet_graph::decompose::{EVERYTHING, NOTHING, decompose};
use castnet_graph::grad::gradients;
use castnet_graph::graph::{Graph, Op, Role, Value, Window};
use castnet_graph::loops::Rounds;
use castnet_graph::net::Init;
use castnet_graph::ops::OPERATORS;
use castnet_graph::optimise::optimise;
use castnet_graph::recompute::{Segments, recompute};
use castnet_graph::reference::{Inputs, Tensor, detached, evaluate_holding, evaluate_with_rounds};
use castnet_graph::size::Size;
use castnet_graph::types::{DType, Type};
use common::*;

/// Steele, Lea & Flood's SplitMix64, as numbers in [-1, 1).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e3779b97f4a7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d049bb133111eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

/// A test: parameters of these shapes with values from `range`, and what is done with them.
struct Case {
    operator: &'static str,
    shapes: Vec<Vec<i64>>,
    range: (f64, f64),
    build: Box<Build>,
}

/// What is done with the parameters.
type Build = dyn Fn(&mut Builder, &[Value]) -> Value;

fn case(
    operator: &'static str,
    shapes: &[&[i64]],
    range: (f64, f64),
    build: impl Fn(&mut Builder, &[Value]) -> Value + 'static,
) -> Case {
    Case { operator, shapes: shapes.iter().map(|s| s.to_vec()).collect(), range, build: Box::new(build) }
}

fn rounds(count: i64, parameters: std::ops::Range<usize>) -> Rounds {
    Rounds { count, parameters, states: 0..0 }
}

fn list(axes: &[i64]) -> Arg {
    Arg::List(axes.iter().map(|&a| int(a)).collect())
}

/// Integers below `limit` that depend on the place.
fn numbers(b: &mut Builder, shape: &[i64], factors: &[i64], limit: i64) -> Value {
    let shape: Vec<Size> = shape.iter().map(|&s| s.into()).collect();
    let mut sum = b.constant(1.0, DType::I64);
    for (axis, &factor) in factors.iter().enumerate() {
        let place = b.push(Op::Iota(axis), vec![], Type::new(DType::I64, shape.clone()));
        let scaled = op(b, "mul", vec![t(place), int(factor)]);
        sum = op(b, "add", vec![t(sum), t(scaled)]);
    }
    op(b, "remainder", vec![t(sum), int(limit)])
}

/// The tensors that an operator gives.
fn parts(b: &mut Builder, name: &str, args: Vec<Arg>) -> Vec<Value> {
    let given: Vec<_> = args.into_iter().map(given).collect();
    match castnet_graph::ops::call(b, name, Default::default(), &given) {
        Ok(Arg::List(parts)) => {
            parts.iter().map(|p| if let Arg::Tensor(v) = p { *v } else { panic!("{p:?}") }).collect()
        }
        other => panic!("{other:?}: {:?}", b.diagnostics),
    }
}

fn cases() -> Vec<Case> {
    let any = (-2.0, 2.0);
    let positive = (0.3, 2.0);
    let mut cases = vec![];
    let unary_any = [
        "neg",
        "abs",
        "sign",
        "exp",
        "tanh",
        "sigmoid",
        "erf",
        "sin",
        "cos",
        "atan",
        "floor",
        "trunc",
        "relu",
        "gelu",
        "silu",
        "square",
        "leaky_relu",
        "dropout",
    ];
    for name in unary_any {
        cases.push(case(name, &[&[3, 5]], any, move |b, x| op(b, name, vec![t(x[0])])));
    }
    for name in ["log", "sqrt", "rsqrt", "reciprocal"] {
        cases.push(case(name, &[&[3, 5]], positive, move |b, x| op(b, name, vec![t(x[0])])));
    }
    for name in ["add", "sub", "mul", "div", "maximum", "minimum", "remainder", "pow"] {
        for shapes in [[&[3, 4][..], &[3, 4][..]], [&[3, 1], &[4]], [&[2, 3, 1], &[1, 5]], [&[4], &[]]] {
            cases.push(case(name, &shapes, positive, move |b, x| op(b, name, vec![t(x[0]), t(x[1])])));
        }
        cases.push(case(name, &[&[3, 4]], positive, move |b, x| op(b, name, vec![t(x[0]), Arg::Float(1.7)])));
    }
    for exponent in [-1.0, -0.5, 0.5, 1.0, 2.0, 3.0, 2.5] {
        cases.push(case("pow", &[&[6]], positive, move |b, x| op(b, "pow", vec![t(x[0]), Arg::Float(exponent)])));
    }
    for name in ["lt", "le", "gt", "ge", "eq", "ne"] {
        cases.push(case(name, &[&[8], &[8]], any, move |b, x| {
            let c = op(b, name, vec![t(x[0]), t(x[1])]);
            op(b, "where_", vec![t(c), t(x[0]), t(x[1])])
        }));
    }
    for name in ["logical_and", "logical_or"] {
        cases.push(case(name, &[&[8], &[8]], any, move |b, x| {
            let c = op(b, "gt", vec![t(x[0]), Arg::Float(0.0)]);
            let d = op(b, "lt", vec![t(x[1]), Arg::Float(0.5)]);
            let both = op(b, name, vec![t(c), t(d)]);
            let not = op(b, "logical_not", vec![t(both)]);
            op(b, "where_", vec![t(not), t(x[0]), Arg::Float(0.25)])
        }));
    }
    cases.push(case("logical_not", &[&[8]], any, |b, x| {
        let c = op(b, "gt", vec![t(x[0]), Arg::Float(0.0)]);
        let not = op(b, "logical_not", vec![t(c)]);
        op(b, "where_", vec![t(not), t(x[0]), Arg::Float(1.0)])
    }));
    cases.push(case("where_", &[&[3, 1], &[1, 4]], any, |b, x| {
        let c = op(b, "gt", vec![t(x[0]), t(x[1])]);
        op(b, "where_", vec![t(c), t(x[0]), t(x[1])])
    }));
    cases.push(case("gelu", &[&[9]], any, |b, x| op(b, "gelu", vec![t(x[0]), Arg::Text("tanh".into())])));
    cases.push(case("clamp", &[&[9]], any, |b, x| op(b, "clamp", vec![t(x[0]), Arg::Float(-0.5), Arg::Float(0.75)])));
    cases.push(case("clamp", &[&[9]], any, |b, x| op(b, "clamp", vec![t(x[0]), Arg::None, Arg::Float(0.75)])));
    cases.push(case("cast", &[&[9]], any, |b, x| {
        let whole = op(b, "cast", vec![t(x[0]), Arg::DType(DType::I32)]);
        let back = op(b, "cast", vec![t(whole), Arg::DType(DType::F32)]);
        op(b, "mul", vec![t(back), t(x[0])])
    }));
    for name in ["sum", "mean", "amax", "amin"] {
        for axes in [vec![], vec![0], vec![1], vec![-1], vec![0, 2], vec![1, 2], vec![0, 1, 2]] {
            for keep in [false, true] {
                let axes = axes.clone();
                cases.push(case(name, &[&[2, 3, 4]], any, move |b, x| {
                    let dim = if axes.is_empty() { Arg::None } else { list(&axes) };
                    op(b, name, vec![t(x[0]), dim, Arg::Bool(keep)])
                }));
            }
        }
    }
    for name in ["softmax", "log_softmax"] {
        for axis in [0, 1, -1] {
            cases.push(case(name, &[&[3, 4, 5]], any, move |b, x| op(b, name, vec![t(x[0]), int(axis)])));
        }
    }
    for (shape, classes, dim) in [(&[4, 5][..], &[4][..], 1), (&[2, 5, 3], &[2, 3], 1), (&[2, 3, 5], &[2, 3], -1)] {
        cases.push(case("cross_entropy", &[shape], any, move |b, x| {
            let zero = b.constant(0.0, DType::I64);
            let shape: Vec<_> = classes.iter().map(|&c| castnet_graph::size::Size::constant(c)).collect();
            let target = b.broadcast_to(zero, &shape);
            let iota =
                b.push(castnet_graph::graph::Op::Iota(0), vec![], castnet_graph::types::Type::new(DType::I64, shape));
            let target = op(b, "add", vec![t(target), t(iota)]);
            let args = [given(t(x[0])), given(t(target)), named("dim", int(dim))];
            match castnet_graph::ops::call(b, "cross_entropy", Default::default(), &args) {
                Ok(Arg::Tensor(loss)) => loss,
                other => panic!("{other:?}"),
            }
        }));
    }
    cases.extend(more::losses());
    cases.extend(more::attentions());
    cases.extend(more::statistics());
    cases.extend(more::masks_and_draws());
    for shapes in [
        [&[3, 4][..], &[4, 5][..]],
        [&[2, 3, 4], &[4, 5]],
        [&[2, 3, 4], &[2, 4, 5]],
        [&[2, 1, 3, 4], &[5, 4, 2]],
        [&[4], &[4, 3]],
        [&[3, 4], &[4]],
        [&[4], &[4]],
    ] {
        cases.push(case("matmul", &shapes, any, |b, x| op(b, "matmul", vec![t(x[0]), t(x[1])])));
    }
    for (left, right) in [(true, false), (false, true), (true, true)] {
        let shapes = [if left { [4, 3] } else { [3, 4] }, if right { [5, 4] } else { [4, 5] }];
        cases.push(case("t", &[&shapes[0], &shapes[1]], any, move |b, x| {
            let x0 = if left { op(b, "t", vec![t(x[0])]) } else { x[0] };
            let x1 = if right { op(b, "t", vec![t(x[1])]) } else { x[1] };
            op(b, "matmul", vec![t(x0), t(x1)])
        }));
    }
    cases.push(case("linear", &[&[2, 3, 4], &[5, 4], &[5]], any, |b, x| {
        op(b, "linear", vec![t(x[0]), t(x[1]), t(x[2])])
    }));
    for (stride, padding, dilation) in [(1, 0, 1), (2, 0, 1), (1, 1, 1), (2, 1, 1), (1, 2, 2), (3, 1, 1)] {
        cases.push(case("conv2d", &[&[2, 3, 7, 6], &[4, 3, 3, 2], &[4]], any, move |b, x| {
            op(b, "conv2d", vec![t(x[0]), t(x[1]), t(x[2]), int(stride), int(padding), int(dilation)])
        }));
    }
    for name in ["max_pool2d", "avg_pool2d"] {
        for (kernel, stride, padding) in [(2, 2, 0), (3, 2, 1), (2, 1, 0), (3, 3, 1), (2, 3, 0)] {
            cases.push(case(name, &[&[2, 2, 6, 7]], any, move |b, x| {
                op(b, name, vec![t(x[0]), int(kernel), int(stride), int(padding)])
            }));
        }
    }
    for operator in ["layer_norm", "rms_norm"] {
        cases.push(case(operator, &[&[3, 2, 5]], any, move |b, x| op(b, operator, vec![t(x[0])])));
        cases.push(case(operator, &[&[3, 2, 5], &[2, 5]], any, move |b, x| {
            op(b, operator, vec![t(x[0]), list(&[2, 5]), t(x[1])])
        }));
    }
    cases.push(case("layer_norm", &[&[3, 4], &[4], &[4]], any, |b, x| {
        op(b, "layer_norm", vec![t(x[0]), list(&[4]), t(x[1]), t(x[2]), Arg::Float(0.1)])
    }));
    for groups in [1, 2, 4] {
        for shape in [&[3, 4, 2, 2][..], &[2, 8]] {
            let channels = [shape[1]];
            cases.push(case("group_norm", &[shape, &channels, &channels], any, move |b, x| {
                op(b, "group_norm", vec![t(x[0]), int(groups), t(x[1]), t(x[2])])
            }));
        }
    }
    for shape in [&[5, 3][..], &[2, 3, 4], &[2, 3, 2, 2]] {
        cases.push(case("batch_norm", &[shape, &[3], &[3]], any, |b, x| {
            op(b, "batch_norm", vec![t(x[0]), Arg::None, Arg::None, t(x[1]), t(x[2]), Arg::Bool(true)])
        }));
        cases.push(case("batch_norm", &[shape, &[3], &[3], &[3], &[3]], positive, |b, x| {
            op(b, "batch_norm", x[..5].iter().map(|v| t(*v)).collect())
        }));
    }
    for (name, args) in [("select", vec![int(1), int(-1)]), ("narrow", vec![int(2), int(1), int(2)])] {
        cases.push(case(name, &[&[2, 3, 4]], any, move |b, x| op(b, name, [vec![t(x[0])], args.clone()].concat())));
    }
    cases.push(case("gather", &[&[3, 4]], any, |b, x| {
        let index = numbers(b, &[3, 2], &[1, 1], 4);
        op(b, "gather", vec![t(x[0]), int(1), t(index)])
    }));
    for axis in [0, 1, 2] {
        cases.push(case("index_select", &[&[3, 2, 4]], any, move |b, x| {
            let index = numbers(b, &[5], &[3], [3, 2, 4][axis as usize]);
            op(b, "index_select", vec![t(x[0]), int(axis), t(index)])
        }));
    }
    // The row of the padding has no gradient, whatever depends on it: it is not read here.
    for padding in [Arg::None, int(5), int(-1)] {
        cases.push(case("embedding", &[&[6, 3]], any, move |b, x| {
            let index = numbers(b, &[2, 4], &[3, 1], 5);
            op(b, "embedding", vec![t(index), t(x[0]), padding.clone()])
        }));
    }
    cases.push(case("one_hot", &[&[3]], any, |b, x| {
        let index = numbers(b, &[2, 4], &[1, 1], 3);
        let hot = op(b, "one_hot", vec![t(index), int(3)]);
        let hot = op(b, "cast", vec![t(hot), Arg::DType(DType::F32)]);
        op(b, "mul", vec![t(hot), t(x[0])])
    }));
    let text = |text: &str| Arg::Text(text.into());
    for padding in [text("same"), text("valid"), list(&[0, 1])] {
        cases.push(case("conv2d", &[&[2, 2, 5, 6], &[3, 2, 2, 4]], any, move |b, x| {
            op(b, "conv2d", vec![t(x[0]), t(x[1]), Arg::None, int(1), padding.clone(), list(&[2, 1])])
        }));
    }
    for (groups, stride) in [(2, 1), (4, 2)] {
        cases.push(case("conv2d", &[&[2, 4, 5, 5], &[8, 4 / groups, 3, 3]], any, move |b, x| {
            op(b, "conv2d", vec![t(x[0]), t(x[1]), Arg::None, int(stride), int(1), int(1), int(groups)])
        }));
    }
    for (stride, padding, groups) in [(1, 0, 1), (2, 1, 1), (3, 2, 2)] {
        cases.push(case("conv1d", &[&[2, 4, 9], &[6, 4 / groups, 3], &[6]], any, move |b, x| {
            op(b, "conv1d", vec![t(x[0]), t(x[1]), t(x[2]), int(stride), int(padding), int(1), int(groups)])
        }));
        cases.push(case("conv_transpose1d", &[&[2, 4, 5], &[4, 6 / groups, 3], &[6]], any, move |b, x| {
            let more = int(stride - 1);
            op(b, "conv_transpose1d", vec![t(x[0]), t(x[1]), t(x[2]), int(stride), int(padding), more, int(groups)])
        }));
        cases.push(case("conv_transpose2d", &[&[2, 4, 3, 4], &[4, 6 / groups, 3, 2], &[6]], any, move |b, x| {
            let (more, dilation) = (list(&[stride - 1, 0]), list(&[1, 2]));
            let padding = list(&[padding, 1]);
            let args = vec![t(x[0]), t(x[1]), t(x[2]), int(stride), padding, more, int(groups), dilation];
            op(b, "conv_transpose2d", args)
        }));
    }
    for ceil in [false, true] {
        cases.push(case("max_pool2d", &[&[2, 2, 6, 7]], any, move |b, x| {
            op(b, "max_pool2d", vec![t(x[0]), int(2), int(2), int(1), int(2), Arg::Bool(ceil)])
        }));
        cases.push(case("max_pool2d", &[&[1, 2, 9, 8]], any, move |b, x| {
            op(b, "max_pool2d", vec![t(x[0]), list(&[4, 5]), int(2), int(2), int(1), Arg::Bool(ceil)])
        }));
        cases.push(case("max_pool1d", &[&[2, 2, 8]], any, move |b, x| {
            op(b, "max_pool1d", vec![t(x[0]), int(3), int(2), int(1), int(1), Arg::Bool(ceil)])
        }));
        for include in [false, true] {
            cases.push(case("avg_pool2d", &[&[2, 2, 6, 8]], any, move |b, x| {
                op(b, "avg_pool2d", vec![t(x[0]), int(3), int(2), int(1), Arg::Bool(ceil), Arg::Bool(include)])
            }));
            cases.push(case("avg_pool1d", &[&[2, 2, 8]], any, move |b, x| {
                op(b, "avg_pool1d", vec![t(x[0]), int(3), int(2), int(1), Arg::Bool(ceil), Arg::Bool(include)])
            }));
        }
    }
    cases.push(case("avg_pool2d", &[&[2, 2, 5, 5]], any, |b, x| op(b, "avg_pool2d", vec![t(x[0]), int(5)])));
    for out in [[1, 1], [3, 2], [5, 4], [6, 7], [4, 4]] {
        cases.push(case("adaptive_avg_pool2d", &[&[2, 2, 6, 7]], any, move |b, x| {
            op(b, "adaptive_avg_pool2d", vec![t(x[0]), list(&out)])
        }));
    }
    for out in [1, 3, 4] {
        cases.push(case("adaptive_avg_pool1d", &[&[2, 2, 6]], any, move |b, x| {
            op(b, "adaptive_avg_pool1d", vec![t(x[0]), int(out)])
        }));
    }
    cases.push(case("adaptive_max_pool2d", &[&[2, 2, 6, 8]], any, |b, x| {
        op(b, "adaptive_max_pool2d", vec![t(x[0]), list(&[3, 2])])
    }));
    for (mode, size, factor) in [
        ("nearest", Arg::None, list(&[2, 3])),
        ("nearest", list(&[6, 4]), Arg::None),
        ("bilinear", Arg::None, int(2)),
        ("bilinear", list(&[5, 3]), Arg::None),
    ] {
        cases.push(case("interpolate", &[&[2, 2, 3, 4]], any, move |b, x| {
            op(b, "interpolate", vec![t(x[0]), size.clone(), factor.clone(), Arg::Text(mode.into())])
        }));
    }
    cases.push(case("pixel_shuffle", &[&[2, 8, 3, 2]], any, |b, x| op(b, "pixel_shuffle", vec![t(x[0]), int(2)])));
    cases.push(case("pixel_unshuffle", &[&[2, 3, 4, 6]], any, |b, x| op(b, "pixel_unshuffle", vec![t(x[0]), int(2)])));
    for axis in [0, 1, -1] {
        cases.push(case("cat", &[&[2, 3, 4], &[2, 3, 4]], any, move |b, x| {
            op(b, "cat", vec![Arg::List(vec![t(x[0]), t(x[1]), t(x[0])]), int(axis)])
        }));
        cases.push(case("stack", &[&[2, 3], &[2, 3]], any, move |b, x| {
            op(b, "stack", vec![Arg::List(vec![t(x[0]), t(x[1])]), int(axis)])
        }));
    }
    for (name, argument) in
        [("split", Some(int(2))), ("split", Some(list(&[1, 4]))), ("chunk", Some(int(3))), ("unbind", None)]
    {
        // Each part in its own way, so that none may be mistaken for another.
        cases.push(case(name, &[&[2, 5]], any, move |b, x| {
            let args = [vec![t(x[0])], argument.clone().into_iter().collect(), vec![int(1)]].concat();
            let parts = parts(b, name, args);
            let weighted = |(i, part): (usize, Value)| {
                let sum = op(b, "sum", vec![t(part)]);
                let square = op(b, "mul", vec![t(sum), t(sum)]);
                op(b, "mul", vec![t(square), int(1 + i as i64)])
            };
            let weighted: Vec<Value> = parts.into_iter().enumerate().map(weighted).collect();
            weighted.into_iter().reduce(|a, c| op(b, "add", vec![t(a), t(c)])).unwrap()
        }));
    }
    for (name, args) in [
        ("flip", vec![list(&[0, -1])]),
        ("roll", vec![int(2), int(1)]),
        ("roll", vec![int(-5)]),
        ("pad", vec![list(&[1, 2])]),
        ("pad", vec![list(&[0, 1, 2, -1]), Arg::Text("constant".into()), Arg::Float(0.5)]),
        ("pad", vec![list(&[2, 1]), Arg::Text("reflect".into())]),
        ("pad", vec![list(&[2, 1]), Arg::Text("replicate".into())]),
        ("zeros_like", vec![]),
        ("ones_like", vec![]),
        ("full_like", vec![Arg::Float(2.5)]),
    ] {
        cases.push(case(name, &[&[2, 3, 4]], any, move |b, x| {
            let y = op(b, name, [vec![t(x[0])], args.clone()].concat());
            let sum = op(b, "sum", vec![t(x[0])]);
            op(b, "mul", vec![t(y), t(sum)])
        }));
    }
    for (name, args) in [
        ("zeros", vec![list(&[2, 3])]),
        ("ones", vec![list(&[2, 3])]),
        ("full", vec![list(&[2, 3]), Arg::Float(-1.5)]),
        ("arange", vec![int(3)]),
        ("arange", vec![int(7), int(1), int(-2)]),
    ] {
        cases.push(case(name, &[&[2, 3]], any, move |b, x| {
            let made = op(b, name, args.clone());
            let made = op(b, "cast", vec![t(made), Arg::DType(DType::F32)]);
            let product = op(b, "mul", vec![t(made), t(x[0])]);
            op(b, "mul", vec![t(product), t(x[0])])
        }));
    }
    cases.push(case("reshape", &[&[2, 6]], any, |b, x| op(b, "reshape", vec![t(x[0]), list(&[3, -1])])));
    cases.push(case("flatten", &[&[2, 3, 4]], any, |b, x| op(b, "flatten", vec![t(x[0]), int(1)])));
    cases.push(case("permute", &[&[2, 3, 4]], any, |b, x| op(b, "permute", vec![t(x[0]), list(&[2, 0, 1])])));
    cases.push(case("transpose", &[&[2, 3, 4]], any, |b, x| op(b, "transpose", vec![t(x[0]), int(0), int(-1)])));
    cases.push(case("grad", &[&[3, 4], &[4]], any, |b, x| {
        let y = op(b, "matmul", vec![t(x[0]), t(x[1])]);
        let y = op(b, "tanh", vec![t(y)]);
        let y = op(b, "mul", vec![t(y), t(y)]);
        let loss = op(b, "sum", vec![t(y)]);
        let at = Default::default();
        let both = castnet_graph::ops::call(b, "grad", at, &[given(t(loss)), given(Arg::List(vec![t(y), t(x[1])]))]);
        match both.unwrap() {
            Arg::List(both) => {
                let left = op(b, "matmul", vec![both[0].clone(), t(x[0])]);
                let right = op(b, "mul", vec![both[1].clone(), t(x[1])]);
                op(b, "add", vec![t(left), t(right)])
            }
            other => panic!("{other:?}"),
        }
    }));
    cases.push(case("unsqueeze", &[&[2, 3]], any, |b, x| op(b, "unsqueeze", vec![t(x[0]), int(1)])));
    cases.push(case("squeeze", &[&[2, 1, 3]], any, |b, x| op(b, "squeeze", vec![t(x[0])])));
    cases.extend(more::bent());
    cases.extend(routines::routines());
    cases.extend(of_integers());
    cases
}

/// Operators through which no gradient flows: it flows beside them.
fn of_integers() -> Vec<Case> {
    let any = (-2.0, 2.0);
    let mut cases = vec![case("floor_divide", &[&[8], &[8]], (0.3, 2.0), |b, x| {
        let quotient = op(b, "floor_divide", vec![t(x[0]), t(x[1])]);
        op(b, "mul", vec![t(quotient), t(x[0])])
    })];
    for name in ["bitwise_and", "bitwise_or", "bitwise_xor"] {
        cases.push(case(name, &[&[8], &[8]], any, move |b, x| {
            let c = op(b, "gt", vec![t(x[0]), Arg::Float(0.0)]);
            let d = op(b, "lt", vec![t(x[1]), Arg::Float(0.5)]);
            let both = op(b, name, vec![t(c), t(d)]);
            let not = op(b, "bitwise_not", vec![t(both)]);
            op(b, "where_", vec![t(not), t(x[0]), t(x[1])])
        }));
    }
    cases.push(case("reduce_xor", &[&[3, 8]], any, |b, x| {
        let c = op(b, "gt", vec![t(x[0]), Arg::Float(0.0)]);
        let odd = op(b, "reduce_xor", vec![t(c), Arg::Size(1.into()), Arg::Bool(true)]);
        op(b, "where_", vec![t(odd), t(x[0]), Arg::Float(1.0)])
    }));
    for name in ["bitwise_not", "bitwise_left_shift", "bitwise_right_shift"] {
        cases.push(case(name, &[&[8]], any, move |b, x| {
            let whole = op(b, "cast", vec![t(x[0]), Arg::DType(DType::I64)]);
            let by = if name == "bitwise_not" { None } else { Some(Arg::Size(1.into())) };
            let moved = op(b, name, [t(whole)].into_iter().chain(by).collect());
            let c = op(b, "gt", vec![t(moved), Arg::Size(0.into())]);
            op(b, "where_", vec![t(c), t(x[0]), Arg::Float(1.0)])
        }));
    }
    cases
}

/// A graph over parameters of these shapes; its result is what `body` makes of them.
fn over_parameters(
    name: &str,
    shapes: &[Vec<i64>],
    body: &dyn Fn(&mut Builder, &[Value]) -> Option<Value>,
) -> Option<Graph> {
    let mut p = Parameters::default();
    for (i, shape) in shapes.iter().enumerate() {
        p.list.push(castnet_graph::builder::Declared {
            shape: Some((shape.clone(), Init::Constant(0.0))),
            ..castnet_graph::builder::Declared::new(format!("x{i}"))
        });
    }
    let mut b = Builder::new(name, &mut p, true);
    let x: Vec<Value> = (0..shapes.len()).map(|i| b.parameter(i)).collect();
    let loss = body(&mut b, &x)?;
    b.result(loss);
    Some(b.graph)
}

/// A weighted sum that treats every element differently.
fn weighted_sum(b: &mut Builder, y: Value) -> Value {
    let wave = b.shape(y);
    let mut index = b.constant(0.7, DType::F32);
    for axis in 0..wave.len() {
        let ty = castnet_graph::types::Type::new(DType::F32, wave.clone());
        let iota = b.push(castnet_graph::graph::Op::Iota(axis), vec![], ty);
        let scaled = op(b, "mul", vec![t(iota), Arg::Float(1.3 + axis as f64)]);
        index = op(b, "add", vec![t(index), t(scaled)]);
    }
    let weight = op(b, "cos", vec![t(index)]);
    let weighted = op(b, "mul", vec![t(y), t(weight)]);
    op(b, "sum", vec![t(weighted)])
}

/// The loss of a case and its gradients, by the gradient pass or by central differences.
fn check(
    name: &str,
    seed: u64,
    shapes: &[Vec<i64>],
    range: (f64, f64),
    body: &dyn Fn(&mut Builder, &[Value]) -> Value,
) {
    let graph = over_parameters(name, shapes, &|b, x| {
        let y = body(b, x);
        Some(weighted_sum(b, y))
    });
    compare(name, seed, &graph.unwrap(), shapes, range);
}

/// The same of a function of the gradients: what [`Builder::grad`] gives can be differentiated. Returns whether there was any.
fn check_second_order(
    name: &str,
    seed: u64,
    shapes: &[Vec<i64>],
    range: (f64, f64),
    body: &dyn Fn(&mut Builder, &[Value]) -> Value,
) -> bool {
    let graph = over_parameters(name, shapes, &|b, x| {
        let y = body(b, x);
        let loss = weighted_sum(b, y);
        let mut sum = None;
        for &x in x {
            let Ok(g) = b.grad(loss, &[x]) else {
                assert_eq!(b.diagnostics.pop().map(|d| d.code), Some("N0702"), "{name}");
                continue;
            };
            assert_eq!(b.ty(g[0]), b.ty(x));
            let bent = op(b, "sin", vec![t(g[0])]);
            let part = weighted_sum(b, bent);
            sum = Some(sum.map_or(part, |sum| op(b, "add", vec![t(sum), t(part)])));
        }
        sum
    });
    let Some(graph) = graph else { return false };
    compare(name, seed, &graph, shapes, range);
    true
}

fn compare(name: &str, seed: u64, forward: &Graph, shapes: &[Vec<i64>], range: (f64, f64)) {
    let with_gradients = gradients(forward.clone(), &|_| true, EVERYTHING).unwrap();
    castnet_graph::verify::verify(&with_gradients).unwrap();
    // What is decomposed behind the gradient, and what is in loops before they know what they keep.
    let late = decompose(&with_gradients, &NOTHING).unwrap();
    let decomposed = decompose(&gradients(forward.clone(), &|_| true, NOTHING).unwrap(), &NOTHING).unwrap();
    castnet_graph::verify::verify(&late).unwrap();
    castnet_graph::verify::verify(&decomposed).unwrap();
    let optimised = optimise(&decomposed);
    let recomputed = recompute(&optimised);
    let segments = Segments::new(&recomputed, &|_| 1).graph(3);
    castnet_graph::verify::verify(&segments).unwrap();
    let mut numbers = Numbers(seed);
    let values: Vec<Tensor> = shapes
        .iter()
        .map(|s| {
            let s: Vec<usize> = s.iter().map(|&d| d as usize).collect();
            Tensor::from_fn(&s, |_| range.0 + (range.1 - range.0) * (numbers.next() + 1.0) / 2.0)
        })
        .collect();
    let of_state = |number: usize| forward.nodes.iter().find(|n| n.op.state() == Some(number));
    let states: Vec<Tensor> = (0..)
        .map_while(of_state)
        .map(|n| {
            let shape: Vec<usize> = n.ty.shape.iter().map(|s| s.as_const().unwrap() as usize).collect();
            Tensor::from_fn(&shape, |_| 0.5)
        })
        .collect();
    let random = |stream: u32, i: u64| Numbers(u64::from(stream) << 40 | i).next().abs();
    fn inputs<'a>(values: &'a [Tensor], states: &'a [Tensor], random: &'a dyn Fn(u32, u64) -> f64) -> Inputs<'a> {
        Inputs { arguments: &[], parameters: values, states, rounded: false, sizes: &|_| 1, random }
    }
    let run = |graph: &Graph, values: &[Tensor]| {
        let inputs = inputs(values, &states, &random);
        let (mut results, rounds) = evaluate_with_rounds(graph, &inputs);
        // Gradients that are results of the graph, then those of loops' rounds.
        let mut roles: Vec<_> = graph.outputs.iter().map(|o| o.role.clone()).collect();
        for (number, gradient) in rounds.gradients {
            roles.push(Role::Gradient(number));
            results.push(gradient);
        }
        (roles, results)
    };
    let (roles, results) = run(&with_gradients, &values);
    let stages = [("decompose", &late), ("decompose in loops", &decomposed)];
    let further = [("optimise", &optimised), ("recompute", &recomputed), ("segments", &segments)];
    for (what, graph) in stages.into_iter().chain(further) {
        for (a, b) in results.iter().zip(run(graph, &values).1) {
            let (a, b) = (a.floats(), b.floats());
            let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs() / (1.0 + a.abs())).fold(0.0, f64::max);
            assert!(worst < 1e-12, "{name}, seed {seed}: {what} changed a result by {worst}");
        }
    }
    let held = detached(forward, &inputs(&values, &states, &random));
    for output in roles.iter().zip(&results).skip(1) {
        let Role::Gradient(number) = *output.0 else { continue };
        for i in 0..values[number].data.len() {
            let at = |h: f64| {
                let mut moved = values.clone();
                moved[number].data[i] = (moved[number].data[i].f64() + h).into();
                evaluate_holding(forward, &inputs(&moved, &states, &random), &held)[0].data[0].f64()
            };
            let h = 1e-5;
            let expected = (at(h) - at(-h)) / (2.0 * h);
            let found = output.1.data[i].f64();
            assert!(
                (expected - found).abs() < 1e-7 * (1.0 + expected.abs()),
                "{name}, seed {seed}: d x{number}[{i}] is {found}, central differences give {expected}"
            );
        }
    }
}

#[test]
fn every_operator_has_the_gradient_of_central_differences() {
    let cases = cases();
    for operator in OPERATORS.iter().flat_map(|list| list.iter()) {
        assert!(cases.iter().any(|c| c.operator == operator.name), "operator {} has no case", operator.name);
    }
    for (i, case) in cases.iter().enumerate() {
        check(case.operator, 1 + i as u64, &case.shapes, case.range, &case.build);
    }
}

/// What only gradients are made of has gradients too: through the maximum of windows, by their winners.
#[test]
fn the_gradient_of_a_pool_has_a_gradient() {
    let pair = |v: i64| [v, v];
    for (kernel, stride, padding) in [(2, 2, 0), (3, 2, 1), (2, 1, 0)] {
        let window =
            Window { kernel: pair(kernel), stride: pair(stride), padding: pair(padding), dilation: [1, 1], groups: 1 };
        let size = (6 + 2 * padding - kernel) / stride + 1;
        let shapes = [vec![2, 2, 6, 6], vec![2, 2, size, size]];
        check("max_pool2d_grad", 5, &shapes, (-2.0, 2.0), &move |b, x| {
            let ty = b.ty(x[0]).clone();
            let squares = op(b, "square", vec![t(x[1])]);
            b.push(Op::MaxPool2dGrad(window), vec![x[0], squares], ty)
        });
        check("max_pool2d_scatter", 6, &shapes, (-2.0, 2.0), &move |b, x| {
            let (whole, pooled) = (b.ty(x[0]).clone(), b.ty(x[1]).clone());
            let index = b.push(Op::MaxPool2dIndex(window), vec![x[0]], pooled.clone());
            let scattered = b.push(Op::MaxPool2dScatter(window), vec![index, x[1]], whole);
            let squares = op(b, "square", vec![t(scattered)]);
            b.push(Op::MaxPool2dGather(window), vec![index, squares], pooled)
        });
    }
}

#[test]
fn every_gradient_can_be_differentiated() {
    let mut seen = vec![];
    for (i, case) in cases().iter().enumerate() {
        if check_second_order(case.operator, 1 + i as u64, &case.shapes, case.range, &case.build) {
            seen.push(case.operator);
        }
    }
    for operator in OPERATORS.iter().flat_map(|list| list.iter()) {
        assert!(seen.contains(&operator.name), "{}: no second derivative", operator.name);
    }
}

#[test]
fn what_has_no_gradient_is_a_mistake_at_the_call() {
    let mut p = Parameters::default();
    let mut b = Builder::new("Net.loss", &mut p, true);
    let (x, y) = (b.argument("x", ty(DType::F32, &["N", "4"])), b.argument("y", ty(DType::F32, &["4"])));
    let bent = op(&mut b, "tanh", vec![t(x)]);
    let loss = op(&mut b, "sum", vec![t(bent)]);
    let larger = op(&mut b, "gt", vec![t(x), t(y)]);
    let larger = op(&mut b, "where_", vec![t(larger), t(x), Arg::Float(0.0)]);
    let stepped = op(&mut b, "sum", vec![t(larger)]);
    for (loss, x, message) in [
        (bent, x, "N0701: a gradient is taken of a number, and `tanh` is f32[N, 4]"),
        (loss, y, "N0702: `sum` does not depend on `y`"),
        (stepped, y, "N0702: `sum` does not depend on `y`"),
        (bent, y, "N0701: a gradient is taken of a number, and `tanh` is f32[N, 4]"),
    ] {
        assert!(b.grad(loss, &[x]).is_err());
        let found = b.diagnostics.pop().unwrap().to_string();
        assert_eq!(found.lines().next(), Some(message), "{found}");
    }
    let steps = op(&mut b, "floor", vec![t(x)]);
    let flat = op(&mut b, "sum", vec![t(steps)]);
    let zero = b.grad(flat, &[x]).unwrap()[0];
    assert_eq!(b.graph.as_const(zero), Some(0.0));
}

/// What `grad` gives of what `grad` gave: the gradient of attention is differentiated where it stands.
#[test]
fn a_gradient_of_a_gradient_has_a_gradient() {
    let shapes = [vec![3, 2], vec![4, 2], vec![4, 3], vec![4]];
    check("attention", 19, &shapes, (-1.0, 1.0), &|b, x| {
        let y = op(b, "scaled_dot_product_attention", x.iter().map(|v| t(*v)).collect());
        let loss = weighted_sum(b, y);
        let first = b.grad(loss, x).unwrap();
        let parts: Vec<Value> = first.iter().map(|g| weighted_sum(b, *g)).collect();
        let loss = parts.into_iter().reduce(|a, c| op(b, "add", vec![t(a), t(c)])).unwrap();
        let second = b.grad(loss, &[x[0], x[3], first[1]]).unwrap();
        let parts: Vec<Value> = second.iter().map(|g| weighted_sum(b, *g)).collect();
        parts.into_iter().reduce(|a, c| op(b, "add", vec![t(a), t(c)])).unwrap()
    });
}

/// What a node with several results made is a source like any other value.
#[test]
fn gradients_are_taken_with_respect_to_what_routines_and_attention_made() {
    let shapes = [vec![3, 3]];
    for name in ["cumsum", "scaled_dot_product_attention"] {
        check(name, 20, &shapes, (-1.0, 1.0), &|b, x| {
            let args = if name == "cumsum" { vec![t(x[0]), int(0)] } else { vec![t(x[0]); 3] };
            let y = op(b, name, args);
            let squares = op(b, "square", vec![t(y)]);
            let loss = weighted_sum(b, squares);
            let g = b.grad(loss, &[y]).unwrap()[0];
            assert_eq!(b.graph.as_const(g), None, "{name}");
            g
        });
    }
}

/// What is detached in the rounds of a loop is a constant there, in the gradient and in the gradient of the gradient.
#[test]
fn what_is_detached_in_loops_is_a_constant() {
    let shapes = [vec![3], vec![3]];
    let body = |b: &mut Builder, x: &[Value]| {
        let rounds = Rounds { count: 3, parameters: 0..0, states: 0..0 };
        let last = b.repeat(&[x[0]], &[x[1]], rounds, |b, states, shared| {
            let product = op(b, "mul", vec![t(states[0]), t(shared[0])]);
            let bent = op(b, "tanh", vec![t(product)]);
            let held = op(b, "detach", vec![t(bent)]);
            let y = op(b, "mul", vec![t(held), t(states[0])]);
            let y = op(b, "sin", vec![t(y)]);
            Ok(vec![op(b, "add", vec![t(y), t(product)])])
        });
        last.unwrap()[0]
    };
    check("detach in a loop", 11, &shapes, (0.3, 1.2), &body);
    assert!(check_second_order("detach in a loop", 12, &shapes, (0.3, 1.2), &body));
}

#[test]
fn a_value_used_up_to_nine_times_gets_all_its_gradients() {
    for uses in 1..=9 {
        check(&format!("{uses} uses"), uses, &[vec![4, 3]], (-1.0, 1.0), &move |b, x| {
            let shared = op(b, "tanh", vec![t(x[0])]);
            let mut sum = shared;
            for i in 1..uses {
                let scaled = op(b, "mul", vec![t(shared), Arg::Float(i as f64)]);
                let bent = op(b, "sin", vec![t(scaled)]);
                sum = op(b, "add", vec![t(sum), t(bent)]);
            }
            sum
        });
    }
}
