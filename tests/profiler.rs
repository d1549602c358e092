//! The profiler through its public doors: what is recorded of calls, tasks, operations and spans, and that it changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use castnet::engine::Engine;
use castnet::prelude::*;
use castnet::profiler::{self, Profile, Row, RowKind};
use castnet::{Error, Model, set_threads};
use castnet_program::net::Backend;
use castnet_program::program::Program;
use serde_json::Value;

network! {
    /// Large enough that tasks have several chunks.
    pub net Small {
        first:  Linear(200, bias = false);
        second: Linear(30);

        pub fn features(x: f32[N, 300]) -> f32[N, 200] {
            first(x) // the first layer
        }

        pub fn scores(x: f32[N, 300]) -> f32[N, 30] {
            second(features(x).tanh())
        }

        pub train fn loss(x: f32[N, 300], class: u8[N]) -> f32 {
            scores(x).cross_entropy(class)
        }
    }
}

const N: usize = 90;

/// There is one profiler in a process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn input() -> (Array, Array) {
    let x = (0..N * 300).map(|i| (i as f32 * 0.37).sin()).collect();
    (Array::from_vec(&[N, 300], x).unwrap(), Array::from_vec(&[N], (0..N).map(|i| (i % 30) as u8).collect()).unwrap())
}

/// The events of the trace with this `ph`.
fn events(profile: &Profile, phase: &str) -> Vec<Value> {
    let trace: Value = serde_json::from_str(&profile.trace()).unwrap();
    trace["traceEvents"].as_array().unwrap().iter().filter(|event| event["ph"] == phase).cloned().collect()
}

fn slices(profile: &Profile, category: &str) -> Vec<Value> {
    events(profile, "X").into_iter().filter(|event| event["cat"] == category).collect()
}

/// Start and end in nanoseconds, which the trace has in microseconds.
fn span(event: &Value) -> (u64, u64) {
    let of = |key: &str| (event[key].as_f64().unwrap() * 1e3).round() as u64;
    (of("ts"), of("ts") + of("dur"))
}

fn rows<'p>(profile: &'p Profile, kind: RowKind, function: &str) -> Vec<&'p Row> {
    profile.rows().iter().filter(|row| row.kind == kind && row.function == function).collect()
}

fn function<'n>(model: &'n Model, name: &str, training: bool) -> &'n Program {
    let net = model.net();
    let number = net.functions.iter().position(|function| function.name == name).unwrap();
    let programs = &net.on(Backend::Cpu).unwrap().programs[number];
    if training { programs.training.as_ref().unwrap() } else { &programs.inference }
}

/// Trains some steps; the bits of losses and of a parameter.
fn train(steps: usize) -> (Vec<u32>, Small) {
    let mut net = Small::new(&Device::cpu(), 1).unwrap();
    let mut sgd = Sgd::new(0.1).momentum(0.9).clip_norm(1.0);
    let (x, class) = input();
    let mut step = || net.loss_step(&mut sgd, &x, &class).unwrap().get().unwrap().to_bits();
    let mut bits: Vec<u32> = (0..steps).map(|_| step()).collect();
    let parameter = net.parameter("first.weight").unwrap();
    bits.extend(parameter.as_slice::<f32>().unwrap().iter().map(|x| x.to_bits()));
    (bits, net)
}

#[test]
fn every_task_of_a_call_is_recorded_and_nothing_is_changed() {
    let _alone = alone();
    let (expected, net) = train(3);
    let program = function(net.as_ref(), "loss", true);
    for threads in [1, 2, 4] {
        set_threads(threads);
        profiler::start().unwrap();
        let (bits, _) = train(3);
        let profile = profiler::stop().unwrap();
        assert_eq!(bits, expected, "{threads} threads");

        let [call] = rows(&profile, RowKind::Call, "Small.loss_step")[..] else { panic!("{}", profile.table()) };
        assert_eq!((call.count, call.failed), (3, 0));
        let tasks = rows(&profile, RowKind::Task, "Small.loss_step");
        assert!(tasks.iter().all(|row| row.count == 3), "{}", profile.table());
        // The launches in their order, then the ending of a step that is clipped.
        let (launches, ending) = tasks.split_at(program.launches.len());
        for (row, launch) in launches.iter().zip(&program.launches) {
            assert!(row.name.starts_with(&launch.name), "{} is {}", launch.name, row.name);
        }
        let names: Vec<&str> = ending.iter().map(|row| &*row.name).collect();
        assert_eq!(names, ["squares", "factor", "Sgd update"]);
        assert!(ending[2].source.contains("first.weight"), "{}", ending[2].source);
        // Parameter, gradient and momentum are read, parameter and momentum written, with what pads them to whole panels.
        let padded = (200usize.next_multiple_of(32) * 300 + 32 * 200 + 32) as u64;
        assert_eq!(ending[2].bytes, 3 * 5 * 4 * padded);
        let inside: std::time::Duration = tasks.iter().map(|row| row.total).sum();
        assert!(inside <= call.total);

        let (calls, slices) = (slices(&profile, "call"), slices(&profile, "task"));
        assert_eq!(calls.len(), 3);
        for call in &calls {
            assert_eq!(
                (call["name"].as_str(), call["args"]["sizes"].as_str()),
                (Some("Small.loss_step"), Some("N = 90"))
            );
            let (start, end) = span(call);
            let own: Vec<&Value> = slices.iter().filter(|task| task["args"]["call"] == call["args"]["call"]).collect();
            let mut phases: BTreeMap<u64, &str> = BTreeMap::new();
            for task in &own {
                let (first, last) = span(task);
                assert!(start <= first && first <= last && last <= end, "{task} in {call}");
                phases.insert(task["args"]["phase"].as_u64().unwrap(), task["name"].as_str().unwrap());
            }
            // Each thread has an event a phase, of as many chunks as it ran.
            let names: BTreeSet<&str> = phases.values().copied().collect();
            assert_eq!(names, tasks.iter().map(|row| &*row.name).collect());
            assert!(phases.len() >= tasks.len());
            let distinct: BTreeSet<(u64, u64)> =
                own.iter().map(|t| (t["tid"].as_u64().unwrap(), t["args"]["phase"].as_u64().unwrap())).collect();
            assert_eq!(distinct.len(), own.len());
        }
    }
    set_threads(0);
}

#[test]
fn costs_and_source_lines_are_those_of_the_layer() {
    let _alone = alone();
    let net = Small::new(&Device::cpu(), 1).unwrap();
    let (x, _) = input();
    profiler::start().unwrap();
    (0..5).for_each(|_| _ = net.features(&x).unwrap());
    let profile = profiler::stop().unwrap();
    let [row] = rows(&profile, RowKind::Task, "Small.features")[..] else { panic!("{}", profile.table()) };
    assert_eq!((&*row.name, row.count), ("first", 5));
    let line = include_str!("profiler.rs").lines().position(|line| line.ends_with("// the first layer")).unwrap() + 1;
    assert_eq!(row.source, format!("tests/profiler.rs:{line}"));
    // 2 · N · in · out; input, weight (in panels of 32 columns), output.
    assert_eq!(row.flops, 5 * 2 * (N * 300 * 200) as u64);
    assert_eq!(row.bytes, 5 * 4 * (N * 300 + 300 * 200usize.next_multiple_of(32) + N * 200) as u64);
    assert!(row.min <= row.mean() && row.mean() <= row.max && row.max <= row.total);
    assert!(!row.double);

    let table = profile.table().to_string();
    assert!(table.contains("Small.features: 5 calls") && table.contains(&row.source), "{table}");
    let machine = profiler::machine();
    assert!(machine.gflops > 0.0 && machine.bandwidths.iter().all(|(_, gbs)| *gbs > 0.0), "{machine:?}");
    assert!(row.of_ceiling(&machine).is_some_and(|part| part > 0.0));
}

#[test]
fn operations_are_pushed_run_and_fail() {
    let _alone = alone();
    profiler::start().unwrap();
    let engine = Engine::new(2);
    let (good, bad) = (engine.variable(), engine.variable());
    for _ in 0..10 {
        engine.operation("load").writes(&good).push(|| ()).unwrap();
    }
    engine.operation("break").writes(&bad).push(|| Err::<(), _>(std::io::Error::other("broken"))).unwrap();
    engine.operation("use").reads(&bad).push(|| ()).unwrap();
    let later = engine.operation("later").submit_async(|done| drop(std::thread::spawn(|| done.complete(())))).unwrap();
    later.wait().unwrap();
    assert!(engine.wait_all().is_err());
    engine.shutdown().unwrap();
    let profile = profiler::stop().unwrap();

    let count = |name: &str| {
        let found = rows(&profile, RowKind::Operation, "").into_iter().find(|row| row.name == name);
        found.map(|row| (row.count, row.failed))
    };
    assert_eq!((count("load"), count("break"), count("use")), (Some((10, 0)), Some((1, 1)), None));
    let (pushes, runs) = (slices(&profile, "push"), slices(&profile, "operation"));
    assert_eq!((pushes.len(), runs.len()), (13, 13));
    let outcome = |name: &str| runs.iter().find(|run| run["name"] == name).unwrap()["args"]["outcome"].clone();
    assert_eq!(["load", "break", "use", "later"].map(outcome), ["done", "failed", "skipped", "pending"]);
    // Arrows lead from each push to its run.
    let (starts, ends) = (events(&profile, "s"), events(&profile, "f"));
    assert_eq!((starts.len(), ends.len()), (13, 13));
    for start in &starts {
        let end = ends.iter().find(|end| end["id"] == start["id"]).unwrap();
        assert!(start["ts"].as_f64() <= end["ts"].as_f64(), "{start} {end}");
    }
    let [begin, end] = ["b", "e"].map(|phase| events(&profile, phase));
    assert_eq!((begin.len(), end.len(), &begin[0]["id"]), (1, 1, &end[0]["id"]));
    assert!(begin[0]["ts"].as_f64() <= end[0]["ts"].as_f64());
    let source = rows(&profile, RowKind::Operation, "")[0].source.clone();
    assert!(source.starts_with("tests/profiler.rs:"), "{source}");
}

#[test]
fn it_starts_and_stops_in_the_midst_of_calls() {
    let _alone = alone();
    set_threads(2);
    let net = Small::new(&Device::cpu(), 1).unwrap();
    let (x, _) = input();
    let bits = |array: &Array| -> Vec<u32> { array.as_slice::<f32>().unwrap().iter().map(|x| x.to_bits()).collect() };
    let (expected, enough) = (bits(&net.scores(&x).unwrap()), AtomicBool::new(false));
    let (mut seen, mut rounds) = (0, 0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    assert_eq!(bits(&net.scores(&x).unwrap()), expected);
                }
            });
        }
        while rounds < 20 || (seen == 0 && rounds < 10_000) {
            profiler::start().unwrap();
            profiler::pause().unwrap();
            profiler::resume().unwrap();
            for _ in 0..rounds % 3 {
                net.scores(&x).unwrap();
            }
            let profile = profiler::stop().unwrap();
            let length = profile.duration().as_nanos() as u64;
            for call in slices(&profile, "call") {
                assert!(span(&call).0 <= length, "{call}");
            }
            let calls = rows(&profile, RowKind::Call, "Small.scores").first().map_or(0, |row| row.count);
            assert!(calls >= rounds % 3);
            seen += calls;
            rounds += 1;
        }
        enough.store(true, Ordering::Relaxed);
    });
    set_threads(0);
}

#[test]
fn spans_nest_and_marks_and_counters_are_there() {
    let _alone = alone();
    let net = Small::new(&Device::cpu(), 1).unwrap();
    let (x, _) = input();
    profiler::start().unwrap();
    {
        let _outer = profiler::span("outer");
        for number in 0..3 {
            let _inner = profiler::span(format!("inner {number}"));
            net.features(&x).unwrap();
            profiler::counter("loss", f64::from(number) / 2.0);
        }
        profiler::mark("done");
        profiler::pause().unwrap();
        assert!(!profiler::is_on());
        drop(profiler::span("nobody sees it"));
        net.features(&x).unwrap();
        profiler::resume().unwrap();
    }
    let unfinished = profiler::span("unfinished");
    let profile = profiler::stop().unwrap();
    drop(unfinished);

    let spans = slices(&profile, "span");
    let names: Vec<&str> = spans.iter().map(|span| span["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["outer", "inner 0", "inner 1", "inner 2"]);
    let (start, end) = span(&spans[0]);
    for (inner, call) in spans[1..].iter().zip(slices(&profile, "call")) {
        let ((first, last), (begin, ends)) = (span(inner), span(&call));
        assert!(start <= first && first <= begin && begin <= ends && ends <= last && last <= end);
    }
    assert_eq!(rows(&profile, RowKind::Call, "Small.features")[0].count, 3);
    let values: Vec<f64> = events(&profile, "C").iter().map(|event| event["args"]["value"].as_f64().unwrap()).collect();
    assert_eq!(values, [0.0, 0.5, 1.0]);
    assert_eq!(events(&profile, "i")[0]["name"], "done");
}

#[test]
fn mistakes_are_errors() {
    let _alone = alone();
    let is_refused = |result: castnet::Result<()>| matches!(result, Err(Error::Profiler { .. }));
    assert!(is_refused(profiler::stop().map(drop)));
    assert!(is_refused(profiler::pause()) && is_refused(profiler::resume()));
    profiler::start().unwrap();
    assert!(is_refused(profiler::start()));
    let profile = profiler::stop().unwrap();
    assert!(is_refused(profiler::stop().map(drop)));
    // Nothing was recorded.
    assert!(profile.rows().is_empty() && profile.events() == 0);
    assert!(events(&profile, "X").is_empty());
    assert!(profile.table().to_string().contains("nothing was recorded"));
    assert!(profile.write_trace("no/such/folder/trace.json").is_err());
}

#[test]
fn of_too_many_events_the_latest_are_kept_and_all_are_counted() {
    let _alone = alone();
    profiler::start_with(2000).unwrap();
    // The events of threads that have ended may go, too.
    for _ in 0..4 {
        std::thread::spawn(|| (0..3000).for_each(|_| drop(profiler::span("early")))).join().unwrap();
    }
    (0..1000).for_each(|_| drop(profiler::span("late")));
    let profile = profiler::stop().unwrap();
    assert_eq!(profile.events() as u64 + profile.dropped(), 13_000);
    assert!(profile.events() <= 4000, "{}", profile.events());
    let late = slices(&profile, "span").iter().filter(|span| span["name"] == "late").count();
    assert_eq!(late, 1000);
    let counts: Vec<u64> = rows(&profile, RowKind::Span, "").iter().map(|row| row.count).collect();
    assert_eq!(counts, [12_000, 1000]);
    assert!(profile.table().to_string().contains("the trace lacks"));

    let file = std::env::temp_dir().join(format!("castnet-profiler-{}.json", std::process::id()));
    profile.write_trace(&file).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), profile.trace());
    std::fs::remove_file(&file).unwrap();
}

/// Names may be any text: the trace is JSON all the same, and a row of the table is a line.
#[test]
fn names_of_any_characters() {
    let _alone = alone();
    profiler::start().unwrap();
    let name = "a \"quoted\"\n\u{1f600} name \\ \u{0}";
    drop(profiler::span(name));
    let profile = profiler::stop().unwrap();
    assert_eq!(slices(&profile, "span")[0]["name"], name);
    let table = profile.table().to_string();
    let row = table.lines().find(|line| line.contains("quoted")).unwrap();
    assert!(row.contains("name") && row.contains("profiler.rs:"), "{table}");
}
