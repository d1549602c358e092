//! One mistake, one error: nothing that depends on it is reported, here or in the code that uses the net.

use castnet::prelude::*;

network! {
    pub net OneError {
        conv1: Conv2d(20, kernel_size = 5);
        conv2: Conv2d(50, kernel_sise = 5);
        fc1:   Linear(500);
        fc2:   Linear(10);

        pub fn scores(image: f32[N, 1, 28, 28]) -> f32[N, 10] {
            let x = conv1(image).tanh().max_pool2d(2);
            let x = conv2(x).tanh().max_pool2d(2);
            let y = x * x + 1.0;
            fc2(fc1(y.flatten(1)).tanh()).softmax(nonsense)
        }

        pub train fn loss(image: f32[N, 1, 28, 28], digit: u8[N]) -> f32 {
            scores(image).cross_entropy(digit)
        }
    }
}

fn main() -> Result<(), castnet::Error> {
    let mut net = OneError::new(&Device::cpu(), 1)?;
    let (image, digit) = (Array::zeros::<f32>(&[1, 1, 28, 28]), Array::zeros::<u8>(&[1]));
    let mut sgd = Sgd::new(0.1);
    net.loss_step(&mut sgd, &image, &digit)?;
    let (loss, mut gradients) = net.loss_grad(&image, &digit)?;
    net.loss_grad_add(&mut gradients, &image, &digit)?;
    sgd.apply(&mut net, &gradients)?;
    println!("{loss} {} {}", net.scores(&image)?, OneError::PARAMETERS);
    net.save("x")
}
