//! Halves: their bits as f32 and back, without branches, so that loops over them vectorise. The same bits as the crate `half` gives.

/// Bits of IEEE half precision, in memory.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct F16(pub u16);

/// Bits of the upper half of an `f32`, in memory.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct BF16(pub u16);

/// The value of an f16.
#[inline(always)]
pub fn from_f16(bits: u16) -> f32 {
    let bits = u32::from(bits);
    let (sign, magnitude) = (bits >> 15 << 31, bits & 0x7fff);
    // Scaling by 2¹¹² moves the exponent and makes subnormals normal.
    let value = f32::from_bits(magnitude << 13) * f32::from_bits((127 + 112) << 23);
    let special = 0x7f80_0000 | magnitude << 13 | if magnitude > 0x7c00 { 0x40_0000 } else { 0 };
    let value = if magnitude >= 0x7c00 { special } else { value.to_bits() };
    f32::from_bits(value | sign)
}

/// The nearest f16, of two the even one; what is too large is infinite.
#[inline(always)]
pub fn to_f16(x: f32) -> u16 {
    let sign = (x.to_bits() >> 16 & 0x8000) as u16;
    let magnitude = x.to_bits() & 0x7fff_ffff;
    // Subnormal: in units of 2⁻²⁴, rounded by the addition.
    let small = ((f32::from_bits(magnitude) + 0.5).to_bits().wrapping_sub(0.5f32.to_bits())) as u16;
    let rounded = magnitude.wrapping_add(0xfff).wrapping_add(magnitude >> 13 & 1).wrapping_sub(112 << 23);
    let large = (rounded >> 13).min(0x7c00) as u16;
    let value = if magnitude < 0x3880_0000 { small } else { large };
    let nan = (magnitude >> 13 & 0x3ff) as u16 | 0x7e00;
    sign | if magnitude > 0x7f80_0000 { nan } else { value }
}

/// The value of a bf16.
#[inline(always)]
pub fn from_bf16(bits: u16) -> f32 {
    // Every NaN is a quiet one.
    let quiet = if bits & 0x7fff > 0x7f80 { 0x40_0000 } else { 0 };
    f32::from_bits(u32::from(bits) << 16 | quiet)
}

/// The nearest bf16, of two the even one.
#[inline(always)]
pub fn to_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    let even = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    let nan = (bits >> 16) as u16 | 0x40;
    if bits & 0x7fff_ffff > 0x7f80_0000 { nan } else { (even >> 16) as u16 }
}
