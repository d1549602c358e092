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
