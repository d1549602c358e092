//! What stands in `<…>`: too little, too much, of the wrong kind.

castnet::network! {
    block Wide<WIDTH, SCALE = 2, BIAS = true>(x: f32[N, D]) -> f32[N, WIDTH] {
        fc: Linear(WIDTH, bias = BIAS);
        fc(x) * SCALE
    }

    net Stack<DEPTH, WIDTH = 8> {
        layers: [Wide<WIDTH>; DEPTH];
        pub fn f(x: f32[N, WIDTH]) -> f32[N, WIDTH] { layers(x) }
    }

    net Plain {
        pub fn f(x: f32[N]) -> f32[N] { x.tanh() }
    }

    net Uses {
        missing:  Wide;
        empty:    Wide<>;
        many:     Wide<8, 2, true, 4>;
        unknown:  Wide<8, SCALES = 4>;
        twice:    Wide<8, WIDTH = 9>;
        late:     Wide<SCALE = 3, 8>;
        name:     Wide<D>;
        kind:     Wide<true>;
        fraction: Wide<8.5>;
        text:     Wide<"wide">;
        negative: Wide<-8>;
        run_time: Wide<N>;
        parens:   Wide(8);
        layer:    Linear<8>;
        neither:  Wild<8>;

        pub fn f(x: f32[N, 8]) -> f32[N, 8] {
            let a = missing(x) + empty(x) + many(x) + unknown(x) + twice(x) + late(x) + name(x) + kind(x);
            let b = fraction(x) + text(x) + negative(x) + run_time(x);
            a + b + parens(x) + layer(x) + neither(x)
        }
    }

    net A = Stack;
    net B = Stack<>;
    net C = Stack<1, 2, 3>;
    net D = Stack<DEPT = 1>;
    net E = Stack<0>;
    net F = Stack<true>;
    net G = Plain<4>;
    net H = Wide<4>;
    net I = Stock<4>;
}

castnet::network! {
    block Wide<const WIDTH: usize, SCALE: usize = 2>(x: f32[N, D]) -> f32[N, WIDTH] {
        fc: Linear(WIDTH);
        fc(x) * SCALE
    }

    net Stack<DEPTH, 4> {
        bare:   Wide<DEPTH / 2>;
        nested: Wide<Wide<4>>;
        path:   Wide::<8>;
        open:   Wide<8;
        pub fn f(x: f32[N, 4]) -> f32[N, 4] { open(path(nested(bare(x)))) }
    }

    net J = Stack<4>
    net K = Stack(4);
    net L = crate::Stack<4>;
}

fn main() {}
