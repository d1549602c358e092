//! From PyTorch's row-major order to a parameter's own layout and back.

use castnet_graph::net::Parameter;
use castnet_graph::program::{Layout, PANEL};
use castnet_graph::types::DType;

use crate::array::Array;
use crate::error::Result;

/// Calls `visit` with the row-major position and the position in the layout of every element.
fn each(parameter: &Parameter, mut visit: impl FnMut(usize, usize)) {
    let order = match &parameter.layout {
        Layout::Plain => return (0..parameter.len()).for_each(|i| visit(i, i)),
        Layout::Panels(order) => order,
    };
    let shape: Vec<usize> = parameter.shape.iter().map(|&s| s as usize).collect();
    let rows: usize = shape[1..].iter().product();
    let panel = PANEL as usize;
    // Where row k of the matrix lies inside one output's elements.
    let mut index = vec![0; order.len()];
    for k in 0..rows {
        let inside = (1..shape.len()).fold(0, |at, axis| {
            let i = order.iter().position(|&o| o == axis).map_or(0, |o| index[o]);
            at * shape[axis] + i
        });
        for j in 0..shape[0] {
            visit(j * rows + inside, (j / panel * rows + k) * panel + j % panel);
        }
        for (o, i) in index.iter_mut().enumerate().rev() {
            *i += 1;
            if *i < shape[order[o]] {
                break;
            }
            *i = 0;
        }
    }
}

/// Writes row-major elements into the layout; padding is left alone.
pub(crate) fn pack(parameter: &Parameter, plain: &[f32], laid_out: &mut [f32]) {
    each(parameter, |from, to| laid_out[to] = plain[from]);
}

/// Reads a parameter out of the layout, in PyTorch's shape.
///
/// # Errors
/// If there is no memory for a copy.
pub(crate) fn unpack(parameter: &Parameter, laid_out: &[f32]) -> Result<Array> {
    let shape: Vec<usize> = parameter.shape.iter().map(|&s| s as usize).collect();
    let mut array = Array::zeros_for(DType::F32, &shape, || parameter.name.clone())?;
    let plain = array.as_mut_slice()?;
    each(parameter, |to, from| plain[to] = laid_out[from]);
    Ok(array)
}

#[cfg(test)]
mod tests {
    use super::*;
    use castnet_graph::net::Init;

    #[test]
    fn agrees_with_the_definition() {
        for layout in [Layout::Plain, Layout::Panels(vec![2, 3, 1]), Layout::Panels(vec![1, 2, 3])] {
            let shape = vec![37, 3, 2, 5];
            let p = Parameter::new("", shape, layout, Init::Constant(0.0));
            let plain: Vec<f32> = (0..p.len()).map(|i| i as f32 + 1.0).collect();
            let mut out = vec![0.0; p.floats()];
            pack(&p, &plain, &mut out);
            for i in 0..p.len() as i64 {
                let index = [i / 30, i / 10 % 3, i / 5 % 2, i % 5];
                assert_eq!(out[p.layout.position(&p.shape, &index) as usize], i as f32 + 1.0);
            }
            assert_eq!(unpack(&p, &out).unwrap().as_slice::<f32>().unwrap(), plain);
        }
    }
}
