//! What is recorded between a start and its stop: events, thread by thread, in chunks of memory that are used again when there may be no more; and figures
//! that lose nothing.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use super::programs::{Program, ProgramKey, TaskInfo};

/// Events of a chunk.
const CHUNK: usize = 512;

/// More names than this share one: who makes a name for every event has no use for a line of each.
const MOST_NAMES: usize = 1 << 16;

/// Something that happened, by nanoseconds since the start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// A call of a program, with the number of its sizes.
    Call {
        call: u64,
        program: u32,
        sizes: u32,
        failed: bool,
    },
    /// What one thread did of a task in one phase.
    Task {
        call: u64,
        program: u32,
        task: u32,
        phase: u32,
        chunks: u32,
    },
    /// An operation was handed to an engine.
    Push {
        operation: OperationKey,
        name: u32,
    },
    /// Its function.
    Operation {
        operation: OperationKey,
        name: u32,
        outcome: Outcome,
    },
    /// It is finished, some time after its function has returned.
    Completed {
        operation: OperationKey,
        failed: bool,
    },
    Span {
        name: u32,
    },
    Mark {
        name: u32,
    },
    Counter {
        name: u32,
        value: f64,
    },
}

/// An operation among those of all engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OperationKey {
    pub(crate) engine: usize,
    pub(crate) ticket: u64,
}

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Failed,
    /// One that it depends on has failed.
    Skipped,
    /// Its function has returned, and it goes on.
    Pending,
}

/// How often something took how long.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) count: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) total: AtomicU64,
    pub(crate) min: AtomicU64,
    pub(crate) max: AtomicU64,
}

impl Default for Figures {
    fn default() -> Figures {
        let zero = AtomicU64::default;
        Figures { count: zero(), failed: zero(), total: zero(), min: AtomicU64::new(u64::MAX), max: zero() }
    }
}

impl Figures {
    pub(crate) fn add(&self, nanoseconds: u64, failed: bool) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.failed.fetch_add(u64::from(failed), Ordering::Relaxed);
        self.total.fetch_add(nanoseconds, Ordering::Relaxed);
        self.min.fetch_min(nanoseconds, Ordering::Relaxed);
        self.max.fetch_max(nanoseconds, Ordering::Relaxed);
    }
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Operation,
    Span,
    Mark,
    Counter,
}

/// A name with the source line where it is given.
#[derive(Debug)]
pub(crate) struct Name {
    pub(crate) kind: Kind,
    pub(crate) text: Cow<'static, str>,
    pub(crate) location: Option<&'static Location<'static>>,
    pub(crate) figures: Figures,
}

type Place = (Kind, Option<&'static Location<'static>>);

#[derive(Default)]
struct Names {
    /// By where they are given.
    numbers: HashMap<Place, HashMap<Cow<'static, str>, u32>>,
    list: Vec<Arc<Name>>,
}

/// A thread that has recorded something.
pub(crate) struct Thread {
    pub(crate) name: String,
    chunks: Mutex<VecDeque<Vec<Event>>>,
}

/// From a start to its stop.
pub(crate) struct Session {
    /// Not 0.
    number: u64,
    start: Instant,
    threads: Mutex<Vec<Arc<Thread>>>,
    /// How many chunks there may still be.
    chunks_left: AtomicUsize,
    dropped: AtomicU64,
    /// Set when nothing more is recorded.
    closed: AtomicBool,
    names: RwLock<Names>,
    programs: RwLock<Vec<Arc<Program>>>,
    calls: AtomicU64,
}

/// All that a session has recorded.
pub(crate) struct Recorded {
    pub(crate) threads: Vec<(String, Vec<Event>)>,
    pub(crate) names: Vec<Arc<Name>>,
    pub(crate) programs: Vec<Arc<Program>>,
    pub(crate) dropped: u64,
    /// From start to stop, in nanoseconds.
    pub(crate) length: u64,
}

thread_local! {
    /// This thread's part of the session that it recorded for last.
    static OWN: RefCell<Option<(Arc<Session>, Arc<Thread>)>> = const { RefCell::new(None) };
}

impl Session {
    /// One that keeps about so many events.
    pub(crate) fn new(number: u64, events: usize) -> Session {
        Session {
            number,
            start: Instant::now(),
            threads: Mutex::default(),
            chunks_left: AtomicUsize::new(events.div_ceil(CHUNK)),
            dropped: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            names: RwLock::default(),
            programs: RwLock::default(),
            calls: AtomicU64::new(0),
        }
    }

    /// The one that this thread recorded for last, if it has this number.
    pub(crate) fn known(number: u64) -> Option<Arc<Session>> {
        let own = |own: &RefCell<Option<(Arc<Session>, Arc<Thread>)>>| Some(own.try_borrow().ok()?.as_ref()?.0.clone());
        OWN.try_with(own).ok().flatten().filter(|session| session.number == number)
    }

    /// Nanoseconds since the start.
    pub(crate) fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// A number for a call.
    pub(crate) fn new_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes an event of this thread.
    pub(crate) fn record(self: &Arc<Session>, event: Event) {
        self.with_last(&mut |_| false, event);
    }

    /// Notes an event of this thread, unless `joins` makes it a part of the last one.
    pub(crate) fn with_last(self: &Arc<Session>, joins: &mut dyn FnMut(&mut Event) -> bool, event: Event) {
        // A thread that ends has nothing to record any more.
        let _ = OWN.try_with(|own| {
            let Ok(mut own) = own.try_borrow_mut() else { return };
            let thread = match &*own {
                Some((session, thread)) if Arc::ptr_eq(session, self) => thread,
                _ => &own.insert((self.clone(), self.new_thread())).1,
            };
            self.add(thread, joins, event);
        });
    }

    fn new_thread(&self) -> Arc<Thread> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let own = std::thread::current();
        let name = own.name().map_or_else(|| format!("thread {}", threads.len() + 1), str::to_string);
        let thread = Arc::new(Thread { name, chunks: Mutex::default() });
        if !self.closed.load(Ordering::Acquire) {
            threads.push(thread.clone());
        }
        thread
    }

    fn add(&self, thread: &Thread, joins: &mut dyn FnMut(&mut Event) -> bool, event: Event) {
        let lock = || thread.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chunks = lock();
        if let Some(last) = chunks.back_mut() {
            if last.last_mut().is_some_and(&mut *joins) {
                return;
            }
            if last.len() < CHUNK {
                last.push(event);
                return;
            }
        }
        // Others may be looked through for a chunk, so not under the lock.
        let own = chunks.len();
        drop(chunks);
        let chunk = self.chunk(own < 2);
        chunks = lock();
        if self.closed.load(Ordering::Acquire) {
            return;
        }
        match chunk.or_else(|| chunks.pop_front().map(|chunk| self.emptied(chunk))) {
            Some(mut chunk) => {
                chunk.push(event);
                chunks.push_back(chunk);
            }
            None => _ = self.dropped.fetch_add(1, Ordering::Relaxed),
        }
    }

    fn emptied(&self, mut chunk: Vec<Event>) -> Vec<Event> {
        self.dropped.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        chunk.clear();
        chunk
    }

    /// An empty chunk: a new one, or that of the oldest events. `few`: the thread has less
    /// than two, and gets one beyond the limit.
    fn chunk(&self, few: bool) -> Option<Vec<Event>> {
        let one_less = |left: usize| left.checked_sub(1);
        if self.chunks_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
            return new_chunk();
        }
        self.oldest().map(|chunk| self.emptied(chunk)).or_else(|| if few { new_chunk() } else { None })
    }

    /// The chunk of the oldest events that no thread is adding to.
    fn oldest(&self) -> Option<Vec<Event>> {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let mut oldest: Option<(u64, &Arc<Thread>)> = None;
        for thread in &*threads {
            let chunks = thread.chunks.lock().unwrap_or_else(PoisonError::into_inner);
            // The last one of a thread that has ended is no longer in use.
            let is_idle = chunks.len() > 1 || Arc::strong_count(thread) == 1;
            let Some(first) = chunks.front().and_then(|chunk| chunk.first()).filter(|_| is_idle) else { continue };
            if oldest.is_none_or(|(start, _)| first.start < start) {
                oldest = Some((first.start, thread));
            }
        }
        oldest.and_then(|(_, thread)| thread.chunks.lock().unwrap_or_else(PoisonError::into_inner).pop_front())
    }

    /// The number of a name. Allocates only for one that is new.
    pub(crate) fn name(
        &self,
        kind: Kind,
        text: Cow<'static, str>,
        location: Option<&'static Location<'static>>,
    ) -> (u32, Arc<Name>) {
        let key = (kind, location);
        let known = |names: &Names, text: &str| {
            let number = *names.numbers.get(&key)?.get(text)?;
            Some((number, names.list[number as usize].clone()))
        };
        if let Some(known) = known(&self.names.read().unwrap_or_else(PoisonError::into_inner), &text) {
            return known;
        }
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        let (text, location) = match names.list.len() {
            0..MOST_NAMES => (text, location),
            _ => (Cow::Borrowed("(other names)"), None),
        };
        let key = (kind, location);
        let known = names.numbers.get(&key).and_then(|numbers| numbers.get(&text)).copied();
        let number = known.unwrap_or(names.list.len() as u32);
        if known.is_none() {
            names.list.push(Arc::new(Name { kind, text: text.clone(), location, figures: Figures::default() }));
            names.numbers.entry(key).or_default().insert(text, number);
        }
        (number, names.list[number as usize].clone())
    }

    /// A program with its tasks, which `tasks` names when it is called for the first time.
    pub(crate) fn program(&self, key: ProgramKey, tasks: &dyn Fn() -> (String, Vec<TaskInfo>)) -> (u32, Arc<Program>) {
        let known = |programs: &[Arc<Program>]| {
            let number = programs.iter().position(|program| program.key == key)?;
            Some((number as u32, programs[number].clone()))
        };
        if let Some(known) = known(&self.programs.read().unwrap_or_else(PoisonError::into_inner)) {
            return known;
        }
        let mut programs = self.programs.write().unwrap_or_else(PoisonError::into_inner);
        known(&programs).unwrap_or_else(|| {
            let (name, tasks) = tasks();
            programs.push(Arc::new(Program::new(key, name, tasks)));
            (programs.len() as u32 - 1, programs[programs.len() - 1].clone())
        })
    }

    /// Ends it: whoever still records something records it for nobody.
    pub(crate) fn close(&self) -> Recorded {
        let length = self.now();
        self.closed.store(true, Ordering::Release);
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let events = |thread: Arc<Thread>| {
            let chunks = std::mem::take(&mut *thread.chunks.lock().unwrap_or_else(PoisonError::into_inner));
            (thread.name.clone(), chunks.into_iter().flatten().collect())
        };
        Recorded {
            threads: threads.into_iter().map(events).collect(),
            names: self.names.read().unwrap_or_else(PoisonError::into_inner).list.clone(),
            programs: self.programs.read().unwrap_or_else(PoisonError::into_inner).clone(),
            dropped: self.dropped.load(Ordering::Relaxed),
            length,
        }
    }
}

/// `None` where there is no memory.
fn new_chunk() -> Option<Vec<Event>> {
    let mut chunk = Vec::new();
    chunk.try_reserve_exact(CHUNK).ok().map(|()| chunk)
}
