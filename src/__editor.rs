//! What an editor sees of networks: the functions and types that `network!` names in the Rust that it writes for rust-analyzer, beside what it
//! always writes. Nothing here is ever called or compiled into a program, and none of it is part of the interface.
//!
//! There a network's functions are ordinary Rust functions, operators are the methods of [`Tensor`], and layers are statics of the types in
//! [`layers`]. Types of values are made where they occur, so that they read as in a network: `f32<N, 20, 12, 12>`.

#![allow(unused_variables, clippy::too_many_arguments)]

use std::marker::PhantomData;
use std::ops::Deref;

#[rustfmt::skip]
pub mod functions;
#[rustfmt::skip]
pub mod layers;
#[rustfmt::skip]
mod operators;

/// A tensor whose type an editor does not know.
#[derive(Clone, Copy)]
pub struct Tensor {
    /// The sizes of its axes.
    pub shape: Shape,
}

/// The sizes of a tensor's axes.
#[derive(Clone, Copy)]
pub struct Shape;

/// A value that has several types: what stands in a block has one for each use of the block, what stands in a loop one for each round.
#[derive(Clone, Copy)]
pub struct OneOf<T>(PhantomData<T>);

/// Layers or blocks of one kind.
pub struct Array<T>(PhantomData<T>);

pub use std::option::Option;

impl<T> Deref for OneOf<T> {
    type Target = Tensor;
    fn deref(&self) -> &Tensor {
        any()
    }
}

/// A value of any type.
pub fn any<T>() -> T {
    unreachable!("only editors see this")
}

/// An expression whose type is known.
pub fn known<T>(value: impl Sized) -> T {
    any()
}

/// An expression whose type is not known.
pub fn tensor(value: impl Sized) -> Tensor {
    any()
}

/// What a layer, a block or a function gives for these arguments.
pub fn call<Output>(callee: impl Sized, arguments: impl Sized) -> Output {
    any()
}

/// An element type.
pub fn element<T>() {}

/// What stands for an argument that was left out.
pub const DEFAULT: () = ();

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $(
            $(#[$doc])*
            pub trait $name {}
            impl<T: ?Sized> $name for T {}
        )*
    };
}

// By the kinds of arguments in `castnet_graph::call::Kind`. Which values fit is the compiler's to say: everything fits here.
kinds! {
    /// A tensor, or a number that becomes one.
    Operand
    /// An integer known at build time.
    Int
    /// A size, also a run-time one.
    Size
    /// A number.
    Float
    /// `true` or `false`.
    Bool
    /// An element type such as `f32`.
    DType
    /// A text such as `"tanh"`.
    Text
    /// First values such as `normal(0, 0.02)`.
    Init
    /// An integer or a pair of integers.
    Pair
    /// An integer, a pair of integers, `"same"` or `"valid"`.
    Padding
    /// An integer or a list of integers.
    Ints
    /// A list of sizes.
    Sizes
    /// A size or a list of sizes.
    SizeOrSizes
    /// A list of tensors.
    Tensors
}
