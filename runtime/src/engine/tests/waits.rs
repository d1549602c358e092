//! What runs when, who waits for what, and what is refused: with barriers and channels in place of time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use crate::engine::{Engine, Error, OPERATIONS};

const LONG: Duration = Duration::from_secs(300);

/// An operation's function that says that it has begun and ends when it is told to.
fn held() -> (Receiver<()>, Sender<()>, impl FnOnce() + Send) {
    let ((begun, has_begun), (end, ends)) = (channel(), channel());
    let run = move || {
        begun.send(()).unwrap();
        // A test that is over lets go of it.
        _ = ends.recv();
    };
    (has_begun, end, run)
}

#[test]
fn readers_run_side_by_side_and_writers_do_not() {
    let engine = Engine::new(4);
    let a = engine.variable();
    let barrier = Arc::new(Barrier::new(4));
    for _ in 0..12 {
        let barrier = barrier.clone();
        let meet = move || {
            barrier.wait();
        };
        engine.operation("reads").reads(&a).push(meet).unwrap();
    }
    engine.wait_all().unwrap();
    assert_eq!(a.version(), 0);
    let inside = Arc::new(AtomicUsize::new(0));
    for _ in 0..100 {
        let inside = inside.clone();
        let write = move || {
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
            inside.fetch_sub(1, Ordering::SeqCst);
        };
        engine.operation("writes").writes(&a).push(write).unwrap();
    }
    engine.wait_all().unwrap();
    assert_eq!(a.version(), 100);
}

#[test]
fn a_read_waits_for_writers_and_a_write_for_all() {
    let engine = Engine::new(2);
    let (a, b) = (engine.variable(), engine.variable());
    engine.wait_to_read(&a).unwrap();
    let (begun, end, run) = held();
    engine.operation("reads").reads(&a).writes(&b).push(run).unwrap();
    begun.recv().unwrap();
    engine.wait_to_read(&a).unwrap();
    let error = engine.wait_to_write_timeout(&a, Duration::ZERO).unwrap_err();
    assert!(matches!(&*error, Error::TimedOut { wait, .. } if wait.name() == "wait_to_write"));
    assert!(engine.wait_to_read_timeout(&b, Duration::from_micros(1)).is_err());
    assert!(engine.wait_all_timeout(Duration::ZERO).is_err());
    // What has waited in vain leaves nothing behind.
    let places = engine.core().lock().dependencies.places();
    for _ in 0..1000 {
        engine.wait_to_write_timeout(&a, Duration::ZERO).unwrap_err();
        engine.wait_all_timeout(Duration::ZERO).unwrap_err();
    }
    assert_eq!(engine.core().lock().dependencies.places(), places);
    // Nor does it hold anybody up.
    engine.operation("reads too").reads(&a).submit(|| ()).unwrap().wait().unwrap();
    end.send(()).unwrap();
    engine.wait_to_write_timeout(&a, LONG).unwrap();
    engine.wait_all_timeout(LONG).unwrap();
    assert_eq!((a.version(), b.version()), (0, 1));
}

#[test]
fn a_variable_may_be_named_several_times() {
    for engine in [Engine::serial(), Engine::new(0), Engine::new(2)] {
        let (a, b) = (engine.variable(), engine.variable());
        for _ in 0..10 {
            engine.operation("both").reads([&a, &a, &b]).writes(&a).reads(&a).writes([&a, &a]).push(|| ()).unwrap();
        }
        engine.wait_to_read(&a).unwrap();
        assert_eq!((a.version(), b.version()), (10, 0));
        // More than fit into the description.
        let many: Vec<_> = (0..100).map(|_| engine.variable()).collect();
        engine.operation("many").writes(&many).reads(&many).push(|| ()).unwrap();
        engine.wait_all().unwrap();
        assert!(many.iter().all(|variable| variable.version() == 1));
    }
}

#[test]
fn priorities_come_first_and_what_they_wait_for_has_them() {
    let engine = Engine::new(0);
    let order = Arc::new(Mutex::new(vec![]));
    let variables: Vec<_> = (0..3).map(|_| engine.variable()).collect();
    let push = |name: &'static str, priority: i32, reads: Option<usize>, writes: Option<usize>| {
        let order = order.clone();
        let named = |v: Option<usize>| v.map(|v| &variables[v]);
        let operation = engine.operation(name).priority(priority).reads(named(reads)).writes(named(writes));
        operation.push(move || order.lock().unwrap().push(name)).unwrap();
    };
    push("idle", -5, None, None);
    push("plain", 0, None, None);
    push("needed", -9, None, Some(0));
    push("needed too", 0, Some(0), Some(1));
    push("high", 3, None, None);
    push("highest", 7, Some(1), Some(2));
    engine.wait_all().unwrap();
    assert_eq!(*order.lock().unwrap(), ["needed", "needed too", "highest", "high", "plain", "idle"]);
}

#[test]
fn a_wait_runs_only_what_it_waits_for() {
    let engine = Engine::new(0);
    let (mine, foreign) = (engine.variable(), engine.variable());
    let lock = Arc::new(Mutex::new(()));
    // The caller holds what this one needs.
    let guard = lock.lock().unwrap();
    let needs = lock.clone();
    engine.operation("foreign").writes(&foreign).priority(9).push(move || drop(needs.lock().unwrap())).unwrap();
    for _ in 0..100 {
        engine.operation("mine").writes(&mine).push(|| ()).unwrap();
    }
    engine.wait_to_read(&mine).unwrap();
    assert_eq!((mine.version(), foreign.version()), (100, 0));
    drop(guard);
    engine.wait_all().unwrap();
    assert_eq!(foreign.version(), 1);
}

#[test]
fn waits_inside_operations() {
    for engine in [Engine::serial(), Engine::new(0), Engine::new(1), Engine::new(3)] {
        let [a, b, c] = [(); 3].map(|()| engine.variable());
        engine.operation("earlier").writes(&b).push(|| ()).unwrap();
        let (own, vars) = (engine.clone(), [a.clone(), b.clone(), c.clone()]);
        let outer = engine.operation("outer").writes(&a).submit(move || -> Result<(), Arc<Error>> {
            let [a, b, c] = &vars;
            own.wait_to_read(b)?;
            // It waits for what it has pushed itself, several deep.
            let (inner, var) = (own.clone(), c.clone());
            let child = own.operation("child").writes(b).submit(move || -> Result<(), Arc<Error>> {
                inner.operation("grandchild").writes(&var).push(|| ())?;
                inner.wait_to_write(&var)
            })?;
            child.wait()?;
            own.wait_to_write(b)?;
            // But not for itself, directly or not.
            let refused = |result: Result<(), Arc<Error>>, name: &str| {
                let error = result.unwrap_err();
                let right = matches!(&*error, Error::WaitsForItself { operation, wait }
                    if operation.name() == "outer" && wait.name() == name);
                assert!(right, "{error}");
            };
            refused(own.wait_to_read(a), "wait_to_read");
            refused(own.wait_to_write(a), "wait_to_write");
            let late = own.operation("late").reads(a).writes(c).submit(|| ())?;
            refused(late.wait(), "wait");
            refused(own.wait_to_read(c), "wait_to_read");
            assert!(own.wait_all().is_err() && own.shutdown().is_err());
            Ok(())
        });
        outer.unwrap().wait().unwrap();
        engine.wait_all().unwrap();
        assert_eq!([&a, &b, &c].map(|v| v.version()), [1, 2, 2]);
    }
}

#[test]
fn operations_that_wait_for_each_other_are_found() {
    let engine = Engine::new(2);
    let [a, b] = [(); 2].map(|()| engine.variable());
    let both = Arc::new(Barrier::new(2));
    let waits = |name: &'static str, holds: &crate::engine::Variable, wants: &crate::engine::Variable| {
        let (engine_, wants, both) = (engine.clone(), wants.clone(), both.clone());
        engine.operation(name).reads(holds).submit(move || {
            both.wait();
            engine_.wait_to_write(&wants)
        })
    };
    // Each waits until the other one has let go.
    let handles = [waits("first", &a, &b).unwrap(), waits("second", &b, &a).unwrap()];
    let refused = handles.iter().filter(|handle| handle.wait().is_err()).count();
    assert_eq!(refused, 1, "one of the two gives way");
    engine.wait_all().unwrap_err();
}

#[test]
fn a_thread_that_pushes_too_much_is_held_back() {
    let engine = Engine::new(1);
    let a = engine.variable();
    let (begun, end, run) = held();
    engine.operation("holds all up").writes(&a).push(run).unwrap();
    begun.recv().unwrap();
    let pushed = Arc::new(AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let (engine, a, count) = (&engine, &a, pushed.clone());
        scope.spawn(move || {
            for _ in 0..3 * OPERATIONS {
                engine.operation("waits").writes(a).push(|| ()).unwrap();
                count.fetch_add(1, Ordering::SeqCst);
            }
            // By bytes; one alone may be of any size.
            for bytes in [u64::MAX, 200 << 20, 200 << 20, 1] {
                engine.operation("wide").writes(a).bytes(bytes).push(|| ()).unwrap();
            }
        });
        while engine.core().lock().waiters.asleep == 0 {
            std::thread::yield_now();
        }
        assert_eq!(pushed.load(Ordering::SeqCst), OPERATIONS);
        // Another thread has a window of its own.
        engine.operation("other").push(|| ()).unwrap();
        end.send(()).unwrap();
    });
    engine.wait_all().unwrap();
    assert_eq!(a.version(), 3 * OPERATIONS as u64 + 5);
    // Without workers, whoever pushes does the work; operations may push as much as they like.
    let engine = Engine::new(0);
    let a = engine.variable();
    for _ in 0..5 * OPERATIONS {
        engine.operation("waits").writes(&a).push(|| ()).unwrap();
    }
    let (own, b) = (engine.clone(), a.clone());
    let many = move || {
        for _ in 0..3 * OPERATIONS {
            own.operation("child").writes(&b).push(|| ()).unwrap();
        }
    };
    engine.operation("parent").writes(&a).push(many).unwrap();
    engine.wait_all().unwrap();
    assert_eq!(a.version(), 8 * OPERATIONS as u64 + 1);
    assert!(engine.core().lock().dependencies.places() < 5 * OPERATIONS);
}

#[test]
fn what_has_not_started_can_be_cancelled() {
    let engine = Engine::new(1);
    let a = engine.variable();
    let (begun, end, run) = held();
    let running = engine.operation("running").writes(&a).submit(run).unwrap();
    begun.recv().unwrap();
    let counted = Arc::new(());
    let held_by = counted.clone();
    let waiting = engine.operation("waiting").writes(&a).submit(move || drop(held_by)).unwrap();
    let ready = engine.operation("ready").submit(|| ()).unwrap();
    let after = engine.operation("after").reads(&a).submit(|| ()).unwrap();
    assert!(!running.cancel() && waiting.cancel() && !waiting.cancel() && ready.cancel());
    assert_eq!(Arc::strong_count(&counted), 1, "what it holds goes at once");
    assert!(matches!(&*ready.wait().unwrap_err(), Error::Cancelled { .. }));
    assert!(!waiting.is_finished());
    end.send(()).unwrap();
    assert!(running.wait().is_ok());
    assert_eq!(after.wait().unwrap_err().origin().name(), "waiting");
    assert!(!after.cancel());
    engine.wait_all().unwrap();
}

#[test]
fn engines_end_in_every_state() {
    let operations = if cfg!(miri) { 20 } else { 500 };
    for workers in [0, 1, 3] {
        // Shut down: everything has run.
        let engine = Engine::new(workers);
        let io = engine.queue(1);
        let a = engine.variable();
        for number in 0..operations {
            let operation = engine.operation("op").writes(&a);
            if number % 3 == 0 { operation.on(&io).push(|| ()) } else { operation.push(|| ()) }.unwrap();
        }
        engine.shutdown().unwrap();
        assert_eq!(a.version(), operations);
        assert!(matches!(*engine.operation("late").push(|| ()).unwrap_err(), Error::ShutDown { .. }));
        engine.wait_to_write(&a).unwrap();
        engine.shutdown().unwrap();

        // Dropped: what has not started never will, and whoever waits is told.
        let engine = Engine::new(workers);
        let a = engine.variable();
        let (begun, end, run) = held();
        let first = engine.operation("first").writes(&a).submit(run).unwrap();
        if workers > 0 {
            begun.recv().unwrap();
        }
        let token = Arc::new(Mutex::new(None));
        let place = token.clone();
        let later = engine.operation("later").submit_async(move |complete| *place.lock().unwrap() = Some(complete));
        let last = engine.operation("last").writes(&a).submit(|| ()).unwrap();
        drop(engine);
        assert!(!last.cancel());
        drop(end);
        assert_eq!(first.wait().is_ok(), workers > 0);
        assert!(matches!(&*last.wait().unwrap_err(), Error::Cancelled { operation } if operation.name() == "last"));
        drop(token);
        // Cancelled, or its token dropped, or it has not been dropped yet.
        _ = later.unwrap().wait_timeout(Duration::ZERO);
    }
}

#[test]
fn an_engine_may_go_from_one_of_its_own_threads() {
    let engine = Engine::new(1);
    let (send, receive) = channel();
    let own = engine.clone();
    let last = move || {
        receive.recv().unwrap();
        drop(own);
    };
    let handle = engine.operation("last").submit(last).unwrap();
    drop(engine);
    send.send(()).unwrap();
    handle.wait().unwrap();
}

#[test]
fn asynchronous_operations_end_when_their_function_has_returned_and_somebody_says_so() {
    for engine in [Engine::serial(), Engine::new(0), Engine::new(2)] {
        let a = engine.variable();
        let inside = Arc::new(AtomicUsize::new(0));
        let (early, seen) = (inside.clone(), inside.clone());
        let complete_first = move |token: crate::engine::OnComplete| {
            token.complete(());
            early.store(1, Ordering::SeqCst);
        };
        engine.operation("early").writes(&a).push_async(complete_first).unwrap();
        engine.operation("after").reads(&a).push(move || assert_eq!(seen.load(Ordering::SeqCst), 1)).unwrap();
        let elsewhere = |token: crate::engine::OnComplete| drop(std::thread::spawn(move || token.complete(())));
        let handle = engine.operation("elsewhere").writes(&a).submit_async(elsewhere).unwrap();
        handle.wait().unwrap();
        let panics = |token: crate::engine::OnComplete| {
            token.complete(());
            std::panic::resume_unwind(Box::new("afterwards"));
        };
        let handle = engine.operation("panics").submit_async(panics).unwrap();
        assert!(matches!(&*handle.wait().unwrap_err(), Error::Panicked { .. }));
        assert_eq!(engine.wait_all().unwrap_err().errors().len(), 1);
        assert_eq!(a.version(), 2);
    }
}

#[test]
fn variables_and_queues_belong_to_one_engine() {
    let (one, other) = (Engine::new(0), Engine::new(0));
    let a = other.variable();
    let refused = |result: Result<(), Arc<Error>>| assert!(matches!(*result.unwrap_err(), Error::OtherEngine { .. }));
    refused(one.operation("op").reads(&a).push(|| ()));
    refused(one.operation("op").on(&other.queue(0)).push(|| ()));
    refused(one.wait_to_read(&a));
    // Places of variables are used again once all that names them is finished.
    for _ in 0..100 {
        let a = one.variable();
        one.operation("fails").writes(&a).push(|| Err("on purpose")).unwrap();
        drop(a);
        one.wait_all().unwrap_err();
        let b = one.variable();
        one.wait_to_read(&b).unwrap();
    }
}

#[test]
fn operations_may_use_rayon_while_one_of_its_threads_waits() {
    let rayon = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap());
    for workers in [0, 2] {
        let engine = Engine::new(workers);
        let a = engine.variable();
        for _ in 0..50 {
            let inner = rayon.clone();
            let sum = move || assert_eq!(inner.install(|| rayon::join(|| 1, || 2)), (1, 2));
            engine.operation("uses rayon").writes(&a).push(sum).unwrap();
            rayon.install(|| engine.wait_to_read(&a)).unwrap();
        }
    }
}

#[cfg(all(unix, not(miri)))]
#[test]
fn after_a_fork_nothing_is_pushed_and_nothing_hangs() {
    unsafe extern "C" {
        safe fn fork() -> i32;
        safe fn _exit(status: i32) -> !;
        fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
    }
    let engine = Engine::new(1);
    let a = engine.variable();
    let child = fork();
    if child == 0 {
        let forked = |error: &Error| matches!(error, Error::Forked { .. });
        let pushed = engine.operation("op").writes(&a).push(|| ());
        let right = pushed.is_err_and(|e| forked(&e))
            && engine.wait_to_read(&a).is_err_and(|e| forked(&e))
            && engine.wait_all().is_err_and(|e| forked(&e.errors()[0]))
            && engine.shutdown().is_err();
        drop((engine, a));
        _exit(if right { 7 } else { 1 });
    }
    let mut status = 0;
    // SAFETY: the status is a place of ours.
    assert_eq!(unsafe { waitpid(child, &mut status, 0) }, child);
    assert_eq!(status >> 8 & 0xff, 7);
    engine.operation("op").writes(&a).submit(|| ()).unwrap().wait().unwrap();
}
