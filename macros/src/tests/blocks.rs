//! Blocks by themselves and where they are used: a right one is never refused, a hopeless one is told once.

use super::mistakes;
use super::mutate::Random;

/// A block that is right where D and K are these numbers, and wrong for many others.
fn right(random: &mut Random, d: i64, k: i64) -> String {
    let mut parts = String::new();
    let mut body = String::new();
    // The last axis of `x` as a number, and as it is written.
    let (mut width, mut text) = (d, "D".to_string());
    for step in 0..2 + random.below(4) {
        let widths = [
            (d - k, "D - K".to_string()),
            (d / k, "D / K".to_string()),
            (k, "K".to_string()),
            (2 * d + 1, "2 * D + 1".to_string()),
            (d * k, "D * K".to_string()),
            (d + k - 1, "D + K - 1".to_string()),
            (d, d.to_string()),
        ];
        let (next, written) = widths[random.below(widths.len())].clone();
        match random.below(7) {
            0 if width % k == 0 => {
                body += &format!("let x = x.reshape([N, K, ({text}) / K]).sum(1); ");
                (width, text) = (width / k, format!("({text}) / K"));
            }
            1 if width > k => {
                body += "let x = x[.., K..]; ";
                (width, text) = (width - k, format!("({text}) - K"));
            }
            2 if width == d => body += "let x = x + given; ",
            3 => body += &format!("if D > K {{ x = x * 2; }} else {{ x = x.reshape([N, {}, {}]); }} ", k + 1, d + 3),
            4 => body += &format!("let x = x.reshape([N, {width}]); "),
            5 if width >= 4 => {
                body += "let x = x.unsqueeze(1).max_pool1d(3, stride = 1).squeeze(1); let x = cat([x, x[.., 0..2]], dim = 1); "
            }
            _ => {
                parts += &format!("fc{step}: Linear({written}); ");
                body += &format!("let x = fc{step}(x); ");
                (width, text) = (next, written);
            }
        }
        body = body.replace("let x = ", "x = ");
    }
    let promise = ["_".to_string(), width.to_string(), text][random.below(3)].clone();
    format!(
        "block B<K>(given: f32[N, D]) -> f32[N, {promise}] {{ {parts} act: Tanh(); let mut x = given; {body} act(x) }}"
    )
}

#[test]
fn right_blocks_are_never_refused() {
    for seed in 0..200 {
        let mut random = Random(seed * 7919 + 13);
        let k = 2 + random.below(4) as i64;
        let d = k * (2 + random.below(5) as i64);
        let block = right(&mut random, d, k);
        assert_eq!(mistakes(&block), [""; 0], "seed {seed}, unused: {block}");
        let user = format!("{block} net Test {{ b: B<{k}>; pub fn f(x: f32[N, {d}]) -> f32[N, _] {{ b(x) }} }}");
        assert_eq!(mistakes(&user), [""; 0], "seed {seed}, with D = {d} and K = {k}: {block}");
        // A wrong use beside it does not make it wrong: the use is told.
        let both = format!(
            "{block} net Test {{ b: B<{k}>; c: B<{}>; pub fn f(x: f32[N, {d}]) -> f32[N, _] {{ b(x) }} pub fn g(x: f32[N, 1]) -> f32[N, _] {{ c(x) }} }}",
            d + 1
        );
        let found = mistakes(&both);
        assert!(found.len() <= 1 && !found.iter().any(|m| m.contains("every use")), "seed {seed}: {found:#?}");
    }
}

#[test]
fn hopeless_blocks_are_told_once() {
    for block in [
        "block B<K>(x: f32[N, D]) -> f32[N, D] { fc: Linear(D - K); o: Linear(D); o(fc(x).thanh()) }",
        "block B<K>(x: f32[N, D]) -> f32[N, D] { fc: Linear(D); fc(x); }",
        "block B<K>(x: f32[N, D]) -> f32[N, D] { x.sum(1) * K }",
        "block B<K>(x: f32[N, D]) -> f32[N, D] { x.flatten(7) * K }",
        "block B<K>(x: f32[N, D]) -> f32[N, D + 1] { fc: Linear(D); fc(x) * K }",
        "block B<K>(x: f32[N, D]) -> f32[N, D] { cat([x, x * K], dim = 1) }",
        "block B<K>(x: f32[N, D]) -> f32[N, D] { x * K + nothing }",
        "block B<K>(x: f32[N, D]) -> f32[N, D] { fc: Linea(D * K); fc(x) }",
        "block B<K>(x: f32[N, D]) -> f32[N, D] { fc: Linear(D * K); x * 2 }",
        "block B<K>(x: f32[N, D]) -> i64[N, D] { x * K }",
        "block B<K>(x: f32[N, D]) -> f32[N, D] { (x, x * K) }",
        "block B<K>(x: f32[N, D]) -> f32[N, D] { x.max_pool2d(2) * K }",
        "block B<K>(x: f32[N, D]) -> f32[N, D] { x.cast(i64).sqrt() * K }",
        "block B<K>(x: f32[N, D]) -> f32[N, D] { x.softmax(dimension = 1) * K }",
        "block B<K>(x: f32[N, D]) -> f32[N, D] { x.reshape([N, D + K]) }",
        "block B<K>(x: f32[N, D]) -> f32[N, D] { x.unsqueeze(2) * K }",
        "block B<K>(x: f32[N, D]) -> f32[N, D] { state h: f32[4] = zeros; x * K }",
        "block B<K>(x: f32[N, D]) -> f32[N, D] { let [a, b] = (x, x, x); a + b * K }",
        "block B<K>(x: f32[N, D]) -> f32[N, D] { x.tanh(x, x) * K }",
        "block B<K>(x: f32[N, D]) -> f32[N, D] { x.fc * K }",
    ] {
        let alone = mistakes(block);
        assert_eq!(alone.len(), 1, "unused: {block}: {alone:#?}");
        let used = format!(
            "{block} net Test {{ b: B<2>; pub fn f(x: f32[N, 8]) -> f32[N, 8] {{ b(x) }} pub fn g(x: f32[N, 4]) -> f32[N, 4] {{ c(x) }} c: B<3>; }}"
        );
        let found = mistakes(&used);
        assert_eq!(found.len(), 1, "used: {block}: {found:#?}");
        let code = |m: &String| m.chars().take(5).collect::<String>();
        assert_eq!(code(&alone[0]), code(&found[0]), "{block}");
    }
}

/// The last axis as it is found and as it is promised, of a block that nobody uses: whether some sizes make them equal.
#[test]
fn sizes_that_differ_are_told_if_their_difference_has_one_sign() {
    let promised = |found: &str, promise: &str| {
        let block = format!("block B<K>(x: f32[N, D]) -> f32[N, {promise}] {{ fc: Linear({found}); fc(x) }}");
        let private = format!(
            "net Test {{ fn g(x: f32[N, D], y: f32[N, K]) -> f32[N, {promise}] {{ x.sum(1, keepdim = true).expand([N, {found}]) }}
            pub fn f(x: f32[N, 2]) -> f32[N, 2] {{ x }} }}"
        );
        let told = [mistakes(&block), mistakes(&private)];
        assert!(told.iter().all(|told| told.len() <= 1), "{told:#?}");
        let [block, private] = told.map(|told| told.len() == 1);
        assert_eq!(block, private, "{found} for {promise}: the block {block}, the function {private}");
        block
    };
    for (found, promise) in [
        ("D + 400", "K"),
        ("D * D + 7", "K"),
        ("D * K", "D + K"),
        ("D * K + 1", "D + K"),
        ("D + K", "2 * D"),
        ("D * D", "D * K"),
        ("D", "1"),
        ("D + 1", "2"),
    ] {
        assert!(!promised(found, promise), "{found} may be {promise}");
    }
    for (found, promise) in [
        ("D", "D + 1"),
        ("D * K + D", "D"),
        ("2 * D + 3", "D + 2"),
        ("D + K", "D"),
        ("D * K", "2 * D * K + K"),
        ("D * D + D + 1", "D * D"),
    ] {
        assert!(promised(found, promise), "{found} is never {promise}");
    }
    // What divides a name is not larger than it.
    let half = "block B(x: f32[N, D]) -> f32[N, D] { fc: Linear(D / 2); fc(x) }";
    assert_eq!(mistakes(half).len(), 1, "{half}");
}

#[test]
fn what_depends_on_the_use_is_told_at_the_use() {
    // Right for one kind of size, and nobody uses it.
    for right in [
        "block B<K>(x: f32[N, D]) -> f32[N, D] { a: Linear(D - K); o: Linear(D); o(a(x)) }",
        "block B<HEADS>(x: f32[N, D]) -> f32[N, D] { const HD: usize = D / HEADS; l: Linear(HD / 2); o: Linear(D); o(l(x)) }",
        "block B(x: f32[N, D]) -> f32[N, 7] { x }",
        "block B<K>(x: f32[N, D]) -> f32[N, D] { if K == 7 { x } else { x.thanh() } }",
        "block B<K = 3>(x: f32[N, D]) -> f32[N, D] { x.reshape([N, D / K, K - 2]) }",
        "block B<BIAS = true>(x: f32[N, D]) -> f32[N, D] { fc: Linear(D, bias = BIAS); let y = fc(x); if BIAS { y.sum(1) } else { y } }",
        "block B<MODE>(x: f32[N, D]) -> f32[N, D] { x.gelu(approximate = MODE) }",
        "block B<K>(x: f32[N, D]) -> f32[N, D] { let y = if K == 7 { x } else { x.sum(1) }; y.flatten(1) }",
    ] {
        assert_eq!(mistakes(right), [""; 0], "{right}");
        let with_function = format!("{} net Test {{ pub fn f(x: f32[N, 2]) -> f32[N, 2] {{ x.tanh() }} }}", right);
        assert_eq!(mistakes(&with_function), [""; 0], "{right}");
    }
    let net = "block B<K>(x: f32[N, D]) -> f32[N, D] { a: Linear(D - K); o: Linear(D); o(a(x)) }
        net Test { a: B<2>; b: B<9>; pub fn f(x: f32[N, 8]) -> f32[N, 8] { a(x) } pub fn g(x: f32[N, 8]) -> f32[N, 8] { b(x) } }";
    let found = mistakes(net);
    assert!(found.len() == 1 && found[0].contains("this happens in `B`"), "{found:#?}");
}
