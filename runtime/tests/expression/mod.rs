//! The text of an expression, understood as `network!` does: calls, methods, signs, lists, indices of lists.

use std::collections::HashMap;

use castnet_graph::arith;
use castnet_graph::builder::Builder;
use castnet_graph::call::{Arg, Given};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::Value;
use castnet_graph::ops;
use castnet_program::scalar::{Binary, Unary};
use castnet_program::types::DType;
use syn::{BinOp, Expr, ExprLit, Lit, UnOp};

/// What a text gives, of inputs by name; a mistake is in the builder's diagnostics then.
pub fn evaluate(b: &mut Builder, inputs: &HashMap<&str, Value>, text: &str) -> Option<Arg> {
    let expression = syn::parse_str(text).unwrap_or_else(|error| panic!("`{text}`: {error}"));
    value(b, inputs, &expression)
}

fn value(b: &mut Builder, inputs: &HashMap<&str, Value>, expression: &Expr) -> Option<Arg> {
    match expression {
        Expr::Paren(inside) => value(b, inputs, &inside.expr),
        Expr::Lit(ExprLit { lit, .. }) => Some(literal(lit)),
        Expr::Path(path) => {
            let name = path.path.get_ident()?.to_string();
            match inputs.get(name.as_str()) {
                Some(tensor) => Some(Arg::Tensor(*tensor)),
                None if name == "None" => Some(Arg::None),
                None if name == "inf" => Some(Arg::Float(f64::INFINITY)),
                None => DType::from_name(&name).map(Arg::DType),
            }
        }
        Expr::Array(list) => list.elems.iter().map(|x| value(b, inputs, x)).collect::<Option<_>>().map(Arg::List),
        Expr::Index(index) => match (value(b, inputs, &index.expr)?, value(b, inputs, &index.index)?) {
            (Arg::Tensor(x), Arg::Tensor(i)) => {
                let places = [ops::IndexItem::Places(i, Loc::default())];
                ops::index(b, Loc::default(), x, &places).map(Arg::Tensor).ok()
            }
            (Arg::List(list), Arg::Size(i)) => list.into_iter().nth(usize::try_from(i.as_const()?).ok()?),
            _ => None,
        },
        Expr::Unary(unary) => {
            let f = match unary.op {
                UnOp::Neg(_) => Unary::Neg,
                UnOp::Not(_) => Unary::Not,
                _ => return None,
            };
            let x = given(b, inputs, &unary.expr)?;
            arith::unary(b, f, Loc::default(), &x).ok()
        }
        Expr::Binary(pair) => {
            let (x, y) = (given(b, inputs, &pair.left)?, given(b, inputs, &pair.right)?);
            arith::binary(b, sign(&pair.op)?, Loc::default(), &x, &y).ok()
        }
        Expr::MethodCall(call) => {
            let list: Vec<&Expr> = std::iter::once(&*call.receiver).chain(&call.args).collect();
            operator(b, inputs, &call.method.to_string(), &list)
        }
        Expr::Call(call) => match &*call.func {
            Expr::Path(path) => {
                let list: Vec<&Expr> = call.args.iter().collect();
                operator(b, inputs, &path.path.get_ident()?.to_string(), &list)
            }
            _ => None,
        },
        _ => None,
    }
}

fn operator(b: &mut Builder, inputs: &HashMap<&str, Value>, name: &str, list: &[&Expr]) -> Option<Arg> {
    let list: Vec<Given> = list.iter().map(|x| given(b, inputs, x)).collect::<Option<_>>()?;
    ops::call(b, name, Loc::default(), &list).ok()
}

/// An argument: `2`, `stride = 2`.
fn given(b: &mut Builder, inputs: &HashMap<&str, Value>, expression: &Expr) -> Option<Given> {
    let (name, expression) = match expression {
        Expr::Assign(assign) => match &*assign.left {
            Expr::Path(path) => (Some((path.path.get_ident()?.to_string(), Loc::default())), &*assign.right),
            _ => return None,
        },
        _ => (None, expression),
    };
    Some(Given { name, value: value(b, inputs, expression)?, at: Loc::default() })
}

fn literal(literal: &Lit) -> Arg {
    match literal {
        Lit::Int(x) => Arg::Size(x.base10_parse::<i64>().unwrap().into()),
        Lit::Float(x) => Arg::Float(x.base10_parse().unwrap()),
        Lit::Bool(x) => Arg::Bool(x.value),
        Lit::Str(x) => Arg::Text(x.value()),
        _ => Arg::Unknown,
    }
}

fn sign(op: &BinOp) -> Option<Binary> {
    Some(match op {
        BinOp::Add(_) => Binary::Add,
        BinOp::Sub(_) => Binary::Sub,
        BinOp::Mul(_) => Binary::Mul,
        BinOp::Div(_) => Binary::Div,
        BinOp::Rem(_) => Binary::Rem,
        BinOp::Lt(_) => Binary::Lt,
        BinOp::Le(_) => Binary::Le,
        BinOp::Gt(_) => Binary::Gt,
        BinOp::Ge(_) => Binary::Ge,
        BinOp::Eq(_) => Binary::Eq,
        BinOp::Ne(_) => Binary::Ne,
        BinOp::BitAnd(_) => Binary::And,
        BinOp::BitOr(_) => Binary::Or,
        _ => return None,
    })
}
