//! From the second step on, training allocates nothing, on any thread.

mod nets;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use castnet::data::{Batches, Dataset, Field};
use castnet::engine::Engine;
use castnet::optimizer::{Accumulate, OneCycleLr};
use castnet::prelude::*;
use castnet::train::Ema;
use nets::{Example, LeNet};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller says.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of 99 rounds after a first one.
fn allocations(optimizer: &mut impl Optimizer, batches: &[Vec<Array>]) -> u64 {
    let mut net = LeNet::create(1).unwrap();
    let mut ema = Ema::new(LeNet::create(2).unwrap(), 0.99).unwrap();
    let mut round = || {
        for batch in batches {
            net.train(optimizer, batch).unwrap();
            ema.update(&net).unwrap();
        }
    };
    round();
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    (1..100).for_each(|_| round());
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// Allocations of batches that are made ahead, after the first two epochs.
fn allocations_ahead() -> u64 {
    // Records of operations, which the engine uses again.
    let engine = Engine::global();
    (0..100).for_each(|_| engine.operation("nothing").push(|| ()).unwrap());
    engine.wait_all().unwrap();
    let rows = Array::from_vec(&[1000, 4], (0..4000).map(|i| i as f32).collect()).unwrap();
    let data = Dataset::new([Field::new(rows)]).unwrap();
    let mut batches = Batches::new(&data, 48).unwrap().shuffle(1).prefetch(3).unwrap();
    let mut before = 0;
    for epoch in 0..20 {
        if epoch == 2 {
            before = ALLOCATIONS.load(Ordering::Relaxed);
        }
        while let Some([x]) = batches.next_batch().unwrap() {
            assert_eq!(x.shape()[1], 4);
        }
    }
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// A program of its own without a test harness, which would allocate meanwhile: a test that takes a minute is told of.
fn main() {
    castnet::set_threads(2);
    std::thread::sleep(Duration::from_millis(200)); // The worker has started.
    assert_eq!(allocations_ahead(), 0, "batches made ahead");
    let full = [LeNet::batch(64, 1)];
    let alternating = [LeNet::batch(64, 1), LeNet::batch(17, 2)];
    for batches in [&full[..], &alternating] {
        let what = format!("with {} batch sizes", batches.len());
        assert_eq!(allocations(&mut Sgd::new(0.01).momentum(0.9), batches), 0, "SGD {what}");
        assert_eq!(allocations(&mut AdamW::new(1e-3).clip_norm(1.0), batches), 0, "AdamW {what}");
        let mut grouped = Sgd::new(0.01).momentum(0.9).schedule(OneCycleLr::new(300)).group("*.bias", |g| g.lr(0.1));
        assert_eq!(allocations(&mut grouped, batches), 0, "groups {what}");
        // The first round makes an update.
        let mut two = AdamW::new(1e-3).clip_norm(1.0).accumulate(Accumulate::Mean(batches.len().max(2) as u64));
        assert_eq!(allocations(&mut two, &[batches, batches].concat()), 0, "accumulated {what}");
    }
}
