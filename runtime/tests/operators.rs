//! Every operator, forward and backward, against what PyTorch computes in f64 (`tests/golden/make.py`).

mod cuda;
mod expression;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use castnet_graph::builder::{Builder, Declared, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Compiled, Source, SourceFunction, compile};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::Graph;
use castnet_graph::ops;
use castnet_graph::ops::OPERATORS;
use castnet_program::net::Init;
use castnet_program::program::Layout;
use castnet_program::scalar::Binary;
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use castnet_runtime::{Array, Device, Model};
use safetensors::tensor::{Dtype, SafeTensors};
use serde::Deserialize;

/// How far results and gradients may be from PyTorch's: norm of the difference over the norm.
const TOLERANCE: f64 = 1e-5;

/// The numbers of the functions of a case's net.
const OUT: usize = 0;
const OBJECTIVE: usize = 1;

/// An entry of `operators.json`.
#[derive(Deserialize)]
struct Case {
    name: String,
    operator: String,
    /// `x.max_pool2d(3, stride = 2)`, `1.5 / x`.
    text: String,
    inputs: Vec<Input>,
    output: Output,
}

#[derive(Deserialize)]
struct Input {
    name: String,
    /// `f32`, `u8`, `bool`.
    r#type: DType,
    shape: Vec<usize>,
    /// Whether there is a gradient: the input is a parameter then, else an argument.
    grad: bool,
}

#[derive(Deserialize)]
struct Output {
    /// `f32`, `i64`, `bool`.
    r#type: DType,
    shape: Vec<usize>,
}

/// Elements of a golden, exact in f64.
struct Golden(HashMap<String, Vec<f64>>);

impl Golden {
    fn read(path: PathBuf) -> Golden {
        let bytes = fs::read(path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let elements = file.iter().map(|(key, view)| {
            let data = view.data();
            let elements = match view.dtype() {
                Dtype::F64 => data.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect(),
                Dtype::F32 => data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()).into()).collect(),
                Dtype::I64 => data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f64).collect(),
                Dtype::U8 | Dtype::BOOL => data.iter().map(|&b| b.into()).collect(),
                other => panic!("a golden of {other:?}"),
            };
            (key.to_string(), elements)
        });
        Golden(elements.collect())
    }

    fn get(&self, case: &Case, key: &str) -> &[f64] {
        &self.0[&format!("{}.{key}", case.name)]
    }

    fn floats(&self, case: &Case, key: &str, shape: &[usize]) -> Array {
        Array::from_vec(shape, self.get(case, key).iter().map(|&x| x as f32).collect()).unwrap()
    }
}

fn given(name: Option<&str>, value: Arg) -> Given {
    Given { name: name.map(|n| (n.to_string(), Loc::default())), value, at: Loc::default() }
}

fn ty(dtype: DType, shape: &[usize]) -> Type {
    Type::new(dtype, shape.iter().map(|&s| Size::constant(s as i64)).collect::<Vec<_>>())
}

impl Case {
    /// Whether there are gradients, and thus an objective.
    fn differentiable(&self) -> bool {
        self.inputs.iter().any(|input| input.grad)
    }

    /// The result alone, or the sum of the result times `w`.
    fn graph(&self, parameters: &mut Parameters, objective: bool, training: bool) -> Option<Graph> {
        let mut b = Builder::new(self.name.clone(), parameters, training);
        let (mut inputs, mut number) = (HashMap::new(), 0);
        for input in &self.inputs {
            let x = match input.grad {
                true => {
                    number += 1;
                    b.parameter(number - 1)
                }
                false => b.argument(&input.name, ty(input.r#type, &input.shape)),
            };
            inputs.insert(input.name.as_str(), x);
        }
        let Some(Arg::Tensor(mut result)) = expression::evaluate(&mut b, &inputs, &self.text) else { return None };
        assert_eq!(b.ty(result), &ty(self.output.r#type, &self.output.shape), "{}", self.name);
        if objective {
            let w = b.argument("w", ty(DType::F32, &self.output.shape));
            let product = b.pointwise(Binary::Mul, result, w);
            let Ok(Arg::Tensor(sum)) = ops::call(&mut b, "sum", Loc::default(), &[given(None, Arg::Tensor(product))])
            else {
                panic!("{}: {:?}", self.name, b.diagnostics)
            };
            result = sum;
        }
        b.result(result);
        Some(b.graph)
    }

    fn compiled(&self) -> Option<Compiled> {
        let declared = |input: &Input| Declared {
            shape: Some((input.shape.iter().map(|&s| s as i64).collect(), Init::Constant(0.0))),
            ..Declared::new(input.name.as_str(), Layout::Plain)
        };
        let list = self.inputs.iter().filter(|i| i.grad).map(declared).collect();
        let mut parameters = Parameters { list, ..Parameters::default() };
        let out = self.graph(&mut parameters, false, false)?;
        let mut functions = vec![SourceFunction::new("out", out, None)];
        if self.differentiable() {
            let inference = self.graph(&mut parameters, true, false)?;
            let training = self.graph(&mut parameters, true, true);
            functions.push(SourceFunction::new("objective", inference, training));
        }
        let source = Source { name: self.name.clone(), parameters, functions };
        Some(compile(source).unwrap_or_else(|e| panic!("{}: {e:?}", self.name)))
    }

    /// What is too far from the golden.
    fn check(&self, golden: &Golden) -> Vec<String> {
        let Some(compiled) = self.compiled() else {
            return vec![format!("{}: `{}` is a mistake", self.name, self.text)];
        };
        // SAFETY: castnet's compiler made it.
        let mut model = unsafe { Model::from_net(compiled.net, &Device::cpu(), 0) }.unwrap();
        model.poison(true);
        let mut targets = vec![];
        for (i, input) in self.inputs.iter().enumerate() {
            let key = format!("in{i}");
            match input.grad {
                true => model.set_parameter(&input.name, &golden.floats(self, &key, &input.shape)).unwrap(),
                false => {
                    let elements = golden.get(self, &key);
                    targets.push(match input.r#type {
                        DType::U8 => {
                            Array::from_vec(&input.shape, elements.iter().map(|&x| x as u8).collect()).unwrap()
                        }
                        DType::Bool => {
                            Array::from_vec(&input.shape, elements.iter().map(|&x| x != 0.0).collect()).unwrap()
                        }
                        _ => golden.floats(self, &key, &input.shape),
                    });
                }
            }
        }
        let mut failures = vec![];
        let mut compare = |key: &str, found: &Array| {
            let expected = golden.get(self, key);
            let distance = distance(&elements(found), expected);
            if distance.is_nan() || distance > TOLERANCE {
                failures.push(format!("{} `{}`: {key} is off by {distance:.1e}", self.name, self.text));
            }
        };
        let mut arguments: Vec<&Array> = targets.iter().collect();
        compare("out", &model.infer(OUT, &arguments).unwrap()[0]);
        if !self.differentiable() {
            return failures;
        }
        let w = golden.floats(self, "w", &self.output.shape);
        arguments.push(&w);
        let (_, gradients) = model.grad(OBJECTIVE, &arguments).unwrap();
        for (i, input) in self.inputs.iter().enumerate().filter(|(_, input)| input.grad) {
            compare(&format!("grad{i}"), &gradients.parameter(&input.name).unwrap());
        }
        failures
    }
}

fn elements(array: &Array) -> Vec<f64> {
    match array.dtype() {
        DType::I64 => array.as_slice::<i64>().unwrap().iter().map(|&x| x as f64).collect(),
        DType::Bool => array.as_slice::<bool>().unwrap().iter().map(|&x| x.into()).collect(),
        _ => array.as_slice::<f32>().unwrap().iter().map(|&x| x.into()).collect(),
    }
}

fn distance(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let difference: f64 = found.iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum();
    let norm: f64 = expected.iter().map(|x| x * x).sum();
    if difference == 0.0 { 0.0 } else { (difference / norm).sqrt() }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

/// The files of the cases.
const STEMS: [&str; 6] = ["operators", "elements", "shapes", "windows", "losses", "rows"];
/// Operators that PyTorch cannot be asked about, for they draw other numbers: `random_numbers.rs` looks at how those are distributed.
const RANDOM: [&str; 6] = ["rand", "randn", "rand_like", "randn_like", "bernoulli", "dropout"];

fn golden() -> Golden {
    Golden(STEMS.iter().flat_map(|stem| Golden::read(folder().join(format!("{stem}.safetensors"))).0).collect())
}

fn cases() -> Vec<Case> {
    let read = |stem: &&str| fs::read(folder().join(format!("{stem}.json"))).unwrap();
    STEMS.iter().flat_map(|stem| serde_json::from_slice::<Vec<Case>>(&read(stem)).unwrap()).collect()
}

#[test]
fn operators_are_pytorchs() {
    let (golden, cases) = (golden(), cases());
    assert_eq!(cases.len(), 512);
    let failures: Vec<String> = cases.iter().flat_map(|case| case.check(&golden)).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_operator_has_a_golden() {
    /// Of `integers.json`, whose expressions name operators.
    #[derive(Deserialize)]
    struct Integers {
        text: String,
    }
    let cases = cases();
    let integers: Vec<Integers> = serde_json::from_slice(&fs::read(folder().join("integers.json")).unwrap()).unwrap();
    for operator in OPERATORS.iter().flat_map(|list| list.iter()) {
        let called = format!(".{}(", operator.name);
        let has = cases.iter().any(|case| case.operator == operator.name)
            || integers.iter().any(|case| case.text.contains(&called));
        assert_eq!(has, !RANDOM.contains(&operator.name), "`{}`: cases in tests/golden/*.py, or none", operator.name);
    }
}
