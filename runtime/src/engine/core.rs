//! The engine behind its handles: one lock around the state machine, the records of the operations and the queues.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::current::{self, Left, Open};
use super::dependencies::{Id, Mode, Outcome, Stage, VariableId};
use super::error::{Error, Failures, Origin, Result};
use super::state::{Search, State, Waiter};
use super::task::{Called, Start, Task};
use super::turn::Word;
use super::{fork, worker};
use crate::panics::panic_message;
use crate::recorder;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Mutex, MutexGuard, OnceLock};

/// What whoever waits for an operation is told.
pub(super) type Ended = OnceLock<Result<()>>;

/// What an engine's handles, variables and threads share.
pub(super) struct Core {
    state: Mutex<State>,
    /// In a serial engine, what holds back all threads but one.
    serial: Option<Serial>,
    forks: u32,
    pub(super) threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Serial {
    gate: Mutex<()>,
    /// The number of the thread inside, else 0.
    holder: AtomicU64,
}

impl Serial {
    fn enter(&self) -> Option<Gate<'_>> {
        let thread = current::thread();
        if self.holder.load(Ordering::Relaxed) == thread {
            return None;
        }
        let guard = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.holder.store(thread, Ordering::Relaxed);
        Some(Gate(&self.holder, guard))
    }
}

/// What is pushed, but for its function.
pub(super) struct Request {
    pub(super) origin: Origin,
    pub(super) accesses: Vec<(VariableId, Mode)>,
    pub(super) priority: i32,
    pub(super) queue: u32,
    pub(super) bytes: u64,
    pub(super) foreign: bool,
}

impl Core {
    /// An engine with so many workers for its first queue, or a serial one.
    pub(super) fn new(workers: usize, serial: bool) -> Arc<Core> {
        let core = Core::without_queues(serial);
        core.add_queue(workers);
        core
    }

    /// One whose first queue the pool's crew serves.
    pub(super) fn for_crew() -> Arc<Core> {
        let core = Core::without_queues(false);
        core.lock().add_queue(true);
        core
    }

    fn without_queues(serial: bool) -> Arc<Core> {
        fork::watch();
        let serial = serial.then(|| Serial { gate: Mutex::new(()), holder: AtomicU64::new(0) });
        Arc::new(Core { state: Mutex::new(State::new()), serial, forks: fork::forks(), threads: Mutex::new(vec![]) })
    }

    pub(super) fn address(&self) -> NonZero<usize> {
        NonNull::from(self).addr()
    }

    pub(super) fn is_serial(&self) -> bool {
        self.serial.is_some()
    }

    /// A further queue with threads of its own; where the system gives fewer, those that there are do the work, or those that wait.
    pub(super) fn add_queue(self: &Arc<Core>, workers: usize) -> u32 {
        let queue = self.lock().add_queue(false);
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for number in 0..workers {
            let core = self.clone();
            let thread = thread::Builder::new().name(format!("castnet-engine-{queue}-{number}"));
            threads.extend(thread.spawn(move || worker::work(&core, queue as usize)));
        }
        queue
    }

    /// Whether the process is another one than that of the engine's threads; if so, its lock may never be free.
    pub(super) fn is_forked(&self) -> bool {
        self.forks != fork::forks()
    }

    #[inline]
    pub(super) fn lock(&self) -> Locked<'_> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a variable up.
    pub(super) fn release(&self, variable: VariableId) {
        let mut state = self.lock();
        state.release(variable);
        unlock(state);
    }

    /// A variable that calls take by this word.
    pub(super) fn variable_of(&self, word: &Arc<Word>) -> VariableId {
        self.lock().variable_of(word)
    }

    /// The calls are over that used a variable when operations were queued for it.
    #[cold]
    pub(super) fn given(&self, variable: VariableId) {
        if self.is_forked() {
            return;
        }
        let mut state = self.lock();
        state.end_holder(variable);
        self.announce(&mut state, None);
        unlock(state);
    }

    /// Waits until this thread may run an operation that it names here; it is finished when what is returned is dropped.
    pub(super) fn begin_here(self: &Arc<Core>, origin: Origin, accesses: &[(VariableId, Mode)]) -> Result<Here<'_>> {
        if self.is_forked() {
            return Err(Arc::new(Error::Forked { operation: origin }));
        }
        let gate = self.gate();
        let (inside, thread) = (current::open(), current::thread());
        let parent = inside.filter(|open| open.core == self.address()).map(|open| open.id);
        let started = Arc::new(Ended::new());
        let mut state = self.lock();
        if !state.accepts {
            return Err(Arc::new(Error::ShutDown { operation: origin }));
        }
        let Some(id) = state.register_here(accesses, origin.clone(), parent, thread, &started) else {
            return Err(Arc::new(Error::Memory { operation: origin }));
        };
        self.announce(&mut state, None);
        let (mut state, waited) = match started.get() {
            None => self.wait_by(state, &Awaited::Turn(id), None, || origin),
            Some(_) => (state, Ok(true)),
        };
        let error = match (waited, started.get()) {
            (Ok(_), Some(Ok(()))) => {
                let profiled = self.profile(&state, id);
                unlock(state);
                let left = current::enter(Open { core: self.address(), id });
                return Ok(Here { core: self, id, failed: None, profiled, _left: left, _gate: gate });
            }
            (Ok(_), Some(Err(root))) => {
                state.finish(id, Outcome::Skipped(root.clone()));
                root.clone()
            }
            (waited, _) => {
                let operation = state.origin(id);
                state.withdraw_here(id);
                waited.err().unwrap_or_else(|| Arc::new(Error::Cancelled { operation }))
            }
        };
        self.announce(&mut state, None);
        unlock(state);
        Err(error)
    }

    fn profiled(&self, id: Id) -> recorder::OperationKey {
        recorder::OperationKey { engine: self.address().get(), ticket: id.ticket }
    }

    /// Notes that an operation begins, while the profiler is on.
    #[inline]
    fn profile(&self, state: &State, id: Id) -> Option<recorder::Operation> {
        if !recorder::is_on() {
            return None;
        }
        let Origin { name, location } = state.origin(id);
        recorder::operation(self.profiled(id), name, location)
    }

    /// An operation whose function this thread is inside of.
    pub(super) fn open_here(&self) -> Option<Origin> {
        current::open()?;
        let state = self.lock();
        state.open_on(current::thread()).map(|id| state.origin(id))
    }

    /// Adds an operation; holds a thread back that has pushed too many.
    #[inline]
    pub(super) fn push<F>(self: &Arc<Core>, request: &mut Request, handle: Option<Arc<Ended>>, f: F) -> Result<Id>
    where
        F: FnOnce(&Start<'_>) -> Called + Send + 'static,
    {
        // It goes to where it stays at once: copying long values that have just been written is slow.
        let mut f = Some(f);
        self.push_with(request, handle, &mut |task| f.take().into_iter().for_each(|f| task.fill(f)))
    }

    fn push_with(
        self: &Arc<Core>,
        request: &mut Request,
        handle: Option<Arc<Ended>>,
        fill: &mut dyn FnMut(&mut Task),
    ) -> Result<Id> {
        if self.is_forked() {
            return Err(Arc::new(Error::Forked { operation: request.origin.take() }));
        }
        if request.foreign {
            return Err(Arc::new(Error::OtherEngine { operation: request.origin.take() }));
        }
        let gate = self.gate();
        let inside = current::open();
        let mut state = self.lock();
        let pusher = match inside {
            None => {
                let pusher = state.pusher(current::thread());
                if !state.has_room(pusher, request.bytes) {
                    state = self.hold_back(state, pusher, request.bytes);
                }
                Some(pusher)
            }
            // Whoever waits for this operation must not be kept waiting by what it pushes.
            Some(_) => None,
        };
        if !state.accepts {
            return Err(Arc::new(Error::ShutDown { operation: request.origin.take() }));
        }
        // Its epoch is not over before it is.
        let parent = inside.filter(|open| open.core == self.address()).map(|open| open.id);
        let Some(id) = state.register(request, pusher, parent, handle, fill) else {
            return Err(Arc::new(Error::Memory { operation: request.origin.take() }));
        };
        if recorder::is_on() {
            let Origin { name, location } = state.origin(id);
            recorder::pushed(self.profiled(id), name, location);
        }
        self.announce(&mut state, None);
        if gate.is_some() {
            // With all that it pushes.
            let target = Awaited::Epoch(state.epochs.close());
            state = self.wait(state, &target, None).0;
        }
        unlock(state);
        Ok(id)
    }

    /// Waits until a thread may push again, and helps with what it has pushed.
    #[cold]
    fn hold_back<'a>(self: &'a Arc<Core>, mut state: Locked<'a>, pusher: usize, bytes: u64) -> Locked<'a> {
        state.hold(pusher, true);
        state = self.wait(state, &Awaited::Window { pusher, bytes }, None).0;
        state.hold(pusher, false);
        state
    }

    /// In a serial engine, keeps other threads out until it is dropped; `None` too where this thread is inside already.
    #[inline]
    pub(super) fn gate(&self) -> Option<Gate<'_>> {
        self.serial.as_ref().and_then(Serial::enter)
    }

    /// Runs an operation that is ready and was taken out of its queue, unless it is to be skipped. `takes`: the queue from which this
    /// thread takes the next one.
    pub(super) fn run<'a>(self: &'a Arc<Core>, mut state: Locked<'a>, id: Id, takes: Option<usize>) -> Locked<'a> {
        let mut task = state.take(id, current::thread());
        let root = state.dependencies.start(id);
        let profiled = self.profile(&state, id);
        unlock(state);
        let called = {
            let _left = current::enter(Open { core: self.address(), id });
            catch_unwind(AssertUnwindSafe(|| match root {
                None => task.call(&Start { core: self, id }),
                // What is skipped goes while nobody else may touch its variables.
                Some(_) => {
                    task.clear();
                    Called::Returned(Ok(()))
                }
            }))
        };
        if let Some(profiled) = profiled {
            profiled.end(match &called {
                Ok(Called::Pending) => recorder::Outcome::Pending,
                Ok(Called::Returned(Ok(()))) if root.is_some() => recorder::Outcome::Skipped,
                Ok(Called::Returned(Ok(()))) => recorder::Outcome::Done,
                Ok(Called::Returned(Err(_))) | Err(_) => recorder::Outcome::Failed,
            });
        }
        let mut state = self.lock();
        match called {
            Ok(Called::Returned(Ok(()))) if root.is_none() => state.finish(id, Outcome::Done),
            Ok(Called::Pending) => state.leave(id),
            called => state.finish_badly(id, called.map_err(panic_message), root),
        }
        self.announce(&mut state, takes);
        state
    }

    /// Ends an asynchronous operation, if nothing else has; not before its function has returned.
    pub(super) fn end(&self, id: Id, result: impl FnOnce(Origin) -> Result<()>) {
        if self.is_forked() {
            return;
        }
        let mut state = self.lock();
        if state.dependencies.state(id) == Stage::Running {
            let result = result(state.origin(id));
            if recorder::is_on() {
                recorder::completed(self.profiled(id), result.is_err());
            }
            state.end_async(id, result);
            self.announce(&mut state, None);
        }
        unlock(state);
    }

    /// Cancels an operation if it has not started; whether it had not.
    pub(super) fn cancel(&self, id: Id) -> bool {
        if self.is_forked() {
            return false;
        }
        let mut state = self.lock();
        let task = state.cancel(id);
        let cancelled = task.is_some();
        self.announce(&mut state, None);
        drop(state);
        self.discard(task);
        cancelled
    }

    /// Drops functions that will not run; a destructor that panics is a failure of nobody's operation.
    fn discard(&self, tasks: impl IntoIterator<Item = (Task, Origin)>) {
        for (task, operation) in tasks {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(task))) {
                self.lock().note(Arc::new(Error::Panicked { operation, message: panic_message(payload) }));
            }
        }
    }

    /// Takes no further operations; with `cancel`, those that have not started never will. Workers leave when nothing is left for them.
    pub(super) fn close(&self, cancel: bool) {
        let mut state = self.lock();
        state.accepts = false;
        let tasks = if cancel { state.cancel_all() } else { vec![] };
        state.leaving |= cancel;
        self.announce(&mut state, None);
        Self::wake_all(&state);
        drop(state);
        self.discard(tasks);
    }

    /// Lets workers go that find nothing to do.
    pub(super) fn dismiss(&self) {
        let mut state = self.lock();
        state.leaving = true;
        Self::wake_all(&state);
        drop(state);
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let me = thread::current().id();
        for thread in threads.into_iter().filter(|thread| thread.thread().id() != me) {
            // A worker catches what operations do.
            _ = thread.join();
        }
    }

    fn wake_all(state: &State) {
        state.queues.iter().for_each(|queue| queue.workers.call(usize::MAX));
        state.waiters.call(usize::MAX);
    }

    /// Wakes those who have something to do now. `takes`: the queue from which this thread will take one itself.
    #[inline]
    pub(super) fn announce(&self, state: &mut State, takes: Option<usize>) {
        if state.idle > 0 {
            Self::wake(state, takes);
        }
    }

    fn wake(state: &mut State, takes: Option<usize>) {
        let mut left = false;
        for (number, queue) in state.queues.iter_mut().enumerate() {
            let others = std::mem::take(&mut queue.fresh).saturating_sub(usize::from(takes == Some(number)));
            if others > 0 {
                left |= !queue.call(others);
            }
        }
        if std::mem::take(&mut state.news) || left {
            state.waiters.call(usize::MAX);
        }
    }

    /// Wakes somebody for what is ready.
    pub(super) fn hand_over(state: &State) {
        for queue in &state.queues {
            if !queue.call_another() {
                state.waiters.call(usize::MAX);
            }
        }
    }

    /// Waits until there may be something to do: for the workers of a queue, or for those who wait for something. With `spin` for a
    /// short while only.
    pub(super) fn rest<'a>(
        &'a self,
        mut state: Locked<'a>,
        queue: Option<usize>,
        spin: bool,
        limit: Option<Duration>,
    ) -> Locked<'a> {
        state.idle += 1;
        let waiting = state.waiting(queue);
        let bell = waiting.bell.clone();
        if spin {
            waiting.awake += 1;
            let rung = bell.rung();
            drop(state);
            bell.listen(rung);
            state = self.lock();
            state.waiting(queue).awake -= 1;
        } else {
            waiting.asleep += 1;
            state = bell.sleep(state, limit);
            state.waiting(queue).asleep -= 1;
        }
        state.idle -= 1;
        state
    }

    /// Waits for `target`, and runs what it waits for and nobody else runs; `false` if the time is up.
    pub(super) fn wait<'a>(
        self: &'a Arc<Core>,
        mut state: Locked<'a>,
        target: &Awaited,
        deadline: Option<Instant>,
    ) -> (Locked<'a>, bool) {
        let mut search = Search::default();
        let (mut owes, mut spins) = (true, true);
        loop {
            if state.has_happened(target) {
                return (state, true);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return (state, false);
            }
            if let Some(id) = state.help(target, &mut search) {
                state = self.run(state, id, None);
                (owes, spins) = (true, true);
                continue;
            }
            // This thread may have been counted on to run what is left.
            if std::mem::take(&mut owes) {
                Self::hand_over(&state);
            }
            state = self.rest(state, None, std::mem::take(&mut spins), left);
        }
    }

    /// The same, by a call that may stand inside an operation.
    pub(super) fn wait_by<'a>(
        self: &'a Arc<Core>,
        mut state: Locked<'a>,
        target: &Awaited,
        deadline: Option<Instant>,
        wait: impl FnOnce() -> Origin,
    ) -> (Locked<'a>, Result<bool>) {
        let inside = current::open();
        if (inside.is_some() || current::is_in_call())
            && let Some(open) = state.comes_after_open(target, current::thread())
        {
            let operation = state.origin(open);
            return (state, Err(Arc::new(Error::WaitsForItself { operation, wait: wait() })));
        }
        let own = inside.filter(|open| open.core == self.address()).map(|open| Waiter::Operation(open.id));
        let call = current::is_in_call().then(|| Waiter::Call { thread: current::thread() });
        let waiters = [own, call];
        if let Awaited::Operation(target) | Awaited::Turn(target) = *target {
            state.waits.extend(waiters.iter().flatten().map(|waiter| (*waiter, target)));
        }
        let (mut state, in_time) = self.wait(state, target, deadline);
        if let Awaited::Operation(_) | Awaited::Turn(_) = target {
            for own in waiters.iter().flatten() {
                let place = state.waits.iter().rposition(|(waiter, _)| waiter == own);
                place.map(|place| state.waits.swap_remove(place));
            }
        }
        (state, Ok(in_time))
    }

    /// Waits until a read, or a write, of a variable that comes now could begin.
    pub(super) fn wait_for_variable(
        self: &Arc<Core>,
        variable: VariableId,
        mode: Mode,
        deadline: Option<Instant>,
        wait: impl Fn() -> Origin,
    ) -> Result<bool> {
        if self.is_forked() {
            return Err(Arc::new(Error::Forked { operation: wait() }));
        }
        let _gate = self.gate();
        let mut state = self.lock();
        if !state.queue_up(&[(variable, mode)]) {
            return Err(Arc::new(Error::Memory { operation: wait() }));
        }
        let waits = match mode {
            Mode::Read => state.dependencies.is_written(variable),
            Mode::Write | Mode::Overwrite => state.dependencies.is_used(variable),
        };
        if !waits {
            state.settle([variable]);
            return state.dependencies.poison(variable).map_or(Ok(true), |error| Err(error.clone()));
        }
        let ended = Arc::new(Ended::new());
        let Some(id) = state.register_marker(variable, mode, wait(), ended.clone()) else {
            return Err(Arc::new(Error::Memory { operation: wait() }));
        };
        let (mut state, in_time) = self.wait_by(state, &Awaited::Operation(id), deadline, wait);
        if state.dependencies.state(id) != Stage::Finished {
            state.withdraw(id);
            self.announce(&mut state, None);
        }
        match (in_time, ended.get()) {
            (Ok(true), Some(result)) => result.clone().map(|()| true),
            (in_time, _) => in_time,
        }
    }

    /// Waits for all operations that have been pushed, and for those that they push.
    pub(super) fn wait_all(
        self: &Arc<Core>,
        deadline: Option<Instant>,
        wait: impl Fn() -> Origin,
    ) -> Result<bool, Failures> {
        if self.is_forked() {
            return Err(Error::Forked { operation: wait() }.into());
        }
        let _gate = self.gate();
        let mut state = self.lock();
        let target = Awaited::Epoch(state.epochs.close());
        let (mut state, in_time) = self.wait_by(state, &target, deadline, wait);
        match in_time {
            Ok(true) => state.take_failures().map(|()| true),
            Ok(false) => Ok(false),
            Err(error) => Err(Failures { errors: vec![error], left_out: 0 }),
        }
    }
}

/// What somebody waits for.
pub(super) enum Awaited {
    /// The end of an operation.
    Operation(Id),
    /// That the thread may begin an operation itself.
    Turn(Id),
    /// The end of all operations of this epoch and those before it.
    Epoch(u64),
    /// That a thread may push again.
    Window { pusher: usize, bytes: u64 },
}

/// An operation that runs on this thread, inside the call that named it, until this is dropped.
pub(super) struct Here<'c> {
    core: &'c Arc<Core>,
    id: Id,
    /// What went wrong.
    pub(super) failed: Option<String>,
    profiled: Option<recorder::Operation>,
    _left: Left,
    _gate: Option<Gate<'c>>,
}

impl Drop for Here<'_> {
    fn drop(&mut self) {
        if let Some(profiled) = self.profiled.take() {
            profiled.end(if self.failed.is_some() { recorder::Outcome::Failed } else { recorder::Outcome::Done });
        }
        if self.core.is_forked() {
            // Nobody waits for it here, and the lock may never be free.
            return;
        }
        let mut state = self.core.lock();
        match self.failed.take() {
            None => state.finish(self.id, Outcome::Done),
            Some(message) => state.finish_badly(self.id, Err(message), None),
        }
        self.core.announce(&mut state, None);
        unlock(state);
    }
}

/// What keeps other threads out of a serial engine.
pub(super) struct Gate<'a>(&'a AtomicU64, #[expect(dead_code)] MutexGuard<'a, ()>);

impl Drop for Gate<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// The state, locked.
pub(super) type Locked<'a> = MutexGuard<'a, State>;

/// Unlocks; what nobody needs any more is dropped behind the lock, since a destructor may come back here.
#[inline(always)]
fn unlock(state: Locked<'_>) {
    if !state.dependencies.garbage.is_empty() {
        clear_away(state);
    }
}

#[cold]
fn clear_away(mut state: Locked<'_>) {
    let garbage = std::mem::take(&mut state.dependencies.garbage);
    drop(state);
    // Nobody is there to be told of a destructor that panics.
    _ = catch_unwind(AssertUnwindSafe(|| drop(garbage))).map_err(panic_message);
}
