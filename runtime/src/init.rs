//! First values of parameters.

use castnet_kernels::random::uniform;
use castnet_program::net::{Init, Net};

use crate::array::Array;
use crate::error::{Error, Result};
use crate::float::{Float, with_float};
use crate::layout;
use crate::memory::{Memory, collected};
use crate::net::Loaded;

/// First values are drawn under the seed itself as key, each tensor as a call that no function ever reaches.
const FIRST: u64 = (u32::MAX as u64) << 32;

/// Fills the flat arena, which is all zeros. Constants are rounded to the float type; numbers that are drawn are
/// those of f32 in every float type, rounded where it has fewer digits. Every value is a function of the seed, the parameter's number and the element's row-major position, so it depends
/// neither on threads nor on layouts.
///
/// # Errors
/// If there is no memory for a parameter in PyTorch's order.
pub(crate) fn initialise(loaded: &Loaded, seed: u64, arena: &mut Memory) -> Result<()> {
    for (number, parameter) in loaded.net.parameters.iter().enumerate() {
        if parameter.init == Init::Constant(0.0) {
            continue;
        }
        let memory = || no_memory(&parameter.name, parameter.len());
        if let Init::Constant(value) = parameter.init {
            with_float!(loaded.float, T => {
                let plain: Vec<T> = collected(parameter.len(), std::iter::repeat_n(T::of_f64(value), parameter.len()))
                    .ok_or_else(memory)?;
                layout::pack(&loaded.net, number, 0, &plain, &mut arena.slice_mut::<T>()[loaded.range(number)]);
            });
            continue;
        }
        let rows = parameter.shape.first().map_or(1, |s| *s as usize);
        let plain = values(parameter.init, parameter.len(), rows, seed, number);
        let mut plain = plain.ok_or_else(memory)?;
        if let Init::NormalExceptRow(zero) = parameter.init {
            let row = parameter.shape.iter().skip(1).product::<i64>().max(1) as usize;
            plain[zero as usize * row..][..row].fill(0.0);
        }
        with_float!(loaded.float, T => {
            let plain = collected(plain.len(), plain.iter().map(|x| T::of_f32(*x)));
            let plain = plain.ok_or_else(memory)?;
            layout::pack(&loaded.net, number, 0, &plain, &mut arena.slice_mut::<T>()[loaded.range(number)]);
        });
    }
    Ok(())
}

fn no_memory(name: &str, floats: usize) -> Error {
    Error::Memory { function: format!("first values of {name}"), bytes: floats.saturating_mul(4) }
}

/// A state's first value; its numbers are drawn as those of a parameter behind the last one.
///
/// # Errors
/// If there is no memory for it.
pub(crate) fn state(net: &Net, number: usize, seed: u64, shape: &[usize]) -> Result<Array> {
    let state = &net.states[number];
    let mut array = Array::zeros_for(state.ty.dtype, shape, || state.name.clone())?;
    if let Init::Constant(value) = state.init {
        array.fill_by(|_| value);
    } else {
        let rows = shape.first().copied().unwrap_or(1);
        let values = values(state.init, array.len(), rows, seed, net.parameters.len() + number);
        let values = values.ok_or_else(|| no_memory(&state.name, array.len()))?;
        array.fill_by(|i| values[i].into());
    }
    Ok(array)
}

/// `count` first values of tensor `number`, in row-major order; `rows`: the size of its first axis. `None`: no memory.
fn values(init: Init, count: usize, rows: usize, seed: u64, number: usize) -> Option<Vec<f32>> {
    let draw = |index: usize| f64::from(uniform(seed, FIRST | number as u64, index as u64));
    // Box and Muller, 1958; 1 - u is never 0.
    let normal = |i: usize| {
        let radius = (-2.0 * (1.0 - draw(2 * i)).ln()).sqrt();
        radius * (std::f64::consts::TAU * draw(2 * i + 1)).cos()
    };
    let value = |i: usize| match init {
        Init::Constant(value) => value as f32,
        Init::Uniform(bound) => (f64::from(bound) * (2.0 * draw(i) - 1.0)) as f32,
        Init::Between(low, high) => (f64::from(low) + f64::from(high - low) * draw(i)) as f32,
        Init::Normal(mean, deviation) => (f64::from(mean) + f64::from(deviation) * normal(i)) as f32,
        Init::TruncNormal(mean, deviation, low, high) => {
            // Numbers of this element's own, until one lies inside; what never does is moved there.
            let tries = (0..64).map(|k| f64::from(mean) + f64::from(deviation) * normal(i + k * count));
            let drawn = tries.map(|x| x as f32).find(|x| (low..=high).contains(x));
            drawn.unwrap_or(mean.clamp(low, high))
        }
        Init::Orthogonal(_) | Init::NormalExceptRow(_) => normal(i) as f32,
    };
    match init {
        Init::Orthogonal(gain) => orthogonal(collected(count, (0..count).map(normal))?, rows.max(1), gain.into()),
        _ => collected(count, (0..count).map(value)),
    }
}

/// Orthonormal rows (or columns, where there are more rows) out of random ones: modified Gram and Schmidt in double precision, twice.
/// `None`: no memory.
fn orthogonal(matrix: Vec<f64>, rows: usize, gain: f64) -> Option<Vec<f32>> {
    let columns = matrix.len() / rows;
    let wide = rows <= columns;
    let (count, len) = if wide { (rows, columns) } else { (columns, rows) };
    let at = |v: usize, i: usize| if wide { v * columns + i } else { i * columns + v };
    let vector = |v: usize| collected(len, (0..len).map(|i| matrix[at(v, i)]));
    let mut vectors: Vec<Vec<f64>> = (0..count).map(vector).collect::<Option<_>>()?;
    for v in 0..count {
        let (done, rest) = vectors.split_at_mut(v);
        let vector = &mut rest[0];
        for _ in 0..2 {
            for other in done.iter() {
                let along: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
            }
        }
        let length = vector.iter().map(|a| a * a).sum::<f64>().sqrt();
        vector.iter_mut().for_each(|a| *a /= length);
    }
    let mut out = collected(matrix.len(), std::iter::repeat_n(0.0, matrix.len()))?;
    for (v, vector) in vectors.iter().enumerate() {
        vector.iter().enumerate().for_each(|(i, a)| out[at(v, i)] = (gain * a) as f32);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use castnet_program::net::{Backend, ForTarget, Parameter};
    use castnet_program::program::Layout;
    use castnet_program::types::DType;

    fn net(layout: Layout, init: Init) -> Net {
        let parameter = Parameter::new("w", vec![40, 500], init);
        Net {
            name: "Test".into(),
            float: DType::F32,
            parameters: vec![parameter],
            states: vec![],
            functions: vec![],
            targets: vec![ForTarget { target: Backend::Cpu, layouts: vec![layout], mirrors: vec![], programs: vec![] }],
        }
    }

    fn parameter(layout: Layout, init: Init, seed: u64) -> Vec<f32> {
        let loaded = Loaded::new(net(layout, init), &[], &[]).unwrap();
        let mut arena = loaded.arena().unwrap();
        initialise(&loaded, seed, &mut arena).unwrap();
        layout::unpacked(&loaded, 0, &arena).unwrap().as_slice().unwrap().to_vec()
    }

    #[test]
    fn orthogonal_rows_and_columns() {
        for (rows, columns) in [(3, 7), (7, 3), (5, 5)] {
            let m = super::values(Init::Orthogonal(2.0), rows * columns, rows, 9, 0).unwrap();
            let at =
                |v: usize, i: usize| f64::from(if rows <= columns { m[v * columns + i] } else { m[i * columns + v] });
            for a in 0..rows.min(columns) {
                for b in 0..=a {
                    let dot: f64 = (0..rows.max(columns)).map(|i| at(a, i) * at(b, i)).sum();
                    assert!(
                        (dot - if a == b { 4.0 } else { 0.0 }).abs() < 1e-5,
                        "{rows} by {columns}: {a} · {b} = {dot}"
                    );
                }
            }
        }
        let cut = super::values(Init::TruncNormal(0.0, 1.0, -0.5, 1.0), 2000, 1, 3, 0).unwrap();
        assert!(cut.iter().all(|x| (-0.5..=1.0).contains(x)) && cut.iter().any(|x| *x > 0.9));
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
