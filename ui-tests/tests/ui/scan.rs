//! `scan`: what it runs over, what goes round, what it gives.

castnet::network! {
    net Scan {
        fc: Linear(8);

        pub fn shapes(x: f32[N, T, 8], s: f32[N, 8], short: f32[N, 4], i: i64[N]) -> f32[N, 8] {
            let (a, b) = scan(x, s, |s, x| (fc(x).sum(1), x), dim = 1);
            let (c, d) = scan(x, short, |s, x| (s + x, x), dim = 1);
            let (e, f) = scan(x, (s, s), |s, x| (s, x), dim = 1);
            let (g, h) = scan(x, (s, s), |(a, b), x| (a, x), dim = 1);
            let (j, k) = scan(x, s, |s, x| s + x, dim = 1);
            let (l, m) = scan(x, s, |s| (s, s), dim = 1);
            let (n, o) = scan(x, s, |s, x, y| (s, x), dim = 1);
            let (p, q) = scan(x, s, |s, x| (s, x), dim = 3);
            let (r, t) = scan(x, i, |i, x| (x, i), dim = 1);
            let u = scan(x, s, |s, x| (s, x), dim = 1) + 1;
            let (v, w, y) = scan(x, s, |s, x| (s, x), dim = 1);
            let (z, aa) = scan(x, s, |s, x| (s.thanh(), x), dim = 1);
            s
        }

        pub fn forms(x: f32[N, T, 8], s: f32[N, 8]) -> f32[N, 8] {
            let a = scan(x, s);
            let b = scan(x, s, fc);
            let c = scan(|s, x| (s, x), x, s);
            let d = scan(x, s, |s, x| (s, x), axis = 1);
            let f = tanh(|x| x);
            let j = scan(5, s, |s, x| (s, x));
            s
        }

        pub fn syntax(x: f32[N, T, 8], s: f32[N, 8]) -> f32[N, 8] {
            let e = |s, x| (s, x);
            let g = scan(x, s, |s, x| { let y = s + x; }, dim = 1);
            let h = scan(x, s, |mut s, x| (s, x), dim = 1);
            let i = scan(x, s, |s: f32, x| (s, x), dim = 1);
            s
        }
    }
}

fn main() {}
