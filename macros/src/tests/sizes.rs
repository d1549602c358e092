//! Sizes and counts of any length: what is too much is a mistake that is told, and none ends the compiler.

use super::mistakes;

/// What a function with this body is told, each mistake's first line; of a net with a few parts.
fn told(parts: &str, arguments: &str, result: &str, body: &str) -> Vec<String> {
    let source = format!("net Test {{ {parts} pub fn f({arguments}) -> {result} {{ {body} }} }}");
    mistakes(&source).into_iter().map(|m| m.lines().next().unwrap_or_default().to_string()).collect()
}

#[test]
fn long_windows_compile() {
    for (arguments, result, body) in [
        ("x: f32[N, 2, 66000]", "f32[N, 2, 2]", "x.max_pool1d(33000)"),
        ("x: f32[N, 2, 66000]", "f32[N, 2, 2]", "x.avg_pool1d(33000)"),
        ("x: f32[N, 2, 66000]", "f32[N, 2, 33001]", "x.max_pool1d(33000, stride = 1)"),
        ("x: f32[N, 2, 66000]", "f32[N, 2, 3]", "x.max_pool1d(33000, padding = 16500)"),
        ("x: f32[N, 2, L]", "f32[N, 2, _]", "x.max_pool1d(33000, stride = 1, padding = 7)"),
        ("x: f32[N, 2, 480, 640]", "f32[N, 2, 1, 1]", "x.adaptive_max_pool2d(1)"),
        ("x: f32[N, 2, 1009, 640]", "f32[N, 2, 1, 4]", "x.adaptive_max_pool2d([1, 4])"),
        ("x: f32[N, 2, 480, 640]", "f32[N, 2, 7, 9]", "x.adaptive_avg_pool2d([7, 9])"),
        ("x: f32[N, 2, 480, 640]", "f32[_, _, _, _]", "x.max_pool2d([200, 300], stride = 3, dilation = 2)"),
    ] {
        let source = format!(
            "net Test {{ w: Linear(1); pub fn f({arguments}) -> {result} {{ {body} }}
             pub train fn loss({arguments}) -> f32 {{ w({body}.mean().reshape([1, 1])).sum() }} }}"
        );
        assert!(mistakes(&source).is_empty(), "{body}: {:?}", mistakes(&source));
    }
}

#[test]
fn too_much_is_told() {
    const MOST: &str = "2147483647";
    // The rank of the result, parts, arguments, body, and the code of what is told: "" where it is nothing.
    for (rank, parts, arguments, body, code) in [
        (3, "", "x: f32[N, 2, 66000]", "x.max_pool1d(32999, stride = 1)", "N0306"),
        (3, "", "x: f32[N, 2, 66000]", "x.max_pool1d(MOST, padding = 1073741823)", "N0306"),
        (3, "", "x: f32[N, 2, L]", "x.max_pool1d(MOST, dilation = MOST, stride = MOST)", "N0107"),
        (3, "", "x: f32[N, 2, L]", "x.avg_pool1d(MOST, stride = 1)", "N0306"),
        (4, "", "x: f32[N, 2, 8, 8]", "x.max_pool2d(MOST, dilation = MOST)", "N0106"),
        (4, "", "x: f32[N, 2, 8, 8]", "x.adaptive_avg_pool2d(MOST)", "N0306"),
        (4, "", "x: f32[N, 2, 8, 8]", "x.adaptive_avg_pool2d([4, 2097152])", ""),
        (3, "", "x: f32[N, 2, 2097150]", "x.adaptive_avg_pool1d(1009)", "N0306"),
        (3, "", "x: f32[N, 2, 2097150]", "x.adaptive_avg_pool1d(7)", ""),
        (4, "", "x: f32[N, 2, 8, 8]", "x.interpolate(size = MOST, mode = \"bilinear\")", "N0306"),
        (4, "", "x: f32[N, 2, 8, 8]", "x.interpolate(scale_factor = MOST, mode = \"bilinear\")", "N0306"),
        (3, "", "x: f32[MOST, MOST, MOST]", "x + 1", "N0517"),
        (2, "", "x: f32[N, 4]", "x.repeat([MOST, MOST])", "N0517"),
        (3, "", "x: f32[N, 4]", "x.expand([MOST, N, 4])", ""),
        (2, "", "x: f32[N, 4]", "x.pad([MOST, MOST, MOST, MOST])", "N0517"),
        (2, "", "x: i64[N]", "x.one_hot(MOST).cast(f32)", ""),
        (2, "", "x: f32[N, 4]", "x.roll(MOST, 1)", ""),
        (2, "", "x: f32[N, 4]", "let mut y = x; for i in 0..MOST { y = y + 1.0; } y", "N0517"),
        (2, "a: Linear(MOST);", "x: f32[N, 4]", "a(x)", ""),
        (2, "a: Linear(MOST); b: Linear(MOST);", "x: f32[N, 4]", "b(a(x))", "N0517"),
        (2, "a: [Linear(4); MOST];", "x: f32[N, 4]", "a(x)", "N0512"),
        (4, "a: Conv2d(4, kernel_size = MOST);", "x: f32[N, 2, 8, 8]", "a(x)", "N0106"),
        (4, "a: Conv2d(4, kernel_size = 3, padding = MOST, dilation = MOST);", "x: f32[N, 2, 8, 8]", "a(x)", ""),
        (2, "a: Embedding(MOST, MOST);", "x: i64[N]", "a(x)", "N0517"),
        (2, "a: LSTM(MOST, num_layers = 3);", "x: f32[T, N, 4]", "let (y, _) = a(x); y", "N0517"),
        (2, "a: LSTM(4, num_layers = MOST);", "x: f32[T, N, 4]", "let (y, _) = a(x); y", "N0306"),
        (2, "param a: f32[MOST, MOST] = zeros;", "x: f32[N, 4]", "x * a.sum()", "N0517"),
        (2, "state a: f32[MOST, N, MOST] = zeros;", "x: f32[N, 4]", "a = a + 1.0; x", "N0517"),
    ] {
        let [parts, arguments, body] = [parts, arguments, body].map(|text| text.replace("MOST", MOST));
        let found = told(&parts, &arguments, &format!("f32[{}]", ["_"; 4][..rank].join(", ")), &body);
        let right = if code.is_empty() { found.is_empty() } else { found.iter().any(|m| m.starts_with(code)) };
        assert!(right, "{parts} {body}: {found:?}");
    }
}
