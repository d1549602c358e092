//! What the engine itself takes: `cargo bench -p castnet-runtime --bench engine`.
//!
//! Operations that read two variables and write one, and do next to nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use castnet_runtime::engine::{Engine, Variable};

const BATCH: usize = 256;
const VARIABLES: usize = 64;

/// Pushes a batch and waits for it.
fn batch(engine: &Engine, variables: &[Variable], sum: &Arc<AtomicU64>, first: usize) {
    for i in first..first + BATCH {
        let at = |step: usize| &variables[(i * step + step) % VARIABLES];
        let operation = engine.operation("op").reads([at(3), at(5)]).writes(at(7));
        let sum = Arc::as_ptr(sum) as usize as u64;
        operation.push(move || _ = std::hint::black_box(sum)).expect("the engine is open");
    }
    engine.wait_all().expect("nothing fails");
}

/// The kilobytes of memory that the process has.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

fn main() {
    let wanted = std::env::args().nth(1).filter(|word| !word.starts_with('-'));
    let wants = |name: &str| wanted.as_ref().is_none_or(|wanted| name.contains(wanted.as_str()));
    let sum = Arc::new(AtomicU64::new(0));
    for workers in [0, 1, 2] {
        let engine = Engine::new(workers);
        let variables: Vec<Variable> = (0..VARIABLES).map(|_| engine.variable()).collect();
        if !wants(&format!("workers {workers}")) {
            continue;
        }
        let windows = (0..50).map(|_| {
            let start = Instant::now();
            (0..40).for_each(|round| batch(&engine, &variables, &sum, round * BATCH));
            start.elapsed().as_nanos() as f64 / (40 * BATCH) as f64
        });
        println!("workers {workers}: {:.1} ns an operation", windows.fold(f64::MAX, f64::min));
    }
    if wants("chain") {
        // Each operation is run by a thread that waits for it, and pushed by one that waits.
        let engine = Engine::new(0);
        let a = engine.variable();
        let start = Instant::now();
        for _ in 0..1_000_000 {
            engine.operation("op").writes(&a).push(|| ()).expect("the engine is open");
            engine.wait_to_read(&a).expect("nothing fails");
        }
        println!("pushed and waited for, one by one: {:.0} ns", start.elapsed().as_nanos() as f64 / 1e6);
    }
    if wants("memory") {
        let engine = Engine::new(0);
        let variables: Vec<Variable> = (0..VARIABLES).map(|_| engine.variable()).collect();
        batch(&engine, &variables, &sum, 0);
        let before = resident();
        (0..10_000_000 / BATCH).for_each(|round| batch(&engine, &variables, &sum, round));
        println!("10 million operations: {} kB more memory", resident().saturating_sub(before));
    }
    sum.fetch_add(1, Ordering::Relaxed);
}
