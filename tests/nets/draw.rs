//! Numbers that Rust and Python (`tests/golden/draw.py`) draw alike.

use castnet::Array;

/// Steele, Lea & Flood's SplitMix64.
pub struct Numbers(pub u64);

impl Numbers {
    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1).
    pub fn unit(&mut self) -> f32 {
        (self.draw() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// In [low, high).
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * f64::from(self.unit())
    }
}

/// An array of a type, `f32` or an integer, of numbers in [low, high).
pub fn uniform(seed: u64, dtype: &str, shape: &[usize], low: f64, high: f64) -> Array {
    let mut numbers = Numbers(seed);
    let mut draw = || numbers.between(low, high);
    let len = shape.iter().product();
    let array = match dtype {
        "f32" => Array::from_vec(shape, (0..len).map(|_| draw() as f32).collect()),
        "u8" => Array::from_vec(shape, (0..len).map(|_| draw() as u8).collect()),
        "u32" => Array::from_vec(shape, (0..len).map(|_| draw() as u32).collect()),
        "i64" => Array::from_vec(shape, (0..len).map(|_| draw() as i64).collect()),
        other => panic!("no numbers of type {other}"),
    };
    array.unwrap()
}

/// The sums of a sketch.
const SIGNS: usize = 16;
/// What the signs are drawn from.
const SIGN_SEED: u64 = 0x5eed;
/// A tensor of so many elements is its own sketch.
const FULL: usize = 32;

/// What a golden holds of a tensor: all of it if it is small, else its norm and the sums of its elements under random signs.
pub fn sketch(elements: &[f64]) -> Vec<f64> {
    if elements.len() <= FULL {
        return elements.to_vec();
    }
    let mut numbers = Numbers(SIGN_SEED);
    let (mut squares, mut sums) = (0.0, [0.0; SIGNS]);
    for x in elements {
        squares += x * x;
        let bits = numbers.draw();
        for (k, sum) in sums.iter_mut().enumerate() {
            *sum += if bits >> k & 1 == 1 { *x } else { -*x };
        }
    }
    [squares.sqrt()].into_iter().chain(sums).collect()
}

/// Of a tensor of `len` elements, from two sketches: the norm of the difference, and that of what is expected.
///
/// Under random signs the mean square of the sums' differences is the squared norm of the difference, but for the luck of 16 draws
/// (Johnson and Lindenstrauss).
pub fn distance(len: usize, found: &[f64], expected: &[f64]) -> (f64, f64) {
    assert_eq!(found.len(), expected.len(), "sketches of a tensor of {len} elements");
    let squares = |pairs: &mut dyn Iterator<Item = f64>| pairs.map(|x| x * x).sum::<f64>();
    let mut differences = found.iter().zip(expected).map(|(a, b)| a - b);
    if len <= FULL {
        return (squares(&mut differences).sqrt(), squares(&mut expected.iter().copied()).sqrt());
    }
    let of_norms = differences.next().unwrap_or(0.0).abs();
    let of_sums = (squares(&mut differences) / SIGNS as f64).sqrt();
    (of_norms.max(of_sums), expected[0])
}
