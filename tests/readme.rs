//! README.md tells the truth: its Rust stands here too, hence compiles, and what it shows is what comes out.

use castnet::prelude::*;

network! {
    /// LeNet for 28 × 28 grey images.
    pub net LeNet {
        conv1: Conv2d(20, kernel_size = 5);
        conv2: Conv2d(50, kernel_size = 5);
        fc1:   Linear(500);
        fc2:   Linear(10);

        /// Class scores, a row an image.
        pub fn scores(image: f32[N, 1, 28, 28]) -> f32[N, 10] {
            let x = conv1(image).tanh().max_pool2d(2);
            let x = conv2(x).tanh().max_pool2d(2);
            fc2(fc1(x.flatten(1)).tanh())
        }

        /// What training minimises.
        pub train fn loss(image: f32[N, 1, 28, 28], digit: u8[N]) -> f32 {
            scores(image).cross_entropy(digit)
        }
    }
}

network! {
    /// Two convolutions around a shortcut.
    pub block Residual<CHANNELS, STRIDE = 1>(x: f32[N, C, H, W]) -> f32[N, CHANNELS, _, _] {
        conv1: Conv2d(CHANNELS, kernel_size = 3, stride = STRIDE, padding = 1, bias = false);
        bn1:   BatchNorm2d();
        conv2: Conv2d(CHANNELS, kernel_size = 3, padding = 1, bias = false);
        bn2:   BatchNorm2d();
        down:  if STRIDE != 1 || C != CHANNELS { Conv2d(CHANNELS, kernel_size = 1, stride = STRIDE, bias = false) };

        let y = bn1(conv1(x)).relu();
        let shortcut = if STRIDE != 1 || C != CHANNELS { down(x) } else { x };
        (bn2(conv2(y)) + shortcut).relu()
    }

    pub net ResNet<DEPTH, SIZE = 32> {
        stem:   Conv2d(16, kernel_size = 3, padding = 1, bias = false);
        stage1: [Residual<16>; DEPTH];
        stage2: [Residual<32, 2>, Residual<32>, Residual<32>];
        head:   Linear(10);

        pub fn scores(image: f32[N, 3, SIZE, SIZE]) -> f32[N, 10] {
            head(stage2(stage1(stem(image))).mean([2, 3]))
        }

        pub train fn loss(image: f32[N, 3, SIZE, SIZE], class: u8[N]) -> f32 {
            scores(image).cross_entropy(class)
        }
    }

    pub net ResNet14 = ResNet<3>;
}

/// Compiled, not run: five epochs of MNIST are too long for a test.
#[allow(dead_code)]
fn train_and_save() -> castnet::Result<()> {
    use castnet::data::{ImageSet, Normalize};
    use castnet::train::{Fit, accuracy};

    let (train, test) = ImageSet::open_mnist("examples/data/mnist")?;
    let (train, test) = (train.dataset(Normalize::MNIST)?, test.dataset(Normalize::MNIST)?);

    let mut net = LeNet::new(&Device::cpu(), 1)?; // PyTorch's first values, drawn from seed 1
    let mut fit = Fit::new(&train, 64)?.epochs(5).seed(1).prefetch(2)?; // batches made ahead
    let schedule = Cosine::new(5 * fit.steps_per_epoch() as u64);
    let mut sgd = Sgd::new(0.05).momentum(0.9).schedule(schedule);
    while fit.next_epoch() {
        while let Some([image, digit]) = fit.next_batch()? {
            let loss = net.loss_step(&mut sgd, image, digit)?.get()?;
            fit.loss(loss);
        }
        fit.metric("test accuracy", accuracy(&test, 250, |image| net.scores(image))?);
    }

    net.save("lenet.safetensors")?; // parameters only: what PyTorch's load_state_dict takes
    net.load("lenet.safetensors")?; // strict: a missing, further or misshapen entry is an error
    net.save_training("run.safetensors", &sgd, &fit.state())?; // and optimizer, counters, draws, place in the data
    fit.resume(&net.load_training("run.safetensors", &mut sgd)?)?; // goes on as if it had not stopped
    let save = net.save_training_async("run.safetensors", &sgd, &fit.state())?; // the same file, written while training goes on
    save.wait()?;
    Ok(())
}

#[test]
fn arrays_and_gradients() -> castnet::Result<()> {
    let mut net = LeNet::new(&Device::cpu(), 1)?;
    let mut other = LeNet::new(&Device::cpu(), 1)?;
    let mut adam = AdamW::new(1e-3);

    let image = Array::from_vec(&[2, 1, 28, 28], vec![0.5f32; 2 * 784])?;
    let digit = Array::from_vec(&[2], vec![3u8, 7])?;
    let scores = net.scores(&image)?;
    assert_eq!(scores.shape(), [2, 10]);
    let first: &[f32] = &scores.as_slice()?[..10];

    let (loss, mut gradients) = net.loss_grad(&image, &digit)?;
    net.loss_grad_add(&mut gradients, &image, &digit)?;
    gradients.scale(0.5);
    let norm_before = gradients.clip_norm(1.0);
    let of_conv1 = gradients.parameter("conv1.weight")?; // f32[20, 1, 5, 5]
    adam.apply(&mut net, &gradients)?;

    let mut adam = AdamW::new(1e-3).weight_decay(0.01).clip_norm(1.0); // the shorter way, for another net
    other.loss_step(&mut adam, &image, &digit)?;

    // Twice the same, halved: both ways are one.
    assert!(norm_before > 1.0 && first.iter().all(|score| score.is_finite()) && loss.item::<f32>()? > 0.0);
    assert_eq!(of_conv1.shape(), [20, 1, 5, 5]);
    assert_eq!(net.parameter("fc1.weight")?, other.parameter("fc1.weight")?);
    Ok(())
}

const README: &str = include_str!("../README.md");

/// The lines of a text without indentation, blank ones left out.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

/// The blocks of one kind.
fn blocks(kind: &str) -> Vec<Vec<&'static str>> {
    let fence = format!("\n```{kind}\n");
    README.split(&fence).skip(1).map(|rest| lines(rest.split("\n```").next().unwrap_or_default())).collect()
}

#[test]
fn the_rust_of_the_readme_stands_here() {
    let here = lines(include_str!("readme.rs")).join("\n");
    let blocks = blocks("rust");
    assert!(blocks.len() > 4);
    for block in blocks {
        assert!(here.contains(&block.join("\n")), "not in tests/readme.rs:\n{}", block.join("\n"));
    }
}

#[test]
fn what_it_shows_is_what_comes_out() -> castnet::Result<()> {
    let mut shown = blocks("text").into_iter();
    let mut next = || shown.next().unwrap_or_default();

    // The same mistake is a test of what the build says, in another file.
    let said = include_str!("../ui-tests/tests/ui/readme.stderr");
    let said = said.replace("$DIR/", "").replace("tests/ui/readme.rs", "src/main.rs");
    assert_eq!(lines(&said), next());

    // The network stands in another file here.
    let place =
        |line: &str| line.split("  tests/").next().unwrap_or_default().split("  src/").next().map(str::to_string);
    let explained: Vec<_> = lines(LeNet::explain()).into_iter().map(place).collect();
    for line in next().into_iter().filter(|line| *line != "…") {
        assert!(
            explained.contains(&place(line)),
            "README.md shows what `LeNet::explain()` does not say (any more): {line}"
        );
    }

    let net = LeNet::new(&Device::cpu(), 1)?;
    let narrow = net.scores(&Array::zeros::<f32>(&[3, 1, 28, 27])).map(drop);
    let four = net.loss(&Array::zeros::<f32>(&[3, 1, 28, 28]), &Array::zeros::<u8>(&[4])).map(drop);
    let slip = net.parameter("conv1.wieght").map(drop);
    let found: Vec<_> =
        [narrow, four, slip].into_iter().map(|r| r.map_or_else(|e| e.to_string(), |()| String::new())).collect();
    assert_eq!(found, next());
    Ok(())
}

#[test]
fn its_figures_are_the_measured_ones() {
    let measured = include_str!("../docs/measurements.md");
    let rows = README
        .lines()
        .filter(|line| line.starts_with("| LeNet,") || line.starts_with("| MLP,") || line.starts_with("| a third:"));
    let mut steps: Vec<&str> = rows.flat_map(|row| row.split(" | ").skip(1).take(3)).collect();
    assert_eq!(steps.len(), 15, "LeNet and MLP stand in both tables");
    let whole = README.split("| whole network |").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default();
    steps.extend(whole.lines().skip(2).flat_map(|row| row.trim_end_matches(" |").split(" | ").skip(1)));
    assert!(steps.len() >= 15 + 7 * 5);
    for figure in steps {
        assert!(measured.split_whitespace().any(|word| word == figure), "{figure} is not in docs/measurements.md");
    }
}

#[test]
fn the_profile_is_the_workspaces_own() {
    let workspace = lines(include_str!("../Cargo.toml"));
    for line in blocks("toml").concat().iter().filter(|l| l.starts_with("[profile") || l.starts_with("opt-level")) {
        assert!(workspace.contains(line), "{line}");
    }
}
