//! In which type operators and layers compute in mixed precision: the table of PyTorch's autocast for CUDA, on every target.
//!
//! Source: "CUDA Ops that Autocast to float16", "… to float32" and "… that promote to the widest input type" in the documentation of
//! `torch.amp`. What stands in no list there follows its operands.

/// In which type a call computes; inside of it, halves are computed in f32 in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Autocast {
    /// Of halves: operands and results are rounded to them.
    Half,
    /// In f32.
    Single,
    /// In the widest type of its operands: of halves if all are.
    #[default]
    Follow,
    /// As the operand that is neither parameter nor state: these stay f32 where the operand is a half.
    Input,
    /// As what it is made of.
    Inner,
}

/// The call of an operator or layer that a node is a part of; by default none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// Another one for each call in a graph, from 1 on; 0: none.
    pub number: u32,
    /// In which type it computes.
    pub autocast: Autocast,
}

impl Caller {
    /// Whether all that is built in the call is a part of it.
    pub fn is_whole(self) -> bool {
        self.number > 0 && self.autocast != Autocast::Inner
    }
}

/// Operators of each class; all others follow their operands.
const OPERATORS: &[(Autocast, &[&str])] = &[
    (
        Autocast::Half,
        &[
            "bmm",
            "conv1d",
            "conv2d",
            "conv_transpose1d",
            "conv_transpose2d",
            "linear",
            "matmul",
            "mm",
            "scaled_dot_product_attention",
        ],
    ),
    (
        Autocast::Single,
        &[
            "binary_cross_entropy",
            "binary_cross_entropy_with_logits",
            "cosine_similarity",
            "cross_entropy",
            "cumprod",
            "cumsum",
            "exp",
            "expm1",
            "group_norm",
            "huber_loss",
            "kl_div",
            "l1_loss",
            "layer_norm",
            "log",
            "log1p",
            "log_softmax",
            "mse_loss",
            "nll_loss",
            "norm",
            "normalize",
            "pow",
            "prod",
            "reciprocal",
            "rms_norm",
            "rsqrt",
            "smooth_l1_loss",
            "softmax",
            "softplus",
            "sum",
        ],
    ),
    (Autocast::Input, &["batch_norm"]),
    (Autocast::Inner, &["grad"]),
];

/// Layers of each class; all others are made of operators.
const LAYERS: &[(Autocast, &[&str])] = &[
    (Autocast::Half, &["Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d", "Linear"]),
    (Autocast::Single, &["GroupNorm", "LayerNorm", "RMSNorm"]),
    (Autocast::Follow, &["Dropout", "Dropout2d", "Embedding"]),
    (Autocast::Input, &["BatchNorm1d", "BatchNorm2d", "InstanceNorm1d", "InstanceNorm2d"]),
];

/// Of the operator with this name.
pub fn of_operator(name: &str) -> Autocast {
    find(OPERATORS, name).unwrap_or(Autocast::Follow)
}

/// Of the layer of this kind.
pub fn of_layer(kind: &str) -> Autocast {
    find(LAYERS, kind).unwrap_or(Autocast::Inner)
}

fn find(table: &[(Autocast, &[&str])], name: &str) -> Option<Autocast> {
    table.iter().find(|(_, names)| names.contains(&name)).map(|(autocast, _)| *autocast)
}

/// Every name in the tables: of operators, of layers.
#[cfg(test)]
fn names() -> [Vec<&'static str>; 2] {
    [OPERATORS, LAYERS].map(|table| table.iter().flat_map(|(_, names)| names.iter().copied()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_name_what_there_is() {
        let [operators, layers] = names();
        operators.iter().for_each(|name| assert!(crate::ops::find(name).is_some(), "no operator `{name}`"));
        let is_layer = |name: &&str| crate::layers::LAYERS.iter().any(|kind| kind.name == *name);
        layers.iter().for_each(|name| assert!(is_layer(name), "no layer `{name}`"));
        let page = include_str!("../../docs/language.md").split("### Mixed precision").nth(1).unwrap_or_default();
        let section = page.split("\n## ").next().unwrap_or_default();
        let told = operators.iter().filter(|name| **name != "grad");
        told.for_each(|name| {
            assert!(section.contains(&format!("`{name}`")), "docs/language.md does not name `{name}`")
        });
    }
}
