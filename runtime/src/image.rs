//! Pictures from files, as networks for digits want them.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;

use png::{ColorType, Decoder, Transformations};

use crate::array::Array;
use crate::error::{Error, Result};
use crate::memory::collected;
use crate::replace::replace_with;

/// A grey picture: a byte a pixel, 0 black to 255 white, row by row.
///
/// ```no_run
/// use castnet_runtime::{data::Normalize, image::GreyImage};
///
/// let digit = GreyImage::read_png("digit.png")?.white_on_black().resize(28, 28)?;
/// let input = Normalize::MNIST.apply(&digit.to_array(&[1, 1, 28, 28])?)?; // f32[1, 1, 28, 28]
/// # Ok::<(), castnet_runtime::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GreyImage {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

/// More pixels than this are taken for a mistake or an attack: a header of 33 bytes can claim 2⁶².
const MOST_PIXELS: u64 = 1 << 26;

impl GreyImage {
    /// A picture from its pixels; `None` if their number is not `width * height`, or that is 0.
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Option<GreyImage> {
        let fits = width.checked_mul(height) == Some(pixels.len()) && !pixels.is_empty();
        fits.then_some(GreyImage { width, height, pixels })
    }

    /// The PNG file at `path`: grey, colour or palette, with or without transparency, of 1 to 16 bits (of 16 the upper 8 are used).
    ///
    /// Colour becomes luma, 0.299 R + 0.587 G + 0.114 B; what is transparent shows white paper.
    ///
    /// # Errors
    /// If the file cannot be read, is not a whole PNG image, has more than 2²⁶ pixels, or there is no memory for them.
    pub fn read_png(path: impl AsRef<Path>) -> Result<GreyImage> {
        let path = path.as_ref();
        let file = File::open(path).map_err(Error::io(path, "cannot be opened"))?;
        let wrong = |reason: String| Error::Image { path: path.to_path_buf(), reason };
        let mut decoder = Decoder::new(BufReader::new(file));
        decoder.set_transformations(Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().map_err(|e| wrong(e.to_string()))?;
        let (width, height) = reader.info().size();
        if u64::from(width) * u64::from(height) > MOST_PIXELS {
            return Err(wrong(format!("{width} × {height} pixels are more than {MOST_PIXELS}")));
        }
        let bytes = reader.output_buffer_size().ok_or_else(|| wrong(format!("{width} × {height} pixels")))?;
        let no_memory = |bytes| Error::Memory { function: format!("the pixels of {}", path.display()), bytes };
        let buffer = collected(bytes, std::iter::repeat_n(0, bytes));
        let mut buffer = buffer.ok_or_else(|| no_memory(bytes))?;
        let frame = reader.next_frame(&mut buffer).map_err(|e| wrong(e.to_string()))?;
        let samples = &buffer[..frame.buffer_size().min(bytes)];
        let pixels = match frame.color_type {
            ColorType::Grayscale => collected(samples.len(), samples.iter().copied()),
            ColorType::GrayscaleAlpha => grey(samples, |[grey, alpha]| over_white(grey, alpha)),
            ColorType::Rgb => grey(samples, luma),
            ColorType::Rgba => grey(samples, |[r, g, b, alpha]| over_white(luma([r, g, b]), alpha)),
            ColorType::Indexed => return Err(wrong("its palette cannot be expanded".to_string())),
        };
        let pixels = pixels.ok_or_else(|| no_memory(bytes))?;
        let found = pixels.len();
        GreyImage::new(width as usize, height as usize, pixels)
            .ok_or_else(|| wrong(format!("{found} of {width} × {height} pixels")))
    }

    /// A picture of values in 0 to 1 (what lies outside is cut off), such as a network makes, side by side in a grid of `columns`, with a
    /// black line between them: from `f32[n, …]` whose other elements make an image `width` wide.
    ///
    /// # Errors
    /// If the array is not `f32`, has no elements, or its images are not of whole rows; or if `columns` is 0.
    pub fn grid(images: &Array, width: usize, columns: usize) -> Result<GreyImage> {
        let values = images.as_slice::<f32>()?;
        let count = images.shape().first().copied().unwrap_or(0);
        let size = values.len().checked_div(count).unwrap_or(0);
        if size == 0 || columns == 0 || width == 0 || size % width != 0 {
            let what =
                format!("no grid of {columns} columns of images {width} wide can be made of {}", images.describe());
            return Err(Error::Data { what });
        }
        let height = size / width;
        let rows = count.div_ceil(columns);
        let line = columns.checked_mul(width + 1).map(|line| line - 1);
        let bytes = line.and_then(|line| line.checked_mul(rows * (height + 1) - 1));
        let pixels = bytes.and_then(|bytes| collected(bytes, std::iter::repeat_n(0, bytes)));
        let (Some(line), Some(mut pixels)) = (line, pixels) else {
            let function = format!("a picture of {columns} columns");
            return Err(Error::Memory { function, bytes: bytes.unwrap_or(usize::MAX) });
        };
        for (i, image) in values.chunks_exact(size).enumerate() {
            let corner = (i / columns) * (height + 1) * line + (i % columns) * (width + 1);
            for (y, row) in image.chunks_exact(width).enumerate() {
                let to = &mut pixels[corner + y * line..][..width];
                to.iter_mut().zip(row).for_each(|(to, value)| *to = (value.clamp(0.0, 1.0) * 255.0).round() as u8);
            }
        }
        Ok(GreyImage { width: line, height: pixels.len() / line, pixels })
    }

    /// Writes a PNG file of 8 bits grey. An old file of that name is replaced in one go.
    ///
    /// # Errors
    /// If the file cannot be written; the old one is as it was.
    pub fn write_png(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        // The format has no larger ones, nor numbers for them.
        let (Ok(width), Ok(height)) = (u32::try_from(self.width), u32::try_from(self.height)) else {
            let reason = format!("{} × {} pixels are more than a PNG image can have", self.width, self.height);
            return Err(Error::Image { path: path.to_path_buf(), reason });
        };
        replace_with(path, |file| {
            let mut encoder = png::Encoder::new(file, width, height);
            encoder.set_color(ColorType::Grayscale);
            let mut writer = encoder.write_header()?;
            // In pieces: the whole picture would be compressed in memory first.
            let mut pieces = writer.stream_writer()?;
            pieces.write_all(&self.pixels)?;
            pieces.finish()?;
            Ok(writer.finish()?)
        })
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Row by row, 0 black to 255 white.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Inverts the picture if its background is light, as MNIST's digits are white on black. The background is what most of the
    /// pixels at the edge show: it is light if their mean is over 127.
    pub fn white_on_black(mut self) -> GreyImage {
        let last = self.height - 1;
        let (mut sum, mut count) = (0u64, 0u64);
        for (y, row) in self.pixels.chunks_exact(self.width).enumerate() {
            let step = if y == 0 || y == last { 1 } else { (self.width - 1).max(1) };
            for &pixel in row.iter().step_by(step) {
                sum += u64::from(pixel);
                count += 1;
            }
        }
        if sum > 127 * count {
            self.pixels.iter_mut().for_each(|pixel| *pixel = 255 - *pixel);
        }
        self
    }

    /// The picture in another size: each new pixel is the mean of the area that it covers in the old one (a box filter), so it is
    /// stretched where the proportions differ. A size of 0 is taken as 1.
    ///
    /// # Errors
    /// If there is no memory for so many pixels.
    pub fn resize(self, width: usize, height: usize) -> Result<GreyImage> {
        let (width, height) = (width.max(1), height.max(1));
        if (width, height) == (self.width, self.height) {
            return Ok(self);
        }
        let bytes = width.saturating_mul(height);
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let mean = |(x, y)| self.mean(span(x, width, self.width), span(y, height, self.height));
        let pixels = collected(bytes, places.map(mean));
        let no_memory = || Error::Memory { function: format!("a picture of {width} × {height} pixels"), bytes };
        Ok(GreyImage { width, height, pixels: pixels.ok_or_else(no_memory)? })
    }

    /// The pixels as `u8` under this shape: `&[1, 1, 28, 28]`.
    ///
    /// # Errors
    /// If the shape has another number of elements than the picture.
    pub fn to_array(&self, shape: &[usize]) -> Result<Array> {
        Array::from_slice(shape, &self.pixels)
    }

    /// The mean over an area, rounded.
    fn mean(&self, (left, right): (f64, f64), (top, bottom): (f64, f64)) -> u8 {
        let mut sum = 0.0;
        for y in top as usize..(bottom.ceil() as usize).min(self.height) {
            let row = &self.pixels[y * self.width..][..self.width];
            let high = bottom.min(y as f64 + 1.0) - top.max(y as f64);
            for (x, &pixel) in row.iter().enumerate().take(right.ceil() as usize).skip(left as usize) {
                let wide = right.min(x as f64 + 1.0) - left.max(x as f64);
                sum += f64::from(pixel) * high * wide;
            }
        }
        (sum / ((right - left) * (bottom - top))).round() as u8
    }
}

/// From where to where new pixel `i` of `new` reaches on the old axis.
fn span(i: usize, new: usize, old: usize) -> (f64, f64) {
    let at = |i: usize| (i as f64 * old as f64 / new as f64).min(old as f64);
    (at(i), at(i + 1))
}

/// `None`: no memory.
fn grey<const CHANNELS: usize>(samples: &[u8], f: impl Fn([u8; CHANNELS]) -> u8) -> Option<Vec<u8>> {
    let (pixels, _) = samples.as_chunks::<CHANNELS>();
    collected(pixels.len(), pixels.iter().map(|pixel| f(*pixel)))
}

/// Rec. 601's luma, in integers, rounded.
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b) + 500) / 1000) as u8
}

fn over_white(grey: u8, alpha: u8) -> u8 {
    let (grey, alpha) = (u32::from(grey), u32::from(alpha));
    ((grey * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}
