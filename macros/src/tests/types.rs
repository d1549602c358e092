//! Operators on every type of element: what they do not have is a mistake with a name, whichever way they are called.

use castnet_graph::ops::OPERATORS;

use super::body;

#[test]
fn integers_have_no_quotient() {
    for call in [
        "i / 2",
        "i.div(2)",
        "i / i",
        "i.div(i)",
        "2 / i",
        "i.cast(i32).div(i.cast(i32))",
        "full([N], 6, dtype = i64).div(2)",
    ] {
        let found = body(&format!("let quotient = {call}; used"));
        assert_eq!(found.len(), 1, "{call}: {found:?}");
        assert!(found[0].starts_with("N0207: ") && found[0].contains("of integers, i"), "{call}: {found:?}");
    }
}

/// Constants too, which are folded while the net is compiled.
#[test]
fn no_operator_passes_what_the_compiler_cannot_do() {
    for operator in OPERATORS.iter().copied().flatten() {
        for first in ["i", "b", "i.cast(u8)", "full([N], 6, dtype = i32)", "ones([N, 5])"] {
            for rest in ["", "2", "-1", "i", "y", "full([N], 70, dtype = i32)"] {
                let call = format!("{first}.{}({rest})", operator.name);
                let found = body(&format!("used + {call}.cast(f32).sum()"));
                assert!(!found.iter().any(|m| m.starts_with("N09")), "{call}: {found:?}");
            }
        }
    }
}
