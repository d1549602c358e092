//! One launch: that all numbers in it refer to something, and that lanes, levels and families fit together.

use castnet_program::program::strided::{is_hidden, is_stride};
use castnet_program::program::{
    Access, Family, Launch, Level, Place, Program, Right, Source, Stage, Strided, Target, Tile,
};
use castnet_program::scalar::Lane;
use castnet_program::size::Size;
use castnet_program::types::DType;

use super::{Check, ensure, reads, tile_operands, writes};

pub(super) fn check(program: &Program, launch: &Launch) -> Check {
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
        let loops = launch.space.len() + launch.reduce.len();
        let known = indices.all(|i| i.divide > 0 && i.modulo >= 0 && i.terms.iter().all(|(dim, _)| *dim < loops));
        ensure(known, || "an index with a divisor that is not positive, or by no loop".to_string())?;
        let of_lane = access.outside.is_none_or(|outside| outside.lane() == dtype(access).lane());
        ensure(of_lane, || "a value outside that is of another lane than the memory".to_string())?;
    }
    strides(program, launch)?;
    let levels = launch.stages.iter().map(|stage| stage.level);
    let rows = matches!(launch.family, Family::Row | Family::Column);
    ensure(rows || levels.into_iter().all(|level| level == Level::Element), || "a stage a row without rows".into())?;
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
        Family::Tile(tile) => {
            let fits = launch.stages.len() == 1 && launch.reduce.is_empty();
            ensure(fits, || "a tile with other stages than one, or a reduction of its own".into())?;
            Some(tile_lane(program, launch, tile)?)
        }
    };
    if !matches!(launch.family, Family::Scatter(_) | Family::Routine { .. }) {
        let targets = || launch.stages.iter().flat_map(|stage| &stage.outputs);
        let once = |store: usize| targets().filter(|target| **target == Target::Store(store)).count() == 1;
        ensure((0..launch.stores.len()).all(once), || "a store that nothing or more than one output goes to".into())?;
    }
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
    let times = |slot: &usize| {
        let to = stage
            .outputs
            .iter()
            .filter(|target| matches!(target, Target::Row(to) | Target::Reduce(_, to) if to == slot));
        to.count()
    };
    let read = |source: &Source| matches!(source, Source::Row(slot) if times(slot) > 0);
    ensure(!stage.inputs.iter().any(read), || "a stage that writes a row value that it reads".to_string())?;
    let targets = launch.stages.iter().flat_map(|stage| &stage.outputs);
    let most = targets.filter(|target| matches!(target, Target::Row(_) | Target::Reduce(..))).count();
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
            // Row values lie in one list: what is in between would take room, too.
            ensure(*slot < most && times(slot) == 1, || format!("row value number {slot}"))?;
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
