//! Routines: in every element type at their edges against PyTorch (`tests/golden/routines.py`), of integers the reference beside them, and in
//! loops against the reference.

mod expression;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::{Graph, Value};
use castnet_graph::loops::Rounds;
use castnet_graph::ops;
use castnet_graph::reference::{Inputs, Tensor, evaluate};
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use castnet_runtime::{Array, Device, Model};
use safetensors::tensor::SafeTensors;
use serde::Deserialize;

/// An entry of `routines.json`.
#[derive(Deserialize)]
struct Case {
    text: String,
    inputs: Vec<Input>,
    output: Input,
}

#[derive(Deserialize)]
struct Input {
    #[serde(default)]
    name: String,
    r#type: DType,
    shape: Vec<usize>,
    /// The key of its elements in the file.
    data: String,
}

macro_rules! arrays {
    ($($dtype:ident $type:ty,)*) => {
        fn array(dtype: DType, shape: &[usize], bytes: &[u8]) -> Array {
            match dtype {
                $(DType::$dtype => {
                    let chunks = bytes.as_chunks().0.iter();
                    Array::from_vec(shape, chunks.map(|b| <$type>::from_le_bytes(*b)).collect()).unwrap()
                })*
                DType::Bool => Array::from_vec(shape, bytes.iter().map(|b| *b != 0).collect()).unwrap(),
                other => panic!("an array of {other}"),
            }
        }

        /// Of no float type.
        fn integers(array: &Array) -> Vec<i64> {
            match array.dtype() {
                $(DType::$dtype => array.as_slice::<$type>().unwrap().iter().map(|&x| x as i64).collect(),)*
                DType::Bool => array.as_slice::<bool>().unwrap().iter().map(|&x| x.into()).collect(),
                other => panic!("an array of {other}"),
            }
        }

        fn elements(array: &Array) -> Vec<f64> {
            match array.dtype() {
                $(DType::$dtype => array.as_slice::<$type>().unwrap().iter().map(|&x| x as f64).collect(),)*
                DType::Bool => array.as_slice::<bool>().unwrap().iter().map(|&x| f64::from(u8::from(x))).collect(),
                other => panic!("an array of {other}"),
            }
        }
    };
}

arrays! { I8 i8, U8 u8, I16 i16, I32 i32, U32 u32, I64 i64, F32 f32, F64 f64, }

fn ty(dtype: DType, shape: &[usize]) -> Type {
    Type::new(dtype, shape.iter().map(|&s| Size::constant(s as i64)).collect::<Vec<_>>())
}

/// What a graph makes of arguments, in memory that was full of NaN.
fn run(graph: Graph, arguments: &[Array]) -> Vec<Array> {
    let functions = vec![SourceFunction::new("f", graph, None)];
    let source = Source { name: "Net".into(), parameters: Parameters::default(), functions };
    let compiled = compile(source).unwrap_or_else(|e| panic!("{e:?}"));
    let mut model = Model::from_net(compiled.net, &Device::cpu(), 0).unwrap();
    model.poison(true);
    model.infer(0, &arguments.iter().collect::<Vec<_>>()).unwrap()
}

/// An array as the reference takes it.
fn argument(array: &Array) -> Tensor {
    let shape = array.shape().to_vec();
    if array.dtype().is_float() { Tensor::new(shape, elements(array)) } else { Tensor::new(shape, integers(array)) }
}

fn inputs(arguments: &[Tensor]) -> Inputs<'_> {
    Inputs { arguments, parameters: &[], states: &[], rounded: false, sizes: &|_| 0, random: &|_, _| 0.0 }
}

/// The same numbers: NaN is NaN, a zero has its sign, and other floats are as near as rounding lets them be.
fn alike(found: f64, expected: f64, dtype: DType) -> bool {
    let near = match dtype {
        DType::F32 => 1e-6,
        DType::F64 => 1e-14,
        _ => 0.0,
    };
    let same = found == expected && found.is_sign_negative() == expected.is_sign_negative();
    same || found.is_nan() && expected.is_nan() || (found - expected).abs() <= near * expected.abs()
}

#[test]
fn routines_are_pytorchs_in_every_type() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    let cases: Vec<Case> = serde_json::from_slice(&fs::read(folder.join("routines.json")).unwrap()).unwrap();
    let bytes = fs::read(folder.join("routines.safetensors")).unwrap();
    let golden = SafeTensors::deserialize(&bytes).unwrap();
    let mut failures = vec![];
    for case in &cases {
        let mut parameters = Parameters::default();
        let mut b = Builder::new("Net.f", &mut parameters, false);
        let named = case.inputs.iter().map(|x| (x.name.as_str(), b.argument(&x.name, ty(x.r#type, &x.shape))));
        let named: HashMap<&str, Value> = named.collect();
        let Some(Arg::Tensor(result)) = expression::evaluate(&mut b, &named, &case.text) else {
            panic!("{}: {:?}", case.text, b.diagnostics)
        };
        b.result(result);
        let data = |x: &Input| array(x.r#type, &x.shape, golden.tensor(&x.data).unwrap().data());
        let arrays: Vec<Array> = case.inputs.iter().map(data).collect();
        let arguments: Vec<Tensor> = arrays.iter().map(argument).collect();
        let referred = evaluate(&b.graph, &inputs(&arguments)).remove(0);
        let found = run(b.graph, &arrays).remove(0);
        let expected = data(&case.output);
        let types = case.inputs.iter().map(|x| x.r#type.name()).collect::<Vec<_>>().join(", ");
        if found.dtype() != expected.dtype() || found.shape() != expected.shape() {
            failures.push(format!("`{}` of {types}: {}", case.text, found.describe()));
            continue;
        }
        if !found.dtype().is_float() && referred != argument(&expected) {
            failures.push(format!("`{}` of {types}: the reference gives {:?}", case.text, referred.data));
        }
        let pairs = elements(&found).into_iter().zip(elements(&expected));
        let wrong = pairs.enumerate().find(|(_, (a, b))| !alike(*a, *b, found.dtype()));
        failures
            .extend(wrong.map(|(i, (a, b))| format!("`{}` of {types}: element {i} is {a:?}, not {b:?}", case.text)));
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

fn call(b: &mut Builder, name: &str, args: &[Arg]) -> Arg {
    let given = |value: &Arg| Given { name: None, value: value.clone(), at: Loc::default() };
    ops::call(b, name, Loc::default(), &args.iter().map(given).collect::<Vec<_>>()).unwrap_or_else(|_| {
        panic!("{name}: {:?}", b.diagnostics);
    })
}

fn tensor(b: &mut Builder, name: &str, args: &[Arg]) -> Value {
    match call(b, name, args) {
        Arg::Tensor(value) => value,
        other => panic!("{name}: {other:?}"),
    }
}

/// A routine's results in a sum, by an operator's name.
fn used(b: &mut Builder, name: &str, x: Value) -> Value {
    let (first, second) = match call(b, name, &[Arg::Tensor(x), Arg::Size((-1).into())]) {
        Arg::List(list) => match &list[..] {
            [Arg::Tensor(values), Arg::Tensor(indices)] => (*values, Some(*indices)),
            other => panic!("{name}: {other:?}"),
        },
        Arg::Tensor(value) => (value, None),
        other => panic!("{name}: {other:?}"),
    };
    let Some(indices) = second else { return tensor(b, "sin", &[Arg::Tensor(first)]) };
    let places = tensor(b, "cast", &[Arg::Tensor(indices), Arg::DType(b.graph.dtype(x))]);
    let product = tensor(b, "mul", &[Arg::Tensor(first), Arg::Tensor(places)]);
    tensor(b, "sin", &[Arg::Tensor(product)])
}

/// The operators that are routines of one tensor along an axis.
const ROUTINES: &[&str] = &["sort", "cumsum", "cumprod", "logcumsumexp"];

/// In rounds over a state, and in a scan over rows, forward and backward, against the f64 reference of the very graph.
#[test]
fn routines_run_in_loops() {
    for name in ROUTINES {
        for scans in [false, true] {
            let mut parameters = Parameters::default();
            let mut b = Builder::new("Net.f", &mut parameters, false);
            let x = b.argument("x", ty(DType::F64, &[4, 3, 7]));
            let state = b.argument("state", ty(DType::F64, &[3, 7]));
            let last = match scans {
                true => {
                    let (last, outputs) = b
                        .scan(&[x], &[state], &[], 0, false, |b, states, rows, _| {
                            let mixed = tensor(b, "add", &[Arg::Tensor(states[0]), Arg::Tensor(rows[0])]);
                            let next = used(b, name, mixed);
                            Ok((vec![next], vec![next]))
                        })
                        .unwrap();
                    tensor(&mut b, "add", &[Arg::Tensor(last[0]), Arg::Tensor(outputs[0])])
                }
                false => {
                    let rounds = Rounds { count: 3, parameters: 0..0, states: 0..0 };
                    let last = b.repeat(&[x], &[state], rounds, |b, states, shared| {
                        let mixed = tensor(b, "add", &[Arg::Tensor(states[0]), Arg::Tensor(shared[0])]);
                        Ok(vec![used(b, name, mixed)])
                    });
                    last.unwrap()[0]
                }
            };
            let loss = tensor(&mut b, "sum", &[Arg::Tensor(last)]);
            let gradients = b.grad(loss, &[x, state]).unwrap();
            [last, gradients[0], gradients[1]].into_iter().for_each(|y| b.result(y));
            let graph = b.graph;
            let number = |i: usize| (i * 29 % 31) as f64 / 8.0 - 1.7;
            let data = [84, 21].map(|n| (0..n).map(number).collect::<Vec<f64>>());
            let shapes = [vec![4, 3, 7], vec![3, 7]];
            let tensors: Vec<Tensor> = (0..2).map(|i| Tensor::new(shapes[i].clone(), data[i].clone())).collect();
            let expected = evaluate(&graph, &inputs(&tensors));
            let arrays: Vec<Array> = (0..2).map(|i| Array::from_vec(&shapes[i], data[i].clone()).unwrap()).collect();
            let found = run(graph, &arrays);
            for (number, (found, expected)) in found.iter().zip(&expected).enumerate() {
                for (i, (a, b)) in elements(found).into_iter().zip(expected.floats()).enumerate() {
                    let near = (a - b).abs() <= 1e-9 * (1.0 + b.abs());
                    assert!(near, "{name}, scans: {scans}, result {number}, element {i}: {a} instead of {b}");
                }
            }
        }
    }
}
