//! Indices that are parts of arguments, or masked, held, shifted, summed in loops: what names a row is looked up; what names none is an `Err`
//! that names function, layer, line, place and value, and has changed nothing.

use castnet::prelude::*;
use castnet::{Model, set_threads};

network! {
    pub block Hop(x: f32[N, 2], i: i64[N]) -> f32[N, 2] {
        rows: Embedding(5, 2);
        x + rows(where_(i >= 0, i, 4))
    }

    /// Random integers often name no row: `check!` finds some that do.
    pub net Random {
        table: Embedding(3, 2);

        pub train fn masked(i: i64[N]) -> f32 { table(where_(i >= 1, i, 0)).square().sum() }

        pub train fn walk(step: i64[T, N]) -> f32 {
            let (_, seen) = scan(step, zeros([N], dtype = i64), |at, s| (at + s, table(at + s)));
            seen.square().sum()
        }

        pub train fn hashed(i: i64[N], buckets: i64[N]) -> f32 { table(i % buckets % 3).square().sum() }
    }

    pub net Lookups {
        table: Embedding(5, 2);
        hops:  [Hop; 3];
        one:   Linear(3);
        two:   Linear(9);
        three: Linear(3, bias = false);

        // A column for each of two losses: neither number of classes holds for the whole argument.
        pub train fn columns(x: f32[N, 4], y: u8[N, 2]) -> f32 {
            one(x).cross_entropy(y[.., 0]) + two(x).cross_entropy(y[.., 1])
        }

        pub train fn masked(i: i64[N]) -> f32 {
            (table(where_(i >= 0, i, 0)) * (i >= 0).cast(f32).unsqueeze(1)).sum()
        }

        pub train fn but_the_last(i: i64[N, T]) -> f32 {
            table(i[.., ..T - 1]).sum()
        }

        pub train fn padded(x: f32[N, 4], y: i64[N], there: bool[N]) -> f32 {
            one(x).cross_entropy(y.masked_fill(!there, -100), ignore_index = -100)
        }

        // Certain: no check.
        pub train fn relative(i: i64[N], j: i64[N]) -> f32 {
            table((i - j).clamp(-2, 2) + 2).sum()
        }

        pub fn but_the_first(i: i64[N]) -> (f32[N - 1, 2], i64[_]) { (table(i[1..]), arange(N - 1)) }

        // What the user asks for holds where nothing runs, too.
        pub fn of_several(i: i64[N]) -> f32[N - 1, 2] {
            assert!(N >= 2);
            table(i[1..])
        }

        pub fn looked_up(i: i64[N, T]) -> (f32[N, T, 2], f32[N]) {
            let rows = table(i);
            (rows, rows[.., .., 0].sum(1))
        }

        // A place that is made of all steps so far.
        pub train fn walk(step: i64[T, N]) -> f32 {
            let (_, seen) = scan(step, zeros([N], dtype = i64), |at, s| {
                let next = at + s;
                (next, table(next))
            });
            seen.sum()
        }

        // Rows stand behind what every round sees of the net.
        pub train fn read(i: i64[T, N]) -> f32 {
            let (last, _) = scan(i, zeros([N, 3]), |h, row| {
                let h = h + three(table(row));
                (h, h)
            });
            last.sum()
        }

        pub train fn hopped(x: f32[N, 2], i: i64[N]) -> f32 { hops(x, i).sum() }

        // The rounds of both uses are written out in training.
        pub train fn hopped_twice(x: f32[N, 2], i: i64[N], j: i64[N]) -> f32 {
            (hops(x, i) * hops(x, j)).sum()
        }

        pub train fn hashed(i: i64[N], buckets: i64[N]) -> f32 { table(i % buckets).sum() }

        pub train fn last_of(i: i64[N, T], len: i64[N]) -> f32 {
            table(i).gather(1, (len - 1).reshape([N, 1, 1]).expand([N, 1, 2])).sum()
        }
    }
}

castnet::check!(Random);
castnet::check!(Lookups);

/// Row `r` of every table is `[r, r / 4]`.
fn row(r: usize) -> f32 {
    1.25 * r as f32
}

fn net() -> Lookups {
    let mut net = Lookups::new(&Device::cpu(), 7).unwrap();
    let rows = Array::from_vec(&[5, 2], (0..10).map(|i| [1.0, 0.25][i % 2] * (i / 2) as f32).collect()).unwrap();
    let tables = ["table.weight", "hops.0.rows.weight", "hops.1.rows.weight", "hops.2.rows.weight"];
    tables.iter().for_each(|name| net.as_mut().set_parameter(name, &rows).unwrap());
    net
}

fn i64s(shape: &[usize], values: &[i64]) -> Array {
    Array::from_slice(shape, values).unwrap()
}

fn zeros(shape: &[usize]) -> Array {
    Array::zeros::<f32>(shape)
}

fn number(model: &Model, function: &str) -> usize {
    let name = format!("Lookups.{function}");
    model.net().cpu().iter().position(|f| f.inference.name == name).unwrap()
}

fn bits(model: &Model) -> Vec<u32> {
    let values = |(name, _)| model.parameter(name).unwrap().into_ndarray::<f32>().unwrap();
    model.parameters().flat_map(values).map(f32::to_bits).collect()
}

/// Forward and in a step, the function gives the value.
fn gives(function: &str, arguments: &[Array], expected: f32) {
    let mut net = net();
    let (number, arguments) = (number(net.as_ref(), function), arguments.iter().collect::<Vec<_>>());
    let found = net.as_mut().infer_mut(number, &arguments).unwrap()[0].item::<f32>().unwrap();
    assert!((found - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{function}: {found}, not {expected}");
    let found = net.as_mut().step(number, &mut Sgd::new(0.1), &arguments).unwrap().get().unwrap();
    assert!((found - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{function}: {found}, not {expected}");
}

/// On one thread and on two, in every way to call it, the function says this, at this line of the net; the net stands as it was.
fn refuses(function: &str, arguments: &[Array], by: &str, says: &str) {
    let mut net = net();
    let (number, arguments) = (number(net.as_ref(), function), arguments.iter().collect::<Vec<_>>());
    let model = net.as_mut();
    let before = (bits(model), model.steps());
    let (mut sgd, mut adam) = (Sgd::new(0.1).momentum(0.9), Adam::new(0.1));
    for threads in [1, 2] {
        set_threads(threads);
        let errors = [
            model.infer_mut(number, &arguments).unwrap_err(),
            model.grad(number, &arguments).map(|_| ()).unwrap_err(),
            model.step(number, &mut sgd, &arguments).unwrap_err(),
            model.step(number, &mut adam, &arguments).unwrap_err(),
        ];
        for error in errors {
            let error = error.to_string();
            assert!(error.starts_with(&format!("Lookups.{function}: {by} (net-tests/tests/indices.rs:")), "{error}");
            assert!(error.ends_with(&format!(") {says}")), "{error}");
        }
    }
    assert_eq!((bits(model), model.steps()), before, "{function}");
    assert_eq!((sgd.state().steps(), adam.state().steps()), (0, 0));
    set_threads(0);
}

#[test]
fn parts_and_masks_are_checked_as_they_are_used() {
    let classes = |values: &[u8]| Array::from_slice(&[values.len() / 2, 2], values).unwrap();
    let x = || zeros(&[2, 4]);
    let net = net();
    let bias = |name| net.as_ref().parameter(name).unwrap().as_slice::<f32>().unwrap().to_vec();
    let loss = |bias: &[f32], class: usize| bias.iter().map(|x| x.exp()).sum::<f32>().ln() - bias[class];
    let (one, two) = (bias("one.bias"), bias("two.bias"));
    let expected = (loss(&one, 2) + loss(&one, 0) + loss(&two, 8) + loss(&two, 5)) / 2.0;
    gives("columns", &[x(), classes(&[2, 8, 0, 5])], expected);
    refuses("columns", &[x(), classes(&[2, 8, 3, 5])], "cross_entropy", "gets 3 at element 1, expected 0 to 2");
    refuses("columns", &[x(), classes(&[2, 8, 1, 9])], "cross_entropy", "gets 9 at element 1, expected 0 to 8");

    gives("masked", &[i64s(&[3], &[2, -1, 4])], row(2) + row(4));
    refuses("masked", &[i64s(&[4], &[2, -1, 5, 9])], "table", "gets 5 at element 2, expected 0 to 4");

    gives("but_the_last", &[i64s(&[2, 3], &[2, 1, 77, 3, 0, -1])], row(2) + row(1) + row(3));
    refuses(
        "but_the_last",
        &[i64s(&[2, 3], &[2, 1, 7, 3, -1, 0])],
        "table",
        "gets -1 at element [1, 1], expected 0 to 4",
    );

    let there = |values: &[bool]| Array::from_slice(&[2], values).unwrap();
    gives("padded", &[x(), i64s(&[2], &[77, 1]), there(&[false, true])], loss(&one, 1));
    gives("padded", &[x(), i64s(&[2], &[-100, 1]), there(&[true, true])], loss(&one, 1));
    refuses(
        "padded",
        &[x(), i64s(&[2], &[77, 3]), there(&[false, true])],
        "cross_entropy",
        "gets 3 at element 1, expected 0 to 2",
    );

    gives("relative", &[i64s(&[2], &[9, 0]), i64s(&[2], &[1, 1])], row(4) + row(1));
    let relative = &net.as_ref().net().cpu()[number(net.as_ref(), "relative")];
    assert!(relative.inference.checks.is_empty() && relative.inference.arguments.iter().all(|a| a.below.is_empty()));

    let tokens = || i64s(&[2, 3], &[0, 1, 2, 3, 4, 0]);
    gives("last_of", &[tokens(), i64s(&[2], &[3, 2])], row(2) + row(4));
}

#[test]
fn in_loops_the_first_round_that_fails_is_told() {
    // Places 1 2, 2 4, 0 3.
    gives("walk", &[i64s(&[3, 2], &[1, 2, 1, 2, -2, -1])], row(1) + row(2) + row(2) + row(4) + row(0) + row(3));
    refuses("walk", &[i64s(&[3, 2], &[1, 2, 1, 3, -3, 0])], "table", "gets 5 at element 1 in round 1, expected 0 to 4");
    refuses(
        "walk",
        &[i64s(&[3, 2], &[1, 2, 1, 2, -3, 1])],
        "table",
        "gets -1 at element 0 in round 2, expected 0 to 4",
    );

    let ones = Array::from_vec(&[3, 2], vec![1.0f32; 6]).unwrap();
    let mut reader = net();
    reader.as_mut().set_parameter("three.weight", &ones).unwrap();
    let read = number(reader.as_ref(), "read");
    let found = reader.as_mut().infer_mut(read, &[&i64s(&[2, 2], &[1, 4, 0, 2])]).unwrap()[0].item::<f32>().unwrap();
    assert_eq!(found, 3.0 * (row(1) + row(4) + row(0) + row(2)));
    let error = reader.as_mut().grad(read, &[&i64s(&[2, 2], &[1, 4, 5, 2])]).map(|_| ()).unwrap_err().to_string();
    assert_eq!(error, "Lookups.read: element [1, 0] of argument `i` is 5, expected 0 to 4 by `table`");

    gives("hopped", &[zeros(&[2, 2]), i64s(&[2], &[3, -7])], 3.0 * (row(3) + row(4)));
    refuses(
        "hopped",
        &[zeros(&[2, 2]), i64s(&[2], &[3, 6])],
        "hops.0.rows",
        "gets 6 at element 1 in round 0, expected 0 to 4",
    );
    // [9, 2.25] · [3, 0.75] + [12, 3] · [0, 0]
    gives("hopped_twice", &[zeros(&[2, 2]), i64s(&[2], &[3, 4]), i64s(&[2], &[1, 0])], 27.0 + 1.6875);
    refuses(
        "hopped_twice",
        &[zeros(&[2, 2]), i64s(&[2], &[3, 4]), i64s(&[2], &[1, 5])],
        "hops.0.rows",
        "gets 5 at element 1 in round 0, expected 0 to 4",
    );
}

#[test]
fn integers_are_not_divided_by_zero() {
    gives("hashed", &[i64s(&[3], &[7, -1, 9]), i64s(&[3], &[4, 5, 3])], row(3) + row(4) + row(0));
    refuses("hashed", &[i64s(&[3], &[7, -1, 9]), i64s(&[3], &[4, 0, 3])], "%", "divides by 0 at element 1");
}

#[test]
fn of_nothing_comes_nothing() {
    let mut net = net();
    let (model, none) = (net.as_mut(), Array::zeros::<i64>(&[0, 3]));
    let before = bits(model);
    let rows = number(model, "looked_up");
    let found = model.infer(rows, &[&none]).unwrap();
    assert_eq!(found.iter().map(Array::shape).collect::<Vec<_>>(), [&[0, 3, 2][..], &[0]]);
    assert_eq!(model.infer_mut(rows, &[&none]).unwrap().len(), 2);
    // An axis that no result has empty.
    let error = model.infer(rows, &[&Array::zeros::<i64>(&[2, 0])]).unwrap_err().to_string();
    assert_eq!(error, "Lookups.looked_up: T = 0, as argument `i` is i64[2, 0]: nothing is left to compute");
    // A part of one element without any, in all results.
    let but_the_first = number(model, "but_the_first");
    let found = model.infer(but_the_first, &[&i64s(&[1], &[77])]).unwrap();
    assert_eq!(found.iter().map(Array::shape).collect::<Vec<_>>(), [&[0, 2][..], &[0]]);
    let found = model.infer(but_the_first, &[&i64s(&[2], &[77, 3])]).unwrap();
    assert_eq!(
        (found[0].as_slice::<f32>().unwrap(), found[1].as_slice::<i64>().unwrap()),
        (&[3.0, 0.75][..], &[0][..])
    );
    let error = model.infer(but_the_first, &[&i64s(&[0], &[])]).unwrap_err().to_string();
    assert_eq!(error, "Lookups.but_the_first: N = 0, as argument `i` is i64[0]: nothing is left to compute");
    let error = model.infer(number(model, "of_several"), &[&i64s(&[1], &[3])]).unwrap_err().to_string();
    assert_eq!(error, "Lookups.of_several: N = 1 breaks the rule `N >= 2`");
    let but_the_last = number(model, "but_the_last");
    let says = |error: castnet::Error| {
        let (error, what) = (error.to_string(), "Lookups.but_the_last: T = 1 breaks the rule `T - 1 >= 1`: slice (");
        assert!(error.starts_with(what) && error.ends_with("indices.rs:44) takes the range ..T - 1"), "{error}");
    };
    says(model.infer(but_the_last, &[&i64s(&[2, 1], &[3, 3])]).map(|_| ()).unwrap_err());
    says(model.step(but_the_last, &mut Sgd::new(0.1), &[&i64s(&[2, 1], &[3, 3])]).map(|_| ()).unwrap_err());
    let says = "Lookups.but_the_last: N = 0, as argument `i` is i64[0, 3]: nothing is left to compute";
    assert_eq!(model.infer(but_the_last, &[&none]).unwrap_err().to_string(), says);
    assert_eq!(model.step(but_the_last, &mut Sgd::new(0.1), &[&none]).unwrap_err().to_string(), says);
    assert_eq!(model.grad(but_the_last, &[&none]).map(|_| ()).unwrap_err().to_string(), says);
    assert_eq!((bits(model), model.steps()), (before, 0));
    assert_eq!(model.infer(rows, &[&i64s(&[1, 3], &[1, 0, 4])]).unwrap()[1].as_slice::<f32>().unwrap(), [5.0]);
}
