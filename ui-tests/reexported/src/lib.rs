//! Nets of a crate that has castnet only by way of another crate: what `network!` writes names castnet as the macro was named, or as the
//! first item says.
#![deny(warnings)]

use castnet_ui_renamed::engine::nets::prelude::*;

network! {
    use castnet_ui_renamed::Around;

    /// With a block of the crate that hands castnet on.
    pub net Named {
        around: Around;

        /// The rows of a block, and one more layer.
        pub fn rows(x: f32[N, 2]) -> f32[N, 2] { around(x) }
    }
}

/// Only the macro.
pub mod bare {
    use castnet_ui_renamed::engine::nets::network as cast;

    cast! {
        /// Says where castnet is.
        pub net Said {
            /// Twice.
            pub fn twice(x: f32[N]) -> f32[N] { x * 2 }
        }
    }
}

/// The crate as this crate calls it.
pub mod own {
    pub use castnet_ui_renamed::engine::nets as castnet;

    castnet::network! {
        crate = crate::own::castnet;
        use castnet_ui_renamed::Around;

        /// The path is written.
        pub net Written {
            around: Around;

            /// The rows of a block.
            pub fn rows(x: f32[N, 2]) -> f32[N, 2] { around(x) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    castnet_ui_renamed::engine::nets::check!(Named);

    #[test]
    fn a_castnet_that_is_handed_on_runs() -> castnet_ui_renamed::engine::nets::Result<()> {
        let device = Device::cpu();
        let x = Array::from_vec(&[1, 2], vec![1.0f32, 2.0])?;
        let (named, written) = (Named::new(&device, 1)?, own::Written::new(&device, 1)?);
        assert_eq!(named.rows(&x)?, written.rows(&x)?);
        let one = Array::from_vec(&[1], vec![1.5f32])?;
        assert_eq!(bare::Said::new(&device, 1)?.twice(&one)?.item::<f32>()?, 3.0);
        Ok(())
    }
}
