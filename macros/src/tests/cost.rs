//! What a net costs a build: how much code is emitted for it.

use proc_macro2::{TokenStream, TokenTree};

use crate::expand::expand;

fn expanded(source: &str) -> TokenStream {
    expand(source.parse().expect("the test is made of tokens"))
}

/// The kernels of an expansion: each is compiled once an instruction set.
fn kernels(tokens: &TokenStream) -> usize {
    let inside = |token: TokenTree| match token {
        TokenTree::Group(group) => kernels(&group.stream()),
        TokenTree::Ident(name) => usize::from(name == "block_kernel"),
        _ => 0,
    };
    tokens.clone().into_iter().map(inside).sum()
}

/// The tokens without literals: tables and reports are constants, no code.
fn code(tokens: &TokenStream) -> Vec<String> {
    let inside = |token: TokenTree| match token {
        TokenTree::Group(group) => {
            let delimiter = format!("{:?}", group.delimiter());
            [vec![delimiter.clone()], code(&group.stream()), vec![delimiter]].concat()
        }
        TokenTree::Literal(_) => vec!["literal".to_string()],
        token => vec![token.to_string()],
    };
    tokens.clone().into_iter().flat_map(inside).collect()
}

#[test]
fn resnet50_has_few_kernels() {
    let nets = include_str!("../../../tests/nets/vision.rs");
    let is_it = |call: &&str| call.contains("pub net ResNet50 =");
    let call = nets.split("\nnetwork! {").find(is_it).expect("the net of the goldens");
    let (body, _) = call.split_once("\n}\n").expect("the end of the call");
    let (body, _) = body.split_once("pub net ResNet50Thin").expect("its thin version");
    let found = kernels(&expanded(body));
    assert!((10..=60).contains(&found), "{found} kernels an instruction set");
}

#[test]
fn forty_equal_blocks_are_as_much_code_as_four() {
    let of = |blocks: usize| {
        expanded(&format!(
            "block Layer(x: f32[N, D]) -> f32[N, D] {{
                norm: LayerNorm();
                up:   Linear(4 * D);
                down: Linear(D);
                drop: Dropout(p = 0.1);
                x + drop(down(up(norm(x)).gelu()))
            }}
            pub net Deep {{
                layers: [Layer; {blocks}];
                head:   Linear(10);
                pub fn scores(x: f32[N, 32]) -> f32[N, 10] {{ head(layers(x)) }}
                pub train fn loss(x: f32[N, 32], class: u8[N]) -> f32 {{ scores(x).cross_entropy(class) }}
            }}"
        ))
    };
    let (few, many) = (of(4), of(40));
    assert!(kernels(&few) > 5);
    assert_eq!(kernels(&few), kernels(&many));
    assert_eq!(code(&few), code(&many));
}

/// How often the compiler looks at nodes for a function with this statement in a loop, in so many rounds, beside half as many.
fn growth(rounds: usize, members: &str, statement: &str) -> f64 {
    let visits = |rounds: usize| {
        let net = format!(
            "block Layer(x: f32[N, D]) -> f32[N, D] {{ a: Linear(D); x + a(x).relu() }}
            block Norm(x: f32[N, C, H, W]) -> f32[N, C, H, W] {{
                a: Conv2d(C, kernel_size = 3, padding = 1);
                bn: BatchNorm2d();
                bn(a(x)).relu() + x
            }}
            pub net Long {{
                {members}
                pub train fn loss(x: f32[N, 8], image: f32[N, 2, 4, 4]) -> f32 {{
                    let mut h = x;
                    let mut y = image;
                    let mut c = arange(8).cast(f32);
                    for i in 0..{rounds} {{ {statement} }}
                    h.mean() + y.mean() + c.mean()
                }}
            }}"
        )
        .replace("ROUNDS", &rounds.to_string());
        let before = castnet_graph::visits::visits();
        let text = expanded(&net).to_string();
        assert!(!text.contains("compile_error"), "{text}");
        castnet_graph::visits::visits() - before
    };
    let (few, many) = (visits(rounds / 2), visits(rounds));
    assert!(few > 10_000, "{few} looks at nodes");
    many as f64 / few as f64
}

/// What is written twice as often takes about twice as long, whether it is one block, many layers, arithmetic or constants.
#[test]
fn compiling_is_near_linear() {
    let cases = [
        ("one block", 600, "l: Layer;", "h = l(h);"),
        ("many layers", 200, "l: [Linear(8); ROUNDS];", "h = l[i](h).tanh();"),
        ("images", 100, "l: Norm;", "y = l(y);"),
        ("pointwise", 1600, "l: Linear(8);", "h = (h * 1.01).tanh() + l(x);"),
        ("constants", 400, "l: Linear(8);", "c = c * 0.5 + c; h = h + l(x);"),
        ("branches", 200, "l: [Linear(8); ROUNDS];", "h = h + l[i](x);"),
        ("parts", 200, "l: Linear(8);", "h = cat([l(h)[.., 0..4], h[.., 4..8]], dim = 1);"),
    ];
    let grown = cases.map(|(name, rounds, members, statement)| (name, growth(rounds, members, statement)));
    println!("{grown:?}");
    let slow: Vec<_> = grown.iter().filter(|(_, growth)| *growth > 2.2).collect();
    assert!(slow.is_empty(), "twice as much takes so many times as long: {slow:?}");
}
/// Each node stands on the one before: no pass may need of its caller a stack that grows with that.
#[test]
fn deep_nets_compile_on_a_small_stack() {
    let net = "pub net Deep {
        l: Linear(8);
        pub train fn loss(x: f32[N, 8]) -> f32 {
            let mut h = x;
            for i in 0..2000 { h = h + l(h).relu(); }
            h.mean()
        }
    }";
    let thread = std::thread::Builder::new().stack_size(512 << 10);
    let text = thread.spawn(|| expanded(net).to_string()).expect("a thread").join().expect("no overflow");
    assert!(!text.contains("compile_error"), "{text}");
}

/// A value that is used twice at each step has as many ways to it as there are subsets of steps: no pass may take each.
#[test]
fn values_used_twice_compile() {
    let text = expanded(
        "pub net Doubled {
            l: Linear(8);
            pub train fn loss(x: f32[T, N, 8]) -> f32 {
                let start = zeros([N, 8]);
                let (last, ys) = scan(x, start, |h, x| {
                    let mut y = x;
                    for i in 0..64 { y = y * 0.5 + y; }
                    let h = (l(h) + y).tanh();
                    (h, h)
                });
                let mut z = last;
                let mut c = arange(8).cast(f32);
                for i in 0..64 { z = z * 0.5 + z; c = c * 0.5 + c; }
                ys.mean() + z.mean() + c.mean()
            }
        }",
    );
    let text = text.to_string();
    assert!(!text.contains("compile_error"), "{text}");
}
