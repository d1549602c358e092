//! The pipeline, a line a stage.

use castnet_graph::compile::{Compiled, Source, compile};
use castnet_graph::diagnostic::{Diagnostic, Loc, Note};
use castnet_graph::spelling::did_you_mean;
use castnet_graph::visits;
use proc_macro2::TokenStream;

use crate::ast::{File, Instance, Name, Net, Scope};
use crate::lower::{self, Blocks, Findings, Lowered, NetItem};
use crate::places::Places;
use crate::share::{self, Call, Step};
use crate::{diagnostics, emit, parse};

/// What `network! { tokens }` stands for.
pub fn expand(tokens: TokenStream) -> TokenStream {
    expand_for(tokens, is_editor())
}

/// What rust-analyzer writes where the cursor is before it asks what could stand there.
const CURSOR: &str = "intellijRulezz";

/// Whether an editor asks: rust-analyzer runs macros in a process of its own, which has this variable. `CASTNET_EDITOR=1` has the same
/// effect, so that rustc can check what editors see.
fn is_editor() -> bool {
    ["RUST_ANALYZER_INTERNALS_DO_NOT_USE", "CASTNET_EDITOR"].iter().any(|name| std::env::var_os(name).is_some())
}

/// The same, for an editor or for rustc.
pub fn expand_for(tokens: TokenStream, editor: bool) -> TokenStream {
    let mut places = Places::new();
    let mut mistakes = vec![];
    let completes = editor && share::idents(&tokens).iter().any(|ident| ident.contains(CURSOR));
    let mut output = match share::step(tokens, &mut places, &mut mistakes) {
        Step::Ask(output) => output,
        Step::Whole(call) => whole(&call, editor, &mut places, &mut mistakes),
    };
    // What is being written is no mistake, and one told there would hide what could be written.
    if !completes {
        output.extend(diagnostics::render(mistakes, &places, editor));
    }
    output
}

/// Bytes of stack for the compiler, some of whose passes follow operands down: a function has `lower::expr::NODES` nodes at the most, and
/// each may stand on the one before. Only what is used of it becomes memory.
const STACK: usize = 512 << 20;

/// Compiles on a thread whose stack is deep enough for any net; where there can be none, on this one.
fn with_deep_stack(source: Source) -> Result<Compiled, Vec<Diagnostic>> {
    let mut waiting = Some(source);
    let outcome = std::thread::scope(|scope| {
        let compiled = || waiting.take().map(|source| (compile(source), visits::visits()));
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, compiled).ok()?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    let Some((compiled, visits)) = outcome.or_else(|| waiting.take().map(|source| (compile(source), 0))) else {
        let message = "the compiler broke: its thread gave nothing back";
        return Err(vec![Diagnostic::new("N0900", Loc::default(), message).help("please report it with the network")]);
    };
    visits::add(visits);
    compiled
}

/// A call with all that it uses of others.
fn whole(call: &Call, editor: bool, places: &mut Places, mistakes: &mut Vec<Diagnostic>) -> TokenStream {
    let (mut file, items) = parse::parse(call.own.clone(), places, mistakes);
    share::link(&mut file, call, places, mistakes);
    let (alias, castnet) = match editor {
        true => emit::alias(&file, &call.castnet),
        false => (TokenStream::new(), call.castnet.clone()),
    };
    places.call_castnet(castnet);
    let findings = Findings::new(editor);
    let blocks = Blocks::check(&file, &findings, mistakes);
    let own = &file.scopes[0].constants;
    let mut output = emit::constants(own, &blocks.constants[0], places);
    let mut names: Vec<&str> = vec![];
    let targets = targets(&file, mistakes);
    let lowered = loop {
        let mut all = mistakes.clone();
        let lower = |target| {
            let before = all.len();
            let lowered = lower::lower(&file, &blocks, target, &findings, &mut all);
            (lowered, all[before..].to_vec())
        };
        let lowered: Vec<(Lowered, Vec<Diagnostic>)> = targets.iter().map(lower).collect();
        // What every use of a block shows is told once, in the block.
        if !blocks.judge(&file, &findings, mistakes) {
            break lowered;
        }
    };
    blocks.unused(&file, &findings, mistakes);
    for (target, (Lowered { source, constants }, found)) in targets.iter().zip(lowered) {
        let before = mistakes.len();
        mistakes.extend(found);
        let known = source.as_ref().map(emit::Known::of).unwrap_or_default();
        // An editor asks at every key, and shows nothing of the program.
        let compiled = source.filter(|_| !editor).and_then(|source| match with_deep_stack(source) {
            Ok(compiled) => Some(compiled),
            Err(more) => {
                mistakes.extend(more);
                None
            }
        });
        if let Some(of) = target.of {
            mistakes[before..].iter_mut().for_each(|d| in_instance(d, of, places));
        }
        if !names.contains(&target.name.text.as_str()) {
            output.extend(emit::emit(target, compiled.as_ref(), &known, &constants, places));
        }
        names.push(&target.name.text);
    }
    if editor {
        // First, since its text up to the cursor does not depend on what follows.
        let mut seen = alias;
        seen.extend(emit::shadow(&file, call, &findings, places));
        seen.extend(output);
        output = emit::settle(seen, call);
    }
    for export in share::exports(&file, call, items) {
        output.extend(emit::export(&export, places));
    }
    output
}

/// The nets to be made: those without parameters, and instances of those that have some.
fn targets<'a>(file: &'a File, mistakes: &mut Vec<Diagnostic>) -> Vec<NetItem<'a>> {
    let whole = file.nets.iter().filter(|n| !n.foreign && n.parameters.is_empty());
    let mut targets: Vec<NetItem> = whole
        .map(|net| NetItem { outer: outer(file, net), head: &net.head, name: &net.name, of: None, net, arguments: &[] })
        .collect();
    for instance in &file.instances {
        if let Some(net) = template(file, instance, mistakes) {
            let (head, name, arguments) = (&instance.head, &instance.name, &instance.arguments[..]);
            targets.push(NetItem { head, name, of: Some(&instance.of), net, arguments, outer: outer(file, net) });
        }
    }
    targets
}

fn outer<'a>(file: &'a File, net: &Net) -> &'a Scope {
    &file.scopes[net.scope]
}

fn template<'a>(file: &'a File, instance: &'a Instance, mistakes: &mut Vec<Diagnostic>) -> Option<&'a Net> {
    let scope = file.scopes.first()?;
    let of = &instance.of;
    if let Some((_, number)) = scope.nets.iter().find(|(name, _)| *name == of.text) {
        return file.nets.get(*number);
    }
    if scope.lost {
        return None;
    }
    if scope.blocks.iter().any(|(name, _)| *name == of.text) {
        let message = format!("`{}` is a block: an instance is made of a net with parameters", of.text);
        let help = format!("write a net with it as a part: `net … {{ part: {}<…>; … }}`", of.text);
        mistakes.push(Diagnostic::new("N0404", of.at, message).help(help));
        return None;
    }
    let d =
        Diagnostic::new("N0404", of.at, format!("there is no net `{}` of which this could be an instance", of.text));
    let known = scope.nets.iter().map(|(name, _)| name.as_str());
    mistakes.push(match did_you_mean(&of.text, known) {
        Some(meant) => d.help(format!("did you mean `{meant}`?")),
        None => d.help(format!("define it, `net {}<…> {{ … }}`, or `use` it from another module", of.text)),
    });
    None
}

/// A mistake in a template as one of this instance. If the template is of another call, it stands where it is used.
fn in_instance(mistake: &mut Diagnostic, of: &Name, places: &Places) {
    if places.is_foreign(mistake.at) {
        let text = format!("this happens in `{}`, with these parameters", of.text);
        mistake.notes.insert(0, Note { text, at: std::mem::replace(&mut mistake.at, of.at) });
    } else if places.line(mistake.at) != places.line(of.at) {
        mistake.notes.push(Note { text: format!("this happens in this instance of `{}`", of.text), at: of.at });
    }
}
