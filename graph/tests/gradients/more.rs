//! Cases of losses, attention, statistics, masks and draws.

use super::*;

pub fn losses() -> Vec<Case> {
    let (any, probable) = ((-2.0, 2.0), (0.1, 0.9));
    let text = |text: &str| Arg::Text(text.into());
    let mut cases = vec![];
    for reduction in ["mean", "sum", "none"] {
        for ignored in [Arg::None, int(2)] {
            for smoothing in [Arg::None, Arg::Float(0.2)] {
                let ignored = ignored.clone();
                cases.push(case("cross_entropy", &[&[5, 4, 2], &[4]], probable, move |b, x| {
                    let target = numbers(b, &[5, 2], &[1, 1], 4);
                    let more = [
                        ("ignore_index", ignored.clone()),
                        ("reduction", text(reduction)),
                        ("label_smoothing", smoothing.clone()),
                    ];
                    op_with(b, "cross_entropy", vec![t(x[0]), t(target), t(x[1])], &more)
                }));
            }
            cases.push(case("nll_loss", &[&[5, 4]], any, move |b, x| {
                let target = numbers(b, &[5], &[1], 4);
                let more = [("ignore_index", ignored.clone()), ("reduction", text(reduction))];
                op_with(b, "nll_loss", vec![t(x[0]), t(target)], &more)
            }));
        }
        cases.push(case("nll_loss", &[&[5, 4], &[4]], probable, move |b, x| {
            let target = numbers(b, &[5], &[1], 4);
            op_with(b, "nll_loss", vec![t(x[0]), t(target), t(x[1])], &[("reduction", text(reduction))])
        }));
        for name in ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"] {
            cases.push(case(name, &[&[3, 4], &[3, 4]], any, move |b, x| {
                let width = if name.starts_with('s') { "beta" } else { "delta" };
                let more = [("reduction", text(reduction)), (width, Arg::Float(0.7))];
                let more = if name.starts_with(['s', 'h']) { &more[..] } else { &more[..1] };
                op_with(b, name, vec![t(x[0]), t(x[1])], more)
            }));
        }
        for name in ["binary_cross_entropy", "binary_cross_entropy_with_logits"] {
            cases.push(case(name, &[&[3, 4], &[3, 4]], probable, move |b, x| {
                op_with(b, name, vec![t(x[0]), t(x[1])], &[("reduction", text(reduction))])
            }));
            cases.push(case(name, &[&[3, 4], &[3, 4], &[4]], probable, move |b, x| {
                op_with(b, name, vec![t(x[0]), t(x[1]), t(x[2])], &[("reduction", text(reduction))])
            }));
        }
        cases.push(case("binary_cross_entropy_with_logits", &[&[3, 4], &[3, 4], &[4]], any, move |b, x| {
            let name = "binary_cross_entropy_with_logits";
            op_with(b, name, vec![t(x[0]), t(x[1])], &[("reduction", text(reduction)), ("pos_weight", t(x[2]))])
        }));
    }
    for reduction in ["mean", "sum", "none", "batchmean"] {
        for log in [false, true] {
            cases.push(case("kl_div", &[&[3, 4], &[3, 4]], probable, move |b, x| {
                let more = [("reduction", text(reduction)), ("log_target", Arg::Bool(log))];
                op_with(b, "kl_div", vec![t(x[0]), t(x[1])], &more)
            }));
        }
    }
    cases.push(case("smooth_l1_loss", &[&[5], &[5]], any, move |b, x| {
        op_with(b, "smooth_l1_loss", vec![t(x[0]), t(x[1])], &[("beta", int(0))])
    }));
    cases
}

/// Functions with bends, lengths, and what is no number or a constant.
pub fn bent() -> Vec<Case> {
    let (any, far, positive) = ((-2.0, 2.0), (-6.0, 9.0), (0.9, 1.8));
    let mut cases = vec![];
    for name in ["round", "ceil", "expm1"] {
        cases.push(case(name, &[&[3, 5]], any, move |b, x| op(b, name, vec![t(x[0])])));
    }
    cases.push(case("log1p", &[&[3, 5]], positive, |b, x| op(b, "log1p", vec![t(x[0])])));
    cases.push(case("view", &[&[2, 6]], any, |b, x| op(b, "view", vec![t(x[0]), int(3), int(-1)])));
    cases.push(case("tile", &[&[3, 2]], any, |b, x| op(b, "tile", vec![t(x[0]), int(2)])));
    cases.push(case("eye", &[&[2, 3]], any, |b, x| {
        let eye = op(b, "eye", vec![int(2), int(3)]);
        let product = op(b, "mul", vec![t(eye), t(x[0])]);
        op(b, "mul", vec![t(product), t(x[0])])
    }));
    for reduction in ["mean", "sum", "none"] {
        for smoothing in [Arg::None, Arg::Float(0.2)] {
            cases.push(case("cross_entropy", &[&[5, 4, 2], &[4], &[5, 4, 2]], (0.1, 0.9), move |b, x| {
                let more = [("reduction", Arg::Text(reduction.into())), ("label_smoothing", smoothing.clone())];
                op_with(b, "cross_entropy", vec![t(x[0]), t(x[2]), t(x[1])], &more)
            }));
        }
    }
    for name in ["softplus", "elu", "relu6", "mish", "hardswish"] {
        cases.push(case(name, &[&[31]], far, move |b, x| op(b, name, vec![t(x[0])])));
    }
    cases.push(case("softplus", &[&[31]], far, |b, x| op(b, "softplus", vec![t(x[0]), Arg::Float(2.5), int(8)])));
    cases.push(case("elu", &[&[31]], far, |b, x| op(b, "elu", vec![t(x[0]), Arg::Float(1.5)])));
    cases.push(case("detach", &[&[2, 3]], any, |b, x| {
        let bent = op(b, "sin", vec![t(x[0])]);
        let held = op(b, "detach", vec![t(bent)]);
        let square = op(b, "square", vec![t(x[0])]);
        op(b, "mul", vec![t(held), t(square)])
    }));
    cases.push(case("isnan", &[&[2, 3]], any, |b, x| {
        let nothing = op(b, "isnan", vec![t(x[0])]);
        op(b, "where_", vec![t(nothing), Arg::Float(1.0), t(x[0])])
    }));
    for p in [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, f64::INFINITY, f64::NEG_INFINITY] {
        for axes in [vec![], vec![1], vec![0, 2]] {
            let dim = if axes.is_empty() { Arg::None } else { list(&axes) };
            cases.push(case("norm", &[&[2, 3, 2]], if p < 1.0 { positive } else { any }, move |b, x| {
                let length = op(b, "norm", vec![t(x[0]), Arg::Float(p), dim.clone(), Arg::Bool(true)]);
                op(b, "mul", vec![t(length), t(x[0])])
            }));
        }
        cases.push(case("normalize", &[&[3, 4]], if p < 1.0 { positive } else { any }, move |b, x| {
            op(b, "normalize", vec![t(x[0]), Arg::Float(p), int(-1)])
        }));
    }
    for (shapes, dim) in [([&[3, 4][..], &[3, 4][..]], 1), ([&[2, 1, 4], &[3, 4]], -1), ([&[4], &[3, 1]], 0)] {
        cases.push(case("cosine_similarity", &shapes, any, move |b, x| {
            op(b, "cosine_similarity", vec![t(x[0]), t(x[1]), int(dim)])
        }));
    }
    cases
}

pub fn attentions() -> Vec<Case> {
    let name = "scaled_dot_product_attention";
    let any = (-2.0, 2.0);
    let mut cases = vec![];
    for shapes in [[&[3, 4][..], &[5, 4][..], &[5, 2][..]], [&[2, 1, 3, 4], &[3, 2, 4], &[3, 2, 3]]] {
        for (p, causal, scale) in [(0.0, false, Arg::None), (0.4, true, Arg::Float(0.3))] {
            cases.push(case(name, &shapes, any, move |b, x| {
                let args = [Arg::None, Arg::Float(p), Arg::Bool(causal)];
                let args = [x[..3].iter().map(|v| t(*v)).collect(), args.to_vec()].concat();
                op_with(b, name, args, &[("scale", scale.clone())])
            }));
        }
    }
    for (mask, truth) in [(&[3, 5][..], false), (&[2, 1, 5], false), (&[5], true), (&[3, 5], true)] {
        cases.push(case(name, &[&[2, 3, 4], &[2, 5, 4], &[2, 5, 2], mask], any, move |b, x| {
            let mask = match truth {
                true => op(b, "gt", vec![t(x[3]), Arg::Float(-0.5)]),
                false => x[3],
            };
            op(b, name, vec![t(x[0]), t(x[1]), t(x[2]), t(mask)])
        }));
    }
    // The second query sees nothing.
    cases.push(case(name, &[&[3, 4], &[5, 4], &[5, 2]], any, |b, x| {
        let row = b.push(Op::Iota(0), vec![], Type::new(DType::I64, vec![3.into(), 5.into()]));
        let mask = op(b, "ne", vec![t(row), int(1)]);
        op(b, name, vec![t(x[0]), t(x[1]), t(x[2]), t(mask)])
    }));
    cases
}

pub fn statistics() -> Vec<Case> {
    let any = (-2.0, 2.0);
    let mut cases = vec![];
    for axes in [vec![], vec![1], vec![0, 2]] {
        for keep in [false, true] {
            let dim = if axes.is_empty() { Arg::None } else { list(&axes) };
            for name in ["var", "std"] {
                for correction in [Arg::None, int(0), int(2)] {
                    let dim = dim.clone();
                    cases.push(case(name, &[&[3, 4, 2]], any, move |b, x| {
                        let more = [("correction", correction.clone()), ("keepdim", Arg::Bool(keep))];
                        op_with(b, name, vec![t(x[0]), dim.clone()], &more)
                    }));
                }
            }
            if !axes.is_empty() {
                cases.push(case("logsumexp", &[&[3, 4, 2]], any, move |b, x| {
                    op(b, "logsumexp", vec![t(x[0]), dim.clone(), Arg::Bool(keep)])
                }));
            }
            for name in ["argmax", "argmin"] {
                let dim = axes.first().map_or(Arg::None, |&axis| int(axis));
                cases.push(case(name, &[&[3, 4, 2]], any, move |b, x| {
                    let place = op(b, name, vec![t(x[0]), dim.clone(), Arg::Bool(keep)]);
                    let place = op(b, "cast", vec![t(place), Arg::DType(DType::F32)]);
                    let place = op(b, "sum", vec![t(place)]);
                    op(b, "mul", vec![t(place), t(x[0])])
                }));
            }
        }
    }
    cases.push(case("mm", &[&[3, 4], &[4, 2]], any, |b, x| op(b, "mm", vec![t(x[0]), t(x[1])])));
    cases.push(case("bmm", &[&[2, 3, 4], &[2, 4, 2]], any, |b, x| op(b, "bmm", vec![t(x[0]), t(x[1])])));
    cases.push(case("matmul", &[&[4], &[2, 4, 3]], any, |b, x| op(b, "matmul", vec![t(x[0]), t(x[1])])));
    cases.push(case("matmul", &[&[2, 3, 4], &[4]], any, |b, x| op(b, "matmul", vec![t(x[0]), t(x[1])])));
    cases
}

pub fn masks_and_draws() -> Vec<Case> {
    let any = (-2.0, 2.0);
    let mut cases = vec![];
    for name in ["tril", "triu"] {
        for diagonal in [0, 1, -2] {
            cases.push(case(name, &[&[2, 4, 3]], any, move |b, x| op(b, name, vec![t(x[0]), int(diagonal)])));
        }
    }
    cases.push(case("masked_fill", &[&[3, 4], &[4], &[]], any, |b, x| {
        let mask = op(b, "gt", vec![t(x[1]), Arg::Float(0.0)]);
        let filled = op(b, "masked_fill", vec![t(x[0]), t(mask), t(x[2])]);
        op(b, "masked_fill", vec![t(filled), t(mask), Arg::Float(0.5)])
    }));
    cases.push(case("expand", &[&[3, 1]], any, |b, x| op(b, "expand", vec![t(x[0]), list(&[2, -1, 4])])));
    for counts in [&[2, 3][..], &[2, 1, 2], &[1, 1]] {
        cases.push(case("repeat", &[&[3, 2]], any, move |b, x| op(b, "repeat", vec![t(x[0]), list(counts)])));
    }
    for dim in [Arg::None, int(0), int(-1)] {
        cases.push(case("repeat_interleave", &[&[3, 2]], any, move |b, x| {
            op(b, "repeat_interleave", vec![t(x[0]), int(3), dim.clone()])
        }));
    }
    for name in ["rand", "randn"] {
        cases.push(case(name, &[&[3, 4]], any, move |b, x| {
            let noise = op(b, name, vec![list(&[3, 4])]);
            op(b, "mul", vec![t(x[0]), t(noise)])
        }));
    }
    for name in ["rand_like", "randn_like", "bernoulli"] {
        cases.push(case(name, &[&[3, 4]], (0.1, 0.9), move |b, x| {
            let noise = op(b, name, vec![t(x[0])]);
            op(b, "mul", vec![t(x[0]), t(noise)])
        }));
    }
    cases
}
