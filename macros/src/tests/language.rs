//! Blocks, arrays, instances, loops: what is right, and one mistake each.

use super::mistakes;

/// A residual net without statistics.
const RESIDUAL: &str = "
    /// Two convolutions around a shortcut.
    pub block Residual<CHANNELS, STRIDE = 1>(x: f32[N, C, H, W]) -> f32[N, CHANNELS, _, _] {
        conv1: Conv2d(CHANNELS, kernel_size = 3, stride = STRIDE, padding = 1, bias = false);
        conv2: Conv2d(CHANNELS, kernel_size = 3, padding = 1, bias = false);
        down:  if STRIDE != 1 || C != CHANNELS { Conv2d(CHANNELS, kernel_size = 1, stride = STRIDE, bias = false) };

        let y = conv1(x).relu();
        let shortcut = if STRIDE != 1 || C != CHANNELS { down(x) } else { x };
        (conv2(y) + shortcut).relu()
    }";

const RESNET: &str = "
    pub net ResNet<DEPTH, WIDTH = 16> {
        stem:   Conv2d(WIDTH, kernel_size = 3, padding = 1, bias = false);
        stage1: [Residual<WIDTH>; DEPTH];
        stage2: [Residual<{ 2 * WIDTH }, 2>, Residual<{ 2 * WIDTH }>, Residual<{ 2 * WIDTH }>];
        head:   Linear(10);

        pub fn scores(image: f32[N, 3, 16, 16]) -> f32[N, 10] {
            let x = stem(image).relu();
            head(stage2(stage1(x)).mean([2, 3]))
        }
        pub train fn loss(image: f32[N, 3, 16, 16], class: u8[N]) -> f32 { scores(image).cross_entropy(class) }
    }
    pub net ResNet8 = ResNet<3>;
    pub net Narrow = ResNet<1, WIDTH = 8>;";

#[test]
fn blocks_arrays_and_instances_have_no_mistakes() {
    assert_eq!(mistakes(&format!("{RESIDUAL} {RESNET}")), [""; 0]);
}

/// The mistakes of a net with these parts and this body, beside a few blocks.
fn net(parts: &str, body: &str) -> Vec<String> {
    let source = format!(
        "block Scale<BY, WIDTH = 4>(x: f32[N, C]) -> f32[N, WIDTH] {{ fc: Linear(WIDTH, bias = false); fc(x) * BY }}
         block Same(x: f32[N, C]) -> f32[N, C] {{ up: Linear(2 * C); down: Linear(C); x + down(up(x).relu()) }}
         block Pair(a: f32[N, C], b: f32[N, C]) -> (f32[N, C], f32[N, C]) {{ fc: Linear(C); (fc(a) + b, a) }}
         block Heads<COUNT>(x: f32[N, D]) -> f32[N, D] {{ where D % COUNT == 0; const EACH: usize = D / COUNT; mix: Linear(EACH); mix(x.reshape([N, COUNT, EACH])).flatten(1) }}
         net Test {{ const D: usize = 8; {parts} pub fn f(x: f32[N, 8], y: f32[N, 4]) -> f32[N, _] {{ {body} }} }}"
    );
    mistakes(&source).into_iter().map(|m| m.lines().next().unwrap_or_default().to_string()).collect()
}

#[test]
fn right_nets_of_blocks() {
    for (parts, body) in [
        ("s: Scale<2>;", "s(x)"),
        ("s: Scale<BY = 0.5, WIDTH = D>;", "x.s()"),
        ("s: [Same; 3];", "s(x)"),
        ("s: [Same; 3];", "s[0](x) + s[-1](x) + s[1](x)"),
        ("s: [Same; 3];", "let mut z = x; for layer in s { z = layer(z); } z"),
        ("s: [Same; 3];", "let mut z = x; for i in 0..3 { z = s[i](z) * i; } z"),
        ("s: [Scale<1>, Scale<1>, Scale<2>];", "s(x)"),
        ("s: [Linear(8); 4];", "s(x)"),
        ("p: Pair;", "let (a, b) = p(x, x + 1); a - b"),
        ("p: [Pair; 3];", "let (a, _) = p(x, x); a"),
        ("p: [Pair; 3];", "p(x, x).0"),
        ("h: Heads<4>;", "h(x)"),
        ("fc: Linear(8);", "let z = fc(x); z.matmul(fc.weight)"),
        ("fc: if D > 4 { Linear(8) } else { Linear(9) };", "fc(x)"),
        ("param scale: f32[D] = ones;", "x * scale"),
        (
            "param scale: f32[D, D] = xavier_uniform(gain = 2); fc: Linear(8, init = normal(0, 0.02), bias_init = zeros);",
            "fc(x).matmul(scale)",
        ),
        ("state last: f32[8] = zeros;", "let z = x - last; last = x.mean(0); z"),
        ("state last: f32[8] = zeros;", "last = x.mean(0); x"),
        ("state last: f32[8] = zeros;", "for i in 0..2 { last = x.mean(0); } x"),
        ("", "let (mut a, b) = (x, x); a = a.relu(); a + b"),
        ("", "x[.., 0..4] + x[.., -4..8] * x[0, 3]"),
        (
            "",
            "let (last, all) = scan(x, y.sum(0).sum() * 0.0, |s, row| { let n = s + row.mean(); (n, row * n) }); all + last",
        ),
        ("fc: Linear(8);", "let (h, _) = scan(x, x[0] * 0.0, |h, row| (fc(h) + row, ())); x + h"),
        ("where D % 4 == 0, D <= 8;", "assert!(D > 1); x"),
        ("", "let [a, b] = [x, x]; a + b"),
        ("", "let z = { let x = x * 2; x + 1 }; z"),
        ("", "let z = if N == N { x } else { y }; z"),
        ("", "let mut z = x; if D > 4 && D != 7 { z = z + 1; } else { z = y; } z"),
        ("", "let pair = (x, y); pair.0 + pair.0"),
        ("", "let mut z = x; z += 1; z *= 2; z"),
        ("relu: Linear(8);", "x.relu()"),
    ] {
        assert_eq!(net(parts, body), [""; 0], "{parts} {body}");
    }
}

#[test]
fn wrong_nets_of_blocks() {
    for (parts, body, wrong) in [
        ("s: Scale;", "s(x)", "N0301: `Scale` lacks its parameter `BY`"),
        ("s: Scale<1, 2, 3>;", "s(x)", "N0303: `Scale` takes 2 parameters in `<…>`, 3 are given"),
        ("s: Scale<1, WIDE = 2>;", "s(x)", "N0302: `Scale` has no parameter `WIDE`"),
        ("s: Scale<1, BY = 2>;", "s(x)", "N0304: `Scale` gets its parameter `BY` twice"),
        ("f: Linear(8);", "f(x)", "N0502: the name `f` is defined twice in `Test`"),
        ("", "torch.relu(x)", "N0501: there is no value `torch`"),
        ("s: Scale<WIDTH = 8, 1>;", "s(x)", "N0307: `Scale` gets an argument by position after `WIDTH = …`"),
        ("s: Scale<BY = 2, 1>;", "s(x)", "N0307: `Scale` gets an argument by position after `BY = …`"),
        ("p: Pair;", "p(b = x, x).0", "N0307: `p` gets an argument by position after `b = …`"),
        ("fc: Linear(bias = false, 8);", "fc(x)", "N0307: `Linear` gets an argument by position after `bias = …`"),
        ("", "x.sum(keepdim = true, 1)", "N0307: `sum` gets an argument by position after `keepdim = …`"),
        (
            "",
            "scan(x, init = x[0], |s, row| (s + row, s)).1",
            "N0307: `scan` gets an argument by position after `init = …`",
        ),
        ("s: Scale(1);", "s(x)", "N0603: the arguments of a block stand in `<…>`: `Scale<…>`"),
        ("s: Linear<8>;", "s(x)", "N0603: the arguments of a layer stand in parentheses: `Linear(…)`"),
        ("s: Sale<1>;", "s(x)", "N0402: there is no layer or block `Sale`"),
        ("s: [Same; 0];", "s(x)", "N0512: the length of an array is a number from 1 to 10000, found the size 0"),
        ("s: [Same; 3];", "s[3](x)", "N0518: an array of 3 has no element 3"),
        ("s: [Same; 3];", "s", "N0501: `s` is a layer, not a value"),
        ("s: Same;", "let z = s(x); z.matmul(s.up.wait)", "N0522: layer `s.up` has no tensor `wait`"),
        (
            "fc: Linear(8);",
            "x.matmul(fc.weight) + fc(x)",
            "N0522: the shape of `fc.weight` is not known yet: it follows from the first call of `fc`",
        ),
        (
            "s: Same;",
            "s(x) + s(y).sum()",
            "N0104: `s` is used with two sizes: its `C` is 8 by its first use and 4 here, and its parts depend on it",
        ),
        ("h: Heads<3>;", "h(x)", "N0520: the rule `D % COUNT == 0` does not hold: 8 % 3 == 0"),
        ("fc: if D > 9 { Linear(8) };", "fc(x)", "N0522: `fc` is not there: its condition does not hold"),
        ("p: Pair;", "p(x, y).0", "N0506: `b` of `Pair` must be f32[N, C], found f32[N, 4] (here C is 8)"),
        ("", "let (mut a, b) = (x, x); b = a; a = b; a", "N0519: `b` does not change: it was bound without `mut`"),
        ("", "let mut (a, b) = (x, x); a + b", "N0601: `mut` stands before a name"),
        ("", "let z = x; z = y; z", "N0519: `z` does not change: it was bound without `mut`"),
        ("", "let (a, b) = x; a", "N0518: this pattern has 2 parts, the value is a tensor f32[N, 8]"),
        (
            "",
            "let z = if x > 1 { x } else { y }; z",
            "N0521: a condition is known at build time, found a tensor bool[N, 8]",
        ),
        (
            "",
            "let mut z = x; for i in 0..N { z = z + i; } z",
            "N0512: the rounds of a `for` are counted at build time, found the size N",
        ),
        ("where D % 3 == 0;", "x", "N0520: the rule `D % 3 == 0` does not hold: 8 % 3 == 0"),
        ("", "assert!(D < 8, \"too wide\"); x", "N0520: too wide: 8 < 8"),
    ] {
        assert_eq!(net(parts, body), [wrong], "{parts} {body}");
    }
}

#[test]
fn mistakes_of_blocks_are_reported_once() {
    let fine = "net Test { s: [Bad; 2]; t: Bad; pub fn f(x: f32[N, 8]) -> f32[N, 8] { t(s(x)) } }";
    for (block, wrong) in [
        ("block Bad(x: f32[N, C]) -> f32[N, C] { fc: Linear(C); fc(x).flatten(3) }", "N0103"),
        ("block Bad(x: f32[N, C]) -> f32[N, C] { fc: Linear(C); idle: Linear(3); fc(x) }", "N0503"),
        ("block Bad(x: f32[N, C]) -> f32[N, C] { inner: Bad; inner(x) }", "N0508"),
        ("block Bad(x: f32[N, C]) -> f32[N, C] { fc: Linear(C); fcc(x) }", "N0401"),
    ] {
        let found = mistakes(&format!("{block} {fine}"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(wrong), "{found:?}");
    }
}

#[test]
fn rules_are_relied_on() {
    let net = |rule: &str, body: &str| {
        let source = format!(
            "net Test {{ {rule} conv: Conv1d(2, kernel_size = 2, stride = 2); pub fn f(x: f32[N, 2, T]) -> f32[N, 2, _] {{ let used = conv(x); {body} }} }}"
        );
        mistakes(&source).into_iter().map(|m| m.lines().next().unwrap_or_default().to_string()).collect::<Vec<_>>()
    };
    let promised = "where T % 2 == 0;";
    for (rule, body) in [
        (promised, "let y: f32[N, 2, T / 2] = used; y"),
        (promised, "x.reshape([N, 4, T / 2]).chunk(2, dim = 1)[0] + used"),
        ("where T % 2 == 0, T % 3 == 0;", "x[.., .., 0..T / 6]"),
        ("where 3 * T % 4 == 0;", "x[.., .., T / 4..]"),
        ("where T % 8 == 0;", "conv(conv(used))"),
    ] {
        assert_eq!(net(rule, body), [""; 0], "{rule} {body}");
    }
    for (rule, body, wrong) in [
        ("", "x", "N0107: `conv` with a stride of 2 needs a length that divides by it, found T"),
        (promised, "x.reshape([N, 2, T / 3, 3]).sum(3)", "N0511: T / 3 does not come out even for every value of T"),
        (promised, "x + used", "N0101: shapes do not meet in `+`: [N, 2, T] and [N, 2, T / 2]"),
        (promised, "x.thanh()", "N0401: there is no operator, layer or function `thanh`"),
    ] {
        assert_eq!(net(rule, body), [wrong], "{rule} {body}");
    }
}

#[test]
fn rules_that_the_help_asks_for_are_enough() {
    for (parts, body, asked) in [
        ("", "x.reshape([N, 4, H / 3, 3, W / 2, 2]).sum([3, 5])", vec!["H % 3 == 0", "W % 2 == 0"]),
        ("conv: Conv2d(4, kernel_size = 3, stride = 2, padding = 1);", "conv(x)", vec!["H % 2 == 0", "W % 2 == 0"]),
        (
            "convs: [Conv2d(4, kernel_size = 3, stride = (1, 2), padding = 1); 2];",
            "convs(x)",
            vec!["W % 2 == 0", "W % 4 == 0"],
        ),
        ("pool: AvgPool2d((2, 3));", "pool(pool(x))", vec!["H % 2 == 0", "W % 3 == 0", "H % 4 == 0", "W % 9 == 0"]),
    ] {
        let mut rules = vec![];
        loop {
            let all = if rules.is_empty() { String::new() } else { format!("where {};", rules.join(", ")) };
            let net =
                format!("net Test {{ {parts} {all} pub fn f(x: f32[N, 4, H, W]) -> f32[N, 4, _, _] {{ {body} }} }}");
            let found = mistakes(&net);
            let Some(first) = found.first() else { break };
            let (_, rule) = first.split_once("promise it, `where ").unwrap_or_else(|| panic!("{net}: {found:?}"));
            let rule = rule.split_once(';').unwrap().0.to_string();
            assert!(!rules.contains(&rule), "{net}: asked for what is there: {found:?}");
            rules.push(rule);
        }
        assert_eq!(rules, asked, "{parts} {body}");
    }
}

#[test]
fn blocks_alone_are_told_by_their_names() {
    for (block, wrong) in [
        (
            "block Bad(x: f32[N, D]) -> f32[N, D] { x.sum(1) }",
            "N0509: block `Bad` promises f32[N, D] but its body gives f32[N]",
        ),
        (
            "block Bad(x: f32[B, T, D]) -> f32[B, T, D] { fc: Linear(4 * D); fc(x).reshape([B, 2 * T * D]) }",
            "N0108: `reshape` of [B, T, 4*D] to [B, 2*D*T]: 4*B*D*T elements against 2*B*D*T",
        ),
        (
            "block Bad<HEADS>(x: f32[B, T, D]) -> f32[B, T, D] { where D % HEADS == 0; x.reshape([B, T, HEADS, D / HEADS]) }",
            "N0509: block `Bad` promises f32[B, T, D] but its body gives f32[B, T, HEADS, D / HEADS]",
        ),
        (
            "block Bad<WIDTH>(x: f32[N, D]) -> f32[N, D] { const HALF: usize = WIDTH / 2; up: Linear(HALF); up(x).reshape([2, N, HALF]) }",
            "N0108: `reshape` of [N, HALF] to [2, N, HALF]",
        ),
        (
            "block Bad(x: f32[N, 3, H, W]) -> f32[N, 3, _, _] { x.reshape([N, 3, H + 1, W]) }",
            "N0108: `reshape` of [N, 3, H, W] to [N, 3, H + 1, W]: 3*H*N*W elements against 3*(H + 1)*N*W",
        ),
        // What is given for a parameter need be no size.
        (
            "block Good<BIAS>(x: f32[N, D]) -> f32[N, D] { fc: Linear(D, bias = BIAS); if BIAS { fc(x) } else { x } }",
            "",
        ),
        (
            "block Good<P, BIAS>(x: f32[N, D]) -> f32[N, D] { fc: Linear(D, bias = BIAS); drop: Dropout(P); if BIAS { fc(x) } else { x.drop() } }",
            "",
        ),
        (
            "block Bad<P, BIAS>(x: f32[N, D]) -> f32[N, D] { fc: Linear(D, bias = BIAS); drop: Dropout(P); fc(x.drop()).sum(1) }",
            "N0509: block `Bad` promises f32[N, D] but its body gives f32[N]",
        ),
    ] {
        let found = mistakes(block);
        match wrong {
            "" => assert_eq!(found, [""; 0], "{block}"),
            wrong => assert!(found.len() == 1 && found[0].starts_with(wrong), "{block}: {found:#?}"),
        }
    }
}

#[test]
fn functions_that_draw_have_a_method_more() {
    let net = |functions: &str| format!("pub net Test {{ fc: Linear(2); {functions} }}");
    let methods = |source: &str| {
        let file = super::file(source);
        let text = quote::quote!(#file).to_string();
        ["draw_seeded", "plain_seeded", "loss_seeded"].map(|name| text.contains(&format!("fn {name} ")))
    };
    let functions = "pub fn draw(x: f32[N, 2]) -> f32[N, 2] { fc(x + randn_like(x)) } pub fn plain(x: f32[N, 2]) -> f32[N, 2] { fc(x) }
        pub train fn loss(x: f32[N, 2]) -> f32 { fc(x.dropout(0.5)).mean() }";
    // Dropout draws in training only.
    assert_eq!(methods(&net(functions)), [true, false, false]);
    let taken = net(&format!("{functions} pub fn draw_seeded(x: f32[N, 2]) -> f32[N, 2] {{ x }}"));
    let found = mistakes(&taken);
    let wrong = "N0502: the method `draw_seeded` exists already: `draw` draws random numbers";
    assert!(found.len() == 1 && found[0].starts_with(wrong), "{found:#?}");
    let free = net(&format!("{functions} pub fn plain_seeded(x: f32[N, 2]) -> f32[N, 2] {{ x }}"));
    assert_eq!(mistakes(&free), [""; 0]);
}

#[test]
fn functions_called_as_operators_are_to_be_renamed() {
    for (functions, help) in [
        (
            "pub fn mean(x: f32[N]) -> f32 { x.mean() }",
            "`mean` is also an operator, but the net's own names come first",
        ),
        (
            "fn var(x: f32[N]) -> f32 { scaled(x) } pub fn scaled(x: f32[N]) -> f32 { x.var() }",
            "`var` is also an operator",
        ),
        ("pub fn ping(x: f32[N]) -> f32 { ping(x) }", "calls are inlined at build time"),
    ] {
        let said = mistakes(&format!("net Test {{ {functions} }}"));
        assert!(said[0].starts_with("N0508") && said[0].contains(&format!("= help: {help}")), "{said:?}");
    }
}

#[test]
fn what_lies_outside_is_told_as_it_is_written() {
    for (item, said) in [
        ("x[-5..]", "N0110: the range -5.. of an axis of 4 elements: [4, N]"),
        ("x[-9..-7]", "N0110: the range -9..-7 of an axis of 4 elements: [4, N]"),
        ("x[-1..-2]", "N0110: the range -1..-2 is empty"),
        ("x[..5]", "N0110: the range ..5 of an axis of 4 elements: [4, N]"),
        ("x[-5]", "N0110: index -5 of an axis of 4 elements: [4, N]"),
        ("x.select(0, -5)", "N0110: index -5 of an axis of 4 elements: [4, N]"),
        ("x.narrow(0, -5, 2)", "N0110: 2 elements from -5 on of an axis of 4 elements: [4, N]"),
        ("x.narrow(0, 3, 2)", "N0110: 2 elements from 3 on of an axis of 4 elements: [4, N]"),
    ] {
        let found = mistakes(&format!("net Test {{ pub fn f(x: f32[4, N]) -> f32 {{ ({item}).sum() }} }}"));
        assert_eq!(found.len(), 1, "{item}: {found:?}");
        assert_eq!(found[0].lines().next(), Some(said), "{item}");
    }
}

#[test]
fn several_results_are_taken_apart() {
    let used = "x + values.sum() + indices.cast(f32).sum()";
    for call in ["x.sort(dim = -1)", "x.sort(1, descending = true)", "x.topk(2)", "topk(x, k = 2, dim = 0)", "x.max(1)"]
    {
        assert_eq!(net("", &format!("let (values, indices) = {call}; {used}")), [""; 0], "{call}");
    }
    assert_eq!(net("", "let (values, _) = x.sort(); x + values.sum()"), [""; 0]);
    assert_eq!(net("", "x.cumsum(1) + x.sort().1.cast(f32) + x.sort(0).0"), [""; 0]);
}
