//! Names in generated code.

use std::collections::HashSet;

use rustc_hash::FxHashMap;

use super::formula::word;
use crate::program::{Buffer, Launch, Target};
use crate::scalar::{Binary, Instr, Unary};

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

/// Unique names, in order: those of one word are numbered from 1 on (`x_1`, `x_2`).
pub(super) fn numbered(words: &[String], taken: &mut HashSet<String>) -> Vec<String> {
    // Of each word, how many there are and how many have been.
    let mut counts: FxHashMap<&str, (usize, usize)> = FxHashMap::default();
    words.iter().for_each(|word| counts.entry(word).or_default().0 += 1);
    let mut names = vec![];
    for word in words {
        let (all, number) = counts.entry(word).or_default();
        *number += 1;
        names.push(unique(&if *all > 1 { format!("{word}_{number}") } else { free(word) }, taken));
    }
    names
}

/// Text as a lower-case identifier of Rust that is no keyword and no function of the generated code.
pub(super) fn identifier(text: &str) -> String {
    free(&plain(text))
}

/// Text as lower-case letters, digits and `_` that begin with a letter.
pub(super) fn plain(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => name.push(c.to_ascii_lowercase()),
            _ if name.is_empty() || name.ends_with('_') => {}
            _ => name.push('_'),
        }
    }
    name.truncate(40);
    let name = name.trim_end_matches('_');
    match name.chars().next() {
        None => "x".into(),
        Some(c) if c.is_ascii_digit() => format!("x{name}"),
        Some(_) => name.into(),
    }
}

/// An identifier that means nothing else in generated code.
fn free(name: &str) -> String {
    let taken = RESERVED.contains(&name) || Unary::from_name(name).is_some() || Binary::from_name(name).is_some();
    if taken { format!("{name}_") } else { name.into() }
}

/// What a buffer is within its layer: `bias` of `conv1.bias`, `d_bias` of its gradient.
pub(super) fn role(buffer: &Buffer) -> String {
    let last = buffer.name.rsplit('.').next().unwrap_or_default();
    match buffer.name.starts_with("d ") && last.len() < buffer.name.len() {
        true => plain(&format!("d {last}")),
        false => plain(last),
    }
}

/// The row values of a launch, each by the operation that it is the result of: `row_max`, `row_rsqrt`.
pub(super) fn rows(launch: &Launch) -> FxHashMap<usize, String> {
    let (mut rows, mut taken) = (FxHashMap::default(), HashSet::new());
    for stage in &launch.stages {
        for (target, result) in stage.outputs.iter().zip(&stage.code.outputs) {
            let (slot, name) = match target {
                Target::Store(_) => continue,
                Target::Reduce(reduction, slot) => (slot, reduction.name().to_string()),
                Target::Row(slot) => {
                    let instr = (*result as usize).checked_sub(stage.code.inputs.len());
                    let instr = instr.and_then(|i| stage.code.instrs.get(i));
                    let word = instr.filter(|instr| !matches!(instr, Instr::To(..))).and_then(word);
                    (slot, word.unwrap_or_else(|| "value".into()))
                }
            };
            rows.entry(*slot).or_insert_with(|| unique(&format!("row_{name}"), &mut taken));
        }
    }
    rows
}

/// The name of a row value that no stage makes, which the verifier lets no launch have.
pub(super) fn row(rows: &FxHashMap<usize, String>, slot: usize) -> String {
    rows.get(&slot).cloned().unwrap_or_else(|| format!("row{slot}"))
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
        let words = ["tanh", "x", "tanh", "exp", "x_1", "x"].map(str::to_string);
        assert_eq!(numbered(&words, &mut HashSet::new()), ["tanh_1", "x_1", "tanh_2", "exp_", "x_1_2", "x_2"]);
    }
}
