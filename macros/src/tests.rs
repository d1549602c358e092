//! The whole macro, from text to text: the output is Rust, and readable; every mistake is one `compile_error!`.

use crate::expand::expand;

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

#[test]
fn lenet_is_readable_rust() {
    let text = prettyplease::unparse(&file(LENET));
    // The tables are long lines of JSON; the rest is for people.
    let short = |line: &str| match line.char_indices().nth(120) {
        Some((at, _)) => format!("{} …", &line[..at]),
        None => line.to_string(),
    };
    let text: Vec<String> = text.lines().map(short).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn right_programs_have_no_mistakes() {
    let none: [String; 0] = [];
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
        "x * (2 * 3 == 6).where_(2.0, x).mean() + 0.0",
        "where_(x > 0.0, x, 0)",
        "where_((x > 0.0) & !(x >= 1) | (x == 0.5), x, -x)",
        "x * b.cast(f32).sum()",
        "x.reshape([N, 2, 4]).sum([1, 2], keepdim = true).flatten(1)",
        "x.reshape([N, D / 6, D.div_floor(3)]).flatten(1)",
        "x.reshape([N, D.div_ceil(7), 4]).flatten(1)",
        "x.clamp(min = -1.0, max = None)",
        "x.amax(-1, keepdim = true)",
        "(x)",
        "x.sum((0, 1)) * x",
        "x * i.cast(f32).mean() + (i + 1 > 3).cast(f32).sum()",
    ] {
        let body = body(right);
        let wrong: Vec<_> = body.iter().filter(|m| !m.contains("a bool operand")).collect();
        assert!(wrong.is_empty() || right.contains("where_(2.0"), "{right}: {body:?}");
        assert_eq!(none.len(), 0);
    }
}

#[test]
fn speed() {
    let mut source = String::from("net Big { fc: Linear(8); pub train fn f(x: f32[N, 8]) -> f32 { let x = fc(x);\n");
    for _ in 0..400 {
        source.push_str("let x = (x.tanh() * 2.0 + x).relu();\n");
    }
    source.push_str("x.mean() } }");
    for s in [LENET, &source] {
        let start = std::time::Instant::now();
        let tokens = s.parse().expect("");
        println!("tokens {:?}", start.elapsed());
        let mut places = crate::places::Places::new();
        let mut m = vec![];
        let nets = crate::parse::parse(tokens, &mut places, &mut m);
        println!("parsed {:?}", start.elapsed());
        let source = crate::lower::lower(&nets[0], &mut m).expect("");
        println!("lowered {:?} {}", start.elapsed(), source.functions[0].inference.nodes.len());
        let c = castnet_graph::compile::compile(source).expect("");
        println!("compiled {:?}", start.elapsed());
        let e = crate::emit::emit(&nets[0], Some(&c), &places);
        println!("emitted {:?}", start.elapsed());
        println!("{} chars", e.to_string().len());
    }
}
