//! Quotients of floats, rounded down, and the least i64, as numbers are written.

use castnet::Result;
use castnet::prelude::*;

network! {
    net Quotients {
        float: f64;
        pub fn f(a: f64[N], b: f64[N]) -> f64[N] { a.floor_divide(b) }
        pub fn whole(a: f64[N], b: f64[N]) -> f64[N] { b * a.floor_divide(b) + a % b - a }
        pub fn least(i: i64[N]) -> i64[N] { i.maximum(-9223372036854775808) + -9223372036854775808 }
    }
}

/// What Python says of `a // b`: the rounded quotient may be a whole number where the exact one is just below it.
const PYTHON: &[(f64, f64, f64)] = &[
    (1.0, 0.1, 9.0),
    (6.0, 0.2, 29.0),
    (7.0, -0.7, -11.0),
    (-7.0, 0.7, -11.0),
    (-7.0, -0.7, 10.0),
    (0.3, 0.1, 2.0),
    (-0.3, 0.1, -3.0),
    (5.5, 2.0, 2.0),
    (-5.5, 2.0, -3.0),
    (-5.0, f64::INFINITY, -1.0),
    (5.0, f64::INFINITY, 0.0),
    (5.0, f64::NEG_INFINITY, -1.0),
    (1e300, 3.0, 3.3333333333333335e299),
    (-1e-300, 2.0, -1.0),
    (4.0, 2.0, 2.0),
    (-4.0, 2.0, -2.0),
    (0.0, 3.0, 0.0),
    (-0.0, 3.0, -0.0),
    (2.5, 0.5, 5.0),
    (8.4, -0.4, -21.0),
    (6.8, -0.2, -34.0),
    (-25.2, -0.9, 27.0),
    (-27.2, -0.8, 33.0),
    (-21.6, -0.9, 24.0),
    (17.4, -0.6, -29.0),
    (3.2, -0.1, -32.0),
    (-15.0, -0.5, 30.0),
    (-6.4, -0.2, 32.0),
    (9.6, -0.8, -12.0),
    (10.2, 0.3, 33.0),
    (29.7, 0.9, 32.0),
    (-6.8, 0.2, -34.0),
];

#[test]
fn quotients_are_those_of_the_exact_numbers() -> Result<()> {
    let net = Quotients::new(&Device::cpu(), 0)?;
    let [a, b] =
        [|t: &(f64, f64, f64)| t.0, |t: &(f64, f64, f64)| t.1].map(|of| PYTHON.iter().map(of).collect::<Vec<_>>());
    let [a, b] = [a, b].map(|all| Array::from_vec(&[PYTHON.len()], all));
    let found = net.f(&a?, &b?)?;
    for (found, (a, b, expected)) in found.as_slice::<f64>()?.iter().zip(PYTHON) {
        assert_eq!(found.to_bits(), expected.to_bits(), "{a} // {b}: {found}, expected {expected}");
    }
    let special = [(1.0, 0.0), (-1.0, 0.0), (0.0, 0.0), (f64::INFINITY, 2.0), (f64::NAN, 1.0), (1.0, f64::NAN)];
    let [a, b] =
        [special.map(|s| s.0), special.map(|s| s.1)].map(|all| Array::from_vec(&[special.len()], all.to_vec()));
    let found = net.f(&a?, &b?)?;
    let [up, down, rest @ ..] = found.as_slice::<f64>()? else { panic!("six quotients") };
    assert!(*up == f64::INFINITY && *down == f64::NEG_INFINITY && rest.iter().all(|x| x.is_nan()), "{found:?}");
    Ok(())
}

#[test]
fn quotient_and_remainder_make_the_whole() -> Result<()> {
    let net = Quotients::new(&Device::cpu(), 0)?;
    let tenths = |from: i64, step: i64| (0..1000i64).map(move |i| (from + i * step) as f64 / 10.0);
    let a = Array::from_vec(&[1000], tenths(-500, 1).collect::<Vec<f64>>())?;
    let b =
        Array::from_vec(&[1000], tenths(-93, 7).map(|b| if b == 0.0 { 0.1 } else { b / 70.0 }).collect::<Vec<f64>>())?;
    let off = net.whole(&a, &b)?;
    assert!(off.as_slice::<f64>()?.iter().all(|x| x.abs() < 1e-12), "{off:?}");
    Ok(())
}

#[test]
fn the_least_number_can_be_written() -> Result<()> {
    let net = Quotients::new(&Device::cpu(), 0)?;
    let found = net.least(&Array::from_vec(&[3], vec![0i64, i64::MIN, i64::MAX])?)?;
    assert_eq!(found.as_slice::<i64>()?, [i64::MIN, 0, -1]);
    Ok(())
}
