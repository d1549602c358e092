//! Scalar code as CUDA C: the second printer of [`Code`](crate::scalar::Code), beside `rust.rs`.

use std::collections::HashSet;

use super::body::lane_type;
use crate::emit::formula::{operands, used};
use crate::emit::names::unique;
use crate::scalar::{Binary, Code, Instr, Lane, Literal, Slot, Unary};

/// A code over named inputs.
pub(super) struct Statements {
    /// Statements of what depends on no input that varies.
    pub fixed: Vec<String>,
    /// The others.
    pub varying: Vec<String>,
    /// What the outputs are called.
    pub outputs: Vec<String>,
}

/// The statements of a code; each input is a text and whether it varies. Names that are `taken` get a number.
pub(super) fn statements(code: &Code, inputs: &[(String, bool)], taken: &mut HashSet<String>) -> Statements {
    // The verifier let no code pass whose lanes do not fit.
    let lanes = code.lanes().unwrap_or_default();
    let used = used(code);
    // What no result follows from has no name.
    let mut names: Vec<String> = inputs.iter().map(|(name, _)| name.clone()).collect();
    names.resize(lanes.len(), String::new());
    let mut varies: Vec<bool> = inputs.iter().map(|(_, varies)| *varies).collect();
    for instr in &code.instrs {
        varies.push(operands(instr).any(|slot| varies[slot as usize]));
    }
    let mut number = 0;
    let mut those = |varying: bool| {
        let mut lines = vec![];
        for (index, instr) in code.instrs.iter().enumerate().filter(|(index, _)| used[*index]) {
            let slot = code.inputs.len() + index;
            if varies[slot] != varying {
                continue;
            }
            let name = |slot: &Slot| names[*slot as usize].as_str();
            let lane = |slot: &Slot| lanes[*slot as usize];
            let text = match instr {
                // A constant is written where it is used.
                Instr::Const(value) => {
                    names[slot] = constant(*value);
                    continue;
                }
                Instr::Unary(f, x) => unary(*f, lane(x), name(x)),
                Instr::Binary(f, x, y) => binary(*f, lane(x), name(x), name(y)),
                Instr::Select(c, x, y) => format!("{} ? {} : {}", name(c), name(x), name(y)),
                Instr::To(dtype, x) => format!("cn::to_{dtype}({})", name(x)),
            };
            names[slot] = unique(&format!("t{number}"), taken);
            lines.push(format!("const {} {} = {text};", lane_type(lanes[slot]), names[slot]));
            number += 1;
        }
        lines
    };
    let (fixed, varying) = (those(false), those(true));
    let outputs = code.outputs.iter().map(|slot| names[*slot as usize].clone()).collect();
    Statements { fixed, varying, outputs }
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
