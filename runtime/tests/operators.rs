//! Every operator, forward and backward, against what PyTorch computes in f64 (`tests/golden/make.py`).

mod cuda;
mod expression;
mod read_back;

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
use castnet_kernels::isa::Isa;
use castnet_program::net::Init;
use castnet_program::scalar::Binary;
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use castnet_runtime::{Array, Device, Model};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors};
use serde::Deserialize;

/// How far results and gradients may be from PyTorch's in f64: norm of the difference over the norm.
fn tolerance(float: DType) -> f64 {
    match float {
        DType::F64 => 1e-12,
        DType::F32 => 1e-5,
        other => panic!("goldens are not compared with {other}"),
    }
}

/// Elements of a type, of numbers that it holds or nearly holds.
fn array(dtype: DType, shape: &[usize], elements: &[f64]) -> Array {
    let elements = elements.iter();
    let array = match dtype {
        DType::U8 => Array::from_vec(shape, elements.map(|&x| x as u8).collect()),
        DType::Bool => Array::from_vec(shape, elements.map(|&x| x != 0.0).collect()),
        DType::F64 => Array::from_vec(shape, elements.copied().collect()),
        DType::F32 => Array::from_vec(shape, elements.map(|&x| x as f32).collect()),
        DType::BF16 => Array::from_vec(shape, elements.map(|&x| bf16::from_f64(x)).collect()),
        DType::F16 => Array::from_vec(shape, elements.map(|&x| f16::from_f64(x)).collect()),
        other => panic!("no case has an input of {other}"),
    };
    array.unwrap()
}

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
                Dtype::BF16 => data.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).into()).collect(),
                Dtype::F16 => data.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).into()).collect(),
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

    /// Whether it is one operator of inputs and numbers.
    fn is_one_operator(&self) -> bool {
        fn is_plain(expression: &syn::Expr) -> bool {
            match expression {
                syn::Expr::Path(_) | syn::Expr::Lit(_) => true,
                syn::Expr::Unary(negative) => matches!(&*negative.expr, syn::Expr::Lit(_)),
                syn::Expr::Assign(named) => is_plain(&named.right),
                syn::Expr::Array(list) => list.elems.iter().all(is_plain),
                _ => false,
            }
        }
        match &syn::parse_str(&self.text).unwrap() {
            syn::Expr::MethodCall(call) => is_plain(&call.receiver) && call.args.iter().all(is_plain),
            syn::Expr::Call(call) => call.args.iter().all(is_plain),
            syn::Expr::Binary(pair) => is_plain(&pair.left) && is_plain(&pair.right),
            syn::Expr::Unary(sign) => is_plain(&sign.expr),
            _ => false,
        }
    }

    /// A type of the case in a net of this float type.
    fn in_float(declared: DType, float: DType) -> DType {
        if declared == DType::F32 { float } else { declared }
    }

    /// The result alone, or the sum of the result times `w`.
    fn graph(&self, parameters: &mut Parameters, objective: bool, training: bool) -> Option<Graph> {
        let float = parameters.float;
        let mut b = Builder::new(self.name.clone(), parameters, training);
        let (mut inputs, mut number) = (HashMap::new(), 0);
        for input in &self.inputs {
            let x = match input.grad {
                true => {
                    number += 1;
                    b.parameter(number - 1)
                }
                false => b.argument(&input.name, ty(Case::in_float(input.r#type, float), &input.shape)),
            };
            inputs.insert(input.name.as_str(), x);
        }
        let text = self.text.replace(".cast(f32)", &format!(".cast({float})"));
        let Some(Arg::Tensor(mut result)) = expression::evaluate(&mut b, &inputs, &text) else {
            println!("{} of {float}: {:?}", self.name, b.diagnostics);
            return None;
        };
        let declared = ty(Case::in_float(self.output.r#type, float), &self.output.shape);
        assert_eq!(b.ty(result), &declared, "{}", self.name);
        if objective {
            let w = b.argument("w", ty(float, &self.output.shape));
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

    fn compiled(&self, float: DType) -> Option<Compiled> {
        let declared = |input: &Input| Declared {
            shape: Some((input.shape.iter().map(|&s| s as i64).collect(), Init::Constant(0.0))),
            ..Declared::new(input.name.as_str())
        };
        let list = self.inputs.iter().filter(|i| i.grad).map(declared).collect();
        let mut parameters = Parameters { float, list, ..Parameters::default() };
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

    /// The result (`out`) and the gradients (`grad0`, …) in a net of this float type, from inputs rounded to `inputs`; `None`: a mistake.
    fn run(&self, golden: &Golden, float: DType, inputs: DType, isa: Isa) -> Option<Vec<(String, Vec<f64>)>> {
        let compiled = self.compiled(float)?;
        read_back::read_back(&compiled.net);
        let mut model = Model::from_net(compiled.net, &Device::cpu(), 0).unwrap();
        model.poison(true);
        model.use_instruction_set(isa);
        let value = |key: &str, declared: DType, shape: &[usize]| {
            let rounded = elements(&array(Case::in_float(declared, inputs), shape, golden.get(self, key)));
            array(Case::in_float(declared, float), shape, &rounded)
        };
        let mut arguments = vec![];
        for (i, input) in self.inputs.iter().enumerate() {
            let value = value(&format!("in{i}"), input.r#type, &input.shape);
            match input.grad {
                true => model.set_parameter(&input.name, &value).unwrap(),
                false => arguments.push(value),
            }
        }
        let of = |arguments: &[Array]| model.infer(OUT, &arguments.iter().collect::<Vec<_>>()).unwrap();
        let mut found = vec![("out".to_string(), elements(&of(&arguments)[0]))];
        if self.differentiable() {
            arguments.push(value("w", DType::F32, &self.output.shape));
            let (_, gradients) = model.grad(OBJECTIVE, &arguments.iter().collect::<Vec<_>>()).unwrap();
            for (i, input) in self.inputs.iter().enumerate().filter(|(_, input)| input.grad) {
                found.push((format!("grad{i}"), elements(&gradients.parameter(&input.name).unwrap())));
            }
        }
        Some(found)
    }

    /// What is too far from the golden.
    fn check(&self, golden: &Golden, float: DType) -> Vec<String> {
        let Some(found) = self.run(golden, float, DType::F32, Isa::detect()) else {
            return vec![format!("{}: `{}` is a mistake", self.name, self.text)];
        };
        let failure = |(key, found): &(String, Vec<f64>)| {
            let distance = distance(found, golden.get(self, key));
            let is_far = distance.is_nan() || distance > tolerance(float);
            is_far.then(|| format!("{} `{}`, {float}: {key} is off by {distance:.1e}", self.name, self.text))
        };
        found.iter().filter_map(failure).collect()
    }
}

fn elements(array: &Array) -> Vec<f64> {
    match array.dtype() {
        DType::I64 => array.as_slice::<i64>().unwrap().iter().map(|&x| x as f64).collect(),
        DType::U8 => array.as_slice::<u8>().unwrap().iter().map(|&x| x.into()).collect(),
        DType::Bool => array.as_slice::<bool>().unwrap().iter().map(|&x| x.into()).collect(),
        DType::F64 => array.as_slice::<f64>().unwrap().to_vec(),
        DType::BF16 => array.as_slice::<bf16>().unwrap().iter().map(|&x| x.into()).collect(),
        DType::F16 => array.as_slice::<f16>().unwrap().iter().map(|&x| x.into()).collect(),
        _ => array.as_slice::<f32>().unwrap().iter().map(|&x| x.into()).collect(),
    }
}

fn distance(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    // Of equal infinities there is no difference.
    let pairs = found.iter().zip(expected).filter(|(a, b)| a.is_finite() || a != b);
    let difference: f64 = pairs.clone().map(|(a, b)| (a - b).powi(2)).sum();
    let norm: f64 = pairs.map(|(_, x)| x * x).sum();
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

fn check_all(float: DType) {
    let (golden, cases) = (golden(), cases());
    assert_eq!(cases.len(), 514);
    let failures: Vec<String> = cases.iter().flat_map(|case| case.check(&golden, float)).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn operators_are_pytorchs() {
    check_all(DType::F32);
}

#[test]
fn operators_are_pytorchs_in_f64() {
    check_all(DType::F64);
}

/// Operators whose results are sums: in what order they are added depends on what is computed with them.
const SUMS: [&str; 7] =
    ["conv2d", "conv_transpose1d", "conv_transpose2d", "interpolate", "matmul", "rms_norm", "softmax"];

/// Whether two numbers are the same, or neighbours among those of a half.
fn neighbours(float: DType, a: f64, b: f64) -> bool {
    // Between powers of two they lie evenly; below the least normal number as there.
    let (epsilon, least) = match float {
        DType::BF16 => (f64::from(bf16::EPSILON), f64::from(bf16::MIN_POSITIVE)),
        _ => (f64::from(f16::EPSILON), f64::from(f16::MIN_POSITIVE)),
    };
    a == b || (a - b).abs() <= epsilon * 2f64.powf(a.abs().max(b.abs()).max(least).log2().floor())
}

/// In nets of halves, of bf16 also where they are multiplied two at a time, every case is that of f32, from the same inputs, but for rounding at operators' borders; the result of one operator is
/// that of f32, rounded once, to the bit. Element by element, PyTorch's is the same number or a neighbour.
#[test]
fn operators_of_halves_are_those_of_f32() {
    let (golden, cases, pytorchs) = (golden(), cases(), Golden::read(folder().join("halves.safetensors")));
    let (mut failures, mut alone, mut compared) = (vec![], 0, 0);
    let (best, pairs) = (Isa::detect(), Isa::Avx512Bf16);
    let mut ways = vec![(DType::BF16, 0.03, best), (DType::F16, 0.004, best)];
    if best != pairs && pairs.or_portable() == pairs {
        ways.push((DType::BF16, 0.03, pairs));
    }
    for (float, tolerance, isa) in ways {
        for case in &cases {
            let run = |of: DType| case.run(&golden, of, float, isa);
            let (Some(halves), Some(whole)) = (run(float), run(DType::F32)) else {
                failures.push(format!("{} `{}`: a mistake in {float}", case.name, case.text));
                continue;
            };
            for ((key, found), (_, expected)) in halves.iter().zip(&whole) {
                let rounded = elements(&array(float, &[expected.len()], expected));
                if key == "out" && case.is_one_operator() && case.output.r#type == DType::F32 {
                    let is_sum = SUMS.contains(&case.operator.as_str());
                    let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || is_sum && neighbours(float, a, b);
                    if !found.iter().zip(&rounded).all(|(a, b)| same(*a, *b)) {
                        failures.push(format!("{} `{}`: not rounded once to {float}", case.name, case.text));
                    }
                    alone += 1;
                }
                let pytorchs = pytorchs.0.get(&format!("{}.{float}", case.name)).filter(|_| key == "out");
                if let Some(pytorchs) = pytorchs {
                    // What is lost in f32 where numbers of the size of the greatest result cancel, as in 1 + erf(x).
                    let lost = 1e-7 * found.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
                    let near = |(a, b): &(&f64, &f64)| neighbours(float, **a, **b) || (*a - *b).abs() <= lost;
                    if let Some((a, b)) = found.iter().zip(pytorchs).find(|pair| !near(pair)) {
                        failures.push(format!("{} `{}`, {float}: {a}, PyTorch's {b}", case.name, case.text));
                    }
                    compared += 1;
                }
                let distance = distance(found, &rounded);
                if distance.is_nan() || distance > tolerance {
                    failures.push(format!("{} `{}`, {float}: {key} is off by {distance:.1e}", case.name, case.text));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(alone > 500 && compared > 200, "{alone} results of one operator, {compared} beside PyTorch's");
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
