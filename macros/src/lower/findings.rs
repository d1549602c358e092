//! What was found out of values, for an editor: the types of names and calls, by their places.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use castnet_graph::builder::Builder;
use castnet_graph::call::Arg;
use castnet_graph::diagnostic::Loc;
use castnet_graph::layers::Layer;
use castnet_graph::size::Size;
use castnet_graph::types::Type;

use super::samples::{NAMELESS, Samples};

/// What an editor shows of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// A tensor of this type.
    Tensor(Type),
    /// A size.
    Size(Size),
    /// A number.
    Float,
    /// `true` or `false`.
    Bool,
    /// A tuple or a list.
    List(Vec<Shown>),
    /// Something else, or nothing is known.
    Unknown,
}

/// The types of names and calls, and what layers are applied to.
#[derive(Default)]
pub struct Findings {
    /// Whether anybody wants to know.
    wanted: bool,
    /// Whether what is lowered now is only a trial with sizes that nobody wrote.
    trial: Cell<bool>,
    /// How many bodies are being inlined into each other.
    depth: Cell<usize>,
    /// Values in blocks that are lowered with samples of their sizes: the first samples, and the second ones.
    samples: RefCell<[HashMap<Loc, Vec<Shown>>; 2]>,
    sampling: Cell<Option<usize>>,
    values: RefCell<HashMap<Loc, Found>>,
    layers: RefCell<HashMap<Loc, Vec<String>>>,
}

/// What one name or call was found to be.
#[derive(Default)]
struct Found {
    /// In the function where it stands, with the sizes that are written there.
    own: Vec<Shown>,
    /// In the block where it stands, as far as its sizes can be said with the names in its head.
    named: Vec<Shown>,
    /// Where that function or block is used.
    met: Vec<Shown>,
}

impl Findings {
    /// For an editor, or for nobody.
    pub fn new(wanted: bool) -> Findings {
        Findings { wanted, ..Findings::default() }
    }

    /// What a name or call was found to be: several types, if it has another one in each use of a block or round of a loop.
    pub fn of(&self, at: Loc) -> Vec<Shown> {
        let values = self.values.borrow();
        let Some(found) = values.get(&at) else { return vec![] };
        let whole = !found.named.is_empty() && found.named.iter().all(Shown::is_whole);
        let best = match () {
            () if !found.own.is_empty() => &found.own,
            () if whole || found.met.is_empty() => &found.named,
            () => &found.met,
        };
        best.clone()
    }

    /// Whether anybody wants to know.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// What a layer does and holds, a line each: `f32[N, 784] → f32[N, 10]`, `fc.weight: f32[10, 784]`.
    pub fn of_layer(&self, at: Loc) -> Vec<String> {
        self.layers.borrow().get(&at).cloned().unwrap_or_default()
    }

    /// Lowers with sizes that nobody wrote.
    pub(super) fn on_trial<T>(&self, lower: impl FnOnce() -> T) -> T {
        let before = self.trial.replace(true);
        let result = lower();
        self.trial.set(before);
        result
    }

    /// Lowers a block twice, with other samples each time, and says what it finds with the names: a size that is a name's number both times
    /// is that name.
    pub(super) fn by_names(&self, samples: &Samples, mut lower: impl FnMut(usize)) {
        for run in 0..2 {
            self.sampling.set(Some(run));
            lower(run);
            self.sampling.set(None);
        }
        let [first, second] = self.samples.take();
        let mut values = self.values.borrow_mut();
        for (at, first) in first {
            let Some(second) = second.get(&at).filter(|second| second.len() == first.len()) else { continue };
            let named = first.iter().zip(second).map(|(a, b)| a.named(b, samples));
            values.entry(at).or_default().named = named.collect();
        }
    }

    /// Lowers a body into that of its caller.
    pub(super) fn inlined<T>(&self, lower: impl FnOnce() -> T) -> T {
        self.depth.set(self.depth.get() + 1);
        let result = lower();
        self.depth.set(self.depth.get() - 1);
        result
    }

    /// A name or call has this value.
    pub(super) fn note(&self, at: Loc, value: &Arg, b: &Builder) {
        let shown = if self.wanted { shown(value, b) } else { Shown::Unknown };
        if shown == Shown::Unknown {
            return;
        }
        if let Some(run) = self.sampling.get() {
            let mut samples = self.samples.borrow_mut();
            let list = samples[run].entry(at).or_default();
            if !list.contains(&shown) {
                list.push(shown);
            }
            return;
        }
        if self.trial.get() {
            return;
        }
        let mut values = self.values.borrow_mut();
        let found = values.entry(at).or_default();
        let list = if self.depth.get() == 0 { &mut found.own } else { &mut found.met };
        if !list.contains(&shown) {
            list.push(shown);
        }
    }

    /// A `param` or `state` has this type.
    pub(super) fn note_type(&self, at: Loc, ty: Type) {
        if self.listens() {
            self.values.borrow_mut().entry(at).or_default().own = vec![Shown::Tensor(ty)];
        }
    }

    /// A layer was applied.
    pub(super) fn note_layer(&self, layer: &Layer, input: Option<&Arg>, output: &Arg, b: &Builder) {
        let (Some(Arg::Tensor(input)), true) = (input, self.listens()) else { return };
        let mut lines = vec![];
        if let Arg::Tensor(output) = output {
            lines.push(format!("`{}` → `{}`", b.ty(*input), b.ty(*output)));
        }
        for tensor in layer.tensors.iter().filter_map(|&t| b.parameters.list.get(t)) {
            if let Some((shape, _)) = &tensor.shape {
                let short = tensor.name.strip_prefix(&*layer.name).unwrap_or(&tensor.name).trim_start_matches('.');
                lines.push(format!("`{short}`: `f32{shape:?}`"));
            }
        }
        let mut layers = self.layers.borrow_mut();
        let known = layers.entry(layer.at).or_default();
        for line in lines {
            if !known.contains(&line) {
                known.push(line);
            }
        }
    }

    fn listens(&self) -> bool {
        self.wanted && !self.trial.get() && self.sampling.get().is_none()
    }
}

impl Shown {
    /// What this is by names, if `other` is the same with the second samples.
    fn named(&self, other: &Shown, samples: &Samples) -> Shown {
        match (self, other) {
            (Shown::Tensor(a), Shown::Tensor(b)) if a.shape.len() == b.shape.len() => {
                let sizes = a.shape.iter().zip(&b.shape).map(|(a, b)| name_of(a, b, samples));
                Shown::Tensor(Type { dtype: a.dtype, shape: sizes.collect() })
            }
            (Shown::Size(a), Shown::Size(b)) => Shown::Size(name_of(a, b, samples)),
            (Shown::List(a), Shown::List(b)) if a.len() == b.len() => {
                Shown::List(a.iter().zip(b).map(|(a, b)| a.named(b, samples)).collect())
            }
            (a, b) if a == b => a.clone(),
            _ => Shown::Unknown,
        }
    }

    /// Whether all sizes are known.
    fn is_whole(&self) -> bool {
        let is_known = |size: &Size| *size != Size::symbol(NAMELESS);
        match self {
            Shown::Tensor(ty) => ty.shape.iter().all(is_known),
            Shown::Size(size) => is_known(size),
            Shown::List(parts) => parts.iter().all(Shown::is_whole),
            Shown::Float | Shown::Bool => true,
            Shown::Unknown => false,
        }
    }
}

/// The size that is `first` and `second` with the two samples.
fn name_of(first: &Size, second: &Size, samples: &Samples) -> Size {
    if first == second {
        return first.clone();
    }
    let found = first.as_const().zip(second.as_const()).and_then(|(first, second)| samples.name([first, second]));
    found.unwrap_or_else(|| Size::symbol(NAMELESS))
}

fn shown(value: &Arg, b: &Builder) -> Shown {
    match value {
        Arg::Tensor(value) => Shown::Tensor(b.ty(*value).clone()),
        Arg::Size(size) => Shown::Size(size.clone()),
        Arg::Float(_) => Shown::Float,
        Arg::Bool(_) => Shown::Bool,
        Arg::List(values) => Shown::List(values.iter().map(|v| shown(v, b)).collect()),
        Arg::DType(_) | Arg::Text(_) | Arg::Init(_) | Arg::None | Arg::Unknown => Shown::Unknown,
    }
}
