//! Slices, pads, what is joined of parts, gathers and scatters: programs against the graph in f64, at several sizes, and mistakes of indices.

use std::sync::Mutex;

use castnet_graph::builder::{Builder, Declared, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::decompose::EVERYTHING;
use castnet_graph::diagnostic::Loc;
use castnet_graph::grad::gradients;
use castnet_graph::graph::{Graph, Op, Value};
use castnet_graph::layers::{self, Layer};
use castnet_graph::ops::{self, IndexItem, index};
use castnet_graph::reference::{Inputs, Tensor, evaluate};
use castnet_graph::text::ProgramText;
use castnet_program::net::Init;
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use castnet_runtime::{Array, Device, Model, Sgd, set_threads};

/// Held while the number of threads, which is the process's, matters.
static THREADS: Mutex<()> = Mutex::new(());

fn size(text: &str) -> Size {
    text.parse().unwrap()
}

fn int(value: i64) -> Arg {
    Arg::Size(value.into())
}

fn t(value: Value) -> Arg {
    Arg::Tensor(value)
}

fn op(b: &mut Builder, name: &str, args: Vec<Arg>) -> Value {
    let given: Vec<Given> = args.into_iter().map(|value| Given { name: None, value, at: Loc::default() }).collect();
    match ops::call(b, name, Loc::default(), &given) {
        Ok(Arg::Tensor(value)) => value,
        other => panic!("{name}: {other:?} {:?}", b.diagnostics),
    }
}

fn sliced(b: &mut Builder, x: Value, items: &[IndexItem]) -> Value {
    index(b, Loc::default(), x, items).unwrap_or_else(|_| panic!("{:?}", b.diagnostics))
}

/// `a..b`.
fn range(from: &str, to: &str) -> IndexItem {
    let end = |text: &str| (!text.is_empty()).then(|| size(text));
    IndexItem::Range(end(from), end(to))
}

fn at(place: &str) -> IndexItem {
    IndexItem::At(size(place))
}

const ALL: IndexItem = IndexItem::All;

/// What is made of arguments and parameters.
type Body<'a> = dyn Fn(&mut Builder, &[Value], &[Value]) -> Value + 'a;

/// A net under test: parameters by their shapes, arguments, and what is done with them.
struct Case<'a> {
    parameters: &'a [&'a [i64]],
    arguments: &'a [(&'a str, DType, &'a [&'a str])],
    body: &'a Body<'a>,
}

impl Case<'_> {
    fn graph(&self, parameters: &mut Parameters, objective: bool) -> Graph {
        let mut b = Builder::new("Case.f", parameters, objective);
        let weights: Vec<Value> = (0..self.parameters.len()).map(|i| b.parameter(i)).collect();
        let argument = |b: &mut Builder, (name, dtype, shape): &(&str, DType, &[&str])| {
            b.argument(name, Type::new(*dtype, shape.iter().map(|s| size(s)).collect::<Vec<_>>()))
        };
        let arguments: Vec<Value> = self.arguments.iter().map(|a| argument(&mut b, a)).collect();
        let y = (self.body)(&mut b, &weights, &arguments);
        if !objective {
            b.result(y);
            return b.graph;
        }
        // Every element of the result has a weight of its own.
        let shape = b.shape(y);
        let mut angle = b.constant(0.4, DType::F32);
        for axis in 0..shape.len() {
            let place = b.push(Op::Iota(axis), vec![], Type::new(DType::F32, shape.clone()));
            let scaled = op(&mut b, "mul", vec![t(place), Arg::Float(1.1 + axis as f64)]);
            angle = op(&mut b, "add", vec![t(angle), t(scaled)]);
        }
        let wave = op(&mut b, "cos", vec![t(angle)]);
        let weighted = op(&mut b, "mul", vec![t(y), t(wave)]);
        let loss = op(&mut b, "sum", vec![t(weighted)]);
        b.result(loss);
        b.graph
    }

    fn source(&self) -> Source {
        let declared = |(i, shape): (usize, &&[i64])| Declared {
            shape: Some((shape.to_vec(), Init::Uniform(1.0))),
            ..Declared::new(format!("w{i}"))
        };
        let mut parameters =
            Parameters { list: self.parameters.iter().enumerate().map(declared).collect(), ..Parameters::default() };
        let out = self.graph(&mut parameters, false);
        let loss = self.graph(&mut parameters, true);
        let functions =
            vec![SourceFunction::new("out", out, None), SourceFunction::new("loss", loss.clone(), Some(loss))];
        Source { name: "Case".into(), parameters, functions }
    }

    /// Results and gradients equal those of the graph in f64, at these values of N and T, and to the bit on any number of threads.
    fn check(&self, what: &str, sizes: &[(i64, i64)]) {
        let source = self.source();
        let written = source.functions[1].inference.clone();
        let out = source.functions[0].inference.clone();
        let unfused = gradients(written.clone(), &|_| true, EVERYTHING).unwrap();
        let compiled = compile(source).unwrap_or_else(|e| panic!("{what}: {e:?}\n{written}"));
        let program = compiled.reports.iter().find(|r| r.training).unwrap().program.to_text();
        let mut model = Model::from_net(compiled.net, &Device::cpu(), 3).unwrap();
        model.poison(true);
        let names: Vec<String> = model.parameters().map(|(name, _)| name.to_string()).collect();
        let parameters: Vec<Tensor> = names.iter().map(|name| tensor(&model.parameter(name).unwrap())).collect();
        let _alone = THREADS.lock().unwrap_or_else(|e| e.into_inner());
        for &(n, steps) in sizes {
            let value = |name: &str| if name == "N" { n } else { steps };
            let (arrays, arguments): (Vec<Array>, Vec<Tensor>) =
                written.arguments.iter().map(|a| data(a, &value)).unzip();
            let inputs = Inputs {
                arguments: &arguments,
                parameters: &parameters,
                states: &[],
                rounded: false,
                sizes: &value,
                random: &|_, _| 0.5,
            };
            let references: Vec<&Array> = arrays.iter().collect();
            let mut run = |threads: usize| {
                set_threads(threads);
                let result = model.infer(0, &references).unwrap_or_else(|e| panic!("{what}: {e}"));
                let (_, gradients) = model.grad(1, &references).unwrap_or_else(|e| panic!("{what}: {e}"));
                let gradients: Vec<Tensor> = names.iter().map(|n| tensor(&gradients.parameter(n).unwrap())).collect();
                (tensor(&result[0]), gradients)
            };
            let (result, found) = run(1);
            for threads in [2, 3] {
                assert!(run(threads) == (result.clone(), found.clone()), "{what}: {threads} threads give other bits");
            }
            set_threads(0);
            let off = |expected: &Tensor, found: &Tensor, part: &str| {
                assert_eq!(expected.shape, found.shape, "{what}: {part}");
                let [expected, found] = [expected, found].map(Tensor::floats);
                let largest = expected.iter().fold(1.0, |m: f64, x| m.max(x.abs()));
                let worst = expected.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(
                    worst < 1e-4 * largest,
                    "{what}, N = {n}, T = {steps}: {part} is off by {worst}\nexpected {:?}\nfound    {:?}\n{written}\n{program}",
                    &expected[..expected.len().min(24)],
                    &found[..found.len().min(24)],
                );
            };
            off(&evaluate(&out, &inputs)[0], &result, "the result");
            let expected = evaluate(&unfused, &inputs);
            for (output, expected) in unfused.outputs.iter().zip(&expected) {
                let Some(number) = output.role.gradient() else { continue };
                off(expected, &found[number], &format!("the gradient of w{number}"));
            }
        }
    }
}

/// An argument's elements: floats in [-1, 1), integers from 0 to 4.
fn data(argument: &castnet_graph::graph::Argument, value: &dyn Fn(&str) -> i64) -> (Array, Tensor) {
    let shape: Vec<usize> = argument.ty.shape.iter().map(|s| s.eval(value) as usize).collect();
    let len: usize = shape.iter().product();
    let numbers: Vec<f64> = (0..len).map(|i| (i as f64 * 12.9898 + len as f64).sin() * 43758.547).collect();
    let unit: Vec<f64> = numbers.iter().map(|x| f64::from((2.0 * (x - x.floor()) - 1.0) as f32)).collect();
    let ints: Vec<i64> = unit.iter().map(|x| ((x + 1.0) * 2.5) as i64).collect();
    match argument.ty.dtype {
        DType::F32 => {
            let array = Array::from_vec(&shape, unit.iter().map(|x| *x as f32).collect()).unwrap();
            (array, Tensor::new(shape, unit))
        }
        DType::U8 => {
            let array = Array::from_vec(&shape, ints.iter().map(|x| *x as u8).collect()).unwrap();
            (array, Tensor::new(shape, ints.iter().map(|x| *x as f64).collect()))
        }
        _ => {
            let array = Array::from_vec(&shape, ints.clone()).unwrap();
            (array, Tensor::new(shape, ints.iter().map(|x| *x as f64).collect()))
        }
    }
}

fn tensor(array: &Array) -> Tensor {
    let data = match array.dtype() {
        DType::F32 => array.as_slice::<f32>().unwrap().iter().map(|x| f64::from(*x)).collect(),
        DType::I64 => array.as_slice::<i64>().unwrap().iter().map(|x| *x as f64).collect(),
        other => panic!("{other}"),
    };
    Tensor::new(array.shape().to_vec(), data)
}

const SIZES: &[(i64, i64)] = &[(1, 4), (3, 7), (40, 33)];

#[test]
fn slices_of_all_kinds() {
    let x: &[(&str, DType, &[&str])] = &[("x", DType::F32, &["N", "T", "6"])];
    let cases: [(&str, Vec<IndexItem>); 9] = [
        ("inner", vec![ALL, ALL, range("1", "5")]),
        ("outer", vec![range("", "1")]),
        ("middle", vec![ALL, range("1", "T - 1")]),
        ("from the end", vec![ALL, range("-3", ""), range("-4", "-1")]),
        ("one", vec![ALL, at("2")]),
        ("last by size", vec![ALL, at("T - 1")]),
        ("last two", vec![ALL, at("-1"), at("-2")]),
        ("all but the first", vec![ALL, range("1", "T")]),
        ("two", vec![ALL, at("0"), range("2", "")]),
    ];
    for (what, items) in cases {
        Case {
            parameters: &[&[6]],
            arguments: x,
            body: &|b, w, x| {
                let y = op(b, "mul", vec![t(x[0]), t(w[0])]);
                let y = sliced(b, y, &items);
                op(b, "tanh", vec![t(y)])
            },
        }
        .check(what, SIZES);
    }
}

#[test]
fn slices_of_arguments_are_read_where_they_lie() {
    let case = Case {
        parameters: &[&[1]],
        arguments: &[("x", DType::U8, &["N", "T + 1"])],
        body: &|b, w, x| {
            let first = sliced(b, x[0], &[ALL, range("0", "T")]);
            let second = sliced(b, x[0], &[ALL, range("1", "T + 1")]);
            let [first, second] = [first, second].map(|v| op(b, "cast", vec![t(v), Arg::DType(DType::F32)]));
            let both = op(b, "mul", vec![t(first), t(second)]);
            op(b, "mul", vec![t(both), t(w[0])])
        },
    };
    case.check("neighbours", SIZES);
    let compiled = compile(case.source()).unwrap();
    assert_eq!(compiled.reports[0].program.launches.len(), 1, "{}", compiled.reports[0].program.to_text());
}

#[test]
fn products_read_slices_in_place() {
    let case = Case {
        parameters: &[&[8, 12]],
        arguments: &[("x", DType::F32, &["N", "T", "8"])],
        body: &|b, w, x| {
            let qk = op(b, "matmul", vec![t(x[0]), t(w[0])]);
            let q = sliced(b, qk, &[ALL, ALL, range("0", "4")]);
            let k = sliced(b, qk, &[ALL, ALL, range("4", "8")]);
            let v = sliced(b, qk, &[ALL, ALL, range("8", "12")]);
            let heads = |b: &mut Builder, x: Value| {
                let shape = vec![Arg::Size(size("N")), Arg::Size(size("T")), int(2), int(2)];
                let x = op(b, "reshape", vec![t(x), Arg::List(shape)]);
                op(b, "transpose", vec![t(x), int(1), int(2)])
            };
            let [q, k, v] = [q, k, v].map(|x| heads(b, x));
            let k = op(b, "transpose", vec![t(k), int(-1), int(-2)]);
            let scores = op(b, "matmul", vec![t(q), t(k)]);
            let p = op(b, "softmax", vec![t(scores), int(-1)]);
            op(b, "matmul", vec![t(p), t(v)])
        },
    };
    case.check("attention", &[(1, 4), (3, 7), (4, 33)]);
    // The projection, the scores, softmax, the values: nothing is copied.
    let compiled = compile(case.source()).unwrap();
    assert_eq!(compiled.reports[0].program.launches.len(), 4, "{}", compiled.reports[0].program.to_text());
}

#[test]
fn gathers_and_scatters() {
    let ints: &[&str] = &["N", "T"];
    for padding in [Arg::None, int(2)] {
        Case {
            parameters: &[&[5, 7]],
            arguments: &[("i", DType::I64, ints)],
            body: &|b, w, i| {
                let rows = op(b, "embedding", vec![t(i[0]), t(w[0]), padding.clone()]);
                op(b, "sin", vec![t(rows)])
            },
        }
        .check("embedding", SIZES);
    }
    Case {
        parameters: &[&[9, 5]],
        arguments: &[("i", DType::U8, &["9", "T"])],
        body: &|b, w, i| op(b, "gather", vec![t(w[0]), int(1), t(i[0])]),
    }
    .check("gather along the last axis", SIZES);
    Case {
        parameters: &[&[6, 5, 4]],
        arguments: &[("i", DType::I64, &["T"])],
        body: &|b, w, i| {
            let w = op(b, "exp", vec![t(w[0])]);
            op(b, "index_select", vec![t(w), int(1), t(i[0])])
        },
    }
    .check("index_select of what is computed", SIZES);
    Case {
        parameters: &[&[4]],
        arguments: &[("x", DType::F32, &["N", "T + 5", "4"]), ("i", DType::I64, &["N"])],
        body: &|b, w, x| {
            // A row of each image: the index has an axis less than what it indexes.
            let i = op(b, "reshape", vec![t(x[1]), Arg::List(vec![Arg::Size(size("N")), int(1), int(1)])]);
            let i = b.broadcast_to(i, &[size("N"), 1.into(), 4.into()]);
            let y = op(b, "mul", vec![t(x[0]), t(w[0])]);
            op(b, "gather", vec![t(y), int(1), t(i)])
        },
    }
    .check("gather along a run-time axis", SIZES);
    // Large enough for several chunks, with many sums in one row.
    Case {
        parameters: &[&[301, 40], &[40]],
        arguments: &[("i", DType::I64, ints)],
        body: &|b, w, i| {
            let rows = op(b, "embedding", vec![t(i[0]), t(w[0])]);
            op(b, "mul", vec![t(rows), t(w[1])])
        },
    }
    .check("a large table", &[(40, 33)]);
}

#[test]
fn a_tied_weight_gets_the_sum_of_both_gradients() {
    let case = Case {
        parameters: &[&[5, 16]],
        arguments: &[("i", DType::I64, &["N", "T"])],
        body: &|b, w, i| {
            let rows = op(b, "embedding", vec![t(i[0]), t(w[0])]);
            let rows = op(b, "tanh", vec![t(rows)]);
            let back = op(b, "t", vec![t(w[0])]);
            op(b, "matmul", vec![t(rows), t(back)])
        },
    };
    case.check("tied", SIZES);
}

/// `layer(x)`, then a mean.
fn embedded(layer_args: &[i64], index: &dyn Fn(&mut Builder, Value) -> Value) -> Result<Model, String> {
    let mut parameters = Parameters::default();
    let args: Vec<Given> =
        layer_args.iter().map(|&a| Given { name: None, value: int(a), at: Loc::default() }).collect();
    let mut b = Builder::new("", &mut parameters, false);
    let layer: Layer = layers::declare(&mut b, "wte", Loc::default(), "Embedding", Loc::default(), &args).unwrap();
    let mut build = |training: bool| -> Result<Graph, String> {
        let mut b = Builder::new("Net.loss", &mut parameters, training);
        let tokens = b.argument("tokens", Type::new(DType::I64, vec![size("N"), size("T")]));
        let i = index(&mut b, tokens);
        let y = layers::apply(&mut b, &layer, Loc::default(), i).map_err(|_| b.diagnostics[0].to_string())?;
        let y = op(&mut b, "square", vec![t(y)]);
        let loss = op(&mut b, "mean", vec![t(y)]);
        b.result(loss);
        Ok(b.graph)
    };
    let (inference, training) = (build(false)?, Some(build(true)?));
    let functions = vec![SourceFunction::new("loss", inference, training)];
    let net = compile(Source { name: "Net".into(), parameters, functions }).unwrap().net;
    Ok(Model::from_net(net, &Device::cpu(), 3).unwrap())
}

fn tokens(shape: &[usize], data: &[i64]) -> Array {
    Array::from_slice(shape, data).unwrap()
}

#[test]
fn an_index_that_names_nothing_is_an_error_before_anything_runs() {
    let mut model = embedded(&[10, 4], &|_, tokens| tokens).unwrap();
    let before = model.parameter("wte.weight").unwrap();
    let mut sgd = Sgd::new(0.5);
    for (data, message) in [
        ([0, 1, 2, 9, 10, 3], "Net.loss: element [1, 1] of argument `tokens` is 10, expected 0 to 9 by `wte`"),
        ([0, -1, 2, 9, 3, 3], "Net.loss: element [0, 1] of argument `tokens` is -1, expected 0 to 9 by `wte`"),
        (
            [0, i64::MAX, 2, 9, 3, 3],
            "Net.loss: element [0, 1] of argument `tokens` is 9223372036854775807, expected 0 to 9 by `wte`",
        ),
    ] {
        let array = tokens(&[2, 3], &data);
        assert_eq!(model.infer(0, &[&array]).unwrap_err().to_string(), message);
        assert_eq!(model.step(0, &mut sgd, &[&array]).unwrap_err().to_string(), message);
        assert_eq!(model.grad(0, &[&array]).unwrap_err().to_string(), message);
    }
    assert_eq!(tensor(&model.parameter("wte.weight").unwrap()), tensor(&before), "nothing was updated");
    assert!(model.step(0, &mut sgd, &[&tokens(&[2, 3], &[0, 1, 2, 9, 9, 3])]).is_ok());
}

#[test]
fn computed_indices_are_checked_on_the_argument_or_where_they_are_made() {
    let shifted = |b: &mut Builder, tokens: Value| op(b, "add", vec![t(tokens), int(1)]);
    let model = embedded(&[10, 4], &shifted).unwrap();
    assert!(model.infer(0, &[&tokens(&[1, 2], &[-1, 8])]).is_ok());
    let error = model.infer(0, &[&tokens(&[1, 2], &[-1, 9])]).unwrap_err().to_string();
    assert_eq!(error, "Net.loss: element [0, 1] of argument `tokens` is 9, expected -1 to 8 by `wte`");
    let wrapped = |b: &mut Builder, tokens: Value| {
        let twice = op(b, "mul", vec![t(tokens), int(2)]);
        op(b, "remainder", vec![t(twice), int(10)])
    };
    let model = embedded(&[10, 4], &wrapped).unwrap();
    assert!(model.infer(0, &[&tokens(&[1, 2], &[-7, 1000])]).is_ok());
    let twice = |b: &mut Builder, tokens: Value| op(b, "mul", vec![t(tokens), int(2)]);
    let model = embedded(&[10, 4], &twice).unwrap();
    assert!(model.infer(0, &[&tokens(&[1, 2], &[4, 0])]).is_ok());
    let error = model.infer(0, &[&tokens(&[2, 2], &[4, 0, 3, 5])]).unwrap_err().to_string();
    assert_eq!(error, "Net.loss: wte gets 10 at element [1, 1], expected 0 to 9");
    let beyond = |b: &mut Builder, tokens: Value| {
        let held = op(b, "clamp", vec![t(tokens), int(0), int(9)]);
        op(b, "add", vec![t(held), int(10)])
    };
    let refused = embedded(&[10, 4], &beyond).err().unwrap();
    assert!(
        refused.starts_with("N0208: the indices of `wte` must lie between 0 and 9; these run from 10"),
        "{refused}"
    );
}

#[test]
fn a_slice_that_needs_more_than_there_is_is_an_error() {
    let part = |b: &mut Builder, tokens: Value| sliced(b, tokens, &[ALL, range("2", "4")]);
    let model = embedded(&[10, 4], &part).unwrap();
    assert!(model.infer(0, &[&tokens(&[1, 4], &[0, 1, 2, 3])]).is_ok());
    let error = model.infer(0, &[&tokens(&[1, 3], &[0, 1, 2])]).unwrap_err().to_string();
    assert_eq!(error, "Net.loss: T = 3 breaks the rule `T >= 4`: slice takes the range 2..4");
    let rest = |b: &mut Builder, tokens: Value| sliced(b, tokens, &[ALL, range("1", "T")]);
    let model = embedded(&[10, 4], &rest).unwrap();
    let error = model.infer(0, &[&tokens(&[1, 1], &[0])]).unwrap_err().to_string();
    assert_eq!(error, "Net.loss: T = 1 breaks the rule `T >= 2`: slice takes the range 1..T");
}

#[test]
fn first_values_of_an_embedding() {
    let model = embedded(&[300, 20, 7], &|_, tokens| tokens).unwrap();
    let weight = tensor(&model.parameter("wte.weight").unwrap()).floats();
    let (zero, rest): (Vec<f64>, Vec<f64>) = (weight[140..160].to_vec(), [&weight[..140], &weight[160..]].concat());
    assert_eq!(zero, vec![0.0; 20]);
    let mean = rest.iter().sum::<f64>() / rest.len() as f64;
    let square = rest.iter().map(|x| x * x).sum::<f64>() / rest.len() as f64;
    assert!(mean.abs() < 0.05 && (square - 1.0).abs() < 0.06, "{mean} {square}");
}
