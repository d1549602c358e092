//! The ending of a step: what follows once gradients are known, as tasks among those of the program.
//!
//! It follows from the program and from what the optimizer asks for, so no program stores it. There are two ways to place it. *Late*, all of it
//! comes after the program: first what must be known of all gradients, then the updates. *Early*, each parameter is updated as soon as its gradient
//! is as it will stay and nobody reads the parameter any more; where the kernel that makes the gradient can do that itself, the task is no longer
//! there ([`gather`]). The bits are the same.

use rustc_hash::FxHashMap;

use super::order::Root;
use super::order::touch::of_model;
use super::{Program, Task, TaskKind};

/// A task of the ending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// What is done.
    pub kind: EndingKind,
    /// Of which parameters, in ascending order; of a commit: of which states of the net.
    pub of: Vec<usize>,
}

/// What a task of the ending does. In this order they stand behind a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndingKind {
    /// Sums the squares of each gradient: what their norm is made of, and what shows that one is not finite.
    Squares,
    /// Decides whether to update, by whether loss and gradients are finite, and by what factor gradients are multiplied: 1 ÷ the loss scale, times
    /// what clips their norm.
    Factor,
    /// Sums over each parameter what the optimizer's rule asks for.
    Reduce,
    /// Makes of these sums the numbers that the rule updates each parameter by.
    Numbers,
    /// Updates parameters, and what the optimizer remembers of them.
    Update,
    /// Adds gradients to those of other batches, in place of an update.
    Accumulate,
    /// Makes the states that the program assigned those of the model.
    Commit,
}

impl EndingKind {
    /// All of them, in order.
    pub const ALL: [EndingKind; 7] = [
        EndingKind::Squares,
        EndingKind::Factor,
        EndingKind::Reduce,
        EndingKind::Numbers,
        EndingKind::Update,
        EndingKind::Accumulate,
        EndingKind::Commit,
    ];

    /// Its name in texts.
    pub fn name(self) -> &'static str {
        match self {
            EndingKind::Squares => "squares",
            EndingKind::Factor => "factor",
            EndingKind::Reduce => "reduce",
            EndingKind::Numbers => "numbers",
            EndingKind::Update => "update",
            EndingKind::Accumulate => "accumulate",
            EndingKind::Commit => "commit",
        }
    }
}

/// What a step asks of its ending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// A loss or a gradient that is not finite keeps everything as it is.
    pub guarded: bool,
    /// The norm of all gradients together is clipped.
    pub clipped: bool,
    /// The gradients are those of the loss times a scale other than 1.
    pub scaled: bool,
    /// The optimizer's rule sums over whole parameters.
    pub reduced: bool,
    /// Gradients are added to those of other batches.
    pub accumulated: bool,
}

impl Demands {
    /// Whether a task of this kind has something to do.
    pub fn ask_for(self, kind: EndingKind) -> bool {
        match kind {
            EndingKind::Squares | EndingKind::Factor => self.guarded || self.clipped || self.scaled,
            EndingKind::Reduce | EndingKind::Numbers => self.reduced && !self.accumulated,
            EndingKind::Update => !self.accumulated,
            EndingKind::Accumulate => self.accumulated,
            EndingKind::Commit => true,
        }
    }
}

/// Where the updates stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Each as soon as it can be done.
    Early,
    /// After all that the program does, and all that must be known of all gradients.
    Late,
}

impl Placement {
    /// The one place where it is decided: early, unless something must be known before the first update.
    pub fn new(program: &Program, demands: Demands) -> Placement {
        let Demands { guarded, clipped, scaled, reduced, accumulated } = demands;
        let is_fallible = !program.checks.is_empty();
        match is_fallible || guarded || clipped || scaled || reduced || accumulated {
            true => Placement::Late,
            false => Placement::Early,
        }
    }
}

impl Ending {
    /// What it reads, and with `true` what it writes.
    pub fn touches(&self, each: &mut dyn FnMut(Root, bool)) {
        let mut of = |root: &dyn Fn(usize) -> Root, writes: bool| {
            self.of.iter().for_each(|&number| each(root(number), writes));
        };
        let decided = match self.kind {
            EndingKind::Squares => {
                of(&Root::Gradient, false);
                of(&Root::Squares, true);
                false
            }
            EndingKind::Factor => {
                of(&Root::Gradient, false);
                of(&Root::Squares, false);
                // The loss, and what it decides.
                each(Root::Result(0), false);
                each(Root::Checks, true);
                each(Root::Factor, true);
                false
            }
            EndingKind::Reduce => {
                of(&Root::Gradient, false);
                of(&Root::Parameter, false);
                of(&Root::Moments, false);
                of(&Root::Sums, true);
                true
            }
            EndingKind::Numbers => {
                of(&Root::Sums, false);
                of(&Root::Numbers, true);
                true
            }
            EndingKind::Update => {
                of(&Root::Gradient, false);
                of(&Root::Numbers, false);
                of(&Root::Parameter, true);
                of(&Root::Moments, true);
                true
            }
            EndingKind::Accumulate => {
                of(&Root::Gradient, false);
                of(&Root::Accumulated, true);
                true
            }
            EndingKind::Commit => {
                // They are the model's from then on, so whoever reads them in the program has done so.
                of(&Root::State, true);
                true
            }
        };
        if decided {
            each(Root::Checks, false);
            each(Root::Factor, false);
        }
    }
}

impl Program {
    /// The schedule of a step that updates these parameters: its own tasks and those of the ending.
    ///
    /// A gradient that is final after some round of a loop is updated after the loop.
    pub fn with_ending(&self, parameters: &[usize], placement: Placement) -> Vec<Task> {
        let mut schedule = match placement {
            Placement::Early => self.with_early_updates(parameters),
            Placement::Late => self.schedule.iter().cloned().chain(ending(parameters)).collect(),
        };
        schedule.extend(task(EndingKind::Commit, &self.assigns));
        schedule
    }

    fn with_early_updates(&self, parameters: &[usize]) -> Vec<Task> {
        // After how many tasks each parameter is no longer read, each gradient is as it stays, and every check is done.
        let mut until: FxHashMap<Root, usize> = FxHashMap::default();
        for (number, task) in self.schedule.iter().enumerate() {
            of_model(task, &self.launches, &self.buffers, &mut |root, writes, _| {
                if writes || matches!(root, Root::Parameter(_)) {
                    until.insert(root, number + 1);
                }
            });
        }
        let checked = until.get(&Root::Checks).copied().unwrap_or(0);
        let mut updates: Vec<Vec<usize>> = vec![vec![]; self.schedule.len() + 1];
        for &parameter in parameters {
            let until = |root| until.get(&root).copied();
            // Of what no task touches, nobody says when it is final.
            let is_final = until(Root::Gradient(parameter)).unwrap_or(self.schedule.len());
            updates[is_final.max(until(Root::Parameter(parameter)).unwrap_or(0)).max(checked)].push(parameter);
        }
        let mut schedule: Vec<Task> = task(EndingKind::Update, &updates[0]).into_iter().collect();
        for (own, of) in self.schedule.iter().zip(&updates[1..]) {
            schedule.push(own.clone());
            schedule.extend(task(EndingKind::Update, of).map(|update| Task { stream: own.stream, ..update }));
        }
        schedule
    }
}

/// The ending of gradients that are known already, without a program.
pub fn ending(parameters: &[usize]) -> Vec<Task> {
    let all = EndingKind::ALL.into_iter().filter(|kind| *kind != EndingKind::Commit);
    all.filter_map(|kind| task(kind, parameters)).collect()
}

fn task(kind: EndingKind, of: &[usize]) -> Option<Task> {
    (!of.is_empty()).then(|| TaskKind::Ending(Ending { kind, of: of.to_vec() }).into())
}

/// So many elements are worth a task: an update of fewer ones waits for the next.
const WORTH_A_TASK: usize = 1 << 16;

/// Takes updates out of a schedule that launches do themselves, of which `elements` is `None`, and joins those of few elements with the next ones.
pub fn gather(schedule: &[Task], elements: &dyn Fn(usize) -> Option<usize>) -> Vec<Task> {
    let mut gathered: Vec<Task> = vec![];
    let mut waiting = Waiting::default();
    for own in schedule {
        let TaskKind::Ending(Ending { kind: EndingKind::Update, of }) = &own.kind else {
            gathered.push(own.clone());
            continue;
        };
        for (parameter, elements) in of.iter().filter_map(|&parameter| Some((parameter, elements(parameter)?))) {
            waiting.of.push(parameter);
            waiting.elements += elements;
            (waiting.place, waiting.stream) = (gathered.len(), own.stream);
        }
        if waiting.elements >= WORTH_A_TASK {
            std::mem::take(&mut waiting).insert(&mut gathered);
        }
    }
    waiting.insert(&mut gathered);
    gathered
}

/// Updates that are to be one task.
#[derive(Default)]
struct Waiting {
    of: Vec<usize>,
    elements: usize,
    /// Where the last of them stood.
    place: usize,
    stream: u32,
}

impl Waiting {
    fn insert(mut self, schedule: &mut Vec<Task>) {
        self.of.sort_unstable();
        if let Some(update) = task(EndingKind::Update, &self.of) {
            schedule.insert(self.place, Task { stream: self.stream, ..update });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{Check, Must};

    #[test]
    fn updates_are_early_unless_something_must_be_known_first() {
        let (mut program, none) = (Program::default(), Demands::default());
        assert_eq!(Placement::new(&program, none), Placement::Early);
        for demands in [
            Demands { guarded: true, ..none },
            Demands { clipped: true, ..none },
            Demands { scaled: true, ..none },
            Demands { reduced: true, ..none },
            Demands { accumulated: true, ..none },
        ] {
            assert_eq!(Placement::new(&program, demands), Placement::Late, "{demands:?}");
        }
        program.checks.push(Check { must: Must::Divide("div".into()), loc: 0, rounds: 0, axes: 0 });
        assert_eq!(Placement::new(&program, none), Placement::Late);
    }

    fn update(of: &[usize]) -> Task {
        TaskKind::Ending(Ending { kind: EndingKind::Update, of: of.to_vec() }).into()
    }

    #[test]
    fn small_updates_wait_for_others() {
        let launch = Task::launch;
        let schedule = vec![
            launch(0),
            update(&[5]),
            launch(1),
            update(&[0, 4]),
            launch(2),
            update(&[3]),
            launch(3),
            update(&[1]),
            launch(4),
            update(&[2]),
        ];
        // One is done by launch 4; two of the others together are worth a task.
        let elements =
            |p: usize| [Some(WORTH_A_TASK / 2), Some(10), None, Some(WORTH_A_TASK), Some(0), Some(WORTH_A_TASK / 2)][p];
        let expected =
            [launch(0), launch(1), update(&[0, 4, 5]), launch(2), update(&[3]), launch(3), update(&[1]), launch(4)];
        assert_eq!(gather(&schedule, &elements), expected);
        assert_eq!(gather(&schedule, &|_| None), [0, 1, 2, 3, 4].map(launch));
    }
}
