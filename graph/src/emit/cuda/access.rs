//! Index arithmetic: which element belongs to a point of the loops, as C expressions with run-time sizes in them.

use std::fmt::Write;

use crate::program::{self, Index};
use crate::scalar::Literal;
use crate::size::Size;

/// `offset + Σ steps · loop index`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Form {
    pub offset: Size,
    /// A step for each loop dim.
    pub steps: Vec<Size>,
}

/// From a point of the loops to an element of a buffer.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub buffer: usize,
    pub map: Map,
    /// What a load gives outside, if an index may lie there.
    pub outside: Option<Literal>,
}

#[derive(Clone, Debug)]
pub(super) enum Map {
    /// Linear, and always inside.
    Linear(Form),
    /// An index at a time.
    General(Vec<Dim>),
}

/// An index that is divided, wrapped or checked.
#[derive(Clone, Debug)]
pub(super) struct Dim {
    pub form: Form,
    divide: i64,
    exact: bool,
    modulo: i64,
    size: Size,
    /// Elements from one index to the next.
    stride: Size,
    checked: bool,
}

/// Where an element lies, in C.
#[derive(Clone, Debug, Default)]
pub(super) struct Element {
    /// Lines that name indices.
    pub lines: Vec<String>,
    /// What must hold for the element to be there: empty if it always is.
    pub inside: String,
    /// Its number.
    pub at: String,
}

impl Form {
    /// The index of dim `dim` of `dims`.
    pub(super) fn of(dim: usize, dims: usize) -> Form {
        Form { offset: 0.into(), steps: (0..dims).map(|d| i64::from(d == dim).into()).collect() }
    }

    /// In C, over the names of the loop dims.
    pub(super) fn text(&self, names: &[String]) -> String {
        let terms = self.steps.iter().zip(names).filter(|(step, _)| !step.is(0));
        let mut text = String::new();
        for (step, name) in terms {
            let negative = step.as_const().is_some_and(|c| c < 0);
            let magnitude = if negative { &Size::constant(0) - step } else { step.clone() };
            let term = if magnitude.is(1) { name.clone() } else { format!("{} * {name}", factor(&magnitude)) };
            let sign = match (text.is_empty(), negative) {
                (true, false) => "",
                (true, true) => "-",
                (false, false) => " + ",
                (false, true) => " - ",
            };
            let _ = write!(text, "{sign}{term}");
        }
        match self.offset.as_const() {
            Some(0) if !text.is_empty() => text,
            Some(offset) if offset < 0 && !text.is_empty() => format!("{text} - {}", -offset),
            _ if text.is_empty() => expression(&self.offset),
            _ => format!("{text} + {}", expression(&self.offset)),
        }
    }
}

impl Form {
    /// As [`Form::text`], 64 bits wide: the position of a random number.
    pub(super) fn wide_text(&self, names: &[String]) -> String {
        let terms = self.steps.iter().zip(names).filter(|(step, _)| !step.is(0));
        let mut texts: Vec<_> =
            terms.map(|(s, name)| format!("(unsigned long long)({}) * {name}", expression(s))).collect();
        if !self.offset.is_zero() {
            texts.push(format!("(unsigned long long)({})", expression(&self.offset)));
        }
        if texts.is_empty() { "0ULL".into() } else { texts.join(" + ") }
    }
}

impl Access {
    /// `sizes` are those of the loop dims.
    pub(super) fn new(access: &program::Access, sizes: &[Size]) -> Access {
        let mut stride = Size::constant(1);
        let mut dims = vec![];
        for (dim, (size, index)) in access.dims.iter().zip(&access.index).enumerate().rev() {
            let checked = access.outside.is_some() && !is_inside(index, size, sizes);
            let own = access.strides.as_ref().map_or(&stride, |strides| &strides[dim]).clone();
            dims.insert(0, Dim::new(index, size, own, sizes, checked));
            stride = &stride * size;
        }
        // What is only checked leads nowhere in memory.
        let within = access.within.iter().filter(|(index, size)| !is_inside(index, size, sizes));
        dims.extend(within.map(|(index, size)| Dim::new(index, size, 0.into(), sizes, true)));
        let linear = dims.iter().all(|d| d.divide == 1 && d.modulo == 0 && !d.checked);
        let map = if linear { Map::Linear(sum(&dims, sizes.len())) } else { Map::General(dims) };
        Access { buffer: access.buffer, map, outside: access.outside }
    }

    /// The linear forms that it is made of.
    pub(super) fn forms(&mut self) -> Vec<&mut Form> {
        match &mut self.map {
            Map::Linear(form) => vec![form],
            Map::General(dims) => dims.iter_mut().map(|d| &mut d.form).collect(),
        }
    }

    /// In C, over the names of the loop dims; names of indices end with `name`.
    pub(super) fn place(&self, names: &[String], name: &str) -> Element {
        let dims = match &self.map {
            Map::Linear(form) => return Element { at: form.text(names), ..Element::default() },
            Map::General(dims) => dims,
        };
        let (mut place, mut conditions, mut terms) = (Element::default(), vec![], vec![]);
        for (number, dim) in dims.iter().enumerate() {
            if dim.form.steps.iter().all(|s| s.is(0)) && dim.form.offset.is(0) && !dim.checked {
                continue;
            }
            let whole = dim.form.text(names);
            let plain = dim.divide == 1 && dim.modulo == 0 && !dim.checked;
            let index = if plain {
                if whole.contains(' ') { format!("({whole})") } else { whole }
            } else {
                let index = format!("at{number}_{name}");
                dim.define(&index, whole, &mut place.lines, &mut conditions);
                index
            };
            if dim.stride.is(0) {
                continue;
            }
            terms.push(if dim.stride.is(1) { index } else { format!("{} * {index}", factor(&dim.stride)) });
        }
        place.inside = conditions.join(" && ");
        place.at = if terms.is_empty() { "0".into() } else { terms.join(" + ") };
        place
    }
}

impl Dim {
    fn new(index: &Index, size: &Size, stride: Size, sizes: &[Size], checked: bool) -> Dim {
        let mut steps = vec![Size::constant(0); sizes.len()];
        index.terms.iter().for_each(|&(dim, coefficient)| steps[dim] = &steps[dim] + &coefficient.into());
        let form = Form { offset: index.offset.clone(), steps };
        let Index { divide, exact, modulo, .. } = *index;
        Dim { form, divide, exact, modulo, size: size.clone(), stride, checked }
    }

    /// Defines the index as the variable `index`.
    fn define(&self, index: &str, mut whole: String, lines: &mut Vec<String>, conditions: &mut Vec<String>) {
        if self.divide != 1 && self.exact {
            lines.push(format!("const int {index}_whole = {whole};"));
            conditions.push(format!("{index}_whole % {} == 0", self.divide));
            whole = format!("{index}_whole / {}", self.divide);
        } else if self.divide != 1 {
            whole = format!("cn::floor_div({whole}, {})", self.divide);
        }
        if self.modulo != 0 {
            whole = format!("cn::wrap({whole}, {})", self.modulo);
        }
        lines.push(format!("const int {index} = {whole};"));
        if self.checked {
            conditions.push(format!("0 <= {index} && {index} < {}", factor(&self.size)));
        }
    }
}

/// Whether an index lies inside its dim for every point, as far as can be seen.
fn is_inside(index: &Index, size: &Size, sizes: &[Size]) -> bool {
    if let [(dim, 1)] = index.terms[..]
        && index.is_affine()
        && index.offset.is_zero()
        && sizes[dim] == *size
    {
        return true;
    }
    if index.divide != 1 && index.exact {
        return false;
    }
    if index.modulo != 0 {
        return size.as_const().is_some_and(|size| index.modulo <= size);
    }
    let start = index.offset.as_const();
    let range = start.and_then(|start| {
        index.terms.iter().try_fold((start, start), |(low, high), &(dim, coefficient)| {
            let end = coefficient * (sizes[dim].as_const()? - 1).max(0);
            Some((low + end.min(0), high + end.max(0)))
        })
    });
    match (range, size.as_const()) {
        (Some((low, high)), Some(size)) => low.div_euclid(index.divide) >= 0 && high.div_euclid(index.divide) < size,
        _ => false,
    }
}

fn sum(dims: &[Dim], loops: usize) -> Form {
    let mut sum = Form { offset: 0.into(), steps: vec![0.into(); loops] };
    for dim in dims {
        sum.offset = &sum.offset + &(&dim.form.offset * &dim.stride);
        for (sum, step) in sum.steps.iter_mut().zip(&dim.form.steps) {
            *sum = &*sum + &(step * &dim.stride);
        }
    }
    sum
}

/// A size as an expression of C.
pub(super) fn expression(size: &Size) -> String {
    let mut text = String::new();
    for (monomial, coefficient) in size.terms().iter().rev() {
        let sign = match (text.is_empty(), *coefficient < 0) {
            (true, false) => "",
            (true, true) => "-",
            (false, false) => " + ",
            (false, true) => " - ",
        };
        let names: Vec<String> = monomial.names().iter().map(|name| symbol(name)).collect();
        let magnitude = coefficient.unsigned_abs();
        let number = (magnitude != 1 || names.is_empty()).then(|| magnitude.to_string());
        let factors: Vec<String> = number.into_iter().chain(names).collect();
        text += &format!("{sign}{}", factors.join(" * "));
    }
    if text.is_empty() { "0".into() } else { text }
}

/// A size as an operand of a product.
pub(super) fn factor(size: &Size) -> String {
    let text = expression(size);
    let simple = size.as_term().is_some_and(|(_, c)| c >= 0) || size.is(0);
    if simple { text } else { format!("({text})") }
}

/// A size as an operand of `/`, `%` or `-`.
pub(super) fn operand(size: &Size) -> String {
    let text = expression(size);
    if text.contains(' ') { format!("({text})") } else { text }
}

/// A run-time size's name as an identifier.
pub(super) fn symbol(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
