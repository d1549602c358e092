//! Tensors of layers that are read before the layer is called, or though it never is: the declaration tells their shapes.

use castnet::prelude::*;

network! {
    pub net Declared {
        l: Linear(4, in_features = 4);
        conv: Conv2d(2, kernel_size = 3, in_channels = 5, bias = false);
        // Called by no function.
        codes: Embedding(num_embeddings = 3, embedding_dim = 4);

        pub train fn loss(x: f32[N, 4]) -> f32 {
            let before = l.weight.square().sum() + conv.weight.square().sum();
            before + l(x).matmul(codes.weight.t()).square().mean()
        }
        pub fn filter(x: f32[N, 5, 8, 8]) -> f32[N, 2, 6, 6] { conv(x) }
    }
}

#[test]
fn declared_layers_have_tensors_before_their_first_call() -> castnet::Result<()> {
    let mut net = Declared::new(&Device::cpu(), 1)?;
    for (key, shape) in [("l.weight", &[4, 4][..]), ("conv.weight", &[2, 5, 3, 3]), ("codes.weight", &[3, 4])] {
        assert_eq!(net.parameter(key)?.shape(), shape, "{key}");
    }
    let squares = |net: &Declared, key: &str| -> castnet::Result<f32> {
        Ok(net.parameter(key)?.as_slice::<f32>()?.iter().map(|x| x * x).sum())
    };
    let expected = squares(&net, "l.weight")? + squares(&net, "conv.weight")?;
    for key in ["l.bias", "codes.weight"] {
        let zeros = Array::zeros::<f32>(net.parameter(key)?.shape());
        net.set_parameter(key, &zeros)?;
    }
    let loss = net.loss(&Array::zeros::<f32>(&[2, 4]))?.item::<f32>()?;
    assert!((loss - expected).abs() < 1e-5 * expected, "{loss} for {expected}");
    // PyTorch's first values: uniform in ±1/√(number of inputs).
    let conv = net.parameter("conv.weight")?;
    let bound = 1.0 / (5.0f32 * 9.0).sqrt();
    assert!(conv.as_slice::<f32>()?.iter().all(|x| x.abs() <= bound));
    Ok(())
}
