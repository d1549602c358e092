//! A syntax tree as text: close to the source, with every operator in parentheses.

use crate::ast::*;

/// All of it.
pub fn file(file: &File) -> String {
    let mut out = String::new();
    for block in &file.blocks {
        let (inputs, result) = (inputs(&block.inputs), promise(&block.result));
        let (head, parameters) = (head(&block.head), parameters(&block.parameters));
        out += &format!("{head}block {}{parameters}({inputs}) -> {result}{}\n", block.name.text, lost(block.lost));
        members(&block.members, &mut out);
        body(&block.body, 1, &mut out);
    }
    for net in &file.nets {
        let (head, parameters) = (head(&net.head), parameters(&net.parameters));
        out += &format!("{head}net {}{parameters}\n", net.name.text);
        members(&net.members, &mut out);
        for f in &net.functions {
            function(f, &mut out);
        }
    }
    for instance in &file.instances {
        let head = head(&instance.head);
        let arguments = arguments(&instance.arguments);
        out += &format!("{head}net {} = {}<{arguments}>\n", instance.name.text, instance.of.text);
    }
    out
}

fn function(f: &Function, out: &mut String) {
    if let Some(memory) = &f.memory {
        *out += &format!("  #[memory({} bytes; {})]\n", memory.bytes, arguments(&memory.arguments));
    }
    let train = match &f.train {
        None => String::new(),
        Some(Train { names: None }) => "train ".into(),
        Some(Train { names: Some(names) }) => {
            format!("train[{}] ", names.iter().map(|n| n.text.clone()).collect::<Vec<_>>().join(", "))
        }
    };
    let (inputs, result) = (inputs(&f.parameters), promise(&f.result));
    *out += &format!("  {}{train}fn {}({inputs}) -> {result}{}\n", head(&f.head), f.name.text, lost(f.lost));
    body(&f.body, 2, out);
}

fn lost(lost: bool) -> &'static str {
    if lost { " lost" } else { "" }
}

fn head(head: &Head) -> String {
    let mut text = String::new();
    if !head.docs.is_empty() {
        text += &format!("/// {} /// ", head.docs.join(" ").trim());
    }
    if !head.visibility.is_empty() {
        text += &format!("{} ", head.visibility);
    }
    text
}

fn parameters(parameters: &[BuildParameter]) -> String {
    let one = |p: &BuildParameter| match &p.default {
        None => p.name.text.clone(),
        Some(default) => format!("{} = {}", p.name.text, expr(default)),
    };
    match parameters {
        [] => String::new(),
        list => format!("<{}>", list.iter().map(one).collect::<Vec<_>>().join(", ")),
    }
}

fn inputs(inputs: &[Parameter]) -> String {
    let one = |p: &Parameter| format!("{}: {}", p.name.text, p.ty.as_ref().map_or("?".into(), ty));
    inputs.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn promise(promise: &Option<Promise>) -> String {
    match promise {
        None => "?".into(),
        Some(Promise::One(one)) => ty(one),
        Some(Promise::Tuple(types, _)) => format!("({})", types.iter().map(ty).collect::<Vec<_>>().join(", ")),
    }
}

fn ty(ty: &Type) -> String {
    let axis = |axis: &Axis| match axis {
        Axis::Size(size) => expr(size),
        Axis::Any(_) => "_".into(),
    };
    format!("{}[{}]", ty.element.name(), ty.axes.iter().map(axis).collect::<Vec<_>>().join(", "))
}

fn members(members: &Members, out: &mut String) {
    for constant in &members.constants {
        *out += &format!("  const {} = {}\n", constant.name.text, expr(&constant.value));
    }
    for part in &members.parts {
        let mut before = String::new();
        if !part.docs.is_empty() {
            before += &format!("/// {} /// ", part.docs.join(" ").trim());
        }
        if part.attributes.freeze.is_some() {
            before += "#[freeze] ";
        }
        for (name, value) in [("lr_mult", &part.attributes.lr_mult), ("wd_mult", &part.attributes.wd_mult)] {
            before += &match value {
                None => continue,
                Some(Multiplier::All(value)) => format!("#[{name} = {}] ", expr(value)),
                Some(Multiplier::Tensors(tensors)) => {
                    let one = |(tensor, value): &(Name, Expr)| format!("{} = {}", tensor.text, expr(value));
                    format!("#[{name}({})] ", tensors.iter().map(one).collect::<Vec<_>>().join(", "))
                }
            };
        }
        *out += &format!("  {before}{}: {}\n", part.name.text, member(&part.member));
    }
    for rule in &members.rules {
        *out += &format!("  where {}\n", expr(rule));
    }
    if members.lost {
        *out += "  lost\n";
    }
}

fn member(one: &Member) -> String {
    match one {
        Member::Broken => "?".into(),
        Member::Make(make) => {
            let angles = make.angles.as_ref().map_or(String::new(), |a| format!("<{}>", arguments(a)));
            let parens = make.parens.as_ref().map_or(String::new(), |a| format!("({})", arguments(a)));
            format!("{}{angles}{parens}", make.kind.text)
        }
        Member::If(condition, then, otherwise) => {
            let otherwise = otherwise.as_ref().map_or(String::new(), |m| format!(" else {{ {} }}", member(m)));
            format!("if {} {{ {} }}{otherwise}", expr(condition), member(then))
        }
        Member::Repeat(one, count) => format!("[{}; {}]", member(one), expr(count)),
        Member::List(list) => format!("[{}]", list.iter().map(member).collect::<Vec<_>>().join(", ")),
        Member::Param(t, value) => format!("param {} = {}", ty(t), expr(value)),
        Member::State(t, value) => format!("state {} = {}", ty(t), expr(value)),
    }
}

fn body(body: &Body, depth: usize, out: &mut String) {
    statements(&body.statements, depth, out);
    *out += &format!("{}{}\n", "  ".repeat(depth), expr(&body.tail));
}

fn statements(list: &[Statement], depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    for statement in list {
        match statement {
            Statement::Let { pattern: p, ty: t, value } => {
                let t = t.as_ref().map(|t| format!(": {}", ty(t)));
                *out += &format!("{indent}let {}{} = {};\n", pattern(p), t.unwrap_or_default(), expr(value));
            }
            Statement::Assign(name, value) => *out += &format!("{indent}{} = {};\n", name.text, expr(value)),
            Statement::Stray(stray) => *out += &format!("{indent}stray {};\n", expr(stray)),
            Statement::Assert(condition, text) => *out += &format!("{indent}assert {}, {text:?};\n", expr(condition)),
            Statement::For(one) => {
                let over = match &one.over {
                    Over::Range(from, to) => format!("{}..{}", expr(from), expr(to)),
                    Over::Values(values) => expr(values),
                };
                *out += &format!("{indent}for {} in {over}:\n", pattern(&one.pattern));
                statements(&one.body, depth + 1, out);
            }
            Statement::If { condition, then, otherwise } => {
                *out += &format!("{indent}if {}:\n", expr(condition));
                statements(then, depth + 1, out);
                if !otherwise.is_empty() {
                    *out += &format!("{indent}else:\n");
                    statements(otherwise, depth + 1, out);
                }
            }
        }
    }
}

fn pattern(one: &Pattern) -> String {
    match one {
        Pattern::Name(name, true) => format!("mut {}", name.text),
        Pattern::Name(name, false) => name.text.clone(),
        Pattern::Ignore => "_".into(),
        Pattern::Many(list, _) => format!("({})", list.iter().map(pattern).collect::<Vec<_>>().join(", ")),
    }
}

fn arguments(list: &[Argument]) -> String {
    let one = |a: &Argument| match &a.name {
        None => expr(&a.value),
        Some(name) => format!("{} = {}", name.text, expr(&a.value)),
    };
    list.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn list(list: &[Expr]) -> String {
    list.iter().map(expr).collect::<Vec<_>>().join(", ")
}

fn inline(one: &Body) -> String {
    let mut text = String::new();
    body(one, 0, &mut text);
    format!("{{ {} }}", text.trim().replace('\n', " "))
}

fn expr(e: &Expr) -> String {
    match &e.kind {
        ExprKind::Broken => "?".into(),
        ExprKind::Name(name) => name.clone(),
        ExprKind::Int(value) | ExprKind::Long(value) => value.to_string(),
        ExprKind::Float(value) => format!("{value:?}"),
        ExprKind::Bool(value) => value.to_string(),
        ExprKind::Text(text) => format!("{text:?}"),
        ExprKind::None => "None".into(),
        ExprKind::List(parts) => format!("[{}]", list(parts)),
        ExprKind::Repeat(value, count) => format!("[{}; {}]", expr(value), expr(count)),
        ExprKind::Tuple(parts) => format!("({})", list(parts)),
        ExprKind::Call(name, given) => format!("{}({})", name.text, arguments(given)),
        ExprKind::Apply(callee, given) => format!("{}({})", expr(callee), arguments(given)),
        ExprKind::Field(x, name) => format!("{}.{}", expr(x), name.text.replace(UNFINISHED, "?")),
        ExprKind::Index(x, items) => {
            let item = |item: &Item| match &item.kind {
                ItemKind::All => "..".to_string(),
                ItemKind::At(e) => expr(e),
                ItemKind::Range(from, to) => {
                    let side = |side: &Option<Expr>| side.as_ref().map_or(String::new(), expr);
                    format!("{}..{}", side(from), side(to))
                }
            };
            format!("{}[{}]", expr(x), items.iter().map(item).collect::<Vec<_>>().join(", "))
        }
        ExprKind::Unary(f, x) => format!("{f:?}({})", expr(x)),
        ExprKind::Binary(f, x, y) => format!("({} {f:?} {})", expr(x), expr(y)),
        ExprKind::And(x, y) => format!("({} && {})", expr(x), expr(y)),
        ExprKind::Or(x, y) => format!("({} || {})", expr(x), expr(y)),
        ExprKind::If(condition, then, otherwise) => {
            format!("if {} {} else {}", expr(condition), inline(then), inline(otherwise))
        }
        ExprKind::Block(body) => inline(body),
        ExprKind::Closure(patterns, body) => {
            format!("|{}| {}", patterns.iter().map(pattern).collect::<Vec<_>>().join(", "), inline(body))
        }
    }
}
