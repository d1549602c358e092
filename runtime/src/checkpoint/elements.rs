//! Elements of tensors in a file, as numbers of another type.

use castnet_program::types::DType;
use safetensors::tensor::Dtype;

/// As f32, rounded where they have more digits; `None` if they are no floating-point numbers.
pub(super) fn floats(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    Some(match dtype {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Dtype::F64 => bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        Dtype::BF16 => bytes.as_chunks().0.iter().map(|[b, c]| f32::from_le_bytes([0, 0, *b, *c])).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|b| half(u16::from_le_bytes(*b))).collect(),
        _ => return None,
    })
}

/// As little-endian bytes of an integer type; `None` if one of them is no whole number that it holds.
pub(super) fn integers(dtype: Dtype, bytes: &[u8], to: DType) -> Option<Vec<u8>> {
    let whole = |x: f64| (x.fract() == 0.0 && x.abs() < 9.2e18).then_some(x as i64);
    macro_rules! read {
        ($ty:ty) => {
            bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| i64::try_from(<$ty>::from_le_bytes(*b)).ok())
                .collect::<Option<Vec<i64>>>()
        };
    }
    let numbers = match dtype {
        Dtype::I8 => read!(i8),
        Dtype::U8 => read!(u8),
        Dtype::I16 => read!(i16),
        Dtype::U16 => read!(u16),
        Dtype::I32 => read!(i32),
        Dtype::U32 => read!(u32),
        Dtype::I64 => read!(i64),
        Dtype::U64 => read!(u64),
        Dtype::F64 => bytes.as_chunks().0.iter().map(|b| whole(f64::from_le_bytes(*b))).collect(),
        _ => floats(dtype, bytes)?.into_iter().map(|x| whole(x.into())).collect(),
    }?;
    macro_rules! write {
        ($ty:ty) => {{
            let parts = numbers.iter().map(|&n| Some(<$ty>::try_from(n).ok()?.to_le_bytes()));
            parts.collect::<Option<Vec<_>>>().map(|parts| parts.concat())
        }};
    }
    match to {
        DType::I8 => write!(i8),
        DType::U8 => write!(u8),
        DType::I32 => write!(i32),
        DType::U32 => write!(u32),
        DType::I64 => write!(i64),
        DType::F32 | DType::F16 | DType::BF16 | DType::F64 | DType::Bool => None,
    }
}

/// An IEEE 754 half-precision number; every one is exact in single precision.
fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (bits >> 15, bits >> 10 & 31, u32::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction as f32 / 16_777_216.0,
        31 => f32::from_bits(0x7f80_0000 | fraction << 13),
        _ => f32::from_bits((u32::from(exponent) + 112) << 23 | fraction << 13),
    };
    if sign == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves() {
        for (bits, value) in
            [(0x3c00, 1.0), (0xc000, -2.0), (0x7bff, 65504.0), (1, 5.960_464_5e-8), (0x7c00, f32::INFINITY)]
        {
            assert_eq!(half(bits), value);
        }
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn whole_numbers_keep_their_value_or_are_refused() {
        let seven = 7i64.to_le_bytes().to_vec();
        for (dtype, bytes) in [
            (Dtype::F32, 7f32.to_le_bytes().to_vec()),
            (Dtype::F64, 7f64.to_le_bytes().to_vec()),
            (Dtype::F16, 0x4700u16.to_le_bytes().to_vec()),
            (Dtype::BF16, 0x40e0u16.to_le_bytes().to_vec()),
            (Dtype::I32, 7i32.to_le_bytes().to_vec()),
            (Dtype::U64, seven.clone()),
            (Dtype::U8, vec![7]),
        ] {
            assert_eq!(integers(dtype, &bytes, DType::I64), Some(seven.clone()), "{dtype:?}");
        }
        for (dtype, bytes, to) in [
            (Dtype::F32, 7.5f32.to_le_bytes().to_vec(), DType::I64),
            (Dtype::F32, f32::NAN.to_le_bytes().to_vec(), DType::I64),
            (Dtype::F64, 1e300f64.to_le_bytes().to_vec(), DType::I64),
            (Dtype::U64, u64::MAX.to_le_bytes().to_vec(), DType::I64),
            (Dtype::I32, 256i32.to_le_bytes().to_vec(), DType::U8),
            (Dtype::I8, vec![0xff], DType::U32),
            (Dtype::BOOL, vec![1], DType::I64),
        ] {
            assert_eq!(integers(dtype, &bytes, to), None, "{dtype:?}");
        }
    }
}
