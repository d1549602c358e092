//! Constants that Rust sees too, numbers of Rust's library, and names in checkpoints that are no names of Rust.

use castnet::prelude::*;

network! {
    /// How many words there are.
    pub const WORDS: usize = 3 * 4;
    const SCALE: f32 = 0.5;

    block Scaled(x: f32[N, D]) -> f32[N, D] { x * SCALE }

    pub net Words<DIM, KEEP = 0.75, BIAS = true> {
        /// Twice as wide.
        const WIDE: usize = 2 * DIM;
        table:  Embedding(WORDS, DIM);
        up:     Linear(WIDE, bias = BIAS);
        scaled: Scaled;

        pub fn rows(word: u8[N]) -> f32[N, WIDE] { scaled(up(table(word))) * KEEP }
    }

    pub net Small = Words<2>;

    /// What has no finite value, and what has a name.
    pub net Numbers {
        pub fn masked(x: f32[N]) -> f32[N] { where_(x > 0, x, -inf).softmax(0) }
        pub fn clipped(x: f32[N]) -> f32[N] { x.clamp(min = -f32::MAX, max = inf) }
        pub fn least(x: f32[N]) -> f32 { where_(x > 0, x, inf).amin(0) }
        pub fn nowhere(x: f32[N]) -> f32[N] { where_(x > 0, nan, x) }
        pub fn turns(x: f32[N]) -> f32[N] { x * std::f32::consts::TAU + f32::EPSILON }
    }

    /// As `nn.Sequential` and an attribute that is called `type`.
    pub net Keys {
        #[name = "0"] first: Linear(3);
        #[name = "2"] #[freeze] last:  [Linear(2), Linear(1)];
        r#type: Linear(1);
        #[name = "b.mean"] state mean: f32 = 0.25;

        pub fn f(x: f32[N, 2]) -> f32[N, 1] { last(first(x).relu()) + r#type(x) + mean }
        train[first, r#type] fn loss(x: f32[N, 2]) -> f32 { f(x).square().mean() }
    }
}

#[test]
fn rust_sees_constants() -> castnet::Result<()> {
    assert_eq!((WORDS, Small::DIM, Small::WIDE, Small::KEEP), (12, 2, 4, 0.75));
    const { assert!(Small::BIAS) };
    let row = [0u8; Small::DIM];
    let net = Small::new(&Device::cpu(), 1)?;
    assert_eq!(net.rows(&Array::from_vec(&[2], row.to_vec())?)?.shape(), [2, Small::WIDE]);
    Ok(())
}

#[test]
fn numbers_of_rust_are_numbers() -> castnet::Result<()> {
    let net = Numbers::new(&Device::cpu(), 1)?;
    let x = Array::from_vec(&[4], vec![1.0f32, -2.0, 1.0, -f32::INFINITY])?;
    let values = |y: Array| y.as_slice::<f32>().map(<[f32]>::to_vec);
    assert_eq!(values(net.masked(&x)?)?, [0.5, 0.0, 0.5, 0.0]);
    assert_eq!(values(net.clipped(&x)?)?, [1.0, -2.0, 1.0, -f32::MAX]);
    assert_eq!(net.least(&x)?.item::<f32>()?, 1.0);
    let nowhere = values(net.nowhere(&x)?)?;
    assert!(nowhere[0].is_nan() && nowhere[2].is_nan() && nowhere[1] == -2.0, "{nowhere:?}");
    let turns = values(net.turns(&x)?)?;
    assert!((turns[0] - std::f32::consts::TAU).abs() < 1e-6 && turns[3] == -f32::INFINITY, "{turns:?}");
    Ok(())
}

#[test]
fn checkpoints_have_the_names_that_are_written() -> Result<(), Box<dyn std::error::Error>> {
    let mut net = Keys::new(&Device::cpu(), 1)?;
    for key in ["0.weight", "0.bias", "2.0.weight", "2.1.bias", "type.weight", "type.bias"] {
        assert!(net.parameter(key).is_ok(), "{key}");
    }
    assert_eq!(net.state("b.mean")?.map(|mean| mean.item::<f32>()).transpose()?, Some(0.25));
    // A file has these names, and no others.
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("keys.safetensors");
    net.save(&path)?;
    let bytes = std::fs::read(&path)?;
    let file = safetensors::SafeTensors::deserialize(&bytes)?;
    let mut names = file.names();
    names.sort_unstable();
    let wanted = [
        "0.bias",
        "0.weight",
        "2.0.bias",
        "2.0.weight",
        "2.1.bias",
        "2.1.weight",
        "b.mean",
        "type.bias",
        "type.weight",
    ];
    assert_eq!(names, wanted);
    // Training moves what `train[…]` names, by the names in the net.
    let before = (net.parameter("0.weight")?, net.parameter("2.0.weight")?);
    net.loss_step(&mut Sgd::new(0.1), &Array::from_vec(&[1, 2], vec![1.0f32, 2.0])?)?;
    assert_ne!(net.parameter("type.weight")?, before.0);
    assert_eq!(net.parameter("2.0.weight")?, before.1);
    let mut other = Keys::new(&Device::cpu(), 2)?;
    other.load(&path)?;
    assert_eq!(other.parameter("0.weight")?, before.0);
    Ok(())
}
