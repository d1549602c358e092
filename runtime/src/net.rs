//! What generated code hands over: a compiled network as tables.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use castnet_kernels::BlockKernel;
use castnet_program::net::{Backend, ForTarget, Mirror, Net};
use castnet_program::program::Program;
use castnet_program::types::DType;

use crate::error::{Error, Result};
use crate::float::{Float, FloatType, with_float};
use crate::memory::Memory;
use crate::validate;

/// A compiled network as `network!` writes it.
pub struct NetTable {
    /// `LeNet`.
    pub name: &'static str,
    /// A [`Net`], by `castnet_graph::bytes::to_bytes`.
    pub net: &'static [u8],
    /// Compiled functions that replace the interpreter's.
    pub kernels: &'static [EmittedKernel],
    /// What [`castnet_program::program::Launch::loc`] points into: `conv1 (src/main.rs:14)`.
    pub places: &'static [&'static str],
}

/// One stage of one launch, compiled.
pub struct EmittedKernel {
    /// Index into [`Net::functions`].
    pub function: usize,
    /// Of its training program, not of its inference program.
    pub training: bool,
    /// Index into [`Program::launches`].
    pub launch: usize,
    /// Index into the launch's stages.
    pub stage: usize,
    /// The same function as the stage's code.
    pub kernel: &'static BlockKernel,
}

/// A type that `network!` wrote, with the network that it is.
///
/// The table is a constant and not a static, so that a network of which nobody makes a model is not compiled: neither its table nor its
/// kernels.
///
/// # Safety
/// The table is what `network!` wrote: each kernel reads and writes no more than the stage that it stands for, and programs read as truth values
/// only what they wrote as such.
pub unsafe trait Network: 'static {
    /// The network.
    const TABLE: NetTable;
}

/// The networks of this process that were read already: each is read at first use, once.
static LOADED: Mutex<BTreeMap<TypeId, Result<Arc<Loaded>, String>>> = Mutex::new(BTreeMap::new());

/// The network of a type, read and checked.
pub(crate) fn loaded<N: Network>() -> Result<Arc<Loaded>> {
    read(TypeId::of::<N>(), table::<N>())
}

/// The one place that refers to a table, so that there is one copy of it.
#[inline(never)]
fn table<N: Network>() -> &'static NetTable {
    &const { N::TABLE }
}

fn read(id: TypeId, table: &'static NetTable) -> Result<Arc<Loaded>> {
    let read = || Loaded::new(Net::from_bytes(table.net)?, table.kernels, table.places).map(Arc::new);
    let bad = |what: String| Error::BadNet { net: table.name.to_string(), what };
    let mut all = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    all.entry(id).or_insert_with(read).clone().map_err(bad)
}

/// A network read and checked.
pub(crate) struct Loaded {
    /// No other that was read has it.
    pub(crate) number: u64,
    pub(crate) net: Net,
    /// That of the parameters.
    pub(crate) float: FloatType,
    /// Where each parameter starts in the flat arena, in elements.
    pub(crate) offsets: Vec<usize>,
    /// Bytes of a flat arena.
    bytes: usize,
    /// Where each mirror of the net starts behind the flat arena of parameters, in bytes from its beginning.
    mirror_starts: Vec<usize>,
    /// The numbers of each parameter's mirrors.
    mirrors_of: Vec<Vec<usize>>,
    /// Bytes of both.
    model_bytes: usize,
    kernels: &'static [EmittedKernel],
    places: &'static [&'static str],
    /// Whether `network!` wrote it.
    vouched: bool,
}

/// A parameter as an update sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Updated {
    /// Its number.
    pub(crate) parameter: usize,
    /// By the attributes before its layer.
    pub(crate) lr_mult: f32,
    pub(crate) wd_mult: f32,
}

impl Loaded {
    pub(crate) fn new(
        net: Net,
        kernels: &'static [EmittedKernel],
        places: &'static [&'static str],
    ) -> Result<Loaded, String> {
        validate::net(&net)?;
        let float = FloatType::of(net.float).ok_or_else(|| format!("parameters cannot be {}", net.float))?;
        let (offsets, _) = net.offsets();
        let bytes = net.parameter_bytes();
        let (mut mirror_starts, mirror_bytes) = net.mirror_offsets();
        let end = if mirror_bytes == 0 { bytes } else { bytes.next_multiple_of(64) };
        mirror_starts.iter_mut().for_each(|start| *start += end);
        let model_bytes = end.saturating_add(mirror_bytes);
        let mut mirrors_of = vec![vec![]; net.parameters.len()];
        for (number, mirror) in net.on(Backend::Cpu).iter().flat_map(|t| &t.mirrors).enumerate() {
            mirrors_of[mirror.parameter].push(number);
        }
        let vouched = true;
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Ok(Loaded {
            number,
            net,
            float,
            offsets,
            bytes,
            mirror_starts,
            mirrors_of,
            model_bytes,
            kernels,
            places,
            vouched,
        })
    }

    /// A network that anybody may have made.
    pub(crate) fn from_outside(net: Net) -> Result<Loaded, String> {
        Ok(Loaded { vouched: false, ..Loaded::new(net, &[], &[])? })
    }

    /// Whether somebody vouches for it: that its programs read nothing as truth values that they did not write as such.
    pub(crate) fn is_vouched(&self) -> bool {
        self.vouched
    }

    /// Bytes of a flat arena.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of the flat arena of a model's parameters with the mirrors behind it.
    pub(crate) fn model_bytes(&self) -> usize {
        self.model_bytes
    }

    /// How this target has the net.
    fn cpu(&self) -> Option<&ForTarget> {
        self.net.on(Backend::Cpu)
    }

    /// The mirrors of a parameter, each with the byte of a model's memory at which it starts.
    pub(crate) fn mirrors(&self, parameter: usize) -> impl Iterator<Item = (usize, &Mirror)> {
        let all = self.cpu().map_or(&[][..], |t| &t.mirrors);
        self.mirrors_of[parameter].iter().map(move |&number| (self.mirror_starts[number], &all[number]))
    }

    /// Where the mirror of a parameter in a type starts.
    pub(crate) fn mirror(&self, parameter: usize, dtype: DType) -> Option<usize> {
        self.mirrors(parameter).find(|(_, mirror)| mirror.dtype == dtype).map(|(start, _)| start)
    }

    /// Bytes from the mirror of a parameter to that of one that stands `parameters` further in the net's list.
    pub(crate) fn mirror_stride(&self, parameter: usize, parameters: i64, dtype: DType) -> isize {
        let other = usize::try_from(parameters).ok().and_then(|by| self.mirror(parameter.checked_add(by)?, dtype));
        let start = self.mirror(parameter, dtype).unwrap_or(self.model_bytes);
        other.unwrap_or(self.model_bytes) as isize - start as isize
    }

    /// The parameter whose mirror starts at a byte of a model's memory.
    pub(crate) fn mirrored_at(&self, byte: usize) -> Option<usize> {
        let number = self.mirror_starts.iter().position(|start| *start == byte)?;
        self.cpu()?.mirrors.get(number).map(|mirror| mirror.parameter)
    }

    /// Whether parameters, and what lies as they do, lie alike in another net, mirrors included.
    pub(crate) fn lies_alike(&self, other: &Loaded) -> bool {
        let lie = match (self.cpu(), other.cpu()) {
            (Some(own), Some(other)) => own.layouts == other.layouts && own.mirrors == other.mirrors,
            (own, other) => own.is_none() && other.is_none(),
        };
        lie && self.net.float == other.net.float && self.net.parameters == other.net.parameters
    }

    /// The float type of what lies as the parameters do: theirs, if none is said.
    pub(crate) fn float_of(&self, dtype: Option<DType>) -> FloatType {
        dtype.and_then(FloatType::of).unwrap_or(self.float)
    }

    /// The elements of one parameter in a flat arena.
    pub(crate) fn range(&self, parameter: usize) -> Range<usize> {
        let start = self.offsets[parameter];
        start..start + self.net.padded_len(parameter)
    }

    /// Elements from a parameter to one that stands `parameters` further in the net's list.
    pub(crate) fn stride(&self, parameter: usize, parameters: i64) -> isize {
        let other = usize::try_from(parameters).ok().and_then(|by| self.offsets.get(parameter.checked_add(by)?));
        let end = self.bytes / self.float.bytes();
        other.copied().unwrap_or(end) as isize - self.offsets[parameter] as isize
    }

    /// The memory of a model: a flat arena of zeros, and mirrors of them.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub(crate) fn model_memory(&self) -> Result<Memory> {
        let bytes = self.model_bytes;
        Memory::zeroed(bytes).ok_or_else(|| Error::Memory { function: self.net.name.clone(), bytes })
    }

    /// A flat arena of zeros.
    ///
    /// # Errors
    /// If there is no memory for one.
    pub(crate) fn arena(&self) -> Result<Memory> {
        self.arena_of(None)
    }

    /// The same of another type, if one is said.
    ///
    /// # Errors
    /// As [`Loaded::arena`].
    pub(crate) fn arena_of(&self, dtype: Option<DType>) -> Result<Memory> {
        let bytes = self.bytes / self.float.bytes() * self.float_of(dtype).bytes();
        Memory::zeroed(bytes).ok_or_else(|| Error::Memory { function: self.net.name.clone(), bytes })
    }

    /// `LeNet.scores`.
    pub(crate) fn qualified(&self, function: usize) -> String {
        let known = self.net.functions.get(function).map_or("", |function| &function.name);
        format!("{}.{known}", self.net.name)
    }

    /// One of the two programs of a function.
    pub(crate) fn program(&self, function: usize, training: bool) -> Result<&Program> {
        let none = |what: String| Error::NoFunction { net: self.net.name.clone(), what };
        let found = self.net.cpu().get(function).ok_or_else(|| none(format!("no function number {function}")))?;
        match training {
            false => Ok(&found.inference),
            true => found
                .training
                .as_ref()
                .ok_or_else(|| none(format!("`{}` is not a `train fn`", self.net.functions[function].name))),
        }
    }

    /// The compiled stages of one launch.
    pub(crate) fn emitted(&self, function: usize, training: bool, launch: usize) -> Vec<Option<BlockKernel>> {
        let mut stages = Vec::new();
        for k in self.kernels {
            if (k.function, k.training, k.launch) == (function, training, launch) {
                if stages.len() <= k.stage {
                    stages.resize(k.stage + 1, None);
                }
                stages[k.stage] = Some(*k.kernel);
            }
        }
        stages
    }

    /// Where in the source a launch comes from: `conv1 (src/main.rs:14)`, or the launch's own name.
    pub(crate) fn place(&self, launch: &castnet_program::program::Launch) -> String {
        self.place_at(launch.loc, &launch.name)
    }

    /// The place with this number, or the name of what stands there.
    pub(crate) fn place_at(&self, loc: u32, name: &str) -> String {
        self.places.get(loc as usize).map_or_else(|| name.to_string(), |place| (*place).to_string())
    }

    /// The first element of a gradient that is not finite, in row-major order, and what stands there. `gradients`: a flat arena.
    pub(crate) fn first_not_finite(&self, parameter: usize, gradients: &Memory) -> (Vec<usize>, f64) {
        let (shape, layout) = (&self.net.parameters[parameter].shape, self.net.layout(parameter));
        with_float!(self.float, T => {
            let gradient = &gradients.slice::<T>()[self.range(parameter)];
            let found = |number: usize| gradient[layout.place(shape, number)].f64();
            let elements = shape.iter().product::<i64>() as usize;
            let number = (0..elements).find(|&number| !found(number).is_finite()).unwrap_or(0);
            let behind = |axis: usize| shape[axis + 1..].iter().product::<i64>() as usize;
            let index = (0..shape.len()).map(|axis| number / behind(axis) % shape[axis] as usize);
            (index.collect(), found(number))
        })
    }

    /// The parameters of which some elements lie in `start..end` of the flat arena.
    pub(crate) fn parameters_in(&self, start: usize, end: usize) -> Range<usize> {
        let first = self.offsets.partition_point(|&at| at <= start).saturating_sub(1);
        first..self.offsets.partition_point(|&at| at < end).max(first)
    }

    /// The number of a parameter by its name.
    pub(crate) fn parameter(&self, name: &str) -> Result<usize> {
        let names = || self.net.parameters.iter().map(|p| p.name.as_str());
        names().position(|n| n == name).ok_or_else(|| Error::UnknownParameter {
            net: self.net.name.clone(),
            name: name.to_string(),
            suggestion: castnet_program::spelling::did_you_mean(name, names()).map(str::to_string),
        })
    }

    /// A parameter as an optimizer's update sees it.
    pub(crate) fn updated(&self, parameter: usize) -> Updated {
        let p = &self.net.parameters[parameter];
        Updated { parameter, lr_mult: p.lr_mult, wd_mult: p.wd_mult }
    }

    /// The number of a state by its name.
    pub(crate) fn state(&self, name: &str) -> Result<usize> {
        let names = || self.net.states.iter().map(|s| s.name.as_str());
        names().position(|n| n == name).ok_or_else(|| Error::UnknownState {
            net: self.net.name.clone(),
            name: name.to_string(),
            suggestion: castnet_program::spelling::did_you_mean(name, names()).map(str::to_string),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use castnet_graph::builder::Parameters;
    use castnet_graph::compile::{Source, SourceFunction, compile};
    use castnet_graph::text;

    const GRAPH: &str = "
        graph F.f(x: f32[N, 4], at: i64[N] in 0..N for gather) {
            %0 = argument 0  f32[N, 4]  x
            %1 = sum[1](%0)  f32[N]     sum
            %2 = exp(%1)     f32[N]     exp
            %3 = repeat 3(%2)  f32[N]  repeat
                graph round(state: f32[N]) {
                    %0 = argument 0  f32[N]  state
                    %1 = tanh(%0)    f32[N]  tanh
                    result 0 = %1
                }
            %4 = %3.0        f32[N]  repeat
            result 0 = %4
        }";

    fn bytes() -> Vec<u8> {
        let function = SourceFunction::new("f", text::read(GRAPH).unwrap(), None);
        let source = Source { name: "F".into(), parameters: Parameters::default(), functions: vec![function] };
        castnet_graph::bytes::to_bytes(&compile(source).unwrap_or_else(|e| panic!("{e:?}")).net).unwrap()
    }

    #[test]
    fn broken_bytes_are_an_error_with_the_name_of_the_net() {
        struct Broken;
        // SAFETY: what is no net is never run.
        unsafe impl Network for Broken {
            const TABLE: NetTable = NetTable { name: "Broken", net: b"\x03abc\xff", kernels: &[], places: &[] };
        }
        for _ in 0..2 {
            let error = loaded::<Broken>().map(|_| ()).unwrap_err().to_string();
            assert!(error.starts_with("Broken:") && error.contains("5 bytes are no net"), "{error}");
        }
    }

    /// Whatever bytes say, the checks of a net answer and do not panic.
    #[test]
    fn changed_bytes_are_refused_or_hold_together() {
        let bytes = bytes();
        let check = |bytes: &[u8]| Net::from_bytes(bytes).and_then(|net| Loaded::new(net, &[], &[]));
        assert!(check(&bytes).is_ok());
        let mut refused = 0;
        for at in 0..bytes.len() {
            for value in [0, 1, 2, 9, 0x40, 0x7f, 0x80, 0xff] {
                let mut broken = bytes.clone();
                broken[at] = value;
                refused += usize::from(check(&broken).is_err());
            }
        }
        assert!(refused > bytes.len(), "{refused} of {} bytes", bytes.len());
    }
}
