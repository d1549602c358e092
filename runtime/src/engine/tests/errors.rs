//! What operations that fail leave behind: whom it is told, with which name and line, and what did not run because of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::engine::{Engine, Error, OnComplete, Origin, Variable};

/// How the failing operation fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Returns,
    Panics,
    CompletesWithError,
    DropsItsToken,
}

/// By which call the failure is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    WaitToRead,
    WaitToWrite,
    WaitAll,
    Handle,
    Dropped,
}

const NAMES: [&str; 3] = ["root", "middle", "leaf"];

/// Three operations, each of which reads what the one before it writes; number `fails` fails. Its line, and how many ran.
fn chain(engine: &Engine, variables: &[Variable; 4], fails: usize, how: How, asked: Asked) -> (Origin, usize) {
    let ran = Arc::new(AtomicUsize::new(0));
    let mut handles = vec![];
    let mut line = 0;
    for number in 0..3 {
        let count = ran.clone();
        let operation = engine.operation(NAMES[number]).reads(&variables[number]).writes(&variables[number + 1]);
        if number == fails {
            line = line!() - 2;
        }
        let broken = number == fails;
        let handle = match how {
            How::CompletesWithError | How::DropsItsToken => operation.submit_async(move |token: OnComplete| {
                count.fetch_add(1, Ordering::Relaxed);
                match (broken, how) {
                    (false, _) => token.complete(()),
                    (true, How::DropsItsToken) => drop(token),
                    (true, _) => token.complete(Err("on purpose")),
                }
            }),
            How::Returns | How::Panics => operation.submit(move || {
                count.fetch_add(1, Ordering::Relaxed);
                match (broken, how) {
                    (false, _) => Ok(()),
                    (true, How::Panics) => std::panic::resume_unwind(Box::new("on purpose".to_string())),
                    (true, _) => Err("on purpose"),
                }
            }),
        };
        handles.push(handle.unwrap());
    }
    let mut told = vec![];
    for (number, handle) in handles.into_iter().enumerate() {
        let result = match asked {
            Asked::WaitToRead => engine.wait_to_read(&variables[number + 1]),
            Asked::WaitToWrite => engine.wait_to_write(&variables[number + 1]),
            Asked::Handle => handle.wait(),
            Asked::WaitAll | Asked::Dropped => continue,
        };
        assert_eq!(result.is_err(), number >= fails, "{how:?} {asked:?}");
        told.extend(result.err());
    }
    assert!(told.windows(2).all(|two| Arc::ptr_eq(&two[0], &two[1])), "one error reaches all");
    // Once each, whoever was told of it otherwise.
    let failures = engine.wait_all().unwrap_err();
    assert_eq!((failures.errors().len(), failures.left_out()), (1, 0));
    engine.wait_all().unwrap();
    told.extend_from_slice(failures.errors());
    let right = |error: &Error| match how {
        How::Returns | How::CompletesWithError => {
            matches!(error, Error::Failed { source, .. } if source.to_string() == "on purpose")
        }
        How::Panics => matches!(error, Error::Panicked { message, .. } if message == "on purpose"),
        How::DropsItsToken => matches!(error, Error::NeverCompleted { .. }),
    };
    assert!(told.iter().all(|error| right(error)), "{told:?}");
    let origin = told[0].origin().clone();
    assert_eq!((origin.location().file(), origin.location().line()), (file!(), line));
    (origin, ran.load(Ordering::Relaxed))
}

#[test]
fn whoever_asks_is_told_the_root_and_what_depends_on_it_does_not_run() {
    for how in [How::Returns, How::Panics, How::CompletesWithError, How::DropsItsToken] {
        for asked in [Asked::WaitToRead, Asked::WaitToWrite, Asked::WaitAll, Asked::Handle, Asked::Dropped] {
            for (fails, name) in NAMES.into_iter().enumerate() {
                for engine in [Engine::serial(), Engine::new(0), Engine::new(1), Engine::new(3)] {
                    let variables = [(); 4].map(|()| engine.variable());
                    let (origin, ran) = chain(&engine, &variables, fails, how, asked);
                    assert_eq!((origin.name(), ran), (name, fails + 1));
                    let versions = variables.each_ref().map(Variable::version);
                    assert_eq!(
                        versions,
                        [0, 1, 2, 3].map(|number| u64::from(number > 0 && number <= fails as u64 + 1))
                    );
                    // What was not written is as it was, and the engine goes on.
                    engine.wait_to_read(&variables[0]).unwrap();
                    for variable in &variables {
                        engine.operation("mend").overwrites(variable).push(|| ()).unwrap();
                    }
                    let (_, ran) = chain(&engine, &variables, 2, How::Returns, asked);
                    assert_eq!(ran, 3);
                    // Dropped with a failure that nobody has asked for.
                    engine.operation("unread").push(|| Err("on purpose")).unwrap();
                }
            }
        }
    }
}

#[test]
fn many_failures_are_counted_and_not_all_kept() {
    let engine = Engine::new(0);
    for number in 0..5000 {
        engine.operation("fails").push(move || Err(format!("number {number}"))).unwrap();
    }
    let failures = engine.wait_all().unwrap_err();
    assert_eq!((failures.errors().len(), failures.left_out()), (1024, 5000 - 1024));
    assert!(failures.errors()[7].to_string().ends_with("number 7"));
    assert!(failures.to_string().ends_with("and 3976 more"));
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("a destructor"));
    }
}

#[test]
fn destructors_that_panic_are_failures_too() {
    for engine in [Engine::serial(), Engine::new(0), Engine::new(2)] {
        let a = engine.variable();
        engine.operation("fails").writes(&a).push(|| Err("on purpose")).unwrap();
        let bad = PanicsWhenDropped;
        engine.operation("skipped").writes(&a).push(move || drop(bad)).unwrap();
        let failures = engine.wait_all().unwrap_err();
        let names: Vec<&str> = failures.errors().iter().map(|error| error.origin().name()).collect();
        assert_eq!(names, ["fails", "skipped"]);
        assert!(matches!(&*failures.errors()[1], Error::Panicked { message, .. } if message == "a destructor"));
        assert_eq!(engine.wait_to_read(&a).unwrap_err().origin().name(), "fails");
        // While it runs, and where it is cancelled.
        let bad = PanicsWhenDropped;
        let ran = engine.operation("runs").overwrites(&a).submit(move || drop(bad)).unwrap();
        assert_eq!(ran.wait().unwrap_err().origin().name(), "runs");
        engine.wait_all().unwrap_err();
        engine.operation("after").overwrites(&a).push(|| ()).unwrap();
        engine.wait_all().unwrap();
    }
    let engine = Engine::new(0);
    let bad = PanicsWhenDropped;
    assert!(engine.operation("cancelled").submit(move || drop(bad)).unwrap().cancel());
    assert_eq!(engine.wait_all().unwrap_err().errors()[0].origin().name(), "cancelled");
    let bad = PanicsWhenDropped;
    engine.operation("never").push(move || drop(bad)).unwrap();
}

/// An error whose destructor comes back to the engine.
#[derive(Debug, thiserror::Error)]
#[error("comes back")]
struct ComesBack(Engine, Variable);

impl Drop for ComesBack {
    fn drop(&mut self) {
        self.0.operation("from a destructor").reads(&self.1).push(|| ()).unwrap();
    }
}

#[test]
fn errors_are_dropped_where_they_may_come_back() {
    let engine = Engine::new(0);
    let (a, b) = (engine.variable(), engine.variable());
    for _ in 0..3 {
        let error = ComesBack(engine.clone(), b.clone());
        engine.operation("fails").overwrites(&a).push(move || Err(error)).unwrap();
        drop(engine.wait_all());
        engine.operation("mends").overwrites(&a).push(|| ()).unwrap();
        engine.wait_all().unwrap();
    }
    engine.wait_to_write(&b).unwrap();
}

#[test]
fn a_variable_that_is_overwritten_is_right_again() {
    for engine in [Engine::serial(), Engine::new(0), Engine::new(2)] {
        let (a, b) = (engine.variable(), engine.variable());
        engine.operation("fails").writes(&a).push(|| Err("on purpose")).unwrap();
        engine.operation("writes").writes(&a).push(|| ()).unwrap();
        assert_eq!(engine.wait_to_read(&a).unwrap_err().origin().name(), "fails");
        // Whoever reads what it overwrites needs it to be right.
        engine.operation("both").reads(&a).overwrites(&a).push(|| ()).unwrap();
        engine.operation("twice").writes(&a).overwrites(&a).push(|| ()).unwrap();
        assert_eq!(engine.wait_to_read(&a).unwrap_err().origin().name(), "fails");
        engine.operation("overwrites").overwrites(&a).push(|| ()).unwrap();
        engine.operation("reads").reads(&a).writes(&b).push(|| ()).unwrap();
        engine.wait_to_read(&b).unwrap();
        assert_eq!((a.version(), b.version()), (2, 1));
        engine.wait_all().unwrap_err();
    }
}
