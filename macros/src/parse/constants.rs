//! Numbers that have names in Rust's library.

/// The module and what is in it.
macro_rules! table {
    ($ty:ident: $($name:ident)*; $($constant:ident)*) => {
        [$((concat!(stringify!($ty), "::", stringify!($name)), $ty::$name as f64),)*
            $((concat!(stringify!($ty), "::consts::", stringify!($constant)), std::$ty::consts::$constant as f64),)*]
    };
}

/// With their paths.
const F32: [(&str, f64); 26] = table!(f32: INFINITY NEG_INFINITY NAN EPSILON MAX MIN MIN_POSITIVE;
    E FRAC_1_PI FRAC_1_SQRT_2 FRAC_2_PI FRAC_2_SQRT_PI FRAC_PI_2 FRAC_PI_3 FRAC_PI_4 FRAC_PI_6 FRAC_PI_8 LN_10 LN_2 LOG10_2 LOG10_E LOG2_10 LOG2_E PI SQRT_2 TAU);
/// Those that an f32 can hold.
const F64: [(&str, f64); 23] = table!(f64: INFINITY NEG_INFINITY NAN EPSILON;
    E FRAC_1_PI FRAC_1_SQRT_2 FRAC_2_PI FRAC_2_SQRT_PI FRAC_PI_2 FRAC_PI_3 FRAC_PI_4 FRAC_PI_6 FRAC_PI_8 LN_10 LN_2 LOG10_2 LOG10_E LOG2_10 LOG2_E PI SQRT_2 TAU);

/// The number at the end of this path: `f32::INFINITY`, `f32::consts::PI`, `f64::consts::PI`.
pub(super) fn number(path: &[&str]) -> Option<f64> {
    let path = path.join("::");
    F32.iter().chain(&F64).find(|(name, _)| *name == path).map(|(_, value)| *value)
}
