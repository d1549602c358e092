//! Where the elements of a parameter lie, and how they get into blocks of the lane that is computed in.

use castnet_program::types::DType;

use super::formula::Compute;
use crate::math::half::{from_bf16, from_f16, to_bf16, to_f16};

/// Elements that are brought to another type, or summed, at a time.
pub(super) const BLOCK: usize = 256;

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

/// Hands the part's elements on as slices of one type: all of them, or block by block if memory has another one. `writes`: what has changed is
/// brought back. States that there are not are empty.
///
/// # Safety
/// As [`super::UpdateRule::update`] and [`super::UpdateRule::sum`].
#[inline(always)]
pub(super) unsafe fn each_run<T: Compute, const S: usize>(
    part: &Part<'_>,
    states: &[Option<(&'static str, Option<DType>)>; S],
    writes: bool,
    mut run: impl FnMut(&mut [T], &[T], [&mut [T]; S]),
) {
    let mut present = part.states.iter();
    let states: [Option<Elements>; S] =
        std::array::from_fn(|state| states[state].and_then(|_| present.next().copied()));
    let elements = [part.parameter, part.gradient].into_iter().chain(states.into_iter().flatten());
    if elements.clone().all(|elements| elements.dtype == T::LANE.dtype()) {
        // SAFETY: the caller's promise; what is only read is a shared slice wherever `run` does not write.
        let slice = |elements: Elements, start| unsafe {
            std::slice::from_raw_parts_mut(elements.base.cast::<T>().add(start), part.len)
        };
        // SAFETY: the caller's promise.
        let gradient = unsafe { std::slice::from_raw_parts(part.gradient.base.cast::<T>(), part.len) };
        let states = states.map(|state| state.map_or(&mut [][..], |state| slice(state, part.start)));
        return run(slice(part.parameter, part.start), gradient, states);
    }
    let (mut parameter, mut gradient, mut pads) =
        ([T::default(); BLOCK], [T::default(); BLOCK], [[T::default(); BLOCK]; S]);
    for at in (0..part.len).step_by(BLOCK) {
        let (count, start) = (BLOCK.min(part.len - at), part.start + at);
        // SAFETY: the caller's promise; `count` elements are left.
        unsafe {
            load(part.parameter, start, &mut parameter[..count]);
            load(part.gradient, at, &mut gradient[..count]);
            for (state, pad) in states.iter().zip(&mut pads) {
                if let Some(state) = state {
                    load(*state, start, &mut pad[..count]);
                }
            }
            let mut all = states.iter().zip(&mut pads);
            let slices = std::array::from_fn(|_| match all.next() {
                Some((Some(_), pad)) => &mut pad[..count],
                Some((None, _)) | None => &mut [][..],
            });
            run(&mut parameter[..count], &gradient[..count], slices);
            if writes {
                store(part.parameter, start, &parameter[..count]);
                for (state, pad) in states.iter().zip(&pads) {
                    if let Some(state) = state {
                        store(*state, start, &pad[..count]);
                    }
                }
            }
        }
    }
}

/// Elements from number `at` on as numbers of a type.
///
/// # Safety
/// They lie there, and nobody writes them meanwhile.
pub(super) unsafe fn load<T: Compute>(from: Elements, at: usize, to: &mut [T]) {
    /// # Safety
    /// As [`load`].
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

/// Numbers to the elements from number `at` on, rounded to the nearest; to halves by way of f32.
///
/// # Safety
/// There is room, and nobody else uses it.
pub(super) unsafe fn store<T: Compute>(to: Elements, at: usize, from: &[T]) {
    /// # Safety
    /// As [`store`].
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
