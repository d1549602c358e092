//! Mistakes of what nobody uses: only those are told that no use can make right.
//!
//! It is lowered with many samples of sizes. One without mistakes proves it right. A mistake that holds no number (names, kinds, element types,
//! ranks) counts if every sample shows it; one of sizes if every sample shows it and the difference of the two that do not meet, as a polynomial in
//! the names, is not zero and has coefficients of one sign.

use std::collections::HashSet;

use castnet_graph::diagnostic::{Diagnostic, Loc};
use castnet_graph::size::Size;

use crate::ast::{Body, Expr, ExprKind, Members, Statement};

/// Names and arguments.
const NAMES: [&str; 13] = [
    "N0301", "N0302", "N0303", "N0304", "N0307", "N0401", "N0402", "N0501", "N0502", "N0503", "N0508", "N0516", "N0522",
];

/// Element types, ranks, kinds.
const KINDS: [&str; 14] = [
    "N0103", "N0105", "N0201", "N0202", "N0203", "N0204", "N0206", "N0207", "N0305", "N0506", "N0509", "N0513",
    "N0518", "N0521",
];

/// Mistakes that a parameter may make by being a size, where `true`, a fraction or a text is meant.
pub(super) const OF_PARAMETERS: [&str; 3] = ["N0201", "N0305", "N0521"];

/// What is known of a body beside its samples.
pub(super) struct Knowledge {
    /// What stands in an `if` or `for`: a use may not come there.
    pub guarded: HashSet<Loc>,
    /// What build-time parameters are is not known.
    pub open: bool,
}

impl Knowledge {
    /// Of a body, and of the parts beside it.
    pub fn of(body: &Body, members: Option<&Members>, open: bool) -> Knowledge {
        let mut guarded = HashSet::new();
        in_statements(&body.statements, &mut guarded);
        in_expression(&body.tail, &mut guarded);
        for part in members.iter().flat_map(|members| &members.parts) {
            part.conditional(&mut |make| {
                guarded.insert(make.kind.at);
                for argument in make.angles.iter().chain(&make.parens).flatten() {
                    add(|visit| argument.value.walk(visit), &mut guarded);
                }
            });
        }
        Knowledge { guarded, open }
    }
}

/// Whether other sizes cannot mend a mistake.
pub(super) fn holds_no_number(m: &Diagnostic) -> bool {
    NAMES.contains(&m.code) || KINDS.contains(&m.code) && unequal(m).is_empty()
}

/// Whether a size is not 0 whatever its names are, which are at least 1: told by its coefficients.
fn has_one_sign(size: &Size) -> bool {
    let signs: HashSet<i64> = size.terms().iter().map(|(_, coefficient)| coefficient.signum()).collect();
    signs.len() == 1
}

/// Those of these mistakes that no use can make right. `runs` are the mistakes with each sample; `difference` gives that of two sizes of a mistake
/// as a polynomial, if it can be told, by the mistake and the number of the axis.
pub(super) fn hopeless(
    mistakes: Vec<Diagnostic>,
    runs: &[Vec<Diagnostic>],
    known: &Knowledge,
    difference: &dyn Fn(&Diagnostic, usize) -> Option<Size>,
) -> Vec<Diagnostic> {
    if runs.iter().any(Vec::is_empty) {
        return vec![];
    }
    let certain = |m: &Diagnostic| {
        let shown: Vec<Diagnostic> = runs.iter().filter_map(|run| find(run, m)).collect();
        let whole = shown.len() == runs.len();
        if known.guarded.contains(&m.at) || (known.open && OF_PARAMETERS.contains(&m.code)) {
            return false;
        }
        // What comes of an `if` may have any type.
        if !known.guarded.is_empty() && !NAMES.contains(&m.code) {
            return false;
        }
        match holds_no_number(m) {
            true => {
                // A sample that does not fit may hide it.
                let hidden = |run: &&Vec<Diagnostic>| find(run, m).is_none();
                let unfit = |run: &Vec<Diagnostic>| run.iter().any(|a| !holds_no_number(a));
                // An axis or an element may be one of a size's.
                let same = !matches!(m.code, "N0103" | "N0518") || shown.iter().all(|a| a.message == shown[0].message);
                same && 2 * shown.len() > runs.len() && runs.iter().filter(hidden).all(unfit)
            }
            false => {
                let never = |axis: usize| difference(m, axis).is_some_and(|d| has_one_sign(&d));
                whole && unequal(m).iter().any(|(axis, ..)| never(*axis))
            }
        }
    };
    mistakes.into_iter().filter(certain).collect()
}

/// The same mistake in another run.
pub(super) fn find(run: &[Diagnostic], m: &Diagnostic) -> Option<Diagnostic> {
    run.iter().find(|a| a.code == m.code && a.at == m.at).cloned()
}

/// The sizes that should be equal and are not, each pair with its axis; none, if the mistake is of another kind.
pub(super) fn unequal(m: &Diagnostic) -> Vec<(usize, Size, Size)> {
    let help = m.help.as_deref().unwrap_or_default();
    // `axis 1 is 4 instead of 8, axis 2 is …`
    let axis = |text: &str| {
        let (axis, sizes) = text.strip_prefix("axis ")?.split_once(" is ")?;
        let (found, wanted) = sizes.split_once(" instead of ")?;
        Some((axis.parse().ok()?, found.parse().ok()?, wanted.parse().ok()?))
    };
    match m.code {
        "N0506" | "N0509" if help.starts_with("axis ") => {
            let found: Vec<(usize, Size, Size)> = help.split(", ").filter_map(axis).collect();
            // What cannot be read may be equal.
            if found.is_empty() { vec![(0, Size::default(), Size::default())] } else { found }
        }
        "N0101" => {
            let shapes: Vec<Vec<Size>> = m
                .message
                .split('[')
                .skip(1)
                .filter_map(|rest| rest.split_once(']')?.0.split(", ").map(|size| size.parse().ok()).collect())
                .collect();
            let [left, right] = &shapes[..] else { return vec![(0, Size::default(), Size::default())] };
            // Axes meet from the right; 1 meets everything.
            let pairs = left.iter().rev().zip(right.iter().rev()).enumerate();
            let meet = |a: &Size, b: &Size| a == b || a.is(1) || b.is(1);
            pairs.filter(|(_, (a, b))| !meet(a, b)).map(|(axis, (a, b))| (axis, a.clone(), b.clone())).collect()
        }
        "N0108" => {
            // `…: 12 elements against 24`
            let counts = m.message.rsplit_once(": ").and_then(|(_, counts)| counts.split_once(" elements against "));
            counts.and_then(|(a, b)| Some((0, a.parse().ok()?, b.parse().ok()?))).into_iter().collect()
        }
        _ => vec![],
    }
}

/// The places in the branches and rounds of statements.
fn in_statements(statements: &[Statement], guarded: &mut HashSet<Loc>) {
    for statement in statements {
        match statement {
            Statement::Let { value, .. } | Statement::Assign(_, value) => in_expression(value, guarded),
            Statement::Assert(value, _) | Statement::Stray(value) => in_expression(value, guarded),
            Statement::For(one) => one.body.iter().for_each(|statement| add(|visit| statement.walk(visit), guarded)),
            Statement::If { then, otherwise, .. } => {
                then.iter().chain(otherwise).for_each(|statement| add(|visit| statement.walk(visit), guarded));
            }
        }
    }
}

fn in_expression(expression: &Expr, guarded: &mut HashSet<Loc>) {
    expression.walk(&mut |e| match &e.kind {
        ExprKind::If(_, then, otherwise) => {
            add(|visit| then.walk(visit), guarded);
            add(|visit| otherwise.walk(visit), guarded);
        }
        ExprKind::Block(body) | ExprKind::Closure(_, body) => in_statements(&body.statements, guarded),
        _ => {}
    });
}

/// Adds all places that a walk comes to.
fn add<'a>(walk: impl FnOnce(&mut dyn FnMut(&'a Expr)), guarded: &mut HashSet<Loc>) {
    walk(&mut |e| {
        guarded.insert(e.at);
    });
}
