//! What the user wrote, as data: no tokens beyond visibilities, places as [`Loc`].
//!
//! What could not be read was reported by the parser and stands here as [`ExprKind::Broken`] or as a `lost` flag, so that later stages
//! check the rest and stay silent about what depends on it.

use castnet_graph::diagnostic::Loc;
use castnet_graph::scalar::{Binary, Unary};
use castnet_graph::types::DType;
use proc_macro2::TokenStream;

/// A name at a place.
#[derive(Clone, Debug)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Its token.
    pub at: Loc,
}

/// `net Name { … }`.
#[derive(Clone, Debug)]
pub struct Net {
    /// Lines of its doc comment.
    pub docs: Vec<String>,
    /// `pub`, `pub(crate)` or nothing.
    pub visibility: TokenStream,
    /// The type's name.
    pub name: Name,
    /// `const D: usize = 256;`, in order.
    pub constants: Vec<Constant>,
    /// In order: the order of parameters.
    pub layers: Vec<Layer>,
    /// In order.
    pub functions: Vec<Function>,
    /// An item could not be read: names that nobody knows may have been its.
    pub lost: bool,
}

/// `const D: usize = 256;`.
#[derive(Clone, Debug)]
pub struct Constant {
    /// `D`.
    pub name: Name,
    /// `256`.
    pub value: Expr,
}

/// `conv1: Conv2d(20, kernel_size = 5);`.
#[derive(Clone, Debug)]
pub struct Layer {
    /// `conv1`.
    pub name: Name,
    /// `Conv2d`; `None` if what stands there could not be read.
    pub kind: Option<Name>,
    /// What stands in the parentheses.
    pub arguments: Vec<Argument>,
}

/// A function of a net.
#[derive(Clone, Debug)]
pub struct Function {
    /// Lines of its doc comment.
    pub docs: Vec<String>,
    /// `pub`, `pub(crate)` or nothing.
    pub visibility: TokenStream,
    /// Whether it is a `train fn`.
    pub train: bool,
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// What it promises; `None` if that could not be read.
    pub result: Option<Type>,
    /// Its `let`s, in order.
    pub lets: Vec<Let>,
    /// The last expression.
    pub tail: Expr,
    /// A part could not be read: names that nobody knows may have been its.
    pub lost: bool,
}

impl Function {
    /// Whether programs can call it: its own plan is made.
    pub fn is_entry(&self) -> bool {
        self.train || !self.visibility.is_empty()
    }
}

/// `image: f32[N, 1, 28, 28]`.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// `image`.
    pub name: Name,
    /// `None` if it could not be read.
    pub ty: Option<Type>,
}

/// `let x: f32[N, 4] = value;`.
#[derive(Clone, Debug)]
pub struct Let {
    /// `x`.
    pub name: Name,
    /// The declared type, if any.
    pub ty: Option<Type>,
    /// The value.
    pub value: Expr,
}

/// `f32[N, 1, 28, 28]`.
#[derive(Clone, Debug)]
pub struct Type {
    /// The element type.
    pub dtype: DType,
    /// The axes, outermost first.
    pub axes: Vec<Axis>,
    /// All of it.
    pub at: Loc,
}

/// A size in a type.
#[derive(Clone, Debug)]
pub enum Axis {
    /// A size.
    Size(Expr),
    /// `_`: whatever it is.
    Any(Loc),
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// The token that stands for it: the operator, the callee's name, or all of a literal.
    pub at: Loc,
    /// What it is.
    pub kind: ExprKind,
}

/// The kinds of expressions.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// Could not be read; reported.
    Broken,
    /// `x`, `N`, `f32`.
    Name(String),
    /// `5`.
    Int(i64),
    /// `0.5`.
    Float(f64),
    /// `true`.
    Bool(bool),
    /// `"tanh"`, as an argument.
    Text(String),
    /// `None`.
    None,
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `(a, b)`.
    Tuple(Vec<Expr>),
    /// `f(a, k = v)`, and `a.f(k = v)`, which means the same.
    Call(Name, Vec<Argument>),
    /// `-x`, `!x`.
    Unary(Unary, Box<Expr>),
    /// `x + y`.
    Binary(Binary, Box<Expr>, Box<Expr>),
}

/// An argument of a call or of a layer.
#[derive(Clone, Debug)]
pub struct Argument {
    /// `kernel_size` of `kernel_size = 5`.
    pub name: Option<Name>,
    /// The value.
    pub value: Expr,
}

impl Expr {
    /// What stands for an expression that could not be read.
    pub fn broken(at: Loc) -> Expr {
        Expr { at, kind: ExprKind::Broken }
    }

    /// Calls `visit` for every name of a called thing in this expression.
    pub fn callees<'a>(&'a self, visit: &mut dyn FnMut(&'a Name)) {
        match &self.kind {
            ExprKind::List(parts) | ExprKind::Tuple(parts) => parts.iter().for_each(|p| p.callees(visit)),
            ExprKind::Call(callee, arguments) => {
                arguments.iter().for_each(|a| a.value.callees(visit));
                visit(callee);
            }
            ExprKind::Unary(_, x) => x.callees(visit),
            ExprKind::Binary(_, x, y) => {
                x.callees(visit);
                y.callees(visit);
            }
            _ => {}
        }
    }
}

impl Expr {
    /// Whether a part of it could not be read.
    fn is_broken(&self) -> bool {
        match &self.kind {
            ExprKind::Broken => true,
            ExprKind::List(parts) | ExprKind::Tuple(parts) => parts.iter().any(Expr::is_broken),
            ExprKind::Call(_, arguments) => arguments.iter().any(|a| a.value.is_broken()),
            ExprKind::Unary(_, x) => x.is_broken(),
            ExprKind::Binary(_, x, y) => x.is_broken() || y.is_broken(),
            _ => false,
        }
    }
}

impl Function {
    /// Whether a part of the body could not be read.
    pub fn is_broken(&self) -> bool {
        self.lost || self.tail.is_broken() || self.lets.iter().any(|l| l.value.is_broken())
    }

    /// Calls `visit` for every name of a called thing in the body.
    pub fn callees<'a>(&'a self, visit: &mut dyn FnMut(&'a Name)) {
        self.lets.iter().for_each(|l| l.value.callees(visit));
        self.tail.callees(visit);
    }
}
