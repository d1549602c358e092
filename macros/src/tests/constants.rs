//! Numbers with names, constants of nets and beside them, names in checkpoints: what is right, and one mistake each.

use super::{file, mistakes};

fn first_lines(source: &str) -> Vec<String> {
    mistakes(source).into_iter().map(|m| m.lines().next().unwrap_or_default().to_string()).collect()
}

/// A net with this body, beside and in which these constants stand.
fn net(beside: &str, inside: &str, body: &str) -> Vec<String> {
    first_lines(&format!("{beside} net Test {{ {inside} pub fn f(x: f32[N, 4]) -> f32[N, _] {{ {body} }} }}"))
}

#[test]
fn numbers_have_names() {
    for body in [
        "where_(x > 0, x, inf)",
        "where_(x > 0, x, -inf) + x.clamp(max = f32::MAX)",
        "x * std::f32::consts::PI + ::core::f32::consts::TAU + f32::consts::E + f64::consts::LN_2",
        "x.clamp(min = f32::EPSILON) - f32::MIN_POSITIVE",
        "where_(x > f32::NEG_INFINITY, x, f32::NAN)",
        "where_(x == x, x, nan)",
        // What is bound comes first.
        "let inf = 2 * x; let nan = inf; nan",
    ] {
        let found = net("", "", body);
        assert_eq!(found, [""; 0], "{body}");
    }
    for (body, said) in [
        ("x * crate::SCALE", "N0601: a macro cannot read `crate::SCALE`, a constant of Rust"),
        ("x * f64::MAX", "N0601: a macro cannot read `f64::MAX`, a constant of Rust"),
        ("x * u8::BITS", "N0601: a macro cannot read `u8::BITS`, a constant of Rust"),
        ("x * crate::scale", "N0601: paths do not occur in networks"),
        ("x * <f32>::MAX", "N0601: paths do not occur in networks"),
    ] {
        let found = net("", "", body);
        assert_eq!(found, [said], "{body}");
    }
}

#[test]
fn constants_have_types() {
    for (beside, inside, body, said) in [
        ("const D: usize = 4;", "", "x.reshape([N, D / 2, 2]).flatten(1)", ""),
        ("pub const D: usize = 2 * E; const E: usize = 2;", "fc: Linear(D);", "fc(x)", ""),
        ("const RATE: f32 = 1e-3; const TWO: f32 = 2;", "", "x * RATE / TWO", ""),
        ("", "const BIAS: bool = false; fc: Linear(3, bias = BIAS);", "fc(x)", ""),
        // The inner one counts.
        ("const D: usize = 5;", "const D: usize = 4; fc: Linear(D);", "let y: f32[N, 4] = fc(x); y", ""),
        ("", "const D: usize = 0.5;", "x", "N0512: the constant `D` must be an integer of at least 1, found 0.5"),
        ("const D: bool = 3;", "", "x", "N0512: the constant `D` must be `true` or `false`, found 3"),
        ("const D: f32 = true;", "", "x", "N0512: the constant `D` must be a number, found true"),
        ("const D: u8 = 3;", "", "x", "N0601: a constant is a `usize`, an `f32` or a `bool`"),
        ("const D = 3;", "", "x", "N0601: the type of `D` is missing"),
        ("const D: usize = D + 1;", "", "x", "N0508: the constant `D` depends on itself, by way of `D`"),
        ("const D: usize = 3; const D: usize = 4;", "", "x", "N0502: two constants are called `D`"),
        (
            "",
            "const PARAMETERS: usize = 3;",
            "x",
            "N0502: a constant of a net cannot be called `PARAMETERS`: every net has that already",
        ),
    ] {
        let found = net(beside, inside, body);
        let right = if said.is_empty() { found.is_empty() } else { found == [said] };
        assert!(right, "{beside} {inside}: {found:?}");
    }
}

/// The values are Python's: `math.sqrt(12)`, `12 ** -0.5`, `math.ceil(8 / 3 * 12)`, `round(2.5)`, `2 ** 10`, `max(12 // 4, 8)` ….
#[test]
fn functions_of_numbers_are_numbers() {
    let source = "const D: usize = 12; const ROOT: f32 = D.sqrt(); const INVERSE: f32 = D.pow(-0.5); const LOG: f32 = log(2.0);
        const UP: usize = (8.0 / 3 * D).ceil(); const EVEN: usize = (2.5).round(); const DOWN: f32 = floor(-0.5);
        const POWER: usize = 2.pow(10); const FRACTION: f32 = 2.pow(-1); const MORE: usize = maximum(D / 4, 8);
        const LESS: f32 = minimum(D, 0.5); const E: f32 = exp(1.0) * 1.0; const ERF: f32 = erf(0.5); const SQUARE: usize = D.square();
        const ABS: usize = abs(3 - D); const ENDLESS: f32 = maximum(-inf, 2); const ONE: f32 = (-inf).exp().cos();
        net Test<C, S = 4.0> {
            const SCALE: f32 = rsqrt(S);
            param w: f32[C] = normal(0.0, (2.0 / C).sqrt());
            drop: Dropout((0.25).square());
            block: Linear(pow(2, 3));
            pub fn f(x: f32[N, C]) -> f32[N, (2.0 * C).trunc()] {
                let y = drop(x) / sqrt(C) * (2.0).log() * w;
                let z: f32[N, 8] = block(y) * SCALE.reciprocal();
                cat([y, y], 1) + z.mean()
            }
        }
        pub net Three = Test<3>; pub net Four = Test<4, { (9.0).sqrt() }>;";
    assert_eq!(first_lines(source), [""; 0]);
    let text = prettyplease::unparse(&file(source));
    for line in [
        "const ROOT: f32 = 3.4641016;",
        "const INVERSE: f32 = 0.28867513;",
        "const LOG: f32 = 0.6931472;",
        "const UP: usize = 32;",
        "const EVEN: usize = 2;",
        "const DOWN: f32 = -1.0;",
        "const POWER: usize = 1024;",
        "const FRACTION: f32 = 0.5;",
        "const MORE: usize = 8;",
        "const LESS: f32 = 0.5;",
        "const E: f32 = 2.7182817;",
        "const ERF: f32 = 0.5204999;",
        "const SQUARE: usize = 144;",
        "const ABS: usize = 9;",
        "const ENDLESS: f32 = 2.0;",
        "const ONE: f32 = 1.0;",
        "const SCALE: f32 = 0.5;",
        "pub const S: f32 = 3.0;",
    ] {
        assert!(text.contains(line), "{line}: {}", &text[..3000]);
    }
    for (body, said) in [
        ("x * sqrt(-1)", "N0517: `sqrt(-1.0)` is not a finite f32"),
        ("x * (1000.0).exp()", "N0517: `exp(1000.0)` is not a finite f32"),
        ("x * log(0)", "N0517: `log(0.0)` is not a finite f32"),
        ("x * sqrt(true)", "N0202: `sqrt` needs floating-point elements, found bool"),
        ("x * relu(2.0)", "N0305: `input` of `relu` must be a tensor, found the number 2.0"),
        ("x * sqrt(2.0, 3.0)", "N0303: `sqrt` takes at most 1 argument"),
        // Of run-time sizes and tensors they are tensors.
        ("let y: f32 = sqrt(N); x / y + N.pow(-0.5) + maximum(N, 2.5) + 2.pow(x)", ""),
        ("x.reshape(N.sqrt(), -1)", "N0305: `shape` of `reshape` must be a list of sizes, found a list of 2"),
    ] {
        let found = net("", "", body);
        let right = if said.is_empty() { found.is_empty() } else { found == [said] };
        assert!(right, "{body}: {found:?}");
    }
    let found = net("const D: f32 = relu(2.0);", "", "x * D");
    assert_eq!(found, ["N0501: `relu` cannot be called here"]);
}

#[test]
fn constants_become_constants_of_rust() {
    let source = "/// Words.
        pub const VOCAB: usize = 4 * 8;
        const RATE: f32 = -0.5;
        net Small<DEPTH, P = 0.25> { const WIDE: bool = true; const D: usize = 2 * DEPTH; pub fn f(x: f32[N, VOCAB]) -> f32 { x.sum() * D * P * RATE } }
        pub net Two = Small<2>;";
    let text = prettyplease::unparse(&file(source));
    for line in [
        "pub const VOCAB: usize = 32;",
        "const RATE: f32 = -0.5;",
        "pub const DEPTH: usize = 2;",
        "pub const P: f32 = 0.25;",
        "pub const WIDE: bool = true;",
        "pub const D: usize = 4;",
        "/// Words.",
    ] {
        assert!(text.contains(line), "{line}: {}", &text[..2000]);
    }
    // Where something else is wrong, the constants are there.
    let text = prettyplease::unparse(&file(&source.replace("x.sum()", "x.summ()")));
    assert!(text.contains("pub const DEPTH: usize = 2;") && text.contains("pub const VOCAB: usize = 32;"));
}

#[test]
fn checkpoints_call_parts_by_names_of_their_own() {
    for (parts, body, said) in [
        ("r#type: Linear(3); r#if: Linear(4);", "r#type(r#if(x))", ""),
        ("#[name = \"0\"] a: Linear(3); #[name = \"1.b\"] b: Linear(4);", "a(b(x))", ""),
        ("#[freeze] #[name = \"0\"] a: [Linear(4); 2]; #[name = \"2\"] state h: f32[4] = zeros;", "a(x) + h", ""),
        ("type: Linear(3);", "x", "N0601: `type` is a keyword of Rust, not a name"),
        (
            "#[name = \"0\"] a: Linear(3); #[name = \"0\"] b: Linear(4);",
            "a(b(x))",
            "N0502: checkpoints call both `a` and `b` `0`",
        ),
        (
            "#[name = \"b.c\"] a: Linear(3); b: Linear(4);",
            "a(b(x))",
            "N0502: checkpoints call `a` `b.c`, which lies in `b`",
        ),
        (
            "#[name = \"__metadata__\"] param w: f32[4] = zeros;",
            "x + w",
            "N0502: checkpoints cannot call `w` `__metadata__`: that is their own",
        ),
        (
            "state __metadata__: f32[4] = zeros;",
            "x + __metadata__",
            "N0502: checkpoints cannot call `__metadata__` `__metadata__`: that is their own",
        ),
        ("#[name = \"__metadata__\"] a: Linear(4);", "a(x)", ""),
        ("#[name = 0] a: Linear(3);", "a(x)", "N0601: expected the name of the part in checkpoints"),
        ("#[name = \"a..b\"] a: Linear(3);", "a(x)", "N0601: expected the name of the part in checkpoints"),
        ("#[name] a: Linear(3);", "a(x)", "N0601: expected the name of the part in checkpoints"),
        ("#[name = \"a\"] #[name = \"b\"] a: Linear(3);", "a(x)", "N0604: `#[name]` stands here twice"),
        (
            "#[freeze] state h: f32[4] = zeros;",
            "x + h",
            "N0604: a `state` is not trained: `#[freeze]` has no meaning here",
        ),
    ] {
        let found = net("", parts, body);
        let right = if said.is_empty() { found.is_empty() } else { found.first().is_some_and(|f| f == said) };
        assert!(right, "{parts}: {found:?}");
    }
    // A keyword that is a name is one everywhere.
    let source = "block r#match(r#in: f32[N]) -> f32[N] { let r#let = r#in * 2; r#let } net r#type { r#move: r#match; train fn r#fn(x: f32[N]) -> f32 { r#move(x).sum() } }";
    assert_eq!(first_lines(source), [""; 0]);
}
