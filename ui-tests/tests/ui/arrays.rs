//! Arrays of layers and blocks, and their elements.

castnet::network! {
    block Same(x: f32[N, D]) -> f32[N, D] {
        fc: Linear(D);
        fc(x)
    }

    net Arrays {
        const D: usize = 3;
        none:   [Same; 0];
        many:   [Same; 100000];
        half:   [Same; 0.5];
        length: [Same; N];
        three:  [Same; D];
        grows:  [Linear(8), Linear(9)];
        bad:    [Same, Sane];

        pub fn f(x: f32[N, 8], i: i64[N]) -> f32[N, 8] {
            let a = none(x) + many(x) + half(x) + length(x) + bad(x);
            let b = three[3](x);
            let c = three[-4](x);
            let d = three[0, 1](x);
            let e = three[..](x);
            let f = three[N](x);
            let g = three[i](x);
            let h = three[0][1](x);
            let k = three.fc.weight;
            let l = three[1].fc.wait;
            let m = three + x;
            let n = (three, x);
            let o = grows(x) + x;
            for layer in three { layer = x; }
            for layer in x { let p = layer; }
            for (first, second) in three { let p = first(x); }
            for i in three[0] { let p = x; }
            x
        }
    }
}

castnet::network! {
    net Forms {
        empty: [];
        comma: [Linear(8) Linear(8)];
        mixed: [Linear(8), Linear(8); 2];
        none:  [Linear(8), , Linear(8)];
        if_:   if true { Linear(8); };
        else_: if true { } else { Linear(8) };
        what:  if true;

        pub fn f(x: f32[N, 8]) -> f32[N, 8] {
            let a = (x, x)[0](x);
            let b = (x + x)(x);
            x
        }
    }
}

fn main() {}
