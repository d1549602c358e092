//! Operators that do not start from a tensor, and the language's own words. Written by `graph/tests/editor_vocabulary.rs` from the lists of the compiler.

use super::{any, *};

/// `cat(tensors, dim = 0)`
///
/// The tensors one after the other along `dim`; their other sizes are equal.
pub fn cat<Output>(tensors: impl Tensors, dim: impl Int) -> Output { any() }
/// `stack(tensors, dim = 0)`
///
/// The tensors, of one shape, along a new axis `dim`.
pub fn stack<Output>(tensors: impl Tensors, dim: impl Int) -> Output { any() }
/// `arange(start, end = None, step = 1)`
///
/// `arange(end)`: the integers from 0 to below `end`, as i64; `arange(start, end, step)`: from `start` on, every `step`th.
pub fn arange<Output>(start: impl Size, end: impl Size, step: impl Int) -> Output { any() }
/// `zeros(size, dtype = float)`
///
/// 0 everywhere.
pub fn zeros<Output>(size: impl Sizes, dtype: impl DType) -> Output { any() }
/// `ones(size, dtype = float)`
///
/// 1 everywhere.
pub fn ones<Output>(size: impl Sizes, dtype: impl DType) -> Output { any() }
/// `full(size, fill_value, dtype = float)`
///
/// `fill_value` everywhere.
pub fn full<Output>(size: impl Sizes, fill_value: impl Float, dtype: impl DType) -> Output { any() }
/// `eye(n, m = n, dtype = float)`
///
/// A matrix `\[n, m\]` (`\[n, n\]`, if `m` is left out) with 1 where row and column are equal, 0 elsewhere.
pub fn eye<Output>(n: impl Size, m: impl Size, dtype: impl DType) -> Output { any() }
/// `rand(size)`
///
/// Uniform in \[0, 1). Counter-based, as all draws: other numbers in each call, of a `pub fn` too, and the same row of them for the same seed.
pub fn rand<Output>(size: impl Sizes) -> Output { any() }
/// `randn(size)`
///
/// Normal with mean 0 and variance 1, by Box and Muller: √(-2 log(1 - u)) · cos(2πv) of two uniform numbers.
pub fn randn<Output>(size: impl Sizes) -> Output { any() }
/// `scan(xs, init, f, dim = 0, reverse = false)`
///
/// A loop over an axis of `xs`: `let (last, outputs) = scan(xs, init, |state, x| (next, output), dim = 0);`. `x` comes without the axis, outputs are stacked on it.
pub fn scan<Output>(xs: impl Operand, init: impl Operand, f: impl Operand, dim: impl Operand, reverse: impl Operand) -> Output { any() }
/// `grad(loss, of)`
///
/// The gradient of `loss` as a value: `let [g] = grad(loss, [x]);`.
pub fn grad<Output>(loss: impl Operand, of: impl Operand) -> Output { any() }
