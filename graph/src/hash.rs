//! Hash maps of the compiler: keys are small numbers and lists of them, and nobody chooses them to collide.

use std::hash::{BuildHasherDefault, Hasher};

/// A map that hashes quickly, also in a compiler that is built without optimisation, and the same way in every run.
pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<Fast>>;

/// A set likewise.
pub(crate) type HashSet<K> = std::collections::HashSet<K, BuildHasherDefault<Fast>>;

/// A multiplication a word.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fast(u64);

impl Hasher for Fast {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(word as u64);
    }

    fn write_u16(&mut self, word: u16) {
        self.write_u64(word as u64);
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(word as u64);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_i64(&mut self, word: i64) {
        self.write_u64(word as u64);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        // The best bits of a product are its upper ones; a map takes its buckets from the lower ones.
        self.0.rotate_left(26)
    }
}
