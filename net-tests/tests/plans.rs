//! The memory plans of the networks, whose programs are read back from their listings: sound, invisible in the results, near their bounds, and small beside what PyTorch keeps.

#[path = "../../tests/nets/mod.rs"]
mod nets;
mod whole;

use castnet::check::unshare;
use castnet_graph::check::check_plan;
use castnet_graph::program::arena_bytes;
use castnet_graph::text::{ProgramText, program::read};
use nets::*;
use serde_json::Value;
use whole::*;

/// The plans of a net: checked, and without influence on any bit, whatever lay in memory before.
fn sound<N: Example>(name: &str) {
    let golden = Golden::read(name);
    let net = N::create(1).unwrap().as_ref().net().clone();
    let function = objective::<N>(&net);
    let mut unshared = net.clone();
    for program in programs(&mut unshared) {
        let back = read(&program.listing()).unwrap_or_else(|error| panic!("{}: {error}", program.name));
        assert!(back == *program, "{}: its listing says something else", program.name);
        check_plan(program).unwrap_or_else(|error| panic!("{}: {error}", program.name));
        unshare(program);
        check_plan(program).unwrap_or_else(|error| panic!("{}, unshared: {error}", program.name));
    }
    let plain = bits::<N>(net.clone(), &golden, function, false);
    assert!(plain == bits::<N>(net, &golden, function, true), "{name}: something is read before it is written");
    assert!(plain == bits::<N>(unshared, &golden, function, true), "{name}: sharing memory changes a result");
}

/// Bytes of a step's plan, of its bound, and what PyTorch's autograd saves (`benches/pytorch.py --mode saved`), without parameters.
struct Bytes {
    plan: i64,
    bound: i64,
    saved: i64,
}

fn bytes<N: Example>(saved: &Value, sizes: &dyn Fn(&str) -> i64) -> Bytes {
    let net = N::create(1).unwrap();
    let net = net.as_ref().net();
    let Some(program) = &net.cpu()[objective::<N>(net)].training else { panic!("{} does not train", net.name) };
    let bound = arena_bytes(&program.bound, sizes);
    Bytes { plan: program.arena_bytes(sizes), bound, saved: saved["no_parameters"].as_i64().unwrap() }
}

/// Measured against the limits: at most `over` of the bound, and `share` of what PyTorch saves: what was reached, to the next hundredth.
fn small<N: Example>(share: f64) -> Vec<String> {
    near::<N>(share, 1.001)
}

fn near<N: Example>(share: f64, over: f64) -> Vec<String> {
    let text = include_str!("../../tests/golden/saved.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let (mut measured, mut failures) = (0, vec![]);
    for saved in all.as_array().unwrap().iter().filter(|saved| saved["net"] == N::NAME) {
        let sizes = |name: &str| saved[name].as_i64().unwrap_or_else(|| panic!("{}: no size {name}", N::NAME));
        let Bytes { plan, bound, saved: kept } = bytes::<N>(saved, &sizes);
        let (of_bound, of_saved) = (plan as f64 / bound as f64, plan as f64 / kept as f64);
        let at = format!(
            "{} N = {}{}",
            N::NAME,
            saved["N"],
            saved["T"].as_i64().map_or(String::new(), |t| format!(" T = {t}"))
        );
        println!("| {at} | {plan} | {of_bound:.3} | {kept} | {of_saved:.2} |");
        if of_bound > over {
            failures.push(format!("{at}: {plan} bytes are {of_bound:.3} of the bound"));
        }
        if of_saved > share {
            failures.push(format!("{at}: {plan} bytes are {of_saved:.3} of the {kept} that PyTorch saves"));
        }
        measured += 1;
    }
    assert!(measured >= 3, "{}: sizes measured: {measured}", N::NAME);
    failures
}

#[test]
fn plans_are_sound() {
    sound::<LeNet>("lenet");
    sound::<LeNetF64>("lenet");
    sound::<LeNetBF16>("lenet");
    sound::<Mlp>("mlp");
    sound::<Third>("third");
    sound::<ResNet20Small>("resnet20");
    sound::<ResNet50Thin>("resnet50");
    sound::<MobileNetV2Thin>("mobilenet");
    sound::<UNet>("unet");
    sound::<ViT>("vit");
    sound::<Diffusion>("diffusion");
    sound::<GptSmall>("gpt");
    sound::<GptSmallF64>("gpt");
    sound::<GptSmall>("gpt_short");
    sound::<Vae>("vae");
    sound::<GanCritic>("gan_critic");
    sound::<GanGenerator>("gan_generator");
    sound::<LstmClassifier>("lstm");
    sound::<LstmClassifierF64>("lstm");
    sound::<GruClassifier>("gru");
}

#[test]
fn plans_are_small() {
    let failures = [
        small::<LeNet>(0.77),
        small::<Mlp>(0.86),
        small::<Third>(0.84),
        small::<ResNet20>(0.65),
        small::<ResNet50>(0.63),
        small::<MobileNetV2>(0.37),
        small::<UNet>(1.0),
        small::<ViT>(0.85),
        small::<Diffusion>(0.73),
        small::<CharGpt>(0.77),
        small::<Vae>(0.58),
        small::<GanGenerator>(0.78),
        small::<GanCritic>(0.78),
        // A mask of bytes takes a word an element, as floats lie behind it.
        near::<LstmClassifier>(0.95, 1.006),
        near::<GruClassifier>(0.94, 1.006),
    ]
    .concat();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
