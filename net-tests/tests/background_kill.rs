//! A program that trains with batches made ahead and saves while it goes on is killed at any moment: what it leaves can be loaded, and training
//! goes on to the bit.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use castnet::data::{BoxError, Dataset, Examples, FieldMut, FieldType, Random};
use castnet::prelude::*;
use castnet::train::Fit;

const KILLS: u32 = 100;
/// Where the child finds the name of its checkpoint.
const VARIABLE: &str = "CASTNET_TEST_BACKGROUND_CHECKPOINT";

network! {
    /// Something of all that a checkpoint keeps: parameters, states, random numbers.
    net Small {
        a:  Linear(16);
        bn: BatchNorm1d();
        b:  Linear(3);
        pub train fn loss(x: f32[N, 8], class: i64[N]) -> f32 {
            b(bn(a(x)).tanh().dropout(0.3)).cross_entropy(class)
        }
    }
}

/// Points that are moved at random each time.
struct Points;

impl Examples<2> for Points {
    fn len(&self) -> usize {
        100
    }

    fn fields(&self) -> [FieldType; 2] {
        [FieldType::new::<f32>(&[8]), FieldType::new::<i64>(&[])]
    }

    fn read(&self, example: usize, random: &mut Random, [x, class]: [FieldMut<'_>; 2]) -> Result<(), BoxError> {
        let x = x.into_slice::<f32>()?.iter_mut().enumerate();
        x.for_each(|(i, x)| *x = ((example * 8 + i) as f32).sin() + random.unit() as f32);
        Ok(class.write(&[example as i64 % 3])?)
    }
}

/// A training run where its checkpoint left it, or at its beginning.
struct Run {
    net: Small,
    adam: AdamW,
    fit: Fit<2>,
}

impl Run {
    fn new(depth: usize, checkpoint: &Path) -> Run {
        let mut net = Small::new(&Device::cpu(), 1).unwrap();
        let mut adam = AdamW::new(1e-3).schedule(Cosine::new(10_000));
        let fit = Fit::new(&Dataset::of(Points).unwrap(), 8).unwrap().epochs(u64::MAX).seed(3).progress(false);
        let mut fit = fit.prefetch(depth).unwrap();
        if checkpoint.exists() {
            fit.resume(&net.load_training(checkpoint, &mut adam).unwrap()).unwrap();
        }
        assert!(fit.next_epoch());
        Run { net, adam, fit }
    }

    fn step(&mut self) {
        loop {
            if let Some([x, class]) = self.fit.next_batch().unwrap() {
                let loss = self.net.loss_step(&mut self.adam, x, class).unwrap().get().unwrap();
                return self.fit.loss(loss);
            }
            assert!(self.fit.next_epoch());
        }
    }

    fn steps(&self) -> u64 {
        let steps = self.net.as_ref().steps();
        assert_eq!((self.fit.state()["fit.steps"].parse(), self.adam.state().steps()), (Ok(steps), steps));
        steps
    }

    fn save(&self, path: &Path) -> Vec<u8> {
        self.net.save_training(path, &self.adam, &self.fit.state()).unwrap();
        fs::read(path).unwrap()
    }
}

/// What the other one starts and kills; on its own it has nothing to do.
#[test]
fn child() {
    let Some(path) = std::env::var_os(VARIABLE) else { return };
    let path = Path::new(&path);
    let mut run = Run::new(2, path);
    let mut _saving = None;
    loop {
        run.step();
        // Two at a time: the one before is waited for when its handle goes.
        _saving = Some(run.net.save_training_async(path, &run.adam, &run.fit.state()).unwrap());
    }
}

#[test]
fn a_killed_program_leaves_a_whole_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let path = at("small.safetensors");
    let mut random = Random::new(std::process::id().into());
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
        std::thread::sleep(Duration::from_micros(random.below(20_000) as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        let reached = Run::new(0, &path).steps();
        assert!(reached > steps, "{reached} after {steps}");
        steps = reached;
    }

    // The killed run against one that nothing happened to, without batches made ahead, and what follows.
    let (mut resumed, mut whole) = (Run::new(2, &path), Run::new(0, &at("none")));
    (0..steps).for_each(|_| whole.step());
    assert!(whole.save(&at("whole")) == fs::read(&path).unwrap(), "the checkpoint of step {steps} is another one");
    for _ in 0..30 {
        whole.step();
        resumed.step();
    }
    assert!(whole.save(&at("whole")) == resumed.save(&path), "{} after {steps}", whole.steps());
    // What the killed processes were writing is gone with the next save.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    println!("killed {KILLS} times in {steps} steps");
}
