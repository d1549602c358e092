//! Every function of `castnet_kernels::math` against double precision, on every instruction set, over all magnitudes.

mod common;

use std::f64::consts::FRAC_PI_2;

use castnet_kernels::BlockKernel;
use castnet_kernels::isa::Isa;
use common::erf::erf;

mod functions {
    use castnet_kernels::block_kernel;
    block_kernel! { pub exp_(x: f32) -> (y: f32) { let y = exp(x); } }
    block_kernel! { pub log_(x: f32) -> (y: f32) { let y = log(x); } }
    block_kernel! { pub log1p_(x: f32) -> (y: f32) { let y = log1p(x); } }
    block_kernel! { pub expm1_(x: f32) -> (y: f32) { let y = expm1(x); } }
    block_kernel! { pub round_(x: f32) -> (y: f32) { let y = round(x); } }
    block_kernel! { pub tanh_(x: f32) -> (y: f32) { let y = tanh(x); } }
    block_kernel! { pub sigmoid_(x: f32) -> (y: f32) { let y = sigmoid(x); } }
    block_kernel! { pub erf_(x: f32) -> (y: f32) { let y = erf(x); } }
    block_kernel! { pub erf64_(x: f64) -> (y: f64) { let y = erf(x); } }
    block_kernel! { pub sin_(x: f32) -> (y: f32) far { let y = sin(x, &mut far); } }
    block_kernel! { pub cos_(x: f32) -> (y: f32) far { let y = cos(x, &mut far); } }
    block_kernel! { pub atan_(x: f32) -> (y: f32) { let y = atan(x); } }
    block_kernel! { pub sqrt_(x: f32) -> (y: f32) { let y = sqrt(x); } }
    block_kernel! { pub rsqrt_(x: f32) -> (y: f32) { let y = rsqrt(x); } }
    block_kernel! { pub floor_(x: f32) -> (y: f32) { let y = floor(x); } }
    block_kernel! { pub trunc_(x: f32) -> (y: f32) { let y = trunc(x); } }
    block_kernel! { pub pow_(x: f32, y: f32) -> (z: f32) { let z = pow(x, y); } }
    block_kernel! { pub rem_(x: f32, y: f32) -> (z: f32) { let z = rem(x, y); } }
    block_kernel! { pub max_(x: f32, y: f32) -> (z: f32) { let z = max(x, y); } }
    block_kernel! { pub sign_(x: f32) -> (y: f32) { let y = sign(x); } }
}
use functions::*;

fn run(kernel: &BlockKernel, isa: Isa, inputs: &[&[f32]]) -> Vec<f32> {
    run_of(kernel, isa, inputs)
}

fn run_of<T: Copy + Default>(kernel: &BlockKernel, isa: Isa, inputs: &[&[T]]) -> Vec<T> {
    let mut out = vec![T::default(); inputs[0].len()];
    let pointers: Vec<*const u8> = inputs.iter().map(|i| i.as_ptr().cast()).collect();
    // SAFETY: the kernel is of `T`; all slices have the length of the first; the machine has the instruction set.
    unsafe { kernel.function(isa)(out.len(), pointers.as_ptr(), [out.as_mut_ptr().cast()].as_ptr()) };
    out
}

/// Every float whose bits are a multiple of a prime: all exponents, both signs, infinities and NaN.
fn all() -> Vec<f32> {
    let special = [0.0, -0.0, 1.0, -1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MIN_POSITIVE, f32::MAX];
    (0..=u32::MAX).step_by(9973).map(f32::from_bits).chain(special).collect()
}

/// Holds results against `reference`: the relative error, or the error in units of `floor` below it.
fn check(name: &str, kernel: &BlockKernel, reference: impl Fn(f64) -> f64, limit: f64, floor: f64, inputs: &[f32]) {
    let expected: Vec<f64> = inputs.iter().map(|&x| reference(f64::from(x))).collect();
    for isa in Isa::available() {
        let (mut worst, mut at) = (0.0, 0.0);
        for ((x, got), want) in inputs.iter().zip(run(kernel, isa, &[inputs])).zip(&expected) {
            let rounded = *want as f32;
            if rounded.is_nan() || rounded.is_infinite() {
                let same = rounded.is_nan() && got.is_nan() || rounded == got;
                // At the edge of overflow one unit of error decides.
                let edge = want.is_finite() && got > 3.4e38;
                assert!(same || edge, "{name}({x}) = {got}, not {rounded} ({isa:?})");
                continue;
            }
            assert!(got.is_finite() || rounded > 3.4028e38, "{name}({x}) = {got}, not {rounded} ({isa:?})");
            let error = (f64::from(got) - want).abs() / want.abs().max(floor);
            if error > worst {
                (worst, at) = (error, *x);
            }
        }
        println!("{name} {isa:?}: {worst:.2e} at {at}");
        assert!(worst <= limit, "{name}: error {worst:.2e} at {at} ({isa:?})");
    }
}

#[test]
fn exponential_functions() {
    let all = all();
    let near: Vec<f32> = (-400_000..400_000).map(|i| i as f32 * 2.5e-4).collect();
    // Below the smallest normal number a unit is 2⁻¹⁴⁹.
    let floor = f64::from(f32::MIN_POSITIVE);
    for x in [&all, &near] {
        check("exp", &exp_, f64::exp, 2e-7, floor, x);
        check("log", &log_, f64::ln, 2e-7, 0.0, x);
        check("log1p", &log1p_, f64::ln_1p, 3e-7, floor, x);
        check("expm1", &expm1_, f64::exp_m1, 3e-7, floor, x);
        check("tanh", &tanh_, f64::tanh, 6e-7, floor, x);
        check("sigmoid", &sigmoid_, |x| 1.0 / (1.0 + (-x).exp()), 4e-7, 2.0 * floor, x);
        check("erf", &erf_, erf, 1e-6, floor, x);
    }
    // Where the nearest float is 1, what is left of 1 - tanh² is 0, on every instruction set.
    let ends = [9.010_914, 20.0, 1e4, f32::MAX, f32::INFINITY];
    for isa in Isa::available() {
        assert_eq!(run(&tanh_, isa, &[&ends]), [1.0; 5]);
        assert_eq!(run(&tanh_, isa, &[&ends.map(|x| -x)]), [-1.0; 5]);
        assert_eq!(run(&erf_, isa, &[&ends]), [1.0; 5]);
    }
}

/// Of doubles: the nearest numbers by mpmath, on both sides of where one formula follows another, the continued fraction everywhere.
#[test]
fn error_function_of_doubles() {
    const NEAREST: [(f64, f64); 23] = [
        (5e-324, 5e-324),
        (1e-310, 1.128_379_167_095_5e-310),
        (1e-300, 1.128_379_167_095_512_6e-300),
        (1e-20, 1.128_379_167_095_512_5e-20),
        (1e-8, 1.128_379_167_095_512_6e-8),
        (0.1, 0.112_462_916_018_284_9),
        (0.25, 0.276_326_390_168_236_96),
        (0.5, 0.520_499_877_813_046_5),
        (0.843_749_999_999_999_9, 0.767_225_661_232_341_6),
        (0.843_75, 0.767_225_661_232_341_6),
        (0.843_750_000_000_000_1, 0.767_225_661_232_341_7),
        (0.9, 0.796_908_212_422_832_2),
        (1.0, 0.842_700_792_949_714_9),
        (1.25, 0.922_900_128_256_458_3),
        (1.5, 0.966_105_146_475_310_8),
        (2.0, 0.995_322_265_018_952_7),
        (2.5, 0.999_593_047_982_555),
        (3.0, 0.999_977_909_503_001_4),
        (4.0, 0.999_999_984_582_742_1),
        (5.0, 0.999_999_999_998_462_6),
        (5.5, 0.999_999_999_999_992_7),
        (5.9, 0.999_999_999_999_999_9),
        (5.999_999_999_999_999, 1.0),
    ];
    let ends = [0.0, 6.0, 30.0, f64::MAX, f64::INFINITY, f64::NAN];
    let between = (0..400_000).map(|i| f64::from(i) * 1.5e-5);
    let x: Vec<f64> = NEAREST.iter().map(|(x, _)| *x).chain(ends).chain(between).flat_map(|x| [x, -x]).collect();
    let portable: Vec<u64> = run_of(&erf64_, Isa::Portable, &[&x]).into_iter().map(f64::to_bits).collect();
    for isa in Isa::available() {
        let found = run_of(&erf64_, isa, &[&x]);
        for (x, y) in x.iter().zip(&found) {
            let want = erf(*x);
            assert!(
                x.is_nan() && y.is_nan() || (y - want).abs() <= 1e-15,
                "erf({x:e}) = {y:e}, not {want:e} ({isa:?})"
            );
        }
        for (y, (x, want)) in found.chunks_exact(2).zip(NEAREST) {
            let units = y[0].to_bits().abs_diff(want.to_bits());
            assert!(units <= 1, "erf({x:e}) = {:e}, not {want:e} ({isa:?})", y[0]);
        }
        // Odd, ±0 and ±1 among it, and the same bits on every instruction set.
        for pair in found.chunks_exact(2).filter(|y| !y[0].is_nan()) {
            assert_eq!(pair[0].to_bits() ^ 1 << 63, pair[1].to_bits(), "{pair:?} ({isa:?})");
        }
        assert!(found[2 * NEAREST.len() + 2..][..8].iter().all(|y| y.abs() == 1.0));
        assert!(found.iter().map(|y| y.to_bits()).eq(portable.iter().copied()), "{isa:?}");
    }
}

#[test]
fn zeros_keep_their_sign() {
    for kernel in [&log1p_, &expm1_, &round_, &atan_] {
        for isa in Isa::available() {
            let found = run(kernel, isa, &[&[0.0, -0.0]]);
            assert_eq!(found.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), [0, 1 << 31], "{isa:?}");
        }
    }
}

#[test]
fn circular_functions() {
    let all = all();
    let near: Vec<f32> = (-400_000..400_000).map(|i| i as f32 * 2.5e-4).collect();
    // Both sides of where the reduction by whole numbers begins, and multiples of π/2 behind it.
    let far: Vec<f32> = (-1000..1000).map(|i| 134_217_728.0 + i as f32 * 8.0).collect();
    let turns: Vec<f32> =
        (27..127).flat_map(|n| (1..40).map(move |i| (f64::from(i) * FRAC_PI_2 * 2f64.powi(n)) as f32)).collect();
    for x in [&all, &near, &far, &turns] {
        check("sin", &sin_, f64::sin, 2e-7, 1.0, x);
        check("cos", &cos_, f64::cos, 2e-7, 1.0, x);
        check("atan", &atan_, f64::atan, 3e-7, f64::from(f32::MIN_POSITIVE), x);
    }
}

#[test]
fn exact_functions() {
    let all = all();
    let tiny = f64::from(f32::MIN_POSITIVE);
    check("sqrt", &sqrt_, f64::sqrt, 6e-8, tiny, &all);
    check("rsqrt", &rsqrt_, |x| 1.0 / x.sqrt(), 2e-7, tiny, &all);
    check("floor", &floor_, f64::floor, 0.0, tiny, &all);
    check("trunc", &trunc_, f64::trunc, 0.0, tiny, &all);
    let halves: Vec<f32> = (-9..9).map(|i| i as f32 / 2.0).chain(all).collect();
    check("round", &round_, f64::round_ties_even, 0.0, tiny, &halves);
}

#[test]
fn power() {
    let bases: Vec<f32> = (0..=u32::MAX).step_by(4_194_301 * 2).map(f32::from_bits).collect();
    let special = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, 3.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e-3, -7.0];
    let bases: Vec<f32> = bases.into_iter().chain(special).chain((1..100).map(|i| i as f32 * 0.13)).collect();
    let exponents: Vec<f32> =
        special.into_iter().chain((-60..60).map(|i| i as f32 * 0.37)).chain([16_777_217.0]).collect();
    for y in exponents {
        let ys = vec![y; bases.len()];
        for isa in Isa::available() {
            for (x, got) in bases.iter().zip(run(&pow_, isa, &[&bases, &ys])) {
                let want = f64::from(*x).powf(f64::from(y));
                let rounded = want as f32;
                if rounded.is_finite() {
                    let error = (f64::from(got) - want).abs() / want.abs().max(f64::from(f32::MIN_POSITIVE));
                    assert!(error < 2e-7, "{x} ^ {y} = {got}, not {want}");
                    assert_eq!(got.is_sign_negative(), rounded.is_sign_negative(), "{x} ^ {y}");
                } else {
                    assert!(rounded == got || rounded.is_nan() && got.is_nan(), "{x} ^ {y} = {got}, not {want}");
                }
            }
        }
    }
}

#[test]
fn remainder_and_extrema() {
    let nan = f32::NAN;
    let x = [7.0, -7.0, 7.0, -7.0, 6.0, nan, 1.0, 3.5];
    let y = [3.0, 3.0, -3.0, -3.0, 3.0, 1.0, nan, 2.0];
    for isa in Isa::available() {
        let rem = run(&rem_, isa, &[&x, &y]);
        assert_eq!(rem[..5], [1.0, 2.0, -2.0, -1.0, 0.0]);
        assert!(rem[5].is_nan() && rem[6].is_nan() && rem[7] == 1.5);
        let max = run(&max_, isa, &[&x, &y]);
        assert_eq!(max[..5], [7.0, 3.0, 7.0, -3.0, 6.0]);
        assert!(max[5].is_nan() && max[6].is_nan());
        assert_eq!(run(&sign_, isa, &[&[2.0, -0.5, 0.0]]), [1.0, -1.0, 0.0]);
    }
}
