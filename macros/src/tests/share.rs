//! Blocks of other calls: what a call asks for, what it is answered, what comes of it.

use std::collections::HashMap;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::quote;

use crate::expand::expand;

/// What the macros of blocks answer, by their names.
type Macros = HashMap<String, TokenStream>;

fn is_error(item: &syn::Item) -> Option<String> {
    match item {
        syn::Item::Macro(m) if m.mac.path.segments.last()?.ident == "compile_error" => {
            Some(m.mac.parse_body::<syn::LitStr>().expect("a message").value())
        }
        _ => None,
    }
}

/// Does what rustc does with a call of `network!`: expands it, and what it asks for, to the end. Its mistakes; its macros are added.
fn call(source: &str, macros: &mut Macros) -> Vec<String> {
    let mut tokens: TokenStream = source.parse().expect("tokens");
    let mut mistakes = vec![];
    for _ in 0..100 {
        let file: syn::File = syn::parse2(expand(tokens)).expect("the output is Rust");
        mistakes.extend(file.items.iter().filter_map(is_error));
        let asked = file.items.iter().find_map(|item| match item {
            syn::Item::Macro(m) if m.ident.is_none() && is_error(item).is_none() => Some(&m.mac),
            _ => None,
        });
        let Some(asked) = asked else {
            let mut hidden = Macros::new();
            for item in file.items {
                match item {
                    syn::Item::Macro(m) => drop(m.ident.map(|i| hidden.insert(i.to_string(), answer(m.mac.tokens)))),
                    syn::Item::Use(one) => {
                        let syn::UseTree::Rename(tree) = one.tree else { continue };
                        let answer = hidden.remove(&tree.ident.to_string()).expect("a macro");
                        macros.insert(tree.rename.to_string(), answer);
                    }
                    _ => {}
                }
            }
            return mistakes.into_iter().map(|m| m.lines().next().unwrap_or_default().to_string()).collect();
        };
        let path: Vec<String> = asked.path.segments.iter().map(|s| s.ident.to_string()).collect();
        let answer = macros.get(&path[path.len() - 1]).unwrap_or_else(|| panic!("no macro {path:?}"));
        let state = asked.tokens.clone().into_iter().last().expect("a state");
        tokens = quote!(@castnet 1 #answer #state);
    }
    panic!("the chain has no end");
}

/// What the first rule of a macro hands out: the group in parentheses after `@castnet 1`.
fn answer(rules: TokenStream) -> TokenStream {
    let body = rules.into_iter().find_map(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group.stream()),
        _ => None,
    });
    let call = body.and_then(|body| match body.into_iter().last() {
        Some(TokenTree::Punct(_)) | None => None,
        Some(token) => Some(token),
    });
    let Some(TokenTree::Group(call)) = call else { panic!("no call of `network!`") };
    call.stream().into_iter().nth(3).expect("a definition").into()
}

const BLOCKS: &str = "
    /// Uses a private one.
    pub block Outer<WIDTH>(x: f32[N, D]) -> f32[N, WIDTH] { inner: Inner<{ 2 * WIDTH }>; fc: Linear(WIDTH); fc(inner(x)) }
    block Inner<HIDDEN>(x: f32[N, D]) -> f32[N, D] { up: Linear(HIDDEN); down: Linear(D); down(up(x).relu()) }
    block Other(x: f32[N]) -> f32[N] { x.tanh() }
    pub(crate) block Same(x: f32[N]) -> f32[N] { x + 1 }";

#[test]
fn blocks_bring_what_they_use() {
    let mut macros = Macros::new();
    assert_eq!(call(BLOCKS, &mut macros), [""; 0]);
    let mut names: Vec<&String> = macros.keys().collect();
    names.sort();
    assert_eq!(names, ["Outer", "Same"]);
    let outer = macros["Outer"].to_string();
    assert!(
        outer.contains("block Inner") && !outer.contains("block Other") && !outer.contains("block Same"),
        "{outer}"
    );

    // Another call, in which the same name means something else.
    let second = "use a::Outer as Base; use a::Same as Plus;
        pub block Inner(x: f32[N, D]) -> f32[N, 4] { base: Base<4>; base(x) }
        pub net Stack<DEPTH> { plus: Plus; first: Inner; layers: [Inner; DEPTH]; pub fn f(x: f32[N, 4]) -> f32[N, 4] { plus(layers(first(x)).flatten(0)).reshape([N, 4]) } }";
    assert_eq!(call(second, &mut macros), [""; 0]);
    assert!(macros["Inner"].to_string().contains("HIDDEN"));
    let third = "use a::{Outer, b::{Inner, Stack as Deep}};
        net Two = Deep<2>;
        net Both { outer: Outer<3>; inner: Inner; pub fn f(x: f32[N, 5]) -> f32[N, 4] { inner(outer(x)) } }";
    assert_eq!(call(third, &mut macros), [""; 0]);
}

#[test]
fn mistakes_of_uses_are_reported_once() {
    let mut macros = Macros::new();
    call(BLOCKS, &mut macros);
    let net = "net Test { outer: Outer<3>; pub fn f(x: f32[N, 5]) -> f32[N, 3] { outer(x) } }";
    for (uses, wrong) in [
        ("use a::Outer;", ""),
        ("use a::{Outer};", ""),
        ("use a::{Outer,};", ""),
        ("use ::a::Outer;", ""),
        ("/// Why.\n use a::Same as Outer;", "N0303: `Outer` takes no parameters in `<…>`, 1 is given"),
        ("use a::Outer; use a::Same;", "N0503: `Same` is never used"),
        ("use a::Outer; use b::Outer;", "N0502: `Outer` is used twice"),
        ("use a::{Outer, Outer};", "N0502: `Outer` is used twice"),
        (
            "use a::Outer; block Outer<A>(x: f32[N, 5]) -> f32[N, 3] { fc: Linear(3); fc(x) * A }",
            "N0502: `Outer` is defined here and used from elsewhere",
        ),
        ("use a::Outer", "N0601: expected `;` after this"),
        ("pub use a::Outer;", "N0601: `use` inside `network!` is not public"),
        ("pub(crate) use a::Outer;", "N0601: `use` inside `network!` is not public"),
        ("use a::*;", "N0601: `*` does not occur in `use` inside `network!`"),
        ("use a::Outer::{self};", "N0601: `self` is no block"),
        ("use ;", "N0601: expected the name of a block, found nothing more"),
        ("use a::;", "N0601: expected the name of a block, found nothing more"),
        ("use a::Outer as;", "N0601: expected a name after `as`"),
        ("use a::Outer as _;", "N0601: expected a name after `as`"),
        ("use a::Outer b;", "N0601: expected `;` or `,` after this `use`, found `b`"),
        ("use a::{Outer b};", "N0601: expected `;` or `,` after this `use`, found `b`"),
        ("use 5;", "N0601: expected the name of a block, found `5`"),
        ("use a::{{{Outer}}};", ""),
    ] {
        let found = call(&format!("{uses} {net}"), &mut macros);
        let right = match wrong {
            "" => found.is_empty(),
            wrong => found == [wrong],
        };
        assert!(right, "{uses}: {found:?}");
    }
}

#[test]
fn foreign_mistakes_stay_where_they_were_made() {
    let mut macros = Macros::new();
    let wrong =
        "pub block Wrong(x: f32[N]) -> f32[N] { x.thanh() } pub block Half(x: f32[N]) -> f32[N] { let y = ; y }";
    assert_eq!(call(wrong, &mut macros).len(), 2);
    let user = "use a::{Wrong, Half};
        net Test { wrong: Wrong; half: Half; pub fn f(x: f32[N]) -> f32[N] { half(wrong(x)) } }";
    assert_eq!(call(user, &mut macros), [""; 0]);
    // What else is there is not unused for that.
    let trained = "use a::Wrong;
        net Test { wrong: Wrong; fc: Linear(3); pub train fn loss(x: f32[N]) -> f32 { fc(wrong(x).reshape([N, 1])).sum() } }";
    assert_eq!(call(trained, &mut macros), [""; 0]);
    let beside = "use a::Wrong;
        net Test { wrong: Wrong; fc: Linear(3); pub fn f(x: f32[N, 2]) -> f32[N, 3] { fc(x) } pub train fn loss(x: f32[N]) -> f32 { wrong(x).sum() } }";
    assert_eq!(call(beside, &mut macros), [""; 0]);
    // Tokens that look like an answer and are none.
    assert_eq!(call("@castnet nothing", &mut macros).len(), 1);
}

#[test]
fn castnet_is_called_as_it_is_named_in_front() {
    let net = "net Small { fc: Linear(2); pub train fn loss(x: f32[N, 3]) -> f32 { fc(x).sum() } }";
    let text = |source: &str| expand(source.parse().expect("tokens")).to_string();
    let plain = text(net);
    assert!(plain.contains(":: castnet :: __private"));
    // As `network!` hands it on, and as the first item says: all that is written says so.
    for front in ["@castnet [a::cn]", "crate = crate::a::cn;", "@castnet [elsewhere] crate = ::a::cn;"] {
        let other = text(&format!("{front} {net}"));
        assert!(!other.contains("castnet ::") && !other.contains("elsewhere"), "{front}: {other}");
        assert_eq!(other.matches("cn :: __private").count(), plain.matches("castnet :: __private").count(), "{front}");
    }
    let mut macros = Macros::new();
    call(BLOCKS, &mut macros);
    let user = "crate = crate::a::cn; use a::Outer;
        net Test { outer: Outer<3>; pub fn f(x: f32[N, 5]) -> f32[N, 3] { outer(x) } }";
    let asked = text(user);
    assert!(asked.contains("[crate :: a :: cn :: __private :: network]"), "{asked}");
    assert_eq!(call(user, &mut macros), [""; 0]);

    for (wrong, said) in [
        ("crate = cn;", "N0601: expected the path of castnet, from the root on"),
        ("crate = self::cn;", "N0601: expected the path of castnet, from the root on"),
        ("crate = ::a::;", "N0601: expected the path of castnet, from the root on"),
        ("crate = ;", "N0601: expected the path of castnet, from the root on"),
        ("crate = ::cn", "N0601: expected `;` after this"),
        (
            "net A { pub fn f(x: f32[N]) -> f32[N] { x } } crate = ::cn;",
            "N0601: expected `net` or `block`, found `crate`",
        ),
    ] {
        let source = match wrong.ends_with("::cn;") && wrong.starts_with("net") {
            true => wrong.to_string(),
            false => format!("{wrong} {net}"),
        };
        assert_eq!(call(&source, &mut macros), [said], "{wrong}");
    }
}

#[test]
fn blocks_of_another_protocol_are_told() {
    let mut macros = Macros::new();
    call(BLOCKS, &mut macros);
    let asked = expand(
        "use a::Outer; net Test { outer: Outer<3>; pub fn f(x: f32[N, 5]) -> f32[N, 3] { outer(x) } }".parse().unwrap(),
    );
    let asked: syn::File = syn::parse2(asked).expect("Rust");
    let [syn::Item::Macro(asked)] = &asked.items[..] else { panic!("it asks") };
    let state = asked.mac.tokens.clone().into_iter().last().expect("a state");
    let answer = quote!(@castnet 2 (whatever it may be) #state);
    let said: syn::File = syn::parse2(expand(answer)).expect("Rust");
    let said: Vec<String> = said.items.iter().filter_map(is_error).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("N0405: `Outer` was written for another version of castnet"), "{said:?}");
}

#[test]
fn constants_come_along() {
    let mut macros = Macros::new();
    let blocks = "const HIDDEN: usize = 2 * HALF; const HALF: usize = 3; const OTHER: usize = 7;
        pub block Wide(x: f32[N, D]) -> f32[N, HIDDEN] { fc: Linear(HIDDEN); fc(x) }";
    assert_eq!(call(blocks, &mut macros), [""; 0]);
    let wide = macros["Wide"].to_string();
    assert!(wide.contains("HALF") && !wide.contains("OTHER"), "{wide}");
    // They come by themselves, too, under any name, and made of others of their own.
    let constants =
        "pub const TWICE: usize = 2 * HALF; const HALF: usize = 3; pub const RATE: f32 = 0.5; const OWN: usize = 1;";
    assert_eq!(call(constants, &mut macros), [""; 0]);
    assert!(!macros.contains_key("HALF") && !macros.contains_key("OWN"));
    let user = "use a::{TWICE, RATE as SCALE}; const FOUR: usize = TWICE - 2; const HALF: usize = 7;
        pub const MORE: usize = TWICE + 1;
        net Test { pub fn f(x: f32[N, TWICE], y: f32[N, FOUR]) -> f32[N, 10] { cat([x, y], 1) * SCALE } }";
    assert_eq!(call(user, &mut macros), [""; 0]);
    let user = "use b::MORE; pub net Test { pub fn f(x: f32[N, MORE]) -> f32[N, 7] { x } }";
    assert_eq!(call(user, &mut macros), [""; 0]);
    let user = "use a::TWICE; const TWICE: usize = 2; net Test { pub fn f(x: f32[N, TWICE]) -> f32[N, 2] { x } }";
    assert_eq!(call(user, &mut macros), ["N0502: `TWICE` is defined here and used from elsewhere"]);
    let user = "use a::TWICE; net Test { pub fn f(x: f32[N]) -> f32[N] { x } }";
    assert_eq!(call(user, &mut macros), ["N0503: `TWICE` is never used"]);
    // The name means something else here.
    let user = "use a::Wide; const HIDDEN: usize = 5;
        net Test { wide: Wide; fc: Linear(HIDDEN); pub fn f(x: f32[N, 4]) -> f32[N, HIDDEN] { let y: f32[N, 6] = wide(x); fc(y) } }";
    assert_eq!(call(user, &mut macros), [""; 0]);
}
