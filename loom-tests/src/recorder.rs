//! A recorder that is off.

use std::borrow::Cow;
use std::panic::Location;

#[derive(Clone, Copy)]
pub(crate) struct OperationKey {
    #[expect(dead_code)]
    pub(crate) engine: usize,
    #[expect(dead_code)]
    pub(crate) ticket: u64,
}

pub(crate) enum Outcome {
    Done,
    Failed,
    Skipped,
    Pending,
}

pub(crate) struct Operation;

impl Operation {
    pub(crate) fn end(self, _: Outcome) {}
}

pub(crate) fn is_on() -> bool {
    false
}

pub(crate) fn operation(_: OperationKey, _: Cow<'static, str>, _: &'static Location<'static>) -> Option<Operation> {
    None
}

pub(crate) fn pushed(_: OperationKey, _: Cow<'static, str>, _: &'static Location<'static>) {}

pub(crate) fn completed(_: OperationKey, _: bool) {}
