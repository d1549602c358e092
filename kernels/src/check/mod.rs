//! Whether a launch stays inside its buffers: what [`Kernel::new`](crate::Kernel::new) and [`Kernel::run`](crate::Kernel::run) rely on, found out
//! once a binding, when all sizes are numbers. Nothing is taken on trust but what a program is by its type, so that a program from outside can
//! at worst compute nonsense.
//!
//! Numbers up to [`LIMIT`] are let pass, so that nothing that kernels compute of them overflows.

mod access;
mod tile;

use std::ops::Range;

use castnet_program::program::{Access, Family, Launch, Level, Source, Stage, Target};
use castnet_program::scalar::Lane;
use castnet_program::size::Size;
use castnet_program::types::DType;

use crate::routines;
use crate::worker::MAX_DIMS;
use access::{Element, Form};

/// The largest size, step or number of points.
const LIMIT: i128 = Size::LIMIT as i128;

/// What is known of a buffer.
#[derive(Clone, Debug)]
pub struct Extent {
    /// The type of its elements.
    pub dtype: DType,
    /// The elements that are there, counted from the one that the buffer begins with: from 0 on, but of what lies by strides.
    pub elements: Range<i64>,
}

/// Why a launch cannot run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// At these sizes it is more than can be counted.
    TooLarge,
    /// It is none that a compiler would make: what is wrong.
    Invalid(String),
}

impl From<String> for Refused {
    fn from(what: String) -> Refused {
        Refused::Invalid(what)
    }
}

/// Whether a launch over such buffers is one that kernels take: each access stays inside its buffer, no two points of the loops store to one
/// element, and what the family asks for holds. That numbers of loads, loops, slots and lanes fit together was found before.
///
/// # Errors
/// Why it is not.
pub fn check(launch: &Launch, buffers: &[Extent], value: &dyn Fn(&str) -> i64) -> Result<(), Refused> {
    let numbers = Numbers { value };
    let loops = numbers.all(launch.space.iter().chain(&launch.reduce))?;
    ensure(loops.iter().all(|&size| size >= 0), || "a loop of less than no points".into())?;
    product(&loops).ok_or(Refused::TooLarge)?;
    let long = loops.iter().filter(|&&size| size != 1).count();
    ensure(long < MAX_DIMS, || format!("{long} loops in each other"))?;
    let check = Check { launch, buffers, numbers, space: launch.space.len(), loops };
    check.accesses()?;
    check.stages()?;
    match &launch.family {
        Family::Flat | Family::Row | Family::Column => Ok(()),
        Family::Tile(tile) => check.tile(tile),
        Family::Scatter(axis) => check.scatter(*axis),
        Family::Routine { routine, .. } => check.routine(*routine),
    }
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), Refused> {
    if holds { Ok(()) } else { Err(what().into()) }
}

/// The product of sizes, if it is not beyond the limit.
fn product(sizes: &[i64]) -> Option<i64> {
    if sizes.contains(&0) {
        return Some(0);
    }
    let each = |all: i128, &size: &i64| all.checked_mul(size.into()).filter(|all| all.abs() <= LIMIT);
    sizes.iter().try_fold(1, each).map(|all| all as i64)
}

/// Sizes as numbers.
#[derive(Clone, Copy)]
struct Numbers<'a> {
    value: &'a dyn Fn(&str) -> i64,
}

impl Numbers<'_> {
    /// The value of a size, no part of which is beyond the limit.
    fn of(&self, size: &Size) -> Result<i64, Refused> {
        size.eval_within_limit(self.value).ok_or(Refused::TooLarge)
    }

    fn all<'s>(&self, sizes: impl IntoIterator<Item = &'s Size>) -> Result<Vec<i64>, Refused> {
        sizes.into_iter().map(|size| self.of(size)).collect()
    }
}

/// A launch with its loops as numbers.
struct Check<'a> {
    launch: &'a Launch,
    buffers: &'a [Extent],
    numbers: Numbers<'a>,
    /// How many of the loops are the space.
    space: usize,
    loops: Vec<i64>,
}

impl Check<'_> {
    /// Whether nothing runs.
    fn is_empty(&self) -> bool {
        self.loops.contains(&0)
    }

    /// The loops that a stage goes through.
    fn of_level(&self, level: Level) -> &[i64] {
        match level {
            Level::Element => &self.loops,
            Level::Row => &self.loops[..self.space],
        }
    }

    /// Every load and store by index is inside its buffer, and stores are apart.
    fn accesses(&self) -> Result<(), Refused> {
        if matches!(self.launch.family, Family::Routine { .. }) {
            return Ok(());
        }
        for load in &self.launch.loads {
            self.element(load, &self.loops)?;
        }
        let mut stored: Vec<(&Access, Element)> = vec![];
        for (number, store) in self.launch.stores.iter().enumerate() {
            let level = self.launch.stages.iter().find(|stage| stage.outputs.contains(&Target::Store(number)));
            let loops = match self.launch.family {
                Family::Scatter(_) => &self.loops[..self.space],
                _ => self.of_level(level.map_or(Level::Element, |stage| stage.level)),
            };
            let element = self.element(store, loops)?;
            ensure(self.is_empty() || element.is_another_everywhere(loops), || {
                "two points store to one element".into()
            })?;
            let of_one = stored.iter().filter(|(other, _)| other.buffer == store.buffer);
            for (other, elements) in of_one {
                let alike = other.dims == store.dims && other.strides == store.strides;
                ensure(self.is_empty() || alike && elements.is_apart_from(&element), || {
                    "two stores to one element".into()
                })?;
            }
            stored.push((store, element));
        }
        Ok(())
    }

    fn stages(&self) -> Result<(), Refused> {
        self.launch.stages.iter().try_for_each(|stage| self.stage(stage))
    }

    fn stage(&self, stage: &Stage) -> Result<(), Refused> {
        for (source, lane) in stage.inputs.iter().zip(&stage.code.inputs) {
            match source {
                Source::Load(_) | Source::Acc | Source::Row(_) | Source::LossScale => {}
                Source::Index(dim) => {
                    let fits = *lane != Lane::I32 || self.loops[*dim] <= i32::MAX.into();
                    ensure(fits, || format!("an index of {} points in i32", self.loops[*dim]))?;
                }
                Source::Size(size) => {
                    self.numbers.of(size)?;
                }
                Source::Random { strides, round, offset, .. } => {
                    let (offset, round) = (self.numbers.of(offset)?, self.numbers.of(round)?);
                    let mut steps = self.numbers.all(strides)?;
                    steps.resize(self.loops.len(), 0);
                    let first = Form { offset, steps }.range(&self.loops)?[0];
                    ensure(first >= 0 && round >= 0, || "a random number before the first".into())?;
                }
                Source::Gather { from, dim, .. } => {
                    let along = &self.launch.loads[*from].index[*dim];
                    let begins = along.terms.is_empty() && along.offset.is_zero() && along.is_affine();
                    ensure(begins, || "a look-up along an axis that is indexed already".into())?;
                }
            }
        }
        Ok(())
    }

    /// What is summed at indices lies evenly, and the sums row-major.
    fn scatter(&self, axis: usize) -> Result<(), Refused> {
        let [index, values, sums] = [&self.launch.loads[0], &self.launch.loads[1], &self.launch.stores[0]];
        for access in [index, values, sums] {
            let even = access.outside.is_none() && access.within.is_empty();
            let even = even && access.index.iter().all(|index| index.is_affine());
            ensure(even, || "a scatter of what does not lie evenly".into())?;
        }
        let form = self.linear(sums)?;
        let row_major = (0..self.space).all(|dim| {
            let behind = self.loops[dim + 1..self.space].iter().map(|&size| i128::from(size)).product::<i128>();
            self.loops[dim] == 1 || i128::from(form.steps[dim]) == behind
        });
        let apart = form.offset == 0 && form.steps[self.space..].iter().all(|&step| step == 0);
        ensure(row_major && apart && axis < self.space, || "a scatter whose sums lie in another order".into())
    }

    /// Every array of a routine has as many rows as its space, of lengths that fit.
    fn routine(&self, routine: castnet_program::routine::Routine) -> Result<(), Refused> {
        let name = routine.name();
        let rows = product(&self.loops[..self.space]).ok_or(Refused::TooLarge)?;
        let array = |access: &Access| {
            let extent = &self.buffers[access.buffer];
            let elements = product(&self.numbers.all(&access.dims)?)
                .filter(|&elements| elements >= 0 && elements <= extent.elements.end && extent.elements.start <= 0);
            let elements = elements.ok_or_else(|| format!("`{name}` beyond its buffer"))?;
            let length = elements.checked_div(rows).unwrap_or(0);
            Ok((extent.dtype, length as usize))
        };
        let arrays =
            self.launch.loads.iter().chain(&self.launch.stores).map(array).collect::<Result<Vec<_>, Refused>>()?;
        let (reads, writes) = arrays.split_at(self.launch.loads.len());
        ensure(rows == 0 || routines::fits(routine, reads, writes), || format!("`{name}` of rows that do not fit"))
    }
}
