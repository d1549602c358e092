//! Does a network's data hold together? Whatever does not depend on run-time sizes is checked once, when it is read, before anything relies on
//! it: a net may come from anybody. What depends on them, each binding checks: buffers inside their places (`backend/cpu/rounds.rs`) and apart
//! (`backend/cpu/apart.rs`), indices inside buffers (`castnet_kernels::check`).

mod launch;

use std::collections::BTreeSet;

use castnet_program::net::{Backend, ForTarget, Function, Init, METADATA, Mirror, Net, Parameter, Programs, State};
use castnet_program::program::strided::is_stride;
use castnet_program::program::{Check as Checked, Family, Launch, Layout, Must, Place, Program, Right, Strided, Task};
use castnet_program::program::{TaskKind, Tile};
use castnet_program::types::DType;

/// Elements of all parameters, or bytes of a state, at most: so many can be counted and multiplied by anything small.
const MOST: i64 = 1 << 48;
/// Words of a program's checks at most.
const WORDS: usize = 1 << 20;

type Check = Result<(), String>;

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(what()) }
}

/// Every number that refers to something must refer to something.
pub(crate) fn net(net: &Net) -> Check {
    let mut elements = 0i64;
    for p in &net.parameters {
        let own = parameter(p).map_err(|what| format!("parameter `{}` {what}", p.name))?;
        elements = elements.saturating_add(own);
    }
    ensure(elements <= MOST, || format!("{elements} elements of parameters"))?;
    for s in &net.states {
        state(s).map_err(|what| format!("state `{}` {what}", s.name))?;
    }
    let names = net.parameters.iter().map(|p| &p.name).chain(net.states.iter().map(|s| &s.name));
    let mut known = BTreeSet::new();
    for name in names {
        ensure(name != METADATA, || format!("`{name}` is a name of the format of files, not of a tensor"))?;
        ensure(known.insert(name), || format!("two tensors are called `{name}`"))?;
    }
    let mut targets = net.targets.iter().filter(|target| target.target == Backend::Cpu);
    ensure(targets.next().is_none() || targets.next().is_none(), || "it was compiled for the CPU twice".into())?;
    let ForTarget { layouts, mirrors, programs, .. } = net.on(Backend::Cpu).ok_or("it was not compiled for the CPU")?;
    let counted = layouts.len() == net.parameters.len();
    ensure(counted, || format!("{} layouts of {} parameters", layouts.len(), net.parameters.len()))?;
    net.parameters.iter().zip(layouts).try_for_each(|(p, layout)| lies(p, layout))?;
    for (at, Mirror { parameter, dtype, layout }) in mirrors.iter().enumerate() {
        let p = net.parameters.get(*parameter).ok_or_else(|| format!("a mirror of parameter {parameter}"))?;
        lies(p, layout)?;
        let rounds = net.float == DType::F32 && matches!(dtype, DType::F16 | DType::BF16);
        let twice = mirrors[..at].iter().any(|known| (known.parameter, known.dtype) == (*parameter, *dtype));
        ensure((*dtype == net.float || rounds) && !twice, || format!("a mirror of `{}` in {dtype}", p.name))?;
    }
    let fits = programs.len() == net.functions.len();
    ensure(fits, || format!("{} functions, of which the CPU has {}", net.functions.len(), programs.len()))?;
    net.functions.iter().zip(programs).try_for_each(|(f, programs)| function(net, f, programs))
}

/// Whether a parameter can lie so.
fn lies(p: &Parameter, layout: &Layout) -> Check {
    let Layout::Panels(order) = layout else { return Ok(()) };
    let mut axes = order.clone();
    axes.sort_unstable();
    let whole = !p.shape.is_empty() && axes == (1..p.shape.len()).collect::<Vec<_>>();
    ensure(whole, || format!("the panels of parameter `{}` do not name each axis but the first", p.name))
}

/// The elements that it takes.
fn parameter(parameter: &Parameter) -> Result<i64, String> {
    let shape = &parameter.shape;
    ensure(shape.iter().all(|&s| s > 0), || "has a size that is not positive".into())?;
    let elements = shape.iter().try_fold(1i64, |all, &size| all.checked_mul(size)).filter(|&all| all <= MOST);
    let elements = elements.ok_or_else(|| format!("has more elements than {MOST}"))?;
    init(parameter.init, Some(shape))?;
    // Padding of panels, and up to the next cache line.
    Ok(elements.saturating_mul(32).max(16))
}

/// `shape`: of a parameter.
fn init(init: Init, shape: Option<&[i64]>) -> Check {
    let fits = match init {
        Init::Constant(_) | Init::Uniform(_) | Init::Between(..) | Init::Normal(..) | Init::Orthogonal(_) => true,
        Init::TruncNormal(_, _, low, high) => low <= high,
        Init::NormalExceptRow(row) => {
            let rows = shape.map_or(i64::MAX, |shape| shape.first().copied().unwrap_or(1));
            (0..rows).contains(&row)
        }
    };
    ensure(fits, || format!("has no first values {init:?}"))
}

fn state(state: &State) -> Check {
    let shape = &state.ty.shape;
    let own = shape
        .iter()
        .all(|size| size.as_const().is_none_or(|size| size >= 0) && !size.names().iter().any(|n| is_stride(n)));
    let elements = shape.iter().map(|size| size.as_const().unwrap_or(1).max(1));
    let elements = elements.fold(1i64, i64::saturating_mul);
    ensure(own && elements <= MOST / 8, || format!("is {}, which no memory is", state.ty))?;
    init(state.init, None)
}

/// Whether numbers rise.
fn is_sorted(numbers: &[usize]) -> bool {
    numbers.windows(2).all(|two| two[0] < two[1])
}

fn function(net: &Net, function: &Function, programs: &Programs) -> Check {
    program(net, &programs.inference, false)?;
    let known = function.reaches.iter().all(|&p| p < net.parameters.len());
    // Each once: it is updated as often as it stands there, by threads that know nothing of each other.
    let mut reaches = function.reaches.clone();
    reaches.sort_unstable();
    ensure(known, || format!("`{}` reaches an unknown parameter", function.name))?;
    ensure(is_sorted(&reaches), || format!("`{}` reaches a parameter twice", function.name))?;
    let Some(training) = &programs.training else { return Ok(()) };
    program(net, training, true)?;
    let objective = training.results.first().is_some_and(|r| r.ty.is_scalar() && r.ty.dtype == net.float);
    ensure(objective, || format!("the first result of `{}` is not a scalar of {}", function.name, net.float))
}

fn program(net: &Net, program: &Program, training: bool) -> Check {
    let at = |what: String| format!("{}: {what}", program.name);
    let symbols = program.symbols();
    let hidden = symbols.iter().find(|name| is_stride(name));
    ensure(hidden.is_none(), || at(format!("an argument has the size `{}`", hidden.map_or("", |name| name))))?;
    let words = program.checks.iter().map(words).try_fold(0usize, |all, words| Some(all + words?));
    ensure(words.is_some_and(|words| words <= WORDS), || at("more words of checks than are possible".into()))?;
    let made = program.checks.iter().filter_map(|check| match &check.must {
        Must::Lie(below) => Some(below),
        Must::Divide(_) => None,
    });
    let below = program.arguments.iter().flat_map(|a| &a.below).chain(made).flat_map(|b| [&b.least, &b.limit]);
    let results = program.results.iter().flat_map(|result| &result.ty.shape);
    let sizes = below.chain(results).flat_map(|size| size.names());
    let mut names = program.rules.iter().flat_map(|r| r.names()).chain(sizes);
    if let Some(name) = names.find(|name| symbols.binary_search(name).is_err()) {
        return Err(at(format!("no argument has the run-time size `{name}` of a rule, a check or a result")));
    }
    let known = program.states.iter().all(|&state| state < net.states.len());
    let assigned = program.assigns.iter().all(|state| program.states.binary_search(state).is_ok());
    let sorted = is_sorted(&program.states) && is_sorted(&program.assigns);
    ensure(known && sorted && assigned, || at("it uses states that there are not".into()))?;
    for b in &program.buffers {
        let known = match b.place {
            Place::Argument(i) => program.arguments.get(i).is_some_and(|a| a.ty.dtype == b.dtype),
            Place::Result(i) => program.results.get(i).is_some_and(|r| r.ty.dtype == b.dtype),
            Place::Parameter(i) => i < net.parameters.len() && b.dtype == net.float,
            Place::Mirror(i) => net.on(Backend::Cpu).is_some_and(|t| t.mirror(i, b.dtype).is_some()),
            Place::Gradient(i) => training && i < net.parameters.len() && b.dtype == net.float,
            Place::State(i) => net.states.get(i).is_some_and(|s| s.ty.dtype == b.dtype),
            Place::Check(i) => i < program.words() && b.dtype == DType::I64,
            Place::Arena(_) => true,
        };
        ensure(known, || at(format!("buffer `{}` lies nowhere", b.name)))?;
        let is_whole = |whole: usize| program.buffers.get(whole).is_some_and(|whole| whole.part_of.is_none());
        ensure(b.part_of.is_none_or(is_whole), || at(format!("buffer `{}` is a part of none", b.name)))?;
        let whole = b.start.is_zero() && b.strides.is_empty();
        ensure(whole || program.strided(b).is_none(), || {
            at(format!("buffer `{}` is a part of what is strided", b.name))
        })?;
    }
    for l in &program.launches {
        launch::check(program, l).map_err(|what| at(format!("launch `{}`: {what}", l.name)))?;
        let known = l.updates.is_none_or(|p| p < net.parameters.len());
        ensure(known, || at(format!("launch `{}` updates an unknown parameter", l.name)))?;
    }
    let mut order = vec![];
    steps(program, &program.schedule, false, &mut order).map_err(at)?;
    // Who reads and writes before whom is told by numbers.
    ensure(program.donates.is_empty() || is_sorted(&order), || at("launches that do not run in their order".into()))?;
    for &(argument, result) in &program.donates {
        let fits = program.may_donate(argument, result);
        ensure(fits, || at(format!("argument {argument} cannot be donated to result {result}")))?;
    }
    Ok(())
}

/// The words of a check, if they can be counted.
fn words(check: &Checked) -> Option<usize> {
    (check.rounds <= WORDS && check.axes <= WORDS).then(|| check.words())
}

/// `order`: appends the launches as they stand there.
fn steps(program: &Program, schedule: &[Task], inside: bool, order: &mut Vec<usize>) -> Check {
    for step in schedule {
        ensure(!inside || step.stream == 0, || format!("a task in a loop on stream {}", step.stream))?;
        match &step.kind {
            TaskKind::Launch(i) => {
                ensure(*i < program.launches.len(), || format!("no launch number {i}"))?;
                order.push(*i);
            }
            TaskKind::Loop { count, body, .. } => {
                ensure(count.as_const().is_none_or(|c| c >= 0), || format!("a repeat of {count} rounds"))?;
                steps(program, body, true, order)?;
            }
            TaskKind::Ending(ending) => return Err(format!("`{}` in a program", ending.kind.name())),
        }
    }
    Ok(())
}

/// What the sums of a launch are made of.
fn tile_operands(family: &Family) -> impl Iterator<Item = usize> {
    let operands = match family {
        Family::Tile(Tile::MatMul { a, b, .. }) => {
            let (Right::Strided(Strided { buffer: b, .. }) | Right::Panels(b) | Right::PanelsTransposed(b)) = b;
            [Some(a.buffer), Some(*b)]
        }
        Family::Tile(Tile::Conv2d { input, weight, .. }) => [Some(input.buffer), Some(*weight)],
        Family::Tile(Tile::Conv2dInputGrad { dy, weight, .. }) => [Some(dy.buffer), Some(*weight)],
        Family::Tile(Tile::Conv2dWeightGrad { input, dy, .. }) => [Some(input.buffer), Some(dy.buffer)],
        Family::Flat | Family::Row | Family::Column | Family::Scatter(_) | Family::Routine { .. } => [None, None],
    };
    operands.into_iter().flatten()
}

/// The buffers that a launch reads.
pub(crate) fn reads(launch: &Launch) -> impl Iterator<Item = usize> {
    tile_operands(&launch.family).chain(launch.loads.iter().map(|access| access.buffer))
}

/// The buffers that a launch writes.
pub(crate) fn writes(launch: &Launch) -> impl Iterator<Item = usize> {
    launch.stores.iter().map(|access| access.buffer)
}
