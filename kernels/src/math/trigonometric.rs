//! Sine and cosine: reduced to a quarter turn in double precision, then short polynomials in single precision.

use super::{fma, fma64, polynomial};

/// 1.5 · 2⁵²: adding it rounds to the nearest integer, which then stands in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// The rest of x by quarter turns, in [-π/4, π/4], and the number of the quarter.
#[inline(always)]
fn reduce<const FMA: bool>(x: f32) -> (f32, u32) {
    let x = f64::from(x);
    let shifted = fma64::<FMA>(x, std::f64::consts::FRAC_2_PI, ROUND);
    let n = shifted - ROUND;
    // π/2 in two parts, the first of 33 bits, so that its product with n is exact for long.
    let r = fma64::<FMA>(n, -1.570_796_326_734_125_6, x);
    let r = fma64::<FMA>(n, -6.077_100_506_506_192e-11, r);
    (r as f32, shifted.to_bits() as u32)
}

#[inline(always)]
fn quarter<const FMA: bool>(r: f32, quarter: u32) -> f32 {
    let z = r * r;
    let s = polynomial::<FMA, 3>(z, [-1.951_529_6e-4, 8.332_161e-3, -1.666_665_5e-1]);
    let s = fma::<FMA>(s * z, r, r);
    let c = polynomial::<FMA, 3>(z, [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2]);
    let c = fma::<FMA>(c * z, z, fma::<FMA>(z, -0.5, 1.0));
    let y = if quarter & 1 == 0 { s } else { c };
    f32::from_bits(y.to_bits() ^ (quarter & 2) << 30)
}

/// Sine.
#[inline(always)]
pub fn sin<const FMA: bool>(x: f32) -> f32 {
    let (r, q) = reduce::<FMA>(x);
    quarter::<FMA>(r, q)
}

/// Cosine.
#[inline(always)]
pub fn cos<const FMA: bool>(x: f32) -> f32 {
    let (r, q) = reduce::<FMA>(x);
    quarter::<FMA>(r, q.wrapping_add(1))
}
