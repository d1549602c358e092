//! Several tensors from one and one from several: `cat`, `stack`, `split`, `chunk`, `unbind`.

use super::Operator;
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::Value;
use crate::size::Size;
use crate::types::shape_text;

const X: Param = required("input", Kind::Tensor);
const DIM: Param = optional("dim", Kind::Int, "0");

/// What joins and divides.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "cat",
        doc: "The tensors one after the other along `dim`; their other sizes are equal.",
        signature: &[required("tensors", Kind::Tensors), DIM],
        build: cat,
    },
    Operator {
        name: "stack",
        doc: "The tensors, of one shape, along a new axis `dim`.",
        signature: &[required("tensors", Kind::Tensors), DIM],
        build: stack,
    },
    Operator {
        name: "split",
        doc: "A list of pieces along `dim`: of one size (the last may be smaller), or of the sizes given.",
        signature: &[X, required("split_size_or_sections", Kind::SizeOrSizes), DIM],
        build: split,
    },
    Operator {
        name: "chunk",
        doc: "A list of `chunks` equal pieces along `dim`; if it does not come out even, the last one is smaller.",
        signature: &[X, required("chunks", Kind::Int), DIM],
        build: chunk,
    },
    Operator {
        name: "unbind",
        doc: "A list of all parts along `dim`, without that axis.",
        signature: &[X, DIM],
        build: unbind,
    },
];

/// Operands of one element type, of equal shapes but for `free`, or the mistake.
fn alike(b: &mut Builder, bound: &Bound, parts: &[Value], free: Option<usize>) -> Checked<()> {
    let first = parts[0];
    let (ty, made) = (b.ty(first).clone(), b.made_by(first));
    for (i, &part) in parts.iter().enumerate().skip(1) {
        let other = b.ty(part).clone();
        let note = |d: Diagnostic| {
            d.note(b.made_at(first), format!("{ty} comes from `{made}`"))
                .note(b.made_at(part), format!("{other} comes from `{}`", b.made_by(part)))
        };
        if other.dtype != ty.dtype {
            let message = format!("element types differ in `{}`: {} and {}", bound.callee, ty.dtype, other.dtype);
            let d = note(Diagnostic::new("N0201", bound.at(0), message));
            return b.report(d.help(format!("write `.cast({})` on the other one", ty.dtype)));
        }
        let same = |a: usize| free == Some(a) || ty.shape[a] == other.shape[a];
        if other.rank() != ty.rank() || !(0..ty.rank()).all(same) {
            let (a, c) = (shape_text(&ty.shape), shape_text(&other.shape));
            let (message, help) = match free {
                Some(axis) => (
                    format!("`{}` along axis {axis} of {a} and {c} (tensor {i})", bound.callee),
                    format!("all sizes but that of axis {axis} must be equal"),
                ),
                None => (format!("`{}` of {a} and {c} (tensor {i})", bound.callee), "all shapes must be equal".into()),
            };
            let d = note(Diagnostic::new("N0102", bound.at(0), message));
            return b.report(d.help(help));
        }
    }
    Ok(())
}

fn cat(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let parts = bound.tensors(0).unwrap_or_default();
    let rank = b.rank(parts[0]);
    if rank == 0 {
        let help = "use `stack`, which makes the axis";
        return bound.wrong(b, "N0105", 0, "`cat` needs an axis to join along, found scalars", help);
    }
    let axis = bound.axis(b, 1, bound.int(1).unwrap_or(0), rank)?;
    alike(b, bound, &parts, Some(axis))?;
    Ok(Arg::Tensor(b.cat(&parts, axis)))
}

fn stack(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let parts = bound.tensors(0).unwrap_or_default();
    let axis = bound.axis(b, 1, bound.int(1).unwrap_or(0), b.rank(parts[0]) + 1)?;
    alike(b, bound, &parts, None)?;
    let mut shape = b.shape(parts[0]);
    shape.insert(axis, 1.into());
    let parts: Vec<Value> = parts.into_iter().map(|part| b.reshape(part, shape.clone())).collect();
    Ok(Arg::Tensor(b.cat(&parts, axis)))
}

/// Pieces of these lengths.
fn pieces(b: &mut Builder, x: Value, axis: usize, lengths: &[Size]) -> Arg {
    let mut start = Size::default();
    let piece = |length: &Size| {
        let piece = b.slice(x, axis, start.clone(), length.clone());
        start = &start + length;
        Arg::Tensor(piece)
    };
    Arg::List(lengths.iter().map(piece).collect())
}

/// How often `length` goes into an axis, and what is left; `None` if that depends on run-time sizes.
fn divided(axis: &Size, length: &Size) -> Option<(i64, Size)> {
    match (axis.as_const(), length.as_const()) {
        (Some(axis), Some(length)) if length > 0 => Some((axis / length, (axis % length).into())),
        _ => Some((axis.div_exact(length)?.as_const()?, Size::default())),
    }
}

/// As many pieces of this length as there are, and the rest.
fn equal_pieces(b: &mut Builder, bound: &Bound, x: Value, axis: usize, length: Size) -> Checked<Arg> {
    let len = b.shape(x)[axis].clone();
    if length.as_const().is_some_and(|l| l < 1) {
        let message = format!("`{}` in pieces of {length}", bound.callee);
        return bound.wrong(b, "N0306", 1, message, "a piece has at least 1 element");
    }
    let Some((count, rest)) = divided(&len, &length) else {
        let message = format!(
            "`{}` of an axis of {len} in pieces of {length}: how many they are depends on run-time sizes",
            bound.callee
        );
        return bound.wrong(b, "N0107", 1, message, "give the sizes as a list, or take a slice: `x[.., 0..4]`");
    };
    let mut lengths = vec![length; count as usize];
    lengths.extend((!rest.is_zero()).then_some(rest));
    Ok(pieces(b, x, axis, &lengths))
}

fn split(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let axis = bound.axis(b, 2, bound.int(2).unwrap_or(0), b.rank(x))?;
    if let Some(Arg::Size(length)) = bound.arg(1) {
        return equal_pieces(b, bound, x, axis, length.clone());
    }
    let lengths = bound.sizes(1).unwrap_or_default();
    if let Some(bad) = lengths.iter().find(|l| l.as_const().is_some_and(|l| l < 1)) {
        return bound.wrong(b, "N0306", 1, format!("`split` with a piece of {bad}"), "a piece has at least 1 element");
    }
    let (sum, len) = (lengths.iter().fold(Size::default(), |sum, l| &sum + l), b.shape(x)[axis].clone());
    if sum != len {
        let message =
            format!("`split` in pieces of {sum} in all, but axis {axis} of {} has {len}", shape_text(&b.shape(x)));
        let d = Diagnostic::new("N0102", bound.at(1), message)
            .note(b.made_at(x), format!("{} comes from `{}`", shape_text(&b.shape(x)), b.made_by(x)))
            .help("the sizes of the pieces add up to that of the axis");
        return b.report(d);
    }
    Ok(pieces(b, x, axis, &lengths))
}

fn chunk(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let axis = bound.axis(b, 2, bound.int(2).unwrap_or(0), b.rank(x))?;
    let (chunks, len) = (bound.int(1).unwrap_or(1), b.shape(x)[axis].clone());
    if chunks < 1 {
        return bound.wrong(b, "N0306", 1, format!("`chunk` into {chunks} pieces"), "there is at least 1 piece");
    }
    let length = match len.as_const() {
        Some(len) => Some(Size::constant((len + chunks - 1) / chunks)),
        None => len.div_exact(&chunks.into()),
    };
    match length {
        Some(length) => equal_pieces(b, bound, x, axis, length),
        None => {
            let message = format!("`chunk` of an axis of {len} into {chunks} does not come out even for every value");
            bound.wrong(b, "N0511", 1, message, "write the size as a multiple of the chunks in the type of the input")
        }
    }
}

fn unbind(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let axis = bound.axis(b, 1, bound.int(1).unwrap_or(0), b.rank(x))?;
    let mut shape = b.shape(x);
    let Some(len) = shape[axis].as_const() else {
        let message =
            format!("`unbind` of an axis of {}: how many parts that are depends on run-time sizes", shape[axis]);
        return bound.wrong(b, "N0107", 1, message, "take parts by `select`, or write the number in the input's type");
    };
    shape.remove(axis);
    let part = |i: i64| {
        let part = b.slice(x, axis, i.into(), 1.into());
        Arg::Tensor(b.reshape(part, shape.clone()))
    };
    Ok(Arg::List((0..len).map(part).collect()))
}
