//! Written types: what they mean, and how a value that does not fit is described.

use castnet_graph::call::Arg;
use castnet_graph::diagnostic::{Diagnostic, Loc};
use castnet_graph::graph::{Origin, Value};
use castnet_graph::size::Size;
use castnet_graph::types::{self, DType};

use super::expr::Lowering;
use super::scope::Frame;
use crate::ast::{Axis, Expr, ExprKind, Promise, Type};

/// A type as declared: `None` for `_`.
pub(super) struct Expected {
    /// The element type.
    pub dtype: DType,
    /// The sizes.
    pub axes: Vec<Option<Size>>,
}

impl Expected {
    /// Whether a type is as declared.
    pub fn admits(&self, found: &types::Type) -> bool {
        let fits = |(want, have): (&Option<Size>, &Size)| want.as_ref().is_none_or(|want| want == have);
        self.dtype == found.dtype && self.axes.len() == found.rank() && self.axes.iter().zip(&found.shape).all(fits)
    }

    /// The type, if no size is left open.
    pub fn known(&self) -> Option<types::Type> {
        Some(types::Type::new(self.dtype, self.axes.iter().cloned().collect::<Option<types::Shape>>()?))
    }

    /// `f32[N, _]`.
    pub fn text(&self) -> String {
        let axes: Vec<_> = self.axes.iter().map(|a| a.as_ref().map_or("_".into(), Size::to_string)).collect();
        if axes.is_empty() { self.dtype.to_string() } else { format!("{}[{}]", self.dtype, axes.join(", ")) }
    }

    /// What to do where `found` stands instead.
    pub fn advice(&self, found: &types::Type) -> String {
        let scalar = self.axes.is_empty();
        match () {
            _ if self.axes.len() == found.rank() && self.dtype != found.dtype => {
                format!("convert it: `.cast({})`", self.dtype)
            }
            _ if scalar && self.dtype.is_float() => "reduce it to a scalar, such as by `.mean()` or `.sum()`".into(),
            _ if self.axes.len() != found.rank() => axes_instead(found.rank(), self.axes.len()),
            _ => {
                let differ = |(i, (want, have)): (usize, (&Option<Size>, &Size))| {
                    let want = want.as_ref().filter(|want| *want != have)?;
                    Some(format!("axis {i} is {have} instead of {want}"))
                };
                self.axes.iter().zip(&found.shape).enumerate().filter_map(differ).collect::<Vec<_>>().join(", ")
            }
        }
    }
}

impl<'a> Lowering<'a, '_, '_> {
    /// What a written type means; `None` if it has a mistake, which is reported here.
    pub fn ty(&mut self, frame: &mut Frame<'a>, ty: &'a Type) -> Option<Expected> {
        let mut axes = vec![];
        for axis in &ty.axes {
            axes.push(match axis {
                Axis::Any(_) => None,
                Axis::Size(size) => Some(self.size(frame, size)?),
            });
        }
        Some(Expected { dtype: ty.element.of(self.b.float()), axes })
    }

    /// A size in a type: at least 1, as far as that is known.
    pub fn size(&mut self, frame: &mut Frame<'a>, written: &'a Expr) -> Option<Size> {
        let found = match self.expression(frame, written) {
            Arg::Unknown => return None,
            Arg::Size(size) if size.as_const().is_none_or(|c| c >= 1) => return Some(size),
            Arg::Size(size) => format!("a size is at least 1, found {size}"),
            other => format!("a size is an integer, found {}", other.describe(self.b)),
        };
        let help = match &written.kind {
            ExprKind::Float(_) => "write an integer",
            _ => "write a positive integer, an upper-case name, or arithmetic of them",
        };
        self.mistake(Diagnostic::new("N0512", written.at, found).help(help));
        None
    }

    /// A value as a tensor: numbers become scalars.
    pub fn tensor(&mut self, value: &Arg, dtype: DType, at: Loc) -> Option<Value> {
        let number = match value {
            Arg::Tensor(value) => return Some(*value),
            Arg::Float(number) if dtype.is_float() => *number,
            Arg::Size(size) if dtype != DType::Bool => size.as_const()? as f64,
            Arg::Bool(truth) if dtype == DType::Bool => f64::from(u8::from(*truth)),
            _ => return None,
        };
        let before = std::mem::replace(&mut self.b.origin, Origin::new(at, "number"));
        let value = self.b.constant(number, dtype);
        self.b.origin = before;
        Some(value)
    }

    /// Says where a value was made, unless the mistake stands there itself.
    pub fn came_from(&self, d: Diagnostic, value: Value, at: Loc) -> Diagnostic {
        let made = self.b.made_at(value);
        match made == at {
            true => d,
            false => d.note(made, format!("{} comes from `{}`", self.b.ty(value), self.b.made_by(value))),
        }
    }

    /// What a promise means, part by part; `None` if it has a mistake, which is reported here.
    pub fn promised(&mut self, frame: &mut Frame<'a>, promise: &'a Promise) -> Option<Vec<Expected>> {
        let types = match promise {
            Promise::One(ty) => std::slice::from_ref(ty),
            Promise::Tuple(types, _) => types,
        };
        types.iter().map(|ty| self.ty(frame, ty)).collect()
    }
}

/// `it has 2 axes instead of 1`.
pub(super) fn axes_instead(found: usize, wanted: usize) -> String {
    format!("it has {found} ax{} instead of {wanted}", if found == 1 { "is" } else { "es" })
}

/// A type as it is written, as far as that can be said without its names.
pub fn type_text(ty: &Type) -> String {
    fn size(expr: &Expr) -> String {
        match &expr.kind {
            ExprKind::Name(name) => name.clone(),
            ExprKind::Int(value) => value.to_string(),
            _ => "…".into(),
        }
    }
    let axis = |axis: &Axis| match axis {
        Axis::Any(_) => "_".into(),
        Axis::Size(expr) => size(expr),
    };
    let axes: Vec<String> = ty.axes.iter().map(axis).collect();
    let element = ty.element.name();
    if axes.is_empty() { element.to_string() } else { format!("{element}[{}]", axes.join(", ")) }
}
