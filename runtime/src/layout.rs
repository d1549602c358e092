//! From PyTorch's row-major order to a parameter's own layout and back.

use castnet_program::net::{Net, Parameter};
use castnet_program::program::{Layout, PANEL};

use crate::array::Array;
use crate::error::Result;
use crate::float::with_float;
use crate::memory::Memory;
use crate::net::Loaded;

/// PyTorch's shape of a parameter.
pub(crate) fn shape_of(parameter: &Parameter) -> Vec<usize> {
    parameter.shape.iter().map(|&s| s as usize).collect()
}

/// Where the row-major elements from number `start` on lie in the layout of a parameter in panels, one after the other.
fn places(shape: Vec<usize>, order: &[usize], start: usize) -> impl Iterator<Item = usize> + use<> {
    let panel = PANEL as usize;
    let rows = shape[1..].iter().product::<usize>().max(1);
    // By how many rows of the matrix a step along each axis moves.
    let mut moves = vec![0; shape.len()];
    order.iter().rev().fold(1, |stride, &axis| {
        moves[axis] = stride;
        stride * shape[axis]
    });
    let (mut output, mut rest) = (start / rows, start % rows);
    let mut index = vec![0; shape.len()];
    for axis in (1..shape.len()).rev() {
        (index[axis], rest) = (rest % shape[axis], rest / shape[axis]);
    }
    let mut row: usize = index.iter().zip(&moves).map(|(i, by)| i * by).sum();
    std::iter::from_fn(move || {
        let place = (output / panel * rows + row) * panel + output % panel;
        for axis in (1..shape.len()).rev() {
            index[axis] += 1;
            row += moves[axis];
            if index[axis] < shape[axis] {
                return Some(place);
            }
            row -= moves[axis] * shape[axis];
            index[axis] = 0;
        }
        output += 1;
        Some(place)
    })
}

/// Writes row-major elements, of which the first is number `start`, into the layout of a parameter; padding is left alone.
pub(crate) fn pack<T: Copy>(net: &Net, parameter: usize, start: usize, plain: &[T], laid_out: &mut [T]) {
    match net.layout(parameter) {
        Layout::Plain => laid_out[start..start + plain.len()].copy_from_slice(plain),
        Layout::Panels(order) => {
            let places = places(shape_of(&net.parameters[parameter]), order, start);
            places.zip(plain).for_each(|(to, from)| laid_out[to] = *from);
        }
    }
}

/// Reads row-major elements, of which the first is number `start`, out of the layout of a parameter.
pub(crate) fn unpack<T: Copy>(net: &Net, parameter: usize, start: usize, laid_out: &[T], plain: &mut [T]) {
    match net.layout(parameter) {
        Layout::Plain => plain.copy_from_slice(&laid_out[start..start + plain.len()]),
        Layout::Panels(order) => {
            let places = places(shape_of(&net.parameters[parameter]), order, start);
            plain.iter_mut().zip(places).for_each(|(to, from)| *to = laid_out[from]);
        }
    }
}

/// A copy of a parameter, or of what lies as it does in a flat arena, in PyTorch's shape.
///
/// # Errors
/// If there is no memory for a copy.
pub(crate) fn unpacked(loaded: &Loaded, number: usize, arena: &Memory) -> Result<Array> {
    let parameter = &loaded.net.parameters[number];
    let mut array = Array::zeros_for(loaded.net.float, &shape_of(parameter), || parameter.name.clone())?;
    with_float!(loaded.float, T => {
        unpack(&loaded.net, number, 0, &arena.slice::<T>()[loaded.range(number)], array.as_mut_slice()?);
    });
    Ok(array)
}

#[cfg(test)]
mod tests {
    use super::*;
    use castnet_program::net::{Backend, ForTarget, Init};
    use castnet_program::types::DType;

    #[test]
    fn agrees_with_the_definition() {
        let shape = vec![37, 3, 2, 5];
        for layout in [Layout::Plain, Layout::Panels(vec![2, 3, 1]), Layout::Panels(vec![1, 2, 3])] {
            let (layouts, len) = (vec![layout.clone()], shape.iter().product::<i64>());
            let net = Net {
                name: "one".into(),
                float: DType::F32,
                parameters: vec![Parameter::new("", shape.clone(), Init::Constant(0.0))],
                states: vec![],
                functions: vec![],
                targets: vec![ForTarget { target: Backend::Cpu, layouts, mirrors: vec![], programs: vec![] }],
            };
            let plain: Vec<f32> = (0..len).map(|i| i as f32 + 1.0).collect();
            let mut out = vec![0.0; net.padded_len(0)];
            // In pieces that end anywhere.
            for (i, piece) in plain.chunks(7).enumerate() {
                pack(&net, 0, 7 * i, piece, &mut out);
            }
            for i in 0..len {
                let index = [i / 30, i / 10 % 3, i / 5 % 2, i % 5];
                assert_eq!(out[layout.position(&shape, &index) as usize], i as f32 + 1.0);
            }
            let mut whole = vec![0.0; plain.len()];
            unpack(&net, 0, 0, &out, &mut whole);
            assert_eq!(whole, plain);
            let mut piece = [0.0; 41];
            unpack(&net, 0, 100, &out, &mut piece);
            assert_eq!(piece, plain[100..141]);
        }
    }
}
