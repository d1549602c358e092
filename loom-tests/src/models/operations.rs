//! Operations and those who run them: workers that are awake, or asleep, or on their way there, and threads that wait and help.

use std::sync::Arc;

use super::{Event, Guarded, check, spawn};
use crate::engine::Engine;
use crate::set_threads;

/// Nobody but the worker runs anything.
pub fn a_worker_hears_of_every_operation() {
    check(|| {
        let engine = Engine::new(1);
        let done = Arc::new(Event::default());
        for _ in 0..2 {
            let done = done.clone();
            engine.operation("one").push(move || done.happen()).unwrap();
        }
        done.wait(2);
        engine.shutdown().unwrap();
    });
}

/// Two operations that wait for each other: each of two workers must come for one, though one of them may have been counted on for both.
pub fn what_one_worker_leaves_another_takes() {
    check(|| {
        let engine = Engine::new(2);
        let met = Arc::new(Event::default());
        for _ in 0..2 {
            let met = met.clone();
            let meet = move || {
                met.happen();
                met.wait(2);
            };
            engine.operation("meet").push(meet).unwrap();
        }
        met.wait(2);
        engine.shutdown().unwrap();
    });
}

/// A chain, by two threads that wait for its two ends and no worker.
pub fn who_waits_helps() {
    check(|| {
        let engine = Engine::new(0);
        let (a, b) = (engine.variable(), engine.variable());
        let guarded = Arc::new(Guarded::default());
        let [first, second] = [guarded.clone(), guarded.clone()];
        engine.operation("one").writes(&a).push(move || first.write()).unwrap();
        let last = engine.operation("two").reads(&a).writes(&b).submit(move || second.write()).unwrap();
        let thread = spawn(move || last.wait().unwrap());
        engine.wait_to_read(&b).unwrap();
        guarded.read();
        thread.join().unwrap();
    });
}

/// The same with a worker, and an operation that is nobody's but the worker's.
pub fn workers_and_those_who_wait() {
    check(|| {
        let engine = Engine::new(1);
        let a = engine.variable();
        let (guarded, done) = (Arc::new(Guarded::default()), Arc::new(Event::default()));
        let (own, happens) = (guarded.clone(), done.clone());
        let handle = engine.operation("write").writes(&a).submit(move || own.write()).unwrap();
        engine.operation("other").push(move || happens.happen()).unwrap();
        handle.wait().unwrap();
        guarded.read();
        done.wait(1);
        engine.shutdown().unwrap();
    });
}

/// Operations of two threads, and all of them waited for.
pub fn all_are_waited_for() {
    check(|| {
        let engine = Engine::new(0);
        let a = engine.variable();
        let guarded = Arc::new(Guarded::default());
        let push = {
            let (engine, a) = (engine.clone(), a.clone());
            let guarded = guarded.clone();
            move || {
                let guarded = guarded.clone();
                engine.operation("write").writes(&a).push(move || guarded.write()).unwrap();
            }
        };
        let thread = spawn(push.clone());
        push();
        thread.join().unwrap();
        engine.wait_all().unwrap();
        guarded.read();
    });
}

/// An operation is cancelled that has begun, or has ended, and whose record another one has got meanwhile: that one runs.
pub fn an_id_is_of_one_operation() {
    check(|| {
        let engine = Engine::new(0);
        let a = engine.variable();
        let (ran, done) = (Arc::new(Event::default()), Arc::new(Event::default()));
        let [first, second] = [ran.clone(), done.clone()];
        let handle = Arc::new(engine.operation("one").writes(&a).submit(move || first.happen()).unwrap());
        let shared = handle.clone();
        let thread = spawn(move || shared.cancel());
        let ended = handle.wait();
        let other = engine.operation("other").overwrites(&a).submit(move || second.happen()).unwrap();
        other.wait().unwrap();
        done.wait(1);
        match thread.join().unwrap() {
            true => assert!(ended.is_err()),
            false => ran.wait(1),
        }
    });
}

/// The crew's worker sleeps without the lock that operations are pushed under.
pub fn the_crew_hears_of_every_operation() {
    check(|| {
        set_threads(2);
        let engine = Engine::global();
        let done = Arc::new(Event::default());
        for times in 1..=2 {
            let happens = done.clone();
            engine.operation("one").push(move || happens.happen()).unwrap();
            done.wait(times);
        }
    });
}

/// A worker is called for an operation and told to go: whoever waits runs it, though he sleeps already.
pub fn who_waits_runs_what_a_worker_leaves() {
    check(|| {
        set_threads(2);
        let engine = Engine::global();
        let a = engine.variable();
        let hold = engine.operation("hold").writes(&a);
        let thread = hold.run(|| {
            let after = engine.operation("after").writes(&a).submit(|| ()).unwrap();
            spawn(move || after.wait().unwrap())
        });
        set_threads(1);
        thread.unwrap().join().unwrap();
    });
}
