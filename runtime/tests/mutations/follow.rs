//! Every access of a program, followed through every point of its loops one by one: a second opinion on what the runtime lets pass, that shares
//! nothing with it. Buffers are taken as long as the program says; that they lie inside their places, the runtime's own memory shows.

use std::collections::BTreeMap;

use castnet_program::program::{Access, Conv, Family, Launch, Level, Program, Right, Source, Strided, Target, Tile};
use castnet_program::size::Size;

/// More points than that, of a launch or in all, are not followed.
const POINTS: i64 = 2000;

type Value<'v> = &'v dyn Fn(&str) -> i64;

/// How many points a program's launches have in all, rounds counted: `None` if that is too much to be run in a test.
pub fn points(program: &Program, value: Value<'_>) -> Option<i64> {
    program.launches.iter().try_fold(0i64, |sum, launch| Some(sum + of_launch(launch, value)?))
}

fn of_launch(launch: &Launch, value: Value<'_>) -> Option<i64> {
    let mut sizes: Vec<&Size> = launch.space.iter().chain(&launch.reduce).collect();
    let taps;
    match &launch.family {
        Family::Tile(Tile::MatMul { k, .. }) => sizes.push(k),
        Family::Tile(
            Tile::Conv2d { conv, .. } | Tile::Conv2dInputGrad { conv, .. } | Tile::Conv2dWeightGrad { conv, .. },
        ) => {
            taps = [conv.kernel[0], conv.kernel[1], conv.c].map(Size::constant);
            sizes.extend(&taps);
        }
        Family::Routine { .. } => sizes.extend(launch.loads.iter().chain(&launch.stores).flat_map(|a| &a.dims)),
        Family::Flat | Family::Row | Family::Column | Family::Scatter(_) => {}
    }
    let points = sizes.iter().try_fold(1i64, |all, size| all.checked_mul(size.eval(value).max(1)))?;
    (points <= 200 * POINTS).then_some(points)
}

/// Follows every launch.
///
/// # Errors
/// The first access that leads out of its buffer, or to an element that another point stores to.
pub fn follow(program: &Program, value: Value<'_>) -> Result<(), String> {
    for launch in &program.launches {
        of_accesses(program, launch, value).map_err(|what| format!("{}: {what}", launch.name))?;
        if let Family::Tile(tile) = &launch.family {
            of_tile(program, launch, tile, value).map_err(|what| format!("{}: {what}", launch.name))?;
        }
    }
    Ok(())
}

/// All combinations of numbers below these, the last one fastest.
fn each(sizes: &[i64], mut visit: impl FnMut(&[i64]) -> Result<(), String>) -> Result<(), String> {
    let mut point = vec![0; sizes.len()];
    if sizes.iter().any(|&size| size < 1) {
        return Ok(());
    }
    loop {
        visit(&point)?;
        let Some(axis) = (0..sizes.len()).rev().find(|&axis| point[axis] + 1 < sizes[axis]) else { return Ok(()) };
        point[axis] += 1;
        point[axis + 1..].fill(0);
    }
}

fn of_accesses(program: &Program, launch: &Launch, value: Value<'_>) -> Result<(), String> {
    if matches!(launch.family, Family::Routine { .. }) {
        return Ok(());
    }
    let loops: Vec<i64> = launch.space.iter().chain(&launch.reduce).map(|size| size.eval(value)).collect();
    if of_launch(launch, value).is_none_or(|points| points > POINTS) {
        return Ok(());
    }
    // By buffer and element: the point that stores to it.
    let mut stored: BTreeMap<(usize, i64), Vec<i64>> = BTreeMap::new();
    for (number, store) in launch.stores.iter().enumerate() {
        let by = |stage: &&castnet_program::program::Stage| stage.outputs.contains(&Target::Store(number));
        let rows = launch.stages.iter().find(by).is_some_and(|stage| stage.level == Level::Row)
            || matches!(launch.family, Family::Scatter(_));
        let loops = if rows { &loops[..launch.space.len()] } else { &loops[..] };
        each(loops, |point| {
            let Some(element) = element(program, store, point, value)? else { return Ok(()) };
            match stored.insert((store.buffer, element), point.to_vec()) {
                None => Ok(()),
                Some(other) => Err(format!("points {other:?} and {point:?} both store to element {element}")),
            }
        })?;
    }
    let looked_up = |number: usize| {
        let sources = launch.stages.iter().flat_map(|stage| &stage.inputs);
        let from = sources.filter_map(|source| match source {
            Source::Gather { from, dim, .. } if *from == number => Some(*dim),
            _ => None,
        });
        from.collect::<Vec<_>>()
    };
    for (number, load) in launch.loads.iter().enumerate() {
        let anywhere = looked_up(number);
        each(&loops, |point| {
            let Some(first) = element(program, load, point, value)? else { return Ok(()) };
            let along = |dim: usize| {
                let stride: i64 = load.dims[dim + 1..].iter().map(|size| size.eval(value)).product();
                (0..load.dims[dim].eval(value)).map(move |at| first + at * stride)
            };
            for element in anywhere.iter().flat_map(|dim| along(*dim)).chain([first]) {
                inside(program, load.buffer, element, load.strides.is_some(), value)?;
                let other = stored.get(&(load.buffer, element));
                let another = other.filter(|other| !point.starts_with(other) || !anywhere.is_empty());
                if let Some(other) = another {
                    return Err(format!("point {point:?} reads element {element}, which {other:?} stores to"));
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// The element of an access at a point; `None`: outside, where it may be.
fn element(program: &Program, access: &Access, point: &[i64], value: Value<'_>) -> Result<Option<i64>, String> {
    let index = |index: &castnet_program::program::Index| {
        let terms = index.terms.iter().map(|(dim, by)| by * point.get(*dim).copied().unwrap_or(0));
        let sum = index.offset.eval(value) + terms.sum::<i64>();
        let whole = !index.exact || sum.rem_euclid(index.divide) == 0;
        let at = sum.div_euclid(index.divide);
        whole.then_some(if index.modulo == 0 { at } else { at.rem_euclid(index.modulo) })
    };
    let (mut at, mut is_outside) = (0, false);
    for (dim, own) in access.dims.iter().zip(&access.index) {
        let dim = dim.eval(value);
        let found = index(own).filter(|found| (0..dim).contains(found));
        is_outside |= found.is_none();
        // What lies by strides of the call lies row-major here: it has these dims, and no two elements in one place.
        at = at * dim + found.unwrap_or(0);
    }
    is_outside |=
        access.within.iter().any(|(own, size)| index(own).is_none_or(|i| !(0..size.eval(value)).contains(&i)));
    match (is_outside, access.outside) {
        (true, Some(_)) => Ok(None),
        (true, None) => Err(format!("an index of {access:?} is outside at {point:?}")),
        (false, _) => inside(program, access.buffer, at, access.strides.is_some(), value).map(|()| Some(at)),
    }
}

fn inside(program: &Program, buffer: usize, element: i64, strided: bool, value: Value<'_>) -> Result<(), String> {
    let there = program.buffers[buffer].size.eval(value);
    match strided || (0..there).contains(&element) {
        true => Ok(()),
        false => Err(format!("element {element} of `{}`, which has {there}", program.buffers[buffer].name)),
    }
}

fn of_tile(program: &Program, launch: &Launch, tile: &Tile, value: Value<'_>) -> Result<(), String> {
    let space: Vec<i64> = launch.space.iter().map(|size| size.eval(value)).collect();
    let strided = |operand: &Strided, dims: &[i64]| {
        if program.strided(&program.buffers[operand.buffer]).is_some() || dims.iter().product::<i64>() > POINTS {
            return Ok(());
        }
        each(dims, |point| {
            let along = operand.strides.iter().zip(point).map(|(stride, at)| stride.eval(value) * at);
            inside(program, operand.buffer, operand.offset.eval(value) + along.sum::<i64>(), false, value)
        })
    };
    let panels = |buffer: usize, rows: i64, columns: i64| {
        inside(program, buffer, (columns + 31) / 32 * 32 * rows - 1, false, value)
    };
    let input = |c: &Conv| [c.n.eval(value), c.h.eval(value), c.w.eval(value), c.c];
    let output = |c: &Conv| [c.n.eval(value), c.y.eval(value), c.x.eval(value), c.o];
    let weight = |c: &Conv, buffer: usize| panels(buffer, c.kernel[0] * c.kernel[1] * (c.c / c.groups), c.o);
    let is = |sizes: &[i64]| if space == sizes { Ok(()) } else { Err(format!("{sizes:?} in loops of {space:?}")) };
    match tile {
        Tile::MatMul { k, a, b } => {
            let (batch, [i, j]) = space.split_last_chunk().ok_or("a product of less than matrices")?;
            let k = k.eval(value);
            strided(a, &[batch, &[*i, k]].concat())?;
            match b {
                Right::Strided(b) => strided(b, &[batch, &[k, *j]].concat()),
                Right::Panels(buffer) => panels(*buffer, k, *j),
                Right::PanelsTransposed(buffer) => panels(*buffer, *j, k),
            }
        }
        Tile::Conv2d { conv, input: x, weight: w } => {
            is(&output(conv))?;
            strided(x, &input(conv))?;
            weight(conv, *w)
        }
        Tile::Conv2dInputGrad { conv, dy, weight: w } => {
            is(&input(conv))?;
            strided(dy, &output(conv))?;
            weight(conv, *w)
        }
        Tile::Conv2dWeightGrad { conv, input: x, dy } => {
            is(&[conv.kernel[0], conv.kernel[1], conv.c / conv.groups, conv.o])?;
            strided(x, &input(conv))?;
            strided(dy, &output(conv))
        }
    }
}
