//! After the first steps, a step of training allocates nothing, on any thread.

mod common;

use std::alloc::{GlobalAlloc, System};
use std::sync::atomic::{AtomicU64, Ordering};

use castnet_kernels::Kernel;
use castnet_kernels::isa::Isa;
use castnet_program::net::Mirror;
use castnet_program::program::Layout;
use castnet_program::types::DType;
use castnet_runtime::optimizer::*;
use castnet_runtime::{Device, Model, set_threads};
use common::{LOSS, noise, regression};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: std::alloc::Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: std::alloc::Layout) {
        // SAFETY: as the caller says.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A program of its own without a test harness, which would allocate meanwhile: a test that takes a minute is told of.
fn main() {
    set_threads(3);
    let adam = || AdamW::new(1e-3).schedule(Cosine::new(100));
    let ways: [(Box<dyn Optimizer>, bool); 15] = [
        (Box::new(adam()), false),
        (Box::new(adam().clip_norm(1.0)), false),
        (Box::new(adam()), true),
        (Box::new(Sgd::new(0.1).momentum(0.9)), false),
        (Box::new(Adam::new(1e-3).amsgrad(true)), false),
        (Box::new(Adagrad::new(0.1)), false),
        (Box::new(RMSprop::new(1e-3).centered(true)), false),
        (Box::new(NAdam::new(1e-3)), false),
        (Box::new(RAdam::new(1e-3)), false),
        (Box::new(Adamax::new(1e-3)), false),
        (Box::new(Adadelta::new(1.0)), false),
        (Box::new(Lion::new(1e-4)), false),
        (Box::new(LAMB::new(1e-3)), false),
        (Box::new(LARS::new(0.1)), false),
        (Box::new(LARS::new(0.1).clip_norm(1.0)), true),
    ];
    // The sum of the loss is split where the batch is long.
    let batches = [900, 900, 17].map(|n| (noise(&[n, 300], 1), noise(&[n, 200], 2)));
    let Some((program, launch)) = regression(300, 200).cpu().iter().find_map(|function| {
        let program = function.training.as_ref()?;
        Some((program.clone(), program.launches.iter().find(|launch| !launch.reduce.is_empty())?.clone()))
    }) else {
        panic!("no launch reduces")
    };
    let dtypes: Vec<_> = program.buffers.iter().map(|b| b.dtype).collect();
    assert!(Kernel::new(&launch, &dtypes, Isa::detect(), &[], &|_| 900).parts() > 1);
    // Updates write these, too.
    let mut net = regression(300, 200);
    net.targets[0].mirrors =
        [(0, DType::BF16, Layout::Plain), (2, DType::F16, Layout::Plain), (0, DType::F32, Layout::Plain)]
            .map(|(parameter, dtype, layout)| Mirror { parameter, dtype, layout })
            .to_vec();
    for (mut optimizer, guarded) in ways {
        let mut model = Model::from_net(net.clone(), &Device::cpu(), 3).unwrap();
        model.stop_on_nan(guarded);
        let mut before = 0;
        for epoch in 0..30 {
            if epoch == 2 {
                // The last batch is short: both bindings have been seen.
                before = ALLOCATIONS.load(Ordering::Relaxed);
            }
            for (x, y) in &batches {
                model.step(LOSS, &mut *optimizer, &[x, y]).unwrap().get().unwrap();
            }
        }
        assert_eq!(ALLOCATIONS.load(Ordering::Relaxed) - before, 0, "{}, guarded {guarded}", optimizer.name());
    }
}
