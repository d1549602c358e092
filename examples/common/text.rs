//! What the examples that read and write text share.

use castnet::Array;
use castnet::data::{Batches, Dataset, Text, Vocabulary};
use castnet::train::{Fit, Mean};

use super::random::Random;
use super::saving::stop;
use super::{Options, Result, data};

/// The windows of a text: nine tenths to train on, the last tenth to validate on.
pub struct Texts {
    pub vocabulary: Vocabulary,
    pub train: Dataset<2>,
    pub validation: Dataset<2>,
}

impl Texts {
    /// Those of the text given with `--data`, or of the King James Bible.
    pub fn read(options: &Options, window: usize) -> Result<Texts> {
        let text = Text::read(options.path("data").unwrap_or_else(|| data("bible-kjv.txt.gz")))?;
        let vocabulary = text.vocabulary().clone();
        let (train, validation) = text.split(0.1)?;
        Ok(Texts { vocabulary, train: train.windows(window)?, validation: validation.windows(window)? })
    }

    /// An error if a net for so many characters cannot read them.
    pub fn fits(&self, characters: usize) -> Result<()> {
        match self.vocabulary.len() {
            found if found <= characters => Ok(()),
            found => Err(format!("the text has {found} different characters, the net is for {characters}").into()),
        }
    }

    /// Training as the options say, or so many epochs of batches of so many windows.
    pub fn fit(&self, options: &Options, epochs: u64, batch: usize) -> Result<Fit<2>> {
        let fit = Fit::new(&self.train, options.get("batch", batch)?)?.epochs(options.get("epochs", epochs)?);
        Ok(fit.seed(options.get("seed", 1)?).stop_after(options.get("steps", u64::MAX)?))
    }
}

/// The mean loss over a data set, `batch` windows at a time; `None` if training is to stop.
pub fn mean_loss(
    windows: &Dataset<2>,
    batch: usize,
    loss: impl Fn(&Array, &Array) -> castnet::Result<Array>,
) -> Result<Option<f64>> {
    let mut mean = Mean::new();
    let mut batches = Batches::new(windows, batch)?;
    while let Some([tokens, next]) = batches.next_batch()? {
        if stop() {
            return Ok(None);
        }
        mean.add(loss(tokens, next)?.item::<f32>()?.into(), tokens.shape()[0] as u64);
    }
    Ok((!stop()).then(|| mean.value()))
}

/// Writes text, a character after the other.
pub struct Sampler {
    context: usize,
    length: usize,
    temperature: f64,
    top: usize,
    random: Random,
}

impl Sampler {
    /// As the options say; the net sees the last `context` characters.
    pub fn new(options: &Options, context: usize) -> Result<Sampler> {
        Ok(Sampler {
            context,
            length: options.get("length", 400)?,
            temperature: options.get("temperature", 0.8f64)?.max(1e-6),
            top: options.get("top-k", 20)?,
            random: Random(options.get("seed", 1)?),
        })
    }

    /// The prompt and what follows; `scores` gives `f32[1, T, characters]` for `u32[1, T]`.
    pub fn write(
        &mut self,
        prompt: &str,
        vocabulary: &Vocabulary,
        scores: impl Fn(&Array) -> castnet::Result<Array>,
    ) -> Result<String> {
        let mut tokens = vocabulary.encode(prompt)?;
        if tokens.is_empty() {
            return Err("a sample begins with a prompt".into());
        }
        for _ in 0..self.length {
            let seen = &tokens[tokens.len().saturating_sub(self.context)..];
            let scores = scores(&Array::from_slice(&[1, seen.len()], seen)?)?;
            let width = scores.len() / seen.len();
            let last = &scores.as_slice::<f32>()?[width * (seen.len() - 1)..];
            tokens.push(self.choose(&last[..vocabulary.len().min(width)]));
        }
        Ok(vocabulary.decode(&tokens)?)
    }

    /// One of the best, with the probability that softmax gives it at this temperature.
    fn choose(&mut self, scores: &[f32]) -> u32 {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        order.truncate(self.top.max(1));
        let power = |&i: &usize| (f64::from(scores[i] - scores[order[0]]) / self.temperature).exp();
        let powers: Vec<f64> = order.iter().map(power).collect();
        let mut left = self.random.unit() * powers.iter().sum::<f64>();
        let chosen = powers.iter().position(|power| {
            left -= power;
            left < 0.0
        });
        order[chosen.unwrap_or(0)] as u32
    }
}
