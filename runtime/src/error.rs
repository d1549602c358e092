//! Everything that can go wrong at run time.

use std::path::{Path, PathBuf};

use castnet_program::types::DType;

/// What a fallible call of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A mistake at run time, with the names and numbers that say where and what. `{:?}` prints what `{}` does, so that a `main` that returns
/// it says what is wrong in words.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The call's turn did not come: what an operation of the engine that it comes after failed with, or that it would wait for itself.
    #[error(transparent)]
    Engine(std::sync::Arc<crate::engine::Error>),
    /// An argument does not have the declared shape or element type; nothing has run.
    #[error("{function}: argument `{argument}` is {found}, expected {expected}{bound}")]
    Argument {
        /// `LeNet.scores`.
        function: String,
        /// The name in the declaration.
        argument: String,
        /// `f32[3, 1, 28, 27]`.
        found: String,
        /// `f32[N, 1, 28, 28]`.
        expected: String,
        /// Run-time sizes that other arguments gave, ` (N = 64, bound by `image`)`; else empty.
        bound: String,
    },
    /// A view reaches beyond its slice; nothing has run.
    #[error("{function}: {operand} reaches from element {first} to {last} of a slice of {len}")]
    OutOfSlice {
        /// `Sum.rows`.
        function: String,
        /// ``argument `x` ``.
        operand: String,
        /// Its first element in the slice.
        first: i64,
        /// Its last element in the slice.
        last: i64,
        /// Elements of the slice.
        len: usize,
    },
    /// A view lies as the operand may not; nothing has run.
    #[error("{function}: {operand} has strides {strides:?} of shape {shape:?}, expected {expected}")]
    Strides {
        /// `Sum.rows`.
        function: String,
        /// ``argument `x` ``.
        operand: String,
        /// What was given.
        strides: Vec<i64>,
        /// The sizes.
        shape: Vec<usize>,
        /// `those of row-major order`.
        expected: &'static str,
    },
    /// An argument cannot be donated to a result; nothing has run.
    #[error("{function}: argument `{argument}` cannot be donated to {result}: {why}")]
    Donation {
        /// `Sum.rows`.
        function: String,
        /// The name in the declaration.
        argument: String,
        /// Number and name.
        result: String,
        /// What is against it.
        why: &'static str,
    },
    /// Not as many places for results as the function has; nothing has run.
    #[error("{function}: {found} places for results given, {expected} expected")]
    ResultCount {
        /// `Sum.rows`.
        function: String,
        /// Places given.
        found: usize,
        /// Results.
        expected: usize,
    },
    /// The place for a result has another shape or element type; nothing has run.
    #[error("{function}: the place for {result} is {found}, expected {expected}")]
    ResultType {
        /// `Sum.rows`.
        function: String,
        /// Number and name.
        result: String,
        /// `f32[3, 4]`.
        found: String,
        /// `f32[N, 5]`.
        expected: String,
    },
    /// The sizes of the arguments break a rule of the function; nothing has run.
    #[error("{function}: {sizes} breaks the rule `{rule}`{of}")]
    Rule {
        /// `Gpt.scores`.
        function: String,
        /// `T <= 1024`.
        rule: String,
        /// `T = 2000`.
        sizes: String,
        /// Whose rule it is and what to do, `: bn1 (src/main.rs:8) needs more than one value a channel`; else empty.
        of: String,
    },
    /// The profiler cannot start or stop now.
    #[error("the profiler: {what}")]
    Profiler {
        /// Why not.
        what: &'static str,
    },
    /// The loops of a program have more rounds than anybody could wait for; nothing has run.
    #[error("{function}: its loops would run {launches} kernels, more than can be counted")]
    TooManyRounds {
        /// `Net.generate`.
        function: String,
        /// Kernels in all rounds; `usize::MAX` also stands for more.
        launches: usize,
    },
    /// A run-time size is 0, and a result would not be empty, or it is a step; nothing has run.
    #[error("{function}: {size} = 0, as argument `{argument}` is {found}: nothing is left to compute")]
    ZeroSize {
        /// `LeNet.loss`.
        function: String,
        /// `N`.
        size: String,
        /// The name in the declaration.
        argument: String,
        /// `f32[0, 1, 28, 28]`.
        found: String,
    },
    /// An element of an argument is no class, or no index; nothing has run.
    #[error(
        "{function}: element {} of argument `{argument}` is {found}, expected {} to {} by `{by}`",
        place_in_array(element), range.start, range.end.saturating_sub(1)
    )]
    OutOfRange {
        /// `LeNet.loss`.
        function: String,
        /// The name in the declaration.
        argument: String,
        /// Where it stands: an index an axis.
        element: Vec<usize>,
        /// What stands there.
        found: i64,
        /// The operator or layer that takes it.
        by: String,
        /// What may stand there.
        range: Box<std::ops::Range<i64>>,
    },
    /// An element of a value that the function makes is no class, or no index; nothing has changed.
    #[error(
        "{function}: {by} gets {found} at {}{}, expected {} to {}",
        element_text(element), rounds_text(rounds), range.start, range.end.saturating_sub(1)
    )]
    IndexOutOfRange {
        /// `LeNet.loss`.
        function: String,
        /// The operator or layer that takes it, and where it stands: `wte (src/main.rs:14)`.
        by: String,
        /// Where it stands in the value: an index an axis.
        element: Vec<usize>,
        /// In which rounds of the loops around it, outermost first.
        rounds: Vec<usize>,
        /// What stands there.
        found: i64,
        /// What may stand there.
        range: Box<std::ops::Range<i64>>,
    },
    /// An integer is divided by 0; nothing has changed.
    #[error("{function}: {by} divides by 0 at {}{}", element_text(element), rounds_text(rounds))]
    DividedByZero {
        /// `Hash.loss`.
        function: String,
        /// The operator, and where it stands: `remainder (src/main.rs:14)`.
        by: String,
        /// Where the divisor stands: an index an axis.
        element: Vec<usize>,
        /// In which rounds of the loops around it, outermost first.
        rounds: Vec<usize>,
    },
    /// The sizes of the arguments make a size inside the function negative; nothing has run.
    #[error("{function}: {sizes} make the size of `{what}` {found}")]
    NegativeSize {
        /// `LeNet.scores`.
        function: String,
        /// `N = 3, T = 1`.
        sizes: String,
        /// What is too small.
        what: String,
        /// The negative number.
        found: i64,
    },
    /// The sizes of the arguments make an axis longer than its positions are counted; nothing has run.
    #[error("{function}: `{launch}` counts to {size} in i32, which ends at {}", i32::MAX)]
    LongIndex {
        /// `LeNet.scores`.
        function: String,
        /// What is computed there.
        launch: String,
        /// The size of the axis.
        size: usize,
    },
    /// The system does not give the memory that these sizes need; nothing has run.
    #[error("{function}: {bytes} bytes of memory are not to be had")]
    Memory {
        /// `LeNet.scores`.
        function: String,
        /// What was asked for.
        bytes: usize,
    },
    /// At these sizes a launch is more work than one call can do; nothing has run.
    #[error("{function}: `{launch}` would be {chunks} chunks of work, and {most} are possible: use smaller arguments")]
    TooMuchWork {
        /// `LeNet.scores`.
        function: String,
        /// What `program.txt` of an explained build calls it.
        launch: String,
        /// Pieces of work, each for one thread.
        chunks: usize,
        /// How many there can be.
        most: usize,
    },
    /// The number of arguments is wrong.
    #[error("{function}: {found} arguments given, {expected} expected")]
    ArgumentCount {
        /// `LeNet.scores`.
        function: String,
        /// How many were given.
        found: usize,
        /// How many are declared.
        expected: usize,
    },
    /// The net has no function with this number, or it is not a `train fn`.
    #[error("{net}: {what}")]
    NoFunction {
        /// `LeNet`.
        net: String,
        /// What was asked for.
        what: String,
    },
    /// The tables of a compiled network contradict themselves.
    #[error("{net}: the compiled network is not valid: {what}")]
    BadNet {
        /// `LeNet`.
        net: String,
        /// The contradiction.
        what: String,
    },
    /// The elements of an array are of another type.
    #[error("the array's elements are {found}, not {asked}")]
    ElementType {
        /// The array's type.
        found: DType,
        /// What was asked for.
        asked: DType,
    },
    /// The number of elements does not fit the shape.
    #[error("{found} elements do not fill the shape {shape:?}, which has {expected}")]
    ElementCount {
        /// The shape.
        shape: Vec<usize>,
        /// The elements given.
        found: usize,
        /// The product of the shape.
        expected: usize,
    },
    /// One element was asked of an array that has another number of them.
    #[error("{found} is not a single element")]
    NotScalar {
        /// `f32[2]`.
        found: String,
    },
    /// The net has no parameter with this name.
    #[error("{net} has no parameter `{name}`{}", did_you_mean(suggestion))]
    UnknownParameter {
        /// `LeNet`.
        net: String,
        /// The name asked for.
        name: String,
        /// A name of the net that is much like it.
        suggestion: Option<String>,
    },
    /// A value for a parameter has the wrong type or shape.
    #[error("{net}: parameter `{name}` is {expected}, the value given is {found}")]
    ParameterShape {
        /// `LeNet`.
        net: String,
        /// The parameter's name.
        name: String,
        /// `f32[20, 1, 5, 5]`.
        expected: String,
        /// What was given.
        found: String,
    },
    /// The net has no state with this name.
    #[error("{net} has no state `{name}`{}", did_you_mean(suggestion))]
    UnknownState {
        /// `LeNet`.
        net: String,
        /// The name asked for.
        name: String,
        /// A name of the net that is much like it.
        suggestion: Option<String>,
    },
    /// A value for a state has the wrong type or shape.
    #[error("{net}: state `{name}` is {expected}, the value given is {found}")]
    StateShape {
        /// `LeNet`.
        net: String,
        /// The state's name.
        name: String,
        /// `f32[64]`.
        expected: String,
        /// What was given.
        found: String,
    },
    /// A function that assigns states was called on a model that may only be read; nothing has run.
    #[error("{function} assigns states: call it on a model that may be changed")]
    AssignsState {
        /// `Rnn.next`.
        function: String,
    },
    /// Two models that should be of one network are not.
    #[error("{what}: the two nets differ: {left} and {right}")]
    DifferentNets {
        /// `copy_from`.
        what: &'static str,
        /// The net acted upon.
        left: String,
        /// The other one.
        right: String,
    },
    /// An optimizer without a rule for f64 was used with a net of that type.
    #[error("{net} is a net of f64, and {optimizer} has no rule for it: give its `Rule::Slices` one for f64")]
    NoRuleForF64 {
        /// `SignSgd`.
        optimizer: &'static str,
        /// `LeNet`.
        net: String,
    },
    /// An optimizer's functions over slices have too many states.
    #[error("{optimizer}: {states} states; functions over slices have {most} at most, a formula as many as it needs")]
    TooManyStates {
        /// `Mine`.
        optimizer: &'static str,
        /// How many it has.
        states: usize,
        /// How many it may have.
        most: usize,
    },
    /// An optimizer that holds the state of one model was used with another.
    #[error("this {optimizer} holds the state of another model of {net}; make a new optimizer for each model")]
    OptimizerInUse {
        /// `AdamW`.
        optimizer: &'static str,
        /// The net whose state it holds.
        net: String,
    },
    /// A setting of an optimizer or schedule is out of its range.
    #[error("{optimizer}: {setting} = {value} is not {allowed}")]
    Setting {
        /// `AdamW`.
        optimizer: &'static str,
        /// `lr`.
        setting: &'static str,
        /// What was given.
        value: f64,
        /// `in [0, 1)`.
        allowed: &'static str,
    },
    /// A group of an optimizer matches no parameter; nothing has run.
    #[error("{optimizer}: the group `{glob}` matches no parameter of {net}{}", did_you_mean_any(near))]
    NoSuchParameters {
        /// `AdamW`.
        optimizer: &'static str,
        /// `LeNet`.
        net: String,
        /// `*.bais`.
        glob: String,
        /// Keys that are much like it, a few at most.
        near: Vec<String>,
    },
    /// An optimizer was told a metric that its schedule does not ask for.
    #[error("{optimizer}: its schedule, {schedule}, asks for no metric; `ReduceLrOnPlateau` does")]
    NoMetric {
        /// `AdamW`.
        optimizer: &'static str,
        /// `Constant`.
        schedule: String,
    },
    /// A schedule says the momentum, and the optimizer has none; nothing has run.
    #[error(
        "{schedule} changes the momentum, and the optimizer has none: set its {setting}, or say `cycle_momentum(false)`"
    )]
    NoMomentum {
        /// `momentum`.
        setting: &'static str,
        /// `OneCycleLr { … }`.
        schedule: String,
    },
    /// The loss is not finite and the model was told to stop; the parameters are those before the step.
    #[error("{net}: the loss of step {step} is {loss}{}", place_text(place))]
    NotFinite {
        /// `LeNet`.
        net: String,
        /// Steps done before, plus one.
        step: u64,
        /// NaN or an infinity.
        loss: f64,
        /// The first place whose result is not finite: `conv1 (src/main.rs:14)`.
        place: Option<String>,
    },
    /// A gradient is not finite and the model was told to stop; nothing was updated.
    #[error(
        "{net}: the gradient of `{parameter}` in step {step} is {found} at {}{}",
        element_text(element),
        place_text(place)
    )]
    GradientNotFinite {
        /// `LeNet`.
        net: String,
        /// Steps done before, plus one; of gradients that are applied, updates by the optimizer.
        step: u64,
        /// The first parameter of the net whose gradient is not finite.
        parameter: String,
        /// The first element of it that is not: an index an axis.
        element: Vec<usize>,
        /// What stands there: NaN or an infinity.
        found: f64,
        /// The first place whose result is not finite: `conv1 (src/main.rs:14)`.
        place: Option<String>,
    },
    /// Something in the operating system refused.
    #[error("{}: {what}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `cannot be read`.
        what: &'static str,
        /// The reason.
        source: std::io::Error,
    },
    /// A file that is to be saved could not be read again; nothing was written.
    #[error("{}: cannot be saved as a safetensors file: {reason}", path.display())]
    CannotBeSaved {
        /// The file.
        path: PathBuf,
        /// What the format cannot hold.
        reason: String,
    },
    /// A file is not a checkpoint, or was cut off.
    #[error("{}: not a whole safetensors file: {reason}", path.display())]
    NotACheckpoint {
        /// The file.
        path: PathBuf,
        /// What the reader found.
        reason: String,
    },
    /// A checkpoint lacks parameters or has others, or some of another shape or type; the model is as it was.
    #[error("{} does not fit {net}:{}", path.display(), list(mistakes))]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// `LeNet`.
        net: String,
        /// Each mistake with key, expected and found.
        mistakes: Vec<String>,
    },
    /// A checkpoint cannot be resumed by this optimizer or model; both are as they were.
    #[error("{}: cannot resume: `{key}` is {found}, expected {expected}", path.display())]
    Resume {
        /// The file.
        path: PathBuf,
        /// The entry.
        key: String,
        /// What the file says.
        found: String,
        /// What the optimizer or model says.
        expected: String,
    },
    /// A checkpoint was made by an optimizer with other settings; model and optimizer are as they were.
    #[error(
        "{}: cannot resume: its {optimizer} has other settings:{}\n\
         make {optimizer} with those of the file, or keep its own by `load_training_keeping_settings`",
        path.display(), list(differences)
    )]
    OtherSettings {
        /// The file.
        path: PathBuf,
        /// `Sgd`.
        optimizer: &'static str,
        /// `momentum: 0.9 in the file, 0.0 here`.
        differences: Vec<String>,
    },
    /// A file of data or an image is not what it should be.
    #[error("{}: byte {offset}: expected {expected}, found {found}", path.display())]
    DataFile {
        /// The file.
        path: PathBuf,
        /// Where in the file (for gzip: in the decompressed data), from 0.
        offset: u64,
        /// `47040016 bytes in all for u8[60000, 28, 28]`.
        expected: String,
        /// `1234`.
        found: String,
    },
    /// A file is not an image that can be read.
    #[error("{}: not a PNG image that can be read: {reason}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What the decoder found.
        reason: String,
    },
    /// Data, batches or the state of a training loop do not fit together.
    #[error("{what}")]
    Data {
        /// What does not fit, with the numbers.
        what: String,
    },
    /// A source of examples could not read one.
    #[error("example {example}: {source}")]
    Example {
        /// Its number in the data set.
        example: usize,
        /// What the source returned, or what its panic said.
        source: crate::engine::BoxError,
    },
    /// An update stopped half-way: some parameters, or some numbers of the optimizer's, are those of before it. Nothing is computed with them or saved.
    #[error(
        "{net} is torn: a kernel or an optimizer panicked in the midst of an update ({message}); load a checkpoint, with `load_training` if this is an \
         optimizer"
    )]
    Torn {
        /// The net, or `AdamW of LeNet`.
        net: String,
        /// The panic's message.
        message: String,
    },
    /// A kernel or a user's optimizer panicked; the values it should have written are lost.
    #[error("{function}: a kernel or an optimizer panicked: {message}")]
    Panic {
        /// `LeNet.scores`.
        function: String,
        /// The panic's message.
        message: String,
    },
}

impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// An [`Error::Io`] for `path`.
    pub(crate) fn io(path: &Path, what: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_path_buf();
        move |source| Error::Io { path, what, source }
    }
}

/// `f32[2, 3]`, a scalar as `f32`.
pub(crate) fn type_text(dtype: DType, shape: &[usize]) -> String {
    match shape {
        [] => dtype.to_string(),
        _ => format!("{dtype}{shape:?}"),
    }
}

fn did_you_mean(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map_or_else(String::new, |s| format!("; did you mean `{s}`?"))
}

fn did_you_mean_any(near: &[String]) -> String {
    let near: Vec<_> = near.iter().map(|key| format!("`{key}`")).collect();
    if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(", ")) }
}

/// `3`, `[0, 3]`.
fn place_in_array(index: &[usize]) -> String {
    match index {
        [one] => one.to_string(),
        several => format!("{several:?}"),
    }
}

/// `element 3`, `element [0, 3]`; of a scalar, `its only element`.
fn element_text(index: &[usize]) -> String {
    match index {
        [] => "its only element".to_string(),
        _ => format!("element {}", place_in_array(index)),
    }
}

fn rounds_text(rounds: &[usize]) -> String {
    match rounds {
        [] => String::new(),
        _ => format!(" in round {}", place_in_array(rounds)),
    }
}

fn place_text(place: &Option<String>) -> String {
    place.as_ref().map_or_else(String::new, |p| format!("; the first value that is not finite is in {p}"))
}

fn list(mistakes: &[String]) -> String {
    mistakes.iter().map(|m| format!("\n  {m}")).collect()
}
