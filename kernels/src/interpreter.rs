//! The block interpreter: runs scalar code an instruction at a time over short blocks.
//!
//! Every instruction is itself a [`block_kernel!`](crate::block_kernel), hence the bits are those of the printed function.

mod functions;

use castnet_program::scalar::{Code, Instr, Lane, Literal, Slot};
use castnet_program::types::DType;

use crate::emitted::BlockFn;
use crate::isa::Isa;
use functions::{function, same};

/// Elements that pass through all instructions before the next ones: a register of f32 is 1 KB.
const BLOCK: usize = 256;

/// Scalar code with its registers assigned.
#[derive(Debug)]
pub(crate) struct Interpreter {
    steps: Vec<Step>,
    /// Constants are operands like others.
    constants: Vec<Constant>,
    /// Outputs that no step writes in place, with the bytes of an element.
    copies: Vec<(Operand, usize, usize)>,
    registers: usize,
    /// Bytes of a register: elements of the widest lane.
    register: usize,
}

/// A block of one number.
#[derive(Debug)]
struct Constant([u64; BLOCK]);

impl Constant {
    fn new(literal: Literal) -> Constant {
        let bits = literal.bits();
        Constant(
            [if literal.lane().bytes() == 4 { bits | bits << 32 } else { bits * BYTES[literal.lane().bytes()] }; BLOCK],
        )
    }
}

/// By what the bits of an element are multiplied to stand in every element of a word, by its bytes; of four it is done by hand.
const BYTES: [u64; 9] = [0, 0x0101_0101_0101_0101, 0, 0, 0, 0, 0, 0, 1];

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
    /// An input or output, with the bytes of an element.
    Input(usize, usize),
    Register(usize),
    Constant(usize),
    Output(usize, usize),
}

impl Interpreter {
    /// Chooses functions and registers.
    ///
    /// # Panics
    /// If the lanes of the code do not fit: the verifier lets none such pass.
    pub(crate) fn new(code: &Code, isa: Isa) -> Interpreter {
        let code = &in_short_steps(code);
        let lanes = lanes(code);
        let inputs = code.inputs.len();
        let last_use = last_uses(code);
        let last_input = code.instrs.iter().rposition(|i| operands(i).any(|slot| slot < inputs));
        let hands_input_on = code.outputs.iter().any(|&slot| (slot as usize) < inputs);

        let mut place: Vec<Operand> = (0..inputs).map(|i| Operand::Input(i, lanes[i].bytes())).collect();
        let mut constants = Vec::new();
        let mut steps = Vec::new();
        let (mut free, mut registers) = (Vec::new(), 0);
        for (number, instr) in code.instrs.iter().enumerate() {
            let slot = inputs + number;
            if let Instr::Const(value) = instr {
                place.push(Operand::Constant(constants.len()));
                constants.push(Constant::new(*value));
                continue;
            }
            if last_use[slot].is_none() {
                // Nobody needs it.
                place.push(Operand::Constant(usize::MAX));
                continue;
            }
            let arity = operands(instr).count();
            let (width, mut free_behind) = (lanes[slot].bytes(), vec![]);
            let mut from = [Operand::Constant(usize::MAX); 3];
            for (operand, slot) in from.iter_mut().zip(operands(instr)) {
                *operand = place[slot];
                if let (Operand::Register(r), Some(last)) = (place[slot], last_use[slot])
                    && last == number
                    && !free.contains(&r)
                    && !free_behind.contains(&r)
                {
                    // A wider result would lie on elements that are still to be read.
                    let narrow = lanes[slot].bytes() < width;
                    if narrow { &mut free_behind } else { &mut free }.push(r);
                }
            }
            // An output may lie over an input: it is written at once only if no later step reads inputs.
            let output = code.outputs.iter().position(|&s| s as usize == slot);
            let result = match output {
                Some(output) if !hands_input_on && last_input.is_none_or(|l| l <= number) => {
                    Operand::Output(output, lanes[slot].bytes())
                }
                _ => Operand::Register(free.pop().unwrap_or_else(|| {
                    registers += 1;
                    registers - 1
                })),
            };
            place.push(result);
            free.append(&mut free_behind);
            // Of a choice, the lane of what is chosen.
            let lane = operands(instr).last().map_or(lanes[slot], |operand| lanes[operand]);
            steps.push(Step { function: function(instr, lane).function(isa), operands: from, arity, result });
        }
        if code.outputs.len() > 1 {
            // An input that is handed on is saved first: another output may lie over it.
            for &slot in code.outputs.iter().filter(|&&slot| (slot as usize) < inputs) {
                let slot = slot as usize;
                if let input @ Operand::Input(..) = place[slot] {
                    let result = Operand::Register(registers);
                    registers += 1;
                    let operands = [input, Operand::Constant(usize::MAX), Operand::Constant(usize::MAX)];
                    steps.push(Step { function: same(lanes[slot]).function(isa), operands, arity: 1, result });
                    place[slot] = result;
                }
            }
        }
        let outputs = code.outputs.iter().enumerate().map(|(i, &slot)| (slot as usize, i));
        let copies = outputs.map(|(slot, i)| (place[slot], i, lanes[slot].bytes()));
        let copies = copies.filter(|&(from, i, width)| from != Operand::Output(i, width));
        let register = BLOCK * lanes.iter().map(|lane| lane.bytes()).max().unwrap_or(1);
        Interpreter { steps, constants, copies: copies.collect(), registers, register }
    }

    /// Bytes of scratch.
    pub(crate) fn scratch_bytes(&self) -> usize {
        self.registers * self.register
    }

    /// Runs the code over `n` elements.
    ///
    /// # Safety
    /// As a [`BlockFn`] of the code; `registers` points to [`Interpreter::scratch_bytes`] bytes on a cache line.
    pub(crate) unsafe fn run(&self, n: usize, inputs: *const *const u8, outputs: *const *mut u8, registers: *mut u8) {
        for at in (0..n).step_by(BLOCK) {
            let count = BLOCK.min(n - at);
            // SAFETY: slots were numbered by `new`; inputs and outputs are as long as the caller says.
            unsafe {
                let find = |operand: Operand| match operand {
                    Operand::Input(i, width) => (*inputs.add(i)).add(at * width).cast_mut(),
                    Operand::Output(i, width) => (*outputs.add(i)).add(at * width),
                    Operand::Register(r) => registers.add(r * self.register),
                    Operand::Constant(c) => self.constants[c].0.as_ptr().cast_mut().cast(),
                };
                for step in &self.steps {
                    let mut from = [std::ptr::null::<u8>(); 3];
                    for (pointer, operand) in from.iter_mut().zip(&step.operands[..step.arity]) {
                        *pointer = find(*operand);
                    }
                    (step.function)(count, from.as_ptr(), &find(step.result));
                }
                for &(from, output, width) in &self.copies {
                    std::ptr::copy(find(from), (*outputs.add(output)).add(at * width), count * width);
                }
            }
        }
    }
}

fn lanes(code: &Code) -> Vec<Lane> {
    code.lanes().unwrap_or_else(|what| unreachable!("scalar code that the verifier let pass: {what}"))
}

/// The same code with conversions by steps of which there are few: to integers by way of i64, to halves by way of f32.
fn in_short_steps(code: &Code) -> Code {
    let lanes = lanes(code);
    let inputs = code.inputs.len();
    let mut out = Code { inputs: code.inputs.clone(), ..Code::default() };
    let mut slots: Vec<Slot> = (0..inputs as Slot).collect();
    for instr in &code.instrs {
        let of = |slot: &Slot| slots[*slot as usize];
        let instr = match instr {
            Instr::Const(literal) => Instr::Const(*literal),
            Instr::Unary(f, x) => Instr::Unary(*f, of(x)),
            Instr::Binary(f, x, y) => Instr::Binary(*f, of(x), of(y)),
            Instr::Select(c, x, y) => Instr::Select(of(c), of(x), of(y)),
            Instr::To(dtype, x) => {
                let first = match (lanes[*x as usize], dtype) {
                    (Lane::F64 | Lane::I32 | Lane::I64 | Lane::Bool, DType::F16 | DType::BF16) => Some(DType::F32),
                    (Lane::F32 | Lane::F64 | Lane::Bool, DType::I8 | DType::U8 | DType::I16 | DType::I32) => {
                        Some(DType::I64)
                    }
                    (Lane::F32 | Lane::F64 | Lane::I32 | Lane::Bool, DType::U32) => Some(DType::I64),
                    _ => None,
                };
                let x = match first {
                    Some(first) => out.push(Instr::To(first, of(x))),
                    None => of(x),
                };
                Instr::To(*dtype, x)
            }
        };
        let slot = out.push(instr);
        slots.push(slot);
    }
    out.outputs = code.outputs.iter().map(|&slot| slots[slot as usize]).collect();
    out
}

/// The slots that an instruction reads.
fn operands(instr: &Instr) -> impl Iterator<Item = usize> {
    let (slots, arity): ([Slot; 3], usize) = match *instr {
        Instr::Const(_) => ([0; 3], 0),
        Instr::Unary(_, a) => ([a, 0, 0], 1),
        Instr::Binary(_, a, b) => ([a, b, 0], 2),
        Instr::Select(a, b, c) => ([a, b, c], 3),
        Instr::To(_, a) => ([a, 0, 0], 1),
    };
    slots.into_iter().take(arity).map(|slot| slot as usize)
}

/// The last instruction that reads each slot; `usize::MAX` for outputs, `None` for what no output depends on.
fn last_uses(code: &Code) -> Vec<Option<usize>> {
    let inputs = code.inputs.len();
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
