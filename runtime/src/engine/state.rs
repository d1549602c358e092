//! What an engine's lock guards: the state machine, and beside it what the operations do, who pushed them, and who waits.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar};

use super::core::{Ended, Target};
use super::dependencies::{Dependencies, Id, Mode, Outcome, State as Stage, VariableId};
use super::error::{Error, Failures, Origin, Result};
use super::ready::Ready;
use super::task::Task;
use super::{BYTES, OPERATIONS};

/// More failures than this are counted and not kept for whoever waits for all.
const FAILURES: usize = 1024;

/// An operation, beside its dependencies.
pub(super) struct Record {
    /// None once it has started or is cancelled; never there for a marker, which does nothing but tell that its turn has come.
    pub(super) task: Option<Task>,
    pub(super) origin: Origin,
    pub(super) handle: Option<Arc<Ended>>,
    pub(super) cancelled: Option<Arc<Error>>,
    /// What it counts for in the window of the thread that pushed it.
    pub(super) bytes: u64,
    pub(super) pusher: Option<usize>,
    pub(super) queue: u32,
    pub(super) epoch: u64,
    /// The thread that is inside its function, else 0.
    pub(super) thread: u64,
    /// What an asynchronous operation ends with, told before its function has returned.
    pub(super) result: Option<Result<()>>,
}

/// Operations that threads of their own run.
pub(super) struct Queue {
    pub(super) ready: Ready,
    /// Put there and not yet announced.
    pub(super) fresh: usize,
    pub(super) sleeping: usize,
    pub(super) wake: Arc<Condvar>,
}

pub(super) struct State {
    pub(super) dependencies: Dependencies<Arc<Error>>,
    records: Vec<Record>,
    pub(super) queues: Vec<Queue>,
    pub(super) epochs: Epochs,
    pushers: Vec<Pusher>,
    /// What nobody who waits for all has been told.
    failures: Vec<Arc<Error>>,
    left_out: usize,
    /// Which operations have calls inside that wait, and for which operations.
    pub(super) waits: Vec<(Id, Id)>,
    /// Threads that sleep until there is progress.
    pub(super) waiters: usize,
    /// Something that somebody may wait for has happened.
    pub(super) news: bool,
    /// Whether operations may be pushed.
    pub(super) accepts: bool,
    /// Whether workers that find nothing to do go.
    pub(super) leaving: bool,
    newly: Vec<Id>,
    raised: Vec<Id>,
}

/// A thread that pushes, and what of it is not finished.
#[derive(Default)]
struct Pusher {
    thread: u64,
    operations: usize,
    bytes: u64,
    held: bool,
}

/// A search for operations to help with.
#[derive(Default)]
pub(super) struct Search {
    stack: Vec<Id>,
    number: u64,
    helped: bool,
}

impl State {
    pub(super) fn new() -> State {
        State {
            dependencies: Dependencies::new(),
            records: vec![],
            queues: vec![],
            epochs: Epochs { first: 1, counts: VecDeque::from([0]), unfinished: 0 },
            pushers: vec![],
            failures: vec![],
            left_out: 0,
            waits: vec![],
            waiters: 0,
            news: false,
            accepts: true,
            leaving: false,
            newly: vec![],
            raised: vec![],
        }
    }

    pub(super) fn add_queue(&mut self) -> u32 {
        self.queues.push(Queue { ready: Ready::new(), fresh: 0, sleeping: 0, wake: Arc::new(Condvar::new()) });
        self.queues.len() as u32 - 1
    }

    /// Makes room for an operation with so many accesses; `false`: there is none to be had.
    #[inline]
    pub(super) fn reserve(&mut self, accesses: usize) -> bool {
        let places = self.dependencies.places();
        self.dependencies.reserve(accesses) && (self.records.len() < places || self.records.try_reserve(1).is_ok())
    }

    /// Adds an operation, which waits or goes to its queue. One that is pushed by another counts to that one's epoch.
    #[inline]
    pub(super) fn register(
        &mut self,
        accesses: &[(VariableId, Mode)],
        priority: i32,
        record: impl FnOnce() -> Record,
        parent: Option<Id>,
    ) -> Id {
        let id = self.dependencies.register(accesses, priority, &mut self.raised);
        let epoch = parent.map(|parent| self.records[parent.index as usize].epoch);
        let epoch = self.epochs.enter(epoch);
        let mut record = record();
        record.epoch = epoch;
        if let Some(pusher) = record.pusher {
            let pusher = &mut self.pushers[pusher];
            pusher.operations += 1;
            pusher.bytes += record.bytes;
        }
        match self.records.get_mut(id.index as usize) {
            Some(place) => *place = record,
            None => self.records.push(record),
        }
        if self.dependencies.state(id) == Stage::Ready {
            self.enqueue(id);
        }
        if !self.raised.is_empty() {
            self.enqueue_raised();
        }
        id
    }

    /// Adds a marker: it does nothing, and `ended` tells when its turn has come, and what is wrong with the variable then.
    pub(super) fn register_marker(
        &mut self,
        variable: VariableId,
        mode: Mode,
        origin: Origin,
        ended: Arc<Ended>,
    ) -> Id {
        let record = || Record {
            task: None,
            origin,
            handle: Some(ended),
            cancelled: None,
            bytes: 0,
            pusher: None,
            queue: 0,
            epoch: 0,
            thread: 0,
            result: None,
        };
        let id = self.dependencies.register(&[(variable, mode)], 0, &mut self.raised);
        self.raised.clear();
        let mut record = record();
        record.epoch = self.epochs.enter(None);
        match self.records.get_mut(id.index as usize) {
            Some(place) => *place = record,
            None => self.records.push(record),
        }
        id
    }

    fn enqueue(&mut self, id: Id) {
        let queue = &mut self.queues[self.records[id.index as usize].queue as usize];
        queue.ready.push(id, self.dependencies.priority(id));
        queue.fresh += 1;
    }

    /// Operations that are ready stand in their queues once more, with a higher priority.
    #[cold]
    fn enqueue_raised(&mut self) {
        for id in std::mem::take(&mut self.raised) {
            self.enqueue(id);
            self.forget_entry(id);
        }
    }

    /// Notes that an entry in a queue is of no use any more.
    fn forget_entry(&mut self, id: Id) {
        let queue = &mut self.queues[self.records[id.index as usize].queue as usize];
        queue.ready.outdated(|id| self.dependencies.state(id) == Stage::Ready);
    }

    /// Takes the next operation of a queue.
    #[inline]
    pub(super) fn pop(&mut self, queue: usize) -> Option<Id> {
        self.queues[queue].ready.pop(|id| self.dependencies.state(id) == Stage::Ready)
    }

    fn pop_any(&mut self) -> Option<Id> {
        (0..self.queues.len()).find_map(|queue| self.pop(queue))
    }

    /// Begins an operation on this thread: what is wrong with its variables, if anything is, and its function.
    #[inline]
    pub(super) fn start(&mut self, id: Id, thread: u64) -> (Option<Arc<Error>>, Option<Task>) {
        let root = self.dependencies.start(id);
        let record = &mut self.records[id.index as usize];
        record.thread = thread;
        (root, record.task.take())
    }

    /// The function of an asynchronous operation has returned.
    pub(super) fn leave(&mut self, id: Id) {
        let record = &mut self.records[id.index as usize];
        record.thread = 0;
        if let Some(result) = record.result.take() {
            self.end_async(id, result);
        }
    }

    /// Ends an asynchronous operation, now or when its function has returned.
    pub(super) fn end_async(&mut self, id: Id, result: Result<()>) {
        let record = &mut self.records[id.index as usize];
        if record.thread != 0 {
            record.result = Some(result);
            return;
        }
        self.finish(id, result.map_or_else(Outcome::Failed, |()| Outcome::Done));
    }

    pub(super) fn origin(&self, id: Id) -> Origin {
        self.records[id.index as usize].origin.clone()
    }

    /// Ends an operation; those that are ready because of it go to their queues.
    #[inline]
    pub(super) fn finish(&mut self, id: Id, outcome: Outcome<Arc<Error>>) {
        self.end(id, outcome);
        self.admit();
    }

    #[inline]
    fn end(&mut self, id: Id, outcome: Outcome<Arc<Error>>) {
        let record = &mut self.records[id.index as usize];
        record.thread = 0;
        if let Some(Err(error)) = record.result.take() {
            self.dependencies.garbage.push(error);
        }
        if let Some(handle) = record.handle.take() {
            // It is set here alone.
            _ = handle.set(match &outcome {
                Outcome::Done => Ok(()),
                Outcome::Failed(error) | Outcome::Skipped(error) => Err(error.clone()),
            });
            self.news = true;
        }
        self.news |= self.epochs.leave(record.epoch);
        if let Some(pusher) = record.pusher {
            let pusher = &mut self.pushers[pusher];
            pusher.operations -= 1;
            pusher.bytes -= record.bytes;
            self.news |= pusher.held;
        }
        self.dependencies.complete(id, &outcome, &mut self.newly);
        match outcome {
            Outcome::Done => {}
            Outcome::Failed(error) => self.note(error),
            Outcome::Skipped(error) => self.dependencies.garbage.push(error),
        }
    }

    /// Brings operations that have become ready to their queues; what has no function ends at once.
    #[inline]
    fn admit(&mut self) {
        let mut next = 0;
        while let Some(&id) = self.newly.get(next) {
            next += 1;
            let record = &mut self.records[id.index as usize];
            if record.task.is_some() {
                self.enqueue(id);
                continue;
            }
            let cancelled = record.cancelled.take();
            let root = self.dependencies.start(id);
            match cancelled {
                Some(error) => self.end(id, Outcome::Skipped(error)),
                None => self.end_marker(id, root),
            }
        }
        self.newly.clear();
    }

    fn end_marker(&mut self, id: Id, root: Option<Arc<Error>>) {
        let record = &mut self.records[id.index as usize];
        if let Some(handle) = record.handle.take() {
            _ = handle.set(root.map_or(Ok(()), Err));
        }
        self.epochs.leave(record.epoch);
        self.news = true;
        self.dependencies.withdraw(id, &mut self.newly);
    }

    /// Takes a marker out that nobody waits for any more.
    pub(super) fn withdraw(&mut self, id: Id) {
        self.end_marker(id, None);
        self.admit();
    }

    /// Keeps a failure for whoever waits for all.
    pub(super) fn note(&mut self, error: Arc<Error>) {
        match self.failures.len() < FAILURES {
            true => self.failures.push(error),
            false => {
                self.left_out += 1;
                self.dependencies.garbage.push(error);
            }
        }
    }

    /// The failures that nobody was told of yet.
    pub(super) fn take_failures(&mut self) -> Result<(), Failures> {
        let (errors, left_out) = (std::mem::take(&mut self.failures), std::mem::take(&mut self.left_out));
        if errors.is_empty() { Ok(()) } else { Err(Failures { errors, left_out }) }
    }

    /// Cancels an operation that has not started: its function, and what it is.
    pub(super) fn cancel(&mut self, id: Id) -> Option<(Task, Origin)> {
        let stage = self.dependencies.state(id);
        if !matches!(stage, Stage::Waiting | Stage::Ready) {
            return None;
        }
        let record = &mut self.records[id.index as usize];
        let task = record.task.take()?;
        let operation = record.origin.clone();
        record.cancelled = Some(Arc::new(Error::Cancelled { operation: operation.clone() }));
        if stage == Stage::Ready {
            self.forget_entry(id);
            self.newly.push(id);
            self.admit();
        }
        Some((task, operation))
    }

    /// Cancels all that have not started.
    pub(super) fn cancel_all(&mut self) -> Vec<(Task, Origin)> {
        let mut cancelled = vec![];
        for index in 0..self.dependencies.places() {
            if let Some(id) = self.dependencies.at(index) {
                cancelled.extend(self.cancel(id));
            }
        }
        cancelled
    }

    /// The place of a thread among those that push.
    #[inline]
    pub(super) fn pusher(&mut self, thread: u64) -> usize {
        match self.pushers.iter().position(|pusher| pusher.thread == thread) {
            Some(known) => known,
            None => {
                let new = Pusher { thread, ..Pusher::default() };
                match self.pushers.iter().position(|pusher| pusher.operations == 0 && !pusher.held) {
                    Some(idle) => {
                        self.pushers[idle] = new;
                        idle
                    }
                    None => {
                        self.pushers.push(new);
                        self.pushers.len() - 1
                    }
                }
            }
        }
    }

    /// Whether a thread may push an operation of so many bytes.
    #[inline]
    pub(super) fn has_room(&self, pusher: usize, bytes: u64) -> bool {
        let pusher = &self.pushers[pusher];
        pusher.operations == 0 || pusher.operations < OPERATIONS && pusher.bytes.saturating_add(bytes) <= BYTES
    }

    /// Notes whether a thread waits until it may push.
    pub(super) fn hold(&mut self, pusher: usize, held: bool) {
        self.pushers[pusher].held = held;
    }

    pub(super) fn has_happened(&self, target: &Target) -> bool {
        match *target {
            Target::Operation(id) => self.dependencies.state(id) == Stage::Finished,
            Target::Epoch(epoch) => self.epochs.is_over(epoch),
            // Not as soon as one more fits, or the thread would sleep and wake once an operation.
            Target::Window { pusher, bytes } => {
                !self.accepts || self.pushers[pusher].operations <= OPERATIONS * 3 / 4 && self.has_room(pusher, bytes)
            }
        }
    }

    /// An operation that is ready and that `target` waits for.
    pub(super) fn help(&mut self, target: &Target, search: &mut Search) -> Option<Id> {
        let all = match *target {
            Target::Operation(_) => false,
            Target::Epoch(epoch) => self.epochs.none_after(epoch),
            Target::Window { pusher, .. } => self.pushers[pusher].operations == self.epochs.unfinished,
        };
        if all {
            return self.pop_any();
        }
        loop {
            if search.stack.is_empty() {
                search.helped = false;
                search.number = self.dependencies.new_search();
                self.unfinished_of(target, &mut search.stack);
            }
            if let Some(id) = self.dependencies.find_ready(&mut search.stack, search.number) {
                search.helped = true;
                self.forget_entry(id);
                return Some(id);
            }
            // What was of no use may have become so while this thread was helping.
            if !search.helped {
                return None;
            }
        }
    }

    /// The operations that `target` waits for, the oldest last.
    fn unfinished_of(&self, target: &Target, found: &mut Vec<Id>) {
        let all = (0..self.dependencies.places()).filter_map(|index| self.dependencies.at(index));
        let record = |id: &Id| &self.records[id.index as usize];
        match *target {
            Target::Operation(id) => found.push(id),
            Target::Epoch(epoch) => found.extend(all.filter(|id| record(id).epoch <= epoch)),
            Target::Window { pusher, .. } => found.extend(all.filter(|id| record(id).pusher == Some(pusher))),
        }
        found.sort_unstable_by_key(|id| std::cmp::Reverse(id.ticket));
    }

    /// An operation whose function this thread is inside of.
    pub(super) fn open_on(&self, thread: u64) -> Option<Id> {
        let all = (0..self.dependencies.places()).filter_map(|index| self.dependencies.at(index));
        all.into_iter().find(|id| self.records[id.index as usize].thread == thread)
    }

    /// An operation whose function this thread is inside of, and that must end before `target` can happen.
    pub(super) fn comes_after_open(&mut self, target: &Target, thread: u64) -> Option<Id> {
        let mut stack = vec![];
        self.unfinished_of(target, &mut stack);
        let search = self.dependencies.new_search();
        while let Some(id) = stack.pop() {
            let stage = self.dependencies.state(id);
            if stage == Stage::Finished || !self.dependencies.visit(id, search) {
                continue;
            }
            if stage == Stage::Running {
                if self.records[id.index as usize].thread == thread {
                    return Some(id);
                }
                // It may wait for something itself.
                stack.extend(self.waits.iter().filter(|(waiter, _)| *waiter == id).map(|(_, target)| *target));
            }
            self.dependencies.blockers(id, |blocker| stack.push(blocker));
        }
        None
    }
}

/// How many operations are unfinished of those before and after each call that waits for all.
pub(super) struct Epochs {
    first: u64,
    /// Of the epochs from `first` on; the last one is the present.
    counts: VecDeque<usize>,
    pub(super) unfinished: usize,
}

impl Epochs {
    /// Counts an operation to this epoch, or to the present one.
    #[inline]
    fn enter(&mut self, epoch: Option<u64>) -> u64 {
        let epoch = epoch.unwrap_or(self.first + self.counts.len() as u64 - 1);
        self.counts[(epoch - self.first) as usize] += 1;
        self.unfinished += 1;
        epoch
    }

    /// Whether a whole epoch is over with it.
    #[inline]
    fn leave(&mut self, epoch: u64) -> bool {
        self.counts[(epoch - self.first) as usize] -= 1;
        self.unfinished -= 1;
        let first = self.first;
        while self.counts.len() > 1 && self.counts[0] == 0 {
            self.counts.pop_front();
            self.first += 1;
        }
        self.first > first
    }

    /// Begins another epoch if there is anything in the present one; the one before it.
    pub(super) fn close(&mut self) -> u64 {
        if self.counts.back() != Some(&0) {
            self.counts.push_back(0);
        }
        self.first + self.counts.len() as u64 - 2
    }

    fn is_over(&self, epoch: u64) -> bool {
        epoch < self.first
    }

    /// Whether no operation came later.
    fn none_after(&self, epoch: u64) -> bool {
        let later = (epoch + 1).saturating_sub(self.first) as usize;
        self.counts.iter().skip(later).all(|&count| count == 0)
    }
}
