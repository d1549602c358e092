//! Memory budgets: what is said of one that does not fit is true.

use super::mistakes;

/// Blocks of attention and of a network, written out or as an array, within so many KiB. Attention and both drop out.
fn net(kib: usize, written_out: bool) -> Vec<String> {
    let calls = if written_out { "let mut y = x; for l in b { y = l(y, m); }" } else { "let y = b(x, m);" };
    mistakes(&format!(
        "block Bx(x: f32[N, T, 16], m: bool[N, 1, T, T]) -> f32[N, T, 16] {{
            a: Linear(48); b: Linear(16); f: Linear(64); g: Linear(16); l1: LayerNorm(); l2: LayerNorm(); d: Dropout(0.3);
            let [q, k, v] = a(l1(x)).reshape(N, T, 3, 4, 4).permute(2, 0, 3, 1, 4).unbind();
            let x = x + d(b(scaled_dot_product_attention(q, k, v, m, 0.2).transpose(1, 2).reshape(N, T, 16)));
            x + d(g(f(l2(x)).gelu(approximate = \"tanh\").dropout(0.1)))
        }}
        pub net Tight {{
            b: [Bx; 6];
            #[memory({kib} KiB, N = 4, T = 32, optimizer = Sgd)]
            pub train fn loss(x: f32[N, T, 16], m: bool[N, 1, T, T]) -> f32 {{ {calls} y.square().mean() }}
        }}"
    ))
}

/// What a mistake says that the function takes, in KiB.
fn takes(mistake: &str) -> f64 {
    let figure = mistake.split("takes ").nth(1).and_then(|rest| rest.split(" KiB").next());
    figure.and_then(|figure| figure.parse().ok()).expect("a figure")
}

#[test]
fn a_plan_that_is_known_is_taken() {
    let said = net(480, true);
    let least = takes(&said[0]);
    assert!(said[0].contains("that is the least of the plans with values made again in the backward pass: allow more"));
    // Whatever the budget, the least that it takes is the same,
    let refused: Vec<f64> = [600, least as usize].map(|kib| takes(&net(kib, true)[0])).into();
    assert_eq!(refused, [least; 2]);
    // and what it takes at the least fits any larger one.
    for more in [1, 5, 15, 40, 80] {
        assert_eq!(net(least as usize + more, true), [""; 0], "{least} KiB and {more}");
    }
}

#[test]
fn loops_are_said_to_keep_what_they_keep() {
    let said = net(480, false);
    assert!(said[0].contains("rounds of loops keep theirs: write equal blocks of an array out"), "{said:?}");
}
