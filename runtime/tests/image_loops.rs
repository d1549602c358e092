//! Random nets whose loops carry images, compiled and run by the table's interpreter, against the unfused graph in f64; and the same bits on
//! any number of threads. What convolutions leave lies channels last, what is reshaped row-major: states, stacks and what rounds share meet
//! both.

#[path = "nets/loops.rs"]
mod loops;

use castnet_graph::builder::{Builder, Checked, Declared, Parameters};
use castnet_graph::call::Arg;
use castnet_graph::compile::{Source, SourceFunction};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::{Graph, Value};
use castnet_graph::loops::Rounds;
use castnet_program::net::Init;
use castnet_program::program::{Access, Task, TaskKind};
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use loops::{Compared, Numbers, call, compare, list, t};

/// Channels, rows and columns of every image: no two alike, but for rows and columns, which change places.
const IMAGE: [i64; 3] = [3, 4, 4];
const ROUNDS: i64 = 3;
/// Parameters of a round: a full and a depthwise convolution, each with a bias.
const SET: usize = 4;
/// The first parameter that is outside of all loops.
const OUTSIDE: usize = SET * ROUNDS as usize;
const NETS: u64 = 60;

fn size(size: i64) -> Arg {
    Arg::Size(size.into())
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
                let row = call(b, "reshape", vec![t(x), list(&[shape[0].clone(), Size::product(&shape[1..])])]);
                let row = call(b, "softmax", vec![t(row), size(1)]);
                call(b, "reshape", vec![t(row), list(&shape)])
            }
            10 => {
                let mean = call(b, "mean", vec![t(x), list(&[0.into(), 2.into(), 3.into()]), Arg::Bool(true)]);
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
        let mut declare = |name: &str, shape: Vec<i64>| {
            parameters.list.push(Declared {
                name: format!("{i}.{name}").into(),
                shape: Some((shape, Init::Uniform(0.4))),
                first_use: Loc::default(),
                options: Default::default(),
            })
        };
        let channels = IMAGE[0];
        declare("full.weight", vec![channels, channels, 3, 3]);
        declare("full.bias", vec![channels]);
        declare("depthwise.weight", vec![channels, 1, 3, 3]);
        declare("depthwise.bias", vec![channels]);
    }
    let (inference, training) = (build(number, &mut parameters, false), build(number, &mut parameters, true));
    let function = SourceFunction::new("loss", inference, Some(training));
    Source { name: format!("Images{number}"), parameters, functions: vec![function] }
}

/// Images that launches in loops load or store channels last.
fn channels_last(steps: &[Task], inside: bool, images: &dyn Fn(usize) -> usize) -> usize {
    let of = |step: &Task| match &step.kind {
        TaskKind::Launch(launch) => {
            if inside {
                images(*launch)
            } else {
                0
            }
        }
        TaskKind::Loop { body, .. } => channels_last(body, true, images),
        TaskKind::Ending(_) => 0,
    };
    steps.iter().map(of).sum()
}

/// Compares a net with the reference; how often its loops load or store images channels last.
fn check(number: u64) -> usize {
    let Compared { compiled, chaotic } = compare(number, source(number), &[(1, 1), (3, 2), (2, 4)], 1);
    assert_eq!(chaotic, 0, "net {number}: values that f32 can't tell");
    let report = compiled.reports.iter().find(|r| r.training).unwrap();
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
