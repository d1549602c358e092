//! Scalar code as CUDA C: the second printer of [`Code`](crate::scalar::Code), beside `printer.rs`.

use crate::scalar::{Binary, Code, Instr, Slot, Unary};

/// The statements of a code over named inputs, and what its outputs are called.
pub(super) fn statements(code: &Code, inputs: &[String]) -> (Vec<String>, Vec<String>) {
    let mut names = inputs.to_vec();
    let mut lines = vec![];
    for (number, instr) in code.instrs.iter().enumerate() {
        // The verifier let no code pass that names a slot of none.
        let name = |slot: &Slot| names[*slot as usize].as_str();
        let text = match instr {
            // A constant is written where it is used.
            Instr::Const(value) => {
                names.push(constant(*value));
                continue;
            }
            Instr::Unary(f, x) => unary(*f, name(x)),
            Instr::Binary(f, x, y) => binary(*f, name(x), name(y)),
            Instr::Select(c, x, y) => format!("{} != 0.0f ? {} : {}", name(c), name(x), name(y)),
        };
        lines.push(format!("const float t{number} = {text};"));
        names.push(format!("t{number}"));
    }
    let outputs = code.outputs.iter().map(|slot| names[*slot as usize].clone());
    let outputs = outputs.collect();
    (lines, outputs)
}

/// A number that stands for itself in every expression.
pub(super) fn constant(value: f32) -> String {
    match value {
        v if v.is_nan() => "cn::nan()".into(),
        f32::INFINITY => "cn::infinity()".into(),
        f32::NEG_INFINITY => "(-cn::infinity())".into(),
        v if v.is_sign_negative() => format!("({v:?}f)"),
        v => format!("{v:?}f"),
    }
}

fn unary(f: Unary, x: &str) -> String {
    match f {
        Unary::Neg => format!("-{x}"),
        Unary::Exp => format!("cn::exp({x})"),
        Unary::Log => format!("cn::log({x})"),
        Unary::Sqrt => format!("sqrtf({x})"),
        Unary::Rsqrt => format!("cn::rsqrt({x})"),
        Unary::Abs => format!("fabsf({x})"),
        Unary::Sign => format!("cn::sign({x})"),
        Unary::Tanh => format!("cn::tanh({x})"),
        Unary::Sigmoid => format!("cn::sigmoid({x})"),
        Unary::Erf => format!("cn::erf({x})"),
        Unary::Sin => format!("cn::sin({x})"),
        Unary::Cos => format!("cn::cos({x})"),
        Unary::Floor => format!("floorf({x})"),
        Unary::Trunc => format!("truncf({x})"),
        Unary::Round => format!("rintf({x})"),
        Unary::Log1p => format!("cn::log1p({x})"),
        Unary::Expm1 => format!("cn::expm1({x})"),
        Unary::Not => format!("1.0f - {x}"),
    }
}

fn binary(f: Binary, x: &str, y: &str) -> String {
    let truth = |operator: &str| format!("cn::truth({x} {operator} {y})");
    match f {
        Binary::Add => format!("{x} + {y}"),
        Binary::Sub => format!("{x} - {y}"),
        Binary::Mul => format!("{x} * {y}"),
        Binary::Div => format!("{x} / {y}"),
        Binary::Rem => format!("cn::rem({x}, {y})"),
        Binary::Pow => format!("cn::pow({x}, {y})"),
        Binary::Max => format!("cn::max({x}, {y})"),
        Binary::Min => format!("cn::min({x}, {y})"),
        Binary::Lt => truth("<"),
        Binary::Le => truth("<="),
        Binary::Gt => truth(">"),
        Binary::Ge => truth(">="),
        Binary::Eq => truth("=="),
        Binary::Ne => truth("!="),
        Binary::And => format!("cn::truth({x} != 0.0f && {y} != 0.0f)"),
        Binary::Or => format!("cn::truth({x} != 0.0f || {y} != 0.0f)"),
    }
}
