//! What the code that `network!` writes refers to. Not part of the interface.

pub use castnet_kernels::block_kernel;
pub use castnet_macros::{check, network};
pub use castnet_runtime::checkpoint::SaveHandle;
pub use castnet_runtime::optimizer::Footprint;
pub use castnet_runtime::{
    Array, Device, EmittedKernel, Error, Gradients, Loss, Model, NetTable, Network, Optimizer, Result,
};
use std::collections::BTreeMap;
use std::path::Path;

pub use crate::__network_methods as network_methods;

/// The result of a function that has one.
pub fn only(results: Vec<Array>) -> Result<Array> {
    next(&mut results.into_iter())
}

/// The next result of a function that has several.
pub fn next(results: &mut std::vec::IntoIter<Array>) -> Result<Array> {
    results.next().ok_or_else(|| Error::BadNet { net: String::new(), what: "a function without a result".into() })
}

/// A polynomial in sizes: coefficients, each with the sizes by which it is multiplied. What is more than `u64::MAX` is that.
pub const fn size(terms: &[(i64, &[usize])]) -> u64 {
    let (mut plus, mut minus) = (0u128, 0u128);
    let mut term = 0;
    while term < terms.len() {
        let (coefficient, factors) = terms[term];
        let mut product = coefficient.unsigned_abs() as u128;
        let mut factor = 0;
        while factor < factors.len() {
            product = product.saturating_mul(factors[factor] as u128);
            factor += 1;
        }
        match coefficient < 0 {
            true => minus = minus.saturating_add(product),
            false => plus = plus.saturating_add(product),
        }
        term += 1;
    }
    let known = if plus == u128::MAX { plus } else { plus.saturating_sub(minus) };
    if known > u64::MAX as u128 { u64::MAX } else { known as u64 }
}

/// Bytes of the largest of these arenas, of `constant`, and of what an optimizer remembers; at most `usize::MAX`.
pub const fn memory(arenas: &[u64], constant: u64, optimizer: usize) -> usize {
    let (mut most, mut arena) = (0, 0);
    while arena < arenas.len() {
        if arenas[arena] > most {
            most = arenas[arena];
        }
        arena += 1;
    }
    let bytes = most.saturating_add(constant).saturating_add(optimizer as u64);
    if bytes > usize::MAX as u64 { usize::MAX } else { bytes as usize }
}

/// Anything that names a file.
pub trait File: AsRef<Path> {}
impl<T: AsRef<Path>> File for T {}

/// What a training checkpoint holds beside numbers.
pub type Extra = BTreeMap<String, String>;

/// The methods that are the same for every net.
#[doc(hidden)]
#[macro_export]
macro_rules! __network_methods {
    () => {
        /// Sets all parameters and states from a safetensors file, such as a `state_dict` of PyTorch. Strict: other, missing or misshapen entries are
        /// an error, and the net is as it was. Elements of type f64, f16 and bf16 are converted; the optimizer's part of a file of
        /// [`Self::save_training`] is passed over.
        ///
        /// # Errors
        /// If the file cannot be read or does not fit.
        #[inline]
        pub fn load(&mut self, path: impl $crate::__private::File) -> $crate::__private::Result<()> {
            self.model.load(path)
        }

        /// As [`Self::load`], from a file of any float types: what has more digits than the net's is rounded.
        ///
        /// # Errors
        /// As [`Self::load`].
        #[inline]
        pub fn load_rounded(&mut self, path: impl $crate::__private::File) -> $crate::__private::Result<()> {
            self.model.load_rounded(path)
        }

        /// Writes all parameters and states to a safetensors file, with PyTorch's names and shapes. Atomic: a file that is there stays whole.
        ///
        /// # Errors
        /// If the file cannot be written.
        #[inline]
        pub fn save(&self, path: impl $crate::__private::File) -> $crate::__private::Result<()> {
            self.model.save(path)
        }

        /// As [`Self::save`], while the program goes on: the same file, whatever becomes of the net after this call. The handle waits for it.
        ///
        /// # Errors
        /// If there is no memory for a copy; what went wrong in an earlier save whose handle was dropped.
        #[inline]
        pub fn save_async(
            &self,
            path: impl $crate::__private::File,
        ) -> $crate::__private::Result<$crate::__private::SaveHandle> {
            self.model.save_async(path)
        }

        /// Sets parameters, states, optimizer and the counters of random numbers from what [`Self::save_training`] wrote, so that training goes on
        /// as if it had not stopped. Gives what else was saved. A learning rate set by `set_lr` comes back too; the other settings must be those
        /// that the file was made with.
        ///
        /// # Errors
        /// If the file cannot be read or does not fit, or the optimizer was made with other settings; net and optimizer are as they were then.
        #[inline]
        pub fn load_training(
            &mut self,
            path: impl $crate::__private::File,
            optimizer: &mut dyn $crate::__private::Optimizer,
        ) -> $crate::__private::Result<$crate::__private::Extra> {
            self.model.load_training(path, optimizer)
        }

        /// As [`Self::load_training`], but the optimizer keeps its own settings and learning rate, whatever the file's were.
        ///
        /// # Errors
        /// If the file cannot be read or does not fit; net and optimizer are as they were then.
        #[inline]
        pub fn load_training_keeping_settings(
            &mut self,
            path: impl $crate::__private::File,
            optimizer: &mut dyn $crate::__private::Optimizer,
        ) -> $crate::__private::Result<$crate::__private::Extra> {
            self.model.load_training_keeping_settings(path, optimizer)
        }

        /// Writes parameters, states, optimizer and the counters of random numbers to a safetensors file, and `extra`, such as where a training loop
        /// stands. Atomic.
        ///
        /// # Errors
        /// If the file cannot be written, or the optimizer holds the state of another model.
        #[inline]
        pub fn save_training(
            &self,
            path: impl $crate::__private::File,
            optimizer: &dyn $crate::__private::Optimizer,
            extra: &$crate::__private::Extra,
        ) -> $crate::__private::Result<()> {
            self.model.save_training(path, optimizer, extra)
        }

        /// As [`Self::save_training`], while the program goes on: the same file, whatever becomes of net and optimizer after this call. The handle
        /// waits for it.
        ///
        /// # Errors
        /// If the optimizer holds the state of another model, or there is no memory for a copy; what went wrong in an earlier save whose handle
        /// was dropped.
        #[inline]
        pub fn save_training_async(
            &self,
            path: impl $crate::__private::File,
            optimizer: &dyn $crate::__private::Optimizer,
            extra: &$crate::__private::Extra,
        ) -> $crate::__private::Result<$crate::__private::SaveHandle> {
            self.model.save_training_async(path, optimizer, extra)
        }

        /// A copy of a parameter, such as `conv1.weight`, in PyTorch's shape.
        ///
        /// # Errors
        /// If there is none of this name.
        #[inline]
        pub fn parameter(&self, name: &str) -> $crate::__private::Result<$crate::__private::Array> {
            self.model.parameter(name)
        }

        /// Sets a parameter from an f32 array in PyTorch's shape.
        ///
        /// # Errors
        /// If there is none of this name, or type or shape differ.
        #[inline]
        pub fn set_parameter(&mut self, name: &str, value: &$crate::__private::Array) -> $crate::__private::Result<()> {
            self.model.set_parameter(name, value)
        }

        /// A copy of a state, such as `bn1.running_mean`; `None` if it has run-time sizes and no call has told them yet.
        ///
        /// # Errors
        /// If there is none of this name.
        #[inline]
        pub fn state(&self, name: &str) -> $crate::__private::Result<::core::option::Option<$crate::__private::Array>> {
            self.model.state(name)
        }

        /// Sets a state. One with run-time sizes keeps the value until a call brings other sizes.
        ///
        /// # Errors
        /// If there is none of this name, or type or shape differ.
        #[inline]
        pub fn set_state(&mut self, name: &str, value: &$crate::__private::Array) -> $crate::__private::Result<()> {
            self.model.set_state(name, value)
        }

        /// Gives all states their first values again.
        #[inline]
        pub fn reset_states(&mut self) {
            self.model.reset_states()
        }

        /// Takes over all parameters and states of another model of this network.
        ///
        /// # Errors
        /// Never for a model of the same type.
        #[inline]
        pub fn copy_from(&mut self, other: &Self) -> $crate::__private::Result<()> {
            self.model.copy_from(&other.model)
        }

        /// Moves all parameters towards those of another model: p + t · (q - p), for target networks and moving averages. States are copied.
        ///
        /// # Errors
        /// Never for a model of the same type.
        #[inline]
        pub fn lerp(&mut self, other: &Self, t: f32) -> $crate::__private::Result<()> {
            self.model.lerp(&other.model, t)
        }

        /// Whether a step whose loss or one of whose gradients is not finite is an error that names the place and leaves all as it was; `apply`
        /// likewise. Off at first; it costs a pass over the gradients.
        #[inline]
        pub fn stop_on_nan(&mut self, stop: bool) {
            self.model.stop_on_nan(stop)
        }
    };
}
