//! Heads of functions: what their types mean.

use std::collections::HashSet;

use castnet_graph::diagnostic::{Diagnostic, Loc};
use castnet_graph::number::an;
use castnet_graph::spelling::did_you_mean;
use castnet_graph::types::DType;

use super::callable::Callable;
use super::expected::type_text;
use crate::ast::{Axis, Expr, ExprKind, Promise, Type};

/// What the head of a function says beyond its types.
pub(super) struct Signature {
    /// The size names that its arguments bind, in the order in which they first occur.
    pub sizes: Vec<String>,
    /// For each argument: whether its type holds no mistake.
    pub sound: Vec<bool>,
    /// Whether the type of the result holds no mistake.
    pub sound_result: bool,
    /// Whether there is no mistake at all.
    pub whole: bool,
}

/// Reads the head of a function; what is wrong with it goes to `diagnostics`.
///
/// `constants`: the names of constants and build-time parameters, which are no patterns.
pub(super) fn read(
    constants: &[&str],
    float: DType,
    function: Callable,
    diagnostics: &mut Vec<Diagnostic>,
) -> Signature {
    let before = diagnostics.len();
    let mut reader = Reader { constants, float, sizes: vec![], solvable: HashSet::new(), diagnostics };
    let mut seen: Vec<&crate::ast::Name> = vec![];
    let mut sound = vec![];
    for parameter in function.parameters {
        if let Some(earlier) = seen.iter().find(|n| n.text == parameter.name.text) {
            let d = Diagnostic::new(
                "N0502",
                parameter.name.at,
                format!("two arguments are called `{}`", parameter.name.text),
            )
            .note(earlier.at, "the first one is here");
            reader.diagnostics.push(d.help("give one of them another name"));
        }
        seen.push(&parameter.name);
        let start = reader.diagnostics.len();
        if let Some(ty) = &parameter.ty {
            reader.argument(ty, function.entry);
        }
        sound.push(parameter.ty.is_some() && reader.diagnostics.len() == start);
    }
    let complete = function.parameters.iter().all(|p| p.ty.is_some()) && sound.iter().all(|s| *s) && !function.lost;
    if complete {
        reader.unbound(&function);
    }
    let start = reader.diagnostics.len();
    match function.promise {
        Some(Promise::One(ty)) => reader.result(ty, 0, &function, complete),
        Some(Promise::Tuple(types, _)) => {
            for (number, ty) in types.iter().enumerate() {
                reader.result(ty, number, &function, complete);
            }
        }
        None => {}
    }
    let sound_result = function.promise.is_some() && reader.diagnostics.len() == start;
    let Reader { sizes, .. } = reader;
    let whole = diagnostics.len() == before && function.promise.is_some() && sound.iter().all(|s| *s);
    Signature { sizes, sound, sound_result, whole }
}

struct Reader<'a, 'd> {
    constants: &'a [&'a str],
    /// The float type of the net.
    float: DType,
    sizes: Vec<String>,
    /// The sizes that an axis alone tells: `N`, `2 * N + 1`.
    solvable: HashSet<String>,
    diagnostics: &'d mut Vec<Diagnostic>,
}

impl Reader<'_, '_> {
    fn argument(&mut self, ty: &Type, entry: bool) {
        for axis in &ty.axes {
            match axis {
                Axis::Any(at) => {
                    let help = "give it a name, such as `N`, or write a number";
                    let message = "the sizes of an argument are not inferred: `_` stands in results";
                    self.diagnostics.push(Diagnostic::new("N0514", *at, message).help(help));
                }
                Axis::Size(size) => {
                    self.names_of(size, &mut |reader, name, at| reader.declare(name, at));
                    let mut own = vec![];
                    self.names_of(size, &mut |_, name, _| own.push(name.to_string()));
                    own.dedup();
                    if let [only] = &own[..]
                        && (linear(size, only) || !entry)
                    {
                        self.solvable.insert(only.clone());
                    }
                }
            }
        }
    }

    /// Calls `visit` for each name in a size that is no constant of the net.
    fn names_of(&mut self, size: &Expr, visit: &mut dyn FnMut(&mut Self, &str, Loc)) {
        match &size.kind {
            ExprKind::Name(name) if !self.constants.contains(&name.as_str()) => visit(self, name, size.at),
            ExprKind::Unary(_, x) => self.names_of(x, visit),
            ExprKind::Binary(_, x, y) => {
                self.names_of(x, visit);
                self.names_of(y, visit);
            }
            ExprKind::Call(_, arguments) => arguments.iter().for_each(|a| self.names_of(&a.value, visit)),
            _ => {}
        }
    }

    /// A size name in the type of an argument.
    fn declare(&mut self, name: &str, at: Loc) {
        if self.sizes.iter().any(|s| s == name) {
            return;
        }
        let constants = || self.constants.iter().copied().chain(self.sizes.iter().map(String::as_str));
        if !is_size_name(name) {
            let upper = name.to_uppercase();
            let help = match constants().find(|c| *c == upper).or_else(|| did_you_mean(name, constants())) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if is_size_name(&upper) => format!("sizes have upper-case names: write `{upper}`"),
                None => "sizes have upper-case names: `N`".into(),
            };
            self.diagnostics.push(Diagnostic::new("N0501", at, format!("`{name}` is not a size")).help(help));
        } else if let Some(meant) = constants().find(|known| one_slip(name, known)) {
            let d = Diagnostic::new(
                "N0507",
                at,
                format!("`{name}` would be a new run-time size, one slip away from `{meant}`"),
            );
            self.diagnostics.push(d.help(format!("did you mean `{meant}`? If not, choose a name that differs more")));
        }
        // Known from here on, so that it is reported once.
        self.sizes.push(name.to_string());
    }

    /// Sizes that no axis tells.
    fn unbound(&mut self, function: &Callable) {
        let open: Vec<_> = self.sizes.iter().filter(|s| !self.solvable.contains(*s)).cloned().collect();
        for name in open {
            let axes = function.parameters.iter().filter_map(|p| p.ty.as_ref()).flat_map(|ty| &ty.axes);
            let place = axes.filter_map(|axis| match axis {
                Axis::Size(size) => find(size, &name),
                Axis::Any(_) => None,
            });
            let at = place.into_iter().next().unwrap_or(function.name.at);
            let message = format!("the size `{name}` cannot be told from the arguments of `{}`", function.name.text);
            let help = format!("an axis of some argument must be `{name}` alone (or `2 * {name} + 1` and the like)");
            self.diagnostics.push(Diagnostic::new("N0514", at, message).help(help));
        }
    }

    /// The type of the result: `complete` if all arguments are known, so that a new name is a mistake.
    fn result(&mut self, ty: &Type, number: usize, function: &Callable, complete: bool) {
        if function.train && number == 0 && (ty.element.of(self.float) != self.float || !ty.axes.is_empty()) {
            let shape = type_text(ty);
            let float = self.float;
            let message =
                format!("a `train fn` returns {} scalar, `{}` returns {shape}", an(float), function.name.text);
            let help = format!("write `-> {float}`, and reduce the value: `.mean()`, `.cross_entropy(target)`");
            self.diagnostics.push(Diagnostic::new("N0504", ty.at, message).help(help));
        }
        if !complete {
            return;
        }
        for axis in &ty.axes {
            let Axis::Size(size) = axis else { continue };
            self.names_of(size, &mut |reader, name, at| {
                if reader.sizes.iter().any(|s| s == name) {
                    return;
                }
                let known: Vec<&str> =
                    reader.constants.iter().copied().chain(reader.sizes.iter().map(String::as_str)).collect();
                let meant = known
                    .iter()
                    .find(|k| **k == name.to_uppercase())
                    .or_else(|| known.iter().find(|k| one_slip(name, k)));
                let help = match meant {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "write `_` for a size that is to be inferred".into(),
                };
                let message = format!("the size `{name}` occurs in no argument of `{}`", function.name.text);
                reader.diagnostics.push(Diagnostic::new("N0514", at, message).help(help));
            });
        }
    }
}

/// Where a name occurs in a size.
fn find(size: &Expr, name: &str) -> Option<Loc> {
    match &size.kind {
        ExprKind::Name(n) if n == name => Some(size.at),
        ExprKind::Unary(_, x) => find(x, name),
        ExprKind::Binary(_, x, y) => find(x, name).or_else(|| find(y, name)),
        ExprKind::Call(_, arguments) => arguments.iter().find_map(|a| find(&a.value, name)),
        _ => None,
    }
}

/// Whether a size is linear in its only name, so that its value tells the name's.
fn linear(size: &Expr, name: &str) -> bool {
    use castnet_graph::scalar::Binary;
    let has = |e: &Expr| find(e, name).is_some();
    match &size.kind {
        ExprKind::Name(n) => n == name,
        ExprKind::Unary(_, x) => linear(x, name),
        ExprKind::Binary(Binary::Add | Binary::Sub | Binary::Mul, x, y) => match (has(x), has(y)) {
            (true, false) => linear(x, name),
            (false, true) => linear(y, name),
            _ => false,
        },
        _ => false,
    }
}

/// `N`, `T_MAX`, `D2`.
pub(super) fn is_size_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// Whether two names differ by one letter that was left out, added, swapped or mistyped. Short names, first letters and digits differ on
/// purpose: `H1` and `H2`, `H_IN` and `W_IN`.
pub(super) fn one_slip(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a == b || a.len().min(b.len()) < 4 || a[0] != b[0] {
        return false;
    }
    let (short, long) = if a.len() <= b.len() { (&a, &b) } else { (&b, &a) };
    let start = short.iter().zip(long.iter()).take_while(|(x, y)| x == y).count();
    let end = short[start..].iter().rev().zip(long[start..].iter().rev()).take_while(|(x, y)| x == y).count();
    let (rest_short, rest_long) = (&short[start..short.len() - end], &long[start..long.len() - end]);
    match (rest_short, rest_long) {
        ([], [c]) => !c.is_ascii_digit() && *c != '_',
        ([x], [y]) => !x.is_ascii_digit() && !y.is_ascii_digit(),
        ([x, y], [p, q]) => x == q && y == p,
        _ => false,
    }
}
