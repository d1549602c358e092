//! Random nets whose loops carry images, compiled and run by the table's interpreter, against the unfused graph in f64; and the same bits on
//! any number of threads. What convolutions leave lies channels last, what is reshaped row-major: states, stacks and what rounds share meet
//! both.

#[path = "nets/reference.rs"]
mod reference;

use castnet_graph::builder::{Builder, Checked, Declared, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::diagnostic::Loc;
use castnet_graph::grad::gradients;
use castnet_graph::graph::{Graph, Role, Value};
use castnet_graph::loops::Rounds;
use castnet_graph::net::Init;
use castnet_graph::ops;
use castnet_graph::program::{Access, Layout, Step};
use castnet_graph::reference::{Inputs, Tensor, evaluate_with_rounds};
use castnet_graph::size::Size;
use castnet_graph::types::{DType, Type};
use castnet_runtime::{Array, Device, Model, set_threads};
use reference::{distance, drawn, tensor};

/// Channels, rows and columns of every image: no two alike, but for rows and columns, which change places.
const IMAGE: [i64; 3] = [3, 4, 4];
const ROUNDS: i64 = 3;
/// Parameters of a round: a full and a depthwise convolution, each with a bias.
const SET: usize = 4;
/// The first parameter that is outside of all loops.
const OUTSIDE: usize = SET * ROUNDS as usize;
const NETS: u64 = 60;

/// Steele, Lea & Flood's SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

fn call(b: &mut Builder, name: &str, args: Vec<Arg>) -> Value {
    let given: Vec<Given> = args.into_iter().map(|value| Given { name: None, value, at: Loc::default() }).collect();
    match ops::call(b, name, Loc::default(), &given) {
        Ok(Arg::Tensor(value)) => value,
        other => panic!("{name}: {other:?} {:?}", b.diagnostics),
    }
}

fn t(value: Value) -> Arg {
    Arg::Tensor(value)
}

fn size(size: i64) -> Arg {
    Arg::Size(size.into())
}

fn sizes(shape: &[Size]) -> Arg {
    Arg::List(shape.iter().map(|s| Arg::Size(s.clone())).collect())
}

fn convolution(b: &mut Builder, x: Value, weight: usize, groups: i64) -> Value {
    let (weight, bias) = (b.parameter(weight), b.parameter(weight + 1));
    let y = call(b, "conv2d", vec![t(x), t(weight), t(bias), size(1), size(1), size(1), size(groups)]);
    call(b, "tanh", vec![t(y)])
}

/// A few steps from images to an image; `set`: the first of the parameters that may be read.
fn steps(b: &mut Builder, r: &mut Numbers, images: &[Value], set: usize) -> Value {
    let mut pool = images.to_vec();
    for _ in 0..2 + r.below(4) {
        let x = r.pick(&pool[pool.len().saturating_sub(3)..]);
        let y = match r.below(13) {
            0..=2 => convolution(b, x, set, 1),
            3 => convolution(b, x, set + 2, IMAGE[0]),
            4 | 5 => {
                let other = r.pick(&pool);
                let both = call(b, r.pick(&["add", "mul"]), vec![t(x), t(other)]);
                call(b, "sin", vec![t(both)])
            }
            6 => call(b, "avg_pool2d", vec![t(x), size(3), size(1), size(1)]),
            7 => call(b, "max_pool2d", vec![t(x), size(3), size(1), size(1)]),
            8 => call(b, "transpose", vec![t(x), size(2), size(3)]),
            9 => {
                // All numbers of an image as one row: row-major, whatever lay there.
                let shape = b.shape(x).to_vec();
                let row = call(b, "reshape", vec![t(x), sizes(&[shape[0].clone(), Size::product(&shape[1..])])]);
                let row = call(b, "softmax", vec![t(row), size(1)]);
                call(b, "reshape", vec![t(row), sizes(&shape)])
            }
            10 => {
                let mean = call(b, "mean", vec![t(x), sizes(&[0.into(), 2.into(), 3.into()]), Arg::Bool(true)]);
                call(b, "sub", vec![t(x), t(mean)])
            }
            11 => call(b, "dropout", vec![t(x), Arg::Float(0.3)]),
            _ => call(b, r.pick(&["sigmoid", "gelu"]), vec![t(x)]),
        };
        pool.push(y);
    }
    pool[pool.len() - 1]
}

/// A loop over an array of blocks, each perhaps with a loop over `x` in it, or a loop over `x`.
fn random_loop(b: &mut Builder, r: &mut Numbers, x: Value, states: &[Value]) -> Checked<Vec<Value>> {
    let (seed, inner) = (r.below(1 << 30) as u64, r.below(3) == 0);
    if r.below(3) == 0 {
        return scan(b, r, x, states, OUTSIDE);
    }
    let rounds = Rounds { count: ROUNDS, parameters: 0..SET, states: 0..0 };
    b.repeat(states, &[x, states[0]], rounds, |b, states, shared| {
        let mut r = Numbers(seed);
        let mut next: Vec<Value> = vec![];
        for _ in states {
            let seen = [states, &shared[1..], &next[..]].concat();
            next.push(steps(b, &mut r, &seen, 0));
        }
        if inner { scan(b, &mut r, shared[0], &next, OUTSIDE) } else { Ok(next) }
    })
}

fn scan(b: &mut Builder, r: &mut Numbers, x: Value, states: &[Value], set: usize) -> Checked<Vec<Value>> {
    let axis = b.shape(x).iter().position(|s| *s == Size::symbol("T")).unwrap();
    let (seed, reverse) = (r.below(1 << 30) as u64, r.below(2) == 0);
    let (last, outputs) = b.scan(&[x], states, &[states[0]], axis, reverse, |b, states, rows, shared| {
        let mut r = Numbers(seed);
        let mut next: Vec<Value> = vec![];
        for _ in states {
            let seen = [shared, rows, states, &next[..]].concat();
            next.push(steps(b, &mut r, &seen, set));
        }
        let output = steps(b, &mut r, &[rows, states, &next[..]].concat(), set);
        Ok((next.clone(), vec![output, states[0]]))
    })?;
    let mut out = last;
    for stack in outputs {
        let mean = call(b, "mean", vec![t(stack), size(axis as i64)]);
        out[0] = call(b, "add", vec![t(out[0]), t(mean)]);
    }
    Ok(out)
}

fn build(number: u64, parameters: &mut Parameters, training: bool) -> Graph {
    let mut r = Numbers(number);
    let mut b = Builder::new(format!("Images{number}.loss"), parameters, training);
    let (n, over) = (Size::symbol("N"), Size::symbol("T"));
    let image = IMAGE.map(Size::constant);
    let leading = if r.below(2) == 0 { [over, n.clone()] } else { [n.clone(), over] };
    let x = b.argument("x", Type::new(DType::F32, [&leading[..], &image].concat()));
    let first = b.argument("first", Type::new(DType::F32, [&[n][..], &image].concat()));
    let mut states = vec![if r.below(2) == 0 { first } else { convolution(&mut b, first, OUTSIDE, 1) }];
    if r.below(2) == 0 {
        states.push(b.full(0.25, first));
    }
    for _ in 0..1 + r.below(2) {
        states = random_loop(&mut b, &mut r, x, &states).unwrap_or_else(|_| panic!("{:?}", b.diagnostics));
    }
    let sum = states.into_iter().reduce(|x, y| call(&mut b, "add", vec![t(x), t(y)])).unwrap();
    let y = steps(&mut b, &mut r, &[sum], OUTSIDE);
    let loss = call(&mut b, "mean", vec![t(y)]);
    b.result(loss);
    b.graph
}

fn source(number: u64) -> Source {
    let mut parameters = Parameters::default();
    for i in 0..=ROUNDS {
        let mut declare = |name: &str, layout, shape: Vec<i64>| {
            parameters.list.push(Declared {
                name: format!("{i}.{name}").into(),
                layout,
                shape: Some((shape, Init::Uniform(0.4))),
                first_use: Loc::default(),
                options: Default::default(),
            })
        };
        let channels = IMAGE[0];
        declare("full.weight", Layout::Panels(vec![2, 3, 1]), vec![channels, channels, 3, 3]);
        declare("full.bias", Layout::Plain, vec![channels]);
        declare("depthwise.weight", Layout::Panels(vec![2, 3, 1]), vec![channels, 1, 3, 3]);
        declare("depthwise.bias", Layout::Plain, vec![channels]);
    }
    let (inference, training) = (build(number, &mut parameters, false), build(number, &mut parameters, true));
    let function = SourceFunction::new("loss", inference, Some(training));
    Source { name: format!("Images{number}"), parameters, functions: vec![function] }
}

/// Images that launches in loops load or store channels last.
fn channels_last(steps: &[Step], inside: bool, images: &dyn Fn(usize) -> usize) -> usize {
    let of = |step: &Step| match step {
        Step::Launch(launch) => {
            if inside {
                images(*launch)
            } else {
                0
            }
        }
        Step::Repeat { body, .. } => channels_last(body, true, images),
    };
    steps.iter().map(of).sum()
}

/// Compares a net with the reference; how often its loops load or store images channels last.
fn check(number: u64) -> usize {
    let source = source(number);
    let written = source.functions[0].training.clone().unwrap();
    let unfused = gradients(written.clone(), &|_| true).unwrap();
    let compiled = compile(source).unwrap_or_else(|e| panic!("net {number}: {e:?}\n{written}"));
    let report = compiled.reports.iter().find(|r| r.training).unwrap();
    let program = report.program.to_string();
    // Two of them, as each call draws other random numbers.
    // SAFETY: castnet's compiler made it.
    let mut twin = unsafe { Model::from_net(compiled.net.clone(), &Device::cpu(), 3 + number) }.unwrap();
    // SAFETY: castnet's compiler made it.
    let mut model = unsafe { Model::from_net(compiled.net, &Device::cpu(), 3 + number) }.unwrap();
    model.poison(true);
    let names: Vec<String> = model.parameters().map(|(name, _)| name.to_string()).collect();
    let parameters: Vec<Tensor> = names.iter().map(|name| tensor(&model.parameter(name).unwrap())).collect();
    for (n, rows) in [(1, 1), (3, 2), (2, 4)] {
        let mut r = Numbers(number * 100 + n as u64);
        let (mut arrays, mut arguments) = (vec![], vec![]);
        let sizes = |name: &str| if name == "T" { rows } else { n };
        for argument in &written.arguments {
            let shape: Vec<usize> = argument.ty.shape.iter().map(|s| s.eval(&sizes) as usize).collect();
            let data = (0..shape.iter().product()).map(|_| r.below(2000) as f32 / 1000.0 - 1.0).collect();
            arrays.push(Array::from_vec(&shape, data).unwrap());
            arguments.push(tensor(arrays.last().unwrap()));
        }
        let (seed, step) = (model.seed(), model.steps());
        let random = |stream: u32, index: u64| drawn(seed, step, stream, index);
        let inputs = |rounded| Inputs {
            arguments: &arguments,
            parameters: &parameters,
            states: &[],
            rounded,
            sizes: &sizes,
            random: &random,
        };
        let evaluate = |rounded| {
            let (mut results, rounds) = evaluate_with_rounds(&unfused, &inputs(rounded));
            let mut roles: Vec<Role> = unfused.outputs.iter().map(|o| o.role.clone()).collect();
            for (number, gradient) in rounds.gradients {
                roles.push(Role::Gradient(number));
                results.push(gradient);
            }
            (roles, results)
        };
        let ((roles, expected), (_, rounded)) = (evaluate(false), evaluate(true));
        let references: Vec<&Array> = arrays.iter().collect();
        let (results, found) = model.grad(0, &references).unwrap_or_else(|e| panic!("net {number}: {e}"));
        for ((role, expected), rounded) in roles.iter().zip(&expected).zip(&rounded) {
            let (what, found) = match role.gradient() {
                None => ("the loss", tensor(&results[0])),
                Some(i) => (&*names[i], tensor(&found.parameter(&names[i]).unwrap())),
            };
            let allowed = 2e-5 + 10.0 * distance(expected, rounded);
            let distance = distance(expected, &found);
            assert!(
                distance < allowed && allowed < 0.1,
                "net {number}, N = {n}, T = {rows}: {what} is off by {distance:.2e}, allowed {allowed:.2e}\nexpected {:?}\nfound    {:?}\n{written}\n{program}",
                &expected.data,
                &found.data,
            );
        }
        let bits = |gradients: &castnet_runtime::Gradients| -> Vec<u32> {
            let arrays = gradients.names().map(|name| gradients.parameter(name).unwrap());
            arrays.flat_map(|a| a.as_slice::<f32>().unwrap().iter().map(|x| x.to_bits()).collect::<Vec<_>>()).collect()
        };
        set_threads(1 + number as usize % 3);
        let (_, again) = twin.grad(0, &references).unwrap();
        let same = bits(&found) == bits(&again);
        assert!(same, "net {number}, N = {n}, T = {rows}: another number of threads gives other bits");
    }
    let program = &report.program;
    let is_last =
        |a: &&Access| a.dims.len() >= 4 && a.dims.ends_with(&[IMAGE[1], IMAGE[2], IMAGE[0]].map(Size::constant));
    let images = |launch: usize| {
        let launch = &program.launches[launch];
        launch.loads.iter().chain(&launch.stores).filter(is_last).count()
    };
    channels_last(&program.schedule, false, &images)
}

#[test]
fn random_loops_over_images_equal_the_unfused_graph_in_f64() {
    let mut last = 0;
    for number in 0..NETS {
        eprintln!("net {number}");
        last += check(number);
    }
    assert!(last > 10 * NETS as usize, "channels last: {last}");
}
