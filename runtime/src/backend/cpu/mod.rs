//! The processor: a program under numbers for all sizes (`binding`), the memory in which one call of it runs (`frame`), and its phases, chunk by
//! chunk, on the pool (`run`).

mod apart;
mod binding;
mod checks;
mod ending;
mod ending_alone;
mod frame;
mod in_place;
mod phases;
mod places;
mod profiled;
mod rounds;
mod run;

pub(crate) use binding::{Binding, Names};
pub(crate) use ending::{EndingRun, EndingWork};
pub(crate) use ending_alone::EndingAlone;
pub(crate) use frame::{Bases, Frame};
pub(crate) use phases::Phases;
pub(crate) use profiled::Profiling;
pub(crate) use rounds::EndingPhase;
