//! Tests of a network of one's own: what `castnet::check!` writes tests of.
//!
//! Each of them draws arguments of the right types from the model's seed, runs every function of the model, and leaves the model as it is.

mod arguments;
mod exact;
mod fused;
mod gradients;
mod outcome;
mod plans;
mod saved;
mod sizes;
mod threads;

use std::fmt;

pub use fused::fused;
pub use gradients::gradients;
pub use plans::{kernels, memory, unshare};
pub use saved::saved;
pub use threads::one_thread;

use castnet_kernels::random::uniform;

use crate::error::Error;
use crate::float::{Float, with_float};
use crate::model::Model;

/// What a check found, in words.
pub struct Mistake(String);

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As `Display`: a test that returns it shows the text.
impl fmt::Debug for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mistake {}

impl From<Error> for Mistake {
    fn from(error: Error) -> Mistake {
        Mistake(error.to_string())
    }
}

/// A twin of a model whose parameters are a little off, each `draw` in another way: some first values are zeros, where functions may bend.
fn shaken(model: &Model, draw: u64) -> Result<Model, Mistake> {
    let mut twin = model.twin()?;
    for (number, parameter) in model.net().parameters.iter().enumerate() {
        let mut values = model.parameter_number(number)?;
        with_float!(model.loaded().float, T => {
            let elements = values.as_mut_slice::<T>()?;
            let squares: f64 = elements.iter().map(|x| x.f64() * x.f64()).sum();
            let size = 0.05 * (squares / elements.len().max(1) as f64).sqrt().max(0.05);
            for (i, x) in elements.iter_mut().enumerate() {
                let unit = f64::from(uniform(model.seed(), (number as u64) << 32 | draw, i as u64));
                *x = T::of_f64(x.f64() + size * (2.0 * unit - 1.0));
            }
        });
        twin.set_parameter(&parameter.name, &values)?;
    }
    Ok(twin)
}
