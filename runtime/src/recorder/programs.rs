//! Calls of compiled programs, and in each of them its tasks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use castnet_program::program::cost::Cost;
use castnet_program::program::ending::Placement;

use super::session::{Event, Figures, Session, What};

/// Of a program under more bindings than this, costs are worked out anew and the trace does not tell their sizes.
const MOST_BINDINGS: usize = 1024;

/// What a program is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProgramKey {
    /// The number of the net as it was read.
    pub(crate) net: u64,
    /// `None`: an update by gradients that there are already.
    pub(crate) function: Option<usize>,
    pub(crate) training: bool,
    pub(crate) placement: Option<Placement>,
    /// The optimizer's name, and what it remembers of each element.
    pub(crate) optimizer: Option<(&'static str, usize)>,
}

/// A task as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct TaskInfo {
    /// `conv1 + tanh`.
    pub(crate) name: String,
    /// `src/main.rs:14`, with the layer in front if the name does not tell it; parameters that are updated; or nothing.
    pub(crate) source: String,
    /// Whether it computes in f64.
    pub(crate) double: bool,
}

/// A task with what is known of its runs.
pub(crate) struct Task {
    pub(crate) info: TaskInfo,
    pub(crate) figures: Figures,
    /// Of all its runs.
    pub(crate) flops: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

/// A program that was called.
pub(crate) struct Program {
    pub(crate) key: ProgramKey,
    /// `LeNet.loss_step`.
    pub(crate) name: String,
    pub(crate) tasks: Vec<Task>,
    pub(crate) calls: Figures,
    bindings: RwLock<Bindings>,
}

#[derive(Default)]
struct Bindings {
    numbers: HashMap<Box<[i64]>, Arc<Bound>>,
    sizes: Vec<String>,
}

/// What the tasks cost under one binding of the run-time sizes.
struct Bound {
    /// Among the texts of sizes.
    number: u32,
    costs: Vec<Cost>,
}

impl Program {
    pub(crate) fn new(key: ProgramKey, name: String, tasks: Vec<TaskInfo>) -> Program {
        let task =
            |info| Task { info, figures: Figures::default(), flops: AtomicU64::new(0), bytes: AtomicU64::new(0) };
        Program {
            key,
            name,
            tasks: tasks.into_iter().map(task).collect(),
            calls: Figures::default(),
            bindings: RwLock::default(),
        }
    }

    /// The run-time sizes with this number, `N = 64`.
    pub(crate) fn sizes(&self, number: u32) -> String {
        let bindings = self.bindings.read().unwrap_or_else(PoisonError::into_inner);
        bindings.sizes.get(number as usize).cloned().unwrap_or_default()
    }

    fn bound(&self, values: &[i64], about: &dyn Fn() -> (String, Vec<Cost>)) -> Arc<Bound> {
        let known = |bindings: &Bindings| bindings.numbers.get(values).cloned();
        if let Some(known) = known(&self.bindings.read().unwrap_or_else(PoisonError::into_inner)) {
            return known;
        }
        let (sizes, costs) = about();
        let mut bindings = self.bindings.write().unwrap_or_else(PoisonError::into_inner);
        let bound = Arc::new(Bound { number: bindings.sizes.len() as u32, costs });
        if bindings.sizes.len() < MOST_BINDINGS && !bindings.numbers.contains_key(values) {
            bindings.sizes.push(sizes);
            bindings.numbers.insert(values.into(), bound.clone());
        }
        known(&bindings).unwrap_or(bound)
    }
}

/// What is to be known of a program once.
pub(crate) struct About<'a> {
    pub(crate) key: ProgramKey,
    /// Its name and its tasks.
    pub(crate) tasks: &'a dyn Fn() -> (String, Vec<TaskInfo>),
    /// The run-time sizes, and strides.
    pub(crate) values: &'a [i64],
    /// The sizes in words, and what each task costs.
    pub(crate) costs: &'a dyn Fn() -> (String, Vec<Cost>),
}

/// A call that is recorded.
pub(crate) struct Call {
    session: Arc<Session>,
    program: Arc<Program>,
    number: u32,
    bound: Arc<Bound>,
    call: u64,
    start: u64,
}

impl Call {
    /// One begins.
    pub(crate) fn begin(session: Arc<Session>, about: &About<'_>) -> Call {
        let (number, program) = session.program(about.key, about.tasks);
        let bound = program.bound(about.values, about.costs);
        let (call, start) = (session.new_call(), session.now());
        Call { session, program, number, bound, call, start }
    }

    /// Nanoseconds since the session's start.
    pub(crate) fn now(&self) -> u64 {
        self.session.now()
    }

    /// This thread has done a chunk of a task.
    pub(crate) fn chunk(&self, task: usize, phase: usize, start: u64, end: u64) {
        let (own_call, own_phase) = (self.call, phase as u32);
        let what = What::Task { call: own_call, program: self.number, task: task as u32, phase: own_phase, chunks: 1 };
        // Chunks of one phase are one event a thread.
        let mut joins = |last: &mut Event| match &mut last.what {
            What::Task { call, phase, chunks, .. } if *call == own_call && *phase == own_phase => {
                (last.end, *chunks) = (end, *chunks + 1);
                true
            }
            _ => false,
        };
        self.session.with_last(&mut joins, Event { start, end, what });
    }

    /// A task has run, by whichever threads.
    pub(crate) fn ran(&self, task: usize, start: u64, end: u64) {
        let (Some(task), cost) = (self.program.tasks.get(task), self.bound.costs.get(task)) else { return };
        task.figures.add(end.saturating_sub(start), false);
        if let Some(cost) = cost {
            task.flops.fetch_add(cost.flops as u64, Ordering::Relaxed);
            task.bytes.fetch_add(cost.bytes() as u64, Ordering::Relaxed);
        }
    }

    /// It has returned.
    pub(crate) fn end(self, failed: bool) {
        let end = self.now();
        let what = What::Call { call: self.call, program: self.number, sizes: self.bound.number, failed };
        self.session.record(Event { start: self.start, end, what });
        self.program.calls.add(end - self.start, failed);
    }
}
