//! Small programs of every family of launches, over arguments of an element type.

use castnet_graph::builder::{Builder, Declared, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::{Graph, StridedOperands, Value};
use castnet_graph::{ops, text};
use castnet_program::net::Init;
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};

/// Indices are below this.
pub const BELOW: usize = 5;

fn all(b: &mut Builder, name: &str, args: Vec<Arg>) -> Vec<Value> {
    let given: Vec<Given> = args.into_iter().map(|value| Given { name: None, value, at: Loc::default() }).collect();
    match ops::call(b, name, Loc::default(), &given) {
        Ok(Arg::Tensor(value)) => vec![value],
        Ok(Arg::List(list)) => {
            list.iter().map(|arg| if let Arg::Tensor(value) = arg { *value } else { panic!("{arg:?}") }).collect()
        }
        other => panic!("{name}: {other:?} {:?}", b.diagnostics),
    }
}

pub fn op(b: &mut Builder, name: &str, args: Vec<Arg>) -> Value {
    all(b, name, args)[0]
}

pub fn t(value: Value) -> Arg {
    Arg::Tensor(value)
}

pub fn int(value: i64) -> Arg {
    Arg::Size(value.into())
}

pub fn ints(values: &[i64]) -> Arg {
    Arg::List(values.iter().map(|value| int(*value)).collect())
}

type Body = fn(&mut Builder, &[Value], &[Value]) -> Vec<Value>;

/// A program: its arguments, of which `T` is the element type at hand, the parameters, and what is made of them.
pub struct Case {
    pub name: &'static str,
    pub arguments: &'static [(&'static str, &'static str)],
    parameters: &'static [&'static [i64]],
    /// Whether it is of floats only.
    pub floats: bool,
    body: Body,
}

const fn case(
    name: &'static str,
    floats: bool,
    arguments: &'static [(&'static str, &'static str)],
    parameters: &'static [&'static [i64]],
    body: Body,
) -> Case {
    Case { name, arguments, parameters, floats, body }
}

pub const CASES: &[Case] = &[
    case("flat", false, &[("T", "N,6,5"), ("T", "6,5"), ("bool", "N,6,5")], &[], |b, x, _| {
        let y = op(b, "mul", vec![t(x[0]), t(x[1])]);
        let y = op(b, "add", vec![t(y), t(x[0])]);
        vec![op(b, "where_", vec![t(x[2]), t(y), t(x[0])])]
    }),
    case("turned", false, &[("T", "N,6,5"), ("T", "5,6,N")], &[], |b, x, _| {
        let turned = op(b, "permute", vec![t(x[1]), ints(&[2, 1, 0])]);
        let y = op(b, "sub", vec![t(x[0]), t(turned)]);
        vec![y, op(b, "permute", vec![t(y), ints(&[1, 0, 2])])]
    }),
    case("copied", false, &[("T", "N,3,2,5")], &[], |_, x, _| vec![x[0], x[0]]),
    case("long rows", false, &[("T", "N,3,700"), ("T", "700")], &[], |b, x, _| {
        let y = op(b, "mul", vec![t(x[0]), t(x[1])]);
        vec![op(b, "sum", vec![t(y), int(2)]), op(b, "sum", vec![t(y), ints(&[1, 2])]), y]
    }),
    case("columns", false, &[("T", "N,300,7")], &[], |b, x, _| {
        vec![op(b, "sum", vec![t(x[0]), int(0)]), op(b, "amax", vec![t(x[0]), ints(&[0, 1])])]
    }),
    case("whole", false, &[("T", "N,40,7,3")], &[], |b, x, _| {
        vec![op(b, "sum", vec![t(x[0])]), op(b, "sum", vec![t(x[0]), ints(&[1, 2])])]
    }),
    case("softmax", true, &[("T", "N,8,9")], &[], |b, x, _| {
        let y = op(b, "softmax", vec![t(x[0]), int(-1)]);
        vec![y, op(b, "softmax", vec![t(x[0]), int(1)]), op(b, "layer_norm", vec![t(x[0]), ints(&[8, 9])])]
    }),
    case("gather", false, &[("T", "N,5,6"), ("i64", "N,5,4"), ("u8", "7")], &[], |b, x, _| {
        vec![
            op(b, "gather", vec![t(x[0]), int(2), t(x[1])]),
            op(b, "index_select", vec![t(x[0]), int(1), t(x[2])]),
            op(b, "index_select", vec![t(x[0]), int(2), t(x[2])]),
        ]
    }),
    case("scatter", false, &[("T", "N,5,6"), ("i32", "N,9,6"), ("T", "N,9,6")], &[], |b, x, _| {
        vec![op(b, "scatter_add", vec![t(x[0]), int(1), t(x[1]), t(x[2])])]
    }),
    case("product", true, &[("T", "N,12"), ("T", "12,40"), ("T", "3,12")], &[&[16, 12]], |b, x, w| {
        let turned = op(b, "t", vec![t(x[2])]);
        let linear = op(b, "t", vec![t(w[0])]);
        vec![
            op(b, "matmul", vec![t(x[0]), t(x[1])]),
            op(b, "matmul", vec![t(x[0]), t(turned)]),
            op(b, "matmul", vec![t(x[0]), t(linear)]),
        ]
    }),
    case("long product", true, &[("T", "N,2,1300"), ("T", "N,1300,33"), ("T", "1300,1")], &[], |b, x, _| {
        let y = op(b, "matmul", vec![t(x[0]), t(x[1])]);
        let z = op(b, "matmul", vec![t(x[0]), t(x[2])]);
        vec![op(b, "tanh", vec![t(y)]), z]
    }),
    case("convolution", true, &[("T", "N,4,7,6"), ("T", "8,2,3,3")], &[&[8, 4, 3, 3]], |b, x, w| {
        let y = op(b, "conv2d", vec![t(x[0]), t(w[0]), Arg::None, int(1), int(1)]);
        let z = op(b, "conv2d", vec![t(x[0]), t(x[1]), Arg::None, int(2), int(0), int(1), int(2)]);
        vec![op(b, "relu", vec![t(y)]), z]
    }),
    case("depthwise", true, &[("T", "N,40,5,6")], &[&[40, 1, 3, 3]], |b, x, w| {
        vec![op(b, "conv2d", vec![t(x[0]), t(w[0]), Arg::None, int(1), int(1), int(1), int(40)])]
    }),
    case("pools", true, &[("T", "N,3,8,6")], &[], |b, x, _| {
        let y = op(b, "max_pool2d", vec![t(x[0]), int(3), int(2), int(1)]);
        vec![y, op(b, "avg_pool2d", vec![t(x[0]), int(2)])]
    }),
    case("routines", false, &[("T", "N,4,9")], &[], |b, x, _| {
        vec![op(b, "cumsum", vec![t(x[0]), int(1)]), op(b, "sort", vec![t(x[0]), int(2)])]
    }),
    case("parts", false, &[("T", "N,6,8"), ("T", "N,6,3")], &[], |b, x, _| {
        let part = op(b, "narrow", vec![t(x[0]), int(2), int(2), int(4)]);
        let joined = op(b, "cat", vec![Arg::List(vec![t(part), t(x[1])]), int(2)]);
        let flat = op(b, "flatten", vec![t(x[0]), int(1)]);
        vec![op(b, "add", vec![t(joined), t(joined)]), joined, flat, op(b, "sum", vec![t(flat), int(1)])]
    }),
];

/// Programs of which results may take the place of arguments.
pub const DONATING: &[Case] = &[
    case("alone", false, &[("T", "N,4")], &[], |b, x, _| vec![op(b, "mul", vec![t(x[0]), t(x[0])])]),
    case("in place", false, &[("T", "N,4"), ("T", "N,4")], &[], |b, x, _| {
        let y = op(b, "mul", vec![t(x[0]), t(x[1])]);
        vec![op(b, "add", vec![t(y), t(x[0])])]
    }),
    case("turned in place", false, &[("T", "4,4"), ("T", "4,4"), ("T", "N,4")], &[], |b, x, _| {
        let turned = op(b, "t", vec![t(x[0])]);
        vec![op(b, "add", vec![t(turned), t(x[1])]), x[2]]
    }),
    // The first result is written by a kernel before the one that reads the first argument once more.
    case("read later", true, &[("T", "N,4"), ("T", "4,4")], &[], |b, x, _| {
        let y = op(b, "matmul", vec![t(x[0]), t(x[1])]);
        let z = op(b, "matmul", vec![t(y), t(x[1])]);
        vec![y, op(b, "add", vec![t(z), t(x[0])])]
    }),
    case("product in place", true, &[("T", "N,4"), ("T", "N,4"), ("T", "4,4")], &[], |b, x, _| {
        let y = op(b, "matmul", vec![t(x[0]), t(x[2])]);
        vec![op(b, "add", vec![t(y), t(x[1])])]
    }),
    case("rows in place", true, &[("T", "N,9,70")], &[], |b, x, _| vec![op(b, "softmax", vec![t(x[0]), int(-1)])]),
    case("columns in place", true, &[("T", "N,300,7")], &[], |b, x, _| vec![op(b, "softmax", vec![t(x[0]), int(1)])]),
];

fn size(text: &str) -> Size {
    text.parse().unwrap()
}

impl Case {
    fn graph(&self, parameters: &mut Parameters, dtype: DType) -> Graph {
        let mut b = Builder::new("Case.f", parameters, false);
        let weights: Vec<Value> = (0..self.parameters.len()).map(|i| b.parameter(i)).collect();
        let mut arguments = vec![];
        for (number, (of, shape)) in self.arguments.iter().enumerate() {
            let dtype = DType::from_name(of).unwrap_or(dtype);
            let shape: Vec<Size> = shape.split(',').map(size).collect();
            arguments.push(b.argument(&format!("x{number}"), Type::new(dtype, shape)));
        }
        for value in (self.body)(&mut b, &arguments, &weights) {
            b.result(value);
        }
        assert!(b.diagnostics.is_empty(), "{}: {:?}", self.name, b.diagnostics);
        b.graph
    }

    pub fn source(&self, dtype: DType, strided: bool) -> Source {
        let declared = |(i, shape): (usize, &&[i64])| Declared {
            shape: Some((shape.to_vec(), Init::Uniform(1.0))),
            ..Declared::new(format!("w{i}"))
        };
        let float = if dtype.is_float() { dtype } else { DType::F32 };
        let list = self.parameters.iter().enumerate().map(declared).collect();
        let mut parameters = Parameters { float, list, ..Parameters::default() };
        let graph = self.graph(&mut parameters, dtype);
        source(graph, parameters, strided)
    }
}

fn source(graph: Graph, parameters: Parameters, strided: bool) -> Source {
    let mut function = SourceFunction::new("f", graph, None);
    if strided {
        let (arguments, results) = (function.inference.arguments.len(), function.inference.outputs.len());
        function.strided = StridedOperands { arguments: (0..arguments).collect(), results: (0..results).collect() };
    }
    Source { name: "Case".into(), parameters, functions: vec![function] }
}

/// Loops, in which arguments are states, seen by every round, and rows.
const LOOPS: &str = "
    graph Case.f(x0: T[N, 4], x1: T[N, 3], x2: T[N, 4]) {
        %0 = argument 0                T[N, 4]  x0
        %1 = argument 1                T[N, 3]  x1
        %2 = argument 2                T[N, 4]  x2
        %3 = slice[1, 0, 1](%1)        T[N, 1]  slice
        %4 = reshape(%3)               T[N]     reshape
        %5 = slice[1, 1, 1](%0)        T[N, 1]  slice
        %6 = reshape(%5)               T[N]     reshape
        %7 = repeat N(%4; %6; %0, %2)  T[N]  scan
            graph round(sum: T[N], seen: T[N], row: T[4], other: T[4]) {
                %0 = argument 0        T[N]     sum
                %1 = argument 1        T[N]     seen
                %2 = argument 2        T[4]     row
                %3 = argument 3        T[4]     other
                %4 = mul(%2, %3)       T[4]     mul
                %5 = sum[0](%4)        T        sum
                %6 = broadcast(%5)     T[N]     broadcast
                %7 = add(%0, %1)       T[N]     add
                %8 = add(%7, %6)       T[N]     add
                result 0 = %8
                result 1 = %8
            }
        %8 = %7.0        T[N]    scan
        %9 = %7.1        T[N, N] scan
        result 0 = %8
        result 1 = %9
        result 2 = %0
    }";

/// A program with loops.
pub fn loops(dtype: DType, strided: bool) -> Source {
    let graph = text::read(&LOOPS.replace("T[", &format!("{dtype}[")).replace("T  ", &format!("{dtype}  "))).unwrap();
    source(graph, Parameters { float: DType::F32, ..Parameters::default() }, strided)
}
