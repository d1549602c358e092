//! A schedule with all that its phases need to know.

use std::sync::OnceLock;

use castnet_kernels::Kernel;
use castnet_program::program::ending::{EndingKind, Placement, ending, gather};
use castnet_program::program::{Program, Task};

use super::binding::{Binding, Home, Names, Sizes};
use super::checks;
use super::in_place::{self, AtOnce};
use super::rounds::{Lengths, Schedule};
use crate::error::Result;
use crate::net::Loaded;
use crate::pieces::Piece;
use crate::verdict::{Code, Watch};

/// What runs in a call, phase by phase.
pub(crate) struct Phases {
    pub(super) schedule: Schedule,
    /// Phases that update a parameter in place of storing its gradient, in order.
    pub(super) at_once: Vec<AtOnce>,
    /// What may be found wrong: by each check of the program, then by the ending, whether loss and gradients are finite.
    pub(super) watches: Vec<Watch>,
    /// The most pieces of a phase.
    pub(super) most_pieces: usize,
}

impl Phases {
    /// Of tasks of a program under one binding, its own and those of an ending.
    ///
    /// # Errors
    /// If there are too many rounds.
    pub(super) fn new(
        loaded: &Loaded,
        sizes: &Sizes<'_>,
        kernels: &[Kernel],
        homes: &[Home],
        tasks: &[Task],
    ) -> Result<Phases> {
        let (name, program) = (&*sizes.program.name, sizes.program);
        let rounds = |count: &_| sizes.length(count, "the number of rounds");
        let parts = |launch: usize| kernels[launch].parts();
        let schedule = Schedule::new(&Lengths { loaded, name, rounds: &rounds, parts: &parts }, tasks)?;
        let watches = checks::watches(program, homes, &schedule);
        Ok(Phases::of(schedule, watches, program.launches.len(), program.words()))
    }

    /// Of an ending without a program, of these parameters.
    ///
    /// # Errors
    /// None: there are no rounds.
    pub(super) fn of_ending(loaded: &Loaded, parameters: &[usize]) -> Result<Phases> {
        let lengths = Lengths { loaded, name: &loaded.net.name, rounds: &|_| Ok(0), parts: &|_| 0 };
        Ok(Phases::of(Schedule::new(&lengths, &ending(parameters))?, vec![], 0, 0))
    }

    /// Behind the launches stands the ending, and behind the words of the checks its own.
    fn of(schedule: Schedule, mut watches: Vec<Watch>, launches: usize, words: usize) -> Phases {
        let decides = schedule.ending().find(|(_, phase)| phase.kind == EndingKind::Factor);
        let phase = decides.map_or(usize::MAX, |(number, _)| number + 1);
        watches.push(Watch { code: Code::NotFinite, task: launches, words: words..words + 1, phase });
        Phases {
            watches,
            most_pieces: schedule.ending().map(|(_, phase)| phase.pieces.len()).max().unwrap_or(0),
            at_once: vec![],
            schedule,
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.schedule.phases()
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        self.schedule.pieces()
    }
}

/// The phases of steps under one binding, planned when somebody asks for them.
#[derive(Default)]
pub(super) struct Steps {
    early: OnceLock<Phases>,
    late: OnceLock<Phases>,
}

impl Steps {
    fn at(&self, placement: Placement) -> &OnceLock<Phases> {
        match placement {
            Placement::Early => &self.early,
            Placement::Late => &self.late,
        }
    }
}

impl Binding {
    /// Plans the steps of a function that reaches these parameters, unless that was done before.
    ///
    /// # Errors
    /// If there are too many rounds.
    pub(crate) fn plan(
        &self,
        loaded: &Loaded,
        program: &Program,
        names: Names<'_>,
        reaches: &[usize],
        placement: Placement,
    ) -> Result<()> {
        if self.phases(Some(placement)).is_some() {
            return Ok(());
        }
        let tasks = program.with_ending(reaches, placement);
        let sizes = Sizes::new(program, names, &self.values);
        let phases = |tasks: &[Task]| Phases::new(loaded, &sizes, &self.kernels, &self.homes, tasks);
        let planned = match placement {
            Placement::Early => {
                let launches = &program.launches;
                let mut is_fused = vec![false; loaded.net.parameters.len()];
                let fused = in_place::fusible(loaded, reaches, launches, self, &self.alone.schedule);
                fused.iter().for_each(|update| is_fused[update.of.parameter] = true);
                let elements = |p: usize| (!is_fused[p]).then(|| loaded.net.padded_len(p));
                let mut phases = phases(&gather(&tasks, &elements))?;
                // The same ones by the numbers that phases have among updates.
                phases.at_once = in_place::fusible(loaded, reaches, launches, self, &phases.schedule);
                phases
            }
            Placement::Late => phases(&tasks)?,
        };
        // Of two who planned the same, one is kept.
        let _ = self.steps.at(placement).set(planned);
        Ok(())
    }

    /// What runs in a call that updates at this place, which was planned, or not at all.
    pub(crate) fn phases(&self, placement: Option<Placement>) -> Option<&Phases> {
        match placement {
            None => Some(&self.alone),
            Some(placement) => self.steps.at(placement).get(),
        }
    }
}
