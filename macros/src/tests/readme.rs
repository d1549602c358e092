//! What README.md says is not there yet is refused: each name in that section is used here where it would stand if it were there.

use super::{body, mistakes};

/// Bodies of a function (`x: f32[N, 8]`), or whole items of a net.
enum Use {
    Body(&'static str),
    Item(&'static str),
}

use Use::{Body, Item};

const MISSING: [(&str, Use); 7] = [
    ("dynamic fn", Item("dynamic fn g(x: &Array) -> f32[N, 8] { x.clone() }")),
    ("custom op", Item("custom op g(x: f32[N]) -> f32[N] { forward = path; }")),
    (
        "Conv3d",
        Item("conv: Conv3d(8, kernel_size = 3); pub fn g(x: f32[N, 1, 9, 9, 9]) -> f32[N, 8, 7, 7, 7] { conv(x) }"),
    ),
    ("MaxPool3d", Item("pool: MaxPool3d(2); pub fn g(x: f32[N, 1, 8, 8, 8]) -> f32[N, 1, 4, 4, 4] { pool(x) }")),
    (
        "MultiheadAttention",
        Item("mha: MultiheadAttention(8, 2); pub fn g(x: f32[N, 4, 8]) -> f32[N, 4, 8] { mha(x, x, x) }"),
    ),
    ("Bilinear", Item("both: Bilinear(8, 8, 4); pub fn g(x: f32[N, 8]) -> f32[N, 4] { both(x, x) }")),
    ("einsum", Body("einsum(\"ni,ni->n\", x, x)")),
];

/// The names in code of the section's points about what the build refuses.
fn named() -> Vec<String> {
    let readme = include_str!("../../../README.md");
    let section = readme.split("## What is not there yet").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let points = section.split("\n- **").skip(1);
    let refused = points.filter(|p| ["Language", "Operators and layers"].iter().any(|t| p.starts_with(t)));
    let names = refused.flat_map(|p| p.split('`').skip(1).step_by(2));
    names.filter(|name| !name.starts_with("docs/")).map(str::to_string).collect()
}

#[test]
fn what_the_readme_calls_missing_is_refused() {
    let mut names: Vec<_> = MISSING.iter().map(|(name, _)| name.to_string()).collect();
    let mut named = named();
    names.sort();
    named.sort();
    assert_eq!(named, names, "README.md and this list name different things");
    for (name, used) in MISSING {
        let said = match used {
            Body(text) => body(text),
            Item(text) => mistakes(&format!(
                "net Test {{ fc: Linear(8); pub fn f(x: f32[N, 8]) -> f32[N, 8] {{ fc(x) }} {text} }}"
            )),
        };
        let word = name.split(' ').next().unwrap_or_default();
        assert!(said.iter().any(|m| m.contains(word)), "README.md calls `{name}` missing, and the build says {said:?}");
    }
}
