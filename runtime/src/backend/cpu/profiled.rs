//! A call that is recorded: the same phases and chunks, with a look at the clock around each.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use castnet_program::program::cost::{Cost, cost};
use castnet_program::program::ending::{EndingKind, Placement};
use castnet_program::program::{Family, Launch, Place, Program};
use castnet_program::types::DType;

use super::binding::{Binding, Names};
use super::ending::EndingWork;
use super::phases::Phases;
use super::rounds::{EndingPhase, What};
use super::run::Execution;
use crate::net::Loaded;
use crate::pool::{self, Work};
use crate::recorder::{self, About, Call, ProgramKey, TaskInfo};

/// A call, to be told to the profiler. Its tasks are the launches of the program, and behind them the phases of the ending.
pub(crate) struct Profiling<'a> {
    pub(crate) loaded: &'a Loaded,
    pub(crate) function: usize,
    pub(crate) training: bool,
    pub(crate) program: &'a Program,
    pub(crate) names: Names<'a>,
    pub(crate) binding: &'a Binding,
    pub(crate) phases: &'a Phases,
    pub(crate) placement: Option<Placement>,
    pub(crate) ending: Option<&'a dyn EndingWork>,
}

impl Profiling<'_> {
    /// It begins.
    #[cold]
    pub(crate) fn begin(&self) -> Option<Call> {
        let &Profiling { loaded, function, training, placement, ending, .. } = self;
        let optimizer = ending.map(EndingWork::optimizer);
        let key = ProgramKey { net: loaded.number, function: Some(function), training, placement, optimizer };
        let name = || {
            let called = loaded.qualified(function);
            match (training, ending) {
                (false, _) => called,
                (true, None) => format!("{called}_grad"),
                (true, Some(_)) => format!("{called}_step"),
            }
        };
        let tasks = || (name(), self.tasks());
        let costs = || (self.sizes(), self.costs());
        recorder::call(&About { key, tasks: &tasks, values: &self.binding.values, costs: &costs })
    }

    fn sizes(&self) -> String {
        let named = self.names.all[..self.names.sizes].iter().zip(&self.binding.values);
        named.map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ")
    }

    fn tasks(&self) -> Vec<TaskInfo> {
        let (program, loaded) = (self.program, self.loaded);
        let launches = program.launches.iter().enumerate().map(|(number, launch)| {
            let mut name = launch.name.clone();
            if let Some(made) = self.made(launch) {
                name = format!("{name} → {made}");
            }
            if let (Some(ending), Some(_)) = (self.ending, self.updated(number)) {
                name = format!("{name} + {} update", ending.optimizer().0);
            }
            let place = loaded.place_at(launch.loc, "");
            let line = place.strip_prefix(&*launch.name).and_then(|rest| rest.strip_prefix(" (")?.strip_suffix(')'));
            let double = launch.touches().iter().any(|&buffer| program.buffers[buffer].dtype == DType::F64);
            TaskInfo { name, source: line.unwrap_or(&place).to_string(), double }
        });
        launches.chain(ending_tasks(loaded, self.phases, self.ending)).collect()
    }

    /// What a launch makes, if its name does not tell: the parameters whose gradients it ends, or of several with one name and source line, what tells it
    /// from the others.
    fn made(&self, launch: &Launch) -> Option<String> {
        let parameter = |buffer: usize| match self.program.buffers[buffer].place {
            Place::Gradient(parameter) => Some(self.loaded.net.parameters[parameter].name.as_str()),
            _ => None,
        };
        let gradients: Vec<&str> = launch.writes().filter_map(parameter).collect();
        if !gradients.is_empty() {
            return Some(gradients.join(", "));
        }
        let alike = |other: &&Launch| other.name == launch.name && other.loc == launch.loc;
        let is_alone = self.program.launches.iter().filter(alike).nth(1).is_none();
        match launch.family {
            _ if is_alone => None,
            Family::Tile(_) => Some("product".to_string()),
            Family::Row | Family::Column => Some("sums".to_string()),
            Family::Flat | Family::Scatter(_) | Family::Routine { .. } => None,
        }
    }

    fn costs(&self) -> Vec<Cost> {
        let value = |name: &str| {
            let at = self.names.all.iter().position(|known| **known == *name);
            at.map_or(1, |at| self.binding.values[at])
        };
        let launches = self.program.launches.iter().enumerate().map(|(number, launch)| {
            let mut cost = cost(self.program, launch, &value);
            if let (Some(ending), Some(elements)) = (self.ending, self.updated(number)) {
                cost.add(&ending.cost(EndingKind::Update, elements));
                // The gradient is not stored and read again.
                let gradient = (elements * self.loaded.float.bytes()) as f64;
                (cost.read, cost.written) = (cost.read - gradient, cost.written - gradient);
            }
            cost
        });
        launches.chain(ending_costs(self.phases, self.ending)).collect()
    }

    /// How many elements of a parameter a launch updates in place of storing their gradient, if it does.
    fn updated(&self, launch: usize) -> Option<usize> {
        let schedule = &self.phases.schedule;
        let is_own =
            |phase| matches!(schedule.what(phase, |_, _, _| ()), What::Launch { launch: own, .. } if own == launch);
        self.phases.at_once.iter().find(|update| is_own(update.phase))?;
        let stores = &self.program.launches[launch].stores;
        let gradient = stores.iter().find(|s| matches!(self.program.buffers[s.buffer].place, Place::Gradient(_)))?;
        Some(self.binding.length(gradient.buffer))
    }
}

/// An ending without a program begins.
#[cold]
pub(super) fn ending_alone(phases: &Phases, ending: &dyn EndingWork) -> Option<Call> {
    let (loaded, optimizer) = (ending.loaded(), Some(ending.optimizer()));
    let key = ProgramKey { net: loaded.number, function: None, training: true, placement: None, optimizer };
    let tasks = || (format!("{}.apply", loaded.net.name), ending_tasks(loaded, phases, Some(ending)).collect());
    let costs = || (String::new(), ending_costs(phases, Some(ending)).collect());
    recorder::call(&About { key, tasks: &tasks, values: &[], costs: &costs })
}

/// So many names of parameters stand beside a task of the ending.
const NAMED: usize = 3;

fn ending_tasks<'a>(
    loaded: &'a Loaded,
    phases: &'a Phases,
    ending: Option<&'a dyn EndingWork>,
) -> impl Iterator<Item = TaskInfo> + 'a {
    phases.schedule.ending().map(move |(_, phase)| {
        let mut of: Vec<usize> = pieces(phases, phase).map(|(parameter, _)| parameter).collect();
        of.dedup();
        let named: Vec<&str> = of.iter().take(NAMED).map(|&p| loaded.net.parameters[p].name.as_str()).collect();
        let more = of.len() - named.len();
        let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
        let name = match (phase.kind, ending) {
            (EndingKind::Update, Some(ending)) => format!("{} update", ending.optimizer().0),
            (kind, _) => kind.name().to_string(),
        };
        let double = loaded.net.float == DType::F64;
        TaskInfo { name, source: format!("{}{rest}", named.join(", ")), double }
    })
}

fn ending_costs<'a>(phases: &'a Phases, ending: Option<&'a dyn EndingWork>) -> impl Iterator<Item = Cost> + 'a {
    phases.schedule.ending().map(move |(_, phase)| {
        let elements: usize = pieces(phases, phase).map(|(_, elements)| elements).sum();
        ending.map_or(Cost::default(), |ending| ending.cost(phase.kind, elements))
    })
}

/// The parameter and the elements of each piece of a phase.
fn pieces<'a>(phases: &'a Phases, phase: &EndingPhase) -> impl Iterator<Item = (usize, usize)> + 'a {
    phases.pieces()[phase.pieces.clone()].iter().map(|piece| (piece.of.parameter, piece.len))
}

/// No task.
const NONE: usize = usize::MAX;

/// The chunks of a call that is recorded.
pub(super) struct Profiled<'a> {
    execution: &'a Execution<'a>,
    call: &'a Call,
    /// The task whose turn it is, when it came, and when the last chunk of all ended. Phases follow each other, so whoever opens one is alone.
    task: AtomicUsize,
    start: AtomicU64,
    end: AtomicU64,
}

impl<'a> Profiled<'a> {
    pub(super) fn new(execution: &'a Execution<'a>, call: &'a Call) -> Profiled<'a> {
        let (task, zero) = (AtomicUsize::new(NONE), AtomicU64::default);
        Profiled { execution, call, task, start: zero(), end: zero() }
    }

    /// Runs phases on the pool.
    ///
    /// # Errors
    /// As [`pool::run`].
    pub(super) fn run(&self, some: Range<usize>, limit: usize) -> Result<(), String> {
        let done = pool::run(some, limit, self);
        self.close(self.end.load(Ordering::Relaxed));
        done
    }

    /// The task of which a phase is a part, and whether it is not the first part.
    fn task(&self, phase: usize) -> (usize, bool) {
        let (schedule, launches) = (&self.execution.phases.schedule, self.execution.kernels.len());
        match schedule.what(phase, |_, _, _| ()) {
            What::Launch { launch, part } => (launch, part > 0),
            What::Ending(own) => {
                let at = schedule.ending().position(|(_, phase)| std::ptr::eq(own, phase));
                (at.map_or(NONE, |at| launches + at), false)
            }
        }
    }

    /// The turn of the present task is over.
    fn close(&self, end: u64) {
        let task = self.task.load(Ordering::Relaxed);
        if task != NONE {
            self.call.ran(task, self.start.load(Ordering::Relaxed), end);
        }
    }
}

impl Work for Profiled<'_> {
    fn chunks(&self, phase: usize) -> u32 {
        let chunks = self.execution.chunks(phase);
        if chunks > 0 {
            let (task, goes_on) = self.task(phase);
            if !goes_on || self.task.load(Ordering::Relaxed) != task {
                let now = self.call.now();
                self.close(now);
                self.task.store(task, Ordering::Relaxed);
                self.start.store(now, Ordering::Relaxed);
            }
        }
        chunks
    }

    fn is_shared(&self) -> bool {
        self.execution.is_shared()
    }

    fn run(&self, phase: usize, chunk: usize, worker: usize) {
        let start = self.call.now();
        self.execution.run(phase, chunk, worker);
        let end = self.call.now();
        self.end.fetch_max(end, Ordering::Relaxed);
        self.call.chunk(self.task.load(Ordering::Relaxed), phase, start, end);
    }
}
