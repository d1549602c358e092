//! Two hundred random nets, compiled and run by the table's interpreter, against the unfused graph in f64 and of integers exactly.
//!
//! The reference shares no code with the kernels; even the random numbers are made here a second time.

mod nets;
#[path = "nets/penalty.rs"]
mod penalty;
mod read_back;
#[path = "nets/reference.rs"]
mod reference;

use castnet_graph::compile::{Source, compile};
use castnet_graph::decompose::EVERYTHING;
use castnet_graph::grad::gradients;
use castnet_graph::graph::{Graph, Op, Output, Role, Value};
use castnet_graph::reference::{Inputs, Tensor, evaluate};
use castnet_graph::text::ProgramText;
use castnet_program::scalar::{Binary, Unary};
use castnet_runtime::{Array, DType, Device, Model, bf16, f16};
use nets::{Numbers, mixed_net, random_net};
use penalty::gradient_penalty;
use reference::{distance, drawn, tensor};

const NETS: u64 = 200;
const SEED: u64 = 7;

/// How near the closest decision of the graph is to falling the other way; exact ties fall alike everywhere.
fn nearest_kink(graph: &Graph, inputs: &Inputs) -> f64 {
    let mut probe = graph.clone();
    probe.outputs.clear();
    let mut kinds = vec![];
    for node in &graph.nodes {
        let operands: &[Value] = match &node.op {
            Op::Binary(f) if f.is_comparison() || matches!(f, Binary::Max | Binary::Min | Binary::Rem) => &node.inputs,
            Op::Unary(Unary::Abs | Unary::Sign) => &node.inputs,
            Op::MaxPool2d(_)
            | Op::Routine(_)
            | Op::Reduce(castnet_program::scalar::Reduction::Max | castnet_graph::scalar::Reduction::Min, _) => {
                &node.inputs
            }
            _ => continue,
        };
        kinds.push((node.op.clone(), operands.len()));
        probe.outputs.extend(operands.iter().map(|&value| Output { role: Role::Result(0), value }));
    }
    let mut values = evaluate(&probe, inputs).into_iter();
    let mut nearest = f64::INFINITY;
    for (op, operands) in kinds {
        let Some(x) = values.next() else { break };
        let distances: Vec<f64> = match operands {
            2 => values
                .next()
                .map_or(vec![], |y| x.floats().iter().zip(y.floats()).map(|(a, b)| (a - b).abs()).collect()),
            _ if matches!(op, Op::Unary(_)) => x.floats().iter().map(|a| a.abs()).collect(),
            _ => gaps(&op, &x),
        };
        nearest = distances.into_iter().filter(|d| *d != 0.0).fold(nearest, f64::min);
    }
    nearest
}

/// The distance of the best from the second best in each window of a pool or each row of a reduction.
fn gaps(op: &Op, x: &Tensor) -> Vec<f64> {
    let mut sets: std::collections::BTreeMap<Vec<usize>, Vec<f64>> = Default::default();
    let mut low = false;
    Tensor::from_fn(&x.shape, |i| {
        let value = x.at(i).f64();
        match op {
            Op::Reduce(f, axes) => {
                low = *f == castnet_program::scalar::Reduction::Min;
                let key = i.iter().enumerate().filter(|(axis, _)| !axes.contains(axis)).map(|(_, i)| *i).collect();
                sets.entry(key).or_default().push(if low { -value } else { value });
            }
            Op::MaxPool2d(w) => {
                for [r, s] in w.taps() {
                    let at = |axis: usize, tap: i64| i[2 + axis] as i64 + w.padding[axis] - tap * w.dilation[axis];
                    let (h, v) = (at(0, r), at(1, s));
                    if h >= 0 && v >= 0 && h % w.stride[0] == 0 && v % w.stride[1] == 0 {
                        let key = vec![i[0], i[1], (h / w.stride[0]) as usize, (v / w.stride[1]) as usize];
                        sets.entry(key).or_default().push(value);
                    }
                }
            }
            // A routine may look at all of them.
            _ => sets.entry(vec![]).or_default().push(value),
        }
        0.0
    });
    let gap = |mut set: Vec<f64>| {
        set.sort_by(|a, b| b.total_cmp(a));
        let decided = if matches!(op, Op::Routine(_)) { set.len() } else { 2 };
        let gaps = set.windows(2).take(decided - 1).map(|w| w[0] - w[1]).filter(|gap| *gap != 0.0);
        gaps.fold(f64::INFINITY, f64::min)
    };
    sets.into_values().map(gap).collect()
}

/// Whether any inputs were away from kinks.
fn check(number: u64, source: Source, mixes: bool) -> bool {
    let float = source.parameters.float;
    let written = source.functions[0].training.clone().unwrap();
    let unfused = gradients(written.clone(), &|_| true, EVERYTHING).unwrap();
    let compiled = compile(source).unwrap_or_else(|e| panic!("net {number}: {e:?}\n{written}"));
    let program = compiled.reports.iter().find(|r| r.training).unwrap().program.to_text();
    // As generated code carries it.
    let net = castnet_program::net::Net::from_bytes(&castnet_graph::bytes::to_bytes(&compiled.net).unwrap()).unwrap();
    assert!(net == compiled.net, "net {number} is not read back as it was written");
    read_back::read_back(&net);
    let mut model = Model::from_net(net, &Device::cpu(), SEED + number).unwrap();
    model.poison(true);
    let names: Vec<String> = model.parameters().map(|(name, _)| name.to_string()).collect();
    let parameters: Vec<Tensor> = names.iter().map(|name| tensor(&model.parameter(name).unwrap())).collect();
    let mut compared = false;
    for n in [1i64, 2, 7, 64, 129] {
        for attempt in 0..if n < 64 { 6 } else { 3 } {
            let mut numbers = Numbers(number * 1000 + n as u64 * 13 + attempt);
            let (mut arrays, mut arguments) = (vec![], vec![]);
            for argument in &written.arguments {
                let shape: Vec<usize> = argument.ty.shape.iter().map(|s| s.eval(&|_| n) as usize).collect();
                let len = shape.iter().product();
                if argument.ty.dtype.is_float() {
                    let data: Vec<f32> = (0..len).map(|_| numbers.unit() as f32).collect();
                    arrays.push(array(argument.ty.dtype, &shape, &data));
                    arguments.push(tensor(arrays.last().unwrap()));
                } else if argument.ty.dtype == DType::I64 {
                    arrays.push(Array::from_vec(&shape, (0..len).map(|_| numbers.next() as i64).collect()).unwrap());
                    arguments.push(tensor(arrays.last().unwrap()));
                } else {
                    let data: Vec<u8> = (0..len).map(|_| numbers.below(3) as u8).collect();
                    arrays.push(Array::from_slice(&shape, &data).unwrap());
                    arguments.push(Tensor::new(shape, data.iter().map(|x| f64::from(*x)).collect()));
                }
            }
            let (seed, step) = (model.seed(), model.steps());
            let random = |stream: u32, index: u64| drawn(seed, step, stream, index);
            let sizes = |_: &str| n;
            let inputs = Inputs {
                arguments: &arguments,
                parameters: &parameters,
                states: &[],
                rounded: false,
                sizes: &sizes,
                random: &random,
            };
            if nearest_kink(&written, &inputs) < 2e-6 {
                continue;
            }
            let expected = evaluate(&unfused, &inputs);
            let rounded = evaluate(&unfused, &Inputs { rounded: true, ..inputs });
            let references: Vec<&Array> = arrays.iter().collect();
            let (results, gradients) = model.grad(0, &references).unwrap_or_else(|e| panic!("net {number}: {e}"));
            for ((output, expected), rounded) in unfused.outputs.iter().zip(&expected).zip(&rounded) {
                let (what, found) = match output.role {
                    // Of integers alone.
                    Role::Result(i) if i > 0 => {
                        assert_eq!(*expected, tensor(&results[i]), "net {number}, N = {n}: result {i}\n{written}");
                        continue;
                    }
                    Role::Result(i) => ("the loss".to_string(), tensor(&results[i])),
                    Role::State(_) | Role::RoundState { .. } | Role::Check(_) => continue,
                    Role::Gradient(i) | Role::RoundGradient { first: i, .. } => {
                        (format!("the gradient of {}", names[i]), tensor(&gradients.parameter(&names[i]).unwrap()))
                    }
                };
                // What f32 costs in this net, by the reference itself; sums in another order cost a few times that.
                // Where f32 and f64 lie on two sides of a border of halves, they are rounded to neighbours.
                let (least, most) = match (float, mixes) {
                    (DType::F64, false) => (1e-10, 1e-10),
                    (DType::BF16, _) => (6e-2, 0.5),
                    (_, true) => (1e-2, 0.3),
                    _ => (2e-5, 0.1),
                };
                let of_f32 = if float == DType::F64 && !mixes { 0.0 } else { 10.0 * distance(expected, rounded) };
                let allowed = least + of_f32;
                let distance = distance(expected, &found);
                assert!(
                    distance < allowed && allowed <= most,
                    "net {number}, N = {n}, attempt {attempt}: {what} is off by {distance:.2e}, allowed {allowed:.2e}\nexpected {:?}\nfound    {:?}\n{written}\n{program}",
                    &expected.floats()[..expected.data.len().min(8)],
                    &found.floats()[..found.data.len().min(8)],
                );
            }
            compared = true;
            break;
        }
    }
    compared
}

#[test]
fn two_hundred_random_nets_equal_the_unfused_graph_in_f64() {
    let only: Option<u64> = std::env::var("CASTNET_TEST_NET").ok().and_then(|n| n.parse().ok());
    let compared = (0..NETS)
        .inspect(|n| eprintln!("net {n}"))
        .filter(|n| only.is_none_or(|o| o == *n))
        .filter(|&n| check(n, random_net(n), false))
        .count() as u64;
    assert!(only.is_some() || compared > NETS * 9 / 10, "only {compared} of {NETS} nets had inputs away from kinks");
}

#[test]
fn a_gradient_penalty_trains_as_the_unfused_graph_in_f64_says() {
    assert!(check(NETS, gradient_penalty(), false));
}

#[test]
fn random_nets_of_f64_are_exact() {
    let compared = (0..60).filter(|&n| check(n, mixed_net(n, DType::F64, false), false)).count();
    assert!(compared > 50, "only {compared} of 60 nets had inputs away from kinks");
}

/// Casts to other types and back, integers (those of all 64 bits exactly), running sums, rows in order with their places, in nets of every float type.
#[test]
fn two_hundred_random_nets_mix_types_and_several_results() {
    let (mut compared, mut sorts) = (0, 0);
    for number in 0..NETS {
        let float = [DType::F32, DType::BF16, DType::F64, DType::F16][number as usize % 4];
        let source = mixed_net(1000 + number, float, true);
        let training = source.functions[0].training.as_ref().unwrap();
        sorts += usize::from(training.nodes.iter().any(|node| matches!(node.op, Op::Get(_))));
        compared += usize::from(check(1000 + number, source, true));
    }
    assert!(compared > 150 && sorts > 20, "{compared} nets compared, {sorts} of them with several results");
}

/// An argument of a float type.
fn array(dtype: DType, shape: &[usize], data: &[f32]) -> Array {
    let data = data.iter();
    let array = match dtype {
        DType::F64 => Array::from_vec(shape, data.map(|&x| f64::from(x)).collect()),
        DType::F16 => Array::from_vec(shape, data.map(|&x| f16::from_f32(x)).collect()),
        DType::BF16 => Array::from_vec(shape, data.map(|&x| bf16::from_f32(x)).collect()),
        _ => Array::from_vec(shape, data.copied().collect()),
    };
    array.unwrap()
}
