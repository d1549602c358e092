//! `where` rules and `assert!`: sizes that must hold, at build time where they are known, else when the function runs.

use std::collections::HashMap;

use castnet_graph::call::Arg;
use castnet_graph::diagnostic::Diagnostic;
use castnet_graph::rules::{Relation, Rule};
use castnet_graph::scalar::Binary;
use castnet_graph::size::{Size, as_written, gcd, whole};

use super::expr::Lowering;
use super::scope::Frame;
use crate::ast::{Expr, ExprKind, Members};

impl<'a> Lowering<'a, '_, '_> {
    /// Checks rules with what names stand for here: a build error where one is known to fail; those that depend on run-time sizes are
    /// checked at each run.
    ///
    /// In a net, a rule may name sizes that only some of its functions have: it counts for those.
    pub fn rules(&mut self, frame: &mut Frame<'a>, rules: &'a [Expr]) {
        for rule in rules {
            if self.all_known(frame, rule) {
                self.rule(frame, rule, None);
            }
        }
    }

    /// The rules and constants of a block: a rule comes first where it can, since constants may rely on it. `false` if one is broken.
    pub fn rules_and_constants(&mut self, frame: &mut Frame<'a>, members: &'a Members) -> bool {
        let before = self.b.diagnostics.len();
        let (early, late): (Vec<&Expr>, Vec<&Expr>) = members.rules.iter().partition(|r| self.all_known(frame, r));
        for rule in early {
            self.rule(frame, rule, None);
        }
        if self.b.diagnostics.len() > before {
            return false;
        }
        self.constants(frame, &members.constants);
        for rule in late {
            self.rule(frame, rule, None);
        }
        self.b.diagnostics.len() == before
    }

    /// One rule; `message` is what to say where it fails.
    pub fn rule(&mut self, frame: &mut Frame<'a>, rule: &'a Expr, message: Option<&str>) {
        match &rule.kind {
            ExprKind::And(x, y) => {
                self.rule(frame, x, message);
                return self.rule(frame, y, message);
            }
            ExprKind::Binary(f, x, y) => {
                if let Some(relation) = relation(*f) {
                    let Some(left) = self.side(frame, x) else { return };
                    let Some((right, 0)) = self.side(frame, y) else { return };
                    return self.relation(rule, left, relation, right, message);
                }
            }
            _ => {}
        }
        if self.truth(frame, rule) == Some(false) {
            let text = message.map_or("this does not hold".to_string(), str::to_string);
            self.mistake(Diagnostic::new("N0520", rule.at, text));
        }
    }

    fn relation(&mut self, rule: &'a Expr, left: (Size, i64), relation: Relation, right: Size, message: Option<&str>) {
        let (size, modulo) = left;
        let rule_data = Rule { modulo, ..Rule::new(size.clone(), relation, right.clone()) };
        match rule_data.known() {
            Some(true) => {}
            None => self.b.rule(rule_data),
            Some(false) => {
                let text = message.map_or(format!("the rule `{}` does not hold", text(rule)), str::to_string);
                let values = rule_data.to_string();
                let text = if text.contains(&format!("`{values}`")) { text } else { format!("{text}: {values}") };
                self.mistake(Diagnostic::new("N0520", rule.at, text).help("change one of the sizes"));
            }
        }
    }

    /// A size, or a size modulo a number (0: not at all).
    fn side(&mut self, frame: &mut Frame<'a>, side: &'a Expr) -> Option<(Size, i64)> {
        if let ExprKind::Binary(Binary::Rem, x, y) = &side.kind
            && let (Arg::Size(size), Arg::Size(by)) = (self.expression(frame, x), self.expression(frame, y))
            && let Some(by) = by.as_const().filter(|by| *by >= 1)
        {
            return Some((size, by));
        }
        match self.expression(frame, side) {
            Arg::Size(size) => Some((size, 0)),
            Arg::Unknown => None,
            other => {
                let message = format!("a rule compares sizes, found {}", other.describe(self.b));
                self.mistake(
                    Diagnostic::new("N0520", side.at, message).help("write `where T <= 1024, D % HEADS == 0;`"),
                );
                None
            }
        }
    }

    fn all_known(&self, frame: &Frame<'a>, rule: &'a Expr) -> bool {
        let mut all = true;
        rule.walk(&mut |e| {
            if let ExprKind::Name(name) = &e.kind {
                all &= frame.sizes.contains_key(name);
            }
        });
        all
    }
}

/// By what rules say that these sizes can be divided, `T % 2 == 0`, beside what is `known`, which stands in the rules as parts of sizes.
pub(super) fn divisors(rules: &[Rule], sizes: &[String], known: &HashMap<String, i64>) -> HashMap<String, i64> {
    let mut divisors = known.clone();
    for rule in rules.iter().filter(|r| r.modulo > 1 && r.relation == Relation::Equal && r.right.is_zero()) {
        let Some((monomial, factor)) = rule.left.as_term() else { continue };
        let [name] = monomial.names() else { continue };
        let (name, parts) = whole(name);
        let by = rule.modulo / gcd(factor, rule.modulo);
        if by > 1 && sizes.iter().any(|size| size == name) {
            let by = parts.saturating_mul(by);
            let all = divisors.entry(name.to_string()).or_insert(1);
            // Beyond all measure there is nothing to rely on.
            *all = (*all / gcd(*all, by)).checked_mul(by).filter(|all| *all <= 1 << 20).unwrap_or(*all);
        }
    }
    divisors.retain(|_, by| *by > 1);
    divisors
}

/// Tells a mistake by the sizes that are written instead of by their parts.
pub(super) fn tell_as_written(mistake: &mut Diagnostic) {
    let texts = mistake.notes.iter_mut().map(|note| &mut note.text).chain(&mut mistake.help);
    texts.chain([&mut mistake.message]).for_each(|text| *text = as_written(text));
}

fn relation(f: Binary) -> Option<Relation> {
    Some(match f {
        Binary::Lt => Relation::Less,
        Binary::Le => Relation::AtMost,
        Binary::Gt => Relation::Greater,
        Binary::Ge => Relation::AtLeast,
        Binary::Eq => Relation::Equal,
        Binary::Ne => Relation::NotEqual,
        _ => return None,
    })
}

/// A rule as it was written, as far as it is made of names and numbers.
pub(super) fn text(rule: &Expr) -> String {
    let sum = |e: &Expr| matches!(e.kind, ExprKind::Binary(Binary::Add | Binary::Sub, ..));
    // A sum that is multiplied or divided stood in parentheses.
    let factor = |e: &Expr| if sum(e) { format!("({})", text(e)) } else { text(e) };
    match &rule.kind {
        ExprKind::Name(name) => name.clone(),
        ExprKind::Int(value) => value.to_string(),
        ExprKind::Unary(_, x) => format!("-{}", text(x)),
        ExprKind::Binary(f @ (Binary::Mul | Binary::Div | Binary::Rem), x, y) => {
            format!("{} {} {}", factor(x), castnet_graph::arith::sign(*f), factor(y))
        }
        ExprKind::Binary(f, x, y) => format!("{} {} {}", text(x), castnet_graph::arith::sign(*f), text(y)),
        ExprKind::Call(callee, arguments) => {
            let arguments: Vec<String> = arguments.iter().map(|a| text(&a.value)).collect();
            format!("{}({})", callee.text, arguments.join(", "))
        }
        _ => "…".into(),
    }
}
