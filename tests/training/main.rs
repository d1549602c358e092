//! Training as a user meets it: what an optimizer remembers of each parameter, what stops a step, what a resumed run goes on with.

mod guard;
mod optimizers;
mod resume;
mod single_values;
