//! Text → tree: every form of the language, and what is left of broken input.

use proc_macro2::Delimiter;

use crate::places::Places;
use crate::tests::mutate::{Random, Tree, mutate, tokens, trees};

mod print;

const EXAMPLES: &str = include_str!("language.txt");

/// The tree as text, and the first line of each mistake.
fn parse(source: &str) -> (String, Vec<String>) {
    let tokens = source.parse().expect("the test is made of tokens");
    let mut mistakes = vec![];
    let (file, _) = super::parse(tokens, &mut Places::new(), &mut mistakes);
    (print::file(&file), mistakes.iter().map(|d| format!("{}: {}", d.code, d.message)).collect())
}

#[test]
fn the_whole_language_is_read() {
    let (tree, mistakes) = parse(EXAMPLES);
    assert_eq!(mistakes, [""; 0]);
    insta::assert_snapshot!(tree);
}

/// Each of these statements in a function, between two others.
fn statement(statement: &str) -> Vec<String> {
    let source =
        format!("net A {{ pub fn f(x: f32[N]) -> f32[N] {{ let a = first(x); {statement} let b = x + ; b }} }}");
    let (tree, mut mistakes) = parse(&source);
    assert!(tree.contains("let a = first(x);") && tree.contains("let b = (x Add ?);"), "{statement}: {tree}");
    let last = mistakes.pop();
    assert_eq!(last.as_deref(), Some("N0601: expected an expression after this"), "{statement}");
    mistakes
}

#[test]
fn each_slip_in_a_statement_is_reported_once() {
    for (slip, message) in [
        ("let y = x.;", "expected a name after `.`"),
        ("let y = x.", "expected a name after `.`"),
        ("let y = x. let z = 5;", "expected a name after `.`"),
        ("x.", "expected a name after `.`"),
        ("x.;", "expected a name after `.`"),
        ("let y = f(x.);", "expected a name after `.`"),
        ("let y = x", "expected `;` after this"),
        ("let y = x for i in 0..4 { }", "expected `;` after this"),
        ("let y = x if D > 4 { }", "expected `;` or an operator, found `if`"),
        ("let [q, , k] = f(x);", "expected a name, found nothing more"),
        ("let [q k] = f(x);", "expected `,` after the name, found `k`"),
        ("let [q, ..] = f(x);", "`..` does not occur in patterns"),
        ("let (a, b): (f32, f32) = f(x);", "a type stands after one name"),
        ("let Some(y) = f(x);", "only names, `(a, b)` and `[a, b]` are patterns"),
        ("let a::b = f(x);", "only names, `(a, b)` and `[a, b]` are patterns"),
        ("let &y = f(x);", "values are passed without `&`"),
        ("let ref y = f(x);", "`ref` does not occur in networks"),
        ("let y: Tensor<f32, 2> = x;", "there is no type `Tensor` in networks"),
        ("let y: f32<2> = x;", "types of tensors have no `<…>`"),
        ("let y = if D > 4 { x };", "an `if` that gives a value has an `else`"),
        ("let y = if let Some(a) = x { x } else { x };", "`if let` does not occur in networks"),
        ("if let Some(a) = x { y = x; }", "`if let` does not occur in networks"),
        ("let y = if D > 4 { let z = x; } else { x };", "this branch has no result"),
        ("let y = if D > 4 { } else { x };", "this branch has no result"),
        ("let y = for i in 0..4 { x };", "a `for` has no value"),
        ("let y = while D { x };", "`while` does not occur in networks"),
        ("let y = loop { x };", "`loop` does not occur in networks"),
        ("let y = match x { _ => y };", "`match` does not occur in networks"),
        ("let y = { let z = x; };", "this block has no result"),
        ("let y = Foo { a: 1 };", "expected `:`"),
        ("let y = 0..4;", "ranges occur in `for` and in index lists"),
        ("let y = |a| a;", "closures occur only as arguments of `scan`"),
        ("let y = x[];", "an index list without indices"),
        ("let y = x[0, , 1];", "expected an expression"),
        ("let y = x ** 2;", "there is no operator `**`"),
        ("let y = x @ x;", "there is no operator `@`"),
        ("x @ x;", "there is no operator `@`"),
        ("let y = x and x;", "there is no operator `and`"),
        ("let y = self.fc(x);", "functions of a net have no `self`"),
        ("let y = self.fc.weight;", "functions of a net have no `self`"),
        ("let y = f(self);", "functions of a net have no `self`"),
        ("let y = (x + x)(x);", "this cannot be called"),
        ("let y = (x = 5);", "assignments do not occur in expressions"),
        ("let y = (x += 5);", "assignments do not occur in expressions"),
        ("let y = scan(x, 0, |s: f32, x| (s, x));", "arguments of closures have no type"),
        ("let y = scan(x, 0, |mut s, x| (s, x));", "arguments of closures are not `mut`"),
        ("let y = scan(x, 0, |s, x| { });", "this closure has no result"),
        ("let y = assert!(D > 4);", "`assert!` has no value"),
        ("let y = vec![x];", "macros do not occur in networks"),
        ("for i in 0..4 { y = x. }", "expected a name after `.`"),
        ("for i in 0.. { y = x; }", "a `for` runs from one number to another"),
        ("for i 0..4 { y = x; }", "expected `in` after the name, found `0`"),
        ("for in 0..4 { y = x; }", "expected a name after `for`, found `in`"),
        ("for i in 0..4;", "expected `{` and the rounds of the `for`, found `;`"),
        ("for i in { y = x; }", "expected an expression"),
        ("for mut i in 0..4 { y = x; }", "the name of a round is not `mut`"),
        ("for i in 0..4 { f(x) }", "this statement has no effect"),
        ("for i in 0..4 { if D > 4 { x } }", "this statement has no effect"),
        ("if D > 4 { x } else { x }", "this statement has no effect"),
        ("if D > 4 y = x;", "expected an operator or the end of the expression, found `y`"),
        ("if { y = x; }", "expected an expression"),
        ("if D > 4 { y = x; } else y = x;", "expected `{` or `if` after `else`, found `y`"),
        ("while D { y = x; }", "`while` does not occur in networks"),
        ("break;", "`break` does not occur in networks"),
        ("x[0] = x;", "only a name can be assigned"),
        ("fc.weight = x;", "only a name can be assigned"),
        ("(a, b) = x;", "only a name can be assigned"),
        ("y ^= x;", "there is no operator `^=`"),
        ("y = ;", "expected an expression"),
        ("y = x", "expected `;` after this"),
        ("y += x z;", "expected `;` or an operator, found `z`"),
        ("assert!();", "expected a condition"),
        ("assert!(D > 4, 5);", "expected a text"),
        ("assert!(D > 4, \"{}\", D);", "the text of an `assert!` has no arguments"),
        ("assert!;", "expected `(` after `assert!`, found `;`"),
        ("assert!(D > 4)", "expected `;` after this"),
        ("assert_eq!(D, 4);", "macros do not occur in networks"),
        ("fn g(x: f32) -> f32 { x }", "`fn` does not occur in a body"),
        ("#[freeze] let c = x;", "`#[freeze]` does not belong here"),
    ] {
        let found = statement(slip);
        let codes = ["N0601", "N0604", "N0515", "N0516", "N0501"];
        let wanted = codes.map(|code| format!("{code}: {message}"));
        assert!(found.len() == 1 && wanted.contains(&found[0]), "{slip}: {found:?}");
    }
}

/// The mistakes of an item in a net, between two others, which must be read.
fn item(item: &str) -> Vec<String> {
    let (tree, mistakes) = parse(&format!("net A {{ fc: Linear(1); {item} last: Linear(2); }}"));
    assert!(tree.contains("fc: Linear(1)") && tree.contains("last: Linear(2)"), "{item}: {tree}");
    mistakes
}

#[test]
fn each_slip_in_an_item_is_reported_once() {
    for (slip, message) in [
        ("conv = Conv2d(20);", "expected a layer, `const` or `fn`, found `conv`"),
        ("conv: Conv2d(20)", "expected `;` after this"),
        ("conv: Conv2d { 20 };", "expected `;`, found `{ 20 }`"),
        ("conv: ;", "expected a layer or block, found `;`"),
        ("conv: nn::Conv2d(20);", "kinds of layers have no path"),
        ("conv: [];", "an array of no layers"),
        ("conv: [Linear(10); ];", "expected an expression"),
        ("conv: [Linear(10), Linear(4); 2];", "expected `,`, found `;`"),
        ("conv: [Linear(10) Linear(4)];", "expected `,` or `;`, found `Linear`"),
        ("conv: [Linear(10), , Linear(4)];", "expected a layer or block, found `,`"),
        ("conv: [Linear(10), ; Linear(4)];", "expected a layer or block, found `;`"),
        ("conv: Wide<4;", "this `<` is not closed"),
        ("conv: Wide<4, D", "this `<` is not closed"),
        ("conv: Wide<D / 2>;", "an expression between `<` and `>` stands in braces"),
        ("conv: Wide<{ D / }>;", "expected an expression after this"),
        ("conv: Wide<, 4>;", "expected a parameter, found `,`"),
        ("conv: Wide<Layer<4, 3>, 4>;", "`<…>` does not occur in `<…>`"),
        ("conv: Wide::<4>;", "`::` does not stand before `<`"),
        ("conv: if D > 4 { Linear(10); };", "expected `}` after the layer, found `;`"),
        ("conv: if D > 4 { } else { Linear(10) };", "expected a layer or block, found nothing more"),
        ("conv: if D > 4;", "expected `{` after the condition, found `;`"),
        ("conv: if { Linear(10) };", "expected an expression"),
        ("conv: if D > 4 { Linear(10) } else;", "expected `{` or `if` after `else`, found `;`"),
        ("conv: if let Some(x) = y { Linear(10) };", "`if let` does not occur in networks"),
        ("param scale = ones;", "expected `:` and the type of `scale`, found `=`"),
        ("param scale: f32[D];", "expected `=` and the first value of the param, found `;`"),
        ("param scale: f32[D] = ;", "expected an expression"),
        ("param scale: f32[D] = ones", "expected `;` after this"),
        ("param scale: f32[D]", "expected `=` and the first value of the param, found `last`"),
        ("state h: Tensor = zeros;", "there is no type `Tensor` in networks"),
        ("where;", "expected a rule after `where`, found `;`"),
        ("where D;", "a rule is a comparison of sizes"),
        ("where D > 4 && T > 2;", "rules are separated by `,`"),
        ("where D > 4, , T > 2;", "expected a rule, found `,`"),
        ("where D = 4;", "a rule compares: `=` assigns"),
        ("where D > 4", "expected `;` after this"),
        ("#[freeze = 1] conv: Linear(1);", "expected `]` after `freeze`, found `=`"),
        ("#[freeze] #[freeze] conv: Linear(1);", "`#[freeze]` stands here twice"),
        ("#[frieze] conv: Linear(1);", "there is no attribute `frieze` in networks"),
        ("#[cfg(test)] conv: Linear(1);", "there is no attribute `cfg` in networks"),
        ("#[memory(1 B)] conv: Linear(1);", "`#[memory]` does not belong here"),
        ("#[lr_mult] conv: Linear(1);", "expected `=` or `(` after `lr_mult`, found nothing more"),
        ("#[lr_mult()] conv: Linear(1);", "expected the name of a tensor, found nothing more"),
        ("#[lr_mult(bias)] conv: Linear(1);", "expected `bias = 0.1`, found `bias`"),
        ("#[lr_mult(bias = )] conv: Linear(1);", "expected an expression"),
        ("#[lr_mult(bias = 1, bias = 2)] conv: Linear(1);", "`bias` stands here twice"),
        ("#[lr_mult(bias = 1) = 2] conv: Linear(1);", "expected `]` after `lr_mult(…)`, found `=`"),
        ("#[lr_mult = ] conv: Linear(1);", "expected an expression"),
        ("#[lr_mult = 1] const D: usize = 4;", "`#[lr_mult]` does not belong here"),
        ("#[freeze] state h: f32 = zeros;", "a `state` is not trained: `#[freeze]` has no meaning here"),
        ("#[freeze] fn f(x: f32) -> f32 { x }", "`#[freeze]` does not belong here"),
        ("#[memory] fn f(x: f32) -> f32 { x }", "expected `(` after `memory`, found nothing more"),
        ("#[memory(5 XB)] fn f(x: f32) -> f32 { x }", "expected a unit, found `XB`"),
        ("#[memory()] fn f(x: f32) -> f32 { x }", "expected the budget, such as `512 MiB`"),
        ("#[memory(N = 5)] fn f(x: f32) -> f32 { x }", "expected the budget, such as `512 MiB`"),
        ("#[memory(5 MiB, 5)] fn f(x: f32) -> f32 { x }", "expected `N = 256` or `optimizer = Sgd`, found `5`"),
        ("#[memory(5 MiB N = 5)] fn f(x: f32) -> f32 { x }", "expected `,` after the budget, found `N`"),
        ("# fn f(x: f32) -> f32 { x }", "expected `[` after `#`, found `fn`"),
        ("pub conv: Linear(10);", "expected `fn` or `train fn` after `pub`, found `conv`"),
        ("type: Linear(10);", "`type` is a keyword of Rust, not a name"),
        ("train loss(x: f32) -> f32 { x }", "expected `fn` after `train`, found `loss`"),
        ("train[] fn loss(x: f32) -> f32 { x }", "a `train` list without names"),
        ("train[a.b] fn loss(x: f32) -> f32 { x }", "expected the name of a layer, block, array or `param`, found `.`"),
        (
            "train[a, 5] fn loss(x: f32) -> f32 { x }",
            "expected the name of a layer, block, array or `param`, found `5`",
        ),
        ("fn f(x: f32) -> () { x }", "`()` is no result"),
        ("fn f(x: f32) -> (f32, (f32, f32)) { x }", "a tuple in a tuple"),
        ("fn f(x: f32[N]) -> f32 where N > 2 { x }", "rules do not stand before the body"),
        ("fn f(x: f32) -> f32;", "expected `{` and the body of the function, found `;`"),
        ("fn f<T>(x: f32) -> f32 { x }", "functions of a net have no `<…>`"),
        ("fn f(#[a] x: f32) -> f32 { x }", "there is no attribute `a` in networks"),
        ("block B(x: f32) -> f32 { x }", "expected a layer, `const` or `fn`, found `block`"),
        ("dynamic fn encode(x: &Array) -> f32[N, 8] { x }", "`dynamic fn` is not supported yet"),
        ("custom op lookup(x: f32[N]) -> f32[N] { forward = path; }", "`custom op` is not supported yet"),
        ("for i in 0..4 { }", "expected a layer, `const` or `fn`, found `for`"),
        ("use crate::Block;", "expected a layer, `const` or `fn`, found `use`"),
    ] {
        let found = item(slip);
        let wanted = ["N0501", "N0601", "N0604", "N0627", "N0628"].map(|code| format!("{code}: {message}"));
        assert!(found.len() == 1 && wanted.contains(&found[0]), "{slip}: {found:?}");
    }
}

#[test]
fn each_slip_between_items_is_reported_once() {
    for (slip, message) in [
        ("", ""),
        ("struct Foo { x: f32 }", "expected `net` or `block`, found `struct`"),
        ("pub nett Typo {}", "expected `net` or `block`, found `nett`"),
        ("pub net {}", "expected the name of the net, found `{ }`"),
        ("net C", "expected `{` after `net C`, found `net`"),
        ("net C(x: f32) { }", "expected `{` after `net C`, found `(x : f32)`"),
        ("net C<D { }", "this `<` is not closed"),
        ("net C<D = 4 / 2> { }", "an expression between `<` and `>` stands in braces"),
        ("net C<const D: usize> { }", "build-time parameters have no type"),
        ("net C<D: usize> { }", "build-time parameters have no type"),
        ("net C<4> { }", "expected the name of a parameter, found `4`"),
        ("net C<D 4> { }", "expected `,`, `=` or `>` after `D`, found `4`"),
        ("net C = Gpt<4, 256>", "expected `;` after this"),
        ("net C = Gpt<4, 256;", "this `<` is not closed"),
        ("net C = crate::Gpt<4>;", "nets are named without a path"),
        ("net C = ;", "expected the name of a net with parameters, found `;`"),
        ("net C = Gpt(4);", "build-time parameters stand in `<…>`"),
        ("block (x: f32) -> f32 { x }", "expected the name of the block, found `(x : f32)`"),
        ("block B -> f32 { 1.0 }", "expected `(` after `block B`, found `-`"),
        ("block B(x: f32) { x }", "`B` promises no result"),
        ("block B(x: f32) -> f32", "expected `{` and the body of the block, found `net`"),
        ("block B<D(x: f32) -> f32 { x }", "this `<` is not closed"),
        ("block B(x: f32) -> f32 where D > 4 { x }", "rules do not stand before the body"),
        ("block B(x: f32) -> f32 { fc: Linear(1) x }", "expected `;`, found `x`"),
        ("block B(x: f32) -> f32 { fn f(x: f32) -> f32 { x } x }", "`fn` does not occur in a body"),
        ("block B(x: f32) -> f32 { fc: Linear(1); }", "block `B` has no result"),
        ("#[freeze] block B(x: f32) -> f32 { x }", "`#[freeze]` does not belong here"),
        ("#[derive(Debug)] net C { }", "there is no attribute `derive` in networks"),
        ("fn f(x: f32) -> f32 { x }", "expected `net` or `block`, found `fn`"),
        ("dynamic fn encode(x: &Array) -> f32[N, 8] { x }", "`dynamic fn` is not supported yet"),
        ("net A { }", "two nets are called `A`"),
        ("net Z { }", "two nets are called `Z`"),
        ("block A(x: f32) -> f32 { x }", "a net and a block are called `A`"),
        ("net A = Gpt<4>;", "two nets are called `A`"),
    ] {
        let (tree, found) = parse(&format!("net A {{ fc: Linear(1); }} {slip} net Z {{ fc: Linear(2); }}"));
        assert!(tree.contains("fc: Linear(1)") && tree.contains("fc: Linear(2)"), "{slip}: {tree}");
        let wanted = ["N0502", "N0516", "N0601", "N0604", "N0627"].map(|code| format!("{code}: {message}"));
        let once = found.len() == usize::from(!slip.is_empty());
        assert!(once && found.iter().all(|f| wanted.contains(f)), "{slip}: {found:?}");
    }
}

#[test]
fn what_is_nested_too_deeply_is_refused() {
    let nested = |open: &str, middle: &str, close: &str, times: usize| {
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    for (open, middle, close) in [
        ("(", "x", ")"),
        ("[", "x", "]"),
        ("-", "x", ""),
        ("!", "x", ""),
        ("", "x", ".tanh()"),
        ("", "x", ".a"),
        ("", "x", "[0]"),
        ("", "x", "(0)"),
        ("", "x", " + x"),
        ("f(", "x", ")"),
        ("{ ", "x", " }"),
        ("if D > 1 { x } else { ", "x", " }"),
        ("if D > 1 { x } else ", "{ x }", ""),
        ("if D > 1 { ", "x", " } else { x }"),
        ("{ let y = ", "x", "; y }"),
        ("scan(x, x, |s, x| ", "x", ")"),
        ("|x| ", "x", ""),
        ("return ", "x", ""),
        ("x as ", "x", ""),
        ("match ", "x", " { }"),
        ("move |x| ", "x", ""),
        ("x = ", "x", ""),
        ("&", "x", ""),
        ("'a: ", "x", ""),
        ("x < ", "x", ""),
        ("break ", "x", ""),
        ("x..", "x", ""),
        ("x[", "0", "]"),
        ("a::<", "x", ">"),
        ("x as A<", "x", ">"),
        ("unsafe { ", "x", " }"),
        ("for i in 0..4 { ", "x", " }"),
        ("async { ", "x", " }"),
    ] {
        for times in [90, 110, 500, 3000] {
            let source = nested(open, middle, close, times);
            let (_, found) = parse(&format!("net A {{ pub fn f(x: f32) -> f32 {{ let a = {source}; a }} }}"));
            assert!(times < 110 || !found.is_empty() || close == " + x", "{open} {close} {times}");
        }
    }
    for (open, middle, close) in [
        ("let y = x; for i in 0..4 { ", "y = x;", " }"),
        ("if D > 4 { ", "y = x;", " }"),
        ("if D > 4 { } else ", "{ y = x; }", ""),
        ("let y = { ", "x", " };"),
        ("let (a, ", "x", ") = x;"),
        ("(", "a", ")"),
    ] {
        for times in [90, 110, 3000] {
            let source = nested(open, middle, close, times);
            parse(&format!("net A {{ pub fn f(x: f32) -> f32 {{ {source} x }} }}"));
            parse(&format!("net A {{ pub fn f(x: f32) -> f32 {{ let {source} = x; x }} }}"));
            parse(&format!("net A {{ pub fn f(x: f32) -> f32 {{ for {source} in x {{ }} x }} }}"));
        }
    }
    for (open, middle, close) in [
        ("[", "Linear(1)", "]"),
        ("[", "Linear(1)", "; 4]"),
        ("if D > 4 { ", "Linear(1)", " }"),
        ("if D > 4 { Linear(1) } else ", "{ Linear(1) }", ""),
        ("A<", "B", ">"),
        ("A(", "1", ")"),
    ] {
        for times in [90, 110, 3000] {
            let source = nested(open, middle, close, times);
            let (_, found) = parse(&format!("net A {{ fc: {source}; }}"));
            assert!(times < 110 || found.len() == 1, "{open} {close} {times}: {found:?}");
        }
    }
}

/// The parser alone is fast, so it is tried more often than the whole macro.
#[test]
fn no_input_makes_the_parser_panic() {
    let net = trees(EXAMPLES.parse().expect("tokens"));
    let parts: Vec<Vec<Tree>> =
        net.split_inclusive(|t| matches!(t, Tree::Group(Delimiter::Brace, _))).map(<[Tree]>::to_vec).collect();
    for seed in 0..1000 {
        let mut random = Random(seed);
        let (one, other) = (random.below(parts.len()), random.below(parts.len()));
        let mutant = tokens(&mutate(&parts[one], &parts[other], &mut random));
        let text = mutant.to_string();
        let result = std::panic::catch_unwind(|| {
            let mut mistakes = vec![];
            super::parse(mutant.clone(), &mut Places::new(), &mut mistakes);
            mistakes.len()
        });
        assert!(result.is_ok_and(|mistakes| mistakes < 40), "seed {seed}: {text}");
    }
}
