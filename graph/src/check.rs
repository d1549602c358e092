//! The checker of memory plans: independent of the planner, by brute force over the order of launches.

use crate::program::{Place, Program};

/// Every activation is written before it is read, and from its first write to its last use no other one's bytes meet its own, except
/// that a launch may write over what it reads for the last time at the very same places.
pub fn check_plan(program: &Program) -> Result<(), String> {
    let arena = |buffer: usize| match &program.buffers[buffer].place {
        Place::Arena { class, offset } => Some((*class, *offset)),
        _ => None,
    };
    // Who owns each float of a class (in coefficients), as of now.
    let mut written = vec![false; program.buffers.len()];
    let last_use: Vec<Option<usize>> = (0..program.buffers.len())
        .map(|b| (0..program.launches.len()).rev().find(|&l| program.launches[l].touches().contains(&b)))
        .collect();
    for (step, launch) in program.launches.iter().enumerate() {
        for buffer in launch.reads() {
            if arena(buffer).is_some() && !written[buffer] {
                return Err(format!("`{}` reads `{}` before it is written", launch.name, program.buffers[buffer].name));
            }
        }
        let in_place = launch.in_place();
        for store in &launch.stores {
            let Some((class, offset)) = arena(store.buffer) else { continue };
            let size = coefficient(program, store.buffer, class)?;
            if offset < 0 || offset + size > program.arena[class].height {
                return Err(format!("`{}` does not lie in the arena", program.buffers[store.buffer].name));
            }
            for (other, &live) in written.iter().enumerate() {
                let alive = live && last_use[other].is_some_and(|last| last >= step);
                let Some((other_class, other_offset)) = arena(other).filter(|_| alive && other != store.buffer) else {
                    continue;
                };
                let other_size = coefficient(program, other, other_class)?;
                let meet = class == other_class && offset < other_offset + other_size && other_offset < offset + size;
                let gives_way = last_use[other] == Some(step)
                    && offset == other_offset
                    && in_place.contains(&(other, store.buffer));
                if meet && !gives_way {
                    let (a, b) = (&program.buffers[store.buffer].name, &program.buffers[other].name);
                    return Err(format!("`{}` writes `{a}` over `{b}`, which is still needed", launch.name));
                }
            }
            written[store.buffer] = true;
        }
        // Two results of one launch.
        for (i, a) in launch.stores.iter().enumerate() {
            for b in &launch.stores[..i] {
                let (Some((ca, oa)), Some((cb, ob))) = (arena(a.buffer), arena(b.buffer)) else { continue };
                let (sa, sb) = (coefficient(program, a.buffer, ca)?, coefficient(program, b.buffer, cb)?);
                if a.buffer != b.buffer && ca == cb && oa < ob + sb && ob < oa + sa {
                    return Err(format!("`{}` writes two results over each other", launch.name));
                }
            }
        }
    }
    Ok(())
}

/// How many times its class's monomial a buffer is.
fn coefficient(program: &Program, buffer: usize, class: usize) -> Result<i64, String> {
    let (size, monomial) = (&program.buffers[buffer].size, &program.arena[class].monomial);
    let quotient = if size == monomial { Some(1) } else { size.div_exact(monomial).and_then(|q| q.as_const()) };
    quotient.ok_or_else(|| format!("`{}` is no multiple of its class {monomial}", program.buffers[buffer].name))
}
