//! What is used and is no block: here rustc has the word.

mod inner {
    castnet::network! {
        block Private(x: f32[N, D]) -> f32[N, D] { x.tanh() }
    }

    pub struct Struct;
}

castnet::network! {
    use inner::Private;
    net A { part: Private; pub fn f(x: f32[N, 2]) -> f32[N, 2] { part(x) } }
}

castnet::network! {
    use inner::Struct;
    net B { part: Struct; pub fn f(x: f32[N, 2]) -> f32[N, 2] { part(x) } }
}

castnet::network! {
    use castnet_ui_blocks::Scale;
    net C { part: Scale; pub fn f(x: f32[N, 2]) -> f32[N, 2] { part(x) } }
}

castnet::network! {
    use castnet_ui_blocks::nothing::Scale;
    net D { part: Scale; pub fn f(x: f32[N, 2]) -> f32[N, 2] { part(x) } }
}

fn main() {}
