//! The process's engine: its operations run on the threads that networks compute with, between their jobs.

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use castnet_runtime::engine::{Engine, Variable};
use castnet_runtime::{Array, Device, Model, Sgd, set_threads};
use common::{LOSS, regression};

/// Nothing here takes a second; what takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Tests set the number of threads, so they come one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn idle_threads_run_operations_that_nobody_waits_for() {
    let _alone = alone();
    for threads in [2, 3] {
        set_threads(threads);
        let (sender, receiver) = channel();
        for number in 0..100 {
            let sender = sender.clone();
            let push =
                Engine::global().operation("send").push(move || sender.send((number, std::thread::current().id())));
            push.unwrap();
        }
        let mut seen: Vec<_> = (0..100).map(|_| receiver.recv_timeout(PATIENCE).unwrap()).collect();
        seen.sort_unstable_by_key(|(number, _)| *number);
        assert!(seen.iter().map(|(number, _)| *number).eq(0..100));
        assert!(seen.iter().all(|(_, thread)| *thread != std::thread::current().id()));
    }
}

#[test]
fn with_one_thread_whoever_waits_runs_them() {
    let _alone = alone();
    set_threads(2);
    set_threads(1);
    let engine = Engine::global();
    let variable = engine.variable();
    let ran = Arc::new(Mutex::new(None));
    let place = ran.clone();
    let run = move || *place.lock().unwrap() = Some(std::thread::current().id());
    engine.operation("run").writes(&variable).push(run).unwrap();
    engine.wait_to_read(&variable).unwrap();
    // Or one of the threads that were about to go.
    assert!(ran.lock().unwrap().is_some());
}

#[test]
fn threads_come_and_go_while_operations_are_pending() {
    let _alone = alone();
    let engine = Engine::global();
    for round in 0..200u64 {
        set_threads(1 + round as usize % 4);
        let chain = engine.variable();
        let log = Arc::new(Mutex::new(vec![]));
        for number in 0..50 {
            let (log, others) = (log.clone(), engine.variable());
            let push = engine.operation("note").reads(&others).writes(&chain).push(move || {
                log.lock().unwrap().push(number);
            });
            push.unwrap();
            if number % 10 == round % 10 {
                set_threads(1 + (round + number) as usize % 3);
            }
        }
        engine.wait_to_read_timeout(&chain, PATIENCE).unwrap();
        assert!(log.lock().unwrap().iter().copied().eq(0..50), "round {round}");
    }
    set_threads(2);
}

/// A thread sleeps for an operation that a worker was woken for, which is told to go instead.
#[test]
fn a_worker_that_goes_leaves_nothing_behind() {
    let _alone = alone();
    let engine = Engine::global();
    for _ in 0..500 {
        set_threads(2);
        let handle = engine.operation("nothing").submit(|| ()).unwrap();
        set_threads(1);
        handle.wait_timeout(PATIENCE).unwrap();
    }
    set_threads(2);
}

/// The worker is inside an operation that ends only when another one has run, which nobody but the waiting thread can run then.
#[test]
fn whoever_waits_runs_what_no_worker_is_free_for() {
    let _alone = alone();
    set_threads(2);
    let engine = Engine::global();
    for _ in 0..100 {
        let (sender, receiver) = sync_channel(1);
        let first = engine.operation("first").submit(move || receiver.recv_timeout(PATIENCE)).unwrap();
        let second = engine.operation("second").submit(move || sender.send(())).unwrap();
        second.wait_timeout(PATIENCE).unwrap();
        first.wait_timeout(PATIENCE).unwrap();
    }
}

/// Neither steps nor operations wait for ever for the other ones, though there is always more of both.
#[test]
fn steps_and_operations_both_go_on() {
    let _alone = alone();
    let engine = Engine::global();
    for threads in [2, 3] {
        set_threads(threads);
        let (stop, ran) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        // Each operation pushes the next one.
        fn again(chain: Variable, stop: Arc<AtomicBool>, ran: Arc<AtomicU64>) {
            let (variable, next) = (chain.clone(), (stop.clone(), ran.clone()));
            let push = Engine::global().operation("again").writes(&variable).push(move || {
                ran.fetch_add(1, Ordering::Relaxed);
                if !stop.load(Ordering::Relaxed) {
                    again(chain, next.0, next.1);
                }
            });
            push.unwrap();
        }
        let chains: Vec<Variable> = (0..threads + 1).map(|_| engine.variable()).collect();
        chains.iter().for_each(|chain| again(chain.clone(), stop.clone(), ran.clone()));
        let value = |i: usize| (i as f32 * 0.37).sin();
        let array = |columns: usize| Array::from_vec(&[64, columns], (0..64 * columns).map(value).collect()).unwrap();
        let (x, y) = (array(200), array(100));
        std::thread::scope(|scope| {
            let trainers: Vec<_> = (0..2)
                .map(|seed| {
                    let (x, y) = (&x, &y);
                    scope.spawn(move || {
                        let mut model = Model::from_net(regression(200, 100), &Device::cpu(), seed).unwrap();
                        (0..200).for_each(|_| _ = model.step(LOSS, &mut Sgd::new(1e-3), &[x, y]).unwrap());
                    })
                })
                .collect();
            // Steps end beside operations that never do, and operations run beside steps.
            let before = ran.load(Ordering::Relaxed);
            trainers.into_iter().for_each(|trainer| trainer.join().unwrap());
            assert!(ran.load(Ordering::Relaxed) > before);
        });
        stop.store(true, Ordering::Relaxed);
        engine.wait_all_timeout(PATIENCE).unwrap();
    }
    set_threads(2);
}

/// What the engine was asked to do is done though the thread that computes never rests.
#[test]
fn an_operation_runs_while_steps_never_end() {
    let _alone = alone();
    set_threads(2);
    let ran = Arc::new(AtomicBool::new(false));
    let value = |i: usize| (i as f32 * 0.37).sin();
    let array = |columns: usize| Array::from_vec(&[64, columns], (0..64 * columns).map(value).collect()).unwrap();
    let (x, y) = (array(200), array(100));
    let mut model = Model::from_net(regression(200, 100), &Device::cpu(), 1).unwrap();
    for _ in 0..20 {
        ran.store(false, Ordering::Relaxed);
        let flag = ran.clone();
        Engine::global().operation("flag").push(move || flag.store(true, Ordering::Relaxed)).unwrap();
        let start = std::time::Instant::now();
        while !ran.load(Ordering::Relaxed) {
            model.step(LOSS, &mut Sgd::new(1e-3), &[&x, &y]).unwrap();
            assert!(start.elapsed() < PATIENCE, "the operation never runs");
        }
    }
}
