//! Strided operands: whatever part of a slice an argument or a result is, in any order, turned round, repeated, the program gives the bits that it
//! gives of contiguous copies, and writes nothing else.

#[path = "views/cases.rs"]
mod cases;
#[allow(dead_code)] // Not every number that can be drawn is.
#[path = "nets/numbers.rs"]
mod numbers;
mod read_back;
mod views;

use cases::{BELOW, CASES, DONATING};
use castnet_graph::compile::{Source, compile};
use castnet_graph::text::ProgramText;
use castnet_graph::text::program::read;
use castnet_program::net::Net;
use castnet_program::program::Task;

use castnet_program::types::DType;
use castnet_runtime::view::{Argument, Output, View, ViewMut};
use castnet_runtime::{Array, Device, Model};
use numbers::Numbers;
use views::{Elements, Lies, bits};

const SEED: u64 = 41;
/// Views of each case at each size.
const VIEWS: u64 = 12;

fn model(what: &str, source: Source) -> Model {
    let compiled = compile(source).unwrap_or_else(|e| panic!("{what}: {e:?}"));
    let net = Net::from_bytes(&castnet_graph::bytes::to_bytes(&compiled.net).unwrap()).unwrap();
    assert!(net == compiled.net, "{what} is not read back as it was written");
    read_back::read_back(&net);
    let mut model = Model::from_net(net, &Device::cpu(), SEED).unwrap_or_else(|e| panic!("{what}: {e}"));
    model.poison(true);
    model
}

fn shape(sizes: &[castnet_program::size::Size], n: i64) -> Vec<usize> {
    sizes.iter().map(|size| size.eval(&|_| n) as usize).collect()
}

/// Random views of all arguments and results.
fn check(what: &str, plain: Source, strided: Source, n: i64) {
    let (plain, model) = (model(what, plain), model(what, strided));
    let program = &model.net().cpu()[0].inference;
    for view in 0..VIEWS {
        let seed = SEED + 1000 * n as u64 + view;
        let r = &mut Numbers(seed);
        let what = format!("{what}, N = {n}, seed {seed}");
        let mut held: Vec<(Elements, Lies)> = vec![];
        for argument in &program.arguments {
            let shape = shape(&argument.ty.shape, n);
            let lies = if view == 0 { Lies::row_major(&shape) } else { Lies::random(&shape, true, r) };
            held.push((Elements::draw(argument.ty.dtype, lies.len, BELOW, r), lies));
        }
        let copies: Vec<Array> = held.iter().map(|(elements, lies)| elements.array(lies)).collect();
        let references: Vec<&Array> = copies.iter().collect();
        let expected = model.infer(0, &references).unwrap_or_else(|e| panic!("{what}: {e}"));
        let of_plain = plain.infer(0, &references).unwrap();
        for (number, (a, b)) in expected.iter().zip(&of_plain).enumerate() {
            assert!(bits(a) == bits(b), "{what}: result {number} is another one where nothing is strided");
        }
        let mut places: Vec<(Elements, Elements, Lies)> = vec![];
        for result in &program.results {
            let shape = shape(&result.ty.shape, n);
            let lies = if view < 2 { Lies::row_major(&shape) } else { Lies::random(&shape, false, r) };
            let before = Elements::draw(result.ty.dtype, lies.len, 2, r);
            places.push((before.clone(), before, lies));
        }
        let mut arguments: Vec<Argument> =
            held.iter().map(|(elements, lies)| Argument::Read(elements.view(lies))).collect();
        let mut outputs: Vec<Output> =
            places.iter_mut().map(|(_, elements, lies)| Output::Write(elements.view_mut(lies))).collect();
        model.infer_into(0, &mut arguments, &mut outputs).unwrap_or_else(|e| panic!("{what}: {e}"));
        drop(outputs);
        for (number, ((before, after, lies), expected)) in places.iter().zip(&expected).enumerate() {
            let mut bits_expected = before.bits();
            for (at, x) in lies.positions().into_iter().zip(bits(expected)) {
                bits_expected[at] = x;
            }
            let lying: Vec<&Lies> = held.iter().map(|(_, lies)| lies).collect();
            assert!(
                after.bits() == bits_expected,
                "{what}: result {number} as {lies:?} of {lying:?}\n{}\n{:?}\n{:?}",
                program.to_text(),
                after.bits(),
                bits_expected,
            );
        }
    }
}

fn check_all(dtype: DType) {
    for case in CASES.iter().filter(|case| dtype.is_float() || !case.floats) {
        for n in [1, 3, 18] {
            let what = format!("{} of {dtype}", case.name);
            check(&what, case.source(dtype, false), case.source(dtype, true), n);
        }
    }
}

#[test]
fn views_of_f32_are_as_copies() {
    check_all(DType::F32);
}

#[test]
fn views_of_f64_are_as_copies() {
    check_all(DType::F64);
}

#[test]
fn views_of_halves_are_as_copies() {
    check_all(DType::F16);
    check_all(DType::BF16);
}

#[test]
fn views_of_integers_are_as_copies() {
    check_all(DType::I64);
    check_all(DType::I32);
}

#[test]
fn views_in_loops_are_as_copies() {
    for dtype in [DType::F32, DType::F64, DType::I64] {
        for n in [1, 4, 9] {
            check(&format!("loops of {dtype}"), cases::loops(dtype, false), cases::loops(dtype, true), n);
        }
    }
}
/// One memory for an argument and each result to which it may be donated: how many pairs there are.
fn check_donations(what: &str, source: Source, strided: bool, n: i64) -> usize {
    let model = model(what, source);
    let program = &model.net().cpu()[0].inference;
    for &(argument, result) in &program.donates {
        for view in 0..if strided { VIEWS } else { 1 } {
            let seed = SEED + 7000 * n as u64 + view;
            let r = &mut Numbers(seed);
            let what = format!("{what}, N = {n}, argument {argument} for result {result}, seed {seed}");
            let mut held: Vec<(Elements, Lies)> = vec![];
            for (number, of) in program.arguments.iter().enumerate() {
                let shape = shape(&of.ty.shape, n);
                let lies = match strided && view > 0 {
                    true => Lies::random(&shape, number != argument, r),
                    false => Lies::row_major(&shape),
                };
                held.push((Elements::draw(of.ty.dtype, lies.len, BELOW, r), lies));
            }
            let copies: Vec<Array> = held.iter().map(|(elements, lies)| elements.array(lies)).collect();
            let expected = model.infer(0, &copies.iter().collect::<Vec<_>>()).unwrap();
            let shapes = program.results.iter().map(|of| (of.ty.dtype, Lies::row_major(&shape(&of.ty.shape, n))));
            let mut places: Vec<(Elements, Lies)> =
                shapes.map(|(dtype, lies)| (Elements::draw(dtype, lies.len, 2, r), lies)).collect();
            let before = held[argument].0.bits();
            let mut arguments: Vec<Argument> = held
                .iter_mut()
                .enumerate()
                .map(|(number, (elements, lies))| match number == argument {
                    true => Argument::Donated(elements.view_mut(lies)),
                    false => Argument::Read(elements.view(lies)),
                })
                .collect();
            let mut outputs: Vec<Output> = places
                .iter_mut()
                .enumerate()
                .map(|(number, (elements, lies))| match number == result {
                    true => Output::Donated(argument),
                    false => Output::Write(elements.view_mut(lies)),
                })
                .collect();
            model.infer_into(0, &mut arguments, &mut outputs).unwrap_or_else(|e| panic!("{what}: {e}"));
            drop((arguments, outputs));
            for (number, expected) in expected.iter().enumerate() {
                if number != result {
                    assert!(
                        places[number].0.bits() == bits(expected),
                        "{what}: result {number}\n{}",
                        program.to_text()
                    );
                    continue;
                }
                let mut whole = before.clone();
                for (at, x) in held[argument].1.positions().into_iter().zip(bits(expected)) {
                    whole[at] = x;
                }
                assert!(held[argument].0.bits() == whole, "{what}: {:?}\n{}", held[argument].1, program.to_text());
            }
        }
    }
    program.donates.len()
}

#[test]
fn a_donated_argument_changes_no_bit() {
    let mut pairs = 0;
    for dtype in [DType::F32, DType::F64, DType::BF16, DType::I64] {
        for case in CASES.iter().chain(DONATING).filter(|case| dtype.is_float() || !case.floats) {
            for (n, strided) in [(1, true), (3, false), (18, true), (70, false)] {
                pairs += check_donations(&format!("{} of {dtype}", case.name), case.source(dtype, strided), strided, n);
            }
        }
        if !dtype.is_half() {
            pairs += check_donations("loops", cases::loops(dtype, true), true, 5);
        }
    }
    assert!(pairs > 150, "{pairs} pairs only");
}

/// What may be donated is what nobody reads once the result is written.
#[test]
fn only_what_is_read_no_more_can_be_donated() {
    let pairs = |name: &str| {
        let case = DONATING.iter().find(|case| case.name == name).unwrap();
        model(name, case.source(DType::F32, false)).net().cpu()[0].inference.donates.clone()
    };
    assert_eq!(pairs("in place"), [(0, 0), (1, 0)]);
    assert_eq!(pairs("turned in place"), [(1, 0), (2, 1)]);
    assert_eq!(pairs("read later"), [(0, 1)]);
    assert_eq!(pairs("product in place"), [(1, 0)]);
    assert_eq!(pairs("rows in place"), [(0, 0)]);
    assert_eq!(pairs("columns in place"), [(0, 0)]);
}

/// A model of one case, and a call with one argument and one result of `[N, 4]`.
fn call(model: &Model, argument: Argument, output: Output) -> String {
    model.infer_into(0, &mut [argument], &mut [output]).map_or_else(|e| e.to_string(), |()| "done".into())
}

#[test]
fn views_that_do_not_fit_are_errors_with_their_numbers() {
    let case = DONATING.iter().find(|case| case.name == "alone").unwrap();
    let (plain, strided) =
        (model("alone", case.source(DType::F32, false)), model("alone", case.source(DType::F32, true)));
    let x: Vec<f32> = (0..12).map(|i| i as f32).collect();
    let read = |shape: &'static [usize], strides: &'static [i64], offset: i64| {
        let mut y = [0.0f32; 12];
        let lies = Lies::row_major(&[shape[0], 4]);
        let out = Output::Write(ViewMut::new(&mut y, &lies.shape, &lies.strides, 0));
        call(&strided, Argument::Read(View::new(&x, shape, strides, offset)), out)
    };
    assert_eq!(read(&[3, 4], &[4, 1], 0), "done");
    assert_eq!(read(&[3, 4], &[-4, -1], 11), "done");
    assert_eq!(read(&[3, 4], &[0, 0], 11), "done");
    assert_eq!(read(&[3, 4], &[4, 1], 1), "Case.f: argument `x0` reaches from element 1 to 12 of a slice of 12");
    assert_eq!(read(&[3, 4], &[4, -1], 2), "Case.f: argument `x0` reaches from element -1 to 10 of a slice of 12");
    assert_eq!(read(&[3, 4], &[4, 1], -1), "Case.f: argument `x0` reaches from element -1 to 10 of a slice of 12");
    assert_eq!(read(&[1, 4], &[i64::MAX, 1], 0), "done");
    let counted = "Case.f: argument `x0` has strides [9223372036854775807, 1] of shape [3, 4], expected such that elements can be counted";
    assert_eq!(read(&[3, 4], &[i64::MAX, 1], 0), counted);
    let least = read(&[3, 4], &[i64::MIN, 1], 0);
    assert!(least.ends_with("expected such that elements can be counted"), "{least}");
    let far = read(&[2, 4], &[1 << 40, 1], 0);
    assert_eq!(far, "Case.f: argument `x0` reaches from element 0 to 1099511627779 of a slice of 12");
    let few = "Case.f: argument `x0` has strides [4] of shape [3, 4], expected one for each axis";
    assert_eq!(read(&[3, 4], &[4], 0), few);

    let written = |model: &Model, strides: &[i64], offset: i64, len: usize| {
        let mut y = vec![0.0f32; len];
        let out = Output::Write(ViewMut::new(&mut y, &[3, 4], strides, offset));
        call(model, Argument::Read(View::new(&x, &[3, 4], &[4, 1], 0)), out)
    };
    assert_eq!(written(&strided, &[1, -3], 9, 12), "done");
    let shared = |strides: &str| {
        format!(
            "Case.f: result 0 (`mul`) has strides {strides} of shape [3, 4], expected such that no two elements share memory"
        )
    };
    assert_eq!(written(&strided, &[1, 2], 0, 12), shared("[1, 2]"));
    assert_eq!(written(&strided, &[0, 1], 0, 12), shared("[0, 1]"));
    assert_eq!(written(&strided, &[4, 4], 0, 99), shared("[4, 4]"));
    assert_eq!(
        written(&strided, &[4, 1], 0, 11),
        "Case.f: result 0 (`mul`) reaches from element 0 to 11 of a slice of 11"
    );
    assert_eq!(written(&plain, &[4, 1], 2, 14), "done");
    let turned = "Case.f: result 0 (`mul`) has strides [1, 3] of shape [3, 4], expected those of row-major order";
    assert_eq!(written(&plain, &[1, 3], 0, 12), turned);

    let (shape, strides) = ([3, 4], [4, 1]);
    let mut y = [0.0f32; 12];
    let turned = Argument::Read(View::new(&x, &[3, 4], &[1, 3], 0));
    let found = call(&plain, turned, Output::Write(ViewMut::new(&mut y, &shape, &strides, 0)));
    assert_eq!(found, "Case.f: argument `x0` has strides [1, 3] of shape [3, 4], expected those of row-major order");
    let given = || Argument::Read(View::new(&x, &shape, &strides, 0));
    let found = call(&plain, given(), Output::Write(ViewMut::new(&mut y, &[4, 3], &[3, 1], 0)));
    assert_eq!(found, "Case.f: the place for result 0 (`mul`) is f32[4, 3], expected f32[N, 4]");
    let found = call(&plain, given(), Output::Write(ViewMut::new(&mut [0i32; 12], &shape, &strides, 0)));
    assert_eq!(found, "Case.f: the place for result 0 (`mul`) is i32[3, 4], expected f32[N, 4]");
    let found = plain.infer_into(0, &mut [given()], &mut []).unwrap_err().to_string();
    assert_eq!(found, "Case.f: 0 places for results given, 1 expected");
    let found = call(&plain, given(), Output::Donated(0));
    assert_eq!(found, "Case.f: argument `x0` cannot be donated to result 0 (`mul`): the call lends it to be read only");
    let found = call(&plain, given(), Output::Donated(1));
    assert_eq!(found, "Case.f: argument `number 1` cannot be donated to result 0 (`mul`): there is no such argument");
    let mut z = x.clone();
    let donated = Argument::Donated(ViewMut::new(&mut z, &shape, &strides, 0));
    let found = call(&plain, donated, Output::Write(ViewMut::new(&mut y, &shape, &strides, 0)));
    assert_eq!(found, "Case.f: argument `x0` cannot be donated to any result: the call names none");
    // One for which strides of a result must be apart.
    let donated = Argument::Donated(ViewMut::new(&mut z, &shape, &[0, 1], 0));
    assert_eq!(call(&strided, donated, Output::Donated(0)), shared("[0, 1]"));
}

/// The format has room for other targets and streams; the runtime says what it does not know yet.
#[test]
fn other_targets_and_streams_are_errors() {
    let case = DONATING.iter().find(|case| case.name == "alone").unwrap();
    let net = compile(case.source(DType::F32, false)).unwrap().net;
    let told = |change: &dyn Fn(&mut Net)| {
        let mut net = net.clone();
        change(&mut net);
        Model::from_net(net, &Device::cpu(), 1).map(drop).unwrap_err().to_string()
    };
    assert_eq!(
        told(&|net| net.targets.clear()),
        "Case: the compiled network is not valid: it was not compiled for the CPU"
    );
    let few = told(&|net| net.targets[0].programs.clear());
    assert!(few.ends_with("1 functions, of which the CPU has 0"), "{few}");
    let stream = told(&|net| {
        let schedule = &mut net.cpu_mut()[0].inference.schedule;
        let body = vec![Task { stream: 3, ..schedule.remove(0) }];
        schedule.push(Task::repeat(1.into(), false, body));
    });
    assert!(stream.ends_with("a task in a loop on stream 3"), "{stream}");
    let donated = told(&|net| net.cpu_mut()[0].inference.donates.push((0, 1)));
    assert!(donated.ends_with("argument 0 cannot be donated to result 1"), "{donated}");
    let strided = told(&|net| net.cpu_mut()[0].inference.arguments[0].strided = true);
    assert!(strided.contains("by other strides than its own"), "{strided}");
    let mut program = net.cpu()[0].inference.clone();
    program.schedule[0].stream = 2;
    assert_eq!(read(&program.listing()), Ok(program));
}

/// What is read after the result is written, or twice given away.
#[test]
fn donations_that_a_program_does_not_list_are_errors_that_name_both() {
    let case = DONATING.iter().find(|case| case.name == "read later").unwrap();
    let model = model("read later", case.source(DType::F32, false));
    let (shape, strides) = ([3, 4], [4, 1]);
    let ([mut x, mut y, mut z], w) = ([[1.0f32; 12]; 3], [1.0f32; 16]);
    let mut arguments = [
        Argument::Donated(ViewMut::new(&mut x, &shape, &strides, 0)),
        Argument::Read(View::new(&w, &[4, 4], &strides, 0)),
    ];
    let mut outputs = [Output::Donated(0), Output::Write(ViewMut::new(&mut z, &shape, &strides, 0))];
    let found = model.infer_into(0, &mut arguments, &mut outputs).unwrap_err().to_string();
    let why = "it is read after the result is written, or is of another type";
    assert!(
        found.starts_with("Case.f: argument `x0` cannot be donated to result 0 (`") && found.ends_with(why),
        "{found}"
    );
    let mut arguments = [
        Argument::Donated(ViewMut::new(&mut y, &shape, &strides, 0)),
        Argument::Read(View::new(&w, &[4, 4], &strides, 0)),
    ];
    let found =
        model.infer_into(0, &mut arguments, &mut [Output::Donated(0), Output::Donated(0)]).unwrap_err().to_string();
    assert!(found.ends_with("several results would take its place"), "{found}");
}
