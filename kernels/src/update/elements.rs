//! Where the elements of a parameter lie, and how they get into blocks of the lane that is computed in.

use castnet_program::types::DType;

use super::formula::Compute;
use crate::math::half::{from_bf16, from_f16, to_bf16, to_f16};

/// Elements of a block: four registers of AVX-512.
pub(super) const BLOCK: usize = 64;

/// Elements one after the other, of a float type.
#[derive(Clone, Copy, Debug)]
pub struct Elements {
    /// The first.
    pub base: *mut u8,
    /// Their type.
    pub dtype: DType,
}

// SAFETY: the pointer is only used by the functions of a rule, whose caller vouches for what lies there and that nobody else uses it.
unsafe impl Send for Elements {}
// SAFETY: as above.
unsafe impl Sync for Elements {}

/// Some elements of a parameter, with what belongs to them.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The whole parameter, or an arena that it is in.
    pub parameter: Elements,
    /// The gradient of these elements alone.
    pub gradient: Elements,
    /// Each state, as the parameter lies.
    pub states: &'a [Elements],
    /// The number of the first element, of parameter and states.
    pub start: usize,
    /// How many there are.
    pub len: usize,
    /// By what the gradient is multiplied.
    pub factor: f64,
    /// The rule's scalars for this parameter, then what is made of its sums, in the lane that is computed in.
    pub numbers: *mut u8,
}

/// `count` elements from number `at` on, at most a block: where they lie, or in `pad`.
///
/// # Safety
/// They lie there, and nobody writes them as long as they are borrowed.
#[inline(always)]
pub(super) unsafe fn take<T: Compute>(from: Elements, at: usize, count: usize, pad: &mut [T; BLOCK]) -> &[T; BLOCK] {
    // SAFETY: the caller's promise; elements are aligned.
    unsafe {
        if from.dtype != T::LANE.dtype() {
            load(from, at, &mut pad[..count]);
            return pad;
        }
        let from = from.base.cast::<T>().add(at);
        if count == BLOCK {
            return &*from.cast();
        }
        std::ptr::copy_nonoverlapping(from, pad.as_mut_ptr(), count);
    }
    pad
}

/// Brings the first `count` values to the elements from number `at` on.
///
/// # Safety
/// There is room, and nobody else uses it.
#[inline(always)]
pub(super) unsafe fn give<T: Compute>(to: Elements, at: usize, count: usize, values: &[T; BLOCK]) {
    // SAFETY: the caller's promise.
    unsafe {
        if to.dtype != T::LANE.dtype() {
            return store(to, at, &values[..count]);
        }
        let to = to.base.cast::<T>().add(at);
        if count == BLOCK {
            to.cast::<[T; BLOCK]>().write(*values);
        } else {
            std::ptr::copy_nonoverlapping(values.as_ptr(), to, count);
        }
    }
}

/// Elements of another type.
///
/// # Safety
/// As [`take`].
pub(super) unsafe fn load<T: Compute>(from: Elements, at: usize, to: &mut [T]) {
    /// # Safety
    /// As [`take`].
    unsafe fn each<T: Compute, E: Copy>(from: *mut u8, at: usize, to: &mut [T], value: impl Fn(E) -> f64) {
        // SAFETY: the caller's promise.
        let from = unsafe { std::slice::from_raw_parts(from.cast::<E>().add(at), to.len()) };
        to.iter_mut().zip(from).for_each(|(to, from)| *to = T::of(value(*from)));
    }
    // SAFETY: the caller's promise.
    unsafe {
        match from.dtype {
            DType::F32 => each(from.base, at, to, |x: f32| x.into()),
            DType::F64 => each(from.base, at, to, |x: f64| x),
            DType::F16 => each(from.base, at, to, |x: u16| from_f16(x).into()),
            DType::BF16 => each(from.base, at, to, |x: u16| from_bf16(x).into()),
            DType::I8 | DType::U8 | DType::I16 | DType::I32 | DType::U32 | DType::I64 | DType::Bool => {
                unreachable!("an update of {:?}", from.dtype)
            }
        }
    }
}

/// To elements of another type, rounded to the nearest; to halves by way of f32.
///
/// # Safety
/// As [`give`].
pub(super) unsafe fn store<T: Compute>(to: Elements, at: usize, from: &[T]) {
    /// # Safety
    /// As [`give`].
    unsafe fn each<T: Compute, E>(to: *mut u8, at: usize, from: &[T], value: impl Fn(f64) -> E) {
        // SAFETY: the caller's promise.
        let to = unsafe { std::slice::from_raw_parts_mut(to.cast::<E>().add(at), from.len()) };
        to.iter_mut().zip(from).for_each(|(to, from)| *to = value(from.wide()));
    }
    // SAFETY: the caller's promise.
    unsafe {
        match to.dtype {
            DType::F32 => each(to.base, at, from, |x| x as f32),
            DType::F64 => each(to.base, at, from, |x| x),
            DType::F16 => each(to.base, at, from, |x| to_f16(x as f32)),
            DType::BF16 => each(to.base, at, from, |x| to_bf16(x as f32)),
            DType::I8 | DType::U8 | DType::I16 | DType::I32 | DType::U32 | DType::I64 | DType::Bool => {
                unreachable!("an update of {:?}", to.dtype)
            }
        }
    }
}
