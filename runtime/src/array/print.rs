//! Arrays as text: as NumPy prints them.

use std::fmt;

use castnet_program::types::DType;

use super::{Array, Element, with_element};

/// Arrays of more elements show the first and last [`EDGE`] of each axis.
const ALL: usize = 1000;
const EDGE: usize = 3;

/// The longest line.
const WIDTH: usize = 75;

/// Digits behind the point unless the format says otherwise: `{:.3}`.
const PRECISION: usize = 8;

/// `[[1. 2.]\n [3. 4.]]`, as NumPy prints it: aligned, with the middle left out where there are more than 1000 elements; `{:.3}` shows so many digits behind the
/// point at most. A poisoned array shows what was wrong.
///
/// ```
/// let x = castnet_runtime::Array::from_vec(&[2, 2], vec![1.0f32, 2.5, -3.0, 0.125])?;
/// assert_eq!(x.to_string(), "[[ 1.     2.5  ]\n [-3.     0.125]]");
/// # Ok::<(), castnet_runtime::Error>(())
/// ```
impl fmt::Display for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Err(error) = self.is_whole() {
            return write!(f, "{error}");
        }
        with_element!(self.dtype(), T => print::<T>(self, f))
    }
}

/// Type and shape, then what `Display` shows.
impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {self}", self.describe())
    }
}

fn print<T: Element>(array: &Array, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if array.is_empty() {
        return f.write_str("[]");
    }
    let elided = array.len() > ALL;
    let shown = shown(array, elided);
    let elements = shown.to_vec::<T>().unwrap_or_default();
    let mut texts = match array.dtype() {
        DType::F32 | DType::F64 | DType::F16 | DType::BF16 => floats(&elements, f.precision().unwrap_or(PRECISION)),
        DType::I8 | DType::U8 | DType::I16 | DType::I32 | DType::U32 | DType::I64 | DType::Bool => {
            elements.iter().map(|value| format!("{value:?}")).collect()
        }
    };
    let width = texts.iter().map(String::len).max().unwrap_or(0);
    texts.iter_mut().for_each(|text| *text = format!("{text:>width$}"));
    let mut left = texts.iter();
    axes(f, &mut left, shown.shape(), array.shape(), elided, 0)
}

/// The edges of each axis that is elided.
fn shown(array: &Array, elided: bool) -> Array {
    if !elided {
        return array.clone();
    }
    let sizes: Vec<usize> = array.shape().iter().map(|&size| if size > 2 * EDGE { 2 * EDGE } else { size }).collect();
    let mut part = Array::zeros_of(array.dtype(), &sizes);
    let edges = |size: usize| match size > 2 * EDGE {
        true => vec![(0, 0, EDGE), (EDGE, size - EDGE, EDGE)],
        false => vec![(0, 0, size)],
    };
    // Each corner on its own.
    let mut corners = vec![(vec![], array.clone())];
    for (axis, &size) in array.shape().iter().enumerate() {
        corners = corners
            .into_iter()
            .flat_map(|(places, from): (Vec<super::Index>, Array)| {
                edges(size).into_iter().map(move |(to, start, len)| {
                    let place = [&places[..], &[(to..to + len).into()]].concat();
                    (place, from.narrow(axis as i64, start as i64, len))
                })
            })
            .collect();
    }
    for (place, from) in corners {
        // The corner has the part's shape there.
        _ = part.slice_mut(&*place).and_then(|mut to| to.copy_from(&from));
    }
    part
}

/// Brackets around the elements along the axes from this depth on.
fn axes<'t>(
    f: &mut fmt::Formatter<'_>,
    left: &mut impl Iterator<Item = &'t String>,
    shown: &[usize],
    all: &[usize],
    elided: bool,
    depth: usize,
) -> fmt::Result {
    let Some(&size) = shown.get(depth) else {
        return left.next().map_or(Ok(()), |text| f.write_str(text.trim_start()));
    };
    let is_cut = |at: usize| elided && at == EDGE && all[depth] > 2 * EDGE;
    f.write_str("[")?;
    if depth + 1 < shown.len() {
        for at in 0..size {
            let next = format!("{}{:indent$}", "\n".repeat(shown.len() - depth - 1), "", indent = depth + 1);
            if at > 0 {
                f.write_str(&next)?;
            }
            if is_cut(at) {
                write!(f, "...{next}")?;
            }
            axes(f, left, shown, all, elided, depth + 1)?;
        }
        return f.write_str("]");
    }
    let mut column = depth + 1;
    // A line ends before what would go beyond it, with room for the brackets.
    let limit = WIDTH - (shown.len() - depth).min(WIDTH / 2);
    // Before an element stands the end of the one before it, which no line ends with.
    let mut pending = String::new();
    let mut put = |f: &mut fmt::Formatter<'_>, at: usize, text: &str| {
        let space = usize::from(at > 0);
        if at > 0 && column + space + text.len() > limit {
            write!(f, "\n{:indent$}", "", indent = depth + 1)?;
            column = depth + 1 + text.len();
        } else {
            write!(f, "{pending}{:space$}", "")?;
            column += space + text.len();
        }
        let trimmed = text.trim_end();
        pending = text[trimmed.len()..].to_string();
        f.write_str(trimmed)
    };
    for at in 0..size {
        if is_cut(at) {
            put(f, at, "...")?;
        }
        put(f, at, left.next().map_or("", String::as_str))?;
    }
    write!(f, "{pending}]")
}

/// The shortest digits that say which float it is, at most `precision` of them behind the point, which stands in one column; with exponents where the numbers are
/// very large, very small, or far apart.
fn floats<T: Element>(elements: &[T], precision: usize) -> Vec<String> {
    let texts: Vec<String> = elements.iter().map(|x| format!("{x:?}").to_lowercase()).collect();
    let value = |text: &String| text.parse::<f64>().unwrap_or(f64::NAN);
    let sizes = texts.iter().map(value).filter(|x| x.is_finite() && *x != 0.0).map(f64::abs);
    let (least, most) = sizes.fold((f64::MAX, 0.0f64), |(least, most), x| (least.min(x), most.max(x)));
    let by_exponent = most >= 1e8 || most > 0.0 && (least < 1e-4 || most / least > 1000.0);
    let parts: Vec<Option<(String, String, i32)>> =
        texts.iter().map(|text| value(text).is_finite().then(|| split(text, by_exponent, precision))).collect();
    let behind = parts.iter().flatten().map(|(_, fraction, _)| fraction.len()).max().unwrap_or(0);
    let wide = parts.iter().flatten().any(|(.., exponent)| exponent.abs() >= 100);
    let exact = |text: &String| match T::DTYPE {
        DType::F32 => text.parse::<f32>().map_or(f64::NAN, f64::from),
        _ => value(text),
    };
    let text = |(text, part): (&String, &Option<(String, String, i32)>)| match part {
        None => text.replace("infinity", "inf"),
        Some((.., exponent)) if by_exponent => {
            let sign = if *exponent < 0 { '-' } else { '+' };
            let digits = if wide { 3 } else { 2 };
            // Where others need more digits, those of the number itself.
            let exact = format!("{:.behind$e}", exact(text));
            let mantissa = exact.split_once('e').map_or(&*exact, |(mantissa, _)| mantissa);
            let point = if behind == 0 { "." } else { "" };
            format!("{mantissa}{point}e{sign}{:0digits$}", exponent.abs())
        }
        Some((whole, fraction, _)) => format!("{whole}.{fraction:<behind$}"),
    };
    texts.iter().zip(&parts).map(text).collect()
}

/// What stands before and behind the point of a number, rounded to so many digits there, and its exponent.
fn split(text: &str, by_exponent: bool, precision: usize) -> (String, String, i32) {
    let shortest = text.parse::<f64>().unwrap_or(0.0);
    let digits = |text: &str| -> (String, String) {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        (whole.to_string(), fraction.trim_end_matches('0').to_string())
    };
    if !by_exponent {
        let plain = format!("{shortest}");
        let (whole, fraction) = digits(&plain);
        if fraction.len() <= precision {
            return (whole, fraction, 0);
        }
        let (whole, fraction) = digits(&format!("{shortest:.precision$}"));
        return (whole, fraction, 0);
    }
    let plain = format!("{shortest:e}");
    let (mantissa, exponent) = plain.split_once('e').unwrap_or((&plain, "0"));
    let (mut parts, mut exponent) = (digits(mantissa), exponent.parse().unwrap_or(0));
    if parts.1.len() > precision {
        let rounded = format!("{shortest:.precision$e}");
        let (mantissa, power) = rounded.split_once('e').unwrap_or((&rounded, "0"));
        (parts, exponent) = (digits(mantissa), power.parse().unwrap_or(0));
    }
    (parts.0, parts.1, exponent)
}
