//! What editors see: the shadow of a network, its mistakes, what is half written.

use castnet_graph::layers::LAYERS;
use castnet_graph::ops::OPERATORS;

use crate::expand::expand_for;

/// What an editor sees beside what rustc compiles: the constants, and the structs of blocks.
fn shadow(source: &str) -> String {
    let text = expand_for(source.parse().expect("tokens"), true).to_string();
    // What prints Rust here does not know statics that are safe.
    let mut file: syn::File = syn::parse_str(&text.replace("safe static", "static")).expect("Rust");
    file.items.retain(|item| match item {
        syn::Item::Const(constant) => !constant.attrs.is_empty(),
        syn::Item::Struct(one) => one.fields.is_empty(),
        _ => false,
    });
    prettyplease::unparse(&file)
}

const NET: &str = "
    /// Twice as wide.
    pub block Wide<FACTOR = 2>(x: f32[N, D]) -> f32[N, FACTOR * D] {
        fc: Linear(FACTOR * D);
        let y = fc(x);
        y.relu()
    }

    /// A net.
    pub net Small {
        const CLASSES: usize = 2 * 5;
        /// The body.
        wide:  Wide;
        heads: [Linear(CLASSES); 2];

        pub fn scores(x: f32[N, 8]) -> f32[N, CLASSES] {
            let mut h = wide(x);
            let [a, b] = h.chunk(2, dim = 1);
            h = heads[0](a) + heads[1](b).clamp(max = 1);
            h
        }
    }";

#[test]
fn a_network_is_ordinary_rust() {
    insta::assert_snapshot!(shadow(NET));
}

#[test]
fn what_is_half_written_does_not_change_what_stands_before_it() {
    // rust-analyzer compares the text before the cursor without and with a word there.
    let without = |written: &str| NET.replace("let [a, b]", &format!("{written}; let [a, b]"));
    for written in ["let z = h.", "let z = h", "let z = wide(h.)", "h.", "let z = h + ", "let z = cat([h, h.])"] {
        let (cursor, end) =
            (written.trim_end_matches([')', ']']), &written[written.trim_end_matches([')', ']']).len()..]);
        let text = |word: &str| {
            let source = without(&format!("{cursor}{word}{end}"));
            expand_for(source.parse().expect("tokens"), true).to_string()
        };
        let (before, after) = (text(""), text("intellijRulezz"));
        let Some(at) = after.find("intellijRulezz") else { panic!("{written}: the word is lost") };
        let receiver = after[..at].trim_end_matches([' ', '.']);
        let same = before.bytes().zip(receiver.bytes()).take_while(|(a, b)| a == b).count();
        assert_eq!(same, receiver.len(), "{written}: {}", &before[same.saturating_sub(100)..]);
    }
}

#[test]
fn mistakes_are_told_once() {
    let text = expand_for(NET.replace("heads[0](a)", "heads[0](c)").parse().expect("tokens"), true).to_string();
    assert_eq!(text.matches("N0501").count(), 1, "{text}");
}

#[test]
fn all_words_are_words_of_the_module() {
    // What the shadow names by its own name must not be a name of Rust.
    for name in OPERATORS.iter().flat_map(|list| list.iter()).map(|o| o.name).chain(LAYERS.iter().map(|k| k.name)) {
        assert!(syn::parse_str::<syn::Ident>(name).is_ok(), "{name}");
    }
}
