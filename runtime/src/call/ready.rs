//! A call that is bound, and then runs. One of the few modules with `unsafe`.

use std::ops::Range;

use castnet_kernels::StepScalars;
use castnet_program::program::Program;
use castnet_program::program::ending::Placement;

use super::workspaces::{Held, Lease, Workspace};
use super::{Done, Executable};
use crate::array::Array;
use crate::backend::cpu::{Bases, Binding, EndingWork};
use crate::error::{Error, Result};
use crate::memory::{Memory, Shared};
use crate::recorder;
use crate::states::States;
use crate::view::{Argument, Given, Output};

/// What a call reads and writes besides its workspace.
pub(crate) struct Operands<'a> {
    /// The flat arena of parameters and their mirrors, read only (but for updates).
    pub(crate) parameters: Shared<u8>,
    /// The flat arena of gradients; may be null for an inference program.
    pub(crate) gradients: Shared<u8>,
    /// The caller's arrays, to which the call is bound.
    pub(crate) args: &'a [&'a Array],
    /// Arrays of the results' types; `None`: the workspace's own.
    pub(crate) results: Option<&'a mut [Array]>,
    /// What this step differs from others in, as it is when the step begins.
    pub(crate) scalars: StepScalars,
}

/// A call whose run-time sizes are bound: memory and kernels are there.
pub(crate) struct Ready<'e> {
    pub(super) executable: &'e Executable,
    pub(super) program: &'e Program,
    pub(super) workspace: Lease<'e>,
}

impl<'e> Ready<'e> {
    /// The latest binding that the workspace holds is that of the call.
    pub(super) fn new(executable: &'e Executable, program: &'e Program, workspace: Lease<'e>) -> Ready<'e> {
        Ready { executable, program, workspace }
    }

    pub(crate) fn program(&self) -> &'e Program {
        self.program
    }

    /// Plans steps that update at this place. Allocates nothing for what was planned before.
    ///
    /// # Errors
    /// If there are too many rounds.
    pub(crate) fn plan(&mut self, placement: Placement) -> Result<()> {
        let (executable, Workspace { frame, held, .. }) = (self.executable, &mut *self.workspace);
        let (loaded, binding) = (&executable.loaded, &held[0].binding);
        let reaches = &loaded.net.functions[executable.function].reaches;
        binding.plan(loaded, self.program, executable.names(), reaches, placement)?;
        frame.make_room_for_ending(binding, placement);
        Ok(())
    }

    /// New arrays for the results.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub(crate) fn new_results(&self) -> Result<Vec<Array>> {
        self.binding().new_results(self.program)
    }

    /// Where the first result will lie if the workspace's own arrays are used; `None` if there is none.
    pub(crate) fn objective(&mut self) -> Option<Shared<u8>> {
        self.workspace.held[0].results.first_mut().map(|objective| Shared::new(objective.as_mut_ptr()))
    }

    /// Takes the states: a copy of what they are at this moment. Allocates only where one starts anew.
    ///
    /// # Errors
    /// If there is no memory for one that does.
    pub(crate) fn start(mut self, states: &States) -> Result<Running<'e>> {
        self.workspace.take_states(states)?;
        Ok(Running(self))
    }

    fn binding(&self) -> &Binding {
        &self.workspace.held[0].binding
    }
}

/// A call that has begun: nothing is left but to run it.
pub(crate) struct Running<'e>(pub(super) Ready<'e>);

impl<'e> Running<'e> {
    /// Runs, with an ending if one is given, which updates at a place that was [planned](Ready::plan). Allocates nothing.
    ///
    /// # Errors
    /// If a value that the program makes fails a check: no parameter has changed then. If a kernel (or an optimizer of the user's) panics.
    ///
    /// # Safety
    /// Arguments are those that the call is bound to, results of the types that it found. `parameters` points to the memory of a model of the net and, for a
    /// training program, `gradients` to the bytes of a flat arena, which no one else uses meanwhile, except that parameters may be read by several
    /// calls at once if none updates them.
    pub(crate) unsafe fn run(
        mut self,
        operands: &mut Operands<'_>,
        ending: Option<(Placement, &dyn EndingWork)>,
    ) -> Result<Done<'e>> {
        self.place(operands);
        // SAFETY: as the caller says, and as it was just placed.
        unsafe { self.run_placed(operands.scalars, ending) }
    }

    /// Runs what was placed.
    ///
    /// # Safety
    /// As [`Ready::run`].
    unsafe fn run_placed(
        mut self,
        scalars: StepScalars,
        ending: Option<(Placement, &dyn EndingWork)>,
    ) -> Result<Done<'e>> {
        let (placement, ending) = ending.unzip();
        let Ready { executable, workspace, .. } = &mut self.0;
        workspace.frame.begin(scalars, executable.poison.then_some(u8::MAX));
        // SAFETY: as the caller says.
        unsafe { self.phases(placement, None, ending)? };
        Done::new(self, placement, scalars.scale)
    }

    /// Runs some phases, or all.
    ///
    /// # Safety
    /// As [`Ready::run`].
    pub(super) unsafe fn phases(
        &mut self,
        placement: Option<Placement>,
        some: Option<Range<usize>>,
        ending: Option<&dyn EndingWork>,
    ) -> Result<()> {
        let Ready { executable, program, workspace } = &mut self.0;
        let Workspace { frame, held, .. } = &mut **workspace;
        let binding = &held[0].binding;
        let Some(phases) = binding.phases(placement) else {
            let what = "an ending that was not planned".to_string();
            return Err(Error::BadNet { net: executable.loaded.net.name.clone(), what });
        };
        let some = some.unwrap_or(0..phases.len());
        let call = if recorder::is_on() { executable.profile(binding, phases, placement, ending) } else { None };
        // SAFETY: as the caller says.
        let done = unsafe { frame.run(binding, phases, some, ending, call.as_ref()) };
        if let Some(call) = call {
            call.end(done.is_err());
        }
        done.map_err(|message| Error::Panic { function: program.name.clone(), message })
    }

    /// Runs an inference program and returns new arrays. `parameters` is the memory of a model.
    ///
    /// # Errors
    /// As [`Ready::run`].
    pub(crate) fn infer(
        self,
        parameters: &Memory,
        args: &[&Array],
        scalars: StepScalars,
    ) -> Result<(Vec<Array>, Done<'e>)> {
        self.is_inference(parameters);
        let mut results = self.0.new_results()?;
        let mut operands = Operands {
            parameters: Shared::new(parameters.as_ptr().cast_mut()),
            gradients: Shared::new(std::ptr::null_mut()),
            args,
            results: Some(&mut results),
            scalars,
        };
        // SAFETY: the memory has a model's length and is only read, as `validate` admits no launch that stores to a parameter or a mirror, nor an
        // inference program with gradients; arguments and results are those that the call is bound to.
        let done = unsafe { self.run(&mut operands, None)? };
        Ok((results, done))
    }

    /// Runs an inference program that was bound to views. `parameters` is the memory of a model.
    ///
    /// # Errors
    /// As [`Ready::run`]: what was to be written is undefined then.
    pub(crate) fn infer_into(
        mut self,
        parameters: &Memory,
        args: &mut [Argument<'_>],
        results: &mut [Output<'_>],
        scalars: StepScalars,
    ) -> Result<Done<'e>> {
        self.is_inference(parameters);
        let result = |i: usize| match &results[i] {
            Output::Write(view) => view.first(),
            Output::Donated(argument) => args[*argument].first(),
        };
        let Workspace { frame, held, .. } = &mut *self.0.workspace;
        let bases = Bases {
            parameters: Shared::new(parameters.as_ptr().cast_mut()),
            gradients: Shared::new(std::ptr::null_mut()),
            argument: &|i| args[i].first(),
            result: &mut |i| result(i),
        };
        frame.place(&held[0].binding, bases);
        // SAFETY: as in `infer`; views were found to lie inside their slices, and what is written is lent to be.
        unsafe { self.run_placed(scalars, None) }
    }

    fn is_inference(&self, parameters: &Memory) {
        let executable = self.0.executable;
        let fits = parameters.len() == executable.loaded.model_bytes();
        assert!(!executable.training && fits, "not this net's parameters");
    }

    /// Writes the address of every buffer.
    pub(super) fn place(&mut self, operands: &mut Operands<'_>) {
        let Workspace { frame, held, .. } = &mut *self.0.workspace;
        let Held { binding, results } = &mut held[0];
        let results = operands.results.as_deref_mut().unwrap_or(results);
        let bases = Bases {
            parameters: operands.parameters,
            gradients: operands.gradients,
            argument: &|i| operands.args[i].first(),
            result: &mut |i| Shared::new(results[i].as_mut_ptr()),
        };
        frame.place(binding, bases);
    }

    pub(super) fn binding(&self) -> &Binding {
        self.0.binding()
    }
}
