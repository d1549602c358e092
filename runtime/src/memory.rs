//! Aligned memory, viewed as any plain element type. One of the few modules with `unsafe`.

use std::alloc::{Layout, alloc_zeroed};

/// One cache line, the unit of allocation: everything starts on a boundary of 64 bytes.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Bytes on a 64-byte boundary, zero at first.
#[derive(Default)]
pub(crate) struct Memory {
    lines: Vec<Line>,
    bytes: usize,
}

mod sealed {
    /// Types for which every alignment and length rule below holds.
    pub trait Plain: Copy + Send + Sync + 'static {}
}
pub(crate) use sealed::Plain;

impl Plain for f32 {}
impl Plain for f64 {}
impl Plain for half::f16 {}
impl Plain for half::bf16 {}
impl Plain for i8 {}
impl Plain for u8 {}
impl Plain for i16 {}
impl Plain for i32 {}
impl Plain for u32 {}
impl Plain for i64 {}
impl Plain for bool {}

impl Memory {
    /// `bytes` zero bytes. `None`: no memory.
    pub(crate) fn zeroed(bytes: usize) -> Option<Memory> {
        let mut memory = Memory::default();
        memory.grow(bytes).then_some(memory)
    }

    /// The same bytes once more. `None`: no memory.
    pub(crate) fn copied(&self) -> Option<Memory> {
        let mut copy = Memory::zeroed(self.bytes)?;
        copy.slice_mut::<u8>().copy_from_slice(self.slice());
        Some(copy)
    }

    /// Grows to at least `bytes`, what is new being zero; never shrinks. What was there stays, but may move. `false`: no memory.
    #[must_use]
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        if bytes > self.bytes {
            let Some(mut lines) = Memory::lines(bytes.div_ceil(64)) else { return false };
            lines[..self.lines.len()].copy_from_slice(&self.lines);
            self.lines = lines;
            self.bytes = bytes;
        }
        true
    }

    /// So many lines of zeros, which take no memory of the machine before they are used. `None`: no memory.
    fn lines(count: usize) -> Option<Vec<Line>> {
        let layout = Layout::array::<Line>(count).ok().filter(|layout| layout.size() > 0)?;
        // SAFETY: the layout is of some bytes; lines of zeros are lines; the vector frees what the same allocator gave for this layout.
        unsafe {
            let first = alloc_zeroed(layout).cast::<Line>();
            (!first.is_null()).then(|| Vec::from_raw_parts(first, count, count))
        }
    }

    /// The number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    /// The first byte.
    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.lines.as_ptr().cast()
    }

    /// The first byte, to be written through.
    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.lines.as_mut_ptr().cast()
    }

    /// All of it as elements. For `bool` the bytes must have been written as `bool` (or be the initial zeros).
    pub(crate) fn slice<T: Plain>(&self) -> &[T] {
        // SAFETY: the vector owns at least `bytes` initialised bytes on a boundary of 64, which suits every `Plain` type; all bit patterns
        // of the numeric types are values, and of `bool` only bytes written as such are ever stored (`Array` checks the element type).
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.bytes / size_of::<T>()) }
    }

    /// All of it as elements, to be written.
    pub(crate) fn slice_mut<T: Plain>(&mut self) -> &mut [T] {
        // SAFETY: as in `slice`; the borrow is unique.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.bytes / size_of::<T>()) }
    }
}

/// `count` values one after the other; `None`: no memory.
pub(crate) fn collected<T>(count: usize, values: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let mut all = Vec::new();
    all.try_reserve_exact(count).ok()?;
    all.extend(values.take(count));
    Some(all)
}

/// A pointer that may go to another thread: whoever uses it says why that is sound.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Shared<T>(pub(crate) *mut T);

// SAFETY: the pointer is only an address here; every dereference is an `unsafe` block with its own reason.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Wraps an address.
    pub(crate) fn new(pointer: *mut T) -> Shared<T> {
        Shared(pointer)
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.bytes)
    }
}
