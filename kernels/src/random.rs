//! Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011).
//!
//! A number is a pure function of seed, function, mode, stream, call and index, so any thread can draw it and a backward pass can draw it
//! again. Seed, function, mode and stream make the key of 64 bits ([`root`], [`key`]), call and index the counter: 64 bits of the call, 64 of the
//! quad that the index lies in. For one key Philox is a bijection of counters, so no block of four numbers comes twice, whatever the call;
//! under other keys it is another one, which the paper's tests (BigCrush, streams by key among them) cannot tell from an independent one.

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// The ten rounds.
#[inline(always)]
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(MULTIPLIERS[0]) * u64::from(counter[0]);
        let b = u64::from(MULTIPLIERS[1]) * u64::from(counter[2]);
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
}

/// Who draws: the low two bits of what a root is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A call in inference mode.
    Inference = 0,
    /// A run in training mode.
    Training = 1,
    /// A call whose seed comes with it.
    Seeded = 2,
}

/// What the keys of all streams of a program are made of: for one seed, no two functions and modes share one.
#[inline]
pub fn root(seed: u64, function: usize, mode: Mode) -> u64 {
    mixed(seed.wrapping_add(GOLDEN)) ^ (((function as u64) << 2 | mode as u64) << 32)
}

/// The key of a stream. The stream fills the half of the root that functions leave, and what follows is a bijection: for one seed, no two
/// streams of any functions and modes share a key.
#[inline(always)]
pub fn key(root: u64, stream: u32) -> u64 {
    mixed(root ^ u64::from(stream))
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A bijection after which neighbours have nothing in common: the finalizer of SplitMix64 (Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators", 2014; its constants are variant 13 of Stafford's).
#[inline(always)]
fn mixed(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The four words that hold numbers `4 · quad ..` of a call.
#[inline(always)]
fn words(key: u64, call: u64, quad: u64) -> [u32; 4] {
    philox4x32([quad as u32, (quad >> 32) as u32, call as u32, (call >> 32) as u32], [key as u32, (key >> 32) as u32])
}

/// A word as a number in [0, 1): its upper 24 bits.
#[inline(always)]
fn unit(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Number `index` of a stream in a call: uniform in [0, 1), a multiple of 2⁻²⁴.
#[inline]
pub fn uniform(key: u64, call: u64, index: u64) -> f32 {
    unit(words(key, call, index / 4)[(index % 4) as usize])
}

crate::isa::per_isa! {
    /// Numbers `first .. first + n` of a stream in a call, one after the other.
    pub(crate) fn fill_isa(key: u64, call: u64, first: u64, to: *mut f32, n: usize) =
        |key, call, first, to, n| fill(key, call, first, std::slice::from_raw_parts_mut(to, n));
}

#[inline(always)]
fn fill(key: u64, call: u64, first: u64, out: &mut [f32]) {
    let mut at = 0;
    while at < out.len() && !first.wrapping_add(at as u64).is_multiple_of(4) {
        out[at] = uniform(key, call, first.wrapping_add(at as u64));
        at += 1;
    }
    // Sixteen quads at a time, so that the rounds vectorise; the transposition to the order of the stream is cheap beside them.
    const QUADS: usize = 16;
    while at + 4 * QUADS <= out.len() {
        let quad = first.wrapping_add(at as u64) / 4;
        let mut drawn = [[0u32; QUADS]; 4];
        for lane in 0..QUADS {
            let four = words(key, call, quad + lane as u64);
            drawn.iter_mut().zip(four).for_each(|(drawn, word)| drawn[lane] = word);
        }
        for (i, value) in out[at..at + 4 * QUADS].iter_mut().enumerate() {
            *value = unit(drawn[i % 4][i / 4]);
        }
        at += 4 * QUADS;
    }
    for (i, value) in out.iter_mut().enumerate().skip(at) {
        *value = uniform(key, call, first.wrapping_add(i as u64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of Random123.
    #[test]
    fn known_answers() {
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox4x32([!0; 4], [!0; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let (counter, key) = ([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]);
        assert_eq!(philox4x32(counter, key), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    #[test]
    fn filling_draws_the_same_numbers() {
        for first in [0, 1, 7, (1 << 34) - 30] {
            let mut out = [0.0; 213];
            fill(5, 6, first, &mut out);
            for (i, value) in out.iter().enumerate() {
                assert_eq!(*value, uniform(5, 6, first + i as u64));
            }
        }
    }

    /// The finalizer by its definition, and that nothing of a root gets lost in a key.
    #[test]
    fn keys() {
        // The first outputs of SplitMix64 from seed 1234567, as its authors print them.
        let first: Vec<u64> = (1..=3u64).map(|i| mixed(1_234_567u64.wrapping_add(GOLDEN.wrapping_mul(i)))).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
        let mut keys = vec![];
        for function in [0, 1, 2, 1000, (1 << 30) - 1] {
            for mode in [Mode::Inference, Mode::Training, Mode::Seeded] {
                keys.extend([0, 1, 2, 77, u32::MAX].map(|stream| key(root(1, function, mode), stream)));
            }
        }
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }
}
