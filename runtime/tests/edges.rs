//! Every operator at its edges, ±0, ±∞, NaN, equal values, kinks and the ends of f32, forward and backward, on every instruction set of the
//! machine, against PyTorch (`tests/golden/edges.py`). Stages are interpreted here; that compiled ones have the same bits is tested in
//! `castnet-kernels` and `net-tests/tests/random_networks.rs`.

mod expression;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;

use castnet_graph::builder::{Builder, Declared, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Compiled, Source, SourceFunction, compile};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::Graph;
use castnet_graph::ops::{self, OPERATORS};
use castnet_kernels::isa::Isa;
use castnet_program::net::Init;
use castnet_program::scalar::Binary;
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use castnet_runtime::{Array, Device, Model};
use safetensors::tensor::{Dtype, SafeTensors};
use serde::Deserialize;

/// What differs from PyTorch where that is not finite, and nowhere else: an operator, `out` or the input whose gradient it is, and why. At most
/// ten; docs/language.md names them.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("kl_div", "y", "for a target of 0 the gradient is that of the part without 0 · log 0"),
    ("layer_norm", "out", "squares that overflow give 0, those of subnormal numbers are 0"),
    ("layer_norm", "x", "squares of subnormal numbers are 0"),
    ("group_norm", "out", "squares that overflow give 0"),
    ("var", "x", "of a row with an infinity every gradient is NaN"),
    ("norm", "x", "of one infinite element the slope is its sign"),
];

/// Operators that have no values to be right about here, for they draw numbers, or take what is no tensor.
const OTHERS: [&str; 15] = [
    "rand",
    "randn",
    "rand_like",
    "randn_like",
    "bernoulli",
    "dropout",
    "grad",
    "floor_divide",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "bitwise_not",
    "bitwise_left_shift",
    "bitwise_right_shift",
    "reduce_xor",
];

#[derive(Deserialize)]
struct Cases {
    /// Relative.
    tolerance: f64,
    /// Operators that only move elements.
    moves: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    operator: String,
    text: String,
    /// How far off anything may be, absolutely.
    near: f64,
    /// Whether the sign of a zero counts.
    signed: bool,
    inputs: Vec<Input>,
    output: Output,
}

#[derive(Deserialize)]
struct Input {
    name: String,
    /// The values' name in the file.
    from: String,
    r#type: DType,
    shape: Vec<usize>,
    grad: bool,
}

#[derive(Deserialize)]
struct Output {
    r#type: DType,
    shape: Vec<usize>,
}

/// What differs.
struct Difference {
    /// `out`, or the name of an input.
    what: String,
    /// Whether PyTorch is finite there.
    finite: bool,
    text: String,
}

type Golden = HashMap<String, Vec<f32>>;

fn golden() -> (Cases, Golden) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    let bytes = fs::read(folder.join("edges.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let elements = file.iter().map(|(key, view)| {
        let data = view.data();
        let elements = match view.dtype() {
            Dtype::F32 => data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect(),
            Dtype::I64 => data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f32).collect(),
            Dtype::BOOL => data.iter().map(|&b| b.into()).collect(),
            other => panic!("a golden of {other:?}"),
        };
        (key.to_string(), elements)
    });
    let golden = elements.collect();
    (serde_json::from_slice(&fs::read(folder.join("edges.json")).unwrap()).unwrap(), golden)
}

fn ty(dtype: DType, shape: &[usize]) -> Type {
    Type::new(dtype, shape.iter().map(|&s| Size::constant(s as i64)).collect::<Vec<_>>())
}

fn array(dtype: DType, shape: &[usize], values: &[f32]) -> Array {
    match dtype {
        DType::Bool => Array::from_vec(shape, values.iter().map(|&x| x != 0.0).collect()),
        DType::I64 => Array::from_vec(shape, values.iter().map(|&x| x as i64).collect()),
        _ => Array::from_vec(shape, values.to_vec()),
    }
    .unwrap()
}

fn values(array: &Array) -> Vec<f32> {
    match array.dtype() {
        DType::I64 => array.as_slice::<i64>().unwrap().iter().map(|&x| x as f32).collect(),
        DType::Bool => array.as_slice::<bool>().unwrap().iter().map(|&x| x.into()).collect(),
        _ => array.as_slice::<f32>().unwrap().to_vec(),
    }
}

impl Case {
    /// The result alone, or the sum of the result times `w`.
    fn graph(&self, parameters: &mut Parameters, objective: bool, training: bool) -> Graph {
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
        let Some(Arg::Tensor(mut result)) = expression::evaluate(&mut b, &inputs, &self.text) else {
            panic!("{}: `{}`: {:?}", self.name, self.text, b.diagnostics)
        };
        assert_eq!(b.ty(result), &ty(self.output.r#type, &self.output.shape), "{}", self.name);
        if objective {
            let w = b.argument("w", ty(DType::F32, &self.output.shape));
            let product = b.pointwise(Binary::Mul, result, w);
            let given = Given { name: None, value: Arg::Tensor(product), at: Loc::default() };
            match ops::call(&mut b, "sum", Loc::default(), &[given]) {
                Ok(Arg::Tensor(sum)) => result = sum,
                _ => panic!("{}: {:?}", self.name, b.diagnostics),
            }
        }
        b.result(result);
        b.graph
    }

    fn compiled(&self) -> Compiled {
        let declared = |input: &Input| Declared {
            shape: Some((input.shape.iter().map(|&s| s as i64).collect(), Init::Constant(0.0))),
            ..Declared::new(input.name.as_str())
        };
        let list = self.inputs.iter().filter(|i| i.grad).map(declared).collect();
        let mut parameters = Parameters { list, ..Parameters::default() };
        let mut functions = vec![SourceFunction::new("out", self.graph(&mut parameters, false, false), None)];
        if self.inputs.iter().any(|input| input.grad) {
            let inference = self.graph(&mut parameters, true, false);
            let training = self.graph(&mut parameters, true, true);
            functions.push(SourceFunction::new("objective", inference, Some(training)));
        }
        let source = Source { name: self.name.clone(), parameters, functions };
        compile(source).unwrap_or_else(|e| panic!("{}: {e:?}", self.name))
    }

    /// What differs from the golden on an instruction set.
    fn differences(&self, tolerance: f64, golden: &Golden, isa: Isa) -> Vec<Difference> {
        let mut model = Model::from_net(self.compiled().net, &Device::cpu(), 0).unwrap();
        model.poison(true);
        model.use_instruction_set(isa);
        let mut arguments = vec![];
        for input in &self.inputs {
            let given = array(input.r#type, &input.shape, &golden[&format!("in.{}", input.from)]);
            match input.grad {
                true => model.set_parameter(&input.name, &given).unwrap(),
                false => arguments.push(given),
            }
        }
        let mut found = vec![];
        let mut compare = |what: &str, key: &str, array: &Array| {
            let key = format!("{}.{key}", self.name);
            let expected = &golden[&key];
            let exact = golden.get(&format!("{key}.exact")).unwrap_or(expected);
            let values = values(array);
            assert_eq!(values.len(), expected.len(), "{key}");
            for (i, ((&x, &torch), &exact)) in values.iter().zip(expected).zip(exact).enumerate() {
                let right = self.equal(x, torch, tolerance)
                    || (exact.is_finite() || !torch.is_finite()) && self.equal(x, exact, tolerance);
                if !right {
                    let of: Vec<String> = self.inputs.iter().map(|input| self.at(input, i, golden)).collect();
                    let of = of.join("; ");
                    let text = format!(
                        "{isa:?} `{}` at {i}, {of}: {what} is {x:e}, PyTorch's {torch:e}, exactly {exact:e}",
                        self.text
                    );
                    found.push(Difference { what: what.to_string(), finite: torch.is_finite(), text });
                }
            }
        };
        let mut given: Vec<&Array> = arguments.iter().collect();
        compare("out", "out", &model.infer(0, &given).unwrap()[0]);
        if self.inputs.iter().any(|input| input.grad) {
            let w = array(DType::F32, &self.output.shape, &golden[&format!("{}.w", self.name)]);
            given.push(&w);
            let (_, gradients) = model.grad(1, &given).unwrap();
            for (i, input) in self.inputs.iter().enumerate().filter(|(_, input)| input.grad) {
                compare(&input.name, &format!("grad{i}"), &gradients.parameter(&input.name).unwrap());
            }
        }
        found
    }

    /// What an input holds at a place, or the row around it.
    fn at(&self, input: &Input, place: usize, golden: &Golden) -> String {
        let values = &golden[&format!("in.{}", input.from)];
        let long = input.shape.len() < 2;
        match values.get(place) {
            Some(x) if long => format!("{} = {x:e}", input.name),
            _ => {
                let row = (*input.shape.last().unwrap_or(&1)).max(1);
                let rows = values.len() / row;
                let outs = self.output.shape.iter().product::<usize>().max(1);
                let start = if outs == rows { place } else { place / row }.min(rows - 1) * row;
                format!("{} = {:?}", input.name, &values[start..start + row.min(6)])
            }
        }
    }

    fn equal(&self, found: f32, expected: f32, tolerance: f64) -> bool {
        if expected.is_nan() || expected.is_infinite() {
            return found == expected || found.is_nan() && expected.is_nan();
        }
        if found == 0.0 && expected == 0.0 {
            return !self.signed || found.is_sign_negative() == expected.is_sign_negative();
        }
        // Two of the smallest floats more, as products of subnormal numbers are rounded there.
        let room = (tolerance * f64::from(expected).abs()).max(self.near) + 2.9e-45;
        (f64::from(found) - f64::from(expected)).abs() <= room
    }
}

#[test]
fn edges_are_pytorchs() {
    let (cases, golden) = golden();
    let mut unknown: BTreeMap<(&str, String), Vec<String>> = BTreeMap::new();
    let mut seen = vec![false; DIFFERENCES.len()];
    for isa in Isa::available() {
        for case in &cases.cases {
            for Difference { what, finite, text } in case.differences(cases.tolerance, &golden, isa) {
                let known = |d: &(&str, &str, &str)| d.0 == case.operator && d.1 == what && !finite;
                match DIFFERENCES.iter().position(known) {
                    Some(known) => seen[known] = true,
                    None => unknown.entry((&case.name, what)).or_default().push(text),
                }
            }
        }
    }
    let first = |((name, what), texts): (&(&str, String), &Vec<String>)| {
        let some: Vec<&str> = texts.iter().take(6).map(|text| text.as_str()).collect();
        format!("{name} {what}: {} differences\n    {}", texts.len(), some.join("\n    "))
    };
    assert!(unknown.is_empty(), "{}", unknown.iter().map(first).collect::<Vec<_>>().join("\n"));
    assert!(DIFFERENCES.len() <= 10);
    for ((operator, what, why), seen) in DIFFERENCES.iter().zip(seen) {
        assert!(seen, "{operator} {what} is PyTorch's now, which was another one, as: {why}");
    }
}

#[test]
fn every_operator_has_edges() {
    let (cases, _) = golden();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    let routines = fs::read_to_string(folder.join("routines.json")).unwrap();
    for operator in OPERATORS.iter().flat_map(|list| list.iter()) {
        let has = cases.cases.iter().any(|case| case.operator == operator.name);
        // Of those in every element type.
        let has = has || routines.contains(&format!(".{}(", operator.name));
        let other = OTHERS.contains(&operator.name) || cases.moves.iter().any(|name| name == operator.name);
        assert_eq!(
            has, !other,
            "`{}`: cases in tests/golden/edges.py, or an entry among those that need none",
            operator.name
        );
    }
}
