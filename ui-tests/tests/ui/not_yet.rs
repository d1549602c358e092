//! Parts of the language that are still to come, each refused at its token.

castnet::network! {
    pub net NotYet {
        fc: Linear(8);

        pub fn f(x: f32[N, 8]) -> f32[N, 8] { fc(x) }

        dynamic fn encode(x: &Array) -> f32[N, 8] { x }

        custom op lookup(x: f32[N]) -> f32[N] { forward = path; }
    }
}

fn main() {}
