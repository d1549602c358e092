//! Groups of parameters with settings of their own.

use castnet_program::net::Net;
use castnet_program::spelling::near_glob;

use super::{Settings, State};
use crate::error::{Error, Result};
use crate::net::Updated;

/// Settings of the parameters that a glob matches, as PyTorch's parameter groups have them; what is not set here is the optimizer's.
///
/// A glob is compared to the whole key of a parameter: `*` stands for any number of characters, dots among them, `?` for one. Of several
/// globs that match a key the last one counts, alone. `#[lr_mult = …]` and `#[wd_mult = …]` in the network multiply what follows.
///
/// ```
/// use castnet_runtime::AdamW;
///
/// let adam = AdamW::new(1e-3)
///     .group("*.bias", |g| g.weight_decay(0.0))
///     .group("embedding.*", |g| g.lr_mult(0.1).weight_decay(0.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    lr: Option<f64>,
    lr_mult: f64,
    weight_decay: Option<f64>,
    wd_mult: f64,
}

impl Default for Group {
    fn default() -> Group {
        Group::new()
    }
}

impl Group {
    /// All as the optimizer has it.
    pub fn new() -> Group {
        Group { lr: None, lr_mult: 1.0, weight_decay: None, wd_mult: 1.0 }
    }

    /// This learning rate, still times the schedule's factor; `set_lr` of the optimizer leaves it as it is.
    pub fn lr(mut self, lr: f64) -> Group {
        self.lr = Some(lr);
        self
    }

    /// The learning rate times this.
    pub fn lr_mult(mut self, factor: f64) -> Group {
        self.lr_mult = factor;
        self
    }

    /// This weight decay.
    pub fn weight_decay(mut self, weight_decay: f64) -> Group {
        self.weight_decay = Some(weight_decay);
        self
    }

    /// The weight decay times this.
    pub fn wd_mult(mut self, factor: f64) -> Group {
        self.wd_mult = factor;
        self
    }

    fn check(&self, optimizer: &'static str) -> Result<()> {
        let settings = Settings(optimizer);
        settings.not_negative("lr of a group", self.lr.unwrap_or(0.0))?;
        settings.not_negative("lr_mult of a group", self.lr_mult)?;
        settings.not_negative("weight_decay of a group", self.weight_decay.unwrap_or(0.0))?;
        settings.not_negative("wd_mult of a group", self.wd_mult)
    }

    /// What it sets: `lr = 0.1, wd_mult = 2.0`.
    fn text(&self) -> String {
        let mult = |factor: f64| (factor != 1.0).then_some(factor);
        let set = [
            ("lr", self.lr),
            ("lr_mult", mult(self.lr_mult)),
            ("weight_decay", self.weight_decay),
            ("wd_mult", mult(self.wd_mult)),
        ];
        let set = set.into_iter().filter_map(|(name, value)| value.map(|value| format!("{name} = {value:?}")));
        set.collect::<Vec<_>>().join(", ")
    }
}

/// What the settings are for one parameter in this step: by the schedule, by its group, by the attributes before its layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors {
    schedule: f64,
    group: Group,
    lr_mult: f64,
    wd_mult: f64,
}

impl Default for Factors {
    fn default() -> Factors {
        Factors { schedule: 1.0, group: Group::new(), lr_mult: 1.0, wd_mult: 1.0 }
    }
}

impl Factors {
    /// The learning rate where the optimizer's is `lr`.
    pub fn lr(&self, lr: f64) -> f64 {
        self.group.lr.unwrap_or(lr) * self.schedule * self.group.lr_mult * self.lr_mult
    }

    /// The weight decay where the optimizer's is `weight_decay`.
    pub fn weight_decay(&self, weight_decay: f64) -> f64 {
        self.group.weight_decay.unwrap_or(weight_decay) * self.group.wd_mult * self.wd_mult
    }
}

/// The groups of an optimizer, and which parameter is in which.
#[derive(Debug, Default)]
pub(super) struct Groups {
    all: Vec<(String, Group)>,
    /// One a parameter, if there are groups and a model is known.
    of: Vec<Option<usize>>,
}

impl State {
    /// Other settings for the parameters whose keys match `glob`, from the next step on.
    pub fn add_group(&mut self, glob: &str, group: Group) {
        self.groups.all.push((glob.to_string(), group));
        self.groups.of.clear();
    }

    /// The groups as a setting, if there are any.
    pub(crate) fn groups_text(&self) -> Option<String> {
        let text = |(glob, group): &(String, Group)| format!("{glob}: {}", group.text());
        let texts: Vec<_> = self.groups.all.iter().map(text).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }

    /// Finds the group of each parameter, if they are not known.
    pub(super) fn begin_groups(&mut self, optimizer: &'static str, net: &Net, is_new: bool) -> Result<()> {
        let Groups { all, of } = &mut self.groups;
        if all.is_empty() || (!is_new && !of.is_empty()) {
            return Ok(());
        }
        let keys = || net.parameters.iter().map(|p| p.name.as_str());
        for (glob, group) in &*all {
            group.check(optimizer)?;
            if !keys().any(|key| matches(glob, key)) {
                let near = near_glob(glob, keys()).into_iter().take(3).map(str::to_string).collect();
                return Err(Error::NoSuchParameters { optimizer, net: net.name.clone(), glob: glob.clone(), near });
            }
        }
        *of = keys().map(|key| all.iter().rposition(|(glob, _)| matches(glob, key))).collect();
        Ok(())
    }

    /// What the settings are for one parameter in this step.
    pub(crate) fn factors(&self, of: Updated) -> Factors {
        let group = self.groups.of.get(of.parameter).copied().flatten();
        let group = group.map_or_else(Group::new, |group| self.groups.all[group].1);
        Factors {
            schedule: self.scheduled.factor,
            group: Group { lr: group.lr.or(self.lr), ..group },
            lr_mult: of.lr_mult.into(),
            wd_mult: of.wd_mult.into(),
        }
    }
}

/// Whether a glob is the whole of a key.
fn matches(glob: &str, key: &str) -> bool {
    let key: Vec<char> = key.chars().collect();
    // Whether what was read of the glob can be the first `i` characters of the key.
    let mut so_far = vec![false; key.len() + 1];
    so_far[0] = true;
    for c in glob.chars() {
        let before = so_far.clone();
        so_far[0] = c == '*' && before[0];
        for i in 0..key.len() {
            so_far[i + 1] = match c {
                '*' => before[i + 1] || so_far[i],
                c => before[i] && (c == '?' || c == key[i]),
            };
        }
    }
    so_far[key.len()]
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn globs() {
        for (glob, yes, no) in [
            ("*.bias", &["fc.bias", "a.b.bias", ".bias"][..], &["bias", "fc.bias2", "fc.weight"][..]),
            ("blocks.*.ln*", &["blocks.0.ln1.weight", "blocks.10.ln"], &["blocks.ln", "block.0.ln"]),
            ("fc?.weight", &["fc1.weight", "fcä.weight"], &["fc.weight", "fc12.weight"]),
            ("*", &["", "x"], &[]),
            ("**x*", &["x", "axb"], &["", "ab"]),
            ("", &[""], &["x"]),
        ] {
            assert!(yes.iter().all(|key| matches(glob, key)) && !no.iter().any(|key| matches(glob, key)), "{glob}");
        }
    }
}
