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

/// A number beside a tensor must be one of its type, whichever operator it is given to; the message names the type with its article.
#[test]
fn numbers_are_of_the_type_beside_them() {
    for (call, message) in [
        ("i.cast(u8) + 300", "300 is not a u8"),
        ("i.cast(u8).clamp(0, 300)", "300 is not a u8"),
        ("i.cast(i8).clamp(-129)", "-129 is not an i8"),
        ("i.clamp(max = 0.5)", "0.5 is not an i64"),
        ("where_(b, i.cast(i16), 40000)", "40000 is not an i16"),
        ("where_(b, -1, i.cast(u32))", "-1 is not a u32"),
        ("where_(b, i, 0.5)", "0.5 is not an i64"),
        ("y.cast(f16) * 1e6", "1000000.0 is not an f16"),
        ("y.cast(f16).clamp(0.0, 1e6)", "1000000.0 is not an f16"),
        ("y.cast(f16).pow(1e6)", "1000000.0 is not an f16"),
        ("y.cast(f16).maximum(70000)", "70000 is not an f16"),
        ("where_(y > 0.0, y.cast(f16), -1e6)", "-1000000.0 is not an f16"),
        ("y.cast(f16).masked_fill(y > 0.0, -1e9)", "-1000000000.0 is not an f16"),
        ("full([N], 300, dtype = u8)", "`full` of 300, which is not a u8"),
        ("y.cast(f16).full_like(70000)", "70000 is not an f16"),
        ("y.cast(f16).pad([0, 1], value = 1e6)", "1000000.0 is not an f16"),
        ("i.cast(u8).pad([0, 1], value = 300)", "300 is not a u8"),
        ("i.pad([0, 1], value = 0.5)", "0.5 is not an i64"),
    ] {
        let found = body(&format!("used + ({call}).cast(f32).sum()"));
        assert_eq!(found.len(), 1, "{call}: {found:?}");
        assert!(found[0].starts_with(&format!("N0207: {message}")), "{call}: {found:?}");
    }
    let half = super::mistakes("net Test { pub fn f(x: f32[N]) -> f32[N] { (x.cast(f16) * 1e6).cast(f32) } }");
    assert!(half.len() == 1 && half[0].contains("convert the tensor first: `.cast(f32)`"), "{half:?}");
    for right in ["i.cast(u8).clamp(0, 255)", "y.cast(f16) * 65504.0", "y.clamp(max = inf)", "where_(b, i, -5)"] {
        let found = body(&format!("used + ({right}).cast(f32).sum()"));
        assert!(!found.iter().any(|m| m.starts_with("N0207")), "{right}: {found:?}");
    }
}

/// What no size can be stands beside a tensor that can have it, to the last digit, and nowhere else.
#[test]
fn long_numbers_stand_beside_tensors() {
    for right in [
        "i * 9007199254740993",
        "-5000000000 - i",
        "i.clamp(-9223372036854775807, 9223372036854775807)",
        "i.cast(u32) + 4294967295",
        "where_(b, 5000000000, i)",
        "full([N], 5000000000, dtype = i64)",
        "y * 5000000000",
        "i.floor_divide(5000000000)",
    ] {
        let found = body(&format!("used + ({right}).cast(f32).sum()"));
        assert!(found.is_empty(), "{right}: {found:?}");
    }
    for (wrong, code) in [
        ("used.reshape([N, 5000000000])", "N0517: the number 5000000000 is too large"),
        ("used * (5000000000 - 4999999999)", "N0517: "),
        ("used + N * 5000000000", "N0517: "),
        ("used + sqrt(5000000000)", "N0517: the number 5000000000 is too large"),
        ("used + 5000000000.div_ceil(2)", "N0517: "),
        ("used.sum(5000000000)", "N0"),
        ("let n = 5000000000; used", "N0517: the number 5000000000 is too large"),
        ("used + (i.cast(i32) + 2147483648).cast(f32).sum()", "N0207: 2147483648 is not an i32"),
        ("used + 9223372036854775808", "N0517: the number 9223372036854775808 is too large"),
    ] {
        let found = body(wrong);
        assert!(found.len() == 1 && found[0].starts_with(code), "{wrong}: {found:?}");
    }
}

/// First values too are numbers of the type that is declared.
#[test]
fn first_values_are_of_their_type() {
    for (declared, message) in [
        ("state b: u8[2] = 300;", "the first value 300 is none of u8"),
        ("state b: i64[2] = 0.5;", "the first value 0.5 is none of i64"),
        ("state b: f16[2] = 70000;", "the first value 70000 is none of f16"),
        ("float: f16; param b: float[2] = 1e6;", "the first value 1000000.0 is none of f16"),
        ("float: f16; param b: float[2] = constant(1e6);", "the first value 1000000.0 is none of f16"),
        ("float: f16; param b: float[2] = uniform(-70000, 1);", "the first value -70000.0 is none of f16"),
        ("state b: u8[2] = constant(300);", "the first value 300.0 is none of u8"),
        (
            "float: f16; fc: Linear(2, init = constant(70000)); pub fn g(x: float[N, 2]) -> float[N, 2] { fc(x) } state b: u8[2] = 0;",
            "the first value 70000.0 is none of f16",
        ),
    ] {
        let found =
            super::mistakes(&format!("net Test {{ {declared} pub fn f(x: u8[N]) -> i64 {{ b.cast(i64).sum() }} }}"));
        assert_eq!(found.len(), 1, "{declared}: {found:?}");
        assert!(found[0].starts_with(&format!("N0207: {message}")), "{declared}: {found:?}");
    }
    for declared in [
        "state b: bool[2] = 1;",
        "state b: i64[2] = -3;",
        "state b: f16[2] = inf;",
        "state b: u8[2] = 255;",
        "state b: f32[2] = constant(70000);",
        "float: f16; param b: float[2] = constant(65504);",
    ] {
        let found =
            super::mistakes(&format!("net Test {{ {declared} pub fn f(x: u8[N]) -> i64 {{ b.cast(i64).sum() }} }}"));
        assert!(found.is_empty(), "{declared}: {found:?}");
    }
}

/// A block has the float type of the net that uses it.
#[test]
fn blocks_tell_no_float_type() {
    let found = super::mistakes("block B(x: float[N, 3]) -> float[N, 3] { float: f64; fc: Linear(3); fc(x) }");
    assert!(found.len() == 1 && found[0].contains("a block has no float type of its own"), "{found:?}");
}

/// What is wrong in a round of `scan` is told once.
#[test]
fn a_mistake_in_a_round_is_told_once() {
    for round in ["let q = r.foo(); (q, r)", "(r.foo(), r)", "(r, r.foo())"] {
        let found = super::mistakes(&format!(
            "net Test {{ pub fn f(x: f32[N, 3]) -> f32[3] {{ let (last, _) = scan(x, zeros(3), |h, r| {{ {round} }}); last }} }}"
        ));
        assert!(found.len() == 1 && found[0].starts_with("N0401"), "{round}: {found:?}");
    }
}

/// What is made of run-time sizes is of the net's float type, as numbers are.
#[test]
fn sizes_are_numbers_of_every_float_type() {
    for float in ["f32", "f64", "f16", "bf16"] {
        for of_size in ["sqrt(N)", "(1.0 / N)", "(N * 0.5 + 1)", "N.pow(-0.5)", "maximum(N, 3)"] {
            let found = super::mistakes(&format!(
                "net Test {{ float: {float}; pub fn f(x: float[N, 3]) -> float[N, 3] {{ x * {of_size} }} }}"
            ));
            assert!(found.is_empty(), "{float}, {of_size}: {found:?}");
        }
    }
    let wide = super::mistakes(
        "net Test { float: f16; pub fn f(x: u8[N]) -> f32[N] { x.cast(f32) + zeros(N, dtype = f32) } }",
    );
    assert!(wide.is_empty(), "{wide:?}");
    let truth =
        super::mistakes("net Test { pub fn f(x: bool[N, 4], i: i64[N, 4]) -> bool[N, 4] { x.scatter_add(1, i, x) } }");
    assert!(truth.len() == 1 && truth[0].contains("`scatter_add` adds numbers, found bool"), "{truth:?}");
}
