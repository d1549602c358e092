//! Calls that take their turns without the engine, beside operations of the process's engine for the same things.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use super::Random;
use crate::engine::{Claim, Engine, Error, Turn, Use, Variable};

/// Nothing here takes a second; what takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a turn guards: how many read it now, or -1 for one that writes; and how often it was written.
#[derive(Default)]
struct Guarded {
    users: AtomicI64,
    written: AtomicU64,
}

impl Guarded {
    fn read(&self) -> u64 {
        assert!(self.users.fetch_add(1, Ordering::Relaxed) >= 0, "read while it is written");
        let before = self.written.load(Ordering::Relaxed);
        std::hint::spin_loop();
        assert_eq!(self.written.load(Ordering::Relaxed), before);
        self.users.fetch_sub(1, Ordering::Relaxed);
        before
    }

    fn write(&self) {
        assert_eq!(self.users.swap(-1, Ordering::Relaxed), 0, "written while it is used");
        let before = self.written.load(Ordering::Relaxed);
        std::hint::spin_loop();
        self.written.store(before + 1, Ordering::Relaxed);
        self.users.store(0, Ordering::Relaxed);
    }
}

fn name() -> String {
    "call".to_string()
}

#[test]
fn calls_and_operations_exclude_each_other_as_they_say() {
    const THREADS: u64 = 4;
    let (seeds, rounds) = if cfg!(miri) { (3, 10) } else { (60, 200) };
    for seed in 0..seeds {
        let turns: Arc<Vec<(Turn, Guarded)>> = Arc::new((0..3).map(|_| (Turn::new(), Guarded::default())).collect());
        let written = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (turns, written) = (turns.clone(), &written);
                scope.spawn(move || {
                    let mut random = Random(seed * THREADS + thread);
                    for _ in 0..rounds {
                        let (a, b) = (random.below(3), random.below(3));
                        let (write_a, write_b) = (random.one_in(3), random.one_in(3));
                        let uses = |at: usize, write| match write {
                            true => Use::write(&turns[at].0),
                            false => Use::read(&turns[at].0),
                        };
                        let touch = move |turns: &[(Turn, Guarded)]| {
                            for (at, write) in [(a, write_a || a == b && write_b), (b, write_b || a == b && write_a)] {
                                match write {
                                    true => turns[at].1.write(),
                                    false => _ = turns[at].1.read(),
                                }
                            }
                        };
                        written.fetch_add(u64::from(write_a || a == b && write_b), Ordering::Relaxed);
                        written.fetch_add(u64::from(write_b || a == b && write_a), Ordering::Relaxed);
                        if random.one_in(8) {
                            let variables: Vec<&Variable> = [a, b].map(|at| turns[at].0.variable()).into();
                            let both = [(write_a, variables[0]), (write_b, variables[1])];
                            let some =
                                |write| both.iter().filter(move |(w, _)| *w == write).map(|(_, variable)| *variable);
                            let operation = Engine::global().operation("touch").reads(some(false)).writes(some(true));
                            let turns = turns.clone();
                            operation.push(move || touch(&turns)).unwrap();
                        } else {
                            let _claim = Claim::take([uses(a, write_a), uses(b, write_b)], name).unwrap();
                            touch(&turns);
                        }
                    }
                });
            }
        });
        for (turn, _) in turns.iter() {
            Engine::global().wait_to_write_timeout(turn.variable(), PATIENCE).unwrap();
            assert!(turn.is_free(), "seed {seed}");
        }
        let all: u64 = turns.iter().map(|(_, guarded)| guarded.written.load(Ordering::Relaxed)).sum();
        assert_eq!(all, written.load(Ordering::Relaxed), "seed {seed}");
    }
}

#[test]
fn an_operation_waits_for_the_calls_that_are_inside_and_later_calls_wait_for_it() {
    let (turn, order) = (Turn::new(), Arc::new(std::sync::Mutex::new(vec![])));
    let note = |what: &'static str| order.lock().unwrap().push(what);
    let first = Claim::take([Use::read(&turn)], name).unwrap();
    let second = Claim::take([Use::read(&turn)], name).unwrap();
    let shared = order.clone();
    let push = || Engine::global().operation("write").writes(turn.variable());
    let handle = push().submit(move || shared.lock().unwrap().push("operation")).unwrap();
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            barrier.wait();
            let _claim = Claim::take([Use::read(&turn)], name).unwrap();
            note("later call");
        });
        barrier.wait();
        drop(second);
        assert!(!handle.is_finished());
        note("first call");
        drop(first);
    });
    assert_eq!(*order.lock().unwrap(), ["first call", "operation", "later call"]);
    assert!(turn.is_free());
}

#[test]
fn a_call_is_told_of_the_operation_that_failed_before_it() {
    let (failed, other) = (Turn::new(), Turn::new());
    let engine = Engine::global();
    engine.operation("fail").writes(failed.variable()).push(|| Err("no disk")).unwrap();
    for _ in 0..2 {
        let error = Claim::take([Use::read(&other), Use::write(&failed)], name).err().unwrap();
        assert!(error.to_string().starts_with("`fail` (") && error.to_string().ends_with("no disk"), "{error}");
    }
    assert!(other.is_free() && !failed.is_free());
    drop(Claim::take([Use::write(&other)], name).unwrap());
    engine.operation("mend").overwrites(failed.variable()).push(|| ()).unwrap();
    drop(Claim::take([Use::read(&other), Use::write(&failed)], name).unwrap());
    assert!(failed.is_free());
}

/// By a call that only its thread knows of, by one that registered, by two threads across.
#[test]
fn a_call_that_waits_for_itself_is_told() {
    let engine = Engine::global();
    for registered in [false, true] {
        let turn = Turn::new();
        let (sender, receiver) = channel();
        if registered {
            // So that the call stands in the queue.
            engine.operation("hold").reads(turn.variable()).push(move || receiver.recv_timeout(PATIENCE)).unwrap();
            sender.send(()).unwrap();
        }
        let claim = Claim::take([Use::write(&turn)], name).unwrap();
        let after = engine.operation("after").writes(turn.variable()).submit(|| ()).unwrap();
        let wait = || after.wait_timeout(PATIENCE);
        assert!(matches!(*wait().unwrap_err(), Error::WaitsForItself { .. }), "{registered}");
        let again = Claim::take([Use::read(&turn)], name).err().unwrap();
        assert!(matches!(*again, Error::WaitsForItself { .. }), "{registered}");
        drop(claim);
        wait().unwrap();
        assert!(turn.is_free());
    }

    let (a, b) = (Turn::new(), Turn::new());
    let barrier = Barrier::new(2);
    let told: usize = std::thread::scope(|scope| {
        let cross = |own: &'static str, mine, others| {
            let barrier = &barrier;
            move || {
                let claim = Claim::take([Use::write(mine)], name).unwrap();
                barrier.wait();
                let other = engine.operation(own).writes(Turn::variable(others)).submit(|| ()).unwrap();
                let told = other.wait_timeout(PATIENCE).is_err_and(|e| matches!(*e, Error::WaitsForItself { .. }));
                drop(claim);
                other.wait_timeout(PATIENCE).unwrap();
                usize::from(told)
            }
        };
        let threads = [scope.spawn(cross("to b", &a, &b)), scope.spawn(cross("to a", &b, &a))];
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    // Whoever comes second; both, if the first had not begun to wait when the second was told.
    assert!(told >= 1);
    assert!(a.is_free() && b.is_free());
}

#[test]
fn a_function_that_is_run_here_has_its_turn() {
    for engine in [Engine::new(0), Engine::new(2), Engine::serial()] {
        let (a, b) = (engine.variable(), engine.variable());
        let mut log = vec![];
        let rounds = if cfg!(miri) { 5 } else { 100 };
        for round in 0..rounds {
            let shared = Arc::new(AtomicU64::new(0));
            let add = |by| {
                let shared = shared.clone();
                move || _ = shared.fetch_add(by, Ordering::Relaxed)
            };
            engine.operation("one").writes(&a).push(add(1)).unwrap();
            engine.operation("two").reads(&a).writes(&b).push(add(10)).unwrap();
            let seen = engine.operation("look").reads(&b).writes(&a).run(|| {
                log.push(round);
                // What it pushes comes after it.
                engine.operation("after").writes(&a).push(add(100)).unwrap();
                shared.load(Ordering::Relaxed)
            });
            assert_eq!(seen.unwrap(), 11);
            engine.wait_to_read(&a).unwrap();
            assert_eq!(shared.load(Ordering::Relaxed), 111);
        }
        assert_eq!(log.len(), rounds);

        let inside = engine.operation("outer").writes(&a).run(|| {
            let inner = engine.operation("inner").reads(&a).run(|| ());
            assert!(matches!(*inner.unwrap_err(), Error::WaitsForItself { .. }));
            let free = engine.operation("free").reads(&b).run(|| 7);
            assert_eq!(free.unwrap(), 7);
        });
        inside.unwrap();

        let panicking = || engine.operation("panic").writes(&a).run(|| panic!("on purpose"));
        let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(panicking)).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
        let error = engine.operation("next").reads(&a).run(|| unreachable!()).unwrap_err();
        assert!(error.to_string().starts_with("`panic` ("), "{error}");
        assert_eq!(engine.wait_all().unwrap_err().errors().len(), 1);
        engine.operation("mend").overwrites(&a).run(|| ()).unwrap();
        engine.operation("next").reads(&a).run(|| ()).unwrap();
        engine.shutdown().unwrap();
        assert!(matches!(*engine.operation("late").run(|| ()).unwrap_err(), Error::ShutDown { .. }));
    }
}
