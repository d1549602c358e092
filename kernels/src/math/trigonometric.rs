//! Sine and cosine: reduced to a quarter turn in double precision, or in whole numbers where x is large, then short polynomials in single
//! precision.
//!
//! The second way costs twice what all the rest does, and hardly anybody needs it. Lanes have no branches, so a block is computed the first way,
//! which notes how far its arguments lie, and once more both ways if one lies too far: the others have the same bits then.

use super::{fma, fma64, polynomial};

/// 1.5 · 2⁵²: adding it rounds to the nearest integer, which then stands in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// From here on π/2 in two parts is too short.
const FAR: f32 = 134_217_728.0;

/// How far arguments may lie.
pub trait Reach {
    /// The rest of x by quarter turns, in [-π/4, π/4], and the number of the quarter.
    fn reduce<const FMA: bool>(&mut self, x: f32) -> (f32, u32);
}

/// Near 0: what lies beyond is noted, and its result means nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Near {
    /// The bits of the farthest, without its sign: they grow with it.
    farthest: i32,
}

impl Near {
    /// Whether an argument lay too far, or was none.
    #[inline(always)]
    pub fn is_passed(self) -> bool {
        self.farthest >= FAR.to_bits() as i32
    }
}

impl Reach for Near {
    #[inline(always)]
    fn reduce<const FMA: bool>(&mut self, x: f32) -> (f32, u32) {
        self.farthest = self.farthest.max(x.abs().to_bits() as i32);
        reduce_near::<FMA>(x)
    }
}

/// Everywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anywhere;

impl Reach for Anywhere {
    #[inline(always)]
    fn reduce<const FMA: bool>(&mut self, x: f32) -> (f32, u32) {
        let far = (x.abs() >= FAR) & (x.abs() < f32::INFINITY);
        let ((far_rest, far_quarter), (rest, quarter)) = (reduce_far(x), reduce_near::<FMA>(x));
        (if far { far_rest } else { rest }, if far { far_quarter } else { quarter })
    }
}
/// The first 192 bits of 2/π.
const TWO_BY_PI: [u32; 6] = [0xa2f9_836e, 0x4e44_1529, 0xfc27_57d1, 0xf534_ddc0, 0xdb62_9599, 0x3c43_9041];

/// The rest of |x| ≥ [`FAR`], by Payne and Hanek: x = m · 2ᵉ, and of 2ᵉ · 2/π only what is less than 4 counts, as m is whole. Its first 64 bits
/// leave an error of 2⁻³⁸ quarter turns.
#[inline(always)]
fn reduce_far(x: f32) -> (f32, u32) {
    let bits = x.to_bits();
    let m = bits & 0x007f_ffff | 0x0080_0000;
    // Two whole bits and 62 of the fraction: bits e - 1 to e + 62 of 2/π, by choice, as tables are slow.
    let first = (bits >> 23 & 0xff).max(152) - 152;
    let (word, shift) = (first >> 5, first & 31);
    let at = |i: usize| {
        let [a, b] = if word < 2 { [TWO_BY_PI[i], TWO_BY_PI[i + 1]] } else { [TWO_BY_PI[i + 2], TWO_BY_PI[i + 3]] };
        u64::from(if word & 1 == 0 { a } else { b })
    };
    let (a, b, c) = (at(0), at(1), at(2));
    let (high, low) = (((a << 32 | b) << shift >> 32) as u32, (b << 32 | c) << shift >> 32);
    // The upper half of the product's lower 64 bits: quarter turns in units of 2⁻³⁰.
    let turns = m.wrapping_mul(high).wrapping_add(((u64::from(m) * low) >> 32) as u32);
    let quarter = turns.wrapping_add(1 << 29) >> 30;
    let rest = turns.wrapping_sub(quarter << 30) as i32 as f32 * (std::f32::consts::FRAC_PI_2 / 1_073_741_824.0);
    let negative = bits >> 31 == 1;
    (if negative { -rest } else { rest }, if negative { quarter.wrapping_neg() } else { quarter })
}

/// The same of |x| below [`FAR`].
#[inline(always)]
fn reduce_near<const FMA: bool>(x: f32) -> (f32, u32) {
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

/// Sine; the absolute error is below 2e-7.
#[inline(always)]
pub fn sin<const FMA: bool, R: Reach>(x: f32, far: &mut R) -> f32 {
    let (r, q) = far.reduce::<FMA>(x);
    quarter::<FMA>(r, q)
}

/// Cosine.
#[inline(always)]
pub fn cos<const FMA: bool, R: Reach>(x: f32, far: &mut R) -> f32 {
    let (r, q) = far.reduce::<FMA>(x);
    quarter::<FMA>(r, q.wrapping_add(1))
}

/// Arc tangent (Cephes' polynomial); the relative error is below 3e-7. From tan(3π/8) on it is π/2 + atan(-1 / x), from tan(π/8) on
/// π/4 + atan((x - 1) / (x + 1)).
#[inline(always)]
pub fn atan<const FMA: bool>(x: f32) -> f32 {
    let a = x.abs();
    let (far, near) = (a > 2.414_213_7, a <= 0.414_213_57);
    let above = if far { -1.0 } else { a - 1.0 };
    let below = if far { a } else { a + 1.0 };
    let r = if near { a } else { above / below };
    let start = if far { std::f32::consts::FRAC_PI_2 } else { std::f32::consts::FRAC_PI_4 };
    let start = if near { 0.0 } else { start };
    let z = r * r;
    let p = polynomial::<FMA, 4>(z, [8.053_745e-2, -1.387_768_6e-1, 1.997_771_1e-1, -3.333_295e-1]);
    (start + fma::<FMA>(p * z, r, r)).copysign(x)
}

/// Of doubles.
pub mod double {
    crate::math::doubles! {
        sin = f64::sin;
        cos = f64::cos;
        atan = f64::atan;
    }
}
