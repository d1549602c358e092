//! The memory plan as a picture: kernels from left to right, the arena's bytes upwards, a rectangle a buffer.

use std::fmt::Write;

use super::machine::Settings;
use super::summary::size_text;
use crate::program::lives::lives;
use crate::program::{Place, Program};

/// The drawing area: left and upper margin, height, least and most width.
const LEFT: f64 = 90.0;
const TOP: f64 = 70.0;
const HEIGHT: f64 = 420.0;
const WIDTH: [f64; 2] = [420.0, 1400.0];

/// A buffer of the arena.
struct Bar<'p> {
    name: &'p str,
    kind: Kind,
    /// First and last kernel.
    life: (usize, usize),
    start: i64,
    bytes: i64,
}

/// What a buffer is for, by its life and name.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// From the forward to the backward half.
    Saved,
    /// A gradient that flows back.
    Gradient,
    /// All else.
    Passing,
}

impl Kind {
    const ALL: [(Kind, &'static str, &'static str); 3] = [
        (Kind::Passing, "passing", "value, read soon"),
        (Kind::Saved, "saved", "value kept for the backward pass"),
        (Kind::Gradient, "gradient", "gradient on its way back"),
    ];

    fn class(self) -> &'static str {
        Kind::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, class, _)| class)
    }
}

/// The plan of a program at these run-time sizes as an SVG.
pub(super) fn svg(name: &str, program: &Program, settings: &Settings) -> String {
    let value = |name: &str| settings.size(name);
    let blocks = blocks(program, &value);
    let bytes = program.arena_bytes(&value).max(1);
    let kernels = program.launches.len().max(1);
    let width = (28.0 * kernels as f64).clamp(WIDTH[0], WIDTH[1]);
    let (step, scale) = (width / kernels as f64, HEIGHT / bytes as f64);
    let bottom = TOP + HEIGHT;
    let (all_width, all_height) = (LEFT + width + 20.0, bottom + 60.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {all_width:.0} {all_height:.0}\" width=\"{all_width:.0}\" height=\"{all_height:.0}\" role=\"img\">\n{STYLE}"
    );
    let binding = settings.binding(program);
    let at = if binding.is_empty() { binding } else { format!(" at {binding}") };
    let heading = format!("{name}{at}: {} of activations", size_text(bytes as f64));
    let _ = writeln!(svg, "<title>{}</title>", escaped(&heading));
    let _ = writeln!(svg, "<rect class=\"ground\" width=\"100%\" height=\"100%\"/>");
    let _ = writeln!(svg, "<text class=\"heading\" x=\"{LEFT}\" y=\"24\">{}</text>", escaped(&heading));
    let mut x = LEFT;
    for (_, class, text) in Kind::ALL {
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{x}\" y=\"38\" width=\"14\" height=\"14\"/><text x=\"{}\" y=\"50\">{text}</text>",
            x + 20.0
        );
        x += 40.0 + 7.0 * text.len() as f64;
    }
    for tick in 0..=4 {
        let (part, y) = (bytes as f64 * f64::from(tick) / 4.0, bottom - HEIGHT * f64::from(tick) / 4.0);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text class=\"right\" x=\"{}\" y=\"{:.1}\">{}</text>",
            LEFT + width,
            LEFT - 6.0,
            y + 4.0,
            size_text(part.round())
        );
    }
    let every = kernels.div_ceil(24);
    for kernel in (0..kernels).step_by(every) {
        let _ = writeln!(
            svg,
            "<text class=\"middle\" x=\"{:.1}\" y=\"{}\">{kernel}</text>",
            LEFT + step * (kernel as f64 + 0.5),
            bottom + 18.0
        );
    }
    let _ = writeln!(
        svg,
        "<text class=\"middle\" x=\"{:.1}\" y=\"{}\">kernels, in the order in which they run</text>",
        LEFT + width / 2.0,
        bottom + 42.0
    );
    let _ = writeln!(
        svg,
        "<text class=\"middle\" transform=\"translate(16 {}) rotate(-90)\">place in the arena</text>",
        TOP + HEIGHT / 2.0
    );
    for block in &blocks {
        let (x, y) = (LEFT + step * block.life.0 as f64, bottom - scale * (block.start + block.bytes) as f64);
        let (w, h) = (step * (block.life.1 - block.life.0 + 1) as f64, scale * block.bytes as f64);
        let _ = writeln!(
            svg,
            "<g><title>{}: {}, kernels {} to {}, bytes {} to {}</title><rect class=\"{}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{:.1}\"/>",
            escaped(block.name),
            size_text(block.bytes as f64),
            block.life.0,
            block.life.1,
            block.start,
            block.start + block.bytes,
            block.kind.class(),
            h.max(0.5)
        );
        // The name, where there is room for it.
        if h > 12.0 && w > 7.0 * block.name.chars().count() as f64 {
            let _ = write!(
                svg,
                "<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                x + 4.0,
                y + h / 2.0 + 4.0,
                escaped(block.name)
            );
        }
        svg += "</g>\n";
    }
    svg + "</svg>\n"
}

const STYLE: &str = "<style>
text { font: 12px system-ui, sans-serif; fill: #222; }
.heading { font-size: 15px; font-weight: 600; }
.right { text-anchor: end; } .middle { text-anchor: middle; } .name { pointer-events: none; }
.ground { fill: #fff; } .grid { stroke: #ddd; }
g rect { stroke: #fff; stroke-width: 1; }
.passing { fill: #9ecae9; } .saved { fill: #f6c667; } .gradient { fill: #b9dca0; }
@media (prefers-color-scheme: dark) {
text { fill: #ddd; }
.ground { fill: #1c1c1e; } .grid { stroke: #444; }
g rect { stroke: #1c1c1e; }
.passing { fill: #2f6690; } .saved { fill: #8a6414; } .gradient { fill: #44702a; }
}
</style>
";

fn blocks<'p>(program: &'p Program, value: &dyn Fn(&str) -> i64) -> Vec<Bar<'p>> {
    let lives = lives(&program.launches, &program.schedule, program.buffers.len());
    let backward =
        program.launches.iter().position(|launch| launch.name.starts_with("d ") || launch.name.contains(" + d "));
    let mut blocks = vec![];
    for (buffer, life) in program.buffers.iter().zip(lives) {
        let (Place::Arena(offset), Some(life)) = (&buffer.place, life) else { continue };
        let kind = match backward {
            _ if buffer.name.starts_with("d ") => Kind::Gradient,
            Some(first) if life.0 < first && life.1 >= first => Kind::Saved,
            _ => Kind::Passing,
        };
        let start = offset.eval(value) + buffer.dtype.bytes() as i64 * buffer.start.eval(value);
        let bytes = buffer.dtype.bytes() as i64 * buffer.size.eval(value);
        blocks.push(Bar { name: &buffer.name, kind, life, start, bytes });
    }
    blocks
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
