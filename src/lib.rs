//! Neural networks cast at build time.
//!
//! You declare a network in [`network!`]; `cargo build` checks its shapes, derives its gradient, plans its memory, fuses its kernels and
//! writes them as Rust. The binary that comes out is the trainer: nothing is traced, nothing warms up, and after the first steps nothing
//! allocates.
//!
//! ```
//! use castnet::prelude::*;
//!
//! network! {
//!     /// Classes of points in the plane.
//!     pub net Points {
//!         hidden: Linear(32);
//!         out:    Linear(3);
//!
//!         /// Scores, a row a point.
//!         pub fn scores(point: f32[N, 2]) -> f32[N, 3] {
//!             out(hidden(point).tanh())
//!         }
//!
//!         /// What training minimises.
//!         pub train fn loss(point: f32[N, 2], class: u8[N]) -> f32 {
//!             scores(point).cross_entropy(class)
//!         }
//!     }
//! }
//!
//! let mut net = Points::new(&Device::cpu(), 1)?;
//! let mut sgd = Sgd::new(0.1);
//! let point = Array::from_vec(&[2, 2], vec![0.0f32, 1.0, 1.0, 0.0])?;
//! let class = Array::from_vec(&[2], vec![0u8, 2])?;
//! let before = net.loss(&point, &class)?.item::<f32>()?;
//! for _ in 0..20 {
//!     net.loss_step(&mut sgd, &point, &class)?;
//! }
//! assert!(net.loss(&point, &class)?.item::<f32>()? < before);
//! assert_eq!(net.scores(&point)?.shape(), [2, 3]);
//! # Ok::<(), castnet::Error>(())
//! ```
//!
//! The language is described in `docs/language.md`, what the compiler says about mistakes in `docs/diagnostics.md`.

#[doc(hidden)]
pub mod __editor;
#[doc(hidden)]
pub mod __private;

pub use castnet_kernels::update_rule;
pub use castnet_runtime::*;

/// Compiles networks while `cargo build` runs. The language is described in `docs/language.md`, its mistakes in `docs/diagnostics.md`.
#[macro_export]
macro_rules! network {
    ($($tokens:tt)*) => {
        $crate::__private::network! { @castnet [$crate] $($tokens)* }
    };
}

/// Writes tests of a network, in a test module: `castnet::check!(LeNet);`. Needs the feature `check`. See "Testing a network" in
/// `docs/language.md`.
#[cfg(feature = "check")]
#[macro_export]
macro_rules! check {
    ($($tokens:tt)*) => {
        $crate::__private::check! { @castnet [$crate] $($tokens)* }
    };
}

/// Says which feature it needs.
#[cfg(not(feature = "check"))]
#[macro_export]
macro_rules! check {
    ($($tokens:tt)*) => {
        ::core::compile_error! {
            "`castnet::check!` needs castnet's feature `check`\n\
             help: in Cargo.toml, below [dev-dependencies], write castnet as below [dependencies], with the feature:\n      \
             castnet = { git = \"https://github.com/castnet/castnet\", features = [\"check\"] }"
        }
    };
}

/// What a program that trains a network needs.
pub mod prelude {
    pub use crate::network;
    pub use castnet_runtime::{
        Adadelta, Adagrad, Adam, AdamW, Adamax, Array, Constant, Cosine, Device, Gradients, LAMB, LARS, Lion, Loss,
        NAdam, Optimizer, RAdam, RMSprop, Schedule, Sgd, Warmup,
    };
}

/// The example of the language's reference runs.
#[cfg(doctest)]
#[doc = include_str!("../docs/language.md")]
pub struct Language;

/// The examples of the page on optimizers are compiled.
#[cfg(doctest)]
#[doc = include_str!("../docs/optimizers.md")]
pub struct Optimizers;

/// The example of the page on arrays runs.
#[cfg(doctest)]
#[doc = include_str!("../docs/array.md")]
pub struct ArrayPage;

/// The example of the page on the engine runs.
#[cfg(doctest)]
#[doc = include_str!("../docs/engine.md")]
pub struct EnginePage;

/// The example of the page on the profiler is compiled.
#[cfg(doctest)]
#[doc = include_str!("../docs/profiler.md")]
pub struct ProfilerPage;
