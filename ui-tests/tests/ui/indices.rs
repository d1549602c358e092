//! Index lists.

castnet::network! {
    net Indices {
        fc: Linear(8);

        pub fn f(x: f32[N, 5, 8], s: f32, i: i64[N], mask: bool[N]) -> f32[N, 8] {
            let a = x[.., 5];
            let b = x[.., -6];
            let c = x[.., 0..6];
            let d = x[.., 3..2];
            let e = x[.., .., .., 0];
            let f = s[0];
            let j = x[.., 0.5];
            let k = x[.., true];
            let l = x[.., i];
            let m = x[.., mask];
            let n = x[.., x];
            let o = x[.., 0..];
            let p = x[.., ..2];
            let q = x[.., 1..=5];
            let r = x[N];
            let u = x[.., None];
            let aa = x[i, 0];
            let ab = x[i, i];
            let ac = x[i, 0..s];
            let ad = x[.., -7..];
            let w = (x, s)[2];
            let z = fc[0];
            x[.., 0]
        }

        pub fn syntax(x: f32[N, 5, 8]) -> f32[N, 8] {
            let g = x[];
            let h = x[0, , 1];
            let t = x[.., "all"];
            let v = x[.., ...];
            let y = 0..4;
            x[.., 0]
        }
    }
}

fn main() {}
