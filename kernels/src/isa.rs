//! The instruction sets that kernels are compiled for.

/// An instruction set; each hot loop exists once for every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// AVX-512 F, DQ, BW and VL, with FMA.
    Avx512,
    /// AVX2 with FMA.
    Avx2,
    /// What every target has; no fused multiply-add.
    Portable,
}

impl Isa {
    /// The best one that this machine has.
    pub fn detect() -> Isa {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                let wide = is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl");
                return if wide { Isa::Avx512 } else { Isa::Avx2 };
            }
        }
        Isa::Portable
    }

    /// Every one that this machine has, best first.
    pub fn available() -> Vec<Isa> {
        match Isa::detect() {
            Isa::Avx512 => vec![Isa::Avx512, Isa::Avx2, Isa::Portable],
            Isa::Avx2 => vec![Isa::Avx2, Isa::Portable],
            Isa::Portable => vec![Isa::Portable],
        }
    }

    /// Itself if this machine has it, else what every machine has.
    pub fn or_portable(self) -> Isa {
        let best = Isa::detect();
        if self == best || self == Isa::Avx2 && best == Isa::Avx512 { self } else { Isa::Portable }
    }
}

/// Compiles a function for every instruction set: `fn name(isa, arguments..)` calls the `#[inline(always)]` body under the features of
/// `isa`, which the machine must have.
#[allow(unused_macros)] // The bench of the tiles includes this file alone.
macro_rules! per_isa {
    ($($(#[$attribute:meta])* $visibility:vis fn $name:ident $(<$t:ident: $bound:path>)? ($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? = $body:expr;)*) => {$(
        $(#[$attribute])*
        ///
        /// # Safety
        /// The machine has `isa`, and what the body asks for.
        #[inline]
        #[allow(clippy::too_many_arguments)]
        $visibility unsafe fn $name $(<$t: $bound>)? (isa: $crate::isa::Isa, $($argument: $type),*) $(-> $result)? {
            #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"))]
            unsafe fn avx512 $(<$t: $bound>)? ($($argument: $type),*) $(-> $result)? {
                // SAFETY: the caller's promise.
                #[allow(unused_unsafe)]
                unsafe { $body($($argument),*) }
            }
            #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx2,fma"))]
            unsafe fn avx2 $(<$t: $bound>)? ($($argument: $type),*) $(-> $result)? {
                // SAFETY: the caller's promise.
                #[allow(unused_unsafe)]
                unsafe { $body($($argument),*) }
            }
            // SAFETY: the caller's promise.
            #[allow(unused_unsafe)]
            unsafe {
                match isa {
                    $crate::isa::Isa::Avx512 => avx512$(::<$t>)?($($argument),*),
                    $crate::isa::Isa::Avx2 => avx2$(::<$t>)?($($argument),*),
                    $crate::isa::Isa::Portable => $body($($argument),*),
                }
            }
        }
    )*};
}
pub(crate) use per_isa;
