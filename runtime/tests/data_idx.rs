//! IDX files, whole, cut and foreign.

use std::io::Write;
use std::path::Path;

use castnet_runtime::data::{Idx, ImageSet, Normalize};
use castnet_runtime::{Array, Result};
use flate2::Compression;
use flate2::write::GzEncoder;

fn idx(code: u8, sizes: &[u32], payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, sizes.len() as u8];
    sizes.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes.extend(payload);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn read(bytes: &[u8]) -> Result<Array> {
    Idx::read_from(bytes, "x.idx")
}

fn message(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

#[test]
fn every_type_and_rank() {
    let a = read(&idx(0x08, &[2, 3], &[1, 2, 3, 4, 5, 255])).unwrap();
    assert_eq!(a, Array::from_vec(&[2, 3], vec![1u8, 2, 3, 4, 5, 255]).unwrap());
    assert_eq!(read(&idx(0x09, &[2], &[1, 255])).unwrap(), Array::from_vec(&[2], vec![1i8, -1]).unwrap());
    assert_eq!(read(&idx(0x0b, &[2], &[0xff, 0xfe, 1, 0])).unwrap(), Array::from_vec(&[2], vec![-2i16, 256]).unwrap());
    assert_eq!(read(&idx(0x0c, &[], &[0xff, 0xff, 0xff, 0xfd])).unwrap(), Array::scalar(-3i32));
    assert_eq!(
        read(&idx(0x0d, &[1, 1], &1.5f32.to_be_bytes())).unwrap(),
        Array::from_vec(&[1, 1], vec![1.5f32]).unwrap()
    );
    assert_eq!(
        read(&idx(0x0e, &[1], &(-0.25f64).to_be_bytes())).unwrap(),
        Array::from_vec(&[1], vec![-0.25f64]).unwrap()
    );
    assert_eq!(read(&idx(0x08, &[0, 28], &[])).unwrap().shape(), [0, 28]);
    assert_eq!(read(&idx(0x08, &[1; 255], &[9])).unwrap().shape(), [1; 255]);
}

#[test]
fn gzip_is_told_by_its_content() {
    let bytes = idx(0x08, &[3], &[1, 2, 3]);
    assert_eq!(read(&gzip(&bytes)).unwrap(), read(&bytes).unwrap());
    // Members one after the other are one stream, as for gunzip.
    let two = [gzip(&bytes[..5]), gzip(&bytes[5..])].concat();
    assert_eq!(read(&two).unwrap(), read(&bytes).unwrap());
}

#[test]
fn messages_say_file_place_expected_and_found() {
    let bytes = idx(0x08, &[60_000, 28, 28], &[7; 1218]);
    assert_eq!(message(&bytes), "x.idx: byte 1234: expected 47040016 bytes in all for u8[60000, 28, 28], found 1234");
    assert_eq!(message(&gzip(&bytes)), message(&bytes));
    assert_eq!(message(b"\x89PNG"), "x.idx: byte 0: expected the two zero bytes that begin an IDX file, found 89 50");
    assert_eq!(
        message(&[0, 0, 7, 1]),
        "x.idx: byte 2: expected an element type among 08, 09, 0b, 0c, 0d, 0e, found 07"
    );
    assert_eq!(
        message(&[]),
        "x.idx: byte 0: expected a magic number of 4 bytes, found the end of the file after 0 bytes"
    );
    assert_eq!(
        message(&idx(8, &[1, 2], &[])[..10]),
        "x.idx: byte 8: expected the size of axis 1 of 2, found the end of the file after 10 bytes"
    );
    assert_eq!(
        message(&idx(8, &[2], &[1, 2, 3])),
        "x.idx: byte 10: expected the end of the file after u8[2], found further bytes"
    );
    let huge = message(&idx(0x0e, &[u32::MAX; 3], &[]));
    assert!(huge.contains("byte 4: expected sizes whose product can be held in memory, found [4294967295,"), "{huge}");
    // Countable, but not there: found out without allocating for it.
    let claimed = message(&idx(0x08, &[u32::MAX, 1 << 30], &[1]));
    assert!(claimed.contains("bytes in all for u8[4294967295, 1073741824], found 13"), "{claimed}");
    let missing = Idx::read("nowhere/none.idx").unwrap_err().to_string();
    assert!(missing.starts_with("nowhere/none.idx: cannot be opened"), "{missing}");
}

#[test]
fn cut_anywhere_is_an_error() {
    let bytes = idx(0x0c, &[2, 2], &[3; 16]);
    let packed = gzip(&bytes);
    for (whole, name) in [(&bytes, "plain"), (&packed, "gzip")] {
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "{name} cut to {end} bytes");
        }
        assert!(read(whole).is_ok());
        let longer = [&whole[..], &[0]].concat();
        // What follows a gzip stream may be padding of zeros; gunzip and flate2 let other bytes pass as well as not.
        assert!(name == "gzip" || read(&longer).is_err());
    }
    // The checksum at the end of gzip counts too.
    let mut wrong = packed.clone();
    let crc = wrong.len() - 8;
    wrong[crc] ^= 1;
    let text = message(&wrong);
    assert!(
        text.starts_with("x.idx: byte 28: expected whole gzip data, found a fault after 28 decompressed bytes"),
        "{text}"
    );
}

#[test]
fn foreign_bytes_are_errors_or_arrays_but_never_a_panic() {
    let bytes = idx(0x08, &[2, 3], &[1; 6]);
    for place in 0..12 {
        for value in 0..=255u8 {
            let mut foreign = bytes.clone();
            foreign[place] = value;
            let still_right = value == bytes[place] || (place, value) == (2, 0x09); // i8 has as many bytes
            assert_eq!(read(&foreign).is_ok(), still_right, "byte {place} = {value}");
        }
    }
    let packed = gzip(&bytes);
    let mut state = 1u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for round in 0..20_000 {
        let mut foreign = match round % 3 {
            0 => bytes.clone(),
            1 => packed.clone(),
            _ => (0..random() % 64).map(|_| random() as u8).collect(),
        };
        for _ in 0..random() % 4 {
            if !foreign.is_empty() {
                let place = random() % foreign.len();
                foreign[place] = random() as u8;
            }
        }
        let _ = read(&foreign);
    }
}

fn write_set(folder: &Path, set: &str, images: &[u8], labels: &[u8], suffix: &str) {
    for (kind, bytes) in [("images-idx3", images), ("labels-idx1", labels)] {
        let bytes = if suffix.is_empty() { bytes.to_vec() } else { gzip(bytes) };
        std::fs::write(folder.join(format!("{set}-{kind}-ubyte{suffix}")), bytes).unwrap();
    }
}

#[test]
fn mnist_folders() {
    let dir = tempfile::tempdir().unwrap();
    let images = idx(8, &[3, 2, 2], &[0, 255, 51, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    let open = || ImageSet::open_mnist(dir.path());
    let text = || open().unwrap_err().to_string();
    assert!(text().ends_with("neither train-images-idx3-ubyte nor train-images-idx3-ubyte.gz is there"), "{}", text());
    write_set(dir.path(), "train", &images, &idx(8, &[3], &[7, 0, 9]), ".gz");
    write_set(dir.path(), "t10k", &images, &idx(8, &[3], &[1, 2, 3]), "");
    let (train, test) = open().unwrap();
    assert_eq!((train.len(), test.labels.as_slice::<u8>().unwrap()), (3, &[1u8, 2, 3][..]));
    assert_eq!(train.dataset(Normalize::MNIST).unwrap().len(), 3);

    write_set(dir.path(), "t10k", &images, &idx(8, &[2], &[1, 2]), "");
    assert!(text().contains("expected 3 labels, one for each image in "), "{}", text());
    write_set(dir.path(), "t10k", &images, &idx(8, &[3], &[1, 10, 3]), "");
    assert!(text().ends_with("t10k-labels-idx1-ubyte: byte 9: expected a label in 0..10, found 10"), "{}", text());
    write_set(dir.path(), "t10k", &idx(8, &[3], &[1, 1, 3]), &idx(8, &[3], &[1, 1, 3]), "");
    assert!(text().ends_with("byte 2: expected u8 images with 3 axes, found u8[3]"), "{}", text());
}

#[test]
fn the_real_thing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/mnist");
    let (train, test) = ImageSet::open_mnist(folder).unwrap();
    assert_eq!((train.images.shape(), train.len()), (&[60_000, 28, 28][..], 60_000));
    assert_eq!(test.images.shape(), [10_000, 28, 28]);
    assert_eq!(test.labels.as_slice::<u8>().unwrap()[..5], [7, 2, 1, 0, 4]);
    let pixels = train.images.as_slice::<u8>().unwrap();
    let mean = pixels.iter().map(|&p| u64::from(p)).sum::<u64>() as f64 / pixels.len() as f64 / 255.0;
    assert!((mean - f64::from(Normalize::MNIST.mean)).abs() < 1e-4, "{mean}");
}
