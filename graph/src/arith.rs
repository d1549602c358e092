//! Operators between values: tensors by the operators of the language, numbers and sizes folded at build time.

use crate::autocast::{self, Autocast};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Given, bind};
use crate::diagnostic::{Diagnostic, Loc};
use crate::graph::{Op, Origin};
use crate::number::an;
use crate::ops;
use crate::scalar::{Binary, Unary};
use crate::size::{Size, whole};
use crate::types::{DType, Type};

/// The largest coefficient of a size: sums and products of a few such sizes stay within `i64`.
pub(crate) const LARGEST: i64 = i32::MAX as i64;

/// The sign of an operator, and the operator of the language that it stands for on tensors.
fn names(f: Binary) -> (&'static str, &'static str) {
    match f {
        Binary::Add => ("+", "add"),
        Binary::Sub => ("-", "sub"),
        Binary::Mul => ("*", "mul"),
        Binary::Div => ("/", "div"),
        Binary::Rem => ("%", "remainder"),
        Binary::Lt => ("<", "lt"),
        Binary::Le => ("<=", "le"),
        Binary::Gt => (">", "gt"),
        Binary::Ge => (">=", "ge"),
        Binary::Eq => ("==", "eq"),
        Binary::Ne => ("!=", "ne"),
        Binary::And => ("&", "logical_and"),
        Binary::Or => ("|", "logical_or"),
        Binary::Xor => ("^", "bitwise_xor"),
        Binary::ShiftLeft => ("<<", "bitwise_left_shift"),
        Binary::ShiftRight => (">>", "bitwise_right_shift"),
        Binary::FloorDivide => ("floor_divide", "floor_divide"),
        Binary::Pow => ("pow", "pow"),
        Binary::Max => ("maximum", "maximum"),
        Binary::Min => ("minimum", "minimum"),
    }
}

/// The sign of an operator: `+`.
pub fn sign(f: Binary) -> &'static str {
    names(f).0
}

/// `-x`, `!x`; `at` is the operator's token.
pub fn unary(b: &mut Builder, f: Unary, at: Loc, x: &Given) -> Checked<Arg> {
    match (f, &x.value) {
        (_, Arg::Unknown) => Ok(Arg::Unknown),
        (Unary::Neg, Arg::Size(size)) => Ok(Arg::Size(&Size::constant(0) - size)),
        (Unary::Neg, Arg::Float(value)) => Ok(Arg::Float(-value)),
        (Unary::Not, Arg::Bool(value)) => Ok(Arg::Bool(!value)),
        (Unary::Neg, Arg::Tensor(_)) => call(b, ("-", "neg"), Autocast::Follow, at, std::slice::from_ref(x)),
        (_, Arg::Tensor(value)) => {
            let name = if b.graph.dtype(*value).is_int() { "bitwise_not" } else { "logical_not" };
            call(b, ("!", name), Autocast::Follow, at, std::slice::from_ref(x))
        }
        (_, other) => {
            let sign = if f == Unary::Neg { "-" } else { "!" };
            let message = format!("`{sign}` cannot be applied to {}", other.describe(b));
            b.report(Diagnostic::new("N0305", x.at, message))
        }
    }
}

/// `x + y` and the like; `at` is the operator's token.
pub fn binary(b: &mut Builder, f: Binary, at: Loc, x: &Given, y: &Given) -> Checked<Arg> {
    let (sign, _) = names(f);
    if x.value == Arg::Unknown || y.value == Arg::Unknown {
        return Ok(Arg::Unknown);
    }
    for side in [x, y] {
        if matches!(side.value, Arg::List(_) | Arg::None | Arg::DType(_)) {
            let message = format!("`{sign}` cannot be applied to {}", side.value.describe(b));
            return b
                .report(Diagnostic::new("N0305", side.at, message).help("its sides are tensors, sizes or numbers"));
        }
    }
    match (&x.value, &y.value) {
        (Arg::Size(p), Arg::Size(q)) => sizes(b, f, at, p, q),
        (Arg::Bool(p), Arg::Bool(q)) => match f {
            Binary::And => Ok(Arg::Bool(*p && *q)),
            Binary::Or => Ok(Arg::Bool(*p || *q)),
            Binary::Eq => Ok(Arg::Bool(p == q)),
            Binary::Ne => Ok(Arg::Bool(p != q)),
            _ => {
                let d = Diagnostic::new("N0203", at, format!("`{sign}` needs numbers, found `{p}` and `{q}`"));
                b.report(d)
            }
        },
        (Arg::Tensor(_), _) | (_, Arg::Tensor(_)) => tensors(b, f, at, x, y),
        (p, q) => match (number(p), number(q)) {
            (Some(p), Some(q)) => floats(b, f, at, p, q),
            _ => {
                // A run-time size beside a fraction: a scalar of the program.
                let x = scalar(b, at, x);
                let y = scalar(b, at, y);
                let result = tensors(b, f, at, &x, &y)?;
                Ok(crate::ops::of_sizes(b, result))
            }
        },
    }
}

/// `size.div_ceil(by)` and `size.div_floor(by)` on sizes known at build time.
pub fn rounded_division(b: &mut Builder, name: &str, at: Loc, size: &Size, by: &Size) -> Checked<Arg> {
    match (size.as_const(), by.as_const()) {
        (Some(_), Some(0)) => b.report(Diagnostic::new("N0511", at, format!("{size} is divided by 0"))),
        (Some(p), Some(q)) => {
            let floor = p.div_euclid(q.abs()) * q.signum();
            Ok(Arg::Size((floor + i64::from(name == "div_ceil" && p % q != 0)).into()))
        }
        _ => {
            let message = format!("`{name}` of the run-time size {size} by {by} is not supported yet");
            b.report(Diagnostic::new("N0631", at, message).help("use constant sizes"))
        }
    }
}

/// A constant as a number.
fn number(arg: &Arg) -> Option<f64> {
    match arg {
        Arg::Float(value) => Some(*value),
        Arg::Size(size) => size.as_const().map(|c| c as f64),
        _ => None,
    }
}

fn floats(b: &mut Builder, f: Binary, at: Loc, x: f64, y: f64) -> Checked<Arg> {
    let value = match f {
        Binary::Add => x + y,
        Binary::Sub => x - y,
        Binary::Mul => x * y,
        Binary::Div => x / y,
        Binary::Rem => x - y * (x / y).floor(),
        Binary::Lt => return Ok(Arg::Bool(x < y)),
        Binary::Le => return Ok(Arg::Bool(x <= y)),
        Binary::Gt => return Ok(Arg::Bool(x > y)),
        Binary::Ge => return Ok(Arg::Bool(x >= y)),
        Binary::Eq => return Ok(Arg::Bool(x == y)),
        Binary::Ne => return Ok(Arg::Bool(x != y)),
        _ => {
            let sign = names(f).0;
            let message = format!("`{sign}` needs bool operands, found the numbers {x:?} and {y:?}");
            return b.report(Diagnostic::new("N0203", at, message).help("compare first, such as `x > 0.0`"));
        }
    };
    match (value as f32).is_finite() {
        true => Ok(Arg::Float(value)),
        false => {
            let message = format!("{x:?} {} {y:?} is not a finite f32", names(f).0);
            b.report(Diagnostic::new("N0517", at, message))
        }
    }
}

fn sizes(b: &mut Builder, f: Binary, at: Loc, x: &Size, y: &Size) -> Checked<Arg> {
    let size = match f {
        Binary::Add => x + y,
        Binary::Sub => x - y,
        Binary::Mul => x * y,
        Binary::Div if y.is(0) => return b.report(Diagnostic::new("N0511", at, format!("{x} is divided by 0"))),
        Binary::Div => match x.div_exact(y) {
            Some(size) => size,
            None => return uneven(b, at, x, y),
        },
        _ => {
            let (Some(p), Some(q)) = (x.as_const(), y.as_const()) else {
                // Run-time sizes that differ by a number compare like it.
                return match (x - y).as_const().filter(|_| f.is_comparison()) {
                    Some(difference) => floats(b, f, at, difference as f64, 0.0),
                    None => undecided(b, f, at, x, y),
                };
            };
            if f == Binary::Rem && q == 0 {
                return b.report(Diagnostic::new("N0511", at, format!("{x} is divided by 0")));
            }
            return match f {
                Binary::Rem => Ok(Arg::Size((p - q * p.div_euclid(q.abs()) * q.signum()).into())),
                _ => floats(b, f, at, p as f64, q as f64),
            };
        }
    };
    let small = |c: i64| c.checked_abs().is_some_and(|c| c <= LARGEST);
    if size.terms().len() > 16 || size.terms().iter().any(|(m, c)| m.names().len() > 8 || !small(*c)) {
        let message = format!("the size `{x} {} {y}` is too large", names(f).0);
        return b.report(Diagnostic::new("N0517", at, message).help("sizes are at most 2147483647"));
    }
    Ok(Arg::Size(size))
}

fn uneven(b: &mut Builder, at: Loc, x: &Size, y: &Size) -> Checked<Arg> {
    let d = match (x.as_const(), y.as_const()) {
        (Some(p), Some(q)) => Diagnostic::new(
            "N0511",
            at,
            format!("{x} / {y} does not come out even: the remainder is {}", p % q),
        )
        .help(format!(
            "choose sizes that divide, or round: `.div_floor({y})`, `.div_ceil({y})`; between numbers write `{x}.0`"
        )),
        _ => Diagnostic::new(
            "N0511",
            at,
            format!("{x} / {y} does not come out even for every value of {}", names_in(x, y)),
        )
        .help(match y.as_const().and_then(|by| x.promise(by)) {
            Some(rule) => format!("promise it, `where {rule};`: it is checked at each call"),
            None => "write the size as a multiple of the divisor in the type of the input".into(),
        }),
    };
    b.report(d)
}

fn undecided(b: &mut Builder, f: Binary, at: Loc, x: &Size, y: &Size) -> Checked<Arg> {
    let message = format!("`{x} {} {y}` depends on {}, known only at run time", names(f).0, names_in(x, y));
    b.report(Diagnostic::new("N0512", at, message).help("compare tensors or constant sizes"))
}

fn names_in(x: &Size, y: &Size) -> String {
    let all = [x.names(), y.names()].concat();
    let mut names: Vec<&str> = all.iter().map(|name| whole(name).0).collect();
    names.sort();
    names.dedup();
    names.join(", ")
}

/// A number or size as a scalar tensor.
fn scalar(b: &mut Builder, at: Loc, given: &Given) -> Given {
    let before = std::mem::replace(&mut b.origin, Origin::new(at, "size"));
    let ty = Type::new(b.computed(), vec![]);
    let value = match (&given.value, number(&given.value)) {
        (_, Some(value)) => b.constant(value, b.computed()),
        (Arg::Size(size), None) => b.push(Op::Size(size.clone()), vec![], ty),
        _ => b.constant(0.0, b.computed()),
    };
    b.origin = before;
    Given { name: None, value: Arg::Tensor(value), at: given.at }
}

fn tensors(b: &mut Builder, f: Binary, at: Loc, x: &Given, y: &Given) -> Checked<Arg> {
    let (sign, name) = names(f);
    for (side, other) in [(x, y), (y, x)] {
        let Arg::Tensor(value) = side.value else { continue };
        let dtype = b.graph.dtype(value);
        let (made, made_at) = (b.made_by(value), b.made_at(value));
        let fraction = matches!(other.value, Arg::Float(number) if number.fract() != 0.0);
        if fraction && dtype.is_int() {
            let d = Diagnostic::new("N0207", other.at, format!("{} is not {}", other.value.describe(b), an(dtype)))
                .note(made_at, format!("`{made}` is {dtype}, and a number takes the type of the tensor beside it"))
                .help(format!("convert the tensor first: `.cast({})`", b.float()));
            return b.report(d);
        }
        // Arithmetic of truth values is the operator's own mistake.
        let truth = dtype == DType::Bool;
        let is_truth = matches!(other.value, Arg::Bool(_));
        let logical = f.is_comparison() || matches!(f, Binary::And | Binary::Or);
        if is_truth != truth && !matches!(other.value, Arg::Tensor(_)) && (logical || is_truth) {
            let found = other.value.describe(b);
            let d = Diagnostic::new("N0201", at, format!("element types differ in `{sign}`: {dtype} and {found}"))
                .note(made_at, format!("`{made}` is {dtype}"))
                .help(if truth { "beside bool stands `true`, `false` or a comparison" } else { "write a number" });
            return b.report(d);
        }
    }
    // What PyTorch calls `__rdiv__`: a number by a tensor.
    let of_number = f == Binary::Div && !matches!(x.value, Arg::Tensor(_));
    let of_integers = [x, y].iter().any(|x| matches!(x.value, Arg::Tensor(v) if b.graph.dtype(v).is_int()));
    let name = match f {
        Binary::And if of_integers => "bitwise_and",
        Binary::Or if of_integers => "bitwise_or",
        _ => name,
    };
    let autocast = if of_number { Autocast::Single } else { autocast::of_operator(name) };
    call(b, (sign, name), autocast, at, &[x.clone(), y.clone()])
}

/// The operator `name`, called `sign` in messages.
fn call(b: &mut Builder, (sign, name): (&str, &str), autocast: Autocast, at: Loc, given: &[Given]) -> Checked<Arg> {
    let Some(operator) = ops::find(name) else {
        return b.report(Diagnostic::new("N0401", at, format!("there is no operator `{sign}`")));
    };
    let before = b.enter(at, sign, autocast);
    let result = match bind(b, sign, at, operator.signature, &[], given) {
        Ok(Some(bound)) => ops::build(b, operator, &bound),
        Ok(None) => Ok(Arg::Unknown),
        Err(reported) => Err(reported),
    };
    b.origin = before;
    result
}
