//! Functions of numbers: what an operator gives if all that it is given is known at build time, as Python's `math` and `max` would.

use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound};
use crate::diagnostic::Diagnostic;
use crate::functions;
use crate::scalar::{Binary, Unary};

/// A function that numbers have as well as tensors.
enum Function {
    Of(fn(f64) -> f64),
    Unary(Unary),
    Binary(Binary),
}

/// The function of numbers that an operator is, if it is one.
fn function(name: &str) -> Option<Function> {
    Some(match name {
        "ceil" => Function::Of(f64::ceil),
        "square" => Function::Of(|x| x * x),
        "reciprocal" => Function::Of(f64::recip),
        "pow" => Function::Binary(Binary::Pow),
        "maximum" => Function::Binary(Binary::Max),
        "minimum" => Function::Binary(Binary::Min),
        _ => Function::Unary(functions::of_operator(name)?),
    })
}

/// Whether an operator is a function of numbers, too.
pub fn takes_numbers(name: &str) -> bool {
    function(name).is_some()
}

/// Its value, if all arguments are numbers or sizes that are known at build time; of run-time sizes it is a tensor, as of tensors.
///
/// What rounds gives an integer, and so do the others of integers whose value always is one: it is a size like any other.
pub(super) fn evaluate(b: &mut Builder, name: &str, bound: &Bound) -> Option<Checked<Arg>> {
    let f = function(name)?;
    let given: Vec<f64> = (0..bound.len()).map(|slot| bound.float(slot)).collect::<Option<_>>()?;
    let integers = (0..bound.len()).all(|slot| bound.int(slot).is_some());
    let (value, whole) = match (&f, given.as_slice()) {
        (Function::Of(f), &[x]) => (f(x), name == "ceil" || integers && name == "square"),
        (Function::Unary(f), &[x]) => {
            let whole = match f {
                Unary::Floor | Unary::Trunc | Unary::Round => true,
                Unary::Neg | Unary::Abs | Unary::Sign => integers,
                _ => false,
            };
            (f.of_f64(x), whole)
        }
        (Function::Binary(f), &[x, y]) => (f.of_f64(x, y), integers && (*f != Binary::Pow || y >= 0.0)),
        _ => return None,
    };
    let nan = value.is_nan() && !given.iter().any(|x| x.is_nan());
    let beyond = !(value as f32).is_finite() && given.iter().all(|x| x.is_finite());
    if nan || beyond {
        let given: Vec<String> = given.iter().map(|x| format!("{x:?}")).collect();
        let message = format!("`{}({})` is not a finite f32", bound.callee, given.join(", "));
        return Some(b.report(Diagnostic::new("N0517", bound.at, message)));
    }
    Some(Ok(match whole && value.abs() <= f64::from(i32::MAX) {
        true => Arg::Size((value as i64).into()),
        false => Arg::Float(value),
    }))
}
