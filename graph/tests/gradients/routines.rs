//! Routines: along each axis, both ways.

use super::*;

/// The sum of results, bent so that there are second derivatives.
fn bent(b: &mut Builder, x: Value) -> Value {
    let y = op(b, "sin", vec![t(x)]);
    op(b, "mul", vec![t(y), t(x)])
}

pub fn routines() -> Vec<Case> {
    // Products of many larger ones bend too much for central differences.
    let (any, near) = ((-2.0, 2.0), (-1.2, 1.2));
    let mut cases = vec![];
    for (dim, descending) in [(0, false), (1, true), (-1, false)] {
        let arguments = move |x: Value| vec![t(x), int(dim), Arg::Bool(descending)];
        cases.push(case("sort", &[&[3, 4, 5]], any, move |b, x| {
            let parts = parts(b, "sort", arguments(x[0]));
            bent(b, parts[0])
        }));
        cases.push(case("argsort", &[&[3, 4, 5], &[3, 4, 5]], any, move |b, x| {
            let places = op(b, "argsort", arguments(x[0]));
            let y = op(b, "gather", vec![t(x[1]), int(dim), t(places)]);
            bent(b, y)
        }));
    }
    for dim in [0, 1, -1] {
        cases.push(case("cumsum", &[&[3, 4, 5]], any, move |b, x| {
            let y = op(b, "cumsum", vec![t(x[0]), int(dim)]);
            bent(b, y)
        }));
    }
    for dim in [0, 1, -1] {
        cases.push(case("median", &[&[3, 4, 5]], any, move |b, x| {
            let parts = parts(b, "median", vec![t(x[0]), int(dim)]);
            bent(b, parts[0])
        }));
    }
    for (k, dim, largest) in [(2, 0, true), (3, 1, false), (5, -1, true)] {
        cases.push(case("topk", &[&[3, 4, 5]], any, move |b, x| {
            let parts = parts(b, "topk", vec![t(x[0]), int(k), int(dim), Arg::Bool(largest)]);
            bent(b, parts[0])
        }));
    }
    for name in ["cumprod", "logcumsumexp"] {
        for (shape, dim) in [(&[3, 4, 5][..], 0), (&[3, 4, 5], 1), (&[3, 4, 5], -1), (&[3, 1], 1)] {
            cases.push(case(name, &[shape], near, move |b, x| {
                let y = op(b, name, vec![t(x[0]), int(dim)]);
                bent(b, y)
            }));
        }
    }
    for dim in [Arg::None, int(0), int(1), int(-1)] {
        let of = dim.clone();
        cases.push(case("prod", &[&[2, 3, 2]], near, move |b, x| {
            let y = op(b, "prod", vec![t(x[0]), of.clone(), Arg::Bool(true)]);
            bent(b, y)
        }));
        for name in ["max", "min"] {
            let of = dim.clone();
            cases.push(case(name, &[&[3, 4, 5]], any, move |b, x| match of {
                Arg::None => {
                    let y = op(b, name, vec![t(x[0])]);
                    bent(b, y)
                }
                _ => {
                    let parts = parts(b, name, vec![t(x[0]), of.clone()]);
                    bent(b, parts[0])
                }
            }));
        }
    }
    cases.push(case("scatter_add", &[&[3, 4], &[3, 6]], any, |b, x| {
        let index = numbers(b, &[3, 6], &[2, 3], 4);
        let y = op(b, "scatter_add", vec![t(x[0]), int(1), t(index), t(x[1])]);
        bent(b, y)
    }));
    cases.push(case("searchsorted", &[&[3, 4], &[3, 6]], (-0.5, 0.5), |b, x| {
        let sorted = parts(b, "sort", vec![t(x[0])]);
        let places = op(b, "searchsorted", vec![t(sorted[0]), t(x[1])]);
        let places = op(b, "cast", vec![t(places), Arg::DType(DType::F32)]);
        let y = op(b, "mul", vec![t(places), t(x[1])]);
        bent(b, y)
    }));
    cases.push(case("nonzero", &[&[3, 4]], any, |b, x| {
        let parts = parts(b, "nonzero", vec![t(x[0])]);
        let count = op(b, "cast", vec![t(parts[1]), Arg::DType(DType::F32)]);
        let share = op(b, "mul", vec![t(count), Arg::Float(0.1)]);
        let y = op(b, "mul", vec![t(x[0]), t(share)]);
        bent(b, y)
    }));
    cases
}
