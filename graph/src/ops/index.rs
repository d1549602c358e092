//! Elements by their place: `x[.., 0..5, i]`, `select`, `narrow`, and by places that are data: `gather`, `index_select`, `embedding`.

use super::{Operator, pointwise::detach};
use crate::autocast::Autocast;
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, optional, required};
use crate::diagnostic::{Diagnostic, Loc};
use crate::graph::{Op, Value};
use crate::number::Number;
use crate::rules::{Relation, Rule};
use crate::scalar::Binary;
use crate::size::Size;
use crate::types::{DType, Type, shape_text};

const X: Param = required("input", Kind::Tensor);

/// What takes elements out.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "select",
        doc: "The elements at `index` of axis `dim`, which disappears: `x[.., index]`.",
        signature: &[X, required("dim", Kind::Int), required("index", Kind::Size)],
        build: select,
    },
    Operator {
        name: "narrow",
        doc: "`length` elements along axis `dim`, from `start` on.",
        signature: &[X, required("dim", Kind::Int), required("start", Kind::Size), required("length", Kind::Size)],
        build: narrow,
    },
    Operator {
        name: "gather",
        doc: "For each element of `index` the element of the input at its own place, but at the index along `dim`. The sizes of the other axes are equal.",
        signature: &[X, required("dim", Kind::Int), required("index", Kind::Tensor)],
        build: gather,
    },
    Operator {
        name: "scatter_add",
        doc: "The input, to which each element of `src` is added at its own place, but at the index along `dim`. `src` and `index` have one shape, the input's but for that axis.",
        signature: &[X, required("dim", Kind::Int), required("index", Kind::Tensor), required("src", Kind::Tensor)],
        build: scatter_add,
    },
    Operator {
        name: "index_select",
        doc: "The parts of the input along `dim` that a list of indices names.",
        signature: &[X, required("dim", Kind::Int), required("index", Kind::Tensor)],
        build: index_select,
    },
    Operator {
        name: "embedding",
        doc: "The rows of `weight` that the input names: integers of any shape give that shape and the features. Row `padding_idx` gets no gradient.",
        signature: &[X, required("weight", Kind::Tensor), optional("padding_idx", Kind::Int, "None")],
        build: embedding,
    },
    Operator {
        name: "one_hot",
        doc: "A new last axis of `num_classes`: 1 at the class, 0 elsewhere, as i64.",
        signature: &[X, required("num_classes", Kind::Int)],
        build: one_hot,
    },
];

/// One index of `x[…]`. Negative constants count from the end of the axis.
#[derive(Clone, Debug, PartialEq)]
pub enum IndexItem {
    /// `..`: the whole axis.
    All,
    /// `a..b`: from the first to the one before the second.
    Range(Option<Size>, Option<Size>),
    /// One place: the axis disappears.
    At(Size),
    /// The places that a tensor of integers names: its axes stand in the place of the axis.
    Places(Value, Loc),
}

/// `x[items…]`, at a place. Axes without an item are whole; what lies outside is a mistake, or a rule of the function where it depends on
/// run-time sizes.
pub fn index(b: &mut Builder, at: Loc, x: Value, items: &[IndexItem]) -> Checked<Value> {
    let rank = b.rank(x);
    if items.len() > rank {
        let message = format!("{} indices of {}, which has {rank} axes", items.len(), b.ty(x));
        let d = Diagnostic::new("N0103", at, message)
            .note(b.made_at(x), format!("it comes from `{}`", b.made_by(x)))
            .help("write one index an axis; `..` is a whole one");
        return b.report(d);
    }
    let places = |item: &&IndexItem| matches!(item, IndexItem::Places(..));
    let removes = items.iter().any(|item| matches!(item, IndexItem::At(_)));
    if let Some(IndexItem::Places(_, place)) = items.iter().filter(places).nth(usize::from(!removes)) {
        let message = "a tensor of indices stands beside another one, or beside a number";
        let d = Diagnostic::new("N0518", *place, message);
        return b.report(d.help("take one after the other: `x[i][.., 0]`"));
    }
    let before = b.enter(at, "slice", Autocast::Follow);
    let result = items_of(b, at, x, items);
    b.origin = before;
    result
}

fn items_of(b: &mut Builder, at: Loc, x: Value, items: &[IndexItem]) -> Checked<Value> {
    let (mut result, mut kept) = (x, vec![]);
    for (axis, item) in items.iter().enumerate() {
        let len = b.shape(x)[axis].clone();
        match item {
            IndexItem::All => {}
            IndexItem::Range(start, end) => {
                let end_of = |end: &Option<Size>| end.as_ref().map_or_else(String::new, Size::to_string);
                let written = format!("the range {}..{}", end_of(start), end_of(end));
                let start = start.as_ref().map_or(Size::default(), |s| from_end(s, &len));
                let end = end.as_ref().map_or(len.clone(), |s| from_end(s, &len));
                result = part(b, at, result, axis, [start, end], &written)?;
            }
            IndexItem::Places(index, place) => {
                result = places(b, *place, result, axis, *index)?;
                kept.extend(b.shape(*index));
                continue;
            }
            IndexItem::At(index) => {
                result = one(b, at, result, axis, index)?;
                continue;
            }
        }
        kept.push(b.shape(result)[axis].clone());
    }
    kept.extend(b.shape(x)[items.len()..].iter().cloned());
    Ok(b.reshape(result, kept))
}

/// The parts along an axis that indices name; the axes of the indices become one, so that those behind keep their numbers.
fn places(b: &mut Builder, at: Loc, x: Value, axis: usize, index: Value) -> Checked<Value> {
    let ty = b.ty(index).clone();
    if !ty.dtype.is_int() {
        let help = match ty.dtype {
            DType::Bool => {
                "at how many places a condition holds is not known at build: keep all by `where_(condition, x, 0)`, or take the first few by the indices `nonzero(condition, size = 8)[0]`"
            }
            _ => "indices are integers: `i64[N]`, `u32[N]` …, or convert them: `.cast(i64)`",
        };
        let d = Diagnostic::new("N0206", at, format!("indices are of an integer type, found {ty}"))
            .note(b.made_at(index), format!("they come from `{}`", b.made_by(index)));
        return b.report(d.help(help));
    }
    let flat = match &ty.shape[..] {
        [_] => index,
        _ => b.reshape(index, vec![ty.len()]),
    };
    take(b, at, x, axis, flat)
}

/// A negative constant, counted from the end.
fn from_end(place: &Size, len: &Size) -> Size {
    match place.as_const() {
        Some(c) if c < 0 => len + place,
        _ => place.clone(),
    }
}

/// The element at `index` of an axis, which stays, with that element alone.
fn one(b: &mut Builder, at: Loc, x: Value, axis: usize, index: &Size) -> Checked<Value> {
    let start = from_end(index, &b.shape(x)[axis]);
    let end = &start + &1.into();
    part(b, at, x, axis, [start, end], &format!("index {index}"))
}

/// The elements `start..end` along an axis: at least one, all of them there.
pub(super) fn range(b: &mut Builder, at: Loc, x: Value, axis: usize, start: Size, end: Size) -> Checked<Value> {
    let written = format!("the range {start}..{end}");
    part(b, at, x, axis, [start, end], &written)
}

/// The same; `written` says what stands there, where an end may be counted from the last element on.
fn part(b: &mut Builder, at: Loc, x: Value, axis: usize, ends: [Size; 2], written: &str) -> Checked<Value> {
    let ([start, end], shape) = (ends, b.shape(x));
    let (len, length) = (shape[axis].clone(), &end - &start);
    let rules = [
        Rule::new(start.clone(), Relation::AtLeast, Size::default()),
        Rule::new(len.clone(), Relation::AtLeast, end.clone()),
        Rule { not_empty: true, ..Rule::new(end, Relation::AtLeast, &start + &1.into()) },
    ];
    for rule in rules {
        if !b.require(rule, format!("takes {written}")) {
            let message = match length.as_const().is_some_and(|l| l < 1) {
                true => format!("{written} is empty"),
                false => format!("{written} of an axis of {len} elements: {}", shape_text(&shape)),
            };
            let d = Diagnostic::new("N0110", at, message)
                .note(b.made_at(x), format!("{} comes from `{}`", shape_text(&shape), b.made_by(x)))
                .help(format!("axis {axis} has places 0 to {}; -1 is the last one", &len - &1.into()));
            return b.report(d);
        }
    }
    Ok(b.slice(x, axis, start, length))
}

fn select(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let axis = bound.axis(b, 1, bound.int(1).unwrap_or(0), b.rank(x))?;
    let mut shape = b.shape(x);
    let one = one(b, bound.at(2), x, axis, &bound.size(2).unwrap_or_default())?;
    shape.remove(axis);
    Ok(Arg::Tensor(b.reshape(one, shape)))
}

fn narrow(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let axis = bound.axis(b, 1, bound.int(1).unwrap_or(0), b.rank(x))?;
    let [given, length] = [2, 3].map(|slot| bound.size(slot).unwrap_or_default());
    let start = from_end(&given, &b.shape(x)[axis]);
    let written = format!("{length} elements from {given} on");
    let end = &start + &length;
    part(b, bound.at(2), x, axis, [start, end], &written).map(Arg::Tensor)
}

/// An operand of indices.
pub(super) fn indices(b: &mut Builder, bound: &Bound, slot: usize) -> Checked<Value> {
    let index = bound.tensor(b, slot, None);
    let ty = b.ty(index).clone();
    if ty.dtype.is_int() {
        return Ok(index);
    }
    let d = Diagnostic::new(
        "N0206",
        bound.at(slot),
        format!("`{}` needs indices of an integer type, found {ty}", bound.callee),
    )
    .note(b.made_at(index), format!("`{}` is {}", b.made_by(index), ty.dtype))
    .help("indices are integers: `i64[N]`, `u32[N]` …, or convert them: `.cast(i64)`");
    b.report(d)
}

fn gather(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let (x, index) = (bound.tensor(b, 0, None), indices(b, bound, 2)?);
    let axis = bound.axis(b, 1, bound.int(1).unwrap_or(0), b.rank(x))?;
    let (from, to) = (b.shape(x), b.shape(index));
    let fits = from.len() == to.len() && (0..from.len()).all(|a| a == axis || from[a] == to[a]);
    if !fits {
        let (from, to) = (shape_text(&from), shape_text(&to));
        let message = format!("`gather` of {from} with indices {to}: all sizes but that of axis {axis} must be equal");
        let d = Diagnostic::new("N0102", bound.at(2), message)
            .note(b.made_at(x), format!("{from} comes from `{}`", b.made_by(x)))
            .note(b.made_at(index), format!("{to} comes from `{}`", b.made_by(index)))
            .help("give the indices the input's shape (`.expand([…])`), with any size on that axis");
        return b.report(d);
    }
    b.numbers_below(index, &from[axis], bound.at(2))?;
    let ty = Type::new(b.graph.dtype(x), to);
    Ok(Arg::Tensor(b.push(Op::Gather { axis }, vec![x, index], ty)))
}

fn scatter_add(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let (x, index, src) = (bound.tensor(b, 0, None), indices(b, bound, 2)?, bound.tensor(b, 3, None));
    let axis = bound.axis(b, 1, bound.int(1).unwrap_or(0), b.rank(x))?;
    let (to, at, from) = (b.shape(x), b.shape(index), b.shape(src));
    let fits = to.len() == at.len() && (0..to.len()).all(|a| a == axis || to[a] == at[a]);
    if !fits || at != from {
        let (to, at, from) = (shape_text(&to), shape_text(&at), shape_text(&from));
        let message =
            format!("`scatter_add` to {to} of {from} at indices {at}: all sizes but that of axis {axis} must be equal");
        let help = "give `src` and `index` the input's shape, with any size on that axis";
        return bound.wrong(b, "N0102", 2, message, help);
    }
    let dtype = b.graph.dtype(x);
    if dtype == DType::Bool {
        return bound.wrong(b, "N0203", 0, "`scatter_add` adds numbers, found bool", "convert first: `.cast(i64)`");
    }
    if b.graph.dtype(src) != dtype {
        let message = format!("element types differ in `scatter_add`: {dtype} and {}", b.graph.dtype(src));
        return bound.wrong(b, "N0201", 3, message, "add numbers of one type: `.cast(…)`");
    }
    b.numbers_below(index, &to[axis], bound.at(2))?;
    // Sums are made in the lane of the type.
    let src = b.cast(src, dtype.lane().dtype());
    let ty = Type::new(b.graph.dtype(src), to);
    let sums = b.push(Op::Scatter { axis }, vec![src, index], ty);
    let sums = b.cast(sums, dtype);
    Ok(Arg::Tensor(b.pointwise(Binary::Add, x, sums)))
}

fn index_select(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let (x, index) = (bound.tensor(b, 0, None), indices(b, bound, 2)?);
    let axis = bound.axis(b, 1, bound.int(1).unwrap_or(0), b.rank(x))?;
    if b.rank(index) != 1 {
        let message = format!("`index_select` needs one axis of indices, found {}", b.ty(index));
        return bound.wrong(b, "N0105", 2, message, "give a list of indices, such as `i64[K]`");
    }
    take(b, bound.at(2), x, axis, index).map(Arg::Tensor)
}

/// The parts of `x` along an axis that an index names; the axes of the index stand in the place of that axis.
pub(crate) fn take(b: &mut Builder, at: Loc, x: Value, axis: usize, index: Value) -> Checked<Value> {
    let (from, named) = (b.shape(x), b.shape(index));
    if let Some((start, len)) = counted(b, index) {
        // Neighbours: a slice.
        return range(b, at, x, axis, start.clone(), &start + &len);
    }
    b.numbers_below(index, &from[axis], at)?;
    let shape = [&from[..axis], &named, &from[axis + 1..]].concat();
    let mut aligned = vec![Size::constant(1); shape.len()];
    aligned[axis..axis + named.len()].clone_from_slice(&named);
    let index = b.reshape(index, aligned);
    let index = b.broadcast_to(index, &shape);
    let ty = Type::new(b.graph.dtype(x), shape);
    Ok(b.push(Op::Gather { axis }, vec![x, index], ty))
}

/// Where `arange(start, start + len)` starts, if the list of indices is that.
fn counted(b: &Builder, index: Value) -> Option<(Size, Size)> {
    let node = b.graph.node(index);
    let [len] = &node.ty.shape[..] else { return None };
    match node.op {
        Op::Iota(0) => Some((Size::default(), len.clone())),
        Op::Binary(Binary::Add) => {
            let (start, len) = counted(b, node.inputs[0])?;
            Some((&start + &size_of(b, node.inputs[1])?, len))
        }
        _ => None,
    }
}

/// The size that a value is everywhere.
fn size_of(b: &Builder, value: Value) -> Option<Size> {
    let node = b.graph.node(value);
    match &node.op {
        Op::Const(Number::Int(c)) => Some((*c).into()),
        Op::Size(size) => Some(size.clone()),
        Op::Broadcast | Op::Reshape => size_of(b, node.inputs[0]),
        _ => None,
    }
}

fn embedding(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let (index, weight) = (indices(b, bound, 0)?, bound.tensor(b, 1, None));
    if b.rank(weight) != 2 {
        let message = format!("`embedding` needs a weight [rows, features], found {}", b.ty(weight));
        return bound.wrong(b, "N0105", 1, message, "give a matrix with a row for each index");
    }
    let padding = match bound.int(2) {
        None => None,
        Some(row) => Some(padding_row(b, bound, 2, row, &b.shape(weight)[0])?),
    };
    rows(b, bound.at(0), index, weight, padding).map(Arg::Tensor)
}

/// The number of the row of zeros; negative ones count from the end.
pub(crate) fn padding_row(b: &mut Builder, bound: &Bound, slot: usize, given: i64, rows: &Size) -> Checked<i64> {
    let count = rows.as_const().unwrap_or(i64::MAX);
    let row = if given < 0 { given + count } else { given };
    if (0..count).contains(&row) {
        return Ok(row);
    }
    let message = format!("`{}` with padding_idx = {given}: there are {rows} rows", bound.callee);
    bound.wrong(b, "N0306", slot, message, format!("rows run from 0 to {}", count - 1))
}

/// The rows of `weight` that an index names.
pub(crate) fn rows(b: &mut Builder, at: Loc, index: Value, weight: Value, padding: Option<i64>) -> Checked<Value> {
    let found = take(b, at, weight, 0, index)?;
    let Some(padding) = padding else { return Ok(found) };
    // No gradient flows back through the row of the padding.
    let mut kept = b.shape(index);
    let is_padding = b.binary_const(Binary::Eq, index, padding as f64);
    kept.push(1.into());
    let is_padding = b.reshape(is_padding, kept);
    let held = detach(b, found);
    b.select(is_padding, held, found)
}

fn one_hot(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let index = indices(b, bound, 0)?;
    let classes = bound.int(1).unwrap_or(1);
    if classes < 1 {
        let message = format!("`one_hot` with num_classes = {classes}");
        return bound.wrong(b, "N0306", 1, message, "the number of classes must be known: at least 1");
    }
    b.numbers_below(index, &classes.into(), bound.at(0))?;
    let mut shape = b.shape(index);
    shape.push(1.into());
    let column = b.cast(index, DType::I64);
    let column = b.reshape(column, shape.clone());
    *shape.last_mut().unwrap_or(&mut Size::default()) = classes.into();
    let axis = shape.len() - 1;
    let class = b.push(Op::Iota(axis), vec![], Type::new(DType::I64, shape));
    let hit = b.binary(Binary::Eq, class, column)?;
    Ok(Arg::Tensor(b.cast(hit, DType::I64)))
}
