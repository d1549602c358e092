//! `castnet::check!`, and that what it writes can fail.

#[path = "../../tests/nets/mod.rs"]
mod nets;

use castnet::prelude::*;
use castnet::{Device, Model, check};
use castnet_graph::net::Net;
use castnet_graph::program::{Place, Program, Target};
use castnet_graph::scalar::{Binary, Instr, Literal};

network! {
    /// Blocks with states and randomness.
    block Part<WIDTH>(x: f32[N, C]) -> f32[N, WIDTH] {
        linear: Linear(WIDTH);
        norm:   BatchNorm1d();

        norm(linear(x)).relu()
    }

    /// Two parts, dropout, an embedding.
    pub net Parts {
        words: Embedding(11, 6);
        first: Part<9>;
        rest:  Part<7>;
        out:   Linear(5);

        pub fn scores(word: u32[N], x: f32[N, 6]) -> f32[N, 5] {
            out(rest(first(words(word) + x)).dropout(0.3))
        }

        pub train fn loss(word: u32[N], x: f32[N, 6], class: u8[N]) -> f32 {
            scores(word, x).cross_entropy(class)
        }
    }
}

network! {
    /// A layer of a loop.
    block Layer(x: f32[N, T, D]) -> f32[N, T, D] {
        norm: LayerNorm();
        up:   Linear(2 * D);
        down: Linear(D);
        x + down(up(norm(x)).gelu()).dropout(0.1)
    }

    /// A loop over blocks and one over time, rules, a frozen layer, an embedding with padding, logarithms and roots, a gradient as a value,
    /// two ways to train.
    pub net Odd {
        const D: usize = 4;
        words:  Embedding(9, D, padding_idx = 0);
        #[freeze]
        fixed:  Linear(D, bias = false);
        layers: [Layer; 3];
        param start: f32[D] = zeros;
        head:   Linear(1);
        critic: Linear(1);
        where T <= 6, T % 2 == 0;

        fn features(word: i64[N, T]) -> f32[N, D] {
            let x = layers(fixed(words(word)));
            let (last, _) = scan(x, start.expand([N, D]), |s, x| { let s = (0.5 * s + x).tanh(); (s, s) }, dim = 1);
            last
        }

        /// Arguments that may not be negative.
        pub fn distance(word: i64[N, T], weight: f32[N]) -> f32[N] {
            weight.sqrt() * head(features(word)).squeeze(1)
        }

        pub train[words, layers, start, head] fn loss(word: i64[N, T], weight: f32[N]) -> f32 {
            (distance(word, weight) + weight.log()).square().mean()
        }

        pub train[critic] fn penalty(x: f32[N, D], y: f32[N, D]) -> (f32, f32[N]) {
            let scores = critic(x * y).tanh();
            let [slope] = grad(scores.sum(), [x]);
            ((slope.square().sum(1) + 0.1).sqrt().mean() + scores.mean(), scores.squeeze(1))
        }
    }

    /// A loss that is no number.
    pub net Endless {
        scale: Linear(1);

        pub train fn loss(x: f32[N, 2]) -> f32 {
            (scale(x).square() + 1.0).neg().log().mean()
        }
    }

    /// Integers of all 64 bits, in loops too, and an index that their last bits decide.
    pub net Hash {
        words: Embedding(7, 3);

        pub fn mixed(x: i64[N, T]) -> i64[N, T] {
            x * 6364136223846793005 + 9007199254740993
        }

        pub fn hashes(x: i64[N, T]) -> (i64[N], i64[N, T], i64[N, T], bool[N, T]) {
            let mixed = mixed(x);
            let (last, all) = scan(mixed, mixed.sum(1), |s, x| { let s = s.bitwise_xor(x) * 1442695040888963407 + 1; (s, s) }, dim = 1);
            (last, all.argsort(1), all.floor_divide(3), all < mixed)
        }

        pub train fn loss(x: i64[N, T]) -> (f32, i64[N]) {
            let (last, _, _, _) = hashes(x);
            (words(last % 7).square().sum(), last)
        }
    }

    /// Too large to be tried.
    pub net Large {
        scale: Linear(1);
        where N > 3000000;

        pub train fn loss(x: f32[N, 2]) -> f32 {
            scale(x).mean()
        }
    }
}

/// One net in the float types other than f32: attention, a loop over blocks, a convolution, a recurrent layer, a norm with states, an embedding,
/// ties and a clamp.
macro_rules! of_float_type {
    ($name:ident, $float:ident) => {
        network! {
            block Layer(x: float[N, T, D]) -> float[N, T, D] {
                norm: LayerNorm();
                up:   Linear(2 * D);
                down: Linear(D);
                x + down(up(norm(x)).gelu()).dropout(0.1)
            }

            pub net $name {
                float: $float;

                const D: usize = 6;
                words:  Embedding(9, D);
                qkv:    Linear(3 * D);
                layers: [Layer; 2];
                conv:   Conv1d(D, kernel_size = 3, padding = 1);
                bn:     BatchNorm1d();
                lstm:   LSTM(5, batch_first = true);
                head:   Linear(4);
                param scale: float[D] = ones;

                pub fn scores(word: u32[N, T]) -> float[N, 4] {
                    let [q, k, v] = qkv(words(word)).reshape([N, T, 3, D]).permute([2, 0, 1, 3]).unbind(0);
                    let x = layers(scaled_dot_product_attention(q, k, v)) * scale;
                    let x = bn(conv(x.permute([0, 2, 1])).clamp(-2.0, 2.0)).permute([0, 2, 1]);
                    let (_, (h, _)) = lstm(x);
                    head(h[-1])
                }

                pub train fn loss(word: u32[N, T], class: u8[N]) -> (float, i64[N]) {
                    let scores = scores(word);
                    (scores.cross_entropy(class), scores.argmax(1))
                }
            }
        }
    };
}

mod doubles {
    use castnet::prelude::*;
    of_float_type!(InF64, f64);
    mod written {
        castnet::check!(super::InF64);
    }
}

mod brains {
    use castnet::prelude::*;
    of_float_type!(InBf16, bf16);
    mod written {
        castnet::check!(super::InBf16);
    }
}

mod halves {
    use castnet::prelude::*;
    of_float_type!(InF16, f16);
    mod written {
        castnet::check!(super::InF16);
    }
}

mod written {
    use super::nets::{LeNet, LstmClassifier};

    castnet::check!(LeNet);
    castnet::check!(LstmClassifier);
    castnet::check!(super::Parts);
    castnet::check!(crate::Odd);
    castnet::check!(crate::Hash);
}

fn broken(change: impl FnOnce(&mut Net)) -> Model {
    let mut net = Parts::new(&Device::cpu(), 1).unwrap().as_ref().net().clone();
    change(&mut net);
    Model::from_net(net, &Device::cpu(), 1).unwrap()
}

fn training(net: &mut Net) -> &mut Program {
    net.cpu_mut().iter_mut().find_map(|f| f.training.as_mut()).unwrap()
}

#[test]
fn a_wrong_coefficient_is_found() {
    let model = broken(|net| {
        let number = net.parameters.iter().position(|p| p.name == "out.bias").unwrap();
        let program = training(net);
        let gradient = program.buffers.iter().position(|b| b.place == Place::Gradient(number)).unwrap();
        let launch = program.launches.iter_mut().find(|l| l.stores.iter().any(|s| s.buffer == gradient)).unwrap();
        let stage = launch.stages.last_mut().unwrap();
        assert!(matches!(stage.outputs[..], [Target::Store(_)]));
        let code = &mut stage.code;
        let last = (code.inputs.len() + code.instrs.len()) as u32;
        code.instrs.push(Instr::Const(Literal::F32(1.1)));
        code.instrs.push(Instr::Binary(Binary::Mul, code.outputs[0], last));
        code.outputs[0] = last + 1;
    });
    let error = check::fused(&model, Parts::explain()).unwrap_err().to_string();
    for part in ["`Parts.loss`", "training", "gradient of `out.bias`", "in f64", "seed ", "N = "] {
        assert!(error.contains(part), "{error}");
    }
    // The rest is right: the same wrong kernel everywhere, and what was written.
    check::memory(&model).unwrap();
    check::kernels(&model).unwrap();
    check::gradients(&model, Parts::explain()).unwrap();
}

#[test]
fn a_wrong_last_bit_of_an_integer_is_found() {
    let mut net = Hash::new(&Device::cpu(), 1).unwrap().as_ref().net().clone();
    let program = net.cpu_mut().iter_mut().map(|f| &mut f.inference).find(|p| p.name == "Hash.mixed").unwrap();
    let stages = program.launches.iter_mut().flat_map(|launch| &mut launch.stages);
    let constants = stages.flat_map(|stage| &mut stage.code.instrs);
    let mut changed = 0;
    for instr in constants {
        if let Instr::Const(Literal::I64(x @ 9_007_199_254_740_993)) = instr {
            *x -= 1;
            changed += 1;
        }
    }
    assert_eq!(changed, 1);
    let model = Model::from_net(net, &Device::cpu(), 1).unwrap();
    let error = check::fused(&model, Hash::explain()).unwrap_err().to_string();
    for part in ["`Hash.mixed` (N = ", "inference: result 0: element 0 is ", "what was written gives "] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_wrong_plan_is_found() {
    let model = broken(|net| {
        let program = training(net);
        // All activations at one place.
        for buffer in &mut program.buffers {
            if let Place::Arena(offset) = &mut buffer.place {
                *offset = 0.into();
            }
        }
    });
    let error = check::memory(&model).unwrap_err().to_string();
    assert!(error.contains("Parts.loss"), "{error}");
    assert!(check::fused(&model, Parts::explain()).is_err());
}

#[test]
fn what_cannot_be_checked_is_a_mistake() {
    let endless = Endless::new(&Device::cpu(), 1).unwrap();
    for found in
        [check::gradients(endless.as_ref(), Endless::explain()), check::fused(endless.as_ref(), Endless::explain())]
    {
        let error = found.unwrap_err().to_string();
        assert!(error.contains("`Endless.loss`") && error.contains("not finite"), "{error}");
    }
    let large = Large::new(&Device::cpu(), 1).unwrap();
    type Check = fn(&Model) -> Result<(), check::Mistake>;
    let all: [Check; 6] = [
        |model| check::gradients(model, Large::explain()),
        |model| check::fused(model, Large::explain()),
        check::memory,
        check::one_thread,
        check::kernels,
        check::saved,
    ];
    for check in all {
        let error = check(large.as_ref()).unwrap_err().to_string();
        assert!(error.contains("`Large.loss`: no values of N") && error.contains("(`N > 3000000`)"), "{error}");
    }
    // Another net's text.
    let parts = Parts::new(&Device::cpu(), 1).unwrap();
    let error =
        check::gradients(parts.as_ref(), Endless::explain().split("_step").next().unwrap()).unwrap_err().to_string();
    assert!(error.contains("`explain()` does not show it"), "{error}");
}
