//! States that are read after they were assigned, and those of arrays whose elements are used alone too.

use castnet::prelude::*;

network! {
    /// What it gives depends on what the state becomes.
    pub net Sum {
        state h: f32[4] = zeros;
        pub fn f(x: f32[N, 4]) -> (f32[N, 4], f32[4], f32[4]) {
            let before = h * 2;
            h = h + x.mean(0);
            (x + h, before, h)
        }
    }

    block Reads(x: f32[N, D]) -> f32[N, D] { state h: f32[D] = zeros; fc: Linear(D); h = h + x.mean(0); fc(x + h) }
    block Keeps(x: f32[N, D]) -> f32[N, D] { bn: BatchNorm1d(); fc: Linear(D); fc(bn(x)) }
    block Inside(x: f32[N, D]) -> f32[N, D] { s: [Reads; 3]; let y = s(x); y + s[1].h }
    block Before(x: f32[N, D]) -> f32[N, D] { s: [Reads; 3]; let y = s[0](x); s(y + s[0].h) }
    block Twice(x: f32[N, D]) -> f32[N, D] { s: [Reads; 3]; s(s(x)) }

    pub net Once { s: [Reads; 3]; pub train fn loss(x: f32[N, 4]) -> f32 { s(x).square().sum() } }
    pub net Again { s: Reads; pub train fn loss(x: f32[N, 4]) -> f32 { s(s(x)).square().sum() } }
    pub net Behind { s: [Keeps; 3]; pub train fn loss(x: f32[N, 4]) -> f32 { let y = s(x); s[1](y).square().sum() } }
    pub net Both { s: [Reads; 3]; pub train fn loss(x: f32[N, 4]) -> f32 { let y = s(x); (s(y) + s[0].h).square().sum() } }
    pub net Around {
        s: [Reads; 3];
        pub train fn loss(x: f32[N, 4]) -> f32 { let y = s[0](x) + s[0].h; (s(y) + s[0].h).square().sum() }
    }
    pub net Nested {
        inside: [Inside; 2];
        before: [Before; 2];
        twice: [Twice; 2];
        pub train fn loss(x: f32[N, 4]) -> f32 {
            let y = inside(x) + inside[1].s[2].h;
            let z = twice(before(y));
            (z + twice[1].s[0].h).square().sum()
        }
        pub fn f(x: f32[N, 4]) -> f32[N, 4] { twice(before(inside(x))) }
    }
}

#[test]
fn what_a_state_becomes_is_what_is_read() -> castnet::Result<()> {
    let mut net = Sum::new(&Device::cpu(), 1)?;
    let x = Array::from_slice(&[2, 4], &[1f32, 2., 3., 4., 3., 4., 5., 6.])?;
    for call in 1..4 {
        let (y, before, h) = net.f(&x)?;
        let mean = [2f32, 3., 4., 5.];
        let after: Vec<f32> = mean.iter().map(|m| m * call as f32).collect();
        let twice: Vec<f32> = mean.iter().map(|m| 2.0 * m * (call - 1) as f32).collect();
        let sum: Vec<f32> = x.as_slice::<f32>()?.iter().zip(after.iter().cycle()).map(|(x, h)| x + h).collect();
        assert_eq!(y.as_slice::<f32>()?, sum);
        assert_eq!(before.as_slice::<f32>()?, twice);
        assert_eq!(h.as_slice::<f32>()?, after);
    }
    Ok(())
}

castnet::check!(Once);
castnet::check!(Again);
castnet::check!(Behind);
castnet::check!(Both);
castnet::check!(Around);
castnet::check!(Nested);

network! {
    /// First values with more digits than f32 has, padding beyond 2⁵³, the greatest of truth values.
    pub net Digits {
        float: f64;

        state steps: i64[1] = 16777217;
        state near: f64[1] = 0.1;
        param gain: float[1] = 0.1;
        fc: Linear(1, init = constant(0.1), bias = false);

        pub fn first(x: float[N, 1]) -> (i64[1], f64[1], float[1], float[N, 1]) { (steps, near, gain, fc(x)) }
        pub fn padded(x: i64[N]) -> i64[_] { x.pad([0, 1], value = 9007199254740993) }
        pub fn greatest(x: bool[N, 3]) -> (bool[N], i64[N], i64[N]) {
            let (values, indices) = x.max(1);
            (values, indices, x.argmin(1))
        }
    }
}

#[test]
fn first_values_keep_their_digits() {
    let net = Digits::new(&Device::cpu(), 1).unwrap();
    let (steps, near, gain, fc) = net.first(&Array::scalar(1.0f64).reshape([1, 1])).unwrap();
    assert_eq!(steps.as_slice::<i64>().unwrap(), [16777217]);
    for of in [near, gain, fc] {
        assert_eq!(of.as_slice::<f64>().unwrap(), [0.1]);
    }
}

#[test]
fn padding_is_exact() {
    let net = Digits::new(&Device::cpu(), 1).unwrap();
    let padded = net.padded(&Array::from_vec(&[1], vec![5i64]).unwrap()).unwrap();
    assert_eq!(padded.as_slice::<i64>().unwrap(), [5, 9007199254740993]);
}

#[test]
fn truth_values_have_a_greatest() {
    let net = Digits::new(&Device::cpu(), 1).unwrap();
    let x = Array::from_vec(&[2, 3], vec![false, true, true, false, false, false]).unwrap();
    let (values, indices, least) = net.greatest(&x).unwrap();
    assert_eq!(values.as_slice::<bool>().unwrap(), [true, false]);
    assert_eq!(indices.as_slice::<i64>().unwrap(), [1, 0]);
    assert_eq!(least.as_slice::<i64>().unwrap(), [0, 0]);
}
