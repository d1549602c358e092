//! Checks what must hold between two stages. Written independently of the passes; a broken rule is a mistake in castnet.

use std::collections::BTreeSet;

use crate::graph::{Graph, Node, Op, Repeat, Role, Window};
use crate::program::{Access, Family, Place, Program, Right, Source, Strided, Target, Tile};
use crate::scalar::Lane;
use crate::size::Size;
use crate::types::{DType, broadcast};
use rustc_hash::FxHashMap;

/// Operands come first and every node has the type that its operator's rule gives.
pub fn verify(graph: &Graph) -> Result<(), String> {
    for (index, node) in graph.nodes.iter().enumerate() {
        let wrong = |what: &str| Err(format!("node {index} ({:?} of {:?}: {}): {what}", node.op, node.inputs, node.ty));
        if node.inputs.iter().any(|v| v.index() >= index) {
            return wrong("an operand does not come first");
        }
        let shape = |i: usize| graph.shape(node.inputs[i]);
        let same = |i: usize| node.ty.shape == shape(i);
        let primitive = node.op.primitive();
        if !primitive.operands.admit(node.inputs.len()) {
            return wrong("wrong number of operands");
        }
        let lane = node.inputs.first().map_or(node.ty.dtype, |v| graph.dtype(*v)).lane();
        if !primitive.lanes.admit(lane) {
            return wrong("there is no such operator of this element type");
        }
        let arity = node.inputs.len();
        let holds = match &node.op {
            Op::Const(_) | Op::Size(_) => node.ty.is_scalar(),
            Op::LossScale => node.ty.is_scalar() && node.ty.dtype == DType::F32,
            Op::Unary(_) | Op::Cast | Op::Detach | Op::Copy | Op::After => same(0),
            Op::Softmax(_) | Op::SafeSoftmax(_) | Op::LogSoftmax(_) => same(0),
            Op::WithSlope => (0..arity).all(same),
            Op::Binary(_) => same(0) && same(1) && graph.dtype(node.inputs[0]) == graph.dtype(node.inputs[1]),
            Op::Select | Op::Normalize(_) => same(0) && same(1) && same(2),
            Op::Broadcast => broadcast(shape(0), &node.ty.shape).as_deref() == Some(&node.ty.shape[..]),
            Op::Reshape => Size::product(shape(0)) == node.ty.len(),
            Op::Permute(order) => order.iter().map(|&a| &shape(0)[a]).eq(&node.ty.shape),
            Op::Slice { axis, step, .. } => *step != 0 && same_but(shape(0), &node.ty.shape, *axis),
            Op::Pad { before, .. } => before.len() == node.ty.rank() && shape(0).len() == before.len(),
            Op::Cat(axis) => {
                let fits = |i: usize| same_but(shape(i), &node.ty.shape, *axis);
                let lens = (0..arity).filter_map(|i| shape(i).get(*axis)).fold(Size::default(), |sum, s| &sum + s);
                (0..arity).all(fits) && lens == node.ty.shape[*axis]
            }
            Op::Gather { axis } => same(1) && is_gather(shape(0), &node.ty.shape, *axis),
            Op::Scatter { axis } => shape(0) == shape(1) && is_gather(&node.ty.shape, shape(0), *axis),
            Op::Reduce(_, axes) => {
                let kept = shape(0).iter().enumerate().filter(|(i, _)| !axes.contains(i)).map(|(_, s)| s);
                kept.eq(&node.ty.shape)
            }
            Op::MatMul { ta, tb } => {
                let (a, b, y) = (shape(0), shape(1), &node.ty.shape);
                let n = y.len();
                let at = |s: &[Size], t: bool, i: usize| s[n - 2 + usize::from(t ^ (i == 1))].clone();
                a.len() == n
                    && b.len() == n
                    && a[..n - 2] == y[..n - 2]
                    && b[..n - 2] == y[..n - 2]
                    && at(a, *ta, 0) == y[n - 2]
                    && at(b, *tb, 1) == y[n - 1]
                    && at(a, *ta, 1) == at(b, *tb, 0)
            }
            Op::Conv2d(w) => convolves(w, shape(0), shape(1), &node.ty.shape),
            Op::Conv2dInputGrad(w) => convolves(w, &node.ty.shape, shape(1), shape(0)),
            Op::Conv2dWeightGrad(w) => convolves(w, shape(0), &node.ty.shape, shape(1)),
            Op::Resample { axis, .. } => {
                let known = |s: &[Size]| s.get(*axis).is_some_and(|s| s.as_const().is_some());
                same_but(shape(0), &node.ty.shape, *axis) && known(shape(0)) && known(&node.ty.shape)
            }
            // The winner's number, and what goes to it or comes from it, of each window.
            Op::MaxPool2dGrad(_) | Op::MaxPool2dGather(_) => same(0),
            Op::MaxPool2d(_) | Op::SumPool2d(_) | Op::SumPool2dGrad(_) => pools(shape(0), &node.ty.shape),
            Op::MaxPool2dIndex(_) => pools(shape(0), &node.ty.shape),
            Op::MaxPool2dScatter(_) => shape(0) == shape(1) && pools(shape(0), &node.ty.shape),
            Op::Iota(axis) => *axis < node.ty.rank(),
            Op::Random(_) => node.ty.dtype == DType::F32,
            Op::Input(number) => graph.arguments.get(*number).is_some_and(|a| a.ty == node.ty),
            // Their types stand in the net's lists, a loop's in its body.
            Op::Parameter(_) | Op::RoundParameter { .. } | Op::Mirror { .. } => true,
            Op::State(_) | Op::RoundState { .. } => true,
            Op::Repeat(_) => true,
            Op::Routine(_) | Op::Attention(_) | Op::AttentionGrad(_) => match graph.several(node) {
                Some(Err(what)) => return wrong(&what),
                types => types.is_some_and(|types| {
                    types.is_ok_and(|types| {
                        let known = if let Op::Routine(call) = &node.op { call.routine.arity().1 } else { types.len() };
                        types.len() == known && types.first() == Some(&node.ty)
                    })
                }),
            },
            Op::Get(number) => match (graph.types(node.inputs[0]).get(*number), &graph.node(node.inputs[0]).op) {
                // The element types of states are those of what goes round.
                (Some(ty), Op::Repeat(_)) => ty.shape == node.ty.shape,
                (ty, _) => *number > 0 && ty == Some(&node.ty),
            },
        };
        if let Op::Repeat(repeat) = &node.op {
            verify_repeat(graph, node, repeat)?;
        }
        if !holds {
            return wrong("the type does not follow from the operands");
        }
        if matches!(node.op, Op::MatMul { .. } | Op::Conv2d(_) | Op::Conv2dInputGrad(_) | Op::Conv2dWeightGrad(_)) {
            let (a, b) = (graph.dtype(node.inputs[0]), graph.dtype(node.inputs[1]));
            if Lane::of_products(a, b).map(Lane::dtype) != Some(node.ty.dtype) {
                return wrong(&format!("products of {a} and {b} that are summed as {}", node.ty.dtype));
            }
        }
    }
    if graph.outputs.iter().any(|o| o.value.index() >= graph.nodes.len()) {
        return Err("an output is no node".into());
    }
    let check = |o: &crate::graph::Output| if let Role::Check(word) = o.role { Some(word) } else { None };
    let mut words: Vec<usize> = graph.outputs.iter().filter_map(check).collect();
    words.sort_unstable();
    if !words.into_iter().eq(0..graph.words()) {
        return Err("the words of checks do not fit the checks".into());
    }
    let gradients = graph.gradients();
    match gradients.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("two gradients of parameter {} that nobody adds", pair[0])),
        None => verify_states(graph),
    }
}

/// A state belongs to the rounds of loops or to the graph itself, has one type, and is assigned once.
fn verify_states(graph: &Graph) -> Result<(), String> {
    let mut types = FxHashMap::default();
    let mut assigned = BTreeSet::new();
    let reads = graph.nodes.iter().filter_map(|n| Some((n.op.state()?, &n.ty)));
    let writes = graph.outputs.iter().filter_map(|o| Some((o.role.state()?, graph.ty(o.value))));
    for (state, ty) in reads.chain(writes) {
        let known = types.entry(state).or_insert(ty);
        if **known != *ty {
            return Err(format!("state {state} is {known} and {ty}"));
        }
    }
    for state in graph.outputs.iter().filter_map(|o| o.role.state()) {
        if !assigned.insert(state) {
            return Err(format!("state {state} is assigned twice"));
        }
    }
    let in_loop = |n: &Node| if let Op::Repeat(r) = &n.op { r.states_of_net() } else { vec![] };
    // In a body, those that its own rounds have stand beside those of loops in it.
    match graph.nodes.iter().flat_map(in_loop).find(|state| types.contains_key(state)) {
        Some(state) => Err(format!("state {state} is used inside a loop and outside of it")),
        None => Ok(()),
    }
}

/// Whether two shapes differ along one axis at most.
fn same_but(a: &[Size], b: &[Size], axis: usize) -> bool {
    axis < a.len() && a.len() == b.len() && (0..a.len()).all(|i| i == axis || a[i] == b[i])
}

/// Whether a gather from `x` along an axis may have the shape `y`.
fn is_gather(x: &[Size], y: &[Size], axis: usize) -> bool {
    let behind = x.len().saturating_sub(axis + 1);
    axis < x.len() && x.len() <= y.len() + 1 && x[..axis] == y[..axis] && x[axis + 1..] == y[y.len() - behind..]
}

/// Batches, channels and kernel of a convolution fit: input, weight, output.
fn convolves(w: &Window, x: &[Size], weight: &[Size], y: &[Size]) -> bool {
    let [n, c, ..] = x else { return false };
    let groups = Size::constant(w.groups);
    x.len() == 4
        && y.len() == 4
        && *n == y[0]
        && weight.len() == 4
        && &weight[1] * &groups == *c
        && weight[0] == y[1]
        && y[1].div_exact(&groups).is_some()
        && weight[2..] == w.kernel.map(Size::constant)
}

/// Whether images of one shape may have windows of the other: batch and channels stay.
fn pools(x: &[Size], y: &[Size]) -> bool {
    x.len() == 4 && y.len() == 4 && x[..2] == y[..2]
}

/// The body's arguments and results have the types of what goes round.
fn verify_repeat(graph: &Graph, node: &Node, repeat: &Repeat) -> Result<(), String> {
    verify(&repeat.body)?;
    let body = &repeat.body;
    if !body.checks.is_empty() {
        return Err(format!("checks inside of a repeat in {}", graph.name));
    }
    let own = |n: &Node| match &n.op {
        Op::RoundParameter { steps, .. } | Op::Mirror { steps, .. } | Op::RoundState { steps, .. } => {
            steps.last().is_some_and(|step| *step > 0)
        }
        _ => false,
    };
    if repeat.count.as_const().is_none() && body.nodes.iter().any(own) {
        let count = &repeat.count;
        return Err(format!("a repeat in {} with parameters or states for each of {count} rounds", graph.name));
    }
    let seen = |(i, operand): (usize, &crate::graph::Value)| {
        let (outer, inner) = (graph.shape(*operand), &body.arguments.get(i)?.ty.shape);
        let is_row = i >= repeat.states + repeat.shared;
        let whole = match is_row {
            true => outer.strip_prefix(std::slice::from_ref(&repeat.count))?,
            false => outer,
        };
        (whole == &inner[..]).then_some(())
    };
    let states = (0..repeat.states)
        .all(|i| body.outputs.get(i).is_some_and(|o| body.shape(o.value) == &body.arguments[i].ty.shape[..]));
    // Results come first, in order; gradients and states follow.
    let results = body.outputs.iter().take_while(|o| matches!(o.role, Role::Result(_))).count();
    let ordered = body.outputs.iter().enumerate().all(|(i, o)| (o.role == Role::Result(i)) == (i < results));
    if !ordered {
        return Err(format!("the results of a repeat's body in {} are out of order", graph.name));
    }
    match node.inputs.len() == body.arguments.len()
        && node.inputs.iter().enumerate().all(|x| seen(x).is_some())
        && states
    {
        true => Ok(()),
        false => Err(format!("the body of a repeat in {} does not fit what goes round", graph.name)),
    }
}

/// Every result and every gradient of the graph is written.
pub fn verify_outputs(graph: &Graph, program: &Program) -> Result<(), String> {
    let written = |place: Place| {
        let stores = program.launches.iter().flat_map(|l| &l.stores);
        stores.into_iter().any(|s| program.buffers.get(s.buffer).is_some_and(|b| b.place == place))
    };
    for output in &graph.outputs {
        let place = match output.role {
            Role::Result(number) => Place::Result(number),
            Role::Gradient(number) | Role::RoundGradient { first: number, .. } => Place::Gradient(number),
            Role::State(number) | Role::RoundState { first: number, .. } => Place::State(number),
            Role::Check(word) => Place::Check(word),
        };
        if !written(place) {
            return Err(format!("{:?} is never written", output.role));
        }
    }
    Ok(())
}

/// Every reference is in range, every activation is written before it is read, and no two that live at one time overlap.
pub fn verify_program(program: &Program) -> Result<(), String> {
    for launch in &program.launches {
        let wrong = |what: &str| Err(format!("kernel `{}`: {what}", launch.name));
        let dims = launch.space.len() + launch.reduce.len();
        let sound = |a: &Access| {
            a.buffer < program.buffers.len()
                && a.dims.len() == a.index.len()
                && a.index
                    .iter()
                    .chain(a.within.iter().map(|(i, _)| i))
                    .all(|i| i.divide != 0 && i.terms.iter().all(|(dim, _)| *dim < dims))
        };
        if !launch.loads.iter().chain(&launch.stores).all(sound) {
            return wrong("an access is out of range");
        }
        let sum = match &launch.family {
            Family::Tile(tile) => match sums(program, tile) {
                Ok(lane) => Some(lane),
                Err(what) => return wrong(&what),
            },
            Family::Flat | Family::Row | Family::Column | Family::Scatter(_) | Family::Routine { .. } => None,
        };
        let mut rows: Vec<(usize, Lane)> = vec![];
        for stage in &launch.stages {
            let Ok(lanes) = stage.code.lanes() else { return wrong("code whose lanes do not fit") };
            if stage.code.inputs.len() != stage.inputs.len() || stage.code.outputs.len() != stage.outputs.len() {
                return wrong("a stage has other operands than its code");
            }
            let mut taken = stage.inputs.iter().zip(&stage.code.inputs).filter(|(s, _)| matches!(s, Source::Acc));
            if let (Some((_, lane)), Some(sum)) = (taken.find(|(_, lane)| Some(**lane) != sum), sum) {
                return wrong(&format!("sums in {sum:?} that a stage takes in {lane:?}"));
            }
            let of = |access: &Access| program.buffers[access.buffer].dtype.lane();
            let source = |(s, lane): (&Source, &Lane)| match s {
                Source::Load(l) => launch.loads.get(*l).is_some_and(|access| of(access) == *lane),
                Source::Gather { from, dim, index } => {
                    let index = launch.loads.get(*index).is_some_and(|access| of(access).is_int());
                    let from = launch.loads.get(*from);
                    index && from.is_some_and(|access| *dim < access.dims.len() && of(access) == *lane)
                }
                Source::Index(dim) => *dim < dims && lane.is_int(),
                Source::Row(slot) => rows.contains(&(*slot, *lane)),
                Source::Random { strides, .. } => strides.len() == dims && *lane == Lane::F32,
                Source::LossScale => *lane == Lane::F32,
                Source::Acc => sum == Some(*lane),
                Source::Size(_) => *lane != Lane::Bool,
            };
            let made: Vec<Lane> = stage.code.outputs.iter().map(|slot| lanes[*slot as usize]).collect();
            let target = |(t, lane): (&Target, &Lane)| match t {
                Target::Store(s) => launch.stores.get(*s).is_some_and(|access| of(access) == *lane),
                Target::Row(_) => true,
                Target::Reduce(f, _) => f.takes(*lane) && f.of(lane.dtype()) == lane.dtype(),
            };
            let (inputs, outputs) = (stage.inputs.iter().zip(&stage.code.inputs), stage.outputs.iter().zip(&made));
            if !inputs.into_iter().all(source) || !outputs.clone().all(target) {
                return wrong("a stage reads or writes what is not there, or in another lane");
            }
            let row = |t: &Target| match t {
                Target::Row(slot) | Target::Reduce(_, slot) => Some(*slot),
                Target::Store(_) => None,
            };
            rows.extend(outputs.filter_map(|(t, lane)| Some((row(t)?, *lane))));
        }
        let strided = |operand: &Strided| operand.strides.len() == launch.space.len();
        let tile = match &launch.family {
            Family::Tile(Tile::MatMul { a, b: Right::Strided(b), .. }) => strided(a) && strided(b),
            Family::Tile(Tile::MatMul { a, .. }) => strided(a),
            Family::Tile(Tile::Conv2d { input, .. }) => launch.space.len() == 4 && strided(input),
            Family::Tile(Tile::Conv2dInputGrad { dy, .. }) => launch.space.len() == 4 && strided(dy),
            Family::Tile(Tile::Conv2dWeightGrad { input, dy, .. }) => {
                launch.space.len() == 4 && strided(input) && strided(dy)
            }
            Family::Scatter(axis) => *axis < launch.space.len(),
            Family::Routine { routine, .. } => {
                let (reads, writes) = routine.arity();
                let has_rows = |a: &Access| a.dims.starts_with(&launch.space);
                let stores = launch.stores.len();
                launch.loads.len() == reads
                    && (stores == writes || stores == writes + 1)
                    && launch.loads.iter().chain(&launch.stores[..writes]).all(has_rows)
            }
            Family::Flat | Family::Row | Family::Column => true,
        };
        if !tile {
            return wrong("an operand of a tile has another number of dims");
        }
    }
    crate::check::check_plan(program)
}

/// The lane of a tile's sums, if its operands are of types that tiles take together.
fn sums(program: &Program, tile: &Tile) -> Result<Lane, String> {
    let [Some(a), Some(b)] = tile.buffers().map(|buffer| program.buffers.get(buffer)) else {
        return Err("an operand of a tile is nowhere".into());
    };
    Lane::of_products(a.dtype, b.dtype).ok_or_else(|| format!("a tile of {} and {}", a.dtype, b.dtype))
}
