//! Exponential, logarithm and what is made of them.

use std::f32::consts::LOG2_E;

use super::{fma, fma64, polynomial, polynomial64};

/// 1.5 · 2²³: adding it rounds to the nearest integer, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;
/// 1.5 · 2⁵², the same for doubles.
const ROUND64: f64 = 6_755_399_441_055_744.0;

/// Cody-Waite: eˣ = 2ⁿ · eʳ with |r| ≤ ln 2 / 2. What is left is r, p with eʳ = 1 + r + p · r², and the two halves of n.
#[inline(always)]
fn reduce<const FMA: bool>(x: f32) -> (f32, f32, i32, i32) {
    // Beyond these the result is 0 or infinite anyway; written so that NaN passes.
    let x = if x < -105.0 { -105.0 } else { x };
    let x = if x > 90.0 { 90.0 } else { x };
    let shifted = fma::<FMA>(x, LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = fma::<FMA>(n, -0.693_359_4, x);
    let r = fma::<FMA>(n, 2.121_944_4e-4, r);
    let p =
        polynomial::<FMA, 6>(r, [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5]);
    // 2ⁿ in two factors, so that neither leaves the range where the result overflows or is subnormal.
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let half = n >> 1;
    (r, p, half, n.wrapping_sub(half))
}

/// eˣ; the relative error is below 2e-7, also where the result is subnormal to within one unit there.
#[inline(always)]
pub fn exp<const FMA: bool>(x: f32) -> f32 {
    let (r, p, half, rest) = reduce::<FMA>(x);
    let y = fma::<FMA>(p, r * r, r + 1.0);
    y * power_of_two(half) * power_of_two(rest)
}

/// 2ⁿ (eʳ - 1) + 2ⁿ - 1, whose first part is small where x is; the relative error is below 3e-7, also near 0.
#[inline(always)]
pub fn expm1<const FMA: bool>(x: f32) -> f32 {
    let (r, p, half, rest) = reduce::<FMA>(x);
    let less = fma::<FMA>(p, r * r, r);
    let scale = power_of_two(half);
    let y = (fma::<FMA>(less, scale, scale - power_of_two(rest.wrapping_neg()))) * power_of_two(rest);
    // The sign of 0 stays.
    if x == 0.0 { x } else { y }
}

/// log u of u = 1 + x as it was rounded, and what rounding lost; the relative error is below 3e-7, also near 0.
#[inline(always)]
pub fn log1p<const FMA: bool>(x: f32) -> f32 {
    let u = 1.0 + x;
    let y = log::<FMA>(u);
    let lost = y + (x - (u - 1.0)) / u;
    // At -1 there is nothing to add, and what lies far away loses nothing.
    let y = if (u > 0.0) & (x < 16_777_216.0) { lost } else { y };
    if x == 0.0 { x } else { y }
}

#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// x = 2ⁿ · m with m in [√½, √2); log x = n · ln 2 + log m (Cephes' polynomial); the relative error is below 2e-7.
#[inline(always)]
pub fn log<const FMA: bool>(x: f32) -> f32 {
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let subnormal = x < f32::MIN_POSITIVE;
    let scaled = if subnormal { x * 8_388_608.0 } else { x };
    let bits = scaled.to_bits().wrapping_sub(SQRT_HALF);
    let n = ((bits as i32) >> 23) as f32 - if subnormal { 23.0 } else { 0.0 };
    let f = f32::from_bits((bits & 0x007f_ffff).wrapping_add(SQRT_HALF)) - 1.0;
    let z = f * f;
    let p = polynomial::<FMA, 9>(
        f,
        [
            7.037_683_6e-2,
            -1.151_461e-1,
            1.167_699_9e-1,
            -1.242_014_1e-1,
            1.424_932_3e-1,
            -1.666_805_7e-1,
            2.000_071_5e-1,
            -2.499_999_4e-1,
            3.333_333e-1,
        ],
    );
    let y = fma::<FMA>(n, -2.121_944_4e-4, p * f * z);
    let y = fma::<FMA>(z, -0.5, y) + f;
    let y = fma::<FMA>(n, 0.693_359_4, y);
    // Infinity and NaN pass, zero gives -∞, what is below gives NaN.
    let y = if x < f32::INFINITY { y } else { x };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x < 0.0 { f32::NAN } else { y }
}

/// A rational function (the coefficients of Eigen's `ptanh`), exact to a few units for all x, below 6e-7. From `ONE` on the nearest float is 1, and it
/// must be 1: what is taken off it for the gradient, 1 - tanh², may meet a factor as large as x³.
#[inline(always)]
pub fn tanh<const FMA: bool>(x: f32) -> f32 {
    const LIMIT: f32 = 7.905_311;
    const ONE: f32 = 9.010_913;
    let c = if x > LIMIT { LIMIT } else { x };
    let c = if c < -LIMIT { -LIMIT } else { c };
    let z = c * c;
    let p = polynomial::<FMA, 7>(
        z,
        [
            -2.760_768_5e-16,
            2.000_188e-13,
            -8.604_672e-11,
            5.122_297_1e-8,
            1.485_722_4e-5,
            6.372_619_3e-4,
            4.893_524_6e-3,
        ],
    );
    let q = polynomial::<FMA, 4>(z, [1.198_258_4e-6, 1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3]);
    let y = c * p / q;
    let y = if x.abs() < 4e-4 { x } else { y };
    if x.abs() >= ONE { 1f32.copysign(x) } else { y }
}

/// 1 / (1 + e⁻ˣ), by the exponential of -|x|, which never overflows; the relative error is below 4e-7.
#[inline(always)]
pub fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    let e = exp::<FMA>(-x.abs());
    let above = if x < 0.0 { e } else { 1.0 };
    above / (1.0 + e)
}

/// A rational function (the coefficients of Eigen's and XLA's `erf`).
#[inline(always)]
pub fn erf<const FMA: bool>(x: f32) -> f32 {
    const LIMIT: f32 = 3.832_507;
    let c = if x > LIMIT { LIMIT } else { x };
    let c = if c < -LIMIT { -LIMIT } else { c };
    let z = c * c;
    let p = polynomial::<FMA, 7>(
        z,
        [
            -2.726_142_3e-10,
            2.770_681_3e-8,
            -2.101_024e-6,
            -5.692_506_3e-5,
            -7.349_906_3e-4,
            -2.954_6e-3,
            -1.609_603_3e-2,
        ],
    );
    let q =
        polynomial::<FMA, 5>(z, [-1.456_607_2e-5, -2.133_740_6e-4, -1.682_827e-3, -7.373_329_2e-3, -1.426_473_9e-2]);
    // In this order, as p · x may be subnormal.
    let y = p / q * c;
    if x.abs() > LIMIT { 1f32.copysign(x) } else { y }
}

/// exp₂(y · log₂ |x|) in double precision, since the error of the logarithm is multiplied by y; then the special cases of C's `pow`.
#[inline(always)]
pub fn pow<const FMA: bool>(x: f32, y: f32) -> f32 {
    let magnitude = power::<FMA>(f64::from(x.abs()), f64::from(y));
    // From 2²⁴ on every float is even.
    let whole = y.trunc() == y;
    let half = y * 0.5;
    let odd = whole & (half.trunc() != half);
    let negative = x.to_bits() >> 31 == 1;
    let signed = if negative & odd { -magnitude } else { magnitude };
    let finite_negative = (x < 0.0) & (x != f32::NEG_INFINITY);
    let signed = if finite_negative & !whole { f32::NAN } else { signed };
    let signed = if x.is_nan() | y.is_nan() { f32::NAN } else { signed };
    let one = (y == 0.0) | (x == 1.0) | ((x == -1.0) & y.is_infinite());
    if one { 1.0 } else { signed }
}

/// aʸ of a ≥ 0.
#[inline(always)]
fn power<const FMA: bool>(a: f64, y: f64) -> f32 {
    // Every finite float is a normal double. log₂ m = 2/ln 2 · artanh((m - 1) / (m + 1)).
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    let bits = a.to_bits().wrapping_sub(SQRT_HALF);
    // The exponent by arithmetic on the high word, as there is no vector shift of signed 64 bits everywhere.
    let n = f64::from((bits >> 32) as u32 as i32 >> 20);
    let m = f64::from_bits((bits & 0x000f_ffff_ffff_ffff).wrapping_add(SQRT_HALF));
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let p = polynomial64::<FMA, 7>(z, [1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0]);
    let log2 = fma64::<FMA>(s * p, 2.0 * std::f64::consts::LOG2_E, n);
    let log2 = if a == 0.0 { f64::NEG_INFINITY } else { log2 };
    let log2 = if a == f64::INFINITY { f64::INFINITY } else { log2 };
    let t = y * log2;
    let t = if t > 200.0 { 200.0 } else { t };
    let t = if t < -200.0 { -200.0 } else { t };
    let shifted = t + ROUND64;
    let r = (t - (shifted - ROUND64)) * std::f64::consts::LN_2;
    let e = polynomial64::<FMA, 9>(
        r,
        [1.0 / 40320.0, 1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0],
    );
    // The low bits of `shifted` hold the integer; moved into the exponent they scale by its power of two.
    let scale = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    (e * scale) as f32
}

/// Of doubles.
pub mod double {
    use super::{ROUND64, polynomial64};

    crate::math::doubles! {
        exp = f64::exp;
        log = f64::ln;
        log1p = f64::ln_1p;
        expm1 = f64::exp_m1;
        tanh = f64::tanh;
        sigmoid = |x: f64| 1.0 / (1.0 + f64::exp(-x));
    }

    /// x + x · p/q of x² below `NEAR` (the coefficients of msun's `s_erf.c`), 1 - e⁻ˣˣ · p/q of |x| above it (those of W. J. Cody, Rational
    /// Chebyshev approximations for the error function, 1969, for 0.46875 ≤ x ≤ 4; they hold as far as they count). The error is below
    /// 1.5 units in the last place. Not the platform's, so that it has no branches and the same bits everywhere.
    #[inline(always)]
    pub fn erf(x: f64) -> f64 {
        const NEAR: f64 = 0.84375;
        // From here on the nearest double is 1.
        const ONE: f64 = 6.0;
        let a = x.abs();
        let near = polynomials(
            x * x,
            [
                -2.376_301_665_665_016_3e-5,
                -5.770_270_296_489_442e-3,
                -2.848_174_957_559_851e-2,
                -3.250_421_072_470_015e-1,
                1.283_791_670_955_125_6e-1,
            ],
            [
                -3.960_228_278_775_368e-6,
                1.324_947_380_043_216_4e-4,
                5.081_306_281_875_766e-3,
                6.502_224_998_876_73e-2,
                3.979_172_239_591_553_5e-1,
                1.0,
            ],
        );
        let c = if a > ONE { ONE } else { a };
        let far = polynomials(
            c,
            [
                2.153_115_354_744_038_5e-8,
                5.641_884_969_886_701e-1,
                8.883_149_794_388_376,
                6.611_919_063_714_163e1,
                2.986_351_381_974_001e2,
                8.819_522_212_417_69e2,
                1.712_047_612_634_070_6e3,
                2.051_078_377_826_071_5e3,
                1.230_339_354_797_997_2e3,
            ],
            [
                1.0,
                1.574_492_611_070_983_5e1,
                1.176_939_508_913_125e2,
                5.371_811_018_620_099e2,
                1.621_389_574_566_690_2e3,
                3.290_799_235_733_459_6e3,
                4.362_619_090_143_247e3,
                3.439_367_674_143_721_6e3,
                1.230_339_354_803_749_5e3,
            ],
        );
        // Chosen before the division, as there is one of either kind only.
        let is_far = a >= NEAR;
        let p = if is_far { far.0 } else { near.0 };
        let q = if is_far { far.1 } else { near.1 };
        let quotient = p / q;
        let above = (1.0 - exp_below(-c * c) * quotient).copysign(x);
        if is_far { above } else { x + x * quotient }
    }

    /// Two polynomials at a place, highest coefficients first.
    #[inline(always)]
    fn polynomials<const P: usize, const Q: usize>(x: f64, p: [f64; P], q: [f64; Q]) -> (f64, f64) {
        (polynomial64::<false, P>(x, p), polynomial64::<false, Q>(x, q))
    }

    /// eˣ of -36 ≤ x ≤ 0, where 2ⁿ · eʳ needs no special cases: ln 2 in two parts (Cody-Waite), then the Taylor series.
    #[inline(always)]
    fn exp_below(x: f64) -> f64 {
        let shifted = x * std::f64::consts::LOG2_E + ROUND64;
        let n = shifted - ROUND64;
        let r = x - n * 0.693_147_180_369_123_8 - n * 1.908_214_929_270_587_7e-10;
        let e = polynomial64::<false, 13>(
            r,
            [
                1.0 / 479_001_600.0,
                1.0 / 39_916_800.0,
                1.0 / 3_628_800.0,
                1.0 / 362_880.0,
                1.0 / 40_320.0,
                1.0 / 5040.0,
                1.0 / 720.0,
                1.0 / 120.0,
                1.0 / 24.0,
                1.0 / 6.0,
                0.5,
                1.0,
                1.0,
            ],
        );
        // The low bits of `shifted` hold n; moved into the exponent they scale by its power of two.
        e * f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52)
    }
}
