//! The body of every generated net: parameters, and the calls of its functions.

mod calls;
mod loss_scale;
mod states;
mod train;
mod values;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use castnet_kernels::StepScalars;
use castnet_kernels::random::{Mode, root};
use castnet_program::net::Net;

use crate::array::Array;
use crate::call::Executable;
use crate::copy_on_write::CopyOnWrite;
use crate::device::Device;
use crate::engine::{Claim, Use};
use crate::error::{Error, Result};
use crate::init;
use crate::memory::Memory;
use crate::mirrors;
use crate::net::{self, Loaded, Network};
use crate::states::States;
use crate::unread::Unread;
use crate::view::{Argument, Output};
pub(crate) use calls::{Calls, Saved};
pub(crate) use loss_scale::{LossScales, SavedScales};
use train::Training;

/// A network with its parameters: what `network!` wraps in a struct with a method for each function.
///
/// Functions are called by their number in [`Net::functions`], arguments and results are in the order of the declaration.
pub struct Model {
    id: u64,
    loaded: Arc<Loaded>,
    device: Device,
    seed: u64,
    /// Training runs so far.
    runs: u64,
    calls: Calls,
    scales: LossScales,
    /// The flat arena, and mirrors behind it.
    parameters: CopyOnWrite<Memory>,
    states: CopyOnWrite<States>,
    /// One a function.
    inference: Vec<Arc<Executable>>,
    training: Vec<Option<Training>>,
    stop_on_nan: bool,
    /// Of saves in the background.
    unread: Unread,
    /// What went wrong in the midst of an update, so that some parameters are updated and others not.
    torn: Option<String>,
}

/// The objective of a step: of f64 in nets of that type, of f32 in all others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss<T = f32>(T);

impl<T: Copy> Loss<T> {
    /// The value; waits for the step if it still runs.
    ///
    /// # Errors
    /// If the step failed.
    pub fn get(&self) -> Result<T> {
        Ok(self.0)
    }
}

impl Model {
    /// A new model of a compiled network with PyTorch's default first values, drawn from `seed`.
    ///
    /// # Errors
    /// If the network's tables are not valid, or there is no memory for its parameters.
    pub fn new<N: Network>(device: &Device, seed: u64) -> Result<Model> {
        Model::of(net::loaded::<N>()?, device, seed)
    }

    /// A new model of a network that was compiled while the program runs, or that comes from anywhere: whatever it says, it runs in its own memory
    /// or is refused, here or by a call. Without compiled stages, the interpreter runs all of them.
    ///
    /// # Errors
    /// If the network is not valid, or there is no memory for its parameters.
    pub fn from_net(net: Net, device: &Device, seed: u64) -> Result<Model> {
        let name = net.name.clone();
        let loaded = Loaded::from_outside(net).map_err(|what| Error::BadNet { net: name, what })?;
        Model::of(Arc::new(loaded), device, seed)
    }

    pub(crate) fn of(loaded: Arc<Loaded>, device: &Device, seed: u64) -> Result<Model> {
        let mut parameters = loaded.model_memory()?;
        init::initialise(&loaded, seed, &mut parameters)?;
        mirrors::refresh_all(&loaded, &mut parameters);
        let functions = loaded.net.cpu();
        let inference = (0..functions.len()).map(|f| Executable::new(&loaded, f, false).map(Arc::new));
        let training = (0..functions.len()).map(|f| match functions[f].training {
            Some(_) => Training::new(&loaded, f).map(Some),
            None => Ok(None),
        });
        Ok(Model {
            id: new_id(),
            inference: inference.collect::<Result<_>>()?,
            training: training.collect::<Result<_>>()?,
            states: CopyOnWrite::new(States::new(&loaded, seed)?),
            calls: Calls::new(&loaded.net),
            scales: LossScales::new(&loaded.net),
            loaded,
            device: *device,
            seed,
            runs: 0,
            parameters: CopyOnWrite::new(parameters),
            stop_on_nan: false,
            unread: Unread::default(),
            torn: None,
        })
    }

    /// The net's name.
    pub fn name(&self) -> &str {
        &self.loaded.net.name
    }

    /// The network as data.
    pub fn net(&self) -> &Net {
        &self.loaded.net
    }

    /// Where the model lives.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The seed of first values, dropout and the like.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Training runs so far, [`Model::grad`] included.
    pub fn steps(&self) -> u64 {
        self.runs
    }

    /// Whether a step whose loss or one of whose gradients is not finite is an `Err` that names the place and leaves everything as it was;
    /// off at first. [`Optimizer::apply`](crate::Optimizer::apply) is guarded in the same way. It costs a pass over the gradients.
    pub fn stop_on_nan(&mut self, stop: bool) {
        self.stop_on_nan = stop;
    }

    /// Fills working memory with NaN before each run, to find what is read before it is written; for tests.
    #[doc(hidden)]
    pub fn poison(&mut self, poison: bool) {
        self.remake(&|executable| executable.remade(executable.isa(), poison));
    }

    /// Runs all but the optimizers with another instruction set of the machine than its best; for tests.
    #[doc(hidden)]
    pub fn use_instruction_set(&mut self, isa: castnet_kernels::isa::Isa) {
        self.remake(&|executable| executable.remade(isa, executable.is_poisoned()));
    }

    fn remake(&mut self, remade: &dyn Fn(&Executable) -> Result<Executable>) {
        let training = self.training.iter_mut().flatten().map(|training| &mut training.executable);
        for executable in self.inference.iter_mut().chain(training) {
            // There was a program of this function before.
            *executable = remade(executable).map_or_else(|_| executable.clone(), Arc::new);
        }
    }

    /// What a buffer of the program holds after its last run; for tests.
    #[doc(hidden)]
    pub fn intermediate(&self, function: usize, training: bool, name: &str) -> Option<Vec<f32>> {
        match training {
            false => self.inference.get(function)?.intermediate(name),
            true => self.training.get(function)?.as_ref()?.executable.intermediate(name),
        }
    }

    /// Runs a function forward, in inference mode. Where all results are empty, they are returned and nothing runs. Several threads may do so at
    /// once, each in memory of its own.
    ///
    /// # Errors
    /// If the arguments do not fit, or the function assigns a state: then [`Model::infer_mut`] runs it (nothing has run then).
    pub fn infer(&self, function: usize, args: &[&Array]) -> Result<Vec<Array>> {
        let mut call = self.reader(function)?.call();
        if let Some(results) = call.empty_results(args)? {
            return Ok(results);
        }
        let ready = call.bind(args)?;
        let _claim = self.claim_to_read(function)?;
        let draw = self.calls.begin(self.seed, function, Mode::Inference);
        let (results, _) = ready.start(&self.states)?.infer(&self.parameters, args, draw.scalars)?;
        draw.succeed();
        Ok(results)
    }

    /// As [`Model::infer`], with arguments and results where the caller says: parts of slices, by strides where the function takes them
    /// ([`Named::strided`](castnet_program::program::Named::strided)), and arguments that results take the place of
    /// ([`Program::donates`](castnet_program::program::Program::donates)).
    ///
    /// # Errors
    /// If the arguments or the places for results do not fit, or one reaches beyond its slice; nothing has run then. If a value that the function makes
    /// fails a check; then what was to be written holds anything.
    pub fn infer_into(
        &self,
        function: usize,
        arguments: &mut [Argument<'_>],
        results: &mut [Output<'_>],
    ) -> Result<()> {
        let mut call = self.reader(function)?.call();
        if call.empty_results(arguments)?.is_some() {
            return call.check_views(arguments, results);
        }
        let ready = call.bind_views(arguments, results)?;
        let _claim = self.claim_to_read(function)?;
        let draw = self.calls.begin(self.seed, function, Mode::Inference);
        ready.start(&self.states)?.infer_into(&self.parameters, arguments, results, draw.scalars)?;
        draw.succeed();
        Ok(())
    }

    /// As [`Model::infer`], but random numbers are drawn from `seed`: they are a function of it, and no call moves on what other calls draw.
    /// States are read, and stay as they are if the function assigns some.
    ///
    /// # Errors
    /// If the arguments do not fit; nothing has run then.
    pub fn infer_seeded(&self, function: usize, seed: u64, args: &[&Array]) -> Result<Vec<Array>> {
        let mut call = self.executable(function)?.call();
        if let Some(results) = call.empty_results(args)? {
            return Ok(results);
        }
        let scalars = StepScalars::new(root(seed, function, Mode::Seeded), 0);
        let ready = call.bind(args)?;
        let _claim = self.claim_to_read(function)?;
        Ok(ready.start(&self.states)?.infer(&self.parameters, args, scalars)?.0)
    }

    /// As [`Model::infer`], for a function that assigns states, such as the step of a recurrent net.
    ///
    /// # Errors
    /// If the arguments do not fit; the states are as they were.
    pub fn infer_mut(&mut self, function: usize, args: &[&Array]) -> Result<Vec<Array>> {
        let executable = self.executable(function)?.clone();
        let mut call = executable.call();
        if let Some(results) = call.empty_results(args)? {
            return Ok(results);
        }
        let ready = call.bind(args)?;
        let (states, turn) = self.states.own_parts(&self.loaded.net.name)?;
        let name = || self.loaded.qualified(function);
        let _claim = Claim::take([Use::read(self.parameters.turn()), Use::write(turn)], name).map_err(Error::Engine)?;
        let draw = self.calls.begin(self.seed, function, Mode::Inference);
        let (results, done) = ready.start(states)?.infer(&self.parameters, args, draw.scalars)?;
        done.commit(states);
        draw.succeed();
        Ok(results)
    }

    /// That no update stopped half-way.
    ///
    /// # Errors
    /// If one did, and nothing has been loaded since.
    pub(crate) fn is_whole(&self) -> Result<()> {
        match &self.torn {
            None => Ok(()),
            Some(message) => Err(Error::Torn { net: self.name().to_string(), message: message.clone() }),
        }
    }

    fn executable(&self, function: usize) -> Result<&Arc<Executable>> {
        self.is_whole()?;
        self.inference.get(function).ok_or_else(|| self.no_function(function))
    }

    /// The same of a function that assigns no state.
    fn reader(&self, function: usize) -> Result<&Arc<Executable>> {
        let executable = self.executable(function)?;
        let program = executable.program()?;
        match program.assigns_state() {
            true => Err(Error::AssignsState { function: program.name.clone() }),
            false => Ok(executable),
        }
    }

    /// Its turn for a call that changes nothing.
    fn claim_to_read(&self, function: usize) -> Result<Claim<'_, 2>> {
        let uses = [Use::read(self.parameters.turn()), Use::read(self.states.turn())];
        Claim::take(uses, || self.loaded.qualified(function)).map_err(Error::Engine)
    }

    fn no_function(&self, function: usize) -> Error {
        Error::NoFunction { net: self.name().to_string(), what: format!("no function number {function}") }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// All parameters, in their layouts.
    pub(crate) fn arena(&self) -> &Memory {
        &self.parameters
    }

    pub(crate) fn states(&self) -> &States {
        &self.states
    }

    pub(crate) fn scales(&self) -> &LossScales {
        &self.scales
    }

    /// By what the loss of a `train fn` is multiplied before the way back, if it computes in mixed precision with f16: 65536 at first, half of it after
    /// each step whose gradients overflow, twice as much after 2000 without. `None`: it has none, or there is no such function.
    pub fn loss_scale(&self, function: &str) -> Option<f32> {
        self.scales.get(self.net().functions.iter().position(|f| f.name == function)?)
    }

    /// What went wrong in saves of this model that nobody waited for.
    pub(crate) fn unread(&self) -> &Unread {
        &self.unread
    }

    pub(crate) fn calls(&self) -> &Calls {
        &self.calls
    }

    pub(crate) fn loaded(&self) -> &Arc<Loaded> {
        &self.loaded
    }

    /// Another model that stands where this one does, with the same kernels.
    #[cfg(feature = "check")]
    pub(crate) fn twin(&self) -> Result<Model> {
        let mut twin = Model::of(self.loaded.clone(), &self.device, self.seed)?;
        twin.take_over(self)?;
        Ok(twin)
    }

    /// Lets gradients be computed as what was written says, which no loss is multiplied in.
    #[cfg(feature = "check")]
    pub(crate) fn remove_loss_scales(&mut self) {
        self.scales.remove();
    }

    /// Parameters, states, seed and counters of random numbers of another model of this network.
    #[cfg(feature = "check")]
    pub(crate) fn take_over(&mut self, other: &Model) -> Result<()> {
        self.copy_from(other)?;
        self.seed = other.seed;
        self.runs = other.runs;
        self.calls.copy_from(&other.calls);
        self.scales.copy_from(&other.scales);
        Ok(())
    }

    /// Takes what a checkpoint holds.
    pub(crate) fn restore(
        &mut self,
        parameters: Memory,
        states: Vec<Option<Array>>,
        training: Option<(u64, u64, &Saved, &SavedScales)>,
    ) {
        let mut parameters = parameters;
        mirrors::refresh_all(&self.loaded, &mut parameters);
        self.parameters = CopyOnWrite::new(parameters);
        self.states = CopyOnWrite::new(States::restored(&self.loaded, self.seed, states));
        self.torn = None;
        if let Some((seed, runs, calls, scales)) = training {
            self.scales.restore(&self.loaded.net, scales);
            self.seed = seed;
            self.runs = runs;
            self.calls.restore(&self.loaded.net, calls, runs);
        }
    }
}

/// A number that no other model of the process has.
fn new_id() -> u64 {
    static IDS: AtomicU64 = AtomicU64::new(0);
    IDS.fetch_add(1, Ordering::Relaxed)
}

/// A model as it is now: a snapshot, which later steps of this one do not change, nor it this one. Parameters and states are shared until one of the two
/// changes them, so it costs no memory before; then the one that changes copies them first, an `Err` if there is no memory for that. Optimizers
/// go on with the model that they began with.
impl Clone for Model {
    fn clone(&self) -> Model {
        Model {
            id: new_id(),
            loaded: self.loaded.clone(),
            device: self.device,
            seed: self.seed,
            runs: self.runs,
            calls: self.calls.clone(),
            scales: self.scales.clone(),
            parameters: self.parameters.clone(),
            states: self.states.clone(),
            inference: self.inference.clone(),
            training: self.training.iter().map(|training| training.as_ref().map(Training::beside)).collect(),
            stop_on_nan: self.stop_on_nan,
            unread: Unread::default(),
            torn: self.torn.clone(),
        }
    }
}

impl AsMut<Model> for Model {
    fn as_mut(&mut self) -> &mut Model {
        self
    }
}

impl AsRef<Model> for Model {
    fn as_ref(&self) -> &Model {
        self
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} ({} parameters)", self.name(), self.device, self.net().parameters.len())
    }
}
