//! Routines: along each axis, both ways.

use super::*;

/// The sum of results, bent so that there are second derivatives.
fn bent(b: &mut Builder, x: Value) -> Value {
    let y = op(b, "sin", vec![t(x)]);
    op(b, "mul", vec![t(y), t(x)])
}

pub fn routines() -> Vec<Case> {
    let any = (-2.0, 2.0);
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
    cases
}
