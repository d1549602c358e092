//! A net all of bf16: parameters, gradients, momentum and every value between.

use std::path::Path;

use castnet::DType;
use castnet::data::{ImageSet, Normalize};
use castnet::prelude::*;
use castnet::train::{Fit, accuracy};

use crate::nets::{LeNetBF16, in_float};

fn halves(image: &Array) -> Array {
    in_float(image.clone(), DType::BF16)
}

/// PyTorch's LeNet of bf16 comes to the same.
#[test]
fn lenet_of_bf16_learns_mnist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/mnist");
    let (train, test) = ImageSet::open_mnist(folder).unwrap();
    let (train, test) = (train.dataset(Normalize::MNIST).unwrap(), test.dataset(Normalize::MNIST).unwrap());
    let mut net = LeNetBF16::new(&Device::cpu(), 1).unwrap();
    assert_eq!(net.as_ref().parameter("fc1.weight").unwrap().dtype(), DType::BF16);
    let mut sgd = Sgd::new(0.1).momentum(0.9).schedule(Cosine::new(938));
    let mut fit = Fit::new(&train, 64).unwrap().epochs(1).seed(1);
    fit.next_epoch();
    while let Some([image, class]) = fit.next_batch().unwrap() {
        let loss = net.loss_step(&mut sgd, &halves(image), class).unwrap().get().unwrap();
        fit.loss(loss);
    }
    let right = accuracy(&test, 250, |image| net.scores(&halves(image))).unwrap();
    assert!(right >= 0.98, "{right} of the test images");
}
