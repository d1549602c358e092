//! Random nets of this language's operators and layers.

mod numbers;

use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::call::{Arg, Given, Param};
use castnet_graph::compile::{Source, SourceFunction};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::Value;
use castnet_graph::layers::{self, Layer};
use castnet_graph::ops;
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};

pub use numbers::Numbers;

const SIZES: [i64; 10] = [1, 2, 3, 4, 5, 7, 8, 11, 32, 37];

fn given(value: Arg) -> Given {
    Given { name: None, value, at: Loc::default() }
}

fn int(value: i64) -> Arg {
    Arg::Size(value.into())
}

/// A builder that writes down what it builds, in the language.
struct Traced<'p> {
    b: Builder<'p>,
    /// A value, what makes it, and the values that this reads.
    lines: Vec<(Value, String, Vec<Value>)>,
}

fn call(b: &mut Traced, name: &str, args: Vec<Arg>) -> Option<Value> {
    let given: Vec<Given> = args.iter().cloned().map(given).collect();
    match ops::call(&mut b.b, name, Loc::default(), &given) {
        Ok(Arg::Tensor(value)) => {
            let texts: Vec<String> = args.iter().map(arg_text).collect();
            let mut reads = vec![];
            args.iter().for_each(|arg| tensors(arg, &mut reads));
            // A function may give back its operand (dropout outside training): then there is nothing to write down.
            if !args.contains(&Arg::Tensor(value)) {
                b.lines.push((value, format!("{name}({})", texts.join(", ")), reads));
            }
            Some(value)
        }
        _ => {
            b.b.diagnostics.clear();
            None
        }
    }
}

fn apply(b: &mut Traced, layer: &Layer, x: Value) -> Option<Value> {
    let y = layers::apply(&mut b.b, layer, Loc::default(), x).ok();
    b.b.diagnostics.clear();
    let y = y?;
    if y != x {
        b.lines.push((y, format!("{}(v{})", layer.name, x.0), vec![x]));
    }
    Some(y)
}

/// The tensors of an argument.
fn tensors(arg: &Arg, into: &mut Vec<Value>) {
    match arg {
        Arg::Tensor(value) => into.push(*value),
        Arg::List(list) => list.iter().for_each(|arg| tensors(arg, into)),
        _ => {}
    }
}

fn arg_text(arg: &Arg) -> String {
    match arg {
        Arg::Tensor(value) => format!("v{}", value.0),
        Arg::Size(size) => size.to_string(),
        Arg::Float(x) => format!("{x:?}"),
        Arg::Bool(x) => x.to_string(),
        Arg::DType(dtype) => dtype.to_string(),
        Arg::List(list) => format!("[{}]", list.iter().map(arg_text).collect::<Vec<_>>().join(", ")),
        _ => "None".into(),
    }
}

fn t(value: Value) -> Arg {
    Arg::Tensor(value)
}

/// A choice made once and followed in both modes of the function.
struct Plan {
    seed: u64,
    steps: usize,
    image: bool,
    /// Whether the first size is `2*N + 1` in place of `N`.
    affine: bool,
    sizes: [i64; 3],
    layers: Vec<Layer>,
    /// Whether there are other types than the net's, routines, and a second result of integers.
    mixes: bool,
}

/// A random net, compiled from its graph.
pub fn random_net(number: u64) -> Source {
    source(number, DType::F32, false)
}

/// A random net of a float type; if it `mixes`, with values of other types, routines and several results among what it is made of, and a
/// second result of integers.
#[allow(dead_code)] // Not every test that has these nets mixes types.
pub fn mixed_net(number: u64, float: DType, mixes: bool) -> Source {
    source(number, float, mixes)
}

fn source(number: u64, float: DType, mixes: bool) -> Source {
    let (mut plan, mut parameters) = plan(number);
    plan.mixes = mixes;
    parameters.float = float;
    let name = format!("Net{number}");
    let inference = build(&name, &plan, &mut parameters, false).b.graph;
    let training = build(&name, &plan, &mut parameters, true).b.graph;
    let function = SourceFunction::new("loss", inference, Some(training));
    Source { name, parameters, functions: vec![function] }
}

/// The same net in the language.
#[allow(dead_code)] // Not every test that has these nets writes them.
pub fn random_net_text(number: u64) -> String {
    let (plan, mut parameters) = plan(number);
    let traced = build("", &plan, &mut parameters, true);
    let graph = &traced.b.graph;
    let result = graph.outputs[0].value;
    let mut live = vec![result];
    let mut lines = vec![];
    for (value, text, reads) in traced.lines.iter().rev() {
        // A dropout whose result nobody reads still takes a stream of random numbers.
        let layer = plan.layers.iter().find(|l| text.starts_with(&format!("{}(", l.name)));
        let drops = text.starts_with("dropout") || layer.is_some_and(|l| l.kind.name == "Dropout");
        if live.contains(value) || drops {
            live.extend(reads);
            lines.push(format!("            let v{} = {text};", value.0));
        }
    }
    lines.reverse();
    let body = lines.join("\n");
    let mut text = format!("network! {{\n    pub net Net{number} {{\n");
    for layer in &plan.layers {
        if body.contains(&format!("{}(", layer.name)) {
            let named = |(i, p): (usize, &Param)| Some(format!("{} = {}", p.name, arg_text(layer.bound.arg(i)?)));
            let args: Vec<String> = layer.kind.signature.iter().enumerate().filter_map(named).collect();
            text += &format!("        {}: {}({});\n", layer.name, layer.kind.name, args.join(", "));
        }
    }
    let arguments: Vec<String> = graph.arguments.iter().map(|a| format!("{}: {}", a.name, a.ty)).collect();
    text += &format!("\n        pub train fn loss({}) -> f32 {{\n", arguments.join(", "));
    for (index, node) in graph.nodes.iter().enumerate() {
        if let castnet_graph::graph::Op::Input(i) = node.op {
            text += &format!("            let v{index} = {};\n", graph.arguments[i].name);
        }
    }
    text + &body + &format!("\n            v{}\n        }}\n    }}\n}}\n", result.0)
}

fn plan(number: u64) -> (Plan, Parameters) {
    let mut numbers = Numbers(number.wrapping_mul(0x1234_5678_9abc_def1) + 99);
    let mut parameters = Parameters::default();
    let mut plan = Plan {
        seed: numbers.next(),
        steps: 2 + numbers.below(29),
        image: numbers.below(2) == 0,
        affine: number % 5 == 3,
        sizes: [numbers.pick(&SIZES), numbers.pick(&SIZES), numbers.pick(&SIZES)],
        layers: vec![],
        mixes: false,
    };
    if plan.image {
        plan.sizes = [numbers.pick(&[1, 2, 3, 5]), numbers.pick(&[4, 5, 7, 8]), numbers.pick(&[4, 6, 7, 8])];
    }
    // More layers than are used: those left over have no shape and take no part.
    for i in 0..6 {
        let (kind, args) = match numbers.below(5) {
            0 | 1 => ("Linear", vec![given(int(numbers.pick(&SIZES)))]),
            2 | 3 => {
                let kernel = 1 + numbers.below(3) as i64;
                let args = [
                    int(numbers.pick(&[1, 2, 3, 5, 7, 8, 17])),
                    int(kernel),
                    int(1 + numbers.below(2) as i64),
                    int(numbers.below(2) as i64),
                    int(1 + numbers.below(2) as i64),
                ];
                let names = ["out_channels", "kernel_size", "stride", "padding", "dilation"];
                let named = |(name, value)| Given { name: Some((String::from(name), Loc::default())), ..given(value) };
                ("Conv2d", names.into_iter().zip(args).map(named).collect())
            }
            _ => ("Dropout", vec![given(Arg::Float(0.3))]),
        };
        let mut b = Builder::new("", &mut parameters, false);
        let layer = layers::declare(&mut b, &format!("layer{i}"), Loc::default(), kind, Loc::default(), &args);
        plan.layers.extend(layer);
    }
    (plan, parameters)
}

fn build<'p>(name: &str, plan: &Plan, parameters: &'p mut Parameters, training: bool) -> Traced<'p> {
    let mut b = Traced { b: Builder::new(format!("{name}.loss"), parameters, training), lines: vec![] };
    let mut numbers = Numbers(plan.seed);
    let [s0, s1, s2] = plan.sizes.map(Size::constant);
    let mut n = Size::symbol("N");
    if plan.affine {
        n = &(&n * &2.into()) + &1.into();
    }
    let shape = if plan.image { vec![n.clone(), s0, s1, s2] } else { vec![n.clone(), s0] };
    let float = b.b.float();
    let x = b.b.argument("x", Type::new(float, shape));
    let mut pool = vec![x];
    // A first layer, so that there is something to train; it fits or is refused.
    pool.extend(plan.layers.iter().find_map(|layer| apply(&mut b, layer, x)));
    for _ in 0..plan.steps {
        let x = numbers.pick(&pool[pool.len().saturating_sub(4)..]);
        if let Some(y) = step(&mut b, &mut numbers, plan, &pool, x) {
            // Keep values small in number and in size.
            let elements = b.b.ty(y).len().eval(&|_| 129);
            if elements <= 300 * 129 {
                pool.push(tame(&mut b, y));
            }
        }
    }
    let last = pool[pool.len() - 1];
    let loss = objective(&mut b, &mut numbers, last);
    b.b.result(loss);
    if plan.mixes {
        let whole = integers(&mut b, &mut Numbers(!plan.seed));
        b.b.result(whole);
    }
    b
}

/// What is made of integers of all 64 bits.
fn integers(b: &mut Traced, r: &mut Numbers) -> Value {
    const COLUMNS: i64 = 5;
    let whole = b.b.argument("whole", Type::new(DType::I64, vec![Size::symbol("N"), COLUMNS.into()]));
    let mut pool = vec![whole];
    for _ in 0..4 + r.below(12) {
        let (x, y) = (pool[pool.len() - 1], r.pick(&pool));
        let any = int(r.next() as i64);
        let made = match r.below(11) {
            0 | 1 => {
                call(b, r.pick(&["add", "sub", "mul", "bitwise_and", "bitwise_or", "bitwise_xor"]), vec![t(x), t(y)])
            }
            2 => call(b, r.pick(&["mul", "add", "sub", "maximum", "minimum", "bitwise_xor"]), vec![t(x), any]),
            3 => call(b, r.pick(&["bitwise_left_shift", "bitwise_right_shift"]), vec![t(x), int(r.below(64) as i64)]),
            4 => call(b, r.pick(&["floor_divide", "remainder"]), vec![t(x), int(1 + (r.next() >> 20) as i64)]),
            5 => call(b, "pow", vec![t(x), int(r.below(5) as i64)]),
            6 => call(b, r.pick(&["abs", "neg", "bitwise_not"]), vec![t(x)]),
            7 => {
                let condition = call(b, r.pick(&["lt", "le", "gt", "ge", "eq", "ne"]), vec![t(x), t(y)]);
                condition.and_then(|condition| call(b, "where_", vec![t(condition), t(x), t(y)]))
            }
            8 => {
                let narrow = r.pick(&[DType::I8, DType::U8, DType::I16, DType::I32, DType::U32]);
                let narrow = call(b, "cast", vec![t(x), Arg::DType(narrow)]);
                let squared = narrow.and_then(|x| call(b, "mul", vec![t(x), t(x)]));
                squared.and_then(|x| call(b, "cast", vec![t(x), Arg::DType(DType::I64)]))
            }
            9 => {
                let all = call(
                    b,
                    r.pick(&["sum", "prod", "amax", "amin", "reduce_xor"]),
                    vec![t(y), int(1), Arg::Bool(true)],
                );
                all.and_then(|all| call(b, "bitwise_xor", vec![t(x), t(all)]))
            }
            _ => match r.below(3) {
                0 => call(b, r.pick(&["cumsum", "cumprod", "flip"]), vec![t(x), int(1)]),
                1 => call(b, "argsort", vec![t(y), int(1)]).and_then(|y| call(b, "gather", vec![t(x), int(1), t(y)])),
                _ => {
                    let places = call(b, "remainder", vec![t(y), int(COLUMNS)]);
                    places.and_then(|places| call(b, "scatter_add", vec![t(x), int(1), t(places), t(y)]))
                }
            },
        };
        pool.push(made.unwrap_or_else(|| panic!("an operator of integers was refused")));
    }
    pool[pool.len() - 1]
}

/// Keeps magnitudes in a range where f32 and f64 can be compared.
fn tame(b: &mut Traced, y: Value) -> Value {
    let grows =
        matches!(b.b.graph.node(y).op, castnet_graph::graph::Op::Binary(_) | castnet_graph::graph::Op::Unary(_));
    if !grows || !b.b.graph.dtype(y).is_float() {
        return y;
    }
    let halved = call(b, "mul", vec![t(y), Arg::Float(0.5)]).unwrap_or(y);
    call(b, "sin", vec![t(halved)]).unwrap_or(y)
}

fn step(b: &mut Traced, r: &mut Numbers, plan: &Plan, pool: &[Value], x: Value) -> Option<Value> {
    let rank = b.b.rank(x);
    if plan.mixes && r.below(4) == 0 {
        return mixed(b, r, x);
    }
    match r.below(30) {
        0..=4 => {
            let layer = &plan.layers[r.below(plan.layers.len())];
            apply(b, layer, x)
        }
        5..=8 => {
            let name =
                r.pick(&["tanh", "sigmoid", "relu", "gelu", "silu", "abs", "exp", "erf", "cos", "neg", "square"]);
            call(b, name, vec![t(x)])
        }
        9 => {
            let square = call(b, "square", vec![t(x)])?;
            let positive = call(b, "add", vec![t(square), Arg::Float(0.5)])?;
            let name = r.pick(&["log", "sqrt", "rsqrt", "reciprocal"]);
            call(b, name, vec![t(positive)])
        }
        10..=12 => {
            let y = r.pick(pool);
            let name = r.pick(&["add", "sub", "mul", "maximum", "minimum"]);
            call(b, name, vec![t(x), t(y)])
        }
        13 => {
            let y = r.pick(pool);
            let comparison = r.pick(&["lt", "ge"]);
            let condition = call(b, comparison, vec![t(x), t(y)])?;
            call(b, "where_", vec![t(condition), t(x), Arg::Float(0.1)])
        }
        14 => call(b, "clamp", vec![t(x), Arg::Float(-0.6), Arg::Float(0.7)]),
        15..=16 if rank > 0 => {
            let name = r.pick(&["sum", "mean", "amax"]);
            let axis = r.below(rank) as i64;
            let reduced = call(b, name, vec![t(x), int(axis), Arg::Bool(true)])?;
            // Against the tensor itself: broadcast back.
            call(b, "sub", vec![t(x), t(reduced)])
        }
        17 if rank > 1 => {
            let name = r.pick(&["softmax", "log_softmax"]);
            call(b, name, vec![t(x), int(r.below(rank) as i64)])
        }
        18 if rank == 4 => {
            let name = r.pick(&["max_pool2d", "avg_pool2d"]);
            let (kernel, stride, padding) = r.pick(&[(2, 2, 0), (3, 2, 1), (2, 1, 0), (3, 1, 1)]);
            call(b, name, vec![t(x), int(kernel), int(stride), int(padding)])
        }
        19 if rank > 1 => call(b, "flatten", vec![t(x), int(1)]),
        20 if rank > 2 => {
            let order = if rank == 4 { vec![0, 3, 1, 2] } else { (0..rank as i64).rev().collect() };
            call(b, "permute", vec![t(x), Arg::List(order.into_iter().map(int).collect())])
        }
        21 if rank == 2 && b.b.shape(x)[1].as_const().is_some_and(|features| features <= 40) => {
            // A Gram matrix over the features.
            let transposed = call(b, "t", vec![t(x)])?;
            let gram = call(b, "matmul", vec![t(transposed), t(x)])?;
            let small = call(b, "mul", vec![t(gram), Arg::Float(0.05)])?;
            let bounded = call(b, "tanh", vec![t(small)])?;
            call(b, "matmul", vec![t(x), t(bounded)])
        }
        22 if rank > 1 => call(b, "unsqueeze", vec![t(x), int(1)]).filter(|_| rank < 4),
        23 => call(b, "dropout", vec![t(x), Arg::Float(0.25)]),
        24..=28 => moved(b, r, pool, x),
        _ => call(b, "tanh", vec![t(x)]),
    }
}

/// Through another type and back, or along rows.
fn mixed(b: &mut Traced, r: &mut Numbers, x: Value) -> Option<Value> {
    let (rank, float) = (b.b.rank(x), b.b.float());
    let cast = |b: &mut Traced, x: Value, to: DType| call(b, "cast", vec![t(x), Arg::DType(to)]);
    match r.below(6) {
        0 => {
            let through = r.pick(&[DType::F16, DType::BF16, DType::F64, DType::F32]);
            let other = cast(b, x, through)?;
            let bent = call(b, "sin", vec![t(other)])?;
            cast(b, bent, float)
        }
        1 => {
            // Far from where it would be another integer.
            let far = call(b, "mul", vec![t(x), Arg::Float(0.001)])?;
            let moved = call(b, "add", vec![t(far), Arg::Float(2.5)])?;
            let whole = cast(b, moved, r.pick(&[DType::I8, DType::U8, DType::I16, DType::I32, DType::I64]))?;
            let wrapped = call(b, "mul", vec![t(whole), int(1 + r.below(60) as i64)])?;
            let back = cast(b, wrapped, float)?;
            let small = call(b, "mul", vec![t(back), Arg::Float(0.01)])?;
            call(b, "mul", vec![t(x), t(small)])
        }
        2 | 3 if rank > 0 => {
            let sums = call(b, "cumsum", vec![t(x), int(r.below(rank) as i64)])?;
            let small = call(b, "mul", vec![t(sums), Arg::Float(0.1)])?;
            call(b, "tanh", vec![t(small)])
        }
        4 if rank > 0 => {
            // The largest of each row, and the row in order.
            let both = ops::call(&mut b.b, "sort", Loc::default(), &[given(t(x)), given(int(r.below(rank) as i64))]);
            let (Ok(Arg::List(both)), true) = (both, b.b.diagnostics.is_empty()) else { return None };
            let [Arg::Tensor(values), Arg::Tensor(places)] = both[..] else { return None };
            let places = cast(b, places, float)?;
            let small = call(b, "mul", vec![t(places), Arg::Float(0.01)])?;
            call(b, "add", vec![t(values), t(small)])
        }
        _ => call(b, "tanh", vec![t(x)]),
    }
}

/// Elements at other places: parts, joined, turned, padded, looked up.
fn moved(b: &mut Traced, r: &mut Numbers, pool: &[Value], x: Value) -> Option<Value> {
    let shape = b.b.shape(x);
    let known: Vec<usize> = (0..shape.len()).filter(|axis| shape[*axis].as_const().is_some_and(|s| s > 1)).collect();
    let axis = if known.is_empty() { return None } else { r.pick(&known) };
    let size = shape[axis].as_const()?;
    let dim = int(axis as i64);
    match r.below(7) {
        0 => {
            let start = r.below(size as usize) as i64;
            let length = 1 + r.below((size - start) as usize) as i64;
            call(b, "narrow", vec![t(x), dim, int(start), int(length)])
        }
        1 => {
            let part = call(b, "select", vec![t(x), dim, int(r.below(size as usize) as i64)])?;
            call(b, "unsqueeze", vec![t(part), int(axis as i64)])
        }
        2 => {
            // With another value, if one fits, else with what it is turned around.
            let y = r.pick(pool);
            call(b, "cat", vec![Arg::List(vec![t(x), t(y)]), dim.clone()]).or_else(|| {
                let y = call(b, "flip", vec![t(x), dim.clone()])?;
                call(b, "cat", vec![Arg::List(vec![t(x), t(y)]), dim])
            })
        }
        3 => call(b, "roll", vec![t(x), int(r.below(5) as i64 - 2), dim]),
        4 if axis + 1 == shape.len() => {
            let borders = [r.below(4) as i64 - 1, r.below(4) as i64 - 1].map(int);
            call(b, "pad", vec![t(x), Arg::List(borders.to_vec())])
        }
        lookup => {
            // Places that no decision depends on: 0, 3, 6, … around the end.
            let places = call(b, "arange", vec![int(1 + r.below(5) as i64)])?;
            let far = call(b, "mul", vec![t(places), int(3)])?;
            let index = call(b, "remainder", vec![t(far), int(size)])?;
            if lookup == 5 || shape.len() != 2 || axis != 1 {
                return call(b, "index_select", vec![t(x), dim, t(index)]);
            }
            let sizes = vec![Arg::Size(shape[0].clone()), int(-1)];
            let index = call(b, "expand", vec![t(index), Arg::List(sizes)])?;
            call(b, "gather", vec![t(x), dim, t(index)])
        }
    }
}

fn objective(b: &mut Traced, r: &mut Numbers, x: Value) -> Value {
    let plain = |b: &mut Traced| call(b, "mean", vec![t(x)]).unwrap_or(x);
    let shape = b.b.shape(x);
    let classes = shape.get(1).and_then(|s| s.as_const()).unwrap_or(0);
    match r.below(4) {
        0 | 1 if classes >= 3 => {
            let mut rows = shape.clone();
            rows.remove(1);
            let target = b.b.argument("target", Type::new(DType::U8, rows));
            call(b, "cross_entropy", vec![t(x), t(target)]).unwrap_or_else(|| plain(b))
        }
        2 => {
            let float = b.b.float();
            let target = b.b.argument("target", Type::new(float, shape));
            call(b, "mse_loss", vec![t(x), t(target)]).unwrap_or_else(|| plain(b))
        }
        _ => {
            let bent = call(b, "sin", vec![t(x)]).unwrap_or(x);
            call(b, "mean", vec![t(bent)]).unwrap_or(bent)
        }
    }
}
