//! The block interpreter: runs scalar code an instruction at a time over short blocks.
//!
//! Every instruction is itself a [`block_kernel!`](crate::block_kernel), hence the bits are those of the printed function.

use castnet_program::scalar::{Binary, Code, Instr, Slot, Unary};

use crate::emitted::BlockFn;
use crate::isa::Isa;

/// Elements that pass through all instructions before the next ones: a register is 1 KB.
const BLOCK: usize = 256;

/// Scalar code with its registers assigned.
#[derive(Debug)]
pub(crate) struct Interpreter {
    steps: Vec<Step>,
    /// Constants are operands like others.
    constants: Vec<[f32; BLOCK]>,
    /// Outputs that no step writes in place.
    copies: Vec<(Operand, usize)>,
    registers: usize,
}

/// An instruction.
#[derive(Debug)]
struct Step {
    function: BlockFn,
    operands: [Operand; 3],
    arity: usize,
    result: Operand,
}

/// Where a value is, for one block.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Operand {
    Input(usize),
    Register(usize),
    Constant(usize),
    Output(usize),
}

impl Interpreter {
    /// Chooses functions and registers.
    pub(crate) fn new(code: &Code, isa: Isa) -> Interpreter {
        let inputs = code.inputs as usize;
        let last_use = last_uses(code);
        let last_input = code.instrs.iter().rposition(|i| operands(i).any(|slot| slot < inputs));
        let hands_input_on = code.outputs.iter().any(|&slot| (slot as usize) < inputs);

        let mut place: Vec<Operand> = (0..inputs).map(Operand::Input).collect();
        let mut constants = Vec::new();
        let mut steps = Vec::new();
        let (mut free, mut registers) = (Vec::new(), 0);
        for (number, instr) in code.instrs.iter().enumerate() {
            let slot = inputs + number;
            if let Instr::Const(value) = instr {
                place.push(Operand::Constant(constants.len()));
                constants.push([*value; BLOCK]);
                continue;
            }
            if last_use[slot].is_none() {
                // Nobody needs it.
                place.push(Operand::Constant(usize::MAX));
                continue;
            }
            let arity = operands(instr).count();
            let mut from = [Operand::Input(0); 3];
            for (operand, slot) in from.iter_mut().zip(operands(instr)) {
                *operand = place[slot];
                if let (Operand::Register(r), Some(last)) = (place[slot], last_use[slot])
                    && last == number
                    && !free.contains(&r)
                {
                    free.push(r);
                }
            }
            // An output may lie over an input: it is written at once only if no later step reads inputs.
            let output = code.outputs.iter().position(|&s| s as usize == slot);
            let result = match output {
                Some(output) if !hands_input_on && last_input.is_none_or(|l| l <= number) => Operand::Output(output),
                _ => Operand::Register(free.pop().unwrap_or_else(|| {
                    registers += 1;
                    registers - 1
                })),
            };
            place.push(result);
            steps.push(Step { function: function(instr).function(isa), operands: from, arity, result });
        }
        if code.outputs.len() > 1 {
            // An input that is handed on is saved first: another output may lie over it.
            for &slot in code.outputs.iter().filter(|&&slot| (slot as usize) < inputs) {
                if let input @ Operand::Input(_) = place[slot as usize] {
                    let result = Operand::Register(registers);
                    registers += 1;
                    let operands = [input, Operand::Input(0), Operand::Input(0)];
                    steps.push(Step { function: single::same.function(isa), operands, arity: 1, result });
                    place[slot as usize] = result;
                }
            }
        }
        let outputs = code.outputs.iter().enumerate();
        let copies =
            outputs.map(|(i, &slot)| (place[slot as usize], i)).filter(|&(from, i)| from != Operand::Output(i));
        Interpreter { steps, constants, copies: copies.collect(), registers }
    }

    /// Floats of scratch.
    pub(crate) fn scratch_floats(&self) -> usize {
        self.registers * BLOCK
    }

    /// Runs the code over `n` elements.
    ///
    /// # Safety
    /// As a [`BlockFn`] of the code; `registers` points to [`Interpreter::scratch_floats`] floats.
    pub(crate) unsafe fn run(
        &self,
        n: usize,
        inputs: *const *const f32,
        outputs: *const *mut f32,
        registers: *mut f32,
    ) {
        for at in (0..n).step_by(BLOCK) {
            let count = BLOCK.min(n - at);
            // SAFETY: slots were numbered by `new`; inputs and outputs are as long as the caller says.
            unsafe {
                let find = |operand: Operand| match operand {
                    Operand::Input(i) => (*inputs.add(i)).add(at).cast_mut(),
                    Operand::Output(i) => (*outputs.add(i)).add(at),
                    Operand::Register(r) => registers.add(r * BLOCK),
                    Operand::Constant(c) => self.constants[c].as_ptr().cast_mut(),
                };
                for step in &self.steps {
                    let mut from = [std::ptr::null::<f32>(); 3];
                    for (pointer, operand) in from.iter_mut().zip(&step.operands[..step.arity]) {
                        *pointer = find(*operand);
                    }
                    (step.function)(count, from.as_ptr(), &find(step.result));
                }
                for &(from, output) in &self.copies {
                    std::ptr::copy(find(from), (*outputs.add(output)).add(at), count);
                }
            }
        }
    }
}

/// The slots that an instruction reads.
fn operands(instr: &Instr) -> impl Iterator<Item = usize> {
    let (slots, arity): ([Slot; 3], usize) = match *instr {
        Instr::Const(_) => ([0; 3], 0),
        Instr::Unary(_, a) => ([a, 0, 0], 1),
        Instr::Binary(_, a, b) => ([a, b, 0], 2),
        Instr::Select(a, b, c) => ([a, b, c], 3),
    };
    slots.into_iter().take(arity).map(|slot| slot as usize)
}

/// The last instruction that reads each slot; `usize::MAX` for outputs, `None` for what no output depends on.
fn last_uses(code: &Code) -> Vec<Option<usize>> {
    let inputs = code.inputs as usize;
    let mut last = vec![None; inputs + code.instrs.len()];
    for &slot in &code.outputs {
        last[slot as usize] = Some(usize::MAX);
    }
    for (number, instr) in code.instrs.iter().enumerate().rev() {
        if last[inputs + number].is_some() {
            for slot in operands(instr) {
                last[slot] = last[slot].or(Some(number));
            }
        }
    }
    last
}

macro_rules! functions {
    (unary { $($unary:ident $one:ident)* } turns { $($turn:ident $wave:ident)* } binary { $($binary:ident $two:ident)* }) => {
        mod single {
            $(crate::block_kernel! { pub(super) $one(x) -> (y) { let y = $one(x); } })*
            $(crate::block_kernel! { pub(super) $wave(x) -> (y) far { let y = $wave(x, &mut far); } })*
            crate::block_kernel! { pub(super) same(x) -> (x) {} }
            crate::block_kernel! { pub(super) neg(x) -> (y) { let y = -x; } }
            $(crate::block_kernel! { pub(super) $two(a, b) -> (y) { let y = $two(a, b); } })*
            crate::block_kernel! { pub(super) add(a, b) -> (y) { let y = a + b; } }
            crate::block_kernel! { pub(super) sub(a, b) -> (y) { let y = a - b; } }
            crate::block_kernel! { pub(super) mul(a, b) -> (y) { let y = a * b; } }
            crate::block_kernel! { pub(super) div(a, b) -> (y) { let y = a / b; } }
            crate::block_kernel! { pub(super) select(c, a, b) -> (y) { let y = select(c, a, b); } }
        }

        fn function(instr: &Instr) -> &'static crate::BlockKernel {
            match instr {
                $(Instr::Unary(Unary::$unary, _) => &single::$one,)*
                $(Instr::Unary(Unary::$turn, _) => &single::$wave,)*
                Instr::Unary(Unary::Neg, _) => &single::neg,
                $(Instr::Binary(Binary::$binary, ..) => &single::$two,)*
                Instr::Binary(Binary::Add, ..) => &single::add,
                Instr::Binary(Binary::Sub, ..) => &single::sub,
                Instr::Binary(Binary::Mul, ..) => &single::mul,
                Instr::Binary(Binary::Div, ..) => &single::div,
                Instr::Select(..) => &single::select,
                Instr::Const(_) => unreachable!("a constant is no step"),
            }
        }
    };
}

functions! {
    unary {
        Exp exp Log log Sqrt sqrt Rsqrt rsqrt Abs abs Sign sign Tanh tanh Sigmoid sigmoid Erf erf Floor floor Trunc trunc
        Round round Log1p log1p Expm1 expm1 Not not
    }
    turns { Sin sin Cos cos }
    binary { Rem rem Pow pow Max max Min min Lt lt Le le Gt gt Ge ge Eq eq Ne ne And and Or or }
}
