//! Functions that are an instruction or two. A truth value is 1 or 0.

/// Square root.
#[inline(always)]
pub fn sqrt(x: f32) -> f32 {
    x.sqrt()
}

/// 1 / √x.
#[inline(always)]
pub fn rsqrt(x: f32) -> f32 {
    1.0 / x.sqrt()
}

/// Absolute value.
#[inline(always)]
pub fn abs(x: f32) -> f32 {
    x.abs()
}

/// -1, 0 or 1; 0 of NaN.
#[inline(always)]
pub fn sign(x: f32) -> f32 {
    truth(x > 0.0) - truth(x < 0.0)
}

/// Towards minus infinity.
#[inline(always)]
pub fn floor(x: f32) -> f32 {
    x.floor()
}

/// Towards zero.
#[inline(always)]
pub fn trunc(x: f32) -> f32 {
    x.trunc()
}

/// To the nearest integer, halves to the even one.
#[inline(always)]
pub fn round(x: f32) -> f32 {
    x.round_ties_even()
}

/// 1 - x.
#[inline(always)]
pub fn not(x: f32) -> f32 {
    1.0 - x
}

/// Remainder with the sign of the divisor, exact (a call for each element: the remainder of floats has no short formula).
#[inline(always)]
pub fn rem(a: f32, b: f32) -> f32 {
    let rest = a % b;
    if (rest != 0.0) & ((b < 0.0) != (rest < 0.0)) { rest + b } else { rest }
}

/// The greater; NaN if either is.
#[inline(always)]
pub fn max(a: f32, b: f32) -> f32 {
    if (a > b) | a.is_nan() { a } else { b }
}

/// The lesser; NaN if either is.
#[inline(always)]
pub fn min(a: f32, b: f32) -> f32 {
    if (a < b) | a.is_nan() { a } else { b }
}

/// `condition ? a : b`.
#[inline(always)]
pub fn select(condition: f32, a: f32, b: f32) -> f32 {
    if condition != 0.0 { a } else { b }
}

#[inline(always)]
fn truth(x: bool) -> f32 {
    if x { 1.0 } else { 0.0 }
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident $operator:tt)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub fn $name(a: f32, b: f32) -> f32 {
            truth(a $operator b)
        }
    )*};
}

comparisons! {
    /// a < b.
    lt <
    /// a ≤ b.
    le <=
    /// a > b.
    gt >
    /// a ≥ b.
    ge >=
    /// a = b.
    eq ==
    /// a ≠ b.
    ne !=
}

/// Both are true.
#[inline(always)]
pub fn and(a: f32, b: f32) -> f32 {
    truth((a != 0.0) & (b != 0.0))
}

/// One of them is true.
#[inline(always)]
pub fn or(a: f32, b: f32) -> f32 {
    truth((a != 0.0) | (b != 0.0))
}
