//! Networks that one would not think of at first: what is written must be what runs.

mod divided;
mod states;
