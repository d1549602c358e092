//! A program that trains and saves is killed at any moment: what it leaves can be loaded, and training goes on to the bit.

#[path = "../../tests/nets/mod.rs"]
mod nets;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use castnet::prelude::*;
use nets::{Example, LeNet, Numbers};

const KILLS: u32 = 10;
/// Where the child finds the name of its checkpoint.
const VARIABLE: &str = "CASTNET_TEST_CHECKPOINT";

fn adamw() -> AdamW {
    AdamW::new(1e-3).clip_norm(1.0).schedule(Cosine::new(10_000))
}

/// A step whose batch depends on the steps before it only.
fn step(net: &mut LeNet, adam: &mut AdamW) {
    let batch = LeNet::batch(8, net.as_ref().steps());
    net.train(adam, &batch).unwrap();
}

fn load(path: &Path) -> (LeNet, AdamW) {
    let (mut net, mut adam) = (LeNet::create(99).unwrap(), adamw());
    let extra = net.load_training(path, &mut adam).unwrap();
    assert_eq!(extra["steps"], net.as_ref().steps().to_string());
    assert_eq!(adam.state().steps(), net.as_ref().steps());
    (net, adam)
}

/// What the other one starts and kills; on its own it has nothing to do.
#[test]
fn child() {
    let Some(path) = std::env::var_os(VARIABLE) else { return };
    let path = Path::new(&path);
    let (mut net, mut adam) = match path.exists() {
        true => load(path),
        false => (LeNet::create(1).unwrap(), adamw()),
    };
    loop {
        step(&mut net, &mut adam);
        let extra = BTreeMap::from([("steps".to_string(), net.as_ref().steps().to_string())]);
        net.save_training(path, &adam, &extra).unwrap();
    }
}

#[test]
fn a_killed_program_leaves_a_whole_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lenet.safetensors");
    let mut numbers = Numbers(u64::from(std::process::id()));
    let mut steps = 0;
    for _ in 0..KILLS {
        let changed = || fs::metadata(&path).and_then(|m| m.modified()).ok();
        let before = changed();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child"])
            .env(VARIABLE, &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while changed() == before {
            assert!(start.elapsed() < Duration::from_secs(120), "no checkpoint after two minutes");
            assert_eq!(child.try_wait().unwrap(), None, "the child ended by itself");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(numbers.draw() % 200_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let reached = load(&path).0.as_ref().steps();
        assert!(reached > steps, "{reached} after {steps}");
        steps = reached;
    }

    // The killed run, gone on with, against one that nothing happened to.
    let (mut resumed, mut resumed_adam) = load(&path);
    let (mut whole, mut whole_adam) = (LeNet::create(1).unwrap(), adamw());
    (0..steps).for_each(|_| step(&mut whole, &mut whole_adam));
    assert!(whole.bits() == resumed.bits(), "the checkpoint of step {steps} is another one");
    for _ in 0..5 {
        step(&mut whole, &mut whole_adam);
        step(&mut resumed, &mut resumed_adam);
        assert!(whole.bits() == resumed.bits(), "step {}", whole.as_ref().steps());
    }
    // What the killed processes were writing is gone with the next save.
    resumed.save_training(&path, &resumed_adam, &BTreeMap::new()).unwrap();
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["lenet.safetensors"]);
    println!("killed {KILLS} times in {steps} steps");
}
