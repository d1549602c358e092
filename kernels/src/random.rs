//! Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
//!
//! Number `index` of a stream is a pure function of seed, step, stream and index, so any thread can draw it and a backward pass can draw
//! it again.

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

/// The four words that hold numbers `4 · quad ..` of a stream.
#[inline(always)]
fn words(seed: u64, step: u64, stream: u32, quad: u64) -> [u32; 4] {
    philox4x32([quad as u32, (quad >> 32) as u32, stream, step as u32], [seed as u32, (seed >> 32) as u32])
}

/// A word as a number in [0, 1): its upper 24 bits.
#[inline(always)]
fn unit(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Number `index` of a stream: uniform in [0, 1), a multiple of 2⁻²⁴.
#[inline]
pub fn uniform(seed: u64, step: u64, stream: u32, index: u64) -> f32 {
    unit(words(seed, step, stream, index / 4)[(index % 4) as usize])
}

crate::isa::per_isa! {
    /// Numbers `first .. first + n` of a stream, one after the other.
    pub(crate) fn fill_isa(seed: u64, step: u64, stream: u32, first: u64, to: *mut f32, n: usize) =
        |seed, step, stream, first, to, n| fill(seed, step, stream, first, std::slice::from_raw_parts_mut(to, n));
}

#[inline(always)]
fn fill(seed: u64, step: u64, stream: u32, first: u64, out: &mut [f32]) {
    let mut at = 0;
    while at < out.len() && !(first + at as u64).is_multiple_of(4) {
        out[at] = uniform(seed, step, stream, first + at as u64);
        at += 1;
    }
    // Sixteen quads at a time, so that the rounds vectorise; the transposition to the order of the stream is cheap beside them.
    const QUADS: usize = 16;
    while at + 4 * QUADS <= out.len() {
        let quad = (first + at as u64) / 4;
        let mut drawn = [[0u32; QUADS]; 4];
        for lane in 0..QUADS {
            let four = words(seed, step, stream, quad + lane as u64);
            drawn.iter_mut().zip(four).for_each(|(drawn, word)| drawn[lane] = word);
        }
        for (i, value) in out[at..at + 4 * QUADS].iter_mut().enumerate() {
            *value = unit(drawn[i % 4][i / 4]);
        }
        at += 4 * QUADS;
    }
    for (i, value) in out.iter_mut().enumerate().skip(at) {
        *value = uniform(seed, step, stream, first + i as u64);
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
            fill(5, 6, 7, first, &mut out);
            for (i, value) in out.iter().enumerate() {
                assert_eq!(*value, uniform(5, 6, 7, first + i as u64));
            }
        }
    }
}
