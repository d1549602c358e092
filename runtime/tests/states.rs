//! States: tensors that functions assign, of nets built by hand.

use castnet_graph::builder::{Builder, DeclaredState, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::{Graph, Value};
use castnet_graph::layers::{self, Layer};
use castnet_graph::loops::Rounds;
use castnet_graph::ops;
use castnet_program::net::Init;
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use castnet_runtime::{Array, Device, Error, Model, Sgd};

fn ty(shape: &[&str]) -> Type {
    Type::new(DType::F32, shape.iter().map(|s| s.parse::<Size>().unwrap()).collect::<Vec<_>>())
}

fn op(b: &mut Builder, name: &str, args: &[Arg]) -> Value {
    let args: Vec<Given> = args.iter().map(|a| Given { name: None, value: a.clone(), at: Loc::default() }).collect();
    match ops::call(b, name, Loc::default(), &args) {
        Ok(Arg::Tensor(value)) => value,
        other => panic!("{name}: {other:?} {:?}", b.diagnostics),
    }
}

fn t(value: Value) -> Arg {
    Arg::Tensor(value)
}

fn declare(parameters: &mut Parameters, name: &str, ty: Type, init: f64) -> usize {
    parameters.states.push(DeclaredState { name: name.into(), ty: Some(ty), init: Init::Constant(init) });
    parameters.states.len() - 1
}

fn linear(parameters: &mut Parameters, name: &str, features: i64) -> Layer {
    let mut b = Builder::new("", parameters, false);
    let args = [Given { name: None, value: Arg::Size(features.into()), at: Loc::default() }];
    layers::declare(&mut b, name, Loc::default(), "Linear", Loc::default(), &args).unwrap()
}

fn model(source: Source) -> Model {
    let compiled = compile(source).unwrap_or_else(|e| panic!("{e:?}"));
    Model::from_net(compiled.net, &Device::cpu(), 5).unwrap()
}

fn array(shape: &[usize], f: impl Fn(usize) -> f32) -> Array {
    Array::from_vec(shape, (0..shape.iter().product()).map(f).collect()).unwrap()
}

fn floats(array: &Array) -> Vec<f32> {
    array.as_slice::<f32>().unwrap().to_vec()
}

/// `next(x)`: h = tanh(x + h), a state of N rows; gives h as it was. `peek(x)`: h + x.
fn recurrent() -> Model {
    let mut parameters = Parameters::default();
    let h = declare(&mut parameters, "h", ty(&["N", "3"]), 0.5);
    let mut build = |name: &str, body: &dyn Fn(&mut Builder, Value) -> Value| -> Graph {
        let mut b = Builder::new(format!("Rnn.{name}"), &mut parameters, false);
        let x = b.argument("x", ty(&["N", "3"]));
        let y = body(&mut b, x);
        b.result(y);
        b.graph
    };
    let next = build("next", &|b, x| {
        let before = b.state(h);
        let sum = op(b, "add", &[t(x), t(before)]);
        let after = op(b, "tanh", &[t(sum)]);
        b.set_state(h, after).unwrap();
        assert_eq!(b.state(h), after);
        before
    });
    let peek = build("peek", &|b, x| {
        let h = b.state(h);
        op(b, "add", &[t(h), t(x)])
    });
    let functions = vec![SourceFunction::new("next", next, None), SourceFunction::new("peek", peek, None)];
    model(Source { name: "Rnn".into(), parameters, functions })
}

const NEXT: usize = 0;
const PEEK: usize = 1;

#[test]
fn a_state_goes_from_call_to_call() {
    let mut net = recurrent();
    assert!(net.net().cpu()[NEXT].assigns_state() && !net.net().cpu()[PEEK].assigns_state());
    assert_eq!(net.state("h").unwrap(), None);
    let x = array(&[2, 3], |i| i as f32 * 0.25);
    let mut expected = vec![0.5f32; 6];
    for _ in 0..3 {
        let seen = net.infer_mut(NEXT, &[&x]).unwrap();
        assert_eq!(floats(&seen[0]), expected, "the result is what the state was before");
        expected.iter_mut().zip(floats(&x)).for_each(|(h, x)| *h = (*h + x).tanh());
        let now = floats(&net.state("h").unwrap().unwrap());
        assert!(now.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{now:?} {expected:?}");
        expected = now;
    }
    let peeked = net.infer(PEEK, &[&x]).unwrap();
    assert_eq!(floats(&peeked[0])[0], expected[0]);
    // Another size starts anew, for whoever only reads without a trace.
    let wide = array(&[3, 3], |_| 0.0);
    assert_eq!(floats(&net.infer(PEEK, &[&wide]).unwrap()[0]), [0.5; 9]);
    assert_eq!(floats(&net.state("h").unwrap().unwrap()), expected);
    net.infer_mut(NEXT, &[&wide]).unwrap();
    assert_eq!(net.state("h").unwrap().unwrap().shape(), [3, 3]);
    net.reset_states();
    assert_eq!(net.state("h").unwrap(), None);
}

#[test]
fn mistakes_change_nothing() {
    let mut net = recurrent();
    let x = array(&[2, 3], |_| 1.0);
    assert!(matches!(net.infer(NEXT, &[&x]), Err(Error::AssignsState { .. })));
    net.infer_mut(NEXT, &[&x]).unwrap();
    let before = net.state("h").unwrap();
    assert!(net.infer_mut(NEXT, &[&array(&[2, 4], |_| 1.0)]).is_err());
    assert_eq!(net.state("h").unwrap(), before);
    assert_eq!(net.state("g").unwrap_err().to_string(), "Rnn has no state `g`");
    let error = net.set_state("h", &array(&[2, 4], |_| 1.0)).unwrap_err().to_string();
    assert_eq!(error, "Rnn: state `h` is f32[N, 3], the value given is f32[2, 4]");
    net.set_state("h", &array(&[1, 3], |_| 2.0)).unwrap();
    assert_eq!(floats(&net.state("h").unwrap().unwrap()), [2.0; 3]);
}

/// `loss(x)` over a Linear: counts its calls, and keeps a running mean of what the layer gives.
fn counting(rounds: Option<i64>) -> Model {
    let mut parameters = Parameters::default();
    let count = rounds.unwrap_or(1);
    let layers: Vec<Layer> = (0..count).map(|i| linear(&mut parameters, &format!("fc.{i}"), 3)).collect();
    let states: Vec<[usize; 2]> = (0..count)
        .map(|i| {
            let calls = Type::new(DType::I64, vec![]);
            [
                declare(&mut parameters, &format!("calls.{i}"), calls, 0.0),
                declare(&mut parameters, &format!("mean.{i}"), ty(&["3"]), 0.0),
            ]
        })
        .collect();
    let shared = declare(&mut parameters, "shared", ty(&["3"]), 1.0);
    let mut build = |training: bool, looped: bool| -> Graph {
        let mut b = Builder::new("Count.loss", &mut parameters, training);
        let mut x = b.argument("x", ty(&["N", "3"]));
        let round = |b: &mut Builder, x: Value, i: usize| {
            let y = layers::apply(b, &layers[i], Loc::default(), x).unwrap();
            let [calls, mean] = states[i];
            let before = b.state(calls);
            let more = op(b, "add", &[t(before), Arg::Size(1.into())]);
            b.set_state(calls, more).unwrap();
            let now = op(b, "mean", &[t(y), Arg::Size(0.into())]);
            let (old, part) = (b.state(mean), op(b, "mul", &[t(now), Arg::Float(0.25)]));
            let kept = op(b, "mul", &[t(old), Arg::Float(0.75)]);
            let next = op(b, "add", &[t(kept), t(part)]);
            b.set_state(mean, next).unwrap();
            let all = b.state(shared);
            let all = op(b, "mul", &[t(all), Arg::Float(0.5)]);
            b.set_state(shared, all).unwrap();
            op(b, "tanh", &[t(y)])
        };
        match looped {
            true => {
                let rounds = Rounds { count, parameters: 0..2, states: 0..2 };
                x = b.repeat(&[x], &[], rounds, |b, x, _| Ok(vec![round(b, x[0], 0)])).unwrap()[0];
            }
            false => (0..count as usize).for_each(|i| x = round(&mut b, x, i)),
        }
        let square = op(&mut b, "square", &[t(x)]);
        let loss = op(&mut b, "mean", &[t(square)]);
        b.result(loss);
        b.graph
    };
    let looped = rounds.is_some();
    let (inference, training) = (build(false, looped), build(true, looped));
    let mut functions = vec![SourceFunction::new("loss", inference, Some(training))];
    if looped {
        functions.push(SourceFunction::new("flat", build(false, false), Some(build(true, false))));
    }
    model(Source { name: "Count".into(), parameters, functions })
}

#[test]
fn steps_and_gradients_advance_states() {
    let mut net = counting(None);
    let x = array(&[4, 3], |i| (i as f32).sin());
    let mut sgd = Sgd::new(0.1);
    net.step(0, &mut sgd, &[&x]).unwrap();
    let (_, mut gradients) = net.grad(0, &[&x]).unwrap();
    net.grad_add(0, &mut gradients, &[&x]).unwrap();
    assert_eq!(net.state("calls.0").unwrap().unwrap().item::<i64>().unwrap(), 3);
    assert_eq!(floats(&net.state("shared").unwrap().unwrap()), [0.125; 3]);
    net.infer_mut(0, &[&x]).unwrap();
    assert_eq!(net.state("calls.0").unwrap().unwrap().item::<i64>().unwrap(), 4);
}

#[test]
fn a_step_that_stops_takes_its_states_back() {
    let mut net = counting(None);
    net.stop_on_nan(true);
    let mut sgd = Sgd::new(0.1);
    net.step(0, &mut sgd, &[&array(&[2, 3], |i| i as f32)]).unwrap();
    let before: Vec<_> = ["calls.0", "mean.0", "shared"].map(|s| net.state(s).unwrap()).into();
    let error = net.step(0, &mut sgd, &[&array(&[2, 3], |_| f32::NAN)]).unwrap_err();
    assert!(matches!(error, Error::NotFinite { .. }), "{error}");
    let after: Vec<_> = ["calls.0", "mean.0", "shared"].map(|s| net.state(s).unwrap()).into();
    assert_eq!(before, after);
}

#[test]
fn a_loop_assigns_the_states_of_its_rounds() {
    let x = array(&[4, 3], |i| (i as f32).cos());
    let [looped, flat] = [0, 1].map(|function| {
        let mut net = counting(Some(3));
        for _ in 0..2 {
            net.step(function, &mut Sgd::new(0.0), &[&x]).unwrap();
        }
        net.infer_mut(function, &[&x]).unwrap();
        let calls = (0..3).map(|i| net.state(&format!("calls.{i}")).unwrap().unwrap().item::<i64>().unwrap());
        assert_eq!(calls.collect::<Vec<_>>(), [3; 3]);
        assert_eq!(floats(&net.state("shared").unwrap().unwrap()), [0.5f32.powi(9); 3]);
        (0..3).map(|i| floats(&net.state(&format!("mean.{i}")).unwrap().unwrap())).collect::<Vec<_>>()
    });
    assert_eq!(looped, flat);
    assert!(looped[0] != looped[1] && looped[0].iter().all(|m| *m != 0.0));
}

#[test]
fn states_are_saved_loaded_copied() {
    let folder = std::env::temp_dir().join(format!("castnet-states-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("count.safetensors");
    let (mut net, mut other) = (counting(None), counting(None));
    let x = array(&[4, 3], |i| (i as f32).sin());
    net.step(0, &mut Sgd::new(0.1), &[&x]).unwrap();
    net.save(&path).unwrap();
    other.load(&path).unwrap();
    for name in ["calls.0", "mean.0", "shared"] {
        assert_eq!(net.state(name).unwrap(), other.state(name).unwrap());
    }
    net.step(0, &mut Sgd::new(0.1), &[&x]).unwrap();
    other.lerp(&net, 0.5).unwrap();
    assert_eq!(net.state("mean.0").unwrap(), other.state("mean.0").unwrap());

    // With run-time sizes, a state without a value is not in the file, and its own sizes are any.
    let (mut net, mut other) = (recurrent(), recurrent());
    let path = folder.join("rnn.safetensors");
    net.save(&path).unwrap();
    net.infer_mut(NEXT, &[&array(&[2, 3], |_| 1.0)]).unwrap();
    other.infer_mut(NEXT, &[&array(&[2, 3], |_| 1.0)]).unwrap();
    other.load(&path).unwrap();
    assert_eq!(other.state("h").unwrap(), None);
    net.save(&path).unwrap();
    other.load(&path).unwrap();
    assert_eq!(other.state("h").unwrap(), net.state("h").unwrap());
    let mistakes = counting(None).load(&path).unwrap_err().to_string();
    assert!(
        mistakes.contains("`calls.0`: missing") && mistakes.contains("`h`: not a parameter of Count"),
        "{mistakes}"
    );
    std::fs::remove_dir_all(folder).unwrap();
}
