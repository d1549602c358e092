//! What an engine's lock guards: the state machine, and beside it what the operations do, who pushed them, and who waits.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::panic::Location;
use std::sync::Arc;

use super::bell::Waiting;
use super::core::{Awaited, Ended, Request};
use super::dependencies::{Dependencies, Id, Mode, Outcome, Stage, VariableId};
use super::error::{Error, Failures, Origin, Result};
use super::ready::Ready;
use super::task::{Called, Task};
use super::turn::Word;
use super::{BYTES, OPERATIONS};
use crate::pool;

/// More failures than this are counted and not kept for whoever waits for all.
const FAILURES: usize = 1024;

/// An operation, beside its dependencies.
pub(super) struct Record {
    /// None once it has started or is cancelled; never there for a marker, which does nothing but tell that its turn has come.
    pub(super) task: Task,
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
    /// The thread that waits to run it itself, else 0.
    caller: u64,
    /// What an asynchronous operation ends with, told before its function has returned.
    pub(super) result: Option<Result<()>>,
}

impl Record {
    pub(super) fn new() -> Record {
        Record {
            task: Task::none(),
            origin: Origin { name: Cow::Borrowed(""), location: Location::caller() },
            handle: None,
            cancelled: None,
            bytes: 0,
            pusher: None,
            queue: 0,
            epoch: 0,
            thread: 0,
            caller: 0,
            result: None,
        }
    }
}

/// Operations that threads of their own run, or the pool's crew.
pub(super) struct Queue {
    pub(super) ready: Ready,
    /// Put there and not yet announced.
    pub(super) fresh: usize,
    pub(super) workers: Waiting,
    crew: bool,
}

impl Queue {
    /// Calls workers for so many operations: whether each of these will be taken by one that was idle.
    pub(super) fn call(&self, operations: usize) -> bool {
        if self.crew {
            return pool::call_for_operations(self.ready.len(), operations);
        }
        let sleepers = operations.saturating_sub(self.workers.awake);
        self.workers.call(sleepers);
        sleepers <= self.workers.asleep
    }

    /// Calls a worker for what was left to others: whether there is an idle one.
    pub(super) fn call_another(&self) -> bool {
        match self.crew {
            true => pool::call_for_operations(self.ready.len(), usize::from(!self.ready.is_empty())),
            false if self.ready.is_empty() => true,
            false => {
                self.workers.call(1);
                self.workers.awake + self.workers.asleep > 0
            }
        }
    }
}

pub(super) struct State {
    pub(super) dependencies: Dependencies<Arc<Error>>,
    /// Of variables that calls take without the engine, by number.
    pub(super) words: Vec<Option<Arc<Word>>>,
    /// Which calls were inside when operations were queued for what they use.
    pub(super) holders: Vec<(VariableId, Id)>,
    pub(super) records: Vec<Record>,
    pub(super) queues: Vec<Queue>,
    pub(super) epochs: Epochs,
    pushers: Vec<Pusher>,
    /// What nobody who waits for all has been told.
    failures: Vec<Arc<Error>>,
    left_out: usize,
    /// Who waits inside, and for which operations.
    pub(super) waits: Vec<(Waiter, Id)>,
    /// Those for whom something is to happen, or to be helped with.
    pub(super) waiters: Waiting,
    /// All threads that wait, awake or asleep.
    pub(super) idle: usize,
    /// Something that somebody may wait for has happened.
    pub(super) news: bool,
    /// Whether operations may be pushed.
    pub(super) accepts: bool,
    /// Whether workers that find nothing to do go.
    pub(super) leaving: bool,
    newly: Vec<Id>,
    pub(super) raised: Vec<Id>,
}

/// A thread that pushes, and what of it is not finished.
#[derive(Default)]
struct Pusher {
    thread: u64,
    operations: usize,
    bytes: u64,
    held: bool,
}

/// Who others wait for, and waits himself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiter {
    Operation(Id),
    /// Of which the engine knows nothing but the thread.
    Call {
        thread: u64,
    },
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
            words: vec![],
            holders: vec![],
            records: vec![],
            queues: vec![],
            epochs: Epochs { first: 1, count: 0, later: VecDeque::new(), unfinished: 0 },
            pushers: vec![],
            failures: vec![],
            left_out: 0,
            waits: vec![],
            waiters: Waiting::default(),
            idle: 0,
            news: false,
            accepts: true,
            leaving: false,
            newly: vec![],
            raised: vec![],
        }
    }

    /// A further queue; with `crew` for the pool's, which counts as waiting always: it is called without the lock.
    pub(super) fn add_queue(&mut self, crew: bool) -> u32 {
        self.queues.push(Queue { ready: Ready::new(), fresh: 0, workers: Waiting::default(), crew });
        self.idle += usize::from(crew);
        self.queues.len() as u32 - 1
    }

    /// The workers of a queue that wait, or all others who do.
    pub(super) fn waiting(&mut self, queue: Option<usize>) -> &mut Waiting {
        match queue {
            Some(queue) => &mut self.queues[queue].workers,
            None => &mut self.waiters,
        }
    }

    /// Adds an operation, which waits or goes to its queue. One that is pushed by another counts to that one's epoch. `None`: there is no
    /// memory for it.
    #[inline(always)]
    pub(super) fn register(
        &mut self,
        request: &mut Request,
        pusher: Option<usize>,
        parent: Option<Id>,
        handle: Option<Arc<Ended>>,
        fill: &mut dyn FnMut(&mut Task),
    ) -> Option<Id> {
        let id = self.new_operation(&request.accesses, request.priority)?;
        let epoch = self.epochs.enter(parent.map(|parent| self.records[parent.index as usize].epoch));
        if let Some(pusher) = pusher {
            let pusher = &mut self.pushers[pusher];
            pusher.operations += 1;
            pusher.bytes += request.bytes;
        }
        // Field by field: a record is long.
        let record = &mut self.records[id.index as usize];
        fill(&mut record.task);
        record.origin = request.origin.take();
        record.handle = handle;
        record.bytes = request.bytes;
        record.pusher = pusher;
        record.queue = request.queue;
        record.epoch = epoch;
        if self.dependencies.state(id) == Stage::Ready {
            self.enqueue(id);
        }
        Some(id)
    }

    /// An operation and its record, in which the task, the cancellation, the thread and the result are none.
    #[inline(always)]
    fn new_operation(&mut self, accesses: &[(VariableId, Mode)], priority: i32) -> Option<Id> {
        if !self.words.is_empty() && !self.queue_up(accesses) {
            return None;
        }
        if self.dependencies.is_full() {
            self.records.try_reserve(1).ok()?;
        }
        let id = self.dependencies.register(accesses, priority, &mut self.raised)?;
        if id.index as usize == self.records.len() {
            self.records.push(Record::new());
        }
        if !self.raised.is_empty() {
            self.enqueue_raised();
        }
        Some(id)
    }

    /// Adds a marker: it does nothing, and `ended` tells when its turn has come, and what is wrong with the variable then.
    pub(super) fn register_marker(
        &mut self,
        variable: VariableId,
        mode: Mode,
        origin: Origin,
        ended: Arc<Ended>,
    ) -> Option<Id> {
        let id = self.new_operation(&[(variable, mode)], 0)?;
        let epoch = self.epochs.enter(None);
        let record = &mut self.records[id.index as usize];
        record.origin = origin;
        record.handle = Some(ended);
        record.bytes = 0;
        record.pusher = None;
        record.queue = 0;
        record.epoch = epoch;
        Some(id)
    }

    /// Adds an operation that the thread `caller` runs itself, outside of the lock: `started` tells it to, or what is wrong.
    pub(super) fn register_here(
        &mut self,
        accesses: &[(VariableId, Mode)],
        origin: Origin,
        parent: Option<Id>,
        caller: u64,
        started: &Arc<Ended>,
    ) -> Option<Id> {
        let id = self.new_operation(accesses, 0)?;
        let epoch = self.epochs.enter(parent.map(|parent| self.records[parent.index as usize].epoch));
        let record = &mut self.records[id.index as usize];
        record.origin = origin;
        record.handle = Some(started.clone());
        record.bytes = 0;
        record.pusher = None;
        record.queue = 0;
        record.epoch = epoch;
        record.caller = caller;
        if self.dependencies.state(id) == Stage::Ready {
            self.start_here(id);
        }
        Some(id)
    }

    /// Tells the thread that runs an operation itself that it may.
    fn start_here(&mut self, id: Id) {
        let root = self.dependencies.start(id);
        let record = &mut self.records[id.index as usize];
        record.thread = std::mem::take(&mut record.caller);
        if let Some(started) = record.handle.take() {
            _ = started.set(root.map_or(Ok(()), Err));
        }
        self.news = true;
    }

    /// Takes an operation out whose thread does not wait for it any more.
    pub(super) fn withdraw_here(&mut self, id: Id) {
        self.records[id.index as usize].caller = 0;
        self.withdraw(id);
    }

    #[inline(always)]
    fn enqueue(&mut self, id: Id) {
        let queue = &mut self.queues[self.records[id.index as usize].queue as usize];
        queue.ready.push(id, self.dependencies.priority(id));
        queue.fresh += usize::from(self.idle > 0);
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

    /// Takes the function of an operation that this thread begins.
    #[inline]
    pub(super) fn take(&mut self, id: Id, thread: u64) -> Task {
        let record = &mut self.records[id.index as usize];
        record.thread = thread;
        record.task.take()
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
    #[inline(always)]
    pub(super) fn finish(&mut self, id: Id, outcome: Outcome<Arc<Error>>) {
        self.end(id, outcome);
        self.admit();
    }

    /// Ends an operation that was skipped because of `root`, or whose function has failed or panicked.
    #[cold]
    pub(super) fn finish_badly(&mut self, id: Id, called: Result<Called, String>, root: Option<Arc<Error>>) {
        let operation = self.origin(id);
        let error = match called {
            Ok(Called::Returned(Ok(())) | Called::Pending) => None,
            Ok(Called::Returned(Err(source))) => Some(Arc::new(Error::Failed { operation, source })),
            Err(message) => Some(Arc::new(Error::Panicked { operation, message })),
        };
        let outcome = match (root, error) {
            (None, None) => Outcome::Done,
            (None, Some(error)) => Outcome::Failed(error),
            (Some(root), error) => {
                // Of a destructor.
                error.into_iter().for_each(|error| self.note(error));
                Outcome::Skipped(root)
            }
        };
        self.finish(id, outcome);
    }

    #[inline(always)]
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
        self.settle_after(id);
        match outcome {
            Outcome::Done => {}
            Outcome::Failed(error) => self.note(error),
            Outcome::Skipped(error) => self.dependencies.garbage.push(error),
        }
    }

    /// Brings operations that have become ready to their queues; what has no function ends at once.
    #[inline(always)]
    fn admit(&mut self) {
        let mut next = 0;
        while let Some(&id) = self.newly.get(next) {
            next += 1;
            let record = &mut self.records[id.index as usize];
            if record.task.is_some() {
                self.enqueue(id);
                continue;
            }
            if record.caller != 0 {
                self.start_here(id);
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
        self.settle_after(id);
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
        if !record.task.is_some() {
            return None;
        }
        let task = record.task.take();
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

    pub(super) fn has_happened(&self, target: &Awaited) -> bool {
        match *target {
            Awaited::Operation(id) => self.dependencies.state(id) == Stage::Finished,
            Awaited::Turn(id) => self.dependencies.state(id) != Stage::Waiting,
            Awaited::Epoch(epoch) => self.epochs.is_over(epoch),
            // Not as soon as one more fits, or the thread would sleep and wake once an operation.
            Awaited::Window { pusher, bytes } => {
                !self.accepts || self.pushers[pusher].operations <= OPERATIONS * 3 / 4 && self.has_room(pusher, bytes)
            }
        }
    }

    /// An operation that is ready and that `target` waits for.
    pub(super) fn help(&mut self, target: &Awaited, search: &mut Search) -> Option<Id> {
        let all = match *target {
            Awaited::Operation(_) | Awaited::Turn(_) => false,
            Awaited::Epoch(epoch) => self.epochs.none_after(epoch),
            Awaited::Window { pusher, .. } => self.pushers[pusher].operations == self.epochs.unfinished,
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
    fn unfinished_of(&self, target: &Awaited, found: &mut Vec<Id>) {
        let all = (0..self.dependencies.places()).filter_map(|index| self.dependencies.at(index));
        let record = |id: &Id| &self.records[id.index as usize];
        match *target {
            Awaited::Operation(id) | Awaited::Turn(id) => found.push(id),
            Awaited::Epoch(epoch) => found.extend(all.filter(|id| record(id).epoch <= epoch)),
            Awaited::Window { pusher, .. } => found.extend(all.filter(|id| record(id).pusher == Some(pusher))),
        }
        found.sort_unstable_by_key(|id| std::cmp::Reverse(id.ticket));
    }

    /// An operation whose function this thread is inside of.
    pub(super) fn open_on(&self, thread: u64) -> Option<Id> {
        let all = (0..self.dependencies.places()).filter_map(|index| self.dependencies.at(index));
        all.into_iter().find(|id| self.records[id.index as usize].thread == thread)
    }

    /// An operation whose function this thread is inside of, and that must end before `target` can happen.
    pub(super) fn comes_after_open(&mut self, target: &Awaited, thread: u64) -> Option<Id> {
        let mut stack = vec![];
        self.unfinished_of(target, &mut stack);
        let search = self.dependencies.new_search();
        while let Some(id) = stack.pop() {
            let stage = self.dependencies.state(id);
            if stage == Stage::Finished || !self.dependencies.visit(id, search) {
                continue;
            }
            if stage == Stage::Running {
                let is_open = |thread| self.records[id.index as usize].thread == thread || self.is_held_by(id, thread);
                if is_open(thread) {
                    return Some(id);
                }
                // It may wait for something itself.
                let waits = self.waits.iter().filter(|(waiter, _)| match *waiter {
                    Waiter::Operation(waiter) => waiter == id,
                    Waiter::Call { thread } => self.is_held_by(id, thread),
                });
                stack.extend(waits.map(|(_, target)| *target));
            }
            self.dependencies.blockers(id, |blocker| stack.push(blocker));
        }
        None
    }
}

/// How many operations are unfinished of those before and after each call that waits for all.
pub(super) struct Epochs {
    first: u64,
    /// Of the first epoch.
    count: usize,
    /// Of those after it; the last epoch is the present.
    later: VecDeque<usize>,
    pub(super) unfinished: usize,
}

impl Epochs {
    fn count_of(&mut self, epoch: u64) -> &mut usize {
        match epoch - self.first {
            0 => &mut self.count,
            n => &mut self.later[n as usize - 1],
        }
    }

    /// Counts an operation to this epoch, or to the present one.
    #[inline]
    pub(super) fn enter(&mut self, epoch: Option<u64>) -> u64 {
        let epoch = epoch.unwrap_or(self.first + self.later.len() as u64);
        *self.count_of(epoch) += 1;
        self.unfinished += 1;
        epoch
    }

    /// Whether a whole epoch is over with it.
    #[inline]
    fn leave(&mut self, epoch: u64) -> bool {
        *self.count_of(epoch) -= 1;
        self.unfinished -= 1;
        self.count == 0 && self.advance()
    }

    /// Goes on to the first epoch that is not over, or to the present one.
    fn advance(&mut self) -> bool {
        let first = self.first;
        while self.count == 0
            && let Some(count) = self.later.pop_front()
        {
            self.count = count;
            self.first += 1;
        }
        self.first > first
    }

    /// Begins another epoch if there is anything in the present one; the one before it.
    pub(super) fn close(&mut self) -> u64 {
        if *self.later.back().unwrap_or(&self.count) != 0 {
            self.later.push_back(0);
        }
        self.first + self.later.len() as u64 - 1
    }

    #[inline]
    fn is_over(&self, epoch: u64) -> bool {
        epoch < self.first
    }

    /// Whether no unfinished operation came later.
    #[inline]
    fn none_after(&self, epoch: u64) -> bool {
        self.count == self.unfinished || {
            let later = epoch.saturating_sub(self.first) as usize;
            self.later.iter().skip(later).all(|&count| count == 0)
        }
    }
}
