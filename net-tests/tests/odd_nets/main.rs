//! Networks that one would not think of at first: what is written must be what runs.

mod constants;
mod declared;
mod divided;
mod quotients;
mod states;
