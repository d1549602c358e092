//! What stands before functions: which parts a `train fn` updates, and the memory that it may take.

use std::rc::Rc;

use castnet_graph::budget::{Budget, Optimizer};
use castnet_graph::builder::Parameters;
use castnet_graph::diagnostic::Diagnostic;
use castnet_graph::graph::Graph;
use castnet_graph::size::whole;
use castnet_graph::spelling::did_you_mean;

use super::Pass;
use super::parts::{Owner, is_inside};
use crate::ast::{ExprKind, Function};

/// What a budget calls the optimizers. `Sgd` may have a momentum.
const OPTIMIZERS: [(&str, Optimizer); 3] =
    [("AdamW", Optimizer::AdamW), ("Adam", Optimizer::AdamW), ("Sgd", Optimizer::Momentum)];

impl<'a> Pass<'a> {
    /// The parameters that `train[a, b] fn` updates; `None`: all.
    pub(super) fn trains(
        &self,
        owner: &Rc<Owner<'a>>,
        function: &Function,
        parameters: &Parameters,
    ) -> Result<Option<Vec<usize>>, Vec<Diagnostic>> {
        let Some(names) = function.train.as_ref().and_then(|t| t.names.as_ref()) else { return Ok(None) };
        let mut mistakes = vec![];
        let mut all = vec![];
        for (index, name) in names.iter().enumerate() {
            let part = owner.members.parts.iter().find(|part| part.name.text == name.text);
            let Some(part) = part else {
                let known = owner.members.parts.iter().map(|p| p.name.text.as_str());
                let d = Diagnostic::new("N0501", name.at, format!("there is no layer `{}` to train", name.text));
                mistakes.push(match did_you_mean(&name.text, known) {
                    Some(meant) => d.help(format!("did you mean `{meant}`?")),
                    None => d.help("`train[…]` lists layers, blocks, arrays and `param`s of the net"),
                });
                continue;
            };
            if let Some(first) = names[..index].iter().find(|n| n.text == name.text) {
                let d = Diagnostic::new("N0502", name.at, format!("`{}` is listed twice", name.text));
                mistakes.push(d.note(first.at, "the first one is here").help("remove one of them"));
                continue;
            }
            let numbers = (0..parameters.list.len()).filter(|n| is_inside(&parameters.list[*n].name, part.key()));
            let before = all.len();
            all.extend(numbers);
            if all.len() == before {
                let d = Diagnostic::new("N0505", name.at, format!("`{}` has no parameters to train", name.text));
                mistakes.push(d.help("remove it from the list"));
            }
        }
        all.sort_unstable();
        if mistakes.is_empty() { Ok(Some(all)) } else { Err(mistakes) }
    }

    /// What `#[memory(512 MiB, N = 256)]` says.
    pub(super) fn memory(&self, function: &Function, graph: &Graph) -> Result<Option<Budget>, Vec<Diagnostic>> {
        let Some(memory) = &function.memory else { return Ok(None) };
        let help = "write `#[memory(512 MiB, N = 256)]`, with every run-time size of the function";
        let sizes = graph.arguments.iter().flat_map(|a| a.ty.shape.iter().flat_map(|s| s.names()));
        let mut open: Vec<String> = sizes.map(|s| s.to_string()).collect();
        open.sort();
        open.dedup();
        let mut mistakes = vec![];
        let mut budget = Budget {
            bytes: memory.bytes.min(i64::MAX as u64) as i64,
            sizes: vec![],
            optimizer: Optimizer::default(),
            at: memory.at,
        };
        for argument in &memory.arguments {
            let Some(name) = &argument.name else {
                let d = Diagnostic::new("N0632", argument.value.at, "the sizes of a budget are given by name");
                mistakes.push(d.help(help));
                continue;
            };
            match (name.text.as_str(), &argument.value.kind) {
                ("optimizer", ExprKind::Name(optimizer)) => {
                    match OPTIMIZERS.iter().find(|(name, _)| name == optimizer) {
                        Some((_, known)) => budget.optimizer = *known,
                        None => {
                            let names: Vec<&str> = OPTIMIZERS.iter().map(|(name, _)| *name).collect();
                            let message = format!("there is no optimizer `{optimizer}`");
                            let d = Diagnostic::new("N0501", argument.value.at, message);
                            mistakes.push(d.help(format!("write one of `{}`", names.join("`, `"))));
                        }
                    }
                }
                (size, ExprKind::Int(value)) if *value >= 1 && open.iter().any(|o| whole(o).0 == size) => {
                    for name in open.extract_if(.., |o| whole(o).0 == size) {
                        let (_, parts) = whole(&name);
                        if value % parts != 0 {
                            let message = format!("a rule says that {parts} divides `{size}`, and it is {value} here");
                            let d = Diagnostic::new("N0632", argument.value.at, message);
                            mistakes.push(d.help(format!("write a multiple of {parts}")));
                        }
                        budget.sizes.push((name.clone(), value / parts));
                    }
                }
                (size, _) => {
                    let message =
                        format!("`{size}` is no run-time size of `{}`, or its value is no number", function.name.text);
                    mistakes.push(Diagnostic::new("N0632", name.at, message).help(help));
                }
            }
        }
        if !open.is_empty() && mistakes.is_empty() {
            let open: Vec<&str> = open.iter().map(|name| whole(name).0).collect();
            let message =
                format!("the budget of `{}` says nothing of the size {}", function.name.text, open.join(", "));
            mistakes.push(Diagnostic::new("N0632", memory.at, message).help(help));
        }
        if mistakes.is_empty() { Ok(Some(budget)) } else { Err(mistakes) }
    }
}
