//! The operators of the language, one file each (pointwise ones by families), and the one list that drives everything.

use crate::autocast;
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Given, Kind, Param, bind};
use crate::diagnostic::{Diagnostic, Loc};
use crate::functions;
use crate::graph::Value;
use crate::routines;
use crate::spelling::did_you_mean;
use crate::types::DType;

mod activation;
mod attention;
mod border;
mod class_loss;
mod conv;
mod create;
mod draw;
mod grad;
mod index;
mod integer;
mod join;
mod length;
mod loss;
mod mask;
mod matmul;
pub(crate) mod norm;
mod numbers;
mod pointwise;
mod pool;
mod reduce;
mod resample;
mod softmax;
mod statistics;
mod view;
mod window;

pub(crate) use conv::{conv, conv_transpose};
pub use index::{IndexItem, index};
pub(crate) use index::{padding_row, rows};
pub(crate) use matmul::linear;
pub use numbers::takes_numbers;
pub(crate) use pointwise::{OF_NUMBERS, OPERANDS, detach, drop_out, drop_out_over, float, number, operands, power};
pub(crate) use reduce::{OVER_AXES, OVER_AXES_IN_A_TYPE, axes, mean_over};
pub(crate) use window::{Slots, comes_from, extents, image_shape, window_of, window_type};

/// An operator of the language.
#[derive(Clone, Copy)]
pub struct Operator {
    /// PyTorch's name.
    pub name: &'static str,
    /// One line for hover and the reference page.
    pub doc: &'static str,
    /// Its parameters; the first is the tensor before the dot.
    pub signature: &'static [Param],
    /// Checks the arguments and adds the primitives that it stands for.
    pub build: fn(&mut Builder, &Bound) -> Checked<Arg>,
}

/// Every operator.
pub static OPERATORS: &[&[Operator]] = &[
    functions::UNARIES,
    functions::BINARIES,
    pointwise::OTHERS,
    integer::OPERATORS,
    activation::OPERATORS,
    functions::REDUCTIONS,
    statistics::OPERATORS,
    length::OPERATORS,
    softmax::OPERATORS,
    class_loss::OPERATORS,
    loss::OPERATORS,
    matmul::OPERATORS,
    attention::OPERATORS,
    norm::OPERATORS,
    conv::OPERATORS,
    pool::OPERATORS,
    resample::OPERATORS,
    view::OPERATORS,
    index::OPERATORS,
    join::OPERATORS,
    border::OPERATORS,
    create::OPERATORS,
    mask::OPERATORS,
    draw::OPERATORS,
    &routines::OPERATORS,
    grad::OPERATORS,
];

/// Names of other libraries, and what they are called here.
static OTHER_NAMES: &[(&str, &str)] = &[
    ("max_pool", "max_pool2d"),
    ("avg_pool", "avg_pool2d"),
    ("global_avg_pool2d", "adaptive_avg_pool2d"),
    ("deconv2d", "conv_transpose2d"),
    ("upsample", "interpolate"),
    ("depth_to_space", "pixel_shuffle"),
    ("attention", "scaled_dot_product_attention"),
    ("bce_loss", "binary_cross_entropy"),
    ("bce_with_logits_loss", "binary_cross_entropy_with_logits"),
    ("mae_loss", "l1_loss"),
    ("broadcast_to", "expand"),
    ("concat", "cat"),
    ("maxpool2d", "max_pool2d"),
    ("avgpool2d", "avg_pool2d"),
    ("swish", "silu"),
    ("clip", "clamp"),
    ("where", "where_"),
    ("to", "cast"),
    ("ln", "log"),
    ("power", "pow"),
    ("matrix_multiply", "matmul"),
    ("dot", "matmul"),
    ("average", "mean"),
    ("stop_gradient", "detach"),
    ("vector_norm", "norm"),
    ("clamp_min", "clamp"),
    ("ceiling", "ceil"),
    ("hard_swish", "hardswish"),
    ("identity", "eye"),
    ("astype", "cast"),
];

/// Other libraries' names of arguments.
static OTHER_ARGUMENTS: &[(&str, &str)] = &[
    ("kernel", "kernel_size"),
    ("axis", "dim"),
    ("axes", "dim"),
    ("dims", "dim"),
    ("strides", "stride"),
    ("pad", "padding"),
    ("pads", "padding"),
    ("keepdims", "keepdim"),
    ("input", "in_features"),
    ("out", "out_features"),
    ("filters", "out_channels"),
    ("out", "out_channels"),
    ("channels", "num_features"),
    ("group", "groups"),
    ("num_group", "groups"),
    ("h0", "hx"),
];

/// The operator with this name.
pub fn find(name: &str) -> Option<&'static Operator> {
    OPERATORS.iter().flat_map(|list| list.iter()).find(|o| o.name == name)
}

/// What `name` may have been meant to be: an operator, or one of `also`.
pub fn suggest<'a>(name: &str, also: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if let Some((_, real)) = OTHER_NAMES.iter().find(|(other, _)| *other == name) {
        return Some(real);
    }
    did_you_mean(name, OPERATORS.iter().flat_map(|list| list.iter()).map(|o| o.name).chain(also))
}

/// `name(given…)`, at a place. The caller has already looked for layers and functions of that name.
pub fn call(b: &mut Builder, name: &str, at: Loc, given: &[Given]) -> Checked<Arg> {
    let Some(operator) = find(name) else {
        let d = Diagnostic::new("N0401", at, format!("there is no operator `{name}`"));
        let d = match suggest(name, []) {
            Some(meant) => d.help(format!("did you mean `{meant}`?")),
            None => d.help("docs/operators.md lists them all"),
        };
        return b.report(d);
    };
    let before = b.enter(at, name, autocast::of_operator(name));
    let result = match bind(b, name, at, operator.signature, OTHER_ARGUMENTS, given) {
        Ok(Some(bound)) => match numbers::evaluate(b, name, &bound) {
            Some(number) => number,
            None => build(b, operator, &bound),
        },
        Ok(None) => Ok(Arg::Unknown),
        Err(reported) => Err(reported),
    };
    b.origin = before;
    result
}

/// Runs the rule of an operator. Halves are computed in f32: operands are widened, results are rounded once, at the operator's border.
pub(crate) fn build(b: &mut Builder, operator: &Operator, bound: &Bound) -> Checked<Arg> {
    if let Some(&Arg::Tensor(x)) = bound.arg(0) {
        for (slot, _) in operator.signature.iter().enumerate().filter(|(_, param)| param.kind == Kind::Element) {
            pointwise::fits(b, bound, slot, x)?;
        }
    }
    let floats = bound.floats(b);
    let Some(&(first, _)) = floats.first() else {
        let result = (operator.build)(b, bound)?;
        let of_size = operator.signature.first().is_some_and(|param| param.kind == Kind::Operand)
            && !(0..bound.len()).any(|slot| matches!(bound.arg(slot), Some(Arg::Tensor(_))));
        return Ok(if of_size { of_sizes(b, result) } else { result });
    };
    one_float_type(b, bound, &floats)?;
    let dtype = b.graph.dtype(first);
    if !dtype.is_half() || AS_THEY_ARE.contains(&operator.name) {
        return (operator.build)(b, bound);
    }
    // A number has the type of the tensor beside it, too, before all is widened.
    for (slot, _) in operator.signature.iter().enumerate().filter(|(_, param)| param.kind == Kind::Operand) {
        pointwise::fits(b, bound, slot, first)?;
    }
    let wide = bound.widened(b);
    let result = (operator.build)(b, &wide)?;
    Ok(rounded(b, result, dtype))
}

/// Operators that take halves as they are: the result's type is another, the operands themselves count, or the type is all that does.
const AS_THEY_ARE: &[&str] = &["cast", "grad", "rand_like"];

/// All floats that an operator takes have one type: nothing is promoted.
fn one_float_type(b: &mut Builder, bound: &Bound, floats: &[(Value, Loc)]) -> Checked<()> {
    let Some(&(first, _)) = floats.first() else { return Ok(()) };
    let wanted = b.graph.dtype(first);
    let Some(&(other, at)) = floats.iter().find(|(value, _)| b.graph.dtype(*value) != wanted) else { return Ok(()) };
    let found = b.graph.dtype(other);
    let message = format!("element types differ in `{}`: {wanted} and {found}", bound.callee);
    let d = Diagnostic::new("N0201", at, message)
        .note(b.made_at(first), format!("`{}` is {wanted}", b.made_by(first)))
        .note(b.made_at(other), format!("`{}` is {found}", b.made_by(other)))
        .help(format!("convert one of them: `.cast({wanted})`"));
    b.report(d)
}

/// A scalar that was made of sizes, in the net's float type.
pub(crate) fn of_sizes(b: &mut Builder, result: Arg) -> Arg {
    let float = b.float();
    if float.is_half() { rounded(b, result, float) } else { result }
}

/// What was computed in f32, rounded to a half.
pub(crate) fn rounded(b: &mut Builder, result: Arg, half: DType) -> Arg {
    match result {
        Arg::Tensor(value) if b.graph.dtype(value) == half.computed() => Arg::Tensor(b.cast(value, half)),
        Arg::List(list) => Arg::List(list.into_iter().map(|part| rounded(b, part, half)).collect()),
        other => other,
    }
}

/// Aliases of argument names, for layers too.
pub(crate) fn other_arguments() -> &'static [(&'static str, &'static str)] {
    OTHER_ARGUMENTS
}
