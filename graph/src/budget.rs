//! Memory budgets: what a function may take, and what it takes.

use crate::diagnostic::{Diagnostic, Loc};
use crate::net::Net;

/// `#[memory(512 MiB, N = 256)]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// What parameters, gradients, optimizer state, activations and workspace may take together.
    pub bytes: i64,
    /// The run-time sizes at which that holds.
    pub sizes: Vec<(String, i64)>,
    /// Which optimizer's state is counted.
    pub optimizer: Optimizer,
    /// Where it is written.
    pub at: Loc,
}

/// What an optimizer keeps for each parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Optimizer {
    /// Nothing.
    Sgd,
    /// A velocity.
    Momentum,
    /// Two moments. The default, since it takes the most.
    #[default]
    AdamW,
}

impl Optimizer {
    /// Floats a parameter.
    pub fn states(self) -> i64 {
        match self {
            Optimizer::Sgd => 0,
            Optimizer::Momentum => 1,
            Optimizer::AdamW => 2,
        }
    }
}

/// Bytes of a function by what they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes {
    /// Of all parameters of the net and their mirrors.
    pub parameters: i64,
    /// Of training: a gradient each, all of them at a time (as clipping needs them).
    pub gradients: i64,
    /// Of training.
    pub optimizer: i64,
    /// Everything else: the arena.
    pub activations: i64,
}

impl Bytes {
    /// All together.
    pub fn total(&self) -> i64 {
        self.parameters + self.gradients + self.optimizer + self.activations
    }
}

impl Budget {
    /// The value of a run-time size; 1 if the budget does not say it.
    pub fn value(&self, name: &str) -> i64 {
        self.sizes.iter().find(|(known, _)| known == name).map_or(1, |(_, value)| *value)
    }

    /// What a program takes with an arena of so many bytes.
    pub fn of(&self, net: &Net, training: bool, activations: i64) -> Bytes {
        let trained = if training { net.parameter_bytes() as i64 } else { 0 };
        let parameters = (net.parameter_bytes() + net.mirror_bytes()) as i64;
        Bytes { parameters, gradients: trained, optimizer: trained * self.optimizer.states(), activations }
    }

    /// That `function` takes this much at the least. Of what it makes in `loops` nothing more is made again, for a budget.
    pub fn exceeded(&self, function: &str, bytes: &Bytes, training: bool, loops: bool) -> Diagnostic {
        let sizes: Vec<_> = self.sizes.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let at = if sizes.is_empty() { String::new() } else { format!(" at {}", sizes.join(", ")) };
        let (total, allowed) = (text(bytes.total()), text(self.bytes));
        let message = format!("`{function}` takes {total}{at}, and its budget is {allowed}");
        Diagnostic::new("N0801", self.at, message)
            .note(
                Loc::default(),
                format!(
                    "parameters {}, gradients {}, optimizer state {}, activations and workspace {}",
                    text(bytes.parameters),
                    text(bytes.gradients),
                    text(bytes.optimizer),
                    text(bytes.activations)
                ),
            )
            .help(match (training, loops) {
                (false, _) => "allow more, or make a size smaller",
                (true, false) => {
                    "that is the least of the plans with values made again in the backward pass: allow more, make a size \
                     smaller, or choose a smaller optimizer"
                }
                (true, true) => {
                    "that is the least of the plans with values made again in the backward pass, but rounds of loops keep \
                     theirs: write equal blocks of an array out, `for block in blocks { x = block(x); }`, allow more, make \
                     a size smaller, or choose a smaller optimizer"
                }
            })
    }
}

/// `12.5 MiB`.
fn text(bytes: i64) -> String {
    let mut value = bytes as f64;
    for unit in ["bytes", "KiB", "MiB"] {
        if value < 1024.0 {
            return if unit == "bytes" { format!("{bytes} bytes") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} GiB")
}
