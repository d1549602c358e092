//! Multiply-adds and nothing else: what no kernel is quicker than.

use super::vector::Vector;
use super::{Element, Isa, per_vector};

/// Vectors of sums, none of which waits for another: more than a processor has multiply-adds under way.
const SUMS: usize = 12;

/// So many rounds of a product added to each of [`SUMS`] vectors.
pub(super) struct Rounds<'a, E> {
    count: usize,
    by: &'a E,
}

#[inline(always)]
unsafe fn rounds<V: Vector>(rounds: &Rounds<'_, V::Element>) {
    // SAFETY: the caller has the instruction set; so below.
    let by = unsafe { V::splat(*rounds.by) };
    let mut sums = [by; SUMS];
    for _ in 0..rounds.count {
        for sum in &mut sums {
            // SAFETY: as above.
            *sum = unsafe { V::add_product(*sum, by, by) };
        }
    }
    std::hint::black_box(&sums);
}

per_vector! {
    fn run(argument: Rounds) = rounds;
}

/// Does multiply-adds of f32 in registers, about so many, with this instruction set; how many floating-point operations that were, two each.
pub fn multiply_adds(isa: Isa, about: usize) -> usize {
    let lanes = match isa.or_portable() {
        Isa::Avx512Bf16 | Isa::Avx512 => 16,
        Isa::Avx2 => 8,
        Isa::Portable => 4,
    };
    let count = about.div_ceil(SUMS * lanes);
    let one = std::hint::black_box(1.0f32);
    // SAFETY: the machine has the instruction set.
    unsafe { run(isa.or_portable(), &Rounds { count, by: &one }) };
    2 * count * SUMS * lanes
}
