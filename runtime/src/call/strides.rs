//! The strides of arguments and results: whether they stay inside their slices, and as numbers of the binding.

use castnet_program::program::{Named, Program};
use castnet_program::size::Size;

use crate::error::{Error, Result};
use crate::view::{Argument, Given, Lies, Output};

/// Appends the strides of a call to its run-time sizes, in the order of [`Program::hidden`]. `results`: where they go, if the caller says so; else
/// they are new arrays. Allocates nothing unless it fails.
///
/// # Errors
/// If one reaches beyond its slice, lies by strides where it may not, or has two elements in one place where it is written.
pub(super) fn bind<A: Given>(
    program: &Program,
    args: &[A],
    results: Option<&[Output<'_>]>,
    value: &dyn Fn(&str) -> i64,
    values: &mut Vec<i64>,
) -> Result<()> {
    for (number, (named, given)) in program.arguments.iter().zip(args).enumerate() {
        let operand = Operand { program, named, number, kind: "argument" };
        operand.bind(given.shape().iter().map(|&size| size as i64), given.lies(), values)?;
    }
    let Some(outputs) = results else {
        for (number, named) in program.results.iter().enumerate() {
            let operand = Operand { program, named, number, kind: "result" };
            operand.bind(named.ty.shape.iter().map(|size| size.eval(value)), None, values)?;
        }
        return Ok(());
    };
    for (number, (named, output)) in program.results.iter().zip(outputs).enumerate() {
        let operand = Operand { program, named, number, kind: "result" };
        let lies = match output {
            Output::Write(view) => view.lies(),
            Output::Donated(argument) => match args.get(*argument).and_then(Given::lies) {
                Some(lies) => lies,
                None => continue,
            },
        };
        operand.apart(&lies)?;
        operand.bind(lies.shape.iter().map(|&size| size as i64), Some(lies), values)?;
    }
    Ok(())
}

/// That there is an output for each result, of its type, and that what is donated may be.
///
/// # Errors
/// The first that is not so.
pub(super) fn check_outputs(
    program: &Program,
    args: &[Argument<'_>],
    outputs: &[Output<'_>],
    value: &dyn Fn(&str) -> i64,
) -> Result<()> {
    let function = || program.name.clone();
    if outputs.len() != program.results.len() {
        let (found, expected) = (outputs.len(), program.results.len());
        return Err(Error::ResultCount { function: function(), found, expected });
    }
    for (number, (named, output)) in program.results.iter().zip(outputs).enumerate() {
        let (dtype, shape) = match output {
            Output::Write(view) => (view.dtype(), view.lies().shape),
            Output::Donated(argument) => {
                donated(program, args, outputs, *argument, number)?;
                (args[*argument].dtype(), args[*argument].shape())
            }
        };
        let fits = |(size, found): (&Size, &usize)| size.eval(value) == *found as i64;
        let alike = shape.len() == named.ty.rank() && named.ty.shape.iter().zip(shape).all(fits);
        if !alike || dtype != named.ty.dtype {
            let (found, expected) = (crate::error::type_text(dtype, shape), named.ty.to_string());
            let result = Operand { program, named, number, kind: "result" }.text();
            return Err(Error::ResultType { function: function(), result, found, expected });
        }
    }
    let taken = |argument: usize| outputs.iter().any(|output| matches!(output, Output::Donated(a) if *a == argument));
    let left = |(number, argument): (usize, &Argument<'_>)| matches!(argument, Argument::Donated(_)) && !taken(number);
    match args.iter().enumerate().position(left) {
        Some(number) => {
            let argument = program.arguments[number].name.clone();
            Err(Error::Donation {
                function: function(),
                argument,
                result: "any result".into(),
                why: "the call names none",
            })
        }
        None => Ok(()),
    }
}

fn donated(
    program: &Program,
    args: &[Argument<'_>],
    outputs: &[Output<'_>],
    argument: usize,
    result: usize,
) -> Result<()> {
    let once = outputs.iter().filter(|output| matches!(output, Output::Donated(a) if *a == argument)).count() == 1;
    let why = match args.get(argument) {
        None => "there is no such argument",
        Some(Argument::Read(_)) => "the call lends it to be read only",
        Some(Argument::Donated(_)) if !once => "several results would take its place",
        Some(Argument::Donated(_)) if !program.donates.contains(&(argument, result)) => {
            "it is read after the result is written, or is of another type"
        }
        Some(Argument::Donated(_)) => return Ok(()),
    };
    let named = program.arguments.get(argument).map_or_else(|| format!("number {argument}"), |a| a.name.clone());
    let text = Operand { program, named: &program.results[result], number: result, kind: "result" }.text();
    Err(Error::Donation { function: program.name.clone(), argument: named, result: text, why })
}

/// An argument or a result.
struct Operand<'a> {
    program: &'a Program,
    named: &'a Named,
    number: usize,
    kind: &'static str,
}

impl Operand<'_> {
    /// ``argument `x` ``, ``result 0 (`y`)``.
    fn text(&self) -> String {
        match self.kind {
            "argument" => format!("argument `{}`", self.named.name),
            kind => format!("{kind} {} (`{}`)", self.number, self.named.name),
        }
    }

    /// Checks where it lies, and appends its strides if it is strided.
    fn bind(&self, shape: impl Iterator<Item = i64>, lies: Option<Lies<'_>>, values: &mut Vec<i64>) -> Result<()> {
        let start = values.len();
        values.extend(shape);
        let sizes = &values[start..];
        let is_empty = sizes.iter().any(|size| *size < 1);
        if let Some(lies) = &lies {
            if lies.strides.len() != sizes.len() {
                return Err(self.strides(lies, "one for each axis"));
            }
            if lies.shape.iter().any(|size| i64::try_from(*size).is_err()) {
                return Err(self.strides(lies, "such that elements can be counted"));
            }
            if !is_empty {
                self.inside(lies)?;
            }
        }
        // From sizes to strides, the innermost first: where there is one element only, or none, as in row-major order.
        let mut row_major = 1i64;
        for axis in (0..values.len() - start).rev() {
            let size = values[start + axis];
            let given = lies.as_ref().filter(|_| size > 1 && !is_empty).map(|lies| lies.strides[axis]);
            let stride = given.unwrap_or(row_major);
            if let (Some(lies), false) = (&lies, self.named.strided || stride == row_major) {
                return Err(self.strides(lies, "those of row-major order"));
            }
            values[start + axis] = stride;
            // Inside a slice no product overflows; sizes of results that are too large are found later.
            row_major = stride.saturating_mul(size);
        }
        if !self.named.strided {
            values.truncate(start);
        }
        Ok(())
    }

    /// That every element is inside the slice; there is one at least.
    fn inside(&self, lies: &Lies<'_>) -> Result<()> {
        let (mut first, mut last) = (Some(lies.offset), Some(lies.offset));
        for (&size, &stride) in lies.shape.iter().zip(lies.strides).filter(|(size, _)| **size > 1) {
            let far = i64::try_from(size - 1).ok().and_then(|steps| stride.checked_mul(steps));
            let add = |end: Option<i64>, far: Option<i64>| end.zip(far).and_then(|(end, far)| end.checked_add(far));
            (first, last) = (add(first, far.map(|far| far.min(0))), add(last, far.map(|far| far.max(0))));
        }
        let (Some(first), Some(last)) = (first, last) else {
            return Err(self.strides(lies, "such that elements can be counted"));
        };
        let is_inside = first >= 0 && usize::try_from(last).is_ok_and(|last| last < lies.len);
        match is_inside {
            true => Ok(()),
            false => {
                let (function, operand, len) = (self.program.name.clone(), self.text(), lies.len);
                Err(Error::OutOfSlice { function, operand, first, last, len })
            }
        }
    }

    /// That no two elements lie in one place: ordered by its stride, each axis steps over all that those before it reach.
    fn apart(&self, lies: &Lies<'_>) -> Result<()> {
        if lies.strides.len() != lies.shape.len() || lies.shape.contains(&0) {
            // That is found out next, or nothing is written.
            return Ok(());
        }
        let long = || lies.shape.iter().zip(lies.strides).enumerate().filter(|(_, (size, _))| **size > 1);
        for (axis, (_, stride)) in long() {
            let own = (stride.unsigned_abs(), axis);
            let before = long().filter(|(other, (_, stride))| (stride.unsigned_abs(), *other) < own);
            let reach =
                |(_, (size, stride)): (usize, (&usize, &i64))| u128::from(stride.unsigned_abs()) * (*size as u128 - 1);
            if u128::from(own.0) <= before.map(reach).fold(0, u128::saturating_add) {
                return Err(self.strides(lies, "such that no two elements share memory"));
            }
        }
        Ok(())
    }

    fn strides(&self, lies: &Lies<'_>, expected: &'static str) -> Error {
        let (function, operand) = (self.program.name.clone(), self.text());
        Error::Strides { function, operand, strides: lies.strides.to_vec(), shape: lies.shape.to_vec(), expected }
    }
}
