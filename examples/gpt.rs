//! A GPT that reads the King James Bible a character at a time, and then writes.
//!
//! ```sh
//! cargo run --release --example gpt
//! cargo run --release --example gpt -- sample "And God said"
//! ```

mod common;

use std::process::ExitCode;

use castnet::data::Vocabulary;
use castnet::prelude::*;
use common::saving::{Saving, stop};
use common::text::{Sampler, Texts, mean_loss};
use common::{Options, Result};

network! {
    /// Every position looks at itself and those before it.
    pub block Attention<HEADS>(x: f32[B, T, D]) -> f32[B, T, D] {
        qkv:  Linear(3 * D);
        proj: Linear(D);
        where D % HEADS == 0;

        let [q, k, v] = qkv(x).reshape([B, T, 3, HEADS, D / HEADS]).permute([2, 0, 3, 1, 4]).unbind(0);
        let y = scaled_dot_product_attention(q, k, v, is_causal = true);
        proj(y.permute([0, 2, 1, 3]).reshape([B, T, D]))
    }

    /// Attention and a perceptron, each after a norm and around a shortcut.
    pub block Layer<HEADS>(x: f32[B, T, D]) -> f32[B, T, D] {
        ln1:       LayerNorm();
        attention: Attention<HEADS>;
        ln2:       LayerNorm();
        up:        Linear(4 * D);
        down:      Linear(D);

        let x = x + attention(ln1(x));
        x + down(up(ln2(x)).gelu())
    }

    /// GPT-2 with tied weights.
    pub net Gpt<LAYERS, D, HEADS, VOCAB, CONTEXT> {
        wte:    Embedding(VOCAB, D, init = normal(0, 0.02));
        wpe:    Embedding(CONTEXT, D, init = normal(0, 0.02));
        layers: [Layer<HEADS>; LAYERS];
        ln_f:   LayerNorm();
        where T <= CONTEXT;

        /// Scores of the next character after each.
        pub fn scores(tokens: u32[B, T]) -> f32[B, T, VOCAB] {
            let x = wte(tokens) + wpe(arange(T));
            ln_f(layers(x)).matmul(wte.weight.t())
        }

        /// What training minimises: nats a character.
        pub train fn loss(tokens: u32[B, T], next: u32[B, T]) -> f32 {
            scores(tokens).cross_entropy(next, dim = -1)
        }

        /// The same in mixed precision.
        #[precision(bf16)]
        pub train fn loss_bf16(tokens: u32[B, T], next: u32[B, T]) -> f32 {
            loss(tokens, next)
        }
    }

    /// Four layers for the 63 characters of the King James Bible.
    pub net CharGpt = Gpt<4, 256, 4, 63, 128>;
}

const CONTEXT: usize = 128;

const HELP: &str = "\
gpt [options]                             train, validate, and write a sample after each epoch
gpt sample PROMPT [--weights FILE]        write what may follow

  --weights FILE  what --save wrote [gpt.safetensors]
  --data FILE     a text, plain or gzip [examples/data/bible-kjv.txt.gz]
  --epochs N      [2]
  --batch N       windows of 128 characters a step [32]
  --lr X          learning rate at its highest; it rises for 100 steps and falls to a tenth along a cosine [0.001]
  --precision P   f32, or bf16: mixed precision [f32]
  --seed N        of the initial weights, the order of the windows, and samples [1]
  --threads N     0 for one a processor [0]
  --steps N       stop after so many steps in all
  --length N      characters of a sample [400]
  --temperature X higher is bolder [0.8]
  --top-k N       choose among the N most likely characters [20]
  --save FILE     after each epoch and at Ctrl-C, all that sample and --resume want [gpt.safetensors]
  --resume FILE   go on from there
";

fn main() -> ExitCode {
    common::main("gpt", HELP, |options| match &options.words[..] {
        [command, prompt] if command == "sample" => sample(options, &prompt.to_string_lossy()),
        _ => train(options),
    })
}

fn train(options: &Options) -> Result<()> {
    options.no_words()?;
    let seed = options.get("seed", 1)?;
    let saving = Saving::new(options, "gpt.safetensors")?;
    let is_mixed = options.is_mixed()?;
    let texts = Texts::read(options, CONTEXT)?;
    texts.fits(63)?;
    let mut fit = texts.fit(options, 2, 32)?;
    let steps = options.get("epochs", 2u64)?.saturating_mul(fit.steps_per_epoch() as u64);
    let schedule = Cosine::new(steps.min(options.get("steps", u64::MAX)?)).warmup(100).least(0.1);
    let mut net = CharGpt::new(&Device::cpu(), seed)?;
    let mut adam = AdamW::new(options.get("lr", 1e-3)?).weight_decay(0.1).clip_norm(1.0).schedule(schedule);
    if let Some(path) = options.path("resume") {
        fit.resume(&net.load_training(path, &mut adam)?)?;
    }
    let mut found = None;
    while fit.next_epoch() {
        while let Some([tokens, next]) = fit.next_batch()? {
            let loss = match is_mixed {
                true => net.loss_bf16_step(&mut adam, tokens, next)?,
                false => net.loss_step(&mut adam, tokens, next)?,
            }
            .get()?;
            fit.loss(loss);
            if stop() {
                fit.stop();
            }
        }
        let mut state = fit.state();
        state.extend(texts.vocabulary.state());
        net.save_training(saving.path(), &adam, &state)?;
        let Some(loss) = mean_loss(&texts.validation, 32, |tokens, next| net.loss(tokens, next))? else {
            fit.report();
            return saving.stopped(adam.state().steps());
        };
        fit.metric("validation loss", loss);
        found = Some(loss);
        // The epoch's line stands before what its net writes.
        fit.report();
        let mut sampler = Sampler::new(options, CONTEXT)?;
        println!("{}\n", sampler.write("And God said", &texts.vocabulary, |tokens| net.scores(tokens))?);
    }
    match found {
        Some(loss) => println!("validation loss {loss:.4}; saved {}", saving.path().display()),
        None => println!("there is no epoch left to train"),
    }
    Ok(())
}

fn sample(options: &Options, prompt: &str) -> Result<()> {
    let mut net = CharGpt::new(&Device::cpu(), 0)?;
    let path = options.path("weights").unwrap_or_else(|| "gpt.safetensors".into());
    let vocabulary = Vocabulary::from_state(&net.load_training_keeping_settings(path, &mut AdamW::new(0.0))?)?;
    println!("{}", Sampler::new(options, CONTEXT)?.write(prompt, &vocabulary, |tokens| net.scores(tokens))?);
    Ok(())
}
