//! Random numbers for the order of an epoch and for what is done to its examples.

/// SplitMix64 of Steele, Lea and Flood (2014): a counter and a finaliser. Its numbers are the same in every version.
///
/// A [source of examples](crate::data::Examples) is given one that is a function of seed, epoch and example alone, so what it draws depends
/// neither on threads nor on what was read before, and a resumed run draws what an unbroken one would.
///
/// ```
/// use castnet_runtime::data::Random;
///
/// let mut random = Random::new(7);
/// let (dx, mirrored) = (random.below(5), random.unit() < 0.5); // a shift of 0 to 4 pixels, a mirror one time in two
/// assert!(dx < 5 && Random::new(7).below(5) == dx);
/// # let _ = mirrored;
/// ```
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A row of numbers that depends on `seed` alone.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// That of an example in an epoch.
    pub fn of_example(seed: u64, epoch: u64, example: usize) -> Random {
        let of_epoch = Random(Random(seed).bits() ^ epoch).bits();
        // Not the state that the epoch's order begins with.
        Random(Random(!of_epoch).bits() ^ example as u64)
    }

    /// The next 64 bits: a seed for a generator of another crate, too.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly in `0..n`, but for a bias under n / 2⁶⁴: the upper half of the product with n. 0 if `n` is.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Evenly in [0, 1), a multiple of 2⁻⁵³.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}
