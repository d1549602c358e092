//! Tasks side by side: programs of several streams have plans that hold in whatever order their tasks run, as long as it is one that
//! `happens_before` allows, with the updates of an ending among them or behind them.

#[path = "../../tests/nets/mod.rs"]
mod nets;
mod whole;

use castnet::DType;
use castnet::prelude::*;
use castnet_graph::check::{Footprints, check_plan};
use castnet_graph::compile::compile_for;
use castnet_graph::decompose::{Has, NOTHING};
use castnet_graph::layouts::{Use, Uses};
use castnet_graph::net::{Backend, Net};
use castnet_graph::program::ending::{Ending, EndingKind, Placement, gather};
use castnet_graph::program::order::{Conflicts, Order};
use castnet_graph::program::{Layout, Program, Task, TaskKind};
use castnet_graph::target::{Cpu, Target};
use castnet_graph::text::{ProgramText, program::read};
use nets::*;
use whole::*;

/// A processor that runs so many tasks side by side.
struct Streams(u32);

impl Target for Streams {
    fn backend(&self) -> Backend {
        Backend::Cpu
    }

    fn has(&self) -> Has {
        NOTHING
    }

    fn streams(&self) -> u32 {
        self.0
    }

    fn layout(&self, shape: &[i64], uses: &Uses) -> Layout {
        Cpu.layout(shape, uses)
    }

    fn align(&self) -> i64 {
        64
    }
}

/// Another machine: parameters row by row, places at multiples of 256 bytes, four tasks side by side.
struct Plain;

impl Target for Plain {
    fn backend(&self) -> Backend {
        Backend::Cpu
    }

    fn has(&self) -> Has {
        NOTHING
    }

    fn streams(&self) -> u32 {
        4
    }

    fn layout(&self, _: &[i64], _: &Uses) -> Layout {
        Layout::Plain
    }

    /// Linear layers read panels.
    fn mirror(&self, shape: &[i64], _: &Uses, of: Use) -> Option<Layout> {
        (shape.len() == 2 && of == Use::ProductTransposed).then(|| Layout::Panels(vec![1]))
    }

    fn align(&self) -> i64 {
        256
    }
}

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % limit
    }
}

/// Lists the tasks in another order that is legal.
fn shuffle(program: &mut Program, order: &Order, random: &mut Random) {
    let mut left: Vec<usize> = (0..order.tasks()).collect();
    let mut schedule = vec![];
    while !left.is_empty() {
        let is_ready = |at: &usize| left.iter().all(|&other| !order.happens_before(other, left[*at]));
        let ready: Vec<usize> = (0..left.len()).filter(is_ready).collect();
        schedule.push(program.schedule[left.remove(ready[random.below(ready.len())])].clone());
    }
    program.schedule = schedule;
}

/// The plan and the order of a program, by accesses alone; how many pairs of tasks may run in either order.
fn check(program: &Program) -> usize {
    let name = &program.name;
    let back = read(&program.listing()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(back == *program, "{name}: its listing says something else");
    check_plan(program).unwrap_or_else(|error| panic!("{name}: {error}"));
    let order = program.order();
    let footprints = Footprints::all(program);
    for footprint in &footprints {
        let ordered = |a: usize, b: usize| order.happens_before(a, b);
        footprint.check(&ordered).unwrap_or_else(|error| panic!("{name}: {error}\n{}", program.listing()));
    }
    // No conflict is one in name only: without the edge that says so, somebody would notice.
    let conflicts = Conflicts::new(&program.schedule, &program.launches, &program.buffers);
    for (a, b) in order.edges().into_iter().filter(|(a, b)| conflicts.before[*b].contains(a)) {
        let noticed = footprints.iter().any(|footprint| footprint.meet(a, b).is_some());
        assert!(noticed, "{name}: task {a} comes before task {b} for nothing\n{}", program.to_text());
    }
    order.unordered().count()
}

/// Ten random orders for each number of streams; how many pairs of tasks of a step may run in either order.
fn legal<N: Example>(name: &str) -> usize {
    let golden = Golden::read(name);
    let net = N::create(1).unwrap().as_ref().net().clone();
    let (function, source) = (objective::<N>(&net), source::<N>(&net));
    let serial = bits::<N>(net, &golden, function, true);
    let mut pairs = vec![];
    for streams in [2, 4, 8] {
        let mut net: Net =
            compile_for(source.clone(), &Streams(streams)).unwrap_or_else(|e| panic!("{name}: {e:?}")).net;
        pairs.push(programs(&mut net).map(|program| check(program)).max().unwrap());
        for seed in 0..10 {
            let (mut other, mut random) = (net.clone(), Random(seed));
            for program in programs(&mut other) {
                let order = program.order();
                shuffle(program, &order, &mut random);
                check_plan(program).unwrap_or_else(|error| panic!("{name}, seed {seed}: {error}"));
            }
            assert!(serial == bits::<N>(other, &golden, function, true), "{name}, {streams} streams, seed {seed}");
        }
    }
    println!("| {name} | {} | {} | {} |", pairs[0], pairs[1], pairs[2]);
    pairs[1]
}

#[test]
fn any_legal_order_gives_the_same_bits() {
    println!("| network | unordered pairs of tasks with 2 streams | 4 | 8 |");
    let pairs = [
        legal::<LeNet>("lenet"),
        legal::<LeNetF64>("lenet"),
        legal::<LeNetBF16>("lenet"),
        legal::<Mlp>("mlp"),
        legal::<Third>("third"),
        legal::<ResNet20Small>("resnet20"),
        legal::<ResNet50Thin>("resnet50"),
        legal::<MobileNetV2Thin>("mobilenet"),
        legal::<UNet>("unet"),
        legal::<ViT>("vit"),
        legal::<Diffusion>("diffusion"),
        legal::<GptSmall>("gpt"),
        legal::<GptSmallF64>("gpt"),
        legal::<Vae>("vae"),
        legal::<GanCritic>("gan_critic"),
        legal::<GanGenerator>("gan_generator"),
        legal::<LstmClassifier>("lstm"),
        legal::<LstmClassifierF64>("lstm"),
        legal::<GruClassifier>("gru"),
    ];
    assert!(pairs.iter().filter(|pairs| **pairs >= 20).count() >= 5, "{pairs:?}");
}

fn is_ending(task: &Task) -> bool {
    matches!(task.kind, TaskKind::Ending(_))
}

/// The bits of all parameters and states after some steps, which update early, or late.
fn trained<N: Example>(net: Net, golden: &Golden, function: usize, placement: Placement) -> Vec<u64> {
    let mut model = model::<N>(net, golden);
    // A guard has to know all gradients before the first update.
    model.stop_on_nan(placement == Placement::Late);
    let (mut optimizer, batch) = (AdamW::new(1e-3), golden.batch::<N>());
    let batch: Vec<&Array> = batch.iter().collect();
    for _ in 0..2 {
        match N::FLOAT {
            DType::F64 => drop(model.step_f64(function, &mut optimizer, &batch).unwrap()),
            _ => drop(model.step(function, &mut optimizer, &batch).unwrap()),
        }
    }
    let net = model.net();
    let parameters = net.parameters.iter().map(|p| model.parameter(&p.name).unwrap());
    let states = net.states.iter().filter_map(|s| model.state(&s.name).unwrap());
    let floats_of = |array: Array| if array.dtype().is_float() { floats(&array) } else { vec![] };
    parameters.chain(states).flat_map(floats_of).map(f64::to_bits).collect()
}

/// Both placements of the ending, by accesses alone; and what is trained in random orders that the early one allows.
fn endings<N: Example>(name: &str) {
    let golden = Golden::read(name);
    let net = N::create(1).unwrap().as_ref().net().clone();
    let (function, source) = (objective::<N>(&net), source::<N>(&net));
    let late = trained::<N>(net.clone(), &golden, function, Placement::Late);
    assert!(late == trained::<N>(net, &golden, function, Placement::Early), "{name}: early updates");

    let net = compile_for(source, &Streams(4)).unwrap_or_else(|e| panic!("{name}: {e:?}")).net;
    let reaches = &net.functions[function].reaches;
    let Some(program) = &net.cpu()[function].training else { panic!("{name} is not trained") };
    let with = |schedule: Vec<Task>| Program { schedule, ..program.clone() };
    let early = with(program.with_ending(reaches, Placement::Early));
    // Half of the updates are done by launches.
    let gathered = gather(&early.schedule, &|p| (p % 2 == 0).then(|| net.padded_len(p)));
    let all = [early.clone(), with(gathered), with(program.with_ending(reaches, Placement::Late))];
    let pairs = all.each_ref().map(check);

    // Each parameter is updated once, right after something that it waits for.
    let conflicts = Conflicts::new(&early.schedule, &early.launches, &early.buffers);
    let mut updated: Vec<usize> = vec![];
    for (number, task) in early.schedule.iter().enumerate() {
        let TaskKind::Ending(Ending { kind: EndingKind::Update, of }) = &task.kind else { continue };
        updated.extend(of);
        assert!(conflicts.before[number].contains(&(number - 1)), "{name}: the update of {of:?} is late");
    }
    updated.sort_unstable();
    assert_eq!(updated, *reaches, "{name}");

    let order = early.order();
    for seed in 0..3 {
        let (mut other, mut shuffled) = (net.clone(), early.clone());
        shuffle(&mut shuffled, &order, &mut Random(seed));
        shuffled.schedule.retain(|task| !is_ending(task));
        other.cpu_mut()[function].training = Some(shuffled);
        assert!(late == trained::<N>(other, &golden, function, Placement::Early), "{name}, seed {seed}");
    }
    println!("| {name} | {} | {} | {} | {} |", updated.len(), pairs[0], pairs[1], pairs[2]);
}

#[test]
fn early_and_late_endings_hold_and_give_the_same_bits() {
    println!("| network | updates | unordered pairs with 4 streams, updates early | gathered | late |");
    endings::<LeNet>("lenet");
    endings::<LeNetF64>("lenet");
    endings::<LeNetBF16>("lenet");
    endings::<Mlp>("mlp");
    endings::<Third>("third");
    endings::<ResNet20Small>("resnet20");
    endings::<ResNet50Thin>("resnet50");
    endings::<MobileNetV2Thin>("mobilenet");
    endings::<UNet>("unet");
    endings::<ViT>("vit");
    endings::<Diffusion>("diffusion");
    endings::<GptSmall>("gpt");
    endings::<GptSmallF64>("gpt");
    endings::<Vae>("vae");
    endings::<GanCritic>("gan_critic");
    endings::<GanGenerator>("gan_generator");
    endings::<LstmClassifier>("lstm");
    endings::<LstmClassifierF64>("lstm");
    endings::<GruClassifier>("gru");
}

/// What the golden's batch gives on the other target, beside what it gives on the CPU.
fn same_elsewhere<N: Example>(name: &str) {
    let golden = Golden::read(name);
    let net = N::create(1).unwrap().as_ref().net().clone();
    let (function, source) = (objective::<N>(&net), source::<N>(&net));
    let mut other = compile_for(source, &Plain).unwrap_or_else(|e| panic!("{name}: {e:?}")).net;
    assert!(other.targets[0].layouts.iter().all(|layout| *layout == Layout::Plain), "{name}");
    // Linear layers and tied embeddings read a copy.
    let panels = other.targets[0].mirrors.iter().filter(|mirror| mirror.layout == Layout::Panels(vec![1])).count();
    assert!(panels > 0 || !["mlp", "vit", "gpt"].contains(&name), "{name}");
    for program in programs(&mut other) {
        check(program);
    }
    let near = if N::FLOAT == DType::BF16 { 2e-2 } else { 1e-4 };
    let [here, there] = [net, other].map(|net| bits::<N>(net, &golden, function, true));
    assert_eq!(here.len(), there.len(), "{name}");
    let size = here.iter().map(|x| f64::from_bits(*x).abs()).fold(0.0, f64::max);
    for (at, (a, b)) in here.iter().zip(&there).map(|(a, b)| (f64::from_bits(*a), f64::from_bits(*b))).enumerate() {
        assert!((a - b).abs() <= near * (a.abs() + 1e-2 * size), "{name}: element {at} is {a} here and {b} there");
    }
}

#[test]
fn a_second_target_computes_the_same() {
    same_elsewhere::<LeNet>("lenet");
    same_elsewhere::<LeNetF64>("lenet");
    same_elsewhere::<LeNetBF16>("lenet");
    same_elsewhere::<Mlp>("mlp");
    same_elsewhere::<Third>("third");
    same_elsewhere::<ResNet20Small>("resnet20");
    same_elsewhere::<ResNet50Thin>("resnet50");
    same_elsewhere::<MobileNetV2Thin>("mobilenet");
    same_elsewhere::<UNet>("unet");
    same_elsewhere::<ViT>("vit");
    same_elsewhere::<Diffusion>("diffusion");
    same_elsewhere::<GptSmall>("gpt");
    same_elsewhere::<GptSmallF64>("gpt");
    same_elsewhere::<Vae>("vae");
    same_elsewhere::<GanCritic>("gan_critic");
    same_elsewhere::<GanGenerator>("gan_generator");
    same_elsewhere::<LstmClassifier>("lstm");
    same_elsewhere::<LstmClassifierF64>("lstm");
    same_elsewhere::<GruClassifier>("gru");
}
