//! Memory that faults when something is read behind its end.

/// Floats; on Linux they end at a page that cannot be read.
pub(super) struct Guarded {
    floats: *mut f32,
    len: usize,
    mapping: Mapping,
}

#[cfg(target_os = "linux")]
type Mapping = (*mut std::ffi::c_void, usize);
#[cfg(not(target_os = "linux"))]
type Mapping = Vec<f32>;

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
    pub fn new(values: Vec<f32>) -> Guarded {
        // Enough for every page size in use.
        const PAGE: usize = 1 << 16;
        let bytes = (4 * values.len()).next_multiple_of(PAGE);
        // SAFETY: a private mapping of our own, whose last part is closed; the values end where that begins.
        unsafe {
            let start = mmap(std::ptr::null_mut(), bytes + PAGE, 3, 0x22, -1, 0);
            assert!(start as isize != -1 && mprotect(start.byte_add(bytes), PAGE, 0) == 0);
            let floats = start.byte_add(bytes - 4 * values.len()).cast::<f32>();
            floats.copy_from_nonoverlapping(values.as_ptr(), values.len());
            Guarded { floats, len: values.len(), mapping: (start, bytes + PAGE) }
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub fn new(mut values: Vec<f32>) -> Guarded {
        Guarded { floats: values.as_mut_ptr(), len: values.len(), mapping: values }
    }

    pub fn start(&self) -> *mut f32 {
        self.floats
    }

    pub fn slice(&self) -> &[f32] {
        // SAFETY: the floats belong to this value.
        unsafe { std::slice::from_raw_parts(self.floats, self.len) }
    }

    /// For scratch, which one kernel at a time uses.
    #[allow(clippy::mut_from_ref)]
    pub fn slice_mut(&self) -> &mut [f32] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.floats, self.len) }
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
