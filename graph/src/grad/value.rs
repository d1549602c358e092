//! `grad(loss, [x])`: gradients as values of the graph in which the loss stands, themselves differentiable.

use super::{Pass, reaches_sources};
use crate::builder::{Builder, Checked, Parameters};
use crate::decompose::NOTHING;
use crate::diagnostic::Diagnostic;
use crate::graph::Value;

impl Builder<'_> {
    /// The gradients of a scalar with respect to values that it was made of: arguments, parameters or anything between.
    ///
    /// Where the loss depends on a value by steps only (`floor`), its gradient is 0; where it does not depend on it at all, that is a
    /// mistake, as in PyTorch.
    pub fn grad(&mut self, loss: Value, wrt: &[Value]) -> Checked<Vec<Value>> {
        let at = self.origin.loc;
        let (ty, made_by, made_at) = (self.ty(loss).clone(), self.made_by(loss), self.made_at(loss));
        if !ty.is_scalar() || !ty.dtype.is_float() {
            let d = Diagnostic::new("N0701", at, format!("a gradient is taken of a number, and `{made_by}` is {ty}"))
                .note(made_at, format!("`{made_by}` comes from here"))
                .help("reduce it first: `.sum()` or `.mean()`");
            return self.report(d);
        }
        for &x in wrt {
            let is_x = |value: Value, _: &_| value == x;
            if self.graph.dtype(x).is_float() && reaches_sources(&self.graph, &is_x, &|_| false)[loss.index()] {
                continue;
            }
            let (name, x_at) = (self.made_by(x), self.made_at(x));
            let d = Diagnostic::new("N0702", at, format!("`{made_by}` does not depend on `{name}`"))
                .note(x_at, format!("`{name}`, {}, comes from here", self.ty(x)))
                .note(made_at, format!("`{made_by}` comes from here"))
                .help("no gradient flows through `detach`, comparisons and integers");
            return self.report(d);
        }
        let origin = self.origin.clone();
        let mut no_parameters = Parameters::default();
        let graph = std::mem::take(&mut self.graph);
        // No target is known here: loops are written for those that have least.
        let is_source = |value, _: &_| wrt.contains(&value);
        let mut pass = Pass::new(graph, &mut no_parameters, &|_| false, NOTHING, &is_source);
        pass.seed(loss, false);
        let swept = pass.sweep(loss);
        let found = pass.found;
        self.graph = pass.b.graph;
        if let Err(no_rule) = swept {
            return self.report(no_rule.diagnostic(at));
        }
        self.origin = origin;
        Ok(wrt.iter().map(|x| found.get(x).copied().unwrap_or_else(|| self.full(0.0, *x))).collect())
    }
}
