//! Windows of many elements, which are computed in several passes, against one loop over each window: values, and gradients that go to the
//! first of equal maxima.

use castnet::prelude::*;

network! {
    pub net Pools {
        param w: f32[1] = ones;

        pub fn max48(x: f32[N, 2, 200]) -> f32[N, 2, _] { x.max_pool1d(48, stride = 5, padding = 24) }
        pub fn max60(x: f32[N, 2, 200]) -> f32[N, 2, _] { x.max_pool1d(60, stride = 9, dilation = 3, ceil_mode = true) }
        pub fn max34(x: f32[N, 2, 200]) -> f32[N, 2, _] { x.max_pool1d(34, stride = 17) }
        pub fn max19(x: f32[N, 2, 200]) -> f32[N, 2, _] { x.max_pool1d(19, stride = 3) }
        pub fn sum48(x: f32[N, 2, 200]) -> f32[N, 2, _] { x.avg_pool1d(48, stride = 5, padding = 24) * 48.0 }
        pub fn sum50(x: f32[N, 2, 200]) -> f32[N, 2, _] { x.avg_pool1d(50) * 50.0 }
        pub fn image(x: f32[N, 1, 64, 90]) -> f32[N, 1, _, _] { x.max_pool2d([40, 24], stride = [8, 5], padding = [20, 3]) }
        pub fn whole(x: f32[N, 1, 64, 90]) -> f32[N, 1, 1, 1] { x.adaptive_max_pool2d(1) }

        pub train fn loss(x: f32[N, 2, 200]) -> f32 {
            let y = x * w;
            (max48(y) * max48(x)).sum() + (max60(y) + 0.5).square().mean() + sum48(y).square().mean()
        }
        /// The gradients of the pools themselves.
        pub fn slopes(x: f32[N, 2, 200]) -> (f32[N, 2, 200], f32[N, 2, 200], f32[N, 2, 200], f32[N, 2, 200]) {
            (grad(max48(x).sum(), x), grad(max60(x).sum(), x), grad(sum48(x).sum(), x), grad(max34(x).sum(), x))
        }
    }
}

castnet::check!(Pools);

/// Small integers: many are equal.
fn numbers(shape: &[usize]) -> Array {
    let len = shape.iter().product::<usize>();
    Array::from_vec(shape, (0..len).map(|i| ((i * i * 7 + i * 13) % 23) as f32 - 11.0).collect()).unwrap()
}

/// The elements of a window along an axis that lie inside.
fn window(at: usize, [kernel, stride, padding, dilation]: [usize; 4], len: usize) -> Vec<usize> {
    let places = (0..kernel).filter_map(|tap| (at * stride + tap * dilation).checked_sub(padding));
    places.filter(|place| *place < len).collect()
}

/// Each line of an array of lines, pooled by `pool`, and the slope of the sum of all.
fn pooled(x: &[f32], windows: usize, form: [usize; 4], max: bool) -> (Vec<f32>, Vec<f32>) {
    let (mut out, mut slope) = (vec![], vec![0.0; x.len()]);
    for (line, slope) in x.chunks(200).zip(slope.chunks_mut(200)) {
        for at in 0..windows {
            let inside = window(at, form, 200);
            let first = *inside.iter().reduce(|best, i| if line[*i] > line[*best] { i } else { best }).unwrap();
            out.push(if max { line[first] } else { inside.iter().map(|i| line[*i]).sum() });
            match max {
                true => slope[first] += 1.0,
                false => inside.iter().for_each(|i| slope[*i] += 1.0),
            }
        }
    }
    (out, slope)
}

fn same(what: &str, found: &Array, expected: &[f32]) {
    let found = found.as_slice::<f32>().unwrap();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() < 1e-4, "{what}: element {i} is {found}, expected {expected}");
    }
}

#[test]
fn long_windows_of_an_axis() {
    let net = Pools::new(&Device::cpu(), 1).unwrap();
    let x = numbers(&[3, 2, 200]);
    let elements = x.as_slice::<f32>().unwrap();
    let (y48, y60, s48, y34) = net.slopes(&x).unwrap();
    for (what, found, slope, form, max) in [
        ("max48", net.max48(&x).unwrap(), Some(y48), [48, 5, 24, 1], true),
        ("max60", net.max60(&x).unwrap(), Some(y60), [60, 9, 0, 3], true),
        ("max34", net.max34(&x).unwrap(), Some(y34), [34, 17, 0, 1], true),
        ("max19", net.max19(&x).unwrap(), None, [19, 3, 0, 1], true),
        ("sum48", net.sum48(&x).unwrap(), Some(s48), [48, 5, 24, 1], false),
        ("sum50", net.sum50(&x).unwrap(), None, [50, 50, 0, 1], false),
    ] {
        let (values, slopes) = pooled(elements, found.shape()[2], form, max);
        same(what, &found, &values);
        if let Some(slope) = slope {
            same(&format!("slope of {what}"), &slope, &slopes);
        }
    }
}

#[test]
fn long_windows_of_an_image() {
    let net = Pools::new(&Device::cpu(), 1).unwrap();
    let x = numbers(&[2, 1, 64, 90]);
    let (elements, found) = (x.as_slice::<f32>().unwrap(), net.image(&x).unwrap());
    let (high, wide) = (found.shape()[2], found.shape()[3]);
    let mut expected = vec![];
    for image in elements.chunks(64 * 90) {
        for (row, column) in (0..high).flat_map(|row| (0..wide).map(move |column| (row, column))) {
            let columns = window(column, [24, 5, 3, 1], 90);
            let inside =
                window(row, [40, 8, 20, 1], 64).into_iter().flat_map(|y| columns.iter().map(move |x| y * 90 + x));
            expected.push(inside.map(|i| image[i]).fold(f32::NEG_INFINITY, f32::max));
        }
    }
    same("image", &found, &expected);
    let whole: Vec<f32> =
        elements.chunks(64 * 90).map(|i| i.iter().copied().fold(f32::NEG_INFINITY, f32::max)).collect();
    same("whole", &net.whole(&x).unwrap(), &whole);
}
