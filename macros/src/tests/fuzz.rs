//! Whatever comes in, Rust comes out: networks with tokens changed at random.

use std::sync::mpsc;
use std::time::Duration;

use proc_macro2::{Delimiter, TokenStream};

use super::mutate::{Random, Tree, count, mutate, tokens, trees};
use super::{LENET, RICH};
use crate::expand::{expand, expand_for};

/// Small networks with everything that the language has.
const LANGUAGE: &str = "
    /// A block.
    pub block Residual<WIDTH, SCALE = 1>(x: f32[N, D]) -> f32[N, WIDTH] {
        #[wd_mult(weight = 0.5)]
        fc:   Linear(WIDTH, bias = false);
        down: if D != WIDTH { Linear(WIDTH) };
        where WIDTH % 2 == 0;
        const HALF: usize = WIDTH / 2;
        let y = fc(x).relu() * SCALE;
        let [a, b] = [y, y.reshape([N, 2, HALF]).sum(1)];
        let shortcut = if D != WIDTH { down(x) } else { x };
        shortcut + b.sum(1, keepdim = true) - a.mean()
    }

    block Pair(a: f32[N, D], b: f32[N, D]) -> (f32[N, D], f32) {
        #[lr_mult = 0.5]
        param scale: f32[D] = ones;
        (a * scale + b, b.mean())
    }

    pub net Deep<DEPTH, WIDTH = 4> {
        #[freeze]
        first:  Residual<WIDTH>;
        layers: [Residual<WIDTH, SCALE = 2>; DEPTH];
        pairs:  [Pair, Pair];
        state last: f32[WIDTH] = zeros;
        where N >= 1;

        pub fn scores(x: f32[N, 6]) -> f32[N, WIDTH] {
            assert!(WIDTH < 100, \"small\");
            let mut y = first(x);
            for layer in layers { y = layer(y); }
            for i in 0..DEPTH { if i != 1 { y += layers[i](y) * i; } }
            let (z, mean) = pairs[0](y, y);
            let (z, _) = pairs[1](z, { let w = z + mean; w });
            z.matmul(layers[0].fc.weight)
        }

        pub train[layers, pairs] fn loss(x: f32[N, 6], class: u8[N]) -> (f32, f32[N, WIDTH]) {
            let scores = scores(x);
            last = last * 0.9 + scores.mean(0) * 0.1;
            (scores.cross_entropy(class), scores)
        }
    }

    pub net Two = Deep<2>;";

/// Recurrence and index lists.
const LOOP: &str = "
    net Loop {
        fc: Linear(3);
        pub fn f(x: f32[N, T, 3]) -> f32[N, 3] {
            let (last, outputs) = scan(x, x[.., 0], |h, x| { let h = fc(h + x).tanh(); (h, h * 2) }, dim = 1);
            last + outputs[.., -1, 0..3] + outputs[.., ..1].sum(1)
        }
    }";

/// A number from the environment.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The items of a text.
fn items(source: &str) -> Vec<Vec<Tree>> {
    let all = trees(source.parse().expect("tokens"));
    all.split_inclusive(|tree| matches!(tree, Tree::Group(Delimiter::Brace, _))).map(<[Tree]>::to_vec).collect()
}

/// What is wrong with the output, if anything.
fn verdict(input: TokenStream) -> Result<bool, String> {
    // Editors ask in the middle of everything.
    expand_for(input.clone(), true);
    let output = expand(input).to_string();
    let file = syn::parse_str::<syn::File>(&output).map_err(|error| format!("not Rust: {error}\n{output}"))?;
    let is_error = |item: &&syn::Item| match item {
        syn::Item::Macro(m) => m.mac.path.segments.last().is_some_and(|s| s.ident == "compile_error"),
        _ => false,
    };
    let errors = file.items.iter().filter(is_error).count();
    // Nets without tables are those that could not be built.
    match errors {
        0 if output.contains("net : b\"\"") => Err(format!("a net is missing without a word: {output}")),
        0..50 => Ok(errors > 0),
        _ => Err(format!("{errors} mistakes in a small network")),
    }
}

/// Tokens removed, doubled, swapped and replaced. `CASTNET_FUZZ_ROUNDS` and `CASTNET_FUZZ_SEED` make it longer, or another.
#[test]
fn whatever_comes_in_rust_comes_out() {
    let (rounds, first) = (number("CASTNET_FUZZ_ROUNDS", 400), number("CASTNET_FUZZ_SEED", 0));
    let sources = [LENET, RICH, LANGUAGE, LOOP].map(items);
    let mut wrong = 0;
    for seed in first..first + rounds {
        let mut random = Random(seed);
        let (one, other) = (&sources[random.below(4)], &sources[random.below(4)]);
        // One item is changed; the others, which it may use, stand beside it.
        let mut mutant = one.clone();
        let (at, donor) = (random.below(one.len()), random.below(other.len()));
        mutant[at] = mutate(&one[at], &other[donor], &mut random);
        let mutant = mutant.concat();
        assert!(count(&mutant) < 5000, "seed {seed}");
        let (send, receive) = mpsc::channel();
        let input = tokens(&mutant).to_string();
        let text = input.clone();
        let work = std::thread::Builder::new().stack_size(8 << 20);
        let thread = work.spawn(move || send.send(verdict(text.parse().unwrap_or_default())).is_ok());
        let limit = Duration::from_secs(120);
        match receive.recv_timeout(limit) {
            Ok(Ok(is_wrong)) => wrong += u64::from(is_wrong),
            Ok(Err(message)) => panic!("seed {seed}: {message}\n{input}"),
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("seed {seed} takes longer than {limit:?}:\n{input}"),
            Err(mpsc::RecvTimeoutError::Disconnected) => panic!("seed {seed} panics:\n{input}"),
        }
        assert!(thread.is_ok_and(|thread| thread.join().is_ok()), "seed {seed}");
    }
    assert!(wrong > rounds / 2 && wrong < rounds, "{wrong} of {rounds} are wrong");
}

#[test]
fn what_is_changed_was_right() {
    assert_eq!(super::mistakes(LANGUAGE), [""; 0]);
}
