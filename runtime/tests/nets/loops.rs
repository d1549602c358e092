//! Nets with loops: what they are written with, and how they are held against the unfused graph in f64.

#[allow(dead_code)] // Not every number that can be drawn is.
#[path = "numbers.rs"]
mod numbers;
#[path = "../read_back/mod.rs"]
mod read_back;
#[path = "reference.rs"]
mod reference;

use castnet_graph::builder::Builder;
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Compiled, Source, compile};
use castnet_graph::decompose::EVERYTHING;
use castnet_graph::diagnostic::Loc;
use castnet_graph::grad::gradients;
use castnet_graph::graph::{Graph, Role, Value};
use castnet_graph::ops;
use castnet_graph::reference::{Inputs, Tensor, evaluate_with_rounds};
use castnet_graph::text::ProgramText;
use castnet_program::net::Net;
use castnet_program::size::Size;
use castnet_program::types::DType;
use castnet_runtime::{Array, Device, Gradients, Model, set_threads};
use reference::{distance, drawn, tensor};

pub use numbers::Numbers;

pub fn call(b: &mut Builder, name: &str, args: Vec<Arg>) -> Value {
    let given: Vec<Given> = args.into_iter().map(|value| Given { name: None, value, at: Loc::default() }).collect();
    match ops::call(b, name, Loc::default(), &given) {
        Ok(Arg::Tensor(value)) => value,
        other => panic!("{name}: {other:?} {:?}", b.diagnostics),
    }
}

pub fn t(value: Value) -> Arg {
    Arg::Tensor(value)
}

pub fn list(sizes: &[Size]) -> Arg {
    Arg::List(sizes.iter().map(|size| Arg::Size(size.clone())).collect())
}

/// What a net was compiled to, and how many of its results f32 can't tell: another order of sums would change their first digit.
pub struct Compared {
    pub compiled: Compiled,
    pub chaotic: usize,
}

/// Compiles net `number` and compares its loss and all gradients, run by the table's interpreter on arguments of all `sizes` (N and T), with
/// the unfused graph; indices are below `table`. The same bits come from another number of threads.
pub fn compare(number: u64, source: Source, sizes: &[(i64, i64)], table: usize) -> Compared {
    let written = source.functions[0].training.clone().unwrap();
    let unfused = gradients(written.clone(), &|_| true, EVERYTHING).unwrap();
    let compiled = compile(source).unwrap_or_else(|e| panic!("net {number}: {e:?}\n{written}"));
    let net = Net::from_bytes(&castnet_graph::bytes::to_bytes(&compiled.net).unwrap()).unwrap();
    assert!(net == compiled.net, "net {number} is not read back as it was written");
    read_back::read_back(&net);
    let report = compiled.reports.iter().find(|r| r.training).unwrap();
    let texts = || format!("{written}\n{}\n{}", report.optimised, report.program.to_text());
    // Two of them, as each call draws other random numbers.
    let mut twin = Model::from_net(net.clone(), &Device::cpu(), 3 + number).unwrap();
    let mut model = Model::from_net(net, &Device::cpu(), 3 + number).unwrap();
    model.poison(true);
    let names: Vec<String> = model.parameters().map(|(name, _)| name.to_string()).collect();
    let parameters: Vec<Tensor> = names.iter().map(|name| tensor(&model.parameter(name).unwrap())).collect();
    let mut chaotic = 0;
    for &(n, rows) in sizes {
        let at = format!("net {number}, N = {n}, T = {rows}");
        let of = |name: &str| if name == "T" { rows } else { n };
        let (arrays, arguments) = draw(&written, number * 100 + n as u64, &of, table);
        let (seed, step) = (model.seed(), model.steps());
        let random = |stream: u32, index: u64| drawn(seed, step, stream, index);
        let inputs = |rounded| Inputs {
            arguments: &arguments,
            parameters: &parameters,
            states: &[],
            rounded,
            sizes: &of,
            random: &random,
        };
        let ((roles, expected), (_, rounded)) = (evaluate(&unfused, &inputs(false)), evaluate(&unfused, &inputs(true)));
        let references: Vec<&Array> = arrays.iter().collect();
        let (results, found) = model.grad(0, &references).unwrap_or_else(|e| panic!("{at}: {e}"));
        for ((role, expected), rounded) in roles.iter().zip(&expected).zip(&rounded) {
            let (what, found) = match role.gradient() {
                None => ("the loss", tensor(&results[0])),
                Some(i) => (&*names[i], tensor(&found.parameter(&names[i]).unwrap())),
            };
            let allowed = 2e-5 + 10.0 * distance(expected, rounded);
            let distance = distance(expected, &found);
            chaotic += usize::from(allowed >= 0.1);
            assert!(
                distance < allowed || allowed >= 0.1,
                "{at}: {what} is off by {distance:.2e}, allowed {allowed:.2e}\nexpected {:?}\nfound    {:?}\n{}",
                expected.floats(),
                found.floats(),
                texts(),
            );
        }
        set_threads(1 + number as usize % 3);
        let (_, again) = twin.grad(0, &references).unwrap();
        assert!(bits(&found) == bits(&again), "{at}: another number of threads gives other bits");
    }
    Compared { compiled, chaotic }
}

/// Arguments of a graph, as arrays and as the reference takes them: numbers in [-1, 1), and indices below `table`.
fn draw(graph: &Graph, seed: u64, sizes: &dyn Fn(&str) -> i64, table: usize) -> (Vec<Array>, Vec<Tensor>) {
    let mut r = Numbers(seed);
    let arguments = graph.arguments.iter().map(|argument| {
        let shape: Vec<usize> = argument.ty.shape.iter().map(|s| s.eval(sizes) as usize).collect();
        let len = shape.iter().product();
        if argument.ty.dtype == DType::U8 {
            let data: Vec<u8> = (0..len).map(|_| r.below(table) as u8).collect();
            let tensor = Tensor::new(shape.clone(), data.iter().map(|x| f64::from(*x)).collect());
            return (Array::from_vec(&shape, data).unwrap(), tensor);
        }
        let data: Vec<f32> = (0..len).map(|_| r.below(2000) as f32 / 1000.0 - 1.0).collect();
        let array = Array::from_vec(&shape, data).unwrap();
        let tensor = tensor(&array);
        (array, tensor)
    });
    arguments.unzip()
}

/// All results of an unfused graph, gradients of parameters of rounds among them.
fn evaluate(unfused: &Graph, inputs: &Inputs) -> (Vec<Role>, Vec<Tensor>) {
    let (mut results, rounds) = evaluate_with_rounds(unfused, inputs);
    let mut roles: Vec<Role> = unfused.outputs.iter().map(|o| o.role.clone()).collect();
    for (number, gradient) in rounds.gradients {
        roles.push(Role::Gradient(number));
        results.push(gradient);
    }
    (roles, results)
}

fn bits(gradients: &Gradients) -> Vec<u32> {
    let arrays = gradients.names().map(|name| gradients.parameter(name).unwrap());
    arrays.flat_map(|a| a.as_slice::<f32>().unwrap().iter().map(|x| x.to_bits()).collect::<Vec<_>>()).collect()
}
