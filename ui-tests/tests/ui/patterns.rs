//! Patterns, `mut`, assignments, `if` and `for` in bodies.

castnet::network! {
    net Patterns {
        fc: Linear(8);

        pub fn parts(x: f32[N, 8], y: f32[N, 4]) -> f32[N, 8] {
            let (a, b) = x;
            let [c, d] = (x, x, x);
            let (e, (f, g)) = (x, x);
            let [h] = [x, x];
            let (i, i) = (x, x);
            let (p, q) = x.chunk(3);
            x
        }

        pub fn assigned(x: f32[N, 8], y: f32[N, 4]) -> f32[N, 8] {
            let a = x;
            a = fc(a);
            b = x;
            x = fc(x);
            fc = x;
            N = 4;
            let mut c = x;
            c += y;
            let mut d = x;
            d
        }

        pub fn conditions(x: f32[N, 8], b: bool[N]) -> f32[N, 8] {
            let a = if b { x } else { x };
            let c = if 5 { x } else { x };
            let d = if N > 4 { x } else { x };
            if x > 1 { fc(x); }
            if true { x } else { x }
            let h = if true { x } else { x.thanh() };
            let i = if false { x.thanh() } else { x };
            let j = x > 1 && true;
            assert!(b);
            assert!(1 > 2, "one is less");
            assert!(N > 2);
            x
        }

        pub fn rounds(x: f32[N, 8]) -> f32[N, 8] {
            let mut y = x;
            for i in 0..N { y = fc(y); }
            for i in 0.5..4 { y = fc(y); }
            for i in 0..100000 { y = fc(y); }
            for i in 4..0 { y = fc(y); }
            for (i, j) in 0..4 { y = fc(y); }
            for mut i in 0..4 { y = fc(y); }
            for i in 0..4 { fc(y) }
            for i in 0..4 { i = 5; }
            for i in 0..4 { y = y.thanh(); }
            for i in 0..2 { y = y.reshape([N, 3 * i]); }
            y
        }

        pub fn forms(x: f32[N, 8], c: f32[N, 8]) -> f32[N, 8] {
            let (j, k): (f32, f32) = (x, x);
            let Some(l) = x;
            let [m, ..] = [x, x];
            let (n o) = (x, x);
            let 5 = x;
            c[0] = y;
            (c, a) = (x, x);
            c ^= x;
            let e = if true { x };
            let f = if let Some(g) = x { x } else { x };
            let z = for i in 0..4 { y };
            for i in 0.. { y = fc(y); }
            while true { y = fc(y); }
            loop { break; }
            x
        }
    }
}

fn main() {}
