//! Scalar code as CUDA C: the second printer of [`Code`](crate::scalar::Code), beside `rust.rs`.

use super::body::lane_type;
use crate::scalar::{Binary, Code, Instr, Lane, Literal, Slot, Unary};

/// The statements of a code over named inputs, and what its outputs are called.
pub(super) fn statements(code: &Code, inputs: &[String]) -> (Vec<String>, Vec<String>) {
    // The verifier let no code pass whose lanes do not fit.
    let lanes = code.lanes().unwrap_or_default();
    let mut names = inputs.to_vec();
    let mut lines = vec![];
    for (number, instr) in code.instrs.iter().enumerate() {
        let name = |slot: &Slot| names[*slot as usize].as_str();
        let lane = |slot: &Slot| lanes[*slot as usize];
        let text = match instr {
            // A constant is written where it is used.
            Instr::Const(value) => {
                names.push(constant(*value));
                continue;
            }
            Instr::Unary(f, x) => unary(*f, lane(x), name(x)),
            Instr::Binary(f, x, y) => binary(*f, lane(x), name(x), name(y)),
            Instr::Select(c, x, y) => format!("{} ? {} : {}", name(c), name(x), name(y)),
            Instr::To(dtype, x) => format!("cn::to_{dtype}({})", name(x)),
        };
        lines.push(format!("const {} t{number} = {text};", lane_type(lanes[code.inputs.len() + number])));
        names.push(format!("t{number}"));
    }
    let outputs = code.outputs.iter().map(|slot| names[*slot as usize].clone());
    let outputs = outputs.collect();
    (lines, outputs)
}

/// A number that stands for itself in every expression.
pub(super) fn constant(value: Literal) -> String {
    let special = |x: f64, lane: &str| match x {
        x if x.is_nan() => Some(format!("cn::Ends<{lane}>::nan()")),
        f64::INFINITY => Some(format!("cn::Ends<{lane}>::most()")),
        f64::NEG_INFINITY => Some(format!("cn::Ends<{lane}>::least()")),
        _ => None,
    };
    let text = match value {
        Literal::F32(x) => special(x.into(), "float").unwrap_or_else(|| format!("{x:?}f")),
        Literal::F64(x) => special(x, "double").unwrap_or_else(|| format!("{x:?}")),
        Literal::I32(i32::MIN) => "cn::Ends<int>::least()".into(),
        Literal::I64(i64::MIN) => "cn::Ends<long long>::least()".into(),
        Literal::I32(x) => x.to_string(),
        Literal::I64(x) => format!("{x}LL"),
        Literal::Bool(x) => x.to_string(),
    };
    if text.starts_with('-') { format!("({text})") } else { text }
}

fn unary(f: Unary, lane: Lane, x: &str) -> String {
    let name = f.cuda();
    match f {
        Unary::Neg if lane.is_float() => format!("-{x}"),
        Unary::Abs if !lane.is_float() => format!("cn::abs({x})"),
        Unary::Not if lane == Lane::Bool => format!("!{x}"),
        Unary::Not => format!("~{x}"),
        _ => format!("{}({x})", function(name, lane)),
    }
}

/// A function of two values of a lane, as an expression.
pub(super) fn binary(f: Binary, lane: Lane, x: &str, y: &str) -> String {
    let name = match f {
        // Integers wrap.
        Binary::Add if !lane.is_float() => "cn::add",
        Binary::Sub if !lane.is_float() => "cn::sub",
        Binary::Mul if !lane.is_float() => "cn::mul",
        Binary::And if lane == Lane::Bool => "&&",
        Binary::Or if lane == Lane::Bool => "||",
        Binary::Xor if lane == Lane::Bool => "!=",
        _ => f.cuda(),
    };
    match name.starts_with(|c: char| c.is_alphabetic()) {
        true => format!("{}({x}, {y})", function(name, lane)),
        false => format!("{x} {name} {y}"),
    }
}

/// A function of a lane: the prelude's, or C's own.
fn function(name: &str, lane: Lane) -> String {
    let own = lane == Lane::F32 && !name.starts_with("cn::");
    format!("{name}{}", if own { "f" } else { "" })
}
