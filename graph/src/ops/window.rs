//! What all operators over windows share: images of one axis or two, their arguments, the shape of the result.

use crate::builder::{Builder, Checked};
use crate::call::Bound;
use crate::diagnostic::Diagnostic;
use crate::graph::{Ends, Value, Window};
use crate::rules::{Relation, Rule};
use crate::size::Size;
use crate::spelling::did_you_mean;
use crate::types::{Type, shape_text};

/// Where the arguments of a window stand in a signature.
#[derive(Clone, Copy)]
pub(crate) struct Slots {
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
    pub dilation: Option<usize>,
}

/// An integer for each axis of an image; with one axis, `one` for the height, which is 1.
pub(crate) fn extents(bound: &Bound, slot: usize, dims: usize, one: i64) -> Option<[i64; 2]> {
    let [h, w] = bound.pair(slot)?;
    Some(if dims == 1 { [one, w] } else { [h, w] })
}

/// Stride, padding (also `"same"` and `"valid"`), dilation and groups around a kernel.
pub(crate) fn window_of(
    b: &mut Builder,
    bound: &Bound,
    dims: usize,
    kernel: [i64; 2],
    slots: Slots,
    groups: i64,
) -> Checked<(Window, Ends)> {
    let or = |slot: usize, one: i64| extents(bound, slot, dims, one).unwrap_or([one, one]);
    let dilation = slots.dilation.map_or([1, 1], |slot| or(slot, 1));
    let mut window = Window { kernel, stride: or(slots.stride, 1), padding: [0, 0], dilation, groups };
    let ends = match bound.text(slots.padding) {
        None => {
            window.padding = or(slots.padding, 0);
            Ends::Floor
        }
        Some("valid") => Ends::Floor,
        Some("same") if window.stride != [1, 1] => {
            let message = format!("`{}` with `padding = \"same\"` and a stride", bound.callee);
            return bound.wrong(
                b,
                "N0306",
                slots.padding,
                message,
                "give the padding as a number, or leave the stride at 1",
            );
        }
        Some("same") => {
            window.padding = [0, 1].map(|axis| (window.reach(axis) - 1).max(0) / 2);
            Ends::Same
        }
        Some(other) => {
            let message = format!("`{}` with `padding = {other:?}`", bound.callee);
            let help = match did_you_mean(other, ["same", "valid"]) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => "it is a number, \"same\" or \"valid\"".into(),
            };
            return bound.wrong(b, "N0306", slots.padding, message, help);
        }
    };
    Ok((window, ends))
}

/// The image as primitives want it, `[n, c, h, w]`: one of a single axis has height 1.
pub(crate) fn with_height(b: &mut Builder, x: Value, dims: usize) -> Value {
    let mut shape = b.shape(x);
    if dims == 1 {
        shape.insert(2, 1.into());
    }
    b.reshape(x, shape)
}

/// The other way round.
pub(crate) fn without_height(b: &mut Builder, x: Value, dims: usize) -> Value {
    let mut shape = b.shape(x);
    if dims == 1 {
        shape.remove(2);
    }
    b.reshape(x, shape)
}

/// Batch, channels, height and width of an image of `dims` axes, or the mistake.
pub(crate) fn image_shape(b: &mut Builder, bound: &Bound, x: Value, dims: usize) -> Checked<[Size; 4]> {
    let shape = b.shape(x);
    match (dims, shape.as_slice()) {
        (1, [n, c, l]) => Ok([n.clone(), c.clone(), 1.into(), l.clone()]),
        (2, [n, c, h, w]) => Ok([n.clone(), c.clone(), h.clone(), w.clone()]),
        _ => {
            let wanted = if dims == 1 { "[N, channels, length]" } else { "[N, channels, height, width]" };
            let message = format!("`{}` needs {wanted}, found {}", bound.callee, shape_text(&shape));
            let d = comes_from(b, x, Diagnostic::new("N0105", bound.at, message));
            b.report(d.help("add the missing axes with `.reshape([..])`"))
        }
    }
}

/// `height`, `width`, or `length` if there is one axis.
pub(crate) fn axis_name(dims: usize, axis: usize) -> &'static str {
    if dims == 1 { "length" } else { ["height", "width"][axis] }
}

/// With a note where the image comes from.
pub(crate) fn comes_from(b: &Builder, x: Value, d: Diagnostic) -> Diagnostic {
    d.note(b.made_at(x), format!("{} comes from `{}`", shape_text(b.graph.shape(x)), b.made_by(x)))
}

/// The numbers of a window are in their range.
pub(crate) fn check_window(b: &mut Builder, bound: &Bound, window: &Window, slots: Slots) -> Checked<()> {
    let callee = &bound.callee;
    let what = [
        ("a window", window.kernel, 1, slots.kernel),
        ("a stride", window.stride, 1, slots.stride),
        ("a padding", window.padding, 0, slots.padding),
        ("a dilation", window.dilation, 1, slots.dilation.unwrap_or(0)),
    ];
    for (what, values, least, slot) in what {
        if let Some(value) = values.into_iter().find(|v| *v < least) {
            let message = format!("`{callee}` with {what} of {value}");
            return bound.wrong(b, "N0306", slot, message, format!("it is at least {least}"));
        }
    }
    Ok(())
}

/// Where the number of windows depends on a run-time size: the image must have room for one, `least`.
pub(crate) fn at_least_one(b: &mut Builder, size: &Size, count: &Size, least: &Size) {
    // With all names at least 1, what grows with them is least where they are 1.
    let grows = count.terms().iter().all(|(m, c)| m.is_one() || *c > 0);
    if count.as_const().is_none() && !(grows && count.eval(&|_| 1) >= 1) {
        b.require(Rule::new(size.clone(), Relation::AtLeast, least.clone()), "needs as much for one window");
    }
}

/// The type of the result of a window operator over `x`, as `[n, c, h, w]`, or the mistake.
pub(crate) fn window_type(
    b: &mut Builder,
    bound: &Bound,
    x: Value,
    dims: usize,
    (window, ends): (&Window, Ends),
    channels: Option<Size>,
    slots: Slots,
) -> Checked<Type> {
    check_window(b, bound, window, slots)?;
    let callee = &bound.callee;
    let [n, c, h, w] = image_shape(b, bound, x, dims)?;
    let mut sizes = vec![];
    for (axis, size) in [h, w].into_iter().enumerate() {
        let name = axis_name(dims, axis);
        let Some(count) = window.output(axis, &size, ends) else {
            let stride = window.stride[axis];
            let message =
                format!("`{callee}` with a stride of {stride} needs a {name} that divides by it, found {size}");
            let d = comes_from(b, x, Diagnostic::new("N0107", bound.at, message));
            let help = match size.promise(stride) {
                Some(rule) => format!("promise it, `where {rule};`, or write a number in the type of the input"),
                None => "write the number in the type of the input, or a multiple of the stride".into(),
            };
            return b.report(d.help(help));
        };
        if count.as_const().is_some_and(|count| count < 1) {
            let (reach, padded) = (window.reach(axis), &size + &(2 * window.padding[axis]).into());
            let message = format!("`{callee}` has a window of {name} {reach}, larger than its image of {padded}");
            let d = comes_from(b, x, Diagnostic::new("N0106", bound.at(slots.kernel), message));
            return b.report(d.help("use a smaller kernel, a smaller stride before it, or more padding"));
        }
        at_least_one(b, &size, &count, &(window.reach(axis) - 2 * window.padding[axis]).into());
        sizes.push(count);
    }
    let shape = [vec![n, channels.unwrap_or(c)], sizes].concat();
    Ok(Type::new(b.graph.dtype(x), shape))
}
