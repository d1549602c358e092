//! Where batches are made: buffers that are used again, filled by whoever comes first. One of the few modules with `unsafe`.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use crate::array::{Array, SliceMut, Wrap, with_element};
use crate::data::FieldMut;
use crate::data::dataset::{Dataset, TOGETHER, Unread};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::memory::{Shared, collected};

/// The buffers of a loader: some for full batches, in turn, and one for a short last batch.
pub(super) struct Ring<const FIELDS: usize> {
    full: Vec<Arc<Slot<FIELDS>>>,
    last: Option<Arc<Slot<FIELDS>>>,
    batch: usize,
}

/// A batch that is made, or was.
///
/// Its examples are taken, some at a time, by operations of the engine, and by the thread that wants the batch, which makes what nobody has
/// taken when it comes. So it waits only for examples that another thread is reading, and operations that the engine runs late, or never, hold
/// nobody up. They hold no memory either: what they find is gone when the loader is.
struct Slot<const FIELDS: usize> {
    data: Dataset<FIELDS>,
    arrays: [Array; FIELDS],
    /// The first bytes of the arrays, through which examples are written: only by whoever has taken them.
    at: [Shared<u8>; FIELDS],
    work: Mutex<Work>,
    /// The last one of those who read has finished.
    idle: Condvar,
}

#[derive(Default)]
struct Work {
    /// The numbers of the batch's examples, in order.
    examples: Vec<usize>,
    seed: u64,
    epoch: u64,
    /// How many of them have been taken.
    taken: usize,
    /// Threads that read what they have taken.
    readers: usize,
    /// Operations that were pushed and have not begun: they will do for a later batch as well.
    coming: usize,
    /// The first of the examples that could not be read, by its position.
    unread: Option<(usize, Unread)>,
}

/// Examples that one thread reads.
struct Taken {
    first: usize,
    count: usize,
    examples: [usize; TOGETHER],
    seed: u64,
    epoch: u64,
}

impl<const FIELDS: usize> Ring<FIELDS> {
    /// Buffers for batches of `batch` examples, for `depth` of them ahead of one that is used; no more than an epoch has.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub(super) fn new(data: &Dataset<FIELDS>, batch: usize, depth: usize) -> Result<Ring<FIELDS>> {
        let (full, short) = (data.len() / batch, data.len() % batch);
        let count = full.clamp(1, depth.saturating_add(1));
        // A batch larger than the set costs no more memory than the set.
        let room = if full == 0 { 0 } else { batch };
        let no_memory = |bytes| Error::Memory { function: format!("{count} batches of {batch} examples"), bytes };
        if depth > 0 {
            // All at once: a system that promises more than it has promises each of many pieces.
            let bytes = data.bytes(room).saturating_mul(count);
            Vec::<u8>::new().try_reserve_exact(bytes).map_err(|_| no_memory(bytes))?;
        }
        let mut slots = Vec::new();
        slots.try_reserve_exact(count).map_err(|_| no_memory(count.saturating_mul(size_of::<Slot<FIELDS>>())))?;
        for _ in 0..count {
            slots.push(Slot::new(data, room)?);
        }
        let last = if short > 0 { Some(Slot::new(data, short)?) } else { None };
        Ok(Ring { full: slots, last, batch })
    }

    fn slot(&self, step: usize, count: usize) -> &Arc<Slot<FIELDS>> {
        match &self.last {
            Some(last) if count < self.batch => last,
            _ => &self.full[step % self.full.len()],
        }
    }

    /// Begins with batch `step` of an epoch, which has these examples; the batch that lay in its buffer is gone. So many operations of the
    /// engine shall help.
    pub(super) fn begin(&mut self, step: usize, examples: &[usize], seed: u64, epoch: u64, helpers: usize) {
        let slot = self.slot(step, examples.len());
        slot.assign(examples, seed, epoch);
        slot.call(helpers);
    }

    /// Batch `step` of so many examples, once it is made.
    ///
    /// # Errors
    /// What is wrong with the first example that could not be read.
    pub(super) fn finish(&mut self, step: usize, count: usize) -> Result<&[Array; FIELDS]> {
        let slot = self.slot(step, count);
        slot.help();
        let unread = slot.wait(slot.lock()).unread.take();
        match unread {
            Some((_, Unread { example, source })) => Err(Error::Example { example, source }),
            // Nobody writes while it is borrowed: that begins with `begin`.
            None => Ok(&slot.arrays),
        }
    }

    /// Lets nobody begin with what has not been taken.
    pub(super) fn stop(&self) {
        self.full.iter().chain(&self.last).for_each(|slot| slot.stop(slot.lock()));
    }
}

impl<const FIELDS: usize> Drop for Ring<FIELDS> {
    fn drop(&mut self) {
        // Who reads still has the slot, and is the last one to have it.
        self.stop();
    }
}

impl<const FIELDS: usize> Slot<FIELDS> {
    fn new(data: &Dataset<FIELDS>, room: usize) -> Result<Arc<Slot<FIELDS>>> {
        let mut arrays = data.room(room)?;
        let at = arrays.each_mut().map(|array| Shared::new(array.as_mut_ptr()));
        let bytes = room.saturating_mul(size_of::<usize>());
        let no_memory = || Error::Memory { function: format!("the numbers of {room} examples"), bytes };
        let mut examples = collected(room, std::iter::repeat_n(0, room)).ok_or_else(no_memory)?;
        examples.clear();
        let work = Mutex::new(Work { examples, ..Work::default() });
        Ok(Arc::new(Slot { data: data.clone(), arrays, at, work, idle: Condvar::new() }))
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until nobody reads.
    fn wait<'a>(&self, work: MutexGuard<'a, Work>) -> MutexGuard<'a, Work> {
        self.idle.wait_while(work, |work| work.readers > 0).unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self, mut work: MutexGuard<'_, Work>) {
        work.taken = work.examples.len();
    }

    /// These examples are to be read, once nobody reads others any more.
    fn assign(&self, examples: &[usize], seed: u64, epoch: u64) {
        self.stop(self.lock());
        let mut work = self.wait(self.lock());
        let unread = work.unread.take();
        work.examples.clear();
        work.examples.extend_from_slice(examples);
        (work.seed, work.epoch, work.taken) = (seed, epoch, 0);
        drop(work);
        // An error that nobody was told.
        drop(unread);
    }

    /// Asks the engine for help, if it is not coming already. Where it gives none, whoever wants the batch makes it alone.
    fn call(self: &Arc<Self>, helpers: usize) {
        let wanted = {
            let mut work = self.lock();
            let most = helpers.min(work.examples.len().div_ceil(self.data.together()));
            let wanted = most.saturating_sub(work.coming);
            work.coming += wanted;
            wanted
        };
        for pushed in 0..wanted {
            let slot = Arc::downgrade(self);
            if Engine::global().operation("make a batch").push(move || Slot::come(&slot)).is_err() {
                self.lock().coming -= wanted - pushed;
                return;
            }
        }
    }

    /// What an operation does.
    fn come(slot: &Weak<Self>) {
        let Some(slot) = slot.upgrade() else { return };
        slot.lock().coming -= 1;
        slot.help();
    }

    /// Reads examples until all are taken.
    fn help(&self) {
        while let Some(taken) = self.take() {
            let fields = std::array::from_fn(|field| {
                let ty = &self.data.fields()[field];
                // SAFETY: `at` is where the field's array begins, which has room for the examples of any batch of this slot, and stays there as
                // long as the slot does; the elements are of this type. Those of the examples that are taken nobody else touches: no other
                // thread takes them, and until this one has given them back the arrays are neither lent nor assigned to other examples.
                let elements = unsafe { elements(self.at[field], ty, taken.first, taken.count) };
                FieldMut { ty, elements }
            });
            let read = self.data.read(&taken.examples[..taken.count], taken.seed, taken.epoch, fields);
            self.give_back(taken.first, read.err());
        }
    }

    fn take(&self) -> Option<Taken> {
        let mut work = self.lock();
        let (first, count) = (work.taken, (work.examples.len() - work.taken).min(self.data.together()));
        if count == 0 {
            return None;
        }
        let mut examples = [0; TOGETHER];
        examples[..count].copy_from_slice(&work.examples[first..][..count]);
        work.taken += count;
        work.readers += 1;
        Some(Taken { first, count, examples, seed: work.seed, epoch: work.epoch })
    }

    fn give_back(&self, first: usize, unread: Option<Unread>) {
        // What is not told goes after the lock: a user's destructor may do anything.
        let mut told = unread.map(|unread| (first, unread));
        let mut work = self.lock();
        if told.is_some() {
            // Those before it have been taken, so it is the same one on any number of threads.
            work.taken = work.examples.len();
            if work.unread.as_ref().is_none_or(|(known, _)| first < *known) {
                std::mem::swap(&mut work.unread, &mut told);
            }
        }
        work.readers -= 1;
        if work.readers == 0 {
            self.idle.notify_all();
        }
    }
}

/// Elements of examples that lie one after the other.
///
/// # Safety
/// There are as many elements of this type there, and nobody else touches them meanwhile.
unsafe fn elements<'a>(at: Shared<u8>, ty: &crate::data::FieldType, first: usize, count: usize) -> SliceMut<'a> {
    let len = ty.count().unwrap_or(0);
    with_element!(ty.dtype(), T => {
        // SAFETY: see above; arrays lie on boundaries that suit every element.
        <T as Wrap>::wrap_mut(unsafe { std::slice::from_raw_parts_mut(at.0.cast::<T>().add(first * len), count * len) })
    })
}
