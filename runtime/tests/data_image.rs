//! PNG files of every kind, made here; and broken ones.

use std::path::Path;

use castnet_runtime::Array;
use castnet_runtime::image::GreyImage;
use png::{BitDepth, ColorType, Encoder};

fn encode(size: [u32; 2], color: ColorType, depth: BitDepth, palette: Option<&[u8]>, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, size[0], size[1]);
    encoder.set_color(color);
    encoder.set_depth(depth);
    palette.into_iter().for_each(|palette| encoder.set_palette(palette.to_vec()));
    encoder.write_header().unwrap().write_image_data(data).unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Result<GreyImage, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    GreyImage::read_png(file.path()).map_err(|e| {
        let text = e.to_string();
        assert!(text.starts_with(file.path().to_str().unwrap()), "{text}");
        text
    })
}

#[test]
fn every_kind_of_pixel() {
    use BitDepth::{Eight, One, Sixteen};
    use ColorType::{Grayscale, GrayscaleAlpha, Indexed, Rgb, Rgba};
    let palette = [0, 0, 0, 255, 255, 255];
    let cases: [(ColorType, BitDepth, &[u8], [u8; 2]); 10] = [
        (Grayscale, Eight, &[10, 200], [10, 200]),
        (Grayscale, One, &[0b0100_0000], [0, 255]),
        (Grayscale, Sixteen, &[10, 99, 200, 1], [10, 200]),
        (GrayscaleAlpha, Eight, &[0, 255, 0, 0], [0, 255]),
        (GrayscaleAlpha, Sixteen, &[0, 0, 255, 255, 100, 0, 255, 255], [0, 100]),
        (Rgb, Eight, &[255, 0, 0, 0, 255, 0], [76, 150]),
        (Rgb, Sixteen, &[0, 0, 0, 0, 255, 0, 255, 0, 255, 0, 255, 0], [29, 255]),
        (Rgba, Eight, &[9, 9, 9, 0, 0, 0, 0, 102], [255, 153]),
        (Rgba, Sixteen, &[50, 0, 50, 0, 50, 0, 255, 0, 0, 0, 0, 0, 0, 0, 255, 0], [50, 0]),
        (Indexed, One, &[0b1000_0000], [255, 0]),
    ];
    for (color, depth, data, expected) in cases {
        let palette = (color == Indexed).then_some(&palette[..]);
        let image = read(&encode([2, 1], color, depth, palette, data)).unwrap();
        assert_eq!((image.width(), image.height()), (2, 1));
        assert_eq!(image.pixels(), expected, "{color:?} {depth:?}");
    }
}

#[test]
fn dark_on_light_is_inverted_and_light_on_dark_is_not() {
    let mut pixels = vec![240u8; 25];
    pixels[12] = 3;
    let paper = GreyImage::new(5, 5, pixels.clone()).unwrap().white_on_black();
    assert_eq!((paper.pixels()[0], paper.pixels()[12]), (15, 252));
    assert_eq!(paper.clone().white_on_black(), paper);
    for (width, height) in [(1, 1), (1, 3), (3, 1)] {
        let image = GreyImage::new(width, height, vec![255; width * height]).unwrap().white_on_black();
        assert!(image.pixels().iter().all(|&p| p == 0));
    }
}

#[test]
fn resizing_takes_the_mean_of_the_area() {
    let image = GreyImage::new(4, 2, vec![0, 100, 10, 10, 50, 50, 10, 30]).unwrap();
    assert_eq!(image.clone().resize(2, 1).unwrap().pixels(), [50, 15]);
    assert_eq!(image.clone().resize(4, 2).unwrap(), image);
    assert_eq!(GreyImage::new(2, 1, vec![0, 90]).unwrap().resize(3, 1).unwrap().pixels(), [0, 45, 90]);
    assert_eq!(GreyImage::new(3, 1, vec![0, 90, 180]).unwrap().resize(2, 1).unwrap().pixels(), [30, 150]);
    assert_eq!(GreyImage::new(1, 1, vec![7]).unwrap().resize(28, 28).unwrap().pixels(), [7; 784]);
    for n in 1..60 {
        let flat = GreyImage::new(n, 61 - n, vec![200; n * (61 - n)]).unwrap().resize(28, 28).unwrap();
        assert!(flat.pixels().iter().all(|&p| p == 200), "{n}");
    }
    let array = GreyImage::new(1, 1, vec![7]).unwrap().resize(28, 28).unwrap().to_array(&[1, 1, 28, 28]).unwrap();
    assert_eq!(array.describe(), "u8[1, 1, 28, 28]");
    assert!(image.to_array(&[9]).is_err());
    assert!(GreyImage::new(2, 2, vec![0; 3]).is_none());
    assert!(GreyImage::new(usize::MAX, 2, vec![0; 3]).is_none());
}

#[test]
fn broken_files_are_errors() {
    let whole = encode([4, 4], ColorType::Grayscale, BitDepth::Eight, None, &[77; 16]);
    assert!(read(&whole).is_ok());
    assert!(read(b"").is_err());
    assert!(read(b"GIF89a").unwrap_err().contains("not a PNG image that can be read: "));
    // The last chunk, IEND, is 12 bytes without content: a decoder may do without it.
    for end in 0..whole.len() - 12 {
        assert!(read(&whole[..end]).is_err(), "cut to {end} bytes");
    }
    for place in 0..whole.len() {
        for change in [1u8, 0x80, 0xff] {
            let mut foreign = whole.clone();
            foreign[place] ^= change;
            let _ = read(&foreign);
        }
    }
    let missing = GreyImage::read_png("nowhere/none.png").unwrap_err().to_string();
    assert!(missing.starts_with("nowhere/none.png: cannot be opened"), "{missing}");
}

#[test]
fn a_header_that_claims_too_much() {
    let mut bytes = encode([1, 1], ColorType::Rgba, BitDepth::Sixteen, None, &[0; 8]);
    bytes[16..20].copy_from_slice(&0x7fff_ffffu32.to_be_bytes());
    bytes[20..24].copy_from_slice(&0x7fff_ffffu32.to_be_bytes());
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    let text = read(&bytes).unwrap_err();
    assert!(text.contains("2147483647 × 2147483647") || text.contains("imits"), "{text}");
}

#[test]
fn the_digits_beside_the_examples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data");
    for digit in [2, 4, 7] {
        let image = GreyImage::read_png(folder.join(format!("digit-{digit}.png"))).unwrap();
        assert_eq!((image.width(), image.height()), (28, 28));
        assert_eq!(image.clone().white_on_black(), image);
    }
}

#[test]
fn a_grid_is_written_and_read_back() {
    let images =
        Array::from_vec(&[3, 2, 2], vec![0.0f32, 1.0, 0.2, -3.0, 1.0, 2.0, 0.4, 0.6, 0.5, 0.0, 0.0, 0.0]).unwrap();
    let grid = GreyImage::grid(&images, 2, 2).unwrap();
    let expected = [
        [0, 255, 0, 255, 255], //
        [51, 0, 0, 102, 153],
        [0, 0, 0, 0, 0],
        [128, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ];
    assert_eq!((grid.width(), grid.height(), grid.pixels()), (5, 5, expected.as_flattened()));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grid.png");
    grid.write_png(&path).unwrap();
    assert_eq!(GreyImage::read_png(&path).unwrap(), grid);
    // The name gets the new file once it is whole: whoever has the old one open keeps it.
    let (old, mut open) = (std::fs::read(&path).unwrap(), std::fs::File::open(&path).unwrap());
    GreyImage::new(1, 1, vec![7]).unwrap().write_png(&path).unwrap();
    assert_eq!(GreyImage::read_png(&path).unwrap().pixels(), [7]);
    let mut seen = vec![];
    std::io::Read::read_to_end(&mut open, &mut seen).unwrap();
    assert_eq!(seen, old);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    for (width, columns) in [(3, 1), (0, 1), (2, 0)] {
        let error = GreyImage::grid(&images, width, columns).unwrap_err().to_string();
        assert!(error.contains("f32[3, 2, 2]"), "{error}");
    }
    assert!(GreyImage::grid(&Array::zeros::<f32>(&[0, 2, 2]), 2, 1).is_err());
    assert!(grid.write_png("no such folder/grid.png").is_err());
}
