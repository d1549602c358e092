//! Numbers that note what is done with them: a formula that runs over them leaves its scalar code.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

use castnet_program::scalar::{Binary, Code, Instr, Lane, Literal, Slot, Unary};

use super::real::Real;
use crate::math::Scalar;

thread_local! {
    /// The code that is being written.
    static CODE: RefCell<Code> = const { RefCell::new(Code { inputs: vec![], instrs: vec![], outputs: vec![] }) };
}

/// The code of a formula: it is handed the slots of the inputs and gives those of the outputs.
pub(super) fn trace(inputs: Vec<Lane>, formula: impl FnOnce() -> Vec<Slot>) -> Code {
    CODE.set(Code { inputs, ..Code::default() });
    let outputs = formula();
    Code { outputs, ..CODE.take() }
}

fn push(instr: Instr) -> Slot {
    CODE.with_borrow_mut(|code| code.push(instr))
}

/// A slot with a lane's scalars.
pub struct Traced<T>(pub(super) Slot, PhantomData<T>);

/// A slot with a truth value.
#[derive(Clone, Copy)]
pub struct TracedTruth(Slot);

impl<T> Clone for Traced<T> {
    fn clone(&self) -> Traced<T> {
        *self
    }
}

impl<T> Copy for Traced<T> {}

impl<T> Traced<T> {
    /// An input, or what an instruction has given.
    pub(super) fn at(slot: Slot) -> Traced<T> {
        Traced(slot, PhantomData)
    }

    fn unary(self, f: Unary) -> Traced<T> {
        Traced::at(push(Instr::Unary(f, self.0)))
    }

    fn binary(self, f: Binary, other: Traced<T>) -> Traced<T> {
        Traced::at(push(Instr::Binary(f, self.0, other.0)))
    }

    fn comparison(self, f: Binary, other: Traced<T>) -> TracedTruth {
        TracedTruth(push(Instr::Binary(f, self.0, other.0)))
    }
}

impl<T: Scalar> Traced<T> {
    /// What a slot of this lane holds, in T's.
    pub(super) fn of_lane(slot: Slot, lane: Lane) -> Traced<T> {
        Traced::at(if lane == T::LANE { slot } else { push(Instr::To(T::LANE.dtype(), slot)) })
    }

    /// The slot of the number as a store of another lane, or of this one, takes it.
    pub(super) fn to_lane(self, lane: Lane) -> Slot {
        if lane == T::LANE { self.0 } else { push(Instr::To(lane.dtype(), self.0)) }
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident)*) => {$(
        impl<T> $trait for Traced<T> {
            type Output = Traced<T>;

            fn $method(self, other: Traced<T>) -> Traced<T> {
                self.binary(Binary::$trait, other)
            }
        }
    )*};
}
operators! { Add add Sub sub Mul mul Div div }

impl<T> Neg for Traced<T> {
    type Output = Traced<T>;

    fn neg(self) -> Traced<T> {
        self.unary(Unary::Neg)
    }
}

impl BitAnd for TracedTruth {
    type Output = TracedTruth;

    fn bitand(self, other: TracedTruth) -> TracedTruth {
        TracedTruth(push(Instr::Binary(Binary::And, self.0, other.0)))
    }
}

impl BitOr for TracedTruth {
    type Output = TracedTruth;

    fn bitor(self, other: TracedTruth) -> TracedTruth {
        TracedTruth(push(Instr::Binary(Binary::Or, self.0, other.0)))
    }
}

impl Not for TracedTruth {
    type Output = TracedTruth;

    fn not(self) -> TracedTruth {
        TracedTruth(push(Instr::Unary(Unary::Not, self.0)))
    }
}

impl<T: Scalar> Real for Traced<T> {
    type Truth = TracedTruth;
    type Wide = Traced<f64>;

    fn of(x: f64) -> Traced<T> {
        Traced::at(push(Instr::Const(match T::LANE {
            Lane::F32 => Literal::F32(x as f32),
            Lane::F64 => Literal::F64(x),
            Lane::I32 => Literal::I32(x as i32),
            Lane::I64 => Literal::I64(x as i64),
            Lane::Bool => Literal::Bool(x != 0.0),
        })))
    }

    fn wide(self) -> Traced<f64> {
        Traced::at(self.to_lane(Lane::F64))
    }

    fn narrow(x: Traced<f64>) -> Traced<T> {
        Traced::of_lane(x.0, Lane::F64)
    }

    fn sqrt(self) -> Traced<T> {
        self.unary(Unary::Sqrt)
    }

    fn abs(self) -> Traced<T> {
        self.unary(Unary::Abs)
    }

    fn sign(self) -> Traced<T> {
        self.unary(Unary::Sign)
    }

    fn max(self, other: Traced<T>) -> Traced<T> {
        self.binary(Binary::Max, other)
    }

    fn min(self, other: Traced<T>) -> Traced<T> {
        self.binary(Binary::Min, other)
    }

    fn lt(self, other: Traced<T>) -> TracedTruth {
        self.comparison(Binary::Lt, other)
    }

    fn le(self, other: Traced<T>) -> TracedTruth {
        self.comparison(Binary::Le, other)
    }

    fn gt(self, other: Traced<T>) -> TracedTruth {
        self.comparison(Binary::Gt, other)
    }

    fn ge(self, other: Traced<T>) -> TracedTruth {
        self.comparison(Binary::Ge, other)
    }

    fn select(condition: TracedTruth, then: Traced<T>, other: Traced<T>) -> Traced<T> {
        Traced::at(push(Instr::Select(condition.0, then.0, other.0)))
    }
}
