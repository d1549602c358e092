//! Random programs for the state machine, held against sets of bits: what is ready are the operations without unfinished earlier conflicts.

use super::Random;
use crate::engine::dependencies::{Dependencies, Id, Mode, Outcome, Stage, VariableId};

const PROGRAMS: u64 = 100_000;

/// What a test knows of an operation; variables are bits.
struct Operation {
    id: Id,
    reads: u64,
    writes: u64,
    /// Those of them whose contents before do not matter.
    overwrites: u64,
    priority: i32,
    state: Stage,
    fails: bool,
    cancelled: bool,
    /// Withdrawn in place of being run.
    marker: bool,
    /// What it ended with: the number of the operation that is to blame.
    ended: Option<Outcome<usize>>,
}

impl Operation {
    fn conflicts(&self, other: &Operation) -> bool {
        self.writes & (other.reads | other.writes) | self.reads & other.writes != 0
    }
}

struct Program {
    random: Random,
    machine: Dependencies<usize>,
    variables: Vec<VariableId>,
    operations: Vec<Operation>,
    /// What the machine said is ready and has not been started.
    ready: Vec<Id>,
}

impl Program {
    fn new(seed: u64) -> Program {
        let mut random = Random(seed);
        let mut machine = Dependencies::new();
        let variables = (0..1 + random.below(24)).map(|_| machine.variable()).collect();
        Program { random, machine, variables, operations: vec![], ready: vec![] }
    }

    fn unfinished(&self) -> impl DoubleEndedIterator<Item = &Operation> {
        self.operations.iter().filter(|operation| operation.state != Stage::Finished)
    }

    /// Pushes an operation; with `fault`, one of its edges is left out, if it has any: whether it had.
    fn push(&mut self, fault: bool) -> Result<bool, String> {
        let random = &mut self.random;
        let (mut reads, mut writes, mut kept, mut accesses) = (0, 0, 0, vec![]);
        // Most programs have small operations, else nothing would ever run side by side.
        let most = [2, 5, 19][random.below(3)];
        for _ in 0..random.below(most + 1) {
            let variable = random.below(self.variables.len());
            reads |= 1 << variable;
            accesses.push((self.variables[variable], Mode::Read));
        }
        let marker = random.one_in(10);
        for _ in 0..if marker { random.below(2) } else { 1 + random.below(4) } {
            let variable = random.below(self.variables.len());
            writes |= 1 << variable;
            let whole = random.one_in(4);
            kept |= u64::from(!whole) << variable;
            accesses.push((self.variables[variable], if whole { Mode::Overwrite } else { Mode::Write }));
        }
        let overwrites = writes & !kept & !reads;
        reads &= !writes;
        let priority = if random.one_in(3) { random.below(7) as i32 - 3 } else { 0 };
        // In any order.
        for i in (1..accesses.len()).rev() {
            accesses.swap(i, random.below(i + 1));
        }
        let (fails, which) = (random.one_in(8), random.below(24));

        let edges = self.edges(reads, writes);
        let fault = fault && edges > 0;
        if fault {
            self.machine.fault = Some(which % edges as usize);
        }
        let mut raised = vec![];
        let id = self.machine.register(&accesses, priority, &mut raised).unwrap();
        let state = self.machine.state(id);
        if state == Stage::Ready {
            self.ready.push(id);
        }
        self.operations.push(Operation {
            id,
            reads,
            writes,
            overwrites,
            priority,
            state: Stage::Waiting,
            fails,
            cancelled: false,
            marker,
            ended: None,
        });
        if fault {
            return Ok(true);
        }
        // Whoever an operation waits for has its priority, and so on; those that are ready are told of.
        let mut expected = vec![];
        let number = self.operations.len();
        let mut waited_for = vec![false; number];
        waited_for[number - 1] = true;
        for i in (0..number - 1).rev() {
            let operation = &self.operations[i];
            let alive = operation.state != Stage::Finished;
            waited_for[i] = alive && (i + 1..number).any(|j| waited_for[j] && operation.conflicts(&self.operations[j]));
            if waited_for[i] && operation.state != Stage::Running && operation.priority < priority {
                self.operations[i].priority = priority;
                if self.ready.contains(&self.operations[i].id) {
                    expected.push(self.operations[i].id);
                }
            }
        }
        raised.sort_by_key(|id| id.ticket);
        expected.sort_by_key(|id| id.ticket);
        if raised != expected {
            return Err(format!("raised {raised:?}, not {expected:?}"));
        }
        Ok(false)
    }

    /// How many variables an operation that comes now would wait for.
    fn edges(&self, reads: u64, writes: u64) -> u32 {
        let (written, used) =
            self.unfinished().fold((0, 0), |(written, used), o| (written | o.writes, used | o.writes | o.reads));
        (writes & used | reads & written).count_ones()
    }

    /// The machine against the bits: what each operation waits for, which are ready, their priorities.
    fn check(&self) -> Result<(), String> {
        let (mut written, mut used) = (0, 0);
        let mut ready = vec![];
        for operation in self.unfinished() {
            let waits = (operation.writes & used | operation.reads & written).count_ones();
            let missing = self.machine.missing(operation.id);
            if missing != waits {
                return Err(format!("{:?} waits for {missing} variables, not {waits}", operation.id));
            }
            if operation.state != Stage::Running {
                if waits == 0 {
                    ready.push(operation.id);
                }
                let priority = self.machine.priority(operation.id);
                if priority != operation.priority {
                    return Err(format!("{:?} has priority {priority}, not {}", operation.id, operation.priority));
                }
            }
            written |= operation.writes;
            used |= operation.writes | operation.reads;
        }
        let mut found = self.ready.clone();
        found.sort_by_key(|id| id.ticket);
        if found != ready {
            return Err(format!("{found:?} are ready, not {ready:?}"));
        }
        Ok(())
    }

    /// One of the operations that are ready is found for an operation if and only if it waits for one, or is one.
    fn check_search(&mut self) -> Result<(), String> {
        let last = self.random.below(self.operations.len());
        let mut needed = vec![false; last + 1];
        needed[last] = self.operations[last].state != Stage::Finished;
        for i in (0..last).rev() {
            needed[i] = self.operations[i].state != Stage::Finished
                && (i + 1..=last).any(|j| needed[j] && self.operations[i].conflicts(&self.operations[j]));
        }
        let helpful: Vec<Id> = (0..=last)
            .filter(|&i| needed[i])
            .map(|i| self.operations[i].id)
            .filter(|id| self.ready.contains(id))
            .collect();
        let search = self.machine.new_search();
        match self.machine.find_ready(&mut vec![self.operations[last].id], search) {
            Some(found) if !helpful.contains(&found) => Err(format!("{found:?} does not help")),
            None if !helpful.is_empty() => Err(format!("none of {helpful:?} was found")),
            _ => Ok(()),
        }
    }

    /// Starts or ends an operation, or takes a marker out; `false` if there is none.
    fn advance(&mut self) -> bool {
        let running: Vec<usize> =
            (0..self.operations.len()).filter(|&i| self.operations[i].state == Stage::Running).collect();
        let start = !self.ready.is_empty() && (running.is_empty() || self.random.one_in(2));
        let mut ready = vec![];
        if start {
            let id = self.ready.swap_remove(self.random.below(self.ready.len()));
            let Some(number) = self.operations.iter().position(|operation| operation.id == id) else { return false };
            let root = self.machine.start(id);
            let operation = &mut self.operations[number];
            operation.state = Stage::Running;
            operation.ended = Some(match root {
                _ if operation.cancelled => Outcome::Skipped(number),
                Some(root) => Outcome::Skipped(root),
                None if operation.fails => Outcome::Failed(number),
                None => Outcome::Done,
            });
            if operation.marker {
                operation.state = Stage::Finished;
                operation.ended = None;
                self.machine.withdraw(id, &mut ready);
            }
        } else {
            if running.is_empty() {
                return false;
            }
            let operation = &mut self.operations[running[self.random.below(running.len())]];
            operation.state = Stage::Finished;
            let Some(outcome) = &operation.ended else { return false };
            self.machine.complete(operation.id, outcome, &mut ready);
        }
        self.ready.extend(ready);
        true
    }

    /// Cancels an operation that has not started, or takes a marker out that waits.
    fn disturb(&mut self) {
        let number = self.random.below(self.operations.len());
        let operation = &mut self.operations[number];
        if operation.state == Stage::Waiting {
            if operation.marker {
                operation.state = Stage::Finished;
                let id = operation.id;
                self.ready.retain(|ready| *ready != id);
                self.machine.withdraw(id, &mut self.ready);
            } else {
                operation.cancelled = true;
            }
        }
    }

    /// Goes through the program one operation after the other: who is to blame for what, and what the variables are left as.
    fn check_errors(&self) -> Result<(), String> {
        let mut blamed = vec![None; self.variables.len()];
        let mut versions = vec![0; self.variables.len()];
        for (number, operation) in self.operations.iter().enumerate().filter(|(_, operation)| !operation.marker) {
            let has = |mask: u64, v: usize| mask >> v & 1 == 1;
            let all = 0..self.variables.len();
            let seen = (operation.reads | operation.writes) & !operation.overwrites;
            let roots: Vec<usize> = all.clone().filter(|&v| has(seen, v)).filter_map(|v| blamed[v]).collect();
            let right = match operation.ended {
                Some(Outcome::Skipped(root)) if operation.cancelled => root == number,
                Some(Outcome::Skipped(root)) => roots.contains(&root),
                Some(Outcome::Failed(root)) => roots.is_empty() && operation.fails && root == number,
                Some(Outcome::Done) => roots.is_empty() && !operation.fails && !operation.cancelled,
                None => false,
            };
            if !right {
                return Err(format!("{:?} ended as {:?}, with {roots:?} before it", operation.id, operation.ended));
            }
            for v in all.filter(|&v| has(operation.writes, v)) {
                match operation.ended {
                    Some(Outcome::Skipped(root)) => _ = blamed[v].get_or_insert(root),
                    Some(Outcome::Failed(root)) => (blamed[v], versions[v]) = (Some(root), versions[v] + 1),
                    Some(Outcome::Done) | None => (blamed[v], versions[v]) = (None, versions[v] + 1),
                }
            }
        }
        for (v, variable) in self.variables.iter().enumerate() {
            let found = (self.machine.poison(*variable).copied(), self.machine.version(*variable));
            if found != (blamed[v], versions[v]) || self.machine.is_used(*variable) {
                return Err(format!("variable {v} is left as {found:?}, not {:?}", (blamed[v], versions[v])));
            }
        }
        Ok(())
    }

    fn run(seed: u64) -> Result<(), String> {
        let mut program = Program::new(seed);
        for _ in 0..1 + program.random.below(40) {
            program.push(false)?;
            program.check()?;
            if program.random.one_in(4) {
                program.check_search()?;
            }
            if program.random.one_in(6) {
                program.disturb();
                program.check()?;
            }
            for _ in 0..program.random.below(4) {
                program.advance();
                program.check()?;
            }
        }
        while program.advance() {
            program.check()?;
        }
        match program.unfinished().next() {
            Some(left) => Err(format!("{:?} never ran", left.id)),
            None => program.check_errors(),
        }
    }

    /// A program in which one edge is left out: what the check says of it at once; `None` if there was none to leave out.
    fn run_faulty(seed: u64) -> Option<Result<(), String>> {
        let mut program = Program::new(seed);
        let from = program.random.below(30);
        for number in 0..60 {
            match program.push(number >= from) {
                Ok(true) => return Some(program.check()),
                Ok(false) => {}
                Err(error) => return Some(Err(error)),
            }
            if program.random.one_in(3) {
                program.advance();
            }
        }
        None
    }
}

#[test]
fn random_programs_run_in_every_order_that_conflicts_allow() {
    for seed in 0..PROGRAMS {
        if let Err(error) = Program::run(seed) {
            panic!("seed {seed}: {error}");
        }
    }
}

#[test]
fn an_edge_that_is_left_out_is_found_every_time() {
    let mut planted = 0;
    for seed in 0..PROGRAMS {
        match Program::run_faulty(seed) {
            Some(Ok(())) => panic!("seed {seed}: the fault was not found"),
            Some(Err(_)) => planted += 1,
            None => {}
        }
    }
    assert!(planted > PROGRAMS * 9 / 10, "{planted} faults were planted");
}

#[test]
fn records_are_used_again_and_ids_are_not() {
    let mut machine: Dependencies<usize> = Dependencies::new();
    let variables: Vec<VariableId> = (0..4).map(|_| machine.variable()).collect();
    let mut before = None;
    for round in 0..1000 {
        let accesses = [(variables[round % 4], Mode::Write), (variables[(round + 1) % 4], Mode::Read)];
        let id = machine.register(&accesses, 0, &mut vec![]).unwrap();
        assert!(before.is_none_or(|before| machine.state(before) == Stage::Finished && before != id));
        assert_eq!(machine.start(id), None);
        machine.complete(id, &Outcome::Done, &mut vec![]);
        before = Some(id);
    }
    assert_eq!(machine.places(), 1);
    variables.into_iter().for_each(|variable| machine.release(variable));
    assert_eq!(machine.variable(), VariableId(3));
}
