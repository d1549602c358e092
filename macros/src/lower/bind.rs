//! Arguments of the net's own functions and blocks: the size names in their types are patterns, bound at each call.

use castnet_graph::call::{Arg, Given, misplaced};
use castnet_graph::diagnostic::Diagnostic;
use castnet_graph::size::Size;
use castnet_graph::spelling::did_you_mean;

use super::callable::Callable;
use super::expected::{axes_instead, type_text};
use super::expr::Lowering;
use super::scope::{Frame, Local};
use super::signature::Signature;
use crate::ast::{Axis, ExprKind, FLOAT, Name};

/// Binds the names in a head to what is given for them in a call; `false` if an argument is unknown or has a mistake, which is reported.
pub(super) fn bind<'a>(
    l: &mut Lowering<'a, '_, '_>,
    callable: Callable<'a>,
    signature: &Signature,
    frame: &mut Frame<'a>,
    callee: &Name,
    given: &[Given],
) -> bool {
    bound(l, callable, signature, frame, callee, given).is_some()
}

fn bound<'a>(
    l: &mut Lowering<'a, '_, '_>,
    callable: Callable<'a>,
    signature: &Signature,
    frame: &mut Frame<'a>,
    callee: &Name,
    given: &[Given],
) -> Option<()> {
    let name = &callable.name.text;
    let slots = slots(l, &callable, callee, given)?;
    let mut tensors = vec![];
    for (parameter, &slot) in callable.parameters.iter().zip(&slots) {
        let ty = parameter.ty.as_ref()?;
        let argument = &given[slot];
        if argument.value == Arg::Unknown {
            return None;
        }
        let mismatch = |found: String| {
            let wanted = type_text(ty);
            let message = format!("`{}` of `{name}` must be {wanted}, found {found}", parameter.name.text);
            Diagnostic::new("N0506", argument.at, message).note(ty.at, "its type is declared here")
        };
        let wanted = ty.element.of(l.b.float());
        let Some(value) = l.tensor(&argument.value, wanted, argument.at) else {
            let d = mismatch(argument.value.describe(l.b));
            l.mistake(d);
            return None;
        };
        let found = l.b.ty(value).clone();
        if found.dtype != wanted || found.rank() != ty.axes.len() {
            let mut d = mismatch(found.to_string());
            d = l.came_from(d, value, argument.at);
            let float = l.b.float();
            let help = match found.dtype != wanted && found.rank() == ty.axes.len() {
                // A block for nets of every float type.
                true if wanted.is_float() && found.dtype == float => {
                    format!(
                        "the net computes in {float}: declare the input `{FLOAT}[…]`, or convert it: `.cast({wanted})`"
                    )
                }
                true => format!("convert it: `.cast({wanted})`"),
                false => axes_instead(found.rank(), ty.axes.len()),
            };
            l.mistake(d.help(help));
            return None;
        }
        l.pass.findings.inlined(|| l.note(parameter.name.at, &Arg::Tensor(value)));
        frame.bind(&parameter.name.text, Local::Value(Arg::Tensor(value)), false);
        tensors.push((parameter, argument, value));
    }
    // First the axes that are a name alone, then those from which one can be found, then the rest is checked.
    for alone in [true, false] {
        for (parameter, _, value) in &tensors {
            let axes = parameter.ty.as_ref().map_or(&[][..], |ty| &ty.axes);
            for (axis, found) in axes.iter().zip(l.b.shape(*value)) {
                learn(l, frame, signature, axis, &found, alone);
            }
        }
    }
    for (parameter, argument, value) in tensors {
        let ty = parameter.ty.as_ref()?;
        let expected = l.ty(frame, ty)?;
        if !expected.admits(l.b.ty(value)) {
            let found = l.b.ty(value).clone();
            let wanted = type_text(ty);
            let bound = bindings(frame, ty);
            let message = format!("`{}` of `{name}` must be {wanted}, found {found}{bound}", parameter.name.text);
            let d = Diagnostic::new("N0506", argument.at, message).note(ty.at, "its type is declared here");
            let d = l.came_from(d, value, argument.at).help(expected.advice(&found));
            l.mistake(d);
            return None;
        }
    }
    Some(())
}

/// For each parameter, which argument is given for it.
fn slots(l: &mut Lowering, callable: &Callable, callee: &Name, given: &[Given]) -> Option<Vec<usize>> {
    let name = &callee.text;
    let parameters: Vec<&str> = callable.parameters.iter().map(|p| p.name.text.as_str()).collect();
    let usage = format!("write `{name}({})`", parameters.join(", "));
    let mut slots: Vec<Option<usize>> = vec![None; parameters.len()];
    let names = given.iter().map(|g| (g.name.as_ref().map(|(name, _)| name.as_str()), g.at));
    if let Some(d) = misplaced(name, names, &usage) {
        l.mistake(d.note(callable.name.at, "it is defined here"));
        return None;
    }
    let before = l.b.diagnostics.len();
    let mut positional = 0;
    for (number, argument) in given.iter().enumerate() {
        let slot = match &argument.name {
            None if positional == parameters.len() => {
                let count = match parameters.len() {
                    1 => "1 argument".into(),
                    n => format!("{n} arguments"),
                };
                let message = format!("`{name}` takes {count}, {} are given", given.len());
                l.mistake(
                    Diagnostic::new("N0303", argument.at, message)
                        .note(callable.name.at, "it is defined here")
                        .help(usage.clone()),
                );
                break;
            }
            None => {
                positional += 1;
                positional - 1
            }
            Some((word, at)) => match parameters.iter().position(|p| p == word) {
                Some(slot) => slot,
                None => {
                    let help = match did_you_mean(word, parameters.iter().copied()) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => usage.clone(),
                    };
                    l.mistake(Diagnostic::new("N0302", *at, format!("`{name}` has no argument `{word}`")).help(help));
                    continue;
                }
            },
        };
        match slots[slot] {
            None => slots[slot] = Some(number),
            Some(first) => {
                let d = Diagnostic::new(
                    "N0304",
                    argument.at,
                    format!("`{name}` gets its argument `{}` twice", parameters[slot]),
                );
                l.mistake(d.note(given[first].at, "it was given here first").help("remove one of them"));
            }
        }
    }
    let missing: Vec<_> =
        parameters.iter().zip(&slots).filter(|(_, s)| s.is_none()).map(|(p, _)| format!("`{p}`")).collect();
    if l.b.diagnostics.len() == before && !missing.is_empty() {
        let message = format!("`{name}` lacks its argument {}", missing.join(", "));
        l.mistake(
            Diagnostic::new("N0301", callee.at, message).note(callable.name.at, "it is defined here").help(usage),
        );
    }
    if l.b.diagnostics.len() == before { slots.into_iter().collect() } else { None }
}

/// Binds the size name of an axis to what was found there: of an axis that is a name `alone`, or of one such as `2 * T + 1`.
fn learn<'a>(
    l: &mut Lowering<'a, '_, '_>,
    frame: &mut Frame<'a>,
    signature: &Signature,
    axis: &'a Axis,
    found: &Size,
    alone: bool,
) {
    let Axis::Size(written) = axis else { return };
    let pattern = |name: &str| signature.sizes.iter().any(|s| s == name);
    if alone {
        if let ExprKind::Name(name) = &written.kind
            && pattern(name)
        {
            frame.sizes.entry(name.clone()).or_insert(Arg::Size(found.clone()));
        }
        return;
    }
    // With every open name standing for itself under a name that nobody can write, the axis is a polynomial in them.
    let hidden = |name: &str| format!("?{name}");
    let open: Vec<String> = signature.sizes.iter().filter(|s| !frame.sizes.contains_key(*s)).cloned().collect();
    let mut trial = Frame::inside(frame.owner.clone(), frame.sizes.clone(), true);
    trial.sizes.extend(open.iter().map(|name| (name.clone(), Arg::Size(Size::symbol(&hidden(name))))));
    let before = l.b.diagnostics.len();
    let value = l.expression(&mut trial, written);
    l.b.diagnostics.truncate(before);
    let Arg::Size(polynomial) = value else { return };
    for name in &open {
        let symbol = Size::symbol(&hidden(name));
        let (with, rest): (Vec<_>, Vec<_>) =
            polynomial.terms().iter().partition(|(m, _)| m.names().iter().any(|n| **n == *hidden(name)));
        let [(monomial, coefficient)] = &with[..] else { continue };
        if Size::term(monomial.clone(), 1) != symbol
            || rest.iter().any(|(m, _)| m.names().iter().any(|n| n.starts_with('?')))
        {
            continue;
        }
        let rest = rest.into_iter().fold(Size::constant(0), |sum, (m, c)| &sum + &Size::term(m.clone(), *c));
        let solved = (found - &rest).div_exact(&Size::constant(*coefficient));
        // Where it does not come out even, the check of this axis reports the mistake.
        let value = solved.filter(|s| s.as_const().is_none_or(|c| c >= 1)).unwrap_or(Size::constant(1));
        frame.sizes.insert(name.clone(), Arg::Size(value));
    }
}

/// ` (N is 4)`: what the names in a type are bound to.
fn bindings(frame: &Frame, ty: &crate::ast::Type) -> String {
    let mut texts = vec![];
    for axis in &ty.axes {
        if let Axis::Size(written) = axis
            && let ExprKind::Name(name) = &written.kind
            && let Some(Arg::Size(size)) = frame.sizes.get(name)
            && size.to_string() != *name
        {
            texts.push(format!("{name} is {size}"));
        }
    }
    texts.sort();
    texts.dedup();
    if texts.is_empty() { String::new() } else { format!(" (here {})", texts.join(", ")) }
}
