//! Walks over expressions, statements and members.

use super::*;

impl Expr {
    /// Calls `visit` for this expression and every one in it, outer ones first.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        visit(self);
        match &self.kind {
            ExprKind::List(parts) | ExprKind::Tuple(parts) => parts.iter().for_each(|p| p.walk(visit)),
            ExprKind::Call(_, arguments) => arguments.iter().for_each(|a| a.value.walk(visit)),
            ExprKind::Apply(callee, arguments) => {
                callee.walk(visit);
                arguments.iter().for_each(|a| a.value.walk(visit));
            }
            ExprKind::Index(x, items) => {
                x.walk(visit);
                items.iter().for_each(|item| item.walk(visit));
            }
            ExprKind::Field(x, _) | ExprKind::Unary(_, x) => x.walk(visit),
            ExprKind::Repeat(x, y) | ExprKind::Binary(_, x, y) | ExprKind::And(x, y) | ExprKind::Or(x, y) => {
                x.walk(visit);
                y.walk(visit);
            }
            ExprKind::If(condition, then, otherwise) => {
                condition.walk(visit);
                then.walk(visit);
                otherwise.walk(visit);
            }
            ExprKind::Block(body) | ExprKind::Closure(_, body) => body.walk(visit),
            ExprKind::Broken | ExprKind::Name(_) | ExprKind::Int(_) | ExprKind::Long(_) | ExprKind::Float(_) => {}
            ExprKind::Bool(_) | ExprKind::Text(_) | ExprKind::None => {}
        }
    }

    /// Whether it could not be read, or ends before its end.
    fn is_unfinished(&self) -> bool {
        match &self.kind {
            ExprKind::Broken => true,
            ExprKind::Field(_, name) | ExprKind::Call(name, _) => name.text == UNFINISHED,
            _ => false,
        }
    }

    /// Whether a part of it could not be read.
    pub fn is_broken(&self) -> bool {
        let mut broken = false;
        self.walk(&mut |e| broken |= e.is_unfinished());
        broken
    }
}

impl Item {
    fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        match &self.kind {
            ItemKind::All => {}
            ItemKind::Range(from, to) => from.iter().chain(to).for_each(|e| e.walk(visit)),
            ItemKind::At(e) => e.walk(visit),
        }
    }
}

impl Body {
    /// Calls `visit` for every expression, in order.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        self.statements.iter().for_each(|s| s.walk(visit));
        self.tail.walk(visit);
    }

    /// Whether a part could not be read.
    pub fn is_broken(&self) -> bool {
        let mut broken = false;
        self.walk(&mut |e| broken |= e.is_unfinished());
        broken
    }

    /// Calls `visit` for every name that is called, and for every plain name: of layers, blocks, functions, values.
    pub fn names<'a>(&'a self, visit: &mut dyn FnMut(&'a str)) {
        self.walk(&mut |e| match &e.kind {
            ExprKind::Call(callee, _) => visit(&callee.text),
            ExprKind::Name(name) => visit(name),
            _ => {}
        });
    }

    /// Calls `visit` for every name that is assigned to.
    pub fn assigned<'a>(&'a self, visit: &mut dyn FnMut(&'a str)) {
        self.statements.iter().for_each(|s| s.assigned(visit));
        self.walk(&mut |e| {
            if let ExprKind::Block(body) | ExprKind::Closure(_, body) = &e.kind {
                body.statements.iter().for_each(|s| s.assigned(visit));
            }
        });
    }
}

impl Statement {
    fn assigned<'a>(&'a self, visit: &mut dyn FnMut(&'a str)) {
        match self {
            Statement::Assign(name, _) => visit(&name.text),
            Statement::For(one) => one.body.iter().for_each(|s| s.assigned(visit)),
            Statement::If { then, otherwise, .. } => then.iter().chain(otherwise).for_each(|s| s.assigned(visit)),
            Statement::Let { .. } | Statement::Assert(..) | Statement::Stray(_) => {}
        }
    }

    /// Calls `visit` for every expression, in order.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        match self {
            Statement::Let { value, .. }
            | Statement::Assign(_, value)
            | Statement::Assert(value, _)
            | Statement::Stray(value) => {
                value.walk(visit);
            }
            Statement::For(one) => {
                match &one.over {
                    Over::Range(from, to) => [from, to].into_iter().for_each(|e| e.walk(visit)),
                    Over::Values(e) => e.walk(visit),
                }
                one.body.iter().for_each(|s| s.walk(visit));
            }
            Statement::If { condition, then, otherwise } => {
                condition.walk(visit);
                then.iter().chain(otherwise).for_each(|s| s.walk(visit));
            }
        }
    }
}

impl Part {
    /// Calls `visit` for every expression in its declaration.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        self.member.walk(visit);
    }

    /// Calls `visit` for every layer or block that it is under a condition only.
    pub fn conditional<'a>(&'a self, visit: &mut dyn FnMut(&'a Make)) {
        self.member.conditional(visit);
    }

    /// Calls `visit` for every layer or block that it may be.
    pub fn makes<'a>(&'a self, visit: &mut dyn FnMut(&'a Make)) {
        self.member.makes(visit);
    }
}

impl Member {
    fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        match self {
            Member::Broken => {}
            Member::Make(make) => {
                let arguments = make.angles.iter().chain(&make.parens).flatten();
                arguments.for_each(|a| a.value.walk(visit));
            }
            Member::If(condition, then, otherwise) => {
                condition.walk(visit);
                then.walk(visit);
                if let Some(otherwise) = otherwise {
                    otherwise.walk(visit);
                }
            }
            Member::Repeat(element, count) => {
                element.walk(visit);
                count.walk(visit);
            }
            Member::List(elements) => elements.iter().for_each(|e| e.walk(visit)),
            Member::Param(ty, init) | Member::State(ty, init) => {
                for axis in &ty.axes {
                    if let Axis::Size(size) = axis {
                        size.walk(visit);
                    }
                }
                init.walk(visit);
            }
        }
    }

    fn conditional<'a>(&'a self, visit: &mut dyn FnMut(&'a Make)) {
        match self {
            Member::If(..) => self.makes(visit),
            Member::Repeat(element, _) => element.conditional(visit),
            Member::List(elements) => elements.iter().for_each(|e| e.conditional(visit)),
            Member::Make(_) | Member::Broken | Member::Param(..) | Member::State(..) => {}
        }
    }

    fn makes<'a>(&'a self, visit: &mut dyn FnMut(&'a Make)) {
        match self {
            Member::Make(make) => visit(make),
            Member::If(_, then, otherwise) => {
                then.makes(visit);
                if let Some(otherwise) = otherwise {
                    otherwise.makes(visit);
                }
            }
            Member::Repeat(element, _) => element.makes(visit),
            Member::List(elements) => elements.iter().for_each(|e| e.makes(visit)),
            Member::Broken | Member::Param(..) | Member::State(..) => {}
        }
    }
}
