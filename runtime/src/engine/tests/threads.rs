//! Random programs with several pushers and workers, in every order of the ready queue, held against the same program one operation
//! after the other. Variables hold chains of hashes, so that an operation that runs too early or too late changes the result.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Random;
use crate::engine::ready::Pick;
use crate::engine::{Engine, Handle, Variable};

/// Programs in every run of the tests; `CASTNET_ENGINE_SOAK=100000` runs so many.
const PROGRAMS: u64 = 2000;

/// No program takes a second; one that takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Clone, Debug)]
struct Operation {
    number: usize,
    reads: Vec<usize>,
    writes: Vec<usize>,
    overwrites: Vec<usize>,
    priority: i32,
    ending: Ending,
    /// Rounds of doing nothing between reading and writing.
    spin: u32,
    cancel: bool,
    /// The pusher waits for the first variable then.
    wait: bool,
    child: Option<Box<Operation>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Done,
    Fails,
    Panics,
    /// Completed by another thread, perhaps.
    Later,
}

impl Operation {
    fn random(random: &mut Random, number: &mut usize, variables: usize, cancels: bool, is_child: bool) -> Operation {
        let most = [2, 4, 19][random.below(3)];
        let mut some = |least: usize, most: usize| -> Vec<usize> {
            (0..least + random.below(most - least + 1)).map(|_| random.below(variables)).collect()
        };
        let (reads, writes) = (some(0, most), some(0, 3));
        let overwrites = if writes.is_empty() { some(1, 1) } else { some(0, 1) };
        *number += 1;
        let own = *number;
        Operation {
            number: own,
            reads,
            writes,
            overwrites,
            priority: if random.one_in(3) { random.below(9) as i32 - 4 } else { 0 },
            ending: match random.below(30) {
                0 => Ending::Fails,
                1 => Ending::Panics,
                2..5 => Ending::Later,
                _ => Ending::Done,
            },
            spin: if random.one_in(4) { random.below(3000) as u32 } else { 0 },
            cancel: cancels && random.one_in(20),
            wait: random.one_in(30),
            child: (!is_child && random.one_in(12))
                .then(|| Box::new(Operation::random(random, number, variables, cancels, true))),
        }
    }

    /// What it finds in a variable matters.
    fn sees(&self, variable: usize) -> bool {
        self.reads.contains(&variable) || self.writes.contains(&variable)
    }

    fn changes(&self, variable: usize) -> bool {
        self.writes.contains(&variable) || self.overwrites.contains(&variable)
    }

    fn conflicts(&self, other: &Operation) -> bool {
        let one_way =
            |a: &Operation, b: &Operation| a.writes.iter().chain(&a.overwrites).any(|&v| b.sees(v) || b.changes(v));
        one_way(self, other) || one_way(other, self)
    }

    /// What it makes of what its variables hold.
    fn hash(&self, mut value: impl FnMut(usize) -> u64) -> u64 {
        let seen = self.reads.iter().chain(&self.writes);
        seen.fold(self.number as u64, |hash, &v| Random(hash.rotate_left(9) ^ value(v)).next())
    }
}

/// A program while it runs.
struct Run {
    engine: Engine,
    variables: Vec<Variable>,
    values: Vec<AtomicU64>,
    clock: AtomicU64,
    pushed: Mutex<Vec<Pushed>>,
}

struct Pushed {
    operation: Operation,
    handle: Handle,
    times: Arc<[AtomicU64; 2]>,
    cancelled: bool,
}

impl Run {
    fn new(engine: Engine, variables: usize) -> Arc<Run> {
        Arc::new(Run {
            variables: (0..variables).map(|_| engine.variable()).collect(),
            engine,
            values: (0..variables).map(|_| AtomicU64::new(0)).collect(),
            clock: AtomicU64::new(1),
            pushed: Mutex::new(vec![]),
        })
    }

    fn push(self: &Arc<Run>, operation: Operation) {
        let named = |variables: &[usize]| variables.iter().map(|&v| &self.variables[v]).collect::<Vec<_>>();
        let times = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let description = self
            .engine
            .operation(operation.number.to_string())
            .reads(named(&operation.reads))
            .overwrites(named(&operation.overwrites))
            .writes(named(&operation.writes))
            .priority(operation.priority);
        let (run, own, stamps) = (self.clone(), operation.clone(), times.clone());
        let apart = operation.number.is_multiple_of(4);
        let handle = match operation.ending {
            Ending::Later => description.submit_async(move |token| {
                let later = move || {
                    run.compute(&own, &stamps);
                    token.complete(());
                };
                if apart { drop(std::thread::spawn(later)) } else { later() }
            }),
            _ => description.submit(move || {
                if let Some(child) = &own.child {
                    run.push(Operation::clone(child));
                }
                run.compute(&own, &stamps);
                match own.ending {
                    Ending::Fails => Err("on purpose"),
                    Ending::Panics => std::panic::resume_unwind(Box::new("on purpose")),
                    Ending::Done | Ending::Later => Ok(()),
                }
            }),
        };
        let handle = handle.unwrap();
        let cancelled = operation.cancel && handle.cancel();
        self.pushed.lock().unwrap().push(Pushed { operation, handle, times, cancelled });
    }

    fn compute(&self, operation: &Operation, times: &[AtomicU64; 2]) {
        times[0].store(self.clock.fetch_add(1, Ordering::SeqCst), Ordering::Relaxed);
        let hash = operation.hash(|v| self.values[v].load(Ordering::Relaxed));
        (0..operation.spin).for_each(|_| std::hint::spin_loop());
        for (v, value) in self.values.iter().enumerate().filter(|(v, _)| operation.changes(*v)) {
            value.store(hash ^ v as u64, Ordering::Relaxed);
        }
        times[1].store(self.clock.fetch_add(1, Ordering::SeqCst), Ordering::Relaxed);
    }
}

/// What became of a program.
#[derive(PartialEq)]
struct Left {
    values: Vec<u64>,
    versions: Vec<u64>,
    /// Of each variable, the operation that is to blame for it.
    blamed: Vec<Option<String>>,
    /// Of each operation, the one that is to blame for its failure.
    results: HashMap<usize, Option<String>>,
}

fn left_by(run: &Run) -> Left {
    let name = |result: Result<(), Arc<crate::engine::Error>>| result.err().map(|e| e.origin().name().to_string());
    let result = |pushed: &Pushed| (pushed.operation.number, name(pushed.handle.wait()));
    Left {
        values: run.values.iter().map(|value| value.load(Ordering::Relaxed)).collect(),
        versions: run.variables.iter().map(Variable::version).collect(),
        blamed: run.variables.iter().map(|v| name(run.engine.wait_to_write(v))).collect(),
        results: run.pushed.lock().unwrap().iter().map(result).collect(),
    }
}

fn check(seed: u64) -> Result<(), String> {
    let mut random = Random(seed);
    let (workers, pushers) = (random.below(9), 1 + random.below(8));
    let (variables, cancels) = (1 + random.below(24), random.one_in(2));
    let mut number = 0;
    let programs: Vec<Vec<Operation>> = (0..pushers)
        .map(|_| {
            let length = 1 + random.below(80 / pushers);
            (0..length).map(|_| Operation::random(&mut random, &mut number, variables, cancels, false)).collect()
        })
        .collect();
    let engine = Engine::new(workers);
    engine.core().lock().queues[0].ready.pick =
        [None, Some(Pick::Last), Some(Pick::Random(seed)), Some(Pick::LargestTicket)][random.below(4)];
    let run = Run::new(engine, variables);
    std::thread::scope(|scope| {
        for program in programs {
            let run = &run;
            scope.spawn(move || {
                for operation in program {
                    let wait = operation.wait.then(|| operation.writes.first().copied()).flatten();
                    run.push(operation);
                    if let Some(variable) = wait {
                        _ = run.engine.wait_to_read(&run.variables[variable]);
                    }
                }
            });
        }
    });
    let mut failures = match run.engine.wait_all_timeout(PATIENCE) {
        Ok(()) => vec![],
        Err(failures) => failures.errors().iter().map(|e| e.origin().name().to_string()).collect(),
    };
    let left = left_by(&run);

    // The order that the tickets say is the order that everything must look like.
    let mut pushed = run.pushed.lock().unwrap();
    pushed.sort_by_key(|pushed| pushed.handle.id.ticket);
    let mut plain = Left {
        values: vec![0; variables],
        versions: vec![0; variables],
        blamed: vec![None; variables],
        results: HashMap::new(),
    };
    let mut expected = vec![];
    for Pushed { operation, times, cancelled, .. } in &*pushed {
        let own = operation.number.to_string();
        let blamed: Vec<&String> =
            (0..variables).filter(|&v| operation.sees(v)).filter_map(|v| plain.blamed[v].as_ref()).collect();
        let found = &left.results[&operation.number];
        let ran = times[1].load(Ordering::Relaxed) != 0;
        if ran != (blamed.is_empty() && !cancelled) {
            return Err(format!("operation {own} ran: {ran}, though {blamed:?} failed before it"));
        }
        let fails = ran && matches!(operation.ending, Ending::Fails | Ending::Panics);
        let right = match found {
            Some(root) if *cancelled || fails => *root == own,
            Some(root) => blamed.contains(&root),
            None => ran && !fails,
        };
        if !right {
            return Err(format!("operation {own} is told that {found:?} failed"));
        }
        let hash = operation.hash(|v| plain.values[v]);
        for v in (0..variables).filter(|&v| operation.changes(v)) {
            if ran {
                plain.values[v] = hash ^ v as u64;
                plain.versions[v] += 1;
                plain.blamed[v] = found.clone();
            } else if plain.blamed[v].is_none() {
                plain.blamed[v] = found.clone();
            }
        }
        if fails {
            expected.push(own);
        }
    }
    if (&plain.values, &plain.versions, &plain.blamed) != (&left.values, &left.versions, &left.blamed) {
        return Err("the variables are not left as one operation after the other leaves them".to_string());
    }
    failures.sort();
    expected.sort();
    if failures != expected {
        return Err(format!("{failures:?} failed, not {expected:?}"));
    }
    for (j, second) in pushed.iter().enumerate() {
        let start = second.times[0].load(Ordering::Relaxed);
        for first in &pushed[..j] {
            let end = first.times[1].load(Ordering::Relaxed);
            if start != 0 && end > start && first.operation.conflicts(&second.operation) {
                let (first, second) = (first.operation.number, second.operation.number);
                return Err(format!("operation {second} began before {first} ended"));
            }
        }
    }

    // The same by a serial engine, in which nothing can be cancelled: the same operations are to blame, too.
    if pushed.iter().any(|pushed| pushed.cancelled) {
        return Ok(());
    }
    let serial = Run::new(Engine::serial(), variables);
    for Pushed { operation, .. } in &*pushed {
        serial.push(Operation { child: None, ..operation.clone() });
    }
    let serially = left_by(&serial);
    if (&serially.values, &serially.blamed, &serially.results) != (&left.values, &left.blamed, &left.results) {
        return Err("a serial engine has another result".to_string());
    }
    Ok(())
}

#[test]
fn random_programs_are_what_they_are_one_operation_after_the_other() {
    let programs = std::env::var("CASTNET_ENGINE_SOAK").ok().and_then(|n| n.parse().ok()).unwrap_or(PROGRAMS);
    // Several at once, so that threads are held up at all places.
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= programs {
                        return;
                    }
                    if let Err(error) = check(seed) {
                        panic!("seed {seed}: {error}");
                    }
                }
            });
        }
    });
}
