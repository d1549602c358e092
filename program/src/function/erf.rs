//! What no library of Rust's has.

/// Gauss' error function: the Taylor series near 0, the continued fraction of erfc (Abramowitz & Stegun 7.1.14) further out.
pub fn erf(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let a = x.abs();
    if a < 2.5 {
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term.abs() > 1e-18 * sum.abs() && n < 200.0 {
            n += 1.0;
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        return sum * std::f64::consts::FRAC_2_SQRT_PI;
    }
    if a > 6.5 {
        return x.signum();
    }
    let fraction = (1..=80).rev().fold(a, |f, k| a + f64::from(k) / 2.0 / f);
    let erfc = (-a * a).exp() / (fraction * std::f64::consts::PI.sqrt());
    x.signum() * (1.0 - erfc)
}
