//! An ending without a program: the update by gradients that there are already. One of the few modules with `unsafe`.

use std::fmt;
use std::sync::atomic::AtomicU64;

use castnet_kernels::StepScalars;

use super::ending::EndingWork;
use super::phases::Phases;
use super::profiled::{self, Profiled};
use super::run::Execution;
use crate::error::Result;
use crate::memory::Shared;
use crate::net::Loaded;
use crate::pool;
use crate::recorder;
use crate::verdict::{Outcome, RIGHT};

/// The tasks of an ending, with the memory that they need.
pub(crate) struct EndingAlone {
    phases: Phases,
    squares: Vec<AtomicU64>,
}

impl EndingAlone {
    /// Of these parameters.
    ///
    /// # Errors
    /// None: there are no rounds.
    pub(crate) fn new(loaded: &Loaded, parameters: &[usize]) -> Result<EndingAlone> {
        let phases = Phases::of_ending(loaded, parameters)?;
        let squares = phases.pieces().iter().map(|_| AtomicU64::new(0)).collect();
        Ok(EndingAlone { phases, squares })
    }

    /// Runs it. What is not finite, if it stopped at that, is given back: it has changed nothing then.
    ///
    /// # Errors
    /// The message of an optimizer of the user's that panics.
    ///
    /// # Safety
    /// Gradients are alive and as long as the parameters, as is the sum if there is one; nobody else runs it meanwhile.
    pub(crate) unsafe fn run(&self, ending: &dyn EndingWork, scalars: &mut StepScalars) -> Result<Outcome, String> {
        let (none, mut word, scale) = (Shared::new(std::ptr::null_mut()), RIGHT, scalars.scale);
        let checks = Shared::new(&raw mut word);
        let execution = Execution {
            phases: &self.phases,
            kernels: &[],
            is_shared: false,
            addresses: &[],
            strides: &[],
            squares: &self.squares,
            scalars: Shared::new(&raw mut *scalars),
            scratch: none,
            scratch_stride: 0,
            shared: none,
            checks,
            ending: Some(ending),
        };
        let all = 0..self.phases.schedule.phases();
        let call = if recorder::is_on() { profiled::ending_alone(&self.phases, ending) } else { None };
        let done = match &call {
            None => pool::run(all, usize::MAX, &execution),
            Some(call) => Profiled::new(&execution, call).run(all, usize::MAX),
        };
        if let Some(call) = call {
            call.end(done.is_err());
        }
        done?;
        // SAFETY: nothing runs any more.
        Ok(Outcome::of(unsafe { *checks.0 }, scale))
    }
}

impl fmt::Debug for EndingAlone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an ending of {} phases", self.phases.schedule.phases())
    }
}
