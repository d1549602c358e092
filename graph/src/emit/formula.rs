//! What a kernel is called: by the operations that it does, in their order, since several layers may share it.

use crate::program::{Launch, Source, Target};
use crate::scalar::{Code, Instr, Slot};

/// Operations that a name lists; of more it tells the number.
const LISTED: usize = 5;

/// For each instruction of a code, whether a result follows from it.
pub(super) fn used(code: &Code) -> Vec<bool> {
    let inputs = code.inputs.len();
    let mut used = vec![false; code.instrs.len()];
    let mark = |used: &mut Vec<bool>, slot: Slot| {
        if let Some(used) = (slot as usize).checked_sub(inputs).and_then(|i| used.get_mut(i)) {
            *used = true;
        }
    };
    code.outputs.iter().for_each(|slot| mark(&mut used, *slot));
    for (i, instr) in code.instrs.iter().enumerate().rev() {
        if used[i] {
            operands(instr).for_each(|slot| mark(&mut used, slot));
        }
    }
    used
}

/// The slots that an instruction reads.
pub(super) fn operands(instr: &Instr) -> impl Iterator<Item = Slot> {
    let slots = match *instr {
        Instr::Const(_) => [None, None, None],
        Instr::Unary(_, x) | Instr::To(_, x) => [Some(x), None, None],
        Instr::Binary(_, x, y) => [Some(x), Some(y), None],
        Instr::Select(c, x, y) => [Some(c), Some(x), Some(y)],
    };
    slots.into_iter().flatten()
}

/// The operation of an instruction, in a word; a constant is none.
pub(super) fn word(instr: &Instr) -> Option<String> {
    match instr {
        Instr::Const(_) => None,
        Instr::Unary(f, _) => Some(f.name().into()),
        Instr::Binary(f, ..) => Some(f.name().into()),
        Instr::Select(..) => Some("select".into()),
        Instr::To(dtype, _) => Some(format!("to_{dtype}")),
    }
}

/// The name of a code: `add_tanh`.
pub(super) fn of_code(code: &Code) -> String {
    let mut operations = Operations::default();
    operations.add(code);
    operations.name()
}

/// The name of a launch behind that of its family: `max_sub_exp_sum_div`, where reductions and what is drawn or looked up are operations, too.
pub(super) fn of_launch(launch: &Launch) -> String {
    let mut operations = Operations::default();
    for stage in &launch.stages {
        for source in &stage.inputs {
            match source {
                Source::Random { .. } => operations.words.push("random".into()),
                Source::Gather { .. } => operations.words.push("gather".into()),
                Source::Load(_)
                | Source::Acc
                | Source::Row(_)
                | Source::Index(_)
                | Source::Size(_)
                | Source::LossScale => {}
            }
        }
        operations.add(&stage.code);
        for target in &stage.outputs {
            match target {
                Target::Reduce(reduction, _) => operations.words.push(reduction.name().into()),
                Target::Store(_) | Target::Row(_) => {}
            }
        }
    }
    operations.name()
}

/// What is done, in order.
#[derive(Default)]
struct Operations {
    words: Vec<String>,
    /// Conversions, which are named if there is nothing else.
    conversions: Vec<String>,
}

impl Operations {
    fn add(&mut self, code: &Code) {
        for (instr, _) in code.instrs.iter().zip(used(code)).filter(|(_, used)| *used) {
            let list = if matches!(instr, Instr::To(..)) { &mut self.conversions } else { &mut self.words };
            list.extend(word(instr));
        }
    }

    fn name(&self) -> String {
        let words = if self.words.is_empty() { &self.conversions } else { &self.words };
        // Where one follows itself more than once, it is counted: `max_x8`.
        let mut parts: Vec<(String, usize)> = vec![];
        for run in words.chunk_by(|a, b| a == b) {
            match run {
                [word, _, _, ..] => parts.push((format!("{word}_x{}", run.len()), run.len())),
                few => parts.extend(few.iter().map(|word| (word.clone(), 1))),
            }
        }
        if parts.is_empty() {
            return "copy".into();
        }
        let listed = if parts.len() > LISTED { LISTED - 1 } else { LISTED };
        let rest: usize = parts.iter().skip(listed).map(|(_, number)| number).sum();
        let mut name: Vec<String> = parts.into_iter().take(listed).map(|(part, _)| part).collect();
        if rest > 0 {
            name.push(format!("and_{rest}"));
        }
        name.join("_")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalar::{Binary, Lane, Literal, Unary};
    use crate::types::DType;

    #[test]
    fn codes_are_named_by_what_they_do() {
        let name = |instrs: Vec<Instr>| {
            let last = 1 + instrs.len() as Slot;
            of_code(&Code { inputs: vec![Lane::F32; 2], outputs: vec![last], instrs })
        };
        // Each takes the result of the one before.
        let chain = |functions: &[Binary]| {
            let instrs = functions.iter().enumerate().map(|(i, f)| Instr::Binary(*f, 0, 1 + i as Slot));
            name(instrs.collect())
        };
        assert_eq!(name(vec![]), "copy");
        assert_eq!(name(vec![Instr::To(DType::F16, 1)]), "to_f16");
        assert_eq!(name(vec![Instr::Binary(Binary::Add, 0, 1), Instr::Unary(Unary::Tanh, 2)]), "add_tanh");
        assert_eq!(name(vec![Instr::To(DType::F16, 0), Instr::Unary(Unary::Exp, 2)]), "exp");
        // Nothing follows from the second.
        let unused = vec![Instr::Unary(Unary::Exp, 0), Instr::Unary(Unary::Log, 0), Instr::Unary(Unary::Neg, 2)];
        assert_eq!(name(unused), "exp_neg");
        let constant = vec![Instr::Const(Literal::F32(2.0)), Instr::Binary(Binary::Mul, 0, 2)];
        assert_eq!(name(constant), "mul");
        assert_eq!(chain(&[Binary::Max; 3]), "max_x3");
        assert_eq!(chain(&[Binary::Mul, Binary::Mul, Binary::Add]), "mul_mul_add");
        let [m, a, s] = [Binary::Mul, Binary::Add, Binary::Sub];
        assert_eq!(chain(&[m, a, s, m, a]), "mul_add_sub_mul_add");
        assert_eq!(chain(&[m, a, s, m, a, s]), "mul_add_sub_mul_and_2");
        assert_eq!(chain(&[m, a, s, m, a, a, a, s]), "mul_add_sub_mul_and_4");
    }
}
