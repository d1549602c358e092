//! castnet under another name, blocks and nets made with it, and castnet handed on under a third one.
#![deny(warnings)]

/// What other crates see of castnet.
pub mod engine {
    pub use cn as nets;
}

use cn::prelude::*;

network! {
    use castnet_ui_blocks::Residual;

    /// Around a block of a crate that knows castnet by its own name.
    pub block Around(x: f32[N, D]) -> f32[N, D] {
        residual: Residual<D>;
        residual(x).tanh()
    }

    /// Two of them.
    pub net Tower {
        around: [Around; 2];

        /// The last rows.
        pub fn rows(x: f32[N, 3]) -> f32[N, 3] { around(x) }
        /// What training minimises.
        pub train fn loss(x: f32[N, 3]) -> f32 { rows(x).square().mean() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    mod checked {
        cn::check!(super::super::Tower);
    }

    #[test]
    fn a_renamed_castnet_runs() -> cn::Result<()> {
        let mut tower = Tower::new(&Device::cpu(), 1)?;
        let x = Array::from_vec(&[1, 3], vec![1.0f32, 2.0, 3.0])?;
        let before = tower.loss(&x)?.item::<f32>()?;
        tower.loss_step(&mut Sgd::new(0.1), &x)?;
        assert!(tower.loss(&x)?.item::<f32>()? < before);
        Ok(())
    }
}
