//! Networks inside operations of the engine: what goes wrong in a program or in a copy reaches whoever asks, as the error that it was, by the name and line of the
//! operation.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use castnet::engine::{self, Engine, Variable};
use castnet::prelude::*;
use castnet::{Error, Result};

network! {
    /// Rows of a table, which have to be there.
    pub net Table {
        #[freeze]
        words: Embedding(5, 4);
        fc:    Linear(4);

        pub fn rows(at: i64[N]) -> f32[N, 4] { words(at) }
        pub train fn loss(x: f32[N, 4]) -> f32 { fc(x).square().mean() }
    }
}

/// What an operation does with the numbers that it is given.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    /// Looks rows up: an index that is not there is found inside the program.
    Call,
    /// A call with an argument of another shape.
    Misfit,
    /// A step whose loss is not finite.
    Step,
    /// Copies into a parameter of another shape.
    Copy,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    WaitToRead,
    WaitToWrite,
    WaitAll,
    Handle,
    /// The numbers themselves, on the host.
    ToHost,
    Dropped,
}

const NAMES: [&str; 3] = ["root", "middle", "leaf"];

/// Does its part with the net that all share, well or badly.
fn work(does: Does, badly: bool, net: &Mutex<Table>) -> Result<f32> {
    let mut net = net.lock().unwrap();
    let row = |value: f32| Array::from_vec(&[1, 4], vec![value; 4]);
    match does {
        Does::Call => {
            let at = Array::from_vec(&[2], vec![1i64, if badly { 5 } else { 4 }])?;
            Ok(net.rows(&at)?.as_slice::<f32>()?[0])
        }
        Does::Misfit => {
            let at = Array::from_vec(if badly { &[1, 2] } else { &[2] }, vec![1i64, 2])?;
            Ok(net.rows(&at)?.as_slice::<f32>()?[0])
        }
        Does::Step => {
            net.stop_on_nan(true);
            net.loss_step(&mut Sgd::new(0.1), &row(if badly { f32::NAN } else { 1.0 })?)?.get()
        }
        Does::Copy => {
            let bias = Array::from_vec(if badly { &[1, 4] } else { &[4] }, vec![1.0f32; 4])?;
            net.set_parameter("fc.bias", &bias).map(|()| 1.0)
        }
    }
}

fn text(does: Does) -> &'static str {
    match does {
        Does::Call => "5",
        Does::Misfit => "expected i64[N]",
        Does::Step => "argument `x`",
        Does::Copy => "the value given is f32[1, 4]",
    }
}

fn chain(engine: &Engine, does: Does, fails: usize, asked: Asked) {
    let what = format!("{does:?} {asked:?} {fails}");
    let net = Arc::new(Mutex::new(Table::new(&Device::cpu(), 1).unwrap()));
    let before = all(&net);
    let variables = [(); 4].map(|()| engine.variable());
    let hosts: Arc<[Mutex<Option<f32>>; 4]> = Arc::new(Default::default());
    let ran = Arc::new(AtomicUsize::new(0));
    let mut handles = vec![];
    let mut line = 0;
    for number in 0..3 {
        let (net, hosts, ran) = (net.clone(), hosts.clone(), ran.clone());
        let operation = engine.operation(NAMES[number]).reads(&variables[number]).writes(&variables[number + 1]);
        line = line!() - 1;
        let handle = operation.submit(move || -> Result<()> {
            ran.fetch_add(1, Ordering::Relaxed);
            *hosts[number + 1].lock().unwrap() = Some(work(does, number == fails, &net)?);
            Ok(())
        });
        handles.push(handle.unwrap());
    }
    let mut told = vec![];
    for (number, handle) in handles.into_iter().enumerate() {
        let variable: &Variable = &variables[number + 1];
        let result = match asked {
            Asked::WaitToRead => engine.wait_to_read(variable),
            Asked::WaitToWrite => engine.wait_to_write(variable),
            Asked::Handle => handle.wait(),
            Asked::ToHost => engine.operation("to host").reads(variable).run(|| {
                assert!(hosts[number + 1].lock().unwrap().is_some(), "{what}");
            }),
            Asked::WaitAll | Asked::Dropped => continue,
        };
        assert_eq!(result.is_err(), number >= fails, "{what}");
        told.extend(result.err());
    }
    let failures = engine.wait_all().unwrap_err();
    assert_eq!(failures.errors().len(), 1, "{what}: {failures}");
    told.extend_from_slice(failures.errors());
    for error in &told {
        let origin = error.origin();
        assert_eq!((origin.name(), origin.location().file(), origin.location().line()), (NAMES[fails], file!(), line));
        let engine::Error::Failed { source, .. } = &**error else { panic!("{what}: {error}") };
        let source = source.downcast_ref::<Error>().unwrap_or_else(|| panic!("{what}: {source}"));
        assert!(source.to_string().contains(text(does)), "{what}: {source}");
    }
    assert_eq!(ran.load(Ordering::Relaxed), fails + 1, "{what}");
    let written = hosts.each_ref().map(|host| host.lock().unwrap().is_some());
    assert_eq!(written, [0, 1, 2, 3].map(|n| (1..=fails).contains(&n)), "{what}");
    // What failed has changed nothing.
    if fails == 0 {
        assert_eq!(all(&net), before, "{what}");
    }
    assert!(work(does, false, &net).is_ok(), "{what}");
}

fn all(net: &Mutex<Table>) -> Vec<Array> {
    let net = net.lock().unwrap();
    ["words.weight", "fc.weight", "fc.bias"].map(|name| net.parameter(name).unwrap()).into()
}

#[test]
fn whoever_asks_is_told_what_went_wrong_in_a_program_or_a_copy() {
    for does in [Does::Call, Does::Misfit, Does::Step, Does::Copy] {
        let asked =
            [Asked::WaitToRead, Asked::WaitToWrite, Asked::WaitAll, Asked::Handle, Asked::ToHost, Asked::Dropped];
        for asked in asked {
            for fails in 0..3 {
                for engine in [Engine::serial(), Engine::new(0), Engine::new(2), Engine::global().clone()] {
                    chain(&engine, does, fails, asked);
                }
            }
        }
    }
}

/// Nets, handles and engines that go while operations with them are in flight.
#[test]
fn what_goes_in_flight_hurts_nobody() {
    for workers in [0, 1, 3] {
        let engine = Engine::new(workers);
        let chain = engine.variable();
        for number in 0..20 {
            let mut net = Table::new(&Device::cpu(), number).unwrap();
            let operation = engine.operation("train").writes(&chain);
            drop(operation.submit(move || -> Result<()> {
                let x = Array::from_vec(&[2, 4], vec![1.0f32; 8])?;
                net.loss_step(&mut Sgd::new(0.1), &x)?;
                Ok(())
            }));
        }
        if workers == 1 {
            engine.wait_all().unwrap();
        }
    }
}

/// More threads, fewer, and one, while steps run inside operations: the bits are those of steps without any.
#[test]
fn threads_change_while_operations_train() {
    let x = Array::from_vec(&[64, 4], (0..256).map(|i| (i as f32 * 0.37).sin()).collect()).unwrap();
    let trained = |inside: bool| {
        let mut net = Table::new(&Device::cpu(), 7).unwrap();
        let mut sgd = Sgd::new(0.1).momentum(0.9);
        let engine = Engine::global();
        let variable = engine.variable();
        for step in 0..60 {
            castnet::set_threads(1 + step % 3);
            match inside {
                false => _ = net.loss_step(&mut sgd, &x).unwrap(),
                true => {
                    let push = engine.operation("beside").reads(&variable).push(|| ());
                    push.unwrap();
                    let run = engine.operation("step").writes(&variable).run(|| net.loss_step(&mut sgd, &x));
                    run.unwrap().unwrap();
                }
            }
        }
        castnet::set_threads(0);
        net.parameter("fc.weight").unwrap()
    };
    assert_eq!(trained(true), trained(false));
}
