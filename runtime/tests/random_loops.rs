//! Random nets with loops (over arrays of blocks, over run-time axes, in one another), compiled and run by the table's interpreter, against
//! the unfused graph in f64; and the same bits on any number of threads. Every kind of launch is among them, counted in forward and
//! backward loops.

#[path = "nets/families.rs"]
mod families;
#[path = "nets/loops.rs"]
mod loops;

use castnet_graph::builder::{Builder, Checked, Declared, Parameters};
use castnet_graph::call::Arg;
use castnet_graph::compile::{Source, SourceFunction};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::{Graph, Value};
use castnet_graph::loops::Rounds;
use castnet_program::net::Init;
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use families::{Counts, in_loops};
use loops::{Compared, Numbers, call, compare, list, t};

/// Features of every row.
const WIDTH: i64 = 24;
/// A row as channels, lines and columns.
const IMAGE: [i64; 3] = [4, 3, 2];
/// Rows of a table.
const TABLE: i64 = 5;
/// Rounds of the loops with parameters; each has a set of its own.
const ROUNDS: i64 = 3;
/// Parameters of a set: of `linear`, a table, and of convolutions as [`CONVS`] says.
const SET: usize = 3 + CONVS.len();
/// Output channels, channels of a group, stride: what gives as many features as it takes.
const CONVS: [(i64, i64, i64); 4] = [(4, 4, 1), (4, 2, 1), (4, 1, 1), (12, 4, 2)];
/// The first parameter of the set that is outside of all loops.
const OUTSIDE: usize = SET * ROUNDS as usize;
/// Nets, and how many launches of each kind must be in their loops.
const NETS: u64 = 100;
const LEAST: usize = 10;
/// Another one: the loop that makes its states again was once made again itself, without end.
const REPLAYED: u64 = 210;

fn rounds(count: i64, parameters: std::ops::Range<usize>) -> Rounds {
    Rounds { count, parameters, states: 0..0 }
}

/// A convolution of the rows as images, by one of the parameters of a set.
fn convolution(b: &mut Builder, r: &mut Numbers, x: Value, set: usize) -> Value {
    let number = r.below(CONVS.len());
    let (_, channels, stride) = CONVS[number];
    let shape = b.shape(x);
    let image = [&shape[..1], &IMAGE.map(Size::constant)].concat();
    let image = call(b, "reshape", vec![t(x), list(&image)]);
    let weight = b.parameter(set + 3 + number);
    let sizes = [stride, 1, 1, IMAGE[0] / channels].map(|size| Arg::Size(size.into()));
    let y = call(b, "conv2d", [vec![t(image), t(weight), Arg::None], sizes.to_vec()].concat());
    let y = call(b, "reshape", vec![t(y), list(&shape)]);
    call(b, "tanh", vec![t(y)])
}

/// Features at other places, by an index that all rows share or one for each row.
fn looked_up(b: &mut Builder, r: &mut Numbers, x: Value) -> Value {
    let places = call(b, "arange", vec![Arg::Size(WIDTH.into())]);
    let far = call(b, "mul", vec![t(places), Arg::Size((2 + r.below(8) as i64).into())]);
    let index = call(b, "remainder", vec![t(far), Arg::Size(WIDTH.into())]);
    if r.below(2) == 0 {
        return call(b, "index_select", vec![t(x), Arg::Size(1.into()), t(index)]);
    }
    let shape = b.shape(x);
    let index = call(b, "expand", vec![t(index), list(&shape)]);
    call(b, "gather", vec![t(x), Arg::Size(1.into()), t(index)])
}

/// Each row becomes a mean of the rows that are like it.
fn attention(b: &mut Builder, x: Value) -> Value {
    let turned = call(b, "t", vec![t(x)]);
    let scores = call(b, "matmul", vec![t(x), t(turned)]);
    let weights = call(b, "softmax", vec![t(scores), Arg::Size((-1).into())]);
    call(b, "matmul", vec![t(weights), t(x)])
}

/// A few steps from values of one shape to another one; `sets`: the first parameters of sets that may be read, `token`: an index for each
/// row.
fn steps(b: &mut Builder, r: &mut Numbers, values: &[Value], token: Value, sets: &[usize]) -> Value {
    let mut pool = values.to_vec();
    for _ in 0..2 + r.below(5) {
        let x = r.pick(&pool[pool.len().saturating_sub(3)..]);
        let y = match r.below(17) {
            0..=2 if !sets.is_empty() => {
                let number = r.pick(sets);
                let (weight, bias) = (b.parameter(number), b.parameter(number + 1));
                let y = call(b, "linear", vec![t(x), t(weight), t(bias)]);
                call(b, "tanh", vec![t(y)])
            }
            3 => {
                let other = r.pick(&pool);
                let sum = call(b, "add", vec![t(x), t(other)]);
                call(b, "sin", vec![t(sum)])
            }
            4 => {
                let other = r.pick(&pool);
                let product = call(b, "mul", vec![t(x), t(other)]);
                call(b, "sin", vec![t(product)])
            }
            5 => {
                let axis = r.below(2) as i64;
                let mean = call(b, "mean", vec![t(x), Arg::Size(axis.into()), Arg::Bool(true)]);
                call(b, "sub", vec![t(x), t(mean)])
            }
            15 if !sets.is_empty() => {
                // The sums of the columns are of use only once they are whole.
                let mean = call(b, "mean", vec![t(x), Arg::Size(0.into()), Arg::Bool(true)]);
                let weight = b.parameter(r.pick(sets));
                let common = call(b, "linear", vec![t(mean), t(weight)]);
                let sum = call(b, "add", vec![t(x), t(common)]);
                call(b, "sin", vec![t(sum)])
            }
            6 => call(b, "dropout", vec![t(x), Arg::Float(0.3)]),
            7 => call(b, "softmax", vec![t(x), Arg::Size((-1).into())]),
            8..=10 if !sets.is_empty() => {
                let set = r.pick(sets);
                convolution(b, r, x, set)
            }
            11 | 12 if !sets.is_empty() => {
                let table = b.parameter(r.pick(sets) + 2);
                let rows = call(b, "embedding", vec![t(token), t(table)]);
                let sum = call(b, "add", vec![t(x), t(rows)]);
                call(b, "sin", vec![t(sum)])
            }
            13 => looked_up(b, r, x),
            14 => attention(b, x),
            _ => {
                let name = r.pick(&["tanh", "sigmoid", "cos", "gelu"]);
                call(b, name, vec![t(x)])
            }
        };
        pool.push(y);
    }
    pool[pool.len() - 1]
}

/// What loops see from outside: what scans run over, an index for each of its rows, and for each row of a state.
#[derive(Clone, Copy)]
struct Seen {
    x: Value,
    tokens: Value,
    token: Value,
}

/// A loop over values `[N, WIDTH]`, of a random kind.
fn random_loop(b: &mut Builder, r: &mut Numbers, seen: Seen, states: &[Value], depth: usize) -> Checked<Vec<Value>> {
    let outside = [OUTSIDE];
    let seed = r.below(1 << 30) as u64;
    match r.below(if depth == 0 { 3 } else { 1 }) {
        // An array of blocks, perhaps with a loop over `x` in each.
        0 | 1 => {
            let sets = if depth == 0 { vec![0, OUTSIDE] } else { vec![OUTSIDE] };
            let set = if depth == 0 { SET } else { 0 };
            let Seen { x, tokens, token } = seen;
            b.repeat(states, &[x, tokens, token, states[0]], rounds(ROUNDS, 0..set), |b, states, shared| {
                let mut r = Numbers(seed);
                let mut next: Vec<Value> = vec![];
                for i in 0..states.len() {
                    let values = [states, &shared[3..], &next[..]].concat();
                    let y = steps(b, &mut r, &values, shared[2], &sets);
                    next.push(if i == 1 && r.below(3) == 0 { states[0] } else { y });
                }
                match depth == 0 && r.below(2) == 0 {
                    true => {
                        let seen = Seen { x: shared[0], tokens: shared[1], token: shared[2] };
                        scan(b, &mut r, seen, &next, &outside, depth + 1)
                    }
                    false => Ok(next),
                }
            })
        }
        _ => scan(b, r, seen, states, &outside, depth),
    }
}

fn scan(
    b: &mut Builder,
    r: &mut Numbers,
    seen: Seen,
    states: &[Value],
    sets: &[usize],
    depth: usize,
) -> Checked<Vec<Value>> {
    let Seen { x, tokens, .. } = seen;
    let axis = b.shape(x).iter().position(|s| *s == Size::symbol("T")).unwrap();
    let (seed, reverse) = (r.below(1 << 30) as u64, r.below(2) == 0);
    let (last, outputs) = b.scan(&[x, tokens], states, &[states[0]], axis, reverse, |b, states, rows, shared| {
        let mut r = Numbers(seed);
        let (rows, token) = (&rows[..1], rows[1]);
        let mut next: Vec<Value> = vec![];
        for _ in states {
            let values = [shared, rows, states, &next[..]].concat();
            next.push(steps(b, &mut r, &values, token, sets));
        }
        if depth == 0 && r.below(3) == 0 {
            next = b.repeat(&next, &[rows[0], token], rounds(2, 0..0), |b, states, shared| {
                let values = [states, &shared[..1]].concat();
                let y = steps(b, &mut r, &values, shared[1], sets);
                Ok([&[y][..], &states[1..]].concat())
            })?;
        }
        let outputs = [rows, states, &next[..]].concat();
        let output = steps(b, &mut Numbers(seed + 1), &outputs, token, sets);
        Ok((next.clone(), vec![output, next[0], states[0]]))
    })?;
    let mut out = last;
    // The stacks come together over the axis that was run over.
    let parts = outputs.iter().map(|stack| call(b, "mean", vec![t(*stack), Arg::Size((axis as i64).into())]));
    let parts: Vec<Value> = parts.collect();
    for (i, part) in parts.into_iter().enumerate() {
        let at = i % out.len();
        out[at] = call(b, "add", vec![t(out[at]), t(part)]);
    }
    Ok(out)
}

fn build(number: u64, parameters: &mut Parameters, training: bool) -> Graph {
    let mut r = Numbers(number);
    let mut b = Builder::new(format!("Loops{number}.loss"), parameters, training);
    let (n, over, width) = (Size::symbol("N"), Size::symbol("T"), Size::constant(WIDTH));
    let shape = if r.below(2) == 0 { [over, n.clone(), width.clone()] } else { [n.clone(), over, width.clone()] };
    let x = b.argument("x", Type::new(DType::F32, shape.to_vec()));
    let tokens = b.argument("tokens", Type::new(DType::U8, shape[..2].to_vec()));
    let token = b.argument("token", Type::new(DType::U8, vec![n.clone()]));
    let seen = Seen { x, tokens, token };
    let first = b.argument("first", Type::new(DType::F32, vec![n, width]));
    let zero = b.full(0.25, first);
    let mut states = vec![first];
    if r.below(2) == 0 {
        states.push(zero);
    }
    for _ in 0..1 + r.below(2) {
        states = random_loop(&mut b, &mut r, seen, &states, 0).unwrap_or_else(|_| panic!("{:?}", b.diagnostics));
    }
    let sum = states.into_iter().reduce(|x, y| call(&mut b, "add", vec![t(x), t(y)])).unwrap();
    let (weight, bias) = (b.parameter(OUTSIDE), b.parameter(OUTSIDE + 1));
    let y = call(&mut b, "linear", vec![t(sum), t(weight), t(bias)]);
    let y = call(&mut b, "sin", vec![t(y)]);
    let loss = call(&mut b, "mean", vec![t(y)]);
    b.result(loss);
    b.graph
}

fn source(number: u64) -> Source {
    let mut parameters = Parameters::default();
    for i in 0..=ROUNDS {
        let bound = Init::Uniform(0.2);
        let declared = |name: &str, shape: Vec<i64>| Declared {
            name: format!("{i}.{name}").into(),
            shape: Some((shape, bound)),
            first_use: Loc::default(),
            options: Default::default(),
        };
        parameters.list.push(declared("weight", vec![WIDTH, WIDTH]));
        parameters.list.push(declared("bias", vec![WIDTH]));
        parameters.list.push(declared("table", vec![TABLE, WIDTH]));
        for (number, (out, channels, _)) in CONVS.iter().enumerate() {
            let name = format!("conv{number}");
            parameters.list.push(declared(&name, vec![*out, *channels, 3, 3]));
        }
    }
    let (inference, training) = (build(number, &mut parameters, false), build(number, &mut parameters, true));
    let function = SourceFunction::new("loss", inference, Some(training));
    Source { name: format!("Loops{number}"), parameters, functions: vec![function] }
}

/// Compares a net with the reference. Returns the kinds of launches in loops, of the forward pass and of the backward pass, and the number of
/// values that f32 can't tell.
fn check(number: u64) -> ([Counts; 2], usize) {
    let Compared { compiled, chaotic } =
        compare(number, source(number), &[(1, 1), (3, 2), (2, 16), (5, 17)], TABLE as usize);
    let function = &compiled.net.cpu()[0];
    let forward = in_loops(&function.inference);
    let mut backward = in_loops(function.training.as_ref().unwrap());
    backward.iter_mut().for_each(|(kind, n)| *n = n.saturating_sub(*forward.get(kind).unwrap_or(&0)));
    ([forward, backward], chaotic)
}

/// Kinds of launches of the forward pass.
const FORWARD: [&str; 10] = [
    "flat",
    "row",
    "column",
    "matmul",
    "matmul by panels",
    "dense conv2d",
    "grouped conv2d",
    "depthwise conv2d",
    "strided dense conv2d",
    "gather",
];

/// Kinds of launches of the backward pass.
const BACKWARD: [&str; 16] = [
    "flat",
    "row",
    "column",
    "scatter",
    "matmul",
    "matmul by transposed panels",
    "dense input gradient",
    "grouped input gradient",
    "depthwise input gradient",
    "strided dense input gradient",
    "dense weight gradient",
    "grouped weight gradient",
    "depthwise weight gradient",
    "strided dense weight gradient",
    "gather",
    "random",
];

#[test]
fn random_loops_equal_the_unfused_graph_in_f64() {
    let mut found = [Counts::new(), Counts::new()];
    let mut chaotic = 0;
    for number in (0..NETS).chain([REPLAYED]) {
        eprintln!("net {number}");
        let (counts, untold) = check(number);
        chaotic += untold;
        for (all, one) in found.iter_mut().zip(counts) {
            one.into_iter().for_each(|(kind, n)| *all.entry(kind).or_default() += n);
        }
    }
    assert!(chaotic < NETS as usize, "f32 can't tell {chaotic} values of {NETS} nets at four sizes");
    for (found, (pass, kinds)) in found.iter().zip([("forward", &FORWARD[..]), ("backward", &BACKWARD[..])]) {
        let few: Vec<_> = kinds.iter().filter(|kind| found.get(**kind).is_none_or(|n| *n < LEAST)).collect();
        assert!(few.is_empty(), "too few launches of the kinds {few:?} in {pass} loops: {found:?}");
    }
}
