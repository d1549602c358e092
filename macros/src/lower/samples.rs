//! Numbers that stand for the names in a block's head where it is lowered on its own, and what two runs with different ones say by names.

use castnet_graph::diagnostic::{Diagnostic, Loc, Note};
use castnet_graph::scalar::Binary;
use castnet_graph::size::{Size, gcd};

use super::rules;
use crate::ast::{Axis, Block, Expr, ExprKind, Promise, Type};

/// What a name is in each run: two runs with numbers of their own, in which names can be told from each other; then those in which all names
/// are the same number, [`PLAIN`].
type Numbers = [i64; RUNS];

/// A number in the first run, and in the second.
type Pair = [i64; 2];

/// What stands for all names of a block in the third run and those after it.
const PLAIN: [i64; 4] = [16, 1, 48, 5];

/// In each of the runs after that, one name in four is much larger or much smaller than the others.
const UNEVEN: usize = 8;

/// How many runs there are.
pub(super) const RUNS: usize = 2 + PLAIN.len() + UNEVEN;

/// The first run in which all names are the same number.
pub(super) const FIRST_PLAIN: usize = 2;

/// Numbers for each name of a block.
pub(super) struct Samples<'a> {
    block: &'a Block,
    names: Vec<(String, Numbers)>,
    /// What else has numbers that follow from these: constants, and quotients as they are written.
    others: Vec<(String, &'a Expr, Pair)>,
    /// Sums as they are written.
    sums: Vec<(String, &'a Expr, Pair)>,
    /// Names that are divided, as products of what divides them and of what is left, which is called as the name is.
    divided: Vec<(String, Size)>,
}

/// The number of the name at a position in a run from [`FIRST_PLAIN`] on.
pub(super) fn sample(at: usize, run: usize) -> i64 {
    let run = run.saturating_sub(FIRST_PLAIN);
    match PLAIN.get(run) {
        Some(plain) => *plain,
        None => {
            let uneven = run - PLAIN.len();
            let (odd, large) = (at % 4 == uneven % 4, uneven < 4);
            if odd == large { 360 } else { 3 }
        }
    }
}

/// What stands for a size that has no name.
pub(super) const NAMELESS: &str = "unknown";

impl<'a> Samples<'a> {
    /// For these names of a block. Divisions that are written in it come out even.
    pub fn new(block: &'a Block, names: &[String]) -> Samples<'a> {
        const PRIMES: [Pair; 10] =
            [[5, 41], [7, 43], [11, 47], [13, 53], [17, 59], [19, 61], [23, 67], [29, 71], [31, 73], [37, 79]];
        let numbers = |(at, name): (usize, &String)| {
            // Composite, so that most rules about divisors hold, and so that no two of one run make a third.
            let both = PRIMES[at % PRIMES.len()].map(|prime| 12 * prime);
            let number = |run: usize| both.get(run).copied().unwrap_or_else(|| sample(at, run));
            (name.clone(), std::array::from_fn(number))
        };
        let names = names.iter().enumerate().map(numbers).collect();
        let mut samples = Samples { block, names, others: vec![], sums: vec![], divided: vec![] };
        let (mut divisions, mut sums) = (vec![], vec![]);
        all(block, &mut |e| match &e.kind {
            ExprKind::Binary(Binary::Div | Binary::Rem, x, y) => divisions.push((e, &**x, &**y)),
            ExprKind::Binary(Binary::Add | Binary::Sub, ..) => sums.push(e),
            _ => {}
        });
        // A quotient may be divided again.
        for _ in 0..3 {
            divisions.iter().for_each(|(_, x, y)| {
                samples.come_out_even(x, y);
                samples.divide(x, y);
            });
        }
        let constants = block.members.constants.iter().map(|c| (c.name.text.clone(), &c.value));
        let quotients = divisions.iter().map(|(e, ..)| (rules::text(e), *e));
        samples.others = constants.chain(quotients).filter_map(|(text, e)| Some((text, e, samples.pair(e)?))).collect();
        let sums = sums.into_iter().filter_map(|e| Some((format!("({})", rules::text(e)), e, samples.pair(e)?)));
        samples.sums = sums.collect();
        samples
    }

    /// What a size is in the first two runs, if it differs.
    fn pair(&self, e: &Expr) -> Option<Pair> {
        let pair = [self.eval(e, 0, 0)?, self.eval(e, 1, 0)?];
        (pair[0] != pair[1]).then_some(pair)
    }

    /// The number of a name in a run.
    pub fn number(&self, name: &str, run: usize) -> i64 {
        self.names.iter().find(|(n, _)| n == name).map_or(1, |(_, numbers)| numbers[run])
    }

    /// Makes `x / y` come out even, by a multiple of a name in `x`.
    fn come_out_even(&mut self, x: &Expr, y: &Expr) {
        for run in 0..RUNS {
            let (Some(over), Some(by)) = (self.eval(x, run, 0), self.eval(y, run, 0)) else { continue };
            if by <= 0 || over % by == 0 {
                continue;
            }
            let mut name = None;
            x.walk(&mut |e| match &e.kind {
                ExprKind::Name(text) if name.is_none() => name = self.names.iter().position(|(n, _)| n == text),
                _ => {}
            });
            if let Some(at) = name {
                self.names[at].1[run] *= by / gcd(over, by);
            }
        }
    }

    /// The value of a size in a run; `None` if it is not made of names and numbers.
    fn eval(&self, e: &Expr, run: usize, depth: usize) -> Option<i64> {
        match &e.kind {
            ExprKind::Int(value) => Some(*value),
            ExprKind::Name(name) => match self.names.iter().find(|(n, _)| n == name) {
                Some((_, numbers)) => Some(numbers[run]),
                None => {
                    let constant = self.block.members.constants.iter().find(|c| c.name.text == *name)?;
                    if depth < 20 { self.eval(&constant.value, run, depth + 1) } else { None }
                }
            },
            ExprKind::Binary(f, x, y) => {
                let (x, y) = (self.eval(x, run, depth)?, self.eval(y, run, depth)?);
                match f {
                    Binary::Add => x.checked_add(y),
                    Binary::Sub => x.checked_sub(y),
                    Binary::Mul => x.checked_mul(y),
                    Binary::Div => (x.checked_rem(y)? == 0).then(|| x / y),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The size that is this number in one run and that one in the other: a name, a multiple of one, a product, a sum.
    pub fn name(&self, [first, second]: Pair) -> Option<Size> {
        if first == second {
            return Some(Size::constant(first));
        }
        let names = self.names.iter().map(|(text, numbers)| (text.as_str(), [numbers[0], numbers[1]]));
        let mut atoms: Vec<(&str, Pair)> =
            names.chain(self.others.iter().map(|(text, _, pair)| (&**text, *pair))).collect();
        if let Some(multiple) = product(&atoms, 1, [first, second]) {
            return Some(multiple);
        }
        for factor in 1..=4 {
            for (text, pair) in &atoms {
                let rest = [first - factor * pair[0], second - factor * pair[1]];
                if rest[0] == rest[1] && rest[0].abs() <= 16 {
                    return Some(&(&Size::symbol(text) * &Size::constant(factor)) + &Size::constant(rest[0]));
                }
            }
        }
        let mut pairs = atoms.iter().enumerate().flat_map(|(i, a)| atoms[i..].iter().map(move |b| (a, b)));
        if let Some((a, b)) = pairs.find(|(a, b)| [a.1[0] + b.1[0], a.1[1] + b.1[1]] == [first, second]) {
            return Some(&Size::symbol(a.0) + &Size::symbol(b.0));
        }
        atoms.extend(self.sums.iter().map(|(text, _, pair)| (&**text, *pair)));
        (1..=4).find_map(|degree| product(&atoms, degree, [first, second]))
    }

    /// Notes that the name `x` is a multiple of `y`.
    fn divide(&mut self, x: &Expr, y: &Expr) {
        let ExprKind::Name(name) = &x.kind else { return };
        let (Some(whole), Some(by)) = (self.polynomial(x, 0), self.polynomial(y, 0)) else { return };
        let is_name = self.names.iter().any(|(n, _)| n == name);
        // What it divides itself cannot be told.
        let mentions = by.names().iter().any(|n| **n == **name);
        if !is_name || by.as_term().is_none() || mentions || whole.div_exact(&by).is_some() {
            return;
        }
        self.divided.retain(|(n, _)| n != name);
        self.divided.push((name.clone(), &whole * &by));
    }

    /// A size as it is written, as a polynomial in names and in what is left of divided ones; `None` if it is none.
    fn polynomial(&self, e: &Expr, depth: usize) -> Option<Size> {
        match &e.kind {
            ExprKind::Int(value) => Some(Size::constant(*value)),
            ExprKind::Name(name) if self.names.iter().any(|(n, _)| n == name) => {
                let divided = self.divided.iter().find(|(n, _)| n == name);
                Some(divided.map_or_else(|| Size::symbol(name), |(_, size)| size.clone()))
            }
            ExprKind::Name(name) => {
                let constant = self.block.members.constants.iter().find(|c| c.name.text == *name)?;
                if depth < 20 { self.polynomial(&constant.value, depth + 1) } else { None }
            }
            ExprKind::Binary(f, x, y) => {
                let (x, y) = (self.polynomial(x, depth)?, self.polynomial(y, depth)?);
                match f {
                    Binary::Add => Some(&x + &y),
                    Binary::Sub => Some(&x - &y),
                    Binary::Mul => Some(&x * &y),
                    Binary::Div => x.div_exact(&y),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The same of a size that [`Samples::name`] gave.
    fn in_names(&self, size: &Size) -> Option<Size> {
        let atom = |text: &str| {
            if let Some((_, whole)) = self.divided.iter().find(|(n, _)| n == text) {
                return Some(whole.clone());
            }
            if self.names.iter().any(|(n, _)| n == text) {
                return Some(Size::symbol(text));
            }
            let written = self.others.iter().chain(&self.sums).find(|(t, ..)| t == text);
            self.polynomial(written?.1, 0)
        };
        let mut sum = Size::default();
        for (monomial, coefficient) in size.terms() {
            let atoms = monomial.names().iter().map(|name| atom(name)).collect::<Option<Vec<_>>>()?;
            sum = &sum + &(&Size::product(&atoms) * &Size::constant(*coefficient));
        }
        Some(sum)
    }

    /// What a name in a polynomial is in a run: what is left of it, if it is divided.
    fn left(&self, name: &str, run: usize, depth: usize) -> Option<i64> {
        let number = self.names.iter().find(|(n, _)| n == name)?.1[run];
        let Some((_, whole)) = self.divided.iter().find(|(n, _)| n == name) else { return Some(number) };
        let by = whole.div_exact(&Size::symbol(name))?;
        let names = by.names();
        let numbers = names.iter().map(|n| if depth < 20 { self.left(n, run, depth + 1) } else { None });
        let numbers: Vec<_> = names.iter().zip(numbers.collect::<Option<Vec<_>>>()?).collect();
        let value = |name: &str| numbers.iter().find(|(n, _)| ***n == *name).map_or(0, |(_, number)| *number);
        number.checked_div(by.eval(&value))
    }

    /// By how much two sizes differ that are these numbers in each of the runs, as a polynomial in names (and in what is left of divided ones);
    /// `None` if it cannot be told.
    pub fn difference(&self, pairs: &[(i64, i64)]) -> Option<Size> {
        let [first, second, ..] = pairs else { return None };
        let named = |pair: Pair| self.in_names(&self.name(pair)?);
        let both = named([first.0, second.0]).zip(named([first.1, second.1]));
        let by = [first.0 - first.1, second.0 - second.1];
        let difference = both
            .map(|(found, wanted)| &found - &wanted)
            .or_else(|| named(by))
            .or_else(|| Some(&Size::default() - &named(by.map(|n| -n))?))?;
        // Two runs may agree by chance; all of them do not.
        let agrees = pairs.iter().enumerate().all(|(run, (found, wanted))| {
            let names = difference.names();
            let numbers: Option<Vec<i64>> = names.iter().map(|name| self.left(name, run, 0)).collect();
            numbers.is_some_and(|numbers| {
                let value = |name: &str| names.iter().zip(&numbers).find(|(n, _)| ***n == *name).map_or(0, |(_, v)| *v);
                difference.eval(&value) == found - wanted
            })
        });
        agrees.then_some(difference)
    }

    /// Mistakes by names: those that both runs have too are told with what they say, the others with what the names were.
    pub fn say(&self, mistakes: &mut [Diagnostic], runs: &[Vec<Diagnostic>]) {
        for number in 0..mistakes.len() {
            let (code, at) = (mistakes[number].code, mistakes[number].at);
            let nth = mistakes[..number].iter().filter(|m| m.code == code && m.at == at).count();
            let find = |run: &'_ [Diagnostic]| run.iter().filter(|m| m.code == code && m.at == at).nth(nth).cloned();
            let both = find(&runs[0]).zip(find(&runs[1])).and_then(|(first, second)| self.merge(first, &second));
            match both {
                Some(said) => mistakes[number] = said,
                None if has_number(&mistakes[number].message) && !self.names.is_empty() => {
                    let names = self.names.iter().map(|(name, numbers)| format!("{name} is {}", numbers[FIRST_PLAIN]));
                    let text = format!("in a sample, where {}", names.collect::<Vec<_>>().join(", "));
                    mistakes[number].notes.push(Note { text, at: Loc::default() });
                }
                None => {}
            }
        }
    }

    /// One mistake as two runs tell it.
    fn merge(&self, mut first: Diagnostic, second: &Diagnostic) -> Option<Diagnostic> {
        if first.notes.len() != second.notes.len() {
            return None;
        }
        first.message = self.text(&first.message, &second.message)?;
        for (note, other) in first.notes.iter_mut().zip(&second.notes) {
            note.text = self.text(&note.text, &other.text)?;
        }
        first.help = match (first.help, &second.help) {
            (Some(help), Some(other)) => Some(self.text(&help, other)?),
            (None, None) => None,
            _ => return None,
        };
        Some(first)
    }

    /// A text with names in the place of the numbers in which two texts differ.
    fn text(&self, first: &str, second: &str) -> Option<String> {
        let (first, second) = (words(first), words(second));
        if first.len() != second.len() {
            return None;
        }
        let both = first.iter().zip(&second).map(|(a, b)| {
            if a == b {
                return Some(a.to_string());
            }
            self.name([a.parse().ok()?, b.parse().ok()?]).map(|size| size.to_string())
        });
        both.collect()
    }
}

/// The product of a number and this many atoms that is `left` in the two runs.
fn product(atoms: &[(&str, Pair)], degree: usize, left: Pair) -> Option<Size> {
    if degree == 0 {
        return (left[0] == left[1] && left[0] > 0).then(|| Size::constant(left[0]));
    }
    atoms.iter().enumerate().find_map(|(at, (text, pair))| {
        let divides = (0..2).all(|run| left[run].checked_rem(pair[run]) == Some(0));
        let rest = divides.then(|| [left[0] / pair[0], left[1] / pair[1]])?;
        Some(&Size::symbol(text) * &product(&atoms[at..], degree - 1, rest)?)
    })
}

/// A text as numbers and what stands between them.
fn words(text: &str) -> Vec<&str> {
    let mut words = vec![];
    let mut start = 0;
    let mut before: Option<bool> = None;
    for (at, c) in text.char_indices() {
        let digit = c.is_ascii_digit();
        if before.is_some_and(|b| b != digit) {
            words.push(&text[start..at]);
            start = at;
        }
        before = Some(digit);
    }
    words.push(&text[start..]);
    words
}

fn has_number(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_digit())
}

/// Every expression of a block.
fn all<'a>(block: &'a Block, visit: &mut dyn FnMut(&'a Expr)) {
    let results: &[Type] = match &block.result {
        None => &[],
        Some(Promise::One(ty)) => std::slice::from_ref(ty),
        Some(Promise::Tuple(types, _)) => types,
    };
    let types = block.inputs.iter().filter_map(|p| p.ty.as_ref()).chain(results);
    for axis in types.flat_map(|ty| &ty.axes) {
        if let Axis::Size(size) = axis {
            size.walk(visit);
        }
    }
    block.members.rules.iter().for_each(|rule| rule.walk(visit));
    block.members.constants.iter().for_each(|constant| constant.value.walk(visit));
    block.members.parts.iter().for_each(|part| part.walk(visit));
    block.body.walk(visit);
}
