//! Run-time sizes from the shapes of arguments.

use std::fmt::Write;
use std::sync::Arc;

use castnet_program::program::{Named, Program};
use castnet_program::rules::{Reason, Rule};
use castnet_program::size::Size;
use castnet_program::types::Type;

use crate::error::{Error, Result};
use crate::view::Given;

/// In the place of a value that nothing has told yet.
const UNBOUND: i64 = -1;

/// Finds the value of every run-time size of `program`, in the order of `symbols`, into `values`. Allocates nothing unless it fails.
///
/// A dim that is a name binds it where it first occurs, going through the arguments in order; then dims linear in one name not yet
/// bound do (`2*N`); every other dim is checked.
pub(super) fn bind<A: Given>(program: &Program, symbols: &[Arc<str>], args: &[A], values: &mut Vec<i64>) -> Result<()> {
    if args.len() != program.arguments.len() {
        let (found, expected) = (args.len(), program.arguments.len());
        return Err(Error::ArgumentCount { function: program.name.clone(), found, expected });
    }
    let call = Call { program, symbols, args };
    values.clear();
    values.resize(symbols.len(), UNBOUND);
    for number in 0..args.len() {
        call.check_kind(number, values)?;
        for (size, found) in call.dims(number) {
            if let (Some((name, 1)), 1) = (linear(size), size.terms().len()) {
                let value = &mut values[call.symbol(name)];
                if *value == UNBOUND {
                    *value = found;
                }
            }
        }
    }
    for number in 0..args.len() {
        for (size, found) in call.dims(number) {
            call.solve(size, found, values);
        }
    }
    for number in 0..args.len() {
        let mut dims = call.dims(number);
        if !dims.all(|(size, found)| call.eval(size, values) == found) {
            return Err(call.mismatch(number, values));
        }
    }
    if let Some(i) = values.iter().position(|&v| v == UNBOUND) {
        let what = format!("no argument binds the run-time size `{}`", symbols[i]);
        return Err(Error::BadNet { net: program.name.clone(), what });
    }
    Ok(())
}

/// The rules for sizes, which were found, and the numbers that arguments may have. Where `nothing` is to run, something may be empty.
///
/// `place`: where in the source the one who has a rule stands.
pub(super) fn check<A: Given>(
    program: &Program,
    symbols: &[Arc<str>],
    args: &[A],
    values: &[i64],
    nothing: bool,
    place: &dyn Fn(&Reason) -> String,
) -> Result<()> {
    let call = Call { program, symbols, args };
    let value = |name: &str| values[call.symbol(name)];
    for rule in &program.rules {
        if !if nothing { rule.holds_or_is_empty(&value) } else { rule.holds(&value) } {
            return Err(call.broken(rule, values, place));
        }
    }
    for number in 0..args.len() {
        call.check_numbers(number, values)?;
    }
    Ok(())
}

/// That a run-time size is 0, if one is: no program can run then.
pub(super) fn zero<A: Given>(program: &Program, symbols: &[Arc<str>], args: &[A], values: &[i64]) -> Option<Error> {
    let at = values.iter().position(|v| *v == 0)?;
    let is_named = |number: &usize| {
        let shape = &program.arguments[*number].ty.shape;
        shape.iter().any(|size| size.names().contains(&symbols[at]))
    };
    let number = (0..args.len()).find(is_named)?;
    Some(Error::ZeroSize {
        function: program.name.clone(),
        size: symbols[at].to_string(),
        argument: program.arguments[number].name.clone(),
        found: args[number].describe(),
    })
}

/// The shapes of the results, if none of them has any elements. Allocates nothing if one has.
pub(super) fn empty_results(program: &Program, symbols: &[Arc<str>], values: &[i64]) -> Option<Vec<Vec<usize>>> {
    let value = |name: &str| values[position(symbols, name)];
    if !program.results.iter().all(|named| named.ty.shape.iter().any(|size| size.eval(&value) == 0)) {
        return None;
    }
    let shape = |named: &Named| {
        let sizes = named.ty.shape.iter().map(|size| usize::try_from(size.eval(&value)).ok());
        sizes.collect::<Option<Vec<usize>>>().filter(|shape| shape.contains(&0))
    };
    program.results.iter().map(shape).collect()
}

/// The only name of `coefficient · name + constant`, with its coefficient.
fn linear(size: &Size) -> Option<(&str, i64)> {
    let mut names = size.terms().iter().filter(|(m, _)| !m.is_one());
    match (names.next(), names.next()) {
        (Some((m, c)), None) if m.names().len() == 1 => Some((&m.names()[0], *c)),
        _ => None,
    }
}

/// The number of a run-time size. The symbols are the names in the shapes of arguments; `validate` lets nothing have others.
pub(super) fn position(symbols: &[Arc<str>], name: &str) -> usize {
    let at = symbols.iter().position(|s| **s == *name);
    at.unwrap_or_else(|| unreachable!("`validate` let pass the size `{name}`, which no argument has"))
}

struct Call<'a, A> {
    program: &'a Program,
    symbols: &'a [Arc<str>],
    args: &'a [A],
}

impl<'a, A: Given> Call<'a, A> {
    fn ty(&self, number: usize) -> &'a Type {
        &self.program.arguments[number].ty
    }

    /// Declared and found dims of an argument.
    fn dims(&self, number: usize) -> impl Iterator<Item = (&'a Size, i64)> + use<'a, A> {
        self.ty(number).shape.iter().zip(self.args[number].shape().iter().map(|&s| s as i64))
    }

    fn symbol(&self, name: &str) -> usize {
        position(self.symbols, name)
    }

    fn eval(&self, size: &Size, values: &[i64]) -> i64 {
        size.eval(&|name| values[self.symbol(name)])
    }

    /// Element type and rank.
    fn check_kind(&self, number: usize, values: &[i64]) -> Result<()> {
        let (ty, array) = (self.ty(number), &self.args[number]);
        if array.dtype() != ty.dtype || array.shape().len() != ty.rank() {
            return Err(self.mismatch(number, values));
        }
        Ok(())
    }

    /// Indices name what is there.
    fn check_numbers(&self, number: usize, values: &[i64]) -> Result<()> {
        let argument = &self.program.arguments[number];
        for below in &argument.below {
            let range = self.eval(&below.least, values)..self.eval(&below.limit, values);
            let Some((mut at, found)) = self.args[number].first_outside(&range, below.or) else { continue };
            let mut element: Vec<usize> = vec![];
            for &size in self.args[number].shape().iter().rev() {
                element.insert(0, at % size);
                at /= size;
            }
            let (function, argument, by) = (self.program.name.clone(), argument.name.clone(), below.by.to_string());
            return Err(Error::OutOfRange { function, argument, element, found, by, range: Box::new(range) });
        }
        Ok(())
    }

    fn solve(&self, size: &Size, found: i64, values: &mut [i64]) {
        let Some((name, coefficient)) = linear(size) else { return };
        let symbol = self.symbol(name);
        if values[symbol] == UNBOUND {
            let constant = size.eval(&|_| 0);
            // Where it does not come out even, or negative, the check of this dim fails.
            values[symbol] = found.saturating_sub(constant).checked_div(coefficient).unwrap_or(0).max(0);
        }
    }

    /// A rule that does not hold, with the sizes in it.
    fn broken(&self, rule: &Rule, values: &[i64], place: &dyn Fn(&Reason) -> String) -> Error {
        let size = |name: &Arc<str>| format!("{name} = {}", values[self.symbol(name)]);
        let sizes: Vec<String> = rule.names().iter().map(size).collect();
        let of = rule.reason.as_ref().map_or_else(String::new, |r| format!(": {} {}", place(r), r.why));
        Error::Rule { function: self.program.name.clone(), rule: rule.to_string(), sizes: sizes.join(", "), of }
    }

    /// `argument` is not what it should be: with the values that other arguments gave to the names in its type.
    fn mismatch(&self, number: usize, values: &[i64]) -> Error {
        let ty = self.ty(number);
        let mut bound = String::new();
        for (i, symbol) in self.symbols.iter().enumerate() {
            let used = ty.shape.iter().any(|s| s.names().contains(symbol));
            let by = (0..self.args.len()).find(|&a| self.dims(a).any(|(s, _)| *s == Size::symbol(symbol)));
            let Some(by) = by.filter(|&by| used && values[i] != UNBOUND && by != number) else { continue };
            let open = if bound.is_empty() { " (" } else { "; " };
            let _ = write!(bound, "{open}{symbol} = {}, bound by `{}`", values[i], self.program.arguments[by].name);
        }
        if !bound.is_empty() {
            bound.push(')');
        }
        Error::Argument {
            function: self.program.name.clone(),
            argument: self.program.arguments[number].name.clone(),
            found: self.args[number].describe(),
            expected: ty.to_string(),
            bound,
        }
    }
}

#[cfg(test)]
mod tests {
    use castnet_program::types::DType;

    use super::*;
    use crate::array::Array;

    fn program(arguments: &[(&str, DType, &[&str])]) -> Program {
        let named = |(name, dtype, shape): &(&str, DType, &[&str])| Named {
            name: name.to_string(),
            ty: Type::new(*dtype, shape.iter().map(|s| s.parse().unwrap()).collect::<Vec<_>>()),
            below: vec![],
            strided: false,
        };
        Program {
            name: "LeNet.scores".into(),
            arguments: arguments.iter().map(named).collect(),
            results: vec![],
            donates: vec![],
            rules: vec![],
            checks: vec![],
            states: vec![],
            assigns: vec![],
            buffers: vec![],
            launches: vec![],
            schedule: vec![],
            arena: vec![],
            bound: vec![],
            flops: 0.into(),
        }
    }

    fn run(program: &Program, args: &[Array]) -> Result<Vec<i64>> {
        let mut values = vec![];
        let (symbols, args): (_, Vec<&Array>) = (program.symbols(), args.iter().collect());
        bind(program, &symbols, &args, &mut values)?;
        check(program, &symbols, &args, &values, false, &|reason| reason.name.to_string())?;
        Ok(values)
    }

    fn text(program: &Program, args: &[Array]) -> String {
        run(program, args).unwrap_err().to_string()
    }

    #[test]
    fn names_are_bound_and_checked() {
        let p = program(&[("x", DType::F32, &["B", "T + 1"]), ("y", DType::U8, &["T", "B*T", "2*K"])]);
        let x = |shape: &[usize]| Array::zeros::<f32>(shape);
        let y = |shape: &[usize]| Array::zeros::<u8>(shape);
        assert_eq!(run(&p, &[x(&[3, 6]), y(&[5, 15, 8])]).unwrap(), [3, 4, 5]);
        assert_eq!(
            text(&p, &[x(&[3, 6]), y(&[5, 14, 8])]),
            "LeNet.scores: argument `y` is u8[5, 14, 8], expected u8[T, B*T, 2*K] (B = 3, bound by `x`)"
        );
        assert_eq!(
            text(&p, &[x(&[3, 7]), y(&[5, 15, 8])]),
            "LeNet.scores: argument `x` is f32[3, 7], expected f32[B, T + 1] (T = 5, bound by `y`)"
        );
        assert!(text(&p, &[x(&[3, 6]), y(&[5, 15, 7])]).contains("expected u8[T, B*T, 2*K]"));
    }

    #[test]
    fn rules_hold_or_nothing_runs() {
        let mut p = program(&[("x", DType::F32, &["B", "T"])]);
        p.rules = vec!["T <= 8".parse().unwrap(), "B % 2 == 0".parse().unwrap()];
        let x = |shape: &[usize]| Array::zeros::<f32>(shape);
        assert_eq!(run(&p, &[x(&[4, 8])]).unwrap(), [4, 8]);
        assert_eq!(text(&p, &[x(&[4, 9])]), "LeNet.scores: T = 9 breaks the rule `T <= 8`");
        assert_eq!(text(&p, &[x(&[3, 8])]), "LeNet.scores: B = 3 breaks the rule `B % 2 == 0`");
    }

    #[test]
    fn mistakes_name_everything() {
        let p = program(&[("image", DType::F32, &["N", "1", "28", "28"]), ("digit", DType::U8, &["N"])]);
        let image = || Array::zeros::<f32>(&[64, 1, 28, 28]);
        assert_eq!(
            text(&p, &[Array::zeros::<f32>(&[3, 1, 28, 27]), Array::zeros::<u8>(&[3])]),
            "LeNet.scores: argument `image` is f32[3, 1, 28, 27], expected f32[N, 1, 28, 28]"
        );
        assert_eq!(
            text(&p, &[image(), Array::zeros::<u8>(&[63])]),
            "LeNet.scores: argument `digit` is u8[63], expected u8[N] (N = 64, bound by `image`)"
        );
        assert_eq!(
            text(&p, &[image(), Array::zeros::<i64>(&[64])]),
            "LeNet.scores: argument `digit` is i64[64], expected u8[N] (N = 64, bound by `image`)"
        );
        let none = [Array::zeros::<f32>(&[0, 1, 28, 28]), Array::zeros::<u8>(&[0])];
        assert_eq!(run(&p, &none).unwrap(), [0]);
        let args: Vec<&Array> = none.iter().collect();
        assert_eq!(
            zero(&p, &p.symbols(), &args, &[0]).unwrap().to_string(),
            "LeNet.scores: N = 0, as argument `image` is f32[0, 1, 28, 28]: nothing is left to compute"
        );
        assert_eq!(text(&p, &[image()]), "LeNet.scores: 1 arguments given, 2 expected");
    }
}
