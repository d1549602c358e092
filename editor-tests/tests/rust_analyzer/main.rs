//! What rust-analyzer shows of a network, asked over the protocol that editors use:
//!
//! ```sh
//! rustup component add rust-analyzer rust-src
//! cargo test -p castnet-editor-tests --features rust-analyzer
//! ```

mod client;
mod editor;

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use editor::Editor;

/// One server for all tests: it takes a while to start. After a failed test the text is another one, which the next one replaces.
fn net() -> MutexGuard<'static, Editor> {
    static EDITOR: LazyLock<Mutex<Editor>> = LazyLock::new(|| Mutex::new(Editor::open("net.rs")));
    let mut editor = EDITOR.lock().unwrap_or_else(PoisonError::into_inner);
    editor.write("", "");
    editor
}

/// What must hold of the file whatever is being written in it.
fn is_alive(editor: &mut Editor) {
    assert_eq!(editor.signature("let |x = stem"), "let x: f32<N, 16, 16, 16>");
    assert_eq!(editor.signature("stem(|image)"), "let image: f32<N, 3, 32, 32>");
    assert_eq!(editor.signature("let |logits"), "let logits: f32<N, 10>");
    assert_eq!(editor.signature("let |h ="), "let h: f32<N, WIDTH>");

    let layer = editor.hover("|stem(image)");
    for said in [
        "static stem: Conv2d",
        "The first convolution.",
        "`f32[N, 3, 32, 32]` → `f32[N, 16, 32, 32]`",
        "`weight`: `f32[16, 3, 3, 3]`",
        "Cross-correlation of",
    ] {
        assert!(layer.contains(said), "{said}: {layer}");
    }
    let operator = editor.hover(".|max_pool2d");
    for said in ["The maximum of each window.", "stride = kernel_size", "`Output` = `f32<N, 16, 16, 16>`"] {
        assert!(operator.contains(said), "{said}: {operator}");
    }

    assert_eq!(
        editor.definition("|stem(image)"),
        ["net.rs: stem:   Conv2d(16, kernel_size = 3, padding = 1, bias = false);"]
    );
    assert_eq!(editor.definition("|Head<WIDTH>;"), ["net.rs: Head<WIDTH>(x: f32[N, D]) -> f32[N, 10] {"]);
    assert_eq!(
        editor.definition("[|Residual<16>"),
        ["blocks.rs: Residual<CHANNELS, STRIDE = 1>(x: f32[N, C, H, W]) -> f32[N, CHANNELS, _, _] {"]
    );
    assert_eq!(editor.definition("net.|scores(image)"), ["net.rs: scores(image: f32[N, 3, 32, 32]) -> f32[N, 10] {"]);
}

/// The operators are offered here, and nothing of anything else.
fn offers_operators(editor: &mut Editor, place: &str) {
    let offered = editor.completions(place);
    for operator in ["relu", "max_pool2d", "cross_entropy", "permute"] {
        assert!(offered.iter().any(|o| o == operator), "{operator} at {place}: {offered:?}");
    }
    assert!(!offered.iter().any(|o| o == "trim_end"), "{offered:?}");
}

#[test]
fn a_right_network() {
    let mut editor = net();
    is_alive(&mut editor);
    assert_eq!(editor.mistakes(), [""; 0]);
    for (place, wanted) in [
        ("let |y = ", "let y: f32<N, 32, 8, 8>"),
        ("let [|a, b]", "let a: f32<N, 16, 8, 8>"),
        ("let |pooled", "let pooled: f32<N, 32>"),
        ("head(|pooled)", "let pooled: f32<N, 32>"),
        ("Head<|WIDTH>;", "const WIDTH: usize = 32 (0x20)"),
        ("stages[1](|stages[0]", "pub static stages: Array<Conv2d>"),
        ("|blocks(image)", "pub static blocks: (Residual, Residual, Residual)"),
        ("let |all", "let all: f32<N, 32, 16, 16>"),
        ("|head(pooled)", "pub static head: Head"),
        ("stem:   |Conv2d(16", "pub struct Conv2d {\n    pub weight: Tensor,\n    pub bias: Tensor,\n}"),
        ("[|Residual<16>", "pub struct Residual {}"),
    ] {
        assert_eq!(editor.signature(place), wanted, "{place}");
    }
    assert!(editor.hover("|Head<WIDTH>;").contains("Two layers."));
    assert!(editor.hover("[|Residual<16>").contains("Two 3 × 3 convolutions around a shortcut."));
    assert!(editor.hover("|scores(image);").contains("From `image: f32[N, 3, 32, 32]` to `f32[N, 10]`."));
    offers_operators(&mut editor, "stem(image).|relu()");
    offers_operators(&mut editor, "y.|chunk(");
}

#[test]
fn a_half_written_line() {
    let mut editor = net();
    // What is written before `let pooled`, with the place of the cursor, and the one mistake that is shown.
    for (line, mistake) in [
        ("let z = y.|;", "N0601: expected a name after `.` at .;"),
        ("let z = y.|", "N0601: expected a name after `.` at ."),
        ("y.|", "N0601: expected a name after `.` at ."),
        ("let z = y.re|;", "N0522: a tensor f32[N, 32, 8, 8] has no field `re` at re;"),
        ("let z = y.rel|();", "N0401: there is no operator, layer or function `rel` at rel();"),
        ("let z = stem(y.|);", "N0601: expected a name after `.` at (y.);"),
        ("let z = y + y.|;", "N0601: expected a name after `.` at .;"),
        ("let z = cat([a, b.|]);", "N0601: expected a name after `.` at ([a, b.]);"),
    ] {
        let text = line.replace('|', "");
        editor.write("let pooled", &format!("{text}\n            let pooled"));
        is_alive(&mut editor);
        assert_eq!(editor.signature("let |pooled"), "let pooled: f32<N, 32>", "{line}");
        assert_eq!(editor.mistakes(), [mistake], "{line}");
        offers_operators(&mut editor, line);
    }
}

#[test]
fn a_half_written_result() {
    let mut editor = net();
    editor.write("head(pooled)", "head(pooled).");
    is_alive(&mut editor);
    offers_operators(&mut editor, "head(pooled).|");
    // A program that calls the network is not disturbed.
    let methods = editor.completions("net.|scores(image)");
    for method in ["scores", "loss", "loss_step", "loss_grad", "parameter", "save"] {
        assert!(methods.iter().any(|m| m == method), "{method}: {methods:?}");
    }
}

#[test]
fn an_open_parenthesis() {
    let mut editor = net();
    editor.write("let pooled", "let z = stem(y.\n            let pooled");
    assert_eq!(editor.signature("let |x = stem"), "let x: f32<N, 16, 16, 16>");
    offers_operators(&mut editor, "stem(y.|\n");
}

#[test]
fn names_of_layers_and_tensors() {
    let mut editor = net();
    editor.write("let pooled", "let z = st;\n            let pooled");
    let offered = editor.completions("let z = st|;");
    for name in ["stem", "stages", "head", "image", "x"] {
        assert!(offered.iter().any(|o| o == name), "{name}: {offered:?}");
    }
    editor.write("let pooled", "let z = stem.;\n            let pooled");
    assert!(editor.completions("let z = stem.|;").iter().any(|o| o == "weight"));
}
