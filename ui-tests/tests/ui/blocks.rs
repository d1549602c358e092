//! Blocks: mistakes in them, reported once, and mistakes of those who use them.

castnet::network! {
    block Pair(a: f32[N, D], b: f32[N, D]) -> (f32[N, D], f32[N]) {
        fc: Linear(D);
        (fc(a) + b, b.mean(1))
    }

    block Heads<COUNT>(x: f32[N, D]) -> f32[N, D] {
        where D % COUNT == 0;
        const EACH: usize = D / COUNT;
        mix: Linear(EACH);
        mix(x.reshape([N, COUNT, EACH])).flatten(1)
    }

    /// Wrong whatever it is used with.
    block Wrong(x: f32[N, D]) -> f32[N, D] {
        fc: Linear(3);
        fc(x).flatten(7)
    }

    block Unused(x: f32[N, D]) -> f32[N, D] {
        fc: Linear(D);
        param scale: f32[D] = ones;
        fc(x)
    }

    block NoResult(x: f32[N, D]) -> f32[N, D] {
        fc: Linear(D);
        fc(x);
    }

    block Promise(x: f32[N, D]) -> f32[N, D] {
        x.sum(1)
    }

    block Itself(x: f32[N, D]) -> f32[N, D] {
        inner: Itself;
        inner(x)
    }

    block Ping(x: f32[N, D]) -> f32[N, D] {
        pong: Pong;
        pong(x)
    }

    block Pong(x: f32[N, D]) -> f32[N, D] {
        ping: Ping;
        ping(x)
    }

    block Twice(x: f32[N, D]) -> f32[N, D] {
        fc: Linear(D);
        fc: Linear(D);
        fc(x)
    }

    block Function(x: f32[N, D]) -> f32[N, D] {
        fn f(x: f32[N]) -> f32[N] { x }
        x.tanh()
    }

    net Uses {
        pair:  Pair;
        heads: Heads<3>;
        even:  Heads<4>;
        wrong: Wrong;
        block: Pair;
        value: Pair;

        pub fn arguments(x: f32[N, 8], y: f32[N, 4], i: i64[N, 8]) -> f32[N, 8] {
            let a = pair(x);
            let b = pair(x, y);
            let c = pair(x, x, x);
            let d = pair(x, c = x);
            let e = pair(i, x);
            let f = pair(x, x) + 1;
            let g = pair(x, x).2;
            let (h, j, k) = pair(x, x);
            x
        }

        pub fn sizes(x: f32[N, 8], y: f32[N, 16]) -> f32[N, 8] {
            let a = heads(x);
            let b = even(x);
            let c = even(y);
            a
        }

        pub fn silent(x: f32[N, 8]) -> f32[N, 8] {
            wrong(x).nothing_more(1, 2, 3)
        }

        pub fn values(x: f32[N, 8]) -> f32[N, 8] {
            let a = value;
            let b = value + x;
            let c = block.fc.weight;
            let d = Pair(x, x);
            x
        }
    }
}

castnet::network! {
    net Forms {
        block Inside(x: f32[N]) -> f32[N] { x }
        pub fn f(x: f32[N]) -> f32[N] { x.tanh() }
    }

    block NoName
    block (x: f32[N]) -> f32[N] { x }
    block NoInputs -> f32[N] { 1.0 }
    block NoPromise(x: f32[N]) { x }
    block NoBody(x: f32[N]) -> f32[N]
    block Unclosed<D(x: f32[N]) -> f32[N] { x }
    block Rules(x: f32[N]) -> f32[N] where N > 2 { x }
    block NoSemicolon(x: f32[N]) -> f32[N] { fc: Linear(1) fc(x) }
    block Only(x: f32[N]) -> f32[N] { fc: Linear(1); }
    layer Linear(x: f32[N]) -> f32[N] { x }
}

fn main() {}
