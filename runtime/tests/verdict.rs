//! Tables looked up at places that are parts of arguments, or are masked, held, shifted, counted: generated nets whose right answer is
//! computed here in plain Rust. A place that names no row is an error that tells where it stands, on any number of threads, and leaves
//! parameters, states, optimizers, gradients and counters as they were.

use std::sync::Mutex;

use castnet_graph::builder::{Builder, Declared, DeclaredState, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::{Graph, Value};
use castnet_graph::ops::{self, IndexItem, index};
use castnet_program::net::Init;
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use castnet_runtime::{Adam, Array, Device, Model, Optimizer, Sgd, set_threads};
use nets::Numbers;

#[allow(dead_code)]
mod nets;

/// Held while the number of threads, which is the process's, matters.
static THREADS: Mutex<()> = Mutex::new(());

fn int(value: i64) -> Arg {
    Arg::Size(value.into())
}

fn t(value: Value) -> Arg {
    Arg::Tensor(value)
}

fn op(b: &mut Builder, name: &str, args: &[Arg]) -> Value {
    let given: Vec<Given> = args.iter().map(|a| Given { name: None, value: a.clone(), at: Loc::default() }).collect();
    match ops::call(b, name, Loc::default(), &given) {
        Ok(Arg::Tensor(value)) => value,
        other => panic!("{name}: {other:?} {:?}", b.diagnostics),
    }
}

/// Places in a table, made of arguments `i, j: i64[N, T]`, `k: u8[N, T]` and `m: bool[N, T]`.
#[derive(Clone, Debug)]
enum Places {
    I,
    J,
    K,
    /// `0, 1, ..` along T.
    Count,
    Add(Box<Places>, i64),
    Times(Box<Places>, i64),
    Less(Box<Places>, Box<Places>),
    Clamp(Box<Places>, i64, i64),
    Rem(Box<Places>, i64),
    /// Where `m` is false, a number.
    Masked(Box<Places>, i64),
    /// Where it is negative, a number.
    Filled(Box<Places>, i64),
    /// `x < c`, as a number.
    Below(Box<Places>, i64),
}

impl Places {
    fn draw(r: &mut Numbers, depth: usize) -> Places {
        if depth == 0 {
            return match r.below(6) {
                0..3 => Places::I,
                3 => Places::J,
                4 => Places::K,
                _ => Places::Count,
            };
        }
        let inner = Box::new(Places::draw(r, depth - 1));
        match r.below(9) {
            0 => Places::Add(inner, r.below(7) as i64 - 3),
            1 => Places::Times(inner, r.below(4) as i64 - 1),
            2 => Places::Less(inner, Box::new(Places::draw(r, depth - 1))),
            3 => {
                let low = r.below(5) as i64 - 3;
                Places::Clamp(inner, low, low + r.below(6) as i64)
            }
            4 => Places::Rem(inner, 1 + r.below(7) as i64),
            5 => Places::Masked(inner, r.below(5) as i64),
            6 => Places::Filled(inner, r.below(5) as i64),
            7 => Places::Below(inner, r.below(5) as i64),
            _ => Places::Add(inner, 1),
        }
    }

    fn build(&self, b: &mut Builder, arguments: &[Value]) -> Value {
        let of = |b: &mut Builder, inner: &Places| inner.build(b, arguments);
        match self {
            Places::I => arguments[0],
            Places::J => arguments[1],
            Places::K => op(b, "cast", &[t(arguments[2]), Arg::DType(DType::I64)]),
            Places::Count => {
                let count = op(b, "arange", &[Arg::Size(Size::symbol("T"))]);
                let shape = b.shape(arguments[0]);
                b.broadcast_to(count, &shape)
            }
            Places::Add(x, c) => {
                let x = of(b, x);
                op(b, "add", &[t(x), int(*c)])
            }
            Places::Times(x, c) => {
                let x = of(b, x);
                op(b, "mul", &[t(x), int(*c)])
            }
            Places::Less(x, y) => {
                let (x, y) = (of(b, x), of(b, y));
                op(b, "sub", &[t(x), t(y)])
            }
            Places::Clamp(x, low, high) => {
                let x = of(b, x);
                op(b, "clamp", &[t(x), int(*low), int(*high)])
            }
            Places::Rem(x, c) => {
                let x = of(b, x);
                op(b, "remainder", &[t(x), int(*c)])
            }
            Places::Masked(x, c) => {
                let x = of(b, x);
                op(b, "where_", &[t(arguments[3]), t(x), int(*c)])
            }
            Places::Filled(x, c) => {
                let x = of(b, x);
                let there = op(b, "ge", &[t(x), int(0)]);
                op(b, "where_", &[t(there), t(x), int(*c)])
            }
            Places::Below(x, c) => {
                let x = of(b, x);
                let below = op(b, "lt", &[t(x), int(*c)]);
                op(b, "cast", &[t(below), Arg::DType(DType::I64)])
            }
        }
    }

    /// At one element: row `n`, column `c`.
    fn at(&self, data: &Data, n: usize, c: usize) -> i64 {
        let element = n * data.columns + c;
        let of = |inner: &Places| inner.at(data, n, c);
        match self {
            Places::I => data.i[element],
            Places::J => data.j[element],
            Places::K => data.k[element].into(),
            Places::Count => c as i64,
            Places::Add(x, by) => of(x) + by,
            Places::Times(x, by) => of(x) * by,
            Places::Less(x, y) => of(x) - of(y),
            Places::Clamp(x, low, high) => of(x).clamp(*low, *high),
            Places::Rem(x, by) => of(x).rem_euclid(*by),
            Places::Masked(x, other) => {
                if data.m[element] {
                    of(x)
                } else {
                    *other
                }
            }
            Places::Filled(x, other) => {
                if of(x) >= 0 {
                    of(x)
                } else {
                    *other
                }
            }
            Places::Below(x, limit) => i64::from(of(x) < *limit),
        }
    }
}

struct Data {
    columns: usize,
    i: Vec<i64>,
    j: Vec<i64>,
    k: Vec<u8>,
    m: Vec<bool>,
}

impl Data {
    /// Numbers that often name rows of a table of 6; `wild`: often not.
    fn draw(r: &mut Numbers, rows: usize, columns: usize, wild: bool) -> Data {
        let len = rows * columns;
        let mut number = |low: i64, count: usize| low + r.below(count) as i64;
        let (low, count) = if wild { (-3, 12) } else { (0, 4) };
        Data {
            columns,
            i: (0..len).map(|_| number(low, count)).collect(),
            j: (0..len).map(|_| number(0, 3)).collect(),
            k: (0..len).map(|_| number(0, if wild { 9 } else { 4 }) as u8).collect(),
            m: (0..len).map(|_| number(0, 2) == 0).collect(),
        }
    }

    fn arrays(&self) -> Vec<Array> {
        let shape = [self.i.len() / self.columns, self.columns];
        vec![
            Array::from_slice(&shape, &self.i).unwrap(),
            Array::from_slice(&shape, &self.j).unwrap(),
            Array::from_slice(&shape, &self.k).unwrap(),
            Array::from_slice(&shape, &self.m).unwrap(),
        ]
    }
}

const ROWS: i64 = 6;

/// `table` has ROWS rows of 3, `weight` is [3, 2]; the loss is the mean of (table[places] · weight)². The state counts calls.
struct Case {
    places: Places,
    /// Columns that are looked up, from this one on.
    part: Option<i64>,
}

fn parameters() -> Parameters {
    let declared = |name: &str, shape: &[i64]| Declared {
        shape: Some((shape.to_vec(), Init::Uniform(1.0))),
        ..Declared::new(name)
    };
    let state =
        DeclaredState { name: "calls".into(), ty: Some(Type::new(DType::F32, vec![])), init: Init::Constant(0.0) };
    Parameters {
        list: vec![declared("table", &[ROWS, 3]), declared("weight", &[3, 2])],
        states: vec![state],
        ..Parameters::default()
    }
}

/// The loss of rows, and one call more.
fn finish(b: &mut Builder, rows: Value) {
    let weight = b.parameter(1);
    let product = op(b, "matmul", &[t(rows), t(weight)]);
    let square = op(b, "square", &[t(product)]);
    let loss = op(b, "mean", &[t(square)]);
    b.result(loss);
    let calls = b.state(0);
    let more = op(b, "add", &[t(calls), int(1)]);
    b.set_state(0, more).unwrap();
}

impl Case {
    fn graph(&self, parameters: &mut Parameters, training: bool) -> Result<Graph, String> {
        let mut b = Builder::new("Net.loss", parameters, training);
        let names = [("i", DType::I64), ("j", DType::I64), ("k", DType::U8), ("m", DType::Bool)];
        let shape = || vec![Size::symbol("N"), Size::symbol("T")];
        let arguments: Vec<Value> =
            names.iter().map(|(name, dtype)| b.argument(name, Type::new(*dtype, shape()))).collect();
        let mut places = self.places.build(&mut b, &arguments);
        if let Some(from) = self.part {
            let items = [IndexItem::All, IndexItem::Range(Some(from.into()), None)];
            places = index(&mut b, Loc::default(), places, &items).unwrap();
        }
        let table = b.parameter(0);
        let given = [t(places), t(table)].map(|value| Given { name: None, value, at: Loc::default() });
        match ops::call(&mut b, "embedding", Loc::default(), &given) {
            Ok(Arg::Tensor(rows)) => finish(&mut b, rows),
            _ => return Err(b.diagnostics[0].to_string()),
        }
        Ok(b.graph)
    }

    fn net(&self) -> Result<castnet_program::net::Net, String> {
        let mut parameters = parameters();
        let (inference, training) = (self.graph(&mut parameters, false)?, self.graph(&mut parameters, true)?);
        let functions = vec![SourceFunction::new("loss", inference, Some(training))];
        Ok(compile(Source { name: "Net".into(), parameters, functions }).unwrap_or_else(|e| panic!("{e:?}")).net)
    }

    /// The places, or the first that is none: its index and its value.
    fn looked_up(&self, data: &Data) -> Result<Vec<usize>, ([usize; 2], i64)> {
        let first = self.part.unwrap_or(0) as usize;
        let mut all = vec![];
        for n in 0..data.i.len() / data.columns {
            for c in first..data.columns {
                match self.places.at(data, n, c) {
                    place @ 0..ROWS => all.push(place as usize),
                    place => return Err(([n, c - first], place)),
                }
            }
        }
        Ok(all)
    }
}

fn modelled(net: castnet_program::net::Net) -> Model {
    Model::from_net(net, &Device::cpu(), 3).unwrap()
}

/// All that a call must leave alone.
fn stands(model: &Model) -> (Vec<u32>, u64) {
    let values = ["table", "weight"].map(|name| model.parameter(name).unwrap());
    let state = model.state("calls").unwrap().unwrap();
    let bits = values.iter().chain([&state]).flat_map(|a| a.as_slice::<f32>().unwrap().to_vec());
    (bits.map(f32::to_bits).collect(), model.steps())
}

fn optimizer(momentum: bool) -> Box<dyn Optimizer> {
    if momentum { Box::new(Sgd::new(0.1).momentum(0.9)) } else { Box::new(Adam::new(0.01)) }
}

/// Every way to call refuses with this text, and leaves all as it was: what follows is what follows without it, to the bit.
fn refuses(
    model: &mut Model,
    momentum: bool,
    good: Option<&[&Array]>,
    bad: &[&Array],
    says: &dyn Fn(&str) -> bool,
    at: &str,
) {
    let mut optimizer = optimizer(momentum);
    let step = |model: &mut Model, optimizer: &mut dyn Optimizer, arguments: &[&Array]| {
        model.step(0, optimizer, arguments).map(|loss| loss.get().unwrap().to_bits()).map_err(|e| e.to_string())
    };
    let mut gradients = None;
    if let Some(good) = good {
        step(model, &mut *optimizer, good).unwrap();
        gradients = Some(model.grad(0, good).unwrap().1);
    }
    let before = stands(model);
    let sums = |g: &castnet_runtime::Gradients| {
        ["table", "weight"].map(|name| g.parameter(name).unwrap().as_slice::<f32>().unwrap().to_vec())
    };
    let sums_before = gradients.as_ref().map(sums);
    for threads in [1, 2] {
        set_threads(threads);
        let mut errors = vec![
            step(model, &mut *optimizer, bad).unwrap_err(),
            model.infer_mut(0, bad).unwrap_err().to_string(),
            model.grad(0, bad).map(|_| ()).unwrap_err().to_string(),
        ];
        if let Some(gradients) = &mut gradients {
            errors.push(model.grad_add(0, gradients, bad).unwrap_err().to_string());
        }
        for error in errors {
            assert!(says(&error), "{at}, {threads} threads: {error}");
        }
    }
    assert_eq!(stands(model), before, "{at}");
    assert_eq!(gradients.as_ref().map(sums), sums_before, "{at}");
    let Some(good) = good else { return };
    // The optimizer's bytes show in what it does next.
    let mut other = modelled(model.net().clone());
    let mut others = self::optimizer(momentum);
    step(&mut other, &mut *others, good).unwrap();
    other.grad(0, good).unwrap();
    for _ in 0..2 {
        let (mine, its) = (step(model, &mut *optimizer, good), step(&mut other, &mut *others, good));
        assert_eq!(mine, its, "{at}");
        assert_eq!(stands(model), stands(&other), "{at}");
    }
}

#[test]
fn generated_nets_look_up_what_they_are_told() {
    let _alone = THREADS.lock().unwrap_or_else(|e| e.into_inner());
    let (mut built, mut errors, mut values, mut unchecked, mut never) = (0, 0, 0, 0, 0);
    for seed in 0..80 {
        let mut r = Numbers(seed);
        let depth = 1 + r.below(3);
        let case = Case { places: Places::draw(&mut r, depth), part: (r.below(3) == 0).then_some(1) };
        let at = format!("seed {seed}: {:?} from {:?}", case.places, case.part);
        let net = match case.net() {
            Ok(net) => net,
            Err(refused) => {
                assert!(refused.starts_with("N0208"), "{at}: {refused}");
                for _ in 0..20 {
                    assert!(case.looked_up(&Data::draw(&mut r, 3, 5, true)).is_err(), "{at}: {refused}");
                }
                never += 1;
                continue;
            }
        };
        built += 1;
        let program = &net.cpu()[0].inference;
        let proved = program.checks.is_empty() && program.arguments.iter().all(|a| a.below.is_empty());
        unchecked += usize::from(proved);
        let data: Vec<Data> = (0..8).map(|i| Data::draw(&mut r, 3, 2 + i % 4, i % 2 == 0)).collect();
        let good = data.iter().find(|data| case.looked_up(data).is_ok()).map(Data::arrays);
        let good: Option<Vec<&Array>> = good.as_ref().map(|arrays| arrays.iter().collect());
        for data in &data {
            let mut model = modelled(net.clone());
            model.poison(true);
            let arrays = data.arrays();
            let arguments: Vec<&Array> = arrays.iter().collect();
            match case.looked_up(data) {
                Ok(places) => {
                    values += 1;
                    let [table, weight] = ["table", "weight"]
                        .map(|name| model.parameter(name).unwrap().as_slice::<f32>().unwrap().to_vec());
                    let product = |place: &usize, column: usize| -> f64 {
                        (0..3).map(|f| f64::from(table[place * 3 + f]) * f64::from(weight[f * 2 + column])).sum()
                    };
                    let squares = places.iter().flat_map(|p| [0, 1].map(|c| product(p, c).powi(2)));
                    let expected = squares.sum::<f64>() / (2 * places.len()) as f64;
                    for threads in [1, 2] {
                        set_threads(threads);
                        let found = model.infer_mut(0, &arguments).unwrap_or_else(|e| panic!("{at}: {e}"));
                        let found = f64::from(found[0].item::<f32>().unwrap());
                        assert!((found - expected).abs() < 1e-5 * (1.0 + expected), "{at}: {found}, not {expected}");
                    }
                    let loss = model.step(0, &mut Sgd::new(0.1), &arguments).unwrap_or_else(|e| panic!("{at}: {e}"));
                    let loss = f64::from(loss.get().unwrap());
                    assert!((loss - expected).abs() < 1e-5 * (1.0 + expected), "{at}: {loss}, not {expected}");
                }
                Err((place, value)) => {
                    errors += 1;
                    assert!(!proved, "{at}: no check, and {value} at {place:?}");
                    let made = format!("gets {value} at element {place:?}, expected 0 to {}", ROWS - 1);
                    let whole = format!("element {place:?} of argument `");
                    let says = |error: &str| error.contains(&made) || error.contains(&whole);
                    refuses(&mut model, seed % 2 == 0, good.as_deref(), &arguments, &says, &at);
                }
            }
        }
    }
    set_threads(0);
    println!("{built} nets, {unchecked} without a check, {never} that never fit, {values} values, {errors} errors");
    assert!(built >= 60 && unchecked >= 8 && values >= 60 && errors >= 60, "{built} {unchecked} {values} {errors}");
}
