//! A rule that is only data, run by the block interpreter.

use castnet_program::program::{Level, Source, Target};
use castnet_program::scalar::Lane;
use castnet_program::types::DType;
use castnet_program::update::{GRADIENT, PARAMETER, Rule};

use super::elements::{Elements, Part, load, store};
use super::formula::{Compute, Total};
use crate::interpreter::Interpreter;
use crate::isa::Isa;

/// Elements that pass through a stage at a time.
const BLOCK: usize = 256;

/// A block of numbers of any lane; starts on a cache line, as registers do.
#[derive(Clone)]
#[repr(C, align(64))]
struct Numbers([f64; BLOCK]);

/// A rule as data, ready to run; the bits are those of the compiled rule.
pub struct Interpreted {
    rule: Rule,
    lane: Lane,
    stages: Vec<Interpreter>,
}

impl Interpreted {
    /// Of a rule for parameters that are computed in this lane, f32 or f64.
    ///
    /// # Errors
    /// What is wrong with the rule.
    pub fn new(rule: Rule, lane: Lane, isa: Isa) -> Result<Interpreted, String> {
        rule.verify(lane)?;
        let stages = rule.stages.iter().map(|stage| Interpreter::new(&stage.code, isa.or_portable())).collect();
        Ok(Interpreted { rule, lane, stages })
    }

    /// Updates the elements of a part that is the whole parameter; `numbers` of the part are the scalars alone.
    ///
    /// # Safety
    /// As [`UpdateRule::update`](super::UpdateRule::update).
    pub unsafe fn update(&self, part: &Part<'_>) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.lane {
                Lane::F32 => self.run::<f32>(part),
                Lane::F64 => self.run::<f64>(part),
                Lane::I32 | Lane::I64 | Lane::Bool => unreachable!("an update in {:?}", self.lane),
            }
        }
    }

    /// # Safety
    /// As [`Interpreted::update`].
    unsafe fn run<T: Compute>(&self, part: &Part<'_>) {
        // Of each row value, a block that is full of it.
        let mut row: Vec<Numbers> = vec![];
        for (stage, interpreter) in self.rule.stages.iter().zip(&self.stages) {
            let lanes = stage.code.lanes().unwrap_or_default();
            let mut totals = vec![Total::default(); stage.outputs.len()];
            let mut inputs = vec![Numbers([0.0; BLOCK]); stage.inputs.len()];
            let mut outputs = vec![Numbers([0.0; BLOCK]); stage.outputs.len()];
            let mut registers = vec![Numbers([0.0; BLOCK]); interpreter.scratch_bytes().div_ceil(size_of::<Numbers>())];
            let len = if stage.level == Level::Row { 1 } else { part.len };
            for at in (0..len).step_by(BLOCK) {
                let count = BLOCK.min(len - at);
                for (number, (source, input)) in stage.inputs.iter().zip(&mut inputs).enumerate() {
                    let input_at = Elements { base: input.0.as_mut_ptr().cast(), dtype: lanes[number].dtype() };
                    // SAFETY: the caller's promise; a block has room for `count` numbers of any lane.
                    unsafe {
                        match source {
                            Source::Load(load) => self.load::<T>(*load, part, at, count, input_at),
                            Source::Row(value) => *input = row[*value].clone(),
                            _ => unreachable!("`Rule::verify` lets no {source:?} pass"),
                        }
                    }
                }
                let from: Vec<*const u8> = inputs.iter().map(|input| input.0.as_ptr().cast()).collect();
                let to: Vec<*mut u8> = outputs.iter_mut().map(|output| output.0.as_mut_ptr().cast()).collect();
                // SAFETY: as many blocks as the code has inputs and outputs, of their lanes, and registers as it asks for.
                unsafe { interpreter.run(count, from.as_ptr(), to.as_ptr(), registers.as_mut_ptr().cast()) };
                for (number, target) in stage.outputs.iter().enumerate() {
                    let slot = stage.code.outputs[number] as usize;
                    let found = Elements { base: outputs[number].0.as_mut_ptr().cast(), dtype: lanes[slot].dtype() };
                    // SAFETY: as above.
                    unsafe {
                        match target {
                            Target::Store(store) => self.store(*store, part, at, count, found),
                            Target::Reduce(..) => {
                                let mut values = [0f64; BLOCK];
                                load(found, 0, &mut values[..count]);
                                totals[number].add(&values[..count]);
                            }
                            Target::Row(value) => fill(&mut row, *value, found),
                        }
                    }
                }
            }
            for (target, total) in stage.outputs.iter().zip(totals) {
                if let Target::Reduce(_, value) = target {
                    let mut sum = 0.0 + total.sum();
                    // SAFETY: one number lies there.
                    unsafe { fill(&mut row, *value, Elements { base: (&raw mut sum).cast(), dtype: DType::F64 }) }
                }
            }
        }
    }

    /// # Safety
    /// As [`Interpreted::update`]; there is room for a block.
    unsafe fn load<T: Compute>(&self, number: usize, part: &Part<'_>, at: usize, count: usize, to: Elements) {
        let mut scaled = [T::default(); BLOCK];
        let scaled = &mut scaled[..count];
        // SAFETY: the caller's promise.
        unsafe {
            if let Some(scalar) = number.checked_sub(self.rule.scalar(0)) {
                scaled.fill(part.numbers.cast::<T>().add(scalar).read());
                store(to, 0, scaled);
            } else if number == GRADIENT {
                load(part.gradient, at, scaled);
                scaled.iter_mut().for_each(|x| *x = T::of(part.factor) * *x);
                store(to, 0, scaled);
            } else {
                copy(self.elements(number, part), part.start + at, to, 0, count);
            }
        }
    }

    /// # Safety
    /// As [`Interpreted::update`].
    unsafe fn store(&self, number: usize, part: &Part<'_>, at: usize, count: usize, from: Elements) {
        let load = if number == PARAMETER { PARAMETER } else { number + 1 };
        // SAFETY: the caller's promise.
        unsafe { copy(from, 0, self.elements(load, part), part.start + at, count) }
    }

    /// What is loaded under this number: the parameter or a state.
    fn elements(&self, load: usize, part: &Part<'_>) -> Elements {
        if load == PARAMETER { part.parameter } else { part.states[load - Rule::state(0)] }
    }
}

/// # Safety
/// As [`load`] and [`store`].
unsafe fn copy(from: Elements, from_at: usize, to: Elements, to_at: usize, count: usize) {
    let mut values = [0f64; BLOCK];
    // SAFETY: the caller's promise.
    unsafe {
        load(from, from_at, &mut values[..count]);
        store(to, to_at, &values[..count]);
    }
}

/// Fills the block of a row value with a number.
///
/// # Safety
/// It lies there.
unsafe fn fill(row: &mut Vec<Numbers>, value: usize, from: Elements) {
    row.resize(row.len().max(value + 1), Numbers([0.0; BLOCK]));
    let to = Elements { base: row[value].0.as_mut_ptr().cast(), dtype: from.dtype };
    for at in 0..BLOCK {
        // SAFETY: the caller's promise; a block has room.
        unsafe { copy(from, 0, to, at, 1) };
    }
}
