//! Generated code stands on its own: whatever names are around it, and whatever the user's names are, without a warning.
#![deny(warnings)]
#![deny(missing_docs)]
#![allow(dead_code)]

mod core {}
mod std {}
type Result = u8;
type Option = u8;
struct Vec;
struct Array;
struct Model;

mod inner {
    castnet::network! {
        pub net Ok {
            fc: Linear(3);

            pub fn f(results: f32[N, 2], gradients: f32[N, 2]) -> f32[N, 3] {
                fc(results + gradients)
            }

            train fn loss(optimizer: f32[N, 2], results: f32[N, 2], gradients: f32[N, 2]) -> f32 {
                f(results, gradients).mean() + optimizer.mean()
            }

            pub(crate) fn constant() -> f32 { 1.5 }
            pub fn same(x: f32[N, 2]) -> f32[N, 2] { x }
            pub fn odd(x: f32[2 * T + 1]) -> f32 { x.sum() / (2 * T + 1) + 1.0 / T }
        }
    }
}

castnet::network! {
    net __NET { fc: Linear(3); pub fn f(x: f32[N, 2]) -> f32[N, 3] { fc(x) } }
}

macro_rules! net {
    ($visibility:vis $name:ident, $layer:ident, $function:ident, $size:expr) => {
        castnet::network! {
            $visibility net $name {
                $layer: Linear($size * 2);
                pub fn $function(x: f32[N, 2]) -> f32[N, 2 * $size] { x.$layer() * $size }
            }
        }
    };
}
net!(pub(crate) Made, layer, go, 2 + 3);
net!(Plain, layer, go, 4);

type Outcome = ::std::result::Result<(), castnet::Error>;

#[test]
fn nets_run_where_names_are_taken() -> Outcome {
    let (device, x) = (castnet::Device::cpu(), castnet::Array::from_vec(&[1, 2], vec![1.0f32, 2.0])?);
    let ok = inner::Ok::new(&device, 1)?;
    assert_eq!(ok.f(&x, &x)?.shape(), [1, 3]);
    assert_eq!(ok.constant()?.item::<f32>()?, 1.5);
    assert_eq!(ok.same(&x)?, x);
    let odd = castnet::Array::from_vec(&[5], vec![1.0f32; 5])?;
    assert_eq!(ok.odd(&odd)?.item::<f32>()?, 1.5);
    let even = castnet::Array::from_vec(&[4], vec![1.0f32; 4])?;
    let message = ok.odd(&even).err().map(|e| e.to_string()).unwrap_or_default();
    assert_eq!(message, "Ok.odd: argument `x` is f32[4], expected f32[2*T + 1]");
    assert_eq!(__NET::new(&device, 1)?.f(&x)?.shape(), [1, 3]);
    Ok(())
}

#[test]
fn nets_are_made_by_macros_and_in_functions() -> Outcome {
    castnet::network! {
        net Local { fc: Linear(3); pub fn f(x: f32[N, 2]) -> f32[N, 3] { fc(x) } }
    }
    let (device, x) = (castnet::Device::cpu(), castnet::Array::from_vec(&[1, 2], vec![1.0f32, 2.0])?);
    assert_eq!(Local::new(&device, 1)?.f(&x)?.shape(), [1, 3]);
    assert_eq!(Made::new(&device, 1)?.go(&x)?.shape(), [1, 10]);
    assert_eq!(Plain::new(&device, 1)?.go(&x)?.shape(), [1, 8]);
    Ok(())
}
