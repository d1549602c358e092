//! Update rules: what an optimizer does to one parameter, as data.

use serde::{Deserialize, Serialize};

use crate::program::{Level, Source, Stage, Target};
use crate::scalar::{Lane, Reduction};
use crate::types::DType;

/// How one parameter changes by its gradient: stages over it as a row.
///
/// What stages load, in this order: the parameter, its gradient (multiplied by what clips or unscales it), the states, then the scalars, one
/// number each for the whole parameter. What they store: the parameter, then the states. Element stages may reduce to row values
/// ([`Target::Reduce`]), row stages compute with these, and the last element stage stores everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// `Adam`.
    pub name: String,
    /// What is remembered of each element, 0 at first.
    pub states: Vec<State>,
    /// The numbers that one parameter is updated with: what of settings, factors and its count of updates enters the formula.
    pub scalars: Vec<String>,
    /// In order.
    pub stages: Vec<Stage>,
}

/// A state of an update rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// `exp_avg`.
    pub name: String,
    /// Of what type it is; `None`: the net's float type.
    pub dtype: Option<DType>,
}

/// The number of the parameter among what is loaded and among what is stored.
pub const PARAMETER: usize = 0;
/// The number of the gradient among what is loaded.
pub const GRADIENT: usize = 1;

impl Rule {
    /// The number of a state among what is loaded; among what is stored it is one less.
    pub fn state(state: usize) -> usize {
        GRADIENT + 1 + state
    }

    /// The number of a scalar among what is loaded.
    pub fn scalar(&self, scalar: usize) -> usize {
        Rule::state(self.states.len()) + scalar
    }

    /// Whether something of the whole parameter must be known before an element can be updated.
    pub fn reduces(&self) -> bool {
        self.stages.len() > 1
    }

    /// What is wrong with it, for a parameter that is computed in `lane`.
    ///
    /// # Errors
    /// The mistake, in words.
    pub fn verify(&self, lane: Lane) -> Result<(), String> {
        let wrong = |what: String| Err(format!("rule {}: {what}", self.name));
        let (loads, stores) = (self.scalar(self.scalars.len()), Rule::state(self.states.len()) - 1);
        let lane_of = |load: usize| match load.checked_sub(Rule::state(0)).and_then(|state| self.states.get(state)) {
            Some(State { dtype: Some(dtype), .. }) => dtype.lane(),
            Some(State { dtype: None, .. }) | None => lane,
        };
        // The lanes of row values, as far as they are made.
        let mut row: Vec<Option<Lane>> = vec![];
        let mut stored = vec![false; stores];
        for (number, stage) in self.stages.iter().enumerate() {
            let lanes = stage.code.lanes().map_err(|what| format!("rule {}: {what}", self.name))?;
            let inputs = stage.inputs.iter().zip(&stage.code.inputs);
            for (source, &found) in inputs {
                let known = match source {
                    Source::Load(load) if *load >= loads => return wrong(format!("there is no load {load}")),
                    Source::Load(load) if stage.level == Level::Row && *load < self.scalar(0) => {
                        return wrong(format!("a row stage reads the elements of load {load}"));
                    }
                    Source::Load(load) => Some(lane_of(*load)),
                    Source::Row(value) => row.get(*value).copied().flatten(),
                    Source::Acc
                    | Source::Index(_)
                    | Source::Size(_)
                    | Source::LossScale
                    | Source::Random { .. }
                    | Source::Gather { .. } => {
                        return wrong(format!("{source:?} in a rule"));
                    }
                };
                if known != Some(found) {
                    return wrong(format!("{source:?} is {known:?} and read as {found:?}"));
                }
            }
            let mut made = |value: usize, lane: Lane| {
                row.resize(row.len().max(value + 1), None);
                row[value].replace(lane).is_none()
            };
            for (target, &slot) in stage.outputs.iter().zip(&stage.code.outputs) {
                let found = lanes[slot as usize];
                match (target, stage.level) {
                    (Target::Store(store), Level::Element) if number + 1 == self.stages.len() => {
                        // What is stored is loaded under the next number, but the parameter.
                        let load = if *store == PARAMETER { PARAMETER } else { store + 1 };
                        if *store >= stores || lane_of(load) != found || std::mem::replace(&mut stored[*store], true) {
                            return wrong(format!("store {store} of {found:?}"));
                        }
                    }
                    (Target::Reduce(Reduction::Sum, value), Level::Element) if made(*value, found) => {}
                    (Target::Row(value), Level::Row) if made(*value, found) => {}
                    _ => return wrong(format!("{target:?} of stage {number}")),
                }
            }
        }
        if stored.iter().all(|stored| *stored) { Ok(()) } else { wrong("not everything is stored".to_string()) }
    }
}
