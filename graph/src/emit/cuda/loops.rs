//! The loops of a launch: dims of size 1 are dropped, neighbours that every access walks through evenly become one.
//!
//! The same as the CPU's kernels do when the run-time sizes are bound (`kernels/src/dims.rs`), here on polynomials.

use super::access::{Access, Form, operand};
use crate::program::{Launch, Source};
use crate::size::Size;

/// The loop dims and every operand of a launch over them.
#[derive(Clone, Debug)]
pub(super) struct Loops {
    /// Space first, then the reduction.
    pub sizes: Vec<Size>,
    /// How many belong to the space.
    pub space: usize,
    pub loads: Vec<Access>,
    pub stores: Vec<Access>,
    /// For each stage and input: the form of an index or of a random number's position.
    pub forms: Vec<Vec<Option<Form>>>,
}

impl Loops {
    pub(super) fn new(launch: &Launch) -> Loops {
        let sizes: Vec<Size> = launch.space.iter().chain(&launch.reduce).cloned().collect();
        let form = |source: &Source| match source {
            Source::Index(dim) => Some(Form::of(*dim, sizes.len())),
            Source::Random { strides, offset, .. } => {
                let mut steps = strides.clone();
                steps.resize(sizes.len(), 0.into());
                Some(Form { offset: offset.clone(), steps })
            }
            _ => None,
        };
        let mut loops = Loops {
            space: launch.space.len(),
            loads: launch.loads.iter().map(|a| Access::new(a, &sizes)).collect(),
            stores: launch.stores.iter().map(|a| Access::new(a, &sizes)).collect(),
            forms: launch.stages.iter().map(|s| s.inputs.iter().map(form).collect()).collect(),
            sizes,
        };
        loops.collapse();
        loops
    }

    fn collapse(&mut self) {
        for d in (0..self.sizes.len()).rev() {
            if self.sizes[d].is(1) {
                self.remove(d);
            }
        }
        for d in (1..self.sizes.len()).rev() {
            let size = self.sizes[d].clone();
            if d != self.space && self.all_forms().iter().all(|form| form.steps[d - 1] == &form.steps[d] * &size) {
                // The inner steps serve both.
                self.sizes[d] = &size * &self.sizes[d - 1];
                self.remove(d - 1);
            }
        }
    }

    fn all_forms(&mut self) -> Vec<&mut Form> {
        let accesses = self.loads.iter_mut().chain(&mut self.stores).flat_map(Access::forms);
        accesses.chain(self.forms.iter_mut().flatten().flatten()).collect()
    }

    fn remove(&mut self, d: usize) {
        self.sizes.remove(d);
        self.space -= usize::from(d < self.space);
        for form in self.all_forms() {
            form.steps.remove(d);
        }
    }

    /// The names of the loop dims.
    pub(super) fn names(&self) -> Vec<String> {
        const LETTERS: [&str; 8] = ["i", "j", "k", "l", "m", "n", "o", "p"];
        (0..self.sizes.len()).map(|d| LETTERS.get(d).map_or(format!("i{d}"), |l| l.to_string())).collect()
    }

    /// Whether anything depends on a loop dim.
    fn used(&self) -> Vec<bool> {
        let mut all = self.clone();
        let forms = all.all_forms();
        (0..self.sizes.len()).map(|d| forms.iter().any(|form| !form.steps[d].is(0))).collect()
    }

    /// The number of points of the space.
    pub(super) fn points(&self) -> Size {
        Size::product(&self.sizes[..self.space])
    }

    /// The number of points of the reduction.
    pub(super) fn reduced(&self) -> Size {
        Size::product(&self.sizes[self.space..])
    }

    /// Lines that take dims `dims` apart, of which `number` is the number of the point.
    pub(super) fn decompose(&self, dims: std::ops::Range<usize>, number: &str) -> Vec<String> {
        let (names, used) = (self.names(), self.used());
        let mut lines = vec![];
        let mut below = Size::constant(1);
        for d in dims.clone().rev() {
            let divided = if below.is(1) { number.to_string() } else { format!("{number} / {}", operand(&below)) };
            let wrapped = if d == dims.start { divided } else { format!("{divided} % {}", operand(&self.sizes[d])) };
            if used[d] && wrapped != names[d] {
                lines.insert(0, format!("const int {} = {wrapped};", names[d]));
            }
            below = &below * &self.sizes[d];
        }
        lines
    }
}
