//! Layers whose declaration tells all sizes: the shapes before the first call are those that a call gives.

mod common;

use castnet_graph::builder::{Builder, Declared, DeclaredState, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::diagnostic::Loc;
use castnet_graph::layers::{self, LAYERS};
use castnet_graph::size::Size;
use castnet_graph::types::{DType, Type};

use common::*;

fn list(sizes: &[i64]) -> Arg {
    Arg::List(sizes.iter().map(|&size| int(size)).collect())
}

/// What a call with this input makes of the layer's tensors and states, or what its declaration alone does.
fn tensors(kind: &str, declared: &[Given], input: Option<&[i64]>) -> (Vec<Declared>, Vec<DeclaredState>) {
    let mut parameters = Parameters::default();
    let mut b = Builder::new("test", &mut parameters, true);
    let layer = layers::declare(&mut b, "layer", Loc::default(), kind, Loc::default(), declared).expect(kind);
    match input {
        None => layers::settle(&mut b, &layer),
        Some(shape) => {
            let dtype = if kind == "Embedding" { DType::I64 } else { DType::F32 };
            let ty = Type { dtype, shape: shape.iter().map(|&axis| Size::constant(axis)).collect() };
            let x = Arg::Tensor(b.argument("x", ty));
            layers::call(&mut b, &layer, Loc::default(), &[given(x)]).expect(kind);
        }
    }
    assert!(b.diagnostics.is_empty(), "{kind}: {:?}", b.diagnostics);
    (parameters.list, parameters.states)
}

#[test]
fn the_declaration_tells_what_a_call_tells() {
    let mut seen = vec![];
    for (kind, declared, input) in [
        ("Linear", vec![named("out_features", int(4)), named("in_features", int(3))], &[2, 3][..]),
        ("Embedding", vec![named("num_embeddings", int(5)), named("embedding_dim", int(4))], &[2, 3]),
        ("BatchNorm1d", vec![named("num_features", int(3))], &[2, 3, 4]),
        ("BatchNorm2d", vec![named("num_features", int(3))], &[2, 3, 4, 4]),
        ("InstanceNorm1d", vec![named("num_features", int(3)), named("affine", Arg::Bool(true))], &[2, 3, 4]),
        ("InstanceNorm2d", vec![named("num_features", int(3)), named("affine", Arg::Bool(true))], &[2, 3, 4, 4]),
        ("LayerNorm", vec![named("normalized_shape", list(&[3, 4]))], &[2, 3, 4]),
        ("RMSNorm", vec![named("normalized_shape", int(4))], &[2, 3, 4]),
        ("GroupNorm", vec![named("num_groups", int(2)), named("num_channels", int(6))], &[2, 6, 4, 4]),
        (
            "Conv1d",
            vec![named("out_channels", int(4)), named("kernel_size", int(3)), named("in_channels", int(2))],
            &[2, 2, 9],
        ),
        (
            "Conv2d",
            vec![
                named("out_channels", int(4)),
                named("kernel_size", list(&[5, 3])),
                named("in_channels", int(2)),
                named("dilation", int(3)),
                named("groups", int(2)),
            ],
            &[2, 2, 20, 20],
        ),
        (
            "ConvTranspose1d",
            vec![named("out_channels", int(4)), named("kernel_size", int(3)), named("in_channels", int(2))],
            &[2, 2, 9],
        ),
        (
            "ConvTranspose2d",
            vec![
                named("out_channels", int(4)),
                named("kernel_size", int(3)),
                named("in_channels", int(2)),
                named("padding", int(2)),
                named("stride", int(2)),
            ],
            &[2, 2, 9, 9],
        ),
        (
            "LSTM",
            vec![named("hidden_size", int(4)), named("input_size", int(3)), named("num_layers", int(2))],
            &[5, 2, 3],
        ),
        (
            "GRU",
            vec![named("hidden_size", int(4)), named("input_size", int(3)), named("bidirectional", Arg::Bool(true))],
            &[5, 2, 3],
        ),
        ("RNN", vec![named("hidden_size", int(4)), named("input_size", int(3))], &[5, 2, 3]),
    ] {
        if layers::find(kind).is_none() {
            continue;
        }
        seen.push(kind);
        let (alone, called) = (tensors(kind, &declared, None), tensors(kind, &declared, Some(input)));
        let shapes =
            |list: &[Declared]| list.iter().map(|d| (d.name.to_string(), format!("{:?}", d.shape))).collect::<Vec<_>>();
        assert_eq!(shapes(&alone.0), shapes(&called.0), "{kind}");
        assert!(alone.0.iter().all(|declared| declared.shape.is_some()), "{kind}");
        let states = |list: &[DeclaredState]| list.iter().map(|s| format!("{} {:?}", s.name, s.ty)).collect::<Vec<_>>();
        assert_eq!(states(&alone.1), states(&called.1), "{kind}");
    }
    // Whatever else has tensors must be in the list.
    for kind in LAYERS {
        let sized = [
            "in_features",
            "in_channels",
            "num_features",
            "num_channels",
            "input_size",
            "normalized_shape",
            "num_embeddings",
        ];
        let has = kind.signature.iter().any(|param| sized.contains(&param.name));
        assert_eq!(has, seen.contains(&kind.name), "{}", kind.name);
    }
}

#[test]
fn what_is_not_declared_is_not_known() {
    for (kind, declared) in [("Linear", vec![named("out_features", int(4))]), ("BatchNorm2d", vec![])] {
        let (list, _) = tensors(kind, &declared, None);
        assert!(list.iter().all(|declared| declared.shape.is_none()), "{kind}");
    }
}
