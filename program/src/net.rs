//! A network as the runtime needs it: its parameters and its compiled functions.

use serde::{Deserialize, Serialize};

use crate::program::{Layout, Program};
use crate::types::{DType, Type};

/// What a safetensors file calls its own entries: neither a parameter nor a state can have this name.
pub const METADATA: &str = "__metadata__";

/// A compiled network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Net {
    /// `LeNet`.
    pub name: String,
    /// Of what type parameters, gradients and optimizers' states are: f32, f64, f16 or bf16.
    pub float: DType,
    /// In the order of the layers; the numbers in programs refer to this list.
    pub parameters: Vec<Parameter>,
    /// What functions may assign and what is saved with the parameters, in the order of the layers.
    pub states: Vec<State>,
    /// Every entry point.
    pub functions: Vec<Function>,
    /// What runs, for each target that it was compiled for: whatever depends on the target stands there, and nothing else does.
    pub targets: Vec<ForTarget>,
}

/// What programs are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Backend {
    /// The CPU, with any of its instruction sets.
    Cpu,
}

/// A net as one target runs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForTarget {
    /// The target.
    pub target: Backend,
    /// How each of [`Net::parameters`] lies in its arena, and so its gradient and what optimizers keep of it.
    pub layouts: Vec<Layout>,
    /// Further copies of parameters, in the order in which they lie behind the parameters: of each, one of a type at most.
    pub mirrors: Vec<Mirror>,
    /// One for each of [`Net::functions`], in order.
    pub programs: Vec<Programs>,
}

/// A copy of a parameter in another element type or layout: memory of the model, written with the parameter, read by programs as
/// [`Place::Mirror`](crate::program::Place::Mirror).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mirror {
    /// Of which parameter.
    pub parameter: usize,
    /// The type of its elements: each is that of the parameter, rounded.
    pub dtype: DType,
    /// How it lies.
    pub layout: Layout,
}

/// A parameter of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// The checkpoint key: `conv1.weight`.
    pub name: String,
    /// PyTorch's shape.
    pub shape: Vec<i64>,
    /// Its first value.
    pub init: Init,
    /// No gradient, no update, no decay.
    pub frozen: bool,
    /// A factor of the whole update, decay included.
    pub lr_mult: f32,
    /// A factor of the decay.
    pub wd_mult: f32,
}

/// A tensor of a network that functions may assign: the running mean of a batch norm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The checkpoint key: `bn1.running_mean`.
    pub name: String,
    /// Element type and shape. With run-time sizes, the state starts anew when one of them changes.
    pub ty: Type,
    /// Its first value.
    pub init: Init,
}

/// First values of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Init {
    /// The same everywhere.
    Constant(f64),
    /// Uniform in [-bound, bound): PyTorch's default for Linear and Conv2d with bound 1/√fan_in.
    Uniform(f32),
    /// Uniform in [a, b).
    Between(f32, f32),
    /// Normal with mean and standard deviation.
    Normal(f32, f32),
    /// Normal with mean and standard deviation, drawn again where it lies outside of a and b.
    TruncNormal(f32, f32, f32, f32),
    /// A matrix (axis 0 by all others) with orthonormal rows or columns, times a gain.
    Orthogonal(f32),
    /// Normal with mean 0 and standard deviation 1, but for one row (of axis 0) of zeros.
    NormalExceptRow(i64),
}

/// A function of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// `loss`.
    pub name: String,
    /// For a `train fn`: the parameters that it reaches.
    pub reaches: Vec<usize>,
}

/// A function, compiled for a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Programs {
    /// Forward only, in inference mode.
    pub inference: Program,
    /// For a `train fn`: forward and backward in training mode; the first result is the objective.
    pub training: Option<Program>,
}

impl Programs {
    /// Those that there are.
    pub fn each(&self) -> impl Iterator<Item = &Program> {
        std::iter::once(&self.inference).chain(&self.training)
    }

    /// Those that there are.
    pub fn each_mut(&mut self) -> impl Iterator<Item = &mut Program> {
        std::iter::once(&mut self.inference).chain(&mut self.training)
    }

    /// Whether a call in inference mode changes the model: it assigns a state.
    pub fn assigns_state(&self) -> bool {
        self.inference.assigns_state()
    }
}

impl Parameter {
    /// A parameter that is trained as all others are.
    pub fn new(name: impl Into<String>, shape: Vec<i64>, init: Init) -> Parameter {
        Parameter { name: name.into(), shape, init, frozen: false, lr_mult: 1.0, wd_mult: 1.0 }
    }

    /// Elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product::<i64>() as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ForTarget {
    /// The copy of a parameter in a type, if there is one.
    pub fn mirror(&self, parameter: usize, dtype: DType) -> Option<&Mirror> {
        self.mirrors.iter().find(|mirror| (mirror.parameter, mirror.dtype) == (parameter, dtype))
    }
}

impl Net {
    /// How a target runs the net, if it was compiled for it.
    pub fn on(&self, target: Backend) -> Option<&ForTarget> {
        self.targets.iter().find(|t| t.target == target)
    }

    /// What the CPU runs, a function each; nothing if the net was not compiled for it, which no model is made of.
    pub fn cpu(&self) -> &[Programs] {
        self.on(Backend::Cpu).map(|t| &t.programs[..]).unwrap_or_default()
    }

    /// How a parameter lies on the CPU.
    pub fn layout(&self, parameter: usize) -> &Layout {
        self.on(Backend::Cpu).and_then(|t| t.layouts.get(parameter)).unwrap_or(&Layout::Plain)
    }

    /// Elements of a parameter in the CPU's arena, padding included, a multiple of 16.
    pub fn padded_len(&self, parameter: usize) -> usize {
        self.layout(parameter).padded(&self.parameters[parameter].shape)
    }

    /// As [`Net::cpu`], to be changed.
    pub fn cpu_mut(&mut self) -> &mut [Programs] {
        let cpu = self.targets.iter_mut().find(|t| t.target == Backend::Cpu);
        cpu.map(|t| &mut t.programs[..]).unwrap_or_default()
    }

    /// Bytes of all parameters in the CPU's arena, padding included.
    pub fn parameter_bytes(&self) -> usize {
        let (_, elements) = self.offsets();
        elements.saturating_mul(self.float.bytes())
    }

    /// Where each parameter starts in the CPU's arena, in elements, and the length of the whole.
    pub fn offsets(&self) -> (Vec<usize>, usize) {
        placed((0..self.parameters.len()).map(|number| self.padded_len(number)))
    }

    /// Bytes of all mirrors on the CPU, padding included.
    pub fn mirror_bytes(&self) -> usize {
        self.mirror_offsets().1
    }

    /// Where each mirror starts behind the CPU's parameters, in bytes, and the length of the whole.
    pub fn mirror_offsets(&self) -> (Vec<usize>, usize) {
        let mirrors = self.on(Backend::Cpu).map_or(&[][..], |t| &t.mirrors);
        // As parameters do, in whole cache lines.
        let bytes = |mirror: &Mirror| {
            let shape = self.parameters.get(mirror.parameter).map_or(&[][..], |parameter| &parameter.shape);
            mirror.layout.padded(shape).saturating_mul(mirror.dtype.bytes()).div_ceil(64).saturating_mul(64)
        };
        placed(mirrors.iter().map(bytes))
    }
}

/// Where things of these lengths start, one behind the other, and where the last one ends.
fn placed(lengths: impl Iterator<Item = usize>) -> (Vec<usize>, usize) {
    let mut at = 0;
    let starts = lengths.map(|len| {
        let start = at;
        at += len;
        start
    });
    (starts.collect(), at)
}
