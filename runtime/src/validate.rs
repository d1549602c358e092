//! Does a network's data hold together? Checked once when it is read, before anything relies on it.

use castnet_program::net::{Function, Net};
use castnet_program::program::{Family, Launch, Layout, Must, Place, Program, Right, Source, Step, Target, Tile};
use castnet_program::types::DType;

type Check = Result<(), String>;

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(what()) }
}

/// Every number that refers to something must refer to something.
pub(crate) fn net(net: &Net) -> Check {
    for p in &net.parameters {
        ensure(p.shape.iter().all(|&s| s > 0), || format!("parameter `{}` has a size that is not positive", p.name))?;
        if let Layout::Panels(order) = &p.layout {
            let mut axes = order.clone();
            axes.sort_unstable();
            let whole = !p.shape.is_empty() && axes == (1..p.shape.len()).collect::<Vec<_>>();
            ensure(whole, || format!("the panels of parameter `{}` do not name each axis but the first", p.name))?;
        }
    }
    net.functions.iter().try_for_each(|f| function(net, f))
}

fn function(net: &Net, function: &Function) -> Check {
    program(net, &function.inference, false)?;
    let known = function.reaches.iter().all(|&p| p < net.parameters.len());
    ensure(known, || format!("`{}` reaches an unknown parameter", function.name))?;
    let Some(training) = &function.training else { return Ok(()) };
    program(net, training, true)?;
    let objective = training.results.first().is_some_and(|r| r.ty.is_scalar() && r.ty.dtype == DType::F32);
    ensure(objective, || format!("the first result of `{}` is not an f32 scalar", function.name))
}

fn program(net: &Net, program: &Program, training: bool) -> Check {
    let at = |what: String| format!("{}: {what}", program.name);
    let symbols = program.symbols();
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
    for b in &program.buffers {
        let known = match b.place {
            Place::Argument(i) => program.arguments.get(i).is_some_and(|a| a.ty.dtype == b.dtype),
            Place::Result(i) => program.results.get(i).is_some_and(|r| r.ty.dtype == b.dtype),
            Place::Parameter(i) => i < net.parameters.len() && b.dtype == DType::F32,
            Place::Gradient(i) => training && i < net.parameters.len() && b.dtype == DType::F32,
            Place::State(i) => net.states.get(i).is_some_and(|s| s.ty.dtype == b.dtype),
            Place::Check(i) => i < program.words() && b.dtype == DType::F32,
            Place::Arena(_) => true,
        };
        ensure(known, || at(format!("buffer `{}` lies nowhere", b.name)))?;
    }
    for l in &program.launches {
        launch(program, l).map_err(|what| at(format!("launch `{}`: {what}", l.name)))?;
        let known = l.updates.is_none_or(|p| p < net.parameters.len());
        ensure(known, || at(format!("launch `{}` updates an unknown parameter", l.name)))?;
    }
    steps(program, &program.schedule).map_err(at)
}

fn steps(program: &Program, schedule: &[Step]) -> Check {
    for step in schedule {
        match step {
            Step::Launch(i) => ensure(*i < program.launches.len(), || format!("no launch number {i}"))?,
            Step::Repeat { count, body, .. } => {
                ensure(count.as_const().is_none_or(|c| c >= 0), || format!("a repeat of {count} rounds"))?;
                steps(program, body)?;
            }
        }
    }
    Ok(())
}

fn launch(program: &Program, launch: &Launch) -> Check {
    for buffer in reads(launch).chain(writes(launch)) {
        ensure(buffer < program.buffers.len(), || format!("no buffer number {buffer}"))?;
    }
    for store in writes(launch) {
        // The parameters of a model may be read by several calls at once; only optimizers write them.
        let to = &program.buffers[store].place;
        let writable = !matches!(to, Place::Parameter(_) | Place::Argument(_));
        ensure(writable, || "stores to a parameter or an argument".to_string())?;
    }
    for access in launch.loads.iter().chain(&launch.stores) {
        ensure(access.dims.len() == access.index.len(), || "an access without one index a dim".to_string())?;
        let mut indices = access.index.iter().chain(access.within.iter().map(|(index, _)| index));
        let divides = indices.all(|i| i.divide > 0 && i.modulo >= 0);
        ensure(divides, || "an index with a divisor that is not positive".to_string())?;
    }
    if let Family::Scatter(axis) = launch.family {
        let operands = launch.loads.len() == 2 && launch.stores.len() == 1 && axis < launch.space.len();
        ensure(operands, || "a scatter without its operands".to_string())?;
    }
    for stage in &launch.stages {
        let code = &stage.code;
        let arity = stage.inputs.len() == code.inputs as usize && stage.outputs.len() == code.outputs.len();
        ensure(arity, || "a stage whose operands do not fit its code".to_string())?;
        let known = |s: &Source| match s {
            Source::Load(i) => *i < launch.loads.len(),
            Source::Gather { from, dim, index } => {
                *index < launch.loads.len() && launch.loads.get(*from).is_some_and(|a| *dim < a.dims.len())
            }
            Source::Acc | Source::Row(_) | Source::Index(_) | Source::Size(_) | Source::Random { .. } => true,
        };
        let loads = stage.inputs.iter().all(known);
        let stores = stage.outputs.iter().all(|t| !matches!(t, Target::Store(i) if *i >= launch.stores.len()));
        ensure(loads && stores, || "a stage with an unknown operand".to_string())?;
    }
    Ok(())
}

/// The buffers that a launch reads.
pub(crate) fn reads(launch: &Launch) -> impl Iterator<Item = usize> {
    let operands = match &launch.family {
        Family::Tile(Tile::MatMul { a, b, .. }) => {
            let (Right::Strided(castnet_program::program::Strided { buffer: b, .. })
            | Right::Panels(b)
            | Right::PanelsTransposed(b)) = b;
            [Some(a.buffer), Some(*b)]
        }
        Family::Tile(Tile::Conv2d { input, weight, .. }) => [Some(input.buffer), Some(*weight)],
        Family::Tile(Tile::Conv2dInputGrad { dy, weight, .. }) => [Some(dy.buffer), Some(*weight)],
        Family::Tile(Tile::Conv2dWeightGrad { input, dy, .. }) => [Some(input.buffer), Some(dy.buffer)],
        Family::Flat | Family::Row | Family::Column | Family::Scatter(_) => [None, None],
    };
    operands.into_iter().flatten().chain(launch.loads.iter().map(|access| access.buffer))
}

/// The buffers that a launch writes.
pub(crate) fn writes(launch: &Launch) -> impl Iterator<Item = usize> {
    launch.stores.iter().map(|access| access.buffer)
}
