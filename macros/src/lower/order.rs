//! The order in which functions are lowered, and recursion, which cannot be.

use castnet_graph::diagnostic::Diagnostic;
use castnet_graph::ops;

use crate::ast::{ExprKind, Name, Net};

/// The numbers of the functions, callees before callers; and those that call themselves, which are reported.
pub(super) fn callees_first(net: &Net, diagnostics: &mut Vec<Diagnostic>) -> (Vec<usize>, Vec<usize>) {
    let mut walk = Walk { net, order: vec![], recursive: vec![], path: vec![], diagnostics };
    for index in 0..net.functions.len() {
        walk.visit(index);
    }
    (walk.order, walk.recursive)
}

struct Walk<'a, 'd> {
    net: &'a Net,
    order: Vec<usize>,
    recursive: Vec<usize>,
    /// The functions being visited, outermost first.
    path: Vec<usize>,
    diagnostics: &'d mut Vec<Diagnostic>,
}

impl Walk<'_, '_> {
    fn visit(&mut self, index: usize) {
        if self.order.contains(&index) {
            return;
        }
        self.path.push(index);
        let mut callees: Vec<&Name> = vec![];
        self.net.functions[index].body.walk(&mut |e| {
            if let ExprKind::Call(callee, _) = &e.kind {
                callees.push(callee);
            }
        });
        for callee in callees {
            // A layer of that name comes first, which was reported as defined twice.
            if self.net.members.parts.iter().any(|part| part.name.text == callee.text) {
                continue;
            }
            let Some(target) = self.net.functions.iter().position(|f| f.name.text == callee.text) else { continue };
            match self.path.iter().position(|&f| f == target) {
                Some(start) => self.report(start, callee),
                None => self.visit(target),
            }
        }
        self.path.pop();
        self.order.push(index);
    }

    fn report(&mut self, start: usize, callee: &Name) {
        let circle = self.path[start..].to_vec();
        let known = circle.iter().all(|f| self.recursive.contains(f));
        self.recursive.extend(&circle);
        if known {
            return;
        }
        let name = |f: usize| &self.net.functions[f].name;
        let mut way: Vec<_> = circle.iter().map(|&f| format!("`{}`", name(f).text)).collect();
        way.push(format!("`{}`", callee.text));
        let message = format!("function `{}` calls itself: {}", callee.text, way.join(" → "));
        let mut d = Diagnostic::new("N0508", callee.at, message);
        for &f in &circle {
            d = d.note(name(f).at, format!("`{}` is defined here", name(f).text));
        }
        let operator = circle.iter().map(|&f| &name(f).text).find(|name| ops::find(name).is_some());
        self.diagnostics.push(match operator {
            Some(name) => d.help(format!(
                "`{name}` is also an operator, but the net's own names come first: give the function another name"
            )),
            None => d.help("calls are inlined at build time, so they cannot go round in a circle"),
        });
    }
}
