//! Which operation waits for which: a pure state machine, without threads, clocks or closures.
//!
//! Each variable has a queue of the accesses of operations that are not finished, in the order of their tickets. An access is granted
//! once nothing before it conflicts: a read behind reads alone, a write at the head. So granted accesses are the head of a queue: one
//! write, or reads. An operation whose accesses are all granted is ready.

/// An operation, until it is finished; its record is used again, but no ticket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id {
    pub(super) index: u32,
    /// The how-many-th operation it is, from 1 on: the order that all conflicts are resolved in.
    pub(super) ticket: u64,
}

/// A variable, until it is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VariableId(pub(super) u32);

/// What an operation does with a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Read,
    /// Reads it perhaps, and writes it.
    Write,
    /// Writes all of it, so that it does not matter whether what stood there was right.
    Overwrite,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Finished, or never there.
    Finished,
    Waiting,
    Ready,
    Running,
}

/// How an operation ended.
#[derive(Clone, Debug)]
pub(super) enum Outcome<E> {
    Done,
    /// It ran, and what it writes is not to be relied on.
    Failed(E),
    /// It did not run; the error is that of the operation that is to blame.
    Skipped(E),
}

/// No link, no operation.
const NONE: u32 = u32::MAX;

/// An access, in the queue of its variable. Those of an operation lie side by side.
#[derive(Clone, Copy)]
struct Link {
    operation: u32,
    variable: u32,
    before: u32,
    after: u32,
    mode: Mode,
    granted: bool,
}

impl Link {
    /// Adds another access of its operation, which is the last one of its queue: by how much more it waits for.
    fn merge(&mut self, mode: Mode) -> u32 {
        let was_read = self.mode == Mode::Read;
        if self.mode != mode {
            self.mode = Mode::Write;
        }
        let must_wait = was_read && mode != Mode::Read && self.granted && self.before != NONE;
        self.granted &= !must_wait;
        u32::from(must_wait)
    }
}

struct Node {
    /// 0 where no operation is.
    ticket: u64,
    /// The last search that came by.
    seen: u64,
    /// The first of its accesses.
    links: u32,
    /// How many there are, and how many there is room for.
    len: u32,
    room: u32,
    /// The next free node.
    free: u32,
    /// How many of them are not granted.
    missing: u32,
    priority: i32,
    state: Stage,
}

struct Variable<E> {
    first: u32,
    last: u32,
    version: u64,
    /// The error of the operation because of which its contents are not to be relied on.
    poison: Option<E>,
    /// Nobody will name it again.
    released: bool,
}

/// Grants an access that something before it has made room for, if it may be, and the reads behind it.
#[inline(always)]
fn grant_from(nodes: &mut [Node], links: &mut [Link], mut next: u32, ready: &mut Vec<Id>) {
    let Link { before, mode, .. } = links[next as usize];
    if mode != Mode::Read {
        if before == NONE {
            grant(nodes, &mut links[next as usize], ready);
        }
        return;
    }
    if before == NONE || links[before as usize].granted && links[before as usize].mode == Mode::Read {
        while next != NONE && links[next as usize].mode == Mode::Read {
            grant(nodes, &mut links[next as usize], ready);
            next = links[next as usize].after;
        }
    }
}

#[inline(always)]
fn grant(nodes: &mut [Node], link: &mut Link, ready: &mut Vec<Id>) {
    #[cfg(test)]
    if link.granted {
        return;
    }
    link.granted = true;
    let node = &mut nodes[link.operation as usize];
    node.missing -= 1;
    if node.missing == 0 {
        node.state = Stage::Ready;
        ready.push(Id { index: link.operation, ticket: node.ticket });
    }
}

/// All operations that are not finished.
pub(super) struct Dependencies<E> {
    nodes: Vec<Node>,
    links: Vec<Link>,
    variables: Vec<Variable<E>>,
    free_node: u32,
    free_variables: Vec<u32>,
    tickets: u64,
    searches: u64,
    /// Operations of another priority than 0.
    uneven: usize,
    /// Variables with an error.
    poisoned: usize,
    stack: Vec<u32>,
    /// Errors that no variable carries any more: for the caller to drop, as what that runs is unknown.
    pub(super) garbage: Vec<E>,
    /// Grants this access of the next operation, due or not: a fault that tests must find.
    #[cfg(test)]
    pub(super) fault: Option<usize>,
}

impl<E: Clone> Dependencies<E> {
    pub(super) fn new() -> Dependencies<E> {
        Dependencies {
            nodes: vec![],
            links: vec![],
            variables: vec![],
            free_node: NONE,
            free_variables: vec![],
            tickets: 0,
            searches: 0,
            uneven: 0,
            poisoned: 0,
            stack: vec![],
            garbage: vec![],
            #[cfg(test)]
            fault: None,
        }
    }

    pub(super) fn variable(&mut self) -> VariableId {
        let variable = Variable { first: NONE, last: NONE, version: 0, poison: None, released: false };
        match self.free_variables.pop() {
            Some(index) => {
                self.variables[index as usize] = variable;
                VariableId(index)
            }
            None => {
                self.variables.push(variable);
                VariableId(self.variables.len() as u32 - 1)
            }
        }
    }

    /// Gives a variable up; its place is free once the operations that name it are finished.
    pub(super) fn release(&mut self, variable: VariableId) {
        self.variables[variable.0 as usize].released = true;
        self.free_if_unused(variable.0);
    }

    /// How many operations that write it have run.
    pub(super) fn version(&self, variable: VariableId) -> u64 {
        self.variables[variable.0 as usize].version
    }

    /// The error that whoever reads it now gets; meaningful where no write is pending.
    pub(super) fn poison(&self, variable: VariableId) -> Option<&E> {
        self.variables[variable.0 as usize].poison.as_ref()
    }

    /// Whether a read that comes now would wait.
    pub(super) fn is_written(&self, variable: VariableId) -> bool {
        let last = self.variables[variable.0 as usize].last;
        last != NONE && !(self.link(last).granted && self.link(last).mode == Mode::Read)
    }

    /// Whether a write that comes now would wait.
    pub(super) fn is_used(&self, variable: VariableId) -> bool {
        self.variables[variable.0 as usize].last != NONE
    }

    /// Where an operation stands.
    pub(super) fn state(&self, id: Id) -> Stage {
        match self.nodes.get(id.index as usize) {
            Some(node) if node.ticket == id.ticket => node.state,
            _ => Stage::Finished,
        }
    }

    pub(super) fn priority(&self, id: Id) -> i32 {
        self.nodes[id.index as usize].priority
    }

    /// How many records there are.
    pub(super) fn places(&self) -> usize {
        self.nodes.len()
    }

    /// The unfinished operation at a place.
    pub(super) fn at(&self, index: usize) -> Option<Id> {
        let ticket = self.nodes[index].ticket;
        (ticket != 0).then_some(Id { index: index as u32, ticket })
    }

    /// Whether the next operation needs another record.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.free_node == NONE
    }

    /// Adds a record if none is free, and gives the free one room for so many accesses; `false`: there is no memory to be had.
    #[cold]
    fn grow(&mut self, accesses: usize) -> bool {
        if self.free_node == NONE {
            if self.nodes.try_reserve(1).is_err() {
                return false;
            }
            let index = self.nodes.len() as u32;
            let (priority, state) = (0, Stage::Finished);
            let node = Node { ticket: 0, seen: 0, links: 0, len: 0, room: 0, free: NONE, missing: 0, priority, state };
            self.nodes.push(node);
            self.free_node = index;
        }
        let node = &mut self.nodes[self.free_node as usize];
        if (node.room as usize) < accesses {
            // Twice as many at least, so that what is left behind is never more than what is used.
            let room = accesses.next_power_of_two().max(4);
            if self.links.try_reserve(room).is_err() {
                return false;
            }
            (node.links, node.room) = (self.links.len() as u32, room as u32);
            let (mode, granted) = (Mode::Read, false);
            let link = Link { operation: 0, variable: 0, before: NONE, after: NONE, mode, granted };
            self.links.resize(self.links.len() + room, link);
        }
        true
    }

    /// The accesses of an operation.
    fn links_of(&self, operation: u32) -> &[Link] {
        let node = &self.nodes[operation as usize];
        &self.links[node.links as usize..][..node.len as usize]
    }

    /// The variables of the operation that is at a place, or was there last.
    pub(super) fn named_by(&self, index: u32) -> impl Iterator<Item = VariableId> {
        self.links_of(index).iter().map(|link| VariableId(link.variable))
    }

    /// Adds an operation behind all that there are; it is `Ready` or `Waiting`.
    ///
    /// A variable may be named several times: one that is written too is written, and overwritten only if it is so each time. Operations
    /// that are ready and have got its priority go to `raised`. `None`: there is no memory.
    #[inline(always)]
    pub(super) fn register(
        &mut self,
        accesses: &[(VariableId, Mode)],
        priority: i32,
        raised: &mut Vec<Id>,
    ) -> Option<Id> {
        let free = self.nodes.get(self.free_node as usize);
        if free.is_none_or(|node| (node.room as usize) < accesses.len()) && !self.grow(accesses.len()) {
            return None;
        }
        self.tickets += 1;
        self.uneven += usize::from(priority != 0);
        let id = Id { index: self.free_node, ticket: self.tickets };
        // Slices, so that where they lie is known through the loop.
        let (nodes, links, variables) = (&mut *self.nodes, &mut *self.links, &mut *self.variables);
        let node = &mut nodes[id.index as usize];
        self.free_node = node.free;
        let (mut missing, mut free) = (0, node.links);
        for &(variable, mode) in accesses {
            let queue = &mut variables[variable.0 as usize];
            let before = queue.last;
            let mut granted = true;
            if before != NONE {
                let last = &mut links[before as usize];
                if last.operation == id.index {
                    missing += last.merge(mode);
                    continue;
                }
                granted = mode == Mode::Read && last.granted && last.mode == Mode::Read;
                last.after = free;
            } else {
                queue.first = free;
            }
            queue.last = free;
            missing += u32::from(!granted);
            links[free as usize] =
                Link { operation: id.index, variable: variable.0, before, after: NONE, mode, granted };
            free += 1;
        }
        node.len = free - node.links;
        (node.ticket, node.seen, node.missing, node.priority) = (id.ticket, 0, missing, priority);
        node.state = if missing == 0 { Stage::Ready } else { Stage::Waiting };
        #[cfg(test)]
        self.plant(id.index);
        if missing > 0 && (priority != 0 || self.uneven > 0) {
            self.raise(id.index, raised);
        }
        Some(id)
    }

    /// Begins an operation that is ready. `Some`: it must be skipped for this error, which one of its variables carries.
    #[inline]
    pub(super) fn start(&mut self, id: Id) -> Option<E> {
        let node = &mut self.nodes[id.index as usize];
        debug_assert!(node.ticket == id.ticket && node.state == Stage::Ready);
        node.state = Stage::Running;
        if self.poisoned > 0 { self.poison_of(id) } else { None }
    }

    #[cold]
    fn poison_of(&self, id: Id) -> Option<E> {
        // Of several, that of the last one named.
        let mut links = self.links_of(id.index).iter().rev().filter(|link| link.mode != Mode::Overwrite);
        links.find_map(|link| self.variables[link.variable as usize].poison.clone())
    }

    /// Ends an operation that was started; those that are ready because of it go to `ready`.
    #[inline(always)]
    pub(super) fn complete(&mut self, id: Id, outcome: &Outcome<E>, ready: &mut Vec<Id>) {
        debug_assert!(self.state(id) == Stage::Running);
        if self.poisoned > 0 || !matches!(outcome, Outcome::Done) {
            self.settle(id, outcome);
        }
        self.take_out(id, matches!(outcome, Outcome::Done | Outcome::Failed(_)), ready);
    }

    /// Notes what is wrong with the variables that an operation writes.
    #[cold]
    fn settle(&mut self, id: Id, outcome: &Outcome<E>) {
        let Node { links, len, .. } = self.nodes[id.index as usize];
        for link in links..links + len {
            let Link { variable, mode, .. } = *self.link(link);
            if mode == Mode::Read {
                continue;
            }
            let poison = &mut self.variables[variable as usize].poison;
            let before = poison.take();
            self.poisoned -= usize::from(before.is_some());
            let (now, old) = match outcome {
                Outcome::Done => (None, before),
                Outcome::Failed(error) => (Some(error.clone()), before),
                // What was wrong with it before still is.
                Outcome::Skipped(error) => (before.or_else(|| Some(error.clone())), None),
            };
            self.poisoned += usize::from(now.is_some());
            *poison = now;
            self.garbage.extend(old);
        }
    }

    /// Takes out an operation that does nothing, in any state, as if it had never been.
    pub(super) fn withdraw(&mut self, id: Id, ready: &mut Vec<Id>) {
        debug_assert!(self.state(id) != Stage::Finished);
        self.take_out(id, false, ready);
    }

    /// Takes the accesses of an operation out of their queues, grants those behind them that then may be, and frees its record.
    #[inline(always)]
    fn take_out(&mut self, id: Id, wrote: bool, ready: &mut Vec<Id>) {
        let (nodes, links, variables) = (&mut *self.nodes, &mut *self.links, &mut *self.variables);
        let Node { links: first, len, .. } = nodes[id.index as usize];
        let mut unused = false;
        for link in first..first + len {
            let Link { variable, before, after, mode, .. } = links[link as usize];
            let queue = &mut variables[variable as usize];
            queue.version += u64::from(wrote && mode != Mode::Read);
            match before {
                NONE => queue.first = after,
                _ => links[before as usize].after = after,
            }
            if after == NONE {
                queue.last = before;
                unused |= queue.released;
                continue;
            }
            let next = &mut links[after as usize];
            next.before = before;
            if !next.granted {
                grant_from(nodes, links, after, ready);
            }
        }
        if unused {
            self.free_unused(first..first + len);
        }
        self.free_node(id.index);
    }

    #[cold]
    fn free_unused(&mut self, links: std::ops::Range<u32>) {
        for link in links {
            self.free_if_unused(self.link(link).variable);
        }
    }

    /// An operation that is ready and that one on the stack waits for, directly or not, or that stands there itself; it stays on top.
    ///
    /// A search goes on where it ended; one with a new number looks again at what was found to be of no use.
    pub(super) fn find_ready(&mut self, stack: &mut Vec<Id>, search: u64) -> Option<Id> {
        while let Some(&top) = stack.last() {
            match self.state(top) {
                Stage::Ready => return Some(top),
                Stage::Waiting if self.visit(top, search) => self.blockers(top, |blocker| stack.push(blocker)),
                // Nobody can help with it, or all that it waits for has been looked at.
                Stage::Finished | Stage::Running | Stage::Waiting => _ = stack.pop(),
            }
        }
        None
    }

    /// The number of a new search.
    pub(super) fn new_search(&mut self) -> u64 {
        self.searches += 1;
        self.searches
    }

    /// Whether this search comes by an unfinished operation for the first time (or another one has come by since).
    pub(super) fn visit(&mut self, id: Id, search: u64) -> bool {
        std::mem::replace(&mut self.nodes[id.index as usize].seen, search) != search
    }

    /// The operations that keep this one from being ready, of each queue the nearest.
    pub(super) fn blockers(&self, id: Id, mut found: impl FnMut(Id)) {
        self.blocker_nodes(id.index, |index| found(Id { index, ticket: self.nodes[index as usize].ticket }));
    }

    fn blocker_nodes(&self, operation: u32, mut found: impl FnMut(u32)) {
        for &Link { mode, granted, mut before, .. } in self.links_of(operation) {
            let nearest = before;
            while !granted && before != NONE {
                let other = self.link(before);
                match (mode, other.mode) {
                    (Mode::Read, Mode::Read) => {}
                    (Mode::Write | Mode::Overwrite, Mode::Read) => found(other.operation),
                    // Reads between the two wait for it themselves.
                    (_, Mode::Write | Mode::Overwrite) => {
                        if mode == Mode::Read || before == nearest {
                            found(other.operation);
                        }
                        break;
                    }
                }
                before = other.before;
            }
        }
    }

    /// Gives the priority of an operation to all that it waits for and that have a lower one.
    fn raise(&mut self, operation: u32, raised: &mut Vec<Id>) {
        let priority = self.nodes[operation as usize].priority;
        let mut stack = std::mem::take(&mut self.stack);
        stack.push(operation);
        while let Some(operation) = stack.pop() {
            let reached = stack.len();
            self.blocker_nodes(operation, |blocker| stack.push(blocker));
            for i in (reached..stack.len()).rev() {
                let node = &mut self.nodes[stack[i] as usize];
                let unstarted = node.state != Stage::Running;
                if unstarted && node.priority < priority {
                    self.uneven = self.uneven + usize::from(priority != 0) - usize::from(node.priority != 0);
                    node.priority = priority;
                    if node.state == Stage::Ready {
                        raised.push(Id { index: stack[i], ticket: node.ticket });
                        stack.swap_remove(i);
                    }
                } else {
                    stack.swap_remove(i);
                }
            }
        }
        self.stack = stack;
    }

    fn link(&self, link: u32) -> &Link {
        &self.links[link as usize]
    }

    #[inline]
    fn free_node(&mut self, index: u32) {
        let node = &mut self.nodes[index as usize];
        self.uneven -= usize::from(node.priority != 0);
        node.ticket = 0;
        node.state = Stage::Finished;
        node.free = self.free_node;
        self.free_node = index;
    }

    fn free_if_unused(&mut self, variable: u32) {
        let entry = &mut self.variables[variable as usize];
        if entry.released && entry.first == NONE {
            entry.released = false;
            self.poisoned -= usize::from(entry.poison.is_some());
            self.garbage.extend(entry.poison.take());
            self.free_variables.push(variable);
        }
    }

    /// How many accesses of an operation are not granted.
    #[cfg(test)]
    pub(super) fn missing(&self, id: Id) -> u32 {
        self.nodes[id.index as usize].missing
    }

    #[cfg(test)]
    fn plant(&mut self, operation: u32) {
        let Some(mut skipped) = self.fault.take() else { return };
        let node = &mut self.nodes[operation as usize];
        for link in &mut self.links[node.links as usize..][..node.len as usize] {
            if !link.granted {
                if skipped == 0 {
                    link.granted = true;
                    node.missing -= 1;
                    return;
                }
                skipped -= 1;
            }
        }
    }
}
