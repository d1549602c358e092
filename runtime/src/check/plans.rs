//! What must not show: shared memory, and who wrote the kernels.

use std::collections::BTreeMap;

use castnet_graph::check::check_plan;
use castnet_program::net::Net;
use castnet_program::program::{Place, Program};
use castnet_program::size::Size;

use super::Mistake;
use super::arguments::Call;
use super::outcome::Outcome;
use crate::model::Model;

/// Memory that is planned gives the same bits as memory where nothing is shared, whatever lay there before; and the independent checker
/// of plans agrees.
///
/// # Errors
/// What differs, with both numbers.
pub fn memory(model: &Model) -> Result<(), Mistake> {
    let mut unshared = model.net().clone();
    for program in programs(&mut unshared) {
        check_plan(program).map_err(|error| Mistake(format!("`{}`: {error}", program.name)))?;
        unshare(program);
    }
    let calls = Call::all(model)?;
    // By the same kernels: only the memory differs.
    let outcome = |net: Net, poison: bool| {
        let mut twin = Model::from_net(net, &model.device(), model.seed())?;
        twin.poison(poison);
        Outcome::of(&mut twin, model, &calls)
    };
    let planned = outcome(model.net().clone(), false)?;
    let poisoned = outcome(model.net().clone(), true)?;
    planned.same("in fresh memory", &poisoned, "in memory full of NaN")?;
    planned.same("in planned memory", &outcome(unshared, true)?, "where nothing shares memory")
}

/// The kernels that the build wrote give the same bits as the interpreter. (In a dev build the interpreter is what runs.)
///
/// # Errors
/// What differs, with both numbers.
pub fn kernels(model: &Model) -> Result<(), Mistake> {
    let calls = Call::all(model)?;
    let emitted = Outcome::of(&mut model.twin()?, model, &calls)?;
    let mut interpreter = Model::from_net(model.net().clone(), &model.device(), model.seed())?;
    emitted.same("by the build's kernels", &Outcome::of(&mut interpreter, model, &calls)?, "by the interpreter")
}

fn programs(net: &mut Net) -> impl Iterator<Item = &mut Program> {
    net.cpu_mut().iter_mut().flat_map(|f| f.each_mut())
}

/// Gives each buffer a copy of the arena to itself: it lies there as it did, and nothing else does.
pub fn unshare(program: &mut Program) {
    let mut copies: BTreeMap<usize, i64> = BTreeMap::new();
    // At least as much as the greatest, and elements of 8 bytes, too, stay aligned in each copy.
    let terms = program.arena.iter().flat_map(Size::terms);
    let whole = terms.fold(Size::constant(0), |sum, (m, c)| &sum + &Size::term(m.clone(), (c + 7).div_euclid(8) * 8));
    for (number, buffer) in program.buffers.iter_mut().enumerate() {
        let (root, next) = (buffer.part_of.unwrap_or(number), copies.len() as i64);
        if let Place::Arena(offset) = &mut buffer.place {
            *offset = &*offset + &(&whole * &(*copies.entry(root).or_insert(next)).into());
        }
    }
    program.arena = vec![&whole * &(copies.len() as i64).into()];
}
