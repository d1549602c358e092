//! When a piece of memory is in use.

use super::Kernels;
use crate::program::order::{Bits, Order};

/// From which launch to which one, and by which tasks where these may run side by side.
#[derive(Clone, Debug)]
pub(super) struct Life {
    /// The first launch.
    pub first: usize,
    /// The last one.
    pub last: usize,
    /// The tasks; `None` where all run one after the other.
    pub users: Option<Bits>,
}

impl Life {
    /// Whether every user but this launch is done when it begins.
    pub fn ends_with(&self, launch: usize, order: Option<&Order>) -> bool {
        let done = |order: &Order, users: &Bits| {
            let task = order.task_of(launch);
            users.iter().all(|user| user == task || order.happens_before(user, task))
        };
        self.last == launch && order.zip(self.users.as_ref()).is_none_or(|(order, users)| done(order, users))
    }

    /// Whether it is done when every user but itself begins.
    pub fn begins_with(&self, launch: usize, order: Option<&Order>) -> bool {
        let waits = |order: &Order, users: &Bits| {
            let task = order.task_of(launch);
            users.iter().all(|user| user == task || order.happens_before(task, user))
        };
        self.first == launch && order.zip(self.users.as_ref()).is_none_or(|(order, users)| waits(order, users))
    }

    /// Adds what follows it.
    pub fn join(&mut self, next: &Life) {
        self.last = next.last;
        if let (Some(users), Some(more)) = (&mut self.users, &next.users) {
            users.join(more);
        }
    }
}

/// The tasks that use each buffer, and all that lies in it.
pub(super) fn users(kernels: &Kernels, lies_in: &[Option<usize>], order: &Order) -> Vec<Bits> {
    let mut users = vec![Bits::new(order.tasks()); kernels.buffers.len()];
    for (number, launch) in kernels.launches.iter().enumerate() {
        for buffer in launch.touches() {
            users[lies_in[buffer].unwrap_or(buffer)].insert(order.task_of(number));
        }
    }
    users
}

/// Which pieces are in use at one time, or may be.
pub(super) struct Meets {
    of: Vec<Bits>,
}

impl Meets {
    pub fn at(&self, a: usize, b: usize) -> bool {
        self.of[a].contains(b)
    }
}

/// Whether two lives meet: unless all users of one come before all users of the other.
pub(super) fn meets(lives: &[&Life], order: Option<&Order>) -> Meets {
    // What is done before any of its users begins.
    let done = |life: &&Life| {
        let (order, users) = order.zip(life.users.as_ref())?;
        let mut done = Bits::all(order.tasks());
        users.iter().for_each(|user| done.meet(order.before(user)));
        Some(done)
    };
    let done: Vec<Option<Bits>> = lives.iter().map(done).collect();
    let comes_before = |a: usize, b: usize| match (&lives[a].users, &done[b]) {
        // In the rounds of one loop, launches run one after the other.
        (Some(users), Some(done)) => {
            users.is_within(done) || lives[b].users.as_ref() == Some(users) && users.iter().count() == 1
        }
        _ => true,
    };
    let mut of = vec![Bits::new(lives.len()); lives.len()];
    for a in 0..lives.len() {
        for b in 0..a {
            let apart = lives[a].last < lives[b].first && comes_before(a, b)
                || lives[b].last < lives[a].first && comes_before(b, a);
            if !apart {
                of[a].insert(b);
                of[b].insert(a);
            }
        }
    }
    Meets { of }
}
