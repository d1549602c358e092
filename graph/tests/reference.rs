//! The reference of integers, exact in the last bit, against Rust's own arithmetic: none of these numbers is one of f64 or near one that is.

mod common;

use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::call::Arg;
use castnet_graph::graph::{Graph, Value};
use castnet_graph::loops::Rounds;
use castnet_graph::number::Number;
use castnet_graph::reference::{Inputs, Tensor, evaluate, exact};
use castnet_graph::size::Size;
use castnet_graph::types::{DType, Type};
use common::*;

/// 2⁵³ + 1 is the first integer that is no f64.
const ODD: i64 = (1 << 53) + 1;
const X: [i64; 8] = [i64::MAX, i64::MIN, ODD, -ODD, (1 << 62) + 1, -3_037_000_501, 0x0123_4567_89ab_cdef, -1];
const Y: [i64; 8] = [3, -7, ODD + 2, ODD, (1 << 62) + 3, i64::MAX, -2, i64::MIN];

fn run(graph: &Graph, arguments: &[Tensor], rounded: bool) -> Vec<Tensor> {
    let inputs =
        Inputs { arguments, parameters: &[], states: &[], rounded, sizes: &|_| 0, random: &|_, _| unreachable!() };
    evaluate(graph, &inputs)
}

/// What is built of vectors, whose element types these are.
fn graph(dtypes: &[DType], len: usize, build: impl Fn(&mut Builder, &[Value]) -> Vec<Value>) -> Graph {
    let mut parameters = Parameters::default();
    let mut b = Builder::new("Net.f", &mut parameters, false);
    let ty = |dtype: &DType| Type::new(*dtype, vec![Size::constant(len as i64)]);
    let arguments: Vec<Value> = dtypes.iter().map(|dtype| b.argument("x", ty(dtype))).collect();
    for result in build(&mut b, &arguments) {
        b.result(result);
    }
    let graph = b.graph;
    castnet_graph::verify::verify(&graph).unwrap();
    graph
}

fn integers(tensor: &Tensor) -> Vec<i64> {
    let integer = |x: &Number| if let Number::Int(x) = x { *x } else { panic!("{x} among integers") };
    tensor.data.iter().map(integer).collect()
}

/// The integers that are made of vectors of i64, by both kinds of runs.
fn made<const N: usize>(x: [&[i64]; N], build: impl Fn(&mut Builder, &[Value]) -> Vec<Value>) -> Vec<Vec<i64>> {
    let graph = graph(&[DType::I64; N], x[0].len(), build);
    assert!(exact(&graph).into_iter().all(|is_exact| is_exact));
    let arguments = x.map(|x| Tensor::new(vec![x.len()], x.to_vec()));
    let results = run(&graph, &arguments, false);
    assert_eq!(results, run(&graph, &arguments, true));
    results.iter().map(integers).collect()
}

/// One of them.
fn one<const N: usize>(name: &str, x: [&[i64]; N], more: &[Arg]) -> Vec<i64> {
    made(x, |b, x| {
        let args = x.iter().map(|x| t(*x)).chain(more.iter().cloned()).collect();
        vec![op(b, name, args)]
    })
    .remove(0)
}

fn all(f: impl Fn(i64, i64) -> i64) -> Vec<i64> {
    X.iter().zip(Y).map(|(x, y)| f(*x, y)).collect()
}

fn floor_divide(x: i64, y: i64) -> i64 {
    let (x, y) = (i128::from(x), i128::from(y));
    (x / y - i128::from(x % y != 0 && (x < 0) != (y < 0))) as i64
}

#[test]
fn functions_of_integers_are_exact() {
    type Function = fn(i64, i64) -> i64;
    let functions: [(&str, Function); 16] = [
        ("add", i64::wrapping_add),
        ("sub", i64::wrapping_sub),
        ("mul", i64::wrapping_mul),
        ("floor_divide", floor_divide),
        ("remainder", |x, y| x.wrapping_sub(floor_divide(x, y).wrapping_mul(y))),
        ("maximum", |x, y| if x < y { y } else { x }),
        ("minimum", |x, y| if x < y { x } else { y }),
        ("bitwise_and", |x, y| x & y),
        ("bitwise_or", |x, y| x | y),
        ("bitwise_xor", |x, y| x ^ y),
        ("lt", |x, y| (x < y).into()),
        ("le", |x, y| (x <= y).into()),
        ("gt", |x, y| (x > y).into()),
        ("ge", |x, y| (x >= y).into()),
        ("eq", |x, y| (x == y).into()),
        ("ne", |x, y| (x != y).into()),
    ];
    for (name, f) in functions {
        assert_eq!(one(name, [&X, &Y], &[]), all(f), "{name}");
        // Neighbours, which f64 cannot tell apart.
        let next = X.map(|x| x ^ 1);
        let expected: Vec<i64> = X.iter().zip(next).map(|(x, y)| f(*x, y)).collect();
        assert_eq!(one(name, [&X, &next], &[]), expected, "{name}");
    }
    let counts = [0, 1, 5, 17, 40, 62, 63, 2];
    let counted = |f: fn(i64, u32) -> i64| -> Vec<i64> { X.iter().zip(counts).map(|(x, n)| f(*x, n as u32)).collect() };
    assert_eq!(one("pow", [&X, &counts], &[]), counted(i64::wrapping_pow));
    assert_eq!(one("bitwise_left_shift", [&X, &counts], &[]), counted(|x, n| x << n));
    assert_eq!(one("bitwise_right_shift", [&X, &counts], &[]), counted(|x, n| x >> n));
    let each = |f: fn(i64) -> i64| X.map(f).to_vec();
    assert_eq!(one("neg", [&X], &[]), each(i64::wrapping_neg));
    assert_eq!(one("abs", [&X], &[]), each(i64::wrapping_abs));
    assert_eq!(one("sign", [&X], &[]), each(i64::signum));
    assert_eq!(one("bitwise_not", [&X], &[]), each(|x| !x));
    assert_eq!(one("clamp", [&X], &[int(-ODD + 1), int(ODD - 1)]), each(|x| x.clamp(-ODD + 1, ODD - 1)));
    let chosen = made([&X, &Y], |b, x| {
        let less = op(b, "lt", vec![t(x[0]), t(x[1])]);
        vec![op(b, "where_", vec![t(less), t(x[0]), t(x[1])])]
    });
    assert_eq!(chosen[0], all(i64::min));
}

#[test]
fn reductions_of_integers_are_exact() {
    let fold = |f: fn(i64, i64) -> i64| vec![X.into_iter().reduce(f).unwrap()];
    assert_eq!(one("sum", [&X], &[]), fold(i64::wrapping_add));
    assert_eq!(one("amax", [&X], &[]), fold(i64::max));
    assert_eq!(one("amin", [&X], &[]), fold(i64::min));
    assert_eq!(one("reduce_xor", [&X], &[]), fold(|x, y| x ^ y));
    let odd = X.map(|x| x | 1);
    assert_eq!(one("prod", [&odd], &[]), [odd.into_iter().fold(1, i64::wrapping_mul)]);
    let near = [ODD + 1, ODD + 2, ODD, ODD + 1];
    assert_eq!(one("argmax", [&near], &[]), [1]);
    assert_eq!(one("argmin", [&near], &[]), [2]);
}

#[test]
fn rows_of_integers_are_exact() {
    let rows = [3, 0, 6, 1, 5, 2, 4, 7].map(|i| ODD + i);
    let places = [1, 3, 5, 0, 6, 4, 2, 7];
    assert_eq!(one("argsort", [&rows], &[]), places);
    let both = |name: &'static str, args: &'static [i64]| {
        made([&rows], |b, x| {
            let args = std::iter::once(t(x[0])).chain(args.iter().map(|i| int(*i)));
            match castnet_graph::ops::call(b, name, Default::default(), &args.map(given).collect::<Vec<_>>()) {
                Ok(Arg::List(both)) => {
                    both.iter().map(|y| if let Arg::Tensor(y) = y { *y } else { panic!("{y:?}") }).collect()
                }
                other => panic!("{other:?}"),
            }
        })
    };
    let sorted = both("sort", &[]);
    assert_eq!(sorted, [(0..8).map(|i| ODD + i).collect(), places.to_vec()]);
    assert_eq!(both("topk", &[3]), [[ODD + 7, ODD + 6, ODD + 5], [7, 2, 4]]);
    assert_eq!(both("median", &[0]), [[ODD + 3], [0]]);
    assert_eq!(one("searchsorted", [&sorted[0], &rows], &[]), rows.map(|x| x - ODD));
    let running = |f: fn(i64, i64) -> i64, first| -> Vec<i64> {
        X.iter().scan(first, |total, x| Some(*total).inspect(|_| *total = f(*total, *x)).map(|_| *total)).collect()
    };
    assert_eq!(one("cumsum", [&X], &[int(0)]), running(i64::wrapping_add, 0));
    assert_eq!(one("cumprod", [&X], &[int(0)]), running(i64::wrapping_mul, 1));
    let narrow = made([&X], |b, x| {
        let sums = op_with(b, "cumsum", vec![t(x[0]), int(0)], &[("dtype", Arg::DType(DType::I32))]);
        vec![sums]
    });
    let sums: Vec<i64> = running(i64::wrapping_add, 0).into_iter().map(|x| i64::from(x as i32)).collect();
    assert_eq!(narrow[0], sums);
}

#[test]
fn integers_are_moved_as_they_are() {
    let places = [7, 0, 3, 3, 1, 6, 5, 7];
    let gathered = made([&X, &places], |b, x| {
        let places = op(b, "remainder", vec![t(x[1]), int(8)]);
        vec![op(b, "gather", vec![t(x[0]), int(0), t(places)])]
    });
    assert_eq!(gathered[0], places.map(|i| X[i as usize]));
    let scattered = made([&X, &Y, &places], |b, x| {
        let places = op(b, "remainder", vec![t(x[2]), int(8)]);
        vec![op(b, "scatter_add", vec![t(x[0]), int(0), t(places), t(x[1])])]
    });
    let mut sums = X;
    places.iter().zip(Y).for_each(|(i, y)| sums[*i as usize] = sums[*i as usize].wrapping_add(y));
    assert_eq!(scattered[0], sums);
    let joined = made([&X, &Y], |b, x| {
        let joined = op(b, "cat", vec![Arg::List(vec![t(x[0]), t(x[1])]), int(0)]);
        let square = op(b, "reshape", vec![t(joined), Arg::List(vec![int(2), int(8)])]);
        let turned = op(b, "permute", vec![t(square), Arg::List(vec![int(1), int(0)])]);
        let part = op(b, "narrow", vec![t(turned), int(0), int(2), int(3)]);
        let flipped = op(b, "flip", vec![t(part), int(0)]);
        vec![op_with(b, "pad", vec![t(flipped), Arg::List(vec![int(1), int(0)])], &[("value", int(ODD + 4))])]
    });
    assert_eq!(joined[0], [4, 3, 2].map(|i| [ODD + 4, X[i], Y[i]]).concat());
}

#[test]
fn integers_are_converted_as_rust_converts_them() {
    let through = |dtypes: &'static [DType]| {
        let graph = graph(&[DType::I64], X.len(), |b, x| {
            let all = dtypes.iter().chain(&[DType::I64]);
            vec![all.fold(x[0], |x, dtype| op(b, "cast", vec![t(x), Arg::DType(*dtype)]))]
        });
        assert_eq!(exact(&graph), [!dtypes[0].is_float()]);
        integers(&run(&graph, &[Tensor::new(vec![X.len()], X.to_vec())], false)[0])
    };
    assert_eq!(through(&[DType::I32]), X.map(|x| x as i32 as i64));
    assert_eq!(through(&[DType::U32]), X.map(|x| x as u32 as i64));
    assert_eq!(through(&[DType::I16]), X.map(|x| x as i16 as i64));
    assert_eq!(through(&[DType::U8]), X.map(|x| x as u8 as i64));
    assert_eq!(through(&[DType::I8]), X.map(|x| x as i8 as i64));
    assert_eq!(through(&[DType::Bool]), [1; 8]);
    assert_eq!(through(&[DType::F64]), X.map(|x| x as f64 as i64));
    assert_eq!(through(&[DType::F64, DType::I32]), X.map(|x| x as f64 as i64 as i32 as i64));

    let floats = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e30, -1e19, -2.9, 4e9, 9_007_199_254_740_994.0];
    let graph = graph(&[DType::F64], floats.len(), |b, x| {
        [DType::I64, DType::I32, DType::U32].map(|dtype| op(b, "cast", vec![t(x[0]), Arg::DType(dtype)])).to_vec()
    });
    let found = run(&graph, &[Tensor::new(vec![floats.len()], floats.to_vec())], false);
    assert_eq!(integers(&found[0]), floats.map(|x| x as i64));
    assert_eq!(integers(&found[1]), floats.map(|x| x as i64 as i32 as i64));
    assert_eq!(integers(&found[2]), floats.map(|x| x as i64 as u32 as i64));
}

#[test]
fn narrow_integers_wrap_at_their_width() {
    let (x, y) = ([i32::MAX, i32::MIN, 65_537, -3], [3, -1, 65_537, i32::MAX]);
    for (dtype, wrap) in [
        (DType::I32, (|x| i64::from(x as i32)) as fn(i64) -> i64),
        (DType::U32, |x| i64::from(x as u32)),
        (DType::I16, |x| i64::from(x as i16)),
        (DType::U8, |x| i64::from(x as u8)),
    ] {
        let graph = graph(&[dtype, dtype], 4, |b, x| {
            let [sum, product] = ["add", "mul"].map(|name| op(b, name, vec![t(x[0]), t(x[1])]));
            let prod = op_with(b, "prod", vec![t(x[0])], &[("dtype", Arg::DType(dtype))]);
            vec![sum, product, prod, op(b, "sum", vec![t(x[0])])]
        });
        let [x, y] = [x, y].map(|x| x.map(|x| wrap(x.into())));
        let found = run(&graph, &[x, y].map(|x| Tensor::new(vec![4], x.to_vec())), false);
        let pairs = |f: fn(i64, i64) -> i64| -> Vec<i64> { x.iter().zip(y).map(|(x, y)| wrap(f(*x, y))).collect() };
        assert_eq!(integers(&found[0]), pairs(i64::wrapping_add), "{dtype}");
        assert_eq!(integers(&found[1]), pairs(i64::wrapping_mul), "{dtype}");
        assert_eq!(integers(&found[2]), [wrap(x.into_iter().fold(1, i64::wrapping_mul))], "{dtype}");
        assert_eq!(integers(&found[3]), [x.iter().sum::<i64>()], "{dtype}");
    }
}

/// Knuth's multiplier and increment of a linear congruential generator.
const FACTOR: i64 = 6_364_136_223_846_793_005;
const STEP: i64 = 1_442_695_040_888_963_407;

fn next(b: &mut Builder, x: Value) -> Value {
    let product = op(b, "mul", vec![t(x), int(FACTOR)]);
    op(b, "add", vec![t(product), int(STEP)])
}

#[test]
fn loops_of_integers_are_exact() {
    let step = |x: i64| x.wrapping_mul(FACTOR).wrapping_add(STEP);
    let repeated = made([&X, &Y], |b, x| {
        let rounds = Rounds { count: 5, parameters: 0..0, states: 0..0 };
        let last = b.repeat(&[x[0]], &[x[1]], rounds, |b, states, shared| {
            let y = next(b, states[0]);
            Ok(vec![op(b, "bitwise_xor", vec![t(y), t(shared[0])])])
        });
        last.unwrap()
    });
    assert_eq!(repeated[0], all(|x, y| (0..5).fold(x, |x, _| step(x) ^ y)));
    for reverse in [false, true] {
        let scanned = made([&X, &Y], |b, x| {
            let zero = b.constant(0, DType::I64);
            let scan = b.scan(&[x[0], x[1]], &[zero], &[], 0, reverse, |b, states, rows, _| {
                let mixed = op(b, "bitwise_xor", vec![t(states[0]), t(rows[0])]);
                let y = next(b, mixed);
                Ok((vec![y], vec![op(b, "add", vec![t(y), t(rows[1])])]))
            });
            let (last, outputs) = scan.unwrap();
            [last, outputs].concat()
        });
        let (mut state, mut outputs) = (0, [0; 8]);
        for i in 0..8 {
            let i = if reverse { 7 - i } else { i };
            state = step(state ^ X[i]);
            outputs[i] = state.wrapping_add(Y[i]);
        }
        assert_eq!(scanned, [vec![state], outputs.to_vec()]);
    }
}

/// What floats are carried into is not exact, in whichever round they arrive; what goes round beside them is.
#[test]
fn what_floats_have_a_part_in_is_known() {
    let graph = graph(&[DType::I64, DType::F32], 8, |b, x| {
        let rounds = Rounds { count: 3, parameters: 0..0, states: 0..0 };
        let mixed = b.repeat(&[x[0], x[0], x[0]], &[x[1]], rounds, |b, states, shared| {
            let cast = op(b, "cast", vec![t(shared[0]), Arg::DType(DType::I64)]);
            let sum = op(b, "add", vec![t(states[0]), t(states[1])]);
            Ok(vec![sum, op(b, "add", vec![t(states[1]), t(cast)]), next(b, states[2])])
        });
        let places = op(b, "argsort", vec![t(x[1])]);
        [mixed.unwrap(), vec![places, x[0], x[1]]].concat()
    });
    assert_eq!(exact(&graph), [false, false, true, false, true, false]);
}
