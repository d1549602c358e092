//! `param` and `state`: how they are declared, and what may be assigned.

castnet::network! {
    net Declared {
        param bad_value: f32[8] = oens;
        param number: f32[8] = 5;
        param integer: i64[8] = zeros;
        param run_time: f32[N] = zeros;
        param any: f32[_] = zeros;
        idle: Linear(8);

        pub fn f(x: f32[N, 8]) -> f32[N, 8] {
            x + bad_value + number + integer + run_time + any
        }
    }

    net Assigned {
        fc: Linear(8);
        param scale: f32[8] = ones;
        state never: f32[8] = zeros;
        state twice: f32[8] = zeros;
        state shape: f32[8] = zeros;
        state kind:  i64 = zeros;
        state round: f32[8] = zeros;
        state unused: f32[8] = zeros;

        pub fn f(x: f32[N, 8]) -> f32[N, 8] {
            scale = x.mean(0);
            fc = x;
            twice = x.mean(0);
            twice = x.mean(0);
            shape = x;
            kind = x.mean();
            for i in 0..2 { round = round + x.mean(0); }
            x + never + shape + round
        }
    }
}

castnet::network! {
    net Forms {
        param no_type = ones;
        param no_value: f32[8];
        state no_first: f32[8];
        state bad_type: Tensor<8> = zeros;
        param missing: f32[8] = zeros
        #[freeze]
        state frozen: f32[8] = zeros;
        fc: Linear(8);

        pub fn f(x: f32[N, 8]) -> f32[N, 8] { fc(x) }
    }
}

fn main() {}
