//! What the user wrote, as data: no tokens beyond visibilities, places as [`Loc`].
//!
//! What could not be read was reported by the parser and stands here as [`ExprKind::Broken`], [`Member::Broken`] or as a `lost` flag, so
//! that later stages check the rest and stay silent about what depends on it.

use castnet_graph::diagnostic::Loc;
use castnet_graph::scalar::{Binary, Unary};
use castnet_graph::types::DType;
use proc_macro2::TokenStream;

mod visit;

/// A name at a place.
#[derive(Clone, Debug)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Its token.
    pub at: Loc,
}

/// Everything that one call of `network!` knows: its own items, and what it uses of others.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// `net Name { … }`, also templates: those with build-time parameters.
    pub nets: Vec<Net>,
    /// `net CharGpt = Gpt<4, 256, 4>;`.
    pub instances: Vec<Instance>,
    /// `block Name<…>(…) -> … { … }`, also those that come from other calls of `network!`.
    pub blocks: Vec<Block>,
    /// What each scope sees: scope 0 is this call, others are the calls from which blocks and templates came.
    pub scopes: Vec<Scope>,
}

/// The blocks and templates that the items of one call of `network!` can name.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Name as it is seen there, number in [`File::blocks`].
    pub blocks: Vec<(String, usize)>,
    /// Name as it is seen there, number in [`File::nets`].
    pub nets: Vec<(String, usize)>,
    /// Constants beside nets.
    pub constants: Vec<Constant>,
    /// Those of other scopes: name as it is seen there, number in [`File::scopes`], name in that scope.
    pub imported: Vec<(String, usize, String)>,
    /// An item or a `use` could not be read: names that nobody knows may have been its.
    pub lost: bool,
}

impl Scope {
    /// The names of all constants beside nets, its own and others'.
    pub fn constant_names(&self) -> impl Iterator<Item = &str> {
        let imported = self.imported.iter().map(|(alias, ..)| alias.as_str());
        self.constants.iter().map(|c| c.name.text.as_str()).chain(imported)
    }
}

/// A doc comment and a visibility: what may stand before an item.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// Lines of its doc comment.
    pub docs: Vec<String>,
    /// `pub`, `pub(crate)` or nothing.
    pub visibility: TokenStream,
}

/// `net Name<LAYERS, D = 256> { … }`.
#[derive(Clone, Debug)]
pub struct Net {
    /// Doc comment and visibility.
    pub head: Head,
    /// The type's name.
    pub name: Name,
    /// Build-time parameters; a net that has some is a template, not a type.
    pub parameters: Vec<BuildParameter>,
    /// Constants, layers, blocks, parameters, states, rules.
    pub members: Members,
    /// In order.
    pub functions: Vec<Function>,
    /// `float: f64;`: its float type.
    pub float: Option<DType>,
    /// `precision: bf16;`: the halves of which its functions compute in mixed precision.
    pub precision: Option<Precision>,
    /// Where it was written: index into [`File::scopes`].
    pub scope: usize,
    /// Another call of `network!` emits it: here it is only a template to be used.
    pub foreign: bool,
}

/// `pub net CharGpt = Gpt<4, 256, 4>;`.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Doc comment and visibility.
    pub head: Head,
    /// The type's name.
    pub name: Name,
    /// The template.
    pub of: Name,
    /// What stands in `<…>`.
    pub arguments: Vec<Argument>,
}

/// `block Residual<CHANNELS, STRIDE = 1>(x: f32[N, C, H, W]) -> f32[N, CHANNELS, _, _] { … }`.
#[derive(Clone, Debug)]
pub struct Block {
    /// Doc comment and visibility.
    pub head: Head,
    /// Its name.
    pub name: Name,
    /// What may stand in `<…>` where it is used.
    pub parameters: Vec<BuildParameter>,
    /// What it is called with.
    pub inputs: Vec<Parameter>,
    /// What it promises; `None` if that could not be read.
    pub result: Option<Promise>,
    /// Constants, layers, blocks, parameters, states, rules.
    pub members: Members,
    /// What it computes.
    pub body: Body,
    /// Where it was written: index into [`File::scopes`].
    pub scope: usize,
    /// A part could not be read: names that nobody knows may have been its.
    pub lost: bool,
    /// It comes from another call of `network!`, which checks it on its own.
    pub foreign: bool,
}

/// `STRIDE = 1` between `<` and `>`.
#[derive(Clone, Debug)]
pub struct BuildParameter {
    /// `STRIDE`.
    pub name: Name,
    /// `1`.
    pub default: Option<Expr>,
}

/// What stands in a net or block beside functions and statements.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// `const D: usize = 256;`, in order.
    pub constants: Vec<Constant>,
    /// Layers, blocks and arrays of them, `param`s and `state`s, in order: the order of parameters.
    pub parts: Vec<Part>,
    /// `where T <= CONTEXT, D % HEADS == 0;`: comparisons, each at its operator.
    pub rules: Vec<Expr>,
    /// An item could not be read: names that nobody knows may have been its.
    pub lost: bool,
}

/// `const D: usize = 256;`.
#[derive(Clone, Debug)]
pub struct Constant {
    /// Doc comment; visibility, if it stands beside nets.
    pub head: Head,
    /// `D`.
    pub name: Name,
    /// `usize`.
    pub kind: ConstantKind,
    /// `256`.
    pub value: Expr,
}

/// The types of constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstantKind {
    /// `usize`: a size, at least 1.
    Size,
    /// `f32`.
    Float,
    /// `bool`.
    Bool,
}

impl ConstantKind {
    /// With their names in Rust.
    pub const ALL: [(&'static str, ConstantKind); 3] =
        [("usize", ConstantKind::Size), ("f32", ConstantKind::Float), ("bool", ConstantKind::Bool)];
}

/// `conv1: Conv2d(20, kernel_size = 5);`, `stage: [Residual<16>; 3];`, `param scale: f32[D] = ones;`.
#[derive(Clone, Debug)]
pub struct Part {
    /// Lines of its doc comment.
    pub docs: Vec<String>,
    /// `#[name = "0"]`, `#[freeze]`, `#[lr_mult = 0.1]`, `#[wd_mult = 0]`.
    pub attributes: Attributes,
    /// `conv1`.
    pub name: Name,
    /// What it is.
    pub member: Member,
}

impl Part {
    /// What checkpoints call it: what its attribute says, else its name.
    pub fn key(&self) -> &str {
        match &self.attributes.key {
            Some(key) => &key.text,
            None => bare(&self.name.text),
        }
    }

    /// Where that is written.
    pub fn key_at(&self) -> Loc {
        self.attributes.key.as_ref().map_or(self.name.at, |key| key.at)
    }
}

/// A name without the `r#` of a raw identifier.
pub fn bare(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// What may stand before a part.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// `#[name = "0"]`: what checkpoints call it.
    pub key: Option<Name>,
    /// `#[freeze]`.
    pub freeze: Option<Loc>,
    /// `#[lr_mult = 0.1]`.
    pub lr_mult: Option<Multiplier>,
    /// `#[wd_mult = 0]`.
    pub wd_mult: Option<Multiplier>,
}

/// The value of `#[lr_mult …]` and `#[wd_mult …]`.
#[derive(Clone, Debug)]
pub enum Multiplier {
    /// `= 0.1`: of all parameters.
    All(Expr),
    /// `(weight = 0.1, bias = 2)`: of these tensors of a layer.
    Tensors(Vec<(Name, Expr)>),
}

/// What a part is.
#[derive(Clone, Debug)]
pub enum Member {
    /// Could not be read; reported.
    Broken,
    /// `Conv2d(20, kernel_size = 5)`, `Residual<16>`, `Attention`.
    Make(Make),
    /// `if STRIDE != 1 { Conv2d(…) } else { … }`: without `else`, there may be nothing.
    If(Box<Expr>, Box<Member>, Option<Box<Member>>),
    /// `[Residual<16>; 3]`.
    Repeat(Box<Member>, Box<Expr>),
    /// `[Residual<32, 2>, Residual<32>]`.
    List(Vec<Member>),
    /// `param scale: f32[D] = ones`.
    Param(Type, Expr),
    /// `state h: f32[N, 256] = zeros`.
    State(Type, Expr),
}

/// A layer or a block, with its arguments: which of the two, the names say.
#[derive(Clone, Debug)]
pub struct Make {
    /// `Conv2d`, `Residual`.
    pub kind: Name,
    /// What stands in `<…>`, if it is there: for blocks.
    pub angles: Option<Vec<Argument>>,
    /// What stands in `(…)`, if it is there: for layers.
    pub parens: Option<Vec<Argument>>,
}

/// A function of a net.
#[derive(Clone, Debug)]
pub struct Function {
    /// Doc comment and visibility.
    pub head: Head,
    /// `train`, `train[generator]`.
    pub train: Option<Train>,
    /// `#[memory(512 MiB, N = 256, optimizer = Sgd)]`.
    pub memory: Option<Memory>,
    /// `#[precision(bf16)]`.
    pub precision: Option<Precision>,
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// What it promises; `None` if that could not be read.
    pub result: Option<Promise>,
    /// What it computes.
    pub body: Body,
    /// A part could not be read: names that nobody knows may have been its.
    pub lost: bool,
}

/// `train` before `fn`.
#[derive(Clone, Debug)]
pub struct Train {
    /// The layers, blocks, arrays and `param`s that it updates; `None`: all.
    pub names: Option<Vec<Name>>,
}

/// `precision: bf16;`, `#[precision(bf16)]`.
#[derive(Clone, Copy, Debug)]
pub struct Precision {
    /// The type's name.
    pub at: Loc,
    /// A half, or f32: none.
    pub dtype: DType,
}

/// `#[memory(512 MiB, N = 256)]`.
#[derive(Clone, Debug)]
pub struct Memory {
    /// All of it.
    pub at: Loc,
    /// The budget.
    pub bytes: u64,
    /// `N = 256`, `optimizer = Sgd`.
    pub arguments: Vec<Argument>,
}

impl Function {
    /// Whether programs can call it: its own plan is made.
    pub fn is_entry(&self) -> bool {
        self.train.is_some() || !self.head.visibility.is_empty()
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

/// What a function or block promises to give.
#[derive(Clone, Debug)]
pub enum Promise {
    /// `-> f32[N, 10]`.
    One(Type),
    /// `-> (f32, f32[N, 10])`.
    Tuple(Vec<Type>, Loc),
}

/// An element type, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// By its name.
    Named(DType),
    /// `float`: that of the net.
    Float,
}

impl Element {
    /// Which one it is in a net of this float type.
    pub fn of(self, float: DType) -> DType {
        match self {
            Element::Named(dtype) => dtype,
            Element::Float => float,
        }
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Element::Named(dtype) => dtype.name(),
            Element::Float => FLOAT,
        }
    }
}

/// What says in which halves functions compute in mixed precision.
pub const PRECISION: &str = "precision";

/// What stands for the float type of the net.
pub const FLOAT: &str = "float";

/// `f32[N, 1, 28, 28]`.
#[derive(Clone, Debug)]
pub struct Type {
    /// The element type.
    pub element: Element,
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

/// Statements and a last expression.
#[derive(Clone, Debug)]
pub struct Body {
    /// In order.
    pub statements: Vec<Statement>,
    /// The last expression.
    pub tail: Expr,
}

/// One statement.
#[derive(Clone, Debug)]
pub enum Statement {
    /// `let x: f32[N, 4] = value;`.
    Let {
        /// `x`, `(a, b)`, `[q, k, v]`.
        pattern: Pattern,
        /// The declared type, if any (of one name).
        ty: Option<Type>,
        /// The value.
        value: Expr,
    },
    /// `x = value;`, to a `let mut` or a `state`; `x += value` stands here as `x = x + value`.
    Assign(Name, Expr),
    /// `for i in 0..4 { … }`, `for layer in layers { … }`.
    For(For),
    /// `if condition { … } else { … }` without a value.
    If {
        /// Known at build time.
        condition: Expr,
        /// Where it holds.
        then: Vec<Statement>,
        /// Where it does not.
        otherwise: Vec<Statement>,
    },
    /// `assert!(D % HEADS == 0, "…")`.
    Assert(Expr, Option<String>),
    /// An expression that nothing uses, which was reported: only editors want it.
    Stray(Expr),
}

/// `for i in 0..4 { … }`.
#[derive(Clone, Debug)]
pub struct For {
    /// The word `for`.
    pub at: Loc,
    /// What each round calls its element.
    pub pattern: Pattern,
    /// What it runs over.
    pub over: Over,
    /// Each round.
    pub body: Vec<Statement>,
}

/// What a `for` runs over.
#[derive(Clone, Debug)]
pub enum Over {
    /// `0..4`; inclusive ranges stand here with one more.
    Range(Expr, Expr),
    /// An array of layers or blocks, a list of values.
    Values(Expr),
}

/// What a `let` binds.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// `x`; whether it is `mut x`.
    Name(Name, bool),
    /// `_`.
    Ignore,
    /// `(a, b)`, `[q, k, v]`.
    Many(Vec<Pattern>, Loc),
}

/// What stands for a name that is still to be written: `x.`, `x + `.
pub const UNFINISHED: &str = "__unfinished";

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
    /// `5000000000`: too large for a size, so it stands beside a tensor, or is a mistake.
    Long(i64),
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
    /// `[0; 3]`.
    Repeat(Box<Expr>, Box<Expr>),
    /// `(a, b)`.
    Tuple(Vec<Expr>),
    /// `f(a, k = v)`, and `a.f(k = v)`, which means the same.
    Call(Name, Vec<Argument>),
    /// `stage1[0](x)`: what is called is no plain name.
    Apply(Box<Expr>, Vec<Argument>),
    /// `wte.weight`, `pair.0`.
    Field(Box<Expr>, Name),
    /// `x[.., 0..5, i]`.
    Index(Box<Expr>, Vec<Item>),
    /// `-x`, `!x`.
    Unary(Unary, Box<Expr>),
    /// `x + y`.
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// `x && y`, on what is known at build time.
    And(Box<Expr>, Box<Expr>),
    /// `x || y`, likewise.
    Or(Box<Expr>, Box<Expr>),
    /// `if condition { a } else { b }`; the condition is known at build time.
    If(Box<Expr>, Box<Body>, Box<Body>),
    /// `{ let y = …; y + 1 }`.
    Block(Box<Body>),
    /// `|state, x| (next, output)`: an argument of `scan`.
    Closure(Vec<Pattern>, Box<Body>),
}

/// One entry of an index list.
#[derive(Clone, Debug)]
pub struct Item {
    /// All of it.
    pub at: Loc,
    /// What it takes.
    pub kind: ItemKind,
}

/// What an entry of an index list takes of its axis.
#[derive(Clone, Debug)]
pub enum ItemKind {
    /// `..`: all of the axis.
    All,
    /// `0..5`, `1..`, `..5`; `0..=4` stands here as `0..5`.
    Range(Option<Expr>, Option<Expr>),
    /// `i`: the axis disappears.
    At(Expr),
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
}
