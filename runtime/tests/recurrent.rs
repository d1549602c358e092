//! LSTM, GRU and RNN against PyTorch in f64 (`tests/golden/recurrent.py`), over run-time lengths and batches; lengths that do not fit.

use std::path::{Path, PathBuf};

use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::{Graph, Value};
use castnet_graph::layers::{self, Layer};
use castnet_graph::ops;
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use castnet_runtime::{Array, Device, Model, set_threads};
use safetensors::tensor::SafeTensors;

fn given(value: Arg) -> Given {
    Given { name: None, value, at: Loc::default() }
}

fn named(name: &str, value: Arg) -> Given {
    Given { name: Some((name.into(), Loc::default())), ..given(value) }
}

fn int(value: i64) -> Arg {
    Arg::Size(value.into())
}

fn op(b: &mut Builder, name: &str, args: Vec<Arg>) -> Value {
    let args: Vec<Given> = args.into_iter().map(given).collect();
    match ops::call(b, name, Loc::default(), &args) {
        Ok(Arg::Tensor(value)) => value,
        other => panic!("{name}: {other:?} {:?}", b.diagnostics),
    }
}

/// `(y, (h, c))`, one after the other.
fn flat(results: Vec<Arg>) -> Vec<Arg> {
    let parts = |arg: Arg| if let Arg::List(parts) = arg { parts } else { vec![arg] };
    results.into_iter().flat_map(parts).collect()
}

/// A layer of `recurrent.py`: 4 features, 6 of the states.
struct Case {
    name: &'static str,
    kind: &'static str,
    args: Vec<Given>,
    /// `h0`, `c0`, `lengths`: what it is given behind the input.
    more: &'static [&'static str],
    /// How many layers and directions.
    runs: i64,
}

impl Case {
    fn declare(&self, p: &mut Parameters, batch_first: bool) -> Layer {
        let mut b = Builder::new("", p, false);
        let mut args = vec![given(int(6)), named("batch_first", Arg::Bool(batch_first))];
        args.extend(self.args.iter().cloned());
        layers::declare(&mut b, "layer", Loc::default(), self.kind, Loc::default(), &args)
            .unwrap_or_else(|_| panic!("{:?}", b.diagnostics))
    }

    /// The arguments of a function, by name.
    fn arguments(&self, b: &mut Builder, batch_first: bool) -> Vec<(&'static str, Value)> {
        let (steps, batch) = (Size::symbol("T"), Size::symbol("B"));
        let time = if batch_first { [batch.clone(), steps] } else { [steps, batch.clone()] };
        let mut arguments = vec![("x", b.argument("x", Type::new(DType::F32, [&time[..], &[4.into()]].concat())))];
        for &name in self.more {
            let ty = match name {
                "lengths" => Type::new(DType::I64, vec![batch.clone()]),
                _ => Type::new(DType::F32, vec![self.runs.into(), batch.clone(), 6.into()]),
            };
            arguments.push((name, b.argument(name, ty)));
        }
        arguments
    }

    /// `layer(x, (h0, c0), lengths = lengths)`.
    fn call(&self, arguments: &[(&str, Value)]) -> Vec<Given> {
        let (mut call, mut states) = (vec![], vec![]);
        for (name, value) in arguments {
            match *name {
                "x" => call.push(given(Arg::Tensor(*value))),
                "lengths" => call.push(named(name, Arg::Tensor(*value))),
                _ => states.push(Arg::Tensor(*value)),
            }
        }
        match self.kind {
            _ if states.is_empty() => {}
            "LSTM" => call.insert(1, given(Arg::List(states))),
            _ => call.insert(1, given(states.remove(0))),
        }
        call
    }

    /// `result` gives the layer's results, then the gradients of what it is given; `loss` is the sum of sin(result i) times i + 1.
    fn model(&self, batch_first: bool) -> Model {
        let mut p = Parameters::default();
        let layer = self.declare(&mut p, batch_first);
        let mut build = |training: bool, loss_only: bool| -> Graph {
            let mut b = Builder::new("Recurrent", &mut p, training);
            let arguments = self.arguments(&mut b, batch_first);
            let results = match layers::call(&mut b, &layer, Loc::default(), &self.call(&arguments)) {
                Ok(Arg::List(results)) => flat(results),
                other => panic!("{}: {other:?} {:?}", self.name, b.diagnostics),
            };
            let part = |(i, result): (usize, &Arg)| {
                let bent = op(&mut b, "sin", vec![result.clone()]);
                let sum = op(&mut b, "sum", vec![Arg::Tensor(bent)]);
                op(&mut b, "mul", vec![Arg::Tensor(sum), Arg::Float(i as f64 + 1.0)])
            };
            let parts: Vec<Value> = results.iter().enumerate().map(part).collect();
            let loss =
                parts.into_iter().reduce(|x, y| op(&mut b, "add", vec![Arg::Tensor(x), Arg::Tensor(y)])).unwrap();
            if loss_only {
                b.result(loss);
                return b.graph;
            }
            for result in results {
                let Arg::Tensor(result) = result else { panic!("{}: {result:?}", self.name) };
                b.result(result);
            }
            let sources: Vec<Value> = arguments.iter().filter(|(n, _)| *n != "lengths").map(|(_, v)| *v).collect();
            for gradient in b.grad(loss, &sources).unwrap() {
                b.result(gradient);
            }
            b.graph
        };
        let result = SourceFunction::new("result", build(false, false), None);
        let loss = SourceFunction::new("loss", build(false, true), Some(build(true, true)));
        let compiled = compile(Source { name: "Recurrent".into(), parameters: p, functions: vec![result, loss] });
        Model::from_net(compiled.unwrap_or_else(|e| panic!("{}: {e:?}", self.name)).net, &Device::cpu(), 3).unwrap()
    }
}

const RESULT: usize = 0;
const LOSS: usize = 1;

fn cases() -> Vec<Case> {
    let two = || named("num_layers", int(2));
    let flag = |name: &str, value: bool| named(name, Arg::Bool(value));
    vec![
        Case { name: "lstm", kind: "LSTM", args: vec![two()], more: &["h0", "c0"], runs: 2 },
        Case {
            name: "lstm_lengths",
            kind: "LSTM",
            args: vec![two(), flag("bidirectional", true)],
            more: &["h0", "c0", "lengths"],
            runs: 4,
        },
        Case { name: "gru", kind: "GRU", args: vec![two(), flag("bias", false)], more: &["h0"], runs: 2 },
        Case {
            name: "gru_lengths",
            kind: "GRU",
            args: vec![named("input_size", int(4)), flag("bidirectional", true)],
            more: &["lengths"],
            runs: 2,
        },
        Case { name: "rnn_tanh", kind: "RNN", args: vec![flag("bidirectional", true)], more: &[], runs: 2 },
        Case {
            name: "rnn_relu",
            kind: "RNN",
            args: vec![two(), named("nonlinearity", Arg::Text("relu".into()))],
            more: &["h0", "lengths"],
            runs: 2,
        },
    ]
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/recurrent")
}

struct Golden(Vec<u8>);

impl Golden {
    fn get(&self, key: &str) -> Array {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = file.tensor(key).unwrap();
        let data = tensor.data();
        if tensor.dtype() == safetensors::Dtype::I64 {
            let numbers = data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()));
            return Array::from_vec(tensor.shape(), numbers.collect()).unwrap();
        }
        let numbers = data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
        Array::from_vec(tensor.shape(), numbers.collect()).unwrap()
    }
}

fn near(what: &str, found: &Array, expected: &Array) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    let (found, expected) = (found.as_slice::<f32>().unwrap(), expected.as_slice::<f32>().unwrap());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= 2e-5 * (1.0 + b.abs()), "{what}: {a}, expected {b}");
    }
}

#[test]
fn results_and_gradients_are_pytorchs() {
    for (case, batch_first) in cases().iter().flat_map(|case| [(case, false), (case, true)]) {
        let file = format!("{}{}", case.name, if batch_first { "_batch_first" } else { "" });
        let golden = Golden(std::fs::read(folder().join(format!("{file}.safetensors"))).unwrap());
        let mut model = case.model(batch_first);
        model.load(folder().join(format!("{}_state.safetensors", case.name))).unwrap();
        let keys = [&["x"], case.more].concat();
        let arguments: Vec<Array> = keys.iter().map(|key| golden.get(key)).collect();
        let arguments: Vec<&Array> = arguments.iter().collect();
        let mut bits = vec![];
        for threads in [1, 3] {
            set_threads(threads);
            let mut found = model.infer(RESULT, &arguments).unwrap();
            let results = if case.kind == "LSTM" { &["output", "h_n", "c_n"][..] } else { &["output", "h_n"] };
            let gradients = keys.iter().filter(|k| **k != "lengths").map(|key| format!("grad.{key}"));
            let expected: Vec<String> = results.iter().map(|r| r.to_string()).chain(gradients).collect();
            assert_eq!(found.len(), expected.len());
            for (key, found) in expected.iter().zip(&found) {
                near(&format!("{file}: {key}"), found, &golden.get(key));
            }
            let (loss, gradients) = model.grad(LOSS, &arguments).unwrap();
            near(&format!("{file}: loss"), &loss[0], &golden.get("loss"));
            for (name, _) in model.parameters() {
                let gradient = gradients.parameter(name).unwrap();
                near(&format!("{file}: {name}"), &gradient, &golden.get(&format!("grad.{name}")));
                found.push(gradient);
            }
            bits.push(found);
        }
        assert_eq!(bits[0], bits[1], "{file}: the bits depend on threads");
    }
}

#[test]
fn lengths_are_checked_before_anything_runs() {
    let cases = cases();
    let case = cases.iter().find(|c| c.name == "gru_lengths").unwrap();
    let mut model = case.model(true);
    let x = Array::from_vec(&[2, 3, 4], (0..24).map(|i| (i as f32).sin()).collect::<Vec<f32>>()).unwrap();
    let mut run = |lengths: [i64; 2]| {
        let lengths = Array::from_vec(&[2], lengths.to_vec()).unwrap();
        (model.infer(RESULT, &[&x, &lengths]), model.grad(LOSS, &[&x, &lengths]).map(|(loss, _)| loss))
    };
    for lengths in [[0, 3], [4, 1], [-1, 1]] {
        let (result, loss) = run(lengths);
        for error in [result.unwrap_err(), loss.unwrap_err()] {
            assert!(error.to_string().contains("`lengths`"), "{error}");
        }
    }
    let (result, loss) = run([1, 3]);
    assert!(loss.is_ok());
    // Behind the first sequence's only step: zeros.
    assert!(result.unwrap()[0].as_slice::<f32>().unwrap()[12..36].iter().all(|x| *x == 0.0));
}

#[test]
fn mistakes_are_found_when_the_net_is_built() {
    let place = Loc::default();
    let codes = |kind: &str, args: &[Given], shape: &[i64], more: &[(&str, DType, &[i64])]| {
        let mut p = Parameters::default();
        let mut b = Builder::new("", &mut p, false);
        if let Ok(layer) = layers::declare(&mut b, "layer", place, kind, place, args) {
            let ty =
                |dtype: DType, shape: &[i64]| Type::new(dtype, shape.iter().map(|s| (*s).into()).collect::<Vec<_>>());
            let mut call = vec![given(Arg::Tensor(b.argument("x", ty(DType::F32, shape))))];
            for (name, dtype, shape) in more {
                let value = Arg::Tensor(b.argument(name, ty(*dtype, shape)));
                // A state of an LSTM is one of two.
                let pair = (kind, *name) == ("LSTM", "hx");
                let value = if pair { Arg::List(vec![value.clone(), value]) } else { value };
                call.push(named(name, value));
            }
            let result = layers::call(&mut b, &layer, place, &call);
            assert_eq!(result.is_ok(), b.diagnostics.is_empty());
        }
        b.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>()
    };
    let (six, x) = (given(int(6)), [5, 3, 4]);
    let none = Vec::<&str>::new();
    assert_eq!(
        codes("GRU", std::slice::from_ref(&six), &x, &[("lengths", DType::U8, &[3]), ("hx", DType::F32, &[1, 3, 6])]),
        none
    );
    for (name, value) in [
        ("hidden_size", int(0)),
        ("input_size", int(0)),
        ("num_layers", int(0)),
        ("num_layers", int(1 << 30)),
        ("dropout", Arg::Float(1.5)),
        ("nonlinearity", Arg::Text("gelu".into())),
    ] {
        let args =
            [vec![named(name, value)], if name == "hidden_size" { vec![] } else { vec![named("hidden_size", int(6))] }];
        assert_eq!(codes("RNN", &args.concat(), &x, &[]), ["N0306"], "{name}");
    }
    assert_eq!(codes("LSTM", std::slice::from_ref(&six), &[3, 4], &[]), ["N0105"]);
    assert_eq!(codes("LSTM", &[six.clone(), named("input_size", int(5))], &x, &[]), ["N0102"]);
    assert_eq!(codes("LSTM", std::slice::from_ref(&six), &x, &[("hx", DType::F32, &[3, 6])]), ["N0102"]);
    assert_eq!(codes("LSTM", std::slice::from_ref(&six), &x, &[("hx", DType::I32, &[1, 3, 6])]), ["N0201"]);
    assert_eq!(codes("GRU", std::slice::from_ref(&six), &x, &[("c0", DType::F32, &[1, 3, 6])]), ["N0302"]);
    assert_eq!(codes("GRU", std::slice::from_ref(&six), &x, &[("lengths", DType::F32, &[3])]), ["N0206"]);
    assert_eq!(codes("GRU", &[six], &x, &[("lengths", DType::I64, &[5])]), ["N0102"]);
}
