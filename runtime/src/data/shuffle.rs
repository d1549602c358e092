//! The order of an epoch. It is part of what a checkpoint means, so it never changes: no generator of another crate is used.

/// SplitMix64 of Steele, Lea and Flood (2014): a counter and a finaliser.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly in `0..n`, but for a bias under n / 2⁶⁴: the upper half of the product with n.
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

/// Fills `order` with a permutation of `0..order.len()` that depends on `seed`, `epoch` and the length only, in every version.
///
/// Fisher and Yates' method from the last place down (Durstenfeld 1964), driven by SplitMix64 with the state
/// `first output of SplitMix64(seed) ^ epoch`. It does not depend on what `order` held, so an epoch can be resumed without those before it.
///
/// ```
/// let mut order = [0; 5];
/// castnet_runtime::data::shuffle::shuffle(&mut order, 1, 0);
/// order.sort();
/// assert_eq!(order, [0, 1, 2, 3, 4]);
/// ```
pub fn shuffle(order: &mut [usize], seed: u64, epoch: u64) {
    order.iter_mut().enumerate().for_each(|(i, place)| *place = i);
    let mut random = SplitMix64(SplitMix64(seed).next() ^ epoch);
    for last in (1..order.len()).rev() {
        order.swap(last, random.below(last + 1));
    }
}
