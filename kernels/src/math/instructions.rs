//! What every machine has an instruction for, or two: the same of both floats.

macro_rules! instructions {
    ($($(#[$doc:meta])* $name:ident($($x:ident),*) = $value:expr;)*) => {
        $(
            $(#[$doc])*
            #[inline(always)]
            pub fn $name<const FMA: bool>($($x: f32),*) -> f32 {
                $value
            }
        )*

        /// Of doubles.
        pub mod double {
            $(
                $(#[$doc])*
                #[inline(always)]
                pub fn $name($($x: f64),*) -> f64 {
                    $value
                }
            )*
        }
    };
}
instructions! {
    /// x / y.
    div(x, y) = x / y;
    /// Square root.
    sqrt(x) = x.sqrt();
    /// 1 / √x.
    rsqrt(x) = 1.0 / x.sqrt();
    /// Towards minus infinity.
    floor(x) = x.floor();
    /// Towards zero.
    trunc(x) = x.trunc();
    /// To the nearest integer, halves to the even one.
    round(x) = x.round_ties_even();
}
