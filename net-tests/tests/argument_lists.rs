//! Arguments as PyTorch has them: sizes in its order, without those that are inferred, lists written one by one, tuples of states; and
//! operators that are a line.

use castnet::prelude::*;

network! {
    /// A layer of each kind, with its sizes in order and with one of them.
    pub net Lists {
        conv:      Conv2d(1, 8, 3, padding = 1);
        strided:   Conv2d(8, 6, 3, 2, 1);
        mixed:     Conv2d(6, 4, kernel_size = 3);
        inferred:  Conv2d(5, kernel_size = 3);
        up:        ConvTranspose2d(5, 2, 2, 2);
        batch:     BatchNorm2d(8);
        instance:  InstanceNorm2d(2);
        group:     GroupNorm(2, 4);
        one_group: GroupNorm(1);
        pool:      MaxPool2d(3, 2, 1, 1, false, true);
        drop:      Dropout2d(0.25);
        fc:        Linear(32, 12);
        named:     Linear(12, out_features = 9);
        layer:     LayerNorm(9);
        line:      Conv1d(1, 3, 3);
        lines:     InstanceNorm1d(3);
        rows:      Embedding(5, 3);
        chances:   Softmax(1);

        pub fn image(x: f32[N, 1, 14, 14]) -> f32[N, 9] {
            let x = batch(conv(x)).relu();
            let x = mixed(strided(x));
            let x = one_group(group(x));
            let x: f32[N, 2, 6, 6] = instance(up(inferred(x)));
            let x: f32[N, 2, 4, 4] = pool(drop(x));
            chances(layer(named(fc(x.flatten(1)))))
        }

        pub fn sequence(x: f32[N, 1, 8], i: i64[N]) -> f32[N, 3, 6] {
            lines(line(x)) + rows(i).unsqueeze(2)
        }
    }

    /// Recurrent layers: all at once, and in two parts with the states between them.
    pub net Recurrent {
        lstm: LSTM(4, 3, 2);
        gru:  GRU(4, 3);
        rnn:  RNN(4, 3, 1, "relu");

        pub fn whole(x: f32[6, B, 4]) -> (f32[6, B, 3], f32[2, B, 3]) {
            let (y, (_, c)) = lstm(x);
            (y, c)
        }

        pub fn parts(x: f32[6, B, 4]) -> (f32[6, B, 3], f32[2, B, 3]) {
            let (first, (h, c)) = lstm(x[0..2]);
            let (second, (_, c)) = lstm(x[2..6], (h, c));
            (cat([first, second]), c)
        }

        pub fn others(x: f32[6, B, 4]) -> (f32[6, B, 3], f32[6, B, 3]) {
            let (a, h) = gru(x[0..4]);
            let (b, _) = gru(x[4..6], h);
            let (c, _) = rnn(x);
            (cat([a, b]), c)
        }

        pub fn others_at_once(x: f32[6, B, 4]) -> f32[6, B, 3] {
            let (y, _) = gru(x, None);
            y
        }
    }

    /// Norms whose size is written: what they give has a mean square of 1.
    pub net Norms {
        one:   BatchNorm2d(8);
        two:   GroupNorm(4, 8);
        three: InstanceNorm2d(8);
        pub train fn squares(x: f32[N, 8, 4, 4]) -> (f32, f32, f32, f32) {
            let (a, b, c) = (one(x).square().mean(), two(x).square().mean(), three(x).square().mean());
            (a + b + c, a, b, c)
        }
    }

    /// Operators.
    pub net Few {
        param w: f32[3] = ones;

        pub fn sizes(x: f32[N, 6]) -> (f32[N, 3, 2], f32[2, 3, N], f32[4, N, 6], f32[N, 6]) {
            (x.reshape(N, 3, -1), x.view(N, 3, 2).permute(2, 1, 0), x.expand(4, -1, -1), x.flip(0, 1))
        }

        pub fn more_sizes(x: f32[N, 2]) -> (f32[2 * N, 6], f32[N, 4], i64[2, 3], f32[2, 3]) {
            (x.repeat(2, 3), x.tile(2), ones(2, 3, dtype = i64), eye(2, 3))
        }

        pub fn rows(x: f32[K, 3], i: u32[N, M]) -> f32[N, M, 3] {
            x[i]
        }

        pub fn columns(x: f32[K, 3], i: u32[N, M]) -> f32[K, N, M] {
            x[.., i]
        }

        pub train fn held(x: f32[N, 3]) -> f32 {
            (w.detach() * w * x).sum()
        }

        /// The same in the rounds of a loop, and in the gradient of a gradient.
        pub train fn held_within(x: f32[N, 3]) -> f32 {
            let (last, _) = scan(x, w, |s, x| { let s = s * (0.5 * s.tanh()).detach() + x * w; (s, ()) });
            let [slope] = grad((last * w.sin().detach()).sum(), [w]);
            slope.square().sum() + last.mean()
        }

        pub fn ignored(x: f32[N, 3], class: i64[N]) -> (f32, f32) {
            (x.cross_entropy(class), x.log_softmax(1).nll_loss(class))
        }

        pub fn attended(x: f32[N, C]) -> f32[N, C] {
            x / sqrt(C) + N.pow(-0.5) * log(2.0) + maximum(N, 2)
        }

        pub fn probable(x: f32[N, 3], p: f32[N, 3]) -> f32 {
            x.cross_entropy(p)
        }
    }
}

castnet::check!(Few);

fn array(shape: &[usize], values: impl Fn(usize) -> f32) -> Array {
    Array::from_vec(shape, (0..shape.iter().product()).map(values).collect()).unwrap()
}

fn wave(shape: &[usize]) -> Array {
    array(shape, |i| (i as f32 * 0.7).sin())
}

fn near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < 1e-5, "{found:?}, expected {expected:?}");
    }
}

#[test]
fn sizes_stand_in_pytorchs_order() {
    let net = Lists::new(&Device::cpu(), 1).unwrap();
    for (name, shape) in [
        ("conv.weight", &[8, 1, 3, 3][..]),
        ("strided.weight", &[6, 8, 3, 3]),
        ("mixed.weight", &[4, 6, 3, 3]),
        ("inferred.weight", &[5, 4, 3, 3]),
        ("up.weight", &[5, 2, 2, 2]),
        ("batch.weight", &[8]),
        ("group.weight", &[4]),
        ("fc.weight", &[12, 32]),
        ("named.weight", &[9, 12]),
        ("layer.weight", &[9]),
        ("line.weight", &[3, 1, 3]),
        ("rows.weight", &[5, 3]),
    ] {
        assert_eq!(net.parameter(name).unwrap().shape(), shape, "{name}");
    }
    assert_eq!(net.image(&wave(&[2, 1, 14, 14])).unwrap().shape(), [2, 9]);
    let index = Array::from_vec(&[2], vec![4i64, 0]).unwrap();
    assert_eq!(net.sequence(&wave(&[2, 1, 8]), &index).unwrap().shape(), [2, 3, 6]);
}

#[test]
fn sizes_of_norms_are_no_eps() {
    let mut net = Norms::new(&Device::cpu(), 1).unwrap();
    let x = wave(&[3, 8, 4, 4]);
    let ((_, one, two, three), _) = net.squares_grad(&x).unwrap();
    for mean in [one, two, three] {
        assert!((mean.item::<f32>().unwrap() - 1.0).abs() < 1e-3, "{mean:?}");
    }
}

#[test]
fn states_go_in_and_out_as_tuples() {
    let net = Recurrent::new(&Device::cpu(), 5).unwrap();
    assert_eq!(net.parameter("lstm.weight_ih_l0").unwrap().shape(), [12, 4]);
    assert_eq!(net.parameter("lstm.weight_ih_l1").unwrap().shape(), [12, 3]);
    let x = wave(&[6, 2, 4]);
    let ((whole, c), (parts, d)) = (net.whole(&x).unwrap(), net.parts(&x).unwrap());
    near(parts.as_slice().unwrap(), whole.as_slice().unwrap());
    near(d.as_slice().unwrap(), c.as_slice().unwrap());
    let (gru, rnn) = net.others(&x).unwrap();
    near(gru.as_slice().unwrap(), net.others_at_once(&x).unwrap().as_slice().unwrap());
    assert!(rnn.as_slice::<f32>().unwrap().iter().all(|x| *x >= 0.0));
}

#[test]
fn lists_are_written_one_by_one() {
    let net = Few::new(&Device::cpu(), 1).unwrap();
    let x = array(&[2, 6], |i| i as f32);
    let (reshaped, permuted, expanded, flipped) = net.sizes(&x).unwrap();
    near(reshaped.as_slice().unwrap(), x.as_slice().unwrap());
    near(permuted.as_slice().unwrap(), &[0.0, 6.0, 2.0, 8.0, 4.0, 10.0, 1.0, 7.0, 3.0, 9.0, 5.0, 11.0]);
    near(expanded.as_slice().unwrap(), &x.as_slice::<f32>().unwrap().repeat(4));
    near(flipped.as_slice().unwrap(), &(0..12).rev().map(|i| i as f32).collect::<Vec<_>>());
    let (repeated, tiled, ones, eye) = net.more_sizes(&array(&[1, 2], |i| i as f32)).unwrap();
    near(repeated.as_slice().unwrap(), &[0.0, 1.0].repeat(6));
    near(tiled.as_slice().unwrap(), &[0.0, 1.0, 0.0, 1.0]);
    assert_eq!(ones.as_slice::<i64>().unwrap(), [1; 6]);
    near(eye.as_slice().unwrap(), &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
}

#[test]
fn a_tensor_of_indices_names_rows() {
    let net = Few::new(&Device::cpu(), 1).unwrap();
    let x = array(&[4, 3], |i| i as f32);
    let places = |numbers: &[u32]| Array::from_vec(&[2, 2], numbers.to_vec()).unwrap();
    let rows = net.rows(&x, &places(&[2, 0, 1, 1])).unwrap();
    let columns = net.columns(&x, &places(&[2, 0, 1, 1])).unwrap();
    near(rows.as_slice().unwrap(), &[6.0, 7.0, 8.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 3.0, 4.0, 5.0]);
    assert_eq!(columns.shape(), [4, 2, 2]);
    near(&columns.as_slice::<f32>().unwrap()[4..8], &[5.0, 3.0, 4.0, 4.0]);
    // There are four rows, and three columns.
    assert!(net.rows(&x, &places(&[2, 0, 3, 1])).is_ok());
    assert!(net.rows(&x, &places(&[2, 0, 4, 1])).is_err());
    assert!(net.columns(&x, &places(&[2, 0, 3, 1])).is_err());
}

#[test]
fn what_is_detached_is_a_constant() {
    let mut net = Few::new(&Device::cpu(), 1).unwrap();
    net.set_parameter("w", &Array::from_vec(&[3], vec![2.0f32, -3.0, 0.5]).unwrap()).unwrap();
    let (loss, gradients) = net.held_grad(&array(&[1, 3], |_| 1.0)).unwrap();
    assert_eq!(loss.item::<f32>().unwrap(), 13.25);
    near(gradients.parameter("w").unwrap().as_slice().unwrap(), &[2.0, -3.0, 0.5]);
}

/// -100 counts for nothing, where nothing else is said.
#[test]
fn targets_of_minus_100_are_ignored() {
    let net = Few::new(&Device::cpu(), 1).unwrap();
    let x = wave(&[3, 3]);
    let classes = |numbers: &[i64]| Array::from_vec(&[numbers.len()], numbers.to_vec()).unwrap();
    let (cross, nll) = net.ignored(&x, &classes(&[-100, 2, -100])).unwrap();
    let middle = Array::from_vec(&[1, 3], x.as_slice::<f32>().unwrap()[3..6].to_vec()).unwrap();
    let expected = net.ignored(&middle, &classes(&[2])).unwrap().0.item::<f32>().unwrap();
    near(&[cross.item().unwrap(), nll.item().unwrap()], &[expected, expected]);
    assert!(net.ignored(&x, &classes(&[-100, 2, -1])).is_err());
    assert!(net.ignored(&x, &classes(&[-100; 3])).unwrap().0.item::<f32>().unwrap().is_nan());
    // A row of probabilities that are 1 for a class is that class.
    let one = net.probable(&middle, &Array::from_vec(&[1, 3], vec![0.0f32, 0.0, 1.0]).unwrap()).unwrap();
    near(&[one.item().unwrap()], &[expected]);
}

/// Of run-time sizes, functions of numbers are scalars: x / 2 + 3 ** -0.5 * math.log(2) + 3.
#[test]
fn functions_of_sizes_are_scalars() {
    let net = Few::new(&Device::cpu(), 1).unwrap();
    let x = wave(&[3, 4]);
    let expected: Vec<f32> = x.as_slice::<f32>().unwrap().iter().map(|x| x / 2.0 + 3.4001887).collect();
    near(net.attended(&x).unwrap().as_slice().unwrap(), &expected);
}
