//! Launches as CUDA C: what the second printer makes of the same [`Launch`] and [`Code`](crate::scalar::Code)
//! that run on the CPU.
//!
//! A kernel is one function, named by its family and what it computes. Its parameters are the buffers that it touches, the run-time sizes that it needs and,
//! where it draws random numbers, the address of what changes from step to step: so a launch stays as it is. The three skeletons (`flat`, `row`,
//! `column`) differ in how points are dealt out to threads; what happens at a point is written by `body`. [`prelude`] has what the kernels share: the mathematical functions by the definitions of
//! the CPU's kernels, conversions, random numbers, reductions. Arithmetic is not contracted, so what is computed point by point has the
//! CPU's bits; sums are taken in another order.
//!
//! Indices are 32 bits wide: a launch has at most [`MOST`] points, and a buffer as many elements. Tiles are not printed yet.

mod access;
mod body;
mod code;
mod column;
mod flat;
mod loops;
mod reductions;
mod row;

use std::collections::HashSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::formula;
use super::names::unique;
use crate::functions;
use crate::net::Net;
use crate::program::{Family, Launch, Program};
use crate::size::Size;
use crate::text::program::space_text;
use body::Body;
use loops::Loops;

/// What stands above the kernels of a translation unit.
pub fn prelude() -> String {
    let functions: Vec<String> = functions::in_cuda().map(|function| format!("{}\n", function.trim())).collect();
    let types = reductions::types();
    format!(
        "{}\nnamespace cn {{\n\n{}\n{types}\n}} // namespace cn\n",
        include_str!("prelude.cu"),
        functions.join("\n")
    )
}

/// Points of a launch at most.
pub const MOST: i64 = 1 << 30;

/// A launch as a function of CUDA C.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    /// Its family and its operations in their order: `row_max_sub_exp_sum_div`. Other kernels may have the same.
    pub formula: String,
    /// One line that says what it is: `conv1 + tanh (src/main.rs:14): each of [N, 576, 20]`.
    pub comment: String,
    /// In order.
    pub parameters: Vec<Parameter>,
    /// The parameters as text, between the brackets.
    signature: String,
    /// The statements, a line each, indented.
    lines: Vec<String>,
    /// Threads of a block along x and y.
    pub threads: [u32; 2],
    /// What is dealt out to blocks, along x.
    work: Size,
    /// How much of it a block takes at once.
    share: i64,
    /// Blocks at most; each goes on to further shares then.
    blocks: i64,
    /// What must stay below [`MOST`]: points and elements.
    extents: Vec<Size>,
}

/// A parameter of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub enum Parameter {
    /// The address of a buffer of the program.
    Buffer(usize),
    /// The value of a run-time size, an `int`.
    Size(Arc<str>),
    /// The address of what changes from step to step, a `cn::StepScalars`: `castnet_kernels` has the same struct.
    Scalars,
    /// The round of the loops around the launch, counted through, an `unsigned long long`.
    Round,
}

/// Which launch of a net a kernel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaunchId {
    /// Index into [`Net::functions`].
    pub function: usize,
    /// Of the training program, not of the inference program.
    pub training: bool,
    /// Index into the program's launches.
    pub launch: usize,
}

impl Kernel {
    /// The kernel of a launch of `program`; `None` of a tile and of a scatter. `place` is where it comes from: `conv1 (src/main.rs:14)`.
    pub fn new(program: &Program, launch: &Launch, place: &str) -> Option<Kernel> {
        let body = Body::new(program, launch, Loops::new(launch));
        let (family, skeleton) = match launch.family {
            Family::Flat => ("flat", flat::print(&body)),
            Family::Row => ("row", row::print(&body)),
            Family::Column => ("column", column::print(&body)),
            Family::Tile(_) | Family::Scatter(_) | Family::Routine { .. } => return None,
        };
        let (parameters, signature) = body.parameters(&skeleton.lines);
        let elements = launch.touches().into_iter().filter_map(|b| Some(program.buffers.get(b)?.size.clone()));
        let points = &Size::product(&launch.space) * &Size::product(&launch.reduce);
        // How far a strided operand reaches, in either direction.
        let far = launch.loads.iter().chain(&launch.stores).flat_map(|access| {
            let strides = access.strides.iter().flatten();
            access.dims.iter().zip(strides).map(|(size, stride)| size * stride)
        });
        Some(Kernel {
            formula: format!("{family}_{}", formula::of_launch(launch)),
            comment: format!("{}: {}", comment(launch, place), space_text(launch)),
            parameters,
            signature,
            lines: skeleton.lines,
            threads: skeleton.threads,
            work: skeleton.work,
            share: skeleton.share,
            blocks: skeleton.blocks,
            extents: elements.chain([points]).chain(far).collect(),
        })
    }

    /// The whole function under a name.
    pub fn source(&self, name: &str) -> String {
        let threads = self.threads[0] * self.threads[1];
        let head =
            format!("extern \"C\" __global__ void __launch_bounds__({threads})\n{name}({}) {{\n", self.signature);
        let lines: String = self.lines.iter().map(|line| format!("    {line}\n")).collect();
        format!("// {}\n{head}{lines}}}\n", self.comment)
    }

    /// Blocks of the grid under a binding of the run-time sizes; `None` if there are more than [`MOST`] points or elements.
    pub fn blocks(&self, value: &dyn Fn(&str) -> i64) -> Option<i64> {
        let fits = self.extents.iter().all(|size| size.eval(value).abs() <= MOST);
        fits.then(|| ((self.work.eval(value) + self.share - 1) / self.share).min(self.blocks))
    }
}

/// `softmax (src/main.rs:14)`.
fn comment(launch: &Launch, place: &str) -> String {
    if place.is_empty() || place.starts_with(&launch.name) {
        if place.is_empty() { launch.name.clone() } else { place.to_string() }
    } else {
        format!("{} {place}", launch.name)
    }
}

/// What a skeleton makes of a body.
struct Skeleton {
    lines: Vec<String>,
    threads: [u32; 2],
    work: Size,
    share: i64,
    blocks: i64,
}

/// Every kernel of a net with its name; `place` says where a launch comes from. Kernels of one text stand there once, for all their launches.
pub fn kernels(net: &Net, place: &dyn Fn(&Launch) -> String) -> Vec<(String, Kernel, Vec<LaunchId>)> {
    let mut all: Vec<(String, Kernel, Vec<LaunchId>)> = vec![];
    let (mut known, mut names): (FxHashMap<String, usize>, HashSet<String>) = Default::default();
    for (function, f) in net.cpu().iter().enumerate() {
        for (training, program) in [(false, Some(&f.inference)), (true, f.training.as_ref())] {
            let launches = program.iter().flat_map(|p| p.launches.iter().enumerate().map(|(i, l)| (*p, i, l)));
            for (program, launch, l) in launches {
                let id = LaunchId { function, training, launch };
                let Some(kernel) = Kernel::new(program, l, &place(l)) else { continue };
                let index = *known.entry(kernel.source("")).or_insert(all.len());
                if index == all.len() {
                    all.push((unique(&kernel.formula, &mut names), kernel, vec![]));
                }
                all[index].2.push(id);
            }
        }
    }
    all
}

/// A translation unit of all kernels of a net.
pub fn unit(net: &Net, place: &dyn Fn(&Launch) -> String) -> String {
    let mut text = prelude();
    for (name, kernel, _) in kernels(net, place) {
        text.push('\n');
        text += &kernel.source(&name);
    }
    text
}
