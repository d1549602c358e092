//! Checkpoints of a training run: the model with its optimizer, the counters, and what the caller adds.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::background::SaveHandle;
use super::contents::Contents;
use super::file::Reader;
use crate::error::{Error, Result};
use crate::gradients::Gradients;
use crate::model::{Model, Saved, SavedScales};
use crate::optimizer::{Optimizer, Restored, Sum};

/// The metadata entry of a training checkpoint.
pub(super) const TRAINING: &str = "castnet.training";

/// The counters and settings of a training checkpoint.
#[derive(Serialize, Deserialize)]
struct Training {
    net: String,
    seed: u64,
    /// Training runs of the model.
    runs: u64,
    /// How often each function has drawn, in inference and in training. Older files lack it: their one counter, `runs`, was everyone's.
    #[serde(default)]
    calls: Saved,
    /// The loss scales of functions in mixed precision with f16.
    #[serde(default)]
    loss_scales: SavedScales,
    optimizer: String,
    /// Updates by the optimizer.
    steps: u64,
    /// Updates of each parameter; files of before have `steps` for all.
    parameter_steps: Option<BTreeMap<String, u64>>,
    /// What the optimizer was made with; files of before have none.
    settings: Option<Vec<(String, String)>>,
    /// The bits of the learning rate that was set by hand, if one was: a decimal may come back as another number.
    lr_bits: Option<u64>,
    /// The bits of what metrics have made of the schedule.
    #[serde(default)]
    schedule_bits: Vec<u64>,
    /// The number of batches whose gradients have been added up since the last update, and which parameters they have reached.
    #[serde(default)]
    accumulated: Option<(u64, Vec<String>)>,
    /// Updates of the average that the file holds too, if it does.
    #[serde(default)]
    average_updates: Option<u64>,
    extra: BTreeMap<String, String>,
}

impl Model {
    /// Writes all that is needed to go on with training: parameters, states, seed and counters, the optimizer's state and settings, and what the
    /// caller adds. Replaces an old file as [`Model::save`] does.
    ///
    /// # Errors
    /// As [`Model::save`]; also if the optimizer is another model's, or calls one of its states as the net calls a parameter.
    pub fn save_training(
        &self,
        path: impl AsRef<Path>,
        optimizer: &dyn Optimizer,
        extra: &BTreeMap<String, String>,
    ) -> Result<()> {
        self.write_training(path.as_ref(), optimizer, extra, None)
    }

    /// As [`Model::save_training`], while the program goes on: see [`Model::save_async`]. What the optimizer remembers is copied.
    ///
    /// # Errors
    /// As [`Model::save_async`], and as [`Model::save_training`] but for what writing tells.
    pub fn save_training_async(
        &self,
        path: impl AsRef<Path>,
        optimizer: &dyn Optimizer,
        extra: &BTreeMap<String, String>,
    ) -> Result<SaveHandle> {
        self.write_training_later(path.as_ref(), optimizer, extra, None)
    }

    /// [`Model::save_training`] with an average of the model and the number of its updates.
    pub(crate) fn write_training(
        &self,
        path: &Path,
        optimizer: &dyn Optimizer,
        extra: &BTreeMap<String, String>,
        average: Option<(&Model, u64)>,
    ) -> Result<()> {
        self.write_now(path, self.training(path, optimizer, extra, average)?)
    }

    /// [`Model::save_training_async`] with an average of the model and the number of its updates.
    pub(crate) fn write_training_later(
        &self,
        path: &Path,
        optimizer: &dyn Optimizer,
        extra: &BTreeMap<String, String>,
        average: Option<(&Model, u64)>,
    ) -> Result<SaveHandle> {
        self.write_later(path, self.training(path, optimizer, extra, average)?)
    }

    /// All that a file of a training run holds.
    fn training<'a>(
        &'a self,
        path: &Path,
        optimizer: &'a dyn Optimizer,
        extra: &BTreeMap<String, String>,
        average: Option<(&'a Model, u64)>,
    ) -> Result<Contents<'a>> {
        let state = optimizer.state();
        state.check_owner(optimizer.name(), self.id())?;
        self.is_whole().and(state.is_whole(optimizer.name()))?;
        let states = optimizer.rule().states().enumerate();
        let states = states.filter_map(|(number, (name, dtype))| Some((name, dtype, state.arena(number)?)));
        let sum = state.sum().map(|sum| (GRADIENT, None, &sum.gradients.arena));
        let accumulated = state.sum().map(|sum| (sum.batches(), sum.gradients.names().map(str::to_string).collect()));
        let names = self.net().parameters.iter().map(|p| p.name.clone());
        let training = Training {
            net: self.name().to_string(),
            seed: self.seed(),
            runs: self.steps(),
            calls: self.calls().save(self.net()),
            loss_scales: self.scales().save(self.net()),
            optimizer: optimizer.name().to_string(),
            steps: state.steps(),
            parameter_steps: Some(names.zip(state.parameter_steps().iter().copied()).collect()),
            settings: Some(settings(optimizer)),
            lr_bits: state.lr().map(f64::to_bits),
            accumulated,
            average_updates: average.map(|(_, updates)| updates),
            schedule_bits: state.schedule_state().into_iter().map(f64::to_bits).collect(),
            extra: extra.clone(),
        };
        let text = serde_json::to_string(&training).map_err(|e| Error::Io {
            path: path.to_path_buf(),
            what: "cannot be written",
            source: e.into(),
        })?;
        let arenas = states.chain(sum).collect();
        Ok(Contents { model: self, average: average.map(|(average, _)| average), arenas, training: Some(text) })
    }

    /// Goes on where [`Model::save_training`] was called, to the bit: parameters, states, seed, counters, the optimizer's state and a learning
    /// rate set by hand become those of the file; returns what the caller had added.
    ///
    /// # Errors
    /// As [`Model::load`]; if the file is no training checkpoint, is of an optimizer of another kind, or the optimizer was made with other
    /// settings than this one (what it was given before its first step, the schedule included). Model and optimizer are as they were then.
    pub fn load_training(
        &mut self,
        path: impl AsRef<Path>,
        optimizer: &mut dyn Optimizer,
    ) -> Result<BTreeMap<String, String>> {
        self.resume(&Reader::open(path.as_ref())?, optimizer, false)
    }

    /// The same with the average that [`Model::write_training`] was given, and the number of its updates.
    pub(crate) fn resume_with(
        &mut self,
        path: &Path,
        optimizer: &mut dyn Optimizer,
        average: &mut Model,
    ) -> Result<(BTreeMap<String, String>, u64)> {
        let reader = Reader::open(path)?;
        let Some(updates) = read_training(&reader)?.average_updates else {
            return Err(wrong(&reader, "average", "missing", "that of `Ema::save_training`"));
        };
        let mut mistakes = Vec::new();
        let (parameters, states) = average.read_values(&reader, &|key| state_key(AVERAGE, key), &mut mistakes)?;
        average.unless_wrong(&reader, mistakes)?;
        let extra = self.resume(&reader, optimizer, false)?;
        average.restore(parameters, states, None);
        Ok((extra, updates))
    }

    /// As [`Model::load_training`], but the optimizer keeps the settings and the learning rate that it has, whatever the file's were. A state
    /// that the file does not hold (momentum, where it was trained without) starts anew.
    ///
    /// # Errors
    /// As [`Model::load_training`], but for settings.
    pub fn load_training_keeping_settings(
        &mut self,
        path: impl AsRef<Path>,
        optimizer: &mut dyn Optimizer,
    ) -> Result<BTreeMap<String, String>> {
        self.resume(&Reader::open(path.as_ref())?, optimizer, true)
    }

    fn resume(
        &mut self,
        reader: &Reader,
        optimizer: &mut dyn Optimizer,
        keep_settings: bool,
    ) -> Result<BTreeMap<String, String>> {
        let training = read_training(reader)?;
        let wrong = |key: &str, found: &str, expected: &str| wrong(reader, key, found, expected);
        if training.optimizer != optimizer.name() {
            return Err(wrong("optimizer", &training.optimizer, optimizer.name()));
        }
        let schedule: Vec<_> = match keep_settings {
            true => vec![],
            false => training.schedule_bits.iter().copied().map(f64::from_bits).collect(),
        };
        let saved = self.saved_states(reader);
        if !keep_settings {
            let differences = differences(&training, &saved, optimizer);
            if !differences.is_empty() {
                let (path, optimizer) = (reader.path().to_path_buf(), optimizer.name());
                return Err(Error::OtherSettings { path, optimizer, differences });
            }
        }
        let numbers = optimizer.state().schedule_state().len();
        if !keep_settings && schedule.len() != numbers {
            return Err(wrong("schedule_bits", &format!("{} numbers", schedule.len()), &numbers.to_string()));
        }
        let (parameters, own_states) = self.read_model(reader)?;
        let sum = match &training.accumulated {
            Some((batches, names)) if optimizer.state().accumulate_text().is_some() => {
                Some(Sum::restored(self.read_gradients(reader, names)?, *batches))
            }
            _ => None,
        };
        let mut states: Vec<_> = optimizer.rule().states().collect();
        let whole = states.iter().all(|(state, _)| saved.iter().any(|s| s == state));
        // A sum belongs to a state that is in use.
        if training.steps == 0 && sum.is_none() {
            states.clear();
        }
        let arenas = states.iter().map(|(state, dtype)| {
            if !whole || training.steps == 0 {
                return self.loaded().arena_of(*dtype);
            }
            let mut mistakes = Vec::new();
            let arena = self.read_arena(reader, *dtype, &|parameter| state_key(state, parameter), &mut mistakes)?;
            self.unless_wrong(reader, mistakes).map(|()| arena)
        });
        let arenas = arenas.collect::<Result<Vec<_>>>()?;
        let parameter_steps = self.net().parameters.iter().map(|p| match &training.parameter_steps {
            _ if !whole => Ok(0),
            // No step has been done.
            Some(known) if known.is_empty() && training.steps == 0 => Ok(0),
            Some(known) => known.get(&p.name).copied().ok_or_else(|| {
                wrong(&format!("parameter_steps.{}", p.name), "missing", "the number of updates of this parameter")
            }),
            None => Ok(training.steps),
        });
        let parameter_steps = parameter_steps.collect::<Result<Vec<_>>>()?;
        let lr = if keep_settings { optimizer.state().lr() } else { training.lr_bits.map(f64::from_bits) };
        self.restore(
            parameters,
            own_states,
            Some((training.seed, training.runs, &training.calls, &training.loss_scales)),
        );
        let restored = Restored { steps: training.steps, parameter_steps, lr, arenas, schedule, sum };
        optimizer.state_mut().restore((self.id(), self.name()), restored);
        Ok(training.extra)
    }

    /// The gradients of these parameters that a file holds.
    fn read_gradients(&self, reader: &Reader, names: &[String]) -> Result<Gradients> {
        let mut mistakes = Vec::new();
        let arena = self.read_arena(reader, None, &|parameter| state_key(GRADIENT, parameter), &mut mistakes)?;
        self.unless_wrong(reader, mistakes)?;
        let mut gradients = Gradients::new(self.loaded())?;
        gradients.arena = arena;
        let numbers = names.iter().map(|name| self.loaded().parameter(name)).collect::<Result<Vec<_>>>()?;
        gradients.reach(&numbers);
        Ok(gradients)
    }

    /// The names of the optimizer's states that a file holds, sorted.
    fn saved_states(&self, reader: &Reader) -> Vec<String> {
        let own = |key: &str| self.net().parameters.iter().any(|p| p.name == key);
        let state = |key: &String| {
            let rest = key.strip_prefix(OPTIMIZER).filter(|_| !own(key))?;
            let names = self.net().parameters.iter().map(|p| p.name.as_str());
            let states = names.filter_map(|name| rest.strip_suffix(name)?.strip_suffix('.'));
            // `fc.weight` ends with `weight`, which may be a parameter too.
            states.min_by_key(|state| state.len()).map(str::to_string)
        };
        let mut names: Vec<_> =
            reader.keys().iter().filter_map(state).filter(|name| name != GRADIENT && name != AVERAGE).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// How keys of the optimizer's states begin.
pub(super) const OPTIMIZER: &str = "optimizer.";

fn read_training(reader: &Reader) -> Result<Training> {
    let expected = "the metadata of a training checkpoint";
    let text = reader.metadata(TRAINING).ok_or_else(|| wrong(reader, TRAINING, "missing", expected))?;
    serde_json::from_str(text).map_err(|e| wrong(reader, TRAINING, &e.to_string(), expected))
}

fn wrong(reader: &Reader, key: &str, found: &str, expected: &str) -> Error {
    let (path, key) = (reader.path().to_path_buf(), key.to_string());
    Error::Resume { path, key, found: found.to_string(), expected: expected.to_string() }
}

/// What stands in the place of a state's name for an average of the model, its states among it.
pub(super) const AVERAGE: &str = "averaged";

/// What stands in the place of a state's name for gradients that are added up.
const GRADIENT: &str = "accumulated_grad";

pub(super) fn state_key(state: &str, parameter: &str) -> String {
    format!("{OPTIMIZER}{state}.{parameter}")
}

fn settings(optimizer: &dyn Optimizer) -> Vec<(String, String)> {
    let own = optimizer.settings().into_iter().map(|(name, value)| (name.to_string(), value));
    let (groups, accumulate) = (optimizer.state().groups_text(), optimizer.state().accumulate_text());
    let common = [("groups", groups), ("accumulate", accumulate)].into_iter();
    own.chain(common.filter_map(|(name, value)| Some((name.to_string(), value?)))).collect()
}

/// In what the optimizer of the file differs from this one; a line each.
fn differences(training: &Training, saved: &[String], optimizer: &dyn Optimizer) -> Vec<String> {
    let here = settings(optimizer);
    let mut lines = vec![];
    if let Some(there) = &training.settings {
        let names = here.iter().chain(there.iter().filter(|(name, _)| !here.iter().any(|(n, _)| n == name)));
        let value = |list: &[(String, String)], name: &str| {
            list.iter().find(|(n, _)| n == name).map_or("not a setting".to_string(), |(_, value)| value.clone())
        };
        for (name, _) in names {
            let (found, own) = (value(there, name), value(&here, name));
            // Files of before lack options that came later: they were off.
            let both_off = [&found, &own].iter().all(|value| ["not a setting", "false"].contains(&value.as_str()));
            if found != own && !both_off {
                lines.push(format!("{name}: {found} in the file, {own} here"));
            }
        }
    }
    let mut own: Vec<String> = optimizer.states().iter().map(|s| s.to_string()).collect();
    own.sort();
    // A file without settings, or an optimizer that does not tell them.
    if lines.is_empty() && training.steps > 0 && saved != own {
        let list = |names: &[String]| if names.is_empty() { "none".to_string() } else { names.join(", ") };
        lines.push(format!("states of each parameter: {} in the file, {} here", list(saved), list(&own)));
    }
    lines
}
