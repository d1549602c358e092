//! What a call costs, known when you build.

use castnet::prelude::*;

network! {
    net Small {
        fc1: Linear(32);
        fc2: Linear(4);

        pub fn scores(x: f32[N, T, 8]) -> f32[N, T, 4] {
            fc2(fc1(x).relu())
        }

        pub train fn loss(x: f32[N, T, 8], y: f32[N, T, 4]) -> f32 {
            scores(x).mse_loss(y)
        }
    }
}

network! {
    net Counting {
        state seen: i64[1000] = 0;

        pub fn count(x: f32[N]) -> f32[N] {
            seen = seen + 1;
            x + 1.0
        }
    }
}

mod sizes {
    use castnet::prelude::*;

    network! {
        pub const WIDTH: usize = 2 * HALF;
        const HALF: usize = 3;
        pub(crate) const RATE: f32 = sqrt(0.25);
    }
}

network! {
    use crate::sizes::{WIDTH, RATE as SCALE};

    net Handed {
        pub fn scaled(x: f32[N, WIDTH]) -> f32[N, WIDTH] { x * SCALE }
    }
}

/// Constants, as the sizes are.
const FLOPS: u64 = Small::flops(3, 5);
const MEMORY: usize = Small::loss_step_memory::<AdamW>(3, 5);

#[test]
fn figures_are_constants_of_the_run_time_sizes() {
    // Two products, two biases, a relu.
    assert_eq!(FLOPS, 3 * 5 * (2 * 8 * 32 + 2 * 32 + 2 * 32 * 4 + 4));
    assert_eq!(FLOPS, Small::scores_flops(3, 5));
    // Backward, each weight has a product, and the second layer's input.
    assert!(Small::loss_step_flops(3, 5) > 2 * FLOPS);
    assert_eq!(
        Small::loss_step_flops(6, 5) - Small::loss_step_flops(3, 5),
        Small::loss_step_flops(9, 5) - Small::loss_step_flops(6, 5)
    );

    let of_sgd = Small::loss_step_memory::<Sgd>(3, 5);
    // Parameters lie in panels of 32 columns, each from a cache line on.
    let parameters = 4 * (8 * 32 + 32 + 32 * 32 + 16);
    assert_eq!(MEMORY - of_sgd, parameters);
    assert!(Small::scores_memory(3, 5) > parameters && of_sgd > 3 * parameters);
    assert!(Small::scores_memory(6, 5) > Small::scores_memory(3, 5));
    assert!(Counting::count_memory(1) >= 8 * 1000);
}

#[test]
fn figures_end_at_the_largest_number() {
    const HUGE: usize = 1 << 40;
    assert_eq!((Small::flops(HUGE, HUGE), Small::loss_step_flops(usize::MAX, 1)), (u64::MAX, u64::MAX));
    assert_eq!(
        (Small::scores_memory(HUGE, HUGE), Small::loss_step_memory::<AdamW>(1, HUGE << 20)),
        (usize::MAX, usize::MAX)
    );
    // Beyond 2⁵³ and below 2⁶⁴ they are exact.
    assert_eq!(Small::flops(HUGE, 1000) % 1000, 0);
    assert_eq!(Small::flops(HUGE, 7), HUGE as u64 * Small::flops(1, 7));
}

/// What one `network!` calls so, another one takes, and so does Rust, by the same `use`.
#[test]
fn constants_of_other_modules_are_used() {
    use sizes::WIDTH;
    let net = Handed::new(&Device::cpu(), 1).unwrap();
    let x = Array::from_vec(&[1, WIDTH], vec![3.0f32; WIDTH]).unwrap();
    assert_eq!(net.scaled(&x).unwrap().as_slice::<f32>().unwrap(), [1.5; 6]);
    assert_eq!((WIDTH, sizes::RATE), (6, 0.5));
}
