//! Which arguments a call may donate to which results: one memory for both.

use super::lives::loops;
use super::order::Order;
use super::{Launch, Place, Program, Task};

impl Program {
    /// The pairs (argument, result) that may lie in one memory: of one type, and every read of the argument is before the first write of the
    /// result, or in the same launch where it reads each element where it writes it. Launches must be numbered in the order in which they run.
    ///
    /// An argument whose numbers are checked before the call stays the caller's.
    pub fn donations(&self) -> Vec<(usize, usize)> {
        let pairs = (0..self.arguments.len()).flat_map(|a| (0..self.results.len()).map(move |r| (a, r)));
        pairs.filter(|&(argument, result)| self.may_donate(argument, result)).collect()
    }

    /// Whether that is so of one pair.
    pub fn may_donate(&self, argument: usize, result: usize) -> bool {
        let Some((given, made)) = self.arguments.get(argument).zip(self.results.get(result)) else { return false };
        let (old, new) = (Place::Argument(argument), Place::Result(result));
        given.below.is_empty()
            && given.ty == made.ty
            && self.gives_way(&old, &new, &loops(&self.schedule))
            && (self.schedule.iter().all(|task| task.stream == 0) || self.waits_for_readers(&old, &new, &self.order()))
    }

    /// Whether all tasks that read what lies in one place come before those that write to the other, or are the same.
    fn waits_for_readers(&self, old: &Place, new: &Place, order: &Order) -> bool {
        let lies = |buffer: &usize, place: &Place| self.buffers[*buffer].place == *place;
        let tasks_of = |touches: &dyn Fn(&Launch) -> bool| -> Vec<usize> {
            let launches = self.launches.iter().enumerate().filter(|(_, launch)| touches(launch));
            launches.map(|(number, _)| order.task_of(number)).collect()
        };
        let readers = tasks_of(&|launch| launch.reads().iter().any(|buffer| lies(buffer, old)));
        let writers = tasks_of(&|launch| launch.writes().any(|buffer| lies(&buffer, new)));
        let waits = |reader: usize, writer: usize| reader == writer || order.happens_before(reader, writer);
        readers.iter().all(|&reader| writers.iter().all(|&writer| waits(reader, writer)))
    }

    /// Whether nobody reads what lies in one place once something is written to the other.
    fn gives_way(&self, old: &Place, new: &Place, loops: &[(usize, usize)]) -> bool {
        let lies = |buffer: &usize, place: &Place| self.buffers[*buffer].place == *place;
        let launches = || self.launches.iter().enumerate();
        let first = launches().find(|(_, launch)| launch.writes().any(|buffer| lies(&buffer, new)));
        let last = launches().rfind(|(_, launch)| launch.reads().iter().any(|buffer| lies(buffer, old)));
        let (Some((first, launch)), Some((last, _))) = (first, last) else { return first.is_some() };
        // What happens in a loop happens all through it.
        let inside = |at: usize| loops.iter().filter(move |(start, end)| (*start..=*end).contains(&at));
        let begins = inside(first).map(|(start, _)| *start).fold(first, usize::min);
        let ends = inside(last).map(|(_, end)| *end).fold(last, usize::max);
        if ends < begins {
            return true;
        }
        let whole = |buffer: &usize| {
            let buffer = &self.buffers[*buffer];
            buffer.start.is_zero() && buffer.strides.is_empty()
        };
        let pairs = launch.in_place(&self.buffers);
        let mut reads = launch.reads().into_iter().filter(|buffer| lies(buffer, old));
        let mut writes: Vec<usize> = launch.writes().filter(|buffer| lies(buffer, new)).collect();
        writes.dedup();
        let at_its_place =
            |read: usize| whole(&read) && writes.iter().all(|write| whole(write) && pairs.contains(&(read, *write)));
        first == last && self.schedule.contains(&Task::launch(first)) && reads.all(at_its_place)
    }
}
