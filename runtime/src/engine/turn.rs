//! Whose turn it is with what calls use: taken by compare-and-swap where no operation is queued for it.
//!
//! One word says who uses it now, many readers or one writer, and whether the engine has a queue for it. Where it has none, a call changes the word as it begins
//! and as it ends, and the engine hears nothing of it. An operation that is queued says so in the word; from then on calls register like operations,
//! and whoever uses it at that moment stands at the head of the queue, as a *holder*, until it gives its turn back.

use std::array;
use std::panic::Location;
use std::sync::Arc;

use super::core::Here;
use super::dependencies::Mode;
use super::error::{Origin, Result};
use super::{Engine, Variable, current};
use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// The engine has a queue for it, or an error.
const QUEUED: u32 = 1 << 31;

/// One call writes it; below are the calls that read it.
const WRITER: u32 = 1 << 30;

/// What calls take, by turns with operations of the process's engine.
pub(crate) struct Turn {
    word: Arc<Word>,
    /// Of the engine, once an operation is queued.
    variable: OnceLock<Variable>,
}

pub(super) struct Word {
    bits: AtomicU32,
    /// The thread that writes, or did.
    writer: AtomicU64,
}

impl Word {
    fn new() -> Word {
        Word { bits: AtomicU32::new(0), writer: AtomicU64::new(0) }
    }

    /// Takes a turn at once, or not at all.
    #[inline]
    fn take(&self, mode: Mode) -> bool {
        match mode {
            Mode::Read => {
                let mut bits = self.bits.load(Ordering::Relaxed);
                while bits & (QUEUED | WRITER) == 0 {
                    match self.bits.compare_exchange_weak(bits, bits + 1, Ordering::Acquire, Ordering::Relaxed) {
                        Ok(_) => return true,
                        Err(now) => bits = now,
                    }
                }
                false
            }
            Mode::Write | Mode::Overwrite => {
                let taken = self.bits.compare_exchange(0, WRITER, Ordering::Acquire, Ordering::Relaxed).is_ok();
                if taken {
                    self.writer.store(current::thread(), Ordering::Relaxed);
                }
                taken
            }
        }
    }

    /// Gives a turn back; whether operations have been waiting for this.
    #[inline]
    fn give(&self, mode: Mode) -> bool {
        let own = if mode == Mode::Read { 1 } else { WRITER };
        let is_last = self.bits.fetch_sub(own, Ordering::Release) - own == QUEUED;
        if is_last {
            // Whoever queued it has named the variable before, which is looked for next.
            fence(Ordering::Acquire);
        }
        is_last
    }

    /// From now on whoever comes must register: who has a turn at this moment, if that is new. Under the engine's lock.
    pub(super) fn queue(&self) -> Option<Mode> {
        if self.bits.load(Ordering::Relaxed) & QUEUED != 0 {
            return None;
        }
        match self.bits.fetch_or(QUEUED, Ordering::AcqRel) {
            0 => None,
            WRITER => Some(Mode::Write),
            _ => Some(Mode::Read),
        }
    }

    /// There is no queue any more. Under the engine's lock.
    pub(super) fn unqueue(&self) {
        self.bits.fetch_and(!QUEUED, Ordering::Release);
    }

    /// Whether it is this thread that writes.
    pub(super) fn is_written_by(&self, thread: u64) -> bool {
        self.bits.load(Ordering::Relaxed) & WRITER != 0 && self.writer.load(Ordering::Relaxed) == thread
    }
}

impl Turn {
    pub(crate) fn new() -> Turn {
        Turn { word: Arc::new(Word::new()), variable: OnceLock::new() }
    }

    /// Its name for operations of the process's engine.
    pub(crate) fn variable(&self) -> &Variable {
        self.variable.get_or_init(|| Engine::global().variable_of(&self.word))
    }

    /// Whether nobody uses it and nothing is queued.
    #[cfg(any(test, loom))]
    pub(crate) fn is_free(&self) -> bool {
        self.word.bits.load(Ordering::Relaxed) == 0
    }

    #[inline]
    fn give(&self, mode: Mode) {
        if self.word.give(mode)
            && let Some(Variable(named)) = self.variable.get()
        {
            named.core.given(named.id);
        }
    }
}

/// How a call uses something.
#[derive(Clone, Copy)]
pub(crate) struct Use<'t>(&'t Turn, Mode);

impl<'t> Use<'t> {
    pub(crate) fn read(turn: &'t Turn) -> Use<'t> {
        Use(turn, Mode::Read)
    }

    pub(crate) fn write(turn: &'t Turn) -> Use<'t> {
        Use(turn, Mode::Write)
    }
}

/// A call has its turn with all that it uses, until this is dropped.
pub(crate) struct Claim<'t, const N: usize>(Held<'t, N>);

enum Held<'t, const N: usize> {
    Words([Use<'t>; N]),
    Queued { _here: Here<'static> },
}

impl<'t, const N: usize> Claim<'t, N> {
    /// Waits for the turn of a call with all that it uses. Where nothing is queued for any of it, that is one compare-and-swap each, and another
    /// read-modify-write each at the end.
    ///
    /// # Errors
    /// What went wrong with an operation that wrote one of them; if the call stands inside an operation that must be finished first.
    #[inline]
    pub(crate) fn take(uses: [Use<'t>; N], name: impl FnOnce() -> String) -> Result<Claim<'t, N>> {
        if Calls::of_process() == Calls::Inline {
            let taken = uses.iter().take_while(|Use(turn, mode)| turn.word.take(*mode)).count();
            if taken == N {
                current::begin_call();
                return Ok(Claim(Held::Words(uses)));
            }
            uses[..taken].iter().rev().for_each(|Use(turn, mode)| turn.give(*mode));
        }
        Claim::queue(&uses, name())
    }

    #[cold]
    fn queue(uses: &[Use<'t>; N], name: String) -> Result<Claim<'t, N>> {
        let accesses = array::from_fn::<_, N, _>(|i| (uses[i].0.variable().0.id, uses[i].1));
        let origin = Origin { name: name.into(), location: Location::caller() };
        let here = Engine::global().core().begin_here(origin, &accesses)?;
        Ok(Claim(Held::Queued { _here: here }))
    }
}

impl<const N: usize> Drop for Claim<'_, N> {
    #[inline]
    fn drop(&mut self) {
        if let Held::Words(uses) = &self.0 {
            current::end_call();
            uses.iter().rev().for_each(|Use(turn, mode)| turn.give(*mode));
        }
    }
}

/// How calls on the processor take their turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calls {
    /// By compare-and-swap, where nothing is queued.
    Inline,
    /// As operations, always: for tests.
    Queued,
    /// The same, and all operations run while they are pushed, one after the other.
    Serial,
}

impl Calls {
    /// What `CASTNET_ENGINE` says: `queued` or `serial`; inline if it says nothing, or `inline`.
    #[inline]
    pub(super) fn of_process() -> Calls {
        static CALLS: std::sync::OnceLock<Calls> = std::sync::OnceLock::new();
        *CALLS.get_or_init(|| match std::env::var("CASTNET_ENGINE").as_deref() {
            Ok("queued") => Calls::Queued,
            Ok("serial") => Calls::Serial,
            Ok("inline") | Err(_) => Calls::Inline,
            Ok(other) => {
                eprintln!("CASTNET_ENGINE is `{other}`, expected `inline`, `queued` or `serial`: calls are inline");
                Calls::Inline
            }
        })
    }
}
