//! Elements of tensors in a file, as numbers of another type.

use castnet_program::types::DType;
use half::{bf16, f16};
use safetensors::tensor::Dtype;

use crate::float::Float;

/// As numbers of a float type, the nearest ones; `None` if they are no floating-point numbers.
pub(super) fn floats<T: Float>(dtype: Dtype, bytes: &[u8]) -> Option<Vec<T>> {
    Some(match dtype {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|b| T::of_f32(f32::from_le_bytes(*b))).collect(),
        Dtype::F64 => bytes.as_chunks().0.iter().map(|b| T::of_f64(f64::from_le_bytes(*b))).collect(),
        Dtype::BF16 => bytes.as_chunks().0.iter().map(|b| T::of_f32(bf16::from_le_bytes(*b).to_f32())).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|b| T::of_f32(f16::from_le_bytes(*b).to_f32())).collect(),
        _ => return None,
    })
}

/// Whether every number of one float type is one of the other.
pub(super) fn is_lossless(from: Dtype, to: DType) -> bool {
    match from {
        Dtype::F64 => to == DType::F64,
        Dtype::F32 => matches!(to, DType::F64 | DType::F32),
        Dtype::F16 => matches!(to, DType::F64 | DType::F32 | DType::F16),
        Dtype::BF16 => matches!(to, DType::F64 | DType::F32 | DType::BF16),
        _ => false,
    }
}

/// Integers as little-endian bytes of another type; `None` if one of them is no whole number that the type holds.
pub(super) fn converted(dtype: Dtype, bytes: &[u8], to: DType) -> Option<Vec<u8>> {
    match to {
        DType::F32 | DType::F16 | DType::BF16 | DType::F64 | DType::Bool => None,
        DType::I8 | DType::U8 | DType::I16 | DType::I32 | DType::U32 | DType::I64 => integers(dtype, bytes, to),
    }
}

/// As little-endian bytes of an integer type; `None` if one of them is no whole number that it holds.
fn integers(dtype: Dtype, bytes: &[u8], to: DType) -> Option<Vec<u8>> {
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
        _ => floats::<f64>(dtype, bytes)?.into_iter().map(whole).collect(),
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
        DType::I16 => write!(i16),
        DType::I32 => write!(i32),
        DType::U32 => write!(u32),
        DType::I64 => write!(i64),
        DType::F32 | DType::F16 | DType::BF16 | DType::F64 | DType::Bool => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (Dtype::I32, 40_000i32.to_le_bytes().to_vec(), DType::I16),
            (Dtype::BOOL, vec![1], DType::I64),
        ] {
            assert_eq!(integers(dtype, &bytes, to), None, "{dtype:?}");
        }
    }
}
