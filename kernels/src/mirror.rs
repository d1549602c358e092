//! Mirrors of parameters: elements that were written, written once more in another type or layout.

use std::ops::Range;

use castnet_program::program::Layout;
use castnet_program::types::DType;

use crate::isa::{Isa, per_isa};
use crate::math::half::{to_bf16, to_f16};
use crate::update::Elements;

/// A tensor in memory.
#[derive(Clone, Copy)]
pub struct Laid<'a> {
    /// Its elements, padding included.
    pub elements: Elements,
    /// How they lie.
    pub layout: &'a Layout,
}

/// Some elements of a tensor and where they are to be copied.
struct Job<'a> {
    shape: &'a [i64],
    from: Laid<'a>,
    to: Laid<'a>,
    range: Range<usize>,
}

/// Writes the elements of a tensor that lie in `range` into another one of the same shape, rounded as a cast to its type rounds: of one type, or
/// of f32 to halves.
///
/// # Safety
/// Both lie in memory as a whole, padding included, the range inside of the first. Nobody writes these elements of the first meanwhile, and nobody
/// else uses those of the second.
pub unsafe fn mirror(isa: Isa, shape: &[i64], from: Laid<'_>, to: Laid<'_>, range: Range<usize>) {
    let job = Job { shape, from, to, range };
    // SAFETY: the caller's promise; the machine has the instruction set.
    unsafe {
        match (from.elements.dtype, to.elements.dtype) {
            (DType::F32, DType::F16) => f16s(isa.or_portable(), &job),
            (DType::F32, DType::BF16) => bf16s(isa.or_portable(), &job),
            (DType::F16 | DType::BF16, _) => copy(&job, |x: u16| x),
            (DType::F32, _) => copy(&job, |x: u32| x),
            (DType::F64, _) => copy(&job, |x: u64| x),
            (DType::I8 | DType::U8 | DType::I16 | DType::I32 | DType::U32 | DType::I64 | DType::Bool, _) => {
                unreachable!("a mirror of {:?}", from.elements.dtype)
            }
        }
    }
}

per_isa! {
    /// To f16.
    fn f16s(job: &Job<'_>) = |job| copy(job, to_f16);
    /// To bf16.
    fn bf16s(job: &Job<'_>) = |job| copy(job, to_bf16);
}

/// # Safety
/// As [`mirror`], of elements of these types.
#[inline(always)]
unsafe fn copy<A: Copy, B>(job: &Job<'_>, rounded: impl Fn(A) -> B) {
    let (from, to) = (job.from.elements.base.cast::<A>(), job.to.elements.base.cast::<B>());
    let Range { start, end } = job.range;
    let len = job.shape.iter().product::<i64>() as usize;
    // SAFETY: the caller's promise; whatever is no padding lies in the other layout, too.
    unsafe {
        match (job.from.layout, job.to.layout) {
            (from_layout, to_layout) if from_layout == to_layout => {
                let from = std::slice::from_raw_parts(from.add(start), end - start);
                let to = std::slice::from_raw_parts_mut(to.add(start), end - start);
                to.iter_mut().zip(from).for_each(|(to, from)| *to = rounded(*from));
            }
            (Layout::Plain, layout) => {
                // What follows along the last axis lies evenly.
                let (row, end) = (job.shape.last().map_or(1, |size| *size as usize), end.min(len));
                let mut at = start;
                while at < end {
                    let count = (row - at % row).min(end - at);
                    let first = layout.place(job.shape, at);
                    let step = if count > 1 { layout.place(job.shape, at + 1) - first } else { 0 };
                    (0..count).for_each(|i| *to.add(first + i * step) = rounded(*from.add(at + i)));
                    at += count;
                }
            }
            (panels, layout) => {
                for at in start..end {
                    if let Some(number) = panels.number(job.shape, at) {
                        *to.add(layout.place(job.shape, number)) = rounded(*from.add(at));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::{bf16, f16};

    /// A tensor of f32, element by element where [`Layout::position`] says, into every layout, in pieces that end anywhere.
    #[test]
    fn elements_lie_where_the_layout_says() {
        let layouts = [Layout::Plain, Layout::Panels(vec![2, 3, 1]), Layout::Panels(vec![1, 2, 3])];
        let shape = [37, 3, 2, 5];
        let index = |i: i64| [i / 30, i / 10 % 3, i / 5 % 2, i % 5];
        let value = |i: i64| (i as f32 * 0.37).sin();
        for from in &layouts {
            let mut parameter = vec![0f32; from.padded(&shape)];
            for i in 0..37 * 30 {
                parameter[from.position(&shape, &index(i)) as usize] = value(i);
            }
            for to in &layouts {
                for dtype in [DType::F32, DType::F16, DType::BF16] {
                    let mut mirrored = vec![0u8; to.padded(&shape) * dtype.bytes()];
                    let laid = |base: *mut u8, dtype, layout| Laid { elements: Elements { base, dtype }, layout };
                    let (a, b) = (parameter.as_mut_ptr().cast(), mirrored.as_mut_ptr());
                    for start in (0..parameter.len()).step_by(101) {
                        let range = start..parameter.len().min(start + 101);
                        let (from, to) = (laid(a, DType::F32, from), laid(b, dtype, to));
                        // SAFETY: both are as long as their layouts say, and are borrowed here alone.
                        unsafe { mirror(Isa::detect(), &shape, from, to, range) };
                    }
                    for i in 0..37 * 30 {
                        let at = to.position(&shape, &index(i)) as usize * dtype.bytes();
                        let wanted = match dtype {
                            DType::F16 => f16::from_f32(value(i)).to_ne_bytes().to_vec(),
                            DType::BF16 => bf16::from_f32(value(i)).to_ne_bytes().to_vec(),
                            _ => value(i).to_ne_bytes().to_vec(),
                        };
                        assert_eq!(mirrored[at..at + dtype.bytes()], wanted, "element {i} from {from:?} to {to:?}");
                    }
                }
            }
        }
    }
}
