//! The dims of the loops: unit dims are dropped, neighbours that every access walks through evenly become one.

use crate::access::Form;
use crate::stage::Stage;

/// The sizes of the loops: first the space, then the reduction.
#[derive(Clone, Debug)]
pub(crate) struct Dims {
    pub sizes: Vec<i64>,
    /// How many belong to the space.
    pub space: usize,
    /// What each loop was made of, outermost first: the number of a loop as it was written, and its size.
    pub(crate) parts: Vec<Vec<(usize, i64)>>,
    /// How many loops were written.
    pub(crate) written: usize,
}

impl Dims {
    /// Loops as they are written, so many of them of the space.
    pub(crate) fn new(sizes: Vec<i64>, space: usize) -> Dims {
        let parts = sizes.iter().enumerate().map(|(d, &size)| vec![(d, size)]).collect();
        Dims { written: sizes.len(), sizes, space, parts }
    }

    /// Drops and joins dims in place; those of `fixed` stay as they are (counted before).
    pub(crate) fn collapse(&mut self, stages: &mut [Stage], fixed: &[usize]) {
        let mut fixed: Vec<bool> = (0..self.sizes.len()).map(|d| fixed.contains(&d)).collect();
        let mut forms: Vec<&mut Form> = stages.iter_mut().flat_map(Stage::forms).collect();
        for d in (0..self.sizes.len()).rev() {
            if self.sizes[d] == 1 && !fixed[d] {
                self.remove(d, &mut forms);
                fixed.remove(d);
            }
        }
        for d in (1..self.sizes.len()).rev() {
            let even = |form: &&mut Form| form.steps[d - 1] == form.steps[d] * self.sizes[d];
            if d != self.space && !fixed[d] && !fixed[d - 1] && forms.iter().all(even) {
                // The inner steps serve both.
                self.sizes[d] *= self.sizes[d - 1];
                let outer = std::mem::take(&mut self.parts[d - 1]);
                self.parts[d].splice(0..0, outer);
                self.remove(d - 1, &mut forms);
                fixed.remove(d - 1);
            }
        }
    }

    /// Puts unit dims in front of the space and of the reduction until they have so many.
    pub(crate) fn pad(&mut self, stages: &mut [Stage], space: usize, reduce: usize) {
        let mut forms: Vec<&mut Form> = stages.iter_mut().flat_map(Stage::forms).collect();
        let parts = &mut self.parts;
        let mut insert = |at: usize, sizes: &mut Vec<i64>| {
            sizes.insert(at, 1);
            parts.insert(at, vec![]);
            forms.iter_mut().for_each(|form| form.steps.insert(at, 0));
        };
        while self.space < space {
            insert(0, &mut self.sizes);
            self.space += 1;
        }
        while self.sizes.len() - self.space < reduce {
            insert(self.space, &mut self.sizes);
        }
    }

    /// The number of points of the reduction.
    pub(crate) fn reduced(&self) -> i64 {
        self.sizes[self.space..].iter().product()
    }

    fn remove(&mut self, d: usize, forms: &mut [&mut Form]) {
        self.sizes.remove(d);
        self.parts.remove(d);
        if d < self.space {
            self.space -= 1;
        }
        for form in forms {
            form.steps.remove(d);
        }
    }
}
