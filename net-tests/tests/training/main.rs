//! Training as a user meets it: what an optimizer remembers of each parameter, what stops a step, what a resumed run goes on with, halves.

#[path = "../../../tests/nets/mod.rs"]
mod nets;

mod accumulate;
mod doubles;
mod ema;
mod guard;
mod halves;
mod optimizers;
mod resume;
#[forbid(unsafe_code)]
mod rules;
mod settings;
mod single_values;
mod small;
