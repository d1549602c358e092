//! The items of `network!`: nets, instances of templates, blocks, constants.

use castnet_graph::diagnostic::Diagnostic;
use castnet_graph::spelling::did_you_mean;
use proc_macro2::{Delimiter, Ident, Span, TokenTree};

use super::attributes::Bearer;
use super::{Cursor, Parser, refuse, skip_item};
use crate::ast::{Block, Body, Constant, Expr, File, Head, Instance, Members, Name, Net, Scope};
use crate::share::Item;

/// How a net starts, for messages.
const NET: &str = "write `pub net Name { … }`";
/// How a block starts, for messages.
const BLOCK: &str = "write `block Name<WIDTH>(x: f32[N, C]) -> f32[N, WIDTH] { … }`";

impl Parser<'_> {
    /// All items; the tokens of blocks and nets.
    pub(super) fn file(&mut self, mut cursor: Cursor, file: &mut File) -> Vec<Item> {
        let mut scope = Scope::default();
        let mut items = vec![];
        if cursor.done() {
            self.syntax(cursor.span(), "an empty `network!`", NET);
        }
        while !cursor.done() {
            let (start, blocks, nets) = (cursor.clone(), file.blocks.len(), file.nets.len());
            let constants = scope.constants.len();
            scope.lost |= !self.item(&mut cursor, file, &mut scope.constants);
            let block = file.blocks.get(blocks).map(|block| &block.name);
            let net = file.nets.get(nets).map(|net| &net.name);
            let constant = scope.constants.get(constants).map(|constant| &constant.name);
            if let Some(name) = block.or(net).or(constant) {
                items.push(Item { name: name.text.clone(), tokens: cursor.since(&start) });
            }
        }
        self.names(file, &mut scope);
        file.scopes.push(scope);
        items
    }

    /// One item; `false` if it could not be read.
    fn item(&mut self, cursor: &mut Cursor, file: &mut File, constants: &mut Vec<Constant>) -> bool {
        if cursor.eat_sign(';') {
            return true; // A stray semicolon does no harm.
        }
        let (head, attributes) = self.head(cursor);
        self.no_attributes(attributes, Bearer::Item);
        if cursor.is_word(0, "net") {
            return self.net_item(head, cursor, file);
        }
        if cursor.is_word(0, "const") {
            let constant = self.constant(head, cursor);
            let read = constant.is_some();
            constants.extend(constant);
            return read;
        }
        if cursor.is_word(0, "block") {
            return match self.block_item(head, cursor) {
                Some(block) => {
                    file.blocks.push(block);
                    true
                }
                None => false,
            };
        }
        if let Some(word) = refuse::item(cursor) {
            self.refuse(cursor.span(), word);
            skip_item(cursor);
            return false;
        }
        let known = ["net", "block", "use", "const"];
        let help = match cursor.peek() {
            None => "a doc comment stands before what it describes".into(),
            Some(TokenTree::Ident(i)) => match i.to_string().as_str() {
                "fn" | "train" | "where" | "param" | "state" => format!("`{i}` stands inside a net or block"),
                "struct" | "class" | "model" | "network" | "module" => NET.into(),
                "layer" => BLOCK.into(),
                "crate" => "`crate = path;` is the first item".into(),
                other => did_you_mean(other, known).map_or(NET.into(), |m| format!("did you mean `{m}`?")),
            },
            Some(_) => NET.into(),
        };
        self.expected(cursor, "`net` or `block`", &help);
        skip_item(cursor);
        false
    }

    /// `net Name<…> { … }` or `net Name = Template<…>;`.
    fn net_item(&mut self, head: Head, cursor: &mut Cursor, file: &mut File) -> bool {
        cursor.next();
        let Some(ident) = cursor.eat_ident() else {
            self.expected(cursor, "the name of the net", NET);
            skip_item(cursor);
            return false;
        };
        let name = self.name(&ident);
        if cursor.is_sign(0, '=') {
            return match self.instance(head, name, cursor) {
                Some(instance) => {
                    file.instances.push(instance);
                    true
                }
                None => false,
            };
        }
        let parameters = self.build_parameters(cursor);
        if !cursor.is_braces(0) {
            let help = match cursor.is_parentheses(0) {
                true => "a net has functions: what they take stands there; build-time parameters stand in `<…>`",
                false => NET,
            };
            self.expected(cursor, &format!("`{{` after `net {}`", name.text), help);
            cursor.take_while(|c| !c.is_braces(0) && !c.is_sign(0, ';') && !starts_item(c));
        }
        let mut net = Net {
            head,
            name,
            parameters: parameters.unwrap_or_default(),
            members: Members::default(),
            functions: vec![],
            float: None,
            precision: None,
            scope: 0,
            foreign: false,
        };
        match cursor.eat_braces() {
            Some(body) => self.net(&mut net, &body),
            None => {
                cursor.eat_sign(';');
                net.members.lost = true;
            }
        }
        file.nets.push(net);
        true
    }

    /// `= Gpt<4, 256, 4>;`.
    fn instance(&mut self, head: Head, name: Name, cursor: &mut Cursor) -> Option<Instance> {
        cursor.next();
        let Some(of) = cursor.eat_ident() else {
            self.expected(cursor, "the name of a net with parameters", "write `pub net Small = Gpt<4, 256>;`");
            skip_item(cursor);
            return None;
        };
        if cursor.is_path(0) {
            let help = "bring it here first: `use …;`, then its name alone";
            self.syntax(cursor.span(), "nets are named without a path", help);
            skip_item(cursor);
            return None;
        }
        let of = self.name(&of);
        let mut arguments = self.angles(cursor).unwrap_or_default();
        if let Some(group) = cursor.eat_group(Delimiter::Parenthesis) {
            let help = format!("write `{}<…>`", of.text);
            self.syntax(group.span(), "build-time parameters stand in `<…>`", &help);
            arguments = self.arguments(&group);
        }
        if !cursor.eat_sign(';') {
            match cursor.done() || starts_item(cursor) {
                true => self.syntax(cursor.last_span(), "expected `;` after this", "write `pub net Small = Gpt<4>;`"),
                false => {
                    self.expected(cursor, "`;`", "write `pub net Small = Gpt<4, 256>;`");
                    cursor.take_while(|c| !c.is_sign(0, ';') && !starts_item(c));
                    cursor.eat_sign(';');
                }
            }
        }
        Some(Instance { head, name, of, arguments })
    }

    /// `block Name<…>(…) -> … { … }`; `None` if not even the name could be read.
    fn block_item(&mut self, head: Head, cursor: &mut Cursor) -> Option<Block> {
        cursor.next();
        let Some(ident) = cursor.eat_ident() else {
            self.expected(cursor, "the name of the block", BLOCK);
            skip_item(cursor);
            return None;
        };
        let name = self.name(&ident);
        let outer = std::mem::replace(&mut self.lost, false);
        let parameters = self.build_parameters(cursor).unwrap_or_default();
        let inputs = self.inputs(&format!("block {}", name.text), BLOCK, cursor);
        let result = self.result(&name.text, cursor);
        let mut members = Members::default();
        let body = match cursor.eat_braces() {
            Some(group) => self.block_body(&name, &group, &mut members),
            None => self.no_body("block", &ident, cursor),
        };
        let lost = std::mem::replace(&mut self.lost, outer);
        members.lost |= lost;
        let (scope, foreign) = (0, false);
        Some(Block { head, name, parameters, inputs, result, members, body, scope, lost, foreign })
    }

    /// What stands for the braces that are missing.
    pub(super) fn no_body(&mut self, what: &str, name: &Ident, cursor: &mut Cursor) -> Body {
        self.expected(cursor, &format!("`{{` and the body of the {what}"), "");
        if !starts_item(cursor) {
            skip_item(cursor);
        }
        self.lost = true;
        Body { statements: vec![], tail: Expr::broken(self.places.at(name.span())) }
    }

    /// Who is called what; two of the same name.
    fn names(&mut self, file: &File, scope: &mut Scope) {
        let nets = file.nets.iter().map(|net| ("net", &net.name));
        let instances = file.instances.iter().map(|instance| ("net", &instance.name));
        let blocks = file.blocks.iter().map(|block| ("block", &block.name));
        let constants = scope.constants.iter().map(|constant| ("constant", &constant.name));
        let mut all: Vec<(&str, &Name)> = nets.chain(instances).chain(blocks).chain(constants).collect();
        all.sort_by_key(|(_, name)| self.places.order(name.at));
        for (index, (what, name)) in all.iter().enumerate() {
            if let Some((other, first)) = all[..index].iter().find(|(_, n)| n.text == name.text) {
                let message = match what == other {
                    true => format!("two {what}s are called `{}`", name.text),
                    false => format!("a {other} and a {what} are called `{}`", name.text),
                };
                let d = Diagnostic::new("N0502", name.at, message)
                    .note(first.at, "the first one is here")
                    .help("give one of them another name");
                self.diagnostics.push(d);
            }
        }
        for (index, block) in file.blocks.iter().enumerate() {
            scope.blocks.push((block.name.text.clone(), index));
        }
        for (index, net) in file.nets.iter().enumerate() {
            scope.nets.push((net.name.text.clone(), index));
        }
    }

    /// Refuses tokens up to the next item.
    pub(super) fn no_item(&mut self, span: Span, message: &str, help: &str, cursor: &mut Cursor) {
        self.syntax(span, message, help);
        skip_item(cursor);
    }
}

/// Whether an item of `network!` starts here.
pub(super) fn starts_item(cursor: &Cursor) -> bool {
    let word = ["pub", "net", "block", "use", "const"].iter().any(|w| cursor.is_word(0, w));
    word || cursor.is_sign(0, '#')
}
