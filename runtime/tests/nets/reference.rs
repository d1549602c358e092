//! What results are held against: random numbers and distances.

use castnet_graph::reference::Tensor;
use castnet_runtime::{Array, DType, bf16, f16};

/// Number `index` of a stream of function 0 in a training run.
pub fn drawn(seed: u64, run: u64, stream: u32, index: u64) -> f64 {
    const TRAINING: u64 = 1;
    // Twice the finalizer of SplitMix64.
    let mix = |x: u64| {
        let x = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ x >> 31
    };
    uniform(mix(mix(seed.wrapping_add(0x9E37_79B9_7F4A_7C15)) ^ TRAINING << 32 ^ u64::from(stream)), run, index)
}

/// Philox4x32-10 (Salmon et al., *Parallel Random Numbers: As Easy as 1, 2, 3*), as `castnet_kernels::random` documents it.
fn uniform(key: u64, call: u64, index: u64) -> f64 {
    let block = index / 4;
    let mut c = [block as u32, (block >> 32) as u32, call as u32, (call >> 32) as u32];
    let mut k = [key as u32, (key >> 32) as u32];
    for _ in 0..10 {
        let (a, b) = (u64::from(c[0]) * 0xD251_1F53, u64::from(c[2]) * 0xCD9E_8D57);
        c = [(b >> 32) as u32 ^ c[1] ^ k[0], b as u32, (a >> 32) as u32 ^ c[3] ^ k[1], a as u32];
        k = [k[0].wrapping_add(0x9E37_79B9), k[1].wrapping_add(0xBB67_AE85)];
    }
    f64::from(c[(index % 4) as usize] >> 8) / f64::from(1 << 24)
}

/// An array as a tensor of the reference.
pub fn tensor(array: &Array) -> Tensor {
    let data = match array.dtype() {
        DType::I64 => return Tensor::new(array.shape().to_vec(), array.as_slice::<i64>().unwrap().to_vec()),
        DType::F64 => array.as_slice::<f64>().unwrap().to_vec(),
        DType::F16 => array.as_slice::<f16>().unwrap().iter().map(|x| f64::from(*x)).collect(),
        DType::BF16 => array.as_slice::<bf16>().unwrap().iter().map(|x| f64::from(*x)).collect(),
        _ => array.as_slice::<f32>().unwrap().iter().map(|x| f64::from(*x)).collect(),
    };
    Tensor::new(array.shape().to_vec(), data)
}

/// The norm of the difference over the norm of what is expected; of what cancels to nothing, over a twentieth.
pub fn distance(expected: &Tensor, found: &Tensor) -> f64 {
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    let (expected, found) = (expected.floats(), found.floats());
    let difference = norm(&mut expected.iter().zip(&found).map(|(a, b)| a - b));
    difference / (norm(&mut expected.iter().copied()) + 5e-2)
}
