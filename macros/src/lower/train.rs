//! What stands before functions: which parts a `train fn` updates.

use std::rc::Rc;

use castnet_graph::builder::Parameters;
use castnet_graph::diagnostic::{Diagnostic, did_you_mean};

use super::Pass;
use super::parts::Owner;
use crate::ast::Function;

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
            if owner.part(&name.text).is_none() {
                let known = owner.members.parts.iter().map(|p| p.name.text.as_str());
                let d = Diagnostic::new("N0501", name.at, format!("there is no layer `{}` to train", name.text));
                mistakes.push(match did_you_mean(&name.text, known) {
                    Some(meant) => d.help(format!("did you mean `{meant}`?")),
                    None => d.help("`train[…]` lists layers, blocks, arrays and `param`s of the net"),
                });
                continue;
            }
            if let Some(first) = names[..index].iter().find(|n| n.text == name.text) {
                let d = Diagnostic::new("N0502", name.at, format!("`{}` is listed twice", name.text));
                mistakes.push(d.note(first.at, "the first one is here").help("remove one of them"));
                continue;
            }
            let inside =
                |key: &str| key.strip_prefix(name.text.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            let numbers = (0..parameters.list.len()).filter(|n| inside(&parameters.list[*n].name));
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
}
