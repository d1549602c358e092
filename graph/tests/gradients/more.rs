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
                    let args = vec![t(x[0]), t(target), t(x[1]), ignored.clone(), text(reduction), smoothing.clone()];
                    op(b, "cross_entropy", args)
                }));
            }
            cases.push(case("nll_loss", &[&[5, 4]], any, move |b, x| {
                let target = numbers(b, &[5], &[1], 4);
                op(b, "nll_loss", vec![t(x[0]), t(target), Arg::None, ignored.clone(), text(reduction)])
            }));
        }
        cases.push(case("nll_loss", &[&[5, 4], &[4]], probable, move |b, x| {
            let target = numbers(b, &[5], &[1], 4);
            op(b, "nll_loss", vec![t(x[0]), t(target), t(x[1]), Arg::None, text(reduction)])
        }));
        for name in ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"] {
            cases.push(case(name, &[&[3, 4], &[3, 4]], any, move |b, x| {
                let args = [t(x[0]), t(x[1]), text(reduction), Arg::Float(0.7)];
                let width = name.starts_with(['s', 'h']);
                op(b, name, args[..if width { 4 } else { 3 }].to_vec())
            }));
        }
        for name in ["binary_cross_entropy", "binary_cross_entropy_with_logits"] {
            cases.push(case(name, &[&[3, 4], &[3, 4]], probable, move |b, x| {
                op(b, name, vec![t(x[0]), t(x[1]), Arg::None, text(reduction)])
            }));
            cases.push(case(name, &[&[3, 4], &[3, 4], &[4]], probable, move |b, x| {
                op(b, name, vec![t(x[0]), t(x[1]), t(x[2]), text(reduction)])
            }));
        }
        cases.push(case("binary_cross_entropy_with_logits", &[&[3, 4], &[3, 4], &[4]], any, move |b, x| {
            let name = "binary_cross_entropy_with_logits";
            op(b, name, vec![t(x[0]), t(x[1]), Arg::None, text(reduction), t(x[2])])
        }));
    }
    for reduction in ["mean", "sum", "none", "batchmean"] {
        for log in [false, true] {
            cases.push(case("kl_div", &[&[3, 4], &[3, 4]], probable, move |b, x| {
                op(b, "kl_div", vec![t(x[0]), t(x[1]), text(reduction), Arg::Bool(log)])
            }));
        }
    }
    cases.push(case("smooth_l1_loss", &[&[5], &[5]], any, move |b, x| {
        op(b, "smooth_l1_loss", vec![t(x[0]), t(x[1]), Arg::None, int(0)])
    }));
    cases
}

pub fn attentions() -> Vec<Case> {
    let name = "scaled_dot_product_attention";
    let any = (-2.0, 2.0);
    let mut cases = vec![];
    for shapes in [[&[3, 4][..], &[5, 4][..], &[5, 2][..]], [&[2, 1, 3, 4], &[3, 2, 4], &[3, 2, 3]]] {
        for (p, causal, scale) in [(0.0, false, Arg::None), (0.4, true, Arg::Float(0.3))] {
            cases.push(case(name, &shapes, any, move |b, x| {
                let args = [Arg::None, Arg::Float(p), Arg::Bool(causal), scale.clone()];
                op(b, name, [x[..3].iter().map(|v| t(*v)).collect(), args.to_vec()].concat())
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
                        op(b, name, vec![t(x[0]), dim.clone(), correction.clone(), Arg::Bool(keep)])
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
