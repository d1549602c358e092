//! Does a network's data hold together? Checked once when it is read, before anything relies on it.

use castnet_program::net::{Backend, ForTarget, Function, Mirror, Net, Parameter, Programs};
use castnet_program::program::strided::{is_hidden, is_stride};
use castnet_program::program::{
    Access, Family, Launch, Layout, Level, Must, Place, Program, Right, Source, Stage, Strided, Target, Task, TaskKind,
    Tile,
};
use castnet_program::scalar::Lane;
use castnet_program::size::Size;
use castnet_program::types::DType;

/// Row values of a launch at most.
const ROWS: usize = 1 << 16;

type Check = Result<(), String>;

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(what()) }
}

/// Every number that refers to something must refer to something.
pub(crate) fn net(net: &Net) -> Check {
    for p in &net.parameters {
        ensure(p.shape.iter().all(|&s| s > 0), || format!("parameter `{}` has a size that is not positive", p.name))?;
    }
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

fn function(net: &Net, function: &Function, programs: &Programs) -> Check {
    program(net, &programs.inference, false)?;
    let known = function.reaches.iter().all(|&p| p < net.parameters.len());
    ensure(known, || format!("`{}` reaches an unknown parameter", function.name))?;
    let Some(training) = &programs.training else { return Ok(()) };
    program(net, training, true)?;
    let objective = training.results.first().is_some_and(|r| r.ty.is_scalar() && r.ty.dtype == net.float);
    ensure(objective, || format!("the first result of `{}` is not a scalar of {}", function.name, net.float))
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
    for &(argument, result) in &program.donates {
        let pair = program.arguments.get(argument).zip(program.results.get(result));
        let fits = pair.is_some_and(|(a, r)| a.ty == r.ty && a.below.is_empty());
        ensure(fits, || at(format!("argument {argument} cannot be donated to result {result}")))?;
    }
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
        launch(program, l).map_err(|what| at(format!("launch `{}`: {what}", l.name)))?;
        let known = l.updates.is_none_or(|p| p < net.parameters.len());
        ensure(known, || at(format!("launch `{}` updates an unknown parameter", l.name)))?;
    }
    steps(program, &program.schedule, false).map_err(at)
}

fn steps(program: &Program, schedule: &[Task], inside: bool) -> Check {
    for step in schedule {
        ensure(!inside || step.stream == 0, || format!("a task in a loop on stream {}", step.stream))?;
        match &step.kind {
            TaskKind::Launch(i) => ensure(*i < program.launches.len(), || format!("no launch number {i}"))?,
            TaskKind::Loop { count, body, .. } => {
                ensure(count.as_const().is_none_or(|c| c >= 0), || format!("a repeat of {count} rounds"))?;
                steps(program, body, true)?;
            }
            TaskKind::Ending(ending) => return Err(format!("`{}` in a program", ending.kind.name())),
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
        let writable = !matches!(to, Place::Parameter(_) | Place::Mirror(_) | Place::Argument(_));
        ensure(writable, || "stores to a parameter or an argument".to_string())?;
    }
    let dtype = |access: &Access| program.buffers[access.buffer].dtype;
    for access in launch.loads.iter().chain(&launch.stores) {
        ensure(access.dims.len() == access.index.len(), || "an access without one index a dim".to_string())?;
        let mut indices = access.index.iter().chain(access.within.iter().map(|(index, _)| index));
        let divides = indices.all(|i| i.divide > 0 && i.modulo >= 0);
        ensure(divides, || "an index with a divisor that is not positive".to_string())?;
        let of_lane = access.outside.is_none_or(|outside| outside.lane() == dtype(access).lane());
        ensure(of_lane, || "a value outside that is of another lane than the memory".to_string())?;
    }
    strides(program, launch)?;
    let sum = match &launch.family {
        Family::Flat => {
            ensure(launch.reduce.is_empty(), || "a reduction without a place for it".to_string())?;
            None
        }
        Family::Row | Family::Column => None,
        Family::Scatter(axis) => {
            let [index, values] = &launch.loads[..] else { return Err("a scatter without its operands".to_string()) };
            let [store] = &launch.stores[..] else { return Err("a scatter without its operands".to_string()) };
            let sums = dtype(values) == dtype(store) && dtype(values) == dtype(values).lane().dtype();
            let fits = *axis < launch.space.len() && dtype(index).is_int() && sums && dtype(values) != DType::Bool;
            ensure(fits && launch.stages.is_empty(), || "a scatter of operands that do not fit".to_string())?;
            None
        }
        Family::Routine { routine, .. } => {
            let ((reads, writes), stores) = (routine.arity(), launch.stores.len());
            let counts = launch.loads.len() == reads && (stores == writes || stores == writes + 1);
            ensure(counts, || format!("`{}` without its operands", routine.name()))?;
            let has_rows = |access: &Access| access.dims.starts_with(&launch.space);
            let rows = launch.loads.iter().chain(&launch.stores[..writes]).all(has_rows);
            ensure(rows && launch.stages.is_empty(), || format!("`{}` of other rows", routine.name()))?;
            None
        }
        Family::Tile(tile) => Some(tile_lane(program, launch, tile)?),
    };
    // The lane of each row value, once a stage has made it.
    let mut rows = vec![];
    launch.stages.iter().try_for_each(|s| stage(launch, s, &dtype, sum, &mut rows))
}

/// What is strided is reached by its own strides over its own sizes, and nothing else is: all that a call binds is inside its slice then.
fn strides(program: &Program, launch: &Launch) -> Check {
    for access in launch.loads.iter().chain(&launch.stores) {
        let buffer = &program.buffers[access.buffer];
        let fits = match (program.strided(buffer), &access.strides) {
            (None, None) => true,
            (Some(named), Some(strides)) => {
                let rows = matches!(launch.family, Family::Routine { .. });
                !rows && access.dims == named.ty.shape[..] && *strides == buffer.place.strides(named.ty.rank())
            }
            (None, Some(_)) | (Some(_), None) => false,
        };
        ensure(fits, || format!("an access of `{}` by other strides than its own", buffer.name))?;
    }
    let operands = match &launch.family {
        Family::Tile(Tile::MatMul { a, b: Right::Strided(b), .. }) => [Some(a), Some(b)],
        Family::Tile(Tile::MatMul { a, .. }) => [Some(a), None],
        Family::Tile(Tile::Conv2d { input, .. }) => [Some(input), None],
        Family::Tile(Tile::Conv2dInputGrad { dy, .. }) => [Some(dy), None],
        Family::Tile(Tile::Conv2dWeightGrad { input, dy, .. }) => [Some(input), Some(dy)],
        Family::Flat | Family::Row | Family::Column | Family::Scatter(_) | Family::Routine { .. } => [None, None],
    };
    let by_strides = |buffer: usize| operands.iter().flatten().find(|operand| operand.buffer == buffer);
    for buffer in tile_operands(&launch.family) {
        let known = &program.buffers[buffer];
        let own: Vec<_> = match program.strided(known) {
            Some(named) => known.place.strides(named.ty.rank()).iter().flat_map(Size::names).collect(),
            None => vec![],
        };
        let fits = match by_strides(buffer) {
            Some(operand) => {
                let sizes = operand.strides.iter().chain([&operand.offset]).filter(|size| is_hidden(size));
                sizes.flat_map(Size::names).filter(|name| is_stride(name)).all(|name| own.contains(&name))
            }
            None => own.is_empty(),
        };
        ensure(fits, || format!("a tile of `{}` by other strides than its own", known.name))?;
    }
    Ok(())
}

/// Operands, lanes and row values of a stage; `sum`: the lane of a tile's sums.
fn stage(
    launch: &Launch,
    stage: &Stage,
    dtype: &dyn Fn(&Access) -> DType,
    sum: Option<Lane>,
    rows: &mut Vec<(usize, Lane)>,
) -> Check {
    let code = &stage.code;
    let arity = stage.inputs.len() == code.inputs.len() && stage.outputs.len() == code.outputs.len();
    ensure(arity, || "a stage whose operands do not fit its code".to_string())?;
    let lanes = code.lanes()?;
    let dims = launch.space.len() + if stage.level == Level::Element { launch.reduce.len() } else { 0 };
    for (source, &lane) in stage.inputs.iter().zip(&code.inputs) {
        let fits = match source {
            Source::Load(i) => launch.loads.get(*i).is_some_and(|access| dtype(access).lane() == lane),
            Source::Acc => sum == Some(lane),
            Source::Row(slot) => rows.contains(&(*slot, lane)),
            Source::Index(dim) => *dim < dims && lane.is_int(),
            Source::Size(_) => lane != Lane::Bool,
            Source::LossScale => lane == Lane::F32,
            Source::Random { strides, .. } => {
                strides.len() <= launch.space.len() + launch.reduce.len() && lane == Lane::F32
            }
            Source::Gather { from, dim, index } => {
                launch.loads.get(*index).is_some_and(|access| dtype(access).is_int())
                    && launch.loads.get(*from).is_some_and(|a| *dim < a.dims.len() && dtype(a).lane() == lane)
            }
        };
        ensure(fits, || format!("a stage has no operand {source:?} of lane {lane:?}"))?;
    }
    let made: Vec<Lane> = code.outputs.iter().map(|&slot| lanes[slot as usize]).collect();
    for (target, &lane) in stage.outputs.iter().zip(&made) {
        let fits = match target {
            Target::Store(i) => launch.stores.get(*i).is_some_and(|access| dtype(access).lane() == lane),
            Target::Row(_) => stage.level == Level::Row,
            Target::Reduce(op, _) => op.takes(lane) && stage.level == Level::Element && !launch.reduce.is_empty(),
        };
        ensure(fits, || format!("a stage has no place {target:?} for lane {lane:?}"))?;
    }
    for (target, &lane) in stage.outputs.iter().zip(&made) {
        if let Target::Row(slot) | Target::Reduce(_, slot) = target {
            // Row values lie in one list: what is in between takes room, too.
            ensure(*slot < ROWS, || format!("row value number {slot}"))?;
            rows.retain(|(known, _)| known != slot);
            rows.push((*slot, lane));
        }
    }
    Ok(())
}

/// The lane of the sums of a tile, whose operands must have as many dims as it needs.
fn tile_lane(program: &Program, launch: &Launch, tile: &Tile) -> Result<Lane, String> {
    let dims = launch.space.len();
    let strided = |operand: &Strided| operand.strides.len() == dims;
    let fits = match tile {
        Tile::MatMul { a, b, .. } => {
            let right = match b {
                Right::Strided(b) => strided(b),
                Right::Panels(_) | Right::PanelsTransposed(_) => true,
            };
            dims >= 2 && strided(a) && right
        }
        Tile::Conv2d { input, .. } => dims == 4 && strided(input),
        Tile::Conv2dInputGrad { dy, .. } => dims == 4 && strided(dy),
        Tile::Conv2dWeightGrad { input, dy, .. } => dims == 4 && strided(input) && strided(dy),
    };
    ensure(fits, || "a tile whose operands do not have its dims".to_string())?;
    let [a, b] = tile.buffers().map(|buffer| program.buffers[buffer].dtype);
    Lane::of_products(a, b).ok_or_else(|| format!("a tile of {a} and {b}"))
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
