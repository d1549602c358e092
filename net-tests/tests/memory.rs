//! What is larger than memory is an `Err` that says how many bytes were asked for, and nothing has changed: the limits of a process of its
//! own stand in for a small machine.

#![forbid(unsafe_code)]

use std::process::Command;

use castnet::data::{
    Batches, BoxError, Dataset, Examples, Field, FieldMut, FieldType, Normalize, Random, Text, Vocabulary,
};
use castnet::image::GreyImage;
use castnet::prelude::*;

network! {
    pub net Wide {
        a: Linear(1000);
        state seen: f32[N, 1000] = zeros;

        pub fn f(x: f32[N, 3]) -> f32[N, 1000] { a(x).tanh() }
        pub fn noise(x: f32[N, 3]) -> f32[N, 1000] { a(x) + rand([N, 1000]) }
        pub fn remembered(x: f32[N, 3]) -> f32[N, 1000] { seen = seen + a(x); seen }
        pub train fn loss(x: f32[N, 3]) -> f32 { a(x).tanh().square().mean() }
        pub train fn all(x: f32[N, 3]) -> (f32, f32[N, 1000]) { let y = a(x); (y.mean(), y) }
    }

    /// What is far more work than a call can be cut into.
    pub net Products {
        pub fn outer(x: f32[N], y: f32[M]) -> f32[N, M] { x.unsqueeze(1) * y }
        pub fn sums(x: f32[N], y: f32[M]) -> f32[N] { (x.unsqueeze(1) * y).tanh().sum(1) }
    }

    /// 40 MB of parameters, as much of states.
    pub net Middle {
        a: Linear(10000, bias = false);
        state seen: f32[1000, 10000] = zeros;
        pub train fn loss(x: f32[N, 1000]) -> f32 { seen = seen + 1; a(x).mean() }
    }

    /// A kernel or two for each row.
    pub net Long {
        pub fn f(x: f32[T, 2]) -> f32[2] {
            let (last, _) = scan(x, zeros([2]), |h, row| (0.5 * h + row, ()));
            last
        }
    }

    /// 400 MB of parameters.
    pub net Large {
        a: Linear(100000, bias = false, init = zeros);
        pub train fn loss(x: f32[N, 1000]) -> f32 { a(x).mean() }
    }
}

/// Whether this is the process with little memory: 1.2 GB of addresses.
const SMALL: &str = "CASTNET_TEST_SMALL_MEMORY";

/// The test of this name once more where there is little memory.
#[cfg(target_os = "linux")]
fn in_little_memory(test: &str) -> bool {
    if std::env::var_os(SMALL).is_some() {
        return true;
    }
    let program = std::env::current_exe().unwrap();
    let script = format!("ulimit -v 1200000; exec '{}' {test} --exact --nocapture", program.display());
    let done = Command::new("sh").args(["-c", &script]).env(SMALL, "1").env("RUST_BACKTRACE", "0").output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("1 passed"), "{test}: {}\n{said}", done.status);
    false
}

/// Takes all memory but so many millions of bytes, without touching it.
fn all_but(megabytes: usize) -> Vec<Vec<u8>> {
    let piece = || {
        let mut piece = Vec::new();
        piece.try_reserve_exact(1_000_000).map(|()| piece)
    };
    let mut taken: Vec<Vec<u8>> = Vec::with_capacity(2000);
    while let Ok(one) = piece() {
        taken.push(one);
    }
    // The last ones lie in what the allocator had already.
    drop(taken.drain(..megabytes));
    taken
}

/// The message of a result that must be an `Err` about memory.
fn refused<T>(what: &str, result: castnet::Result<T>) {
    match result {
        Err(castnet::Error::Memory { bytes, .. }) => assert!(bytes > 10_000_000, "{what}: {bytes} bytes"),
        Err(error) => panic!("{what}: {error}"),
        Ok(_) => panic!("{what} has room"),
    }
}

#[cfg(target_os = "linux")]
#[test]
fn results_states_and_activations_without_room() {
    if !in_little_memory("results_states_and_activations_without_room") {
        return;
    }
    castnet::set_threads(2);
    let (mut net, mut twin) = (Wide::new(&Device::cpu(), 1).unwrap(), Wide::new(&Device::cpu(), 1).unwrap());
    let (large, small) = (Array::zeros::<f32>(&[5_000_000, 3]), Array::zeros::<f32>(&[2, 3]));
    let before = net.remembered(&small).unwrap();
    let mut sgd = Sgd::new(0.1);
    refused("a result", net.f(&large));
    refused("a result with random numbers", net.noise(&large));
    refused("a result of a seed", net.noise_seeded(1, &large));
    refused("a state", net.remembered(&large));
    refused("activations", net.loss_step(&mut sgd, &large));
    refused("activations and gradients", net.loss_grad(&large));
    refused("a result of a step", net.all_step(&mut sgd, &large));
    // All stands where it stood.
    assert_eq!(net.state("seen").unwrap().unwrap(), before);
    assert_eq!(net.noise(&small).unwrap(), twin.noise(&small).unwrap());
    assert_eq!(sgd.state().steps(), 0);
    assert!(net.loss_step(&mut sgd, &small).is_ok() && twin.loss_step(&mut Sgd::new(0.1), &small).is_ok());
    assert_eq!(net.parameter("a.weight").unwrap(), twin.parameter("a.weight").unwrap());
}

#[cfg(target_os = "linux")]
#[test]
fn parameters_gradients_and_optimizers_without_room() {
    if !in_little_memory("parameters_gradients_and_optimizers_without_room") {
        return;
    }
    castnet::set_threads(2);
    let x = Array::zeros::<f32>(&[1, 1000]);
    let new = || Large::new(&Device::cpu(), 1);
    let mut net = new().unwrap();
    refused("a third model", new().and_then(|_second| new()));
    refused("an optimizer's state", net.loss_step(&mut AdamW::new(1e-3), &x));
    refused("a copy beside gradients", net.loss_grad(&x).and_then(|_gradients| net.parameter("a.weight")));
    assert!(net.parameter("a.weight").is_ok());
}

#[cfg(target_os = "linux")]
#[test]
fn arrays_without_room() {
    if !in_little_memory("arrays_without_room") {
        return;
    }
    refused("zeros", Array::try_zeros::<f32>(&[1000, 1_000_000]));
    let half = vec![1u8; 700_000_000];
    refused("a copy of a slice", Array::from_slice(&[700_000_000], &half));
}

#[cfg(target_os = "linux")]
#[test]
fn checkpoints_need_no_room_for_their_tensors() {
    if !in_little_memory("checkpoints_need_no_room_for_their_tensors") {
        return;
    }
    castnet::set_threads(1);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (mut net, x) = (Middle::new(&Device::cpu(), 1).unwrap(), Array::zeros::<f32>(&[1, 1000]));
    let mut adam = Adam::new(1e-3);
    net.loss_step(&mut adam, &x).unwrap();
    // A header that says it is 90 MB long, in a file that is (and takes no room on the disk).
    let hostile = std::fs::File::create(at("hostile.safetensors")).unwrap();
    std::io::Write::write_all(&mut &hostile, &90_000_000u64.to_le_bytes()).unwrap();
    hostile.set_len(100_000_000).unwrap();

    let mut taken = all_but(12);
    net.save_training(at("net.safetensors"), &adam, &Default::default()).unwrap();
    refused("a copy of a state", net.state("seen"));
    refused("a copy of an optimizer", net.save_training_async(at("net.safetensors"), &adam, &Default::default()));
    refused("new parameters", net.load(at("net.safetensors")));
    refused("a header", net.load(at("hostile.safetensors")));
    // Room for parameters and states, and no more.
    drop(taken.drain(..85));
    net.load(at("net.safetensors")).unwrap();
    refused("new states of an optimizer", net.load_training(at("net.safetensors"), &mut adam));
}

#[cfg(target_os = "linux")]
#[test]
fn loops_take_no_room_for_their_rounds() {
    if !in_little_memory("loops_take_no_room_for_their_rounds") {
        return;
    }
    castnet::set_threads(1);
    let net = Long::new(&Device::cpu(), 1).unwrap();
    net.f(&Array::zeros::<f32>(&[1, 2])).unwrap();
    let mut x = Array::zeros::<f32>(&[600_000, 2]);
    x.as_mut_slice::<f32>().unwrap().chunks_exact_mut(2).for_each(|row| row.copy_from_slice(&[3.0, -1.0]));
    let _taken = all_but(12);
    // The sum of 3 / 2ⁱ and of -1 / 2ⁱ.
    assert_eq!(net.f(&x).unwrap().as_slice::<f32>().unwrap(), [6.0, -2.0]);
}

/// A hundred examples of 4 MB.
struct LargeExamples;

impl Examples<1> for LargeExamples {
    fn len(&self) -> usize {
        100
    }
    fn fields(&self) -> [FieldType; 1] {
        [FieldType::new::<f32>(&[1000, 1000])]
    }
    fn read(&self, _: usize, _: &mut Random, _: [FieldMut<'_>; 1]) -> Result<(), BoxError> {
        Ok(())
    }
}

#[cfg(target_os = "linux")]
#[test]
fn data_without_room() {
    if !in_little_memory("data_without_room") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (half, mut images) = ("ab".repeat(15_000_000), Array::zeros::<u8>(&[5000, 5000]));
    let (vocabulary, text) = (Vocabulary::of("ab"), Text::new(&half).unwrap());
    let tokens = vec![1u32; 20_000_000];
    let data = Dataset::new([Field::new(Array::zeros::<bool>(&[20_000_000]))]).unwrap();
    let picture = GreyImage::new(5000, 5000, vec![200; 25_000_000]).unwrap();
    images.as_mut_slice::<u8>().unwrap().fill(200);

    let _taken = all_but(12);
    picture.write_png(at("large.png")).unwrap();
    refused("a picture from a file", GreyImage::read_png(at("large.png")));
    refused("a picture as an array", picture.to_array(&[5000, 5000]));
    refused("pixels as numbers", Normalize::MNIST.apply(&images));
    refused("the numbers of a text", Text::new(&half));
    refused("the text of numbers", vocabulary.decode(&tokens));
    refused("the order of examples", Batches::new(&data, 1));
    let wide = Dataset::of(LargeExamples).unwrap();
    refused("batches ahead", Batches::new(&wide, 1).unwrap().prefetch(10));
    refused("as many batches ahead as there are", Batches::new(&wide, 1).unwrap().prefetch(usize::MAX));
    // These give back what they take.
    refused("numbers for ndarray", images.into_ndarray::<u8>());
    refused("a part of a text", text.split(0.5));
    refused("a larger picture", picture.resize(1 << 40, 1 << 40));
}

#[test]
fn products_of_shapes_beyond_all_numbers() {
    for shape in [&[usize::MAX, usize::MAX][..], &[1 << 40, 1 << 40], &[isize::MAX as usize, 3], &[1 << 62]] {
        refused("zeros", Array::try_zeros::<f32>(shape));
        assert!(Array::from_slice(shape, &[1.0f32]).is_err());
        assert!(std::panic::catch_unwind(|| Array::zeros::<f32>(shape)).is_err());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn work_without_end() {
    if !in_little_memory("work_without_end") {
        return;
    }
    let net = Products::new(&Device::cpu(), 1).unwrap();
    let zeros = |n: usize| Array::zeros::<f32>(&[n]);
    // 4 TB: that it is too many pieces, too, is not what matters.
    refused("a result", net.outer(&zeros(1 << 20), &zeros(1 << 20)));
    let error = net.sums(&zeros(1 << 24), &zeros(1 << 20)).unwrap_err();
    assert!(matches!(error, castnet::Error::TooMuchWork { .. }), "{error}");
    assert!(error.to_string().starts_with("Products.sums: ") && error.to_string().ends_with("use smaller arguments"));
    assert_eq!(net.sums(&Array::from_vec(&[1], vec![2.0f32]).unwrap(), &zeros(3)).unwrap().shape(), [1]);
}
