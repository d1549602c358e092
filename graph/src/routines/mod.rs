//! Routines: what each of them means, a file each. [`castnet_program::with_routines`] lists them.
//!
//! A file has a `RULE` (types, gradient, cost, reference) and the operators of the language that are made of it. The kernel of the same name
//! in `castnet-kernels` is all that is missing then.

use crate::builder::Builder;
use crate::graph::{Call, Op, Value};
use crate::number::Number;
use crate::ops::Operator;
use crate::reference::Tensor;
use crate::routine::Routine;
use crate::size::Size;
use crate::types::{DType, Type};

mod along;

/// What numbers a result has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Elements of the first operand.
    Elements,
    /// Indices into a row of the first operand.
    Indices,
    /// Others.
    Any,
}

/// The meaning of a routine.
pub(crate) struct Rule {
    /// The types of the results, or what is wrong with the operands; with [`Call::length`]. Rows are the same everywhere: that is looked after.
    pub results: Results,
    /// What numbers a result has.
    pub numbers: fn(usize) -> Numbers,
    /// The gradients of operands; those that are missing are 0.
    pub gradient: Gradient,
    /// Memory for a row to work in, beside its results: so many elements of a type. Its contents mean nothing before and after.
    pub scratch: fn(&[&Type]) -> Option<(DType, Size)>,
    /// Operations of a row.
    pub flops: fn(&[&Type]) -> Size,
    /// One row in f64, or of integers: the operands' rows, and the results' to be filled, of the lengths of the types. Integers are wrapped behind
    /// it.
    pub reference: Reference,
}

/// See [`Rule::results`].
pub(crate) type Results = fn(Option<&Size>, &[&Type]) -> Result<Vec<Type>, String>;

/// See [`Rule::reference`].
pub(crate) type Reference = fn(bool, &[&[Number]], &mut [Vec<Number>]);

/// See [`Rule::gradient`].
pub(crate) type Gradient = fn(&mut Builder, &Made) -> Vec<(usize, Value)>;

/// A node of a routine, whose gradient is taken.
pub(crate) struct Made<'a> {
    /// What it is told.
    pub call: &'a Call,
    /// Its operands.
    pub operands: &'a [Value],
    /// Its results.
    pub results: &'a [Value],
    /// What has arrived at each of them.
    pub cotangents: &'a [Option<Value>],
}

macro_rules! rules {
    ($($module:ident $name:ident $operands:literal $results:literal,)*) => {
        $(mod $module;)*

        fn rule(routine: Routine) -> &'static Rule {
            match routine {
                $(Routine::$name => &$module::RULE,)*
            }
        }

        const LISTS: &[&[Operator]] = &[$($module::OPERATORS),*];
    };
}

castnet_program::with_routines!(rules);

pub(crate) use recurrence::neighbours;

/// How many operators routines have.
const COUNT: usize = {
    let (mut count, mut list) = (0, 0);
    while list < LISTS.len() {
        count += LISTS[list].len();
        list += 1;
    }
    count
};

/// The operators that are made of routines.
pub(crate) const OPERATORS: [Operator; COUNT] = {
    let (mut all, mut at, mut list) = ([along::NONE; COUNT], 0, 0);
    while list < LISTS.len() {
        let mut i = 0;
        while i < LISTS[list].len() {
            all[at] = LISTS[list][i];
            (at, i) = (at + 1, i + 1);
        }
        list += 1;
    }
    all
};

impl Call {
    /// The types of the results over such operands.
    ///
    /// # Errors
    ///
    /// What is wrong with the operands.
    pub fn results(&self, operands: &[&Type]) -> Result<Vec<Type>, String> {
        let name = self.routine.name();
        let (wanted, given) = (self.routine.arity().0, operands.len());
        if wanted != given {
            return Err(format!("`{name}` takes {wanted} operands, not {given}"));
        }
        let rows = |ty: &Type| ty.shape.split_last().map(|(_, rows)| rows.to_vec());
        let Some(first) = rows(operands[0]) else { return Err(format!("`{name}` of a scalar, which has no rows")) };
        match operands.iter().find(|ty| rows(ty).as_ref() != Some(&first)) {
            Some(other) => Err(format!("`{name}` of {} and {other}, whose rows do not meet", operands[0])),
            None => (rule(self.routine).results)(self.length.as_ref(), operands),
        }
    }

    /// What numbers a result has.
    pub(crate) fn numbers(&self, result: usize) -> Numbers {
        (rule(self.routine).numbers)(result)
    }

    /// The memory that all rows together work in.
    pub(crate) fn scratch(&self, operands: &[&Type]) -> Option<(DType, Size)> {
        let (dtype, row) = (rule(self.routine).scratch)(operands)?;
        Some((dtype, &rows(operands[0]) * &row))
    }

    /// Operations of all rows.
    pub(crate) fn flops(&self, operands: &[&Type]) -> Size {
        &rows(operands[0]) * &(rule(self.routine).flops)(operands)
    }

    /// The gradients of operands.
    pub(crate) fn gradient(
        &self,
        b: &mut Builder,
        operands: &[Value],
        results: &[Value],
        cotangents: &[Option<Value>],
    ) -> Vec<(usize, Value)> {
        (rule(self.routine).gradient)(b, &Made { call: self, operands, results, cotangents })
    }
}

/// How many rows a type has.
fn rows(ty: &Type) -> Size {
    ty.shape.split_last().map_or_else(|| 1.into(), |(_, rows)| Size::product(rows))
}

/// The length of a row.
pub(crate) fn row(ty: &Type) -> Size {
    ty.shape.last().cloned().unwrap_or_else(|| 1.into())
}

/// The results of a routine, row by row.
pub(crate) fn reference(
    call: &Call,
    types: &[&Type],
    operands: &[&Tensor],
    value: &dyn Fn(&str) -> i64,
) -> Vec<Tensor> {
    let results = call.results(types).unwrap_or_default();
    let count = rows(types[0]).eval(value) as usize;
    let shape = |ty: &Type| ty.shape.iter().map(|s| s.eval(value) as usize).collect::<Vec<usize>>();
    let zeros = |ty: &Type| Tensor::from_fn(&shape(ty), |_| Number::Int(0).to(ty.dtype));
    let mut made: Vec<Tensor> = results.iter().map(zeros).collect();
    for r in 0..count {
        let row = |tensor: &Tensor| r * (tensor.data.len() / count)..(r + 1) * (tensor.data.len() / count);
        let x: Vec<&[Number]> = operands.iter().map(|x| &x.data[row(x)]).collect();
        let mut y: Vec<Vec<Number>> = made.iter().map(|y| y.data[row(y)].to_vec()).collect();
        (rule(call.routine).reference)(call.reverse, &x, &mut y);
        for ((tensor, made), ty) in made.iter_mut().zip(y).zip(&results) {
            let row = row(tensor);
            tensor.data[row].iter_mut().zip(made).for_each(|(y, x)| *y = x.to(ty.dtype));
        }
    }
    made
}

impl Builder<'_> {
    /// A routine over rows; all its results.
    pub(crate) fn routine(&mut self, call: Call, operands: Vec<Value>) -> Vec<Value> {
        let types: Vec<Type> = operands.iter().map(|v| self.ty(*v).clone()).collect();
        // A rule that refuses what an operator has checked is found by the verifier.
        let fallback = vec![types[0].clone()];
        let results = call.results(&types.iter().collect::<Vec<_>>()).unwrap_or(fallback);
        let mut results = results.into_iter();
        let first = results.next().unwrap_or_else(|| types[0].clone());
        let node = self.push(Op::Routine(call), operands, first);
        let further = results.enumerate().map(|(i, ty)| self.push(Op::Get(i + 1), vec![node], ty));
        let further: Vec<Value> = further.collect();
        [vec![node], further].concat()
    }
}
