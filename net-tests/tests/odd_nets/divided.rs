//! Run-time sizes of which a rule says what divides them.

use castnet::prelude::*;

network! {
    block Pairs(x: f32[N, T]) -> f32[N, T / 2] {
        where T % 2 == 0;
        x.reshape([N, T / 2, 2]).sum(2)
    }

    pub net Halves {
        pairs: Pairs;
        fn halves(x: f32[N, T]) -> f32[N, 2, T / 2] { x.reshape([N, 2, T / 2]) }

        /// By a rule of a block.
        pub fn pairs_of(x: f32[N, T]) -> f32[N, T / 2] { pairs(x) }
        pub fn quarters_of(x: f32[N, T]) -> f32[N, _] { pairs(pairs(x)) }
        /// By what is asserted.
        pub fn ends(x: f32[N, T]) -> f32[N, T / 2] { assert!(T % 2 == 0); let h = halves(x); h[.., 0] - h[.., 1] }
        pub fn positions(x: f32[N, T]) -> f32[T / 3] { assert!(T % 3 == 0, "in threes"); arange(T / 3).cast(f32) + x.sum() / T }
    }

    /// Down and up again.
    pub net Waves {
        where L % 4 == 0;
        down1: Conv1d(4, kernel_size = 3, stride = 2, padding = 1);
        down2: Conv1d(8, kernel_size = 3, stride = 2, padding = 1);
        up1:   ConvTranspose1d(4, kernel_size = 2, stride = 2);
        up2:   ConvTranspose1d(1, kernel_size = 2, stride = 2);

        pub fn clean(wave: f32[N, 1, L]) -> f32[N, 1, L] {
            let half = down1(wave).relu();
            let quarter: f32[N, 8, L / 4] = down2(half).relu();
            up2(up1(quarter).relu() + half) + wave
        }
        #[memory(1 MiB, N = 4, L = 64)]
        pub train fn loss(wave: f32[N, 1, L], target: f32[N, 1, L]) -> f32 { (clean(wave) - target).square().mean() }
    }
}

#[test]
fn a_part_of_a_size_is_a_size() -> castnet::Result<()> {
    let net = Halves::new(&Device::cpu(), 1)?;
    let x = Array::from_slice(&[1, 12], &[1f32, 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12.])?;
    assert_eq!(net.pairs_of(&x)?.as_slice::<f32>()?, [3., 7., 11., 15., 19., 23.]);
    assert_eq!(net.quarters_of(&x)?.as_slice::<f32>()?, [10., 26., 42.]);
    assert_eq!(net.ends(&x)?.as_slice::<f32>()?, [-6.; 6]);
    assert_eq!(net.positions(&x)?.as_slice::<f32>()?, [6.5, 7.5, 8.5, 9.5]);
    Ok(())
}

#[test]
fn what_does_not_divide_is_an_error_of_the_call() -> castnet::Result<()> {
    let net = Halves::new(&Device::cpu(), 1)?;
    let x = Array::zeros::<f32>(&[1, 7]);
    let errors = [net.pairs_of(&x), net.quarters_of(&x), net.ends(&x), net.positions(&x)];
    for error in errors {
        let error = error.map(|_| "no error").unwrap_err().to_string();
        assert!(error.contains("f32[1, 7]") && error.contains("_over_"), "{error}");
    }
    Ok(())
}

#[test]
fn figures_take_the_whole() {
    assert_eq!(Halves::pairs_of_flops(2, 12), 2 * 12);
    assert!(Waves::loss_step_flops(1, 16) < Waves::loss_step_flops(1, 32));
}

castnet::check!(Waves);
