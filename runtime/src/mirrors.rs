//! Copies of parameters in other types and layouts, behind the parameters in a model's memory. One of the few modules with `unsafe`.
//!
//! Whoever writes elements of a parameter writes those of its mirrors before anybody else sees the model: an update of a step with each piece,
//! all others by [`refresh`] or [`refresh_all`]. So no call finds one that is stale.

use std::ops::Range;

use castnet_kernels::isa::Isa;
use castnet_kernels::mirror::{Laid, mirror};
use castnet_kernels::update::Elements;
use castnet_program::net::Mirror;

use crate::memory::{Memory, Shared};
use crate::net::Loaded;

/// Writes the mirrors of some elements of a parameter, by their numbers in the flat arena.
///
/// # Safety
/// `memory` is that of a model of this net; nobody writes these elements meanwhile, and nobody else uses those of their mirrors.
pub(crate) unsafe fn write(loaded: &Loaded, isa: Isa, memory: Shared<u8>, parameter: usize, elements: Range<usize>) {
    let start = loaded.offsets[parameter];
    for (at, Mirror { dtype, layout, .. }) in loaded.mirrors(parameter) {
        let elements_at = |bytes: usize, dtype| Elements { base: memory.0.wrapping_add(bytes), dtype };
        let master = elements_at(start * loaded.float.bytes(), loaded.net.float);
        let from = Laid { elements: master, layout: loaded.net.layout(parameter) };
        let to = Laid { elements: elements_at(at, *dtype), layout };
        let shape = &loaded.net.parameters[parameter].shape;
        // SAFETY: both lie in the memory as a whole, as `Loaded` places them and the caller says; `validate` admits mirrors of the parameters' type,
        // and of halves of f32.
        unsafe { mirror(isa, shape, from, to, elements.start - start..elements.end - start) };
    }
}

/// Writes the mirrors of a parameter that was written.
pub(crate) fn refresh(loaded: &Loaded, memory: &mut Memory, parameter: usize) {
    assert!(memory.len() == loaded.model_bytes(), "not this net's parameters");
    // SAFETY: the memory is a model's, by its length, and borrowed uniquely.
    unsafe { write(loaded, Isa::detect(), Shared::new(memory.as_mut_ptr()), parameter, loaded.range(parameter)) }
}

/// Writes all mirrors.
pub(crate) fn refresh_all(loaded: &Loaded, memory: &mut Memory) {
    (0..loaded.net.parameters.len()).for_each(|parameter| refresh(loaded, memory, parameter));
}
