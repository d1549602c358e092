//! First values of parameters.

use castnet_graph::net::{Init, Net};
use castnet_kernels::random::uniform;

use crate::array::Array;
use crate::layout;

/// The step that no training run reaches: first values share no numbers with dropout.
const STEP: u64 = u32::MAX as u64;

/// Fills the flat arena. Every value is a function of the seed, the parameter's number and the element's row-major position, so it depends
/// neither on threads nor on layouts.
pub(crate) fn initialise(net: &Net, seed: u64, arena: &mut [f32]) {
    let (offsets, _) = net.offsets();
    for (number, (parameter, start)) in net.parameters.iter().zip(offsets).enumerate() {
        let mut plain = values(parameter.init, parameter.len(), seed, number);
        if let Init::NormalExceptRow(zero) = parameter.init {
            let row = parameter.shape.iter().skip(1).product::<i64>().max(1) as usize;
            plain[zero as usize * row..][..row].fill(0.0);
        }
        layout::pack(parameter, &plain, &mut arena[start..start + parameter.floats()]);
    }
}

/// A state's first value; its numbers are drawn as those of a parameter behind the last one.
pub(crate) fn state(net: &Net, number: usize, seed: u64, shape: &[usize]) -> Array {
    let state = &net.states[number];
    let mut array = Array::zeros_of(state.ty.dtype, shape);
    let values = values(state.init, array.len(), seed, net.parameters.len() + number);
    array.fill_from(&values);
    array
}

/// `count` first values of tensor `number`, in row-major order.
fn values(init: Init, count: usize, seed: u64, number: usize) -> Vec<f32> {
    let draw = |index: usize| f64::from(uniform(seed, STEP, number as u32, index as u64));
    // Box and Muller, 1958; 1 - u is never 0.
    let normal = |i: usize| {
        let radius = (-2.0 * (1.0 - draw(2 * i)).ln()).sqrt();
        radius * (std::f64::consts::TAU * draw(2 * i + 1)).cos()
    };
    let value = |i: usize| match init {
        Init::Constant(value) => value,
        Init::Uniform(bound) => (f64::from(bound) * (2.0 * draw(i) - 1.0)) as f32,
        Init::Normal(mean, deviation) => (f64::from(mean) + f64::from(deviation) * normal(i)) as f32,
        Init::NormalExceptRow(_) => normal(i) as f32,
    };
    (0..count).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use castnet_graph::net::Parameter;
    use castnet_graph::program::Layout;

    fn net(layout: Layout, init: Init) -> Net {
        let parameter = Parameter::new("w", vec![40, 500], layout, init);
        Net { name: "Test".into(), parameters: vec![parameter], states: vec![], functions: vec![] }
    }

    fn parameter(layout: Layout, init: Init, seed: u64) -> Vec<f32> {
        let net = net(layout, init);
        let mut arena = vec![0.0; net.offsets().1];
        initialise(&net, seed, &mut arena);
        layout::unpack(&net.parameters[0], &arena)
    }

    #[test]
    fn moments_and_independence_of_layout() {
        let mean = |v: &[f32]| v.iter().map(|&x| f64::from(x)).sum::<f64>() / v.len() as f64;
        let square = |v: &[f32]| v.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / v.len() as f64;
        let plain = parameter(Layout::Plain, Init::Uniform(0.5), 1);
        assert_eq!(plain, parameter(Layout::Panels(vec![1]), Init::Uniform(0.5), 1));
        assert_ne!(plain, parameter(Layout::Plain, Init::Uniform(0.5), 2));
        assert!(plain.iter().all(|x| (-0.5..0.5).contains(x)));
        assert!(mean(&plain).abs() < 0.01 && (square(&plain) - 0.25 / 3.0).abs() < 0.002);
        let normal = parameter(Layout::Plain, Init::Normal(0.0, 2.0), 1);
        assert!(mean(&normal).abs() < 0.05 && (square(&normal) - 4.0).abs() < 0.15);
    }
}
