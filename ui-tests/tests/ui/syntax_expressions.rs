//! Rust's expressions that networks have not.

castnet::network! {
    pub net Expressions {
        fc: Linear(8);

        pub fn f(x: f32[N, 8], y: f32[N, 8]) -> f32[N, 8] {
            let a = x as f64;
            let b = &x;
            let c = fc(x)?;
            let d = x && y;
            let e = x || y;
            let f = x ^ 2;
            let g = x << 1;
            let h = "text";
            let i = 'c';
            let j = 1.0f32;
            let k = [0; 4];
            let l = { x };
            let m = match x { _ => y };
            let n = x.cast::<f32>();
            let o = castnet::tanh(x) + crate::SCALE;
            let p = println!("{x}");
            let q = *x;
            let r = fc(x)(y);
            let s = |x| x;
            let t = x < y < x;
            let u = x.sum((dim) = 1);
            let v = return x;
            let w = x.0;
            let z = -None + [x] * f32;
            fc(x)
        }
    }
}

fn main() {}
