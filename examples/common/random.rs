//! Random numbers of the examples: the same for the same seed.

use castnet::{Array, Result};

/// SplitMix64 (Steele, Lea and Flood 2014).
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From the standard normal distribution (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let (radius, angle) = ((-2.0 * (1.0 - self.unit()).ln()).sqrt(), std::f64::consts::TAU * self.unit());
        radius * angle.cos()
    }
}

/// Numbers in [0, 1).
pub fn uniform(shape: &[usize], seed: u64) -> Result<Array> {
    let mut random = Random(seed);
    Array::from_vec(shape, (0..shape.iter().product()).map(|_| random.unit() as f32).collect())
}

/// Numbers from the standard normal distribution.
pub fn normal(shape: &[usize], seed: u64) -> Result<Array> {
    let mut random = Random(seed);
    Array::from_vec(shape, (0..shape.iter().product()).map(|_| random.normal() as f32).collect())
}
