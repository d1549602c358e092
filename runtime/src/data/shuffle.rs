//! The order of an epoch. It is part of what a checkpoint means, so it never changes: no generator of another crate is used.

use crate::data::Random;

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
    let mut random = Random::new(Random::new(seed).bits() ^ epoch);
    for last in (1..order.len()).rev() {
        order.swap(last, random.below(last + 1));
    }
}
