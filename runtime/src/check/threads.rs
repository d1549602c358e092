//! One thread gives the bits of many.

use std::sync::{Mutex, PoisonError};

use super::Mistake;
use super::arguments::Call;
use super::outcome::Outcome;
use crate::model::Model;
use crate::pool::{set_threads, threads};

/// One thread gives the same bits as several.
///
/// Sets the number of threads of the process and sets it back; other calls meanwhile give what they always give.
///
/// # Errors
/// What differs, with both numbers.
pub fn one_thread(model: &Model) -> Result<(), Mistake> {
    // The number of threads is the whole process's.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let before = threads();
    let many = before.max(4);
    let calls = Call::all(model)?;
    let with = |count: usize| {
        set_threads(count);
        let outcome = Outcome::of(&mut model.twin()?, model, &calls);
        set_threads(before);
        outcome
    };
    with(1)?.same("by one thread", &with(many)?, &format!("by {many}"))
}
