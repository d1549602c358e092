//! The instruction sets that kernels are compiled for.

/// An instruction set; each hot loop exists once for every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// AVX-512 as below, and products of bf16 two at a time (`avx512_bf16`).
    Avx512Bf16,
    /// AVX-512 F, DQ, BW and VL, with FMA.
    Avx512,
    /// AVX2 with FMA.
    Avx2,
    /// What every target has; no fused multiply-add.
    Portable,
}

impl Isa {
    const ALL: [Isa; 4] = [Isa::Avx512Bf16, Isa::Avx512, Isa::Avx2, Isa::Portable];

    /// The quickest one that this machine has.
    pub fn detect() -> Isa {
        let quick = |isa: &Isa| isa.is_here() && (*isa != Isa::Avx512Bf16 || pairs_are_quick());
        Isa::ALL.into_iter().find(quick).unwrap_or(Isa::Portable)
    }

    /// Every one that this machine has.
    pub fn available() -> Vec<Isa> {
        Isa::ALL.into_iter().filter(|isa| isa.is_here()).collect()
    }

    /// Itself if this machine has it, else what every machine has.
    pub fn or_portable(self) -> Isa {
        if self.is_here() { self } else { Isa::Portable }
    }

    #[cfg(target_arch = "x86_64")]
    fn is_here(self) -> bool {
        match self {
            Isa::Avx512Bf16 => Isa::Avx512.is_here() && is_x86_feature_detected!("avx512bf16"),
            Isa::Avx512 => {
                Isa::Avx2.is_here()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
            }
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            Isa::Portable => true,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn is_here(self) -> bool {
        self == Isa::Portable
    }
}

/// Whether two products of bf16 take less than two of f32: AMD's processors begin as many pairs a cycle as products of f32 (Zen 4, Zen 5), Intel's
/// a quarter of that (Sapphire Rapids, Emerald Rapids).
fn pairs_are_quick() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        // Asked once, as virtual machines take long to answer.
        static QUICK: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *QUICK.get_or_init(|| {
            #[allow(unused_unsafe)] // Newer compilers know.
            // SAFETY: every x86-64 processor has the instruction.
            let maker = unsafe { std::arch::x86_64::__cpuid(0) };
            let words = [maker.ebx, maker.edx, maker.ecx].map(u32::to_le_bytes);
            words.as_flattened() == b"AuthenticAMD"
        })
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
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
                    $crate::isa::Isa::Avx512Bf16 | $crate::isa::Isa::Avx512 => avx512($($argument),*),
                    $crate::isa::Isa::Avx2 => avx2($($argument),*),
                    $crate::isa::Isa::Portable => $body($($argument),*),
                }
            }
        }
    )*};
}
pub(crate) use per_isa;
