//! Gradients of results that have cotangents already: of what a primitive is written by.

use super::{NoRule, Pass};
use crate::builder::Parameters;
use crate::decompose::NOTHING;
use crate::graph::{Graph, Node, Value};

/// The graph with the gradients of `wanted` values behind it, and where these stand, if any flows there; `cotangents`: of which value, and
/// where it stands.
pub(crate) fn vjp(
    graph: Graph,
    cotangents: &[(Value, Value)],
    wanted: &[Value],
) -> Result<(Graph, Vec<Option<Value>>), NoRule> {
    let mut none = Parameters::default();
    let is_wanted = |value: Value, _: &Node| wanted.contains(&value);
    let mut pass = Pass::new(graph, &mut none, &|_| false, NOTHING, &is_wanted);
    for (value, cotangent) in cotangents {
        pass.adjoints[value.index()].push(*cotangent);
    }
    if let Some(last) = cotangents.iter().map(|(value, _)| *value).max() {
        pass.sweep(last)?;
    }
    let gradients = wanted.iter().map(|v| pass.found.get(v).copied()).collect();
    Ok((pass.b.graph, gradients))
}
