//! The whole macro, from text to text: the output is Rust, and readable; every mistake is one `compile_error!`.

use crate::expand::expand;

mod blocks;
mod constants;
mod cost;
mod editor;
mod fuzz;
mod language;
mod memory;
pub mod mutate;
mod readme;
mod share;
mod sizes;
mod types;

/// The output, which must be Rust.
fn file(source: &str) -> syn::File {
    let tokens = source.parse().expect("the test is made of tokens");
    syn::parse2(expand(tokens)).expect("the output is Rust")
}

/// The mistakes that are reported.
fn mistakes(source: &str) -> Vec<String> {
    let message = |item: syn::Item| match item {
        syn::Item::Macro(m) if m.mac.path.segments.last()?.ident == "compile_error" => {
            Some(m.mac.parse_body::<syn::LitStr>().expect("a message").value())
        }
        _ => None,
    };
    file(source).items.into_iter().filter_map(message).collect()
}

/// The first line of each mistake that a function with this body has, in a net with a few layers.
fn body(body: &str) -> Vec<String> {
    let source = format!(
        "net Test {{
            const D: usize = 12;
            fc: Linear(D);
            fn twice(a: f32[R, C]) -> f32[R, C] {{ a + a }}
            fn pairs(a: f32[R, 2 * H], b: f32[R, H + 1]) -> f32[R, H] {{ a.sum(1, keepdim = true) * b.sum() * a.reshape([R, 2, H]).sum(1) }}
            pub fn f(x: f32[N, 8], y: f32[N, 5], i: i64[N], b: bool[N]) -> f32[_, _] {{ let used = fc(x); {body} }}
        }}"
    );
    mistakes(&source).into_iter().map(|m| m.lines().next().unwrap_or_default().to_string()).collect()
}

const LENET: &str = r#"
    /// LeNet for 28 × 28 grey images.
    pub net LeNet {
        conv1: Conv2d(20, kernel_size = 5);
        conv2: Conv2d(50, kernel_size = 5);
        fc1:   Linear(500);
        fc2:   Linear(10);

        /// Class scores, a row an image.
        pub fn scores(image: f32[N, 1, 28, 28]) -> f32[N, 10] {
            let x = conv1(image).tanh().max_pool2d(2);
            let x = conv2(x).tanh().max_pool2d(2);
            fc2(fc1(x.flatten(1)).tanh())
        }

        /// What training minimises.
        pub train fn loss(image: f32[N, 1, 28, 28], digit: u8[N]) -> f32 {
            scores(image).cross_entropy(digit)
        }
    }
"#;

/// A net with everything that LeNet has not.
const RICH: &str = "
    pub(crate) net Rich {
        const D: usize = 4 * 3;
        const HALF: usize = D / 2;
        fc: Linear(D, bias = false);
        drop: Dropout(p = 0.1);
        fn mix(a: f32[R, C], b: f32[R, 2 * C - 1], rate: f32) -> f32[R, C] {
            let c: f32[R, _] = a * rate + (1.0 - rate) * a.exp();
            c + b.mean([0, 1], keepdim = true) * -2 % 3
        }
        pub fn features(x: f32[N, T + 1]) -> f32[N, 1] {
            where_((x > 0.0) & !(x <= 1), x, 0.5).sum(1, keepdim = true) / N
        }
        pub train fn loss(x: f32[N, 8], y: f32[N, 15], z: i64[N], keep: bool[N, 8]) -> f32 {
            let x = x.mix(y, rate = 0.25).drop();
            fc(x).reshape([N, HALF, D.div_ceil(7)]).flatten(1).cross_entropy(z) + where_(keep, x, 0).sum((0, 1))
        }
    }";

#[test]
fn lenet_is_readable_rust() {
    let text = prettyplease::unparse(&file(LENET));
    // The report has snapshots of its own.
    let (before, report) = text.split_once("\nLeNet.scores(").expect("a report");
    let (_, after) = report.split_once("\n\"#\n").expect("the end of the report");
    let text = format!("{before} …\n{after}");
    // The net is a long line of bytes; the rest is for people.
    let short = |line: &str| match line.char_indices().nth(120) {
        Some((at, _)) => format!("{} …", &line[..at]),
        None => line.to_string(),
    };
    let text: Vec<String> = text.lines().map(short).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn right_nets_have_no_mistakes() {
    assert_eq!(mistakes(LENET), [""; 0]);
    assert_eq!(mistakes(RICH), [""; 0]);
    assert_eq!(mistakes(&format!("{LENET} {RICH}")), [""; 0]);
}

#[test]
fn right_bodies_have_no_mistakes() {
    for right in [
        "fc(x)",
        "x.fc()",
        "fc(input = x)",
        "twice(x)",
        "x.twice().fc().twice()",
        "twice(a = x)",
        "pairs(x, y)",
        "pairs(b = y, a = x)",
        "let y = x; let y = y.tanh(); y",
        "let z: f32[N, 8] = x; z",
        "let z: f32[_, D - 4] = x; z",
        "let _ = y; x",
        "x + 1",
        "1 - x / 2 * 3.5",
        "-x % 2",
        "x * N",
        "x / (N * 8)",
        "x * 1.5 / N",
        "x * (1.0 / N)",
        "where_(x > 0.0, x, 0)",
        "where_((x > 0.0) & !(x >= 1) | (x == 0.5), x, -x)",
        "x * b.cast(f32).sum()",
        "x.reshape([N, 2, 4]).sum([1, 2], keepdim = true).flatten(1)",
        "x.reshape([N, D / 3, D.div_floor(5)]).flatten(1)",
        "x.reshape([N, D.div_ceil(7), 4]).flatten(1)",
        "x.clamp(min = -1.0, max = None)",
        "x.amax(-1, keepdim = true)",
        "(x)",
        "x.sum((0, 1)) * x",
        "x * i.cast(f32).mean() + (i + 1 > 3).cast(f32).sum()",
        "where_(b, 1, 0).sum() * x",
        "where_(!b, 1, 0).sum() * x",
        "x[nonzero(b, size = 8)[0]].sum() * x",
        "x * b.mean(dtype = f32) + i.square().sum(dtype = f32)",
    ] {
        assert_eq!(body(right), [""; 0], "{right}");
    }
}

#[test]
fn each_mistake_is_reported_once() {
    for (wrong, first) in [
        ("let z = nothing; z + z.tanh() + fc(z)", "N0501: there is no value `nothing`"),
        ("nothing + nothing", "N0501: there is no value `nothing`"),
        ("fc(x) + y", "N0101: shapes do not meet in `+`: [N, 12] and [N, 5]"),
        ("let z = fc(x) + y; z.tanh() + z.mean(dim = 9)", "N0101: shapes do not meet in `+`: [N, 12] and [N, 5]"),
        ("twice(i)", "N0506: `a` of `twice` must be f32[R, C], found i64[N]"),
        ("pairs(x, x)", "N0506: `b` of `pairs` must be f32[R, …], found f32[N, 8]"),
        ("pairs(y, y)", "N0506: `a` of `pairs` must be f32[R, …], found f32[N, 5]"),
        ("x + None", "N0305: `+` cannot be applied to `None`"),
        ("x + [1]", "N0305: `+` cannot be applied to a list of 1"),
        ("x & true", "N0201: element types differ in `&`: f32 and `true`"),
        ("b == 1", "N0201: element types differ in `==`: bool and the size 1"),
        ("x * (N / 2)", "N0511: N / 2 does not come out even for every value of N"),
        ("x.cast(5)", "N0305: `dtype` of `cast` must be an element type such as `f32`, found the size 5"),
        ("x.reshape([N, -8])", "N0108"),
        ("(x, y)", "N0509: function `f` promises f32[_, _] but its body gives a list of 2"),
        ("[x, y]", "N0509: function `f` promises f32[_, _] but its body gives a list of 2"),
        ("f32", "N0509: function `f` promises f32[_, _] but its body gives the element type `f32`"),
        ("f(x, y, i, b)", "N0508: function `f` calls itself: `f` → `f`"),
    ] {
        let found = body(wrong);
        assert!(found[0].starts_with(first), "{wrong}: {found:?}");
        assert_eq!(found.len(), 1, "{wrong}: {found:?}");
    }
}

#[test]
fn private_functions_are_checked_for_what_no_use_can_mend() {
    let net = |function: &str, call: &str| {
        mistakes(&format!("net Test {{ fn g{function} pub fn f(x: f32[N, 8]) -> f32[N, _] {{ {call} }} }}"))
    };
    assert_eq!(net("(a: f32[N, A], b: f32[N, B]) -> f32[N, A] { a + b }", "x.tanh()"), [""; 0]);
    assert_eq!(net("(a: f32[A, B]) -> f32[B, A] { a.matmul(a) }", "x.tanh()"), [""; 0]);
    assert_eq!(net("(a: f32[N, 3], b: f32[N, 4]) -> f32[N, 3] { a + b }", "x.tanh()").len(), 1);
    assert_eq!(net("(a: f32[N, 3]) -> f32[N, 3] { a.thanh() }", "x.tanh()").len(), 1);
    // What all calls show is told once, where it is made; of a single one, at the call: another size may be right.
    let function = "(a: f32[N, A]) -> f32[N, A] { a.reshape([N, 4, A / 4]).sum(1) }";
    let once = net(function, "g(x.flatten(1)) + g(x)");
    assert!(once.len() == 1 && once[0].contains("every use shows this"), "{once:?}");
    let at_the_call = net(function, "g(x)");
    assert!(at_the_call.len() == 1 && at_the_call[0].contains("this happens in `g`"), "{at_the_call:?}");
    // One right call proves it right.
    assert_eq!(net("(a: f32[N, A]) -> f32[N, _] { a.reshape([N, 4, 2]).sum(1) }", "g(x)"), [""; 0]);
}

#[test]
fn sizes_stay_in_bounds() {
    let huge = "net Test { const A: usize = 2000000000; const B: usize = A * A; const C: usize = B * B;
        conv: Conv2d(A, kernel_size = A, padding = A, dilation = 1);
        pub fn i(x: f32[A, A, A, A]) -> f32 { x.sum() }
        pub fn j(x: f32[N]) -> f32 { x.reshape([A, A, A, A]).sum() + x.reshape([N * A, A, A, A, N]).sum() }
        pub fn k(x: f32[N, A, 1, 1]) -> f32 { conv(x).sum() }
        pub fn f(x: f32[A, A]) -> f32 { x.sum() * (A * A * A * A - A * A) }
        pub fn g(x: f32[N]) -> f32 { x.sum() * (N * N * N * N * N * N * N * N * N * N) }
        pub fn h(x: f32[N]) -> f32[N] { x.max_pool2d(2000000000, padding = 2000000000) }
    }";
    let found = mistakes(huge);
    assert!(found.len() > 5 && found.iter().all(|m| !m.starts_with("N09")), "{found:?}");
}

#[test]
fn calls_that_grow_without_bound_are_refused() {
    let mut source = String::from("net Test { pub fn f0(x: f32[N]) -> f32[N] { x.tanh() }");
    for i in 1..40 {
        source.push_str(&format!("pub fn f{i}(x: f32[N]) -> f32[N] {{ f{0}(x) + f{0}(x.exp()) }}", i - 1));
    }
    let found = mistakes(&(source + "}"));
    assert!(found.len() == 1 && found[0].contains("grows beyond"), "{found:?}");
}

#[test]
fn deep_expressions_are_refused() {
    let parentheses = format!("{}x{}", "(".repeat(3000), ")".repeat(3000));
    let chain = format!("x{}", ".tanh()".repeat(3000));
    let negations = format!("{}x", "-".repeat(3000));
    let indices = format!("x{}", "[0]".repeat(3000));
    let fields = format!("x{}", ".a".repeat(3000));
    for deep in [parentheses, chain, negations, indices, fields] {
        let found = body(&deep);
        assert!(found.len() == 1 && found[0].starts_with("N0602"), "{found:?}");
    }
}
