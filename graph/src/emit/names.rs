//! Names in generated code.

use std::collections::HashSet;

use crate::scalar::{Binary, Unary};

/// The name, or the name with the first number that makes it unique.
pub(super) fn unique(name: &str, taken: &mut HashSet<String>) -> String {
    let mut candidate = name.to_string();
    let mut number = 2;
    while !taken.insert(candidate.clone()) {
        candidate = if name.ends_with('_') { format!("{name}{number}") } else { format!("{name}_{number}") };
        number += 1;
    }
    candidate
}

/// Text as a lower-case identifier of Rust that is no keyword and no function of the generated code.
pub(super) fn identifier(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => name.push(c.to_ascii_lowercase()),
            _ if name.is_empty() || name.ends_with('_') => {}
            _ => name.push('_'),
        }
    }
    let mut name = name.trim_end_matches('_').to_string();
    name.truncate(40);
    match name.chars().next() {
        None => "x".into(),
        Some(c) if c.is_ascii_digit() => format!("x{name}"),
        _ if is_taken(&name) => format!("{name}_"),
        _ => name,
    }
}

/// Whether it means something in generated code.
fn is_taken(name: &str) -> bool {
    RESERVED.contains(&name) || Unary::from_name(name).is_some() || Binary::from_name(name).is_some()
}

/// Keywords, and what the generated code calls beside scalar functions.
const RESERVED: &[&str] = &[
    "as", "async", "await", "box", "break", "const", "continue", "crate", "do", "dyn", "else", "enum", "extern",
    "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut",
    "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type",
    "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield", "abstract", "become", "union",
    "select", "far", "to_f32", "to_f64", "to_f16", "to_bf16", "to_i8", "to_u8", "to_i16", "to_i32", "to_u32", "to_i64",
    "to_bool", "f32", "f64", "i32", "i64", "bool",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_identifiers() {
        let names = ["conv1 + tanh", "d conv1.weight", "tanh", "2 × 2", "→", "type"].map(identifier);
        assert_eq!(names, ["conv1_tanh", "d_conv1_weight", "tanh_", "x2_2", "x", "type_"]);
        let mut taken = HashSet::new();
        assert_eq!(
            ["a", "a", "a_2", "tanh_", "tanh_"].map(|n| unique(n, &mut taken)),
            ["a", "a_2", "a_2_2", "tanh_", "tanh_2"]
        );
    }
}
