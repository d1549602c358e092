//! Gradients of nets of f64 beside central differences of the loss, by what runs.

use castnet::prelude::*;

use crate::nets::*;

/// Along the gradient the loss rises by its norm.
fn rises_by_the_norm<N: Example>() {
    let golden = Golden::read(N::NAME);
    let (mut net, batch): (N, _) = (golden.net(), golden.batch::<N>());
    let (_, gradients) = net.differentiate(&batch).unwrap();
    let norm = gradients.names().flat_map(|name| floats(&gradients.parameter(name).unwrap()));
    let norm = norm.map(|g| g * g).sum::<f64>().sqrt();
    let start = net.parameters();
    let mut at = |step: f64| {
        for (name, value) in &start {
            let gradient = floats(&gradients.parameter(name).unwrap());
            let moved = floats(value).iter().zip(gradient).map(|(x, g)| x + step * g / norm).collect();
            net.as_mut().set_parameter(name, &Array::from_vec(value.shape(), moved).unwrap()).unwrap();
        }
        net.evaluate(&batch).unwrap().item::<f64>().unwrap()
    };
    let step = 1e-5;
    let slope = (at(step) - at(-step)) / (2.0 * step);
    assert!((slope - norm).abs() < 1e-6 * norm, "{}: {slope} by differences, {norm} by the gradient", N::NAME);
}

#[test]
fn gradients_of_f64_are_the_slopes_of_the_loss() {
    rises_by_the_norm::<LeNetF64>();
    rises_by_the_norm::<GptSmallF64>();
    rises_by_the_norm::<LstmClassifierF64>();
}
