//! What a kernel should not take in: what costs more there than in a pass of its own.
//!
//! An epilogue sees 32 columns at a time, a pass of its own whole lines of channels; a reduction makes an element anew in each stage that
//! reads it. Where elements are found by windows, each of these times costs.

use std::collections::BTreeSet;

use super::group::Group;
use super::view::base_of;
use super::{Class, class};
use crate::graph::{Graph, Op, Value};
use rustc_hash::{FxHashMap, FxHashSet};

// Nanoseconds an element, on one core with AVX-512: the least of 200 runs of nets with a pool beside a convolution, 16 to 64 channels.

/// An element is stored and loaded once more.
const PASS: f64 = 1.2;
/// An element of a window is loaded.
const TAP: f64 = 3.0;
/// The same in the epilogue of a tile: so much more.
const TAP_IN_TILE: f64 = 0.7;

/// Whether a group costs less than one without its windows and a pass for each of them. `is_stored`: whether a node lies in memory anyway.
pub(super) fn is_worth(graph: &Graph, group: &Group, is_stored: &dyn Fn(Value) -> bool) -> bool {
    if group.tile.is_none() && !group.reduces() {
        return true;
    }
    let mut windows =
        group.nodes.iter().map(|node| (*node, taps(&graph.node(*node).op))).filter(|(_, taps)| *taps > 0.0);
    windows.all(|(node, taps)| {
        let more = match group.tile {
            Some(_) => taps * TAP_IN_TILE,
            None => taps * TAP * (times(graph, group, node, is_stored) as f64 - 1.0),
        };
        more <= PASS
    })
}

/// Loads of a point that is found by windows.
fn taps(op: &Op) -> f64 {
    let Some((window, loads)) = op.primitive().window else { return 0.0 };
    (loads * window.kernel[0] * window.kernel[1]) as f64
}

/// In how many stages of a group that reduces an element is made.
fn times(graph: &Graph, group: &Group, node: Value, is_stored: &dyn Fn(Value) -> bool) -> usize {
    // How many reductions stand before each node; and what follows from the element without one between.
    let (mut after, mut follows) = (FxHashMap::default(), FxHashSet::from_iter([node]));
    let mut stages = BTreeSet::new();
    for &next in &group.nodes {
        let operands: Vec<Value> = graph.node(next).inputs.iter().map(|v| base_of(graph, *v)).collect();
        let below: usize = operands.iter().filter_map(|v| after.get(v).copied()).max().unwrap_or(0);
        let is_reduction = class(graph, next) == Class::Reduce;
        after.insert(next, below + usize::from(is_reduction));
        if next == node || operands.iter().any(|v| follows.contains(v)) {
            if is_reduction || is_stored(next) {
                stages.insert(below);
            }
            if !is_reduction {
                follows.insert(next);
            }
        }
    }
    stages.len().max(1)
}
