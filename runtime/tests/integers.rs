//! Integers of every width, exact to the last bit, against PyTorch (`tests/golden/integers.py`): alone, and where more is computed of them at
//! once; and the reference beside it.

mod expression;
mod read_back;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::call::Arg;
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::graph::Graph;
use castnet_graph::number::Number;
use castnet_graph::reference::{self, Inputs};
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use castnet_runtime::{Array, Device, Model};
use safetensors::tensor::SafeTensors;
use serde::Deserialize;

/// An entry of `integers.json`.
#[derive(Deserialize)]
struct Case {
    name: String,
    /// `x.floor_divide(7)`.
    text: String,
    inputs: Vec<Tensor>,
    output: Tensor,
}

#[derive(Deserialize)]
struct Tensor {
    #[serde(default)]
    name: String,
    r#type: DType,
    shape: Vec<usize>,
    /// The key of its elements in the file.
    data: String,
}

impl Tensor {
    fn ty(&self) -> Type {
        Type::new(self.r#type, self.shape.iter().map(|&s| Size::constant(s as i64)).collect::<Vec<_>>())
    }
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

        fn bytes(array: &Array) -> Vec<u8> {
            match array.dtype() {
                $(DType::$dtype => {
                    array.as_slice::<$type>().unwrap().iter().flat_map(|x| x.to_le_bytes()).collect()
                })*
                DType::Bool => array.as_slice::<bool>().unwrap().iter().map(|x| u8::from(*x)).collect(),
                other => panic!("an array of {other}"),
            }
        }

        fn tensor(array: &Array) -> reference::Tensor {
            let numbers: Vec<Number> = match array.dtype() {
                $(DType::$dtype => {
                    let elements = array.as_slice::<$type>().unwrap().iter();
                    match DType::$dtype.is_float() {
                        true => elements.map(|&x| Number::Float(x as f64)).collect(),
                        false => elements.map(|&x| Number::Int(x as i64)).collect(),
                    }
                })*
                _ => widened(array).into_iter().map(Number::Int).collect(),
            };
            reference::Tensor::new(array.shape().to_vec(), numbers)
        }

        /// What `.cast(i64)` makes of an array of integers.
        fn widened(array: &Array) -> Vec<i64> {
            match array.dtype() {
                $(DType::$dtype => array.as_slice::<$type>().unwrap().iter().map(|&x| x as i64).collect(),)*
                DType::Bool => array.as_slice::<bool>().unwrap().iter().map(|&x| x.into()).collect(),
                other => panic!("an array of {other}"),
            }
        }
    };
}

arrays! { I8 i8, U8 u8, I16 i16, I32 i32, U32 u32, I64 i64, F32 f32, F64 f64, }

fn graph(case: &Case, text: &str) -> Result<Graph, String> {
    let mut parameters = Parameters::default();
    let mut b = Builder::new(case.name.clone(), &mut parameters, false);
    let inputs: Vec<_> = case.inputs.iter().map(|x| (x.name.as_str(), b.argument(&x.name, x.ty()))).collect();
    let inputs = HashMap::from_iter(inputs);
    match expression::evaluate(&mut b, &inputs, text) {
        Some(Arg::Tensor(result)) => b.result(result),
        _ => return Err(format!("{}: `{text}` is a mistake: {:?}", case.name, b.diagnostics)),
    }
    Ok(b.graph)
}

fn result(case: &Case, text: &str, golden: &SafeTensors) -> Result<Array, String> {
    let functions = vec![SourceFunction::new("f", graph(case, text)?, None)];
    let source = Source { name: case.name.clone(), parameters: Parameters::default(), functions };
    let compiled = compile(source).map_err(|e| format!("{}: {e:?}", case.name))?;
    read_back::read_back(&compiled.net);
    let mut model = Model::from_net(compiled.net, &Device::cpu(), 0).unwrap();
    model.poison(true);
    let data = |x: &Tensor| array(x.r#type, &x.shape, golden.tensor(&x.data).unwrap().data());
    let arguments: Vec<Array> = case.inputs.iter().map(data).collect();
    let mut results =
        model.infer(0, &arguments.iter().collect::<Vec<_>>()).map_err(|e| format!("{}: {e}", case.name))?;
    Ok(results.remove(0))
}

fn by_reference(case: &Case, golden: &SafeTensors) -> Result<Vec<Number>, String> {
    let data = |x: &Tensor| array(x.r#type, &x.shape, golden.tensor(&x.data).unwrap().data());
    let arguments: Vec<reference::Tensor> = case.inputs.iter().map(|x| tensor(&data(x))).collect();
    let inputs = Inputs {
        arguments: &arguments,
        parameters: &[],
        states: &[],
        rounded: false,
        sizes: &|_| 0,
        random: &|_, _| 0.0,
    };
    Ok(reference::evaluate(&graph(case, &case.text)?, &inputs).remove(0).data)
}

fn check(case: &Case, golden: &SafeTensors) -> Result<(), String> {
    let (Case { name, text, output, .. }, expected) = (case, golden.tensor(&case.output.data).unwrap().data());
    let found = result(case, text, golden)?;
    let wrong = |what: &str, at: usize| Err(format!("{name} `{text}`: {what}, element {at}"));
    let (dtype, width) = (output.r#type, output.r#type.bytes());
    if found.dtype() != dtype || found.shape() != output.shape {
        return Err(format!("{name} `{text}`: {} instead of {}", found.describe(), output.ty()));
    }
    if let Some(at) = bytes(&found).chunks(width).zip(expected.chunks(width)).position(|(a, b)| a != b) {
        return wrong("another result", at);
    }
    if dtype.is_float() {
        return Ok(());
    }
    let expected = widened(&array(dtype, &output.shape, expected));
    if let Some(at) = by_reference(case, golden)?.iter().zip(&expected).position(|(a, b)| *a != Number::Int(*b)) {
        return wrong("another result of the reference", at);
    }
    let wide = result(case, &format!("({text}).cast(i64)"), golden)?;
    match wide.as_slice::<i64>().unwrap().iter().zip(&expected).position(|(a, b)| a != b) {
        Some(at) => wrong("another result where it is fused", at),
        None => Ok(()),
    }
}

#[test]
fn integers_are_pytorchs() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    let cases: Vec<Case> = serde_json::from_slice(&fs::read(folder.join("integers.json")).unwrap()).unwrap();
    assert_eq!(cases.len(), 444);
    let file = fs::read(folder.join("integers.safetensors")).unwrap();
    let golden = SafeTensors::deserialize(&file).unwrap();
    let failures: Vec<String> = cases.iter().filter_map(|case| check(case, &golden).err()).collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
}
