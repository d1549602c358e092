//! Tensors of layers as values.

castnet::network! {
    net Tied {
        wte:   Embedding(100, 8);
        fc:    Linear(8, bias = false);
        late:  Linear(8);
        known: Linear(8, in_features = 4);
        act:   Dropout(0.1);
        param scale: f32[8] = ones;

        pub fn f(x: f32[N, 8], i: i64[N]) -> f32[N, 8] {
            let a = wte.wait;
            let b = fc.bias;
            let c = late.weight;
            let d = known.weight + x;
            let e = act.weight;
            let f = scale.weight;
            let g = x.weight;
            let h = x.shape;
            let j = x.T;
            let k = wte.weight.data;
            let l = wte;
            let o = nothing.weight;
            let p = (x, x).3;
            let q = x.0;
            let r = fc.weight(x);
            wte(i) + fc(x) + late(x) + known(x[.., 0..4]) + act(x)
        }

        pub fn of_self(x: f32[N, 8]) -> f32[N, 8] {
            let m = self.fc(x);
            let n = self.fc.weight;
            x
        }
    }
}

fn main() {}
