//! Calls that take their turns by the word, beside operations of the process's engine: never a reader beside a writer, everything ends, and at the end the
//! word is as it was.

use std::sync::Arc;

use super::{Event, Guarded, check, spawn};
use crate::engine::{Claim, Engine, Turn, Use};
use crate::set_threads;

/// What calls use, and whose turn it is.
struct Thing {
    turn: Turn,
    guarded: Guarded,
}

impl Thing {
    fn new() -> Arc<Thing> {
        Arc::new(Thing { turn: Turn::new(), guarded: Guarded::default() })
    }
}

fn name() -> String {
    "call".to_string()
}

fn read(thing: &Thing) {
    let _claim = Claim::take([Use::read(&thing.turn)], name).unwrap();
    thing.guarded.read();
}

fn write(thing: &Thing) {
    let _claim = Claim::take([Use::write(&thing.turn)], name).unwrap();
    thing.guarded.write();
}

/// An engine before others look for it; with so many threads of the crew.
fn engine(threads: usize) -> &'static Engine {
    set_threads(threads);
    Engine::global()
}

/// Two that read and one that writes; who finds his turn taken registers.
pub fn calls_exclude_each_other() {
    check(|| {
        engine(1);
        let thing = Thing::new();
        let own = [thing.clone(), thing.clone()];
        let [first, second] = own;
        let threads = [spawn(move || read(&first)), spawn(move || write(&second))];
        read(&thing);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(thing.turn.is_free());
    });
}

/// One that reads, one that writes, and an operation that writes.
pub fn calls_and_operations_exclude_each_other() {
    check(|| {
        let engine = engine(1);
        let thing = Thing::new();
        let [first, second, third] = [thing.clone(), thing.clone(), thing.clone()];
        let threads = [spawn(move || read(&first)), spawn(move || write(&second))];
        let operation = engine.operation("write").writes(thing.turn.variable());
        operation.submit(move || third.guarded.write()).unwrap().wait().unwrap();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(thing.turn.is_free());
    });
}

/// Two that read and an operation that reads, then one that writes.
pub fn readers_leave_and_a_writer_comes() {
    check(|| {
        let engine = engine(1);
        let thing = Thing::new();
        let [first, second, third, fourth] = std::array::from_fn(|_| thing.clone());
        let threads = [spawn(move || read(&first)), spawn(move || read(&second))];
        let variable = thing.turn.variable();
        engine.operation("read").reads(variable).push(move || third.guarded.read()).unwrap();
        let last = engine.operation("write").writes(variable).submit(move || fourth.guarded.write()).unwrap();
        last.wait().unwrap();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(thing.turn.is_free());
    });
}

/// Two that take the same two things in opposite order, and an operation that reads one of them.
pub fn two_things_at_once() {
    check(|| {
        let engine = engine(1);
        let (a, b) = (Thing::new(), Thing::new());
        let both = |a: &Arc<Thing>, b: &Arc<Thing>| {
            let (a, b) = (a.clone(), b.clone());
            move || {
                let _claim = Claim::take([Use::write(&a.turn), Use::read(&b.turn)], name).unwrap();
                a.guarded.write();
                b.guarded.read();
            }
        };
        let threads = [spawn(both(&a, &b)), spawn(both(&b, &a))];
        let own = a.clone();
        let operation = engine.operation("read").reads(a.turn.variable());
        operation.submit(move || own.guarded.read()).unwrap().wait().unwrap();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(a.turn.is_free() && b.turn.is_free());
    });
}

/// A call is over that an operation waits for: it is run by a worker of the crew, or by nobody if that is not woken.
pub fn the_crew_runs_what_waits_for_a_call() {
    check(|| {
        let engine = engine(2);
        let (thing, done) = (Thing::new(), Arc::new(Event::default()));
        let claim = Claim::take([Use::read(&thing.turn)], name).unwrap();
        let (own, happens) = (thing.clone(), done.clone());
        let run = move || {
            own.guarded.write();
            happens.happen();
        };
        engine.operation("write").writes(thing.turn.variable()).push(run).unwrap();
        thing.guarded.read();
        drop(claim);
        done.wait(1);
        read(&thing);
        assert!(thing.turn.is_free());
    });
}

/// An operation fails: from then on calls are told, until the thing is overwritten.
pub fn a_failure_is_told() {
    check(|| {
        let engine = engine(1);
        let thing = Thing::new();
        let [first, second, third] = std::array::from_fn(|_| thing.clone());
        let thread = spawn(move || {
            // Before the failure, or after the operation that mends it.
            if let Ok(_claim) = Claim::take([Use::read(&first.turn)], name) {
                first.guarded.read();
            }
        });
        let fail = move || {
            second.guarded.write();
            Err::<(), _>("no disk")
        };
        let variable = thing.turn.variable();
        let failed = engine.operation("fail").writes(variable).submit(fail).unwrap();
        assert!(failed.wait().is_err());
        assert!(Claim::take([Use::write(&thing.turn)], name).is_err() && !thing.turn.is_free());
        let mend = engine.operation("mend").overwrites(variable);
        mend.submit(move || third.guarded.write()).unwrap().wait().unwrap();
        write(&thing);
        thread.join().unwrap();
        assert!(thing.turn.is_free());
    });
}
