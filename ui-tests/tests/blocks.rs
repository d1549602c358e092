//! Blocks and templates of other modules and crates: they run, and nothing around them is in their way.
#![deny(warnings)]

use castnet::{Array, Device, Error};

mod inner {
    castnet::network! {
        pub block Bias(x: f32[N, D]) -> f32[N, D] {
            param bias: f32[D] = 0.5;
            x + bias
        }

        pub(super) block Twice(x: f32[N]) -> f32[N] {
            x * 2
        }
    }

    pub mod deep {
        castnet::network! {
            use super::Bias;

            pub(in crate::inner) block Deep(x: f32[N, D]) -> f32[N, D] {
                bias: Bias;
                bias(bias(x))
            }
        }
    }

    castnet::network! {
        use self::deep::Deep;

        pub net Net {
            part: Deep;
            pub fn f(x: f32[N, 2]) -> f32[N, 2] { part(x) }
        }
    }
}

/// What is used where it is not defined.
struct Residual;

castnet::network! {
    use castnet_ui_blocks::{Double, Residual, others::{Residual as Other, Stack}};
    use crate::inner::{Bias, Twice};
    use ::castnet_ui_blocks::first::Double as First;
    use castnet_ui_blocks::second::Double as Second;

    net User {
        residual: Residual<4>;
        others:   [Other; 2];
        bias:     Bias;
        double:   Double;
        twice:    Twice;
        first:    First;
        second:   Second;

        pub fn f(x: f32[N, 4]) -> f32[N, 4] {
            bias(others(residual(x)))
        }

        pub fn g(x: f32[N]) -> f32[N] {
            double(x) + twice(x) + first(x) + second(x)
        }
    }

    net Deep = Stack<3, WIDTH = 2>;
}

#[test]
fn blocks_of_others_run() -> Result<(), Error> {
    let _ = Residual;
    let device = Device::cpu();
    let x = Array::from_vec(&[1, 2], vec![1.0f32, 2.0])?;
    assert_eq!(inner::Net::new(&device, 1)?.f(&x)?, Array::from_vec(&[1, 2], vec![2.0f32, 3.0])?);

    let user = User::new(&device, 1)?;
    let one = Array::from_vec(&[1], vec![1.0f32])?;
    assert_eq!(user.g(&one)?.item::<f32>()?, 10.0);
    assert_eq!(user.f(&Array::zeros::<f32>(&[2, 4]))?.shape(), [2, 4]);
    for name in ["residual.inner.up.weight", "others.1.outer.inner.down.bias", "others.0.scale.scale", "bias.bias"] {
        assert!(user.parameter(name).is_ok(), "{name}");
    }

    let deep = Deep::new(&device, 1)?;
    assert_eq!(deep.scores(&x)?.shape(), [1, 3]);
    assert!(deep.parameter("layers.2.outer.inner.up.weight").is_ok());
    let small = castnet_ui_blocks::others::Small::new(&device, 1)?;
    assert_eq!(small.scores(&Array::zeros::<f32>(&[1, 4]))?.shape(), [1, 3]);
    Ok(())
}

#[test]
fn blocks_are_used_in_functions() -> Result<(), Error> {
    castnet::network! {
        pub block Local(x: f32[N, D]) -> f32[N, D] { x * 3 }
    }
    castnet::network! {
        use Local;
        use inner::Bias;

        net Here {
            local: Local;
            bias:  Bias;
            pub fn f(x: f32[N, 1]) -> f32[N, 1] { bias(local(x)) }
        }
    }
    let here = Here::new(&Device::cpu(), 1)?;
    let one = Array::from_vec(&[1, 1], vec![1.0f32])?;
    assert_eq!(here.f(&one)?.item::<f32>()?, 3.5);
    Ok(())
}
