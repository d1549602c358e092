//! A running average of a model's parameters.

use std::collections::BTreeMap;
use std::path::Path;

use crate::checkpoint::SaveHandle;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::optimizer::Optimizer;

/// An exponential moving average of a model, kept beside it
/// (`torch.optim.swa_utils.AveragedModel` with `get_ema_multi_avg_fn(decay)`).
///
/// The average is a model of its own, so what is evaluated or saved is `ema.net()`. The first update copies; each further one moves all
/// parameters a part of 1 - decay of the way. States, such as running statistics, are copied.
///
/// ```
/// use castnet_runtime::train::Ema;
/// use castnet_runtime::{Model, Result};
///
/// /// `ema` begins as a net of its own: `Ema::new(LeNet::new(&Device::cpu(), 1)?, 0.999)?`.
/// fn train<N>(net: &mut N, ema: &mut Ema<N>, mut step: impl FnMut(&mut N) -> Result<()>) -> Result<()>
/// where
///     N: AsRef<Model> + AsMut<Model>,
/// {
///     for _ in 0..1000 {
///         step(net)?; // net.loss_step(&mut sgd, image, digit)?
///         ema.update(net)?;
///     }
///     ema.net().as_ref().save("averaged.safetensors")
/// }
/// ```
#[doc(alias = "AveragedModel")]
#[derive(Debug)]
pub struct Ema<N> {
    net: N,
    decay: f64,
    warmup: bool,
    use_buffers: bool,
    updates: u64,
}

impl<N: AsRef<Model> + AsMut<Model>> Ema<N> {
    /// An average in `net`, whose own values no longer matter: a new model of the same network.
    ///
    /// # Errors
    /// If `decay` is not in [0, 1].
    pub fn new(net: N, decay: f64) -> Result<Ema<N>> {
        if !(0.0..=1.0).contains(&decay) {
            return Err(Error::Setting { optimizer: "Ema", setting: "decay", value: decay, allowed: "in [0, 1]" });
        }
        Ok(Ema { net, decay, warmup: false, use_buffers: false, updates: 0 })
    }

    /// Forgets faster at first: update n, from 0, has a decay of at most (1 + n) / (10 + n).
    pub fn warmup(mut self) -> Ema<N> {
        self.warmup = true;
        self
    }

    /// Whether states of floats are averaged as well, in place of copied; those of whole numbers are not. They are copied at first.
    pub fn use_buffers(mut self, average: bool) -> Ema<N> {
        self.use_buffers = average;
        self
    }

    /// Takes a model into the average: to be called after each step.
    ///
    /// # Errors
    /// If it is of another network, or there is no memory for a state; nothing has changed then.
    pub fn update(&mut self, net: &N) -> Result<()> {
        let decay = self.decay();
        let average = self.net.as_mut();
        match self.updates {
            0 => average.copy_from(net.as_ref())?,
            _ => average.average(net.as_ref(), 1.0 - decay, self.use_buffers)?,
        }
        self.updates += 1;
        Ok(())
    }

    /// The decay of the next update.
    pub fn decay(&self) -> f64 {
        let n = self.updates as f64;
        if self.warmup { self.decay.min((1.0 + n) / (10.0 + n)) } else { self.decay }
    }

    /// Updates so far.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// The average.
    pub fn net(&self) -> &N {
        &self.net
    }

    /// The average alone.
    pub fn into_net(self) -> N {
        self.net
    }

    /// As [`Model::save_training`], with the average in the same file.
    ///
    /// # Errors
    /// As [`Model::save_training`].
    pub fn save_training(
        &self,
        path: impl AsRef<Path>,
        net: &N,
        optimizer: &dyn Optimizer,
        extra: &BTreeMap<String, String>,
    ) -> Result<()> {
        let average = Some((self.net.as_ref(), self.updates));
        net.as_ref().write_training(path.as_ref(), optimizer, extra, average)
    }

    /// As [`Model::save_training_async`], with the average in the same file.
    ///
    /// # Errors
    /// As [`Model::save_training_async`].
    pub fn save_training_async(
        &self,
        path: impl AsRef<Path>,
        net: &N,
        optimizer: &dyn Optimizer,
        extra: &BTreeMap<String, String>,
    ) -> Result<SaveHandle> {
        let average = Some((self.net.as_ref(), self.updates));
        net.as_ref().write_training_later(path.as_ref(), optimizer, extra, average)
    }

    /// As [`Model::load_training`], with the average of a file of [`Ema::save_training`].
    ///
    /// # Errors
    /// As [`Model::load_training`]; if the file has no average, or one of another network. All is as it was then.
    pub fn load_training(
        &mut self,
        path: impl AsRef<Path>,
        net: &mut N,
        optimizer: &mut dyn Optimizer,
    ) -> Result<BTreeMap<String, String>> {
        let average = self.net.as_mut();
        let (extra, updates) = net.as_mut().resume_with(path.as_ref(), optimizer, average)?;
        self.updates = updates;
        Ok(extra)
    }
}
