//! In which order tasks must run.
//!
//! Two tasks *conflict* if they touch one piece of memory, the parts that they touch may meet, and one of them writes. What counts is what
//! buffers hold, not where the plan lets them lie. `happens_before` is the closure of these conflicts, in the order in which tasks are listed,
//! and of the order within each stream: the plan, the runtime and all that moves tasks ask it and nothing else.

mod bits;
pub(super) mod touch;

pub use bits::Bits;
use rustc_hash::FxHashMap;
pub use touch::Root;
use touch::{Touch, touches};

use super::{Buffer, Launch, Program, Task, TaskKind};

/// What of the tasks listed before it each task conflicts with.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflicts {
    /// Of each task, in ascending order.
    pub before: Vec<Vec<usize>>,
}

impl Conflicts {
    /// Of the tasks of a schedule.
    pub fn new(schedule: &[Task], launches: &[Launch], buffers: &[Buffer]) -> Conflicts {
        let mut known: FxHashMap<Root, Vec<(usize, Touch<'_>)>> = FxHashMap::default();
        let mut before = vec![];
        for (number, task) in schedule.iter().enumerate() {
            let mut found = vec![];
            let mut own: Vec<(Root, Touch<'_>)> = vec![];
            touches(task, launches, buffers, &mut |root, touch| own.push((root, touch)));
            for (root, touch) in &own {
                let earlier = known.get(root).into_iter().flatten();
                found.extend(earlier.filter(|(_, other)| touch.conflicts(other)).map(|(task, _)| *task));
            }
            for (root, touch) in own {
                known.entry(root).or_default().push((number, touch));
            }
            found.sort_unstable();
            found.dedup();
            before.push(found);
        }
        Conflicts { before }
    }
}

/// Which task comes before which other one, whatever runs side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The task of each launch.
    task_of: Vec<usize>,
    /// For each task, those that come before it.
    before: Vec<Bits>,
}

impl Order {
    /// By these conflicts, and by the streams of the tasks.
    pub fn new(schedule: &[Task], conflicts: &Conflicts) -> Order {
        let mut last: FxHashMap<u32, usize> = FxHashMap::default();
        let mut before: Vec<Bits> = Vec::with_capacity(schedule.len());
        for (number, task) in schedule.iter().enumerate() {
            let mut own = Bits::new(schedule.len());
            for &earlier in conflicts.before[number].iter().chain(&last.insert(task.stream, number)) {
                own.insert(earlier);
                own.join(&before[earlier]);
            }
            before.push(own);
        }
        Order { task_of: task_of(schedule), before }
    }

    /// How many tasks there are.
    pub fn tasks(&self) -> usize {
        self.before.len()
    }

    /// The task that a launch belongs to.
    pub fn task_of(&self, launch: usize) -> usize {
        self.task_of[launch]
    }

    /// Whether task `a` is done when task `b` begins.
    pub fn happens_before(&self, a: usize, b: usize) -> bool {
        self.before[b].contains(a)
    }

    /// All that is done when this task begins.
    pub fn before(&self, task: usize) -> &Bits {
        &self.before[task]
    }

    /// The pairs of tasks, the one listed first in front, of which neither comes before the other.
    pub fn unordered(&self) -> impl Iterator<Item = (usize, usize)> {
        let pair = move |b: usize| (0..b).filter(move |&a| !self.happens_before(a, b)).map(move |a| (a, b));
        (0..self.tasks()).flat_map(pair)
    }

    /// The transitive reduction: the pairs of which one comes before the other and nothing between them. A device that waits for these waits for all.
    pub fn edges(&self) -> Vec<(usize, usize)> {
        let mut edges = vec![];
        for b in 0..self.tasks() {
            let own = &self.before[b];
            let mut through = Bits::new(self.tasks());
            own.iter().for_each(|a| through.join(&self.before[a]));
            edges.extend(own.iter().filter(|&a| !through.contains(a)).map(|a| (a, b)));
        }
        edges
    }
}

/// The task of each launch: launches are numbered in the order of the schedule, or by what each task says.
fn task_of(schedule: &[Task]) -> Vec<usize> {
    fn mark(task: &Task, number: usize, of: &mut Vec<usize>) {
        match &task.kind {
            TaskKind::Launch(launch) => {
                of.resize(of.len().max(launch + 1), usize::MAX);
                of[*launch] = number;
            }
            TaskKind::Loop { body, .. } => body.iter().for_each(|task| mark(task, number, of)),
            TaskKind::Ending(_) => {}
        }
    }
    let mut of = vec![];
    schedule.iter().enumerate().for_each(|(number, task)| mark(task, number, &mut of));
    of
}

/// After which task the gradient of a parameter is as it will stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Final {
    /// The parameter.
    pub parameter: usize,
    /// The task.
    pub task: usize,
    /// If that is a loop whose rounds make a gradient each: after which round. Else it is final when the task is done.
    pub round: Option<i64>,
}

impl Program {
    /// What its tasks must wait for.
    pub fn order(&self) -> Order {
        Order::new(&self.schedule, &Conflicts::new(&self.schedule, &self.launches, &self.buffers))
    }

    /// When each gradient is final, by parameter: what all devices add up can begin there.
    pub fn finals(&self) -> Vec<Final> {
        let mut finals: Vec<Final> = vec![];
        for (number, task) in self.schedule.iter().enumerate() {
            touch::of_model(task, &self.launches, &self.buffers, &mut |root, writes, round| {
                let (Root::Gradient(parameter), true) = (root, writes) else { return };
                finals.retain(|known| known.parameter != parameter);
                finals.push(Final { parameter, task: number, round });
            });
        }
        finals.sort_by_key(|one| one.parameter);
        finals
    }
}
