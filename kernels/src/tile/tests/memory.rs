//! Memory that faults when something is read behind its end.

/// Bytes; on Linux they end at a page that cannot be read.
pub(super) struct Guarded {
    start: *mut u8,
    len: usize,
    mapping: Mapping,
}

#[cfg(target_os = "linux")]
type Mapping = (*mut std::ffi::c_void, usize);
#[cfg(not(target_os = "linux"))]
/// Words, so that every number is aligned.
type Mapping = Vec<u64>;

#[cfg(target_os = "linux")]
unsafe extern "C" {
    fn mmap(
        at: *mut std::ffi::c_void,
        len: usize,
        rights: i32,
        flags: i32,
        file: i32,
        offset: i64,
    ) -> *mut std::ffi::c_void;
    fn mprotect(at: *mut std::ffi::c_void, len: usize, rights: i32) -> i32;
    fn munmap(at: *mut std::ffi::c_void, len: usize) -> i32;
}

impl Guarded {
    #[cfg(target_os = "linux")]
    pub fn new(values: &[u8]) -> Guarded {
        // Enough for every page size in use.
        const PAGE: usize = 1 << 16;
        let bytes = values.len().next_multiple_of(PAGE);
        // SAFETY: a private mapping of our own, whose last part is closed; the values end where that begins.
        unsafe {
            let mapped = mmap(std::ptr::null_mut(), bytes + PAGE, 3, 0x22, -1, 0);
            assert!(mapped as isize != -1 && mprotect(mapped.byte_add(bytes), PAGE, 0) == 0);
            let start = mapped.byte_add(bytes - values.len()).cast::<u8>();
            start.copy_from_nonoverlapping(values.as_ptr(), values.len());
            Guarded { start, len: values.len(), mapping: (mapped, bytes + PAGE) }
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub fn new(values: &[u8]) -> Guarded {
        let mut mapping = vec![0; values.len().div_ceil(8)];
        let start = mapping.as_mut_ptr().cast::<u8>();
        // SAFETY: the words have as many bytes.
        unsafe { start.copy_from_nonoverlapping(values.as_ptr(), values.len()) };
        Guarded { start, len: values.len(), mapping }
    }

    pub fn start(&self) -> *mut u8 {
        self.start
    }

    pub fn slice(&self) -> &[u8] {
        // SAFETY: the bytes belong to this value.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }

    /// For scratch, which one kernel at a time uses.
    #[allow(clippy::mut_from_ref)]
    pub fn slice_mut(&self) -> &mut [u8] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        // SAFETY: mapped by `new`.
        unsafe {
            munmap(self.mapping.0, self.mapping.1);
        }
        #[cfg(not(target_os = "linux"))]
        self.mapping.clear();
    }
}
