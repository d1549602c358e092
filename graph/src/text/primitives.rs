//! The primitives whose text is a name, attributes in brackets, and operands: a line each, for the printer and the reader.

use super::line::{Line, Problem};

use super::read::GraphLine;
use crate::attention::Attention;
use crate::graph::{Op, Taps, Window};
use crate::number::Number;
use crate::size::Size;
use crate::types::DType;

macro_rules! primitives {
    ($($name:literal => $variant:ident $(($($field:ident),+))? $({$($named:ident),+})?,)*) => {
        /// `softmax[1]`.
        pub(super) fn write(op: &Op) -> String {
            match op {
                $(Op::$variant $(($($field),+))? $({$($named),+})? => {
                    let attributes: Vec<String> = vec![$($($field.write()),+)? $($($named.write()),+)?];
                    format!("{}{}", $name, bracketed(&attributes))
                })*
                // These have a form of their own.
                Op::Input(_) | Op::Parameter(_) | Op::RoundParameter { .. } | Op::Mirror { .. } | Op::State(_)
                | Op::RoundState { .. } | Op::Const(_) | Op::Size(_) | Op::Iota(_) | Op::LossScale | Op::Random(_) | Op::Unary(_) | Op::Binary(_)
                | Op::Reduce(..) | Op::MatMul { .. } | Op::Routine(_) | Op::Repeat(_) | Op::Get(_) => format!("{op:?}"),
            }
        }

        /// The primitive of this name; the line goes on with its attributes. `None`: there is none.
        pub(super) fn read(name: &str, line: &mut Line) -> Result<Option<Op>, Problem> {
            Ok(Some(match name {
                $($name => {
                    let names: &[&str] = &[$($(stringify!($field)),+)? $($(stringify!($named)),+)?];
                    #[allow(unused_variables, unused_mut)] // Some have no attributes.
                    let mut attributes = Attributes { line, names, at: 0 };
                    Op::$variant $(($(attributes.next(stringify!($field))?),+))?
                        $({$($named: attributes.next(stringify!($named))?),+})?
                })*
                _ => return Ok(None),
            }))
        }
    };
}

primitives! {
    "where" => Select,
    "cast" => Cast,
    "detach" => Detach,
    "with_slope" => WithSlope,
    "copy" => Copy,
    "after" => After,
    "softmax" => Softmax(axis),
    "safe_softmax" => SafeSoftmax(axis),
    "log_softmax" => LogSoftmax(axis),
    "normalize" => Normalize(axes),
    "broadcast" => Broadcast,
    "reshape" => Reshape,
    "permute" => Permute(order),
    "slice" => Slice { axis, start, step },
    "pad" => Pad { before, value },
    "cat" => Cat(axis),
    "gather" => Gather { axis },
    "scatter" => Scatter { axis },
    "conv2d" => Conv2d(window),
    "conv2d_input_grad" => Conv2dInputGrad(window),
    "conv2d_weight_grad" => Conv2dWeightGrad(window),
    "max_pool2d" => MaxPool2d(window),
    "max_pool2d_grad" => MaxPool2dGrad(window),
    "max_pool2d_index" => MaxPool2dIndex(window),
    "max_pool2d_scatter" => MaxPool2dScatter(window),
    "max_pool2d_gather" => MaxPool2dGather(window),
    "sum_pool2d" => SumPool2d(window),
    "sum_pool2d_grad" => SumPool2dGrad(window),
    "resample" => Resample { axis, taps },
    "attention" => Attention(options),
    "attention_grad" => AttentionGrad(options),
}

/// In brackets, unless there are none, or one that has brackets of its own.
fn bracketed(attributes: &[String]) -> String {
    match attributes {
        [] => String::new(),
        [one] if one.starts_with('[') => one.clone(),
        all => format!("[{}]", all.join(", ")),
    }
}

/// The attributes of one primitive while they are read.
struct Attributes<'l, 't> {
    line: &'l mut Line<'t>,
    names: &'static [&'static str],
    at: usize,
}

impl Attributes<'_, '_> {
    fn next<A: Attribute>(&mut self, name: &str) -> Result<A, Problem> {
        debug_assert_eq!(self.names[self.at], name);
        let alone = self.names.len() == 1 && A::HAS_BRACKETS;
        if !alone {
            self.line.expect(if self.at == 0 { "[" } else { "," })?;
        }
        let attribute = A::read(self.line)?;
        self.at += 1;
        if !alone && self.at == self.names.len() {
            self.line.expect("]")?;
        }
        Ok(attribute)
    }
}

/// What can stand in brackets.
trait Attribute: Sized {
    /// Whether the text has brackets of its own.
    const HAS_BRACKETS: bool = false;
    fn write(&self) -> String;
    fn read(line: &mut Line) -> Result<Self, Problem>;
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Attribute for $number {
            fn write(&self) -> String {
                self.to_string()
            }

            fn read(line: &mut Line) -> Result<$number, Problem> {
                line.number()
            }
        }
    )*};
}

numbers!(usize, i64);

impl Attribute for Number {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(line: &mut Line) -> Result<Number, Problem> {
        line.constant()
    }
}

impl Attribute for Size {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(line: &mut Line) -> Result<Size, Problem> {
        line.size()
    }
}

impl Attribute for Taps {
    fn write(&self) -> String {
        let corners = |corners: bool| if corners { " corners" } else { "" };
        match self {
            Taps::Bins => "bins".into(),
            Taps::Line { corners: to } => format!("line{}", corners(*to)),
            Taps::LineGrad { corners: to } => format!("line_grad{}", corners(*to)),
        }
    }

    fn read(line: &mut Line) -> Result<Taps, Problem> {
        match line.word() {
            "bins" => Ok(Taps::Bins),
            "line" => Ok(Taps::Line { corners: line.eat("corners") }),
            "line_grad" => Ok(Taps::LineGrad { corners: line.eat("corners") }),
            _ => Err(line.wrong("`bins`, `line` or `line_grad`")),
        }
    }
}

impl Attribute for Attention {
    /// `causal, bf16, scale 0.5`.
    fn write(&self) -> String {
        let sees = if self.causal { "causal" } else { "full" };
        let half = self.half.map_or(String::new(), |half| format!(", {half}"));
        let scale = self.scale.map_or(String::new(), |scale| format!(", scale {scale}"));
        format!("{sees}{half}{scale}")
    }

    fn read(line: &mut Line) -> Result<Attention, Problem> {
        let before = line.rest;
        let causal = match line.word() {
            "causal" => true,
            "full" => false,
            _ => return Err(Line { rest: before }.wrong("`causal` or `full`")),
        };
        let half = [DType::BF16, DType::F16].into_iter().find(|half| line.eat(&format!(", {half}")));
        if !line.eat(",") {
            return Ok(Attention { causal, scale: None, half });
        }
        line.expect("scale")?;
        Ok(Attention { causal, scale: Some(line.constant()?), half })
    }
}

impl<A: Attribute> Attribute for Vec<A> {
    const HAS_BRACKETS: bool = true;

    fn write(&self) -> String {
        format!("[{}]", self.iter().map(A::write).collect::<Vec<_>>().join(", "))
    }

    fn read(line: &mut Line) -> Result<Vec<A>, Problem> {
        line.list("[", "]", A::read)
    }
}

impl Attribute for Window {
    const HAS_BRACKETS: bool = true;

    /// `[5×5]`, with what departs from the default.
    fn write(&self) -> String {
        let pair = |p: [i64; 2]| if p[0] == p[1] { p[0].to_string() } else { format!("{}×{}", p[0], p[1]) };
        let mut text = format!("[{}×{}", self.kernel[0], self.kernel[1]);
        for (name, value, default) in
            [("stride", self.stride, 1), ("padding", self.padding, 0), ("dilation", self.dilation, 1)]
        {
            if value != [default; 2] {
                text += &format!(", {name} {}", pair(value));
            }
        }
        if self.groups != 1 {
            text += &format!(", groups {}", self.groups);
        }
        text + "]"
    }

    fn read(line: &mut Line) -> Result<Window, Problem> {
        let pair = |line: &mut Line| -> Result<[i64; 2], Problem> {
            let first = line.number()?;
            Ok([first, if line.eat("×") { line.number()? } else { first }])
        };
        line.expect("[")?;
        let mut window = Window { kernel: pair(line)?, stride: [1; 2], padding: [0; 2], dilation: [1; 2], groups: 1 };
        while line.eat(",") {
            match line.word() {
                "stride" => window.stride = pair(line)?,
                "padding" => window.padding = pair(line)?,
                "dilation" => window.dilation = pair(line)?,
                "groups" => window.groups = line.number()?,
                _ => return Err(line.wrong("`stride`, `padding`, `dilation` or `groups`")),
            }
        }
        line.expect("]")?;
        Ok(window)
    }
}
